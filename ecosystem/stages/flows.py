"""S7, second part: the payments of each sector as a table, and the statements behind them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecosystem.maths.arrays import Array, safe_ratio, total
from ecosystem.maths.clearing import spread
from ecosystem.maths.compiled import equation, kernel
from ecosystem.maths.live import Live, of_run
from ecosystem.stages.bills import BUYERS, Compute, compute_bills
from ecosystem.stages.books import centre_books, centre_costs
from ecosystem.stages.charges import charges_due
from ecosystem.stages.finance import Statement, close_statement, close_statements, local_part
from ecosystem.stages.parks import adoption_outlay, adoption_support, adoption_wear, server_wear
from ecosystem.stages.policy import readiness_part
from ecosystem.stages.settlement import park_energy, park_outlay
from ecosystem.state.ledger import (
    Ledger,
    Purpose,
    amount,
    by_level,
    province_alone,
    select,
    split_evenly,
)
from ecosystem.state.records import Books, Exits, Quarter, Settlement
from ecosystem.state.setting import Setting
from ecosystem.state.state import Firms


def compute_flows(
    ledger: Ledger, quarter: Quarter, settlement: Settlement, setting: Setting
) -> Compute:
    """List sales of compute and vouchers."""
    income = quarter.market.revenue
    bought = compute_bills(quarter, settlement, setting)
    part = safe_ratio(income, total(income))
    from_outside = bought.exports * part
    ledger.add(Purpose.SALE, "compute exports", "world", bought.exports, "centres", from_outside)
    for sector in BUYERS:
        here, there = bought.here[sector], bought.there[sector]
        ledger.add(Purpose.SALE, "compute local use", sector, here, "centres", total(here) * part)
        ledger.add(Purpose.SALE, "compute imports", sector, there, "world")
    voucher = settlement.payers["compute_voucher"]
    for sector, got in bought.vouchers.items():
        payer = voucher * safe_ratio(total(got), total(voucher))
        ledger.add(Purpose.SUBSIDY, "vouchers", "government", payer, sector, got)
    return bought


def centre_flows(
    ledger: Ledger, quarter: Quarter, settlement: Settlement, setting: Setting
) -> tuple[Statement, Books]:
    """List what centres pay and receive beside sales; return their statement and books."""
    p, built, supply = setting.parameters, quarter.investment, quarter.supply
    payers, received = settlement.payers, settlement.received
    costs = centre_costs(quarter, settlement, setting)
    books, injected, local_taxes = centre_books(quarter, costs, received, setting)
    at_home = safe_ratio(total(supply.to_centres), total(supply.orders))
    home, part = p.upkeep_home_share, 1 - readiness_part(setting)
    pay = ledger.add
    local, servers = supply.to_centres, built.server_outlay
    pay(Purpose.INVESTMENT, "equipment local", "centres", servers * at_home, "makers", local)
    pay(Purpose.INVESTMENT, "equipment imported", "centres", servers * (1 - at_home), "world")
    pay(Purpose.INVESTMENT, "civil works", "centres", built.hall_outlay, "households")
    pay(Purpose.SALE, "electricity", "centres", costs.power, "grid")
    for label, cost in (("upkeep", costs.upkeep), ("operation", costs.operation)):
        pay(Purpose.SALE, label, "centres", cost * home, "households")
        pay(Purpose.SALE, label, "centres", cost * (1 - home), "world")
    pay(Purpose.WAGE, "wages", "centres", costs.wages, "households")
    for name in ("capital_subsidy", "tariff_discount", "output_subsidy"):
        pay(Purpose.SUBSIDY, "subsidies", "government", payers[name], "centres", received[name])
    diffusion, diffused = payers["even_diffusion"], part * received["even_diffusion"]
    pay(Purpose.SUBSIDY, "subsidies", "government", part * diffusion, "centres", diffused)
    pay(Purpose.PROGRAMME, "programmes", "government", (1 - part) * diffusion, "households")
    pay(Purpose.DIVIDEND, "headquarters", "centres", books.headquarters_take, "world")
    pay(Purpose.EQUITY, "headquarters", "world", None, "centres", books.headquarters_pay)
    private, public, governments = by_owner(injected, setting)
    pay(Purpose.EQUITY, "equity", "households", None, "centres", private)
    pay(Purpose.EQUITY, "equity", "government", governments, "centres", public)
    pay(Purpose.INTEREST, "interest", "centres", books.interest, "bank")
    pay(Purpose.REPAYMENT, "loans repaid", "centres", books.repayment, "bank")
    pay(Purpose.LOAN, "new loans", "bank", None, "centres", books.borrowed + books.overdraft)
    dividend_flows(ledger, books.dividend, setting)
    added = quarter.policy.local_settlement * books.surplus + costs.wages
    taxes = books.value_added_tax + books.income_tax
    return Statement(added, costs.wages, taxes, local_taxes), books


def by_owner(values: Array, setting: Setting) -> tuple[Array, Array, Array]:
    """Return values of centres that households own, that the state owns, and by government.

    (runs, centres) twice and (runs, prefectures + 2).
    """
    world = setting.world
    telecom, local = world.owners.index("telecom"), world.owners.index("local_soe")
    owner, place = world.centres.owner, world.centres.prefecture
    return split_by_owner(values, owner, telecom, local, place, world.prefectures.count)


@kernel
def split_by_owner(
    values: Array, owner: Any, telecom: int, local: int, place: Any, prefectures: int
) -> tuple[Array, Array, Array]:
    """Return values of private centres, of state centres, and by government.

    The nation stands behind telecom operators, the prefecture behind local state firms.
    """
    private, public = np.zeros_like(values), np.zeros_like(values)
    governments = np.zeros((len(values), prefectures + 2))
    for r in range(len(values)):
        for c in range(len(owner)):
            if owner[c] == telecom or owner[c] == local:
                public[r, c] = values[r, c]
                governments[r, place[c] if owner[c] == local else -1] += values[r, c]
            else:
                private[r, c] = values[r, c]
    return private, public, governments


def dividend_flows(ledger: Ledger, paid: Array, setting: Setting) -> None:
    """List what centres pay their local owners, M¥ (runs, centres)."""
    private, public, governments = by_owner(paid, setting)
    ledger.add(Purpose.DIVIDEND, "dividends", "centres", private, "households")
    ledger.add(Purpose.DIVIDEND, "dividends", "centres", public, "government", governments)


def exit_flows(ledger: Ledger, exits: Exits, setting: Setting) -> None:
    """List the sale of centres that exit, their last repayment and what owners keep."""
    ledger.add(Purpose.TAKEOVER, "centres sold", "centres", exits.paid, "centres", exits.received)
    ledger.add(Purpose.REPAYMENT, "loans repaid", "centres", exits.repaid, "bank")
    dividend_flows(ledger, exits.left_over, setting)
    ledger.add(Purpose.LOAN, "new loans", "bank", None, "centres", exits.overdraft)


def maker_flows(ledger: Ledger, quarter: Quarter, setting: Setting) -> Statement:
    """List what equipment makers pay and receive beside sales to centres."""
    p, m, supply = setting.parameters, quarter.state.makers, quarter.supply
    sales, output, makers = supply.sales, supply.output, setting.world.makers
    bought = intermediate_flows(ledger, quarter, setting)
    inputs = np.maximum(p.maker_input_share * output - bought, 0) + (sales - output)
    power = p.maker_power_share * output * quarter.drivers.power_price
    contracts = p.maker_contract_share * output
    wages = quarter.labour.maker_jobs * spread(quarter.state.society.wage, makers.prefecture) / 1000
    interest = p.interest_rate / 4 * np.maximum(-m.cash, 0)
    wear = p.maker_depreciation * p.maker_capital_intensity * m.capacity
    added = sales - bought - inputs - power - charges_due("makers", quarter, setting)
    result, profit = close_statements(
        "makers", added, wages, contracts + interest + wear, setting
    )
    left = m.cash + profit + wear - supply.investment
    dividend = p.payout * np.maximum(np.minimum(profit, left), 0)
    ledger.add(Purpose.SALE, "inputs bought outside", "makers", inputs, "world")
    ledger.add(Purpose.SALE, "electricity", "makers", power, "grid")
    ledger.add(Purpose.WAGE, "wages", "makers", wages, "households")
    contract_flow(ledger, "makers", contracts, setting)
    ledger.add(Purpose.INVESTMENT, "equipment imported", "makers", supply.investment, "world")
    ledger.add(Purpose.INTEREST, "interest", "makers", interest, "bank")
    ledger.add(Purpose.DIVIDEND, "dividends", "makers", dividend, "households")
    return result


def intermediate_flows(ledger: Ledger, quarter: Quarter, setting: Setting) -> Array:
    """List what makers sell each other and outside; return what each buys, M¥ (runs, makers)."""
    makers, stages, supply = setting.world.makers, setting.world.stages, quarter.supply
    sales, whole = supply.sales, supply.intermediate + supply.exports
    inside = spread(safe_ratio(supply.intermediate, whole), makers.stage)
    users = {"packaging": ("communications", "servers"), "materials": ("packaging",)}
    bought = np.zeros_like(sales)
    for name, buying in users.items():
        weight = sales * np.isin(makers.stage, [stages.index(b) for b in buying])
        paid = split_evenly(supply.intermediate[:, [stages.index(name)]], weight)
        seller = sales * (makers.stage == stages.index(name)) * inside
        ledger.add(Purpose.SALE, "intermediates", "makers", paid, "makers", seller)
        bought = bought + paid
    upstream = np.isin(makers.stage, [stages.index(name) for name in users])
    exports = sales * (1 - inside) * upstream
    ledger.add(Purpose.SALE, "equipment exports", "world", None, "makers", exports)
    return bought


def contract_flow(ledger: Ledger, payer: str, paid: Array, setting: Setting) -> None:
    """List research contracts of a sector with universities, shared by their funds."""
    got = split_evenly(total(paid), setting.world.universities.research_funds)
    ledger.add(Purpose.SALE, "research contracts", payer, paid, "universities", got)


def firm_flows(ledger: Ledger, quarter: Quarter, compute: Compute, setting: Setting) -> Statement:
    """List what AI firms receive, and what they pay beside compute, births included."""
    state, business, world = quarter.state, quarter.business, setting.world
    innovation, firms = quarter.innovation, world.firms
    lines, sums, local = statements_of_firms(
        setting.parameters.of_run, state.firms, state.firms.live, business.newborn, business.sales,
        safe_ratio(business.local_pool, business.pool), compute.here["firms"],
        compute.there["firms"], compute.vouchers["firms"], charges_due("firms", quarter, setting),
        innovation.research_spending, innovation.grants, quarter.labour.staff, state.society.wage,
        firms.domain, firms.prefecture, world.prefectures.count,
    )  # fmt: skip
    to_state, to_parks, outside, wages, contracts, bought, interest, dividend = lines[:8]
    founding, net, added, taxes = lines[8:]
    with ledger.at_once("firms", net):
        province = province_alone(world.prefectures.count)
        for buyer, got, weight in (
            ("government", to_state, province),
            ("parks", to_parks, world.parks.output),
        ):
            paid = split_evenly(total(got), weight)
            ledger.add(Purpose.SALE, "AI services", buyer, paid, "firms", got)
        ledger.add(Purpose.SALE, "AI services", "world", sums[2], "firms", outside)
        ledger.add(Purpose.WAGE, "wages", "firms", wages, "households", sums[3])
        contract_flow(ledger, "firms", contracts, setting)
        ledger.add(Purpose.SALE, "research purchases", "firms", bought, "world", sums[5])
        ledger.add(Purpose.INTEREST, "interest", "firms", interest, "bank", sums[6])
        ledger.add(Purpose.DIVIDEND, "dividends", "firms", dividend, "households", sums[7])
        ledger.add(Purpose.EQUITY, "equity", "households", sums[8], "firms", founding)
    return Statement(added, wages, taxes, local)


@kernel
def statements_of_firms(
    parameters: Any, firms: Firms, live: Live, newborn: Live, sales: Array, local_market: Array,
    here: Array, there: Array, vouchers: Array, charges: Array, research: Array, grants: Array,
    staff: Array, wage: Array, domain: Any, place: Any, prefectures: int,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Return the lines of every firm's quarter, M¥ (12, runs, slots), and their local taxes.

    Sales to the province, to parks and outside, wages, research contracts, other purchases for
    research, interest, dividend, founding capital; all these receipts less payments; value added,
    taxes. `local_market` is the part of each domain's market that is here, (runs, domains).
    """
    lines, sums = np.empty((12, *sales.shape)), np.zeros((12, len(sales), 1))
    local = np.zeros((len(sales), prefectures))
    for r in range(len(sales)):
        p = parameters[r]
        lines[:, r] = 0  # here, not for all runs at once, so that the row is at hand
        for f in of_run(live, r):
            at_home = sales[r, f] * local_market[r, domain[f]]
            to_state = p.deployment_government_share * at_home
            wages = staff[r, f] * wage[r, place[f]] / 1000
            compute = here[r, f] - vouchers[r, f] + there[r, f]
            contracts, bought, interest, dividend, added, vat, tax = firm_statement(
                p, firms.cash[r, f], sales[r, f], compute, charges[r, f], research[r, f],
                grants[r, f], wages,
            )  # fmt: skip
            net = sales[r, f] - wages - contracts - bought - interest - dividend
            for i, value in enumerate((
                to_state, at_home - to_state, sales[r, f] - at_home, wages, contracts, bought,
                interest, dividend, 0.0, net, added, vat + tax,
            )):  # fmt: skip
                lines[i, r, f] = value
                sums[i, r, 0] += value
            local[r, place[f]] += local_part(p, vat, tax)
        for f in of_run(newborn, r):
            lines[8, r, f] = p.founding_capital
            lines[9, r, f] += p.founding_capital
            sums[8, r, 0] += p.founding_capital
    return lines, sums, local


