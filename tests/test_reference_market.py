"""The vectorised stages against a slow reference that goes agent by agent: S0, S1, S2, S4, exits.

Both get the same state and the same draws; every number that a stage returns is compared.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from reference.agreement import differences
from reference.cases import (
    EARLY,
    LATE,
    SCENARIOS,
    quarters,
    setting_of,
    state_of,
)
from reference.dispatch import reference_dispatch
from reference.drivers import national_table, reference_drivers
from reference.exits import reference_exits
from reference.investment import reference_investment
from reference.layout import from_state
from reference.policy import reference_policy

from ecosystem.quarter.start import initial_state
from ecosystem.quarter.step import step
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Setting
from ecosystem.state.state import State

pytestmark = pytest.mark.slow

RUNS = 3


def books_of(quarter: Quarter, run: int) -> dict[str, list[float]]:
    """Return surplus, interest and closing balance of centres before exits, by centre."""
    names = ("cash", "loan", "book_servers", "book_halls", "surplus", "interest")
    return {name: getattr(quarter.accounts.books, name)[run].tolist() for name in names}


def compare(quarter: Quarter, setting: Setting, run: int) -> list[str]:
    """Return all differences of one quarter of one run, stage by stage."""
    agents = from_state(quarter.state, setting, run)
    drivers = reference_drivers(agents)
    policy = reference_policy(agents, drivers)
    investment = reference_investment(agents, drivers, policy)
    market = reference_dispatch(agents, drivers, policy, investment)
    exits = reference_exits(
        agents, investment, books_of(quarter, run), policy["local_settlement"][0]
    )
    pairs: list[tuple[str, Any, Any]] = [
        ("drivers", quarter.drivers, drivers),
        ("policy", quarter.policy, policy),
        ("investment", quarter.investment, investment),
        ("market", quarter.market, market),
        ("exits", quarter.accounts.exits, exits),
    ]
    return [
        f"t={quarter.state.period} run={run} {line}"
        for name, model, expected in pairs
        for line in differences(model, expected, run, name)
    ]


def check(name: str, seed: int, chosen: tuple[int, ...]) -> None:
    """Compare the chosen quarters of all runs of a scenario."""
    wrong: list[str] = []
    for quarter, _, setting in quarters(name, seed, chosen, RUNS):
        for run in range(setting.runs):
            wrong += compare(quarter, setting, run)
    assert not wrong, "\n".join(wrong[:40])


@pytest.mark.parametrize("name", ["history", "glut", "extreme market"])
@pytest.mark.parametrize("seed", [1, 20])
def test_early_quarters_agree_with_the_reference(name: str, seed: int) -> None:
    check(name, seed, EARLY)


@pytest.mark.parametrize("name", SCENARIOS)
def test_packages_and_shocks_agree_with_the_reference(name: str) -> None:
    check(name, 1, LATE)


@pytest.mark.parametrize("name", ["article", "squeeze", "extreme market"])
def test_last_quarters_agree_with_the_reference(name: str) -> None:
    check(name, 1, (28, 48, 63))


def stressed(state: State, setting: Setting, seed: int) -> State:
    """Return a state in which rare branches are taken.

    Demand far above capacity in one run and near zero in the next, cash below zero, centres that
    have long been insolvent, empty and overfull halls, prices at the cost of power, prefectures
    that failed their match, envelopes that were rationed, subsidies that rivals know of.
    """
    luck = np.random.default_rng(seed)
    c, g, nation = state.centres, state.governments, state.nation
    shape = c.servers.shape
    factor = np.array([8.0, 0.02, 1.0])[: setting.runs, None]
    empty = luck.random(shape) < 0.2
    servers = np.where(empty, 0.0, c.servers * luck.uniform(0.2, 3.0, shape) + 1.0)
    sold = np.minimum(c.sold, 2190 * servers) * luck.uniform(0.3, 1.0, shape)
    centres = replace(
        c,
        servers=servers,
        sold=sold,
        use=sold / np.where(empty, 1.0, 2190 * servers),
        halls=c.halls * luck.uniform(0.2, 2.0, shape),
        halls_pipeline=luck.uniform(0.0, 5.0, c.halls_pipeline.shape),
        server_pipeline=luck.uniform(0.0, 900.0, c.server_pipeline.shape),
        mark=luck.uniform(-0.5, 0.3, shape) - 6.0 * (luck.random(shape) < 0.2),
        fill_history=luck.uniform(0.2, 0.9, c.fill_history.shape),
        tenants=2.0 * luck.standard_normal(shape),
        cash=luck.normal(0.0, 50.0, shape),
        loan=c.loan * luck.uniform(0.0, 4.0, shape),
        insolvent=luck.integers(0, 9, shape).astype(float),
    )
    governments = replace(
        g,
        readiness=luck.uniform(0.0, 0.99, g.readiness.shape),
        growth=luck.normal(0.0, 0.3, g.growth.shape),
        ambition=luck.random(g.ambition.shape),
        match_last_year=luck.random(g.match.shape),
        paid_share=luck.random(g.paid_share.shape),
        claimed=luck.uniform(0.0, 400.0, g.claimed.shape),
        paid=luck.uniform(0.0, 200.0, g.paid.shape),
        receipts=luck.uniform(0.0, 400.0, g.receipts.shape),
        receipts_before=luck.uniform(0.0, 1600.0, g.receipts_before.shape)
        * (luck.random(g.receipts_before.shape) < 0.7),
        receipts_reference=luck.uniform(0.0, 300.0, g.receipts_reference.shape),
        advantage=luck.uniform(-0.1, 0.3, g.advantage.shape),
        diffusion=luck.uniform(0.0, 300.0, g.diffusion.shape),
    )
    society = replace(
        state.society, branches=luck.uniform(0.0, 900.0, state.society.branches.shape)
    )
    use = luck.uniform(0.05, 1.0, nation.use.shape)
    nation = replace(
        nation,
        demand_ratio=nation.demand_ratio * factor,
        use=use,
        use_2024=luck.uniform(0.05, 1.0, use.shape),
        rival_use=luck.random(use.shape),
    )
    buyers = replace(
        state.buyers,
        experience=luck.random(state.buyers.experience.shape),
        price=luck.uniform(0.3, 3.0, state.buyers.price.shape),
        noise=0.1 * luck.standard_normal(state.buyers.noise.shape),
    )
    m = state.makers
    return replace(
        state,
        centres=centres,
        governments=governments,
        nation=nation,
        buyers=buyers,
        society=society,
        firms=replace(state.firms, sales=state.firms.sales * factor**2),
        makers=replace(m, cost=m.cost * luck.uniform(0.6, 1.8, (len(m.cost), 1))),
    )


@cache
def stress_quarter(name: str, seed: int, period: int) -> Quarter:
    """Return a stressed quarter at a period of a scenario."""
    setting = setting_of(name, seed, runs=RUNS)
    state = stressed(state_of(name, seed, 12, runs=RUNS), setting, 1000 * seed + period)
    return step(replace(state, period=period), setting)[1]


STRESSED = [
    (name, seed, period)
    for name, period in (
        ("history", 17),
        ("none", 31),
        ("article", 24),
        ("plus", 29),
        ("limit", 26),
        ("supply", 28),
        ("demand", 32),
        ("capital", 36),
        ("output", 40),
        ("diffusion", 30),
        ("green", 33),
        ("outage", 28),
        ("squeeze", 32),
        ("several", 35),
        ("mixed", 30),
        ("glut", 34),
        ("broke", 26),
        ("record", 28),
        ("extreme market", 32),
    )
    for seed in (3, 4, 5)
]


@pytest.mark.parametrize(("name", "seed", "period"), STRESSED)
def test_stages_agree_under_stress(name: str, seed: int, period: int) -> None:
    quarter, setting = stress_quarter(name, seed, period), setting_of(name, seed, runs=RUNS)
    wrong = [line for run in range(setting.runs) for line in compare(quarter, setting, run)]
    assert not wrong, "\n".join(wrong[:40])


def test_stress_takes_every_branch() -> None:
    """Without this the test above might compare nothing but zeros."""
    seen = [stress_quarter(*case) for case in STRESSED]

    def ever(condition: Any) -> bool:
        return any(np.any(condition(quarter)) for quarter in seen)

    assert ever(lambda q: q.accounts.exits.left > 0)
    assert ever(lambda q: q.accounts.exits.received > 0)
    assert ever(lambda q: (q.accounts.exits.left > 0) & (q.accounts.exits.received == 0))
    assert ever(lambda q: q.accounts.exits.overdraft > 0)
    assert ever(lambda q: q.accounts.exits.left_over > 0)
    assert ever(lambda q: q.accounts.exits.insolvent > 4)
    assert ever(lambda q: q.policy.gate > 0)
    assert ever(lambda q: q.policy.match < 1)
    assert ever(lambda q: q.policy.programme_paid < 0.5 * q.policy.programme_claimed)
    assert ever(lambda q: q.policy.co_funding < 1)
    assert ever(lambda q: q.policy.envelope_weight < 1)
    assert ever(lambda q: q.policy.fiscal_extra > 0)
    assert ever(lambda q: q.investment.rationed < 1)
    assert ever(lambda q: q.investment.scrapped > 0)
    assert ever(lambda q: q.investment.location.placed > 0)
    assert ever(lambda q: q.investment.location.share == 0)
    assert ever(lambda q: q.market.use > 0.999)
    assert ever(lambda q: (q.market.use < 0.1) & (q.investment.servers > 1))
    assert ever(lambda q: q.market.lost > 0.5 * q.market.inflow + 1)
    assert ever(lambda q: q.market.routing.overflow > 0.1 * q.market.routing.demand + 1)
    assert ever(lambda q: q.market.routing.offer.price == q.market.routing.offer.cost)
    assert ever(lambda q: q.market.mark_next == -0.5)
    assert ever(lambda q: q.policy.envelope_weight > 1)
    assert ever(lambda q: q.policy.local_settlement.std() > 0)
    assert ever(lambda q: q.policy.level_paid[:, 1] < q.policy.province_left[:, 0])
    assert ever(lambda q: q.investment.pue == 1)
    assert ever(lambda q: q.market.sold > 1.001 * q.market.by_class.sum(axis=1) + 1)
    assert ever(lambda q: q.market.helped > 0.3 * q.market.inflow[:, 1] + 1)
    assert ever(lambda q: q.drivers.rival_price < 0.9)
    assert ever(lambda q: q.drivers.supply < 1)
    assert ever(lambda q: q.drivers.hub_availability < 1)
    assert ever(lambda q: q.drivers.accelerators < 1)
    assert ever(lambda q: q.drivers.efficiency > 1)
    assert ever(lambda q: q.drivers.real_time_share > 0.7)
    for name in ("hub_linkage", "latency_insensitive_first"):
        assert ever(lambda q, name=name: q.policy.lever[name] > 1), name
    for name in seen[0].policy.lever:
        assert ever(lambda q, name=name: q.policy.lever[name] > 0), name
    for name in ("even_diffusion", "industrial_centres", "capital_subsidy", "output_subsidy"):
        assert ever(lambda q, name=name: q.policy.rate[name] > 0), name
    assert ever(lambda q: q.drivers.capacity_next[:, 1] < 1.03 * q.drivers.capacity[:, 1])
    assert ever(lambda q: q.drivers.capacity_next[:, 1] > 1.1 * q.drivers.capacity[:, 1])


def test_full_world_agrees_with_the_reference() -> None:
    """Cells of several centres, all regions and all prefectures."""
    setting, state = setting_of("squeeze", 7, "full", 1), state_of("squeeze", 7, 24, "full", 1)
    quarter = step(state, setting)[1]
    stress = step(stressed(state, setting, 7), setting)[1]
    wrong = [*compare(quarter, setting, 0), *compare(stress, setting, 0)]
    assert stress.accounts.exits.received.sum() > 0
    assert not wrong, "\n".join(wrong[:40])


@pytest.mark.parametrize("seed", [1, 2])
def test_national_capacity_agrees_with_the_reference(seed: int) -> None:
    setting = setting_of("history", seed, runs=RUNS)
    state = initial_state(setting)
    for run in range(setting.runs):
        agents = from_state(state, setting, run)
        expected = national_table(agents, setting.national_table.shape[1])
        assert not differences(setting.national_table, expected, run, "national table")


@pytest.mark.parametrize("seed", [1, 2])
def test_exits_agree_when_nobody_owns_anything(seed: int) -> None:
    """Every centre long insolvent and its books empty: no heir may be left in some cells."""
    setting = setting_of("history", seed, runs=RUNS)
    state = initial_state(setting)
    state, _ = step(state, setting)
    centres = replace(state.centres, insolvent=np.full_like(state.centres.insolvent, 9.0))
    quarter = step(replace(state, centres=centres), setting)[1]
    exits = quarter.accounts.exits
    assert exits.left.sum() > 0
    for run in range(setting.runs):
        assert not compare(quarter, setting, run)
