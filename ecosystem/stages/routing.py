"""S4, first half: compute buyers - local demand, the routing logit, eastern overflow."""

from __future__ import annotations

from math import exp, inf, log, log1p
from typing import Any

import numpy as np

from ecosystem.inputs.places import area
from ecosystem.maths import kernels
from ecosystem.maths.arrays import Array, add_up, mean_over, safe_ratio, sigmoid, total
from ecosystem.maths.clearing import spread
from ecosystem.maths.compiled import equation, kernel
from ecosystem.maths.kernels import HOURS
from ecosystem.maths.live import Live, of_run
from ecosystem.maths.scalars import ratio
from ecosystem.stages.columns import column_area, expected_rate
from ecosystem.stages.drivers import workload_mix
from ecosystem.stages.location import posted_price, variable_costs
from ecosystem.state.records import Drivers, LocalDemand, Offer, Policy, Quarter, Routing
from ecosystem.state.setting import Setting
from ecosystem.state.state import State

OWN, RIVAL, HOME = 0, 1, 2  # alternatives of a buyer


def route(quarter: Quarter, setting: Setting) -> Routing:
    """Return buyers' choice among their own region, rival hubs and the province.

    Source: docs/model.md, S4; multinomial logit with size (McFadden 1974).
    """
    drivers, policy, investment = quarter.drivers, quarter.policy, quarter.investment
    world, p = setting.world, setting.parameters
    work, regions = world.workloads, world.regions
    offer = make_offer(quarter, setting)
    local = local_demand(quarter, offer, setting)
    demand = np.where(regions.home[:, None], local.users.sum(axis=1)[:, None, :], drivers.demand)
    own = eastern_capacity(drivers, setting)
    servers = world.centres.sum(investment.servers, "kind")
    rival = np.maximum(p.footloose_share * drivers.capacity - servers, 0)
    share, price_paid = routing_shares(quarter, setting, own, rival, offer)
    anchors = policy.lever["anchor_tenants"]
    flow, own_demand = choose(demand, share, anchors, work.real_time, work.kind, len(world.kinds))
    own_served = kernels.match(
        own_demand, (p.eastern_usable_share * HOURS)[..., None] * own, p.eastern_matching[..., None]
    )
    overflow, captured, arrivals, rival_demand = overflows(
        p.of_run, flow, own_demand, own_served, policy.lever["overflow_takeup"], share,
        work.movable, work.kind,
    )  # fmt: skip
    rival_served = kernels.match(rival_demand, rival * HOURS, p.eastern_matching)
    unserved = rival_demand - rival_served
    return Routing(
        offer=offer,
        local=local,
        demand=demand,
        share=share,
        inflow=arrivals + from_neighbours(unserved, demand, policy, setting),
        overflow=overflow,
        captured=captured,
        own_served=own_served,
        rival_demand=rival_demand,
        rival_served=rival_served,
        rival_capacity=rival,
        price_paid=price_paid,
    )


@kernel
def choose(
    demand: Array, share: Array, anchors: Array, real_time: Any, kind: Any, kinds: int
) -> tuple[Array, Array]:
    """Return demand by alternative, PFh (runs, regions, workloads, 3), and that for own regions.

    The second is by kind, (runs, regions, kinds).
    """
    flow, own_demand = np.zeros_like(share), np.zeros((*demand.shape[:2], kinds))
    for r in range(len(demand)):
        for g in range(demand.shape[1]):
            for w in range(len(kind)):
                asked, to = demand[r, g, w], share[r, g, w]
                moved = move_anchors(anchors[r, 0], real_time[w], to[OWN])
                flow[r, g, w, OWN] = asked * (to[OWN] - moved)
                flow[r, g, w, RIVAL] = asked * to[RIVAL]
                flow[r, g, w, HOME] = asked * (to[HOME] + moved)
                own_demand[r, g, kind[w]] += flow[r, g, w, OWN]
    return flow, own_demand


