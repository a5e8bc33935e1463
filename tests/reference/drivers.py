"""S0 one number at a time: national capacity, demand, prices, shocks."""

from __future__ import annotations

import math
from typing import Any

from .agents import FIRST_POLICY_QUARTER, HOURS, INTELLIGENT, Agents, PublishedPath
from .closed_forms import autoregress, logistic, profitability


def reference_drivers(agents: Agents) -> dict[str, Any]:
    """Return the drivers of the quarter, named as in the vectorised stage."""
    p, t, year = agents.p, agents.period, agents.year
    kinds = range(len(agents.kinds))
    price_time = agents.by_kind("price_halving_time")
    power_time = agents.by_kind("power_halving_time")
    rent = [p.price_general, p.price_to_cost_intelligent * p.server_cost_intelligent, p.price_super]
    price = [fallen(agents, rent[k], price_time[k]) for k in kinds]
    power_then = agents.by_kind("power")
    power = [fallen(agents, power_then[k], power_time[k]) for k in kinds]
    server_cost, hall_cost = unit_costs(agents)
    growth = [
        math.log(agents.nation.capacity[k] / agents.nation.capacity_history[-1][k]) for k in kinds
    ]
    inference = p.real_time_share_start + (
        p.real_time_share_end - p.real_time_share_start
    ) * logistic(p.real_time_share_speed * (year - p.real_time_share_midpoint))
    shock = {name: path[t] for name, path in agents.shocks.items()}
    # A shift turns part of the work that could wait into inference in real time.
    inference += (shock["inference"] - 1) * (1 - inference)
    noise = demand_noise(agents)
    progress = (year - p.open_source_from) / (p.open_source_to - p.open_source_from)
    progress = min(max(progress, 0.0), 1.0)
    floor = p.open_source_start + (p.open_source_end - p.open_source_start) * progress
    drivers = {
        "year": year,
        "capacity": list(agents.nation.capacity),
        "growth": growth,
        "demand_ratio_next": [next_ratio(agents, agents.nation.demand_ratio[k]) for k in kinds],
        "real_time_share": [inference],
        "noise": noise,
        "price": price,
        "server_cost": server_cost,
        "hall_cost": hall_cost,
        "power": power,
        "price_decline": [math.log(2) / price_time[k] for k in kinds],
        "electricity": [
            place.electricity_price * shock["electricity"] for place in agents.prefectures
        ],
        "rival_price": [p.rival_price * shock["rival_price"]],
        "supply": shock["supply"],
        "poaching": shock["poaching"],
        "efficiency": shock["efficiency"],
        "grid_decline": [math.exp(-p.grid_decarbonisation * 4 * (year - p.grid_reference_year))],
        "accelerators": shock["accelerators"],
        "hub_availability": shock["hub_availability"],
        "fiscal": shock["fiscal"],
        "open_source": [floor + p.open_source_surge * (shock["open_source"] - 1)],
    }
    # Each task needs 1/(1 + A) of the compute, and (1 + A)^elasticity as many are wanted.
    tasks = shock["efficiency"] ** p.demand_elasticity / shock["efficiency"]
    drivers["demand"] = potential_demand(agents, inference, noise, shock["demand"] * tasks)
    drivers["capacity_next"] = capacity_next(agents, drivers)
    return drivers


def fallen(agents: Agents, value: float, halving_time: float) -> float:
    """Return a value of the reference year after years of technical progress (0.3)."""
    return value * 2 ** (-(agents.year - agents.p.price_reference_year) / halving_time)


def unit_costs(agents: Agents) -> tuple[list[float], list[float]]:
    """Return M¥/P of new servers and of new halls by kind."""
    p = agents.p
    servers, halls = [], []
    for kind, name in enumerate(agents.kinds):
        cost = fallen(
            agents, getattr(p, f"server_cost_{name}"), getattr(p, f"price_halving_time_{name}")
        )
        servers.append(cost)
        if kind == INTELLIGENT:
            # A hall costs the same a megawatt, so it gets cheaper with power a PFLOPS.
            hall = fallen(agents, p.hall_cost_intelligent, p.power_halving_time_intelligent)
        else:
            hall = p.hall_cost_share * cost
        halls.append(hall)
    return servers, halls


def national_table(agents: Agents, quarters: int) -> list[list[float]]:
    """Return national capacity at the start of each quarter as published and extrapolated."""
    p = agents.p
    columns = []
    for name, path in zip(agents.kinds, agents.published, strict=True):
        final = p.money_market_growth + math.log(2) / getattr(p, f"price_halving_time_{name}")
        columns.append([published(p, path, t, final) for t in range(quarters)])
    return [list(row) for row in zip(*columns, strict=True)]


