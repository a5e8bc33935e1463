"""S4, each buyer's choice: own region, rival hubs or this province; eastern overflow."""

from __future__ import annotations

import math
from typing import Any

from .agents import GENERAL, HOURS, INTELLIGENT, SUPER, Agents, Region, Workload
from .closed_forms import logistic, logit_shares, match, ratio
from .drivers import mix
from .location import posted_price, variable_cost

OWN, RIVAL, HOME = 0, 1, 2


def reference_routing(
    agents: Agents, drivers: dict[str, Any], policy: dict[str, Any], investment: dict[str, Any]
) -> dict[str, Any]:
    """Return where demand goes, named as in the vectorised stage."""
    p = agents.p
    kinds = range(len(agents.kinds))
    offer = make_offer(agents, drivers, policy, investment)
    local = local_demand(agents, drivers, offer)
    own_capacity = [eastern_capacity(agents, drivers, region) for region in agents.regions]
    standing = [0.0 for _ in kinds]
    for centre, servers in zip(agents.centres, investment["servers"], strict=True):
        standing[centre.kind] += servers
    rival = [max(p.footloose_share * drivers["capacity"][k] - standing[k], 0.0) for k in kinds]
    result: dict[str, Any] = {
        name: [] for name in "demand share inflow overflow captured own_served price_paid".split()
    }
    rival_demand = [0.0 for _ in kinds]
    for g, region in enumerate(agents.regions):
        demand = list(drivers["demand"][g])
        if region.home:
            demand = [sum(user[w] for user in local["users"]) for w in range(len(demand))]
        choices = [
            choose(agents, policy, offer, region, w, own_capacity[g], rival)
            for w in range(len(demand))
        ]
        share = [choice[0] for choice in choices]
        served, lost = serve_at_home(agents, region, demand, share, own_capacity[g])
        overflow, captured, inflow = [], [], []
        for w, work in enumerate(agents.workloads):
            left = demand[w] * share[w][OWN] * lost[work.kind]
            moved = p.overflow_capture * work.movable * left
            here = ratio(share[w][HOME], share[w][HOME] + share[w][RIVAL])
            overflow.append(left)
            captured.append(moved)
            inflow.append(demand[w] * share[w][HOME] + moved * here)
            rival_demand[work.kind] += demand[w] * share[w][RIVAL] + moved * (1 - here)
        row = {
            "demand": demand,
            "share": share,
            "inflow": inflow,
            "overflow": overflow,
            "captured": captured,
            "own_served": served,
            "price_paid": [choice[1] for choice in choices],
        }
        for name, values in row.items():
            result[name].append(values)
    return {
        **result,
        "offer": offer,
        "local": local,
        "rival_demand": rival_demand,
        "rival_served": [
            match(rival_demand[k], rival[k] * HOURS, p.eastern_matching) for k in kinds
        ],
        "rival_capacity": rival,
    }


def serve_at_home(
    agents: Agents,
    region: Region,
    demand: list[float],
    share: list[list[float]],
    capacity: list[float],
) -> tuple[list[float], list[float]]:
    """Return what a region serves itself by kind, PFh, and the share it cannot serve (4.3)."""
    p = agents.p
    served, lost = [], []
    for kind in range(len(agents.kinds)):
        wanted = sum(
            demand[w] * share[w][OWN]
            for w, work in enumerate(agents.workloads)
            if work.kind == kind
        )
        able = p.eastern_usable_share * capacity[kind] * HOURS
        done = match(wanted, able, p.eastern_matching)
        served.append(done)
        lost.append(1 - ratio(done, wanted, 1.0))
    return served, lost


def eastern_capacity(agents: Agents, drivers: dict[str, Any], region: Region) -> list[float]:
    """Return a region's capacity that is not footloose, P by kind."""
    if region.home:
        return [0.0 for _ in agents.kinds]
    outside = sum(other.demand_share for other in agents.regions if not other.home)
    settled = 1 - agents.p.footloose_share
    return [settled * capacity * region.demand_share / outside for capacity in drivers["capacity"]]


def make_offer(
    agents: Agents, drivers: dict[str, Any], policy: dict[str, Any], investment: dict[str, Any]
) -> dict[str, Any]:
    """Return what buyers see of the province's centres."""
    p = agents.p
    cost, price, size = [], [], []
    kinds = range(len(agents.kinds))
    seen, at_hub, value, quality = ([0.0 for _ in kinds] for _ in range(4))
    for i, centre in enumerate(agents.centres):
        empty = max(investment["capacity"][i] - investment["servers"][i], 0.0)
        size.append(investment["servers"][i] + p.empty_hall_weight * empty)
        cost.append(variable_cost(agents, policy, centre))
        price.append(posted_price(drivers, centre, cost[i]))
        seen[centre.kind] += size[i]
        value[centre.kind] += size[i] * price[i]
        quality[centre.kind] += size[i] * centre.quality
        if agents.prefectures[centre.prefecture].hub:
            at_hub[centre.kind] += size[i]
    learnt = local_experience(agents, drivers)
    discount = 1 - p.output_subsidy_price_share * policy["rate"]["output_subsidy"][0]
    here, elsewhere = [], []  # users of the province claim a voucher in full, others in part
    for kind in kinds:
        voucher = policy["rate"]["compute_voucher"][0] * ratio(at_hub[kind], seen[kind])
        mean = ratio(value[kind], seen[kind] * drivers["price"][kind], 1.0) * discount
        here.append(mean * (1 - voucher))
        elsewhere.append(mean * (1 - p.voucher_export_share * voucher))
    return {
        "cost": cost,
        "price": price,
        "market": [drivers["price"][c.kind] * math.exp(c.mark) for c in agents.centres],
        "size": size,
        "size_by_kind": seen,
        "relative_price": here,
        "outside_price": elsewhere,
        "quality": [ratio(quality[kind], seen[kind], 1.0) * learnt for kind in kinds],
    }


