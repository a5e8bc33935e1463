"""Factors of a sensitivity study: which parameters each of them moves, and over what range.

A factor is a number between 0 and 1 that sets one parameter, or several together, to that quantile
of their own distributions. Two factors belong to every study: the dummy enters nothing, and the
near-dummy adds a linear term of known variance to every outcome after the runs.
"""

from __future__ import annotations

import csv
import functools
import importlib.resources
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ecosystem.inputs.catalogue import Parameter, parameters
from ecosystem.inputs.faults import FaultList
from ecosystem.inputs.files import read_toml
from ecosystem.maths.arrays import Array
from ecosystem.runs.design import RUN_COLUMNS

DUMMY, NEAR_DUMMY = "dummy", "near_dummy"
ALL = "all"
DISTRIBUTIONS = ("uniform", "loguniform")
KEYS = {"": ("factors", "range", "together"), "range": ("low", "high", "distribution")}


@dataclass(frozen=True)
class Move:
    """One parameter and the distribution that a factor draws it from."""

    parameter: str
    low: float
    high: float
    distribution: str = "uniform"

    def at(self, quantile: Array) -> Array:
        """Return the parameter at quantiles between 0 and 1, never outside its range."""
        if self.distribution == "loguniform":
            low, high = np.log(self.low), np.log(self.high)
            return np.clip(np.exp(low + (high - low) * quantile), self.low, self.high)
        return np.clip(self.low + (self.high - self.low) * quantile, self.low, self.high)


@dataclass(frozen=True)
class Factor:
    """A factor: its name, what it moves, the group it is shown in, and its titles."""

    name: str
    moves: tuple[Move, ...] = ()
    group: str = ""
    title_en: str = ""
    title_zh: str = ""

    def title(self, lang: str = "en") -> str:
        """Return the title, or the name where the factor has none."""
        return (self.title_zh if lang == "zh" else self.title_en) or self.name.replace("_", " ")


CHECKS = (
    Factor(DUMMY, (), "checks", "Dummy (enters nothing)", "虚拟因子（不起作用）"),
    Factor(NEAR_DUMMY, (), "checks", "Near-dummy (known share)", "近虚拟因子（已知占比）"),
)


def move_of(row: Parameter) -> Move:
    """Return an uncertain parameter over its own range."""
    assert row.low is not None and row.high is not None
    return Move(row.name, row.low, row.high, row.distribution)


@functools.cache
def default_factors() -> dict[str, Factor]:
    """Return the factors of the default study, by name."""
    source = importlib.resources.files("experiments.sensitivity_analysis") / "factors.csv"
    rows = csv.DictReader(source.read_text(encoding="utf-8-sig").splitlines())
    table = parameters()
    return {
        row["factor"]: Factor(
            row["factor"],
            tuple(move_of(table[name]) for name in row["parameters"].split()),
            row["group"],
            row["title_en"],
            row["title_zh"],
        )
        for row in rows
    }


def uncertain_factors() -> dict[str, Factor]:
    """Return every uncertain parameter as a factor of its own, by name."""
    return {
        name: Factor(name, (move_of(row),), row.group)
        for name, row in parameters().items()
        if row.distribution != "fixed"
    }


def read_factors(
    wanted: str | Path | Sequence[str] | Mapping[str, Sequence[Any]] | None = None,
) -> tuple[Factor, ...]:
    """Return the factors of a study, the two checks last.

    Parameters
    ----------
    wanted
        None for the default study; a TOML file; names of factors of the default study or of
        uncertain parameters, or ``all`` for every uncertain parameter that no other named factor
        moves; or, for a model of one's own, ``(low, high)`` or ``(low, high, "loguniform")`` by
        name.

    Raises
    ------
    InputError
        With everything that is wrong.
    """
    faults = FaultList()
    if isinstance(wanted, Mapping):
        found = _own(faults, wanted)
    elif isinstance(wanted, str | Path):
        found = _from_file(faults, Path(wanted))
    else:
        names = list(default_factors()) if wanted is None else list(wanted)
        found = _named(faults, "factors", names, {})
    movers: dict[str, list[str]] = {}
    for factor in found:
        for move in factor.moves:
            movers.setdefault(move.parameter, []).append(factor.name)
    for parameter, names in movers.items():
        if len(names) > 1:
            faults.add("factors", f"{parameter} in {', '.join(names)}", "one factor a parameter")
    if not found and not faults.faults:
        faults.add("factors", [], "at least one factor")
    faults.raise_if_any()
    return (*found, *CHECKS)


def parameter_points(factors: Sequence[Factor], unit: Array) -> dict[str, Array]:
    """Return parameter values, (points,) each, at factors between 0 and 1, (points, factors)."""
    return {
        move.parameter: move.at(unit[:, column])
        for column, factor in enumerate(factors)
        for move in factor.moves
    }