def published(p: Any, path: PublishedPath, t: int, final: float) -> float:
    """Return national capacity of one kind at the start of quarter t (0.1)."""
    at = [4 * (year - 2020) + 4 for year in path.year]  # a year-end figure opens the next quarter
    logs = [math.log(capacity) for capacity in path.capacity]
    seen = path.last_observed
    if t <= at[0]:
        return math.exp(logs[0] + (logs[1] - logs[0]) / (at[1] - at[0]) * (t - at[0]))
    level = logs[-1]
    for left, right in zip(range(len(at) - 1), range(1, len(at)), strict=True):
        if at[left] <= t <= at[right]:
            part = (t - at[left]) / (at[right] - at[left])
            level = logs[left] + part * (logs[right] - logs[left])
            break
    if t > at[seen]:
        level = logs[seen] + p.national_growth_scale * max(level - logs[seen], 0.0)
    if t > at[-1]:
        # integral of final + (start - final) e^(-x/tau) over the years since the last figure
        years, tau = (t - at[-1]) / 4, p.national_growth_fading_time
        a_year = (logs[-1] - logs[-2]) / ((at[-1] - at[-2]) / 4)
        start = p.national_growth_scale * a_year
        level += final * years + (start - final) * tau * (1 - math.exp(-years / tau))
    return math.exp(level)


def next_ratio(agents: Agents, ratio: float) -> float:
    """Return national demand over tabled capacity next quarter: constant to 2025Q1 (t = 20)."""
    p = agents.p
    if agents.period < 20:
        return ratio
    growth = p.demand_ratio_growth / 4
    if growth > 0:
        growth *= 1 - ratio / p.demand_ratio_saturation
    return math.exp(math.log(ratio) + growth)


def demand_noise(agents: Agents) -> list[list[float]]:
    """Return the noise of each buyer; numbers go region by region."""
    p, count = agents.p, len(agents.workloads)
    luck = agents.normal("demand", len(agents.regions) * count)
    return [
        [
            autoregress(
                buyer.noise,
                luck[g * count + w],
                p.demand_noise_persistence,
                p.demand_noise_sd,
            )
            for w, buyer in enumerate(region.buyers)
        ]
        for g, region in enumerate(agents.regions)
    ]


def mix(agents: Agents, inference: float) -> list[float]:
    """Return each workload's share of its kind; real-time inference moves, its batch shrinks."""
    result = []
    for work in agents.workloads:
        if work.kind != INTELLIGENT:
            result.append(work.share_within_kind)
        elif work.real_time:
            result.append(inference)
        else:
            result.append((1 - inference) * work.share_within_kind)
    return result


def potential_demand(
    agents: Agents, inference: float, noise: list[list[float]], surge: float
) -> list[list[float]]:
    """Return demand by region and workload, PFh (0.2); the home region has its own users."""
    p, shares = agents.p, mix(agents, inference)
    result = []
    for g, region in enumerate(agents.regions):
        row = []
        for w, work in enumerate(agents.workloads):
            kind = work.kind
            national = agents.nation.demand_ratio[kind] * agents.table[agents.period][kind]
            if kind == INTELLIGENT:
                national *= surge
            luck = math.exp(noise[g][w] - p.demand_noise_sd**2 / 2)
            price = region.buyers[w].price ** (-p.demand_elasticity)
            demand = region.demand_share * shares[w] * national * HOURS * price * luck
            row.append(0.0 if region.home else demand)
        result.append(row)
    return result


def national_profit(
    agents: Agents, drivers: dict[str, Any], use: float, hype: float, growth: float
) -> float:
    """Return the national index of intelligent compute at a use, a hype and a growth a year."""
    p, k = agents.p, INTELLIGENT
    hyped = min(1.0, p.target_use * (1 + hype * growth))
    return profitability(
        p,
        price=drivers["price"][k],
        variable_cost=drivers["power"][k] * p.rival_pue * p.rival_electricity_price,
        use=p.use_weight * use + (1 - p.use_weight) * hyped,
        capital=drivers["server_cost"][k] + drivers["hall_cost"][k] / p.expected_fill,
        upkeep=p.maintenance_share * drivers["server_cost"][k],
        depreciation=p.server_depreciation_intelligent,
        price_fall=p.foresight * drivers["price_decline"][k],
    )


def capacity_next(agents: Agents, drivers: dict[str, Any]) -> list[float]:
    """Return national capacity at the end of the quarter: the option not to build (section 11)."""
    p, t, table, nation = agents.p, agents.period, agents.table, agents.nation
    if t < FIRST_POLICY_QUARTER:
        return list(table[t + 1])
    k = INTELLIGENT
    tabled_growth = math.log(table[t][k] / table[t - 4][k])
    now = national_profit(agents, drivers, nation.use[k], p.hype, drivers["growth"][k])
    then = national_profit(agents, drivers, nation.use_2024[k], p.hype_reference, tabled_growth)
    reaction = (now / then) ** p.national_build_sensitivity
    reaction = min(max(reaction, p.national_build_low), p.national_build_high)
    exempt = p.soft_build_share * p.soft_budget
    result = []
    for kind, capacity in enumerate(nation.capacity):
        pace = exempt + (1 - exempt) * reaction if kind == k else 1.0
        worn = agents.by_kind("server_depreciation")[kind] * capacity
        added = capacity * (table[t + 1][kind] / table[t][kind] - 1)
        result.append(capacity + (added + worn) * pace * drivers["accelerators"] - worn)
    return result
