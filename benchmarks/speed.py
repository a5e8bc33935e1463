"""Time a run and quarter of the full world, side by side with a model of Mesa objects.

``python -m benchmarks.speed`` measures everything in one run and writes `results/speed.*`;
``--quick`` shows in a minute that it works, on few runs and rounds, and writes nothing.

Times are CPU times of this process, which has one thread, so they are times per core. Rounds go
A B C A B C, so that what slows the machine for a while slows all of them; ratios are taken round
by round. A core's chunk includes everything `simulate` does for it: parameter draws, schedule,
start, 64 quarters, and the headline outcomes over their own time base. The object model is timed
on its steps alone.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy is loaded
os.environ["OPENBLAS_NUM_THREADS"] = "1"

from benchmarks.hot_lines import hottest_lines
from benchmarks.mesa_objects import ObjectModel
from benchmarks.record import Row, markdown, ratio, write
from ecosystem.inputs.calendar import HORIZON
from ecosystem.inputs.catalogue import outcomes
from ecosystem.inputs.scenario import Scenario
from ecosystem.mesa.model import EcosystemModel
from ecosystem.runs.chunks import chunk_of
from ecosystem.runs.core import Chunk, run_chunk
from ecosystem.runs.design import cross
from ecosystem.runs.runner import run_design

ROOT = Path(__file__).parents[1]
OBJECT_QUARTERS = 8
MICRO = 1e6

FIRM_FUNCTIONS = {
    "innovation.py": {"innovate"},
    "labour.py": {"employ", "trade"},
    "flows.py": {"firm_flows", "wind_up"},
    "routing.py": {"firm_demand"},
    "turnover.py": {"next_firms"},
}


def chunks_of(runs: int, world: str = "full") -> list[Chunk]:
    """Return the chunks that `simulate` makes of this many runs of one scenario."""
    headline = [name for name, row in outcomes().items() if row.headline]
    design = run_design(cross(Scenario("history"), replicates=runs), outcomes=headline, world=world)
    return [chunk_of(task) for task in design.tasks]


def core(runs: int, most: int | None = None) -> tuple[str, Callable[[], float]]:
    """Return a case: µs a run and quarter of the core, on at most `most` evenly spaced chunks."""
    chunks = chunks_of(runs)
    taken = chunks if most is None else chunks[:: max(len(chunks) // most, 1)][:most]
    measured = sum(len(chunk.replicates) for chunk in taken)
    label = f"{runs:,} runs"
    if len(taken) < len(chunks):
        label += f", {len(taken)} of {len(chunks)} chunks"

    def sample() -> float:
        start = time.process_time()
        for chunk in taken:
            run_chunk(chunk)
        return (time.process_time() - start) / (measured * HORIZON) * MICRO

    return label, sample


def mesa_face(world: str, quarters: int) -> Callable[[], float]:
    """Return a case: µs a quarter of one run as `EcosystemModel`, built anew each time."""

    def sample() -> float:
        model = EcosystemModel("history", rng=1, world=world)
        start = time.process_time()
        for _ in range(quarters):
            model.step()
        return (time.process_time() - start) / quarters * MICRO

    return sample


class ObjectRun:
    """µs a quarter of one run of the object model; each sample takes its next quarters."""

    def __init__(self, world: str = "full") -> None:
        self.world = world
        self.model = ObjectModel("history", world=world)

    def __call__(self) -> float:
        """Return the mean of the next quarters; after the last quarter the run starts anew."""
        if self.model.everybody.period + OBJECT_QUARTERS > HORIZON:
            self.model = ObjectModel("history", world=self.world)
        start = time.process_time()
        for _ in range(OBJECT_QUARTERS):
            self.model.step()
        return (time.process_time() - start) / OBJECT_QUARTERS * MICRO


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


def shares(chunk: Chunk) -> list[Row]:
    """Return the share of clearing, of the firms' stages and of random numbers in a chunk."""
    profile = cProfile.Profile(time.process_time)
    profile.runcall(run_chunk, chunk)
    spent = {"clearing": 0.0, "AI firms": 0.0, "random numbers": 0.0, "outcomes": 0.0}
    whole = 0.0
    for (path, _, name), (_, _, _, within, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        file = Path(path).name
        if name == "run_chunk":
            whole = within
        elif (file, name) == ("clearing.py", "clear"):
            spent["clearing"] += within
        elif (file, name) == ("chance.py", "_rows"):
            spent["random numbers"] += within
        elif (file, name) == ("outcomes.py", "measure"):
            spent["outcomes"] += within
        elif name in FIRM_FUNCTIONS.get(file, ()):
            spent["AI firms"] += within
    return [
        Row("share of a chunk", name, "%", (100 * seconds / whole,))
        for name, seconds in spent.items()
    ]


def hot_lines(chunk: Chunk) -> list[Row]:
    """Return the five lines of the core in which a chunk spends most."""
    lines = hottest_lines(lambda: run_chunk(chunk), ROOT / "ecosystem", 5)
    return [Row("hottest lines", f"`{line}`", "%", (100 * share,)) for line, share in lines]


def compare_command() -> Row:
    """Return wall-clock seconds of `ecosystem compare` without arguments, as a process."""
    code = "from experiments.command.cli import main; main()"
    with tempfile.TemporaryDirectory() as place:
        start = time.perf_counter()
        command = [sys.executable, "-c", code, "compare", "--out", place]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        seconds = time.perf_counter() - start
    return Row("`ecosystem compare`, whole process", f"{os.cpu_count()} cores", "s", (seconds,))


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few runs and rounds, no record")
    quick = parser.parse_args().quick
    sizes: list[tuple[int, int | None]] = [(128, None), (1000, None), (10_000, 4)]
    cases: dict[str, Callable[[], float]] = dict(
        core(*size) for size in ([(8, None), (16, None)] if quick else sizes)
    )
    face, objects = "one run, EcosystemModel", "one run, Mesa objects"
    cases[face] = mesa_face("full", 8 if quick else HORIZON)
    cases[objects] = ObjectRun()
    measured = interleave(cases, 2 if quick else 4)
    rows: list[Row] = list(measured.values())
    rows += [
        ratio("Mesa objects over the core", name, measured[objects], row)
        for name, row in measured.items()
        if name != objects
    ]
    rows.append(teaching_world())
    chunk = chunks_of(8 if quick else 1000)[0]
    rows += shares(chunk) + hot_lines(chunk)
    if quick:
        print(markdown(rows))
    else:
        rows.append(compare_command())
        write("speed", "python -m benchmarks.speed", rows, NOTES)


def teaching_world() -> Row:
    """Return milliseconds of one run of 64 quarters of the teaching world."""
    sample = mesa_face("teaching", HORIZON)
    found = tuple(sample() * HORIZON / 1000 for _ in range(3))
    return Row("64 quarters of one run, teaching world", "EcosystemModel", "ms", found)


NOTES = """Median, least and most of the rounds, which take all cases in turn. Times are CPU times
of one thread; `ecosystem compare` is wall-clock time of the whole process with its workers. Each
sample of the Mesa objects is the mean of the next 8 quarters of its run, so least and most also
show how firms become more. Shares are from cProfile over one chunk; firms' stages are innovation,
labour, trade, the firms' accounts, demand and turnover, with their own random numbers. The
hottest lines are from a trace of one chunk: from a line to the next, without functions of the core
that it calls."""


if __name__ == "__main__":
    main()
