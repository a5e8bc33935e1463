"""A moment of a run whose state, world and parameters a test can change before a stage acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

import numpy as np
from arms import given, scenario, with_values
from helpers import quarter_of

from ecosystem.inputs.calendar import period_index
from ecosystem.maths.arrays import Array
from ecosystem.quarter.start import initial_state
from ecosystem.quarter.step import step
from ecosystem.state.records import (
    Drivers,
    Innovation,
    Investment,
    Market,
    Policy,
    Quarter,
    Supply,
)
from ecosystem.state.setting import Setting
from ecosystem.state.state import State


@dataclass(frozen=True)
class Moment:
    """The start of a quarter, and what the stages of that quarter make of it."""

    state: State
    setting: Setting

    def quarter(self, last: str = "accounts", **given: Any) -> Quarter:
        """Return the quarter up to a record; records `given` stand as they are."""
        return quarter_of(self.state, self.setting, last, **given)

    def drivers(self) -> Drivers:
        return self.quarter("drivers").drivers

    def policy(self) -> Policy:
        return self.quarter("policy").policy

    def investment(self) -> Investment:
        return self.quarter("investment").investment

    def supply(self) -> Supply:
        return self.quarter("supply").supply

    def market(self, policy: Policy | None = None) -> Market:
        return self.quarter("market", **({"policy": policy} if policy else {})).market

    def innovation(self) -> Innovation:
        return self.quarter("innovation").innovation

    def with_columns(self, owner: str, **columns: Array) -> Moment:
        """Return the moment with other columns of one owner's state."""
        members = replace(getattr(self.state, owner), **columns)
        return replace(self, state=replace(self.state, **{owner: members}))

    def raised(self, owner: str, column: str, factor: float, *entry: int) -> Moment:
        """Return the moment with an entry of a column (along its last axes) times a factor."""
        values = np.array(getattr(getattr(self.state, owner), column))
        values[(Ellipsis, *entry)] *= factor
        return self.with_columns(owner, **{column: values})

    def twins(self, owner: str, table: str, original: int, copy: int) -> Moment:
        """Return the moment with one member equal to another, in state and in its table."""
        members, rows = getattr(self.state, owner), getattr(self.setting.world, table)
        columns = {}
        for field in fields(members):
            values = np.array(getattr(members, field.name))
            if values.shape[-1] == rows.count:
                values[..., copy] = values[..., original]
                columns[field.name] = values
        same = {}
        for name, column in rows.columns.items():
            shape = getattr(column, "shape", ())
            if shape and shape[-1] == rows.count and name not in ("id", "order", "cell"):
                same[name] = np.array(column)
                same[name][..., copy] = column[..., original]
        return self.with_columns(owner, **columns).with_table(table, same)

    def with_table(self, table: str, columns: Mapping[str, Array]) -> Moment:
        """Return the moment in a world with other columns of one table."""
        rows = getattr(self.setting.world, table)
        own = {
            name: np.array(column) for name, column in columns.items()
        }  # Rows lock what they get
        other = type(rows)(rows.count, {**rows.columns, **own})
        world = replace(self.setting.world, **{table: other})
        return replace(self, setting=replace(self.setting, world=world))

    def with_parameters(self, **values: float) -> Moment:
        """Return the moment with other parameters."""
        return replace(self, setting=with_values(self.setting, **values))


@cache
def moment(quarter: str = "2026Q3") -> Moment:
    """Return a moment of `history` in the teaching world, projects at their expected size."""
    setting = given(scenario("parameters.lumpy_projects=0"), world="teaching", replicates=3)
    state = initial_state(setting)
    while state.period < period_index(quarter):
        state, _ = step(state, setting)
    return Moment(state, setting)
