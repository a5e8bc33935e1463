"""How often one package beats another: the same luck and the same draws in both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ecosystem.inputs.catalogue import outcomes as catalogue
from ecosystem.maths.arrays import Array
from ecosystem.runs.table import DIMENSIONS
from experiments.comparison.intervals import sureness_of
from experiments.comparison.sureness import lower_bound, visible

COLUMNS = ("package", "other", "better_share", "pairs", "direction", "share_low", "sureness")
DIRECTIONS = {1.0: "more", -1.0: "less", 0.0: ""}


def times_more(values: Array) -> tuple[Array, Array]:
    """Count in how many pairs one package has more than another, and the pairs that both have.

    Parameters
    ----------
    values
        What each package reaches, (pairs, packages); NaN where a run failed.

    Returns
    -------
    tuple
        Times that the package of the row has more than that of the column, and pairs, both
        (packages, packages). A tie is nobody's.
    """
    known = np.isfinite(values).astype(float)
    more = values[:, :, None] > values[:, None, :]
    return more.sum(axis=0, dtype=float), known.T @ known


def beats_table(differences: pd.DataFrame, reference: str, outcomes: Sequence[str]) -> pd.DataFrame:
    """Return the share of pairs in which each package beats each other one.

    Parameters
    ----------
    differences
        Paired differences from the reference, `ComparisonResult.differences`.
    reference
        Name of the reference, which is compared like a package.
    outcomes
        The outcomes compared.

    Returns
    -------
    DataFrame
        One row an outcome, `package` and `other`: the `better_share` of `pairs` in which the
        package is better (more where no direction is); the `direction` that more pairs have,
        whether the package has ``more`` of the outcome than the other or ``less``, nothing of a
        tie; the lower 90 % bound `share_low` of the share of that direction, and the word for it,
        `sureness`, or
        that nothing visible lies between the two. So "less, likely" reads: the package likely has
        less than the other. Two packages share luck and draws as a package and the reference do.
    """
    rows: list[dict[str, Any]] = []
    for key, block in differences.groupby(level=["outcome", *DIMENSIONS], sort=False):
        outcome = catalogue()[str(key[0])]
        if outcome.name not in outcomes:
            continue
        with_reference = block.assign(**{reference: 0.0})
        names = [str(name) for name in with_reference.columns]
        values = with_reference.to_numpy()
        more, pairs = times_more(values)
        better = more.T if outcome.better == "lower" else more
        bounds, least = lower_bound(np.maximum(more, more.T), pairs), visible(outcome.unit)
        about = dict(zip(("outcome", *DIMENSIONS), key, strict=True))
        rows += [
            about
            | {"package": name, "other": other, "better_share": better[i, j] / pairs[i, j]}
            | {"pairs": int(pairs[i, j]), "direction": DIRECTIONS[np.sign(more[i, j] - more[j, i])]}
            | {"share_low": bounds[i, j]}
            | {"sureness": sureness_of(bounds[i, j], _apart(values[:, i], values[:, j]), least)}
            for i, name in enumerate(names)
            for j, other in enumerate(names)
            if i != j and pairs[i, j]
        ]
    table = pd.DataFrame(rows, columns=["outcome", *DIMENSIONS, *COLUMNS])
    unused = [name for name in DIMENSIONS if (table[name] == "").all()]
    return table.drop(columns=unused)


def _apart(one: Array, other: Array) -> Array:
    """Return the differences of two packages in the pairs that both have."""
    differences = one - other
    return differences[np.isfinite(differences)]
