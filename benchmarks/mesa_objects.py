"""The model as Mesa usually has it: one Python object an agent, no arrays.

It is what the vectorised core is timed against. The stages are those of the slow reference under
`tests/reference`, which a reader can check against the text of the model; in a copy of its modules
every function that a profile found slow is replaced by one of `benchmarks.quick_stages`. Beside
that

- every data centre, maker, university, firm, park, buyer and government is a `mesa.Agent`, and
  changes in place;
- only firms that exist are agents; they are born and removed, so nobody loops over empty slots;
- what does not change over a run (distances, parameters by kind, members of a cell) is looked up.

Random numbers are the core's own: one list a process and quarter, which is cheaper than a draw by
every agent and makes the two models agree number by number.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import mesa

from benchmarks import quick_stages
from benchmarks.reference_copy import replace_function, stage
from ecosystem.inputs.scenario import Scenario, resolve
from ecosystem.inputs.world.loader import load_world
from ecosystem.quarter.start import make_setting
from ecosystem.state.setting import Setting

FIRM_DRAWS = {"patents", "sales", "firm fates"}
"""Processes that deal one number to every slot, taken or not."""
FIRM_STATE = "active age knowledge research staff share sales compute cash".split()
BY_FIRM = {
    "innovation": (
        "research_spending grants compute patents absorptive knowledge_next research_next"
    ),
    "labour": "hires staff",
    "business": "share sales born exits founders",
}
"""Lists of the records that have one entry a firm."""

for where, functions in quick_stages.REPLACED.items():
    for function in functions:
        replace_function(where, function.__name__, function)
replace_function("turnover", "replace", quick_stages.update)
replace_function("turnover", "Buyer", dict)


class ObjectAgent(mesa.Agent):
    """An agent with the attributes of the reference's object of its sort."""

    def __init__(self, model: mesa.Model, attributes: dict[str, Any]) -> None:
        super().__init__(model)
        self.__dict__.update(attributes)


class Government(ObjectAgent):
    """A prefecture with its people, or the province."""


class DataCentre(ObjectAgent):
    """A data-centre operator of one kind of compute."""


class EquipmentMaker(ObjectAgent):
    """An equipment maker."""


class University(ObjectAgent):
    """A university or institute."""


class AIFirm(ObjectAgent):
    """An AI firm."""


class IndustrialPark(ObjectAgent):
    """A manufacturing park."""


class ComputeBuyer(ObjectAgent):
    """The buyers of one workload in one region."""


class Everybody(stage("agents").Agents):  # type: ignore[misc]
    """The agents of a run with lookups of what never changes."""

    def __init__(self, model: mesa.Model, start: Any) -> None:
        self.__dict__.update(vars(start))
        slots = start.firms
        self.slots = len(slots)
        self.memo: dict[Any, Any] = {}
        self._by_kind: dict[str, list[float]] = {}

        def agents(sort: type[ObjectAgent], objects: list[Any]) -> list[Any]:
            return [sort(model, vars(thing)) for thing in objects]

        self.province = Government(model, vars(start.province))
        self.prefectures = agents(Government, start.prefectures)
        self.centres = agents(DataCentre, start.centres)
        self.makers = agents(EquipmentMaker, start.makers)
        self.universities = agents(University, start.universities)
        self.parks = agents(IndustrialPark, start.parks)
        for region in self.regions:
            region.buyers = agents(ComputeBuyer, region.buyers)
        self.firms = [AIFirm(model, {**vars(slot), "slot": slot}) for slot in slots if slot.active]
        self.vacant = defaultdict(list)  # free slots by (prefecture, domain), the first one first
        for slot in slots:
            if slot.active:
                vars(slot).update(dict.fromkeys(FIRM_STATE, 0.0))
            else:
                self.vacant[slot.prefecture, slot.domain].append(slot)

        self._cells = super().cells()
        self._of_cell: dict[tuple[int, int], list[Any]] = {cell: [] for cell in self._cells}
        for centre in self.centres:
            self._of_cell[centre.kind, centre.prefecture].append(centre)
        self.fixed = quick_stages.fixed_lookups(self)

    def by_kind(self, stem: str) -> list[float]:
        """Return a parameter that has one value a kind."""
        values = self._by_kind.get(stem)
        if values is None:
            values = self._by_kind[stem] = super().by_kind(stem)
        return values

    def cells(self) -> list[tuple[int, int]]:
        """Return all (kind, prefecture) cells, kinds first."""
        return self._cells

    def of_cell(self, kind: int, prefecture: int) -> list[Any]:
        """Return the centres of a (kind, prefecture) cell."""
        return self._of_cell[kind, prefecture]

    def all_slots(self) -> list[Any]:
        """Return one object a slot: the firm that is there, or the empty slot."""
        empty = [slot for slots in self.vacant.values() for slot in slots]
        return sorted([*self.firms, *empty], key=lambda slot: slot.id)

    def uniform(self, process: str, count: int) -> list[float]:
        """Return this quarter's uniform numbers of the run; firms take theirs by slot."""
        return super().uniform(process, self.slots if process in FIRM_DRAWS else count)

    def normal(self, process: str, count: int) -> list[float]:
        """Return this quarter's standard normal numbers; firms take theirs by slot."""
        return super().normal(process, self.slots if process in FIRM_DRAWS else count)


