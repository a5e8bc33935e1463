"""Run scenarios: every quarter of a chunk of runs before the next chunk, on one or more cores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ecosystem.arguments import check_arguments, checked_parameters, listed
from ecosystem.catalogue import outcomes as outcome_table
from ecosystem.chance import Chance
from ecosystem.draws import draw_parameters, varied_parameters
from ecosystem.errors import FaultList
from ecosystem.quarters import POLICY_START, QUARTERS_A_YEAR, period_label
from ecosystem.result import Result
from ecosystem.scenario import ResolvedScenario, Scenario
from ecosystem.schedule import build_schedule, shock_paths
from ecosystem.setting import Array, Parameters, Setting
from ecosystem.stages.drivers import national_capacity_table
from ecosystem.start import initial_state
from ecosystem.step import step
from ecosystem.world.loader import World, load_world

SLOTS_A_CHUNK = 102_400
"""AI-firm slots of a chunk of runs: a firm column of a chunk then stays below 1 MB."""
WARM_UP = 3_900_000
"""Numbers in the block that is allocated once, see `keep_memory`."""

Item = str | Path | Scenario | ResolvedScenario


@dataclass(frozen=True)
class Chunk:
    """Runs of one scenario that are stepped together.

    `points` has values by parameter name, (runs,) each, that stand above those of the scenario.
    """

    scenario: ResolvedScenario
    world: str
    seed: int
    replicates: tuple[int, ...]
    until: int
    fixed: bool
    outcomes: tuple[str, ...]
    series: bool
    points: Mapping[str, Array] = field(default_factory=dict)


def keep_memory() -> None:
    """Let the C library keep freed blocks: large temporaries are then up to nine times faster.

    Freeing one block just below the largest that glibc may hold raises its threshold for handing
    memory back to the system; the block is never touched.
    """
    block = np.empty(WARM_UP)
    del block


def make_setting(
    scenario: ResolvedScenario,
    world: World,
    seed: int,
    replicates: Sequence[int],
    fixed_parameters: bool = False,
    points: Mapping[str, Array] | None = None,
) -> Setting:
    """Return what the runs of a chunk are given from outside.

    Run r carries the parameter draw and the luck of its replicate, whatever the scenario; values
    of `points`, (runs,) each, stand above scenario and draw.
    """
    chance = Chance(seed, replicates)
    given: dict[str, float | Array] = {**scenario.parameters, **(points or {})}
    parameters = Parameters(draw_parameters(chance, fixed_parameters, given))
    return Setting(
        world=world,
        parameters=parameters,
        schedule=build_schedule(scenario),
        shocks=shock_paths(scenario),
        chance=chance,
        national_table=national_capacity_table(world, parameters),
        hooks=scenario.hooks,
    )


class Recorder:
    """Outcomes of a chunk: the summary as it goes, and the series if wanted."""

    def __init__(self, setting: Setting, names: Sequence[str], until: int, series: bool) -> None:
        self.names, self.until = tuple(names), until
        self.since = POLICY_START if until >= POLICY_START else 0
        self.rate = setting.parameters.public_discount_rate
        self.summary: dict[str, Array] = {}
        self.series: dict[str, list[Array]] | None = {n: [] for n in names} if series else None

    def add(self, t: int, values: Mapping[str, Array]) -> None:
        """Take in the outcomes of quarter `t`."""
        table = outcome_table()
        for name in self.names:
            value = values[name]
            if self.series is not None:
                self.series[name].append(value)
            weight = self.weight(table[name].time_base, t)
            if weight is not None:
                self.summary[name] = self.summary.get(name, 0.0) + weight * value

    def weight(self, time_base: str, t: int) -> Array | float | None:
        """Return the weight of quarter `t` in the summary of an outcome, None for none."""
        if time_base == "end":
            return 1.0 if t == self.until else None
        if time_base == "last_year_mean":
            quarters = min(QUARTERS_A_YEAR, self.until + 1)
            return 1 / quarters if t > self.until - quarters else None
        if t < self.since:
            return None
        if time_base == "sum":
            return 1.0
        years = (t - self.since) / QUARTERS_A_YEAR
        return np.exp(-years * np.log1p(self.rate))


def run_chunk(chunk: Chunk) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return series (runs, quarters, entries) and summary (runs, entries) of a chunk by outcome.

    Raises
    ------
    FloatingPointError
        If an outcome is not finite; names the scenario, outcome, quarter and replicate.
    """
    from ecosystem.outcomes import measure

    keep_memory()
    world = load_world(chunk.world)
    setting = make_setting(
        chunk.scenario, world, chunk.seed, chunk.replicates, chunk.fixed, chunk.points
    )
    recorder = Recorder(setting, chunk.outcomes, chunk.until, chunk.series)
    state = initial_state(setting)
    for t in range(chunk.until + 1):
        state, quarter = step(state, setting)
        if chunk.series or t >= recorder.since or t > chunk.until - QUARTERS_A_YEAR:
            values = measure(quarter, setting)
            check_finite(values, chunk, t)
            recorder.add(t, values)
    series = {name: np.stack(rows, axis=1) for name, rows in (recorder.series or {}).items()}
    return series, {name: recorder.summary[name] for name in chunk.outcomes}


