"""Rulers: forecasts that anybody could have made from the figures known at a day.

A ruler takes the known figures of one series and gives the log of what it expects; NaN where it
asks for more than is known. Its width comes from its own past errors (`expect`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from scipy.stats import t as student

from ecosystem.maths.arrays import Array

SPREAD, FREEDOM = 0.2, 2
"""Error in logs that a ruler is given a year ahead before it has any error of its own, and the
number of errors that this counts for. Assumed: a factor 1.8 either way at nine tenths."""
RECENT = 0.25
"""Years added to every distance: the last figure has an error, too, and two readings of the hub a
week apart differ by a tenth."""
CEILING = 10.0
"""What the limit of a logistic may be at most, over the highest figure. Assumed."""
MEMBERS = (np.arange(99) + 0.5) / 99
"""Shares at which the distribution of a ruler becomes an ensemble."""


@dataclass(frozen=True)
class Known:
    """What is known of one series at a day.

    Parameters
    ----------
    years, logs
        When figures are about, in years and rising, and their logs, (figures,) each.
    nation, plan
        Published path of the nation and the newest plan for the series: years and logs, (2, points)
        each; no points where none was known.
    """

    years: Array
    logs: Array
    nation: Array
    plan: Array


Ruler = Callable[[Known, Array], Array]
"""From what is known and the years asked for, (dates,), to the log of what is expected."""


def no_change(known: Known, years: Array) -> Array:
    """Return the last figure."""
    return np.full(years.shape, known.logs[-1])


def linear_trend(known: Known, years: Array) -> Array:
    """Return the last figure and its mean rise, by least squares, from there; one unit at least."""
    if known.years.size < 2:
        return np.full(years.shape, np.nan)
    values = np.exp(known.logs)
    rise = np.polyfit(known.years - known.years[-1], values, 1)[0]
    return np.log(np.maximum(values[-1] + rise * (years - known.years[-1]), 1.0))


def exponential_trend(known: Known, years: Array) -> Array:
    """Return the last figure and its mean growth, by least squares of the logs, from there."""
    if known.years.size < 2:
        return np.full(years.shape, np.nan)
    growth = np.polyfit(known.years - known.years[-1], known.logs, 1)[0]
    return known.logs[-1] + growth * (years - known.years[-1])


def logistic(known: Known, years: Array) -> Array:
    """Return least squares, in logs, of growth to a limit; asks for four figures."""
    if known.years.size < 4:
        return np.full(years.shape, np.nan)
    origin, top = known.years[-1], known.logs.max()

    def curve(values: Array, at: Array) -> Array:
        limit, rate, middle = values
        return limit - np.logaddexp(0.0, -rate * (at - origin - middle))

    def errors(values: Array) -> Array:
        return curve(values, known.years) - known.logs

    bounds = [top, 0.0, -30.0], [top + np.log(CEILING), 5.0, 30.0]
    found = least_squares(errors, x0=[top + np.log(2.0), 0.3, 0.0], bounds=bounds)
    return curve(found.x, years)


def first_order(known: Known, years: Array) -> Array:
    """Return an autoregression of first order of the logs, AR(1); asks for four figures.

    Figures are put on a grid of their median distance, linear in between. Persistence stays between
    0 and 1; at 1 the series drifts on as it did in the mean.
    """
    if known.years.size < 4:
        return np.full(years.shape, np.nan)
    strides = (known.years[-1] - known.years[0]) / np.median(np.diff(known.years))
    count = max(round(float(strides)), 3)
    grid = np.linspace(known.years[0], known.years[-1], count + 1)
    values = np.interp(grid, known.years, known.logs)
    before, after = values[:-1] - values[:-1].mean(), values[1:] - values[1:].mean()
    spread = max(float(before @ before), 1e-12)
    persistence = float(np.clip(float(before @ after) / spread, 0.0, 1.0))
    constant = float(np.mean(values[1:] - persistence * values[:-1]))
    ahead = [values[-1]]
    steps = np.maximum((years - grid[-1]) / (grid[1] - grid[0]), 0.0)
    for _ in range(int(np.ceil(steps.max(initial=0.0)))):
        ahead.append(constant + persistence * ahead[-1])
    return np.interp(steps, np.arange(len(ahead)), ahead)


def constant_share(known: Known, years: Array) -> Array:
    """Return the last figure grown as the nation was forecast to; asks for that forecast."""
    ahead, values = known.nation
    if ahead.size < 2:
        return np.full(years.shape, np.nan)
    return (
        known.logs[-1] + extended(years, ahead, values) - extended(known.years[-1:], ahead, values)
    )


def published_plan(known: Known, years: Array) -> Array:
    """Return the way from the last figure to the newest plan, and the plan after its last date."""
    ahead, values = known.plan
    later = ahead > known.years[-1]
    if not later.any():
        return np.full(years.shape, np.nan)
    return np.interp(
        years,
        np.append(known.years[-1], ahead[later]),
        np.append(known.logs[-1], values[later]),
    )


RULERS: dict[str, Ruler] = {
    "no_change": no_change,
    "linear_trend": linear_trend,
    "exponential_trend": exponential_trend,
    "logistic": logistic,
    "first_order": first_order,
    "constant_share": constant_share,
    "published_plan": published_plan,
}
"""By the name under which records have them."""


def extended(years: Array, points: Array, values: Array) -> Array:
    """Return values between points, on both sides going on as between the two points there."""
    found = np.interp(years, points, values)
    for outside, one, two in ((years < points[0], 0, 1), (years > points[-1], -1, -2)):
        slope = (values[one] - values[two]) / (points[one] - points[two])
        found = np.where(outside, values[one] + slope * (years - points[one]), found)
    return found


def distance(known: Known, years: Array) -> Array:
    """Return how far ahead of the last figure a forecast looks, in years."""
    return np.maximum(years - known.years[-1], 0.0) + RECENT


def own_errors(ruler: Ruler, known: Known, earlier: Sequence[Known]) -> Array:
    """Return a ruler's mean squared error, by year ahead, at each earlier origin, (origins,)."""
    found = []
    for then in earlier:
        later = known.years > then.years[-1]
        if later.any():
            error = ruler(then, known.years[later]) - known.logs[later]
            found.append(np.mean(error**2 / distance(then, known.years[later])))
    return np.array([error for error in found if np.isfinite(error)])


def expect(ruler: Ruler, known: Known, earlier: Sequence[Known], years: Array) -> Array:
    """Return the forecast of a ruler as an ensemble.

    The log error is Student's t around what the ruler expects. Its square grows with the distance
    ahead at the mean rate of the ruler's own errors at earlier origins, to which `SPREAD` adds as
    `FREEDOM` errors: with few figures the assumption rules and tails are long.

    Parameters
    ----------
    ruler
        One of `RULERS`.
    known
        Figures known at the origin, one at least.
    earlier
        What was known at earlier origins.
    years
        Dates asked for, (dates,).

    Returns
    -------
    ndarray, shape (dates, members)
        Logs; NaN where the ruler asks for more than is known.
    """
    errors = own_errors(ruler, known, earlier)
    freedom = FREEDOM + errors.size
    variance = (FREEDOM * SPREAD**2 + errors.sum()) / freedom
    spread = np.sqrt(variance * distance(known, years))
    middle = ruler(known, years)
    return middle[:, None] + spread[:, None] * student.ppf(MEMBERS, freedom)
