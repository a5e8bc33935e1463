"""S0: what the province cannot change - national capacity, demand, prices, power, shocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ecosystem.inputs.calendar import (
    HORIZON,
    POLICY_START,
    QUARTERS_A_YEAR,
    mid_year,
    year_end_period,
)
from ecosystem.inputs.world.loader import World
from ecosystem.maths import kernels
from ecosystem.maths.arrays import Array, safe_ratio, sigmoid
from ecosystem.maths.clearing import spread
from ecosystem.maths.kernels import HOURS
from ecosystem.state.records import Drivers, Quarter
from ecosystem.state.setting import Parameters, Setting
from ecosystem.state.state import State


def national_capacity_table(world: World, parameters: Parameters) -> Array:
    """Return national capacity at the start of each quarter as published and extrapolated.

    Log-linear between year ends. A time `a` after the last observed year growth is that of the
    forecast times 1 + (s - 1) 2^(-a/h): growth was above forecasts, and will be drawn back to them.
    After the last published year every kind grows at g(t) = g_inf + (g_last - g_inf)
    exp(-(t - t_last)/tau), with g_inf the growth of the money market plus the kind's price decline:
    capacity that grows slower than prices fall would let the market shrink for ever.

    Returns
    -------
    Array
        PFLOPS, (runs, quarters + 2, kinds).
    """
    p = parameters
    periods = np.arange(HORIZON + 2, dtype=float)
    missed, fading = p.national_growth_scale - 1, np.log(2) / p.national_growth_halving_time
    columns = []
    for kind in world.kinds:
        path = world.national_path[kind]
        knots = np.array([year_end_period(year) + 1 for year in path.year], dtype=float)
        logs = np.log(path.capacity)
        first = (logs[1] - logs[0]) / (knots[1] - knots[0])
        published = np.interp(periods, knots, logs) + first * np.minimum(periods - knots[0], 0)
        age = np.maximum(periods - knots[path.last_observed], 0) / QUARTERS_A_YEAR
        # Exact: knots are starts of quarters, so within a quarter published growth is one rate.
        lasted = -np.expm1(-fading * age) / fading
        growth = np.diff(published) * (1 + missed * QUARTERS_A_YEAR * np.diff(lasted, axis=1))
        known = published[0] + np.pad(np.cumsum(growth, axis=1), ((0, 0), (1, 0)))
        years = np.maximum(periods - knots[-1], 0) / QUARTERS_A_YEAR
        last = (logs[-1] - logs[-2]) * QUARTERS_A_YEAR / (knots[-1] - knots[-2])
        final = p.money_market_growth + np.log(2) / p[f"price_halving_time_{kind}"]
        start = last * (1 + missed * np.exp(-fading * (age - years).max()))
        fade = p.national_growth_fading_time
        tail = final * years + (start - final) * fade * -np.expm1(-years / fade)
        columns.append(np.exp(known + tail))
    return np.stack(columns, axis=2)


def halved(value: Array, year: float, halving_time: Array, reference_year: Array) -> Array:
    """Return value * 2^-((year - reference year)/halving time), the law of technical progress."""
    return np.asarray(value * np.exp2(-(year - reference_year) / halving_time))


def drive(quarter: Quarter, setting: Setting) -> Drivers:
    """Return the drivers of the quarter `state.period`.

    Source: docs/model.md, S0; national capacity is a state after the last observed
    quarter, built at the rate that expected profit supports (docs/model.md, S0).
    """
    state = quarter.state
    world, p, t = setting.world, setting.parameters, state.period
    year = mid_year(t)
    horizon = setting.by_kind("price_halving_time")
    reference = p.price_reference_year

    def shock(channel: str) -> float:
        return float(setting.shocks[channel][t])

    accelerators = np.where(world.kinds.intelligent, shock("accelerators"), 1.0)
    rent = accelerators**-p.rent_scarcity
    server_price = accelerators**-p.server_price_scarcity
    trend_price = halved(reference_prices(setting), year, horizon, reference)
    power = new_power(setting, year)
    trend_cost, hall_cost = unit_costs(setting, year)
    decline = np.log(2) / horizon
    growth = np.log(state.nation.capacity / state.nation.capacity_history[:, -1])
    noise = demand_noise(state, setting)
    inference = real_time_share(setting, t, year)
    tasks = shock("efficiency") ** (p.demand_elasticity - 1)
    wanted = shock("demand") * tasks * rent**-p.demand_elasticity
    multiplier = mean_multiplier(setting, inference)
    prices = (trend_price * multiplier, trend_cost, hall_cost, power)
    return Drivers(
        year=year,
        capacity=state.nation.capacity,
        capacity_next=build_nation(state, setting, growth, prices, accelerators),
        growth=growth,
        demand_ratio_next=next_demand_ratio(state, setting),
        demand=potential_demand(state, setting, inference, noise, wanted),
        real_time_share=inference,
        noise=noise,
        price=rent * trend_price,
        rent=rent,
        multiplier=multiplier,
        server_cost=server_price * trend_cost,
        server_price=server_price,
        hall_cost=hall_cost,
        power=power,
        price_decline=decline,
        electricity=world.prefectures.electricity_price * shock("electricity"),
        power_price=shock("electricity"),
        rival_price=p.rival_price * shock("rival_price"),
        supply=shock("supply"),
        poaching=shock("poaching"),
        ai_demand=shock("demand"),
        chip_demand=1 + p.chip_demand_ai_share * (shock("demand") - 1),
        efficiency=shock("efficiency"),
        tasks=tasks,
        grid_decline=np.exp(-p.grid_decarbonisation * 4 * (year - p.grid_reference_year)),
        accelerators=accelerators,
        hub_availability=shock("hub_availability"),
        fiscal=shock("fiscal"),
        open_source=open_source_floor(setting, year)
        + p.open_source_surge * (shock("open_source") - 1),
    )


def demand_noise(state: State, setting: Setting) -> Array:
    """Return the luck of demand, which fades (runs, regions, workloads)."""
    p, before = setting.parameters, state.buyers.noise
    luck = setting.chance.normal("demand", state.period, before[0].size).reshape(before.shape)
    fading, spread_out = p.demand_noise_persistence, p.demand_noise_sd
    return kernels.ar1_step(before, luck, fading[:, :, None], spread_out[:, :, None])


def real_time_share(setting: Setting, t: int, year: float) -> Array:
    """Return the share of intelligent work in real time in a quarter (runs, 1).

    A shift towards inference takes a part of the rest.
    """
    share = real_time_trend(setting, year)
    return np.asarray(share + (1 - share) * (float(setting.shocks["inference"][t]) - 1))


def real_time_trend(setting: Setting, year: float | Array) -> Array:
    """Return the same without shocks: logistic over the years (runs, 1)."""
    p, start = setting.parameters, setting.parameters.real_time_share_start
    risen = sigmoid(p.real_time_share_speed * (year - p.real_time_share_midpoint))
    return np.asarray(start + (p.real_time_share_end - start) * risen)


def new_power(setting: Setting, year: float) -> Array:
    """Return the power of new servers in a year, kW/PFLOPS (runs, kinds)."""
    horizon, reference = (
        setting.by_kind("power_halving_time"),
        setting.parameters.price_reference_year,
    )
    return halved(setting.by_kind("power"), year, horizon, reference)


def unit_costs(setting: Setting, year: float) -> tuple[Array, Array]:
    """Return the cost of new servers and of new halls, M¥/PFLOPS (runs, kinds) each."""
    p, reference = setting.parameters, setting.parameters.price_reference_year
    horizon = setting.by_kind("price_halving_time")
    servers = halved(setting.by_kind("server_cost"), year, horizon, reference)
    halls = halved(p.hall_cost_intelligent, year, p.power_halving_time_intelligent, reference)
    intelligent = setting.world.kinds.intelligent
    return servers, np.where(intelligent, halls, p.hall_cost_share * servers)


def reference_prices(setting: Setting) -> Array:
    """Return posted prices of the reference year, yuan/PFh (runs, kinds).

    What is drawn is the *mean* rent, over all work that the kind does: what is posted is that
    over the mean multiplier of the nation's work in that year. Rents of general and intelligent
    compute are drawn as ratios to server cost, since the two move together.
    """
    p = setting.parameters
    general = p.price_to_cost_general * p.server_cost_general
    intelligent = p.price_to_cost_intelligent * p.server_cost_intelligent
    rent = np.concatenate([general, intelligent, p.price_super], axis=1)
    return rent / mean_multiplier(setting, real_time_trend(setting, p.price_reference_year))


def open_source_floor(setting: Setting, year: float) -> Array:
    """Return the algorithm quality that open models give to everybody, (runs, 1)."""
    p = setting.parameters
    progress = np.clip((year - p.open_source_from) / (p.open_source_to - p.open_source_from), 0, 1)
    return np.asarray(p.open_source_start + (p.open_source_end - p.open_source_start) * progress)


def next_demand_ratio(state: State, setting: Setting) -> Array:
    """Return contracted demand over tabled capacity next quarter: logistic in logs after 2025Q1.

    The ceiling brakes growth alone: where demand falls, a ratio above the ceiling would turn the
    logistic round and run to infinity.
    """
    p, ratio = setting.parameters, state.nation.demand_ratio
    if state.period < POLICY_START - 2:
        return ratio
    growth = p.demand_ratio_growth / QUARTERS_A_YEAR
    brake = np.where(growth > 0, np.maximum(1 - ratio / p.demand_ratio_saturation, 0), 1.0)
    return np.asarray(ratio * np.exp(growth * brake))


def workload_mix(setting: Setting, inference: Array) -> Array:
    """Return each workload's share of its kind of compute, (runs, workloads)."""
    work = setting.world.workloads
    batch_of_intelligent = (1 - inference) * work.share_within_kind
    path = np.where(work.real_time, inference, batch_of_intelligent)
    return np.where(work.intelligent, path, work.share_within_kind + 0 * inference)


