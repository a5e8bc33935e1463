"""What is reported of a quarter: every outcome of the outcome table, (runs, entries) each."""

from __future__ import annotations

import numpy as np

from ecosystem.maths import kernels
from ecosystem.maths.arrays import Array, add_up, mean_over, safe_ratio, total
from ecosystem.maths.clearing import spread
from ecosystem.maths.kernels import HOURS
from ecosystem.maths.survival import five_year_survival
from ecosystem.stages.charges import charges_due
from ecosystem.stages.finance import close_statement
from ecosystem.stages.labour import usual_wage
from ecosystem.stages.parks import adoption_wear, value_added_gain
from ecosystem.stages.settlement import operating_cost, park_energy, upkeep
from ecosystem.state.ledger import (
    Purpose,
    amount,
    public_cost,
    receipts,
    select,
    split_evenly,
)
from ecosystem.state.records import BATCH, Quarter
from ecosystem.state.setting import Setting


def measure(quarter: Quarter, setting: Setting) -> dict[str, Array]:
    """Return all outcomes of a quarter.

    Flows are of the quarter, stocks those in operation during it. Arrays are (runs, 1) or
    (runs, entries of the outcome's dimension).
    """
    return (
        measure_money(quarter, setting)
        | measure_capacity(quarter, setting)
        | measure_trade(quarter, setting)
        | measure_innovation(quarter, setting)
        | measure_climate(quarter, setting)
    )


def by_tier(values: Array, setting: Setting) -> Array:
    """Return prefecture values summed by tier, (runs, tiers)."""
    return setting.world.prefectures.sum(values, "tier")


def fp32(setting: Setting) -> Array:
    """Return the FP32-equivalent weight of each centre's compute, (runs, centres)."""
    return spread(setting.by_kind("headline_weight"), setting.world.centres.kind)


