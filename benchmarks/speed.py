"""Time a run and quarter of the full world, many runs at once beside one as a Mesa model.

Times are CPU times of this process, which has one thread, so they are times per core. Rounds go
A B C A B C, so that what slows the machine for a while slows all of them; ratios are taken round
by round. A core's chunk includes everything `simulate` does for it: parameter draws, schedule,
start, 64 quarters, and the headline outcomes over their own time base; the same runs with all
outcomes and with one show what outcomes cost.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy is loaded
os.environ["OPENBLAS_NUM_THREADS"] = "1"

from benchmarks.record import Row, command, ratio
from ecosystem.inputs.calendar import HORIZON
from ecosystem.inputs.catalogue import outcomes
from ecosystem.inputs.scenario import Scenario, package_names
from ecosystem.mesa.model import EcosystemModel
from ecosystem.runs.chunk import run_chunk, run_task
from ecosystem.runs.design import cross
from ecosystem.runs.pool import bare, run_listed
from ecosystem.runs.runner import run_design
from ecosystem.runs.task import Task

ROOT = Path(__file__).parents[1]
MICRO = 1e6
SIZES: list[tuple[int, int | None]] = [(128, None), (1000, None), (10_000, 4)]
QUICK: list[tuple[int, int | None]] = [(8, None), (16, None)]
"""Runs of the core, and how many of their chunks are measured."""


def chunks_of(runs: int, names: Sequence[str]) -> list[Task]:
    """Return the chunks that `simulate` makes of this many runs of one scenario."""
    design = run_design(cross(Scenario("history"), replicates=runs), outcomes=names)
    return list(design.tasks)


def core(
    runs: int, most: int | None = None, asked: str = "headline"
) -> tuple[str, Callable[[], float]]:
    """Return a case: µs a run and quarter of the core, on at most `most` evenly spaced chunks.

    `asked` says which outcomes are asked for: headline, all, or one by its name.
    """
    headline = [name for name, row in outcomes().items() if row.headline]
    chunks = chunks_of(runs, {"headline": headline, "all": list(outcomes())}.get(asked, [asked]))
    taken = chunks if most is None else chunks[:: max(len(chunks) // most, 1)][:most]
    measured = sum(len(chunk) for chunk in taken)
    label = f"{runs:,} runs"
    if len(taken) < len(chunks):
        label += f", {len(taken)} of {len(chunks)} chunks"
    if asked != "headline":
        label += f", outcomes: {asked}"

    def sample() -> float:
        start = time.process_time()
        for chunk in taken:
            run_chunk(chunk)
        return (time.process_time() - start) / (measured * HORIZON) * MICRO

    return label, sample


def packages(replicates: int) -> dict[str, Callable[[], float]]:
    """Return two cases: µs a run and quarter of all packages, each with its past, and with one."""
    headline = [name for name, row in outcomes().items() if row.headline]
    names = package_names()
    tasks = list(run_design(cross(names, replicates=replicates), outcomes=headline).tasks)

    def timed(action: Callable[[], object]) -> Callable[[], float]:
        def sample() -> float:
            start = time.process_time()
            action()
            taken = time.process_time() - start
            return taken / (len(names) * replicates * HORIZON) * MICRO

        return sample

    label = f"{len(names)} packages x {replicates} runs"
    return {
        f"{label}, a past each": timed(lambda: [run_task(task) for task in tasks]),
        f"{label}, one past": timed(lambda: run_listed(tasks, bare)),
    }


def steps(model: EcosystemModel, quarters: int) -> float:
    """Return µs a quarter of the next quarters of one run."""
    start = time.process_time()
    for _ in range(quarters):
        model.step()
    return (time.process_time() - start) / quarters * MICRO


def mesa_face(world: str, quarters: int) -> Callable[[], float]:
    """Return a case: µs a quarter of one run as `EcosystemModel`, built anew each time."""
    return lambda: steps(EcosystemModel("history", rng=1, world=world), quarters)


def interleave(cases: dict[str, Callable[[], float]], rounds: int) -> dict[str, Row]:
    """Return the samples of each case, taken in turn after one that does not count."""
    for sample in cases.values():
        sample()
    samples: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds):
        for name, sample in cases.items():
            samples[name].append(sample())
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    what = "a run and quarter, full world"
    return {name: Row(what, name, "µs", tuple(found)) for name, found in samples.items()}


def teaching_world() -> Row:
    """Return milliseconds of one run of 64 quarters of the teaching world."""
    sample = mesa_face("teaching", HORIZON)
    found = tuple(sample() * HORIZON / 1000 for _ in range(3))
    return Row("64 quarters of one run, teaching world", "EcosystemModel", "ms", found)


def compare_command() -> Row:
    """Return wall-clock seconds of `ecosystem compare` without arguments, as a process."""
    code = "from experiments.command.cli import main; main()"
    with tempfile.TemporaryDirectory() as place:
        start = time.perf_counter()
        command = [sys.executable, "-c", code, "compare", "--out", place]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        seconds = time.perf_counter() - start
    return Row("`ecosystem compare`, whole process", f"{os.cpu_count()} cores", "s", (seconds,))


def rows(quick: bool) -> list[Row]:
    """Return times of all cases, one run's over the core's, and those of whole uses."""
    face = "one run, EcosystemModel"
    sizes = QUICK if quick else SIZES
    cases = dict(core(*size) for size in sizes)
    many = list(cases)
    asked = dict(core(*sizes[0], asked=names) for names in ("all", "patents"))
    cases |= asked
    cases[face] = mesa_face("full", 8 if quick else HORIZON)
    measured = interleave(cases, 2 if quick else 4)
    ratios = [ratio("one run over many", name, measured[face], measured[name]) for name in many]
    ratios += [
        ratio("those asked for over headline outcomes", name, measured[name], measured[many[0]])
        for name in asked
    ]
    apart, together = interleave(packages(2 if quick else 30), 1 if quick else 4).values()
    shared = ratio("a past each over one past", together.case, apart, together)
    ratios += [apart, together, shared]
    whole = [teaching_world()] if quick else [teaching_world(), compare_command()]
    return [*measured.values(), *ratios, *whole]


NOTES = """Median, least and most of the rounds, which take all cases in turn. Times are CPU times
of one thread; `ecosystem compare` is wall-clock time of the whole process with its workers."""

if __name__ == "__main__":
    about = "Time a run and quarter of the full world, many runs at once beside one Mesa model; "
    command("speed", f"{about}some minutes, best on a machine that does nothing else.", rows, NOTES)
