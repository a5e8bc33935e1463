"""The accounts against a slow reference, agent by agent: who pays and receives what (S7).

Both get the same state, the same records of earlier stages and the same draws. The accounts of the
reference never look at the list of flows: that each agent's deposits follow from its own decisions
is invariant A1.
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
from reference.flows import reference_accounts
from reference.layout import from_state
from reference.mirror import plain_quarter, plain_record

from ecosystem.quarter.start import initial_state
from ecosystem.quarter.step import step
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Setting
from ecosystem.state.state import State

pytestmark = pytest.mark.slow

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
    """Return all differences of the accounts of one quarter of one run."""
    agents, records = from_state(quarter.state, setting, run), plain_quarter(quarter, run)
    given = {name: record for name, record in records.items() if name != "accounts"}
    accounts = reference_accounts(agents, **given)
    deposits = accounts.pop("cash")
    booked = {name: getattr(quarter.accounts, name) for name in accounts}
    lines = differences(booked, accounts, run, "accounts")
    lines += unequal_cash(quarter.accounts.cash, deposits, run)
    return [f"t={quarter.state.period} run={run} {line}" for line in lines]


def check(name: str, seed: int, chosen: tuple[int, ...]) -> None:
    """Compare the chosen quarters of all runs of a scenario."""
    wrong: list[str] = []
    for quarter, _, setting in quarters(name, seed, chosen):
        for run in range(setting.runs):
            wrong += compare(quarter, setting, run)
    assert not wrong, "\n".join(wrong[:40])


@pytest.mark.parametrize("name", ["history", "extreme society"])
@pytest.mark.parametrize("seed", [1, 20])
def test_early_quarters_agree_with_the_reference(name: str, seed: int) -> None:
    check(name, seed, EARLY)


@pytest.mark.parametrize("name", SCENARIOS)
def test_packages_and_shocks_agree_with_the_reference(name: str) -> None:
    check(name, 1, LATE)


@pytest.mark.parametrize("name", ["plus", "squeeze", "extreme society"])
def test_last_quarters_agree_with_the_reference(name: str) -> None:
    check(name, 1, (28, 48, 63))


def strained(state: State, setting: Setting, seed: int) -> State:
    """Return a state in which rare branches are taken.

    Makers in debt or without room, no AI firm in one run and hardly a free slot in the other,
    firms beyond the frontier and in debt, parks with servers of their own, unequal universities,
    wages out of line, centres in debt, long insolvent or without books, broken local matches.
    """
    luck = np.random.default_rng(seed)
    m, f, c, g, s = state.makers, state.firms, state.centres, state.governments, state.society
    makers = replace(
        m,
        capacity=m.capacity * luck.uniform(0.05, 2.0, m.capacity.shape),
        cost=luck.uniform(0.4, 1.6, m.cost.shape),
        sales=m.sales * luck.uniform(0.0, 3.0, m.sales.shape),
        cash=m.capacity * luck.uniform(-1.5, 0.5, m.cash.shape),
    )
    full = np.array([[0.0], [0.97]])[: setting.runs] if seed % 2 else 0.5
    active = (luck.random(f.active.shape) < full).astype(float)
    size = active * luck.lognormal(0.0, 1.0, active.shape)
    domain = setting.world.firms.domain
    whole = np.stack([size[:, domain == j].sum(axis=1) for j in range(domain.max() + 1)], axis=1)
    firms = replace(
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
    knowledge = state.universities.knowledge * luck.lognormal(
        0.0, 1.0, state.universities.knowledge.shape
    )
    parks = replace(
        state.parks,
        adoption=luck.uniform(0.01, 0.99, state.parks.adoption.shape),
        servers=luck.exponential(1.0, state.parks.servers.shape) * (luck.random() < 0.7),
    )
    bookless = luck.random(c.cash.shape) < 0.2
    centres = replace(
        c,
        mark=luck.uniform(-0.5, 0.3, c.mark.shape),
        cash=luck.normal(0.0, 50.0, c.cash.shape),
        loan=c.loan * luck.uniform(0.0, 4.0, c.loan.shape),
        book_servers=np.where(bookless, 0.0, c.book_servers),
        book_halls=np.where(bookless, 0.0, c.book_halls),
        halls=c.halls * luck.uniform(0.3, 1.2, c.halls.shape),
        insolvent=luck.integers(0, 9, c.insolvent.shape).astype(float),
    )
    governments = replace(
        g,
        match_last_year=luck.random(g.match.shape),
        receipts=luck.uniform(0.0, 400.0, g.receipts.shape),
        receipts_reference=luck.uniform(0.0, 200.0, g.receipts_reference.shape),
    )
    society = replace(
        s,
        wage=s.wage * luck.uniform(0.6, 1.6, s.wage.shape),
        tightness=luck.uniform(0.0, 1.0, s.tightness.shape)
        * (luck.random(s.tightness.shape) < 0.8),
        deployment=luck.random(s.deployment.shape) * (luck.random(s.deployment.shape) < 0.9),
        branches=luck.uniform(0.0, 900.0, s.branches.shape) * (luck.random(s.branches.shape) < 0.6),
        branch_peak=s.branch_peak * luck.uniform(0.0, 3.0, s.branch_peak.shape),
    )
    burden = np.array([[1.0], [300.0]])[: setting.runs]  # super compute that universities need
    return replace(
        state,
        nation=replace(state.nation, demand_ratio=state.nation.demand_ratio * burden),
        makers=makers,
        firms=firms,
        universities=replace(state.universities, knowledge=knowledge),
        parks=parks,
        centres=centres,
        governments=governments,
        society=society,
    )


@cache
def strained_quarter(name: str, seed: int, period: int) -> Quarter:
    """Return a strained quarter at a period of a scenario."""
    setting = setting_of(name, seed)
    state = strained(state_of(name, seed, 10), setting, 1000 * seed + period)
    return step(replace(state, period=period), setting)[1]


STRAINED = [
    (name, seed, period)
    for name, period in (
        ("history", 5),
        ("history", 18),
        ("article", 24),
        ("plus", 29),
        ("limit", 26),
        ("output", 27),
        ("diffusion", 30),
        ("green", 33),
        ("innovation", 32),
        ("squeeze", 31),
        ("several", 45),
        ("mixed", 30),
        ("broke", 29),
        ("record", 26),
        ("extreme society", 33),
    )
    for seed in (3, 4, 5)
]


@pytest.mark.parametrize(("name", "seed", "period"), STRAINED)
def test_stages_agree_under_strain(name: str, seed: int, period: int) -> None:
    quarter = strained_quarter(name, seed, period)
    setting = setting_of(name, seed)
    wrong = [line for run in range(setting.runs) for line in compare(quarter, setting, run)]
    assert not wrong, "\n".join(wrong[:40])


def test_strain_takes_every_branch() -> None:
    """Without this the test above might compare nothing but zeros."""
    seen = [strained_quarter(*case) for case in STRAINED]

    def ever(condition: Any) -> bool:
        return any(np.any(condition(quarter)) for quarter in seen)

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
    """All prefectures, all makers and universities, many slots in a cell."""
    setting = setting_of("squeeze", 7, "full", 1)
    state, quarter = step(state_of("squeeze", 7, 24, "full", 1), setting)
    strange = step(strained(state, setting, 8), setting)[1]
    wrong = [*compare(quarter, setting, 0), *compare(strange, setting, 0)]
    assert not wrong, "\n".join(wrong[:40])


def test_a_wrong_number_is_found() -> None:
    """The comparison itself: two yuan too much with one firm, and a tax too high."""
    setting = setting_of("history", 1)
    quarter = step(initial_state(setting), setting)[1]
    cash = {name: deposits.copy() for name, deposits in quarter.accounts.cash.items()}
    cash["firms"][0, 17] += 2 * YUAN
    assert len(list(unequal_cash(cash, plain_record(quarter.accounts.cash, 0), 0))) == 1
    false = copy(quarter)
    false.accounts = replace(quarter.accounts, taxes=1.001 * quarter.accounts.taxes)
    assert any("taxes" in line for line in compare(false, setting, 0))
