"""S7, first part: what transfers are claimed, and what the envelopes and the match pay."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ecosystem.maths.arrays import Array, add_up, safe_ratio, total
from ecosystem.maths.clearing import spread
from ecosystem.stages.bills import voucher_base
from ecosystem.stages.columns import column_area
from ecosystem.stages.policy import eligible_capital
from ecosystem.state.ledger import by_level
from ecosystem.state.records import Quarter, Settlement
from ecosystem.state.setting import Setting

TRANSFERS = {
    "capital_subsidy": "centres",
    "compute_voucher": "centres",
    "tariff_discount": "centres",
    "output_subsidy": "centres",
    "even_diffusion": "centres",
    "industrial_centres": "parks",
}
"""Transfers and who claims them."""


def settle(quarter: Quarter, setting: Setting) -> Settlement:
    """Pay claims as far as envelopes and the local match allow; docs/model.md, S1.

    The paid share is min(1, envelope/claims), and the same for the prefecture's and the
    province's cash; so cost never exceeds the envelope.
    """
    policy, schedule, world = quarter.policy, setting.schedule, setting.world
    sector = {name: getattr(world, claimant) for name, claimant in TRANSFERS.items()}
    observed = schedule.observed[quarter.state.period]
    claims = claims_by_member(quarter, setting)
    by_place = {i: sector[name].sum(claim, "prefecture") for (name, i), claim in claims.items()}
    within = {
        i: np.minimum(1, safe_ratio(policy.envelope[:, [i]], total(due), empty=1.0))
        for i, due in by_place.items()
    }
    met = local_match(within, by_place, quarter, setting)
    asked, received = (
        {name: np.zeros((setting.runs, members.count)) for name, members in sector.items()}
        for _ in range(2)
    )
    payers = {name: np.zeros((setting.runs, world.prefectures.count + 2)) for name in TRANSFERS}
    claimed = policy.programme_claimed * schedule.programme
    paid = policy.programme_paid * schedule.programme
    for (name, i), claim in claims.items():
        parts = transfer_parts(
            schedule.split[i], within[i], met, policy.co_funding, bool(observed[i])
        )
        nation, province, prefecture = (part * by_place[i] for part in parts)
        payer = by_level(total(nation), total(province), prefecture)
        asked[name] += claim
        received[name] += claim * spread(add_up(parts), sector[name].prefecture)
        payers[name] += payer
        claimed[:, [i]] += total(by_place[i])
        paid[:, [i]] += total(payer)
    return Settlement(
        claims=asked,
        received=received,
        claimed=claimed,
        paid=paid,
        paid_share=np.where(schedule.programme, 1.0, safe_ratio(paid, claimed, empty=1.0)),
        payers=payers,
    )


def local_match(
    within: dict[int, Array], by_place: dict[int, Array], quarter: Quarter, setting: Setting
) -> tuple[Array, Array]:
    """Return the share of dues that prefectures (runs, P) and the province (runs, 1) can pay."""
    policy, split = quarter.policy, setting.schedule.split
    none = np.zeros((setting.runs, 1))
    prefectures = add_up([none, *(split[i][2] * within[i] * by_place[i] for i in within)])
    province = add_up([none, *(split[i][1] * within[i] * total(by_place[i]) for i in within)])
    return (
        np.minimum(1, safe_ratio(policy.prefecture_left, prefectures, empty=1.0)),
        np.minimum(1, safe_ratio(policy.province_left, province, empty=1.0)),
    )


def transfer_parts(
    split: Array, within: Array, met: tuple[Array, Array], co_funding: Array, observed: bool
) -> list[Array]:
    """Return the shares of a claim that nation, province and prefecture pay, (runs, P) each."""
    local, province = met
    if observed:
        local, province, co_funding = (np.ones_like(x) for x in (local, province, local))
    matched = np.minimum(local if split[2] > 0 else 1.0, province if split[1] > 0 else 1.0)
    share = within * matched * np.ones_like(co_funding)
    return [split[0] * share * co_funding, split[1] * share, split[2] * share]


def claims_by_member(quarter: Quarter, setting: Setting) -> dict[tuple[str, int], Array]:
    """Return what each column of a transfer is asked for, M¥ (runs, members).

    By transfer and column, for columns in force. It is their rate on paper times the base of those
    who stand where they act.
    """
    p, schedule, t = setting.parameters, setting.schedule, quarter.state.period
    market, built, area = quarter.market, quarter.investment, column_area(setting)
    permitted = 1 - p.diffusion_readiness_share * p.investment_limit  # no projects, no claims
    outlay, sales = built.hall_outlay + built.server_outlay, total(market.payments)
    base: dict[str, Callable[[int], Array]] = {
        "capital_subsidy": lambda i: eligible_capital(
            built.hall_outlay, built.server_outlay, bool(schedule.shells_only[t, i])
        ),
        "compute_voucher": lambda i: (
            safe_ratio(voucher_base(i, quarter, setting), sales) * market.revenue
        ),
        "tariff_discount": lambda i: power_bill(quarter, setting),
        "output_subsidy": lambda i: market.posted,
        "even_diffusion": lambda i: outlay * permitted,
        "industrial_centres": lambda i: park_outlay(quarter, setting),
    }
    return {
        (name, i): schedule.rate[t, i]
        * (base[name](i) * spread(area[i], getattr(setting.world, sector).prefecture))
        for name, sector in TRANSFERS.items()
        for i in schedule.of(name)
        if schedule.rate[t, i] > 0
    }


def power_bill(quarter: Quarter, setting: Setting) -> Array:
    """Return what centres pay for power before relief, M¥ (runs, centres)."""
    tariff = quarter.drivers.electricity[setting.world.centres.prefecture]
    return np.asarray(quarter.market.energy * tariff / 1000)


def upkeep(quarter: Quarter, setting: Setting) -> Array:
    """Return what the upkeep of servers costs centres, M¥ (runs, centres)."""
    cost = spread(quarter.drivers.trend_server_cost, setting.world.centres.kind)
    share = setting.parameters.maintenance_share
    return np.asarray(share * cost * quarter.investment.servers / 4)


def operating_cost(quarter: Quarter, setting: Setting) -> Array:
    """Return what bandwidth, operations and sales cost centres, M¥ (runs, centres)."""
    return np.asarray(setting.parameters.operating_cost_share * quarter.market.revenue)


def park_outlay(quarter: Quarter, setting: Setting) -> Array:
    """Return what parks spend on their own servers, M¥ (runs, parks)."""
    cost = quarter.drivers.server_cost[:, setting.world.kinds.general]
    return np.asarray(quarter.innovation.park_order * cost)


def park_energy(quarter: Quarter, setting: Setting) -> Array:
    """Return the power that parks use, MWh (runs, parks): AI and a strong industry save some."""
    p = setting.parameters
    lever = spread(quarter.policy.local_lever["strong_industry"], setting.world.parks.prefecture)
    saved = p.park_energy_gain + p.strong_industry_energy_gain * lever
    intensity = setting.world.parks.energy_intensity * (1 - saved * quarter.state.parks.adoption)
    return np.asarray(quarter.innovation.park_output * intensity)
