"""Parks: what support of adoption buys, what adoption costs, and what parks gain by it."""

from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from arms import scenario, switched
from helpers import final, quarters, setting_of

from ecosystem.inputs.catalogue import instruments
from ecosystem.inputs.scenario import Scenario
from ecosystem.maths.arrays import Array, total
from ecosystem.outcomes import measure
from ecosystem.stages.accounts import account
from ecosystem.stages.bills import USERS
from ecosystem.stages.parks import (
    adoption_capital,
    adoption_outlay,
    adoption_wear,
    opening_purchases,
    purchases,
    server_wear,
)
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
    found = []
    for active in (False, True):
        alone = scenario(*switched("strong_industry", active))
        quarter, state = final(setting_of(alone, park_adoption_additionality=0.0), 40)
        found.append(state.parks.adoption)
        assert np.all((quarter.policy.local_lever["strong_industry"] > 0) == active)
    np.testing.assert_allclose(*found, rtol=1e-6)


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


PARTS = ("local_value_added_net", "park_value_added_gain")


def again(quarter: Quarter, setting: Setting, **records: Any) -> dict[str, Array]:
    """Return the outcomes of a quarter whose accounts are closed anew after some records change."""
    changed = copy(quarter)
    for name, record in records.items():
        setattr(changed, name, record)
    changed.accounts = account(changed, setting)
    return measure(changed, setting)


def effects(one: dict[str, Array], other: dict[str, Array], *names: str) -> list[Array]:
    """Return by how much outcomes differ, (runs, 1) each."""
    return [one[name] - other[name] for name in names]


def test_without_gain_and_adoption_parks_lose_what_they_buy_above_the_base() -> None:
    setting = setting_of(
        Scenario(["article"], rules={"adopt_ai": as_before}), "teaching",
        replicates=range(2), park_build_speed=0.0, strong_industry_effectiveness=0.0,
        strong_industry_energy_gain=0.0,
    )  # fmt: skip
    for quarter, _ in quarters(setting, 40):
        grown = np.exp(setting.parameters.park_output_growth * quarter.state.period / 4)
        above = total(purchases(quarter, setting) - grown * opening_purchases(quarter, setting))
        gain = measure(quarter, setting)["park_value_added_gain"]
        np.testing.assert_allclose(gain, -above, rtol=1e-9, atol=1e-9)
    assert (np.abs(above) > 1e-4).all()


def as_before(quarter: Quarter, setting: Setting, adoption: Array, rate: Array) -> Array:
    """Return adoption as it was."""
    return adoption


def test_a_quarter_of_gain_by_hand(setting: Setting, quarter: Quarter) -> None:
    """Value added of parks as their statement has it, less that of the start and what is worn."""
    p, parks, t = setting.parameters, setting.world.parks, quarter.state.period
    tariff = quarter.drivers.electricity[parks.prefecture] / 1000
    base = parks.output * np.exp(p.park_output_growth * t / 4)
    power = base * parks.energy_intensity * (1 - p.park_energy_gain * parks.adoption) * tariff
    opening = quarter.state.parks.opening_purchases * np.exp(p.park_output_growth * t / 4)
    then = (1 - p.park_goods_share) * base - power - opening
    others = [  # what organisations that deploy AI pay through the books of parks
        flow.paid
        for flow in quarter.accounts.flows
        if flow.payer == "parks"
        and flow.label in ("compute local use", "compute imports", "AI services")
    ]
    others = np.sum(others, axis=0) - purchases(quarter, setting)
    now = quarter.accounts.value_added["parks"] - quarter.accounts.vouchers["parks"] + others
    wear = server_wear(quarter, setting) + adoption_wear(quarter, setting)
    gain = measure(quarter, setting)["park_value_added_gain"]
    np.testing.assert_allclose(gain, total(now - then - wear), rtol=1e-9)


def test_a_purchase_that_moves_here_adds_what_a_centre_adds(
    setting: Setting, quarter: Quarter
) -> None:
    """One M¥ more at home and less outside raises the region by less than one."""
    market, work = quarter.market, 0
    world, home = setting.world, setting.world.regions.home_index
    price = quarter.drivers.rival_price * quarter.drivers.price[:, [world.workloads.kind[work]]]
    payments, helped, revenue = (
        values.copy() for values in (market.payments, market.helped_home, market.revenue)
    )
    payments[:, home, work] += 1.0
    helped[:, [work]] -= 1e6 / (price * world.workloads.price_multiplier[work])
    seller = int(np.argmax(quarter.investment.servers[0]))
    revenue[:, seller] += 1.0
    moved = replace(market, payments=payments, helped_home=helped, revenue=revenue)
    policy = without_vouchers(quarter)
    other = again(quarter, setting, policy=policy)
    one = again(quarter, setting, policy=policy, market=moved)
    names = ("regional_value_added", "park_value_added_gain", "value_added_centres")
    whole, gain, centres = effects(one, other, *names)
    np.testing.assert_allclose(gain, 0, atol=1e-9)
    np.testing.assert_allclose(whole, centres, rtol=1e-6)
    assert ((centres > 0) & (centres <= policy.local_settlement * (1 + 1e-9))).all()
    assert (policy.local_settlement < 1).all()


