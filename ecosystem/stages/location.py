"""S2, first half: where new halls go - profitability, the location logit, lumpy projects, bids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecosystem.inputs.calendar import HUB_START, QUARTERS_A_YEAR
from ecosystem.maths import kernels
from ecosystem.maths.arrays import Array, add_up, safe_ratio
from ecosystem.maths.clearing import segment_share, spread
from ecosystem.maths.kernels import HOURS
from ecosystem.stages.columns import column_area, expected_rate
from ecosystem.stages.policy import charge_rate, eligible_share, settlement_gap
from ecosystem.state.records import Drivers, Location, Policy, Quarter
from ecosystem.state.setting import Setting
from ecosystem.state.state import State

Index = NDArray[np.intp]


def place_halls(quarter: Quarter, setting: Setting) -> Location:
    """Return new halls by prefecture and by operator.

    Source: docs/model.md, S2; prefectures first, so that empty operator slots do not
    change totals (no red-bus/blue-bus effect).
    """
    state, drivers, policy = quarter.state, quarter.drivers, quarter.policy
    world = setting.world
    centres = world.centres
    cost = new_unit_costs(quarter, setting)
    price = earned_price(quarter, setting, cost)
    growth = spread(drivers.growth, centres.kind)
    own_use = expected_use(state.centres.use, growth, setting)
    support = expected_support(quarter, setting)
    where = centres.prefecture
    index = profit_index(price, cost, own_use, drivers, support, setting, centres.kind, where)
    cell = spread(cell_use(state, setting), centres.cell)
    full = np.ones_like(setting.parameters.foresight)
    lender = profit_index(price, cost, cell, drivers, support, setting, centres.kind, where, full)
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
    centres = setting.world.centres
    size = quarter.state.centres.servers + spread(setting.by_kind("bid_size"), centres.kind)
    return np.asarray(size * np.exp(setting.parameters.profit_sensitivity * np.log(index)))


def hall_capacity(halls: Array, drivers: Drivers, setting: Setting) -> Array:
    """Return what halls of given IT power (MW) can carry this quarter, PFLOPS (runs, centres)."""
    return np.asarray(1000 * halls / spread(drivers.power, setting.world.centres.kind))


def variable_costs(quarter: Quarter, setting: Setting) -> Array:
    """Return what an hour on servers in place costs, yuan/PFh (runs, centres)."""
    c = quarter.state.centres
    return hour_cost(c.power, running_pue(c.pue, quarter.policy, setting), quarter, setting)


def hour_cost(power: Array, pue: Array, quarter: Quarter, setting: Setting) -> Array:
    """Return c = kW * PUE * (tariff * (1 - relief) + charge) + charge.

    The first charge is on electricity (yuan/MWh), the second on compute, yuan/PFh (runs, centres).
    """
    policy = quarter.policy
    tariff = quarter.drivers.electricity[setting.world.centres.prefecture]
    where = setting.world.centres.prefecture
    tariff = tariff * (1 - spread(policy.rate["tariff_discount"], where))
    power_charge, compute_charge = (
        np.broadcast_to(charge_rate("centres", base, policy), setting.world.prefectures.count)
        for base in ("electricity", "compute")
    )
    tariff = tariff + power_charge[where] / 1000
    return np.asarray(power * pue * tariff + compute_charge[where])


def running_pue(pue: Array, policy: Policy, setting: Setting) -> Array:
    """Return the PUE at which centres run, with what the second ring saves (runs, centres)."""
    lever = spread(policy.local_lever["second_ring_quality"], setting.world.centres.prefecture)
    saved = setting.parameters.second_ring_pue_gain * lever
    return np.maximum(pue - saved, 1)


def new_unit_costs(quarter: Quarter, setting: Setting) -> Array:
    """Return the same for a unit built now at each centre, yuan/PFh (runs, centres)."""
    policy = quarter.policy
    pue = np.minimum(quarter.state.centres.pue, standard_pue(policy, setting))
    power = spread(quarter.drivers.power, setting.world.centres.kind)
    return hour_cost(power, running_pue(pue, policy, setting), quarter, setting)


def standard_pue(policy: Policy, setting: Setting) -> Array:
    """Return the PUE of new halls, lower under the green standard, (runs, centres)."""
    p = setting.parameters
    lever = spread(policy.local_lever["green_standard"], setting.world.centres.prefecture)
    return np.maximum(p.new_pue - p.green_pue_gain * lever, 1)


def lowest_price(cost: Array, setting: Setting) -> Array:
    """Return the price at which an hour pays what it costs: c/(1 - operating cost share)."""
    return np.asarray(cost / (1 - setting.parameters.operating_cost_share))


def posted_price(quarter: Quarter, setting: Setting, cost: Array) -> Array:
    """Return p = max(lowest price, reference * exp(mark)), yuan/PFh (runs, centres)."""
    state, drivers = quarter.state, quarter.drivers
    reference = spread(drivers.price, setting.world.centres.kind)
    return np.maximum(lowest_price(cost, setting), reference * np.exp(state.centres.mark))


def earned_price(quarter: Quarter, setting: Setting, cost: Array) -> Array:
    """Return what an hour earns: the posted price times what the mix of work pays over it."""
    multiplier = spread(quarter.drivers.multiplier, setting.world.centres.kind)
    return posted_price(quarter, setting, cost) * multiplier


def expected_use(use: Array, growth: Array, setting: Setting) -> Array:
    """Return own use blended with a common extrapolation of national growth.

    u^e = lambda u + (1 - lambda) min(1, u* (1 + h g)); Lin 2007, expectations in common.
    """
    p = setting.parameters
    hype = np.minimum(1, p.target_use * (1 + p.hype * growth))
    return np.asarray(p.use_weight * use + (1 - p.use_weight) * hype)


def profit_index(
    price: Array,
    cost: Array,
    use: Array,
    drivers: Drivers,
    support: Support | None,
    setting: Setting,
    kind: Index,
    place: Index | None = None,
    foresight: Array | None = None,
) -> Array:
    """Return profitability of a new unit by column, floored; 1 just breaks even.

    `kind` gives the kind of compute of each column and `place` its prefecture; rivals have neither
    a place nor support.
    Source: docs/model.md, S2 with full cost
    (servers plus the expected hall) and full depreciation.
    """
    p = setting.parameters
    wear = spread(setting.by_kind("server_depreciation"), kind)
    decline = (p.foresight if foresight is None else foresight) * spread(
        drivers.price_decline, kind
    )
    output: Array | float = 0.0
    subsidy: Array | float = 0.0
    if support is not None and place is not None:
        output = spread(support.output, place)
        subsidy = support.capital[:, kind, place] + spread(support.diffusion, place)
    value = kernels.profitability(
        price=price * (1 - p.operating_cost_share + output),
        variable_cost=cost,
        use=use,
        capital_cost=spread(full_cost(drivers, setting), kind),
        maintenance=p.maintenance_share * spread(drivers.trend_server_cost, kind),
        income_factor=kernels.present_value_factor(p.interest_rate, wear, decline),
        upkeep_factor=kernels.present_value_factor(p.interest_rate, wear),
        subsidy=subsidy,
    )
    return np.maximum(value, p.profit_floor)


def full_cost(drivers: Drivers, setting: Setting) -> Array:
    """Return the cost of servers plus the hall they are expected to fill, M¥/PFLOPS (runs, K)."""
    return np.asarray(drivers.server_cost + drivers.hall_cost / setting.parameters.expected_fill)


@dataclass(frozen=True)
class Support:
    """Expected subsidies as investors see them, by prefecture."""

    output: Array  # of the price, after the cost of operation (runs, prefectures)
    capital: Array  # share of full cost (runs, kinds, prefectures)
    diffusion: Array  # the same of diffusion (runs, prefectures)


def expected_support(quarter: Quarter, setting: Setting) -> Support:
    """Return what the transfers of this quarter promise a new unit.

    Of an output subsidy at rate r buyers get the share s off the price, and operation costs less
    by its share o of that: r (1 - s (1 - o)) is left.
    """
    policy, p, area = quarter.policy, setting.parameters, column_area(setting)
    capital = [
        eligible_share(quarter, setting, i)[:, :, None]
        * (expected_rate(quarter.state, setting, i) * area[i])[:, None, :]
        for i in setting.schedule.of("capital_subsidy")
    ]
    return Support(
        diffusion=policy.rate["even_diffusion"] * (1 - p.diffusion_readiness_share),
        output=(1 - p.output_subsidy_price_share * (1 - p.operating_cost_share))
        * policy.rate["output_subsidy"],
        capital=add_up(capital),
    )


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
    use = expected_use(cell_use(state, setting), spread(drivers.growth, kind), setting)
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
    use = expected_use(state.nation.rival_use, drivers.growth, setting)
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
    drivers, state = quarter.drivers, quarter.state
    p, kind = setting.parameters, setting.world.cells.kind
    expected = (footloose[:, :, None] * share[:, :, :-1]).reshape(setting.runs, -1)
    scale = drivers.capacity / setting.by_kind("project_size_reference")
    size = spread(setting.by_kind("project_size") * scale, kind)
    chance, t = setting.chance, state.period
    number = kernels.poisson_inverse(
        by_kind_first(chance.uniform("projects", t, len(kind)), setting), expected / size
    )
    variance = np.log1p(np.expm1(p.project_size_log_sd**2) / np.maximum(number, 1))
    luck = by_kind_first(chance.normal("project sizes", t, len(kind)), setting)
    lumpy = number * size * np.exp(np.sqrt(variance) * luck - 0.5 * variance)
    return np.where(p.lumpy_projects > 0, lumpy, expected)


def by_kind_first(draws: Array, setting: Setting) -> Array:
    """Return draws made by prefecture and kind in the order of cells, (runs, cells).

    A new prefecture then moves nobody else's draw.
    """
    shape = (setting.runs, setting.world.prefectures.count, len(setting.world.kinds))
    return np.ascontiguousarray(draws.reshape(shape).swapaxes(1, 2)).reshape(setting.runs, -1)
