"""Reference of transfers: claims, envelopes and the match; model equations (1.2)-(1.3)."""

from __future__ import annotations

import math
from typing import Any

from .agents import GENERAL, RING_2, Agents
from .closed_forms import ratio

TO_CENTRES = (
    "capital_subsidy",
    "compute_voucher",
    "tariff_discount",
    "output_subsidy",
    "even_diffusion",
)
TRANSFERS = (*TO_CENTRES, "industrial_centres")


def power_bill(agents: Agents, drivers: dict[str, Any], market: dict[str, Any]) -> list[float]:
    """Return what each centre pays for power before relief, M¥."""
    return [
        market["energy"][c] * drivers["electricity"][centre.prefecture] / 1000
        for c, centre in enumerate(agents.centres)
    ]


def claim(
    agents: Agents,
    name: str,
    c: int,
    policy: dict[str, Any],
    investment: dict[str, Any],
    market: dict[str, Any],
    bill: list[float],
) -> float:
    """Return what a centre asks for under one transfer, M¥: rate on paper times its base."""
    rate = policy["promised"][name]
    place = agents.prefectures[agents.centres[c].prefecture]
    if name == "even_diffusion":
        outlay = investment["hall_outlay"][c] + investment["server_outlay"][c]
        permitted = 1 - agents.p.diffusion_readiness_share * agents.p.investment_limit
        return rate * outlay * permitted if place.tier == RING_2 else 0.0
    if name == "capital_subsidy":
        servers = 0.0 if policy["shells_only"] else investment["server_outlay"][c]
        return rate * (investment["hall_outlay"][c] + servers)
    if name == "tariff_discount":
        return rate * bill[c]
    if name == "output_subsidy":
        return rate * market["posted"][c]
    return rate * eligible_share(agents, market) * market["revenue"][c] if place.hub else 0.0


def park_outlays(drivers: dict[str, Any], innovation: dict[str, Any]) -> list[float]:
    """Return what each park pays for servers of its own, M¥."""
    return [order * drivers["server_cost"][GENERAL] for order in innovation["park_order"]]


def eligible_share(agents: Agents, market: dict[str, Any]) -> float:
    """Return the share of sales of compute for which vouchers can be claimed.

    Users of the province claim all they pay, users elsewhere a part.
    """
    home, abroad = voucher_base(agents, market)
    everybody = sum(sum(row) for row in market["payments"])
    return ratio(home + abroad, everybody)


def voucher_base(agents: Agents, market: dict[str, Any]) -> tuple[float, float]:
    """Return payments for which vouchers can be claimed, by users here and elsewhere, M¥."""
    here = elsewhere = 0.0
    for region, row in zip(agents.regions, market["payments"], strict=True):
        if region.home:
            here += math.fsum(row)
        else:
            elsewhere += agents.p.voucher_export_share * math.fsum(row)
    return here, elsewhere


def reference_settlement(
    agents: Agents,
    drivers: dict[str, Any],
    policy: dict[str, Any],
    investment: dict[str, Any],
    market: dict[str, Any],
    innovation: dict[str, Any],
) -> dict[str, Any]:
    """Return what is claimed, what each claimant receives, and what each government pays."""
    names, count = list(agents.instruments), len(agents.prefectures)
    bill = power_bill(agents, drivers, market)
    claimants: dict[str, list[Any]] = {name: agents.centres for name in TO_CENTRES}
    claimants["industrial_centres"] = agents.parks
    claims = {
        name: [
            claim(agents, name, c, policy, investment, market, bill)
            for c in range(len(agents.centres))
        ]
        for name in TO_CENTRES
    }
    claims["industrial_centres"] = [
        policy["promised"]["industrial_centres"] * outlay
        for outlay in park_outlays(drivers, innovation)
    ]
    within, placed = {}, {}
    for name in TRANSFERS:
        envelope = policy["envelope"][names.index(name)]
        within[name] = min(1.0, ratio(envelope, math.fsum(claims[name]), empty=1.0))
        placed[name] = [0.0] * count
        for claimant, asked in zip(claimants[name], claims[name], strict=True):
            placed[name][claimant.prefecture] += asked
    split = {name: agents.instruments[name].split for name in TRANSFERS}
    due = [
        math.fsum(split[name][2] * within[name] * placed[name][i] for name in TRANSFERS)
        for i in range(count)
    ]
    met = [min(1.0, ratio(policy["prefecture_left"][i], due[i], empty=1.0)) for i in range(count)]
    whole = math.fsum(split[name][1] * within[name] * math.fsum(placed[name]) for name in TRANSFERS)
    province_met = min(1.0, ratio(policy["province_left"][0], whole, empty=1.0))

    received, payers = {}, {}
    claimed, paid = [0.0] * len(names), [0.0] * len(names)
    for i, name in enumerate(names):
        if agents.instruments[name].programme:
            claimed[i], paid[i] = policy["programme_claimed"][i], policy["programme_paid"][i]
    for name in TRANSFERS:
        observed = agents.instruments[name].observed[agents.period]
        part = []  # paid share by prefecture: nation, province, prefecture
        for i in range(count):
            share, national = within[name], 1.0
            if not observed:
                national = policy["co_funding"][i]
                limits = [1.0]
                limits += [met[i]] if split[name][2] else []
                limits += [province_met] if split[name][1] else []
                share *= min(limits)
            part.append(
                (split[name][0] * share * national, split[name][1] * share, split[name][2] * share)
            )
        received[name] = [
            asked * sum(part[claimant.prefecture])
            for claimant, asked in zip(claimants[name], claims[name], strict=True)
        ]
        payers[name] = [part[i][2] * placed[name][i] for i in range(count)]
        for level in (1, 0):  # the province, then the nation
            payers[name].append(math.fsum(part[i][level] * placed[name][i] for i in range(count)))
        claimed[names.index(name)] = math.fsum(claims[name])
        paid[names.index(name)] = math.fsum(payers[name])
    return {
        "claims": claims,
        "received": received,
        "claimed": claimed,
        "paid": paid,
        "paid_share": [
            1.0 if agents.instruments[name].programme else ratio(paid[i], claimed[i], empty=1.0)
            for i, name in enumerate(names)
        ],
        "payers": payers,
    }
