"""What a request would run, for how long, and what it would leave on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.messages import text

if TYPE_CHECKING:
    from ecosystem.scenario import ResolvedScenario
    from experiments.request import Request


def dry_run_words(request: Request, scenarios: list[ResolvedScenario]) -> str:
    """Return it as lines; a few quarters are run to see how long they take."""
    from ecosystem.ensemble.design import cross
    from ecosystem.ensemble.estimate import estimate
    from ecosystem.ensemble.runner import run_design
    from ecosystem.quarters import period_index
    from experiments.compare import needed_outcomes

    lang = request.lang
    ensemble = run_design(
        cross(scenarios, replicates=request.replicates), keep=("summary", "quarterly"),
        outcomes=needed_outcomes() if request.kind == "compare" else None, seed=request.seed,
        until=request.until, world=request.world, fixed_parameters=request.fixed_parameters,
        executor=request.executor, cluster=request.cluster, jobs=request.jobs,
    )  # fmt: skip
    found = estimate(ensemble)
    runs = found.runs + more_runs(request, scenarios)
    minutes = found.seconds / 60 * runs / found.runs
    size = 2 * found.size / 1e6  # shards, and all quarters once more in one file
    head = text("dry_run", lang, runs=runs, quarters=period_index(request.until) + 1)
    cost = text(
        "dry_run_cost", lang,
        minutes=f"{minutes:.1f}", workers=ensemble.pool.workers, size=f"{size:.1f}",
    )  # fmt: skip
    titles = [f"  {item.name}: {getattr(item, f'title_{lang}')}" for item in scenarios]
    return "\n".join([head, cost, *titles])


def more_runs(request: Request, scenarios: list[ResolvedScenario]) -> int:
    """Return the runs of what a comparison was asked beside its table."""
    from experiments.decompose import TRIES, instruments_of, tried, wanted_sets

    if request.kind != "compare":
        return 0
    struck = [one for one in scenarios if one.shocks]
    runs = request.replicates * (len(struck) + sum(len(one.shocks) for one in struck))
    if request.decompose:
        package = next(one for one in scenarios if one.name != request.reference)
        names = instruments_of(package)
        runs += request.replicates * len({frozenset(), *wanted_sets(names)})
        runs += min(request.replicates, TRIES) * len(tried(package, names))
    return runs
