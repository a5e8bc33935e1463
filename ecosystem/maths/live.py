"""Which slots of each run hold an agent: compiled loops go over these alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecosystem.maths.arrays import Array
from ecosystem.maths.compiled import equation, kernel


class Live(NamedTuple):
    """Slots in use; ``for f in of_run(live, r)`` goes over those of run r in order."""

    slots: NDArray[np.int32]  # (runs, slots), those in use first
    number: NDArray[np.int64]  # (runs,)


@kernel
def live_slots(active: Array) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the slots in use, (runs, slots) with the rest behind, and their number, (runs,)."""
    slots, number = np.zeros(active.shape, np.int32), np.zeros(len(active), np.int64)
    for r in range(len(active)):
        found = 0
        for f in range(active.shape[1]):
            slots[r, found] = f
            found += active[r, f] > 0
        number[r] = found
    return slots, number


@equation
def of_run(live: Live, r: int) -> NDArray[np.int32]:
    """Return the slots in use of run r."""
    return live.slots[r, : live.number[r]]
