"""What a Mesa agent of the model is: a view of one row of the state.

A view stores where its row stands and nothing else: what it says is read from the model's state
at that moment, and cannot be set. Columns of the state become properties of the agent, and so do
columns of the world table that stands behind it, unless the state has one of the same name. Its
`history` is read from the states that the model has passed.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import fields
from typing import Any, ClassVar, NamedTuple, NoReturn, Protocol, get_type_hints

import mesa
import numpy as np
import pandas as pd

from ecosystem.inputs import catalogue
from ecosystem.inputs.calendar import HORIZON, period_label
from ecosystem.inputs.faults import nearest
from ecosystem.inputs.world.assemble import Rows
from ecosystem.inputs.world.schema import Column, read_schema
from ecosystem.maths.arrays import Array
from ecosystem.state.records import Policy, Quarter
from ecosystem.state.setting import Setting
from ecosystem.state.state import State

Index = tuple[Any, ...]
QUARTERS = [period_label(t) for t in range(HORIZON)]
WAY = (
    "agents show what the model decides; change a decision by a function of your own "
    "(docs/with_mesa.md), or a number by `parameters`"
)
"""What may be done instead of changing an agent."""


class Moment(NamedTuple):
    """What views show of the end of a quarter; the policy is None before the first quarter."""

    state: State
    policy: Policy | None


class Shown(Protocol):
    """What a view reads of its model; see `ecosystem.mesa.model.EcosystemModel`."""

    setting: Setting
    state: State
    last: Quarter | None
    past: list[Moment]


class AgentGoneError(RuntimeError):
    """An AI firm that has left was asked for its state."""


def plain(values: Array) -> Any:
    """Return one number as a float, more of them as a read-only array."""
    if values.size == 1:
        return float(values.item())
    shown = values.view()
    shown.flags.writeable = False
    return shown


def columns_of(owner: str) -> tuple[str, ...]:
    """Return the columns that an owner has in the state."""
    return tuple(field.name for field in fields(get_type_hints(State)[owner]))


def live(owner: str, name: str) -> property:
    """Return a property that reads a column of the state."""

    def read(self: View) -> Any:
        self._check_shown(name)
        return plain(self._column(owner, name, self.model.state))

    column = catalogue.state_columns()[f"{owner}.{name}"]
    return property(read, cannot_be_set, doc=said(column.meaning, column.unit))


def fixed(column: Column) -> property:
    """Return a property that reads a column of a world table."""

    def read(self: View) -> Any:
        return self._fact(column)

    return property(read, cannot_be_set, doc=said(column.meaning, column.unit))


def cannot_be_set(agent: View, value: object) -> NoReturn:
    """Refuse to set what is read from the state or from a table of the world."""
    raise AttributeError(f"{agent!r} cannot be changed to {value!r}: {WAY}")


def said(meaning: str, unit: str) -> str:
    """Return the documentation of a column as its table gives it."""
    return f"{meaning[:1].upper()}{meaning[1:]}{f' ({unit})' if unit else ''}."


class View(mesa.Agent):
    """An agent of the model as a Mesa agent that reads its row of the arrays.

    Parameters
    ----------
    model
        The model whose state is shown.
    row
        Row of the agent in its table, in the order of the world's arrays.

    Raises
    ------
    AttributeError
        Where something is read that agents of this kind do not have; names what they have. Where
        something is set that is read from the state.
    RuntimeError
        When anybody but the model makes or removes an agent; says what may be done instead.
    """

    model: Shown
    owner: ClassVar[str] = ""
    columns: ClassVar[Mapping[str, str]] = {}
    """Columns of the state that the kind shows, and the part of the state that holds each."""
    by_world: ClassVar[Mapping[str, str]] = {}
    """Columns whose last axis is not the agents', and the world column that says which entry."""

    def __init__(self, model: Shown, row: int) -> None:
        self.row = row
        super().__init__(model)

    def __init_subclass__(
        cls,
        owners: Sequence[str] = (),
        tables: Sequence[str] = (),
        facts: Container[str] | None = None,
        **rest: Any,
    ) -> None:
        """Make the properties of a kind of agent, and say what it decides.

        Parameters
        ----------
        owners
            Parts of the state that the kind shows, its own first.
        tables
            World tables that it shows.
        facts
            Columns of these tables that are shown, by default all but the id.

        Raises
        ------
        TypeError
            For a subclass of a kind: the model would never use it.
        """
        super().__init_subclass__(**rest)
        kind = cls.__name__
        if View not in cls.__bases__:
            raise TypeError(f"{kind} would never be used: {WAY}; measure by functions of an agent")
        cls.owner = owners[0] if owners else ""
        cls.columns = {name: owner for owner in owners for name in columns_of(owner)}
        for table in tables:
            for name, column in read_schema()[table].items():
                if name != "id" and (facts is None or name in facts):
                    setattr(cls, name, fixed(column))
        for name, owner in cls.columns.items():
            setattr(cls, name, live(owner, name))
        decisions = [row.decision for row in catalogue.agents().values() if row.class_name == kind]
        if decisions:
            listed = "\n".join(f"    - {decision}." for decision in decisions)
            cls.__doc__ = f"{(cls.__doc__ or '').rstrip()}\n\n    Decisions:\n\n{listed}\n    "

    @property
    def alive(self) -> bool:
        """Whether the agent is still there; only AI firms leave."""
        return True

    @property
    def name(self) -> str:
        """Name of the agent, in English; no two of a kind have the same."""
        return str(self.name_en)

    @property
    def history(self) -> pd.DataFrame:
        """Columns of the state at the end of each quarter so far in which the agent was there.

        One row a quarter; the quarters of the index have an order. Where a property is several
        numbers, each has a column: ``server_pipeline_0``, ``server_pipeline_1`` and so on. The
        history of an AI firm begins with its birth, not with an earlier firm of its slot, and can
        still be read when the firm has left.
        """
        there = [t for t, moment in enumerate(self.model.past) if self._is_in(moment.state)]
        rows = [numbered(self._shown(self.model.past[t])) for t in there]
        index = pd.CategoricalIndex(
            [QUARTERS[t] for t in there], categories=QUARTERS, ordered=True, name="period"
        )
        return pd.DataFrame(rows, index, list(numbered(self._shown(self._now))), dtype=float)

    def __repr__(self) -> str:
        """Return the kind of agent, its row and its name."""
        return f"{type(self).__name__}({self.row}, {self.name})"

    @property
    def _rows(self) -> Rows:
        return getattr(self.model.setting.world, self.owner)

    @property
    def _now(self) -> Moment:
        last = self.model.last
        return Moment(self.model.state, last.policy if last else None)

    def _is_in(self, state: State) -> bool:
        """Return whether the agent was there in a state."""
        return True

    def _check_shown(self, name: str) -> None:
        """Raise the error of a column that this agent does not show, or does no longer."""

    def _shown(self, moment: Moment) -> dict[str, Array]:
        """Return all columns of the state that the agent shows, as they were at a moment."""
        return {
            name: np.asarray(self._column(owner, name, moment.state))
            for name, owner in self._columns().items()
        }

    def _columns(self) -> Mapping[str, str]:
        """Return the columns of the state that this agent shows, and the part that holds each."""
        return self.columns

    def _column(self, owner: str, name: str, state: State) -> Any:
        return getattr(getattr(state, owner), name)[self._index(name)]

    def _index(self, name: str) -> Index:
        """Return where the agent's part of a column of the state stands."""
        by = self.by_world.get(name)
        return 0, ..., (self.row if by is None else self._rows.columns[by][self.row])

    def _fact(self, column: Column) -> Any:
        return self._spell(column, self._rows.columns[column.name][self.row])

    def _spell(self, column: Column, value: Any) -> Any:
        """Return a value of a world table as it was written: names instead of positions."""
        if column.type == "reference":
            table, key = column.reference.split(".")
            return getattr(self.model.setting.world, table).columns[key][value]
        if column.choices and isinstance(value, np.integer):
            return column.choices[value]
        return value.item() if isinstance(value, np.generic) else value

    def _names(self) -> tuple[str, ...]:
        return names_of(type(self))

    def __getattr__(self, name: str) -> Any:
        """Raise the AttributeError of what is not there."""
        if name.startswith("_"):
            raise AttributeError(name)
        valid = self._names()
        hint = nearest(name, valid)
        hint = f"; nearest: {hint}" if hint else ""
        kind = type(self).__name__
        raise AttributeError(f"{kind} has no {name!r}{hint}; there are {', '.join(valid)}")


def names_of(cls: type[View]) -> tuple[str, ...]:
    """Return the names of all properties of a kind of agent."""
    views = [base for base in cls.__mro__ if issubclass(base, View)]
    found = {name for base in views for name, a in vars(base).items() if isinstance(a, property)}
    return tuple(sorted(name for name in found if not name.startswith("_")))


def numbered(columns: Mapping[str, Array]) -> dict[str, float]:
    """Return one number a name; a column of several numbers has them numbered from 0."""
    numbers: dict[str, float] = {}
    for name, values in columns.items():
        flat = values.ravel().tolist()
        many = len(flat) != 1
        numbers |= {f"{name}_{i}" if many else name: value for i, value in enumerate(flat)}
    return numbers
