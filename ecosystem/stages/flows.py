"""S7, second part: the payments of each sector, stage by stage of its income statement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecosystem.maths.arrays import Array, add_up, safe_ratio, total
from ecosystem.maths.clearing import spread
from ecosystem.stages.finance import Rates, keep_books
from ecosystem.stages.policy import readiness_part
from ecosystem.stages.routing import RIVAL
from ecosystem.stages.settlement import park_outlay, power_bill
from ecosystem.state.ledger import Ledger, by_level, split_evenly
from ecosystem.state.records import (
    Books,
    Business,
    Drivers,
    Exits,
    Innovation,
    Investment,
    Labour,
    Market,
    Policy,
    Settlement,
    Supply,
)
from ecosystem.state.setting import Setting
from ecosystem.state.state import State

USERS = ("firms", "deployments", "parks", "government", "universities", "branches")
FIRMS, DEPLOYMENTS, PARKS, GOVERNMENT, UNIVERSITIES, BRANCHES = range(len(USERS))


@dataclass(frozen=True)
class Result:
    """What the income statement of a sector says, M¥."""

    value_added: Array  # gross (runs, members)
    value_added_tax: Array  # (runs, members)
    income_tax: Array  # (runs, members)
    wages: Array  # (runs, members)


def compute_sales(
    ledger: Ledger, drivers: Drivers, market: Market, settlement: Settlement, setting: Setting
) -> dict[str, Array]:
    """List sales of compute and vouchers.

    Returns
    -------
    dict
        What firms paid net of vouchers (runs, slots); imports (runs, 1); exports (runs, 1), M¥.
    """
    world, p, runs = setting.world, setting.parameters, setting.runs
    home, routing, work = world.regions.home_index, market.routing, world.workloads
    outside_home = np.arange(len(world.regions.region)) != home
    exports = total(market.payments.sum(axis=2) * outside_home)
    users = routing.local.users
    part = safe_ratio(users, users.sum(axis=1, keepdims=True))
    local = (market.payments[:, home][:, None, :] * part).sum(axis=2)
    served = spread(safe_ratio(routing.rival_served, routing.rival_demand), work.kind)
    bought = (routing.demand * routing.share[..., RIVAL])[:, home] * served + market.helped_home
    price = spread(drivers.rival_price * drivers.price, work.kind) * work.price_multiplier
    away = ((bought * price / 1e6)[:, None, :] * part).sum(axis=2)
    zero = np.zeros((runs, 1))
    state_only = by_level(zero, zero + 1, np.zeros((runs, world.prefectures.count)))
    weights = {
        "firms": routing.local.by_firm,
        "parks": world.parks.output,
        "government": state_only,
        "universities": world.universities.research_funds,
        "world": np.ones(1),
    }
    members = {
        "firms": [FIRMS],
        "parks": [DEPLOYMENTS, PARKS],
        "government": [GOVERNMENT],
        "universities": [UNIVERSITIES],
        "world": [BRANCHES],
    }
    income = market.revenue
    ledger.add("compute exports", "world", exports, "centres", split_evenly(exports, income))
    buyers = {"world": exports}
    firms_outside = np.zeros((runs, world.firms.count))
    for sector, columns in members.items():
        here = split_evenly(local[:, columns].sum(axis=1, keepdims=True), weights[sector])
        there = split_evenly(away[:, columns].sum(axis=1, keepdims=True), weights[sector])
        ledger.add("compute local use", sector, here, "centres", split_evenly(total(here), income))
        ledger.add("compute imports", sector, there, "world")
        buyers[sector] = buyers.get(sector, 0.0) + here
        firms_outside = there if sector == "firms" else firms_outside
    voucher = settlement.payers["compute_voucher"]
    abroad = buyers["world"] - (1 - p.voucher_export_share) * exports
    eligible = buyers | {"world": abroad}
    share = safe_ratio(total(voucher), add_up(total(amount) for amount in eligible.values()))
    for sector, amount in eligible.items():
        got = amount * share
        payer = voucher * safe_ratio(total(got), total(voucher))
        ledger.add("vouchers", "government", payer, sector, got)
    return {
        "firms": buyers["firms"] * (1 - share) + firms_outside,
        "imports": total(away),
        "exports": exports,
    }


def centre_flows(
    ledger: Ledger,
    state: State,
    drivers: Drivers,
    policy: Policy,
    investment: Investment,
    supply: Supply,
    market: Market,
    labour: Labour,
    settlement: Settlement,
    setting: Setting,
) -> tuple[Result, Books, Array]:
    """List what centres pay and receive beside sales; return result, books, power bill."""
    p, world, c = setting.parameters, setting.world, state.centres
    kind, received = world.centres.kind, settlement.received
    bill = power_bill(drivers, market, setting)
    upkeep = p.maintenance_share * spread(drivers.server_cost, kind) * investment.servers / 4
    wage = spread(state.society.wage, world.centres.prefecture) / 1000
    wages = labour.centre_jobs * wage
    outlay = investment.server_outlay + investment.hall_outlay
    part = 1 - readiness_part(setting)
    diffused = part * received["even_diffusion"]
    granted = safe_ratio(received["capital_subsidy"] + diffused, outlay)
    rates = centre_rates(drivers, policy, setting)
    injected = founding_equity(investment, policy, outlay * (1 - granted), setting)
    books = keep_books(
        cash=c.cash,
        loan=c.loan,
        book_servers=c.book_servers,
        book_halls=c.book_halls,
        income=market.revenue + received["output_subsidy"],
        costs=bill - received["tariff_discount"] + upkeep + wages,
        server_capital=investment.server_outlay * (1 - granted),
        hall_capital=investment.hall_outlay * (1 - granted),
        injected=injected,
        scrapped_share=safe_ratio(investment.scrapped, investment.servers + investment.scrapped),
        rates=rates,
    )
    at_home = safe_ratio(total(supply.to_centres), total(supply.orders))
    ledger.add(
        "equipment local",
        "centres",
        investment.server_outlay * at_home,
        "makers",
        supply.to_centres,
    )
    ledger.add("equipment imported", "centres", investment.server_outlay * (1 - at_home), "world")
    ledger.add("civil works", "centres", investment.hall_outlay, "households")
    ledger.add("electricity", "centres", bill, "grid")
    ledger.add("upkeep", "centres", upkeep * p.upkeep_home_share, "households")
    ledger.add("upkeep", "centres", upkeep * (1 - p.upkeep_home_share), "world")
    ledger.add("wages", "centres", wages, "households")
    for name in ("capital_subsidy", "tariff_discount", "output_subsidy"):
        ledger.add("subsidies", "government", settlement.payers[name], "centres", received[name])
    payers = settlement.payers["even_diffusion"]
    ledger.add("subsidies", "government", part * payers, "centres", diffused)
    ledger.add("programmes", "government", (1 - part) * payers, "households")
    ledger.add("headquarters", "centres", books.headquarters_take, "world")
    pay = books.headquarters_pay
    ledger.add("headquarters", "world", total(pay), "centres", pay)
    ledger.add("equity", "households", total(injected), "centres", injected)
    ledger.add("interest", "centres", books.interest, "bank")
    ledger.add("loans repaid", "centres", books.repayment, "bank")
    fresh = books.borrowed + books.overdraft
    ledger.add("new loans", "bank", total(fresh), "centres", fresh)
    ledger.add("dividends", "centres", books.dividend, "households")
    settled = policy.local_settlement * books.surplus
    result = Result(settled + wages, books.value_added_tax, books.income_tax, wages)
    return result, books, bill


def sell_centres(ledger: Ledger, exits: Exits) -> None:
    """List the sale of centres that exit, their last repayment and what owners keep."""
    ledger.add("centres sold", "centres", exits.paid, "centres", exits.received)
    ledger.add("loans repaid", "centres", exits.repaid, "bank")
    ledger.add("dividends", "centres", exits.left_over, "households")
    ledger.add("new loans", "bank", total(exits.overdraft), "centres", exits.overdraft)


def founding_equity(
    investment: Investment, policy: Policy, capital: Array, setting: Setting
) -> Array:
    """Return what local owners put into a centre that does not run yet, M¥ (runs, centres).

    They pay the part of its capital that no loan covers; otherwise an entrant would start with
    an overdraft and be insolvent by construction.
    """
    p = setting.parameters
    forming = investment.servers - investment.arrived <= 0
    return np.asarray((1 - p.loan_share) * policy.local_settlement * capital * forming)


def centre_rates(drivers: Drivers, policy: Policy, setting: Setting) -> Rates:
    """Return the rates that the books of centres use, (runs, centres) or (runs, 1)."""
    p, kind = setting.parameters, setting.world.centres.kind
    wear = spread(setting.by_kind("server_depreciation"), kind)
    return Rates(
        local_settlement=policy.local_settlement,
        loan_share=p.loan_share,
        interest=p.interest_rate / 4,
        server_decline=wear + spread(drivers.price_decline, kind) / 4,
        hall_decline=p.hall_depreciation,
        value_added_tax=p.value_added_tax,
        income_tax=p.income_tax,
        payout=p.payout,
        reserve_quarters=p.reserve_quarters,
    )


def branch_flows(ledger: Ledger, state: State, setting: Setting) -> None:
    """List what recruited branches pay their staff here, out of their headquarters' money."""
    p, s = setting.parameters, state.society
    wages = total(p.branch_staff * s.branches * s.wage) / 1000
    ledger.add("wages", "world", wages, "households")


