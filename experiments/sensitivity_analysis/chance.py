"""How much of the variance of an outcome is chance, and how much is no factor of the study."""

import functools

import numpy as np

from ecosystem.maths.arrays import Array
from experiments.sensitivity_analysis.salib_study import Sample

DRAWS = 1000
"""Bootstrap draws for the interval of a share."""
SHARES = ("chance", "other")
"""What is alone different in the repeats of a point: luck; luck and what is no factor."""


def shares_of_chance(
    sample: Sample, values: Array, again: Array, sd: float, intervals: bool
) -> dict[str, float]:
    """Return the shares of variance that luck has, and luck with parameters that are no factor.

    Half the mean square of the difference between a block's first point and its repeat is the
    variance within a point, whatever the outcome depends on; the share is of the variance over
    independent points of different blocks. The interval is by bootstrap over blocks, of both.

    Parameters
    ----------
    sample
        Where the outcome was wanted.
    values
        The outcome, (points,); NaN where a run failed.
    again
        The outcome at the first point of each block again, (kinds of repeat, blocks).
    sd
        Standard deviation of the outcome; without any, shares are NaN.
    intervals
        The ends of intervals are wanted too.
    """
    rows = values.reshape(sample.blocks, sample.length)
    spread = 0.5 * (again - rows[:, 0]) ** 2  # (kinds, blocks)
    kept = np.isfinite(spread).all(axis=0) & np.isfinite(rows).all(axis=1)
    count = int(kept.sum())
    free = rows[kept][:, sample.independent]
    shares = {}
    for name, own in zip(SHARES, spread[:, kept], strict=False):
        share, ends = np.nan, np.full(2, np.nan)
        if sd > 0 and count >= 2:
            share = share_of_variance(own, free, np.full((1, count), 1 / count))[0]
            if intervals:
                drawn = share_of_variance(own, free, resamples(count, sample.seed))
                ends = np.nanquantile(drawn, [0.025, 0.975])
        shares[f"{name}_share"] = float(share)
        if intervals:
            shares |= {f"{name}_low": float(ends[0]), f"{name}_high": float(ends[1])}
    return shares | {"chance_blocks": count}


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
