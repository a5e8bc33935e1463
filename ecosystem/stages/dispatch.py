"""S4, second half: two-class dispatch - contracts with search friction, then the pool."""

from __future__ import annotations

import numpy as np

from ecosystem.maths import kernels
from ecosystem.maths.arrays import Array, add_up, safe_ratio, sigmoid, total
from ecosystem.maths.clearing import clear, segment_share, segment_sum, spread
from ecosystem.maths.kernels import HOURS
from ecosystem.stages.location import running_pue
from ecosystem.stages.routing import (
    HOME,
    RIVAL,
    home_latency,
    move_anchors,
    route,
    served_quality,
)
from ecosystem.state.records import Drivers, Market, Policy, Quarter, Routing
from ecosystem.state.setting import Setting


def sell(quarter: Quarter, setting: Setting) -> Market:
    """Return the quarter's sales of compute.

    Source: model equations (4.4)-(4.7) with the exact pool of the last section: contracts are
    matched first (den Haan, Ramey & Watson 2000), a share and what stays unserved is pooled.
    """
    state, drivers, policy, investment = (
        quarter.state,
        quarter.drivers,
        quarter.policy,
        quarter.investment,
    )
    world, p = setting.world, setting.parameters
    routing = route(quarter, setting)
    free = HOURS * investment.servers * availability(drivers, setting)
    weight = contract_weights(quarter, routing, setting)
    pooled, exponent = dispatch_rules(policy, setting)
    wanted, nowhere = class_demand(routing, weight, policy, setting)
    linkage = np.minimum(policy.lever["hub_linkage"], 1)
    sold, served, lost, leaked = [], [], [], []
    left = free
    for order, demand in enumerate(wanted):
        share = safe_ratio(demand, add_up(wanted[order:]), empty=1.0)
        offered = setting.rules.offer_capacity(quarter, setting, left, share)
        if order == 0:
            offered = offered * (1 - reserve_for_batch(wanted[1], left, policy, setting))
        quantity, unserved, outside = serve_class(
            quarter, demand, offered, weight, routing, order, pooled, exponent, linkage, setting
        )
        sold.append(quantity)
        served.append(world.centres.sum(quantity, "kind"))
        lost.append(unserved + nowhere[order])
        leaked.append(outside)
        left = np.maximum(left - quantity, 0)
    by_class = np.stack(sold, axis=1)
    stand_in = substitute(lost[1], left, linkage, setting)
    quantity = by_class[:, 0] + by_class[:, 1] + stand_in
    work_done = p.substitution_ratio * total(stand_in)
    general = world.kinds.general
    served[1] = served[1] + work_done * general
    lost[1] = lost[1] - work_done * general
    helped = help_from_neighbours(lost[1], routing, policy, setting)
    lost[1] = lost[1] - helped
    use = safe_ratio(quantity, HOURS * investment.servers)
    arrived = [world.cells.sum(wanted[c], "kind") + nowhere[c] for c in (0, 1)]
    inflow = np.stack(arrived, axis=1)
    served_kinds = np.stack(served, axis=1)
    revenue, delivered, payments = settle_sales(
        quarter, routing, by_class, stand_in, inflow, served_kinds, setting
    )
    helped_home = help_for_home(helped, routing, setting)
    elsewhere = routing.rival_served + helped
    anywhere = routing.own_served.sum(axis=1) + elsewhere + served_kinds.sum(axis=1)
    pue = running_pue(investment.pue, policy, setting)
    idle = p.idle_power_share
    load = idle + (1 - idle) * p.work_per_contract * use
    return Market(
        routing=routing,
        sold=quantity,
        by_class=by_class,
        inflow=inflow,
        served=served_kinds,
        lost=np.stack(lost, axis=1),
        leaked=np.stack(leaked, axis=1),
        helped=helped,
        helped_home=helped_home,
        use=use,
        revenue=revenue,
        posted=revenue / price_cut(policy, setting),
        delivered=delivered,
        payments=payments,
        mark_next=np.clip(setting.rules.mark_up(quarter, setting, use), p.mark_low, p.mark_high),
        tenants_next=kernels.ar1_step(
            state.centres.tenants,
            spread(
                setting.chance.normal("tenants", state.period, world.centres.count),
                world.centres.order,
            ),
            p.tenant_persistence,
            p.tenant_sd,
        ),
        experience_next=learn(quarter, routing, setting),
        energy=investment.power * pue * load * investment.servers * HOURS / 1000,
        national_use=anywhere / (drivers.capacity * HOURS),
        rival_use=safe_ratio(elsewhere, routing.rival_capacity * HOURS),
        firm_fulfilment=home_fulfilment(routing, delivered, helped_home, setting),
    )


def help_for_home(helped: Array, routing: Routing, setting: Setting) -> Array:
    """Return the home region's part of what neighbours take, PFh (runs, workloads)."""
    work = setting.world.workloads
    batch = routing.inflow * ~work.real_time
    whole = work.sum(batch.sum(axis=1), "kind")
    here = batch[:, setting.world.regions.home_index]
    return np.asarray(here * spread(safe_ratio(helped, whole), work.kind))


