"""S2, where new halls go: place by place, then operator by operator."""

from __future__ import annotations

import math
from typing import Any

from .agents import CORE, HOURS, RING_1, Agents, Centre
from .closed_forms import expected_use, logit_shares, poisson, profitability, shares
from .policy import expected_rate, lies_in

TIERS = ("core", "ring_1", "ring_2", "other")
HUB_DESIGNATED = 7  # 2021Q4


def reference_location(
    agents: Agents, drivers: dict[str, Any], policy: dict[str, Any]
) -> dict[str, Any]:
    """Return where the footloose build goes, named as in the vectorised stage."""
    support = expected_support(agents, drivers, policy)
    footloose = [footloose_build(agents, drivers, kind) for kind in range(len(agents.kinds))]
    share = [
        location_shares(agents, drivers, policy, support, kind) for kind in range(len(agents.kinds))
    ]
    share = [with_anchors(agents, policy, kind, part) for kind, part in enumerate(share)]
    placed = draw_projects(agents, drivers, footloose, share)
    return {
        "footloose": footloose,
        "share": share,
        "placed": [placed[cell] for cell in agents.cells()],
        "bid": bids(agents, drivers, policy, support, placed),
        "lender_index": [
            centre_index(agents, drivers, policy, support, centre, lender=True)
            for centre in agents.centres
        ],
    }


def variable_cost(
    agents: Agents, drivers: dict[str, Any], policy: dict[str, Any], centre: Centre
) -> float:
    """Return kW * PUE * tariff less relief, yuan/PFh."""
    pue = running_pue(agents, policy, centre.prefecture, centre.pue)
    tariff = drivers["electricity"][centre.prefecture]
    return centre.power * pue * tariff * (1 - policy["rate"]["tariff_discount"][centre.prefecture])


def running_pue(agents: Agents, policy: dict[str, Any], place: int, pue: float) -> float:
    """Return the PUE in operation: a quality programme saves cooling in the second ring."""
    saved = agents.p.second_ring_pue_gain * policy["local_lever"]["second_ring_quality"][place]
    return max(pue - saved, 1.0)


def standard_pue(agents: Agents, policy: dict[str, Any], place: int) -> float:
    """Return the PUE of halls built now in a place; a green standard asks for less."""
    saved = agents.p.green_pue_gain * policy["local_lever"]["green_standard"][place]
    return max(agents.p.new_pue - saved, 1.0)


def new_unit_cost(
    agents: Agents, drivers: dict[str, Any], policy: dict[str, Any], centre: Centre
) -> float:
    """Return the same for a unit that the centre would build now, yuan/PFh."""
    built = min(centre.pue, standard_pue(agents, policy, centre.prefecture))
    pue = running_pue(agents, policy, centre.prefecture, built)
    tariff = drivers["electricity"][centre.prefecture]
    relief = policy["rate"]["tariff_discount"][centre.prefecture]
    return drivers["power"][centre.kind] * pue * tariff * (1 - relief)


def lowest_price(agents: Agents, policy: dict[str, Any], centre: Centre, cost: float) -> float:
    """Return the price at which an hour pays its cost.

    Buyers pay a part of it, operation takes its share of what they pay, and the state adds the
    subsidy.
    """
    rate, p = policy["rate"]["output_subsidy"][centre.prefecture], agents.p
    paid_by_buyers = 1 - p.output_subsidy_price_share * rate
    return cost / (paid_by_buyers * (1 - p.operating_cost_share) + rate)


def posted_price(
    agents: Agents, drivers: dict[str, Any], policy: dict[str, Any], centre: Centre, cost: float
) -> float:
    """Return max(lowest price, reference * e^mark), yuan/PFh."""
    market = drivers["price"][centre.kind] * math.exp(centre.mark)
    return max(lowest_price(agents, policy, centre, cost), market)


