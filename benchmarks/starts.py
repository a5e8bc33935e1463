"""How long a process takes that runs one quarter: the first one, which compiles, and later ones."""

import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks.record import Row, command

ROOT = Path(__file__).parents[1]


def wall(code: str, cache: str | None = None) -> float:
    """Return wall-clock seconds of a Python process, whose compiled code may have its own place."""
    own = {"NUMBA_CACHE_DIR": cache} if cache else {}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ | own, check=True,
                   capture_output=True)  # fmt: skip
    return time.perf_counter() - start


def rows(quick: bool) -> list[Row]:
    """Return wall-clock seconds of a process with one quarter: first, cached, and help alone."""
    quarter = "from ecosystem import simulate; simulate('history', replicates=1, jobs=1, "
    quarter += "until='2020Q1', world='teaching')"
    shown = "import sys; sys.argv = ['ecosystem', '--help']; "
    shown += "from experiments.command.cli import main; main()"
    with tempfile.TemporaryDirectory() as cache:
        begun = partial(wall, quarter, cache)
        first, *again = (begun() for _ in range(2 if quick else 3))
    what = "process with one quarter of the teaching world, wall"
    return [
        Row(what, "first, compiles", "s", (first,)),
        Row(what, "cached", "s", tuple(again)),
        Row("`ecosystem --help`, wall", "cached", "s", tuple(wall(shown) for _ in again)),
    ]


if __name__ == "__main__":
    command("starts", f"{__doc__} Two minutes.", rows, "Longer where others use the machine.")
