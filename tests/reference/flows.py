"""Reference of the accounts: every agent's cash from its own decisions, one agent at a time.

Nothing here reads the list of flows of the vectorised model. Each agent adds up what it earned and
what it chose to spend; governments, households, the bank, the grid and the outside world add up
what the others owe them. That the sums agree with the booked deposits is invariant A1.
"""

from __future__ import annotations

import math
from typing import Any

from .agents import Agents
from .closed_forms import ratio, shares
from .exits import reference_exits
from .finance import as_columns, reference_assets, reference_books
from .parks import park_accounts
from .policy import lies_in, readiness_part
from .public import government_accounts, owners_take, passive_deposits, tax_shares
from .settlement import bills_by_place, power_bill, reference_settlement, voucher_base

USERS = 6  # of compute at home
FIRMS, DEPLOYMENTS, PARKS, GOVERNMENT, UNIVERSITIES, BRANCHES = range(USERS)
RIVAL = 1  # alternative of a buyer

Record = dict[str, Any]


def share_out(amount: float, weights: list[float]) -> list[float]:
    """Divide an amount by weight."""
    return [amount * share for share in shares(weights)]


def reference_accounts(
    agents: Agents,
    drivers: Record,
    policy: Record,
    investment: Record,
    supply: Record,
    market: Record,
    innovation: Record,
    labour: Record,
    business: Record,
) -> Record:
    """Return closing deposits of everybody, books, taxes, value added and wages."""
    settlement = reference_settlement(agents, drivers, policy, investment, market, innovation)
    compute = compute_bills(agents, drivers, market, settlement)
    centres = centre_accounts(agents, drivers, policy, investment, market, labour, settlement)
    books = as_columns([centre["books"] for centre in centres])
    assets = as_columns([centre["assets"] for centre in centres])
    exits = reference_exits(agents, investment, books, assets, policy["local_settlement"][0])
    makers = maker_accounts(agents, drivers, supply, labour)
    firms = firm_accounts(agents, innovation, labour, business, compute["firms"])
    services = local_services(agents, business)
    parks = park_accounts(
        agents, drivers, policy, innovation, settlement, compute["parks"], services["parks"]
    )
    contracts = math.fsum(maker["contracts"] for maker in makers)
    contracts += math.fsum(firm["contracts"] for firm in firms)
    universities = university_accounts(
        agents, drivers, innovation, compute["universities"], contracts
    )

    taxes = {
        "centres": tax_shares(agents, agents.centres, [centre["books"] for centre in centres]),
        "makers": tax_shares(agents, agents.makers, makers),
        "firms": tax_shares(agents, agents.firms, firms),
        "parks": tax_shares(agents, agents.parks, parks),
    }
    public = government_accounts(
        agents, drivers, policy, innovation, settlement, compute, services["government"], taxes
    )
    owned = owners_take(agents, centres, exits)
    public["cash"] = [sum(pair) for pair in zip(public["cash"], owned["state"], strict=True)]
    members = {
        "centres": centres,
        "makers": makers,
        "firms": firms,
        "parks": parks,
        "universities": universities,
    }
    cash = {name: [member["cash"] for member in group] for name, group in members.items()}
    for c, centre in enumerate(centres):
        cash["centres"][c] = centre["cash"] + exits["received"][c] - exits["paid"][c]
        cash["centres"][c] += exits["overdraft"][c] - exits["repaid"][c] - exits["left_over"][c]
    cash["government"] = public["cash"]
    people = public["to_people"] + owned["people"]
    cash |= passive_deposits(agents, supply, investment, compute, members, exits, people)
    return {
        "cash": cash,
        "books": books,
        "assets": assets,
        "exits": exits,
        "settlement": settlement,
        "local_receipts": [taxes["centres"]["local"] + taxes["firms"]["local"]],
        "value_added": {
            name: [member["value_added"] for member in group] for name, group in members.items()
        },
        "wages": {name: [member["wages"] for member in group] for name, group in members.items()},
        "power_bill": power_bill(agents, drivers, market),
        "vouchers": compute["vouchers"],
        "exports": [compute["exports"]],
        "imports": [math.fsum(compute["abroad"])],
    }


