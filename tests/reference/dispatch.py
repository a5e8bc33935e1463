"""S4, each cell's dispatch: contracts with search friction, then the pool by merit order."""

from __future__ import annotations

import math
from typing import Any

from .agents import GENERAL, HOURS, INTELLIGENT, Agents
from .closed_forms import autoregress, clear, logistic, match, ratio, shares
from .location import lowest_price, running_pue
from .routing import HOME, OWN, RIVAL, home_latency, reference_routing, served_quality

REAL_TIME, BATCH = 0, 1
CLASSES = (REAL_TIME, BATCH)

Cell = tuple[int, int]
Record = dict[str, Any]


def reference_dispatch(
    agents: Agents, drivers: Record, policy: Record, investment: Record
) -> Record:
    """Return the quarter's sales of compute, named as in the vectorised stage."""
    routing = reference_routing(agents, drivers, policy, investment)
    weight = contract_weights(agents, drivers, policy, routing)
    wanted, nowhere = class_demand(agents, policy, routing, weight)
    members = members_of_cells(agents)
    kinds = range(len(agents.kinds))
    totals = {name: [[0.0 for _ in kinds] for _ in CLASSES] for name in ("served", "leaked")}
    totals |= {name: [list(kinds) for kinds in nowhere] for name in ("inflow", "lost")}
    hours = free = running_hours(agents, drivers, investment)
    by_class = []
    for order in CLASSES:
        offered = free
        if order == REAL_TIME:
            offered = less_reserve(policy, members, wanted[BATCH], free)
        sold, leaked = serve(
            agents, drivers, policy, routing, members, wanted[order], offered, weight, order
        )
        by_class.append(sold)
        free = [max(f - q, 0.0) for f, q in zip(free, sold, strict=True)]
        for kind in kinds:
            demand = sum(wanted[order][cell] for cell in members if cell[0] == kind)
            outside = sum(leaked[cell] for cell in members if cell[0] == kind)
            done = sum(q for q, c in zip(sold, agents.centres, strict=True) if c.kind == kind)
            totals["inflow"][order][kind] += demand
            totals["served"][order][kind] = done
            totals["leaked"][order][kind] = outside
            totals["lost"][order][kind] += max(demand - outside - done, 0.0)
    stand_in = substitute(agents, policy, totals, free)
    helped = help_from_neighbours(agents, policy, routing, totals)
    helped_home = help_for_home(agents, routing, helped)
    sold = [sum(parts) for parts in zip(*by_class, stand_in, strict=True)]
    use = [ratio(sold[i], HOURS * investment["servers"][i]) for i in range(len(sold))]
    money = settle(agents, drivers, policy, routing, by_class, stand_in, totals)
    served_anywhere = [
        sum(region[kind] for region in routing["own_served"])
        + routing["rival_served"][kind]
        + helped[kind]
        + sum(totals["served"][order][kind] for order in CLASSES)
        for kind in kinds
    ]
    return {
        **totals,
        **money,
        "routing": routing,
        "helped": helped,
        "helped_home": helped_home,
        "sold": sold,
        "by_class": by_class,
        "use": use,
        "mark_next": [
            next_mark(agents, centre.mark, ratio(sold[i], hours[i]))
            for i, centre in enumerate(agents.centres)
        ],
        "tenants_next": next_tenants(agents),
        "experience_next": learn(agents, policy, routing),
        "energy": [energy(agents, policy, investment, i, use[i]) for i in range(len(use))],
        "national_use": [served_anywhere[k] / (drivers["capacity"][k] * HOURS) for k in kinds],
        "rival_use": [
            ratio(routing["rival_served"][k] + helped[k], routing["rival_capacity"][k] * HOURS)
            for k in kinds
        ],
        "firm_fulfilment": [home_fulfilment(agents, routing, money["delivered"], helped_home)],
    }


def members_of_cells(agents: Agents) -> dict[Cell, list[int]]:
    """Return the centres of each (kind, prefecture) by their number."""
    members: dict[Cell, list[int]] = {cell: [] for cell in agents.cells()}
    for i, centre in enumerate(agents.centres):
        members[centre.kind, centre.prefecture].append(i)
    return members


def running_hours(agents: Agents, drivers: Record, investment: Record) -> list[float]:
    """Return what each centre can sell, PFh: less where the hub is out or power is short."""
    hours = []
    for centre, servers in zip(agents.centres, investment["servers"], strict=True):
        runs = drivers["supply"]
        if agents.prefectures[centre.prefecture].hub:
            runs *= drivers["hub_availability"]
        hours.append(HOURS * servers * runs)
    return hours


def less_reserve(
    policy: Record, members: dict[Cell, list[int]], batch: dict[Cell, float], free: list[float]
) -> list[float]:
    """Return what real-time work may use: where batch goes first, room is kept for it."""
    lever = min(policy["lever"]["latency_insensitive_first"][0], 1.0)
    offered = list(free)
    for cell, centres in members.items():
        cover = min(1.0, ratio(batch[cell], sum(free[i] for i in centres)))
        for i in centres:
            offered[i] -= lever * cover * free[i]
    return offered


