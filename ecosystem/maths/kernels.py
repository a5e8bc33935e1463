"""Closed forms: the mathematics of the model apart from its meaning.

All functions are pure and work on arrays whose first axis is the runs'. Sums run over a run's own
axis only, so a run gives the same bits alone and in a batch of any size.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecosystem.maths.clearing import (
    clear,
    first_free,
    match,
    power,
    redistribute,
    segment_share,
    segment_sum,
    softmax,
    spread,
)
from ecosystem.maths.compiled import kernel
from ecosystem.maths.scalars import poisson_count

__all__ = [
    "HOURS",
    "ar1_step",
    "armington_share",
    "bass_step",
    "break_even_use",
    "clear",
    "discount_factor",
    "first_free",
    "gini",
    "herfindahl",
    "logistic_step",
    "match",
    "poisson_inverse",
    "present_value_factor",
    "profitability",
    "redistribute",
    "segment_share",
    "segment_sum",
    "shannon",
    "softmax",
    "spread",
    "theil",
    "theil_between_within",
    "wright",
]

Floats = NDArray[np.float64]

HOURS = 2190.0  # hours in a quarter
_QUARTER = 0.25  # years
_YUAN = 1e6  # ¥ in a million ¥


def poisson_inverse(uniform: Floats, mean: Floats) -> Floats:
    """Poisson counts by inversion, so that policies can share the uniform numbers.

    Parameters
    ----------
    uniform : array of numbers in [0, 1).
    mean : expected counts, none negative; broadcastable to `uniform`.

    Returns
    -------
    Whole numbers as float64, not decreasing in either argument: the smallest count whose
    cumulative probability exceeds the uniform number. Above a mean of 50 the normal approximation
    with its skewness term is rounded instead: off by one in fewer than one draw in a hundred. A
    mean that is not a number gives a count that is not a number.

    Notes
    -----
    Devroye (1986), "Non-uniform random variate generation", X.3.3; Cornish and Fisher (1938).
    """
    draw, rate = np.broadcast_arrays(uniform, mean)
    return poisson_counts(draw.ravel(), rate.ravel()).reshape(draw.shape)


@kernel
def poisson_counts(uniform: Floats, mean: Floats) -> Floats:
    """Return the `poisson_count` of each pair of numbers."""
    counts = np.zeros_like(uniform)
    for i in range(len(uniform)):
        counts[i] = poisson_count(uniform[i], mean[i])
    return counts


def bass_step(
    adopted: Floats,
    innovation: Floats,
    imitation: Floats,
    years: float = _QUARTER,
) -> Floats:
    r"""Take one exact step of Bass diffusion, :math:`\dot y = (\pi + q y)(1 - y)`.

    With :math:`E = e^{-(\pi+q)t}`:
    :math:`y' = [(\pi+q)y + \pi(1-y)(1-E)]/[\pi + q - q(1-y)(1-E)]`, so steps of any length
    compose. :math:`\pi = 0` is the logistic, :math:`q = 0` exponential saturation.

    Parameters
    ----------
    adopted : share of potential adopters that have adopted, 0 to 1.
    innovation, imitation : :math:`\pi` and :math:`q`, per year, none negative.
    years : length of the step.

    Returns
    -------
    Share after the step, 0 to 1 and never lower; nothing starts from zero without innovation.

    Notes
    -----
    Bass (1969), "A new product growth for model consumer durables".
    """
    both = innovation + imitation
    gone = -np.expm1(-both * years) * (1.0 - adopted)
    whole = both - imitation * gone
    reached = (both * adopted + innovation * gone) / np.where(whole > 0.0, whole, 1.0)
    return np.where(whole > 0.0, np.clip(reached, adopted, 1.0), adopted)


def logistic_step(adopted: Floats, rate: Floats | float, years: float = _QUARTER) -> Floats:
    r"""Take one exact step of the logistic, :math:`y' = y/(y + (1-y)e^{-rt})`.

    Parameters
    ----------
    adopted : share, 0 to 1.
    rate : per year.
    years : length of the step.

    Returns
    -------
    Share after the step, 0 to 1.

    Notes
    -----
    Verhulst (1838); Mansfield (1961), "Technical change and the rate of imitation".
    """
    return adopted / (adopted + (1.0 - adopted) * np.exp(-np.multiply(rate, years)))


def wright(cumulative: Floats, initial_cumulative: Floats, exponent: Floats | float) -> Floats:
    r"""Cost relative to the start after learning by doing, :math:`(X/X_0)^{-b}`.

    Parameters
    ----------
    cumulative, initial_cumulative : output so far and at the start, one unit, above zero.
    exponent : :math:`b`; each doubling takes :math:`1 - 2^{-b}` off the cost.

    Returns
    -------
    Cost relative to the start, without unit.

    Notes
    -----
    Wright (1936), "Factors affecting the cost of airplanes".
    """
    return power(cumulative / initial_cumulative, -np.asarray(exponent))


def armington_share(
    weight: Floats | float, relative_cost: Floats, elasticity: Floats | float
) -> Floats:
    r"""Share of local supply, :math:`\omega c^{1-\sigma}/(\omega c^{1-\sigma} + 1 - \omega)`.

    Parameters
    ----------
    weight : :math:`\omega`, the local share at equal cost, 0 to 1.
    relative_cost : local over outside delivered cost, above zero.
    elasticity : :math:`\sigma` of substitution between local and outside supply.

    Returns
    -------
    Local share of spending, 0 to 1.

    Notes
    -----
    Armington (1969), "A theory of demand for products distinguished by place of production".
    """
    local = weight * power(relative_cost, 1.0 - np.asarray(elasticity))
    return local / (local + 1.0 - weight)


def discount_factor(rate: Floats | float, years: Floats | float) -> Floats:
    r"""Value today of one that comes in some years, :math:`(1 + r)^{-t}`.

    Parameters
    ----------
    rate : discount rate per year.
    years : time until it comes; any shapes that broadcast.
    """
    return np.exp(-np.asarray(years) * np.log1p(rate))


def present_value_factor(
    interest: Floats | float, depreciation: Floats | float, price_decline: Floats | float = 0.0
) -> Floats:
    r"""Years of today's income that an asset is worth.

    :math:`a = 1/(r + \vartheta\gamma + 4\delta)`, the asset decaying at :math:`4\delta` a year.

    Parameters
    ----------
    interest : :math:`r` per year.
    depreciation : :math:`\delta` per quarter.
    price_decline : the price fall per year that is foreseen, :math:`\vartheta\gamma`.

    Returns
    -------
    Present value of an income of one a year that decays with the asset and the price, in years.
    """
    return np.divide(1.0, interest + price_decline + 4.0 * depreciation)


def profitability(
    price: Floats,
    variable_cost: Floats,
    use: Floats,
    capital_cost: Floats,
    maintenance: Floats,
    income_factor: Floats,
    upkeep_factor: Floats,
    subsidy: Floats | float = 0.0,
) -> Floats:
    r"""Present value of a centre's income per yuan of capital, without a floor.

    :math:`\Pi = [(p - c)\,u\,4H\,a - \mathrm{OM}\,a_0]/[\mathrm{capex}(1 - s)]`.

    Parameters
    ----------
    price, variable_cost : ¥/PFh.
    use : expected contracted use, 0 to 1.
    capital_cost : M¥/P.
    maintenance : M¥/P a year.
    income_factor : :math:`a(r, \vartheta\gamma)` in years, see `present_value_factor`.
    upkeep_factor : :math:`a(r, 0)` in years.
    subsidy : share of the capital cost that is paid by others, below 1.

    Returns
    -------
    Profitability index, without unit; 1 covers the full cost.
    """
    income = (price - variable_cost) * use * (4.0 * HOURS / _YUAN) * income_factor
    return (income - maintenance * upkeep_factor) / (capital_cost * (1.0 - subsidy))


def break_even_use(
    price: Floats,
    variable_cost: Floats,
    capital_cost: Floats,
    maintenance: Floats,
    income_factor: Floats,
    upkeep_factor: Floats,
    subsidy: Floats | float = 0.0,
) -> Floats:
    r"""Use at which `profitability` is one (same parameters and units).

    :math:`u_{be} = [\mathrm{capex}(1 - s) + \mathrm{OM}\,a_0]/[4H(p - c)a]`; infinite or negative
    where the price does not exceed the variable cost.
    """
    margin = (price - variable_cost) * (4.0 * HOURS / _YUAN) * income_factor
    return (capital_cost * (1.0 - subsidy) + maintenance * upkeep_factor) / margin


def ar1_step(
    previous: Floats, shock: Floats, persistence: Floats | float, sd: Floats | float
) -> Floats:
    r"""Take one step of a stationary AR(1), :math:`x' = \rho x + \sigma\sqrt{1-\rho^2}\,\epsilon`.

    Parameters
    ----------
    previous : current value.
    shock : standard normal numbers.
    persistence : :math:`\rho`, between -1 and 1.
    sd : stationary standard deviation :math:`\sigma`, in the unit of `previous`.

    Returns
    -------
    Next value, in the same unit.
    """
    innovation = np.sqrt(1.0 - np.square(persistence))
    return persistence * previous + sd * innovation * shock


def herfindahl(shares: Floats) -> Floats:
    """Herfindahl–Hirschman concentration, the sum of squared shares, over the last axis.

    `shares` is (R, n) and sums to one; the result (R,) lies between 1/n and 1.
    """
    return (shares * shares).sum(axis=-1)


def shannon(shares: Floats) -> Floats:
    """Shannon's entropy over the last axis, -sum s ln s (Shannon 1948).

    `shares` is (R, n) and sums to one; the result (R,) lies between 0 and ln n.
    """
    return -_times_log(shares, shares).sum(axis=-1)


def theil(values: Floats, weights: Floats) -> Floats:
    r"""Theil's inequality :math:`T = \sum_i s_i \ln(s_i/w_i)` over the last axis.

    Parameters
    ----------
    values : (R, n) total that each place holds (not per head), none negative.
    weights : (n,) or (R, n) weight of each place, such as its people, above zero.

    Returns
    -------
    (R,) inequality per head: 0 where all are equal, ln n where one of n equal places has all;
    0 where there is nothing to hold.

    Notes
    -----
    Theil (1967), "Economics and information theory".
    """
    held, people = _parts(values), _parts(weights)
    return _times_log(held, held / people).sum(axis=-1)


def theil_between_within(
    values: Floats, weights: Floats, group: NDArray[np.intp]
) -> tuple[Floats, Floats]:
    r"""Split `theil` into inequality between groups and within them; the two add up to it.

    Parameters
    ----------
    values, weights : as for `theil`.
    group : (n,) group of each place, numbered from 0.

    Returns
    -------
    between, within : (R,) each; :math:`\sum_g s_g \ln(s_g/w_g)` and
    :math:`\sum_g s_g T_g`.
    """
    held, people = _parts(values), _parts(weights)
    member = (group == np.arange(group.max() + 1)[:, np.newaxis]).astype(float)
    of_group = np.matvec(member, held)
    ratio = of_group / np.matvec(member, people)
    between = _times_log(of_group, ratio).sum(axis=-1)
    relative = np.take(np.where(ratio > 0.0, ratio, 1.0), group, axis=-1)
    return between, _times_log(held, held / people / relative).sum(axis=-1)


def gini(values: Floats, weights: Floats) -> Floats:
    r"""Gini coefficient :math:`\frac12\sum_{ij}|s_i w_j - s_j w_i|` over the last axis.

    Parameters and zero case as for `theil`. Returns (R,): 0 where all are equal, (n-1)/n where
    one of n equal places has all. All pairs are compared, so keep n short (prefectures).

    Notes
    -----
    Gini (1912), as half the relative mean difference.
    """
    held, people = np.broadcast_arrays(_parts(values), _parts(weights))
    pairs = held[..., :, np.newaxis] * people[..., np.newaxis, :]
    return 0.5 * np.abs(pairs - np.swapaxes(pairs, -1, -2)).sum(axis=(-2, -1))


def _parts(values: ArrayLike) -> Floats:
    """Shares along the last axis; zeros where there is nothing to share."""
    amounts = np.asarray(values, dtype=float)
    total = amounts.sum(axis=-1, keepdims=True)
    return amounts / np.where(total > 0.0, total, 1.0)


def _times_log(factor: Floats, values: Floats) -> Floats:
    """Multiply a factor with a logarithm, and take zero times ln zero as zero."""
    return factor * np.log(np.where(values > 0.0, values, 1.0))