def maker_flows(
    ledger: Ledger, state: State, supply: Supply, labour: Labour, setting: Setting
) -> Result:
    """List what equipment makers pay and receive beside sales to centres."""
    p, world, m = setting.parameters, setting.world, state.makers
    makers, stages = world.makers, world.stages
    intermediate = supply.intermediate
    by_stage = spread(safe_ratio(intermediate, supply.intermediate + supply.exports), makers.stage)
    upstream = np.isin(makers.stage, [stages.index("materials"), stages.index("packaging")])
    bought = np.zeros_like(supply.sales)
    users = {"packaging": ("communications", "servers"), "materials": ("packaging",)}
    for name, buying in users.items():
        weight = supply.sales * np.isin(makers.stage, [stages.index(b) for b in buying])
        amount = intermediate[:, [stages.index(name)]]
        seller = supply.sales * (makers.stage == stages.index(name)) * by_stage
        paid = split_evenly(amount, weight)
        ledger.add("intermediates", "makers", paid, "makers", seller)
        bought = bought + paid
    exports = supply.sales * (1 - by_stage) * upstream
    ledger.add("equipment exports", "world", total(exports), "makers", exports)
    inputs = np.maximum(p.maker_input_share * supply.sales - bought, 0)
    power = p.maker_power_share * supply.sales
    wages = labour.maker_jobs * spread(state.society.wage, makers.prefecture) / 1000
    contracts = p.maker_contract_share * supply.sales
    added = supply.sales - bought - inputs - power
    vat = p.value_added_tax * np.maximum(added, 0)
    interest = p.interest_rate / 4 * np.maximum(-m.cash, 0)
    wear = p.maker_depreciation * p.maker_capital_intensity * m.capacity
    before = added - wages - contracts - vat - interest - wear
    tax = p.income_tax * np.maximum(before, 0)
    spent = wages + contracts + vat + tax + interest + supply.investment
    free = np.minimum(before - tax, m.cash + added - spent)
    dividend = p.payout * np.maximum(free, 0)
    ledger.add("inputs bought outside", "makers", inputs, "world")
    ledger.add("electricity", "makers", power, "grid")
    ledger.add("wages", "makers", wages, "households")
    contract_income(ledger, "makers", contracts, setting)
    ledger.add("equipment imported", "makers", supply.investment, "world")
    ledger.add("interest", "makers", interest, "bank")
    ledger.add("dividends", "makers", dividend, "households")
    return Result(added, vat, tax, wages)


