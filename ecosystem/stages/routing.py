"""S4, first half: compute buyers - local demand, the routing logit, eastern overflow."""

from __future__ import annotations

from math import exp, inf, log, log1p
from typing import Any

import numpy as np

from ecosystem.inputs.places import area
from ecosystem.maths import kernels
from ecosystem.maths.arrays import Array, add_up, mean_over, safe_ratio, total
from ecosystem.maths.clearing import spread
from ecosystem.maths.compiled import equation, kernel
from ecosystem.maths.kernels import HOURS
from ecosystem.maths.live import Live, of_run
from ecosystem.maths.scalars import ratio
from ecosystem.stages.columns import column_area, expected_rate
from ecosystem.stages.demand import by_place, local_demand, park_demand
from ecosystem.stages.prices import kept_subsidy, posted_price, variable_costs
from ecosystem.state.records import Drivers, Offer, Policy, Quarter, Routing
from ecosystem.state.setting import Setting

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
        p = parameters[r]
        capture = min(1.0, p.overflow_capture + takeup[r, 0])
        for g in range(flow.shape[1]):
            for w in range(len(kind)):
                k, to, going = kind[w], share[r, g, w], flow[r, g, w]
                asked, served = own_demand[r, g, k], own_served[r, g, k]
                overflow[r, g, w] = going[OWN] * (1 - served / asked) if asked > 0 else 0.0
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
        kept_subsidy(policy, setting), policy.local_lever["second_ring_quality"],
        centres.kind, centres.prefecture,
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
    reference: Array, subsidy: Array, kept: Array, second_ring: Array, kind: Any, place: Any,
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
        p = parameters[r]
        top = 1 - p.output_subsidy_price_share * subsidy[r].min()
        asked, paid, served = np.zeros_like(seen[r]), np.zeros_like(seen[r]), np.zeros_like(seen[r])
        for i in range(len(kind)):
            k, g = kind[i], place[i]
            market[r, i] = reference[r, k] * exp(mark[r, i])
            price[r, i] = posted_price(p, cost[r, i], market[r, i], kept[r, g])
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
