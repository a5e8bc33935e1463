"""Small designs of a model of one's own, as the ensemble tests run them."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import ensemble_models as models
import numpy as np

from ecosystem import cross, run_design
from ecosystem.runs.pool import SerialExecutor
from ecosystem.runs.runner import Ensemble

ROOT = Path(__file__).parents[1]
DESIGN = cross(points={"x1": np.arange(12.0)})


def own(out: Path | None, model: Any = models.two_outcomes, **others: Any) -> Ensemble:
    arguments: dict[str, Any] = {"executor": "serial", "chunk_runs": 2, "out": out}
    return run_design(DESIGN, model=model, **arguments | others)


def filled(out: Path, **others: Any) -> Path:
    directory = own(out, **others).complete().directory
    assert directory is not None
    return directory


def chunks(directory: Path | None) -> list[str]:
    assert directory is not None
    return sorted(path.name for path in directory.glob("chunks/*.parquet"))


def script(code: str, folder: Path, *words: str, stdin: bool = False) -> str:
    """Run Python code, from a file or from standard input; return what it prints."""
    file = folder / "a_script.py"
    file.write_text(code, "utf-8")
    done = subprocess.run(
        [sys.executable, "-" if stdin else file, *words], input=code if stdin else None,
        capture_output=True, text=True, cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
    )  # fmt: skip
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout


KILLS = Callable[[set[int]], bool]


class Frail(SerialExecutor):
    """A worker that dies, in words, of some sets of runs."""

    def __init__(self, kills: KILLS, deaths: list[set[int]]) -> None:
        self.kills, self.deaths = kills, deaths

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        tasks = args[0] if isinstance(args[0], list) else args
        runs = {run for task in tasks for run in task.runs.tolist()}
        if not self.kills(runs):
            return super().submit(fn, *args, **kwargs)
        self.deaths.append(runs)
        future: Future[Any] = Future()
        future.set_exception(BrokenProcessPool("dead. And more"))
        return future