@equation
def firm_statement(
    p: Any, cash: float, sales: float, compute: float, charges: float, research: float,
    grants: float, wages: float,
) -> tuple[float, float, float, float, float, float, float]:  # fmt: skip
    """Return what a firm pays and earns in a quarter, M¥.

    Research contracts, other purchases for research, interest, dividend, value added, its tax,
    income tax. A dividend is paid out of profit and of what is above the reserve.
    """
    purchases = p.research_purchase_share * (research + grants)
    contracts = p.research_contract_share * purchases
    interest = p.interest_rate / 4 * max(-cash, 0.0)
    added = sales - compute - purchases - charges
    vat, tax, profit = close_statement(p, added, wages, interest - grants)
    spare = cash + profit - p.reserve_quarters * (wages + compute)
    dividend = p.payout * max(min(profit, spare), 0.0)
    return contracts, purchases - contracts, interest, dividend, added, vat, tax


def wind_up(ledger: Ledger, quarter: Quarter) -> None:
    """Close the accounts of firms that exit: owners take what is left, the bank bears debts."""
    live, exits = quarter.state.firms.live, quarter.business.exits
    closed, sums = balances_closed(live, exits, ledger.balance["firms"])
    left, debt, net = closed
    with ledger.at_once("firms", net):
        ledger.add(Purpose.DIVIDEND, "dividends", "firms", left, "households", sums[0])
        ledger.add(Purpose.WRITE_OFF, "loans written off", "bank", sums[1], "firms", debt)


