"""Kill a running design again and again, and see whether it ends as if nothing had happened.

``python -m benchmarks.campaigns.kill`` draws 200 moments, kills the parent (and starts it again) or
a worker (and lets the parent go on) with SIGKILL, compares all chunks with those of an undisturbed
run, and writes `kill.md`. Fewer ``--cases`` write nothing. Needs /proc, so Linux.
"""

from __future__ import annotations

import argparse
import datetime
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from benchmarks.record import machine
from ecosystem.runs.directory import damaged
from ecosystem.runs.store import checked_meta

ROOT = Path(__file__).parents[2]
RECORD = Path(__file__).with_suffix(".md")
CHUNKS = 40
KILLS = 8
"""Kills of one directory, at most."""
PATIENCE = 120.0
"""Seconds after which a run counts as hanging."""


def fill(place: Path) -> None:
    """Run the design that is killed: 40 short runs of the teaching world in as many chunks."""
    from ecosystem import cross, run_design

    run_design(
        cross("history", replicates=CHUNKS), world="teaching", until="2020Q2",
        outcomes=["patents", "servers"], keep=("summary", "quarterly"), jobs=2,
        executor="processes", out=place, chunk_runs=1,
    ).complete()  # fmt: skip


def start(place: Path) -> subprocess.Popen[bytes]:
    """Start the design in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.campaigns.kill", "--fill", str(place)]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def workers_of(parent: int) -> list[int]:
    """Return the spawned workers of a process."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            words = (folder / "cmdline").read_bytes()
        except OSError:  # it has just ended
            continue
        if int(status[1]) == parent and b"popen_loky" in words:
            found.append(int(folder.name))
    return found


def alive(process: int) -> bool:
    """Return whether a process is there and does more than wait for its parent to notice."""
    try:
        words = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return words.rpartition(")")[2].split()[0] != "Z"


def chunk_names(place: Path) -> set[str]:
    """Return the names of all chunks; they contain digests of the content."""
    return {path.name for path in place.glob("*/chunks/*.parquet")}


@dataclass(frozen=True)
class Case:
    """One kill: whom it hit, how many chunks were there, and what was wrong afterwards."""

    victim: str
    chunks: int
    fault: str


def torment(
    place: Path, reference: set[str], moments: random.Random, kills: int
) -> tuple[list[Case], str]:
    """Kill what fills a directory so many times, let it be finished, and return what was wrong.

    Fewer kills come back where the design was finished first.
    """
    cases: list[Case] = []
    process = start(place)
    while len(cases) < kills and wait_a_while(process, place, moments):
        workers = workers_of(process.pid)
        victim = moments.choice(["parent", "worker"]) if workers else "parent"
        os.kill(process.pid if victim == "parent" else moments.choice(workers), signal.SIGKILL)
        if victim == "parent":
            process.communicate()
        cases.append(Case(victim, len(chunk_names(place)), what_is_wrong(place, reference)))
        if victim == "parent":
            orphans = [worker for worker in workers if not gone(worker)]
            if orphans:
                cases[-1] = Case(victim, cases[-1].chunks, "a worker outlived its parent")
            process = start(place)
    code, words = finish(process)
    if code != 0:
        return cases, f"exit code {code}: {words}"
    if chunk_names(place) != reference:
        return cases, f"other chunks: {sorted(chunk_names(place) ^ reference)}"
    whole = list(place.glob("*/manifest.json"))
    if not whole or damaged(whole[0].parent) or list(place.rglob("*.part")):
        return cases, "no manifest, files missing that it lists, or files left over"
    return cases, ""