def check_finite(values: Mapping[str, Array], chunk: Chunk, t: int) -> None:
    """Raise FloatingPointError where a wanted outcome is not a number."""
    for name in chunk.outcomes:
        bad = ~np.isfinite(values[name]).all(axis=1)
        if bad.any():
            run = chunk.replicates[int(np.flatnonzero(bad)[0])]
            raise FloatingPointError(
                f"{chunk.scenario.name}: outcome {name} is not finite in {period_label(t)}, "
                f"replicate {run}, seed {chunk.seed}"
            )


def held_by_all(scenarios: Sequence[ResolvedScenario]) -> dict[str, float]:
    """Return the parameters that have one and the same value in every scenario."""
    first, *others = (scenario.parameters for scenario in scenarios)
    missing = object()
    return {
        name: value
        for name, value in first.items()
        if all(other.get(name, missing) == value for other in others)
    }


def simulate(
    scenarios: Item | Sequence[Item],
    *,
    replicates: int = 20,
    seed: int = 1,
    until: str = "2035Q4",
    world: str | Path = "full",
    shock: str | None = None,
    parameters: Mapping[str, float] | None = None,
    fixed_parameters: bool = False,
    jobs: int | None = None,
    outcomes: str | Sequence[str] | None = None,
    series: bool = True,
    progress: Callable[[int, int], None] | None = None,
    executor: str | Executor | None = None,
    cluster: str | None = None,
    out: str | Path | None = None,
) -> Result:
    """Run scenarios and return what they report.

    Parameters
    ----------
    scenarios
        Package names, TOML files or `Scenario` objects, one or several.
    replicates
        Runs of each scenario. Replicate r has its own draw of every uncertain parameter and its
        own luck, both common to all scenarios.
    seed
        Seed of all draws, at least 0.
    until
        Last quarter, such as ``2030Q4``.
    world
        ``full``, ``teaching`` or a folder of world tables.
    shock
        A shock on all scenarios, ``name[:amplitude[:start]]``.
    parameters
        Values that hold in all runs instead of draws.
    fixed_parameters
        Keep all defaults: luck alone then differs between replicates.
    jobs
        Workers; by default one a core, at most one for every chunk of runs.
    outcomes
        One name of the outcome table or several; all by default.
    series
        Keep every quarter; otherwise only each outcome's own time base.
    progress
        Called with the number of finished and of all runs.
    executor, cluster
        Where the runs take place; see `ecosystem.ensemble.runner.run_design`.
    out
        Folder in which the runs are kept as they are finished, so that a second start goes on
        from there. A run that fails is then listed in `Result.failed`, with NaN for its outcomes;
        without a folder the first failure ends the simulation.

    Returns
    -------
    Result

    Raises
    ------
    InputError
        With every fault of scenarios, world and arguments.
    FloatingPointError
        An outcome is not finite; with `out`, every run failed.
    """
    from ecosystem.ensemble.design import cross
    from ecosystem.ensemble.runner import run_design

    faults = FaultList()
    check_arguments(
        faults, replicates=replicates, seed=seed, until=until, jobs=jobs, shock=shock,
        fixed_parameters=fixed_parameters, series=series,
    )  # fmt: skip
    given = checked_parameters(faults, parameters)
    wanted = None if outcomes is None else listed(outcomes)
    for name in wanted or ():
        faults.name("outcomes", name, outcome_table())
    faults.raise_if_any()
    design = cross(listed(scenarios), shocks=[shock], replicates=replicates, parameters=given)
    runs = run_design(
        design, keep=("summary", "quarterly") if series else "summary", outcomes=wanted,
        seed=seed, until=until, world=world, fixed_parameters=fixed_parameters,
        executor=executor, cluster=cluster, jobs=jobs, out=out, progress=progress,
    )  # fmt: skip
    kept = runs.arrays()
    if len(runs.failures) == len(design):
        raise FloatingPointError(
            f"every run failed, see {runs.directory}; the first: {runs.failures[0]['error']}"
        )
    shape = len(design.scenarios), replicates
    summaries, quarters = (
        {
            name: value.reshape(*shape, *value.shape[1:])
            for name, value in kept.get(kind, {}).items()
        }
        for kind in ("summary", "quarterly")
    )
    resolved = tuple(one for one in design.scenarios if not isinstance(one, str))
    held = held_by_all(resolved)
    return Result(
        resolved=resolved,
        replicates=replicates,
        seed=seed,
        until=until,
        world=load_world(world),
        varied=varied_parameters(fixed_parameters, held),
        given=held,
        series=quarters,
        summaries={name: value[:, :, 0] for name, value in summaries.items()},
        failed=tuple(runs.failures),
    )
