"""Models that the ensemble tests run instead of this package's; workers can import them."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


def ishigami(runs: pd.DataFrame) -> np.ndarray:
    x, y, z = (runs[name].to_numpy() for name in ("x1", "x2", "x3"))
    return np.sin(x) + 7 * np.sin(y) ** 2 + 0.1 * z**4 * np.sin(x)


def two_outcomes(runs: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"sum": runs["x1"] + runs["replicate"], "twice": 2 * runs["x1"]})


def noisy(runs: pd.DataFrame) -> np.ndarray:
    """Add luck that the replicate alone decides."""
    luck = [np.random.default_rng(number).normal() for number in runs["replicate"]]
    return runs["x1"].to_numpy() + np.array(luck)


def fails_at_seven(runs: pd.DataFrame) -> np.ndarray:
    if (runs["x1"] == 7).any():
        raise ValueError("seven is not for me")
    return np.where(runs["x1"] == 11, np.nan, runs["x1"])


def deadly_once(runs: pd.DataFrame) -> np.ndarray:
    """Kill the worker at run 3, unless the file that `mark` names is there."""
    mark = Path(os.environ["ENSEMBLE_TEST_MARK"])
    if (runs.index == 3).any() and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return runs["x1"].to_numpy()


def deadly(runs: pd.DataFrame) -> np.ndarray:
    if (runs.index == 3).any():
        os.kill(os.getpid(), signal.SIGKILL)
    return runs["x1"].to_numpy()


def slow(runs: pd.DataFrame) -> np.ndarray:
    time.sleep(0.15)
    return runs["x1"].to_numpy()


def always_deadly(runs: pd.DataFrame) -> np.ndarray:
    os.kill(os.getpid(), signal.SIGKILL)
    return runs["x1"].to_numpy()


class Shifted:
    """A model that is an object: it carries the function that gives what it adds."""

    def __init__(self, shift: Any) -> None:
        self.shift = shift

    def __call__(self, runs: pd.DataFrame) -> np.ndarray:
        return runs["x1"].to_numpy() + self.shift()

    def shifted(self, runs: pd.DataFrame) -> np.ndarray:
        return self(runs)


def study(out: Path | None, progress: Any = None) -> Any:
    """Run a sensitivity study: two ensembles, one after the other."""
    from experiments import sensitivity

    ranges = dict.fromkeys(("x1", "x2", "x3"), (-3.0, 3.0))
    options: dict[str, Any] = {"trajectories": 4, "jobs": 1, "out": out, "progress": progress}
    return sensitivity(model=ishigami, factors=ranges, **options)


def study_killed_between(out: Path) -> None:
    """Run a sensitivity study and kill the process once the first ensemble is whole."""

    def watch(done: int, total: int) -> None:
        if list(out.glob("*/manifest.json")):
            os.kill(os.getpid(), signal.SIGKILL)

    study(out, watch)
