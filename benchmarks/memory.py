"""Peak memory of a worker process at 1,000 and 10,000 runs, headline outcomes at the end only.

``python -m benchmarks.memory`` runs each size in a process of its own, one job, and writes
`results/memory.*`; ``--quick`` takes 20 and 200 runs and writes nothing. The quarters are all 64,
so 10,000 runs take some minutes of one core.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

from benchmarks.record import Row, markdown, write

ROOT = Path(__file__).parents[1]
MEBI = 2**20


def measure(runs: int) -> dict[str, float]:
    """Return MiB of this process at its peak: with everything loaded, after the runs, results."""
    from ecosystem import simulate
    from ecosystem.inputs.catalogue import outcomes

    headline = [name for name, row in outcomes().items() if row.headline]
    simulate("history", replicates=1, jobs=1, until="2020Q1", outcomes=headline, series=False)
    loaded = peak()
    result = simulate("history", replicates=runs, jobs=1, outcomes=headline, series=False)
    kept = sum(values.nbytes for values in result.summaries.values())
    return {"loaded": loaded, "peak": peak(), "results": kept / MEBI}


def peak() -> float:
    """Return the largest resident set of this process so far, MiB."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MEBI


def in_process(runs: int) -> dict[str, float]:
    """Return `measure` of a process of its own with one thread."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.memory", "--worker", str(runs)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20 and 200 runs, no record")
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        print(json.dumps(measure(arguments.worker)))
        return
    sizes = (20, 200) if arguments.quick else (1000, 10_000)
    rows, peaks = [], []
    for runs in sizes:
        found = in_process(runs)
        peaks.append(found["peak"])
        for what, value in found.items():
            rows.append(Row(f"memory, {what}", f"{runs:,} runs", "MiB", (value,)))
    growth = 100 * (peaks[1] / peaks[0] - 1)
    case = f"from {sizes[0]:,} to {sizes[1]:,} runs"
    rows.append(Row("growth of the peak", case, "%", (growth,)))
    if arguments.quick:
        print(markdown(rows))
    else:
        write("memory", "python -m benchmarks.memory", rows)


if __name__ == "__main__":
    main()
