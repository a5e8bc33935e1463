"""S2, first half: where new halls go - profitability, the location logit, lumpy projects, bids."""

from __future__ import annotations

from math import exp, expm1, log, log1p, sqrt
from typing import Any

import numpy as np

from ecosystem.inputs.calendar import HUB_START, QUARTERS_A_YEAR
from ecosystem.maths import kernels
from ecosystem.maths.arrays import Array, safe_ratio
from ecosystem.maths.clearing import segment_share, spread
from ecosystem.maths.compiled import equation, kernel
from ecosystem.maths.kernels import HOURS
from ecosystem.maths.scalars import poisson_count
from ecosystem.stages.policy import settlement_gap
from ecosystem.stages.prices import (
    Support,
    earned_prices,
    expected_support,
    expected_uses,
    new_unit_costs,
    profit_index,
)
from ecosystem.state.records import Drivers, Location, Policy, Quarter
from ecosystem.state.setting import Setting
from ecosystem.state.state import State


def place_halls(quarter: Quarter, setting: Setting) -> Location:
    """Return new halls by prefecture and by operator.

    Source: docs/model.md, S2; prefectures first, so that empty operator slots do not
    change totals (no red-bus/blue-bus effect).
    """
    state, drivers, policy = quarter.state, quarter.drivers, quarter.policy
    p, centres = setting.parameters, setting.world.centres
    kind, where, growth = centres.kind, centres.prefecture, drivers.growth
    cost = new_unit_costs(quarter, setting)
    support = expected_support(quarter, setting)
    price = earned_prices(
        p.of_run, cost, state.centres.mark, drivers.price, drivers.multiplier, support.output,
        kind, where,
    )  # fmt: skip
    own_use = expected_uses(p.of_run, state.centres.use, growth, kind)
    index = profit_index(price, cost, own_use, drivers, support, setting, kind, where)
    cell = spread(cell_use(state, setting), centres.cell)
    full = np.ones_like(p.foresight)
    lender = profit_index(price, cost, cell, drivers, support, setting, kind, where, full)
    footloose = footloose_build(drivers, setting)
    share = location_shares(quarter, support, setting, price, cost)
    share = place_anchors(share, policy, setting)
    placed = draw_projects(quarter, footloose, share, setting)
    weight = setting.rules.bid_for_halls(quarter, setting, index)
    won = segment_share(weight, centres.cell_start, centres.cell)
    bid = won * spread(placed, centres.cell)
    return Location(footloose, share, placed, bid, lender)


def bid_for_halls(quarter: Quarter, setting: Setting, index: Array) -> Array:
    """Return the weight of each centre's bid for new halls of its cell (runs, centres): a rule.

    Size times `index`, the profitability of a new unit at its own cost, price and use, to the
    power of the profit sensitivity.
    """
    p, kind = setting.parameters, setting.world.centres.kind
    servers, least = quarter.state.centres.servers, setting.by_kind("bid_size")
    return bids(p.of_run, servers, least, index, kind)


@kernel
def bids(parameters: Any, servers: Array, least: Array, index: Array, kind: Any) -> Array:
    """Return (C + C_0) index^beta of every centre, (runs, centres)."""
    bid = np.zeros_like(servers)
    for r in range(len(servers)):
        p = parameters[r]
        for i in range(len(kind)):
            worth = exp(p.profit_sensitivity * log(index[r, i]))
            bid[r, i] = (servers[r, i] + least[r, kind[i]]) * worth
    return bid


def hall_capacity(halls: Array, drivers: Drivers, setting: Setting) -> Array:
    """Return what halls of given IT power (MW) can carry this quarter, PFLOPS (runs, centres)."""
    return np.asarray(1000 * halls / spread(drivers.power, setting.world.centres.kind))


def cell_use(state: State, setting: Setting) -> Array:
    """Return contracted use by cell, leaning on national use where little stands (runs, cells)."""
    p, kind = setting.parameters, setting.world.cells.kind
    prior = p.use_prior_capacity
    sold = setting.world.centres.sum(state.centres.sold, "cell") / HOURS
    servers = setting.world.centres.sum(state.centres.servers, "cell")
    return np.asarray((sold + prior * spread(state.nation.use, kind)) / (servers + prior))