@kernel
def balances_closed(live: Live, exits: Array, balance: Array) -> tuple[Array, Array]:
    """Return deposits and debts of firms that exit, M¥, and debts less deposits; their sums.

    (3, runs, slots) and (3, runs, 1).
    """
    closed, sums = np.empty((3, *balance.shape)), np.zeros((3, len(balance), 1))
    for r in range(len(balance)):
        closed[:, r] = 0
        for f in of_run(live, r):
            if exits[r, f]:
                closed[:, r, f] = max(balance[r, f], 0.0), max(-balance[r, f], 0.0), -balance[r, f]
                sums[:, r, 0] += closed[:, r, f]
    return closed, sums


def park_flows(
    ledger: Ledger, quarter: Quarter, settlement: Settlement, setting: Setting
) -> Statement:
    """List what parks pay and receive beside compute and AI services."""
    p, output = setting.parameters, quarter.innovation.park_output
    tariff = quarter.drivers.electricity[setting.world.parks.prefecture]
    power = park_energy(quarter, setting) * tariff / 1000
    wages, goods = p.park_wage_share * output, p.park_goods_share * output
    servers, adoption = park_outlay(quarter, setting), adoption_outlay(quarter, setting)
    wear = server_wear(quarter, setting) + adoption_wear(quarter, setting)
    payers, granted = (
        side["industrial_centres"] for side in (settlement.payers, settlement.received)
    )
    support = granted + adoption_support(quarter, setting)  # the programme pays it, see below
    bought = quarter.state.parks.cash - ledger.balance["parks"]  # compute, net, and AI services
    added = output - goods - power - bought - charges_due("parks", quarter, setting)
    result, profit = close_statements("parks", added, wages, wear, setting)
    dividend = p.park_payout * np.maximum(profit + wear - servers - adoption + support, 0)
    ledger.add(Purpose.SALE, "manufactures sold", "world", None, "parks", output)
    ledger.add(Purpose.SALE, "inputs bought outside", "parks", goods, "world")
    ledger.add(Purpose.SALE, "electricity", "parks", power, "grid")
    ledger.add(Purpose.WAGE, "wages", "parks", wages, "households")
    ledger.add(Purpose.INVESTMENT, "equipment imported", "parks", servers, "world")
    ledger.add(Purpose.INVESTMENT, "adoption of AI", "parks", adoption, "world")
    ledger.add(Purpose.SUBSIDY, "subsidies", "government", payers, "parks", granted)
    ledger.add(Purpose.DIVIDEND, "dividends", "parks", dividend, "households")
    return result


