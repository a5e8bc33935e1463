"""Outcomes of power and CO2."""

from __future__ import annotations

from functools import cache

import numpy as np

from ecosystem.maths.arrays import Array, mean_over, safe_ratio, total
from ecosystem.maths.clearing import spread
from ecosystem.maths.kernels import HOURS
from ecosystem.outcomes.shared import Equations, fp32
from ecosystem.stages.settlement import park_energy
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Setting


def measure_climate(quarter: Quarter, setting: Setting) -> Equations:
    """Return the equations of power and CO2: of the province, and of the nation with it."""
    world, drivers, market = setting.world, quarter.drivers, quarter.market
    built = quarter.investment
    energy = cache(lambda: total(market.energy))
    lever = cache(
        lambda: spread(quarter.policy.local_lever["green_standard"], world.centres.prefecture)
    )
    green = cache(lambda: mean_over(np.minimum(1, lever()), market.energy))
    here = cache(
        lambda: energy() * (1 - green()) * world.province.grid_co2_factor * drivers.grid_decline
    )
    return {
        "energy": energy,
        "co2_province": here,
        "green_share": green,
        "co2_per_compute": lambda: 1000 * safe_ratio(here(), total(market.sold * fp32(setting))),
        "park_energy_intensity": lambda: park_intensity(quarter, setting),
        "co2_nation": lambda: here() + co2_elsewhere(quarter, setting),
        "pue": lambda: safe_ratio(
            total(built.pue * built.servers * built.power), total(built.servers * built.power)
        ),
    }


def co2_elsewhere(quarter: Quarter, setting: Setting) -> Array:
    """Return the CO2 of compute in demand regions and rival hubs, t (runs, 1)."""
    p, drivers, routing = setting.parameters, quarter.drivers, quarter.market.routing
    regions, hubs = setting.world.regions, setting.world.hubs
    idle = p.idle_power_share

    def power_used(capacity: Array, served: Array, pue: Array) -> Array:
        load = idle * capacity * HOURS + (1 - idle) * p.work_per_contract * served
        return np.asarray(load * quarter.state.nation.power * pue / 1000)

    served = routing.rival_served + quarter.market.helped
    rivals = total(power_used(routing.rival_capacity, served, p.rival_pue))
    rivals = rivals * (hubs.share * hubs.grid_co2_factor).sum()
    settled = (1 - p.footloose_share) * drivers.capacity
    weight = np.where(regions.home, 0.0, regions.demand_share)
    east = np.zeros_like(rivals)
    for g in range(regions.count):
        own = settled * weight[g] / weight.sum()
        used = power_used(own, routing.own_served[:, g], p.eastern_pue)
        east = east + total(used) * regions.grid_co2_factor[g]
    return (rivals + east) * drivers.grid_decline


def park_intensity(quarter: Quarter, setting: Setting) -> Array:
    """Return power per output of parks, MWh/M¥ (runs, 1)."""
    return total(park_energy(quarter, setting)) / total(quarter.innovation.park_output)
