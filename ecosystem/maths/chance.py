"""Keyed random numbers: one Philox stream for each (seed, replicate, process).

The counter of a stream is set to the period and numbers are taken in the order of stable agent
ids. So neither a longer horizon nor one more agent, another policy or more workers changes
anybody's luck, nothing is stored beyond a period, and all policies of a replicate share their
draws (common random numbers).
"""

from collections.abc import Callable, Sequence
from typing import Any
from zlib import crc32

import numpy as np
from numpy.random import Generator, Philox, SeedSequence
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Key = NDArray[np.unsignedinteger]
_BUFFER = 4  # Philox makes four numbers at a time; position 4 says that none is left over


class Chance:
    """Random numbers of a chunk of runs.

    Parameters
    ----------
    seed : seed of the whole study, at least 0.
    replicates : replicate of each run, in row order; runs of one replicate get the same numbers.

    Notes
    -----
    Counter-based generator: Salmon, Moraes, Dror and Shaw (2011), "Parallel random numbers: as
    easy as 1, 2, 3". A process is keyed by the CRC-32 of its name, which no hash seed changes.
    """

    def __init__(self, seed: int, replicates: Sequence[int]) -> None:
        self.seed = int(seed)
        distinct, self._row = np.unique(np.asarray(replicates, dtype=np.int64), return_inverse=True)
        self._replicates = [int(replicate) for replicate in distinct]
        self._keys: dict[str, list[Key]] = {}
        self._philox = Philox(key=0)
        self._generator = Generator(self._philox)

    def uniform(self, process: str, period: int, count: int) -> Floats:
        """Uniform numbers in [0, 1) of a process and period: (runs, count).

        The first numbers of a longer count are those of a shorter one.
        """
        return self._rows(self._generator.random, process, period, count)

    def normal(self, process: str, period: int, count: int) -> Floats:
        """Standard normal numbers of a process and period: (runs, count).

        The first numbers of a longer count are those of a shorter one.
        """
        return self._rows(self._generator.standard_normal, process, period, count)

    def _rows(self, fill: Callable[..., Floats], process: str, period: int, count: int) -> Floats:
        """Turn the kept generator to each replicate's stream and let it fill the row.

        Setting the state is several times faster than a new Philox(key, counter=[0, 0, period, 0])
        and gives the same numbers.
        """
        state: Any = {
            "bit_generator": "Philox",
            "state": {"counter": np.array([0, 0, period, 0], dtype=np.uint64), "key": None},
            "buffer": np.zeros(_BUFFER, dtype=np.uint64),
            "buffer_pos": _BUFFER,
            "has_uint32": 0,
            "uinteger": 0,
        }
        rows = np.empty((len(self._replicates), count))
        for row, key in zip(rows, self._keys_of(process), strict=True):
            state["state"]["key"] = key
            self._philox.state = state
            fill(out=row)
        return rows[self._row]

    def _keys_of(self, process: str) -> list[Key]:
        """Key of each replicate's stream of a process, made once."""
        if process not in self._keys:
            name = crc32(process.encode())
            self._keys[process] = [
                SeedSequence([self.seed, replicate, name]).generate_state(2, np.uint64)
                for replicate in self._replicates
            ]
        return self._keys[process]