def value_added_by_place(
    quarter: Quarter, setting: Setting
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return local value added, gross and net of depreciation and subsidy, M¥.

    By prefecture for each sector of the compute chain, (runs, prefectures) each: centres, equipment
    makers, AI firms, universities. Net subtracts the wear of the local share of centres' real
    assets, whoever paid for them, and each subsidy that the sum counts as income, once: a voucher
    counts in what firms save, or else in what centres earn from other buyers. What is bought with a
    grant is added back, so that a grant, for research or for capital, neither raises nor lowers the
    sum by itself. Charges are added back too: they are paid out of value added, as taxes are.
    """
    p, world, accounts = setting.parameters, setting.world, quarter.accounts
    local: dict[str, Array | float] = {
        "centres": quarter.policy.local_settlement, "makers": 1.0, "firms": 1.0, "universities": 1.0
    }  # fmt: skip
    gross = {
        name: getattr(world, name).sum(
            accounts.value_added[name] + share * charges_due(name, quarter, setting), "prefecture"
        )
        for name, share in local.items()
    }
    received = accounts.settlement.received
    to_firms = accounts.vouchers["firms"]
    to_others = 1 - safe_ratio(total(to_firms), add_up(map(total, accounts.vouchers.values())))
    counted = received["output_subsidy"] + received["tariff_discount"]
    counted = counted + received["compute_voucher"] * to_others
    centre = quarter.policy.local_settlement * (accounts.assets.wear + counted)
    bought = p.research_purchase_share * quarter.innovation.grants
    contracts = split_evenly(
        total(p.research_contract_share * bought), world.universities.research_funds
    )
    granted = p.university_wage_share * (quarter.innovation.university_grants + contracts)
    taken_off = {"centres": centre, "firms": to_firms - bought, "universities": granted}
    net = gross | {
        name: gross[name] - getattr(world, name).sum(values, "prefecture")
        for name, values in taken_off.items()
    }
    return gross, net


def measure_money(quarter: Quarter, setting: Setting) -> dict[str, Array]:
    """Return value added, public money and the spread over prefectures."""
    world, p, t = setting.world, setting.parameters, quarter.state.period
    accounts = quarter.accounts
    gross_of, net_of = value_added_by_place(quarter, setting)
    gross, net = add_up(gross_of.values()), add_up(net_of.values())
    gained = total(value_added_gain(quarter, setting))
    cost = public_cost(accounts.flows)
    prefecture, province, nation = total(cost[:, :-2]), cost[:, [-2]], cost[:, [-1]]
    cost = prefecture + province + nation
    schedule = setting.schedule
    planned = (schedule.spending[t].sum() + schedule.envelope[t].sum()) / 4
    spent = total(accounts.settlement.paid)
    people = world.prefectures.population
    wealth = world.prefectures.gdp / 4 * np.exp(p.gdp_growth * t / 4) + net
    taxes = tax_receipts(quarter, setting)
    between, within = kernels.theil_between_within(
        wealth, people, world.prefectures.tier.astype(int)
    )
    return {
        "regional_value_added": total(net) + gained,
        "local_value_added_net": total(net),
        "park_value_added_gain": gained,
        "park_adoption_wear": total(adoption_wear(quarter, setting)),
        "value_added_centres": total(net_of["centres"]),
        "value_added_makers": total(net_of["makers"]),
        "value_added_ai_firms": total(net_of["firms"]),
        "value_added_universities": total(net_of["universities"]),
        "local_value_added_gross": total(gross),
        "social_account": total(net) + gained - social_cost(quarter, cost, cost - taxes, setting),
        "net_public_cost": cost - taxes,
        "public_cost": cost,
        "public_cost_national": nation,
        "public_cost_provincial": province,
        "public_cost_prefecture": prefecture,
        "state_equity": amount(select(accounts.flows, Purpose.EQUITY, payer="government")),
        "tax_receipts": taxes,
        "unspent": planned - spent,
        "local_tax_receipts": accounts.local_receipts,
        "value_added_by_tier": by_tier(net, setting),
        "value_added_hub": total(net * world.prefectures.hub),
        "gini_value_added": kernels.gini(np.maximum(gross, 0), people)[:, None],
        "theil_between": between[:, None],
        "theil_within": within[:, None],
        "theil": kernels.theil(wealth, people)[:, None],
        "gini": kernels.gini(wealth, people)[:, None],
        "investment": amount(select(accounts.flows, Purpose.INVESTMENT)),
    }


def social_cost(quarter: Quarter, cost: Array, net_cost: Array, setting: Setting) -> Array:
    """Return what public money costs society, M¥ (runs, 1).

    What is paid for work and goods, research grants among it, is used up. A subsidy is not: who
    gets it has it, and value added is net of it. Raising each yuan of net cost takes a part of a
    yuan more.
    """
    passed_on = amount(select(quarter.accounts.flows, Purpose.SUBSIDY, payer="government"))
    return cost - passed_on + (setting.parameters.cost_of_public_funds - 1) * net_cost


def tax_receipts(quarter: Quarter, setting: Setting) -> Array:
    """Return taxes and charges, of parks only taxes on what their adoption adds, M¥ (runs, 1).

    Taxes on the rest of the parks' output do not depend on the chain and would hide it. What a
    charge on parks brings counts in full, and so does the tax that is lost to it. A user's own
    flows count as they are.
    """
    output = total(quarter.innovation.park_output)
    added = output - base_park_output(quarter, setting)
    whole, own = park_taxes(quarter, setting), {id(flow) for flow in quarter.accounts.added}
    return add_up(
        whole * added / output - (whole - total(flow.paid))
        if (flow.payer, flow.purpose) == ("parks", Purpose.TAX) and id(flow) not in own
        else total(flow.paid)
        for flow in receipts(quarter.accounts.flows)
    )


def park_taxes(quarter: Quarter, setting: Setting) -> Array:
    """Return what parks would pay in taxes without wear and without charges, M¥ (runs, 1)."""
    added = quarter.accounts.value_added["parks"] + charges_due("parks", quarter, setting)
    free, _ = close_statement(added, quarter.accounts.wages["parks"], 0.0, setting)
    return total(free.value_added_tax + free.income_tax)


def base_park_output(quarter: Quarter, setting: Setting) -> Array:
    """Return what parks would make with their adoption at the start, M¥ (runs, 1)."""
    trend = np.exp(setting.parameters.park_output_growth * quarter.state.period / 4)
    return total(setting.world.parks.output * trend)


def measure_capacity(quarter: Quarter, setting: Setting) -> dict[str, Array]:
    """Return halls, servers, use and fill."""
    world, built, market = setting.world, quarter.investment, quarter.market
    centres, weight = world.centres, fp32(setting)
    servers, sold = built.servers * weight, market.sold * weight
    hub = centres.in_hub & centres.intelligent
    drawn, megawatt = built.servers * built.power / 1000, built.halls
    servers_place, sold_place, drawn_place, megawatt_place = (
        centres.sum(values, "prefecture") for values in (servers, sold, drawn, megawatt)
    )
    kinds = centres.sum(built.servers, "kind")
    where = built.location
    expected = (where.footloose[:, :, None] * where.share[:, :, :-1]).reshape(setting.runs, -1)
    new_halls = world.cells.sum(np.maximum(expected - built.spare, 0), "kind")
    intelligent = centres.sum(built.servers * centres.intelligent, "prefecture")
    concentration = kernels.herfindahl(safe_ratio(intelligent, total(intelligent)))
    idle = np.maximum(1 - market.use / setting.parameters.target_use, 0)
    books, exits = quarter.accounts.books, quarter.accounts.exits
    running = (built.servers > 0).astype(float)
    return {
        "utilisation": safe_ratio(total(sold), HOURS * total(servers)),
        "fill": safe_ratio(total(drawn), total(megawatt)),
        "servers": kinds,
        "halls": centres.sum(built.capacity, "kind"),
        "servers_by_tier": by_tier(servers_place, setting),
        "servers_by_prefecture": servers_place,
        "gini_servers": kernels.gini(servers_place, world.prefectures.population)[:, None],
        "use_by_tier": safe_ratio(
            by_tier(sold_place, setting), HOURS * by_tier(servers_place, setting)
        ),
        "use_by_kind": safe_ratio(centres.sum(market.sold, "kind"), HOURS * kinds),
        "fill_by_tier": safe_ratio(by_tier(drawn_place, setting), by_tier(megawatt_place, setting)),
        "servers_hub": total(built.servers * hub),
        "halls_hub": total(built.capacity * hub),
        "nameplate_hub": total(built.nameplate * hub),
        "racks_built_hub": total(megawatt * hub) * 1000 / setting.parameters.rack_power,
        "racks_running_hub": total(drawn * hub) * 1000 / setting.parameters.rack_power,
        "readiness_hub": safe_ratio(
            total(quarter.policy.readiness_next * world.prefectures.hub),
            total(world.prefectures.hub * np.ones((setting.runs, 1))),
        ),
        "footloose_share": safe_ratio(new_halls, where.footloose)[:, world.kinds.intelligent],
        "cost_cover_centres": safe_ratio(total(books.surplus), total(quarter.accounts.assets.wear)),
        "interest_over_revenue": safe_ratio(total(books.interest), total(market.revenue)),
        "stranded_capital": total((books.book_servers + books.book_halls) * idle),
        "insolvent_share": safe_ratio(total((exits.insolvent > 0) * running), total(running)),
        "debt_written_off": total(exits.written_off),
        "national_use": market.national_use,
        "herfindahl": concentration[:, None],
        "centre_jobs": total(quarter.labour.centre_jobs),
        "servers_second_ring": by_tier(servers_place, setting)[:, world.tiers.ring_2],
        "use_second_ring": safe_ratio(
            by_tier(sold_place, setting), HOURS * by_tier(servers_place, setting)
        )[:, world.tiers.ring_2],
        "batch_served": total(market.by_class[:, BATCH] * weight),
        "fit_of_kind": fit_of_kind(built.servers, setting),
        "unit_cost": unit_cost(quarter, setting),
        "rival_displacement": safe_ratio(
            total(sold), total(sold) + total(market.routing.rival_served * headline(setting))
        ),
    }


def headline(setting: Setting) -> Array:
    """Return the FP32-equivalent weights of the kinds, (runs, kinds)."""
    return setting.by_kind("headline_weight")


def fit_of_kind(servers: Array, setting: Setting) -> Array:
    """Return how well kinds stand where they fit, 0 to 1 (runs, 1).

    The mean over kinds of the share of intelligent servers in the core, and of general and super
    servers outside it.
    """
    world = setting.world
    inside = safe_ratio(
        world.centres.sum(servers * world.centres.core, "kind"), world.centres.sum(servers, "kind")
    )
    wanted = np.where(world.kinds.intelligent, inside, 1 - inside)
    return np.asarray(wanted.mean(axis=1, keepdims=True))


def unit_cost(quarter: Quarter, setting: Setting) -> Array:
    """Return what compute costs centres over what they sell, yuan/PFh (runs, 1)."""
    cost = total(cost_of_centres(quarter, setting))
    return safe_ratio(1e6 * cost, total(quarter.market.sold * fp32(setting)))


def cost_of_centres(quarter: Quarter, setting: Setting) -> Array:
    """Return running cost, charges, depreciation and interest of centres, M¥ (runs, centres)."""
    books, accounts = quarter.accounts.books, quarter.accounts
    cost = accounts.power_bill + upkeep(quarter, setting) + accounts.wages["centres"]
    cost = cost + operating_cost(quarter, setting) + charges_due("centres", quarter, setting)
    return np.asarray(cost + books.depreciation + books.interest)


def measure_trade(quarter: Quarter, setting: Setting) -> dict[str, Array]:
    """Return exports, imports, revenue and the equipment chain."""
    world, market, supply = setting.world, quarter.market, quarter.supply
    work = world.workloads
    weight = spread(setting.by_kind("headline_weight"), work.kind)
    delivered = (market.delivered * weight[:, None, :]).sum(axis=2)
    abroad = np.where(world.regions.home, 0.0, delivered)
    lost = (market.lost.sum(axis=1) + market.leaked.sum(axis=1)) * setting.by_kind(
        "headline_weight"
    )
    return {
        "compute_exported": total(abroad),
        "compute_export_revenue": quarter.accounts.exports,
        "exports_by_region": abroad,
        "compute_imports": quarter.accounts.imports,
        "local_use": total(delivered * (world.regions.home)),
        "buyers_saving": buyers_saving(quarter, setting),
        "compute_revenue": world.centres.sum(market.revenue, "kind"),
        "unserved": total(lost),
        "local_content": safe_ratio(total(supply.local_sales), total(supply.orders)),
        "maker_sales": total(supply.sales),
        "maker_capacity": total(quarter.state.makers.capacity),
        "maker_jobs": total(quarter.labour.maker_jobs),
    }


def buyers_saving(quarter: Quarter, setting: Setting) -> Array:
    """Return what buyers elsewhere save against the price of their own region, M¥ (runs, 1)."""
    world, p, market = setting.world, setting.parameters, quarter.market
    work = world.workloads
    own = p.own_region_price * spread(quarter.drivers.price, work.kind) * work.price_multiplier
    abroad = np.where(world.regions.home, 0.0, 1.0)[:, None]
    would_pay = market.delivered * own[:, None, :] / 1e6
    return total((would_pay - market.payments) * abroad)


def measure_innovation(quarter: Quarter, setting: Setting) -> dict[str, Array]:
    """Return firms, knowledge, talent, deployment and parks."""
    world, f, made = setting.world, quarter.state.firms, quarter.innovation
    labour, business, society = quarter.labour, quarter.business, quarter.state.society
    count = np.maximum(total(f.active), 1)
    firms_place = world.firms.sum(f.active, "prefecture")
    staff = world.firms.sum(labour.staff, "domain")
    diversity = kernels.shannon(safe_ratio(staff, total(staff)))[:, None]
    branch_jobs = setting.parameters.branch_staff * total(society.branches)
    jobs = total(labour.centre_jobs) + total(labour.maker_jobs) + total(labour.staff) + branch_jobs
    return {
        "jobs": jobs,
        "ai_firm_staff": total(labour.staff),
        "patents": total(made.patents),
        "ai_firms": total(f.active),
        "ai_firms_by_tier": by_tier(firms_place, setting),
        "gini_firms": kernels.gini(firms_place, world.prefectures.population)[:, None],
        "ai_firm_sales": world.firms.sum(business.sales, "domain"),
        "served_orders": safe_ratio(total(business.sales), total(business.orders), empty=1.0),
        "outside_share": business.outside_share,
        "births": total(business.born),
        "exits": total(business.exits),
        "firm_survival": five_year_survival(f.active, f.age, business.exits),
        "births_without_slot": business.overflow,
        "quality": made.quality,
        "knowledge": total(f.knowledge) / count,
        "university_knowledge": quarter.state.universities.knowledge.mean(axis=2).mean(
            axis=1, keepdims=True
        ),
        "deployment": made.deployment_next.mean(axis=1),
        "firm_compute": total(made.compute),
        "talent": total(society.talent),
        "talent_by_tier": by_tier(society.talent, setting),
        "retention": safe_ratio(total(labour.retained), total(labour.graduates)),
        "wage": total(society.wage * society.talent) / total(society.talent),
        "graduate_wages_outside": wages_outside(quarter, setting),
        "network_density": made.density,
        "absorptive_capacity": safe_ratio(
            total(made.absorptive * business.sales), total(business.sales)
        ),
        "branches": total(society.branches),
        "branch_jobs": branch_jobs,
        "domain_diversity": diversity,
        "effective_domains": np.exp(diversity),
        "park_adoption": quarter.state.parks.adoption.mean(axis=1, keepdims=True),
        "park_productivity_gain": total(made.park_output) - base_park_output(quarter, setting),
        "park_servers": total(quarter.state.parks.servers),
    }


def wages_outside(quarter: Quarter, setting: Setting) -> Array:
    """Return what talent that stays and works outside the compute chain earns, M¥ (runs, 1).

    Talent less the jobs that the chain fills with it, at the wage of the place without tightness,
    so that only who stays moves it and not the wage that the chain bids up.
    """
    world, labour, t = setting.world, quarter.labour, quarter.state.period
    jobs = world.centres.sum(labour.centre_jobs, "prefecture")
    jobs = jobs + world.firms.sum(labour.staff, "prefecture")
    skilled = setting.parameters.maker_talent_share * labour.maker_jobs
    jobs = jobs + world.makers.sum(skilled, "prefecture")
    outside = np.maximum(1000 * quarter.state.society.talent - jobs, 0)
    return total(outside * usual_wage(t, setting)) / 1000


def park_intensity(quarter: Quarter, setting: Setting) -> Array:
    """Return power per output of parks, MWh/M¥ (runs, 1)."""
    return total(park_energy(quarter, setting)) / total(quarter.innovation.park_output)


def measure_climate(quarter: Quarter, setting: Setting) -> dict[str, Array]:
    """Return power and CO2: of the province, and of demand regions and rival hubs with it."""
    world, p, drivers = setting.world, setting.parameters, quarter.drivers
    market, built = quarter.market, quarter.investment
    regions, hubs = world.regions, world.hubs
    energy = total(market.energy)
    lever = spread(quarter.policy.local_lever["green_standard"], world.centres.prefecture)
    green = mean_over(np.minimum(1, lever), market.energy)
    here = energy * (1 - green) * world.province.grid_co2_factor * drivers.grid_decline
    idle = p.idle_power_share

    def power_used(capacity: Array, served: Array, pue: Array) -> Array:
        load = idle * capacity * HOURS + (1 - idle) * p.work_per_contract * served
        return np.asarray(load * quarter.state.nation.power * pue / 1000)

    rivals = total(
        power_used(
            market.routing.rival_capacity, market.routing.rival_served + market.helped, p.rival_pue
        )
    )
    rivals = rivals * (hubs.share * hubs.grid_co2_factor).sum()
    settled = (1 - p.footloose_share) * drivers.capacity
    served = market.routing.own_served
    weight = np.where(regions.home, 0.0, regions.demand_share)
    east = np.zeros_like(rivals)
    for g in range(regions.count):
        own = settled * weight[g] / weight.sum()
        used = power_used(own, served[:, g], p.eastern_pue)
        east = east + total(used) * regions.grid_co2_factor[g]
    mean_pue = safe_ratio(
        total(built.pue * built.servers * built.power), total(built.servers * built.power)
    )
    return {
        "energy": energy,
        "co2_province": here,
        "green_share": green,
        "co2_per_compute": 1000 * safe_ratio(here, total(market.sold * fp32(setting))),
        "park_energy_intensity": park_intensity(quarter, setting),
        "co2_nation": here + (rivals + east) * drivers.grid_decline,
        "pue": mean_pue,
    }