@equation
def move_anchors(lever: float, real_time: bool, own: float) -> float:
    """Return the share of work that anchor tenants move here from own regions: of batch work."""
    return 0.0 if real_time else lever * own


@kernel
def overflows(
    parameters: Any, flow: Array, own_demand: Array, own_served: Array, takeup: Array,
    share: Array, movable: Any, kind: Any,
) -> tuple[Array, Array, Array, Array]:  # fmt: skip
    """Return what own regions cannot serve, what of it looks west, and what arrives here.

    All are PFh (runs, regions, workloads); the last result is what rivals are asked for, (runs,
    kinds).
    """
    overflow, captured, arrivals, rival_demand = (
        np.zeros(flow.shape[:3]), np.zeros(flow.shape[:3]), np.zeros(flow.shape[:3]),
        np.zeros((len(flow), own_demand.shape[2])),
    )  # fmt: skip
    for r in range(len(flow)):
        capture = min(1.0, parameters[r].overflow_capture + takeup[r, 0])
        for g in range(flow.shape[1]):
            for w in range(len(kind)):
                k, to, going = kind[w], share[r, g, w], flow[r, g, w]
                lost = max(own_demand[r, g, k] - own_served[r, g, k], 0.0)
                overflow[r, g, w] = going[OWN] * ratio(lost, own_demand[r, g, k])
                captured[r, g, w] = capture * movable[w] * overflow[r, g, w]
                west = ratio(to[HOME], to[HOME] + to[RIVAL])
                arrivals[r, g, w] = going[HOME] + captured[r, g, w] * west
                rival_demand[r, k] += going[RIVAL] + captured[r, g, w] * (1 - west)
    return overflow, captured, arrivals, rival_demand


def from_neighbours(unserved: Array, demand: Array, policy: Policy, setting: Setting) -> Array:
    """Return batch work that neighbours could not serve and send here, PFh (runs, G, W)."""
    work, regions, p = setting.world.workloads, setting.world.regions, setting.parameters
    shared = policy.lever["compute_corridor"] * p.neighbour_share * unserved
    batch = demand * regions.neighbour[:, None] * ~work.real_time
    part = safe_ratio(batch, spread(work.sum(batch.sum(axis=1), "kind"), work.kind)[:, None])
    return np.asarray(part * spread(shared, work.kind)[:, None, :])


def eastern_capacity(drivers: Drivers, setting: Setting) -> Array:
    """Return capacity that is not footloose, by region, PFLOPS (runs, regions, kinds)."""
    regions = setting.world.regions
    weight = np.where(regions.home, 0.0, regions.demand_share)
    settled = (1 - setting.parameters.footloose_share) * drivers.capacity
    return np.asarray((weight / weight.sum())[:, None] * settled[:, None, :])


def make_offer(quarter: Quarter, setting: Setting) -> Offer:
    """Return prices, visible size and service quality of the province's centres."""
    state, drivers, policy, investment = (
        quarter.state,
        quarter.drivers,
        quarter.policy,
        quarter.investment,
    )
    world, centres = setting.world, setting.world.centres
    cost = variable_costs(quarter, setting)
    price, market, size, seen, mean_price, quality = offers(
        setting.parameters.of_run, cost, state.centres.mark, state.centres.quality,
        investment.servers, investment.capacity, drivers.price, policy.rate["output_subsidy"],
        policy.local_lever["second_ring_quality"], centres.kind, centres.prefecture,
    )  # fmt: skip
    local, abroad = vouchers(quarter, size, seen, setting)
    voucher = local[..., 0]
    if by_place(setting):
        voucher = mean_over(local, user_weights(quarter, setting), 1.0)[..., 0]
    intelligent = world.kinds.intelligent
    export = setting.parameters.voucher_export_share
    return Offer(
        cost=cost,
        price=price,
        market=market,
        size=size,
        size_by_kind=seen,
        relative_price=mean_price * (1 - voucher),
        price_by_place=mean_price[:, intelligent] * (1 - local[:, intelligent][:, 0]),
        outside_price=mean_price * (1 - export * abroad),
        quality=quality * local_experience(quarter, setting),
    )


