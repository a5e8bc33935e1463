"""S2 and S4: what an hour of compute costs and earns, and what a new unit of it is worth."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecosystem.maths import kernels
from ecosystem.maths.arrays import Array, add_up
from ecosystem.maths.compiled import equation, kernel
from ecosystem.stages.columns import column_area, expected_rate
from ecosystem.stages.policy import charge_rate, eligible_share
from ecosystem.state.records import Drivers, Policy, Quarter
from ecosystem.state.setting import Setting

Index = NDArray[np.intp]


def variable_costs(quarter: Quarter, setting: Setting) -> Array:
    """Return what an hour on servers in place costs, yuan/PFh (runs, centres)."""
    return hour_costs(quarter, setting)[0]


def new_unit_costs(quarter: Quarter, setting: Setting) -> Array:
    """Return the same for a unit built now at each centre, yuan/PFh (runs, centres)."""
    return hour_costs(quarter, setting)[1]


def hour_costs(quarter: Quarter, setting: Setting) -> tuple[Array, Array]:
    """Return what an hour costs on servers in place and on new ones, yuan/PFh (runs, centres)."""
    world, drivers, policy = setting.world, quarter.drivers, quarter.policy
    c, places = quarter.state.centres, world.prefectures.count
    power_charge, compute_charge = (
        np.broadcast_to(charge_rate("centres", base, policy), places)
        for base in ("electricity", "compute")
    )
    return costs_of_centres(
        setting.parameters.of_run, c.power, c.pue, drivers.power, drivers.electricity,
        policy.rate["tariff_discount"], power_charge, compute_charge,
        policy.local_lever["second_ring_quality"], policy.local_lever["green_standard"],
        world.centres.kind, world.centres.prefecture,
    )  # fmt: skip


@kernel
def costs_of_centres(
    parameters: Any, power: Array, pue: Array, new_power: Array, electricity: Array,
    relief: Array, power_charge: Array, compute_charge: Array, second_ring: Array, green: Array,
    kind: Any, place: Any,
) -> tuple[Array, Array]:  # fmt: skip
    """Return `hour_cost` of servers in place and of new ones, (runs, centres) each."""
    old, new = np.zeros_like(power), np.zeros_like(power)
    for r in range(len(power)):
        p = parameters[r]
        for i in range(len(kind)):
            g, gained = place[i], second_ring[r, place[i]]
            tariff = electricity[g] * (1 - relief[r, g]) + power_charge[g] / 1000
            here = running_pue(p, pue[r, i], gained)
            old[r, i] = hour_cost(power[r, i], here, tariff, compute_charge[g])
            here = running_pue(p, min(pue[r, i], standard_pue(p, green[r, g])), gained)
            new[r, i] = hour_cost(new_power[r, kind[i]], here, tariff, compute_charge[g])
    return old, new


@equation
def hour_cost(power: float, pue: float, tariff: float, charge: float) -> float:
    """Return c = kW * PUE * (tariff * (1 - relief) + charge) + charge, yuan/PFh.

    `tariff` holds relief and the charge on electricity (yuan/kWh); `charge` is that on compute.
    """
    return power * pue * tariff + charge


@equation
def running_pue(p: Any, pue: float, lever: float) -> float:
    """Return the PUE at which centres run, with what the second ring saves."""
    return max(pue - p.second_ring_pue_gain * lever, 1.0)


@equation
def standard_pue(p: Any, lever: float) -> float:
    """Return the PUE of new halls, lower under the green standard."""
    return max(p.new_pue - p.green_pue_gain * lever, 1.0)


def kept_subsidy(policy: Policy, setting: Setting) -> Array:
    """Return what centres keep of an output subsidy, over the posted price (runs, prefectures).

    Of a rate r buyers get the share s off the price, and operation costs less by its share o of
    that: z = r (1 - s (1 - o)).
    """
    p = setting.parameters
    kept = 1 - p.output_subsidy_price_share * (1 - p.operating_cost_share)
    return np.asarray(kept * policy.rate["output_subsidy"])


@equation
def lowest_price(p: Any, cost: float, kept: float) -> float:
    """Return the price at which an hour pays what it costs: c/(1 - o + z), z the kept subsidy."""
    return cost / (1 - p.operating_cost_share + kept)


@equation
def posted_price(p: Any, cost: float, market: float, kept: float) -> float:
    """Return p = max(lowest price, reference * exp(mark)), yuan/PFh; `market` is the second."""
    return max(lowest_price(p, cost, kept), market)


@kernel
def earned_prices(
    parameters: Any, cost: Array, mark: Array, price: Array, multiplier: Array, kept: Array,
    kind: Any, place: Any,
) -> Array:  # fmt: skip
    """Return what an hour earns: the posted price times what the mix of work pays over it."""
    earned = np.zeros_like(cost)
    for r in range(len(cost)):
        p = parameters[r]
        for i in range(len(kind)):
            market = price[r, kind[i]] * exp(mark[r, i])
            posted = posted_price(p, cost[r, i], market, kept[r, place[i]])
            earned[r, i] = posted * multiplier[r, kind[i]]
    return earned


@kernel
def expected_uses(parameters: Any, use: Array, growth: Array, kind: Any) -> Array:
    """Return `expected_use` of each column, whose kind of compute is given."""
    expected = np.zeros_like(use)
    for r in range(len(use)):
        for i in range(len(kind)):
            expected[r, i] = expected_use(parameters[r], use[r, i], growth[r, kind[i]])
    return expected


@equation
def expected_use(p: Any, use: float, growth: float) -> float:
    """Return own use blended with a common extrapolation of national growth.

    u^e = lambda u + (1 - lambda) min(1, u* (1 + h g)); Lin 2007, expectations in common.
    """
    hyped = min(1.0, p.target_use * (1 + p.hype * growth))
    return p.use_weight * use + (1 - p.use_weight) * hyped


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
    a place nor support. `foresight` is the foreseen part of the fall in prices.
    """
    p = setting.parameters
    output, subsidy = np.zeros((setting.runs, 1)), np.zeros((setting.runs, len(kind), 1))
    if support is not None:
        output, subsidy = support.output, support.capital + support.diffusion[:, None]
    return indices(
        p.of_run, price, cost, use, full_cost(drivers, setting), drivers.trend_server_cost,
        setting.by_kind("server_depreciation"), drivers.price_decline, output, subsidy,
        p.foresight if foresight is None else foresight, kind,
        np.zeros_like(kind) if place is None else place,
    )  # fmt: skip


