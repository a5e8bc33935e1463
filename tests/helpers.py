"""What several tests need: settings at random points, quarters one by one, worlds changed a bit."""

import csv
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ecosystem.inputs import catalogue
from ecosystem.inputs.calendar import HORIZON
from ecosystem.inputs.catalogue import parameters as parameter_table
from ecosystem.inputs.catalogue import shocks as shock_table
from ecosystem.inputs.scenario import (
    ResolvedScenario,
    Scenario,
    package_names,
    resolve,
    with_overrides,
)
from ecosystem.inputs.world.loader import World, load_world
from ecosystem.maths.arrays import Array
from ecosystem.maths.live import Live, live_slots
from ecosystem.quarter.start import initial_state, make_setting
from ecosystem.quarter.step import step
from ecosystem.stages.accounts import account
from ecosystem.stages.dispatch import sell
from ecosystem.stages.drivers import drive
from ecosystem.stages.firms import deliver, trade
from ecosystem.stages.innovation import innovate
from ecosystem.stages.investment import invest
from ecosystem.stages.labour import employ
from ecosystem.stages.policy import govern
from ecosystem.stages.supply_chain import supply_equipment
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Setting
from ecosystem.state.state import State

LAST = HORIZON - 1
ONE_YUAN = 1e-6  # M¥
FEW = settings(
    max_examples=2,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""Whole runs are slow examples: few of them, the same ones every time."""
MANY = settings(FEW, max_examples=25)


@dataclass(frozen=True)
class Configuration:
    """A model somebody might ask for: package, shock, seed and point of the parameter space."""

    package: str
    shock: str
    seed: int
    corner: tuple[tuple[str, bool], ...]  # parameters at their lowest (False) or highest value

    def setting(
        self, world: str | World = "teaching", replicates: Sequence[int] = (0, 1)
    ) -> Setting:
        """Return the setting: every parameter drawn, some moved to an end of their range."""
        table = parameter_table()
        ends = {name: (table[name].high if top else table[name].low) for name, top in self.corner}
        shocks = [self.shock] if self.shock else []
        values = [f"parameters.{name}={value!r}" for name, value in ends.items()]
        scenario = with_overrides(resolve(self.package), values, shocks)
        return make_setting(scenario, world_of(world), self.seed, replicates)


def configurations() -> st.SearchStrategy[Configuration]:
    """Return random packages, shocks, seeds and parameter points."""
    uncertain = [n for n, row in parameter_table().items() if row.distribution != "fixed"]
    corner = st.dictionaries(st.sampled_from(uncertain), st.booleans(), max_size=12)
    shock = st.one_of(
        st.just(""),
        st.sampled_from(list(shock_table().values())).flatmap(
            lambda row: st.sampled_from(
                [f"{row.name}", f"{row.name}:{row.high}:2025Q4", f"{row.name}:{row.low}:2026Q2"]
            )
        ),
    )
    return st.builds(
        Configuration,
        package=st.sampled_from(package_names()),
        shock=shock,
        seed=st.integers(0, 2**32),
        corner=corner.map(lambda ends: tuple(sorted(ends.items()))),
    )


def world_of(world: str | World) -> World:
    """Return a world by name, or as it is."""
    return load_world(world) if isinstance(world, str) else world


def setting_of(
    scenario: str | Scenario | ResolvedScenario = "history",
    world: str | World = "teaching",
    *,
    seed: int = 1,
    replicates: Sequence[int] = (0,),
    fixed: bool = True,
    **values: float,
) -> Setting:
    """Return a setting at the defaults, or at each replicate's draw, with some values given."""
    resolved = resolve(scenario)
    resolved = replace(resolved, parameters={**resolved.parameters, **values})
    return make_setting(resolved, world_of(world), seed, replicates, fixed)


STAGES = {
    "drivers": drive,
    "policy": govern,
    "investment": invest,
    "supply": supply_equipment,
    "market": sell,
    "innovation": innovate,
    "labour": employ,
    "business": trade,
    "accounts": account,
}
"""Stages in the order of a quarter, by the record that they return."""


def quarter_of(state: State, setting: Setting, last: str = "accounts", **given: Any) -> Quarter:
    """Return the quarter that a state opens, up to a record; records `given` stand as they are."""
    quarter = Quarter(state)
    for name, stage in STAGES.items():
        setattr(quarter, name, given[name] if name in given else stage(quarter, setting))
        if name == last:
            break
    return quarter


def quarters(setting: Setting, until: int = LAST) -> Iterator[tuple[Quarter, State]]:
    """Step through quarters 0 to `until`: the record of each and the state after it."""
    state = initial_state(setting)
    for _ in range(until + 1):
        state, quarter = step(state, setting)
        yield quarter, state


def final(setting: Setting, until: int = LAST) -> tuple[Quarter, State]:
    """Return the last record and the state after it."""
    *_, last = quarters(setting, until)
    return last


def arrays(record: Any, name: str = "") -> dict[str, np.ndarray]:
    """Return every array of nested dataclasses, mappings and tuples by its dotted name."""
    if is_dataclass(record):
        parts: Mapping[Any, Any] = {f.name: getattr(record, f.name) for f in fields(record)}
    elif isinstance(record, Mapping):
        parts = record
    elif isinstance(record, tuple):
        parts = dict(enumerate(record))
    elif isinstance(record, np.ndarray | float | int):
        return {name: np.asarray(record)}
    else:
        return {}
    found: dict[str, np.ndarray] = {}
    for key, part in parts.items():
        found |= arrays(part, f"{name}.{key}" if name else str(key))
    return found


def assert_same_bits(one: Any, other: Any, pick: Callable[..., Any] = np.asarray) -> None:
    """Fail with the names of all arrays that differ in any bit; `pick` takes rows of `one`."""
    left, right = arrays(one), arrays(other)
    assert left and left.keys() == right.keys()
    differing = [
        name
        for name, values in left.items()
        if not np.array_equal(pick(values), right[name], equal_nan=True)
    ]
    assert not differing, differing[:20]


def assert_close(
    one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray], relative: float = 1e-9
) -> None:
    """Fail with the names of all arrays that differ by more than a part of their largest value."""
    assert one.keys() == other.keys()
    differing = {}
    for name, values in one.items():
        scale = max(np.abs(values).max(initial=0.0), np.abs(other[name]).max(initial=0.0))
        gap = np.abs(values - other[name]).max(initial=0.0)
        if not gap <= relative * max(scale, 1e-12):
            differing[name] = float(gap / max(scale, 1e-300))
    assert not differing, differing


