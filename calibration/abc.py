"""Approximate Bayesian computation with regression adjustment, on a table of prior runs.

Rows of the prior whose figures come near the published ones are kept, weighted by the kernel of
Epanechnikov, and moved along a local linear regression of parameters on figures to where the
published ones lie (Beaumont, Zhang & Balding 2002). Near is measured in the directions that can
be learned (`calibration.learned`): in all figures at once no row is near. Parameters are normal
numbers, so that moved ones stay in their ranges.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecosystem.maths.arrays import Array

SHARES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Shares of rows that may be kept; cross-validation takes one."""
HELD_OUT = 100
"""Rows that are held out to choose the share: those nearest to what was published."""
FAR = 5.0
"""Logs of a model's figure farther than this from the published one (a factor of 150, or zero)
stand at this distance: beyond it nothing more is said by how far they are."""


@dataclass(frozen=True)
class Adjusted:
    """Rows kept and moved to the published figures.

    Parameters
    ----------
    normal : ndarray, shape (rows, parameters)
        Parameters as normal numbers.
    weights : ndarray, shape (rows,)
        With sum 1.
    share : float
        Share of the rows of the table that was kept.
    """

    normal: Array
    weights: Array
    share: float

    @property
    def effective(self) -> float:
        """Return the number of equally weighted rows that would be worth as much."""
        return float(1 / (self.weights**2).sum())

    @property
    def mean(self) -> Array:
        """Return the mean of each parameter, (parameters,)."""
        return np.asarray(self.weights @ self.normal)

    @property
    def variance(self) -> Array:
        """Return the variance of each parameter, (parameters,)."""
        return np.asarray(self.weights @ (self.normal - self.mean) ** 2)


def as_published(
    figures: Array, published: Array, log_sd: Array, bound: Array, seed: int = 1
) -> Array:
    """Return a model's figures as they would have been published, (rows, figures), in logs.

    With the error of publication, and no further from the published one than `FAR`. Of a bound
    ("over 300"), all that lies beyond it is the same.

    Parameters
    ----------
    figures : ndarray, shape (rows, figures)
        Logs of the model's figures; -inf or NaN where there is nothing.
    published : ndarray, shape (figures,)
        Logs of the published ones.
    log_sd : ndarray, shape (figures,)
        Standard deviation of the error.
    bound : ndarray, shape (figures,)
        1 where what was published is a lower bound, -1 an upper one, else 0.
    seed : int
        Of the errors.
    """
    error = log_sd * np.random.default_rng(seed).standard_normal(figures.shape)
    away = np.nan_to_num(figures - published, nan=-FAR, neginf=-FAR, posinf=FAR) + error
    low, high = np.where(bound < 0, 0.0, -FAR), np.where(bound > 0, 0.0, FAR)
    return np.asarray(published + np.clip(away, low, high))


def adjust(normal: Array, learned: Array, published: Array, share: float) -> Adjusted:
    """Keep the nearest rows and move them to what was published.

    Parameters
    ----------
    normal : ndarray, shape (rows, parameters)
        Parameters as normal numbers.
    learned : ndarray, shape (rows, directions)
        What figures of each row say of the learned directions, each of variance 1.
    published : ndarray, shape (directions,)
        The same of the published figures.
    share : float
        Share of the rows that is kept.
    """
    away = learned - published
    distance = np.sqrt((away**2).sum(axis=1))
    number = min(len(distance) - 1, max(round(share * len(distance)), 4 * away.shape[1] + 4))
    width = np.partition(distance, number)[number]
    kept = distance < width
    kernel = 1 - (distance[kept] / width) ** 2
    design = np.column_stack([np.ones(kept.sum()), away[kept]])
    weighted = design * kernel[:, None]
    slopes = np.linalg.lstsq(weighted.T @ design, weighted.T @ normal[kept], rcond=None)[0][1:]
    return Adjusted(normal[kept] - away[kept] @ slopes, kernel / kernel.sum(), share)


def kept_share(normal: Array, learned: Array, published: Array, aim: Array) -> float:
    """Return the share with which parameters of held-out rows are found best.

    Each of the rows nearest to what was published is taken for it in turn. Wanted is the smallest
    squared error of the mean; of the shares whose error is within a standard error of that, the
    largest is taken, since it rests on the most rows (Breiman et al. 1984).

    Parameters
    ----------
    normal, learned, published
        As for `adjust`.
    aim : ndarray, shape (parameters, directions)
        Weights of parameters in the error: the learned directions.
    """
    nearest = np.argsort(((learned - published) ** 2).sum(axis=1))[:HELD_OUT]
    aimed = normal @ aim  # the error needs no more of the parameters than this
    losses = np.zeros((len(nearest), len(SHARES)))
    for place, row in enumerate(nearest):
        others = np.arange(len(normal)) != row
        for choice, share in enumerate(SHARES):
            found = adjust(aimed[others], learned[others], learned[row], share)
            losses[place, choice] = ((found.mean - aimed[row]) ** 2).sum()
    best = losses.mean(axis=0).argmin()
    worse = losses - losses[:, [best]]
    error = worse.std(axis=0) / np.sqrt(len(worse))
    return max(
        share for share, near in zip(SHARES, worse.mean(axis=0) <= error, strict=True) if near
    )
