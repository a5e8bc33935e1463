"""The model as a Mesa model: one run, stepped by the same code as thousands, with Mesa agents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import mesa
import numpy as np

from ecosystem.inputs.calendar import HORIZON, period_label
from ecosystem.inputs.faults import FaultList
from ecosystem.inputs.scenario import Scenario, resolve
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
    View,
)
from ecosystem.quarter.start import initial_state, make_setting
from ecosystem.quarter.step import Quarter, step
from ecosystem.runs.core import keep_memory
from ecosystem.state.setting import Parameters
from ecosystem.state.state import State

ShockItem = str | Mapping[str, Any]


class EcosystemModel(mesa.Model):
    """One run of the model; a step is a quarter, the first one 2020Q1, the last one 2035Q4.

    The numbers are bit for bit those of replicate `replicate` of ``simulate(..., seed=rng)``.
    The generators ``model.rng`` and ``model.random`` are the user's: the model draws from neither.

    Parameters
    ----------
    config
        Package name, TOML file or `Scenario`.
    rng
        Seed, a whole number of at least 0. `mesa.batch_run` passes it as a parameter on Mesa 3.3
        and as its own argument ``rng=[...]`` on Mesa 3.5.
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

    Attributes
    ----------
    config
        The resolved scenario.
    setting
        World, parameters, schedule and luck of the run.
    state
        Arrays at the start of quarter `period`, with a runs axis of length 1.
    last
        Record of the last quarter; None before the first step.

    Raises
    ------
    InputError
        With what is wrong about the arguments.
    RuntimeError
        From ``step`` after the last quarter.
    """

    def __init__(
        self,
        config: str | Path | Scenario = "history",
        rng: int = 1,
        replicate: int = 0,
        world: str | Path = "full",
        fixed_parameters: bool = False,
        parameters: Mapping[str, float] | None = None,
        shocks: Sequence[ShockItem] | ShockItem = (),
    ) -> None:
        check_whole(rng=rng, replicate=replicate)
        super().__init__(rng=int(rng))
        self._numbers = count(1)
        keep_memory()
        self.config = resolve(with_additions(config, parameters or {}, shocks))
        self.setting = make_setting(
            self.config, load_world(world), int(rng), [int(replicate)], fixed_parameters
        )
        self.state: State = initial_state(self.setting)
        self.last: Quarter | None = None
        for kind, rows in members(self.setting.world):
            for row in range(rows):
                kind(self, row)
        self._firms: dict[int, AIFirm] = {}
        self._follow_firms(np.flatnonzero(self.state.firms.active[0]))

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

    def step(self) -> None:
        """Run one quarter; firms that were born or have left come and go as agents."""
        if self.period >= HORIZON:
            raise RuntimeError(f"the model ends with {self.quarter}")
        before = self.state.firms
        self.state, self.last = step(self.state, self.setting)
        after = self.state.firms
        changed = (before.active != after.active) | (before.generation != after.generation)
        self._follow_firms(np.flatnonzero(changed[0]))
        if self.period == HORIZON:
            self.running = False

    def _follow_firms(self, rows: np.ndarray) -> None:
        """Make the agents of these slots those of the firms that are there now."""
        for row in rows.tolist():
            if row in self._firms:
                self._firms.pop(row).remove()
            if self.state.firms.active[0, row] > 0:
                self._firms[row] = AIFirm(self, row)

    def register_agent(self, agent: mesa.Agent) -> None:
        """Register an agent, as Mesa does when one is made.

        Mesa 3.3 numbers agents by a table of the class that keeps every model alive; there the
        model counts them itself. Mesa 3.5 numbers them here.
        """
        super().register_agent(agent)
        numbers = getattr(mesa.Agent, "_ids", None)
        if numbers is not None:
            numbers.pop(self, None)
            agent.unique_id = next(self._numbers)


def check_whole(**values: object) -> None:
    """Raise `InputError` for arguments that are not whole numbers of at least 0."""
    faults = FaultList()
    for name, value in values.items():
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 0:
            faults.add(name, value, "a whole number of at least 0")
    faults.raise_if_any()


def with_additions(
    config: str | Path | Scenario,
    parameters: Mapping[str, float],
    shocks: Sequence[ShockItem] | ShockItem,
) -> Scenario:
    """Return a scenario with parameter values and shocks added to it."""
    added = (shocks,) if isinstance(shocks, str | Mapping) else tuple(shocks)
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