def contract_weights(
    agents: Agents, drivers: Record, policy: Record, routing: Record
) -> list[float]:
    """Return each centre's pull: visible size, price, quality, luck with tenants."""
    offer, result = routing["offer"], []
    for i, centre in enumerate(agents.centres):
        relative = offer["price"][i] / drivers["price"][centre.kind]
        pull = relative ** (-agents.p.contract_price_sensitivity) * math.exp(centre.tenants)
        result.append(offer["size"][i] * served_quality(agents, policy, centre) * pull)
    return result


def class_demand(
    agents: Agents, policy: Record, routing: Record, weight: list[float]
) -> tuple[list[dict[Cell, float]], list[list[float]]]:
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
            to_hub = home_latency(agents, policy, region)
            near = [
                place
                for place, prefecture in enumerate(agents.prefectures)
                if order == BATCH or to_hub + prefecture.latency_extra_ms <= limit
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
    drivers: Record,
    policy: Record,
    routing: Record,
    members: dict[Cell, list[int]],
    demand: dict[Cell, float],
    free: list[float],
    weight: list[float],
    order: int,
) -> tuple[list[float], dict[Cell, float]]:
    """Return sales of centres in one class and what leaks from each cell.

    The pool clears in its cell; the linked part of batch work clears afterwards among all
    centres of the kind.
    """
    linked = min(policy["lever"]["hub_linkage"][0], 1.0) if order == BATCH else 0.0
    width = agents.p.merit_order_width
    sold = [0.0 for _ in agents.centres]
    leaked = {}
    for kind in range(len(agents.kinds)):
        offers, idle, province = {}, {}, 0.0
        for place in range(len(agents.prefectures)):
            cell = kind, place
            centres = members[cell]
            pull, room = [weight[i] for i in centres], [free[i] for i in centres]
            signed, pool, leaked[cell] = contract(agents, policy, kind, pull, demand[cell], room)
            for i, own in zip(centres, signed, strict=True):
                sold[i] = own
                offers[i], willing = pool_offer(agents, drivers, policy, routing, i, order)
                idle[i] = max(free[i] - own, 0.0) * willing
            province += linked * pool
            local = [idle[i] for i in centres], [offers[i] for i in centres]
            for i, quantity in zip(centres, clear(*local, (1 - linked) * pool, width), strict=True):
                sold[i] += quantity
                idle[i] -= quantity
        if province > 0:
            everywhere = clear(list(idle.values()), list(offers.values()), province, width)
            for i, quantity in zip(idle, everywhere, strict=True):
                sold[i] += quantity
    return sold, leaked


def contract(
    agents: Agents,
    policy: Record,
    kind: int,
    weight: list[float],
    demand: float,
    free: list[float],
) -> tuple[list[float], float, float]:
    """Return what a cell's centres sign, what goes to the pool and what leaks."""
    p = agents.p
    lever = policy["lever"]["unified_dispatch"][0] * agents.by_kind("dispatch_factor")[kind]
    pooled = min(p.pooled_share + lever, 1.0)
    exponent = p.search_exponent * (1 + p.dispatch_search_gain * lever)
    contracts = (1 - pooled) * demand
    signed, unserved = [], contracts
    for share, room in zip(shares(weight), free, strict=True):
        own = match(share * contracts, room, exponent)
        signed.append(min(own, share * contracts, room))
        unserved -= signed[-1]
    unserved = max(unserved, 0.0)
    pool = pooled * demand + pooled * (1 - p.pool_leak) * unserved
    return signed, pool, pooled * p.pool_leak * unserved


def pool_offer(
    agents: Agents, drivers: Record, policy: Record, routing: Record, i: int, order: int
) -> tuple[float, float]:
    """Return a centre's offer to the pool over the reference price, and how willing it is."""
    p, centre = agents.p, agents.centres[i]
    lowest = lowest_price(agents, policy, centre, routing["offer"]["cost"][i])
    offer = lowest / drivers["price"][centre.kind]
    if order == REAL_TIME:
        offer += p.latency_charge * agents.prefectures[centre.prefecture].latency_extra_ms
    margin = (math.exp(centre.mark) - offer) / p.merit_order_width
    return offer, logistic(min(margin, p.margin_cap))


def substitute(agents: Agents, policy: Record, totals: Record, free: list[float]) -> list[float]:
    """Return idle intelligent hours that do general batch work, and book that work as served.

    A unit of them does `substitution_ratio` units of general work.
    """
    p = agents.p
    linkage = min(policy["lever"]["hub_linkage"][0], 1.0)
    wanted = p.substitution_share * linkage * totals["lost"][BATCH][GENERAL] / p.substitution_ratio
    idle = [
        hours if centre.kind == INTELLIGENT else 0.0
        for centre, hours in zip(agents.centres, free, strict=True)
    ]
    used = min(1.0, ratio(wanted, sum(idle)))
    stand_in = [used * hours for hours in idle]
    done = p.substitution_ratio * sum(stand_in)
    totals["served"][BATCH][GENERAL] += done
    totals["lost"][BATCH][GENERAL] -= done
    return stand_in