def branch_flows(ledger: Ledger, quarter: Quarter, setting: Setting) -> None:
    """List what recruited branches pay their staff here, out of their headquarters' money."""
    society = quarter.state.society
    wages = total(setting.parameters.branch_staff * society.branches * society.wage) / 1000
    ledger.add(Purpose.WAGE, "wages", "world", wages, "households")


def university_flows(ledger: Ledger, quarter: Quarter, setting: Setting) -> Array:
    """List funds, which grow, and spending of universities; return their wages (runs, members)."""
    p, world, t = setting.parameters, setting.world, quarter.state.period
    funds = world.universities.research_funds * np.exp(p.university_funds_growth * t / 4)
    whole, national = total(funds), p.university_national_share
    nobody = np.zeros((setting.runs, world.prefectures.count))
    local = (1 - national) * quarter.drivers.fiscal
    payer = by_level(whole * national, whole * local, nobody)
    funds = funds * (national + local)
    ledger.add(Purpose.FUNDING, "university funds", "government", payer, "universities", funds)
    received = ledger.balance["universities"] - quarter.state.universities.cash  # less compute
    income = np.maximum(quarter.innovation.university_grants + received, 0)
    wages, bought = p.university_wage_share * income, p.university_purchase_share * income
    ledger.add(Purpose.WAGE, "wages", "universities", wages, "households")
    ledger.add(Purpose.SALE, "research purchases", "universities", bought, "world")
    return wages