def compute_bills(
    agents: Agents, drivers: Record, market: Record, settlement: Record
) -> dict[str, Any]:
    """Return what each buyer pays for compute at home and abroad, M¥, net of vouchers.

    Every user of a workload pays its part of the bill; users within a group share the group's
    bill by what they asked for, by output or by funds. Branches pay out of money from elsewhere.
    """
    home = next(g for g, region in enumerate(agents.regions) if region.home)
    routing = market["routing"]
    at_home, abroad = [0.0] * USERS, [0.0] * USERS
    for w, work in enumerate(agents.workloads):
        bill = market["payments"][home][w]
        served = ratio(routing["rival_served"][work.kind], routing["rival_demand"][work.kind])
        hours = routing["demand"][home][w] * routing["share"][home][w][RIVAL] * served
        hours += market["helped_home"][w]
        price = drivers["rival_price"][0] * drivers["price"][work.kind] * work.price_multiplier
        part = shares([user[w] for user in routing["local"]["users"]])
        for user in range(USERS):
            at_home[user] += bill * part[user]
            abroad[user] += hours * price / 1e6 * part[user]
    exports = math.fsum(
        math.fsum(market["payments"][g]) for g, region in enumerate(agents.regions) if g != home
    )
    # A voucher lowers what is eligible of every buyer's bill in the same proportion.
    tools = agents.entries("compute_voucher")
    by_place = bills_by_place(agents, market)
    relief = []
    for tool in tools:
        paid = settlement["paid"][agents.instruments.index(tool)]
        relief.append(ratio(paid, sum(voucher_base(agents, market, tool, by_place))))
    for_all = sum(part for part, tool in zip(relief, tools, strict=True) if not tool.users)
    local = [
        sum(part for part, tool in zip(relief, tools, strict=True) if lies_in(place, tool.users))
        for place in agents.prefectures
    ]
    branches = sum(paid * part for paid, part in zip(by_place["branches"], local, strict=True))
    if not any(tool.users for tool in tools):
        branches = at_home[BRANCHES] * for_all
    abroad_too = agents.p.voucher_export_share * exports * for_all

    weights = {
        "firms": (routing["local"]["by_firm"], agents.firms),
        "parks": ([park.output for park in agents.parks], agents.parks),
        "universities": ([u.research_funds for u in agents.universities], agents.universities),
    }

    def back(sector: str, *users: int) -> list[float]:
        weight, members = weights[sector]
        here = share_out(math.fsum(at_home[user] for user in users), weight)
        return [paid * local[member.prefecture] for paid, member in zip(here, members, strict=True)]

    def bills(sector: str, *users: int) -> list[float]:
        paid = share_out(
            math.fsum(at_home[user] + abroad[user] for user in users), weights[sector][0]
        )
        return [a - b for a, b in zip(paid, back(sector, *users), strict=True)]

    government = for_all * at_home[GOVERNMENT]
    return {
        "firms": bills("firms", FIRMS),
        "parks": bills("parks", DEPLOYMENTS, PARKS),
        "government": at_home[GOVERNMENT] - government + abroad[GOVERNMENT],
        "universities": bills("universities", UNIVERSITIES),
        "vouchers": {
            "firms": back("firms", FIRMS),
            "parks": back("parks", DEPLOYMENTS, PARKS),
            "government": [0.0] * len(agents.prefectures) + [government, 0.0],
            "universities": back("universities", UNIVERSITIES),
            "world": [abroad_too + branches],
        },
        "exports": exports,
        "from_outside": exports - abroad_too + at_home[BRANCHES] - branches,
        "abroad": abroad,
    }


