"""S4, second half: two-class dispatch - contracts with search friction, then the pool."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log
from typing import Any

import numpy as np

from ecosystem.maths import kernels
from ecosystem.maths.arrays import Array, add_up, safe_ratio, sigmoid, total
from ecosystem.maths.clearing import clear, segment_share, spread
from ecosystem.maths.compiled import kernel
from ecosystem.maths.kernels import HOURS
from ecosystem.stages.prices import kept_subsidy, lowest_price
from ecosystem.stages.routing import (
    home_latency,
    route,
    served_quality,
)
from ecosystem.stages.sales import (
    energy_used,
    help_for_home,
    home_fulfilment,
    learn,
    move_tenants,
    price_cut,
    settle_sales,
)
from ecosystem.state.records import BATCH, REAL_TIME, Drivers, Market, Policy, Quarter, Routing
from ecosystem.state.setting import Setting


@dataclass(frozen=True)
class Dispatch:
    """What centres here did for the two classes of work, before anybody stands in."""

    inflow: Array  # PFh that arrived (runs, 2, kinds)
    by_class: Array  # PFh sold (runs, 2, centres)
    lost: Array  # PFh without a centre (runs, 2, kinds)
    leaked: Array  # PFh of the pool that left the province (runs, 2, kinds)
    left: Array  # PFh that stand idle (runs, centres)


def sell(quarter: Quarter, setting: Setting) -> Market:
    """Return the quarter's sales of compute.

    Source: docs/model.md, S4 with the exact pool of the last section: contracts are
    matched first (den Haan, Ramey & Watson 2000), a share and what stays unserved is pooled.
    """
    world, p, drivers, policy = setting.world, setting.parameters, quarter.drivers, quarter.policy
    routing = route(quarter, setting)
    dispatch = serve_classes(quarter, routing, setting)
    stand_in = substitute(dispatch, policy, setting)
    by_class = dispatch.by_class
    sold = by_class[:, REAL_TIME] + by_class[:, BATCH] + stand_in
    served, lost = world.centres.sum(by_class, "kind"), dispatch.lost.copy()
    done = p.substitution_ratio * total(stand_in) * world.kinds.general
    served[:, BATCH] += done
    lost[:, BATCH] -= done
    helped = help_from_neighbours(lost[:, BATCH], routing, policy, setting)
    lost[:, BATCH] -= helped
    helped_home = help_for_home(helped, routing, setting)
    revenue, delivered, payments = settle_sales(
        quarter, routing, by_class, stand_in, dispatch.inflow, served, setting
    )
    use = safe_ratio(sold, HOURS * quarter.investment.servers)
    running = availability(drivers, setting)
    elsewhere = routing.rival_served + helped
    anywhere = routing.own_served.sum(axis=1) + elsewhere + served.sum(axis=1)
    return Market(
        routing=routing,
        sold=sold,
        by_class=by_class,
        inflow=dispatch.inflow,
        served=served,
        lost=lost,
        leaked=dispatch.leaked,
        helped=helped,
        helped_home=helped_home,
        use=use,
        revenue=revenue,
        posted=revenue / price_cut(policy, setting),
        delivered=delivered,
        payments=payments,
        mark_next=np.clip(
            setting.rules.mark_up(quarter, setting, use / running), p.mark_low, p.mark_high
        ),
        tenants_next=move_tenants(quarter.state, setting),
        experience_next=learn(quarter, routing, setting),
        energy=energy_used(quarter, use, setting),
        national_use=anywhere / (drivers.capacity * HOURS),
        rival_use=safe_ratio(elsewhere, routing.rival_capacity * HOURS),
        firm_fulfilment=home_fulfilment(routing, delivered, helped_home, setting),
    )


def serve_classes(quarter: Quarter, routing: Routing, setting: Setting) -> Dispatch:
    """Return what centres do for real-time work and then, with what is left, for batch work."""
    policy, cells, centres = quarter.policy, setting.world.cells, setting.world.centres
    weight = contract_weights(quarter, routing, setting)
    wanted, nowhere = class_demand(routing, weight, policy, setting)
    won = segment_share(weight, centres.cell_start, centres.cell)
    left = HOURS * quarter.investment.servers * availability(quarter.drivers, setting)
    sold, lost, leaked = [], [], []
    for order in (REAL_TIME, BATCH):
        share = safe_ratio(wanted[order], add_up(wanted[order:]), empty=1.0)
        offered = np.minimum(setting.rules.offer_capacity(quarter, setting, left, share), left)
        if order == REAL_TIME:
            offered = offered * (1 - reserve_for_batch(wanted[BATCH], left, policy, setting))
        quantity, unserved, outside = serve_class(
            quarter, routing, wanted[order], offered, won, order, setting
        )
        sold.append(quantity)
        lost.append(unserved + nowhere[order])
        leaked.append(outside)
        left = np.maximum(left - quantity, 0)
    arrived = [cells.sum(wanted[order], "kind") + nowhere[order] for order in (REAL_TIME, BATCH)]
    return Dispatch(
        inflow=np.stack(arrived, axis=1),
        by_class=np.stack(sold, axis=1),
        lost=np.stack(lost, axis=1),
        leaked=np.stack(leaked, axis=1),
        left=left,
    )


def availability(drivers: Drivers, setting: Setting) -> Array:
    """Return the share of each centre's servers that runs (centres,): less where the hub is out."""
    return np.where(setting.world.centres.in_hub, drivers.hub_availability, 1.0) * drivers.supply


