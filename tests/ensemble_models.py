"""Models that the ensemble tests run instead of this package's; workers can import them."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd


def ishigami(runs: pd.DataFrame) -> np.ndarray:
    x, y, z = (runs[name].to_numpy() for name in ("x1", "x2", "x3"))
    return np.sin(x) + 7 * np.sin(y) ** 2 + 0.1 * z**4 * np.sin(x)


def ishigami_of_one(runs: pd.DataFrame) -> np.ndarray:
    return ishigami(runs.assign(x2=runs["x1"], x3=runs["x1"]))


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
