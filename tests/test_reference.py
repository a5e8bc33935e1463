"""The hard stages against a slow reference in plain Python, agent by agent.

Budgets, location and bidding, finance, routing, dispatch, settlement, exits and accounts. Both get
the same state, the same draws, the same drivers and (in the accounts) the same records of earlier
stages; everything that a stage returns is compared. The accounts of the reference
never look at the list of flows: that each agent's deposits follow from its own decisions is
invariant A1.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from reference.agreement import differences
from reference.cases import EARLY, LATE, SCENARIOS, quarters, setting_of, state_of
from reference.dispatch import reference_dispatch
from reference.flows import reference_accounts
from reference.investment import reference_investment
from reference.layout import from_state
from reference.mirror import plain_quarter, plain_record
from reference.policy import reference_policy

from ecosystem.maths.arrays import Array
from ecosystem.quarter.start import initial_state
from ecosystem.quarter.step import step
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Setting
from ecosystem.state.state import Centres, Firms, Society, State

pytestmark = pytest.mark.slow

RUNS = 3
YUAN = 1e-6  # M¥


def unequal_cash(
    model: dict[str, Any], reference: dict[str, list[float]], run: int
) -> Iterator[str]:
    """Yield deposits that differ by a yuan or by 1e-9 of what is held: invariant A1."""
    for sector, deposits in reference.items():
        booked = model[sector][run]
        for i, (mine, theirs) in enumerate(zip(deposits, booked, strict=True)):
            if not abs(mine - theirs) <= YUAN + 1e-9 * abs(theirs):
                yield f"deposits of {sector}[{i}]: {theirs} against {mine}"


def compare(quarter: Quarter, setting: Setting, run: int) -> list[str]:
    """Return all differences of one quarter of one run, stage by stage."""
    agents = from_state(quarter.state, setting, run)
    records = plain_quarter(quarter, run)
    records.pop("accounts")
    drivers = records["drivers"]
    policy = reference_policy(agents, drivers)
    investment = reference_investment(agents, drivers, policy)
    accounts = reference_accounts(agents, **records)
    deposits = accounts.pop("cash")
    pairs: list[tuple[str, Any, Any]] = [
        ("policy", quarter.policy, policy),
        ("investment", quarter.investment, investment),
        ("market", quarter.market, reference_dispatch(agents, drivers, policy, investment)),
        ("accounts", {name: getattr(quarter.accounts, name) for name in accounts}, accounts),
    ]
    lines = [line for name, *both in pairs for line in differences(*both, run, name)]
    lines += unequal_cash(quarter.accounts.cash, deposits, run)
    return [f"t={quarter.state.period} run={run} {line}" for line in lines]


def assert_agree(quarter: Quarter, setting: Setting) -> None:
    """Fail with what differs in any run of a quarter."""
    wrong = [line for run in range(setting.runs) for line in compare(quarter, setting, run)]
    assert not wrong, "\n".join(wrong[:40])


@pytest.mark.parametrize(
    ("name", "seed", "chosen"),
    [
        *(
            (name, seed, EARLY)
            for name in ("history", "glut", "extreme market", "extreme society")
            for seed in (1, 20)
        ),
        *((name, 1, LATE) for name in SCENARIOS),
        *((name, 1, (48, 63)) for name in ("article", "plus", "extreme market", "extreme society")),
    ],
)
def test_stages_agree_with_the_reference(name: str, seed: int, chosen: tuple[int, ...]) -> None:
    for quarter, _, setting in quarters(name, seed, chosen, RUNS):
        assert_agree(quarter, setting)


def strange(state: State, setting: Setting, seed: int) -> State:
    """Return a state in which rare branches are taken.

    Demand far above capacity, near zero or of universities alone, by run; centres in debt, long
    insolvent, without books, empty or overfull; prices at the cost of power; prefectures that
    failed their match, envelopes that were rationed, subsidies that rivals know of; makers in
    debt or without room; no AI firm in one run and hardly a free slot in the next; firms beyond
    the frontier and in debt; unequal universities, wages out of line, broken local matches.
    """
    luck = np.random.default_rng(seed)
    g, nation, m, parks = state.governments, state.nation, state.makers, state.parks

    def uniform(like: Array, low: float, high: float) -> Array:
        return luck.uniform(low, high, like.shape)

    def some(like: Array, share: float) -> Array:
        return luck.random(like.shape) < share

    factor = np.array([8.0, 0.02, 300.0])[: setting.runs, None]
    knowledge = state.universities.knowledge
    return replace(
        state,
        centres=strange_centres(state.centres, luck),
        firms=strange_firms(state, setting, luck, crowded=bool(seed % 2)),
        society=strange_society(state.society, luck),
        governments=replace(
            g,
            readiness=uniform(g.readiness, 0.0, 0.99),
            growth=luck.normal(0.0, 0.3, g.growth.shape),
            ambition=luck.random(g.ambition.shape),
            match_last_year=luck.random(g.match.shape),
            paid_share=luck.random(g.paid_share.shape),
            claimed=uniform(g.claimed, 0.0, 400.0),
            paid=uniform(g.paid, 0.0, 200.0),
            receipts=uniform(g.receipts, 0.0, 400.0),
            receipts_before=uniform(g.receipts_before, 0.0, 1600.0) * some(g.receipts_before, 0.7),
            receipts_reference=uniform(g.receipts_reference, 0.0, 300.0),
            advantage=uniform(g.advantage, -0.1, 0.3),
            diffusion=uniform(g.diffusion, 0.0, 300.0),
        ),
        nation=replace(
            nation,
            demand_ratio=nation.demand_ratio * factor,
            use=uniform(nation.use, 0.05, 1.0),
            use_2024=uniform(nation.use_2024, 0.05, 1.0),
            rival_use=luck.random(nation.rival_use.shape),
        ),
        buyers=replace(
            state.buyers,
            experience=luck.random(state.buyers.experience.shape),
            price=uniform(state.buyers.price, 0.3, 3.0),
            noise=0.1 * luck.standard_normal(state.buyers.noise.shape),
        ),
        makers=replace(
            m,
            capacity=m.capacity * uniform(m.capacity, 0.05, 2.0),
            cost=uniform(m.cost, 0.4, 1.8),
            sales=m.sales * uniform(m.sales, 0.0, 3.0),
            cash=m.capacity * uniform(m.cash, -1.5, 0.5),
        ),
        universities=replace(
            state.universities, knowledge=knowledge * luck.lognormal(0.0, 1.0, knowledge.shape)
        ),
        parks=replace(
            parks,
            adoption=uniform(parks.adoption, 0.01, 0.99),
            servers=luck.exponential(1.0, parks.servers.shape) * (luck.random() < 0.7),
        ),
    )


def strange_centres(c: Centres, luck: np.random.Generator) -> Centres:
    """Return centres with other capacity, prices and books."""
    shape = c.servers.shape
    empty, bookless = luck.random(shape) < 0.2, luck.random(shape) < 0.2
    servers = np.where(empty, 0.0, c.servers * luck.uniform(0.2, 3.0, shape) + 1.0)
    sold = np.minimum(c.sold, 2190 * servers) * luck.uniform(0.3, 1.0, shape)
    return replace(
        c,
        servers=servers,
        sold=sold,
        use=sold / np.where(empty, 1.0, 2190 * servers),
        halls=c.halls * luck.uniform(0.2, 2.0, shape),
        halls_pipeline=luck.uniform(0.0, 5.0, c.halls_pipeline.shape),
        nameplate=c.nameplate * luck.uniform(0.2, 2.0, shape),
        server_pipeline=luck.uniform(0.0, 900.0, c.server_pipeline.shape),
        mark=luck.uniform(-0.5, 0.3, shape) - 6.0 * (luck.random(shape) < 0.2),
        fill_history=luck.uniform(0.2, 0.9, c.fill_history.shape),
        tenants=2.0 * luck.standard_normal(shape),
        cash=luck.normal(0.0, 50.0, shape),
        loan=c.loan * luck.uniform(0.0, 4.0, shape),
        book_servers=np.where(bookless, 0.0, c.book_servers),
        book_halls=np.where(bookless, 0.0, c.book_halls),
        real_servers=c.real_servers * luck.uniform(0.0, 3.0, shape),
        real_halls=c.real_halls * luck.uniform(0.0, 3.0, shape),
        insolvent=luck.integers(0, 9, shape).astype(float),
    )


def strange_firms(
    state: State, setting: Setting, luck: np.random.Generator, crowded: bool
) -> Firms:
    """Return firms of all sizes; crowded: none in one run, hardly a free slot in the next."""
    f, domain = state.firms, setting.world.firms.domain
    full = np.array([[0.0], [0.97], [0.5]])[: setting.runs] if crowded else 0.5
    active = (luck.random(f.active.shape) < full).astype(float)
    size = active * luck.lognormal(0.0, 1.0, active.shape)
    whole = np.stack([size[:, domain == j].sum(axis=1) for j in range(domain.max() + 1)], axis=1)
    return replace(
        f,
        active=active,
        age=active * luck.integers(0, 20, active.shape),
        knowledge=active * luck.lognormal(0.5, 1.5, active.shape),
        research=active * luck.exponential(1.0, active.shape),
        staff=active * luck.uniform(0.0, 60.0, active.shape),
        share=size / np.where(whole > 0, whole, 1.0)[:, domain],
        sales=size * luck.uniform(0.0, 20.0, active.shape),
        cash=active * luck.normal(0.0, 3.0, active.shape),
    )


def strange_society(s: Society, luck: np.random.Generator) -> Society:
    """Return people with other wages, posts, users and branches."""
    return replace(
        s,
        wage=s.wage * luck.uniform(0.6, 1.6, s.wage.shape),
        tightness=luck.uniform(0.0, 1.0, s.tightness.shape)
        * (luck.random(s.tightness.shape) < 0.8),
        deployment=luck.random(s.deployment.shape) * (luck.random(s.deployment.shape) < 0.9),
        branches=luck.uniform(0.0, 900.0, s.branches.shape) * (luck.random(s.branches.shape) < 0.6),
        branch_peak=s.branch_peak * luck.uniform(0.0, 3.0, s.branch_peak.shape),
    )


@cache
def strange_quarter(name: str, seed: int, period: int) -> Quarter:
    """Return the quarter of a strange state at a period of a scenario."""
    setting = setting_of(name, seed, runs=RUNS)
    state = strange(state_of(name, seed, 12, runs=RUNS), setting, 1000 * seed + period)
    return step(replace(state, period=period), setting)[1]


STRANGE = [
    (name, seed, period)
    for name, period in (
        ("history", 5),
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
        ("innovation", 32),
        ("outage", 28),
        ("squeeze", 32),
        ("several", 45),
        ("mixed", 30),
        ("glut", 34),
        ("broke", 26),
        ("record", 28),
        ("extreme market", 32),
        ("extreme society", 33),
    )
    for seed in (3, 4)
]


@pytest.mark.parametrize("case", STRANGE, ids=str)
def test_stages_agree_in_strange_states(case: tuple[str, int, int]) -> None:
    assert_agree(strange_quarter(*case), setting_of(*case[:2], runs=RUNS))


def test_strange_states_take_every_branch() -> None:
    """Without this the test above might compare nothing but zeros."""
    seen = [strange_quarter(*case) for case in STRANGE]

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
    assert ever(lambda q: q.market.routing.offer.price > q.market.routing.offer.market)
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
    for name in ("hub_linkage", "latency_insensitive_first"):
        assert ever(lambda q, name=name: q.policy.lever[name] > 1), name
    for name in seen[0].policy.lever:
        assert ever(lambda q, name=name: q.policy.lever[name] > 0), name
    for name in ("even_diffusion", "industrial_centres", "capital_subsidy", "output_subsidy"):
        assert ever(lambda q, name=name: q.policy.rate[name] > 0), name
    assert ever(lambda q: q.business.born > 0)
    assert ever(lambda q: q.business.overflow > 0)
    assert ever(lambda q: q.business.exits > 0)
    assert ever(lambda q: q.accounts.books.overdraft > 0)
    assert ever(lambda q: q.accounts.books.dividend > 0)
    assert ever(lambda q: q.accounts.books.surplus < 0)
    assert ever(lambda q: q.accounts.exits.received > 0)
    assert ever(lambda q: q.accounts.exits.left_over > 0)
    assert ever(lambda q: (q.accounts.settlement.paid_share > 0) & (q.accounts.settlement.paid < 1))
    for name in seen[0].accounts.settlement.received:
        assert ever(lambda q, name=name: q.accounts.settlement.received[name] > 0)
    for label in ("loans written off", "vouchers", "grants", "programmes", "subsidies", "interest"):
        assert ever(
            lambda q, label=label: [
                flow.paid.sum() > 0 for flow in q.accounts.flows if flow.label == label
            ]
        )


def test_full_world_agrees_with_the_reference() -> None:
    """Cells of several centres, all regions and prefectures, all makers, universities and slots."""
    setting, state = setting_of("squeeze", 7, "full", 1), state_of("squeeze", 7, 24, "full", 1)
    strained = step(strange(state, setting, 7), setting)[1]
    assert strained.accounts.exits.received.sum() > 0
    for quarter in (step(state, setting)[1], strained):
        assert_agree(quarter, setting)


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
    assert_agree(quarter, setting)


def test_a_wrong_number_is_found() -> None:
    """The comparison itself: two yuan too much with one firm, and receipts too high."""
    setting = setting_of("history", 1)
    quarter = step(initial_state(setting), setting)[1]
    cash = {name: deposits.copy() for name, deposits in quarter.accounts.cash.items()}
    cash["firms"][0, 17] += 2 * YUAN
    assert len(list(unequal_cash(cash, plain_record(quarter.accounts.cash, 0), 0))) == 1
    false = copy(quarter)
    receipts = 1.001 * quarter.accounts.local_receipts
    false.accounts = replace(quarter.accounts, local_receipts=receipts)
    assert any("receipts" in line for line in compare(false, setting, 0))
