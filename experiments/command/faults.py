"""Several things looked up in a row, with the faults of all of them at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ecosystem.inputs.faults import FaultList, InputError

T = TypeVar("T")


def collected(faults: FaultList, action: Callable[[], T]) -> T | None:
    """Return what an action returns, or None after noting its faults, each only once."""
    try:
        return action()
    except InputError as error:
        faults.faults += [fault for fault in error.faults if fault not in faults.faults]
    return None
