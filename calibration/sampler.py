"""A sampler that takes pairs of parameters and luck from the prior to the posterior by degrees.

Rows drawn from the prior are weighed by a small power of the likelihood of all figures, resampled
and moved, and so on with larger powers up to 1 (Neal 2001; Del Moral, Doucet & Jasra 2006). Each
power is the largest that leaves enough rows in effect, so that no step makes the rows children of
a few. A move draws a part of a row anew and runs the row again; the new one takes the place of the
old one with probability min(1, L'/L), L being the likelihood to the power reached, which leaves
the distribution as it is (Metropolis et al. 1953).

Luck has a number for every stretch of time between two dates of figures, so that a part of it can
be drawn anew while the rest stays. Parameters are standard normal numbers. In the directions that
figures tell something of (`calibration.learned`) they move by a step β of Crank–Nicolson,
z' = √(1-β²) z + β ξ, which keeps the prior as it is for any number of parameters (Cotter et al.
2013); in all others, which no figure reaches, in the same way with a step of their own, at first 1:
a draw from the prior (Cui, Law & Marzouk 2016). No state is stored: a row is a vector of
parameters and some luck numbers.

Rows live on islands that never mix. How far the means of the islands lie apart says how many
independent rows the posterior is worth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecosystem.maths.arrays import Array

ISLANDS = 4
"""Parts that never mix; with fewer their distance says nothing, with more each is small."""
LEFT = 0.5
"""Share of the rows that a step to the next power leaves in effect; .5 to .9 are usual."""
MOVES, LAST_MOVES = 2, 6
"""Moves of every row after each step, and at the end."""
ACCEPTED = 0.3
"""Share of proposals that steps are tuned to take; .2 to .4 do equally well."""
FIRST_STEPS, SMALLEST_STEP = (0.5, 1.0), 0.02
"""Steps of what figures tell and of what they do not: the latter is a draw from the prior."""
LUCKS = 2**31
"""Luck numbers are drawn below this."""
BLOCKS = ("learned", "not learned", "luck")
"""What is drawn anew in a move; which of them, each row draws."""

Lucks = NDArray[np.int64]
Likelihood = Callable[[Array, Lucks], Array]
"""From parameters (rows, parameters) and luck (rows, stages) to the log-likelihood of each figure,
(rows, figures); minus infinity where a row breaks a ceiling."""
Progress = Callable[[float], None]
"""Takes the power that is reached."""


@dataclass(frozen=True)
class Rows:
    """Pairs of parameters and luck, all of one weight; islands lie one after the other.

    Parameters
    ----------
    normal : ndarray, shape (rows, parameters)
        Parameters as normal numbers.
    luck : ndarray of int, shape (rows, stages)
        Luck from the start, and from the quarter after each date of figures but the last.
    log_likelihood : ndarray, shape (rows, figures)
        Of each figure at each row.
    """

    normal: Array
    luck: Lucks
    log_likelihood: Array

    def take(self, places: NDArray[np.intp]) -> Rows:
        """Return some of the rows, some of them more than once."""
        return Rows(self.normal[places], self.luck[places], self.log_likelihood[places])

    @property
    def total(self) -> Array:
        """Return the log-likelihood of all figures, (rows,)."""
        return self.log_likelihood.sum(axis=1)


@dataclass(frozen=True)
class Stage:
    """What happened up to a power of the likelihood.

    Parameters
    ----------
    power : float
        Power of the likelihood that was reached.
    effective : float
        Rows that were left in effect before they were resampled.
    accepted : tuple of float
        Share of the moves of each of `BLOCKS` that were taken.
    steps : tuple of float
        Steps of what figures tell and of what they do not, after the moves.
    """

    power: float
    effective: float
    accepted: tuple[float, ...]
    steps: tuple[float, ...]


def effective_rows(log_weights: Array) -> float:
    """Return the number of rows that are in effect under weights: (Σw)² / Σw²."""
    if not np.isfinite(log_weights).any():
        return 0.0
    weights = np.exp(log_weights - log_weights.max())
    return float(weights.sum() ** 2 / (weights**2).sum())


def worth(values: Array) -> float:
    """Return how many independent rows the rows of all islands are worth.

    The variance of a mean over n independent rows is an n-th of theirs; that of the islands' means
    says how many there are.

    Parameters
    ----------
    values : ndarray, shape (rows, quantities)
        What is to be known of the rows; the ratio of variances is averaged over it.
    """
    means = values.reshape(ISLANDS, -1, values.shape[1]).mean(axis=1)
    varied = values.var(axis=0) > 0
    ratio = means.var(axis=0, ddof=1)[varied] / values.var(axis=0)[varied]
    return float(min(len(values), ISLANDS / ratio.mean())) if varied.any() else 0.0


def systematic(log_weights: Array, number: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return places of so many rows, each as often as its weight says, up to one.

    Kitagawa (1996).
    """
    weights = np.exp(log_weights - log_weights.max())
    ends = np.cumsum(weights) / weights.sum()
    marks = (np.arange(number) + rng.random()) / number
    return np.minimum(np.searchsorted(ends, marks), len(ends) - 1)