def copied_world(folder: Path, name: str = "teaching") -> Path:
    """Copy a shipped world's tables into a folder and return it."""
    return Path(shutil.copytree(load_world(name).path, folder))


def append_row(folder: Path, table: str, /, **changes: object) -> None:
    """Append to a world's table its last row with some cells changed, and the next id."""
    path = folder / f"{table}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    new = dict(rows[-1])
    if "id" in new:
        new["id"] = str(max(int(row["id"]) for row in rows) + 1)
    new |= {key: str(value) for key, value in changes.items()}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(new), lineterminator="\n")
        writer.writeheader()
        writer.writerows([*rows, new])


def with_new_row(table: Callable[[], dict[str, Any]], *rows: Any) -> Callable[[], dict[str, Any]]:
    """Return a table that has more rows at its end."""
    extended = {**table(), **{row.name: row for row in rows}}
    return lambda: extended


def use_everywhere(monkeypatch: pytest.MonkeyPatch, name: str, table: Any) -> None:
    """Put a table in the place of the given one in every module that has read it."""
    old = getattr(catalogue, name)
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith("ecosystem"):
            if getattr(module, name, None) is old:
                monkeypatch.setattr(module, name, table)


def sales_of(orders: Array, capacity: Array, setting: Setting) -> Array:
    """Return what firms in all slots sell, (1, slots)."""
    firms, everywhere = setting.world.firms, Live(*live_slots(np.ones_like(orders)))
    sales, _ = deliver(
        setting.parameters.of_run, everywhere, orders, capacity, 0 * orders, firms.domain,
        setting.world.domains.count,
    )  # fmt: skip
    return sales
