"""The kinds of agents as Mesa agents, each a view of one row of the state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ecosystem.inputs.world.schema import Column, read_schema
from ecosystem.maths.arrays import Array
from ecosystem.mesa.view import AgentGoneError, Index, Moment, Shown, View, columns_of
from ecosystem.stages.dispatch import dispatch_rules
from ecosystem.state.state import State


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

    def __init__(self, model: Shown, row: int) -> None:
        self._generation = model.state.firms.generation[0, row]
        super().__init__(model, row)

    @property
    def alive(self) -> bool:
        """Whether the firm is still there."""
        return self._is_in(self.model.state)

    @property
    def name_en(self) -> str:
        """Name in the world table; for others place, domain, slot and which firm of it this is."""
        world, rows = self.model.setting.world, self._rows
        if self._generation == 1 and rows.name[self.row]:
            return str(rows.name[self.row])
        place = world.prefectures.name_en[rows.prefecture[self.row]]
        domain = world.domains.domain[rows.domain[self.row]]
        return f"{place} {domain} firm {rows.id[self.row]}-{int(self._generation)}"

    def _is_in(self, state: State) -> bool:
        firms = state.firms
        return bool(
            firms.active[0, self.row] > 0 and firms.generation[0, self.row] == self._generation
        )

    def _check_shown(self, name: str) -> None:
        if not self.alive:
            raise AgentGoneError(f"{self!r} has left; read `alive` first, or `history`")


class ComputeBuyer(View, owners=["buyers"]):
    """The buyers of one demand region for one workload."""

    def __init__(self, model: Shown, row: int) -> None:
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
    def name_en(self) -> str:
        """What there is one of."""
        return "dispatch centre"

    @property
    def pooled_share(self) -> Array:
        """Share of demand that any centre may serve, (kinds, prefectures)."""
        return self._shown(self._now)["pooled_share"]

    @property
    def search_exponent(self) -> Array:
        """How well buyers find free capacity, (kinds, prefectures)."""
        return self._shown(self._now)["search_exponent"]

    def _shown(self, moment: Moment) -> dict[str, Array]:
        """Return both rules; before the first quarter they are the parameters themselves."""
        setting = self.model.setting
        shape = len(setting.world.kinds), setting.world.prefectures.count
        names = "pooled_share", "search_exponent"
        if moment.policy is None:
            return {name: np.full(shape, setting.parameters[name].item()) for name in names}
        rules = dispatch_rules(moment.policy, setting)
        return {name: rule.reshape(shape) for name, rule in zip(names, rules, strict=True)}


NATION, PROVINCE, PREFECTURE = "nation", "province", "prefecture"
PROVINCIAL = (
    *("paid_share", "envelope_weight", "claimed", "paid"),
    *("receipts", "receipts_before", "receipts_reference", "advantage", "diffusion"),
    *("quality_start", "variety_start"),
)
"""Columns for the province as a whole: by instrument, past quarter or domain, or one number."""
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

    def __init__(self, model: Shown, row: int) -> None:
        places = model.setting.world.prefectures
        self.level = (PREFECTURE, PROVINCE, NATION)[max(0, row - places.count + 1)]
        super().__init__(model, row)

    @property
    def place(self) -> str:
        """Short name of the territory."""
        if self.level == NATION:
            return NATION
        return str(self._fact(read_schema()[TABLES[self.level]][self.level]))

    @property
    def name(self) -> str:
        """Name of the territory, in English."""
        return NATION if self.level == NATION else str(self.name_en)

    def _check_shown(self, name: str) -> None:
        if name not in SHOWN[self.level]:
            raise AttributeError(name)

    def _columns(self) -> Mapping[str, str]:
        shown = SHOWN[self.level]
        return {name: owner for name, owner in self.columns.items() if name in shown}

    def _index(self, name: str) -> Index:
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
        own = {"alive", "history", "level", "name", "place"}
        return tuple(sorted({*own, *SHOWN[level], *facts}))
