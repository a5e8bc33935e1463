"""How sure a sign is, in the words of one fixed scale.

The word goes by the lower 90 % bound of the share of worlds (parameter draws and luck) that have
the sign, not by the share of pairs that were run: a hundred of a hundred pairs are not certainty.
The bound is the one-sided one of Clopper and Pearson (1934, "The use of confidence or fiducial
limits illustrated in the case of the binomial", Biometrika 26), which is exact: whatever the true
share of a sign is, at most one study in ten puts the bound above it, and so names it by a word that
is too sure.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv

from ecosystem.maths.arrays import Array
from experiments.comparison.keyed import keyed_rows

SCALE = keyed_rows("experiments.comparison", "sureness.csv", "word")
"""Words from the surest on: least bound, and the word in both languages."""
LEAST = {word: float(row["at_least"]) for word, row in SCALE.items() if row["at_least"]}
NO_VISIBLE_CHANGE = "no_visible_change"
FALSE_ALARM = 0.1
"""Chance, at most, that the bound lies above the true share."""


def lower_bound(times: ArrayLike, pairs: ArrayLike) -> Array:
    """Return the lower 90 % bound of a share seen so many times in so many pairs.

    The largest share under which as many times or more come up with a chance of at most one in ten;
    0 where it was never seen.
    """
    seen, all_ = np.asarray(times, dtype=float), np.asarray(pairs, dtype=float)
    bound = betaincinv(np.maximum(seen, 1), all_ - seen + 1, FALSE_ALARM)
    return np.where(seen > 0, bound, 0.0)


def word_of(bound: float) -> str:
    """Return the word for a sign whose share of worlds has this lower bound."""
    return next(word for word, least in LEAST.items() if bound >= least)


def visible(unit: str) -> float:
    """Return the least difference that is seen in a quantity, in the unit of the outcome table.

    KeyError for a unit that `visible.csv` lacks.
    """
    return float(keyed_rows("experiments.comparison", "visible.csv", "unit")[unit]["least"])


def sign_shown(facts: Any) -> Any:
    """Say of a row with a `sureness`, or of each row of a table, whether its sign is likely."""
    likely = [word for word, least in LEAST.items() if least >= LEAST["likely"]]
    return np.isin(np.asarray(facts["sureness"], dtype=str), likely)
