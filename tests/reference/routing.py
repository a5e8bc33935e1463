"""S4, each buyer's choice: own region, rival hubs or this province; eastern overflow."""

from __future__ import annotations

import math
from typing import Any

from .agents import GENERAL, HOURS, INTELLIGENT, SUPER, Agents, Centre, Region, Workload
from .closed_forms import logistic, logit_shares, match, ratio
from .location import posted_price, variable_cost
from .policy import expected_rate, lies_in

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
    capture = min(p.overflow_capture + policy["lever"]["overflow_takeup"][0], 1.0)
    for g, region in enumerate(agents.regions):
        demand = list(drivers["demand"][g])
        if region.home:
            demand = [sum(user[w] for user in local["users"]) for w in range(len(demand))]
        choices = [
            choose(agents, drivers, policy, offer, region, w, own_capacity[g], rival)
            for w in range(len(demand))
        ]
        share = [choice[0] for choice in choices]
        flow = [
            buyer_flows(policy, work, demand[w], share[w])
            for w, work in enumerate(agents.workloads)
        ]
        served, lost = serve_at_home(agents, flow, own_capacity[g])
        overflow, captured, inflow = [], [], []
        for w, work in enumerate(agents.workloads):
            left = flow[w][OWN] * lost[work.kind]
            moved = capture * work.movable * left
            here = ratio(share[w][HOME], share[w][HOME] + share[w][RIVAL])
            overflow.append(left)
            captured.append(moved)
            inflow.append(flow[w][HOME] + moved * here)
            rival_demand[work.kind] += flow[w][RIVAL] + moved * (1 - here)
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
    rival_served = [match(rival_demand[k], rival[k] * HOURS, p.eastern_matching) for k in kinds]
    for k in kinds:
        take_from_neighbours(agents, policy, result, k, rival_demand[k] - rival_served[k])
    return {
        **result,
        "offer": offer,
        "local": local,
        "rival_demand": rival_demand,
        "rival_served": rival_served,
        "rival_capacity": rival,
    }


def buyer_flows(
    policy: dict[str, Any], work: Workload, demand: float, share: list[float]
) -> list[float]:
    """Return what a buyer sends to each alternative; anchors move batch work from there to here."""
    flow = [demand * part for part in share]
    if not work.real_time:
        moved = policy["lever"]["anchor_tenants"][0] * flow[OWN]
        flow[OWN] -= moved
        flow[HOME] += moved
    return flow


def take_from_neighbours(
    agents: Agents, policy: dict[str, Any], flows: dict[str, Any], kind: int, unserved: float
) -> None:
    """Add a part of what the west could not serve to what arrives here: neighbours' batch work.

    Neighbouring regions' buyers send it in proportion to their batch demand.
    """
    batch = {
        (g, w): flows["demand"][g][w]
        for g, region in enumerate(agents.regions)
        for w, work in enumerate(agents.workloads)
        if region.neighbour and work.kind == kind and not work.real_time
    }
    shared = policy["lever"]["compute_corridor"][0] * agents.p.neighbour_share * unserved
    for (g, w), demand in batch.items():
        flows["inflow"][g][w] += shared * ratio(demand, sum(batch.values()))