def dispatch_rules(policy: Policy, setting: Setting) -> tuple[Array, Array]:
    """Return the pooled share and the search exponent by cell, (runs, cells) each.

    The dispatch centre raises both; general and super compute respond in part.
    """
    p, kind = setting.parameters, setting.world.cells.kind
    lever = spread(policy.lever["unified_dispatch"] * setting.by_kind("dispatch_factor"), kind)
    pooled = np.minimum(p.pooled_share + lever, 1)
    return pooled, p.search_exponent * (1 + p.dispatch_search_gain * lever)


def contract_weights(quarter: Quarter, routing: Routing, setting: Setting) -> Array:
    """Return the pull of each centre on contracts: size * (p/ref)^-e * quality * e^tenants."""
    made, c, centres = routing.offer, quarter.state.centres, setting.world.centres
    lever = quarter.policy.local_lever["second_ring_quality"]
    return pulls(
        setting.parameters.of_run, made.size, made.price, c.quality, c.tenants,
        quarter.drivers.price, lever, centres.kind, centres.prefecture,
    )  # fmt: skip


@kernel
def pulls(
    parameters: Any, size: Array, price: Array, quality: Array, tenants: Array, reference: Array,
    lever: Array, kind: Any, place: Any,
) -> Array:  # fmt: skip
    """Return the pull of every centre on contracts, PFLOPS (runs, centres)."""
    pull = np.zeros_like(size)
    for r in range(len(size)):
        p = parameters[r]
        for i in range(len(kind)):
            if size[r, i] > 0:
                relative = log(price[r, i] / reference[r, kind[i]])
                good = served_quality(quality[r, i], lever[r, place[i]])
                luck = tenants[r, i] - p.contract_price_sensitivity * relative
                pull[r, i] = size[r, i] * good * exp(luck)
    return pull


def class_demand(
    routing: Routing, weight: Array, policy: Policy, setting: Setting
) -> tuple[list[Array], list[Array]]:
    """Return demand by class (real-time, batch): by cell (runs, cells), and that which reaches
    no centre (runs, kinds), PFh.

    Real-time work goes only to prefectures within the latency limit of the buyer's region; work
    for a kind of compute of which no centre is left finds none.
    """
    work, places = setting.world.workloads, setting.world.prefectures
    limit = np.nanmin(np.where(work.real_time, work.latency_limit_ms, np.nan))
    wanted, nowhere = demand_of_classes(
        routing.inflow, weight, home_latency(policy, setting), places.latency_extra_ms, limit,
        work.real_time, work.kind, setting.world.centres.cell, len(setting.world.kinds),
    )  # fmt: skip
    return list(wanted), list(nowhere)


