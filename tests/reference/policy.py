"""S1 one government at a time: programmes, levers, readiness, ambition, the gate."""

from __future__ import annotations

import math
from typing import Any

from .agents import (
    CORE,
    FIRST_POLICY_QUARTER,
    INTELLIGENT,
    RING_1,
    RING_2,
    Agents,
    Instrument,
    Prefecture,
)
from .closed_forms import ratio

PLACED = (
    *("hub_steering", "anchor_tenants", "second_ring_quality", "equipment_chain"),
    *("joint_innovation", "scenario_deployment", "strong_industry", "ecosystem_incubation"),
    *("talent_retention", "green_standard"),
)
"""Programmes that act in a place."""
READINESS = "hub_readiness"  # buys works and no lever
TRANSFERS = (
    *("capital_subsidy", "industrial_centres", "compute_voucher", "tariff_discount"),
    *("output_subsidy", "even_diffusion"),
)


def reference_policy(agents: Agents, drivers: dict[str, Any]) -> dict[str, Any]:
    """Return what governments do this quarter, named as in the vectorised stage."""
    p, t, places = agents.p, agents.period, agents.prefectures
    every = agents.instruments
    weight = envelope_weights(agents)
    available = agents.growth(p.budget_growth) * drivers["fiscal"] / 4
    local = [
        p.prefecture_programme_share * place.budget_expenditure * available for place in places
    ]
    provincial = p.province_programme_share * agents.province.provincial_budget_expenditure
    provincial *= available
    maintenance = [
        maintenance_need(agents, place.readiness) if place.hub else 0.0 for place in places
    ]
    # A limit on new government projects leaves the money for readiness unspent.
    projects = 1.0 if t < FIRST_POLICY_QUARTER else 1 - p.investment_limit
    claimed, due, envelope = [], [], []
    for i, tool in enumerate(every):
        plan = tool.spending[t] / 4 * weight[i] * readiness_tilt(agents, tool)
        plan *= projects if tool.name == "hub_readiness" else 1.0
        claimed.append(plan)
        cut = 1.0 if tool.observed[t] else drivers["fiscal"]
        due.append(plan * cut if tool.programme else 0.0)
        envelope.append(0.0 if tool.programme else tool.envelope[t] / 4 * weight[i] * cut)
    payment = pay(agents, due, envelope, local, provincial)
    free = payment["left"]
    own = [
        projects * p.readiness_push * place.ambition * free[i] if below_ceiling(agents, i) else 0.0
        for i, place in enumerate(places)
    ]
    paid: dict[str, float] = {}
    for tool, money in zip(every, payment["paid"], strict=True):
        paid[tool.name] = paid.get(tool.name, 0.0) + money
    # What is on record built what it built.
    effective = p.hub_readiness_effectiveness if t >= FIRST_POLICY_QUARTER else 1.0
    infrastructure = [
        maintenance[i] + own[i] + diffused(agents, i) for i, place in enumerate(places)
    ]
    for tool, money in zip(every, payment["paid"], strict=True):
        if tool.name == "hub_readiness":
            for i, part in enumerate(who_pays(agents, tool)):
                infrastructure[i] += effective * money * part
    extra = fiscal_extra(agents)
    return {
        "lever": {
            tool.name: [lever(agents, tool.name, 4 * paid[tool.name])]
            for tool in every
            if tool.programme
            and tool.name not in (*set(PLACED) - {"anchor_tenants", "joint_innovation"}, READINESS)
        },
        "local_lever": {
            name: [
                lever(agents, name, 4 * reached(agents, name, payment["paid"], place))
                for place in places
            ]
            for name in PLACED
        },
        "rate": {name: [rate_in(agents, name, place) for place in places] for name in TRANSFERS},
        "promised": {},
        "envelope": envelope,
        "programme_paid": payment["paid"],
        "programme_claimed": claimed,
        "level_paid": payment["levels"],
        "prefecture_paid": [
            payment["by_place"][i] + maintenance[i] + own[i] for i in range(len(places))
        ],
        "prefecture_left": [free[i] - own[i] for i in range(len(places))],
        "province_left": [payment["province_left"]],
        "co_funding": payment["co_funding"],
        "match": payment["match"],
        "infrastructure": infrastructure,
        "own_readiness": [maintenance[i] + own[i] for i in range(len(places))],
        "readiness_next": [
            next_readiness(agents, place.readiness, infrastructure[i])
            for i, place in enumerate(places)
        ],
        "ambition_next": next_ambition(agents),
        "gate": gate(agents),
        "envelope_weight": weight,
        "fiscal_extra": [extra],
        "local_settlement": [local_settlement(agents)],
        "advantage": [advantage(agents, drivers)],
        "fiscal_talent": [fiscal_talent(agents, extra)],
    }


