"""A large Sobol study of seven packages and history, and what its runs and analysis cost.

``python -m benchmarks.campaigns.sobol --write`` takes 1,024 blocks of 25 factors, the two checks
among them, on the full world: 221,184 runs, and 16,384 more for the share of chance, by what
`ecosystem sensitivity` calls. With ``--out`` it goes on where it was stopped. CPU seconds are of
this process and its workers, once these have ended; those of earlier parts are kept beside the
folder, without what a part that was killed has spent.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import date
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy is loaded
os.environ["OPENBLAS_NUM_THREADS"] = "1"

from tqdm import tqdm

from benchmarks.record import Row, machine, markdown
from experiments.sensitivity_analysis.factors import default_factors
from experiments.sensitivity_analysis.options import SensitivityOptions
from experiments.sensitivity_analysis.plan import Study, plan_study
from experiments.sensitivity_analysis.study import analyse_study, run_study

RECORD = Path(__file__).with_suffix(".md")
BLOCKS, FACTORS = 1024, 23
"""Blocks, and factors beside the two checks: the first of the default study."""
SEVEN = (
    *("article", "article_supply", "article_demand", "article_ecosystem"),
    *("demand_first", "innovation_first", "diffusion"),
)
GOAL = 30
"""Core-minutes for runs and analysis together."""


def planned(blocks: int, world: str, jobs: int, out: Path | None) -> Study:
    """Return the study, which shows how far it is."""
    bar = tqdm(mininterval=10)

    def show(done: int, every: int) -> None:
        bar.total, bar.n = every, done
        bar.refresh()

    return plan_study(
        SensitivityOptions.of(
            scenarios=SEVEN, method="sobol", samples=blocks, world=world, jobs=jobs, out=out,
            factors=list(default_factors())[:FACTORS], progress=show,
        )
    )  # fmt: skip


def cpu() -> float:
    """Return CPU seconds so far of this process and of its processes that have ended."""
    return sum(os.times()[:4])


def timed(action: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return what an action returns, and its CPU and wall-clock seconds."""
    start, begun = time.perf_counter(), cpu()
    found = action()
    return found, cpu() - begun, time.perf_counter() - start


def spent(folder: Path, seconds: float) -> float:
    """Add CPU seconds to those that earlier parts kept beside the folder; return the sum."""
    file = folder.with_name(f"{folder.name}.cpu")
    before = float(file.read_text(encoding="utf-8")) if file.is_file() else 0.0
    file.write_text(f"{before + seconds}", encoding="utf-8")
    return before + seconds


def main() -> None:
    """Run, analyse, print and record."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.campaigns.sobol", description=__doc__
    )
    parser.add_argument("--samples", type=int, default=BLOCKS, help="blocks, a power of 2")
    parser.add_argument("--world", default="full")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, help="folder of the runs, to go on after a stop")
    parser.add_argument("--write", action="store_true", help=f"write {RECORD.name} and its table")
    given = parser.parse_args()
    kept = nullcontext(given.out) if given.out else tempfile.TemporaryDirectory()
    with kept as place:
        folder = Path(place)
        study = planned(given.samples, given.world, given.jobs, folder)
        begun = cpu()
        try:
            values, _, wall = timed(lambda: run_study(study))
        finally:  # a stop by Ctrl-C counts, too
            running = spent(folder, cpu() - begun)
    found, analysing, analysis_wall = timed(lambda: analyse_study(study, values))
    points = len(study.names) * len(study.sample.unit)
    case = f"{study.sample.blocks:,} blocks, {len(study.factors)} factors with two checks, "
    case += f"{len(study.names)} scenarios, {given.world} world"
    repeats = f"{points:,} runs and {study.runs - points:,} repeats"
    lines = f"{len(found.table):,} rows over time, {len(found.by_year):,} by year"
    rows = [
        Row("runs, CPU", repeats, "core-minutes", (running / 60,)),
        Row("a run of 64 quarters, CPU", repeats, "ms", (1000 * running / study.runs,)),
        Row("runs, wall, this part", f"{given.jobs} workers", "min", (wall / 60,)),
        Row("analysis, CPU", lines, "core-minutes", (analysing / 60,)),
        Row("analysis, wall", lines, "min", (analysis_wall / 60,)),
        Row("both, CPU", f"goal: {GOAL}", "core-minutes", ((running + analysing) / 60,)),
        Row("failed", repeats, "runs", (float(len(found.failed)),)),
    ]  # fmt: skip
    words = f"# A large Sobol study\n\n`{parser.prog} --samples {given.samples} --world "
    words += f"{given.world}`, {date.today()}: {machine()}\n\n{case}.\n\n{markdown(rows)}\n"
    print(words)
    if given.write:
        RECORD.write_text(words, encoding="utf-8")
        with RECORD.with_suffix(".csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(row.cells() for row in rows)
        found.table.to_csv(RECORD.with_name("sobol_indices.csv"), index=False, float_format="%.5g")


if __name__ == "__main__":
    main()