def contract_income(ledger: Ledger, payer: str, paid: Array, setting: Setting) -> None:
    """List research contracts of a sector with universities, shared by their funds."""
    funds = setting.world.universities.research_funds
    ledger.add("research contracts", payer, paid, "universities", split_evenly(total(paid), funds))


def firm_flows(
    ledger: Ledger,
    state: State,
    innovation: Innovation,
    labour: Labour,
    business: Business,
    compute: Array,
    setting: Setting,
) -> Result:
    """List what AI firms pay and receive beside compute, births and exits included."""
    p, world, f = setting.parameters, setting.world, state.firms
    local = spread(safe_ratio(business.local_pool, business.pool), world.firms.domain)
    at_home = business.sales * local
    by_state = p.deployment_government_share
    zero = np.zeros((setting.runs, 1))
    state_only = by_level(zero, zero + 1, np.zeros((setting.runs, world.prefectures.count)))
    ledger.add(
        "AI services",
        "government",
        total(at_home) * by_state * state_only,
        "firms",
        at_home * by_state,
    )
    parks = split_evenly(total(at_home) * (1 - by_state), world.parks.output)
    ledger.add("AI services", "parks", parks, "firms", at_home * (1 - by_state))
    outside = business.sales - at_home
    ledger.add("AI services", "world", total(outside), "firms", outside)
    wages = labour.staff * spread(state.society.wage, world.firms.prefecture) / 1000
    bought = p.research_purchase_share * (innovation.research_spending + innovation.grants)
    contracts = p.research_contract_share * bought
    ledger.add("wages", "firms", wages, "households")
    contract_income(ledger, "firms", contracts, setting)
    ledger.add("research purchases", "firms", bought - contracts, "world")
    interest = p.interest_rate / 4 * np.maximum(-f.cash, 0)
    ledger.add("interest", "firms", interest, "bank")
    added = business.sales - compute - bought
    vat = p.value_added_tax * np.maximum(added, 0)
    before = added + innovation.grants - wages - vat - interest
    tax = p.income_tax * np.maximum(before, 0)
    spare = f.cash + before - tax - p.reserve_quarters * (wages + compute)
    dividend = p.payout * np.maximum(np.minimum(before - tax, spare), 0)
    ledger.add("dividends", "firms", dividend, "households")
    start = p.founding_capital * business.born
    ledger.add("equity", "households", total(start), "firms", start)
    return Result(added, vat, tax, wages)