def who_pays(agents: Agents, tool: Instrument) -> list[float]:
    """Return the part of each prefecture in the prefectures' share: by budget, where it acts."""
    budgets = [
        place.budget_expenditure if lies_in(place, tool.place) else 0.0
        for place in agents.prefectures
    ]
    return [budget / sum(budgets) for budget in budgets]


def lies_in(prefecture: Prefecture, places: str) -> bool:
    """Return whether what is for some places is for this prefecture; for none, it is for all."""
    tiers = {"ring_1": RING_1, "ring_2": RING_2}
    for place in places.split("|"):
        if place in ("", prefecture.name) or (place == "hub" and prefecture.hub):
            return True
        if place in tiers and prefecture.tier == tiers[place]:
            return True
    return False


def reached(agents: Agents, name: str, paid: list[float], place: Prefecture) -> float:
    """Return what a programme pays, as if it were all for its usual place, that acts here.

    Money for a smaller place than the usual one is more of it there, in proportion to budgets.
    """
    money = 0.0
    subjects: dict[str, list[Any]] = {
        "equipment_chain": agents.makers,
        "joint_innovation": agents.universities,
        "strong_industry": agents.parks,
    }
    have = {member.prefecture for member in subjects.get(name, [])}
    members = [p for i, p in enumerate(agents.prefectures) if i in have or not have]
    if name == "anchor_tenants":
        members = [p for p in members if p.tier in (CORE, RING_1)]
    for tool, spent in zip(agents.instruments, paid, strict=True):
        if tool.name == name and lies_in(place, tool.place):
            usual, own = (
                sum(p.budget_expenditure for p in members if lies_in(p, text))
                for text in (tool.usual, tool.place)
            )
            money += spent * usual / own
    return money


def rate_in(agents: Agents, name: str, place: Prefecture) -> float:
    """Return the rate of a transfer that claimants of a prefecture count on."""
    return sum(
        expected_rate(tool, agents.period)
        for tool in agents.entries(name)
        if lies_in(place, tool.place)
    )


def expected_rate(tool: Instrument, t: int) -> float:
    """Return the rate that claimants count on: on paper times what was paid of it last quarter."""
    return tool.rate[t] * tool.paid_share if tool.envelope[t] > 0 else 0.0


def diffused(agents: Agents, place: int) -> float:
    """Return a prefecture's part of last quarter's diffusion money for readiness.

    By what was planned for each entry, and within its place by budget.
    """
    tools = agents.entries("even_diffusion")
    planned = [tool.envelope[agents.period - 1] for tool in tools]
    return agents.province.diffusion * sum(
        ratio(plan, sum(planned)) * who_pays(agents, tool)[place]
        for tool, plan in zip(tools, planned, strict=True)
    )


def local_settlement(agents: Agents) -> float:
    """Return the share of a surplus that is settled here: the operators' own or the rule's."""
    own, t = agents.p.local_settlement, agents.period
    tools = agents.entries("local_settlement_rule")
    rates = [sum(tool.rate[quarter] for tool in tools) for quarter in range(t + 1)]
    if rates[t] <= 0:
        return own
    quarters = sum(1 for rate in rates if rate > 0)
    renewed = 1 - math.exp(-agents.p.server_depreciation_intelligent * quarters)
    return own + renewed * max(agents.p.settlement_floor - own, 0)


def readiness_part(agents: Agents) -> float:
    """Return the part of diffusion money that goes into readiness, none where it may not."""
    share, limit = agents.p.diffusion_readiness_share, agents.p.investment_limit
    return share * (1 - limit) / (1 - share * limit)