def earned_price(
    agents: Agents, drivers: dict[str, Any], policy: dict[str, Any], centre: Centre, cost: float
) -> float:
    """Return what an hour earns: the posted price times what the mix of work pays over it."""
    posted = posted_price(agents, drivers, policy, centre, cost)
    return posted * drivers["multiplier"][centre.kind]


def full_cost(agents: Agents, drivers: dict[str, Any], kind: int) -> float:
    """Return servers plus the hall they are expected to fill, M¥/P."""
    return drivers["server_cost"][kind] + drivers["hall_cost"][kind] / agents.p.expected_fill


def expected_support(
    agents: Agents, drivers: dict[str, Any], policy: dict[str, Any]
) -> dict[str, Any]:
    """Return the share of the price and of full cost that transfers promise, by prefecture.

    What diffusion adds is for halls and servers; the rest is readiness.
    """
    p, places = agents.p, agents.prefectures
    capital = [[0.0 for _ in places] for _ in agents.kinds]
    for tool in agents.entries("capital_subsidy"):
        for kind, by_place in enumerate(capital):
            hall = drivers["hall_cost"][kind] / p.expected_fill
            part = hall / full_cost(agents, drivers, kind)
            part = part if tool.shells_only[agents.period] else 1.0
            for i, place in enumerate(places):
                if lies_in(place, tool.place):
                    by_place[i] += part * expected_rate(tool, agents.period)
    kept = 1 - p.output_subsidy_price_share * (1 - p.operating_cost_share)
    spread_out = 1 - p.diffusion_readiness_share
    return {
        "output": [kept * rate for rate in policy["rate"]["output_subsidy"]],
        "capital": capital,
        "diffusion": [spread_out * rate for rate in policy["rate"]["even_diffusion"]],
    }


def index(
    agents: Agents,
    drivers: dict[str, Any],
    support: dict[str, Any],
    kind: int,
    price: float,
    cost: float,
    use: float,
    foresight: float,
    place: int,
) -> float:
    """Return the profitability of a new unit of a kind in a prefecture."""
    p = agents.p
    return profitability(
        p,
        price=price * (1 - p.operating_cost_share + support["output"][place]),
        variable_cost=cost,
        use=use,
        capital=full_cost(agents, drivers, kind),
        upkeep=p.maintenance_share * drivers["server_cost"][kind] / drivers["server_price"][kind],
        depreciation=agents.by_kind("server_depreciation")[kind],
        price_fall=foresight * drivers["price_decline"][kind],
        subsidy=support["capital"][kind][place] + support["diffusion"][place],
    )


def centre_index(
    agents: Agents,
    drivers: dict[str, Any],
    policy: dict[str, Any],
    support: dict[str, Any],
    centre: Centre,
    lender: bool,
) -> float:
    """Return an operator's own index, or the lender's: realised use, the whole price fall."""
    p = agents.p
    if lender:
        use, foresight = cell_use(agents, centre.kind, centre.prefecture), 1.0
    else:
        use = expected_use(p, centre.use, drivers["growth"][centre.kind])
        foresight = p.foresight
    cost = new_unit_cost(agents, drivers, policy, centre)
    price = earned_price(agents, drivers, policy, centre, cost)
    place = centre.prefecture
    return index(agents, drivers, support, centre.kind, price, cost, use, foresight, place)


def cell_use(agents: Agents, kind: int, place: int) -> float:
    """Return contracted use of a cell, leaning on national use where little stands."""
    prior = agents.p.use_prior_capacity
    centres = agents.of_cell(kind, place)
    sold = sum(centre.sold for centre in centres) / HOURS
    servers = sum(centre.servers for centre in centres)
    return (sold + prior * agents.nation.use[kind]) / (servers + prior)


def cell_fill(
    agents: Agents,
    drivers: dict[str, Any],
    kind: int,
    servers: list[float],
    power: list[float],
    halls: list[float],
) -> float:
    """Return power of servers over power of halls of a cell; at little of both it is neutral."""
    p = agents.p
    prior = p.use_prior_capacity * drivers["power"][kind]
    running = sum(size * each for size, each in zip(servers, power, strict=True))
    return (running + prior * p.neutral_fill) / (1000 * sum(halls) + prior)


