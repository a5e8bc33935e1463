"""How much of the variance of an outcome is chance, and how much is no factor of the study."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from ecosystem.maths.arrays import Array
from experiments.sensitivity_analysis.plan import HORIZON

if TYPE_CHECKING:
    from experiments.sensitivity_analysis.study import Quantity

DRAWS = 1000
"""Bootstrap draws for the interval of a share."""
ENDS = ("chance_low", "chance_high", "other_low", "other_high")


def share_columns(quantity: Quantity, sd: float) -> dict[str, float]:
    """Return the shares of variance that luck has, and luck with parameters that are no factor.

    Half the mean square of the difference between a block's first point and its repeat is the
    variance within a point, whatever the outcome depends on; the share is of the variance over
    independent points of different blocks. The interval is by bootstrap over blocks, of both.
    """
    sample = quantity.study.sample
    rows = quantity.values.reshape(sample.blocks, sample.length)
    spread = 0.5 * (quantity.again - rows[:, 0]) ** 2  # (kinds, blocks)
    kept = np.isfinite(spread).all(axis=0) & np.isfinite(rows).all(axis=1)
    names = ["chance_share", *ENDS[:2], "other_share", *ENDS[2:]]
    shares: dict[str, float] = dict.fromkeys(names[: 3 * quantity.study.repeated], float("nan"))
    shares["chance_blocks"] = int(kept.sum())
    if not sd > 0 or kept.sum() < 2:
        return shares
    spread, free = spread[:, kept], rows[kept][:, sample.independent]
    even = np.full((1, len(free)), 1 / len(free))
    for place, name in enumerate(("chance", "other")[: len(spread)]):
        shares[f"{name}_share"] = float(share_of_variance(spread[place], free, even)[0])
        if quantity.period == HORIZON:
            found = share_of_variance(spread[place], free, resamples(len(free), sample.seed))
            low, high = np.nanquantile(found, [0.025, 0.975])
            shares |= {f"{name}_low": float(low), f"{name}_high": float(high)}
    return shares


def share_of_variance(spread: Array, rows: Array, weights: Array) -> Array:
    """Return the mean of a spread over the variance of outcomes, for weights of blocks, (draws,).

    The variance is half the mean squared difference of points in different blocks: points of
    one block are alike, so that the variance over all points together would be too small.

    Parameters
    ----------
    spread
        Variance that is asked for, (blocks,).
    rows
        Outcomes, (blocks, points).
    weights
        How often each block is taken over the number of blocks, (draws, blocks).
    """
    count, rows = len(rows), rows - rows.mean()
    mean, square = rows.mean(axis=1), (rows**2).mean(axis=1)
    alike = (count * (weights @ mean) ** 2 - weights @ mean**2) / (count - 1)
    variance = weights @ square - alike
    share = np.full(len(weights), np.nan)
    return np.divide(weights @ spread, variance, out=share, where=variance > 0)


@functools.lru_cache(maxsize=4)
def resamples(count: int, seed: int) -> Array:
    """Return weights of blocks in bootstrap resamples, (draws, count)."""
    chance = np.random.default_rng(seed)
    return chance.multinomial(count, np.full(count, 1 / count), size=DRAWS) / count
