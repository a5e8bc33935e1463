"""Who gets what: sums and shares of segments, logit, search friction, the smooth merit order.

A segment is a contiguous block of agents (the data centres of one prefecture and kind, the slots
of one cell). ``start`` holds the first index of each segment and ``segment`` the segment of each
agent; both are shared by all runs, and no segment is empty. The last axis is always the agents'
(or the segments'), so every reduction stays inside one run and a run gives the same bits alone
and in a batch.
"""

from math import exp, inf, log

import numpy as np
from numpy.typing import NDArray

from ecosystem.maths.compiled import equation, kernel
from ecosystem.maths.scalars import ratio

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

_WIDEST = 600.0  # widths above the cheapest offer; exp(+-600) keeps clear of overflow and denormals
_EDGE = 1e-10  # nearest that a used share comes to 0 or 1 while the marginal offer is sought
_STEP = 1e-5  # Newton's error is about the square of its last step
_FLAT = 1e-10  # lowest slope, against division by zero between offers far apart
_MOST_PASSES = 60  # bisection alone would get there; 4 to 7 passes are usual


def segment_sum(values: Floats, start: Integers) -> Floats:
    """Sum each segment of the last axis.

    Parameters
    ----------
    values : (R, N) array, any unit.
    start : (S,) first index of each segment, increasing from 0.

    Returns
    -------
    (R, S) array in the unit of `values`.
    """
    return np.add.reduceat(values, start, axis=-1)


def spread(values: Floats, segment: Integers) -> Floats:
    """Give every agent the value of its segment: (R, S) and (N,) to (R, N)."""
    return np.take(values, segment, axis=-1)


@kernel
def segment_share(weights: Floats, start: Integers, segment: Integers) -> Floats:
    """Share of each agent in its segment's weight.

    Parameters
    ----------
    weights : (R, N) array of weights, none negative.
    start, segment : (S,) first indices; (N,) segment of each agent.

    Returns
    -------
    (R, N) shares that sum to one in each segment; zeros where a segment has no weight.
    """
    shares = np.zeros_like(weights)
    for r in range(len(weights)):
        total = np.zeros(len(start))
        for i in range(len(segment)):
            total[segment[i]] += weights[r, i]
        for i in range(len(segment)):
            shares[r, i] = ratio(weights[r, i], total[segment[i]])
    return shares


def match(demand: Floats, capacity: Floats, exponent: Floats | float) -> Floats:
    r"""Matches between two sides that have to find each other.

    :math:`d c/(d^\rho + c^\rho)^{1/\rho} = c x/(1 + x^\rho)^{1/\rho}` with :math:`x = d/c`,
    computed from the ratio of the smaller to the larger side, which cannot overflow.

    Parameters
    ----------
    demand, capacity : broadcastable arrays of one unit, none negative.
    exponent : :math:`\rho > 0`; the higher, the less search friction (infinity: the minimum).

    Returns
    -------
    Matches in the same unit, at most the smaller side; zero where a side is zero.

    Notes
    -----
    Den Haan, Ramey and Watson (2000), "Job destruction and propagation of shocks".
    """
    smaller = np.minimum(demand, capacity)
    larger = np.maximum(demand, capacity)
    ratio = smaller / np.where(larger > 0.0, larger, 1.0)
    return smaller / power(1.0 + power(ratio, exponent), 1.0 / np.asarray(exponent))


def power(base: Floats, exponent: Floats | float) -> Floats:
    """Return base**exponent to bits that do not depend on the number of runs.

    NumPy takes short cuts (a square, a root) where one exponent serves a whole array, so a single
    run would differ from the same run among others.
    """
    bases, exponents = np.broadcast_arrays(base, exponent)
    return bases ** np.array(exponents, order="C")


def softmax(utility: Floats, axis: int = -1) -> Floats:
    r"""Logit shares :math:`e^{V_i}/\sum_j e^{V_j}` along an axis.

    Parameters
    ----------
    utility : array of utilities; minus infinity closes an alternative.
    axis : axis of the alternatives (never the runs').

    Returns
    -------
    Shares that sum to one, or zeros where every alternative is closed.

    Notes
    -----
    McFadden (1974), "Conditional logit analysis of qualitative choice behavior".
    """
    rows = np.moveaxis(utility, axis, -1)
    shares = logit(rows.reshape(-1, rows.shape[-1]))
    return np.moveaxis(shares.reshape(rows.shape), -1, axis)