def wait_a_while(process: subprocess.Popen[bytes], place: Path, moments: random.Random) -> bool:
    """Wait for a time or for a number of new chunks; return whether there is something to kill."""
    begin, before = time.monotonic(), len(chunk_names(place))
    by_time = moments.random() < 0.3
    span, more = moments.uniform(0, 3), moments.randrange(12)
    while process.poll() is None and time.monotonic() - begin < PATIENCE:
        new = len(chunk_names(place)) - before
        if (time.monotonic() - begin >= span) if by_time else (new >= more and new > 0):
            time.sleep(moments.uniform(0, 0.03))
            return process.poll() is None
        time.sleep(0.002)
    return False


def what_is_wrong(place: Path, reference: set[str]) -> str:
    """Return what is wrong with the chunks that a killed run has left."""
    for path in place.glob("*/chunks/*.parquet"):
        if not checked_meta(path) or path.name not in reference:
            return f"torn or other chunk {path.name}"
    return ""


def gone(process: int, patience: float = 5.0) -> bool:
    """Return whether a process ends by itself soon."""
    begin = time.monotonic()
    while alive(process):
        if time.monotonic() - begin > patience:
            return False
        time.sleep(0.01)
    return True


def finish(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Wait for a design to end and return its exit code and its last words."""
    try:
        words = process.communicate(timeout=PATIENCE)[1].decode()
    except subprocess.TimeoutExpired:
        process.kill()
        return 124, "it hangs"
    return process.returncode, " ".join(words.split()[-40:])


def campaign(kills: int, seed: int) -> tuple[list[Case], list[str]]:
    """Kill so many times at random moments; return the kills, and how each directory ended."""
    moments = random.Random(seed)
    cases: list[Case] = []
    ends: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "undisturbed"
        code, words = finish(start(whole))
        reference = chunk_names(whole)
        if code != 0 or len(reference) != CHUNKS:
            raise RuntimeError(f"the undisturbed run failed: {words}")
        while len(cases) < kills:
            place = Path(folder) / str(len(ends))
            most = min(KILLS, kills - len(cases))
            found, end = torment(place, reference, moments, most)
            cases += found
            ends.append(end)
            print(len(cases), [case.victim for case in found], end, file=sys.stderr, flush=True)
    return cases, ends


def record(cases: list[Case], ends: list[str], seed: int, seconds: float) -> str:
    """Return what a campaign found as Markdown."""
    bad = [case for case in cases if case.fault]
    middle = sum(0 < case.chunks < CHUNKS for case in cases)
    good = len(ends) - sum(map(bool, ends))
    counts = sorted(Counter(case.victim for case in cases).items())
    lines = [
        "# Kill campaign",
        "",
        f"`python -m benchmarks.campaigns.kill --cases {len(cases)} --seed {seed}`, "
        f"{datetime.date.today()}: {machine()}; {seconds / 60:.0f} minutes.",
        "",
        f"{CHUNKS} runs of the teaching world in as many chunks, two worker processes, SIGKILL at "
        "random moments: after a random time or a random number of new chunks. A killed parent is "
        "started again with the same command; after a killed worker the parent goes on by itself. "
        f"After at most {KILLS} kills a directory is let to its end.",
        "",
        "| Killed | Kills |",
        "|---|---:|",
        *(f"| {name} | {count} |" for name, count in counts),
        "",
        f"{middle} of {len(cases)} kills came when some chunks, but not all, were there. "
        f"{len(bad)} left a torn chunk or a worker without a parent. **{good} of {len(ends)} "
        "directories ended with exactly the chunks of an undisturbed run**, digest by digest, "
        "and with nothing left over.",
        *(f"\n- {what}" for what in [*bad, *filter(None, ends)]),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run the campaign, or the design that it kills."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fill", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.fill:
        fill(given.fill)
        return 0
    begin = time.monotonic()
    cases, ends = campaign(given.cases, given.seed)
    words = record(cases, ends, given.seed, time.monotonic() - begin)
    print(words)
    if given.cases >= 200:
        RECORD.write_text(words, encoding="utf-8")
    return int(any(case.fault for case in cases) or any(ends))


if __name__ == "__main__":
    sys.exit(main())
