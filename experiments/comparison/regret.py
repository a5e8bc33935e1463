"""Regret: how far a package falls behind the best one of each draw, once the draw is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ecosystem.maths.arrays import Array
from ecosystem.runs.result import Result

OBJECTIVE = "local_value_added_net"


def regrets(values: Array) -> Array:
    """Return how far each package falls behind the best of the same draw, (packages, draws).

    Parameters
    ----------
    values
        Objective, more is better, (packages, draws). A draw in which a run failed is left out:
        its best package is not known.
    """
    known = values[:, np.isfinite(values).all(axis=0)]
    if not known.size:
        return known
    return np.asarray(known.max(axis=0) - known)


def regret_table(packages: Sequence[str], values: Array) -> pd.DataFrame:
    """Return the regret of packages, smallest maximum first (minimax; Savage 1951).

    Parameters
    ----------
    packages
        Names of the packages, the reference among them.
    values
        Objective of each package in each draw of parameters and luck, under each shock if there
        are several, (packages, draws).

    Returns
    -------
    DataFrame
        One row a package: `median`, `percentile_90` and `maximum` of its regret, the share of
        draws in which it is `best`, and the number of `draws`. The maximum is that of the draws
        made: more draws can only raise it.
    """
    found = regrets(values)
    rows: list[dict[str, Any]] = []
    for name, own in zip(packages, found, strict=True):
        row: dict[str, Any] = {"package": name, "outcome": OBJECTIVE}
        for key, level in (("median", 0.5), ("percentile_90", 0.9), ("maximum", 1.0)):
            row[key] = float(np.quantile(own, level)) if len(own) else float("nan")
        row["best"] = float(np.mean(own <= 0)) if len(own) else float("nan")
        rows.append(row | {"draws": len(own)})
    return pd.DataFrame(rows).sort_values(["maximum", "package"], ignore_index=True)


def regret_of(result: Result) -> pd.DataFrame:
    """Return the regrets of a result's scenarios; empty if it lacks the objective.

    A scenario of which every run failed is left out, for there is no draw in which it is known;
    a single one that is left has nothing to regret.
    """
    values = result.summaries.get(OBJECTIVE, np.empty((0, 1, 1)))[..., 0]
    alive = np.flatnonzero(np.isfinite(values).any(axis=1))
    if len(alive) < 2:
        return pd.DataFrame(columns=["package"])
    return regret_table([result.scenarios[place] for place in alive], values[alive])
