"""The calendar: quarters as text ("2025Q3") and as indices (0 is 2020Q1)."""

import re

from ecosystem.errors import FaultList

FIRST_YEAR = 2020
"""The year of quarter 0."""
QUARTERS = 64
"""Number of quarters, 2020Q1 to 2035Q4."""
PACKAGES_START = 22
"""2025Q3, the first quarter in which packages may differ from what is on record."""
CALENDAR_SHAPE = re.compile(r"([0-9]{4})Q([1-4])")


def period_label(index: int) -> str:
    """Return the text of a quarter: 22 becomes ``2025Q3``."""
    return f"{FIRST_YEAR + index // 4}Q{index % 4 + 1}"


def period_index(label: str) -> int:
    """Return the index of a quarter: ``2025Q3`` becomes 22.

    Raises
    ------
    InputError
        If the text is malformed or outside the horizon.
    """
    faults = FaultList()
    index = check_period(faults, "period", label)
    faults.raise_if_any()
    assert index is not None
    return index


def check_period(faults: FaultList, place: str, value: object, first: int = 0) -> int | None:
    """Return the index of a quarter from ``first`` to the horizon, else note a fault."""
    match = CALENDAR_SHAPE.fullmatch(value) if isinstance(value, str) else None
    if match:
        index = 4 * (int(match[1]) - FIRST_YEAR) + int(match[2]) - 1
        if first <= index < QUARTERS:
            return index
    span = f"{period_label(first)} to {period_label(QUARTERS - 1)}"
    faults.add(place, value, f"a quarter from {span}")
    return None


def period_labels() -> tuple[str, ...]:
    """Return the texts of all quarters of the horizon, in order."""
    return tuple(period_label(index) for index in range(QUARTERS))
