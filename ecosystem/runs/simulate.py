"""Run scenarios: every quarter of a chunk of runs before the next chunk, on one or more cores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path

from ecosystem.inputs.arguments import check_arguments, checked_parameters, listed
from ecosystem.inputs.catalogue import outcomes as outcome_table
from ecosystem.inputs.draws import varied_parameters
from ecosystem.inputs.faults import FaultList
from ecosystem.inputs.scenario import ResolvedScenario, Scenario
from ecosystem.inputs.world.loader import load_world
from ecosystem.runs.result import Result

Item = str | Path | Scenario | ResolvedScenario


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
        Where the runs take place; see `ecosystem.runs.runner.run_design`.
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
    from ecosystem.runs.design import cross
    from ecosystem.runs.runner import run_design

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