def local_experience(agents: Agents, drivers: dict[str, Any]) -> float:
    """Return the factor on quality that local users teach (C8)."""
    p = agents.p
    used = sum(firm.compute for firm in agents.firms) / HOURS
    market = drivers["capacity"][INTELLIGENT] / p.finance_reference_capacity
    return 1 + p.local_experience * (1 - math.exp(-used / (p.local_experience_scale * market)))


def local_demand(agents: Agents, drivers: dict[str, Any], offer: dict[str, Any]) -> dict[str, Any]:
    """Return demand of the province's own users, PFh (4.2)."""
    p, province = agents.p, agents.province
    shares = mix(agents, drivers["real_time_share"][0])
    by_firm = [firm_demand(agents, drivers, offer, firm.sales) for firm in agents.firms]
    adopters = sum(
        share * potential_adopters(agents, place)
        for place in range(len(agents.prefectures))
        for share in agents.prefectures[place].deployment
    )
    by_park, own = [], []
    for park in agents.parks:
        spending = p.park_compute_share * park.adoption * park_output(agents, park)
        wanted = spending * 1e6 / drivers["price"][GENERAL]
        by_park.append(wanted)
        own.append(min(wanted, park.servers * HOURS))
    government = p.government_compute_share * province.budget_expenditure / 4
    government *= 1e6 / drivers["price"][GENERAL]
    home = next(region for region in agents.regions if region.home)
    national = agents.nation.demand_ratio[SUPER] * agents.table[agents.period][SUPER]
    batch = sum(work.share_within_kind for work in agents.workloads if is_batch_general(work))
    users: list[list[float]] = [[] for _ in range(5)]
    for w, work in enumerate(agents.workloads):
        intelligent = work.kind == INTELLIGENT
        part = work.share_within_kind / batch if is_batch_general(work) else 0.0
        users[0].append(sum(by_firm) * shares[w] if intelligent else 0.0)
        real_time = intelligent and work.real_time
        users[1].append(adopters * p.deployment_compute if real_time else 0.0)
        users[2].append((sum(by_park) - sum(own)) * part)
        users[3].append(government if work.kind == GENERAL and work.real_time else 0.0)
        users[4].append(home.demand_share * national * HOURS if work.kind == SUPER else 0.0)
    return {"users": users, "by_firm": by_firm, "by_park": by_park, "park_own": own}


def is_batch_general(work: Workload) -> bool:
    """Return whether a workload is batch work of general compute."""
    return work.kind == GENERAL and not work.real_time


def firm_demand(
    agents: Agents, drivers: dict[str, Any], offer: dict[str, Any], sales: float
) -> float:
    """Return what a firm wants, PFh: a growing share of its sales at the local price."""
    p = agents.p
    spread = logistic(p.compute_share_speed * (agents.year - p.compute_share_midpoint))
    share = p.compute_share_of_sales * (
        p.compute_share_start + (1 - p.compute_share_start) * spread
    )
    local = offer["relative_price"][INTELLIGENT]
    spending = share * sales * local ** (-p.firm_compute_elasticity)
    return spending * 1e6 / drivers["price"][INTELLIGENT]


def potential_adopters(agents: Agents, place: int) -> float:
    """Return organisations of a prefecture that could deploy AI, in each domain."""
    whole = sum(prefecture.gdp for prefecture in agents.prefectures)
    here = agents.p.potential_adopters * agents.prefectures[place].gdp / whole
    return here / len(agents.domains)


def park_output(agents: Agents, park: Any) -> float:
    """Return a park's output, M¥ a quarter: trend times productivity gained (5.8)."""
    p = agents.p
    now = 1 + p.park_productivity_gain * park.adoption
    then = 1 + p.park_productivity_gain * park.first_adoption
    return park.output * math.exp(p.park_output_growth * agents.period / 4) * now / then


def choose(
    agents: Agents,
    policy: dict[str, Any],
    offer: dict[str, Any],
    region: Region,
    w: int,
    own: list[float],
    rival: list[float],
) -> tuple[list[float], float]:
    """Return a buyer's shares of own region, rivals, province, and its mean relative price."""
    p, work = agents.p, agents.workloads[w]
    kind = work.kind
    carriage = work.data_weight * region.network_price / p.network_price_reference
    price_here = offer["relative_price" if region.home else "outside_price"][kind]
    prices = [p.own_region_price, p.rival_price + carriage, price_here + carriage]
    sizes = [own[kind], rival[kind], offer["size_by_kind"][kind]]
    delays = [region.latency_own_ms or 0.0, region.latency_rival_ms, region.latency_home_ms]
    province = agents.by_kind("province_effect")[kind]
    if region.paired and (kind == INTELLIGENT or is_batch_general(work)):
        province += policy["lever"]["regional_pairing"][0]
    if region.home:
        province += p.home_bias
    province += p.routing_quality * math.log(offer["quality"][kind])
    province += p.routing_experience * region.buyers[w].experience
    extras = [p.own_region_effect, 0.0, province]
    utilities = [
        p.routing_size * math.log(1 + sizes[a])
        - p.routing_price * prices[a]
        - p.latency_disutility * work.latency_disutility * delays[a] / 10
        + extras[a]
        for a in (OWN, RIVAL, HOME)
    ]
    if region.home:
        utilities[OWN] = -math.inf
    shares = logit_shares(utilities)
    return shares, sum(s * price for s, price in zip(shares, prices, strict=True))
