"""What a request would run, for how long, and what it would leave on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from experiments.messages import text

if TYPE_CHECKING:
    from ecosystem.ensemble.runner import Ensemble
    from ecosystem.scenario import ResolvedScenario
    from experiments.request import Request

ROW, NUMBER = 66, 19
"""Bytes of a row of `summary.csv` and of a drawn parameter in `draws.csv`, as measured."""
PICTURE = {"run": 85_000, "compare": 290_000}
"""Bytes of the pictures of a headline outcome: a panel of one, or a picture of its own."""
LOADING, DRAWING = 2.0, 0.35
"""Seconds until everything is loaded, and those for table and picture of a headline outcome."""


def dry_run_words(request: Request, scenarios: list[ResolvedScenario]) -> str:
    """Return it as lines; a few quarters are run to see how long they take."""
    from ecosystem.ensemble.design import cross
    from ecosystem.ensemble.estimate import estimate
    from ecosystem.ensemble.runner import run_design
    from ecosystem.quarters import period_index
    from experiments.compare import headline_outcomes, needed_outcomes

    lang = request.lang
    ensemble = run_design(
        cross(scenarios, replicates=request.replicates), keep=("summary", "quarterly"),
        outcomes=needed_outcomes() if request.kind == "compare" else None, seed=request.seed,
        until=request.until, world=request.world, fixed_parameters=request.fixed_parameters,
        executor=request.executor, cluster=request.cluster, jobs=request.jobs,
    )  # fmt: skip
    found = estimate(ensemble)
    runs = found.runs + more_runs(request, scenarios)
    drawn = len(headline_outcomes())
    seconds = LOADING + found.seconds * runs / found.runs + DRAWING * drawn
    size = found.size * (runs / found.runs + 1)  # shards, and all quarters once more in one file
    size += size_of_tables(request, scenarios, ensemble) + PICTURE[request.kind] * drawn
    head = text("dry_run", lang, runs=runs, quarters=period_index(request.until) + 1)
    cost = text(
        "dry_run_cost", lang,
        minutes=f"{seconds / 60:.1f}", workers=ensemble.pool.workers, size=f"{size / 1e6:.1f}",
    )  # fmt: skip
    titles = [f"  {item.name}: {getattr(item, f'title_{lang}')}" for item in scenarios]
    return "\n".join([head, cost, *titles])


def size_of_tables(request: Request, scenarios: list[ResolvedScenario], ensemble: Ensemble) -> int:
    """Return the bytes of the tables with one value a run, and of the parameter draws, about."""
    from ecosystem.draws import varied_parameters
    from ecosystem.ensemble.estimate import values_of

    rows = len(ensemble.design) * values_of(ensemble.tasks[0], "summary")
    drawn = len(varied_parameters(request.fixed_parameters, scenarios[0].parameters))
    return rows * ROW + request.replicates * drawn * NUMBER


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
