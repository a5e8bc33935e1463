"""Keyed random numbers: one Philox stream for each (seed, replicate, process).

The counter of a stream is set to the period and number i belongs to the agent of stable id i: every
draw is addressed by (period, id) and made from one uniform number by inversion. So neither a longer
horizon nor one more agent, another policy or more workers changes anybody's luck, nothing is stored
beyond a period, and all policies of a replicate share their draws (common random numbers). Luck
from the first quarter of the policies on has keys of its own, so that one past can have many
futures.
"""

from collections.abc import Sequence
from zlib import crc32

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray
from scipy.special import ndtri

from ecosystem.maths.philox import Words, keys_of_rounds, uniform_numbers
from ecosystem.maths.scalars import INSIDE

Floats = NDArray[np.float64]


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
    ) -> None:
        self.seed = int(seed)
        self.future_from = future_from
        given = np.zeros(len(replicates)) if futures is None else futures
        runs = np.array([replicates, given], dtype=np.int64)
        distinct, row = np.unique(runs, axis=1, return_inverse=True)
        self._row = None if np.array_equal(row, np.arange(len(row))) else row
        self._runs = [(int(replicate), int(future)) for replicate, future in distinct.T]
        self._keys: dict[tuple[str, bool], Words] = {}

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
        future = self.future_from is not None and period >= self.future_from
        return uniform_numbers(self._keys_of(process, future), period, count)

    def _keys_of(self, process: str, of_future: bool) -> Words:
        """Keys of each distinct run's stream of a process before or in the future, made once."""
        if (process, of_future) not in self._keys:
            name = crc32(process.encode())
            keys = [
                SeedSequence(
                    [self.seed, replicate, name, *([1 + future] if of_future else [])]
                ).generate_state(2, np.uint64)
                for replicate, future in self._runs
            ]
            self._keys[process, of_future] = keys_of_rounds(np.array(keys))
        return self._keys[process, of_future]