@kernel
def indices(
    parameters: Any, price: Array, cost: Array, use: Array, full_cost: Array, server_cost: Array,
    wear: Array, decline: Array, output: Array, subsidy: Array, foresight: Array, kind: Any,
    place: Any,
) -> Array:  # fmt: skip
    """Return `worth` of every column, (runs, columns)."""
    index = np.zeros_like(use)
    for r in range(len(use)):
        for i in range(len(kind)):
            k, g = kind[i], place[i]
            index[r, i] = worth(
                parameters[r], price[r, i], cost[r, i], use[r, i], full_cost[r, k],
                server_cost[r, k], wear[r, k], foresight[r, 0] * decline[r, k], output[r, g],
                subsidy[r, k, g],
            )  # fmt: skip
    return index


@equation
def worth(
    p: Any, price: float, cost: float, use: float, full_cost: float, server_cost: float,
    wear: float, decline: float, output: float, subsidy: float,
) -> float:  # fmt: skip
    """Return profitability of a new unit, floored.

    Source: docs/model.md, S2 with full cost (servers plus the expected hall) and full depreciation.
    """
    kept = price * (1 - p.operating_cost_share + output)
    income = present_value_factor(p.interest_rate, wear, decline)
    upkeep = present_value_factor(p.interest_rate, wear, 0.0)
    maintenance = p.maintenance_share * server_cost
    value = profitability(kept, cost, use, full_cost, maintenance, income, upkeep, subsidy)
    return max(value, p.profit_floor)


profitability: Any = equation(kernels.profitability)
present_value_factor: Any = equation(kernels.present_value_factor)


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
    """Return what the transfers of this quarter promise a new unit."""
    policy, p, area = quarter.policy, setting.parameters, column_area(setting)
    capital = [
        eligible_share(quarter, setting, i)[:, :, None]
        * (expected_rate(quarter.state, setting, i) * area[i])[:, None, :]
        for i in setting.schedule.of("capital_subsidy")
    ]
    return Support(
        diffusion=policy.rate["even_diffusion"] * (1 - p.diffusion_readiness_share),
        output=kept_subsidy(policy, setting),
        capital=add_up(capital),
    )