def advantage(agents: Agents, drivers: dict[str, Any]) -> float:
    """Return what subsidies on output and capital add to the log of profit here."""
    t, p = agents.period, agents.p
    intelligent = [centre for centre in agents.centres if centre.kind == INTELLIGENT]
    halls = sum(centre.halls for centre in intelligent)

    def mean(tool: Instrument) -> float:
        there = [c for c in intelligent if lies_in(agents.prefectures[c.prefecture], tool.place)]
        everywhere = 1.0 if len(there) == len(intelligent) else 0.0
        return expected_rate(tool, t) * ratio(sum(c.halls for c in there), halls, everywhere)

    output = sum(mean(tool) for tool in agents.entries("output_subsidy"))
    output *= 1 - p.output_subsidy_price_share * (1 - p.operating_cost_share)
    hall = drivers["hall_cost"][INTELLIGENT] / p.expected_fill
    capital = sum(
        mean(tool)
        * (hall / (drivers["server_cost"][INTELLIGENT] + hall) if tool.shells_only[t] else 1.0)
        for tool in agents.entries("capital_subsidy")
    )
    diffusion = sum(mean(tool) for tool in agents.entries("even_diffusion"))
    diffusion *= 1 - p.diffusion_readiness_share
    kept = 1 - p.operating_cost_share  # of what is earned
    return math.log((kept + output) / kept / (1 - capital - diffusion))


def pay(
    agents: Agents,
    due: list[float],
    envelope: list[float],
    available: list[float],
    provincial: float,
) -> dict[str, Any]:
    """Pay programmes as far as each local match allows; what is on record in full.

    What the province may have to pay for transfers counts against its cash from the start.
    """
    t, places = agents.period, range(len(agents.prefectures))
    every = agents.instruments
    parts = [who_pays(agents, tool) for tool in every]
    nation_willing = [
        min(1.0, place.match_last_year / agents.p.match_threshold) for place in agents.prefectures
    ]
    place_due, province_due = [0.0 for _ in places], 0.0
    for i, tool in enumerate(every):
        if not tool.observed[t]:
            province_due += (due[i] + envelope[i]) * tool.split[1]
            for place in places:
                place_due[place] += due[i] * tool.split[2] * parts[i][place]
    match = [min(1.0, ratio(available[x], place_due[x], 1.0)) for x in places]
    province_match = min(1.0, ratio(provincial, province_due, 1.0))
    paid, levels = [], [0.0, 0.0, 0.0]
    by_place, free_spent, province_spent = [0.0 for _ in places], [0.0 for _ in places], 0.0
    for i, tool in enumerate(every):
        whole = [0.0, 0.0, 0.0]
        for x in places:
            nation, province, prefecture = (due[i] * parts[i][x] * share for share in tool.split)
            if not tool.observed[t]:
                met = min(
                    match[x] if tool.split[2] else 1.0, province_match if tool.split[1] else 1
                )
                willing = sum(nation_willing[y] * parts[i][y] for y in places)
                nation *= met * willing
                province *= met
                prefecture *= met
                province_spent += province
                free_spent[x] += prefecture
            by_place[x] += prefecture
            whole = [a + b for a, b in zip(whole, (nation, province, prefecture), strict=True)]
        levels = [a + b for a, b in zip(levels, whole, strict=True)]
        paid.append(sum(whole))
    return {
        "paid": paid,
        "levels": levels,
        "by_place": by_place,
        "left": [max(available[x] - free_spent[x], 0.0) for x in places],
        "province_left": max(provincial - province_spent, 0.0),
        "match": match,
        "co_funding": nation_willing,
    }


def lever(agents: Agents, name: str, spending: float) -> float:
    """Return what a programme's spending a year buys."""
    p = agents.p
    if name == "hub_readiness":
        return p.hub_readiness_effectiveness if spending > 0 else 0.0
    most = getattr(p, f"{name}_maximum") * getattr(p, f"{name}_effectiveness")
    return most * (1 - math.exp(-spending / getattr(p, f"{name}_scale")))


def fiscal_extra(agents: Agents) -> float:
    """Return what risen local receipts add to innovation spending (C2)."""
    if agents.period < FIRST_POLICY_QUARTER:
        return 0.0
    receipts = agents.province.receipts
    risen = sum(receipts) / len(receipts) - agents.province.receipts_reference
    return agents.p.fiscal_loop * max(risen, 0.0)