def cell_fill(kilowatt: Array, halls: Array, drivers: Drivers, setting: Setting) -> Array:
    """Return power of servers (kW) over power of halls (MW) by cell, (runs, cells).

    It leans on the neutral fill where little stands.
    """
    p, world = setting.parameters, setting.world
    prior = p.use_prior_capacity * spread(drivers.power, world.cells.kind)
    filled = world.centres.sum(kilowatt, "cell") + prior * p.neutral_fill
    return np.asarray(filled / (1000 * world.centres.sum(halls, "cell") + prior))


def footloose_build(drivers: Drivers, setting: Setting) -> Array:
    """Return new halls that could stand in the west, PFLOPS (runs, kinds).

    Halls are held in MW and carry more each quarter as servers need less power, so what must be
    built is the growth of capacity less what old halls gain: without it the nation would build
    ever emptier halls.
    """
    p = setting.parameters
    gain = np.exp2(1 / (QUARTERS_A_YEAR * setting.by_kind("power_halving_time")))
    standing = drivers.capacity * (1 - p.hall_depreciation) * gain
    build = np.maximum(drivers.capacity_next - standing, 0)
    return np.asarray(p.footloose_share / p.national_fill * build)


def location_shares(
    quarter: Quarter,
    support: Support,
    setting: Setting,
    price: Array,
    cost: Array,
) -> Array:
    """Return shares of the footloose build, prefectures and rivals last, (runs, kinds, P + 1).

    Multinomial logit with size (McFadden 1974); docs/model.md, S2.
    """
    state, drivers, policy = quarter.state, quarter.drivers, quarter.policy
    world, p, kind = setting.world, setting.parameters, setting.world.cells.kind
    halls = world.centres.sum(hall_capacity(state.centres.halls, drivers, setting), "cell")
    market = p.footloose_share / p.national_fill * drivers.capacity
    weight = state.centres.servers + p.use_prior_capacity
    total = world.centres.sum(weight, "cell")
    use = expected_uses(p.of_run, cell_use(state, setting), drivers.growth, kind)
    index = profit_index(
        world.centres.sum(weight * price, "cell") / total,
        world.centres.sum(weight * cost, "cell") / total,
        use,
        drivers,
        support,
        setting,
        kind,
        world.cells.prefecture,
    )
    standing = state.centres.servers * state.centres.power
    fill = cell_fill(standing, state.centres.halls, drivers, setting)
    utility = (
        p.profit_sensitivity * np.log(index)
        + p.agglomeration * np.log(halls + p.agglomeration_size)
        - p.diversification * halls / spread(market, kind)
        + p.fill_feedback * (fill - p.neutral_fill)
        + place_utility(quarter, setting)
    )
    utility = np.where(policy.gate > 0, -np.inf, utility)
    utility = utility.reshape(setting.runs, len(world.kinds), world.prefectures.count)
    built = halls.reshape(utility.shape).sum(axis=2)
    rival = rival_utility(quarter, setting, built, market)
    return kernels.softmax(np.concatenate([utility, rival[:, :, None]], axis=2))


def place_anchors(share: Array, policy: Policy, setting: Setting) -> Array:
    """Return location shares with the halls that anchor tenants bring along (runs, kinds, P + 1).

    Anchors take a part of the build to the core and the first ring, or to what of them the
    programme names, from everybody alike, but not to places that the gate has closed.
    """
    places, local = setting.world.prefectures, policy.local_lever["anchor_tenants"]
    here = (places.core | places.ring_1) * safe_ratio(local, local.max(axis=1, keepdims=True))
    open_there = (policy.gate == 0).reshape(share[:, :, :-1].shape) * here[:, None, :]
    moved = (setting.parameters.anchor_hall_gain * policy.lever["anchor_tenants"])[:, :, None]
    theirs = safe_ratio(open_there, open_there.sum(axis=2, keepdims=True))
    moved = moved * (theirs.sum(axis=2, keepdims=True) > 0)
    brought = np.concatenate([theirs, np.zeros_like(share[:, :, -1:])], axis=2)
    return np.asarray((1 - moved) * share + moved * brought)


