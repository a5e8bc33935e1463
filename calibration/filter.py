"""A particle filter over the dates of figures, for pairs of parameters and luck.

Luck before and after the date of a figure have numbers of their own. Rows of the prior are weighted
by the figures of the first date and resampled; their children get fresh luck from the next quarter
on and are run again from the start, and so on to the last date. No state is stored: a row is
a vector of parameters and some luck numbers, and every figure weighs it once.

At the end rows move, so that few stand there twice: a part of a row is drawn anew, the row is run
again, and the new one takes the place of the old one with probability min(1, L'/L), L being the
likelihood of all figures so far, which leaves the posterior as it is (Metropolis et al. 1953;
Gilks & Berzuini 2001). Parameters are standard normal numbers. In the directions that figures
tell something of (`calibration.learned`) they move by a step β of Crank–Nicolson,
z' = √(1-β²) z + β ξ, which keeps the prior as it is for any number of parameters (Cotter et al.
2013); in all others, which no figure reaches, in the same way with a step of their own, at first 1:
a draw from the prior (Cui, Law & Marzouk 2016). Where the figures of a date would leave next to
no row in effect, they are let in by degrees, with a move between them (Del Moral, Doucet & Jasra
2006).

Rows live on islands that never mix. How far the means of the islands lie apart says how many
independent rows the posterior is worth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecosystem.inputs.calendar import period_label
from ecosystem.maths.arrays import Array

ISLANDS = 4
"""Parts that never mix; with fewer their distance says nothing, with more each is small."""
LEFT = 0.02
"""Share of the rows that a weighting must leave in effect, some hundreds of many thousand."""
LAST_MOVES = 4
"""Moves of every row at the end, so that few stand there twice."""
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
Progress = Callable[[str, float], None]
"""Takes what is at work, and the share of the work that is done."""


@dataclass(frozen=True)
class Rows:
    """Pairs of parameters and luck, all of one weight; islands lie one after the other.

    Parameters
    ----------
    normal : ndarray, shape (rows, parameters)
        Parameters as normal numbers.
    luck : ndarray of int, shape (rows, stages)
        Luck from the start, and from the quarter after each date but the last.
    log_likelihood : ndarray, shape (rows, figures)
        Of each figure at each row.
    """

    normal: Array
    luck: Lucks
    log_likelihood: Array

    def take(self, places: NDArray[np.intp]) -> Rows:
        """Return some of the rows, some of them more than once."""
        return Rows(self.normal[places], self.luck[places], self.log_likelihood[places])

    def weighted(self, weights: Array) -> Array:
        """Return the log-likelihood of figures of these weights, 0 to 1, (rows,)."""
        return np.where(weights > 0, self.log_likelihood, 0.0) @ weights


@dataclass(frozen=True)
class Stage:
    """What happened at a date.

    Parameters
    ----------
    period : int
        Quarter of the figures.
    figures : int
        Their number.
    plain : float
        Rows that would have been left in effect, had all of them been weighed at once.
    degrees : int
        Steps in which they were let in, each of which left at least half of the rows.
    accepted : tuple of float
        Share of the moves of each of `BLOCKS` that were taken.
    """

    period: int
    figures: int
    plain: float
    degrees: int
    accepted: tuple[float, ...]


def joined(batches: Sequence[Rows]) -> Rows:
    """Return the rows of all batches as one."""
    return Rows(
        np.concatenate([rows.normal for rows in batches]),
        np.concatenate([rows.luck for rows in batches]),
        np.concatenate([rows.log_likelihood for rows in batches]),
    )


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
    weights: Array,
    likelihood: Likelihood,
    basis: Array,
    steps: Array,
    rng: np.random.Generator,
) -> tuple[Rows, Array]:
    """Propose a change to every row and keep what figures of these weights let pass.

    Returns
    -------
    Rows
        The rows after the move.
    ndarray, shape (2, blocks)
        Moves taken and proposed, by what was drawn anew.
    """
    normal, luck, block = proposed(rows, basis, steps, rng)
    new = Rows(normal, luck, likelihood(normal, luck))
    old = rows.weighted(weights)
    passed = np.log(rng.random(len(old))) < new.weighted(weights) - old
    count = [
        np.bincount(block[passed], minlength=len(BLOCKS)),
        np.bincount(block, minlength=len(BLOCKS)),
    ]
    pick = passed[:, None]
    after = Rows(
        np.where(pick, new.normal, rows.normal),
        np.where(pick, new.luck, rows.luck),
        np.where(pick, new.log_likelihood, rows.log_likelihood),
    )
    return after, np.array(count)


def filtered(
    prior: Rows,
    likelihood: Likelihood,
    periods: NDArray[np.int_],
    basis: Array,
    number: int,
    kept: int,
    seed: int = 1,
    progress: Progress = lambda words, done: None,
) -> tuple[Rows, tuple[Stage, ...]]:
    """Take rows of the prior to the posterior.

    Parameters
    ----------
    prior : Rows
        Drawn from the prior, each with one luck number, and run.
    likelihood : callable
        Runs rows; see `Likelihood`.
    periods : ndarray of int, shape (figures,)
        Quarter of each figure.
    basis : ndarray, shape (parameters, directions)
        Orthonormal directions that figures tell something of.
    number, kept : int
        Rows on the way and at the end, rounded down to multiples of `ISLANDS`.
    seed : int
        Of resampling and moves.
    progress : callable
        Called with the quarter and the share of all dates that is done.

    Returns
    -------
    Rows
        The posterior.
    tuple of Stage
        What happened on the way, a date each.

    Raises
    ------
    FloatingPointError
        Too few rows are within the ceilings.
    """
    number, kept = number - number % ISLANDS, kept - kept % ISLANDS
    rows, stages, dates = prior, list[Stage](), np.unique(periods)
    rng, steps = np.random.default_rng([seed, number]), np.array(FIRST_STEPS)
    for done, date in enumerate(dates):
        now, before, last = periods == date, periods < date, date == dates[-1]
        plain = effective_rows(rows.weighted(now))
        power, degrees, moves = 0.0, 0, np.zeros((2, len(BLOCKS)))
        while power < 1:
            weigh = rows.weighted(now)
            gain = degree(weigh, LEFT * number, 1 - power)
            power, degrees = power + gain, degrees + 1
            at_end = last and power == 1
            rows = rows.take(resampled(gain * weigh, kept if at_end else number, rng))
            progress(period_label(int(date)), (done + power) / (len(dates) + 1))
            for _ in range(LAST_MOVES if at_end else int(power < 1)):
                rows, taken = moved(rows, before + power * now, likelihood, basis, steps, rng)
                moves += taken
                share = taken[0] / np.maximum(taken[1], 1)
                steps = np.clip(steps * np.exp(share - ACCEPTED)[:2], SMALLEST_STEP, 1.0)
        accepted = tuple(float(share) for share in moves[0] / np.maximum(moves[1], 1))
        stages.append(Stage(int(date), int(now.sum()), plain, degrees, accepted))
        if not last:  # children: fresh luck from the next quarter on
            luck = np.column_stack([rows.luck, rng.integers(LUCKS, size=number)])
            rows = Rows(rows.normal, luck, likelihood(rows.normal, luck))
    return rows, tuple(stages)
