"""What a design will take before it is run: time, from a few quarters tried, and memory."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from ecosystem.inputs.calendar import QUARTERS_A_YEAR
from ecosystem.runs.chunk import periods, run_task
from ecosystem.runs.runner import Ensemble
from ecosystem.runs.table import entries_of
from ecosystem.runs.task import Piece, Task

TRIED = 2 * QUARTERS_A_YEAR
"""Quarters that are run to see how long they take."""
START = 2.0
"""Seconds until worker processes have loaded everything."""
BYTES = 8
"""Bytes of a value in memory, and about so many on disk."""


@dataclass(frozen=True)
class Estimate:
    """Runs, workers that have something to do, seconds on them, and bytes of all values."""

    runs: int
    workers: int
    seconds: float
    size: float


def estimate(ensemble: Ensemble) -> Estimate:
    """Return what a design of this package's model will take, from its first chunk."""
    runs, first, pool = len(ensemble.design), ensemble.tasks[0], ensemble.pool
    workers = 1 if pool.kind == "serial" else min(pool.workers, len(ensemble.tasks))
    steps = ensemble.tasks.steps(ensemble.tasks.jobs(range(len(ensemble.tasks)), workers))
    seconds = seconds_a_step(first) * steps / workers + (START if workers > 1 else 0.0)
    values = sum(len(periods(kind, first.plan.until)) for kind in first.plan.keep) * sum(
        len(names) for _, names in entries_of(first, Piece(first.runs, {})).values()
    )
    return Estimate(runs, workers, seconds, runs * values * BYTES)


def seconds_a_step(task: Task) -> float:
    """Return how long a quarter of a run takes on one worker: tried on the first of a chunk."""
    last = min(TRIED, task.plan.until + 1) - 1
    plan = replace(task.plan, until=last, keep=("summary",))
    run_task(replace(task.part(slice(1)), plan=replace(plan, until=0)))  # loads the world
    start = time.perf_counter()
    run_task(replace(task, plan=plan))
    taken = time.perf_counter() - start
    return taken / len(task) / (last + 1)