def without_vouchers(quarter: Quarter) -> Any:
    """Return the quarter's policy when there is no money for vouchers."""
    policy, envelope = quarter.policy, quarter.policy.envelope.copy()
    envelope[:, list(instruments()).index("compute_voucher")] = 0.0
    return replace(policy, envelope=envelope)


def test_outsourcing_moves_the_region_by_a_difference_of_prices_alone(
    setting: Setting, quarter: Quarter
) -> None:
    """Servers go to a centre whose owners are all here, and parks buy what they did themselves.

    What parks pay is income of the centre, what wears is the same; nothing is counted twice. At
    any price of the deal the region has what it had, less what selling it costs the centre.
    """
    world, kind = setting.world, setting.world.kinds.general
    market, state, work = quarter.market, quarter.state, int(np.argmax(world.workloads.general))
    users = market.routing.local.users.copy()
    users[:, :, work] = 0.0
    users[:, USERS.index("parks"), work] = 1.0  # nobody else shares this bill
    local = replace(market.routing.local, users=users)
    market = replace(market, routing=replace(market.routing, local=local))
    policy = without_vouchers(quarter)
    policy = replace(policy, local_settlement=np.ones_like(policy.local_settlement))
    other = again(quarter, setting, policy=policy, market=market)
    buyer = int(np.argmax(kind[world.centres.kind]))
    payments, revenue = market.payments.copy(), market.revenue.copy()
    payments[:, world.regions.home_index, work] += 7.0
    revenue[:, buyer] += 7.0
    real = state.centres.real_servers.copy()
    real[:, buyer] += (state.parks.servers * quarter.drivers.server_cost[:, kind]).sum(axis=1)
    moved = replace(
        state,
        parks=replace(state.parks, servers=0 * state.parks.servers),
        centres=replace(state.centres, real_servers=real),
    )
    one = again(
        quarter, setting, state=moved, policy=policy,
        market=replace(market, payments=payments, revenue=revenue),
    )  # fmt: skip
    whole, chain, gain = effects(one, other, "regional_value_added", *PARTS)
    worn = total(server_wear(quarter, setting))
    assert (worn > 0).all()
    np.testing.assert_allclose(gain, worn - 7.0, rtol=1e-9)
    selling = 7.0 * setting.parameters.operating_cost_share
    np.testing.assert_allclose(chain, 7.0 - worn - selling, rtol=1e-6)
    np.testing.assert_allclose(whole, -selling, atol=1e-6)


def test_support_raises_neither_part_at_equal_operation() -> None:
    """With the same orders and the same adoption, whoever pays; and it is no social cost itself."""
    setting = setting_of("article_ecosystem", replicates=range(3), fixed=False)
    quarter, _ = final(setting, 35)
    policy, column = quarter.policy, setting.schedule.column("strong_industry")
    paid = policy.programme_paid.copy()
    paid[:, column] = 0.0
    envelope = policy.envelope.copy()
    envelope[:, setting.schedule.column("industrial_centres")] = 0.0
    bare = replace(policy, envelope=envelope, programme_paid=paid)
    one, other = measure(quarter, setting), again(quarter, setting, policy=bare)
    assert (one["public_cost"] > other["public_cost"]).all()
    for effect in effects(one, other, *PARTS):
        np.testing.assert_allclose(effect, 0, atol=1e-9)
    received = total(quarter.accounts.settlement.received["industrial_centres"])
    assert (received > 0).all()
    f = setting.parameters.cost_of_public_funds
    (social,) = effects(one, other, "social_account")
    spared = policy.programme_paid[
        :, [column]
    ]  # people here had it instead: used up, not passed on
    np.testing.assert_allclose(social, spared - (f - 1) * received, rtol=1e-6)


@pytest.mark.parametrize("world", ["teaching", "full"])
def test_parts_sum_to_the_whole(world: str) -> None:
    found = setting_of("article_plus", world, replicates=(0, 1), fixed=False)
    values = measure(final(found, 40)[0], found)
    sectors = ("centres", "makers", "ai_firms", "universities")
    for whole, parts in {
        "regional_value_added": PARTS,
        "local_value_added_net": [f"value_added_{sector}" for sector in sectors],
        "jobs": ("centre_jobs", "maker_jobs", "ai_firm_staff", "branch_jobs"),
    }.items():
        added = sum(values[part] for part in parts)
        np.testing.assert_allclose(added, values[whole], rtol=1e-9, err_msg=whole)
    core = values["value_added_by_tier"][:, found.world.tiers.core]
    np.testing.assert_allclose(values["value_added_hub"], core, rtol=1e-9)