def place_utility(quarter: Quarter, setting: Setting) -> Array:
    """Return what speaks for a place apart from profit and size, (runs, cells)."""
    state, policy = quarter.state, quarter.policy
    world, p, g = setting.world, setting.parameters, state.governments
    kind, prefecture = setting.world.cells.kind, setting.world.cells.prefecture
    tier = world.prefectures.tier
    effects = [
        spread(p.stack(f"location_effect_{name}", world.tiers), tier) for name in world.kinds
    ]
    designated = float(state.period >= HUB_START)
    ready = spread(g.readiness, prefecture)
    steered, factor = policy.local_lever["hub_steering"], setting.by_kind("hub_factor")
    steered, factor = spread(steered, prefecture), spread(factor, kind)
    at_hub = factor * (p.hub_bonus * ready * designated + steered)
    ambition = p.yardstick_strength * spread(g.ambition, prefecture)
    ambition = ambition - p.settlement_aversion * settlement_gap(state, setting)
    elsewhere = p.readiness_effect * ready + factor * steered
    by_site = np.where(world.cells.in_hub, at_hub, elsewhere)
    return np.asarray(np.concatenate(effects, axis=1) + by_site + ambition)


def rival_utility(quarter: Quarter, setting: Setting, built: Array, market: Array) -> Array:
    """Return the utility of the rival hubs taken together, (runs, kinds).

    `built` are the province's halls and `market` all halls for the footloose, PFLOPS.
    """
    state, drivers = quarter.state, quarter.drivers
    world, p = setting.world, setting.parameters
    hubs, every = world.hubs, np.arange(len(world.kinds))
    rivals = np.maximum(market - built, 0)
    tariff = (hubs.share * hubs.electricity_price * hubs.pue).sum()
    use = expected_uses(p.of_run, state.nation.rival_use, drivers.growth, every)
    index = profit_index(
        drivers.rival_price * drivers.price * drivers.multiplier,
        drivers.power * tariff,
        use,
        drivers,
        None,
        setting,
        every,
    )
    answer = p.rival_answer * state.governments.advantage[:, -1:]
    return np.asarray(
        np.log(hubs.count)
        + p.profit_sensitivity * answer
        + p.profit_sensitivity * np.log(index)
        + p.agglomeration * np.log(rivals / hubs.count + p.agglomeration_size)
        - p.diversification * rivals / (hubs.count * market)
        + setting.by_kind("rival_effect")
    )


def draw_projects(quarter: Quarter, footloose: Array, share: Array, setting: Setting) -> Array:
    """Return new halls by cell, lumpy in projects, PFLOPS (runs, cells).

    The number is Poisson with mean F s / size; the sum of n lognormal sizes is drawn as one
    lognormal with the same mean and variance (Fenton 1960). Mean size grows with the market.
    """
    drivers, kind, t = quarter.drivers, setting.world.cells.kind, quarter.state.period
    expected = (footloose[:, :, None] * share[:, :, :-1]).reshape(setting.runs, -1)
    scale = drivers.capacity / setting.by_kind("project_size_reference")
    fate = by_kind_first(setting.chance.uniform("projects", t, len(kind)), setting)
    luck = by_kind_first(setting.chance.normal("project sizes", t, len(kind)), setting)
    size = setting.by_kind("project_size") * scale
    return projects(setting.parameters.of_run, expected, size, fate, luck, kind)


@kernel
def projects(
    parameters: Any, expected: Array, size: Array, fate: Array, luck: Array, kind: Any
) -> Array:
    """Return the projects of every cell, PFLOPS (runs, cells)."""
    placed = np.zeros_like(expected)
    for r in range(len(expected)):
        p = parameters[r]
        for c in range(len(kind)):
            placed[r, c] = expected[r, c]
            if p.lumpy_projects > 0:
                mean = size[r, kind[c]]
                number = poisson_count(fate[r, c], expected[r, c] / mean)
                placed[r, c] = number * mean * mean_luck(p, number, luck[r, c]) if number else 0.0
    return placed


@equation
def mean_luck(p: Any, number: float, luck: float) -> float:
    """Return the mean size of some projects over that of all, lognormal."""
    variance = log1p(expm1(p.project_size_log_sd**2) / max(number, 1.0))
    return exp(sqrt(variance) * luck - 0.5 * variance)


def by_kind_first(draws: Array, setting: Setting) -> Array:
    """Return draws made by prefecture and kind in the order of cells, (runs, cells).

    A new prefecture then moves nobody else's draw.
    """
    shape = (setting.runs, setting.world.prefectures.count, len(setting.world.kinds))
    return np.ascontiguousarray(draws.reshape(shape).swapaxes(1, 2)).reshape(setting.runs, -1)
