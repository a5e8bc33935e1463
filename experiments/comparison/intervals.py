"""Statistics of paired differences: what might happen, and what more runs would settle."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc

from ecosystem.maths.arrays import Array
from experiments.comparison.sureness import NO_VISIBLE_CHANGE, lower_bound, word_of

ENOUGH = 20
"""Pairs below which no ratio is given, and below which the 90 % hold too little."""
RESAMPLES = 2000
"""Bootstrap samples behind the interval of a ratio."""
QUANTILES = {"low_90": 0.05, "low_50": 0.25, "median": 0.5, "high_50": 0.75, "high_90": 0.95}
OUTWARD: dict[str, Literal["lower", "higher"]] = {"low_90": "lower", "high_90": "higher"}
"""The outer bounds are the nearest pair outward, never a point between a pair and zero."""
ERRORS = {name: f"{name}_error" for name in QUANTILES} | {"median": "monte_carlo_error"}
"""Columns of the standard errors of these quantiles."""


def quantile(sample: ArrayLike, name: str) -> float:
    """Return one of `QUANTILES` of a sample that is not empty, shape (pairs,)."""
    values = np.asarray(sample, dtype=float)
    return float(np.quantile(values, QUANTILES[name], method=OUTWARD.get(name, "linear")))


def quantile_error(sample: ArrayLike, name: str = "median") -> float:
    """Return the standard error of a quantile: what a longer simulation would shrink.

    The estimate of Maritz and Jarrett (1978, "A note on estimating the variance of the sample
    median", JASA 73), for any order statistic: the standard deviation of it over all
    bootstrap samples of pairs, computed from beta weights on the order statistics, so that no
    random number is drawn.

    Parameters
    ----------
    sample
        Independent values, shape (pairs,).
    name
        Which of `QUANTILES`.

    Returns
    -------
    float
        In the unit of the sample; NaN for fewer than two values.
    """
    ordered = np.sort(np.asarray(sample, dtype=float))
    count = ordered.size
    if count < 2:
        return float("nan")
    ranks = np.arange(1.0, count + 1)
    rank = quantile(ranks, name)
    weights = np.diff(betainc(rank, count + 1 - rank, np.arange(count + 1) / count))
    mean = weights @ ordered
    return float(np.sqrt(weights @ (ordered - mean) ** 2))


def describe(differences: ArrayLike, least: float = 0.0) -> dict[str, Any]:
    """Summarise paired differences of one package and one outcome.

    Parameters
    ----------
    differences
        Package minus reference, one a replicate, shape (pairs,); NaN (a failed run) is left out.
    least
        The least difference that is seen, in their unit.

    Returns
    -------
    dict
        `median`; the central 50 % and 90 % intervals over parameter draws and luck; the
        `monte_carlo_error` of the median and the errors of the four bounds, such as
        `low_90_error`; `share_above_zero` (a tie is not above); `pairs`; `share_of_sign`, that of
        the sign which more pairs have, `share_low`, its lower 90 % bound, and `sureness`, its word
        (`sureness_of`). NaN where there is no pair.
    """
    sample = np.asarray(differences, dtype=float)
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        names = [*QUANTILES, *ERRORS.values(), "share_above_zero", "share_of_sign", "share_low"]
        empty = dict.fromkeys(names, float("nan"))
        return {**empty, "pairs": 0, "sureness": "open"}
    row: dict[str, Any] = {name: quantile(sample, name) for name in QUANTILES}
    row |= {column: quantile_error(sample, name) for name, column in ERRORS.items()}
    often = max(np.sum(sample > 0), np.sum(sample < 0))
    bound = float(lower_bound(often, sample.size))
    row["share_above_zero"] = float(np.mean(sample > 0))
    row["pairs"] = int(sample.size)
    row["share_of_sign"] = float(often / sample.size)
    row["share_low"] = bound
    row["sureness"] = sureness_of(bound, sample, least)
    return row


def sureness_of(bound: float, differences: Array, least: float) -> str:
    """Return the word for a sign with this lower bound, or that there is no visible change.

    There is none where both ends of the 90 % lie less than `least` from zero, or at it: in nearly
    every world nobody would see it.
    """
    farther = max(abs(quantile(differences, end)) for end in OUTWARD)
    return word_of(bound) if farther >= least and farther > 0 else NO_VISIBLE_CHANGE


@functools.lru_cache(maxsize=2)
def _resampled(count: int) -> Array:
    """Return how often each pair is in each bootstrap sample, (pairs, resamples)."""
    random = np.random.Generator(np.random.Philox(1))  # the same runs print the same interval
    draws = random.multinomial(count, np.full(count, 1 / count), RESAMPLES)
    return draws.T.astype(float)


def ratio_of_means(effect: ArrayLike, cost: ArrayLike) -> tuple[float, float, float]:
    """Return mean effect over mean cost with its 90 % interval; see `_ratio`."""
    return _ratio(effect, cost, lambda sample, times: sample @ times / sample.size)


def ratio_of_medians(effect: ArrayLike, cost: ArrayLike) -> tuple[float, float, float]:
    """Return median effect over median cost with its 90 % interval; see `_ratio`."""
    return _ratio(effect, cost, _medians)


def _medians(sample: Array, times: Array) -> Array:
    """Return the median of each sample in which values stand so often, (samples,)."""
    order = np.argsort(sample)
    below, middle = times[order].cumsum(axis=0), ((sample.size - 1) // 2, sample.size // 2)
    places = [(below <= rank).sum(axis=0) for rank in middle]
    return np.asarray(sample[order][places].mean(axis=0))


def _ratio(
    effect: ArrayLike, cost: ArrayLike, centre: Callable[[Array, Array], Array]
) -> tuple[float, float, float]:
    """Return the centre of effects over that of costs with its 90 % interval.

    A centre of ratios would be ruled by pairs whose cost is near zero. The interval is that of
    bootstrap samples of whole pairs.

    Parameters
    ----------
    effect, cost
        Paired differences of the same replicates, shape (pairs,).
    centre
        Returns the mean or median of a sample, (pairs,), by how often each pair is in each
        bootstrap sample, (pairs, resamples).

    Returns
    -------
    tuple of float
        Estimate, low, high. NaN throughout where fewer than two pairs are finite, or where the
        90 % interval of the cost's centre holds zero: then the ratio has no meaning.
    """
    effect_, cost_ = np.asarray(effect, dtype=float), np.asarray(cost, dtype=float)
    keep = np.isfinite(effect_) & np.isfinite(cost_)
    pairs = (effect_[keep], cost_[keep])
    count, nothing = int(keep.sum()), (float("nan"),) * 3
    if count < 2:
        return nothing
    effects, costs = (centre(sample, _resampled(count)) for sample in pairs)
    low_cost, high_cost = np.quantile(costs, [0.05, 0.95])
    if low_cost <= 0 <= high_cost:
        return nothing
    (found,), (price,) = (centre(sample, np.ones((count, 1))) for sample in pairs)
    low, high = np.quantile(effects / costs, [0.05, 0.95])
    return float(found / price), float(low), float(high)
