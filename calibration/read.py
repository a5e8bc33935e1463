"""A user's own figures: one CSV file, a figure a row, each held against something of the model.

`template` shows one. `read_data` returns the figures as targets, as `load_targets` does those that
come with the model, or everything that is wrong with the file at once.
"""

import datetime
from collections.abc import Mapping, Sequence
from itertools import permutations
from math import hypot, log
from pathlib import Path
from typing import Literal

from pydantic import Field

from calibration.observe import COMPUTE, log_error_sd, observation_model
from calibration.records import quarter_of
from calibration.targets import Target, Use, observables
from ecosystem.inputs.calendar import period_index
from ecosystem.inputs.catalogue import Row
from ecosystem.inputs.faults import FaultList
from ecosystem.inputs.files import read_csv, read_text
from ecosystem.inputs.translate import read

FIRST, LAST = "2020Q1", "2025Q2"
"""Quarters from and to which figures are held against runs."""
APART = 3
"""Two figures of a quarter contradict each other from so many standard deviations on: two honest
ones do so three times in a thousand."""
DATE = "a year, a month or a day, such as 2024, 2024-09 or 2024-09-13"


class Figure(Row):
    """A row of a user's file: a published figure, its error, and what of the model it measures."""

    name: str = ""
    series: str
    region: str = ""
    date: str
    base_date: str = ""
    value: float = Field(gt=0)
    unit: str
    bound: Literal["", "lower", "upper"] = ""
    grade: Literal["A", "B", "C"] = "B"
    log_sd: float | None = Field(default=None, gt=0)
    part: float = Field(default=1, gt=0, le=1)
    share: float = Field(default=1, gt=0, le=1)
    use: Use = "fit"
    published: str = ""
    source: str = ""
    note: str = ""


EXAMPLES = (
    "series,region,date,base_date,value,unit,bound,grade,log_sd,use,published,source,note",
    "published_compute,qingyang,2024-06-19,,12000,PFLOPS,,B,,fit,2024-06-20,"
    '"Who said so, where",the error is that of the observation model where log_sd is blank',
    "recruited_branches,qingyang,2024-06,,153,count,,B,0.3,fit,2024-07,,an error in logs",
    "hub_occupancy,qingyang,2024-06-19,,80,percent,lower,B,0.2,comparison,,,at least so much",
    "ai_firms,gansu,2024,2020,1.33,ratio,,C,0.5,fit,,,growth from base_date to date",
)


def template() -> str:
    """Return a file to start from: a figure, one with an error, a lower bound, and growth."""
    return "\n".join(EXAMPLES) + "\n"


def read_data(path: Path) -> tuple[Target, ...]:
    """Read and check a user's own figures.

    Parameters
    ----------
    path : Path
        A CSV file with the columns of `template`. ``series`` is an observable of
        ``observables.csv``, ``unit`` its unit; with a ``base_date`` the value is a ratio.

    Returns
    -------
    tuple of Target
        In the order of the file.

    Raises
    ------
    InputError
        With every fault, by row and column: cells that are no number or date, an unknown series,
        another unit, a day outside the horizon, the same figure twice, figures of one quarter that
        contradict each other. A file that is no such table is one fault.
    """
    faults = FaultList()
    text = read_text(path, path.name, faults)
    columns = {name: field.is_required() for name, field in Figure.model_fields.items()}
    lines = list(read_csv(text, path.name, columns, faults)) if text is not None else []
    if not lines and not faults.faults:
        faults.add(path.name, "no figure", "at least one row below the header")
    targets, first = dict[int, Target](), dict[tuple[str | None, ...], int]()
    for line, cells in lines:
        place = f"{path.name}:{line}:"
        known = len(faults.faults)
        written = {name: cell for name, cell in cells.items() if cell and name in columns}
        row = read(Figure, written, place, faults)
        periods = _checked(written, place, faults)
        key = tuple(written.get(c) for c in ("series", "region", "date", "base_date", "bound"))
        if first.setdefault(key, line) != line:
            faults.add(f"{place}date", written.get("date"), f"a figure once (see row {first[key]})")
        if row and len(faults.faults) == known:
            targets[line] = _target(row, periods)
    for (line, one), (other, two) in permutations(targets.items(), 2):
        if _contradict(one, two):
            words = f"a value that agrees with that of row {other}, {two.value:g}, within its error"
            faults.add(f"{path.name}:{line}:value", one.value, words)
    faults.raise_if_any()
    return tuple(targets.values())


def _checked(written: Mapping[str, str], place: str, faults: FaultList) -> Sequence[int | None]:
    """Return the quarters of date and base date; note what is wrong with series, unit and dates."""
    measured = {name: row for name, row in observables().items() if not row.not_measured}
    series, unit, base = (written.get(name) for name in ("series", "unit", "base_date"))
    if series is not None and faults.name(f"{place}series", series, measured):
        needed = "ratio" if base else measured[series].unit
        if unit not in (None, needed):
            why = "since there is a base_date" if base else f"the unit of {series}"
            faults.add(f"{place}unit", unit, f"{needed} ({why})")
        if "log_sd" not in written and (base or series not in COMPUTE):
            allowed = f"a number above 0 (blank for levels of {' and '.join(COMPUTE)} only)"
            faults.add(f"{place}log_sd", "", allowed)
    period = _quarter(written.get("date"), f"{place}date", faults)
    before = _quarter(base, f"{place}base_date", faults)
    if period is not None and before is not None and before >= period:
        faults.add(f"{place}base_date", base, f"a quarter before that of {written['date']}")
    published = written.get("published")
    if published and _day(published) is None:
        faults.add(f"{place}published", published, DATE)
    elif published and period is not None and published < written["date"][: len(published)]:
        faults.add(f"{place}published", published, f"a day from {written['date']} on")
    return period, before


def _day(date: str) -> int | None:
    """Return the quarter in which a year, month or day ends, or None if it is no such thing."""
    try:
        datetime.date.fromisoformat(date + "0000-01-01"[len(date) :])
        return quarter_of(date)
    except ValueError:
        return None


def _quarter(date: str | None, place: str, faults: FaultList) -> int | None:
    """Return the quarter of a date inside the horizon, or note why there is none."""
    if date is None:
        return None
    period = _day(date)
    if period is None:
        faults.add(place, date, DATE)
    elif not period_index(FIRST) <= period <= period_index(LAST):
        faults.add(place, date, f"a date that ends from {FIRST} to {LAST}")
        return None
    return period


def _target(row: Figure, periods: Sequence[int | None]) -> Target:
    """Return a figure that is right as a target."""
    period, before = periods
    assert period is not None
    model, kept = observation_model(), ("series", "region", "date", "base_date", "unit", "bound")
    return Target(
        **{name: getattr(row, name) for name in kept},
        name=row.name or "_".join(filter(None, (row.series, row.region, row.date, row.bound))),
        observable=row.series,
        period=period,
        base_period=before,
        value=row.part * row.value,
        log_sd=row.log_sd or float(log_error_sd(period, model)),
        weight=model.weight(row.grade) * row.share,
        grade=row.grade,
        use=row.use,
        published=row.published,
        note=row.note,
    )


def _contradict(one: Target, two: Target) -> bool:
    """Return whether a figure lies further above another of the same thing than errors allow."""
    same = (one.observable, one.period, one.base_period)
    if same != (two.observable, two.period, two.base_period):
        return False
    above = log(one.value / two.value) > APART * hypot(one.log_sd, two.log_sd)
    return above and one.bound != "upper" and two.bound != "lower"