@kernel
def offers(
    parameters: Any, cost: Array, mark: Array, quality: Array, servers: Array, capacity: Array,
    reference: Array, subsidy: Array, second_ring: Array, kind: Any, place: Any,
) -> tuple[Array, Array, Array, Array, Array, Array]:  # fmt: skip
    """Return posted price, market price and size of every centre, and what buyers see of a kind.

    That is its size, its mean price after the output subsidy, over the reference, and its mean
    quality, (runs, kinds); 1 where nothing stands. Where all rates are equal their mean is so to
    the last bit.
    """
    price, market, size = np.zeros_like(cost), np.zeros_like(cost), np.zeros_like(cost)
    seen, mean, good = (
        np.zeros_like(reference), np.ones_like(reference), np.ones_like(reference)
    )  # fmt: skip
    for r in range(len(cost)):
        p, top = parameters[r], 1 - parameters[r].output_subsidy_price_share * subsidy[r].min()
        asked, paid, served = np.zeros_like(seen[r]), np.zeros_like(seen[r]), np.zeros_like(seen[r])
        for i in range(len(kind)):
            k, g = kind[i], place[i]
            market[r, i] = reference[r, k] * exp(mark[r, i])
            price[r, i] = posted_price(p, cost[r, i], market[r, i])
            empty = max(capacity[r, i] - servers[r, i], 0.0)
            size[r, i] = servers[r, i] + p.empty_hall_weight * empty
            seen[r, k] += size[r, i]
            weight = size[r, i] * price[r, i]
            asked[k] += weight
            paid[k] += weight * ((1 - p.output_subsidy_price_share * subsidy[r, g]) / top)
            served[k] += size[r, i] * served_quality(quality[r, i], second_ring[r, g])
        for k in range(len(asked)):
            if seen[r, k] > 0:
                mean[r, k] = asked[k] / (seen[r, k] * reference[r, k]) * (top * paid[k] / asked[k])
                good[r, k] = served[k] / seen[r, k]
    return price, market, size, seen, mean, good


def by_place(setting: Setting) -> bool:
    """Return whether vouchers are for users of some places alone."""
    return any(column.users for column in setting.schedule.columns)


def vouchers(quarter: Quarter, size: Array, seen: Array, setting: Setting) -> tuple[Array, Array]:
    """Return what vouchers take off prices, for users at home (runs, kinds, P) and elsewhere.

    Users find the compute for which there are vouchers by its `size`, (runs, centres), of what is
    `seen` of a kind, (runs, kinds). Vouchers for users of some places are for nobody elsewhere.
    """
    world, schedule, area_of = setting.world, setting.schedule, column_area(setting)
    at_home, abroad = [], []
    for i in schedule.of("compute_voucher"):
        there = world.centres.sum(size * area_of[i, world.centres.prefecture], "kind")
        off = expected_rate(quarter.state, setting, i) * safe_ratio(there, seen)
        users = schedule.columns[i].users
        at_home.append(off[:, :, None] * area(users, world))
        abroad.append(off * (not users))
    return add_up(at_home), add_up(abroad)


def user_weights(quarter: Quarter, setting: Setting) -> Array:
    """Return the part of each prefecture in what users here want, (runs, kinds, prefectures).

    AI firms want intelligent compute, parks general compute, universities the rest.
    """
    state, world = quarter.state, setting.world
    by_park, own = park_demand(quarter, setting)
    funds = world.universities.research_funds * np.ones((setting.runs, 1))
    f, places = state.firms, world.prefectures.count
    firms = sum_by_place(f.live, f.compute, world.firms.prefecture, places)
    parks = world.parks.sum(by_park - own, "prefecture")
    science = world.universities.sum(funds, "prefecture")
    kinds = {"intelligent": firms, "general": parks}
    return np.stack([kinds.get(kind, science) for kind in world.kinds], axis=1)


