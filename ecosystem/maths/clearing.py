"""Who gets what: sums and shares of segments, logit, search friction, the smooth merit order.

A segment is a contiguous block of agents (the data centres of one prefecture and kind, the slots
of one cell). ``start`` holds the first index of each segment and ``segment`` the segment of each
agent; both are shared by all runs, and no segment is empty. The last axis is always the agents'
(or the segments'), so every reduction stays inside one run and a run gives the same bits alone
and in a batch.
"""

import numpy as np
from numpy.typing import NDArray

from ecosystem.maths.compiled import kernel

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

_WIDEST = 600.0  # widths above the cheapest offer; exp(+-600) keeps clear of overflow and denormals
_EDGE = 1e-10  # nearest that a used share comes to 0 or 1 while the marginal offer is sought
_STEP = 1e-5  # Newton's error is about the square of its last step
_TINY = np.finfo(np.float64).tiny  # smallest number whose inverse is finite
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
    total = segment_sum(weights, start)
    return weights * spread(_inverse(total), segment)


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
    best = utility.max(axis=axis, keepdims=True)
    weight = np.exp(utility - np.where(best > -np.inf, best, 0.0))
    total = weight.sum(axis=axis, keepdims=True)
    return weight / np.where(total > 0.0, total, 1.0)


def clear(
    capacity: Floats,
    offer: Floats,
    demand: Floats,
    width: Floats | float,
    start: Integers,
    segment: Integers,
) -> Floats:
    r"""Serve demand in a smooth merit order, segment by segment.

    :math:`q_i = C_i \, \sigma((x - m_i)/w)` with one marginal offer :math:`x` a segment such that
    :math:`\sum q = \min(D, \sum C)`. A wide width serves all in proportion to capacity, a narrow
    one the cheapest first. The marginal offer is found by Newton's method on
    :math:`\operatorname{logit}(\sum q/\sum C)`, which is nearly straight in :math:`x/w`, inside a
    closed-form bracket. Each segment stops when its own step is small, so that its numbers depend
    on nothing beside it.

    Parameters
    ----------
    capacity : (R, N) PFh that each centre can still sell, none negative.
    offer : (R, N) offers in ¥/PFh; those more than 600 widths above the cheapest count as tied.
    demand : (R, S) PFh wanted from each segment.
    width : width of the merit order in ¥/PFh, above zero; scalar or broadcastable to (R, N).
    start, segment : (S,) first indices; (N,) segment of each centre.

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
    total = segment_sum(capacity, start)
    wanted = np.clip(demand, 0.0, total)
    cheapest = np.minimum.reduceat(offer, start, axis=-1)
    above = np.minimum((offer - spread(cheapest, segment)) / width, _WIDEST)
    served = capacity * _accepted_share(capacity, np.exp(above), wanted, total, start, segment)

    sold = segment_sum(served, start)
    less = np.minimum(wanted * _inverse(sold), 1.0)
    more = np.maximum(wanted - sold, 0.0) * _inverse(total - sold)
    served = served * spread(less, segment) + (capacity - served) * spread(more, segment)
    return np.minimum(served, capacity)


def _accepted_share(
    capacity: Floats,
    exp_offer: Floats,
    wanted: Floats,
    total: Floats,
    start: Integers,
    segment: Integers,
) -> Floats:
    """Share of each offer that is accepted at the marginal offer, by bracketed Newton: (R, N)."""
    whole = _or_one(total)
    used = np.clip(wanted / whole, _EDGE, 1.0 - _EDGE)
    target = np.log(used / (1.0 - used))
    low = target - np.log(_or_one(segment_sum(capacity / exp_offer, start) / whole))
    high = target + np.log(_or_one(segment_sum(capacity * exp_offer, start) / whole))
    marginal = low + used * (high - low)  # the ends are exact for an idle and for a full segment
    before = high - low
    done = (used <= _EDGE) | (used >= 1.0 - _EDGE)

    least = 0.5 * _EDGE * whole
    for _ in range(_MOST_PASSES):
        if done.all():
            break
        accepted = _logistic(marginal, exp_offer, segment)
        taken = capacity * accepted
        slope = segment_sum(taken * (1.0 - accepted), start)
        sold = np.maximum(segment_sum(taken, start), least)
        left = np.maximum(whole - sold, least)
        gap = np.log(sold / left) - target
        low = np.where(gap < 0.0, marginal, low)
        high = np.where(gap > 0.0, marginal, high)
        step = -gap * (sold / whole) * left / np.maximum(slope, _FLAT * least)
        # A step that does not halve the last one is replaced by the middle of the bracket.
        step = np.where(np.abs(step) > 0.5 * before, 0.5 * (low + high) - marginal, step)
        before = np.abs(step)
        marginal = np.where(done, marginal, np.minimum(np.maximum(marginal + step, low), high))
        done = done | (before < _STEP) | (np.abs(gap) < _EDGE)
    return _logistic(marginal, exp_offer, segment)


def _logistic(marginal: Floats, exp_offer: Floats, segment: Integers) -> Floats:
    """Logistic of marginal offer less offer, both in widths; no exponential of an agent."""
    exp_marginal = spread(np.exp(marginal), segment)
    return exp_marginal / (exp_marginal + exp_offer)


def _inverse(values: Floats) -> Floats:
    """One over each value, and zero where there is nothing to share or one over it overflows."""
    return (values >= _TINY) / np.maximum(values, _TINY)


def _or_one(values: Floats) -> Floats:
    """Values above zero, and one in the place of others."""
    return np.where(values > 0.0, values, 1.0)


def redistribute(
    demand: Floats,
    weight: Floats,
    capacity: Floats,
    start: Integers,
    segment: Integers,
    passes: int = 2,
) -> Floats:
    """Share demand by weight, cap it by capacity and hand the rest to those with slack.

    Parameters
    ----------
    demand : (R, S) orders of each segment, M¥ a quarter.
    weight : (R, N) weights, none negative.
    capacity : (R, N) most that each agent can sell, M¥ a quarter.
    start, segment : (S,) first indices; (N,) segment of each agent.
    passes : rounds in which the unsold rest is shared in proportion to slack.

    Returns
    -------
    (R, N) sales, at most capacity; a segment's sum is at most its demand to rounding.
    """
    sales = np.minimum(segment_share(weight, start, segment) * spread(demand, segment), capacity)
    for _ in range(passes):
        unsold = np.maximum(demand - segment_sum(sales, start), 0.0)
        slack = capacity - sales
        rate = np.minimum(unsold * _inverse(segment_sum(slack, start)), 1.0)
        sales = sales + slack * spread(rate, segment)
    return np.minimum(sales, capacity)


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
