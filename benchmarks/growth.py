"""What a run costs with more firms and quarters, and one package's 20 replicates.

Worlds with half, two and four times the slots of AI firms, and as many times the firms at the
start, are made from the tables of the full world. Times are CPU times of one thread, all sizes in
turn.
"""

import csv
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from importlib.resources import as_file, files
from itertools import pairwise
from math import ceil
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy is loaded
os.environ["OPENBLAS_NUM_THREADS"] = "1"

from benchmarks.record import Row, command, ratio
from benchmarks.speed import packages
from ecosystem.inputs.calendar import HORIZON, period_label
from ecosystem.inputs.catalogue import outcomes
from ecosystem.inputs.scenario import package_names
from ecosystem.runs.chunk import run_chunk
from ecosystem.runs.design import cross
from ecosystem.runs.runner import run_design

HEADLINE = [name for name, row in outcomes().items() if row.headline]
SLOTS = (0.5, 1.0, 2.0, 4.0)
PAIRS = 500
MOST = 40
"""Firms that the table allows in a cell at the start."""


def world_with(times: float, folder: Path) -> Path:
    """Return a copy of the full world with so many times the slots of AI firms."""
    place = folder / f"slots_{times:g}"
    with as_file(files("ecosystem") / "world" / "full") as full:
        shutil.copytree(full, place)
    table, first = place / "ai_firm_slots.csv", 0
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        slots = ceil(times * int(row["slots"]))
        firms = min(ceil(times * int(row["initial_firms"])), slots, MOST)
        row.update(first_slot=str(first), slots=str(slots), initial_firms=str(firms))
        first += slots
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return place


def milliseconds(runs: int, quarters: int = HORIZON, world: str = "full") -> Callable[[], float]:
    """Return a case: CPU milliseconds a run of the core, of so many quarters."""
    until = period_label(quarters - 1)
    design = cross("history", replicates=runs)
    tasks = list(run_design(design, world=world, until=until, outcomes=HEADLINE).tasks)

    def sample() -> float:
        start = time.process_time()
        for task in tasks:
            run_chunk(task)
        return 1000 * (time.process_time() - start) / runs

    return sample


def in_turn(what: str, cases: dict[str, Callable[[], float]], rounds: int) -> list[Row]:
    """Return the samples of all cases, round by round after one that does not count, and ratios.

    A ratio is of a case over the one before it, which is half its size.
    """
    found: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name, sample in cases.items():
            taken = sample()
            found[name] += [taken] if number else []
    rows = [Row(what, name, "ms", tuple(samples)) for name, samples in found.items()]
    return rows + [ratio("over half of it", more.case, more, less) for less, more in pairwise(rows)]


def growth(quick: bool) -> list[Row]:
    """Return CPU milliseconds a run by slots of AI firms, and by quarters."""
    runs, rounds = (4, 1) if quick else (32, 3)
    with tempfile.TemporaryDirectory() as folder:
        by_slots = {
            f"{times:g} times the slots": milliseconds(
                runs, world=str(world_with(times, Path(folder)))
            )
            for times in SLOTS
        }
        rows = in_turn(f"a run of {HORIZON} quarters, {runs} runs", by_slots, rounds)
    by_time = {f"{n} quarters": milliseconds(runs, n) for n in (8, 16, 32, HORIZON)}
    return rows + in_turn(f"a run of the full world, {runs} runs", by_time, rounds)


def studies(quick: bool) -> list[Row]:
    """Return seconds of 20 replicates of one package, and core-seconds of 500 pairs of all."""
    runs, rounds = (4, 1) if quick else (20, 3)
    one = milliseconds(runs)
    taken = tuple(one() * runs / 1000 for _ in range(rounds + 1))[1:]
    _, shared = packages(2 if quick else 30).items()
    whole = len(package_names()) * PAIRS * HORIZON / 1e6
    cost = tuple(shared[1]() * whole for _ in range(2))
    return [
        Row(f"{runs} replicates of one package, warm process", f"{HORIZON} quarters", "s", taken),
        Row(f"{PAIRS} pairs of all packages, runs, extrapolated", shared[0], "core-s", cost),
    ]


def rows(quick: bool) -> list[Row]:
    """Return all rows."""
    return [*growth(quick), *studies(quick)]


NOTES = """CPU times of one thread. Slots that are added are filled in part: at the start with as
many times the firms, 40 a cell at most, and later by what enters."""

if __name__ == "__main__":
    command("growth", f"{__doc__} Some minutes.", rows, NOTES)