@kernel
def sum_by_place(live: Live, values: Array, place: Any, places: int) -> Array:
    """Return the sum of what firms have, (runs, prefectures)."""
    whole = np.zeros((len(values), places))
    for r in range(len(values)):
        for f in of_run(live, r):
            whole[r, place[f]] += values[r, f]
    return whole


@equation
def served_quality(quality: float, lever: float) -> float:
    """Return service quality of a centre with what the second ring gains."""
    return quality * (1 + lever)


def local_experience(quarter: Quarter, setting: Setting) -> Array:
    """Return the quality gained by serving local users, 1 + e (1 - exp(-L/L_0)), (runs, 1).

    Coupling C8; L is local continuous use in PFLOPS, L_0 grows with the national market.
    """
    state, drivers = quarter.state, quarter.drivers
    p = setting.parameters
    used = total(state.firms.compute) / HOURS
    scale = (
        p.local_experience_scale
        * drivers.capacity[:, setting.world.kinds.intelligent]
        / p.finance_reference_capacity
    )
    return np.asarray(1 + p.local_experience * -np.expm1(-used / scale))


def local_demand(quarter: Quarter, offer: Offer, setting: Setting) -> LocalDemand:
    """Return demand of the home region's users, PFh; docs/model.md, S4."""
    state, drivers = quarter.state, quarter.drivers
    world, p = setting.world, setting.parameters
    work = world.workloads
    mix = workload_mix(setting, drivers.real_time_share)
    intelligent = work.intelligent
    real_time = intelligent & work.real_time
    price_here = offer.relative_price[:, world.kinds.intelligent]
    if by_place(setting):
        price_here = spread(offer.price_by_place, world.firms.prefecture)
    by_firm = setting.rules.buy_compute(quarter, setting, price_here)
    adopters = adopters_by_cell(state, setting)
    by_park, own = park_demand(quarter, setting)
    government = (
        p.government_compute_share
        * world.province.budget_expenditure
        * np.exp(p.budget_growth * state.period / 4)
        / 4
        * drivers.fiscal
        * 1e6
        / drivers.price[:, world.kinds.general]
    )
    national = state.nation.demand_ratio * setting.national_table[:, state.period]
    science = (
        world.regions.demand_share[world.regions.home_index]
        * national[:, world.kinds.super]
        * HOURS
    )
    general = work.general
    batch = general & ~work.real_time
    batch_mix = np.where(batch, work.share_within_kind, 0.0)
    users = np.stack(
        [
            total(by_firm) * mix * intelligent,
            total(adopters) * drivers.ai_demand * drivers.tasks * p.deployment_compute * real_time,
            total(by_park - own) * batch_mix / batch_mix.sum(),
            government * (general & work.real_time),
            science * work.super,
            branch_demand(quarter, setting) * mix * intelligent,
        ],
        axis=1,
    )
    return LocalDemand(users, by_firm, by_park, own)


def compute_share(drivers: Drivers, setting: Setting) -> Array:
    """Return spending on compute over sales, which rises with large models (runs, 1)."""
    p = setting.parameters
    known = sigmoid(p.compute_share_speed * (drivers.year - p.compute_share_midpoint))
    risen = p.compute_share_start + (1 - p.compute_share_start) * known
    return np.asarray(p.compute_share_of_sales * risen)


def compute_of_sales(drivers: Drivers, price: Array | float, setting: Setting) -> Array:
    """Return the compute wanted for a million yuan of sales, PFh (runs, 1).

    A constant elasticity to its `price` over the reference, (runs, 1), times that over its trend.
    """
    p, intelligent = setting.parameters, setting.world.kinds.intelligent
    dear = price * drivers.rent[:, intelligent]
    reaction = drivers.tasks * np.exp(-p.firm_compute_elasticity * np.log(dear))
    bought = compute_share(drivers, setting) * reaction * 1e6
    return np.asarray(bought / drivers.trend_price[:, intelligent])