def wind_up(ledger: Ledger, business: Business) -> None:
    """Close the accounts of firms that exit: owners take what is left, the bank bears debts."""
    left = ledger.balance["firms"] * business.exits
    ledger.add("dividends", "firms", np.maximum(left, 0), "households")
    debt = np.maximum(-left, 0)
    ledger.add("loans written off", "bank", total(debt), "firms", debt)


def park_flows(
    ledger: Ledger,
    state: State,
    drivers: Drivers,
    policy: Policy,
    innovation: Innovation,
    settlement: Settlement,
    setting: Setting,
) -> Result:
    """List what parks pay and receive beside compute and AI services."""
    p, world, k = setting.parameters, setting.world, state.parks
    output = innovation.park_output
    tariff = drivers.electricity[world.parks.prefecture]
    saved = p.park_energy_gain + p.strong_industry_energy_gain * policy.lever["strong_industry"]
    intensity = world.parks.energy_intensity * (1 - saved * k.adoption)
    power = output * intensity * tariff / 1000
    wages = p.park_wage_share * output
    goods = p.park_goods_share * output
    servers = park_outlay(innovation, drivers, setting)
    support = settlement.received["industrial_centres"]
    bought = k.cash - ledger.balance["parks"]  # compute and AI services net of vouchers
    added = output - goods - power - bought
    vat = p.value_added_tax * np.maximum(added, 0)
    before = added - wages - vat
    tax = p.income_tax * np.maximum(before, 0)
    profit = before - tax - servers + support
    ledger.add("manufactures sold", "world", total(output), "parks", output)
    ledger.add("inputs bought outside", "parks", goods, "world")
    ledger.add("electricity", "parks", power, "grid")
    ledger.add("wages", "parks", wages, "households")
    ledger.add("equipment imported", "parks", servers, "world")
    payers = settlement.payers["industrial_centres"]
    ledger.add("subsidies", "government", payers, "parks", support)
    ledger.add("dividends", "parks", p.park_payout * np.maximum(profit, 0), "households")
    return Result(added, vat, tax, wages)


