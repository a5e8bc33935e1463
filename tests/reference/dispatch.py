"""S4, each cell's dispatch: contracts with search friction, then the pool by merit order."""

from __future__ import annotations

import math
from typing import Any

from .agents import HOURS, INTELLIGENT, Agents
from .closed_forms import autoregress, clear, logistic, match, ratio, shares
from .routing import RIVAL, reference_routing

REAL_TIME, BATCH = 0, 1
CLASSES = (REAL_TIME, BATCH)


def reference_dispatch(
    agents: Agents, drivers: dict[str, Any], policy: dict[str, Any], investment: dict[str, Any]
) -> dict[str, Any]:
    """Return the quarter's sales of compute, named as in the vectorised stage."""
    routing = reference_routing(agents, drivers, policy, investment)
    weight = contract_weights(agents, drivers, routing)
    wanted, nowhere = class_demand(agents, routing, weight)
    kinds = range(len(agents.kinds))
    by_class = [[0.0 for _ in agents.centres] for _ in CLASSES]
    totals = {name: [[0.0 for _ in kinds] for _ in CLASSES] for name in ("served", "leaked")}
    totals |= {name: [list(kinds) for kinds in nowhere] for name in ("inflow", "lost")}
    for kind, place in agents.cells():
        members = [
            i
            for i, centre in enumerate(agents.centres)
            if (centre.kind, centre.prefecture) == (kind, place)
        ]
        runs = drivers["hub_availability"] if agents.prefectures[place].hub else 1.0
        free = [HOURS * investment["servers"][i] * runs for i in members]
        for order in CLASSES:
            demand = wanted[order][kind, place]
            sold, lost, leaked = serve(
                agents, drivers, policy, routing, members, demand, free, weight, order
            )
            for i, quantity in zip(members, sold, strict=True):
                by_class[order][i] = quantity
            free = [max(f - q, 0.0) for f, q in zip(free, sold, strict=True)]
            totals["inflow"][order][kind] += demand
            totals["served"][order][kind] += sum(sold)
            totals["lost"][order][kind] += lost
            totals["leaked"][order][kind] += leaked
    sold = [by_class[REAL_TIME][i] + by_class[BATCH][i] for i in range(len(agents.centres))]
    use = [ratio(sold[i], HOURS * investment["servers"][i]) for i in range(len(sold))]
    money = settle(agents, policy, routing, by_class, totals)
    served_anywhere = [
        sum(region[kind] for region in routing["own_served"])
        + routing["rival_served"][kind]
        + sum(totals["served"][order][kind] for order in CLASSES)
        for kind in kinds
    ]
    return {
        **totals,
        **money,
        "routing": routing,
        "sold": sold,
        "by_class": by_class,
        "use": use,
        "mark_next": [
            next_mark(agents, centre.mark, use[i]) for i, centre in enumerate(agents.centres)
        ],
        "tenants_next": next_tenants(agents),
        "experience_next": learn(agents, routing),
        "energy": [energy(agents, investment, i, use[i]) for i in range(len(use))],
        "national_use": [served_anywhere[k] / (drivers["capacity"][k] * HOURS) for k in kinds],
        "rival_use": [
            ratio(routing["rival_served"][k], routing["rival_capacity"][k] * HOURS) for k in kinds
        ],
        "firm_fulfilment": [home_fulfilment(agents, routing, money["delivered"])],
    }


def contract_weights(
    agents: Agents, drivers: dict[str, Any], routing: dict[str, Any]
) -> list[float]:
    """Return each centre's pull: visible size, price, quality, luck with tenants (4.4)."""
    offer, result = routing["offer"], []
    for i, centre in enumerate(agents.centres):
        relative = offer["price"][i] / drivers["price"][centre.kind]
        pull = relative ** (-agents.p.contract_price_sensitivity) * math.exp(centre.tenants)
        result.append(offer["size"][i] * centre.quality * pull)
    return result


def class_demand(
    agents: Agents, routing: dict[str, Any], weight: list[float]
) -> tuple[list[dict[tuple[int, int], float]], list[list[float]]]:
    """Return demand of each class by cell, and by kind that of which no centre is in reach, PFh.

    Real-time work goes no further than its latency limit.
    """
    limit = min(work.latency_limit_ms for work in agents.workloads if work.real_time)
    pull = {cell: 0.0 for cell in agents.cells()}
    for centre, w in zip(agents.centres, weight, strict=True):
        pull[centre.kind, centre.prefecture] += w
    result = []
    nowhere = [[0.0 for _ in agents.kinds] for _ in CLASSES]
    for order in CLASSES:
        demand = {cell: 0.0 for cell in agents.cells()}
        for g, region in enumerate(agents.regions):
            near = [
                place
                for place, prefecture in enumerate(agents.prefectures)
                if order == BATCH or region.latency_home_ms + prefecture.latency_extra_ms <= limit
            ]
            for w, work in enumerate(agents.workloads):
                if (REAL_TIME if work.real_time else BATCH) != order:
                    continue
                whole = sum(pull[work.kind, place] for place in near)
                if whole == 0:
                    nowhere[order][work.kind] += routing["inflow"][g][w]
                for place in near:
                    part = ratio(pull[work.kind, place], whole)
                    demand[work.kind, place] += routing["inflow"][g][w] * part
        result.append(demand)
    return result, nowhere


