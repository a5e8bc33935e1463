"""What a request would run, for how long, and what it would leave on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from experiments.report.messages import text

if TYPE_CHECKING:
    from ecosystem.inputs.scenario import ResolvedScenario
    from experiments.command.request import Request

LOADING, DRAWING = 2.0, 0.35
"""Seconds until everything is loaded, and those for table and picture of a headline outcome."""


@dataclass(frozen=True)
class Cost:
    """What a request would take.

    Parameters
    ----------
    runs, quarters
        Runs, and quarters of each.
    seconds, workers
        Time on the workers that would work.
    disk_bytes, memory_bytes
        What the values of all runs take on disk, to which pictures come, and in memory.
    lines
        What is run, as lines.
    """

    runs: int
    quarters: int
    seconds: float
    workers: int
    disk_bytes: int
    memory_bytes: int
    lines: tuple[str, ...] = ()

    @property
    def numbers(self) -> dict[str, float]:
        """Every number by name, for JSON."""
        return {name: value for name, value in asdict(self).items() if name != "lines"}


def cost_words(cost: Cost, lang: str) -> str:
    """Return what a request would take as lines."""
    head = text("dry_run", lang, runs=cost.runs, quarters=cost.quarters)
    spent = text(
        "dry_run_cost", lang, minutes=f"{cost.seconds / 60:.1f}", workers=cost.workers,
        size=f"{cost.disk_bytes / 1e6:.1f}",
    )  # fmt: skip
    kept = text(
        "dry_run_memory", lang, memory=f"{cost.memory_bytes / 1e6:.1f}",
        each=f"{cost.memory_bytes / cost.runs / 1e3:.1f}",
    )  # fmt: skip
    return "\n".join([head, spent, kept, *cost.lines])


def cost_of(request: Request, scenarios: list[ResolvedScenario]) -> Cost:
    """Return what a run or a comparison takes; a few quarters are run to see how long they take."""
    from ecosystem.inputs.calendar import period_index
    from ecosystem.runs.design import cross
    from ecosystem.runs.estimate import estimate
    from ecosystem.runs.runner import run_design
    from experiments.comparison.compare import headline_outcomes, needed_outcomes

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
    size = found.size * runs / found.runs
    return Cost(
        runs=runs,
        quarters=period_index(request.until) + 1,
        seconds=seconds,
        workers=found.workers,
        disk_bytes=round(size),
        memory_bytes=round(size),
        lines=titles(scenarios, request.lang),
    )


def titles(scenarios: Sequence[ResolvedScenario], lang: str) -> tuple[str, ...]:
    """Return name and title of scenarios, a line each."""
    return tuple(f"  {item.name}: {getattr(item, f'title_{lang}')}" for item in scenarios)


def more_runs(request: Request, scenarios: list[ResolvedScenario]) -> int:
    """Return the runs of what a comparison was asked beside its table."""
    from experiments.comparison.decompose import NOTHING, TRIES, parts_of, tried, wanted_sets

    if request.kind != "compare":
        return 0
    struck = [one for one in scenarios if one.shocks]
    runs = request.replicates * (len(struck) + sum(len(one.shocks) for one in struck))
    if request.decompose:
        package, base = sorted(scenarios, key=lambda one: one.name == request.reference)
        names = parts_of(package, base)
        runs += request.replicates * len({NOTHING, *wanted_sets(names)})
        runs += min(request.replicates, TRIES) * len(tried(package, names, base))
    return runs