def centre_accounts(
    agents: Agents,
    drivers: Record,
    policy: Record,
    investment: Record,
    market: Record,
    labour: Record,
    settlement: Record,
) -> list[Record]:
    """Return the books and costs of each centre before exits.

    Of diffusion money only the part that is no readiness reaches centres.
    """
    p, result, settled = agents.p, [], policy["local_settlement"][0]
    bill, got = power_bill(agents, drivers, market), settlement["received"]
    for c, centre in enumerate(agents.centres):
        usual = drivers["server_cost"][centre.kind] / drivers["server_price"][centre.kind]
        upkeep = p.maintenance_share / 4 * usual * investment["servers"][c]
        operation = p.operating_cost_share * market["revenue"][c]
        wages = labour["centre_jobs"][c] * agents.prefectures[centre.prefecture].wage / 1000
        outlay = investment["server_outlay"][c] + investment["hall_outlay"][c]
        diffused = (1 - readiness_part(agents)) * got["even_diffusion"][c]
        own = 1 - ratio(got["capital_subsidy"][c] + diffused, outlay)
        before = investment["servers"][c] + investment["scrapped"][c]
        kept = investment["servers"][c] - investment["arrived"][c]
        injected = (1 - p.loan_share) * settled * own * outlay
        if kept > 0:  # a centre that runs pays out of its deposits first
            injected = max(injected - max(centre.cash, 0.0), 0.0)
        books = reference_books(
            agents,
            centre,
            injected=injected,
            income=market["revenue"][c] + got["output_subsidy"][c],
            costs=bill[c] - got["tariff_discount"][c] + upkeep + operation + wages,
            server_capital=own * investment["server_outlay"][c],
            hall_capital=own * investment["hall_outlay"][c],
            cut=ratio(investment["scrapped"][c], before),
            at_home=settled,
        )
        assets = reference_assets(
            agents,
            centre,
            server_outlay=investment["server_outlay"][c],
            hall_outlay=investment["hall_outlay"][c],
            server_price=drivers["server_price"][centre.kind],
            cut=ratio(investment["scrapped"][c], before),
        )
        cash = centre.cash + injected + books["surplus"] - books["headquarters_take"]
        cash += books["headquarters_pay"] + books["borrowed"] + books["overdraft"]
        cash -= own * outlay + books["interest"] + books["repayment"] + books["dividend"]
        cash -= books["value_added_tax"] + books["income_tax"]
        result.append(
            {
                "books": books,
                "assets": assets,
                "cash": cash,
                "injected": injected,
                "wages": wages,
                "upkeep": upkeep + operation,
                "power": bill[c],
                "value_added": settled * books["surplus"] + wages,
            }
        )
    return result


def maker_accounts(agents: Agents, drivers: Record, supply: Record, labour: Record) -> list[Record]:
    """Return the quarter of each equipment maker."""
    p, stages, result = agents.p, agents.stages, []
    buyers = {"packaging": ("communications", "servers"), "materials": ("packaging",)}
    bought = [0.0] * len(agents.makers)
    for sold, buying in buyers.items():
        weights = [
            supply["sales"][m] if stages[maker.stage] in buying else 0.0
            for m, maker in enumerate(agents.makers)
        ]
        amount = supply["intermediate"][stages.index(sold)]
        bought = [b + x for b, x in zip(bought, share_out(amount, weights), strict=True)]
    for m, maker in enumerate(agents.makers):
        sales, output = supply["sales"][m], supply["output"][m]
        inputs = max(p.maker_input_share * output - bought[m], 0.0)
        inputs += sales - output  # dear accelerators are passed on at cost
        power = p.maker_power_share * output * drivers["power_price"]
        contracts = p.maker_contract_share * output
        wages = labour["maker_jobs"][m] * agents.prefectures[maker.prefecture].wage / 1000
        added = sales - bought[m] - inputs - power
        vat = p.value_added_tax * max(added, 0.0)
        interest = p.interest_rate / 4 * max(-maker.cash, 0.0)
        profit = added - wages - contracts - vat - interest
        profit -= p.maker_depreciation * p.maker_capital_intensity * maker.capacity
        tax = p.income_tax * max(profit, 0.0)
        purse = maker.cash + added - wages - contracts - vat - tax - interest
        purse -= supply["investment"][m]
        dividend = p.payout * max(min(profit - tax, purse), 0.0)
        result.append(
            {
                "cash": purse - dividend,
                "value_added": added,
                "value_added_tax": vat,
                "income_tax": tax,
                "wages": wages,
                "contracts": contracts,
                "power": power,
                "inputs": inputs,
                "interest": interest,
                "dividend": dividend,
                "exports": exported(agents, supply, m),
            }
        )
    return result