def help_from_neighbours(
    agents: Agents, policy: Record, routing: Record, totals: Record
) -> list[float]:
    """Return batch work without a centre here that idle centres next door take, by kind."""
    taken = []
    shared = policy["lever"]["compute_corridor"][0] * agents.p.neighbour_share
    for kind in range(len(agents.kinds)):
        idle = routing["rival_capacity"][kind] * HOURS - routing["rival_served"][kind]
        helped = min(totals["lost"][BATCH][kind], shared * max(idle, 0.0))
        totals["lost"][BATCH][kind] -= helped
        taken.append(helped)
    return taken


def help_for_home(agents: Agents, routing: Record, helped: list[float]) -> list[float]:
    """Return the home region's part of it by workload: as much of it as it sent here."""
    result = [0.0 for _ in agents.workloads]
    home = next(g for g, region in enumerate(agents.regions) if region.home)
    for kind in range(len(agents.kinds)):
        works = works_of(agents, kind, BATCH)
        sent = sum(row[w] for row in routing["inflow"] for w in works)
        for w in works:
            result[w] = routing["inflow"][home][w] * ratio(helped[kind], sent)
    return result


def settle(
    agents: Agents,
    drivers: Record,
    policy: Record,
    routing: Record,
    by_class: list[list[float]],
    stand_in: list[float],
    totals: Record,
) -> Record:
    """Return revenue by centre, deliveries and payments by buyer.

    Buyers of a kind and class are served alike; a centre earns its posted price times the mean
    multiplier of what its kind and class serves. General work on intelligent servers earns the
    general reference price, paid by buyers of general batch work in proportion to what they sent.
    """
    p, regions = agents.p, range(len(agents.regions))
    delivered = [[0.0 for _ in agents.workloads] for _ in regions]
    payments = [[0.0 for _ in agents.workloads] for _ in regions]
    revenue = [0.0 for _ in agents.centres]
    discount = [
        1 - p.output_subsidy_price_share * rate for rate in policy["rate"]["output_subsidy"]
    ]
    for kind in range(len(agents.kinds)):
        for order in CLASSES:
            works = works_of(agents, kind, order)
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
                    price = routing["offer"]["price"][i] * ratio(value, quantity)
                    price *= discount[centre.prefecture]
                    earned = price * by_class[order][i] / 1e6
                    revenue[i] += earned
                    income += earned
            for g in regions:
                for w in works:
                    multiple = agents.workloads[w].price_multiplier
                    payments[g][w] = delivered[g][w] * multiple * ratio(income, value)
    works = works_of(agents, GENERAL, BATCH)
    sent = sum(routing["inflow"][g][w] for g in regions for w in works)
    for i, hours in enumerate(stand_in):
        earned = hours * p.substitution_ratio * drivers["price"][GENERAL] / 1e6
        earned *= discount[agents.centres[i].prefecture]
        revenue[i] += earned
        for g in regions:
            for w in works:
                payments[g][w] += earned * ratio(routing["inflow"][g][w], sent)
    posted = [
        earned / discount[centre.prefecture]
        for centre, earned in zip(agents.centres, revenue, strict=True)
    ]
    return {"revenue": revenue, "posted": posted, "delivered": delivered, "payments": payments}


def works_of(agents: Agents, kind: int, order: int) -> list[int]:
    """Return the workloads of a kind and class."""
    return [
        w
        for w, work in enumerate(agents.workloads)
        if work.kind == kind and (REAL_TIME if work.real_time else BATCH) == order
    ]


def next_mark(agents: Agents, mark: float, use: float) -> float:
    """Return a centre's price mark after it saw its use."""
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


def learn(agents: Agents, policy: Record, routing: Record) -> list[list[float]]:
    """Return buyers' experience with the province, anchors' work included."""
    p, result = agents.p, []
    for g, region in enumerate(agents.regions):
        row = []
        for w, work in enumerate(agents.workloads):
            here = routing["share"][g][w][HOME]
            if not work.real_time:
                here += policy["lever"]["anchor_tenants"][0] * routing["share"][g][w][OWN]
            seen = here * routing["offer"]["quality"][work.kind]
            old = region.buyers[w].experience
            row.append(old + p.experience_speed * (seen / (seen + p.experience_half) - old))
        result.append(row)
    return result


def energy(agents: Agents, policy: Record, investment: Record, i: int, use: float) -> float:
    """Return a centre's energy, MWh: idle draw and work done."""
    p = agents.p
    load = p.idle_power_share + (1 - p.idle_power_share) * p.work_per_contract * use
    pue = running_pue(agents, policy, agents.centres[i].prefecture, investment["pue"][i])
    kilowatt = investment["power"][i] * pue * investment["servers"][i] * load
    return kilowatt * HOURS / 1000


def home_fulfilment(
    agents: Agents, routing: Record, delivered: list[list[float]], helped: list[float]
) -> float:
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
                    got += helped[w]
    return ratio(got, wanted)
