"""S7, first part: what transfers are claimed, and what the envelopes and the match pay."""

from __future__ import annotations

import numpy as np

from ecosystem.maths.arrays import Array, add_up, safe_ratio, total
from ecosystem.maths.clearing import spread
from ecosystem.stages.policy import eligible_capital
from ecosystem.state.ledger import by_level
from ecosystem.state.records import Market, Quarter, Settlement
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
    """Pay claims as far as envelopes and the local match allow; model equations (1.2)-(1.3).

    The paid share is min(1, envelope/claims), and the same for the prefecture's and the
    province's cash; so cost never exceeds the envelope.
    """
    policy, schedule = quarter.policy, setting.schedule
    column = {name: schedule.column(name) for name in TRANSFERS}
    observed = {name: schedule.observed[quarter.state.period, i] for name, i in column.items()}
    claims = claims_by_member(quarter, setting)
    claimants = {name: getattr(setting.world, sector) for name, sector in TRANSFERS.items()}
    by_place = {name: claimants[name].sum(claim, "prefecture") for name, claim in claims.items()}
    within = {
        name: np.minimum(1, safe_ratio(policy.envelope[:, [i]], total(by_place[name]), empty=1.0))
        for name, i in column.items()
    }
    met = local_match(within, by_place, quarter, setting)
    received, payers = {}, {}
    claimed = policy.programme_claimed * schedule.programme
    paid = policy.programme_paid * schedule.programme
    for name, i in column.items():
        parts = transfer_parts(
            schedule.split[i], within[name], met, policy.co_funding, bool(observed[name])
        )
        nation, province, prefecture = (part * by_place[name] for part in parts)
        payers[name] = by_level(total(nation), total(province), prefecture)
        received[name] = claims[name] * spread(add_up(parts), claimants[name].prefecture)
        here = np.arange(len(schedule.names)) == i
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


def local_match(
    within: dict[str, Array], by_place: dict[str, Array], quarter: Quarter, setting: Setting
) -> tuple[Array, Array]:
    """Return the share of dues that prefectures (runs, P) and the province (runs, 1) can pay."""
    policy, schedule = quarter.policy, setting.schedule
    split = {name: schedule.split[schedule.column(name)] for name in TRANSFERS}
    prefectures = add_up(split[n][2] * within[n] * by_place[n] for n in TRANSFERS)
    province = add_up(split[n][1] * within[n] * total(by_place[n]) for n in TRANSFERS)
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


def claims_by_member(quarter: Quarter, setting: Setting) -> dict[str, Array]:
    """Return what each transfer is asked for, rate on paper times base, M¥ (runs, members)."""
    p, centres = setting.parameters, setting.world.centres
    market, policy, built = quarter.market, quarter.policy, quarter.investment
    permitted = 1 - p.diffusion_readiness_share * p.investment_limit  # no projects, no claims
    eligible = safe_ratio(voucher_base(market, setting), total(market.payments))
    base = {
        "capital_subsidy": eligible_capital(
            built.hall_outlay, built.server_outlay, policy.shells_only
        ),
        "compute_voucher": eligible * market.revenue * centres.in_hub,
        "tariff_discount": power_bill(quarter, setting),
        "output_subsidy": market.posted,
        "even_diffusion": centres.ring_2 * (built.hall_outlay + built.server_outlay) * permitted,
        "industrial_centres": park_outlay(quarter, setting),
    }
    return {name: policy.promised[name] * base[name] for name in TRANSFERS}


def voucher_base(market: Market, setting: Setting) -> Array:
    """Return sales of compute for which vouchers can be claimed, M¥ (runs, 1).

    All that users at home pay, and a part of what users elsewhere pay.
    """
    at_home = total(market.payments[:, setting.world.regions.home_index])
    elsewhere = total(market.payments) - at_home
    return np.asarray(at_home + setting.parameters.voucher_export_share * elsewhere)


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
    lever = quarter.policy.lever["strong_industry"]
    saved = p.park_energy_gain + p.strong_industry_energy_gain * lever
    intensity = setting.world.parks.energy_intensity * (1 - saved * quarter.state.parks.adoption)
    return np.asarray(quarter.innovation.park_output * intensity)
