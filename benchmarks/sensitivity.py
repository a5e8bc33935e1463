"""How long the default Morris study takes, and what a large Sobol study would.

The Morris study of all packages runs on the full world with one worker a core, 20 trajectories; of
a Sobol study of eight packages and their reference a part runs in one process.
"""

import tempfile
import time

import numpy as np

from benchmarks.record import Row, command
from experiments.faces import Sensitivity
from experiments.sensitivity_analysis.options import SensitivityOptions
from experiments.sensitivity_analysis.plan import plan_study
from experiments.sensitivity_analysis.salib_study import analyse
from experiments.sensitivity_analysis.study import analyse_study, quantities, run_study

EIGHT = (
    *("article", "article_supply", "article_demand", "article_ecosystem"),
    *("demand_first", "innovation_first", "diffusion", "green_first"),
)
LARGE = 1024
PART = 4
ANALYSED = 8


def morris(world: str, trajectories: int) -> list[Row]:
    """Return seconds of the Morris study of all packages: runs, and their analysis."""
    study = plan_study(SensitivityOptions.of(trajectories=trajectories, world=world))
    start = time.perf_counter()
    values = run_study(study)
    between = time.perf_counter()
    found = Sensitivity(**vars(analyse_study(study, values)))
    end = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        found.save(folder)
    written = time.perf_counter()
    case = f"Morris, {trajectories} trajectories, {len(study.factors)} factors with checks, "
    case += f"{len(study.names)} packages, {study.runs} runs"
    lines = f"{case}, {len(found.table)} rows over time and {len(found.by_year)} by year"
    return [
        Row("runs, wall", case, "s", (between - start,)),
        Row("analysis, wall", lines, "s", (end - between,)),
        Row("tables and figures, wall", lines, "s", (written - end,)),
        Row("study, wall", case, "s", (written - start,)),
    ]


def sobol(world: str) -> list[Row]:
    """Return core-minutes of a Sobol study of eight packages, from a part run in one process.

    The analysis is timed on a few quantities of the large sample, whose values are random.
    """
    part, large = (
        plan_study(
            SensitivityOptions.of(
                scenarios=EIGHT, method="sobol", samples=count, world=world, jobs=1
            )
        )
        for count in (PART, LARGE)
    )
    start = time.process_time()
    values = run_study(part)
    running = time.process_time() - start
    random = np.random.default_rng(1).normal(size=(ANALYSED, len(large.sample.unit)))
    start = time.process_time()
    for one in random:
        analyse(large.sample, one)
    analysing = (time.process_time() - start) / ANALYSED
    count = len(list(quantities(part, values)))
    case = f"Sobol, {len(EIGHT)} packages and history, {{}} blocks, {{}} runs"
    whole = case.format(LARGE, large.runs)
    return [
        Row("runs, CPU", case.format(PART, part.runs), "s", (running,)),
        Row("runs, extrapolated", whole, "core-minutes", (running / part.runs * large.runs / 60,)),
        Row("analysis of a quantity, CPU", f"{LARGE} blocks", "s", (analysing,)),
        Row("analysis, extrapolated", f"{count} levels and effects, over time and by year",
            "core-minutes", (analysing * count / 60,)),
    ]  # fmt: skip


def rows(quick: bool) -> list[Row]:
    """Return the rows of both studies."""
    world = "teaching" if quick else "full"
    return [*morris(world, 4 if quick else 20), *sobol(world)]


if __name__ == "__main__":
    command(
        "sensitivity",
        f"{__doc__} Some ten minutes; --quick takes the teaching world.",
        rows,
        "Goals: study under 360 s on two cores, analysis under 60 s of it.",
    )