def _named(
    faults: FaultList, place: str, names: Sequence[str], more: Mapping[str, Factor]
) -> list[Factor]:
    """Look up factors: one's own, those of the default study, uncertain parameters."""
    single = uncertain_factors()
    known = {**single, **default_factors(), **more}
    for name in sorted({str(name) for name in names if list(names).count(name) > 1}):
        faults.add(place, name, "each factor once")
    good = [name for name in names if faults.name(place, name, [*known, ALL])]
    found = [known[name] for name in good if name != ALL]
    if ALL in good:
        moved = {move.parameter for factor in found for move in factor.moves}
        found = [factor for name, factor in single.items() if name not in moved] + found
    return found


def _own(faults: FaultList, ranges: Mapping[str, Sequence[Any]]) -> list[Factor]:
    """Read ranges of a user's own model."""
    found = []
    for name, entry in ranges.items():
        if not isinstance(entry, tuple | list) or len(entry) not in (2, 3):
            faults.add(f"factors.{name}", entry, '(low, high) or (low, high, "loguniform")')
            continue
        move = _checked(faults, f"factors.{name}", Move(name, *entry))
        if name in (DUMMY, NEAR_DUMMY, *RUN_COLUMNS):
            faults.add("factors", name, "another name: every study has a factor or a column of it")
        elif move is not None:
            found.append(Factor(name, (move,)))
    return found


def _checked(
    faults: FaultList, place: str, move: Move, low: float | None = None, high: float | None = None
) -> Move | None:
    """Return a range if it is one inside the bounds, else note the faults."""
    before = len(faults.faults)
    faults.name(f"{place}.distribution", move.distribution, DISTRIBUTIONS)
    bottom = faults.number(f"{place}.low", move.low, low, high)
    top = faults.number(f"{place}.high", move.high, low, high)
    if bottom is not None and top is not None:
        if bottom >= top:
            faults.add(f"{place}.low", bottom, f"a number below high, which is {top:g}")
        if move.distribution == "loguniform" and bottom <= 0:
            faults.add(f"{place}.low", bottom, "a number above 0 for loguniform")
    return move if len(faults.faults) == before else None


def _from_file(faults: FaultList, path: Path) -> list[Factor]:
    """Read factors from a TOML file; see `docs/sensitivity.md`."""
    place = str(path)
    known = len(faults.faults)
    content = read_toml(path, place, faults)
    if len(faults.faults) > known:
        return []
    faults.keys(f"{place}: ", content, KEYS[""])
    sets, ranges = (_tables(faults, place, content, key) for key in ("together", "range"))
    more = {name: _together(faults, f"{place}: together.{name}", name, sets[name]) for name in sets}
    names = content.get("factors", [*default_factors(), *more])
    if not isinstance(names, list):
        faults.add(f"{place}: factors", names, "a list of names")
        names = list(more)
    for name in more:
        if name not in names:
            faults.add(f"{place}: together.{name}", name, "a name that stands in factors")
    found = _named(faults, f"{place}: factors", names, more)
    moved = {move.parameter: move for factor in found for move in factor.moves}
    for name, entry in ranges.items():
        if faults.name(f"{place}: range", name, moved):
            moved[name] = _ranged(faults, f"{place}: range.{name}", moved[name], entry)
    return [
        replace(factor, moves=tuple(moved[move.parameter] for move in factor.moves))
        for factor in found
    ]


def _tables(faults: FaultList, place: str, content: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the tables under a key of a file."""
    tables = content.get(key, {})
    good = isinstance(tables, dict) and all(isinstance(entry, dict) for entry in tables.values())
    if not good:
        faults.add(f"{place}: {key}", tables, f"tables [{key}.NAME]")
    return tables if good else {}


def _together(faults: FaultList, place: str, name: str, entry: Mapping[str, Any]) -> Factor:
    """Read a factor that moves several parameters."""
    faults.keys(f"{place}.", entry, ("parameters",))
    single = uncertain_factors()
    names = entry.get("parameters")
    if not isinstance(names, list) or not names:
        faults.add(f"{place}.parameters", names, "a list of uncertain parameters")
        names = []
    if name in (DUMMY, NEAR_DUMMY, ALL, *default_factors(), *single):
        faults.add(place, name, f"a name that no other factor and no parameter has, nor {ALL}")
    for one in sorted({str(one) for one in names if names.count(one) > 1}):
        faults.add(f"{place}.parameters", one, "each parameter once")
    good = [one for one in dict.fromkeys(names) if faults.name(f"{place}.parameters", one, single)]
    return Factor(name, tuple(single[one].moves[0] for one in good), "own")


def _ranged(faults: FaultList, place: str, move: Move, entry: Mapping[str, Any]) -> Move:
    """Return a parameter's move over the range of a file, inside that of the parameter table."""
    faults.keys(f"{place}.", entry, KEYS["range"])
    row = parameters()[move.parameter]
    changed = replace(move, **{key: entry[key] for key in KEYS["range"] if key in entry})
    return _checked(faults, place, changed, row.low, row.high) or move