def programme_flows(ledger: Ledger, quarter: Quarter, setting: Setting) -> None:
    """List programme money: grants to research, support of parks, the rest to people here.

    The fiscal loop's money is the province's; its grants and those of programmes are paid apart.
    """
    policy, innovation = quarter.policy, quarter.innovation
    levels = policy.level_paid
    payer = by_level(levels[:, [0]], levels[:, [1]], policy.prefecture_paid)
    extra = policy.fiscal_extra
    loop = by_level(0 * extra, extra, np.zeros_like(policy.prefecture_paid))
    to_firms = total(innovation.grants)
    granted = to_firms + total(innovation.university_grants)
    loop_grants = setting.parameters.fiscal_loop_grant_share * extra
    support = adoption_support(quarter, setting)
    in_programmes = safe_ratio(granted - loop_grants, total(payer))
    to_parks = safe_ratio(total(support), total(payer))
    in_loop = safe_ratio(loop_grants, extra)
    grants = payer * in_programmes + loop * in_loop
    rest = payer * (1 - in_programmes - to_parks) + loop * (1 - in_loop)
    firms = safe_ratio(to_firms, granted)
    for part, sector, got in (
        (firms, "firms", innovation.grants),
        (1 - firms, "universities", innovation.university_grants),
    ):
        ledger.add(Purpose.GRANT, "grants", "government", grants * part, sector, got)
    ledger.add(Purpose.SUBSIDY, "subsidies", "government", payer * to_parks, "parks", support)
    ledger.add(Purpose.PROGRAMME, "programmes", "government", rest, "households")


def tax_flows(ledger: Ledger, results: dict[str, Statement], setting: Setting) -> None:
    """List taxes; the local part goes to the payer's prefecture and to the province."""
    share = setting.parameters.prefecture_tax_share
    for sector, result in results.items():
        local = total(result.local_taxes)
        nation, province = total(result.taxes) - local, (1 - share) * local
        got = by_level(nation, province, share * result.local_taxes)
        ledger.add(Purpose.TAX, "taxes", sector, result.taxes, "government", got)


def generation_flows(ledger: Ledger, setting: Setting) -> None:
    """List what the grid passes on to those who generate, here and outside."""
    grid = amount(select(ledger.flows, receiver="grid"))
    outside = setting.parameters.generation_outside_share * grid
    ledger.add(Purpose.SALE, "generation", "grid", outside, "world")
    ledger.add(Purpose.SALE, "generation", "grid", grid - outside, "households")