def footloose_build(agents: Agents, drivers: dict[str, Any], kind: int) -> float:
    """Return new halls that suit the west, P; halls in MW hold more P each quarter."""
    p = agents.p
    capacity = drivers["capacity"][kind]
    wider = 2 ** (0.25 / agents.by_kind("power_halving_time")[kind])
    missing = drivers["capacity_next"][kind] - capacity * (1 - p.hall_depreciation) * wider
    return p.footloose_share * max(missing, 0.0) / p.national_fill


def cell_halls(agents: Agents, drivers: dict[str, Any], kind: int, place: int) -> float:
    """Return what the halls of a cell can carry this quarter, P."""
    megawatt = sum(centre.halls for centre in agents.of_cell(kind, place))
    return 1000 * megawatt / drivers["power"][kind]


def location_shares(
    agents: Agents,
    drivers: dict[str, Any],
    policy: dict[str, Any],
    support: dict[str, Any],
    kind: int,
) -> list[float]:
    """Return the shares of the prefectures and, last, of the rival hubs."""
    p = agents.p
    market = p.footloose_share * drivers["capacity"][kind] / p.national_fill
    utilities, built = [], 0.0
    for place in range(len(agents.prefectures)):
        halls = cell_halls(agents, drivers, kind, place)
        built += halls
        closed = policy["gate"][agents.cells().index((kind, place))] > 0
        utility = place_utility(agents, drivers, policy, support, kind, place, halls, market)
        utilities.append(-math.inf if closed else utility)
    utilities.append(rival_utility(agents, drivers, kind, built, market))
    return logit_shares(utilities)


def with_anchors(
    agents: Agents, policy: dict[str, Any], kind: int, share: list[float]
) -> list[float]:
    """Return shares after anchor tenants took a part from all to the core and the first ring."""
    moved = agents.p.anchor_hall_gain * policy["lever"]["anchor_tenants"][0]
    theirs = [
        policy["local_lever"]["anchor_tenants"][i]
        if place.tier in (CORE, RING_1) and policy["gate"][agents.cells().index((kind, i))] == 0
        else 0.0
        for i, place in enumerate(agents.prefectures)
    ]
    if sum(theirs) == 0:
        return share
    return [
        (1 - moved) * part + moved * chosen / sum(theirs)
        for part, chosen in zip(share, [*theirs, 0.0], strict=True)
    ]


def place_utility(
    agents: Agents,
    drivers: dict[str, Any],
    policy: dict[str, Any],
    support: dict[str, Any],
    kind: int,
    place: int,
    halls: float,
    market: float,
) -> float:
    """Return the utility of a prefecture for a kind of compute."""
    p, prefecture = agents.p, agents.prefectures[place]
    centres = agents.of_cell(kind, place)
    weights = shares([centre.servers + p.use_prior_capacity for centre in centres])
    price = cost = 0.0
    for weight, centre in zip(weights, centres, strict=True):
        own = new_unit_cost(agents, drivers, policy, centre)
        price += weight * earned_price(agents, drivers, policy, centre, own)
        cost += weight * own
    use = expected_use(p, cell_use(agents, kind, place), drivers["growth"][kind])
    profit = index(agents, drivers, support, kind, price, cost, use, p.foresight, place)
    fill = cell_fill(
        agents,
        drivers,
        kind,
        [centre.servers for centre in centres],
        [centre.power for centre in centres],
        [centre.halls for centre in centres],
    )
    name = agents.kinds[kind]
    utility = getattr(p, f"location_effect_{name}_{TIERS[prefecture.tier]}")
    utility += p.profit_sensitivity * math.log(profit)
    utility += p.agglomeration * math.log(halls + p.agglomeration_size)
    utility -= p.diversification * halls / market
    utility += p.fill_feedback * (fill - p.neutral_fill)
    utility += p.yardstick_strength * prefecture.ambition
    if any(tool.rate[agents.period] > 0 for tool in agents.entries("local_settlement_rule")):
        utility -= p.settlement_aversion * max(p.settlement_floor - p.local_settlement, 0)
    bonus = policy["local_lever"]["hub_steering"][place]
    if prefecture.hub and agents.period >= HUB_DESIGNATED:
        bonus += p.hub_bonus * prefecture.readiness
    if not prefecture.hub:
        utility += p.readiness_effect * prefecture.readiness
    return utility + getattr(p, f"hub_factor_{name}") * bonus


