"""Two agents that differ in one attribute act differently; equal ones act alike.

For each kind of agent one member is made equal to a neighbour, and then one attribute of one of
the two is changed at a moment of the teaching world.
"""

from __future__ import annotations

import numpy as np
import pytest
from moments import Moment, moment

from ecosystem.stages.firms import close_firm, compete
from ecosystem.stages.investment import finance_limit
from ecosystem.stages.location import place_halls, place_utility
from ecosystem.stages.partners import accept_offers, divide_effort, partner_knowledge
from ecosystem.stages.policy import push_readiness


def centre_pair() -> tuple[Moment, int, int]:
    """Return a moment with two equal intelligent centres in one cell, and their rows."""
    world = moment().setting.world
    rows = np.flatnonzero(world.centres.intelligent & (world.centres.prefecture == 0))
    servers = moment().state.centres.servers.min(axis=0)[rows]
    first = int(rows[np.argmax(servers)])
    second = int(next(row for row in rows if row != first))
    return moment().twins("centres", "centres", first, second), first, second


def test_equal_centres_act_alike() -> None:
    pair, first, second = centre_pair()
    market, built = pair.market(), pair.investment()
    for values in (market.sold, market.revenue, market.mark_next, built.hall_order, built.rationed):
        assert np.allclose(values[:, first], values[:, second])


def test_the_better_centre_sells_more() -> None:
    pair, first, second = centre_pair()
    sold = pair.raised("centres", "quality", 2.0, second).market().sold
    assert np.all(sold[:, second] > sold[:, first])


def test_the_dearer_centre_sells_less_and_bids_more() -> None:
    pair, first, second = centre_pair()
    marks = np.array(pair.state.centres.mark)
    marks[:, [first, second]] = [-0.2, 0.2]
    pair = pair.with_columns("centres", mark=marks)
    sold, bid = pair.market().sold, pair.investment().location.bid
    assert np.all(sold[:, second] < sold[:, first])
    assert np.all(bid[:, second] > bid[:, first])


def test_the_fuller_centre_raises_its_mark() -> None:
    pair, first, second = centre_pair()
    market = pair.raised("centres", "quality", 3.0, second).market()
    assert np.all(market.mark_next[:, second] > market.mark_next[:, first])


def test_the_thriftier_centre_bids_more() -> None:
    pair, first, second = centre_pair()
    bid = pair.raised("centres", "pue", 0.8, second).investment().location.bid
    assert np.all(bid[:, second] > bid[:, first])


def test_owners_reach_different_finance() -> None:
    pair, first, second = centre_pair()
    world = pair.setting.world
    limits = []
    for owner in range(len(world.owners)):
        owners = np.array(world.centres.owner)
        owners[second] = owner
        here = pair.with_table("centres", {"owner": owners})
        quarter = here.quarter("policy")
        index = place_halls(quarter, here.setting).lender_index
        limit = finance_limit(quarter, index, here.setting)
        limits.append(float(limit[0, second]))
    assert len(set(np.round(limits, 6))) == len(world.owners)


def test_only_the_failing_centre_leaves() -> None:
    """After a year of negative equity a centre can leave; its solvent twin stays."""
    pair, first, second = centre_pair()
    insolvent = np.array(pair.state.centres.insolvent)
    insolvent[:, [first, second]] = [0, 8]
    pair = pair.with_columns("centres", insolvent=insolvent).with_parameters(soft_budget=0)
    left = pair.quarter().accounts.exits.left
    assert np.all(left[:, second] == 1)
    assert np.all(left[:, first] == 0)


def test_the_readier_prefecture_draws_more_halls() -> None:
    here = moment()
    world = here.setting.world
    outside = int(np.flatnonzero(~world.prefectures.hub)[0])
    for place in (0, outside):
        ready = here.raised("governments", "readiness", 1.1, place)
        before = place_utility(here.quarter("policy"), here.setting)
        after = place_utility(ready.quarter("policy"), ready.setting)
        cell = world.cells.intelligent & (world.cells.prefecture == place)
        assert np.all(after[:, cell] > before[:, cell])


