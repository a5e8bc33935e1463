"""S4: what users in the province want of compute."""

from __future__ import annotations

import numpy as np

from ecosystem.maths.arrays import Array, sigmoid, total
from ecosystem.maths.clearing import spread
from ecosystem.maths.compiled import kernel
from ecosystem.maths.kernels import HOURS
from ecosystem.maths.live import Live, of_run
from ecosystem.stages.drivers import workload_mix
from ecosystem.state.records import Drivers, LocalDemand, Offer, Quarter
from ecosystem.state.setting import Setting
from ecosystem.state.state import State


def by_place(setting: Setting) -> bool:
    """Return whether vouchers are for users of some places alone."""
    return any(column.users for column in setting.schedule.columns)


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
