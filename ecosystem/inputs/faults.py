"""What the model says about wrong input: every fault at once, each on one line."""

import csv
import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from numbers import Integral, Real
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")
LISTED = 15
"""A fault spells out at most so many valid names."""
MISSING = "column missing"
"""The value of a fault of a table that lacks a column."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with the input.

    Parameters
    ----------
    place : str
        File and dotted path, such as ``mine.toml: instrument[0].rate``.
    value : object
        The offending value as it was written, or `MISSING`.
    allowed : str
        What may stand there, in words or as a range with its unit.
    nearest : str
        The closest valid name, where a name was mistyped.
    """

    place: str
    value: object
    allowed: str
    nearest: str = ""

    def __str__(self) -> str:
        """One line: place, value, what is allowed, nearest valid name."""
        hint = f"; nearest valid name: {self.nearest}" if self.nearest else ""
        value = self.value.item() if isinstance(self.value, np.generic) else self.value
        missing = isinstance(value, str) and value == MISSING
        wrong = f"{MISSING};" if missing else f"{value!r} is not valid; allowed:"
        line = f"{self.place}: {wrong} {self.allowed}{hint}"
        return " ".join(line.split())


class InputError(ValueError):
    """Wrong input, with everything that is wrong about it in ``faults``."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild from the faults, so that the error survives a trip between processes."""
        return type(self), (self.faults,)


@cache
def retired() -> dict[str, str]:
    """Return what took the place of names that earlier versions had, by old name."""
    text = (files("ecosystem") / "tables" / "retired.csv").read_text(encoding="utf-8")
    return {row["name"]: row["successor"] for row in csv.DictReader(text.splitlines())}


def nearest(name: object, valid: Iterable[str]) -> str:
    """Return the successor of a retired ``name``, else the valid one that is spelled most like it.

    An empty string where there is neither.
    """
    names, successor = list(valid), retired().get(str(name))
    if successor in names:
        return str(successor)
    matches = get_close_matches(str(name).lower(), names, n=1, cutoff=0.5)
    return matches[0] if matches else ""


def one_of(names: Collection[str]) -> str:
    """Say which names are allowed, spelled out unless there are too many."""
    if len(names) <= LISTED:
        return "one of " + ", ".join(names)
    return f"one of {len(names)} listed names"


def real_number(value: object) -> float | None:
    """Return a finite real number as a float, and None for anything else.

    The one rule for numbers in every face: those of NumPy count, arrays without axes included;
    truth values, texts and complex numbers do not.
    """
    if getattr(value, "shape", None) == ():  # of NumPy, whether a number or an array
        value = value.item()  # type: ignore[attr-defined]
    if not isinstance(value, Real) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:  # an integer with more digits than a float holds
        return None
    return number if math.isfinite(number) else None


def number_in_words(
    ge: float | None = None,
    le: float | None = None,
    gt: float | None = None,
    lt: float | None = None,
    *,
    unit: str = "",
    whole: bool = False,
) -> str:
    """Say which numbers are allowed: from ``ge`` to ``le``, or above ``gt`` and below ``lt``."""
    ends = [
        f"{words} {end:g}"
        for words, end in (("above", gt), ("below", lt), ("at least", ge), ("at most", le))
        if end is not None
    ]
    span = f"from {ge:g} to {le:g}" if ge is not None and le is not None else " and ".join(ends)
    kind = "whole number" if whole else "number" if span else "finite number"
    words = f"a {kind} {'of ' if span.startswith('at') else ''}{span}".rstrip()
    return f"{words} ({unit})" if unit else words


@dataclass
class FaultList:
    """Collects faults while the rest of the input is still being read."""

    faults: list[Fault] = field(default_factory=list)

    def add(self, place: str, value: object, allowed: str, nearest: str = "") -> None:
        """Note one fault; see `Fault` for the arguments."""
        self.faults.append(Fault(place, value, allowed, nearest))

    def name(self, place: str, value: object, valid: Iterable[str]) -> str | None:
        """Return ``value`` if it is one of the ``valid`` names, else note a fault."""
        names = list(valid)
        if isinstance(value, str) and value in names:
            return value
        self.add(place, value, one_of(names), nearest(value, names))
        return None

    def number(
        self,
        place: str,
        value: object,
        low: float | None = None,
        high: float | None = None,
        unit: str = "",
    ) -> float | None:
        """Return ``value`` as a float if it is a number in [low, high], else note a fault."""
        number = real_number(value)
        below = number is None or (low is not None and number < low)
        if number is not None and not below and (high is None or number <= high):
            return number
        self.add(place, value, number_in_words(low, high, unit=unit))
        return None

    def whole(self, place: str, value: object, least: int) -> int | None:
        """Return ``value`` as an integer if it is a whole number from ``least``, else note a fault.

        Numbers of NumPy count, truth values do not.
        """
        if isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least:
            return int(value)
        self.add(place, value, number_in_words(least, whole=True))
        return None

    def raise_if_any(self) -> None:
        """Raise `InputError` with all faults noted so far, if there are any."""
        if self.faults:
            raise InputError(self.faults)


def collected(faults: FaultList, action: Callable[[], T]) -> T | None:
    """Return what an action returns, or None after noting its faults, each only once."""
    try:
        return action()
    except InputError as error:
        faults.faults += [fault for fault in error.faults if fault not in faults.faults]
    return None