def test_the_more_ambitious_prefecture_spends_more_on_readiness() -> None:
    here = moment()
    count = here.setting.world.prefectures.count
    ambition = np.tile(np.linspace(0.2, 0.8, count), (here.setting.runs, 1))
    here = here.with_columns("governments", ambition=ambition)
    spent = push_readiness(here.quarter("drivers"), here.setting)
    assert np.all(np.diff(spent, axis=1) > 0)


def test_the_slower_prefecture_becomes_more_ambitious() -> None:
    here = moment()
    growth = np.zeros_like(here.state.governments.growth)
    growth[:, 0] = 0.5
    here = here.with_columns("governments", growth=growth, ambition=0 * growth + 0.3)
    ambition = here.policy().ambition_next
    assert np.all(ambition[:, 1:] > ambition[:, [0]])


def test_the_poorer_prefecture_has_less_left_for_transfers() -> None:
    here = moment()
    budget = np.array(here.setting.world.prefectures.budget_expenditure)
    budget[1] /= 2
    poorer = here.with_table("prefectures", {"budget_expenditure": budget}).policy()
    left = here.policy().prefecture_left
    assert np.all(poorer.prefecture_left[:, 1] < left[:, 1])
    assert np.allclose(poorer.prefecture_left[:, [0, 2]], left[:, [0, 2]])


def firm_pair() -> tuple[Moment, int, int]:
    """Return a moment with two equal firms in one cell, and their rows."""
    here = moment()
    active = here.state.firms.active.min(axis=0) > 0
    cell = here.setting.world.firms.cell
    first = next(i for i in np.flatnonzero(active) if active[cell == cell[i]].sum() > 1)
    second = next(i for i in np.flatnonzero(active & (cell == cell[first])) if i != first)
    return here.twins("firms", "firms", int(first), int(second)), int(first), int(second)


def test_equal_firms_act_alike() -> None:
    pair, first, second = firm_pair()
    made = pair.innovation()
    for values in (made.research_spending, made.compute, made.absorptive):
        assert np.allclose(values[:, first], values[:, second])


@pytest.mark.parametrize("column", ["knowledge", "sales", "research"])
def test_firms_differ_by_what_they_know_sell_and_have_researched(column: str) -> None:
    pair, first, second = firm_pair()
    pair = pair.with_columns("firms", research=0 * pair.state.firms.research + 0.5)
    pair = pair.raised("firms", column, 2.0, second)
    made = pair.innovation()
    acts = {
        "knowledge": compete(pair.state, pair.with_parameters(sales_noise_sd=0).setting),
        "sales": made.research_spending,
        "research": made.absorptive,
    }[column]
    assert np.all(acts[:, second] > acts[:, first])
    if column == "sales":
        assert np.all(made.compute[:, second] > made.compute[:, first])


@pytest.mark.parametrize(
    ("column", "poor", "rich", "hazard"),
    [("cash", 0.0, 1e6, "exit_cash"), ("age", 0.0, 99.0, "exit_young")],
)
def test_the_firm_short_of_cash_and_the_young_firm_leave(
    column: str, poor: float, rich: float, hazard: str
) -> None:
    pair, first, second = firm_pair()
    values = np.full_like(pair.state.firms.cash, rich)
    values[:, second] = poor
    rates = {"exit_base": 0.0, "exit_young": 0.0, "exit_cash": 0.0, hazard: 1.0}
    pair = pair.with_columns("firms", **{column: values}).with_parameters(**rates)
    left = close_firm(pair.quarter("drivers"), pair.setting) > 0.5
    assert np.all(left[:, second] == 1)
    assert np.all(left[:, first] == 0)


def test_the_firm_near_strong_universities_learns_from_better_partners() -> None:
    """Two firms of one domain that differ in nothing but where they are."""
    here = moment()
    frontier = np.full((here.setting.runs, 1), 10.0)
    partners = partner_knowledge(here.quarter("investment"), frontier, here.setting)
    count = here.setting.world.prefectures.count
    external = partners.external.reshape(here.setting.runs, count, -1)
    assert np.all(external.max(axis=1) > external.min(axis=1))
    assert np.all(partners.spillover.reshape(external.shape).std(axis=1) > 0)


