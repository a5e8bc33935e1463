"""Net value added: what pays for an asset moves nothing, and what it is made of (A1)."""

from collections.abc import Iterator
from copy import copy
from dataclasses import replace

import numpy as np
import pytest
from helpers import ONE_YUAN, assert_same_bits, quarters, setting_of

from ecosystem.inputs.scenario import resolve, with_overrides
from ecosystem.maths.arrays import Array, add_up, total
from ecosystem.outcomes.money import value_added_by_place
from ecosystem.stages.accounts import account
from ecosystem.stages.settlement import TRANSFERS
from ecosystem.state.ledger import amount, select
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Setting

PAY_FOR_ASSETS = ("capital_subsidy", "even_diffusion", "industrial_centres")
"""Instruments whose money becomes somebody's servers or halls."""
BOOKS = ("book_servers", "book_halls", "real_servers", "real_halls", "loan", "cash", "insolvent")
NO_EXITS = {"exit_quarters": 1000.0}
SETTLEMENT_RULE = "instrument.local_settlement_rule.active=true"


def with_grant(
    setting: Setting, instrument: str, rate: float, until: int
) -> Iterator[tuple[Quarter, Quarter]]:
    """Yield each quarter with and without a grant on all capital spending, at equal operation.

    Every record but the accounts is the same; the books of centres go their own way.
    """
    books: dict[str, Array] = {}
    column = np.arange(len(setting.schedule.names)) == setting.schedule.column(instrument)
    rates = np.where(column, rate, setting.schedule.rate)
    with_rate = replace(setting, schedule=replace(setting.schedule, rate=rates))
    for quarter, _ in quarters(setting, until):
        granted = copy(quarter)
        granted.state = replace(quarter.state, centres=replace(quarter.state.centres, **books))
        granted.policy = replace(
            quarter.policy,
            envelope=quarter.policy.envelope + 1e9 * column,
            prefecture_left=quarter.policy.prefecture_left + 1e9,
            province_left=quarter.policy.province_left + 1e9,
        )
        granted.accounts = account(granted, with_rate)
        yield quarter, granted
        after = granted.accounts.exits
        books = {name: getattr(after, name) for name in BOOKS if name != "cash"}
        books["cash"] = granted.accounts.cash["centres"]


@pytest.mark.parametrize("instrument", PAY_FOR_ASSETS)
def test_a_grant_for_assets_moves_no_value_added_in_any_quarter(instrument: str) -> None:
    """Not one bit, while the books of who is granted do change."""
    setting = setting_of("none", replicates=(0, 1), fixed=False, **NO_EXITS)
    paid, books = 0.0, 0.0
    for without, granted in with_grant(setting, instrument, 0.1, 40):
        assert_same_bits(*(value_added_by_place(one, setting) for one in (without, granted)))
        paid += granted.accounts.settlement.received[instrument].sum()
        gap = without.accounts.books.depreciation - granted.accounts.books.depreciation
        books += (without.policy.local_settlement * gap).sum()
    assert paid > 10
    if TRANSFERS[instrument] == "centres":  # what wear by the books would have made of it
        assert books > 0.05 * paid


def test_the_capital_subsidy_is_paid_for_every_server_and_hall() -> None:
    """The case above is not empty: a rate of a tenth bears a tenth of all outlays."""
    setting = setting_of("none", **NO_EXITS)
    for _, granted in with_grant(setting, "capital_subsidy", 0.1, 5):
        built, received = granted.investment, granted.accounts.settlement.received
        outlay = built.server_outlay + built.hall_outlay
        np.testing.assert_allclose(received["capital_subsidy"], 0.1 * outlay, rtol=1e-12)


def deductions(quarter: Quarter, setting: Setting) -> Array:
    """Return what net value added takes off, from the flows and records, M¥ (runs, 1)."""
    accounts, p = quarter.accounts, setting.parameters
    settled, received = quarter.policy.local_settlement, accounts.settlement.received
    vouchers = {name: 0.0 for name in ("firms", "others")}
    for flow in select(accounts.flows):
        if flow.label == "vouchers":
            key = "firms" if flow.receiver == "firms" else "others"
            vouchers[key] = vouchers[key] + total(flow.received)
    support = total(received["output_subsidy"]) + total(received["tariff_discount"])
    grants = [flow for flow in accounts.flows if flow.label == "grants"]
    to_firms, to_universities = (
        amount(select(grants, receiver=name)) for name in ("firms", "universities")
    )
    return add_up(
        [
            settled * total(accounts.assets.wear),
            settled * (support + vouchers["others"]),
            vouchers["firms"] - p.research_purchase_share * to_firms,
            p.university_wage_share
            * (to_universities + p.research_contract_share * p.research_purchase_share * to_firms),
        ]
    )


@pytest.mark.slow
@pytest.mark.parametrize("package", ["capex_only", "output_only", "article_plus", "settlement"])
def test_net_and_gross_differ_by_wear_and_by_the_subsidies_that_count(package: str) -> None:
    """The change against history, to one yuan: wear, support, vouchers, grants - and no more."""
    changed = {"settlement": with_overrides(resolve("history"), [SETTLEMENT_RULE], [])}
    settings = [
        setting_of(changed.get(name, name), replicates=(0, 1), fixed=False)
        for name in ("history", package)
    ]
    moved = 0.0
    for pair in zip(*map(quarters, settings), strict=True):
        sums = []
        for (quarter, _), setting in zip(pair, settings, strict=True):
            gross, net = (
                add_up(map(total, by_sector.values()))
                for by_sector in value_added_by_place(quarter, setting)
            )
            sums.append([gross, net, deductions(quarter, setting)])
        gross, net, less = np.subtract(*reversed(sums))
        assert np.abs(net - gross + less).max() < ONE_YUAN
        moved = max(moved, np.abs(net).max())
    assert moved > 1