def branch_demand(quarter: Quarter, setting: Setting) -> Array:
    """Return compute wanted by recruited branches, PFh (runs, 1); couplings C1 and C6."""
    drivers, p = quarter.drivers, setting.parameters
    staff = p.branch_staff * total(quarter.state.society.branches)
    growth = np.exp(p.productivity_growth * quarter.state.period / 4)
    sales = p.sales_per_worker * growth * staff * drivers.ai_demand
    return np.asarray(sales * compute_of_sales(drivers, 1.0, setting))


def buy_compute(quarter: Quarter, setting: Setting, price: Array) -> Array:
    """Return compute that each AI firm wants, PFh (runs, slots): a rule.

    A share of sales that rises with the spread of large models, spent at the local `price` of
    intelligent compute, over the reference (runs, 1), or (runs, slots) where it differs by place.
    """
    f = quarter.state.firms
    return bought(f.live, f.sales, compute_of_sales(quarter.drivers, price, setting))


@kernel
def bought(live: Live, sales: Array, rate: Array) -> Array:
    """Return what firms buy by sales at a rate for each run, (runs, 1), or firm, (runs, slots)."""
    compute, each = np.zeros_like(sales), rate.shape[1] > 1
    for r in range(len(sales)):
        for f in of_run(live, r):
            compute[r, f] = sales[r, f] * rate[r, f if each else 0]
    return compute


def adopters_by_cell(state: State, setting: Setting) -> Array:
    """Return users of deployed AI by prefecture and domain, (runs, prefectures, domains)."""
    return np.asarray(state.society.deployment * potential_adopters(setting))


def potential_adopters(setting: Setting) -> Array:
    """Return organisations that could deploy AI, (runs, prefectures, domains)."""
    world, p = setting.world, setting.parameters
    share = world.prefectures.gdp / world.prefectures.gdp.sum()
    count = len(world.domains.domain)
    return np.asarray(p.potential_adopters[:, :, None] * share[:, None] / count * np.ones(count))


def park_demand(quarter: Quarter, setting: Setting) -> tuple[Array, Array]:
    """Return compute wanted by parks and the part their own centres serve, PFh (runs, parks)."""
    state, drivers = quarter.state, quarter.drivers
    p = setting.parameters
    output = park_output(state, setting)
    spend = p.park_compute_share * state.parks.adoption * output
    wanted = spend * 1e6 / drivers.price[:, setting.world.kinds.general]
    own = np.minimum(wanted, state.parks.servers * HOURS)
    return wanted, own


def park_output(state: State, setting: Setting) -> Array:
    """Return output of parks, M¥ a quarter (runs, parks); docs/model.md, S5."""
    return output_of_parks(state.parks.adoption, state.period, setting)


def output_of_parks(adoption: Array, period: int, setting: Setting) -> Array:
    """Return what parks make in a quarter at some `adoption`, M¥ (runs, parks)."""
    p, parks = setting.parameters, setting.world.parks
    gain, trend = p.park_productivity_gain, np.exp(p.park_output_growth * period / 4)
    bare = setting.once("parks bare", lambda: parks.output / (1 + gain * parks.adoption))
    return np.asarray((1 + gain * adoption) * trend * bare)


def home_latency(policy: Policy, setting: Setting) -> Array:
    """Return the latency from each region to the province's hub, ms (runs, regions)."""
    saved = setting.parameters.corridor_latency_gain * policy.lever["compute_corridor"]
    return np.maximum(setting.world.network.latency_home_ms - saved, 0)


