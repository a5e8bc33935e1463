"""A user's own model: calling it, and refusing what cannot be kept of what it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from ecosystem.extend import words_of
from ecosystem.inputs.faults import FaultList
from ecosystem.maths.arrays import Array


def own_outcomes(model: Callable[[Any], Any], rows: pd.DataFrame) -> dict[str, Array]:
    """Call a user's own model and return its outcomes, (runs, 1, 1) each.

    Parameters
    ----------
    model
        The model.
    rows
        What it is given: one row a run, indexed by the number of the run.

    Raises
    ------
    InputError
        It returned something that is not one row of real numbers a run.
    FloatingPointError
        An outcome is not finite.
    """
    runs = rows.index  # the model may change what it is given
    found = call_model(model, rows)
    if isinstance(found, pd.Series):
        found = found.to_frame("value")
    if not isinstance(found, pd.DataFrame):
        table = np.asarray(found)
        table = table[:, None] if table.ndim == 1 else table
        several = [f"value_{column}" for column in range(table.shape[-1])]
        found = pd.DataFrame(table, columns=["value"] if len(several) == 1 else several)
    check_rows(found, runs)
    if set(found.index) == set(runs):
        found = found.reindex(runs)
    values = found.to_numpy(dtype=float)
    names = [str(name) for name in found.columns]
    for column, name in enumerate(names):
        if not np.isfinite(values[:, column]).all():
            raise FloatingPointError(f"outcome {name} is not finite")
    return {name: values[:, [column], None] for column, name in enumerate(names)}


def call_model(model: Callable[[Any], Any], rows: pd.DataFrame) -> Any:
    """Call a user's own model; its sys.exit is an error like any other, and ends no ensemble."""
    try:
        return model(rows)
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise RuntimeError(f"the model raised {words_of(error)}") from error


def check_rows(found: pd.DataFrame, runs: pd.Index[Any]) -> None:
    """Raise InputError where a frame is not one row of real numbers for each of these runs."""
    faults, counted = FaultList(), list(range(len(found)))
    if len(found) != len(runs):
        faults.add("model", f"{len(found)} rows for {len(runs)} runs", "one row a run")
    elif set(found.index) != set(runs) and found.index.tolist() != counted:
        faults.add("model", "rows of another index", "rows indexed by the runs, or 0, 1, 2, …")
    names = [str(name) for name in found.columns]
    if not names:
        faults.add("model", "a frame without columns", "one column an outcome")
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            faults.add("model", f"{names.count(name)} columns {name}", "one column an outcome")
    for name, dtype in zip(names, found.dtypes, strict=True):
        if dtype.kind == "c":
            faults.add("model", f"outcome {name} of type {dtype}", "real numbers")
    faults.raise_if_any()


def check_same_outcomes(outcomes: Mapping[int, Sequence[str]]) -> None:
    """Raise InputError where a model returned other outcomes for some runs than for others.

    Parameters
    ----------
    outcomes
        Outcomes of some runs by the number of the first of them.
    """
    faults = FaultList()
    for (run, names), (other, others) in pairwise(outcomes.items()):
        if set(names) != set(others):
            words = (
                f"outcomes {', '.join(names)} for run {run}, {', '.join(others)} for run {other}"
            )
            faults.add("model", words, "the same outcomes for all runs")
    faults.raise_if_any()