def mean_multiplier(setting: Setting, inference: Array) -> Array:
    """Return what the nation's mix of work pays over the posted price, m_k (runs, kinds)."""
    work, mix = setting.world.workloads, workload_mix(setting, inference)
    paid = work.sum(mix * work.price_multiplier, "kind")
    return safe_ratio(paid, work.sum(mix, "kind"), empty=1.0)


def potential_demand(
    state: State, setting: Setting, inference: Array, noise: Array, wanted: Array
) -> Array:
    """Return demand by region and workload before routing, PFh (runs, regions, workloads).

    D = share_g * mix_w * D_k * H * (price paid / reference)^-elasticity * exp(noise - var/2).
    Shocks change what is `wanted` of intelligent compute, over its trend (runs, kinds).
    The home region's entry is zero here: its demand comes from its own users (stage dispatch).
    """
    world, p, t = setting.world, setting.parameters, state.period
    work, regions = world.workloads, world.regions
    national = state.nation.demand_ratio * setting.national_table[:, t]
    national = national * np.where(world.kinds.intelligent, wanted, 1.0)
    by_workload = workload_mix(setting, inference) * spread(national, work.kind) * HOURS
    share = np.where(regions.home, 0.0, regions.demand_share)
    reaction = np.exp(
        -p.demand_elasticity[:, :, None] * np.log(state.buyers.price)
        + noise
        - 0.5 * p.demand_noise_sd[:, :, None] ** 2
    )
    return np.asarray(share[:, None] * by_workload[:, None, :] * reaction)