def serve_at_home(
    agents: Agents, flow: list[list[float]], capacity: list[float]
) -> tuple[list[float], list[float]]:
    """Return what a region serves itself by kind, PFh, and the share it cannot serve."""
    p = agents.p
    served, lost = [], []
    for kind in range(len(agents.kinds)):
        wanted = sum(flow[w][OWN] for w, work in enumerate(agents.workloads) if work.kind == kind)
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
    seen, value, quality = ([0.0 for _ in kinds] for _ in range(3))
    tools = agents.entries("compute_voucher")
    offered = [[0.0 for _ in kinds] for _ in tools]  # size of what the vouchers are for
    for i, centre in enumerate(agents.centres):
        empty = max(investment["capacity"][i] - investment["servers"][i], 0.0)
        size.append(investment["servers"][i] + p.empty_hall_weight * empty)
        cost.append(variable_cost(agents, drivers, policy, centre))
        price.append(posted_price(agents, drivers, policy, centre, cost[i]))
        seen[centre.kind] += size[i]
        subsidy = p.output_subsidy_price_share * policy["rate"]["output_subsidy"][centre.prefecture]
        value[centre.kind] += size[i] * price[i] * (1 - subsidy)
        quality[centre.kind] += size[i] * served_quality(agents, policy, centre)
        for tool, sizes in zip(tools, offered, strict=True):
            if lies_in(agents.prefectures[centre.prefecture], tool.place):
                sizes[centre.kind] += size[i]
    learnt = local_experience(agents, drivers)
    discounts = [1 - p.output_subsidy_price_share * r for r in policy["rate"]["output_subsidy"]]
    here, by_place, elsewhere = [], [], []  # users here claim vouchers in full, others in part
    for kind in kinds:
        off = [
            expected_rate(tool, agents.period) * ratio(sizes[kind], seen[kind])
            for tool, sizes in zip(tools, offered, strict=True)
        ]
        mean = ratio(value[kind], seen[kind] * drivers["price"][kind], max(discounts))
        local = [
            sum(part for tool, part in zip(tools, off, strict=True) if lies_in(place, tool.users))
            for place in agents.prefectures
        ]
        want = users_by_place(agents, drivers, kind)
        mean_off = sum(part * weight for part, weight in zip(local, want, strict=True))
        here.append(mean * (1 - ratio(mean_off, sum(want), max(local))))
        if kind == INTELLIGENT:
            by_place = [mean * (1 - part) for part in local]
        open_to_all = sum(part for tool, part in zip(tools, off, strict=True) if not tool.users)
        elsewhere.append(mean * (1 - p.voucher_export_share * open_to_all))
    return {
        "cost": cost,
        "price": price,
        "market": [drivers["price"][c.kind] * math.exp(c.mark) for c in agents.centres],
        "size": size,
        "size_by_kind": seen,
        "relative_price": here,
        "price_by_place": by_place,
        "outside_price": elsewhere,
        "quality": [ratio(quality[kind], seen[kind], 1.0) * learnt for kind in kinds],
    }


def users_by_place(agents: Agents, drivers: dict[str, Any], kind: int) -> list[float]:
    """Return what users in each prefecture want of a kind: firms, parks, or universities."""
    want = [0.0 for _ in agents.prefectures]
    if kind == INTELLIGENT:
        for firm in agents.firms:
            want[firm.prefecture] += firm.compute
    elif kind == GENERAL:
        for park in agents.parks:
            wanted, own = park_demand(agents, drivers, park)
            want[park.prefecture] += wanted - own
    else:
        for university in agents.universities:
            want[university.prefecture] += university.research_funds
    return want


def served_quality(agents: Agents, policy: dict[str, Any], centre: Centre) -> float:
    """Return a centre's service quality; a programme raises it where it acts."""
    return centre.quality * (1 + policy["local_lever"]["second_ring_quality"][centre.prefecture])


def local_experience(agents: Agents, drivers: dict[str, Any]) -> float:
    """Return the factor on quality that local users teach (C8)."""
    p = agents.p
    used = sum(firm.compute for firm in agents.firms) / HOURS
    market = drivers["capacity"][INTELLIGENT] / p.finance_reference_capacity
    return 1 + p.local_experience * (1 - math.exp(-used / (p.local_experience_scale * market)))


def mix(agents: Agents, inference: float) -> list[float]:
    """Return each workload's share of its kind; real-time inference moves, its batch shrinks."""
    result = []
    for work in agents.workloads:
        if work.kind != INTELLIGENT:
            result.append(work.share_within_kind)
        elif work.real_time:
            result.append(inference)
        else:
            result.append((1 - inference) * work.share_within_kind)
    return result


def local_demand(agents: Agents, drivers: dict[str, Any], offer: dict[str, Any]) -> dict[str, Any]:
    """Return demand of the province's own users, PFh."""
    p, province = agents.p, agents.province
    shares = mix(agents, drivers["real_time_share"][0])
    by_firm = [
        ai_compute(agents, drivers, firm.sales, offer["price_by_place"][firm.prefecture])
        for firm in agents.firms
    ]
    adopters = sum(
        share * potential_adopters(agents, place)
        for place in range(len(agents.prefectures))
        for share in agents.prefectures[place].deployment
    )
    deployed = adopters * p.deployment_compute * drivers["ai_demand"] * drivers["tasks"][0]
    by_park, own = zip(*(park_demand(agents, drivers, park) for park in agents.parks), strict=True)
    government = p.government_compute_share * province.budget_expenditure / 4
    government *= drivers["fiscal"] * agents.growth(p.budget_growth)
    government *= 1e6 / drivers["price"][GENERAL]
    home = next(region for region in agents.regions if region.home)
    national = agents.nation.demand_ratio[SUPER] * agents.table[agents.period][SUPER]
    batch = sum(work.share_within_kind for work in agents.workloads if is_batch_general(work))
    branches = branch_demand(agents, drivers)
    users: list[list[float]] = [[] for _ in range(6)]
    for w, work in enumerate(agents.workloads):
        intelligent = work.kind == INTELLIGENT
        part = work.share_within_kind / batch if is_batch_general(work) else 0.0
        users[0].append(sum(by_firm) * shares[w] if intelligent else 0.0)
        real_time = intelligent and work.real_time
        users[1].append(deployed if real_time else 0.0)
        users[2].append((sum(by_park) - sum(own)) * part)
        users[3].append(government if work.kind == GENERAL and work.real_time else 0.0)
        users[4].append(home.demand_share * national * HOURS if work.kind == SUPER else 0.0)
        users[5].append(branches * shares[w] if intelligent else 0.0)
    return {"users": users, "by_firm": by_firm, "by_park": by_park, "park_own": own}


