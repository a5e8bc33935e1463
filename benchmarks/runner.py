"""What the runner adds to the core, what it needs of memory, and what it costs beside others.

``python -m benchmarks.runner`` measures everything and writes `results/runner.*`; ``--quick`` shows
on small sizes that it works and writes nothing. Names of parts (``overhead memory dask others``)
choose among them; then nothing is written either. The part ``others`` wants ``ema_workbench`` and
``platypus-opt``, which nothing else needs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from io import StringIO
from multiprocessing import active_children
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy is loaded
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

from benchmarks.campaigns.large import cluster_of_two
from benchmarks.memory import MEBI, ROOT
from benchmarks.record import Row, markdown, ratio, write
from ecosystem import cross, run_design
from ecosystem.inputs.calendar import HORIZON, period_label
from ecosystem.inputs.catalogue import outcomes, parameters
from ecosystem.inputs.draws import varied_parameters
from ecosystem.mesa.model import EcosystemModel
from ecosystem.runs import chunk
from ecosystem.runs.chunk import run_chunk
from ecosystem.runs.design import Design
from ecosystem.runs.runner import Ensemble
from ecosystem.runs.task import Task

HEADLINE = [name for name, row in outcomes().items() if row.headline]
FEW = ["local_value_added_net", "patents"]
FACTORS = 30
NAN = float("nan")
KEPT: dict[str, Any] = {
    "headline summaries": {"outcomes": HEADLINE, "keep": "summary"},
    "every quarter of the headline outcomes": {
        "outcomes": HEADLINE, "keep": ("summary", "quarterly"),
    },
    "every quarter of all outcomes": {"keep": ("summary", "quarterly")},
}  # fmt: skip


def cpu(action: Callable[[], object]) -> float:
    """Return CPU seconds of this process for an action."""
    start = time.process_time()
    action()
    return time.process_time() - start


def overhead(quick: bool) -> list[Row]:
    """Return CPU times of the core inside the runner, and of the runner with chunks on disk.

    Both are of the same chunks at the same moments, so that nothing else stands in their ratio.
    """
    runs, world, rounds = (20, "teaching", 1) if quick else (256, "full", 4)
    what = f"{runs} runs, {world} world, one process"
    rows = []
    for name, kept in KEPT.items():
        core, whole = [], []
        for number in range(rounds + 1):  # the first round does not count
            with tempfile.TemporaryDirectory() as place:
                design = cross("article", replicates=runs)
                ensemble = run_design(design, world=world, executor="serial", out=place, **kept)
                inside: list[float] = []

                def timed(task: Task, inside: list[float] = inside) -> Any:
                    start = time.process_time()
                    found = run_chunk(task)
                    inside.append(time.process_time() - start)
                    return found

                with patch.object(chunk, "run_chunk", timed):
                    taken = cpu(ensemble.complete)
            if number:
                core.append(sum(inside))
                whole.append(taken)
        rows += [
            Row(what, f"core, {name}", "s", tuple(core)),
            Row(what, f"runner, {name}", "s", tuple(whole)),
        ]
        rows.append(ratio("runner over core", name, rows[-1], rows[-2]))
    return rows


def run_on_two(design: Design, until: str, out: str, **others: Any) -> Ensemble:
    """Return a design on the teaching world with few outcomes, ready to run on two workers."""
    return run_design(
        design, world="teaching", until=until, outcomes=FEW, jobs=2, out=out, **others
    )


def memory(quick: bool) -> list[Row]:
    """Return peak memory of the parent and of its largest worker, each size in a new process."""
    rows = []
    for runs in (20, 200) if quick else (1000, 10_000, 100_000):
        command = [sys.executable, "-m", "benchmarks.runner", "--memory-of", str(runs)]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        for what, value in json.loads(done.stdout).items():
            rows.append(Row(f"memory, {what}", f"{runs:,} runs", "MiB", (value,)))
    return rows


def memory_of(runs: int) -> dict[str, float]:
    """Return MiB of this process and of its largest worker at their peaks, and of the chunks."""
    table = parameters()
    points = {
        name: np.full(runs, table[name].default) for name in varied_parameters(False, {})[:FACTORS]
    }
    design, largest = cross("history", points=points), 0.0
    with tempfile.TemporaryDirectory() as place:
        ensemble = run_on_two(design, "2021Q4", place, chunk_runs=min(500, runs // 4))
        for _ in ensemble:
            for child in active_children():
                largest = max(largest, peak_of(child.pid))
        size = sum(path.stat().st_size for path in Path(place).rglob("*") if path.is_file())
    return {"parent": peak_of(os.getpid()), "largest worker": largest, "on disk": size / MEBI}


def peak_of(process: int | None) -> float:
    """Return the largest resident set of a process so far, MiB; NaN without Linux's /proc.

    What the system counts otherwise includes what the parent had when it began the process.
    """
    status = Path(f"/proc/{process}/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    return sum(float(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024 or NAN


def dask(quick: bool) -> list[Row]:
    """Return wall-clock seconds of the same work on two processes and on two Dask workers."""
    runs, rounds = (200, 1) if quick else (20_000, 4)
    design = cross("history", replicates=runs)
    seconds: dict[str, list[float]] = {"processes": [], "dask": []}
    with tempfile.TemporaryDirectory() as folder, cluster_of_two(Path(folder) / "file") as address:
        for number in range(rounds):
            for name, found in seconds.items():
                start, place = time.perf_counter(), f"{folder}/{name}{number}"
                cluster = address if name == "dask" else None
                run_on_two(design, period_label(HORIZON - 1), place, cluster=cluster).complete()
                found.append(time.perf_counter() - start)
    what = f"{runs:,} runs, teaching world, two workers"
    rows = [Row(what, name, "s", tuple(found)) for name, found in seconds.items()]
    return [*rows, ratio("Dask over processes", what, rows[1], rows[0])]


def others(quick: bool) -> list[Row]:
    """Return milliseconds a run: the runner, `mesa.batch_run`, and one EMA experiment at a time."""
    world, several, rounds = ("teaching", 20, 1) if quick else ("full", 256, 3)
    design = cross("history", replicates=several)
    taking: dict[str, tuple[Callable[[], object], int]] = {
        f"runner, {several} runs": (
            run_design(design, world=world, outcomes=HEADLINE, executor="serial").complete, several,
        ),
        "one mesa.batch_run run": (batch(world), 1),
    }  # fmt: skip
    try:
        taking["one EMA experiment"] = ema_experiment(world), 1
    except ImportError as error:
        print(f"without EMA workbench: {error}", file=sys.stderr)
    taken: dict[str, list[float]] = {name: [] for name in taking}
    for number in range(rounds + 1):  # the first round does not count
        for name, (action, runs) in taking.items():
            milliseconds = 1000 * cpu(action) / runs
            taken[name] += [milliseconds] if number else []
    what = f"one run of {HORIZON} quarters, {world} world"
    rows = [Row(what, name, "ms", tuple(found)) for name, found in taken.items()]
    return rows + [ratio("over the runner", row.case, row, rows[0]) for row in rows[1:]]


def batch(world: str) -> Callable[[], object]:
    """Return one run of the model under `mesa.batch_run`."""
    import mesa

    def once() -> object:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            return mesa.batch_run(
                EcosystemModel, {"world": world, "rng": 1}, display_progress=False
            )

    return once


def ema_experiment(world: str) -> Callable[[], object]:
    """Return one experiment of the EMA workbench on the same model."""
    ema: Any = import_module("ema_workbench")

    def run(hype: float) -> dict[str, float]:
        model = EcosystemModel("history", rng=1, world=world, parameters={"hype": hype})
        for _ in range(HORIZON):
            model.step()
        return {"period": float(model.period)}

    wrapped = ema.Model("ecosystem", function=run)
    wrapped.uncertainties = [ema.RealParameter("hype", 0.1, 0.4)]
    wrapped.outcomes = [ema.ScalarOutcome("period")]

    def once() -> object:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            return ema.perform_experiments(wrapped, scenarios=1)

    return once


PARTS = {"overhead": overhead, "memory": memory, "dask": dask, "others": others}
NOTES = """Overhead: CPU times of one process, and of the core within it; the runner writes its
chunks. Memory: 8 quarters, two outcomes, chunks of 500 runs, 30 parameters with a value a run, two
worker processes; the peak of the parent and of the largest worker. Dask and processes: wall-clock
time from nothing to all chunks written, the start of worker processes included, of Dask's not. The
other runners take one run at a time, as they do; their times include building the model, and they
measure no outcomes, as the runner does in every quarter."""


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="all by default")
    parser.add_argument("--quick", action="store_true", help="small sizes, no record")
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.memory_of:
        print(json.dumps(memory_of(given.memory_of)))
        return
    rows = []
    for name in given.parts or PARTS:
        print(name, file=sys.stderr, flush=True)
        rows += PARTS[name](given.quick)
    if given.quick or given.parts:
        print(markdown(rows))
    else:
        write("runner", "python -m benchmarks.runner", rows, NOTES)


if __name__ == "__main__":
    main()