def exported(agents: Agents, supply: Record, m: int) -> float:
    """Return what a maker sells outside the province."""
    stage = agents.makers[m].stage
    whole = supply["intermediate"][stage] + supply["exports"][stage]
    return supply["sales"][m] * ratio(supply["exports"][stage], whole)


def firm_accounts(
    agents: Agents, innovation: Record, labour: Record, business: Record, bills: list[float]
) -> list[Record]:
    """Return the quarter of each AI firm, births and exits included."""
    p, result = agents.p, []
    for f, firm in enumerate(agents.firms):
        sales, bill, grant = business["sales"][f], bills[f], innovation["grants"][f]
        wages = labour["staff"][f] * agents.prefectures[firm.prefecture].wage / 1000
        research = innovation["research_spending"][f] + grant
        purchases = p.research_purchase_share * research
        interest = p.interest_rate / 4 * max(-firm.cash, 0.0)
        added = sales - bill - purchases
        vat = p.value_added_tax * max(added, 0.0)
        profit = added + grant - wages - vat - interest
        tax = p.income_tax * max(profit, 0.0)
        purse = firm.cash + profit - tax
        spare = purse - p.reserve_quarters * (wages + bill)
        dividend = p.payout * max(min(profit - tax, spare), 0.0)
        founding = p.founding_capital * business["born"][f]
        purse += founding - dividend
        closes = business["exits"][f] > 0
        result.append(
            {
                "cash": 0.0 if closes else purse,
                "value_added": added,
                "value_added_tax": vat,
                "income_tax": tax,
                "wages": wages,
                "contracts": p.research_contract_share * purchases,
                "purchases": (1 - p.research_contract_share) * purchases,
                "interest": interest,
                "dividend": dividend + (max(purse, 0.0) if closes else 0.0),
                "founding": founding,
                "written_off": max(-purse, 0.0) if closes else 0.0,
                "abroad": sales * (1 - local_part(business, firm.domain)),
            }
        )
    return result


def local_part(business: Record, domain: int) -> float:
    """Return the part of a domain's sales that local users pay."""
    return ratio(business["local_pool"][domain], business["pool"][domain])


def local_services(agents: Agents, business: Record) -> dict[str, Any]:
    """Return what the province and the parks pay for AI services."""
    spending = math.fsum(
        business["sales"][f] * local_part(business, firm.domain)
        for f, firm in enumerate(agents.firms)
    )
    share = agents.p.deployment_government_share
    parks = share_out(spending * (1 - share), [park.output for park in agents.parks])
    return {"government": spending * share, "parks": parks}


def university_funding(p: Any, drivers: Record) -> float:
    """Return the part of their funds that universities get where the province is short."""
    return p.university_national_share + (1 - p.university_national_share) * drivers["fiscal"]


def university_accounts(
    agents: Agents, drivers: Record, innovation: Record, bills: list[float], contracts: float
) -> list[Record]:
    """Return the quarter of each university: it spends what its compute leaves of its income."""
    p, result = agents.p, []
    research = share_out(contracts, [u.research_funds for u in agents.universities])
    for u, university in enumerate(agents.universities):
        funds = university.research_funds * agents.growth(p.university_funds_growth)
        funds *= university_funding(p, drivers)
        income = funds + research[u] + innovation["university_grants"][u]
        spendable = max(income - bills[u], 0.0)
        wages = p.university_wage_share * spendable
        purchases = p.university_purchase_share * spendable
        result.append(
            {
                "cash": university.cash + income - wages - purchases - bills[u],
                "value_added": wages,
                "wages": wages,
                "purchases": purchases,
            }
        )
    return result