def routing_shares(
    quarter: Quarter, setting: Setting, own: Array, rival: Array, offer: Offer
) -> tuple[Array, Array]:
    """Return shares (runs, regions, workloads, alternatives) and the mean relative price paid."""
    policy, world = quarter.policy, setting.world
    work, regions, network = world.workloads, world.regions, world.network
    price = prices_to_buyers(quarter, offer, setting)
    paired = policy.lever["regional_pairing"] * regions.paired
    imported = policy.lever["scenario_import"] * ~regions.home
    eligible = work.intelligent | (work.general & ~work.real_time)
    moved_west = ~work.real_time & (work.movable == 1) & ~work.super
    utility = utilities(
        setting.parameters.of_run, price, own, rival, offer.size_by_kind,
        np.nan_to_num(network.latency_own_ms), np.nan_to_num(network.latency_rival_ms),
        np.nan_to_num(home_latency(policy, setting)), work.latency_disutility, paired, imported,
        offer.quality, setting.by_kind("province_effect"), quarter.state.buyers.experience,
        eligible, moved_west, regions.home, work.kind,
    )  # fmt: skip
    share = setting.rules.route_work(quarter, setting, utility, price)
    return share, np.asarray((share * price).sum(axis=3))


@kernel
def utilities(
    parameters: Any, price: Array, own: Array, rival: Array, here: Array, latency_own: Any,
    latency_rival: Any, latency_here: Array, disutility: Any, paired: Array, imported: Array,
    quality: Array, effect: Array, experience: Array, eligible: Any, moved_west: Any, home: Any,
    kind: Any,
) -> Array:  # fmt: skip
    """Return what each alternative is worth to each buyer, (runs, regions, workloads, 3).

    U = b_S ln(1 + size) - b_P price - l latency + pairing + b_q ln quality + b_e experience + FE.
    For the home region the province is its own region.
    """
    utility = np.zeros_like(price)
    for r in range(len(price)):
        p = parameters[r]
        for g in range(len(home)):
            for w in range(len(kind)):
                k, each, paid = kind[w], utility[r, g, w], price[r, g, w]
                delay = disutility[w] * p.latency_disutility / 10
                each[OWN] = pull(p, own[r, g, k], paid[OWN], delay * latency_own[g])
                each[OWN] = -inf if home[g] else each[OWN] + p.own_region_effect
                each[RIVAL] = pull(p, rival[r, k], paid[RIVAL], delay * latency_rival[g])
                each[HOME] = pull(p, here[r, k], paid[HOME], delay * latency_here[r, g])
                each[HOME] += (
                    effect[r, k] + paired[r, g] * eligible[w] + imported[r, g] * moved_west[w]
                    + p.home_bias * home[g] + p.routing_quality * log(quality[r, k])
                    + p.routing_experience * experience[r, g, w]
                )  # fmt: skip
    return utility


@equation
def pull(p: Any, size: float, price: float, delay: float) -> float:
    """Return what size, price and delay of an alternative are worth to a buyer."""
    return p.routing_size * log1p(size) - p.routing_price * price - delay


def widen(column: Array) -> Array:
    """Return a (runs, n) array with one axis more, for arrays by region and workload."""
    return column[:, :, None]


def prices_to_buyers(quarter: Quarter, offer: Offer, setting: Setting) -> Array:
    """Return prices with carriage, over the reference (runs, regions, workloads, alternatives)."""
    world, p = setting.world, setting.parameters
    work, home, network = world.workloads, world.regions.home, world.network
    carriage = work.data_weight * network.network_price[:, None] / widen(p.network_price_reference)
    corridor = quarter.policy.lever["compute_corridor"]
    local, outside = (
        each[:, None, work.kind] for each in (offer.relative_price, offer.outside_price)
    )
    here = np.where(home[:, None], local, outside)
    here = here + carriage * widen(1 - p.corridor_price_gain * corridor)
    price = np.empty((*here.shape, 3))
    price[..., OWN] = widen(p.own_region_price)
    price[..., RIVAL] = widen(quarter.drivers.rival_price) + carriage
    price[..., HOME] = here
    return price


def route_work(quarter: Quarter, setting: Setting, utility: Array, price: Array) -> Array:
    """Return the shares of own region, rivals and province in each buyer's work: a rule.

    All are (runs, regions, workloads, 3). `utility` is minus infinity where an alternative is
    closed, `price` is over the reference. Multinomial logit (McFadden 1974).
    """
    return kernels.softmax(utility)
