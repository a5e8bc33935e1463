"""Scores of forecasts: continuous ranked probability score, place of the truth, coverage, error.

A forecast is an ensemble: values (members,) with weights that sum to one. Every score is taken on
the values it is given; on logs, the score of a forecast without width is its absolute log error,
and series of different size can be set beside each other.
"""

from __future__ import annotations

import numpy as np

from ecosystem.maths.arrays import Array


def ordered(values: Array, weights: Array | None = None) -> tuple[Array, Array]:
    """Return the members of an ensemble in rising order, and their weights, which sum to one.

    Raises
    ------
    ValueError
        If a member is not finite, a weight is negative or nothing has weight.
    """
    values = np.asarray(values, dtype=float)
    weights = np.ones(values.shape) if weights is None else np.asarray(weights, dtype=float)
    if values.ndim != 1 or values.shape != weights.shape or not np.isfinite(values).all():
        raise ValueError("an ensemble is finite values (members,) with a weight each")
    if not (weights >= 0).all() or not 0 < weights.sum() < np.inf:
        raise ValueError("weights of an ensemble are 0 or above, and one is above 0")
    order = np.argsort(values, kind="stable")
    return values[order], weights[order] / weights.sum()


def crps(values: Array, truth: float, weights: Array | None = None) -> float:
    """Return the continuous ranked probability score, E|X - y| - E|X - X'| / 2.

    Closed form over the sorted members (Jordan, Krüger and Lerch 2019, Journal of Statistical
    Software 90(12)): E|X - X'| / 2 is the sum of w x (2 m - 1), where m is the weight below a
    member with half its own.

    Parameters
    ----------
    values, weights
        The ensemble, (members,) each; equal weights by default.
    truth
        What came.

    Returns
    -------
    float
        In the unit of the values; zero only for a forecast that is sure and right.
    """
    members, share = ordered(values, weights)
    middle = np.cumsum(share) - share / 2
    spread = np.sum(share * members * (2 * middle - 1))
    return float(np.sum(share * np.abs(members - truth)) - spread)


def place(values: Array, truth: float, weights: Array | None = None) -> float:
    """Return the share of the ensemble below the truth, half of what equals it (the PIT)."""
    members, share = ordered(values, weights)
    return float(np.sum(share * (members < truth)) + np.sum(share * (members == truth)) / 2)


def quantiles(values: Array, levels: Array, weights: Array | None = None) -> Array:
    """Return weighted quantiles, linear between the middles of the members' weights.

    Parameters
    ----------
    values, weights
        The ensemble, (members,) each; equal weights by default.
    levels
        Shares between 0 and 1, (levels,).

    Returns
    -------
    ndarray, shape (levels,)
        In the unit of the values.
    """
    members, share = ordered(values, weights)
    kept = share > 0
    return np.interp(levels, (np.cumsum(share) - share / 2)[kept], members[kept])
