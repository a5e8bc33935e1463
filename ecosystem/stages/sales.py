"""S4, the end: who pays what to whom, power drawn, luck with tenants, what buyers learn."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecosystem.maths import kernels
from ecosystem.maths.arrays import Array, safe_ratio, total
from ecosystem.maths.clearing import spread
from ecosystem.maths.compiled import kernel
from ecosystem.maths.kernels import HOURS
from ecosystem.maths.scalars import ratio
from ecosystem.stages.prices import running_pue
from ecosystem.stages.routing import HOME, OWN, RIVAL, move_anchors
from ecosystem.state.records import BATCH, REAL_TIME, Policy, Quarter, Routing
from ecosystem.state.setting import Setting
from ecosystem.state.state import State


def energy_used(quarter: Quarter, use: Array, setting: Setting) -> Array:
    """Return power drawn by work done and, in part, by idling, MWh (runs, centres)."""
    p, built, place = setting.parameters, quarter.investment, setting.world.centres.prefecture
    lever = quarter.policy.local_lever["second_ring_quality"]
    return energy_of_centres(p.of_run, built.power, built.pue, built.servers, use, lever, place)


@kernel
def energy_of_centres(
    parameters: Any, power: Array, pue: Array, servers: Array, use: Array, lever: Array, place: Any
) -> Array:
    """Return the energy that every centre draws, MWh (runs, centres)."""
    energy = np.zeros_like(power)
    for r in range(len(power)):
        p = parameters[r]
        for i in range(len(place)):
            work = p.work_per_contract * use[r, i]
            load = p.idle_power_share + (1 - p.idle_power_share) * work
            drawn = power[r, i] * running_pue(p, pue[r, i], lever[r, place[i]])
            energy[r, i] = drawn * load * servers[r, i] * HOURS / 1000
    return energy


def move_tenants(state: State, setting: Setting) -> Array:
    """Return each centre's luck with tenants next quarter, which fades (runs, centres)."""
    p, centres = setting.parameters, setting.world.centres
    luck = setting.chance.normal("tenants", state.period, centres.count)
    return kernels.ar1_step(
        state.centres.tenants, spread(luck, centres.order), p.tenant_persistence, p.tenant_sd
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
    world, price = setting.world, quarter.drivers.price
    work, centres, general = world.workloads, world.centres, world.kinds.index("general")
    order = np.where(work.real_time, REAL_TIME, BATCH)
    return settle_runs(
        setting.parameters.of_run, routing.inflow, routing.offer.price, by_class, stand_in,
        inflow, served, price_cut(quarter.policy, setting), price[:, general], order,
        work.price_multiplier, work.kind, centres.kind, general,
    )  # fmt: skip


@kernel
def settle_runs(
    parameters: Any, arrived: Array, price: Array, by_class: Array, stand_in: Array,
    inflow: Array, served: Array, discount: Array, general_price: Array, order: Any,
    multiplier: Any, work_kind: Any, kind: Any, general: int,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Return revenue, delivery and payments of all runs."""
    revenue, delivered, payments = (
        np.zeros_like(price), np.zeros_like(arrived), np.zeros_like(arrived)
    )  # fmt: skip
    for r in range(len(price)):
        p = parameters[r]
        value, work, income = (
            np.zeros_like(served[r]), np.zeros_like(served[r]), np.zeros_like(served[r])
        )  # fmt: skip
        for g in range(arrived.shape[1]):
            for w in range(len(order)):
                c, k = order[w], work_kind[w]
                delivered[r, g, w] = arrived[r, g, w] * ratio(served[r, c, k], inflow[r, c, k])
                work[c, k] += delivered[r, g, w]
                value[c, k] += delivered[r, g, w] * multiplier[w]
        stood_in = whole = 0.0
        for i in range(len(kind)):
            for c in range(len(work)):
                paid = ratio(value[c, kind[i]], work[c, kind[i]]) * discount[r, i] / 1e6
                earned = price[r, i] * by_class[r, c, i] * paid
                income[c, kind[i]] += earned
                revenue[r, i] += earned
            unit = p.substitution_ratio * general_price[r] * discount[r, i] / 1e6
            revenue[r, i] += stand_in[r, i] * unit
            stood_in += stand_in[r, i] * unit
        for g in range(arrived.shape[1]):
            for w in range(len(order)):
                c, k = order[w], work_kind[w]
                unit = ratio(income[c, k], value[c, k])
                payments[r, g, w] = delivered[r, g, w] * multiplier[w] * unit
                whole += arrived[r, g, w] * (k == general and c == BATCH)
        for g in range(arrived.shape[1]):
            for w in range(len(order)):
                if work_kind[w] == general and order[w] == BATCH:
                    payments[r, g, w] += ratio(arrived[r, g, w], whole) * stood_in
    return revenue, delivered, payments


def price_cut(policy: Policy, setting: Setting) -> Array:
    """Return what buyers pay of posted prices under the output subsidy, (runs, centres)."""
    rate = spread(policy.rate["output_subsidy"], setting.world.centres.prefecture)
    return np.asarray(1 - setting.parameters.output_subsidy_price_share * rate)


def learn(quarter: Quarter, routing: Routing, setting: Setting) -> Array:
    """Return buyers' experience e' = e + h (s q/(s q + s0) - e), (runs, regions, workloads).

    The share s counts what anchor tenants brought along.
    """
    before, work = quarter.state.buyers.experience, setting.world.workloads
    return experiences(
        setting.parameters.of_run, before, routing.share, routing.offer.quality,
        quarter.policy.lever["anchor_tenants"], work.real_time, work.kind,
    )  # fmt: skip


@kernel
def experiences(
    parameters: Any, before: Array, share: Array, quality: Array, anchors: Array, real_time: Any,
    kind: Any,
) -> Array:  # fmt: skip
    """Return the experience of every buyer next quarter, (runs, regions, workloads)."""
    after = np.zeros_like(before)
    for r in range(len(before)):
        p = parameters[r]
        for g in range(before.shape[1]):
            for w in range(len(kind)):
                moved = move_anchors(anchors[r, 0], real_time[w], share[r, g, w, OWN])
                seen = (share[r, g, w, HOME] + moved) * quality[r, kind[w]]
                gap = seen / (seen + p.experience_half) - before[r, g, w]
                after[r, g, w] = before[r, g, w] + p.experience_speed * gap
    return after
