"""S7, first part: what transfers are claimed, and what the envelopes and the match pay."""

from __future__ import annotations

import numpy as np

from ecosystem.maths.arrays import Array, add_up, safe_ratio, total
from ecosystem.maths.clearing import spread
from ecosystem.state.ledger import by_level
from ecosystem.state.records import Drivers, Innovation, Investment, Market, Policy, Settlement
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


def settle(
    period: int,
    drivers: Drivers,
    policy: Policy,
    investment: Investment,
    market: Market,
    innovation: Innovation,
    setting: Setting,
) -> Settlement:
    """Pay claims as far as envelopes and the local match allow; model equations (1.2)-(1.3).

    The paid share is min(1, envelope/claims), and the same for the prefecture's and the
    province's cash; so cost never exceeds the envelope.
    """
    world, schedule = setting.world, setting.schedule
    claims = claims_by_member(drivers, policy, investment, market, innovation, setting)
    claimants = {name: getattr(world, sector) for name, sector in TRANSFERS.items()}
    by_place = {name: claimants[name].sum(claim, "prefecture") for name, claim in claims.items()}
    column = {name: schedule.column(name) for name in TRANSFERS}
    within = {
        name: np.minimum(
            1,
            safe_ratio(
                policy.envelope[:, [column[name]]],
                total(by_place[name]),
                empty=1.0,
            ),
        )
        for name in TRANSFERS
    }
    split = {name: schedule.split[column[name]] for name in TRANSFERS}
    due = add_up(split[n][2] * within[n] * by_place[n] for n in TRANSFERS)
    local = np.minimum(1, safe_ratio(policy.prefecture_left, due, empty=1.0))
    due = add_up(
        split[n][1] * within[n] * by_place[n].sum(axis=1, keepdims=True) for n in TRANSFERS
    )
    province = np.minimum(1, safe_ratio(policy.province_left, due, empty=1.0))
    count = len(schedule.names)
    received, payers = {}, {}
    claimed = policy.programme_claimed * schedule.programme
    paid = policy.programme_paid * schedule.programme
    for name in TRANSFERS:
        parts = transfer_parts(
            split[name],
            within[name],
            local,
            province,
            policy.co_funding,
            bool(schedule.observed[period, column[name]]),
        )
        nation, province_part, prefecture = (part * by_place[name] for part in parts)
        payers[name] = by_level(total(nation), total(province_part), prefecture)
        received[name] = claims[name] * spread(add_up(parts), claimants[name].prefecture)
        here = np.arange(count) == column[name]
        claimed = claimed + total(by_place[name]) * here
        paid = paid + total(payers[name]) * here
    return Settlement(
        claims=claims,
        received=received,
        claimed=claimed,
        paid=paid,
        paid_share=np.where(schedule.programme, 1.0, safe_ratio(paid, claimed, empty=1.0)),
        payers=payers,
    )


def transfer_parts(
    split: Array, within: Array, local: Array, province: Array, co_funding: Array, observed: bool
) -> list[Array]:
    """Return the shares of a claim that nation, province and prefecture pay, (runs, P) each."""
    if observed:
        local, province, co_funding = (
            np.ones_like(local),
            np.ones_like(province),
            np.ones_like(local),
        )
    matched = np.minimum(local if split[2] > 0 else 1.0, province if split[1] > 0 else 1.0)
    share = within * matched * np.ones_like(co_funding)
    return [split[0] * share * co_funding, split[1] * share, split[2] * share]


def claims_by_member(
    drivers: Drivers,
    policy: Policy,
    investment: Investment,
    market: Market,
    innovation: Innovation,
    setting: Setting,
) -> dict[str, Array]:
    """Return what each transfer is asked for, rate on paper times base, M¥ (runs, members)."""
    world = setting.world
    rate = policy.promised
    at_home = total(market.payments[:, world.regions.home_index])
    everybody = total(market.payments)
    foreign = setting.parameters.voucher_export_share * (everybody - at_home)
    eligible = safe_ratio(at_home + foreign, everybody)
    whole = investment.hall_outlay + investment.server_outlay
    capital = investment.hall_outlay if policy.shells_only else whole
    p = setting.parameters
    permitted = 1 - p.diffusion_readiness_share * p.investment_limit  # no projects, no claims
    return {
        "capital_subsidy": rate["capital_subsidy"] * capital,
        "compute_voucher": rate["compute_voucher"]
        * eligible
        * market.revenue
        * world.centres.in_hub,
        "tariff_discount": rate["tariff_discount"] * power_bill(drivers, market, setting),
        "output_subsidy": rate["output_subsidy"] * market.posted,
        "even_diffusion": rate["even_diffusion"] * world.centres.ring_2 * whole * permitted,
        "industrial_centres": rate["industrial_centres"]
        * park_outlay(innovation, drivers, setting),
    }


def park_outlay(innovation: Innovation, drivers: Drivers, setting: Setting) -> Array:
    """Return what parks spend on their own servers, M¥ (runs, parks)."""
    return np.asarray(innovation.park_order * drivers.server_cost[:, setting.world.kinds.general])


def power_bill(drivers: Drivers, market: Market, setting: Setting) -> Array:
    """Return what centres pay for power before relief, M¥ (runs, centres)."""
    tariff = drivers.electricity[setting.world.centres.prefecture]
    return np.asarray(market.energy * tariff / 1000)