@kernel
def demand_of_classes(
    inflow: Array, weight: Array, latency: Array, extra: Any, limit: float, real_time: Any,
    kind: Any, cell: Any, kinds: int,
) -> tuple[Array, Array]:  # fmt: skip
    """Return demand by class and cell, (2, runs, cells), and by class that reaches no centre."""
    runs, places = len(inflow), len(extra)
    wanted, nowhere = np.zeros((2, runs, kinds * places)), np.zeros((2, runs, kinds))
    for r in range(runs):
        cells, arrived = np.zeros((kinds, places)), np.zeros((2, kinds))
        for i in range(len(cell)):
            cells[cell[i] // places, cell[i] % places] += weight[r, i]
        for g in range(inflow.shape[1]):
            arrived[:] = 0
            for w in range(len(kind)):
                arrived[REAL_TIME if real_time[w] else BATCH, kind[w]] += inflow[r, g, w]
            for order in (REAL_TIME, BATCH):
                for k in range(kinds):
                    reachable = 0.0
                    for place in range(places):
                        if order == BATCH or latency[r, g] + extra[place] <= limit:
                            reachable += cells[k, place]
                    if reachable <= 0:
                        nowhere[order, r, k] += arrived[order, k]
                        continue
                    density = arrived[order, k] / reachable
                    for place in range(places):
                        if order == BATCH or latency[r, g] + extra[place] <= limit:
                            wanted[order, r, k * places + place] += cells[k, place] * density
    return wanted, nowhere


def serve_class(
    quarter: Quarter,
    routing: Routing,
    demand: Array,
    free: Array,
    won: Array,
    order: int,
    setting: Setting,
) -> tuple[Array, Array, Array]:
    """Return sales (runs, centres), demand lost and demand leaked (runs, kinds) of one class.

    Contracts first: each centre is matched with the demand that it has `won` in its cell. What is
    pooled, and a part of what stayed unserved, then clears in merit order.
    """
    world, p = setting.world, setting.parameters
    centres = world.centres
    pooled, exponent = dispatch_rules(quarter.policy, setting)
    contracts = (1 - pooled) * demand
    own = won * spread(contracts, centres.cell)
    contracted = kernels.match(own, free, spread(exponent, centres.cell))
    contracted = np.minimum(contracted, np.minimum(own, free))
    unserved = np.maximum(contracts - centres.sum(contracted, "cell"), 0)
    pool = pooled * demand + pooled * (1 - p.pool_leak) * unserved
    sold = contracted + clear_pool(quarter, routing, pool, free - contracted, order, setting)
    outside = pooled * p.pool_leak * unserved
    lost = world.cells.sum(demand - outside, "kind") - centres.sum(sold, "kind")
    return sold, np.maximum(lost, 0), world.cells.sum(outside, "kind")


def clear_pool(
    quarter: Quarter, routing: Routing, pool: Array, idle: Array, order: int, setting: Setting
) -> Array:
    """Return what idle centres get of the pool in merit order, PFh (runs, centres).

    The pool of batch work clears in the prefecture or, with linkage, in the whole province.
    """
    world, places, made = setting.world, setting.world.prefectures, routing.offer
    centres, start = world.centres, world.centres.cell_start
    far = places.latency_extra_ms * (order == REAL_TIME)
    width = setting.parameters.merit_order_width
    offer, margin = offers_in_pool(
        setting.parameters.of_run, made.cost, made.market, quarter.drivers.price, far,
        kept_subsidy(quarter.policy, setting), centres.kind, centres.prefecture,
    )  # fmt: skip
    left = idle * setting.rules.offer_idle(quarter, setting, margin)
    linked = linkage(quarter.policy) * (order == BATCH)
    dispatched = clear(left, offer, (1 - linked) * pool, width, start)
    if linked.any():
        kinds = start[:: places.count]
        rest = world.cells.sum(linked * pool, "kind")
        left = left - dispatched
        dispatched = dispatched + clear(left, offer, rest, width, kinds)
    return dispatched


@kernel
def offers_in_pool(
    parameters: Any, cost: Array, market: Array, price: Array, far: Array, kept: Array,
    kind: Any, place: Any,
) -> tuple[Array, Array]:  # fmt: skip
    """Return what centres ask over the reference, and the margin in widths, (runs, centres)."""
    offer, margin = np.zeros_like(cost), np.zeros_like(cost)
    for r in range(len(cost)):
        p = parameters[r]
        for i in range(len(kind)):
            reference = price[r, kind[i]]
            asked = lowest_price(p, cost[r, i], kept[r, place[i]]) / reference
            offer[r, i] = asked + p.latency_charge * far[place[i]]
            margin[r, i] = (market[r, i] / reference - offer[r, i]) / p.merit_order_width
    return offer, margin


def linkage(policy: Policy) -> Array:
    """Return how far the province is one pool, and kinds stand in for one another (runs, 1)."""
    return np.minimum(policy.lever["hub_linkage"], 1)


def offer_capacity(quarter: Quarter, setting: Setting, left: Array, share: Array) -> Array:
    """Return capacity that is offered to a class of work, PFh (runs, centres): a rule.

    Called for real-time work and then for batch work. `left` is what stands idle, PFh (runs,
    centres), and `share` the part of this class in the demand that is still to be served, by cell.
    Each class may have all that is left, so real-time work comes first.
    """
    return left


def offer_idle(quarter: Quarter, setting: Setting, margin: Array) -> Array:
    """Return the share of its idle capacity that each centre offers (runs, centres): a rule.

    `margin` is the price that the market pays less the lowest that covers the centre's own cost,
    in widths of the merit order: who would lose money withholds capacity.
    """
    return sigmoid(np.minimum(margin, setting.parameters.margin_cap))


def reserve_for_batch(batch: Array, free: Array, policy: Policy, setting: Setting) -> Array:
    """Return the share of capacity kept for batch work when it goes first, (runs, centres)."""
    centres = setting.world.centres
    cover = safe_ratio(batch, centres.sum(free, "cell"), empty=0.0)
    lever = np.minimum(policy.lever["latency_insensitive_first"], 1)
    return spread(lever * np.minimum(1, cover), centres.cell)


def substitute(dispatch: Dispatch, policy: Policy, setting: Setting) -> Array:
    """Return idle intelligent capacity that does general work, PFh FP16 (runs, centres).

    A share of general batch work without a centre runs on it at a poor ratio.
    """
    p, world = setting.parameters, setting.world
    free = dispatch.left * world.centres.intelligent
    lost = dispatch.lost[:, BATCH][:, world.kinds.general]
    wanted = p.substitution_share * linkage(policy) * lost / p.substitution_ratio
    return np.asarray(free * np.minimum(1, safe_ratio(wanted, total(free))))


def help_from_neighbours(lost: Array, routing: Routing, policy: Policy, setting: Setting) -> Array:
    """Return work without a centre here that neighbours' idle centres take, PFh (runs, kinds)."""
    idle = routing.rival_capacity * HOURS - routing.rival_served
    shared = policy.lever["compute_corridor"] * setting.parameters.neighbour_share
    return np.minimum(lost, shared * np.maximum(idle, 0))


def mark_up(quarter: Quarter, setting: Setting, use: Array) -> Array:
    """Return the mark on the reference price of each centre next quarter (runs, centres): a rule.

    m' = (1 - k) m + e (u - u*), with `use` u of the servers that can run; the stage keeps it
    within bounds.
    """
    p = setting.parameters
    kept = (1 - p.mark_fading) * quarter.state.centres.mark
    return np.asarray(kept + p.mark_speed * (use - p.target_use))