class ObjectModel(mesa.Model):
    """One run of the model, agent by agent; a step is a quarter.

    Parameters
    ----------
    config
        Package name or `Scenario`.
    rng
        Seed, as of `ecosystem.simulate`.
    world
        ``full``, ``teaching`` or a folder of world tables.
    setting
        A setting of one run to take instead.

    Attributes
    ----------
    everybody
        The agents by sort, and the markets and sectors that are no agents.
    """

    def __init__(
        self,
        config: str | Scenario = "history",
        rng: int = 1,
        world: str = "full",
        setting: Setting | None = None,
    ) -> None:
        super().__init__(rng=rng)
        if setting is None:
            scenario = config if isinstance(config, Scenario) else Scenario(config)
            setting = make_setting(resolve(scenario), load_world(world), rng, [0])
        self.everybody = Everybody(self, stage("start").reference_start(setting, 0))

    def step(self) -> None:
        """Run one quarter: the stages in the order of the model, then everybody changes."""
        agents = self.everybody
        agents.memo.clear()
        drivers = stage("drivers").reference_drivers(agents)
        policy = stage("policy").reference_policy(agents, drivers)
        investment = stage("investment").reference_investment(agents, drivers, policy)
        supply = stage("supply_chain").reference_supply_chain(agents, policy, investment)
        market = stage("dispatch").reference_dispatch(agents, drivers, policy, investment)
        innovation = stage("innovation").reference_innovation(
            agents, drivers, policy, investment, market
        )
        labour = stage("labour").reference_labour(
            agents, drivers, policy, investment, supply, innovation
        )
        business = stage("labour").reference_business(agents, policy, innovation)
        self.quarter = {
            "drivers": drivers,
            "policy": policy,
            "investment": investment,
            "supply": supply,
            "market": market,
            "innovation": innovation,
            "labour": labour,
            "business": business,
        }
        self.found_firms()
        self.quarter["accounts"] = stage("flows").reference_accounts(agents, **self.quarter)
        stage("turnover").reference_next(agents, self.quarter)

    def found_firms(self) -> None:
        """Let this quarter's entrants join; they have done nothing in it but raise capital."""
        agents, quarter = self.everybody, self.quarter
        founded = agents.memo["founded"]
        lists = [quarter[name][key] for name, keys in BY_FIRM.items() for key in keys.split()]
        lists.append(quarter["market"]["routing"]["local"]["by_firm"])
        for values in lists:
            values.extend([0.0] * len(founded))
        business, first = quarter["business"], len(agents.firms)
        for f, (slot, knowledge) in enumerate(founded, first):
            agents.vacant[slot.prefecture, slot.domain].remove(slot)
            agents.firms.append(AIFirm(self, {**vars(slot), "active": 1.0, "slot": slot}))
            business["born"][f], business["founders"][f] = 1.0, knowledge


def columns(model: ObjectModel) -> dict[str, dict[str, Any]]:
    """Return the agents as nested lists laid out like one row of the core's state."""
    agents = model.everybody
    everybody = stage("agents").Agents(**{**fields_of(agents), "firms": agents.all_slots()})
    return stage("layout").columns(everybody)


def fields_of(agents: Everybody) -> dict[str, Any]:
    """Return what the reference holds of everybody."""
    return {name: getattr(agents, name) for name in stage("agents").Agents.__dataclass_fields__}