@kernel
def logit(utility: Floats) -> Floats:
    """Return the shares of the alternatives of each row."""
    shares = np.zeros_like(utility)
    for i in range(len(utility)):
        best, whole = utility[i].max(), 0.0
        if best > -inf:
            for j in range(utility.shape[1]):
                shares[i, j] = exp(utility[i, j] - best)
                whole += shares[i, j]
            for j in range(utility.shape[1]):
                shares[i, j] /= whole
    return shares


def clear(
    capacity: Floats,
    offer: Floats,
    demand: Floats,
    width: Floats | float,
    start: Integers,
) -> Floats:
    r"""Serve demand in a smooth merit order, segment by segment.

    :math:`q_i = C_i \, \sigma((x - m_i)/w)` with one marginal offer :math:`x` a segment such that
    :math:`\sum q = \min(D, \sum C)`. A wide width serves all in proportion to capacity, a narrow
    one the cheapest first. The marginal offer is found by Newton's method on
    :math:`\operatorname{logit}(\sum q/\sum C)`, which is nearly straight in :math:`x/w`, inside a
    closed-form bracket.

    Parameters
    ----------
    capacity : (R, N) PFh that each centre can still sell, none negative.
    offer : (R, N) offers in ¥/PFh; those more than 600 widths above the cheapest count as tied.
    demand : (R, S) PFh wanted from each segment.
    width : width of the merit order in ¥/PFh, above zero; a number or one for each run, (R, 1).
    start : (S,) first index of each segment.

    Returns
    -------
    (R, N) PFh served, between 0 and capacity; a segment's sum meets min(demand, capacity) to
    rounding.

    Notes
    -----
    Wood's "allocate by priority" (Ventana Systems, Vensim reference manual) with a logistic
    profile. Jensen's inequality gives the bracket: with :math:`M = e^{m/w}` and capacity-weighted
    means E, the root lies between logit(share) - ln E[1/M] and logit(share) + ln E[M].
    """
    widths = np.broadcast_to(width, (len(capacity), 1))[:, 0]
    return cleared(capacity, offer, demand, widths, np.append(start, capacity.shape[1]))


@kernel
def cleared(
    capacity: Floats, offer: Floats, demand: Floats, width: Floats, bounds: Integers
) -> Floats:
    """Return what is served; segment s has the centres from bounds[s] to bounds[s + 1]."""
    served = np.zeros_like(capacity)
    able = np.empty(capacity.shape[1], np.int64)  # who of a segment has anything to sell
    room, dear, taken = np.empty((3, capacity.shape[1]))
    for r in range(len(capacity)):
        for s in range(len(bounds) - 1):
            cheapest, total, n = inf, 0.0, 0
            for i in range(bounds[s], bounds[s + 1]):
                if capacity[r, i] > 0:
                    able[n], room[n] = i, capacity[r, i]
                    cheapest = min(cheapest, offer[r, i])
                    total += capacity[r, i]
                    n += 1
            wanted = min(max(demand[r, s], 0.0), total)
            if wanted <= 0:
                continue
            if n == 1:
                served[r, able[0]] = wanted
                continue
            for j in range(n):
                dear[j] = exp(min((offer[r, able[j]] - cheapest) / width[r], _WIDEST))
            exp_marginal, sold = exp(marginal_offer(room[:n], dear[:n], wanted, total)), 0.0
            for j in range(n):
                taken[j] = room[j] * exp_marginal / (exp_marginal + dear[j])
                sold += taken[j]
            less = min(ratio(wanted, sold), 1.0)
            more = max(ratio(wanted - sold, total - sold), 0.0)
            for j in range(n):
                settled = taken[j] * less + (room[j] - taken[j]) * more
                served[r, able[j]] = min(settled, room[j])
    return served