def fiscal_talent(agents: Agents, extra: float) -> float:
    """Return what the part that is no research grant adds to the talent lever (C2)."""
    p = agents.p
    money = extra - p.fiscal_loop_grant_share * extra
    return p.talent_retention_maximum * (1 - math.exp(-money / p.fiscal_loop_scale))


def readiness_tilt(agents: Agents, tool: Instrument) -> float:
    """Return the factor on readiness spending on record: another shape, the same total."""
    if tool.name != "hub_readiness" or not tool.observed[agents.period]:
        return 1.0
    record = [
        (t / 4, money) for t, money in enumerate(tool.spending) if tool.observed[t] and money > 0
    ]
    whole = sum(money for _, money in record)
    if whole == 0:
        return 1.0
    centre = sum(year * money for year, money in record) / whole
    tilt = agents.p.readiness_history_tilt
    tilted = sum(money * math.exp(tilt * (year - centre)) for year, money in record)
    return math.exp(tilt * (agents.period / 4 - centre)) * whole / tilted


def envelope_weights(agents: Agents) -> list[float]:
    """Return the factor on every plan; the province decides it anew in each first quarter."""
    p, t = agents.p, agents.period
    every = agents.instruments
    if t < FIRST_POLICY_QUARTER or t % 4 != 0:
        return [tool.envelope_weight for tool in every]
    plans, pots, unspent, short = [], [], [], []
    for tool in every:
        plan = max(sum(tool.envelope[s] + tool.spending[s] for s in range(t - 4, t)) / 4, 0.0)
        movable = not tool.programme and tool.rate[t] > 0
        pot = plan * tool.envelope_weight if movable else 0.0
        plans.append(plan)
        pots.append(pot)
        unspent.append(max(pot - tool.paid, 0.0) if tool.claimed <= pot else 0.0)
        short.append(max(tool.claimed - pot, 0.0) if pot > 0 else 0.0)
    moved = p.envelope_mobility * min(sum(unspent), sum(short))
    before, now = agents.province.receipts_before, sum(agents.province.receipts)
    cut = 1.0
    if before > 0:
        cut = 1 - p.receipts_pressure * max(1 - now / before, 0.0)
    result = []
    for i, tool in enumerate(every):
        weight = tool.envelope_weight
        if pots[i] > 0:
            taken = moved * ratio(unspent[i], sum(unspent))
            given = moved * ratio(short[i], sum(short))
            weight = ratio(pots[i] - taken + given, plans[i])
        result.append(weight * max(cut, p.envelope_floor))
    return result


def maintenance_need(agents: Agents, readiness: float) -> float:
    """Return the spending that offsets the wear of readiness, at most at the ceiling."""
    p = agents.p
    ready = min(readiness, p.readiness_ceiling)
    return p.readiness_depreciation * p.readiness_investment_scale * ready / (1 - ready)


def below_ceiling(agents: Agents, place: int) -> bool:
    """Return whether readiness can still rise by the prefecture's own decision."""
    return agents.prefectures[place].readiness < agents.p.readiness_ceiling


def next_readiness(agents: Agents, readiness: float, spending: float) -> float:
    """Return readiness after spending and wear."""
    p = agents.p
    gain = 1 - math.exp(-spending / p.readiness_investment_scale)
    return readiness + (1 - readiness) * gain - p.readiness_depreciation * readiness


def next_ambition(agents: Agents) -> list[float]:
    """Return ambition after a look at the fastest grower."""
    p = agents.p
    fastest = max(place.growth for place in agents.prefectures)
    moved = [
        (1 - p.ambition_fading) * place.ambition + p.ambition_gain * (fastest - place.growth)
        for place in agents.prefectures
    ]
    return [min(max(ambition, 0.0), 1.0) for ambition in moved]


def gate(agents: Agents) -> list[float]:
    """Return 1 for each (kind, prefecture) cell where new halls are refused."""
    tools = [tool for tool in agents.entries("occupancy_gate") if tool.rate[agents.period] > 0]
    result = []
    for kind, place in agents.cells():
        prefecture = agents.prefectures[place]
        history = prefecture.fill_history[kind]
        low = sum(history) / len(history) < agents.p.gate_threshold
        active = any(lies_in(prefecture, tool.place) for tool in tools)
        result.append(1.0 if active and low and not prefecture.hub else 0.0)
    return result
