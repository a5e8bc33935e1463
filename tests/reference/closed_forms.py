"""Closed forms of the model for single numbers, written from the text of the model."""

from __future__ import annotations

import math
from statistics import NormalDist


def ratio(top: float, bottom: float, empty: float = 0.0) -> float:
    """Return top/bottom, or `empty` where there is nothing to divide by."""
    return top / bottom if bottom > 0 else empty


def logistic(x: float) -> float:
    """Return 1/(1 + e^-x) without overflow."""
    if x >= 0:
        return 1 / (1 + math.exp(-x))
    return math.exp(x) / (1 + math.exp(x))


def match(demand: float, capacity: float, exponent: float) -> float:
    """Return d c/(d^r + c^r)^(1/r), from the ratio x = d/c or its inverse (section 2)."""
    if demand <= 0 or capacity <= 0:
        return 0.0
    small, large = sorted((demand, capacity))
    return small / (1 + (small / large) ** exponent) ** (1 / exponent)


def logit_shares(utilities: list[float]) -> list[float]:
    """Return the shares of a multinomial logit; minus infinity closes an alternative."""
    best = max(utilities)
    if best == -math.inf:
        return [0.0 for _ in utilities]
    weights = [math.exp(u - best) for u in utilities]
    return [w / sum(weights) for w in weights]


def shares(weights: list[float]) -> list[float]:
    """Return each weight over their sum; zeros where there is no weight."""
    whole = sum(weights)
    return [ratio(w, whole) for w in weights]


def clear(
    capacity: list[float], offer: list[float], demand: float, width: float, passes: int = 200
) -> list[float]:
    """Return what each centre sells in the smooth merit order, by bisection.

    q_i = C_i s((x - m_i)/w) with x such that the sum is min(demand, sum of C). At
    x = m + w logit(share) an offer of m is taken in the share that is wanted, so the cheapest
    and the dearest offer bracket x.
    """
    whole = sum(capacity)
    wanted = min(max(demand, 0.0), whole)
    if wanted <= 0:
        return [0.0 for _ in capacity]
    if wanted >= whole:
        return list(capacity)

    def sold(x: float) -> list[float]:
        return [c * logistic((x - m) / width) for c, m in zip(capacity, offer, strict=True)]

    middle = width * math.log(wanted / (whole - wanted))
    low, high = min(offer) + middle, max(offer) + middle
    for _ in range(passes):
        x = (low + high) / 2
        if x in (low, high):  # no number lies between
            break
        if sum(sold(x)) < wanted:
            low = x
        else:
            high = x
    quantity = sold((low + high) / 2)
    scale = min(wanted / sum(quantity), 1.0)
    quantity = [min(q * scale, c) for q, c in zip(quantity, capacity, strict=True)]
    rest = wanted - sum(quantity)
    slack = [c - q for q, c in zip(quantity, capacity, strict=True)]
    if rest > 0 and sum(slack) > 0:
        quantity = [q + rest * s / sum(slack) for q, s in zip(quantity, slack, strict=True)]
    return [min(q, c) for q, c in zip(quantity, capacity, strict=True)]


def poisson(uniform: float, mean: float) -> float:
    """Return the Poisson count of a uniform number by inversion; normal above a mean of 50."""
    if mean > 50:
        z = NormalDist().inv_cdf(max(uniform, 2.2250738585072014e-308))
        return max(float(round(mean + math.sqrt(mean) * z + (z * z - 1) / 6)), 0.0)
    count, term = 0, math.exp(-mean)
    cumulative = term
    while uniform >= cumulative and count < 159:
        count += 1
        term *= mean / count
        cumulative += term
    return float(count)


def autoregress(previous: float, luck: float, persistence: float, sd: float) -> float:
    """Return the next value of a stationary AR(1) with standard deviation `sd`."""
    return persistence * previous + sd * math.sqrt(1 - persistence**2) * luck


def worth(interest: float, depreciation: float, price_fall: float) -> float:
    """Return a = 1/(r + theta gamma + 4 delta), years of income (section 11)."""
    return 1 / (interest + price_fall + 4 * depreciation)


def profitability(
    p,
    *,
    price: float,
    variable_cost: float,
    use: float,
    capital: float,
    upkeep: float,
    depreciation: float,
    price_fall: float,
    subsidy: float = 0.0,
) -> float:
    """Return the index of profitability, floored; `upkeep` in M¥/P a year, prices in yuan/PFh."""
    hours_a_year = 8760.0
    income = (price - variable_cost) * use * hours_a_year / 1e6
    value = income * worth(p.interest_rate, depreciation, price_fall)
    value -= upkeep * worth(p.interest_rate, depreciation, 0.0)
    return max(value / (capital * (1 - subsidy)), p.profit_floor)


def expected_use(p, use: float, growth: float) -> float:
    """Return own use blended with the hype that all investors share."""
    hyped = min(1.0, p.target_use * (1 + p.hype * growth))
    return p.use_weight * use + (1 - p.use_weight) * hyped