@equation
def marginal_offer(capacity: Floats, exp_offer: Floats, wanted: float, total: float) -> float:
    """Return the offer, in widths, at which a segment sells what is wanted: bracketed Newton."""
    used = min(max(wanted / total, _EDGE), 1 - _EDGE)
    target = log(used / (1 - used))
    cheap = dear = 0.0
    for i in range(len(capacity)):
        cheap += capacity[i] / exp_offer[i]
        dear += capacity[i] * exp_offer[i]
    low, high = target - log(cheap / total), target + log(dear / total)
    marginal = low + used * (high - low)  # the ends are exact for an idle and for a full segment
    before, least = high - low, 0.5 * _EDGE * total
    if used <= _EDGE or used >= 1 - _EDGE:
        return marginal
    for _ in range(_MOST_PASSES):
        exp_marginal = exp(marginal)
        sold = slope = 0.0
        for i in range(len(capacity)):
            accepted = exp_marginal / (exp_marginal + exp_offer[i])
            sold += capacity[i] * accepted
            slope += capacity[i] * accepted * (1 - accepted)
        sold = max(sold, least)
        left = max(total - sold, least)
        gap = log(sold / left) - target
        low = marginal if gap < 0 else low
        high = marginal if gap > 0 else high
        step = -gap * (sold / total) * left / max(slope, _FLAT * least)
        if abs(step) > 0.5 * before:  # Newton does not halve its last step
            step = 0.5 * (low + high) - marginal
        before = abs(step)
        marginal = min(max(marginal + step, low), high)
        if before < _STEP or abs(gap) < _EDGE:
            break
    return marginal


@kernel
def redistribute(
    demand: Floats,
    weight: Floats,
    capacity: Floats,
    start: Integers,
    segment: Integers,
) -> Floats:
    """Share demand by weight, cap it by capacity and hand the rest to those with slack, twice.

    Parameters
    ----------
    demand : (R, S) orders of each segment, M¥ a quarter.
    weight : (R, N) weights, none negative.
    capacity : (R, N) most that each agent can sell, M¥ a quarter.
    start, segment : (S,) first indices; (N,) segment of each agent.

    Returns
    -------
    (R, N) sales, at most capacity; a segment's sum is at most its demand to rounding.
    """
    sales = np.zeros_like(capacity)
    for r in range(len(capacity)):
        whole = np.zeros(len(start))
        for i in range(len(segment)):
            whole[segment[i]] += weight[r, i]
        for i in range(len(segment)):
            share = ratio(weight[r, i], whole[segment[i]])
            sales[r, i] = min(share * demand[r, segment[i]], capacity[r, i])
        for _ in range(2):
            sold, slack = np.zeros(len(start)), np.zeros(len(start))
            for i in range(len(segment)):
                sold[segment[i]] += sales[r, i]
                slack[segment[i]] += capacity[r, i] - sales[r, i]
            for i in range(len(segment)):
                s = segment[i]
                rate = min(ratio(max(demand[r, s] - sold[s], 0.0), slack[s]), 1.0)
                more = sales[r, i] + (capacity[r, i] - sales[r, i]) * rate
                sales[r, i] = min(more, capacity[r, i])
    return sales


@kernel
def first_free(active: Floats, births: Floats, start: Integers) -> tuple[Floats, Floats]:
    """Put births on the first free slots of their own cell.

    Parameters
    ----------
    active : (R, F) slots in use, 1 or 0.
    births : (R, S) whole numbers of births in each cell.
    start : (S,) first slot of each cell.

    Returns
    -------
    born : (R, F) 1 on slots that are filled now, else 0.
    overflow : (R, S) births that found no slot.
    """
    born, overflow = np.zeros(active.shape), births.copy()
    slots, cells = active.shape[1], births.shape[1]
    for r in range(len(active)):
        for s in range(cells):
            end = start[s + 1] if s + 1 < cells else slots
            for f in range(start[s], end):
                if overflow[r, s] > 0 and active[r, f] == 0:
                    born[r, f] = 1.0
                    overflow[r, s] -= 1
    return born, overflow
