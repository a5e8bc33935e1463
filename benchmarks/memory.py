"""Peak memory of a worker process, headline outcomes at the end only.

Each size runs in a process of its own, one job, all 64 quarters.
"""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

from benchmarks.record import Row, command
from ecosystem import simulate
from ecosystem.inputs.catalogue import outcomes

ROOT = Path(__file__).parents[1]
MEBI = 2**20
SIZES, QUICK = (1000, 10_000), (20, 200)
"""Runs: growth is from the first size to the second."""


def measure(runs: int) -> dict[str, float]:
    """Return MiB of this process at its peak: with everything loaded, after the runs, results."""
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
    code = f"import json; from benchmarks.memory import measure; print(json.dumps(measure({runs})))"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout)


def rows(quick: bool) -> list[Row]:
    """Return the memory at both sizes, and how much the peak grows between them."""
    small, large = QUICK if quick else SIZES
    found = {runs: in_process(runs) for runs in (small, large)}
    growth = 100 * (found[large]["peak"] / found[small]["peak"] - 1)
    return [
        *(
            Row(f"memory, {what}", f"{runs:,} runs", "MiB", (value,))
            for runs, values in found.items()
            for what, value in values.items()
        ),
        Row("growth of the peak", f"from {small:,} to {large:,} runs", "%", (growth,)),
    ]


if __name__ == "__main__":
    command("memory", f"{__doc__} 1,000 and 10,000 runs take some minutes of one core.", rows)
