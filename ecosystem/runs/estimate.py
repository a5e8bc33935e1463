"""What a design will take before it is run: time, from a few quarters tried, and disk."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from ecosystem.inputs.calendar import QUARTERS_A_YEAR
from ecosystem.runs.chunks import Task, periods, run_task
from ecosystem.runs.runner import Ensemble
from ecosystem.runs.shards import entries_of

TRIED = 2 * QUARTERS_A_YEAR
"""Quarters that are run to see how long they take."""
START = 2.0
"""Seconds until spawned workers have loaded everything."""
BYTES = 8.2
"""Bytes of a value on disk; its labels compress to almost nothing."""


@dataclass(frozen=True)
class Estimate:
    """Runs, seconds on all workers, and bytes on disk."""

    runs: int
    seconds: float
    size: float


def estimate(ensemble: Ensemble) -> Estimate:
    """Return what a design of this package's model will take, from its first chunk."""
    runs, first = len(ensemble.design), ensemble.tasks[0]
    values = sum(values_of(first, kind) for kind in first.plan.keep)
    workers = (
        1 if ensemble.pool.kind == "serial" else min(ensemble.pool.workers, len(ensemble.tasks))
    )
    seconds = seconds_a_run(first) * runs / workers + (START if workers > 1 else 0.0)
    return Estimate(runs, seconds, runs * values * BYTES)


def values_of(task: Task, kind: str) -> int:
    """Return how many values of a kind, such as ``yearly``, a run leaves."""
    quarters = len(periods(kind, task.plan.until))
    return quarters * sum(len(entries_of(task, outcome)[1]) for outcome in task.plan.outcomes)


def seconds_a_run(task: Task) -> float:
    """Return how long a run takes on one worker: tried on the first quarters of a chunk."""
    last = min(TRIED, task.plan.until + 1) - 1
    plan = replace(task.plan, until=last, keep=("summary",))
    run_task(replace(task.part(slice(1)), plan=replace(plan, until=0)))  # loads the world
    start = time.perf_counter()
    run_task(replace(task, plan=plan))
    taken = time.perf_counter() - start
    return taken / len(task) * (task.plan.until + 1) / (last + 1)