def university_flows(
    ledger: Ledger, state: State, innovation: Innovation, setting: Setting
) -> Array:
    """List funds, grants and spending of universities; return their wages (runs, members)."""
    p, world, runs = setting.parameters, setting.world, setting.runs
    funds = world.universities.research_funds * np.ones((runs, 1))
    whole = total(funds)
    opening = state.universities.cash
    payer = by_level(
        whole * p.university_national_share,
        whole * (1 - p.university_national_share),
        np.zeros((runs, world.prefectures.count)),
    )
    ledger.add("university funds", "government", payer, "universities", funds)
    received = ledger.balance["universities"] - opening  # less what compute cost
    income = np.maximum(innovation.university_grants + received, 0)
    wages = p.university_wage_share * income
    bought = p.university_purchase_share * income
    ledger.add("wages", "universities", wages, "households")
    ledger.add("research purchases", "universities", bought, "world")
    return wages


def programme_flows(
    ledger: Ledger, innovation: Innovation, policy: Policy, setting: Setting
) -> None:
    """List programme money: grants to firms and universities, the rest to people here."""
    zero = np.zeros((setting.runs, setting.world.prefectures.count))
    payer = by_level(policy.level_paid[:, [0]], policy.level_paid[:, [1]], policy.prefecture_paid)
    whole = total(payer)
    extra = policy.fiscal_extra
    loop = by_level(0 * extra, extra, zero)
    granted = total(innovation.grants) + total(innovation.university_grants)
    from_loop = setting.parameters.fiscal_loop_grant_share * extra
    from_programmes = safe_ratio(granted - from_loop, whole)
    payer_grants = payer * from_programmes + loop * safe_ratio(from_loop, extra)
    firms = safe_ratio(total(innovation.grants), granted)
    ledger.add("grants", "government", payer_grants * firms, "firms", innovation.grants)
    ledger.add(
        "grants",
        "government",
        payer_grants * (1 - firms),
        "universities",
        innovation.university_grants,
    )
    rest = payer * (1 - from_programmes) + loop * (1 - safe_ratio(from_loop, extra))
    ledger.add("programmes", "government", rest, "households")


def tax_flows(ledger: Ledger, results: dict[str, Result], setting: Setting) -> tuple[Array, Array]:
    """List taxes, split between levels; return (local, national) (runs, 2) and C2 receipts.

    Local taxes go to the payer's prefecture and to the province.
    """
    p = setting.parameters
    local_total = national_total = receipts = np.zeros((setting.runs, 1))
    for sector, result in results.items():
        local = p.vat_local_share * result.value_added_tax
        local = local + p.income_tax_local_share * result.income_tax
        paid = result.value_added_tax + result.income_tax
        to_place = getattr(setting.world, sector).sum(local, "prefecture")
        got = by_level(
            total(paid) - total(local),
            (1 - p.prefecture_tax_share) * total(local),
            p.prefecture_tax_share * to_place,
        )
        ledger.add("taxes", sector, paid, "government", got)
        local_total = local_total + total(local)
        national_total = national_total + total(paid) - total(local)
        if sector in ("centres", "firms"):
            receipts = receipts + total(local)
    return np.concatenate([local_total, national_total], axis=1), receipts
