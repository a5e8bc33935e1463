"""The calendar: quarters as text ("2025Q3") and as indices (0 is 2020Q1)."""

import re

from ecosystem.inputs.faults import FaultList

FIRST_YEAR = 2020
"""The year of quarter 0."""
QUARTERS_A_YEAR = 4
HORIZON = 64
"""Number of quarters, 2020Q1 to 2035Q4."""
HUB_START = 7
"""2021Q4, from when on investors count on the hub's designation."""
POLICY_START = 22
"""2025Q3, the first quarter in which packages may differ from what is on record."""
SHAPE = re.compile(r"([0-9]{4})Q([1-4])")


def period_label(index: int) -> str:
    """Return the text of a quarter: 22 becomes ``2025Q3``."""
    year, quarter = divmod(index, QUARTERS_A_YEAR)
    return f"{FIRST_YEAR + year}Q{quarter + 1}"


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
    match = SHAPE.fullmatch(value) if isinstance(value, str) else None
    if match:
        index = QUARTERS_A_YEAR * (int(match[1]) - FIRST_YEAR) + int(match[2]) - 1
        if first <= index < HORIZON:
            return index
    allowed = f"a quarter from {period_label(first)} to {period_label(HORIZON - 1)}"
    if first == POLICY_START:
        allowed += ", for packages differ from then on and the past is on record"
    faults.add(place, value, allowed)
    return None


def mid_year(index: int) -> float:
    """Return the middle of a quarter as a decimal year: 0 becomes 2020.125."""
    return FIRST_YEAR + (index + 0.5) / QUARTERS_A_YEAR


def year_end_period(year: int) -> int:
    """Return the last quarter of a year: a year-end figure is the state after it."""
    return QUARTERS_A_YEAR * (year - FIRST_YEAR) + QUARTERS_A_YEAR - 1