def park_demand(agents: Agents, drivers: dict[str, Any], park: Any) -> tuple[float, float]:
    """Return what a park wants, PFh, and what its own servers do of it."""
    spending = agents.p.park_compute_share * park.adoption * park_output(agents, park)
    wanted = spending * 1e6 / drivers["price"][GENERAL]
    return wanted, min(wanted, park.servers * HOURS)


def is_batch_general(work: Workload) -> bool:
    """Return whether a workload is batch work of general compute."""
    return work.kind == GENERAL and not work.real_time


def compute_share(agents: Agents) -> float:
    """Return the share of sales that is spent on compute, rising with large models."""
    p = agents.p
    spread = logistic(p.compute_share_speed * (agents.year - p.compute_share_midpoint))
    return p.compute_share_of_sales * (p.compute_share_start + (1 - p.compute_share_start) * spread)


def branch_demand(agents: Agents, drivers: dict[str, Any]) -> float:
    """Return what recruited branches want, PFh: a share of what their staff sells (C1, C6)."""
    p = agents.p
    staff = p.branch_staff * sum(place.branches for place in agents.prefectures)
    sales = staff * p.sales_per_worker * agents.growth(p.productivity_growth)
    sales *= drivers["ai_demand"]
    return ai_compute(agents, drivers, sales, 1.0)


def ai_compute(agents: Agents, drivers: dict[str, Any], sales: float, local: float) -> float:
    """Return what sellers of AI want, PFh: a growing share of sales at the local price.

    A shock to rents dampens it by the same elasticity; a jump of efficiency saves compute.
    """
    dear = drivers["rent"][INTELLIGENT]
    trend = drivers["price"][INTELLIGENT] / dear
    reaction = (local * dear) ** (-agents.p.firm_compute_elasticity)
    return compute_share(agents) * sales * reaction * drivers["tasks"][0] * 1e6 / trend


def potential_adopters(agents: Agents, place: int) -> float:
    """Return organisations of a prefecture that could deploy AI, in each domain."""
    whole = sum(prefecture.gdp for prefecture in agents.prefectures)
    here = agents.p.potential_adopters * agents.prefectures[place].gdp / whole
    return here / len(agents.domains)


def park_output(agents: Agents, park: Any) -> float:
    """Return what a park makes, M¥ a quarter: a trend, and the gain over its first adoption."""
    return output_at(agents, park, park.adoption, agents.period)


def output_at(agents: Agents, park: Any, adoption: float, period: int) -> float:
    """Return what a park would make in a quarter at some adoption, M¥."""
    p = agents.p
    now = 1 + p.park_productivity_gain * adoption
    then = 1 + p.park_productivity_gain * park.first_adoption
    return park.output * math.exp(p.park_output_growth * period / 4) * now / then


def choose(
    agents: Agents,
    drivers: dict[str, Any],
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
    corridor = policy["lever"]["compute_corridor"][0]
    nearer = carriage - p.corridor_price_gain * corridor * carriage
    prices = [p.own_region_price, drivers["rival_price"][0] + carriage, price_here + nearer]
    sizes = [own[kind], rival[kind], offer["size_by_kind"][kind]]
    here_ms = home_latency(agents, policy, region)
    delays = [region.latency_own_ms or 0.0, region.latency_rival_ms, here_ms]
    province = agents.by_kind("province_effect")[kind]
    if region.paired and (kind == INTELLIGENT or is_batch_general(work)):
        province += policy["lever"]["regional_pairing"][0]
    if region.home:
        province += p.home_bias
    elif goes_west(work):
        province += policy["lever"]["scenario_import"][0]
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


def goes_west(work: Workload) -> bool:
    """Return whether work is storage, rendering or training that any place can do."""
    return not work.real_time and work.movable == 1 and work.kind != SUPER


def home_latency(agents: Agents, policy: dict[str, Any], region: Region) -> float:
    """Return the latency from a region to the province's hub, ms; a corridor saves some."""
    saved = agents.p.corridor_latency_gain * policy["lever"]["compute_corridor"][0]
    return max(region.latency_home_ms - saved, 0.0)
