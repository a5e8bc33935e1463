"""Reference of transfers: claims, envelopes and the match; docs/model.md, S1."""

from __future__ import annotations

import math
from typing import Any

from .agents import GENERAL, Agents, Instrument
from .closed_forms import ratio
from .policy import lies_in

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
    tool: Instrument,
    c: int,
    investment: dict[str, Any],
    market: dict[str, Any],
    bill: list[float],
    eligible: float,
) -> float:
    """Return what a centre asks for under one transfer, M¥: rate on paper times its base."""
    rate, name = tool.rate[agents.period], tool.name
    if not lies_in(agents.prefectures[agents.centres[c].prefecture], tool.place):
        return 0.0
    if name == "even_diffusion":
        outlay = investment["hall_outlay"][c] + investment["server_outlay"][c]
        permitted = 1 - agents.p.diffusion_readiness_share * agents.p.investment_limit
        return rate * outlay * permitted
    if name == "capital_subsidy":
        servers = 0.0 if tool.shells_only[agents.period] else investment["server_outlay"][c]
        return rate * (investment["hall_outlay"][c] + servers)
    if name == "tariff_discount":
        return rate * bill[c]
    if name == "output_subsidy":
        return rate * market["posted"][c]
    return rate * eligible * market["revenue"][c]


def park_outlays(drivers: dict[str, Any], innovation: dict[str, Any]) -> list[float]:
    """Return what each park pays for servers of its own, M¥."""
    return [order * drivers["server_cost"][GENERAL] for order in innovation["park_order"]]


def voucher_base(
    agents: Agents, market: dict[str, Any], tool: Instrument, by_place: dict[str, list[float]]
) -> tuple[float, float]:
    """Return payments for which vouchers can be claimed, by users here and elsewhere, M¥.

    Users of the province claim all they pay, users elsewhere a part; vouchers for users of some
    places are for firms, parks, universities and branches there alone.
    """
    if tool.users:
        there = [lies_in(place, tool.users) for place in agents.prefectures]
        users = [x for bills in by_place.values() for x, ok in zip(bills, there, strict=True) if ok]
        return math.fsum(users), 0.0
    here = elsewhere = 0.0
    for region, row in zip(agents.regions, market["payments"], strict=True):
        if region.home:
            here += math.fsum(row)
        else:
            elsewhere += agents.p.voucher_export_share * math.fsum(row)
    return here, elsewhere


def bills_by_place(agents: Agents, market: dict[str, Any]) -> dict[str, list[float]]:
    """Return what users in each prefecture pay to centres here, M¥, by sector."""
    home = next(g for g, region in enumerate(agents.regions) if region.home)
    users = market["routing"]["local"]["users"]
    bill = [0.0 for _ in users]
    for w, paid in enumerate(market["payments"][home]):
        wanted = sum(user[w] for user in users)
        for u, user in enumerate(users):
            bill[u] += paid * ratio(user[w], wanted)
    firms, deployments, parks, _, universities, branches = bill
    weights = {
        "firms": (firms, agents.firms, market["routing"]["local"]["by_firm"]),
        "parks": (deployments + parks, agents.parks, [park.output for park in agents.parks]),
        "universities": (
            universities,
            agents.universities,
            [university.research_funds for university in agents.universities],
        ),
    }
    places = agents.prefectures
    whole = sum(place.branches for place in places)
    result = {"branches": [branches * ratio(place.branches, whole) for place in places]}
    for sector, (paid, members, weight) in weights.items():
        result[sector] = [0.0 for _ in places]
        for member, part in zip(members, weight, strict=True):
            result[sector][member.prefecture] += paid * ratio(part, sum(weight))
    return result


def reference_settlement(
    agents: Agents,
    drivers: dict[str, Any],
    policy: dict[str, Any],
    investment: dict[str, Any],
    market: dict[str, Any],
    innovation: dict[str, Any],
) -> dict[str, Any]:
    """Return what is claimed, what each claimant receives, and what each government pays."""
    tools, count = agents.instruments, len(agents.prefectures)
    bill, by_place = power_bill(agents, drivers, market), bills_by_place(agents, market)
    everybody = sum(sum(row) for row in market["payments"])
    outlays = park_outlays(drivers, innovation)
    transfers = [i for name in TRANSFERS for i, tool in enumerate(tools) if tool.name == name]
    claimants: dict[int, list[Any]] = {}
    claims: dict[int, list[float]] = {}
    within: dict[int, float] = {}
    placed: dict[int, list[float]] = {}
    for i in transfers:
        tool = tools[i]
        if tool.name == "industrial_centres":
            claimants[i] = agents.parks
            claims[i] = [
                tool.rate[agents.period] * outlay
                if lies_in(agents.prefectures[park.prefecture], tool.place)
                else 0.0
                for park, outlay in zip(agents.parks, outlays, strict=True)
            ]
        else:
            base = sum(voucher_base(agents, market, tool, by_place))
            claimants[i] = agents.centres
            claims[i] = [
                claim(agents, tool, c, investment, market, bill, ratio(base, everybody))
                for c in range(len(agents.centres))
            ]
        within[i] = min(1.0, ratio(policy["envelope"][i], math.fsum(claims[i]), empty=1.0))
        placed[i] = [0.0] * count
        for claimant, asked in zip(claimants[i], claims[i], strict=True):
            placed[i][claimant.prefecture] += asked
    due = [
        math.fsum(tools[i].split[2] * within[i] * placed[i][x] for i in transfers)
        for x in range(count)
    ]
    met = [min(1.0, ratio(policy["prefecture_left"][x], due[x], empty=1.0)) for x in range(count)]
    whole = math.fsum(tools[i].split[1] * within[i] * math.fsum(placed[i]) for i in transfers)
    province_met = min(1.0, ratio(policy["province_left"][0], whole, empty=1.0))

    asked_for: dict[str, list[float]] = {}
    received: dict[str, list[float]] = {}
    payers: dict[str, list[float]] = {}
    claimed = [
        money if t.programme else 0.0
        for money, t in zip(policy["programme_claimed"], tools, strict=True)
    ]
    paid = [
        money if t.programme else 0.0
        for money, t in zip(policy["programme_paid"], tools, strict=True)
    ]
    for i in transfers:
        tool, part = tools[i], []  # paid share by prefecture: nation, province, prefecture
        for x in range(count):
            share, national = within[i], 1.0
            if not tool.observed[agents.period]:
                national = policy["co_funding"][x]
                limits = [1.0]
                limits += [met[x]] if tool.split[2] else []
                limits += [province_met] if tool.split[1] else []
                share *= min(limits)
            part.append(
                (tool.split[0] * share * national, tool.split[1] * share, tool.split[2] * share)
            )
        got = [
            asked * sum(part[claimant.prefecture])
            for claimant, asked in zip(claimants[i], claims[i], strict=True)
        ]
        payer = [part[x][2] * placed[i][x] for x in range(count)]
        for level in (1, 0):  # the province, then the nation
            payer.append(math.fsum(part[x][level] * placed[i][x] for x in range(count)))
        for kept, more in ((asked_for, claims[i]), (received, got), (payers, payer)):
            before = kept.get(tool.name, [0.0] * len(more))
            kept[tool.name] = [a + b for a, b in zip(before, more, strict=True)]
        claimed[i], paid[i] = math.fsum(claims[i]), math.fsum(payer)
    return {
        "claims": asked_for,
        "received": received,
        "claimed": claimed,
        "paid": paid,
        "paid_share": [
            1.0 if tool.programme else ratio(paid[i], claimed[i], empty=1.0)
            for i, tool in enumerate(tools)
        ],
        "payers": payers,
    }