def home_fulfilment(
    routing: Routing, delivered: Array, helped_home: Array, setting: Setting
) -> Array:
    """Return the share of the home region's intelligent demand served anywhere, (runs, 1)."""
    work, home = setting.world.workloads, setting.world.regions.home_index
    intelligent = work.intelligent
    rival = spread(safe_ratio(routing.rival_served, routing.rival_demand), work.kind)
    got = delivered[:, home] + (routing.demand * routing.share[..., RIVAL])[:, home] * rival
    got = got + helped_home
    return safe_ratio(total(got * intelligent), total(routing.demand[:, home] * intelligent))


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
    state, drivers = quarter.state, quarter.drivers
    p, kind = setting.parameters, setting.world.centres.kind
    relative = np.log(routing.offer.price / spread(drivers.price, kind))
    tenants = state.centres.tenants
    quality = served_quality(quarter, setting)
    return np.asarray(
        routing.offer.size * quality * np.exp(tenants - p.contract_price_sensitivity * relative)
    )


def class_demand(
    routing: Routing, weight: Array, policy: Policy, setting: Setting
) -> tuple[list[Array], list[Array]]:
    """Return demand by class (real-time, batch): by cell (runs, cells), and that which reaches
    no centre (runs, kinds), PFh.

    Real-time work goes only to prefectures within the latency limit of the buyer's region; work
    for a kind of compute of which no centre is left finds none.
    """
    world = setting.world
    work, places = world.workloads, world.prefectures
    cells = world.centres.sum(weight, "cell")
    cells = cells.reshape(setting.runs, len(world.kinds), places.count)
    reach = home_latency(policy, setting)[:, :, None] + places.latency_extra_ms
    limit = np.nanmin(np.where(work.real_time, work.latency_limit_ms, np.nan))
    masks = ((reach <= limit).astype(float), np.ones_like(reach))
    wanted, nowhere = [], []
    for real_time, mask in zip((True, False), masks, strict=True):
        inflow = work.sum(routing.inflow * (work.real_time == real_time), "kind").swapaxes(1, 2)
        reachable = np.matvec(mask[:, None], cells)  # (R, K, G)
        density = safe_ratio(inflow, reachable)
        spread_out = np.vecmat(density, mask[:, None])
        wanted.append((cells * spread_out).reshape(setting.runs, -1))
        nowhere.append((inflow * (reachable <= 0)).sum(axis=2))
    return wanted, nowhere


def serve_class(
    quarter: Quarter,
    demand: Array,
    free: Array,
    weight: Array,
    routing: Routing,
    order: int,
    pooled: Array,
    exponent: Array,
    linkage: Array,
    setting: Setting,
) -> tuple[Array, Array, Array]:
    """Return sales (runs, centres), demand lost and demand leaked (runs, kinds) of one class.

    Batch work of the pool clears in the prefecture or, with linkage, in the whole province.
    """
    world, p = setting.world, setting.parameters
    centres = world.centres
    start, cell = centres.cell_start, centres.cell
    own = segment_share(weight, start, cell) * spread((1 - pooled) * demand, cell)
    contracted = kernels.match(own, free, spread(exponent, cell))
    contracted = np.minimum(contracted, np.minimum(own, free))
    unserved = segment_sum(own - contracted, start)
    unserved = unserved + np.maximum((1 - pooled) * demand - segment_sum(own, start), 0)
    pool = pooled * demand + pooled * (1 - p.pool_leak) * unserved
    reference = spread(quarter.drivers.price, centres.kind)
    charge = p.latency_charge * world.prefectures.latency_extra_ms[centres.prefecture]
    offer = routing.offer.cost / reference + charge * (order == 0)
    margin = (routing.offer.market / reference - offer) / p.merit_order_width
    idle = np.maximum(free - contracted, 0)
    left = idle * setting.rules.offer_idle(quarter, setting, margin)
    width = p.merit_order_width
    linked = linkage * (order == 1)
    dispatched = clear(left, offer, (1 - linked) * pool, width, start, cell)
    if linked.any():
        rest = linked * pool
        kinds = start[:: world.prefectures.count]
        dispatched = dispatched + clear(
            left - dispatched, offer, world.cells.sum(rest, "kind"), width, kinds, centres.kind
        )
    outside = pooled * p.pool_leak * unserved
    lost = world.cells.sum(demand - outside, "kind") - centres.sum(contracted + dispatched, "kind")
    return contracted + dispatched, np.maximum(lost, 0), world.cells.sum(outside, "kind")


def offer_capacity(quarter: Quarter, setting: Setting, left: Array, share: Array) -> Array:
    """Return capacity that is offered to a class of work, PFh (runs, centres): a rule.

    Called for real-time work and then for batch work. `left` is what stands idle, PFh (runs,
    centres), and `share` the part of this class in the demand that is still to be served, by cell.
    Each class may have all that is left, so real-time work comes first.
    """
    return left