def resampled(log_weights: Array, number: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return places of so many rows by weight, equally many from each island.

    Raises
    ------
    FloatingPointError
        On an island no row has a weight.
    """
    islands = np.array_split(np.arange(len(log_weights)), ISLANDS)
    if not all(np.isfinite(log_weights[island]).any() for island in islands):
        raise FloatingPointError("too few rows are within the ceilings to learn from")
    places = [isle[systematic(log_weights[isle], number // ISLANDS, rng)] for isle in islands]
    return np.concatenate(places)


def degree(log_weights: Array, left: float, most: float) -> float:
    """Return the largest power of weights, at most `most`, that leaves so many rows in effect."""
    if effective_rows(most * log_weights) >= left:
        return most
    low, high = 0.0, most
    for _ in range(40):
        middle = (low + high) / 2
        enough = effective_rows(middle * log_weights) >= left
        low, high = (middle, high) if enough else (low, middle)
    return high


def proposed(
    rows: Rows, basis: Array, steps: Array, rng: np.random.Generator
) -> tuple[Array, Lucks, NDArray[np.int_]]:
    """Draw a part of each row anew: parameters, luck, and which of `BLOCKS` it was."""
    luck, block = rows.luck.copy(), rng.integers(len(BLOCKS), size=len(rows.luck))
    learned = rows.normal @ basis @ basis.T
    parts, normal = [learned, rows.normal - learned], np.zeros_like(learned)
    noise = rng.standard_normal(rows.normal.shape)
    noises = [noise @ basis @ basis.T, noise - noise @ basis @ basis.T]
    for number, (part, fresh) in enumerate(zip(parts, noises, strict=True)):
        step = np.where(block == number, steps[number], 0.0)[:, None]
        normal = normal + np.sqrt(1 - step**2) * part + step * fresh
    lucky = np.flatnonzero(block == len(parts))
    stage = rng.integers(luck.shape[1], size=len(lucky))
    luck[lucky, stage] = rng.integers(LUCKS, size=len(lucky))
    return normal, luck, block


def moved(
    rows: Rows,
    power: float,
    likelihood: Likelihood,
    basis: Array,
    steps: Array,
    rng: np.random.Generator,
) -> tuple[Rows, Array]:
    """Propose a change to every row and keep what the likelihood to this power lets pass.

    Returns
    -------
    Rows
        The rows after the move.
    ndarray, shape (2, blocks)
        Moves taken and proposed, by what was drawn anew.
    """
    normal, luck, block = proposed(rows, basis, steps, rng)
    new = Rows(normal, luck, likelihood(normal, luck))
    passed = np.log(rng.random(len(block))) < power * (new.total - rows.total)
    count = [np.bincount(which, minlength=len(BLOCKS)) for which in (block[passed], block)]
    pick = passed[:, None]
    after = Rows(
        np.where(pick, new.normal, rows.normal),
        np.where(pick, new.luck, rows.luck),
        np.where(pick, new.log_likelihood, rows.log_likelihood),
    )
    return after, np.array(count)


def tempered(
    prior: Rows,
    likelihood: Likelihood,
    basis: Array,
    number: int,
    seed: int = 1,
    progress: Progress = lambda done: None,
) -> tuple[Rows, tuple[Stage, ...]]:
    """Take rows of the prior to the posterior.

    Parameters
    ----------
    prior : Rows
        Drawn from the prior, and run.
    likelihood : callable
        Runs rows; see `Likelihood`.
    basis : ndarray, shape (parameters, directions)
        Orthonormal directions that figures tell something of.
    number : int
        Rows of the posterior, rounded down to a multiple of `ISLANDS`.
    seed : int
        Of resampling and moves.
    progress : callable
        Called with the power that is reached, 0 to 1.

    Returns
    -------
    Rows
        The posterior.
    tuple of Stage
        What happened on the way, a power each.

    Raises
    ------
    FloatingPointError
        Too few rows are within the ceilings.
    """
    number -= number % ISLANDS
    rows, stages, power = prior, list[Stage](), 0.0
    rng, steps = np.random.default_rng([seed, number]), np.array(FIRST_STEPS)
    while power < 1:
        left = LEFT * min(number, np.isfinite(rows.total).sum())
        gain = degree(rows.total, left, 1 - power)
        effective, power = effective_rows(gain * rows.total), power + gain
        rows = rows.take(resampled(gain * rows.total, number, rng))
        moves = np.zeros((2, len(BLOCKS)))
        for _ in range(MOVES if power < 1 else LAST_MOVES):
            rows, taken = moved(rows, power, likelihood, basis, steps, rng)
            share = taken[0] / np.maximum(taken[1], 1)
            steps = np.clip(steps * np.exp(share - ACCEPTED)[:2], SMALLEST_STEP, 1.0)
            moves += taken
        accepted = tuple(float(share) for share in moves[0] / np.maximum(moves[1], 1))
        stages.append(Stage(power, effective, accepted, tuple(float(step) for step in steps)))
        progress(power)
    return rows, tuple(stages)