def test_the_university_that_knows_more_accepts_more_and_turns_to_its_strength() -> None:
    here = moment().twins("universities", "universities", 0, 1)
    accepted = accept_offers(here.quarter("drivers"), here.setting)
    assert np.allclose(accepted[:, :, 0], accepted[:, :, 1])
    strong = here.raised("universities", "knowledge", 1.5, 0, 1)
    accepted = accept_offers(strong.quarter("drivers"), strong.setting)
    effort = divide_effort(strong.quarter("drivers"), strong.setting)
    assert np.all(accepted[:, 0, 1] > accepted[:, 0, 0])
    assert np.all(effort[:, 0, 1] > effort[:, 0, 0])


def test_the_park_further_on_adopts_and_builds_more() -> None:
    here = moment().twins("parks", "parks", 0, 1)
    equal = here.innovation()
    assert np.allclose(equal.adoption_next[:, 0], equal.adoption_next[:, 1])
    ahead = here.raised("parks", "adoption", 1.1, 1).innovation()
    assert np.all(ahead.adoption_next[:, 1] > ahead.adoption_next[:, 0])
    assert np.all(ahead.park_order[:, 1] > ahead.park_order[:, 0])


def maker_pair() -> tuple[Moment, int, int]:
    """Return a moment with two equal makers of one stage, and their rows."""
    stage = moment().setting.world.makers.stage
    first = next(i for i in range(len(stage) - 1) if stage[i] == stage[i + 1])
    return moment().twins("makers", "makers", first, first + 1), first, first + 1


def test_the_cheaper_and_the_better_maker_sell_more() -> None:
    pair, first, second = maker_pair()
    ample = pair.with_columns("makers", capacity=pair.state.makers.capacity * 100)
    assert np.allclose(ample.supply().sales[:, first], ample.supply().sales[:, second])
    cheap = ample.raised("makers", "cost", 0.8, second).supply().sales
    quality = np.array(pair.setting.world.makers.quality)
    quality[second] *= 1.5
    good = ample.with_table("makers", {"quality": quality}).supply().sales
    for sales in (cheap, good):
        assert np.all(sales[:, second] > sales[:, first])


def test_the_maker_under_pressure_expands() -> None:
    pair, first, second = maker_pair()
    rich = pair.with_columns("makers", cash=0 * pair.state.makers.cash + 1e6)
    spent = rich.raised("makers", "sales", 3.0, second).supply().investment
    assert np.all(spent[:, second] > spent[:, first])


def test_buyers_differ_by_distance_and_by_experience() -> None:
    here = moment()
    regions = here.setting.world.regions
    first, second = np.flatnonzero(regions.home == 0)[:2]
    rows = {
        name: np.array(column)
        for name, column in here.setting.world.network.columns.items()
        if isinstance(column, np.ndarray) and name not in ("id", "region")
    }
    for column in rows.values():
        column[second] = column[first]
    share = np.array(regions.demand_share)
    share[second] = share[first]
    paired = np.array(regions.paired)
    paired[second] = paired[first]
    near = here.with_table("network", rows).with_table(
        "regions", {"demand_share": share, "paired": paired}
    )
    state = near.state.buyers
    columns = {name: np.array(getattr(state, name)) for name in ("experience", "noise", "price")}
    for column in columns.values():
        column[:, second] = column[:, first]
    near = near.with_columns("buyers", **columns)

    def province_share(at: Moment) -> np.ndarray:
        return at.market().routing.share[..., 2]

    equal = province_share(near)
    assert np.allclose(equal[:, first], equal[:, second])
    rows["latency_home_ms"][second] += 5
    far = province_share(near.with_table("network", rows))
    assert np.all(far[:, second] < far[:, first])
    columns["experience"][:, second] *= 1.2
    known = province_share(near.with_columns("buyers", **columns))
    assert np.all(known[:, second] > known[:, first])
