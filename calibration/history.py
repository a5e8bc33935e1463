"""What was known of a series at a day: figures by the day on which they came out."""

from __future__ import annotations

import calendar
import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Literal

import numpy as np
from pydantic import Field

from calibration.records import INFORMATION_END, quarter_of, sources, statistics
from calibration.rulers import Known
from ecosystem.inputs.calendar import FIRST_YEAR, QUARTERS_A_YEAR
from ecosystem.inputs.catalogue import Row, read_rows
from ecosystem.maths.arrays import Array

FIRST_ORIGIN = -40
"""Quarter before which no figure came out: 2010Q1."""
LAST_DAY = datetime.date.fromisoformat(INFORMATION_END)


class Series(Row):
    """A row of ``judged.csv``: a series that is forecast, and what of the model it is held to.

    ``level`` compares levels, ``growth`` what the model grows by from the last figure on.
    ``log_sd`` is the error of a figure, and ``forecast`` says whether ``forecast.csv`` has it. A
    blank ``observable`` is a series that the model is given.
    """

    title_en: str
    title_zh: str
    series: str
    region: str
    figures: str
    regions: str
    note: str = ""
    observable: str = ""
    relation: Literal["level", "growth"]
    log_sd: float = Field(gt=0)
    forecast: bool
    unit: str
    definition: str


class Outlook(Row):
    """A row of ``outlooks.csv``: a plan or forecast about a later day, and when it came out."""

    of: str
    kind: Literal["plan", "forecast"]
    edition: str
    date: str
    value: float
    source: str


@dataclass(frozen=True)
class Figure:
    """A published figure: the day it is about, the day it came out, its value, and if a bound."""

    day: datetime.date
    out: datetime.date
    value: float
    bound: bool

    @property
    def year(self) -> float:
        """The day as a decimal year."""
        return decimal(self.day)

    @property
    def quarter(self) -> int:
        """The quarter of the day."""
        return quarter_of(self.day.isoformat())


def last_day(date: str) -> datetime.date:
    """Return the last day of a year, a month or a day."""
    year, month, day = (*(int(part) for part in date.split("-")), 0, 0)[:3]
    month = month or 12
    return datetime.date(year, month, day or calendar.monthrange(year, month)[1])


def decimal(day: datetime.date) -> float:
    """Return the end of a day as a decimal year."""
    return day.year + day.timetuple().tm_yday / (366 if calendar.isleap(day.year) else 365)


def quarter_end(quarter: int) -> datetime.date:
    """Return the last day of a quarter of the model; quarter 0 is the first of 2020."""
    year, part = divmod(quarter, QUARTERS_A_YEAR)
    return last_day(f"{FIRST_YEAR + year}-{3 * part + 3:02d}")


def came_out(date: str, published: str, note: str = "") -> datetime.date:
    """Return the day from which on a figure is known.

    A source that names a month or a year came out on its last day, one without a date at the end of
    the information. A figure that a later yearbook repeats ("one vintage") first came out in the
    yearbook of the year after; what it was then differs little, but is not at hand.
    """
    if note.endswith("one vintage"):
        return datetime.date(int(date[:4]) + 1, 12, 31)
    return min(last_day(published), LAST_DAY) if published else LAST_DAY


@lru_cache(maxsize=1)
def judged() -> dict[str, Series]:
    """Return the series that are judged or forecast, by name."""
    text = (files("calibration") / "judged.csv").read_text(encoding="utf-8-sig")
    return read_rows(text, Series, "judged.csv")


@lru_cache(maxsize=1)
def outlooks() -> tuple[Outlook, ...]:
    """Return plans and forecasts about days after the information, with the day they came out."""
    text = (files("calibration") / "outlooks.csv").read_text(encoding="utf-8-sig")
    return tuple(read_rows(text, Outlook, "outlooks.csv").values())


def figures(series: Series) -> list[Figure]:
    """Return the published observations of a series, by day."""
    found = [
        Figure(
            last_day(one.date),
            came_out(one.date, sources()[one.source].published, one.note),
            one.value,
            bool(one.bound),
        )
        for one in statistics()
        if one.kind == "observation"
        and one.series in series.figures.split()
        and one.region in series.regions.split()
        and series.note in one.note
    ]
    return sorted(found, key=lambda figure: (figure.day, figure.out))


def known_figures(series: Series, day: datetime.date) -> list[Figure]:
    """Return what had come out of a series by a day: the last figure of each quarter."""
    return list({one.quarter: one for one in figures(series) if one.out <= day}.values())


def newest(name: str, kind: str, day: datetime.date) -> Array:
    """Return years and logs, (2, points), of the newest edition of an outlook known at a day."""
    out = [
        one
        for one in outlooks()
        if (one.of, one.kind) == (name, kind) and last_day(one.edition) <= day
    ]
    edition = max((one.edition for one in out), default="")
    points = sorted(
        (decimal(last_day(one.date)), np.log(one.value)) for one in out if one.edition == edition
    )
    return np.array(points, dtype=float).reshape(-1, 2).T


def known_at(series: Series, day: datetime.date) -> Known | None:
    """Return what the rulers may use of a series at a day; None where no figure had come out.

    The share of the nation is taken of intelligent compute, and of series of compute alone.
    """
    seen = known_figures(series, day)
    if not seen:
        return None
    of_compute = "compute" in series.series
    return Known(
        np.array([one.year for one in seen]),
        np.log([one.value for one in seen]),
        newest("national_compute" if of_compute else "", "forecast", day),
        newest(series.name, "plan", day),
    )


def origins(series: Series) -> list[int]:
    """Return the quarters at whose end something new of a series was known, before the last one."""
    last, found, before = quarter_of(INFORMATION_END), [], 0
    for quarter in range(FIRST_ORIGIN, last):
        count = len([one for one in figures(series) if one.out <= quarter_end(quarter)])
        if count > before:
            found.append(quarter)
        before = count
    return found


def to_come(series: Series, quarter: int) -> list[Figure]:
    """Return the figures that a forecast at the end of a quarter is held against.

    The last of each quarter about a day after the last known figure; bounds are none, since nothing
    says how far above them the truth lies.
    """
    day = quarter_end(quarter)
    last = max(one.day for one in known_figures(series, day))
    later = {one.quarter: one for one in figures(series) if one.out > day and one.day > last}
    return [one for one in later.values() if not one.bound]


def earlier_knowledge(series: Series, quarters: Sequence[int]) -> list[Known]:
    """Return what was known at the end of each of some quarters."""
    found = [known_at(series, quarter_end(quarter)) for quarter in quarters]
    return [one for one in found if one is not None]
