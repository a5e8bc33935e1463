"""A moment of a run whose state, world and parameters a test can change before a stage acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache

import numpy as np
from arms import given, scenario, with_values

from ecosystem.inputs.calendar import period_index
from ecosystem.maths.arrays import Array
from ecosystem.quarter.start import initial_state
from ecosystem.quarter.step import step
from ecosystem.stages.dispatch import Market, sell
from ecosystem.stages.drivers import Drivers, drive
from ecosystem.stages.innovation import Innovation, innovate
from ecosystem.stages.investment import Investment, invest
from ecosystem.stages.policy import Policy, govern
from ecosystem.stages.supply_chain import Supply, supply_equipment
from ecosystem.state.setting import Setting
from ecosystem.state.state import State


@dataclass(frozen=True)
class Moment:
    """The start of a quarter, and what the stages of that quarter make of it."""

    state: State
    setting: Setting

    def drivers(self) -> Drivers:
        return drive(self.state, self.setting)

    def policy(self) -> Policy:
        return govern(self.state, self.drivers(), self.setting)

    def investment(self) -> Investment:
        return invest(self.state, self.drivers(), self.policy(), self.setting)

    def market(self, policy: Policy | None = None) -> Market:
        return sell(
            self.state, self.drivers(), policy or self.policy(), self.investment(), self.setting
        )

    def supply(self) -> Supply:
        return supply_equipment(
            self.state, self.drivers(), self.policy(), self.investment(), self.setting
        )

    def innovation(self) -> Innovation:
        return innovate(
            self.state,
            self.drivers(),
            self.policy(),
            self.investment(),
            self.market(),
            self.setting,
        )

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
