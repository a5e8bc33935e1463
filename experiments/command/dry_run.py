"""What a request would run, for how long, and what it would leave on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from ecosystem.inputs.scenario import ResolvedScenario
from ecosystem.runs.design import cross
from ecosystem.runs.estimate import estimate
from ecosystem.runs.runner import start
from experiments.command.request import Request
from experiments.comparison.compare import headline_outcomes, needed_outcomes
from experiments.comparison.decompose import NOTHING, TRIES, parts_of, tried, wanted_sets
from experiments.comparison.equal_money import PILOTS, USUAL
from experiments.comparison.equal_money import TRIES as PLANS
from experiments.comparison.options import ARTICLE
from experiments.report.messages import text, wrap
from experiments.report.tables import WIDE
from experiments.sensitivity_analysis.plan import Study
from experiments.sensitivity_analysis.study import ensemble_of

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


def cost_of(
    request: Request, scenarios: list[ResolvedScenario], reference: str, sought: int
) -> Cost:
    """Return what a run or a comparison takes; a few quarters are run to see how long they take.

    The plans of so many packages are sought with pilot runs first.
    """
    asked = request.asked
    outcomes = asked.outcomes
    if request.kind == "compare":
        outcomes = tuple(needed_outcomes(outcomes))
    design = cross(scenarios, replicates=asked.replicates)
    asked = asked.with_(outcomes=outcomes, out=None)
    found = estimate(start(design, asked, keep=("summary", "quarterly")))
    pilots = pilots_of(request, scenarios, sought)
    runs = found.runs + more_runs(request, scenarios, reference) + pilots
    size = round(found.size * runs / found.runs)
    return Cost(
        runs=runs,
        quarters=asked.last + 1,
        seconds=LOADING + found.seconds * runs / found.runs + DRAWING * len(headline_outcomes()),
        workers=found.workers,
        disk_bytes=size,
        memory_bytes=size,
        lines=(*pilots_words(pilots, request.lang), *titles(scenarios, request.lang)),
    )


def pilots_of(request: Request, scenarios: list[ResolvedScenario], sought: int) -> int:
    """Return the runs that commonly find the plans of so many packages, before the others."""
    if not request.equal_cost:
        return 0
    still = len(scenarios) - sought + (request.asked.budget == ARTICLE)
    return PILOTS * (still + USUAL * sought)


def pilots_words(pilots: int, lang: str) -> tuple[str, ...]:
    """Return how many of the runs seek plans, if any do."""
    words = text("dry_run_pilots", lang, runs=pilots, pilots=PILOTS, usual=USUAL, most=PLANS)
    return (words,) if pilots else ()


def cost_of_study(request: Request, study: Study) -> Cost:
    """Return what a sensitivity study takes; a few quarters are run to see how long they take."""
    whole = replace(study, asked=study.asked.with_(out=None))
    found = estimate(ensemble_of(whole, study.design))
    share = study.runs / found.runs
    names = ", ".join(factor.title(request.lang) for factor in study.factors)
    return Cost(
        runs=study.runs,
        quarters=study.asked.last + 1,
        seconds=found.seconds * share,
        workers=found.workers,
        disk_bytes=round(found.size * share),
        memory_bytes=round(found.size * share),
        lines=(*titles(study.scenarios, request.lang), wrap(names, WIDE)),
    )


def titles(scenarios: Sequence[ResolvedScenario], lang: str) -> tuple[str, ...]:
    """Return name and title of scenarios, a line each."""
    return tuple(f"  {item.name}: {getattr(item, f'title_{lang}')}" for item in scenarios)


def more_runs(request: Request, scenarios: list[ResolvedScenario], reference: str) -> int:
    """Return the runs of what a comparison was asked beside its table."""
    if request.kind != "compare":
        return 0
    many = request.asked.replicates
    struck = [one for one in scenarios if one.shocks]
    runs = many * (len(struck) + sum(len(one.shocks) for one in struck))
    if request.decompose:
        package, base = sorted(scenarios, key=lambda one: one.name == reference)
        names = parts_of(package, base)
        runs += many * len({NOTHING, *wanted_sets(names)})
        runs += min(many, TRIES) * len(tried(package, names, base))
    return runs