def build_nation(
    state: State,
    setting: Setting,
    growth: Array,
    prices: Sequence[Array],
    accelerators: Array,
) -> Array:
    """Return national capacity at the end of the quarter, PFLOPS (runs, kinds).

    Until the first policy quarter the table; then K' = K + [K(e^g - 1) + delta K] m - delta K
    with m = e + (1 - e) clip((profit/reference profit)^b, low, high) for intelligent compute:
    the option not to build. An export control holds back a part of what is built; profit is that
    at trend `prices` (earned rent, servers, halls, power): scarcity prices only ration that part.
    """
    p, t, intelligent = setting.parameters, state.period, setting.world.kinds.intelligent
    table, capacity = setting.national_table, state.nation.capacity
    if t < POLICY_START:
        return table[:, t + 1]
    tabled = np.log(table[:, t + 1] / table[:, t])
    reference_growth = np.log(table[:, t] / table[:, t - QUARTERS_A_YEAR])
    here = [values[:, intelligent] for values in prices]

    def profit(use: Array, hype: Array, growing: Array) -> Array:
        hyped = np.minimum(1, p.target_use * (1 + hype * growing[:, intelligent]))
        expected = p.use_weight * use[:, intelligent] + (1 - p.use_weight) * hyped
        return national_profit(expected, here, setting)

    now = profit(state.nation.use, p.hype, growth)
    benchmark = profit(state.nation.use_2024, p.hype_reference, reference_growth)
    soft = p.soft_build_share * p.soft_budget
    reaction = np.clip(
        np.exp(p.national_build_sensitivity * np.log(now / benchmark)),
        p.national_build_low,
        p.national_build_high,
    )
    pace = np.where(intelligent, soft + (1 - soft) * reaction, 1.0)
    decay = setting.by_kind("server_depreciation")
    gross = capacity * np.expm1(tabled) + decay * capacity
    return np.asarray(capacity + gross * pace * accelerators - decay * capacity)


def national_profit(use: Array, prices: Sequence[Array], setting: Setting) -> Array:
    """Return the profitability of new intelligent compute in the nation, (runs, 1).

    As `prices.profit_index`, at the power price and PUE of the rival hubs and without support.
    """
    p = setting.parameters
    price, server_cost, hall_cost, power = prices
    wear = setting.by_kind("server_depreciation")[:, setting.world.kinds.intelligent]
    decline = p.foresight * np.log(2) / p.price_halving_time_intelligent
    value = kernels.profitability(
        price=price * (1 - p.operating_cost_share),
        variable_cost=power * p.rival_pue * p.rival_electricity_price,
        use=use,
        capital_cost=server_cost + hall_cost / p.expected_fill,
        maintenance=p.maintenance_share * server_cost,
        income_factor=kernels.present_value_factor(p.interest_rate, wear, decline),
        upkeep_factor=kernels.present_value_factor(p.interest_rate, wear),
    )
    return np.maximum(value, p.profit_floor)