def rival_utility(
    agents: Agents, drivers: dict[str, Any], kind: int, built: float, market: float
) -> float:
    """Return the utility of the rival hubs as one composite of n hubs."""
    p, n = agents.p, len(agents.hubs)
    lagged = agents.province.advantage[3]  # of the same quarter a year ago
    rivals = max(market - built, 0.0)
    bill = sum(hub.share * hub.electricity_price * hub.pue for hub in agents.hubs)
    use = expected_use(p, agents.nation.rival_use[kind], drivers["growth"][kind])
    profit = index(
        agents,
        drivers,
        {"output": [0.0], "capital": [[0.0] for _ in agents.kinds], "diffusion": [0.0]},
        kind,
        drivers["rival_price"][0] * drivers["price"][kind] * drivers["multiplier"][kind],
        drivers["power"][kind] * bill,
        use,
        p.foresight,
        0,
    )
    return (
        math.log(n)
        + p.profit_sensitivity * p.rival_answer * lagged
        + p.profit_sensitivity * math.log(profit)
        + p.agglomeration * math.log(rivals / n + p.agglomeration_size)
        - p.diversification * rivals / (n * market)
        + agents.by_kind("rival_effect")[kind]
    )


def draw_projects(
    agents: Agents, drivers: dict[str, Any], footloose: list[float], share: list[list[float]]
) -> dict[tuple[int, int], float]:
    """Return new halls of each cell, P: a Poisson number of lognormal projects.

    Numbers are dealt prefecture by prefecture, kinds within. The sum of n sizes is one lognormal
    with the same mean and variance.
    """
    p, kinds = agents.p, len(agents.kinds)
    count = kinds * len(agents.prefectures)
    uniforms = agents.uniform("projects", count)
    normals = agents.normal("project sizes", count)
    result = {}
    for kind, place in agents.cells():
        expected = footloose[kind] * share[kind][place]
        if p.lumpy_projects <= 0:
            result[kind, place] = expected
            continue
        market = drivers["capacity"][kind] / agents.by_kind("project_size_reference")[kind]
        size = agents.by_kind("project_size")[kind] * market
        turn = place * kinds + kind
        number = poisson(uniforms[turn], expected / size)
        if number == 0:
            result[kind, place] = 0.0
            continue
        variance = math.log(1 + (math.exp(p.project_size_log_sd**2) - 1) / number)
        mean = number * size
        result[kind, place] = mean * math.exp(math.sqrt(variance) * normals[turn] - variance / 2)
    return result


def bids(
    agents: Agents,
    drivers: dict[str, Any],
    policy: dict[str, Any],
    support: dict[str, Any],
    placed: dict[tuple[int, int], float],
) -> list[float]:
    """Return new halls won by each operator, P: by size and own expected profit."""
    p = agents.p
    weight = {}
    for centre in agents.centres:
        own = centre_index(agents, drivers, policy, support, centre, lender=False)
        size = centre.servers + agents.by_kind("bid_size")[centre.kind]
        weight[centre.id] = size * own**p.profit_sensitivity
    result = []
    for centre in agents.centres:
        cell = agents.of_cell(centre.kind, centre.prefecture)
        whole = sum(weight[rival.id] for rival in cell)
        result.append(weight[centre.id] / whole * placed[centre.kind, centre.prefecture])
    return result
