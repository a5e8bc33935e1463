"""A large design, killed at three moments and resumed, on two Dask workers, and reproduced.

``python -m benchmarks.campaigns.large`` takes 100,000 runs of the teaching world, compares the
chunks of all ways digest by digest, lets ``ecosystem reproduce`` confirm them, and writes
`large.md`. Other ``--runs`` write nothing.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.campaigns.kill import ROOT, chunk_names
from benchmarks.record import machine

RECORD = Path(__file__).with_suffix(".md")
RUNS, CHUNK, UNTIL = 100_000, 1000, "2021Q4"


def fill(place: Path, runs: int, cluster: str | None) -> None:
    """Run the design on two workers, or on those of a Dask scheduler."""
    from ecosystem import cross, run_design

    design = cross(["history", "article"], points={"hype": [0.15, 0.3]}, replicates=runs // 4)
    run_design(
        design, world="teaching", until=UNTIL, outcomes=["patents", "compute_exported"],
        keep=("summary", "yearly"), jobs=2, cluster=cluster, out=place, chunk_runs=CHUNK,
    ).complete()  # fmt: skip


def start(place: Path, runs: int, cluster: str | None = None) -> subprocess.Popen[bytes]:
    """Start the design in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.campaigns.large", "--runs", str(runs)]
    command += ["--fill", str(place)] + (["--cluster", cluster] if cluster else [])
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)


def whole(place: Path, runs: int, cluster: str | None = None) -> float:
    """Let the design run to its end and return the seconds it took."""
    begin = time.monotonic()
    if start(place, runs, cluster).wait() != 0:
        raise RuntimeError(f"the design failed on {cluster or 'processes'}")
    return time.monotonic() - begin


def killed(place: Path, runs: int, chunks: int) -> list[int]:
    """Kill the design at a quarter, a half and three quarters; return the chunks found then."""
    seen = []
    for part in (0.25, 0.5, 0.75):
        process = start(place, runs)
        while len(chunk_names(place)) < part * chunks and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        seen.append(len(chunk_names(place)))
    return seen


@contextmanager
def cluster_of_two(file: Path) -> Iterator[str]:
    """Give the address of a Dask scheduler on this machine that has two workers."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "distributed.cli.dask_"]
    begun = []
    for part, words in (
        ("scheduler", ["--host", "127.0.0.1", "--port", "0"]),
        *[("worker", ["--nthreads", "1", "--no-nanny"])] * 2,
    ):
        whole = [*command[:-1], command[-1] + part, "--scheduler-file", str(file), *words]
        begun.append(subprocess.Popen(whole, env=environment, stderr=subprocess.DEVNULL))
        while not file.is_file() or not file.read_text(encoding="utf-8"):
            time.sleep(0.05)
    try:
        yield json.loads(file.read_text(encoding="utf-8"))["address"]
    finally:
        for process in begun:
            process.kill()
            process.wait()


def reproduced(place: Path) -> str:
    """Return what `ecosystem reproduce` says of a design."""
    (directory,) = place.iterdir()
    code = "from experiments.command.cli import main; main()"
    command = [sys.executable, "-c", code, "reproduce", str(directory), "--jobs", "2", "--quiet"]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True,
    )  # fmt: skip
    return f"exit code {done.returncode}: {done.stdout.strip()}"


def main() -> int:
    """Run all of it, or the design alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--fill", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--cluster", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.fill:
        fill(given.fill, given.runs, given.cluster)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        calm, hit, dask = (Path(folder) / name for name in ("calm", "killed", "dask"))
        seconds = whole(calm, given.runs)
        reference = chunk_names(calm)
        seen = killed(hit, given.runs, len(reference))
        rest = whole(hit, given.runs)
        with cluster_of_two(Path(folder) / "scheduler.json") as address:
            distributed = whole(dask, given.runs, address)
        same = chunk_names(hit) == reference and chunk_names(dask) == reference
        said = {place.name: reproduced(place) for place in (hit, dask)}
    words = "\n".join(
        [
            "# A large design",
            "",
            f"`python -m benchmarks.campaigns.large --runs {given.runs}`, "
            f"{datetime.date.today()}: {machine()}.",
            "",
            f"{given.runs:,} runs of the teaching world to {UNTIL} in {len(reference)} chunks: two "
            "packages, two points, two workers.",
            "",
            f"- undisturbed: {seconds:.0f} s",
            f"- killed with {', '.join(map(str, seen))} chunks there, then let to its end in "
            f"{rest:.0f} s",
            f"- on two Dask workers: {distributed:.0f} s",
            f"- all chunks the same, digest by digest: **{'yes' if same else 'NO'}**",
            *(f"- `ecosystem reproduce`, {name}: {what}" for name, what in said.items()),
        ]
    )
    print(words)
    if given.runs == RUNS:
        RECORD.write_text(words + "\n", encoding="utf-8")
    return int(not same or any("exit code 0" not in what for what in said.values()))


if __name__ == "__main__":
    sys.exit(main())
