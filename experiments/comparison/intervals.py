"""Statistics of paired differences: what might happen, and what more runs would settle."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc

ENOUGH = 20
"""Pairs below which no interval is marked as clear of zero: few pairs often agree by luck."""
QUANTILES = {"low_90": 0.05, "low_50": 0.25, "median": 0.5, "high_50": 0.75, "high_90": 0.95}


def median_error(sample: ArrayLike) -> float:
    """Return the standard error of the median: what a longer simulation would shrink.

    The estimate of Maritz and Jarrett (1978, "A note on estimating the variance of the sample
    median", JASA 73): the exact standard deviation of the median over all bootstrap samples,
    computed from beta weights on the order statistics, so that no random number is drawn.

    Parameters
    ----------
    sample
        Independent values, shape (pairs,).

    Returns
    -------
    float
        In the unit of the sample; NaN for fewer than two values.
    """
    ordered = np.sort(np.asarray(sample, dtype=float))
    count = ordered.size
    if count < 2:
        return float("nan")
    middle = (count + 1) / 2
    weights = np.diff(betainc(middle, middle, np.arange(count + 1) / count))
    mean = weights @ ordered
    return float(np.sqrt(weights @ (ordered - mean) ** 2))


OUTWARD: dict[str, Literal["lower", "higher"]] = {"low_90": "lower", "high_90": "higher"}
"""The outer bounds are the nearest pair outward, never a point between a pair and zero."""


def describe(differences: ArrayLike) -> dict[str, float | int | bool]:
    """Summarise paired differences of one package and one outcome.

    Parameters
    ----------
    differences
        Package minus reference, one a replicate, shape (pairs,); NaN (a failed run) is left out.

    Returns
    -------
    dict
        `median`; the central 50 % and 90 % intervals over parameter draws and luck; the
        `monte_carlo_error` of the median; `share_above_zero` (a tie is not above); `pairs`;
        `reads_zero`, true where zero lies in the 90 % interval, whose bounds are pairs that were
        seen, so that few pairs give a wide one. NaN where there is no pair.
    """
    sample = np.asarray(differences, dtype=float)
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        empty = dict.fromkeys([*QUANTILES, "monte_carlo_error", "share_above_zero"], float("nan"))
        return {**empty, "pairs": 0, "reads_zero": True}
    row: dict[str, float | int | bool] = {
        name: float(np.quantile(sample, level, method=OUTWARD.get(name, "linear")))
        for name, level in QUANTILES.items()
    }
    row["monte_carlo_error"] = median_error(sample)
    row["share_above_zero"] = float(np.mean(sample > 0))
    row["pairs"] = int(sample.size)
    row["reads_zero"] = bool(row["low_90"] <= 0 <= row["high_90"])
    return row


def clear_of_zero(facts: Any) -> Any:
    """Say whether the 90 % of pairs exclude zero and the pairs are enough to show that.

    Parameters
    ----------
    facts
        A row with the columns of `describe`, or a table of such rows.

    Returns
    -------
    bool or Series
        True where an effect may be marked as shown.
    """
    return np.logical_not(facts["reads_zero"]) & (facts["pairs"] >= ENOUGH)


def ratio_of_means(
    effect: ArrayLike, cost: ArrayLike, *, resamples: int = 2000, seed: int = 1
) -> tuple[float, float, float]:
    """Return mean effect over mean cost with its 90 % interval, resampling whole pairs.

    A ratio of means is used because a mean of ratios is ruled by pairs whose cost is near zero.

    Parameters
    ----------
    effect, cost
        Paired differences of the same replicates, shape (pairs,).
    resamples
        Number of bootstrap samples of pairs.
    seed
        Seed of the resampling; fixed, so that the same runs print the same interval.

    Returns
    -------
    tuple of float
        Estimate, low, high. NaN throughout where fewer than two pairs are finite, or where the
        90 % interval of the mean cost holds zero: then the ratio has no meaning.
    """
    effect_, cost_ = np.asarray(effect, dtype=float), np.asarray(cost, dtype=float)
    keep = np.isfinite(effect_) & np.isfinite(cost_)
    pairs = np.stack([effect_[keep], cost_[keep]])
    count = pairs.shape[1]
    nothing = (float("nan"),) * 3
    if count < 2:
        return nothing
    random = np.random.Generator(np.random.Philox(seed))
    draws = random.multinomial(count, np.full(count, 1 / count), resamples)
    effects, costs = pairs @ draws.T / count
    low_cost, high_cost = np.quantile(costs, [0.05, 0.95])
    if low_cost <= 0 <= high_cost:
        return nothing
    low, high = np.quantile(effects / costs, [0.05, 0.95])
    return float(pairs[0].mean() / pairs[1].mean()), float(low), float(high)