def offer_idle(quarter: Quarter, setting: Setting, margin: Array) -> Array:
    """Return the share of its idle capacity that each centre offers (runs, centres): a rule.

    `margin` is the price that the market pays less the centre's own cost, in widths of the merit
    order: who would lose money withholds capacity.
    """
    return sigmoid(np.minimum(margin, setting.parameters.margin_cap))


def reserve_for_batch(batch: Array, free: Array, policy: Policy, setting: Setting) -> Array:
    """Return the share of capacity kept for batch work when it goes first, (runs, centres)."""
    centres = setting.world.centres
    cover = safe_ratio(batch, segment_sum(free, centres.cell_start), empty=0.0)
    lever = np.minimum(policy.lever["latency_insensitive_first"], 1)
    return spread(lever * np.minimum(1, cover), centres.cell)


def substitute(lost: Array, idle: Array, linkage: Array, setting: Setting) -> Array:
    """Return idle intelligent capacity that does general work, PFh FP16 (runs, centres).

    A share of general batch work without a centre runs on it at a poor ratio.
    """
    p, world = setting.parameters, setting.world
    free = idle * world.centres.intelligent
    wanted = p.substitution_share * linkage * lost[:, world.kinds.general] / p.substitution_ratio
    return np.asarray(free * np.minimum(1, safe_ratio(wanted, total(free))))


def help_from_neighbours(lost: Array, routing: Routing, policy: Policy, setting: Setting) -> Array:
    """Return work without a centre here that neighbours' idle centres take, PFh (runs, kinds)."""
    idle = routing.rival_capacity * HOURS - routing.rival_served
    shared = policy.lever["compute_corridor"] * setting.parameters.neighbour_share
    return np.minimum(lost, shared * np.maximum(idle, 0))


def settle_sales(
    quarter: Quarter,
    routing: Routing,
    by_class: Array,
    stand_in: Array,
    inflow: Array,
    served: Array,
    setting: Setting,
) -> tuple[Array, Array, Array]:
    """Return revenue (runs, centres), delivery PFh and payments M¥ (runs, regions, workloads).

    All buyers of a kind and class are served in the same proportion; a centre earns its posted
    price times the mean multiplier of the workloads it serves.
    """
    drivers, policy = quarter.drivers, quarter.policy
    world = setting.world
    work, kind = world.workloads, world.centres.kind
    order = np.where(work.real_time, 0, 1)
    ratio = safe_ratio(served, inflow)
    delivered = routing.inflow * ratio[:, order, work.kind][:, None, :]
    revenue = np.zeros_like(routing.offer.price)
    payments = np.zeros_like(delivered)
    discount = price_cut(policy, setting)
    for c in (0, 1):
        mine = delivered * (order == c)
        value = mine * work.price_multiplier
        by_kind_value = work.sum(value, "kind").sum(axis=1)
        multiplier = safe_ratio(by_kind_value, work.sum(mine, "kind").sum(axis=1))
        earned = routing.offer.price * by_class[:, c] * spread(multiplier, kind) * discount / 1e6
        income = world.centres.sum(earned, "kind")
        unit = safe_ratio(income, by_kind_value)
        revenue = revenue + earned
        payments = payments + value * unit[:, None, work.kind]
    ratio = setting.parameters.substitution_ratio
    earned = stand_in * ratio * drivers.price[:, world.kinds.general] * discount / 1e6
    batch = routing.inflow * ((order == 1) & work.general)
    whole = batch.sum(axis=(1, 2), keepdims=True)
    payments = payments + safe_ratio(batch, whole) * total(earned)[:, :, None]
    return revenue + earned, delivered, payments


def price_cut(policy: Policy, setting: Setting) -> Array:
    """Return what buyers pay of the posted price under the output subsidy, (runs, 1)."""
    share = setting.parameters.output_subsidy_price_share
    return np.asarray(1 - share * policy.rate["output_subsidy"])


def mark_up(quarter: Quarter, setting: Setting, use: Array) -> Array:
    """Return the mark on the reference price of each centre next quarter (runs, centres): a rule.

    m' = (1 - k) m + e (u - u*), with `use` u of the quarter; the stage keeps it within bounds.
    """
    p = setting.parameters
    kept = (1 - p.mark_fading) * quarter.state.centres.mark
    return np.asarray(kept + p.mark_speed * (use - p.target_use))


def learn(quarter: Quarter, routing: Routing, setting: Setting) -> Array:
    """Return buyers' experience e' = e + h (s q/(s q + s0) - e), (runs, regions, workloads).

    The share s counts what anchor tenants brought along.
    """
    state, policy = quarter.state, quarter.policy
    p, kind = setting.parameters, setting.world.workloads.kind
    wide = p.experience_half[:, :, None]
    share = move_anchors(routing.share, policy, setting)[..., HOME]
    seen = share * routing.offer.quality[:, None, kind]
    gap = seen / (seen + wide) - state.buyers.experience
    return np.asarray(state.buyers.experience + p.experience_speed[:, :, None] * gap)
