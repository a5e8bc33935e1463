"""The model as a Mesa model: one run, stepped by the same code as thousands, with Mesa agents."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import Any, TypeVar

import mesa
import numpy as np
import pandas as pd
from mesa.datacollection import DataCollector

from ecosystem.inputs.arguments import listed
from ecosystem.inputs.calendar import HORIZON, period_label
from ecosystem.inputs.catalogue import outcomes as outcome_table
from ecosystem.inputs.draws import Draws
from ecosystem.inputs.faults import FaultList, InputError
from ecosystem.inputs.options import PRIOR, Options
from ecosystem.inputs.place_faults import check_places
from ecosystem.inputs.scenario import ResolvedScenario, Scenario, resolve
from ecosystem.inputs.world.loader import World, load_world
from ecosystem.mesa.agents import (
    AIFirm,
    ComputeBuyer,
    DataCentre,
    DispatchCentre,
    EquipmentMaker,
    Government,
    IndustrialPark,
    University,
)
from ecosystem.mesa.view import WAY, Moment, View, plain
from ecosystem.outcomes import measure
from ecosystem.quarter.start import initial_state, make_setting
from ecosystem.quarter.step import step
from ecosystem.runs.chunk import keep_memory
from ecosystem.runs.warm import compile_model
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Parameters
from ecosystem.state.state import State

T = TypeVar("T")
ShockItem = str | Mapping[str, Any]
SEEDS = 2**31
"""A seed that nobody has given is drawn from so many."""


class EcosystemModel(mesa.Model):
    """One run of the model; a step is a quarter, the first one 2020Q1.

    The numbers are bit for bit those of replicate `replicate` of ``simulate(..., seed=rng)``.
    The generators ``model.rng`` and ``model.random`` are the user's: the model draws from neither.

    Parameters
    ----------
    config
        Package name, TOML file or `Scenario`.
    rng
        Seed, a whole number of at least 0. Without one the luck is new each time, as Mesa has it:
        the iterations of `mesa.batch_run` differ, and `seed` says how to repeat each.
    replicate
        Which replicate of that seed.
    world
        ``full``, ``teaching`` or a folder of world tables.
    fixed_parameters
        Keep all parameters at their defaults instead of the replicate's draw.
    parameters
        Values that hold instead of defaults or draws.
    shocks
        Names, or mappings with ``name`` and, if wanted, ``amplitude`` and ``start``.
    until
        Last quarter, such as ``2030Q4``.
    draws
        What `ecosystem.simulate` takes: ``posterior``, ``prior``, a table of draws, or its file.
    seed
        Another name for `rng`, under which `mesa.batch_run` of Mesa 3.5 passes its argument
        ``rng=[...]``; it then leaves ``parameters={"rng": [...]}``, the way of Mesa 3.3, alone.

    Attributes
    ----------
    config
        The resolved scenario.
    seed
        The seed, also where it was drawn.
    setting
        World, parameters, schedule and luck of the run.
    state
        Arrays at the start of quarter `period`, with a runs axis of length 1.
    last
        Record of the last quarter; None before the first step.
    past
        What agents read their history from: the state at the end of each quarter so far, 10 MB
        after all quarters of the full world.
    datacollector
        A `mesa.DataCollector` of the quarter, the seed and the headline outcomes, collected at
        the end of each step. One that is put in its place is its owner's to collect.

    Raises
    ------
    InputError
        With everything that is wrong about the arguments.
    RuntimeError
        From ``step`` after the last quarter.
    """

    def __init__(
        self,
        config: str | Path | Scenario = "history",
        rng: int | None = None,
        replicate: int = 0,
        world: str | Path = "full",
        fixed_parameters: bool = False,
        parameters: Mapping[str, float] | None = None,
        shocks: Sequence[ShockItem] | ShockItem = (),
        until: str = period_label(HORIZON - 1),
        seed: int | None = None,
        draws: str | Path | pd.DataFrame | Draws | None = None,
    ) -> None:
        self.config, tables, asked = checked(
            config, rng, seed, replicate, world, shocks,
            fixed_parameters=fixed_parameters, parameters=parameters, until=until,
            draws=draws,
        )  # fmt: skip
        super().__init__(rng=asked.seed)
        self._making, self._made = True, 0
        keep_memory()
        compile_model()
        self.seed = asked.seed
        drawn, one = asked.drawn_from, [int(replicate)]
        self.setting = make_setting(
            self.config, tables, asked.seed, one, asked.fixed_parameters,
            draws=drawn.of_replicates(asked.seed, one) if drawn else None,
        )  # fmt: skip
        self.state: State = initial_state(self.setting)
        self.last: Quarter | None = None
        self.past: list[Moment] = []
        self._quarters = asked.last + 1
        self._outcomes: dict[str, Any] = {}
        self._firms: dict[int, AIFirm] = {}
        for kind, rows in members(self.setting.world):
            for row in range(rows):
                kind(self, row)
        self._follow_firms(np.flatnonzero(self.state.firms.active[0]))
        self.datacollector = self._headlines = DataCollector(reporters())

    @property
    def params(self) -> Parameters:
        """Parameter values of the run, read as attributes of shape (1, 1)."""
        return self.setting.parameters

    @property
    def period(self) -> int:
        """Number of quarters done, and index of the quarter that comes next."""
        return self.state.period

    @property
    def quarter(self) -> str | None:
        """The last quarter done, such as ``2025Q3``; None before the first step."""
        return period_label(self.period - 1) if self.period else None

    @property
    def outcomes(self) -> Mapping[str, Any]:
        """All outcomes of the last quarter by name, as in ``simulate(...).series``.

        A number each, or an array by region, tier, kind or domain; none before the first step.
        """
        if self.last is not None and not self._outcomes:
            values = measure(self.last, self.setting)
            self._outcomes = {name: plain(value[0]) for name, value in values.items()}
        return self._outcomes

    def step(self) -> None:
        """Run one quarter; firms that were born or have left come and go as agents."""
        if self.period >= self._quarters:
            raise RuntimeError(f"the model ends with {self.quarter}")
        before = self.state.firms
        self.state, self.last = step(self.state, self.setting)
        self._outcomes = {}
        self.past.append(Moment(self.state, self.last.policy))
        after = self.state.firms
        changed = (before.active != after.active) | (before.generation != after.generation)
        self._follow_firms(np.flatnonzero(changed[0]))
        if self.datacollector is self._headlines:
            self.datacollector.collect(self)
        if self.period == self._quarters:
            self.running = False

    def _follow_firms(self, rows: np.ndarray) -> None:
        """Make the agents of these slots those of the firms that are there now."""
        self._making = True
        for row in rows.tolist():
            if row in self._firms:
                self._firms.pop(row).remove()
            if self.state.firms.active[0, row] > 0:
                self._firms[row] = AIFirm(self, row)
        self._making = False

    def register_agent(self, agent: mesa.Agent) -> None:
        """Register an agent, as Mesa does when one is made.

        Mesa 3.3 numbers agents by a table of the class that keeps every model alive; there the
        model counts them itself. Mesa 3.5 numbers them here.
        """
        if isinstance(agent, View) and not self._making:
            raise RuntimeError(f"no second {type(agent).__name__} of a row can be made: {WAY}")
        super().register_agent(agent)
        numbers = getattr(mesa.Agent, "_ids", None)
        if numbers is not None:
            numbers.pop(self, None)
            self._made += 1
            agent.unique_id = self._made

    def deregister_agent(self, agent: mesa.Agent) -> None:
        """Let an agent go, as Mesa does when one is removed; AI firms go when they have left."""
        if isinstance(agent, View) and agent.alive:
            raise RuntimeError(f"{agent!r} cannot be removed, for its row would live on: {WAY}")
        super().deregister_agent(agent)


def outcome(model: EcosystemModel, name: str) -> Any:
    """Return an outcome of the last quarter; a reporter of the data collector."""
    return model.outcomes[name]


def reporters() -> dict[str, Any]:
    """Return what a data collector reports: quarter, seed, headline outcomes without parts."""
    table = outcome_table().items()
    headlines = [name for name, row in table if row.headline and not row.dimension]
    return {"quarter": "quarter", "seed": "seed"} | {
        name: partial(outcome, name=name) for name in headlines
    }


def checked(
    config: object,
    rng: object,
    seed: object,
    replicate: object,
    world: object,
    shocks: object,
    **options: object,
) -> tuple[ResolvedScenario, World, Options]:
    """Return scenario, world and options that a model is asked for with.

    Raises
    ------
    InputError
        With everything that is wrong about them.
    """
    faults = FaultList()
    for name, value in (("rng", rng), ("seed", seed)):
        if value is not None:
            faults.whole(name, value, 0)
    if rng is not None and seed is not None:
        faults.add("seed", seed, "nothing beside `rng`, for which it is another name")
    faults.whole("replicate", replicate, 0)
    of_world = FaultList()
    place = tried(of_world, lambda: Options.of(world=world, draws=PRIOR).world)
    tables = load_world(place) if place else None
    asked = Options.collected(faults, **options, **({"world": place} if place else {}))
    faults.faults += of_world.faults
    values = asked.parameters if asked else {}
    resolved = tried(faults, lambda: resolve(with_additions(config, values, shocks)))
    if tables and resolved:
        check_places(faults, [resolved], tables)
    faults.raise_if_any()
    assert asked is not None and tables is not None and resolved is not None
    given = [int(value) for value in (rng, seed) if isinstance(value, Integral)]
    return resolved, tables, asked.with_(seed=given[0] if given else secrets.randbelow(SEEDS))


def tried(faults: FaultList, read: Callable[[], T]) -> T | None:
    """Return what is read, or None after noting everything that is wrong with it."""
    try:
        return read()
    except InputError as error:
        faults.faults += error.faults
    return None


def with_additions(config: Any, parameters: Mapping[str, float], shocks: object) -> Scenario:
    """Return a scenario with parameter values and shocks added to it."""
    added = () if shocks is None else tuple(listed(shocks))
    if not isinstance(config, Scenario):
        return Scenario([config], added, parameters)
    return replace(
        config,
        shocks=(*config.shocks, *added),
        parameters={**config.parameters, **parameters},
    )


def members(world: World) -> tuple[tuple[Callable[[EcosystemModel, int], View], int], ...]:
    """Return the kinds of agents that neither come nor go, and how many there are."""
    return (
        (Government, world.prefectures.count + 2),
        (DispatchCentre, 1),
        (DataCentre, world.centres.count),
        (EquipmentMaker, world.makers.count),
        (University, world.universities.count),
        (IndustrialPark, world.parks.count),
        (ComputeBuyer, world.regions.count * world.workloads.count),
    )
