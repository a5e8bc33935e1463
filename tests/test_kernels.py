"""Closed forms C1 to C5, C7, C12 and C13 of the model, and what every run of a batch needs."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ecosystem.maths import kernels

Floats = NDArray[np.float64]


class Market(NamedTuple):
    """Arguments of `kernels.clear`, and the segment of each centre."""

    capacity: Floats
    offer: Floats
    demand: Floats
    width: Floats | float
    start: NDArray[np.intp]
    segment: NDArray[np.intp]


def segments(sizes: list[int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    start = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp)
    return start, np.repeat(np.arange(len(sizes)), sizes)


@st.composite
def markets(draw: st.DrawFn, runs: int = 3) -> Market:
    """Segments of one to twelve centres, some idle, empty or overrun, offers near and far apart."""
    sizes = draw(st.lists(st.integers(1, 12), min_size=1, max_size=6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    start, segment = segments(sizes)
    capacity = rng.lognormal(8.0, draw(st.sampled_from([0.1, 1.0, 4.0])), (runs, len(segment)))
    capacity *= rng.random(capacity.shape) > draw(st.sampled_from([0.0, 0.3, 0.9]))
    offer = rng.random(capacity.shape) * draw(st.sampled_from([0.0, 0.1, 1.0, 5.0, 30.0, 290.0]))
    total = kernels.segment_sum(capacity, start)
    demand = total * rng.choice([0.0, 1e-6, 0.2, 0.5, 0.9, 1 - 1e-7, 1.0, 1.3], total.shape)
    demand *= rng.choice([1.0, 0.97], total.shape)
    return Market(capacity, offer - 3.0, demand, rng.choice([1.0, 0.5], (runs, 1)), start, segment)


def clear_bisection(market: Market) -> Floats:
    """Reference: 50 bisections of the marginal offer, from 40 widths below to 40 above all."""
    capacity, offer, demand, width, start, segment = market
    offer = offer / width
    total = kernels.segment_sum(capacity, start)
    wanted = np.minimum(demand, total)
    low = np.minimum.reduceat(offer, start, axis=-1) - 40.0
    high = np.maximum.reduceat(offer, start, axis=-1) + 40.0
    for _ in range(50):
        middle = 0.5 * (low + high)
        served = capacity / (1.0 + np.exp(np.minimum(offer - middle[..., segment], 700.0)))
        short = kernels.segment_sum(served, start) < wanted
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    sold = kernels.segment_sum(served, start)
    scale = np.divide(wanted, sold, out=np.zeros_like(sold), where=sold > 0)
    served = np.minimum(served * scale[..., segment], capacity)
    slack = total - kernels.segment_sum(served, start)
    rest = np.maximum(wanted - kernels.segment_sum(served, start), 0.0)
    share = np.divide(rest, slack, out=np.zeros_like(slack), where=slack > 0)
    return served + (capacity - served) * share[..., segment]


# --- matching (C1) ---------------------------------------------------------------------------

sides = st.floats(0.0, 1e12, allow_subnormal=False)


@given(sides, sides, st.floats(0.05, 1e6), st.floats(1e-6, 1e6))
@settings(deadline=None)
def test_matches_are_bounded_and_of_degree_one(
    demand: float, capacity: float, exponent: float, factor: float
) -> None:
    d, c = np.array([demand]), np.array([capacity])
    matches = kernels.match(d, c, exponent)
    assert 0.0 <= matches[0] <= min(demand, capacity)
    np.testing.assert_allclose(
        kernels.match(factor * d, factor * c, exponent), factor * matches, rtol=1e-9, atol=1e-290
    )
    np.testing.assert_array_equal(matches, kernels.match(c, d, exponent))


def test_match_tends_to_the_smaller_side() -> None:
    demand, capacity = np.array([3.0, 5.0, 7.0, 0.0, 4.0]), np.array([5.0, 5.0, 2.0, 4.0, 0.0])
    smaller = np.minimum(demand, capacity)
    np.testing.assert_array_equal(kernels.match(demand, capacity, np.inf), smaller)
    np.testing.assert_allclose(kernels.match(demand, capacity, 1e4), smaller, rtol=1e-4)
    np.testing.assert_allclose(kernels.match(demand, capacity, 1.0)[0], 15.0 / 8.0, rtol=1e-15)


# --- clearing (C2) ---------------------------------------------------------------------------


@given(markets())
@settings(max_examples=150, deadline=None)
def test_clearing_balances_and_agrees_with_bisection(market: Market) -> None:
    served = kernels.clear(*market[:-1])
    assert (served >= 0.0).all() and (served <= market.capacity).all()
    total = kernels.segment_sum(market.capacity, market.start)
    wanted = np.minimum(market.demand, total)
    np.testing.assert_allclose(
        kernels.segment_sum(served, market.start), wanted, rtol=1e-9, atol=0.0
    )
    gap = np.abs(served - clear_bisection(market))
    assert (gap <= 1e-9 * total[:, market.segment]).all()


@given(markets(), st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_clearing_does_not_depend_on_the_order_within_a_segment(market: Market, seed: int) -> None:
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(market.segment)), market.segment))
    shuffled = market._replace(capacity=market.capacity[:, order], offer=market.offer[:, order])
    total = kernels.segment_sum(market.capacity, market.start)[:, market.segment]
    gap = np.abs(kernels.clear(*shuffled[:-1]) - kernels.clear(*market[:-1])[:, order])
    assert (gap <= 1e-9 * total).all()


@given(markets(), st.floats(1.0, 3.0))
@settings(max_examples=50, deadline=None)
def test_more_demand_serves_nobody_less_and_a_lower_offer_is_served_more(
    market: Market, factor: float
) -> None:
    served = kernels.clear(*market[:-1])
    total = kernels.segment_sum(market.capacity, market.start)[:, market.segment]
    more = kernels.clear(*market._replace(demand=market.demand * factor)[:-1])
    assert (more >= served - 1e-9 * total).all()
    used = served / np.where(market.capacity > 0.0, market.capacity, np.nan)
    for run in range(len(used)):
        for one in range(len(market.start)):
            inside = (market.segment == one) & (market.capacity[run] > 0.0)
            ranked = used[run, inside][np.argsort(market.offer[run, inside])]
            assert (np.diff(ranked) <= 1e-9).all()


def test_a_wide_width_serves_in_proportion_to_capacity() -> None:
    rng = np.random.default_rng(1)
    start, segment = segments([1, 4, 7])
    capacity, offer = rng.lognormal(3.0, 1.0, (2, 12)), rng.random((2, 12))
    demand = 0.6 * kernels.segment_sum(capacity, start)
    served = kernels.clear(capacity, offer, demand, 1e12, start)
    np.testing.assert_allclose(served, 0.6 * capacity, rtol=1e-9)


@given(st.integers(0, 2**32), st.floats(0.0, 1.1))
@settings(max_examples=100, deadline=None)
def test_a_narrow_width_serves_the_cheapest_first(seed: int, used: float) -> None:
    rng = np.random.default_rng(seed)
    capacity = rng.lognormal(3.0, 1.0, (1, 10))
    rank = rng.permutation(10)
    demand = used * capacity.sum(axis=1, keepdims=True)
    served = kernels.clear(
        capacity,
        rank[np.newaxis].astype(np.float64),
        demand,
        1 / 60,
        np.array([0]),
    )
    in_order = capacity[0, np.argsort(rank)]
    before = np.cumsum(in_order) - in_order
    merit = np.clip(demand[0] - before, 0.0, in_order)
    np.testing.assert_allclose(served[0, np.argsort(rank)], merit, atol=1e-9 * capacity.sum())


def test_capacity_whose_inverse_overflows_is_none() -> None:
    """Found by benchmarks/campaigns/corners.py: one over a denormal number is infinite."""
    capacity = np.array([[1e-310, 2e-310]])
    start = np.zeros(1, int)
    served = kernels.clear(capacity, np.array([[1.0, 2.0]]), np.array([[1e-310]]), 0.5, start)
    assert ((served >= 0) & (served <= capacity)).all()


# --- segments, redistribution, slots ---------------------------------------------------------


def test_segment_shares_sum_to_one_or_are_zero() -> None:
    start, segment = segments([2, 3, 1])
    weights = np.array([[1.0, 3.0, 0.0, 0.0, 0.0, 2.0]])
    shares = kernels.segment_share(weights, start, segment)
    np.testing.assert_array_equal(shares, [[0.25, 0.75, 0.0, 0.0, 0.0, 1.0]])
    np.testing.assert_array_equal(
        kernels.spread(kernels.segment_sum(weights, start), segment), [[4, 4, 0, 0, 0, 2]]
    )


@given(markets())
@settings(max_examples=50, deadline=None)
def test_redistribution_sells_all_that_can_be_sold(market: Market) -> None:
    capacity, weight, demand, _, start, segment = market
    sales = kernels.redistribute(demand, np.abs(weight), capacity, start, segment)
    assert (sales >= 0.0).all() and (sales <= capacity).all()
    wanted = np.minimum(demand, kernels.segment_sum(capacity, start))
    np.testing.assert_allclose(kernels.segment_sum(sales, start), wanted, rtol=1e-12)


def test_redistribution_follows_weights_until_capacity_binds() -> None:
    start, segment = segments([3])
    sales = kernels.redistribute(
        np.array([[10.0]]), np.array([[6.0, 3.0, 1.0]]), np.array([[2.0, 7.0, 9.0]]), start, segment
    )
    np.testing.assert_allclose(sales, [[2.0, 3.0 + 4.0 / 3.0, 1.0 + 8.0 / 3.0]])


@given(st.integers(0, 2**32), st.lists(st.integers(1, 8), min_size=1, max_size=6))
@settings(max_examples=100, deadline=None)
def test_births_take_the_first_free_slots_of_their_cell(seed: int, sizes: list[int]) -> None:
    rng = np.random.default_rng(seed)
    start, segment = segments(sizes)
    active = (rng.random((3, len(segment))) < 0.5).astype(float)
    births = rng.integers(0, 6, (3, len(sizes))).astype(float)
    born, overflow = kernels.first_free(active, births, start)
    for run in range(3):
        for cell in range(len(sizes)):
            free = np.flatnonzero((segment == cell) & (active[run] == 0))
            expected = free[: int(births[run, cell])]
            np.testing.assert_array_equal(np.flatnonzero(born[run] * (segment == cell)), expected)
            assert overflow[run, cell] == births[run, cell] - len(expected)


# --- logit (C3) ------------------------------------------------------------------------------


def test_logit_shares() -> None:
    np.testing.assert_array_equal(kernels.softmax(np.zeros((2, 4))), np.full((2, 4), 0.25))
    utility = np.array([[1.0, -np.inf, 3.0], [-np.inf, -np.inf, -np.inf], [800.0, 0.0, -800.0]])
    shares = kernels.softmax(utility)
    np.testing.assert_allclose(shares[0], [1 / (1 + np.e**2), 0.0, 1 / (1 + np.e**-2)])
    np.testing.assert_array_equal(shares[1:], [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(kernels.softmax(utility[:1] + 7.0), shares[:1], rtol=1e-14)
    np.testing.assert_array_equal(
        kernels.softmax(utility[:, :, np.newaxis], axis=1)[:, :, 0], shares
    )


# --- diffusion (C4) --------------------------------------------------------------------------

# Zero, or a rate that is one: below a millionth a year a denormal number loses its digits.
rates = st.just(0.0) | st.floats(1e-6, 3.0)


@given(st.just(0.0) | st.floats(1e-9, 1.0), rates, rates)
def test_bass_steps_compose_and_stay_in_the_unit_interval(y: float, p: float, q: float) -> None:
    adopted, innovation, imitation = np.array([y]), np.array([p]), np.array([q])
    once = kernels.bass_step(adopted, innovation, imitation, 0.25)
    half = kernels.bass_step(adopted, innovation, imitation, 0.125)
    twice = kernels.bass_step(half, innovation, imitation, 0.125)
    assert y <= once[0] <= 1.0
    np.testing.assert_allclose(once, twice, rtol=1e-12, atol=1e-300)


def test_bass_closed_forms() -> None:
    start, years = np.array([0.02, 0.3]), 3.0
    logistic = 1.0 / (1.0 + (1.0 / start - 1.0) * np.exp(-0.7 * years))
    zero, rate = np.zeros(2), np.full(2, 0.7)
    np.testing.assert_allclose(kernels.bass_step(start, zero, rate, years), logistic, rtol=1e-13)
    np.testing.assert_allclose(kernels.logistic_step(start, 0.7, years), logistic, rtol=1e-13)
    saturating = 1.0 - (1.0 - start) * np.exp(-0.7 * years)
    np.testing.assert_allclose(kernels.bass_step(start, rate, zero, years), saturating, rtol=1e-13)
    from_zero = (1 - np.exp(-0.33 * 5)) / (1 + 10 * np.exp(-0.33 * 5))  # Bass, p = .03, q = .3
    reached = kernels.bass_step(np.zeros(1), np.array([0.03]), np.array([0.3]), 5.0)
    np.testing.assert_allclose(reached, from_zero, rtol=1e-13)
    np.testing.assert_array_equal(kernels.bass_step(zero, zero, rate), zero)
    np.testing.assert_array_equal(kernels.bass_step(start, zero, zero), start)


# --- cost and profit (C5, C7) ----------------------------------------------------------------


def test_learning_with_constant_output() -> None:
    initial, output, exponent = 8.0, 2.0, 0.25
    quarters = np.arange(20.0)
    cost = kernels.wright(initial + output * quarters, np.full(20, initial), exponent)
    np.testing.assert_allclose(cost, (1 + quarters * output / initial) ** -exponent, rtol=1e-14)
    np.testing.assert_allclose(1.0 - cost[4], 1.0 - 2.0**-exponent, rtol=1e-14)


def test_armington_share() -> None:
    cost = np.array([0.5, 1.0, 2.0])
    shares = kernels.armington_share(0.3, cost, 2.5)
    odds = 0.3 / 0.7 * cost**-1.5
    np.testing.assert_allclose(shares, odds / (1 + odds), rtol=1e-14)
    np.testing.assert_allclose(kernels.armington_share(0.3, cost, 1.0), 0.3, rtol=1e-14)


@given(
    st.floats(5.0, 40.0), st.floats(0.0, 4.0), st.floats(0.05, 0.6), st.floats(0.0, 0.9),
    st.floats(0.01, 0.15), st.floats(0.0, 0.4),
)  # fmt: skip
def test_profitability_is_one_at_break_even(
    price: float, cost: float, capital: float, subsidy: float, interest: float, decline: float
) -> None:
    terms: dict[str, Any] = {
        "price": np.array([price]),
        "variable_cost": np.array([cost]),
        "capital_cost": np.array([capital]),
        "maintenance": np.array([0.0167 * capital]),
        "income_factor": kernels.present_value_factor(interest, 0.03, decline),
        "upkeep_factor": kernels.present_value_factor(interest, 0.03),
        "subsidy": subsidy,
    }
    use = kernels.break_even_use(**terms)
    np.testing.assert_allclose(kernels.profitability(use=use, **terms), 1.0, rtol=1e-12)


def test_break_even_by_hand() -> None:
    """A 1 P centre: 8 760 h at 16 - 0.66 ¥ a year for 1/(.06 + .12) years, against .30 M¥."""
    value = 1 / 0.18
    use = (0.30e6 + 5000 * value) / (8760 * 15.34 * value)
    computed = kernels.break_even_use(
        np.array(16.0), np.array(0.66), np.array(0.30), np.array(0.005),
        kernels.present_value_factor(0.06, 0.03), kernels.present_value_factor(0.06, 0.03),
    )  # fmt: skip
    np.testing.assert_allclose(computed, use, rtol=1e-12)


# --- dispersion (C12, C13) -------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 14, 40])
def test_dispersion_of_equal_and_of_one_holder(n: int) -> None:
    equal, one = np.ones((1, n)), np.eye(n)[:1]
    weights, shares = np.ones(n), np.full((1, n), 1.0 / n)
    np.testing.assert_allclose(kernels.theil(equal, weights), 0.0, atol=1e-15)
    np.testing.assert_allclose(kernels.theil(one, weights), np.log(n), rtol=1e-14)
    np.testing.assert_allclose(kernels.gini(equal, weights), 0.0, atol=1e-15)
    np.testing.assert_allclose(kernels.gini(one, weights), (n - 1) / n, rtol=1e-14)
    np.testing.assert_allclose(kernels.shannon(shares), np.log(n), rtol=1e-14)
    np.testing.assert_allclose(kernels.shannon(one), 0.0)
    np.testing.assert_allclose(kernels.herfindahl(shares), 1.0 / n, rtol=1e-14)
    np.testing.assert_array_equal(kernels.herfindahl(one), [1.0])
    assert kernels.theil(0.0 * one, weights) == kernels.gini(0.0 * one, weights) == 0.0


@given(st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_theil_splits_and_heads_count(seed: int) -> None:
    rng = np.random.default_rng(seed)
    people, held = rng.random(14) + 0.1, rng.lognormal(0.0, 1.0, (3, 14))
    group = rng.integers(0, 4, 14)
    group[:4] = np.arange(4)
    whole = kernels.theil(held, people)
    between, within = kernels.theil_between_within(held, people, group)
    np.testing.assert_allclose(between + within, whole, rtol=1e-12)
    assert (between >= -1e-15).all() and (within >= -1e-15).all()
    per_head = 3.0 * people[np.newaxis]
    np.testing.assert_allclose(kernels.theil(per_head, people), 0.0, atol=1e-14)
    np.testing.assert_allclose(kernels.gini(per_head, people), 0.0, atol=1e-14)


# --- a run alone and in a batch --------------------------------------------------------------


def batch_calls(rows: slice) -> dict[str, Any]:
    """Return all kernels on some rows of one batch of 37 runs."""
    rng = np.random.default_rng(13)
    start, segment = segments([1, 2, 9, 4, 1, 14, 6, 3])
    count = len(segment)

    def numbers(*shape: int) -> Floats:
        return rng.random((37, *shape))[rows]

    capacity, offer, uniform = 1e3 * numbers(count), 5 * numbers(count), numbers(count)
    demand = numbers(8) * 1.1 * kernels.segment_sum(capacity, start)
    exponent = 1.0 + 5.0 * numbers(1)
    parts = kernels.softmax(numbers(count))
    people = np.arange(1.0, count + 1.0)
    return {
        "clear": kernels.clear(capacity, offer, demand, 0.2 + numbers(1), start),
        "match": kernels.match(capacity, offer, exponent),
        "redistribute": kernels.redistribute(demand, offer, capacity, start, segment),
        "first_free": kernels.first_free(np.rint(uniform), np.floor(4 * numbers(8)), start),
        "softmax": kernels.softmax(numbers(5, 15, 3), axis=2),
        "poisson": kernels.poisson_inverse(uniform, 60 * numbers(1) ** 3 * numbers(count)),
        "bass": kernels.bass_step(uniform, numbers(count), numbers(1)),
        "logistic": kernels.logistic_step(uniform, numbers(1)),
        "wright": kernels.wright(capacity + 1.0, offer + 1.0, numbers(1)),
        "armington": kernels.armington_share(numbers(1), offer + 0.1, exponent),
        "profitability": kernels.profitability(
            16 + offer, offer, uniform, numbers(1) + 0.1, 0.01 * numbers(1),
            kernels.present_value_factor(numbers(1) + 0.1, 0.03, 0.1), 1 / (numbers(1) + 0.1),
        ),
        "ar1": kernels.ar1_step(offer, uniform, numbers(1), numbers(1)),
        "theil": kernels.theil(capacity, people),
        "split": kernels.theil_between_within(capacity, people, segment),
        "gini": kernels.gini(capacity, people),
        "shannon": kernels.shannon(parts),
        "herfindahl": kernels.herfindahl(parts),
    }  # fmt: skip


def test_a_run_has_the_same_bits_alone_and_in_a_batch() -> None:
    whole = batch_calls(slice(None))
    for rows in (slice(0, 1), slice(5, 6), slice(36, 37), slice(3, 19)):
        for name, part in batch_calls(rows).items():
            expected = whole[name]
            pairs = zip(part, expected, strict=True) if name in ("first_free", "split") else None
            for ours, theirs in pairs or [(part, expected)]:
                np.testing.assert_array_equal(ours, theirs[rows], err_msg=name)


def test_kernels_leave_their_arguments_alone() -> None:
    start, segment = segments([3, 2])
    rng = np.random.default_rng(14)
    capacity, offer, uniform = rng.random((3, 4, 5))
    demand = rng.random((4, 2))
    for array in (capacity, offer, uniform, demand):
        array.flags.writeable = False
    kernels.clear(capacity, offer, demand, 0.1, start)
    kernels.redistribute(demand, offer, capacity, start, segment)
    kernels.match(capacity, offer, 3.0)
    kernels.poisson_inverse(uniform, 10 * capacity)
    kernels.bass_step(uniform, capacity, offer)
    kernels.softmax(offer)
