"""How many of the firms founded now would still be there in five years."""

from __future__ import annotations

import numpy as np

from ecosystem.maths.arrays import Array, safe_ratio, total

SPAN = 20
"""Quarters that a firm has to outlive."""


def five_year_survival(active: Array, age: Array, exits: Array) -> Array:
    """Return survival of five years by the period life table of one quarter, (runs, 1).

    The product over ages a from 0 to 19 quarters of 1 - (exits at age a)/(firms of age a): what a
    firm born now could expect if the exit rates of this quarter held at every age. No cohort has
    to be followed, and given how old the firms are the estimate is unbiased. An age at which
    nobody stands takes the exit rate of all firms.

    Parameters
    ----------
    active
        1 where a firm holds the slot, at the start of the quarter (runs, slots).
    age
        Quarters since the birth of that firm (runs, slots).
    exits
        1 where it closes in the quarter (runs, slots).

    Notes
    -----
    Chiang (1984), "The life table and its applications".
    """
    runs = len(active)
    place = np.minimum(age, SPAN).astype(np.intp) + (SPAN + 1) * np.arange(runs)[:, None]

    def by_age(values: Array) -> Array:
        counts = np.bincount(place.ravel(), values.ravel(), runs * (SPAN + 1))
        return np.asarray(counts.reshape(runs, SPAN + 1)[:, :SPAN])

    firms = by_age(active)
    rate = safe_ratio(total(exits), total(active))
    hazard = np.where(firms > 0, safe_ratio(by_age(exits), firms), rate)
    return np.asarray((1 - hazard).prod(axis=1, keepdims=True))
