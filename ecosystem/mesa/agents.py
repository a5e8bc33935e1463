"""Mesa agents that show one row of the state each.

A view stores where its row stands and nothing else: what it says is read from the model's state
at that moment, and cannot be set. Columns of the state become properties of the agent, and so do
columns of the world table that stands behind it, unless the state has one of the same name.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar, get_type_hints

import mesa
import numpy as np

from ecosystem.inputs import catalogue
from ecosystem.inputs.faults import nearest
from ecosystem.inputs.world.assemble import Rows
from ecosystem.inputs.world.schema import Column, read_schema
from ecosystem.maths.arrays import Array
from ecosystem.stages.dispatch import dispatch_rules
from ecosystem.state.state import State

if TYPE_CHECKING:
    from ecosystem.mesa.model import EcosystemModel

Index = tuple[Any, ...]


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
        return plain(getattr(getattr(self.model.state, owner), name)[self._index(name)])

    column = catalogue.state_columns()[f"{owner}.{name}"]
    return property(read, doc=said(column.meaning, column.unit))


def fixed(column: Column) -> property:
    """Return a property that reads a column of a world table."""

    def read(self: View) -> Any:
        return self._fact(column)

    return property(read, doc=said(column.meaning, column.unit))


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
        Where something is read that agents of this kind do not have; names what they have.
    """

    model: EcosystemModel
    owner: ClassVar[str] = ""
    by_world: ClassVar[Mapping[str, str]] = {}
    """Columns whose last axis is not the agents', and the world column that says which entry."""

    def __init__(self, model: EcosystemModel, row: int) -> None:
        super().__init__(model)
        self.row = row

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
        """
        super().__init_subclass__(**rest)
        if owners:
            cls.owner = owners[0]
        for table in tables:
            for name, column in read_schema()[table].items():
                if name != "id" and (facts is None or name in facts):
                    setattr(cls, name, fixed(column))
        for owner in owners:
            for name in columns_of(owner):
                setattr(cls, name, live(owner, name))
        kind = cls.__name__
        decisions = [row.decision for row in catalogue.agents().values() if row.class_name == kind]
        if decisions:
            listed = "\n".join(f"    - {decision}." for decision in decisions)
            cls.__doc__ = f"{(cls.__doc__ or '').rstrip()}\n\n    Decisions:\n\n{listed}\n    "

    @property
    def alive(self) -> bool:
        """Whether the agent is still there; only AI firms leave."""
        return True

    def __repr__(self) -> str:
        """Return the kind of agent, its row and, where it has one, its name."""
        name = getattr(self, "name_en", "") or getattr(self, "place", "")
        return f"{type(self).__name__}({self.row}{f', {name}' if name else ''})"

    @property
    def _rows(self) -> Rows:
        return getattr(self.model.setting.world, self.owner)

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


class DataCentre(View, owners=["centres"], tables=["data_centres"]):
    """A data-centre operator; a row serves one kind of compute."""

    by_world = {"fill_history": "cell"}


class EquipmentMaker(View, owners=["makers"], tables=["makers"]):
    """A maker of equipment; `local_share` is that of its stage."""

    by_world = {"local_share": "stage"}


class University(View, owners=["universities"], tables=["universities"]):
    """A university or institute; `knowledge` is by domain."""


class IndustrialPark(View, owners=["parks"], tables=["parks"]):
    """A manufacturing park with its industrial-internet platform."""


class AIFirm(View, owners=["firms"], tables=["ai_firm_slots"], facts=("prefecture", "domain")):
    """An AI firm: comes into a slot when it is born and leaves it when it exits.

    The slot may be taken again; a view shows the firm for which it was made, and none after it.
    """

    def __init__(self, model: EcosystemModel, row: int) -> None:
        self._generation = model.state.firms.generation[0, row]
        super().__init__(model, row)

    @property
    def alive(self) -> bool:
        """Whether the firm is still there."""
        firms = self.model.state.firms
        return bool(
            firms.active[0, self.row] > 0 and firms.generation[0, self.row] == self._generation
        )

    @property
    def name_en(self) -> str:
        """Name of a firm of the world table; empty for others."""
        return str(self._rows.name[self.row]) if self._generation == 1 else ""

    def _index(self, name: str) -> Index:
        if not self.alive:
            raise AgentGoneError(f"AI firm {self.unique_id} has left; read `alive` first")
        return super()._index(name)


class ComputeBuyer(View, owners=["buyers"]):
    """The buyers of one demand region for one workload."""

    def __init__(self, model: EcosystemModel, row: int) -> None:
        super().__init__(model, row)
        self._place = divmod(row, model.setting.world.workloads.count)

    @property
    def region(self) -> str:
        """Short name of the demand region."""
        return str(self.model.setting.world.regions.region[self._place[0]])

    @property
    def workload(self) -> str:
        """Short name of the workload."""
        return str(self.model.setting.world.workloads.workload[self._place[1]])

    @property
    def kind(self) -> str:
        """Kind of compute that is bought."""
        world = self.model.setting.world
        return world.kinds[world.workloads.kind[self._place[1]]]

    @property
    def name_en(self) -> str:
        """Name of region and workload in English."""
        return self._name("name_en", ": ")

    @property
    def name_zh(self) -> str:
        """Name of region and workload in Chinese."""
        return self._name("name_zh", "：")

    def _name(self, column: str, colon: str) -> str:
        world, (region, workload) = self.model.setting.world, self._place
        parts = world.regions.columns[column][region], world.workloads.columns[column][workload]
        return colon.join(parts)

    def _index(self, name: str) -> Index:
        return 0, *self._place


class DispatchCentre(View):
    """The centre that sends work to data centres; its rules are those of the last quarter."""

    @property
    def pooled_share(self) -> Array:
        """Share of demand that any centre may serve, (kinds, prefectures)."""
        return self._rule(0, "pooled_share")

    @property
    def search_exponent(self) -> Array:
        """How well buyers find free capacity, (kinds, prefectures)."""
        return self._rule(1, "search_exponent")

    def _rule(self, order: int, parameter: str) -> Array:
        """Return one of the two rules; before the first quarter it is the parameter itself."""
        setting, last = self.model.setting, self.model.last
        shape = len(setting.world.kinds), setting.world.prefectures.count
        if last is None:
            return np.full(shape, setting.parameters[parameter].item())
        return dispatch_rules(last.policy, setting)[order].reshape(shape)


NATION, PROVINCE, PREFECTURE = "nation", "province", "prefecture"
PROVINCIAL = (
    *("paid_share", "envelope_weight", "claimed", "paid"),
    *("receipts", "receipts_before", "receipts_reference", "advantage", "diffusion"),
)
"""Columns of governments that the province keeps: by instrument, by past quarter, or one number."""
SHOWN = {
    NATION: {"cash", *columns_of("nation")},
    PROVINCE: {"cash", *PROVINCIAL},
    PREFECTURE: {*columns_of("governments"), *columns_of("society")} - {*PROVINCIAL},
}
"""Columns of the state that a level of government shows."""
TABLES = {NATION: "", PROVINCE: "provinces", PREFECTURE: "prefectures"}


class Government(
    View, owners=["governments", "society", "nation"], tables=["provinces", "prefectures"]
):
    """A government; what it shows depends on its `level`: nation, province or prefecture.

    The national government shows the national market by kind of compute, the provincial one its
    instruments (in the order of `model.setting.schedule.names`) and receipts, a prefecture its
    readiness and its people. `place` is the short name of its territory.
    """

    def __init__(self, model: EcosystemModel, row: int) -> None:
        places = model.setting.world.prefectures
        self.level = (PREFECTURE, PROVINCE, NATION)[max(0, row - places.count + 1)]
        super().__init__(model, row)

    @property
    def place(self) -> str:
        """Short name of the territory."""
        if self.level == NATION:
            return NATION
        return str(self._fact(read_schema()[TABLES[self.level]][self.level]))

    def _index(self, name: str) -> Index:
        if name not in SHOWN[self.level]:
            raise AttributeError(name)
        if name == "cash" or self.level == PREFECTURE:
            return 0, self.row
        return (0,)

    def _fact(self, column: Column) -> Any:
        if column.name not in read_schema().get(TABLES[self.level], {}):
            raise AttributeError(column.name)
        world = self.model.setting.world
        if self.level == PROVINCE:
            return self._spell(column, world.province.columns[column.name])
        return self._spell(column, world.prefectures.columns[column.name][self.row])

    def _names(self) -> tuple[str, ...]:
        level = self.__dict__.get("level", NATION)
        facts = set(read_schema().get(TABLES[level], {})) - {"id"}
        return tuple(sorted({"alive", "level", "place", *SHOWN[level], *facts}))
