"""Monotone limits: at a given moment, more of one thing never means less of another.

Deterministic mode (projects at their expected size), one stage at a time.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import sales_of
from moments import Moment, moment

from ecosystem.maths.arrays import Array
from ecosystem.stages.dispatch import mark_up
from ecosystem.stages.firms import close_firm
from ecosystem.stages.investment import finance_limit
from ecosystem.stages.policy import improve_readiness

PROVINCE = 2  # a buyer's third alternative


def rising(values: list[Array]) -> bool:
    """Return whether no value falls by more than rounding along the list."""
    steps = np.diff(np.array(values), axis=0)
    return bool(np.all(steps >= -1e-9 * np.abs(values[0]).max()))


def exports(at: Moment, pairing: float) -> Array:
    """Return compute delivered outside, PFh (runs,), at a strength of pairing."""
    policy = at.policy()
    lever = {**policy.lever, "regional_pairing": np.full((at.setting.runs, 1), pairing)}
    market = at.market(replace(policy, lever=lever))
    outside = at.setting.world.regions.home == 0
    return market.delivered[:, outside].sum(axis=(1, 2))


def test_exports_rise_with_pairing() -> None:
    values = [exports(moment(), pairing) for pairing in (0.0, 0.1, 0.3, 1.0)]
    assert rising(values)
    assert np.all(values[-1] > values[0])


@pytest.mark.parametrize(
    ("parameter", "values"),
    [("search_exponent", (1.0, 2.0, 3.0, 6.0, 50.0)), ("pooled_share", (0.0, 0.1, 0.3, 0.7, 1.0))],
)
def test_use_rises_with_easier_search_and_with_the_pool(
    parameter: str, values: tuple[float, ...]
) -> None:
    sold = [moment().with_parameters(**{parameter: v}).market().sold.sum(axis=1) for v in values]
    assert rising(sold)
    assert np.all(sold[-1] > sold[0])


def test_the_share_of_the_province_falls_with_its_price() -> None:
    here, outside = moment(), moment().setting.world.regions.home == 0
    shares = []
    for mark in (0.3, 0.0, -0.3):
        at = here.with_columns("centres", mark=np.full_like(here.state.centres.mark, mark))
        shares.append(at.market().routing.share[:, outside, :, PROVINCE])
    assert rising(shares)
    assert np.all(shares[-1] > shares[0])


def test_the_share_of_the_province_falls_with_latency() -> None:
    here, outside = moment(), moment().setting.world.regions.home == 0
    shares = []
    for more in (20.0, 10.0, 0.0):
        latency = here.setting.world.network.latency_home_ms + more
        at = here.with_table("network", {"latency_home_ms": latency})
        shares.append(at.market().routing.share[:, outside, :, PROVINCE])
    assert rising(shares)
    assert np.all(shares[-1] > shares[0])


def test_the_share_bought_at_home_rises_with_the_preference() -> None:
    shares = [
        moment().with_parameters(home_preference_servers=value).supply().local_share[:, 3]
        for value in (0.05, 0.1, 0.3, 0.8)
    ]
    assert moment().setting.world.stages[3] == "servers"
    assert rising(shares)
    assert np.all(shares[-1] > shares[0])


def test_knowledge_rises_with_research() -> None:
    made = [
        moment().with_parameters(research_intensity=value).innovation()
        for value in (0.02, 0.1, 0.3, 0.9)
    ]
    assert rising([each.patents for each in made])
    assert rising([each.knowledge_next for each in made])
    assert rising([each.research_next for each in made])
    assert np.all(made[-1].knowledge_next.sum(axis=1) > made[0].knowledge_next.sum(axis=1))


def test_readiness_rises_with_what_is_spent_on_it() -> None:
    ready = moment().state.governments.readiness
    after = [
        improve_readiness(ready, np.full_like(ready, spent), moment().setting)
        for spent in (0.0, 10.0, 100.0, 1e3, 1e5)
    ]
    assert rising(after)
    assert np.all(after[-1] > after[0])
    assert np.all(after[-1] <= 1)


# One centre and one firm, by hand over a grid


def test_a_mark_answers_use_in_a_straight_line_within_its_bounds() -> None:
    """A mark of .2 that keeps 3/4 of itself and takes half of use over .6: .15 + (use - .6)/2."""
    here = moment().with_parameters(mark_fading=0.25, mark_speed=0.5, target_use=0.6)
    here = here.with_columns("centres", mark=np.full_like(here.state.centres.mark, 0.2))
    quarter = here.quarter("investment")
    for use, answer in ((0.0, -0.15), (0.3, 0.0), (0.6, 0.15), (1.0, 0.35)):
        found = mark_up(quarter, here.setting, np.full_like(quarter.state.centres.mark, use))
        np.testing.assert_allclose(found, answer, rtol=1e-12, atol=1e-12)


def test_a_centre_can_spend_its_cash_and_credit_on_its_equity() -> None:
    """No base, no book, no debt, leverage 2: cash of 10 is 10 and 20 of credit; debts of 10, 0."""
    here = moment().with_parameters(
        finance_scale=0.0,
        **{f"leverage_{owner}": 2.0 for owner in moment().setting.world.owners},
    )
    none = np.zeros_like(here.state.centres.cash)
    for cash, debt, limit in ((0, 0, 0), (10, 0, 30), (10, 5, 20), (10, 10, 10), (0, 10, 0)):
        at = here.with_columns(
            "centres", cash=none + cash, loan=none + debt, book_servers=none, book_halls=none
        )
        found = finance_limit(at.quarter("policy"), 1 + none, at.setting)
        np.testing.assert_allclose(found, limit, rtol=1e-12)


def test_a_firm_sells_what_it_is_asked_for_or_what_its_people_can_do() -> None:
    """Alone with 10 of orders it sells 4 with people for 4, and 10 with people for 10 or 20."""
    here = moment()
    row = np.flatnonzero(here.setting.world.firms.domain == 0)[0]
    orders, capacity = np.zeros((2, here.setting.runs, here.setting.world.firms.count))
    orders[:, row] = 10.0
    for able, sold in ((0.0, 0.0), (4.0, 4.0), (10.0, 10.0), (20.0, 10.0)):
        capacity[:, row] = able
        np.testing.assert_allclose(sales_of(orders, capacity, here.setting)[:, row], sold)


def test_a_firm_closes_the_less_often_the_more_months_its_cash_lasts() -> None:
    """Hazard .01 + .2 s(6 - months), at 3 M¥ a quarter: cash of 6 is six months and half of .2."""
    here = moment().with_parameters(
        **{"exit_base": 0.01, "exit_cash": 0.2, "exit_young": 0.0, "smallest_cost": 3.0},
        **{"exit_cash_months": 6.0, "exit_cash_spread": 1.0},
    )
    firms = here.state.firms
    found = []
    for cash in (0.0, 5.0, 6.0, 7.0, 60.0):
        at = here.with_columns("firms", cash=np.full_like(firms.cash, cash), staff=0 * firms.staff)
        found.append(close_firm(at.quarter("drivers"), at.setting))
    assert rising([-each for each in found])
    by_hand = 0.01 + 0.2 / (1 + np.exp(np.array([-6.0, -1.0, 0.0, 1.0, 54.0])))
    np.testing.assert_allclose(np.array(found)[:, 0, 0], by_hand, rtol=1e-12)