def serve(
    agents: Agents,
    drivers: dict[str, Any],
    policy: dict[str, Any],
    routing: dict[str, Any],
    members: list[int],
    demand: float,
    free: list[float],
    weight: list[float],
    order: int,
) -> tuple[list[float], float, float]:
    """Return sales of a cell's centres in one class, what is lost and what leaks (4.4)."""
    p = agents.p
    kind = agents.centres[members[0]].kind
    place = agents.prefectures[agents.centres[members[0]].prefecture]
    lever = policy["lever"]["unified_dispatch"][0] * agents.by_kind("dispatch_factor")[kind]
    pooled = min(p.pooled_share + lever, 1.0)
    exponent = p.search_exponent * (1 + p.dispatch_search_gain * lever)
    contracts = (1 - pooled) * demand
    pull = shares([weight[i] for i in members])
    signed, unserved = [], contracts
    for share, room in zip(pull, free, strict=True):
        own = match(share * contracts, room, exponent)
        signed.append(min(own, share * contracts, room))
        unserved -= signed[-1]
    unserved = max(unserved, 0.0)
    pool = pooled * demand + pooled * (1 - p.pool_leak) * unserved
    leaked = pooled * p.pool_leak * unserved
    offers, idle = [], []
    for i, room, own in zip(members, free, signed, strict=True):
        reference = drivers["price"][kind]
        offer = routing["offer"]["cost"][i] / reference
        if order == REAL_TIME:
            offer += p.latency_charge * place.latency_extra_ms
        margin = (math.exp(agents.centres[i].mark) - offer) / p.merit_order_width
        offers.append(offer)
        idle.append(max(room - own, 0.0) * logistic(min(margin, p.margin_cap)))
    dispatched = clear(idle, offers, pool, p.merit_order_width)
    sold = [a + b for a, b in zip(signed, dispatched, strict=True)]
    return sold, max(demand - sum(sold) - leaked, 0.0), leaked


def settle(
    agents: Agents,
    policy: dict[str, Any],
    routing: dict[str, Any],
    by_class: list[list[float]],
    totals: dict[str, list[list[float]]],
) -> dict[str, Any]:
    """Return revenue by centre, deliveries and payments by buyer.

    Buyers of a kind and class are served alike; a centre earns its posted price times the mean
    multiplier of what its kind and class serves.
    """
    p, regions = agents.p, range(len(agents.regions))
    delivered = [[0.0 for _ in agents.workloads] for _ in regions]
    payments = [[0.0 for _ in agents.workloads] for _ in regions]
    revenue = [0.0 for _ in agents.centres]
    discount = 1 - p.output_subsidy_price_share * policy["rate"]["output_subsidy"][0]
    for kind in range(len(agents.kinds)):
        for order in CLASSES:
            works = [
                w
                for w, work in enumerate(agents.workloads)
                if work.kind == kind and (REAL_TIME if work.real_time else BATCH) == order
            ]
            success = ratio(totals["served"][order][kind], totals["inflow"][order][kind])
            quantity = value = 0.0
            for g in regions:
                for w in works:
                    delivered[g][w] = routing["inflow"][g][w] * success
                    quantity += delivered[g][w]
                    value += delivered[g][w] * agents.workloads[w].price_multiplier
            income = 0.0
            for i, centre in enumerate(agents.centres):
                if centre.kind == kind:
                    price = routing["offer"]["price"][i] * ratio(value, quantity) * discount
                    earned = price * by_class[order][i] / 1e6
                    revenue[i] += earned
                    income += earned
            for g in regions:
                for w in works:
                    multiple = agents.workloads[w].price_multiplier
                    payments[g][w] = delivered[g][w] * multiple * ratio(income, value)
    posted = [earned / discount for earned in revenue]
    return {"revenue": revenue, "posted": posted, "delivered": delivered, "payments": payments}


def next_mark(agents: Agents, mark: float, use: float) -> float:
    """Return a centre's price mark after it saw its use (4.6)."""
    p = agents.p
    moved = (1 - p.mark_fading) * mark + p.mark_speed * (use - p.target_use)
    return min(max(moved, p.mark_low), p.mark_high)


def next_tenants(agents: Agents) -> list[float]:
    """Return each centre's luck with tenants, an AR(1)."""
    p, luck = agents.p, agents.normal("tenants", len(agents.centres))
    return [
        autoregress(centre.tenants, luck[centre.luck], p.tenant_persistence, p.tenant_sd)
        for centre in agents.centres
    ]


def learn(agents: Agents, routing: dict[str, Any]) -> list[list[float]]:
    """Return buyers' experience with the province (4.1)."""
    p, result = agents.p, []
    for g, region in enumerate(agents.regions):
        row = []
        for w, work in enumerate(agents.workloads):
            seen = routing["share"][g][w][2] * routing["offer"]["quality"][work.kind]
            old = region.buyers[w].experience
            row.append(old + p.experience_speed * (seen / (seen + p.experience_half) - old))
        result.append(row)
    return result


def energy(agents: Agents, investment: dict[str, Any], i: int, use: float) -> float:
    """Return a centre's energy, MWh: idle draw and work done (4.7)."""
    p = agents.p
    load = p.idle_power_share + (1 - p.idle_power_share) * p.work_per_contract * use
    kilowatt = investment["power"][i] * investment["pue"][i] * investment["servers"][i] * load
    return kilowatt * HOURS / 1000


def home_fulfilment(agents: Agents, routing: dict[str, Any], delivered: list[list[float]]) -> float:
    """Return the share of the home region's intelligent demand that is served anywhere."""
    wanted = got = 0.0
    for g, region in enumerate(agents.regions):
        if region.home:
            for w, work in enumerate(agents.workloads):
                if work.kind == INTELLIGENT:
                    k, demand = work.kind, routing["demand"][g][w]
                    away = ratio(routing["rival_served"][k], routing["rival_demand"][k])
                    wanted += demand
                    got += delivered[g][w] + demand * routing["share"][g][w][RIVAL] * away
    return ratio(got, wanted)
