"""Parks: what support of adoption buys, what adoption costs, and what parks gain by it."""

import numpy as np
import pytest
from helpers import final, quarters, setting_of

from ecosystem.inputs.scenario import Scenario
from ecosystem.maths.arrays import Array, total
from ecosystem.stages.parks import adoption_capital, adoption_outlay, adoption_wear
from ecosystem.state.ledger import Purpose, amount, select
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Setting

SUPPORTED = "green_first"
"""A package with the programme for strong industry, and no research grants."""


@pytest.fixture(scope="module")
def setting() -> Setting:
    return setting_of(SUPPORTED, replicates=range(3), fixed=False)


@pytest.fixture(scope="module")
def quarter(setting: Setting) -> Quarter:
    return final(setting, 35)[0]


def test_support_that_adds_nothing_leaves_adoption_as_it_was() -> None:
    """The programme acts by what it buys alone; it saves power all the same."""
    found = {}
    for name in ("history", SUPPORTED):
        _, state = final(setting_of(name, park_adoption_additionality=0.0), 40)
        found[name] = state.parks.adoption
    np.testing.assert_allclose(found[SUPPORTED], found["history"], rtol=1e-6)


def test_money_without_end_buys_all_adoption_and_no_more() -> None:
    _, state = final(setting_of(SUPPORTED, park_adoption_cost=1e-9), 30)
    np.testing.assert_array_equal(state.parks.adoption, 1.0)


def test_adoption_capital_is_what_was_spent_less_wear(setting: Setting) -> None:
    """K' = (1 - wear) K + outlay from nothing at the start; never a payment back."""
    stock = 0.0
    for quarter, after in quarters(setting, 40):
        np.testing.assert_allclose(
            adoption_capital(quarter.state.parks.adoption, quarter.state.period, setting),
            stock,
            rtol=1e-9,
            atol=1e-9,
        )
        outlay = adoption_outlay(quarter, setting)
        assert (outlay >= 0).all()
        stock = stock - adoption_wear(quarter, setting) + outlay
        assert (after.parks.adoption > quarter.state.parks.adoption).all()
    assert (stock > 0).all()


def unlearn(quarter: Quarter, setting: Setting, adoption: Array, rate: Array) -> Array:
    """Return half of what was adopted, as a rule of a user's own may say."""
    return adoption / 2


def test_a_park_that_adopts_less_gets_nothing_back() -> None:
    falling = setting_of(Scenario(["history"], rules={"adopt_ai": unlearn}))
    early, _ = final(falling, 3)
    assert (adoption_outlay(early, falling) == 0).all()
    assert (adoption_wear(early, falling) == 0).all()


def test_the_programme_is_paid_to_parks_and_the_outlay_by_them(
    setting: Setting, quarter: Quarter
) -> None:
    flows, column = quarter.accounts.flows, setting.schedule.column("strong_industry")
    paid = quarter.policy.programme_paid[:, [column]]
    assert (paid > 0).all()
    to_parks = amount(select(flows, Purpose.SUBSIDY, payer="government", receiver="parks"))
    vouchers = total(quarter.accounts.vouchers["parks"])
    granted = total(quarter.accounts.settlement.received["industrial_centres"])
    np.testing.assert_allclose(to_parks - vouchers - granted, paid, rtol=1e-9)
    spent = amount([f for f in flows if f.label == "adoption of AI" and f.receiver == "world"])
    np.testing.assert_allclose(spent, total(adoption_outlay(quarter, setting)), rtol=1e-12)
