"""The published figures and their sources, as they lie in ``calibration/statistics``."""

import csv
import io
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from ecosystem.inputs.calendar import FIRST_YEAR

INFORMATION_END = "2025-06-30"
"""Last day of the information set: nothing about or published after it is used."""


@dataclass(frozen=True)
class Source:
    """Where a figure was published.

    Parameters
    ----------
    source : str
        Key by which figures name it.
    publisher, title : str
        As printed.
    published : str
        Year, month or day; empty where the page has no date.
    access : str
        How it was read: ``original``, ``copy``, ``transcription`` (the table in somebody else's
        data set) or ``secondary`` (quoted by another publisher).
    """

    source: str
    publisher: str
    title: str
    published: str
    access: str


@dataclass(frozen=True)
class Statistic:
    """One published figure.

    Parameters
    ----------
    series, region : str
        What was counted, and where.
    date : str
        Year, month or day it is about.
    value : float
        In ``unit``.
    unit : str
        Unit as published.
    kind : str
        ``observation``, ``plan``, ``forecast``, ``rule`` (a policy's magnitude) or ``prior``
        (an elasticity from the literature).
    grade : str
        A (statistics bureau or ministry), B (press quoting officials), C (anything else).
    bound : str
        ``lower`` or ``upper`` where the publisher says "over" or "up to", else empty.
    derived : bool
        Whether it is arithmetic on published figures.
    source : str
        Key of the `Source`.
    note : str
        Definition or vintage, in few words.
    """

    series: str
    region: str
    date: str
    value: float
    unit: str
    kind: str
    grade: str
    bound: str
    derived: bool
    source: str
    note: str


def _lines(file: str) -> list[dict[str, str]]:
    """Read a CSV file of ``calibration/statistics``."""
    text = (files("calibration") / "statistics" / file).read_text(encoding="utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


@lru_cache(maxsize=1)
def sources() -> dict[str, Source]:
    """Return all sources by key."""
    return {line["source"]: Source(**line) for line in _lines("sources.csv")}


@lru_cache(maxsize=1)
def statistics() -> tuple[Statistic, ...]:
    """Return all figures, sorted by series, region and date."""
    numbers = ("value", "derived")
    return tuple(
        Statistic(
            **{column: cell for column, cell in line.items() if column not in numbers},
            value=float(line["value"]),
            derived=line["derived"] == "1",
        )
        for line in _lines("statistics.csv")
    )


def quarter_of(date: str) -> int:
    """Return the quarter in which a year, month or day ends.

    Parameters
    ----------
    date : str
        ``2024`` (its last quarter), ``2024-09`` or ``2024-09-13``.

    Returns
    -------
    int
        Quarters since the first of the model; negative before it.

    Raises
    ------
    ValueError
        If the text is none of these.
    """
    match = re.fullmatch(r"(\d{4})(?:-(0[1-9]|1[0-2])(?:-\d{2})?)?", date)
    if match is None:
        raise ValueError(f"{date!r} is not a year, a month or a day such as 2024-09-13")
    return 4 * (int(match[1]) - FIRST_YEAR) + (int(match[2] or 12) - 1) // 3
