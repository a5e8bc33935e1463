"""Keyed random numbers: one Philox stream for each (seed, replicate, process).

The counter of a stream is set to the period and number i belongs to the agent of stable id i: every
draw is addressed by (period, id) and made from one uniform number by inversion. So neither a longer
horizon nor one more agent, another policy or more workers changes anybody's luck, nothing is stored
beyond a period, and all policies of a replicate share their draws (common random numbers). Luck
from the first quarter of the policies on has keys of its own, so that one past can have many
futures. A past can also be put together from numbered pieces of luck, each from one period to the
next, whatever the seed: so draws of a posterior bring their luck along.
"""

from bisect import bisect
from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray
from scipy.special import ndtri

from ecosystem.maths.philox import Words, keys_of_rounds, uniform_numbers
from ecosystem.maths.scalars import INSIDE

Floats = NDArray[np.float64]


FUTURE = -1
"""The part of time whose luck depends on the future, among `Chance`'s own."""


class PastLuck(NamedTuple):
    """Luck of the past by number, one from each start to the next; the first start is 0."""

    starts: tuple[int, ...]
    numbers: NDArray[np.int64]  # (runs, starts)


def normal_inverse(uniform: Floats) -> Floats:
    """Return the standard normal numbers that uniform numbers in [0, 1) stand for, by inversion."""
    return np.asarray(ndtri(np.clip(uniform, INSIDE, 1 - INSIDE)))


class Chance:
    """Random numbers of a chunk of runs.

    Parameters
    ----------
    seed : seed of the whole study, at least 0.
    replicates : replicate of each run, in row order; runs of one replicate get the same numbers.
    futures : future of each run, in row order, 0 where none is given; runs of one replicate share
        their numbers before ``future_from`` whatever their futures.
    future_from : first period whose luck depends on the future; none by default.
    past : luck before `future_from` by number, in place of that of seed and replicate.

    Notes
    -----
    A process is keyed by the CRC-32 of its name, which no hash seed changes.
    """

    def __init__(
        self,
        seed: int,
        replicates: Sequence[int],
        futures: Sequence[int] | None = None,
        future_from: int | None = None,
        past: PastLuck | None = None,
    ) -> None:
        self.seed = int(seed)
        self.future_from = future_from
        self.starts = () if past is None else past.starts
        given = np.zeros(len(replicates)) if futures is None else futures
        numbers = () if past is None else past.numbers.T
        runs = np.array([replicates, given, *numbers], dtype=np.int64)
        distinct, row = np.unique(runs, axis=1, return_inverse=True)
        self._row = None if np.array_equal(row, np.arange(len(row))) else row
        self._runs = distinct.T.tolist()
        self._keys: dict[tuple[str, int], Words] = {}

    def uniform(self, process: str, period: int, count: int) -> Floats:
        """Uniform numbers in [0, 1) of a process and period: (runs, count).

        The first numbers of a longer count are those of a shorter one.
        """
        return self._of_runs(self._draw(process, period, count))

    def normal(self, process: str, period: int, count: int) -> Floats:
        """Standard normal numbers of a process and period, by inversion: (runs, count)."""
        return self._of_runs(normal_inverse(self._draw(process, period, count)))

    def _of_runs(self, drawn: Floats) -> Floats:
        """Give every run the numbers of its replicate and future."""
        return drawn if self._row is None else drawn[self._row]

    def _draw(self, process: str, period: int, count: int) -> Floats:
        """Return the numbers of each distinct run's stream."""
        in_future = self.future_from is not None and period >= self.future_from
        part = FUTURE if in_future else bisect(self.starts, period)
        return uniform_numbers(self._keys_of(process, part), period, count)

    def _keys_of(self, process: str, part: int) -> Words:
        """Keys of each distinct run's stream of a process in a part of time, made once.

        The parts are the past of seed and replicate, 0, its numbered pieces from 1 on, and the
        future.
        """
        if (process, part) not in self._keys:
            name, keys = crc32(process.encode()), []
            for replicate, future, *numbers in self._runs:
                words = [self.seed, replicate, name]
                if part == FUTURE:
                    words += [1 + future]
                elif part:
                    words = [numbers[part - 1], name]
                keys.append(SeedSequence(words).generate_state(2, np.uint64))
            self._keys[process, part] = keys_of_rounds(np.array(keys))
        return self._keys[process, part]
