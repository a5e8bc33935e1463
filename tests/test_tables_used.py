"""What the tables declare is used, and what is used is declared."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from arms import given, scenario, switched

import ecosystem
from ecosystem.inputs.calendar import period_index
from ecosystem.inputs.catalogue import instruments, outcomes, parameters, shocks
from ecosystem.inputs.world.loader import World
from ecosystem.maths.arrays import Array
from ecosystem.outcomes import measure
from ecosystem.quarter.start import initial_state
from ecosystem.quarter.step import step
from ecosystem.runs.chunk import Recorder
from ecosystem.stages.drivers import drive, national_capacity_table
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Parameters, Setting

STAGES = {
    path.name: path.read_text(encoding="utf-8")
    for path in sorted((Path(ecosystem.__file__).parent / "stages").glob("*.py"))
}


class Watched(Parameters):
    """Parameters that remember which of them were read."""

    _read: set[str]

    def __init__(self, values: Mapping[str, Array]) -> None:
        super().__init__(values)
        vars(self)["_read"] = set()  # parameters cannot be written to

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("_") and name not in ("stack", "of_run"):
            self._read.add(name)
        return super().__getattribute__(name)

    def __getitem__(self, name: str) -> Array:
        self._read.add(name)
        return super().__getitem__(name)

    def stack(self, stem: str, endings: Sequence[str]) -> Array:
        self._read.update(f"{stem}_{ending}" for ending in endings)
        return super().stack(stem, endings)


class WatchedPaths(dict[str, Any]):
    """Shock paths that remember which of them were read."""

    def __init__(self, paths: Mapping[str, Any]) -> None:
        super().__init__(paths)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return super().__getitem__(name)


def watched(setting: Setting) -> tuple[Setting, Watched]:
    """Return the setting with parameters that are watched from the first reading on."""
    values = Watched({name: setting.parameters[name][:, 0] for name in parameters()})
    table = national_capacity_table(setting.world, values)
    return replace(setting, parameters=values, national_table=table), values


def quarters(setting: Setting, until: str) -> Iterator[Quarter]:
    """Yield the quarters of a run."""
    state = initial_state(setting)
    for _ in range(period_index(until) + 1):
        state, quarter = step(state, setting)
        yield quarter


@cache
def parameters_read() -> frozenset[str]:
    """Return every parameter that runs with all instruments and shocks read."""
    read: set[str] = set()
    for left_out in excluding():
        on = [text for name in instruments() if name != left_out for text in switched(name, True)]
        setting, values = watched(given(scenario(*on, shocks=list(shocks())), replicates=1))
        for quarter in quarters(setting, "2027Q4"):
            measure(quarter, setting)
        assert Recorder(setting, (), 0, False).rate is not None
        read |= values._read
    return frozenset(read | read_by_equations())


def read_by_equations() -> set[str]:
    """Return the parameters that compiled functions name, which nothing can watch as they run."""
    functions = [
        node
        for path in Path(ecosystem.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        and {ast.unparse(name) for name in node.decorator_list} & {"equation", "kernel"}
    ]
    return {
        read.attr
        for function in functions
        for read in ast.walk(function)
        if isinstance(read, ast.Attribute) and ast.unparse(read.value) == "p"
    }


def excluding() -> set[str]:
    """Return the instruments that exclude another or are excluded: one is left out at a time."""
    pairs = [(name, other) for name, row in instruments().items() for other in row.excluded]
    assert len(pairs) == 1
    return set(pairs[0])


def test_every_parameter_is_read() -> None:
    assert sorted(set(parameters()) - parameters_read()) == []


def test_every_parameter_that_is_read_stands_in_the_table() -> None:
    assert sorted(parameters_read() - set(parameters())) == []


@pytest.mark.parametrize("world", ["teaching", "full"])
def test_outcomes_are_measured_as_declared(world: str) -> None:
    setting = given(scenario(), world=world, replicates=2)
    (quarter,) = quarters(setting, "2020Q1")
    values = measure(quarter, setting)
    assert set(values) == set(outcomes())
    entries = entries_of(setting.world)
    for name, row in outcomes().items():
        assert values[name].shape == (2, entries[row.dimension]), name
        assert np.isfinite(values[name]).all(), name


def entries_of(world: World) -> dict[str, int]:
    """Return the number of entries of each dimension of an outcome."""
    return {
        "": 1,
        "tier": len(world.tiers),
        "kind": len(world.kinds),
        "region": world.regions.count,
        "domain": world.domains.count,
        "prefecture": world.prefectures.count,
    }


@pytest.mark.parametrize("name", list(instruments()))
def test_what_an_instrument_buys_is_read_by_a_stage(name: str) -> None:
    row = instruments()[name]
    reading = {
        "programme": rf'lever\["{name}"\]',
        "transfer": rf'rate\["{name}"\]|of\("{name}"\)',
        "charge": rf'"{row.payer}", "{row.base}"',
        "rule": rf'(column|of)\("{name}"\)',
    }[row.type]
    if name == "hub_readiness":  # its money reaches readiness itself, without a lever
        reading = rf'column\("{name}"\)'
    assert any(re.search(reading, text) for text in STAGES.values())


def test_every_channel_of_a_shock_is_read_by_the_drivers_and_no_other() -> None:
    setting = given(scenario(), world="teaching", replicates=1)
    paths = WatchedPaths(setting.shocks)
    drive(Quarter(initial_state(setting)), replace(setting, shocks=paths))
    channels = {name for row in shocks().values() for name in (row.channel, row.second_channel)}
    assert paths.read == channels - {""}


def test_strength_and_effectiveness_belong_to_programmes() -> None:
    programmes = {name for name, row in instruments().items() if row.type == "programme"}
    levers = programmes - {"hub_readiness"}
    ends = {
        ending: {n.removesuffix(ending) for n in parameters() if n.endswith(ending)}
        for ending in ("_maximum", "_effectiveness", "_scale")
    }
    assert ends["_maximum"] == levers
    assert ends["_effectiveness"] == programmes
    assert ends["_scale"] & set(instruments()) == levers
