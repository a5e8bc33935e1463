"""Factors of a sensitivity study: which parameters each of them moves, and over what range.

A factor is a number between 0 and 1 that sets one parameter, or several together, to that quantile
of their own distributions. Two factors belong to every study: the dummy enters nothing, and the
near-dummy adds a linear term of known variance to every outcome after the runs.
"""

import csv
import functools
import importlib.resources
import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from ecosystem.inputs.arguments import listed
from ecosystem.inputs.catalogue import Parameter, parameters
from ecosystem.inputs.faults import FaultList
from ecosystem.inputs.files import read_toml
from ecosystem.inputs.translate import name_among, number_from, read, read_what_fits
from ecosystem.maths.arrays import Array
from ecosystem.runs.design import RUN_COLUMNS

DUMMY, NEAR_DUMMY = "dummy", "near_dummy"
ALL = "all"


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


class Written(BaseModel):
    """Something that a user writes about factors."""

    model_config = ConfigDict(extra="forbid")


class Range(Written):
    """The range of a factor."""

    low: Annotated[float, number_from()] = math.nan
    high: Annotated[float, number_from()] = math.nan
    distribution: Literal["uniform", "loguniform"] = "uniform"


class Together(Written):
    """A factor that moves several parameters."""

    parameters: list[Annotated[str, name_among(uncertain_factors)]] = Field(
        min_length=1, description="a list of uncertain parameters"
    )


class FactorFile(Written):
    """A TOML file of factors; see `docs/sensitivity.md`."""

    factors: list[str] | None = Field(None, description="a list of names")
    range: dict[str, dict[str, Any]] = Field({}, description="tables [range.NAME]")
    together: dict[str, dict[str, Any]] = Field({}, description="tables [together.NAME]")


def read_factors(wanted: Any = None) -> tuple[Factor, ...]:
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
        found = _from_file(faults, Path(wanted).expanduser())
    else:
        names = list(default_factors()) if wanted is None else listed(wanted)
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


def factor_table(factors: Sequence[Factor], lang: str = "en") -> pd.DataFrame:
    """Return what each factor moves, over which range; the two checks, last, move nothing."""
    names = ["factor", "title", "group", "parameter", "low", "high", "distribution"]
    rows = [
        (factor.name, factor.title(lang), factor.group, *move)
        for factor in factors
        for move in [astuple(one) for one in factor.moves] or [("", 0.0, 1.0, "uniform")]
    ]
    return pd.DataFrame(rows, columns=names)


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


def _own(faults: FaultList, ranges: Mapping[Any, Any]) -> list[Factor]:
    """Read ranges of a user's own model."""
    found = []
    for name, entry in ranges.items():
        if not isinstance(entry, tuple | list) or len(entry) not in (2, 3):
            faults.add(f"factors.{name}", entry, '(low, high) or (low, high, "loguniform")')
        elif name in (DUMMY, NEAR_DUMMY, *RUN_COLUMNS):
            faults.add("factors", name, "another name: every study has a factor or a column of it")
        else:
            written = dict(zip(Range.model_fields, entry, strict=False))
            found.append(Factor(name, (_move(faults, f"factors.{name}", name, written),)))
    return found


def _from_file(faults: FaultList, path: Path) -> list[Factor]:
    """Read factors from a TOML file; see `docs/sensitivity.md`."""
    known = len(faults.faults)
    content = read_toml(path, str(path), faults)
    if len(faults.faults) > known:
        return []
    file = read_what_fits(FactorFile, content, f"{path}: ", faults)
    more = {
        name: _together(faults, f"{path}: together.{name}", name, entry)
        for name, entry in file.together.items()
    }
    names = [*default_factors(), *more] if file.factors is None else file.factors
    if file.factors is not None:
        for name in sorted(more.keys() - set(names)):
            faults.add(f"{path}: together.{name}", name, "a name that stands in factors")
    found = _named(faults, f"{path}: factors", names, more)
    moves = {move.parameter: move for factor in found for move in factor.moves}
    for name, entry in file.range.items():
        if faults.name(f"{path}: range", name, moves):
            row, table = parameters()[name], vars(moves[name])
            written = {key: table[key] for key in Range.model_fields} | entry
            place = f"{path}: range.{name}"
            moves[name] = _move(faults, place, name, written, row.low, row.high)
    return [
        replace(factor, moves=tuple(moves[move.parameter] for move in factor.moves))
        for factor in found
    ]


def _together(faults: FaultList, place: str, name: str, entry: Mapping[str, Any]) -> Factor:
    """Read a factor that moves several parameters."""
    found = read(Together, entry, f"{place}.", faults)
    single = uncertain_factors()
    if name in (DUMMY, NEAR_DUMMY, ALL, *default_factors(), *single):
        faults.add(place, name, f"a name that no other factor and no parameter has, nor {ALL}")
    names = found.parameters if found else []
    return Factor(name, tuple(move for one in names for move in single[one].moves), "own")


def _move(
    faults: FaultList, place: str, parameter: str, written: Mapping[str, Any],
    least: float | None = None, most: float | None = None,
) -> Move:  # fmt: skip
    """Read the range that a parameter is moved over, and note what is wrong with it."""
    found = read_what_fits(Range, written, f"{place}.", faults)
    low, high = found.low, found.high
    for end, value in (("low", low), ("high", high)):
        if not math.isnan(value):  # noted already
            faults.number(f"{place}.{end}", value, least, most)
    if low >= high:
        faults.add(f"{place}.low", low, f"a number below high, which is {high:g}")
    if found.distribution == "loguniform" and low <= 0:
        faults.add(f"{place}.low", low, "a number above 0 for loguniform")
    return Move(parameter, low, high, found.distribution)
