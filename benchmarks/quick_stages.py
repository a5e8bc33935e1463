"""Functions of the reference that a profile found slow, written anew for speed, without arrays.

Each has the arguments and the result of the function of the same name under `tests/reference`.
`agents` is the `Everybody` of `benchmarks.mesa_objects`: `agents.fixed` holds what stays the same
over a run, `agents.memo` what stays the same over a quarter.
"""

from __future__ import annotations

import math
from bisect import insort
from statistics import NormalDist
from typing import Any

from benchmarks.reference_copy import stage

_forms = stage("closed_forms")
_sorts = stage("agents")
poisson, shares, logistic = _forms.poisson, _forms.shares, _forms.logistic
HOURS, INTELLIGENT, RING_1 = _sorts.HOURS, _sorts.INTELLIGENT, _sorts.RING_1
STANDARD = NormalDist()

Record = dict[str, Any]


def fixed_lookups(agents: Any) -> Record:
    """Return what distances and the members of cells give for the whole run."""
    p = agents.p

    def reach(scale: float) -> list[list[float]]:
        return [
            [math.exp(-place.distance_km[u.prefecture] / scale) for u in agents.universities]
            for place in agents.prefectures
        ]

    rows: dict[tuple[int, int], list[int]] = {cell: [] for cell in agents.cells()}
    for i, centre in enumerate(agents.centres):
        rows[centre.kind, centre.prefecture].append(i)
    return {
        "near": reach(p.partner_distance),
        "spillover": reach(p.spillover_distance),
        "rows": rows,
    }


def update(thing: Any, **changes: Any) -> Any:
    """Change an agent in place, in the place of `dataclasses.replace`."""
    if "buyers" in changes:
        for buyer, new in zip(thing.buyers, changes.pop("buyers"), strict=True):
            buyer.__dict__.update(new)
    thing.__dict__.update(changes)
    return thing


# ---- innovation


def known_in(agents: Any, domain: int) -> list[float]:
    """Return what every university knows of a domain."""
    table = agents.memo.get("known")
    if table is None:
        table = agents.memo["known"] = list(
            zip(*(u.knowledge for u in agents.universities), strict=True)
        )
    return table[domain]


def partner_shares(agents: Any, place: int, domain: int) -> list[float]:
    """Return how firms of a cell spread over universities."""
    key = ("partners", place, domain)
    found = agents.memo.get(key)
    if found is None:
        weights = list(map(float.__mul__, known_in(agents, domain), agents.fixed["near"][place]))
        found = agents.memo[key] = shares(weights)
    return found


def intensity(agents: Any, place: int, domain: int, lever: float) -> float:
    """Return the intensity of collaboration in a cell."""
    joined = 0.0
    if lever:
        accepted = all_accepted(agents, domain)
        joined = sum(map(float.__mul__, partner_shares(agents, place, domain), accepted))
    return 1 - math.exp(-agents.p.collaboration - lever * joined)


def all_accepted(agents: Any, domain: int) -> list[float]:
    """Return how far every university accepts consortium offers in a domain."""
    key = ("accepted", domain)
    found = agents.memo.get(key)
    if found is None:
        known, slope = known_in(agents, domain), agents.p.consortium_selectivity
        mean = math.fsum(known) / len(known)
        found = [2 * logistic(slope * math.log(knowledge / mean)) for knowledge in known]
        agents.memo[key] = found
    return found


def acceptance(agents: Any, university: Any, domain: int) -> float:
    """Return how far a university accepts consortium offers in a domain."""
    return all_accepted(agents, domain)[agents.universities.index(university)]


def patent_rate(agents: Any, drivers: Record, firm: Any, effort: float, compute: float) -> float:
    """Return expected patents of a firm in the quarter, (5.4)."""
    p, memo = agents.p, agents.memo
    key = ("patents", firm.prefecture, firm.domain)
    usual = memo.get("usual")
    if usual is None:
        rent = p.price_to_cost_intelligent * p.server_cost_intelligent
        usual = p.compute_reference * HOURS * rent / drivers["price"][INTELLIGENT]
        memo["usual"] = usual
    at_cell = memo.get(key)
    if at_cell is None:
        years = min(agents.year - p.patent_propensity_start, p.patent_propensity_years)
        academic = sum(
            map(
                float.__mul__,
                known_in(agents, firm.domain),
                agents.fixed["spillover"][firm.prefecture],
            )
        )
        at_cell = p.patent_rate * math.exp(p.patent_propensity_growth * years) / 4
        at_cell *= (1 + academic / p.spillover_scale) ** p.university_elasticity
        memo[key] = at_cell
    research = 4 * effort / p.research_reference
    if research < p.research_floor:
        research = p.research_floor
    more = (1 + drivers["efficiency"] * compute / usual) ** p.compute_elasticity
    return at_cell * research**p.research_elasticity * more


def firms_in(agents: Any, place: int, domain: int) -> int:
    """Return how many firms a cell has."""
    table = agents.memo.get("firms")
    if table is None:
        table = agents.memo["firms"] = {}
        for firm in agents.firms:
            cell = firm.prefecture, firm.domain
            table[cell] = table.get(cell, 0) + 1
    return table.get((place, domain), 0)


def affordability(agents: Any, place: int, domain: int, price: float) -> float:
    """Return how affordable AI is in a cell: local price of compute and integrators, (5.7)."""
    cheap = agents.memo.get("cheap")
    if cheap is None:
        cheap = agents.memo["cheap"] = price**-agents.p.deployment_price_elasticity
    branches = agents.p.branch_weight * agents.prefectures[place].branches / len(agents.domains)
    there = firms_in(agents, place, domain) + branches
    return cheap * math.sqrt(min(1.0, there / agents.p.integrators))


# ---- clearing and exits of centres


def clear(capacity: list[float], offer: list[float], demand: float, width: float) -> list[float]:
    """Return what each centre sells in the smooth merit order, by Newton inside a bracket."""
    whole = sum(capacity)
    wanted = min(max(demand, 0.0), whole)
    if wanted <= 0:
        return [0.0] * len(capacity)
    if wanted >= whole:
        return list(capacity)
    if len(capacity) == 1:
        return [wanted]
    cheapest = min(offer)
    cost = [math.exp((m - cheapest) / width) for m in offer]
    target = math.log(wanted / (whole - wanted))
    low, high = target, target + math.log(max(cost))
    x = target + math.log(sum(map(float.__mul__, capacity, cost)) / whole)
    x = (low + min(x, high)) / 2
    quantity = capacity
    for _ in range(100):
        level = math.exp(x)
        accepted = [level / (level + c) for c in cost]
        quantity = list(map(float.__mul__, capacity, accepted))
        sold = sum(quantity)
        slope = sum([q * (1 - a) for q, a in zip(quantity, accepted, strict=True)])
        gap = math.log(sold / (whole - sold)) - target
        if gap < 0:
            low = x
        else:
            high = x
        step = gap * sold / whole * (whole - sold) / slope if slope > 0 else high - low
        after = x - step
        if not low <= after <= high:
            after = (low + high) / 2
        if abs(after - x) < 1e-13 * (1 + abs(x)) or abs(gap) < 1e-14:
            break
        x = after
    scale = wanted / sold
    return [min(q * scale, c) for q, c in zip(quantity, capacity, strict=True)]


def heir_shares(agents: Any, investment: Record, left: list[bool], i: int) -> dict[int, float]:
    """Return who takes over centre i; asked only of those that leave."""
    if not left[i]:
        return {}
    seller, servers = agents.centres[i], investment["servers"]
    extra = agents.by_kind("bid_size")[seller.kind]
    rows = agents.fixed["rows"][seller.kind, seller.prefecture]
    size = {j: servers[j] + extra for j in rows if not left[j]}
    whole = sum(size.values())
    return {j: value / whole if whole > 0 else 0.0 for j, value in size.items()}


# ---- births and exits of firms


def births(
    agents: Any, policy: Record, innovation: Record
) -> tuple[list[float], float, list[float]]:
    """Return births by firm that is there (none) and without a slot; note who is founded.

    `agents.memo["founded"]` lists (slot, knowledge) of the entrants.
    """
    p, count = agents.p, len(agents.domains)
    draw = agents.uniform("births", len(agents.prefectures) * count)
    fate = agents.uniform("firm fates", 0)
    overflow, founded = 0.0, []
    market = agents.nation.capacity[INTELLIGENT] / agents.table[0][INTELLIGENT]
    size = p.birth_compute_size * market
    quality, frontier = innovation["quality"], innovation["frontier"][0]
    by_quality = [p.birth_rate * (1 + q) ** p.birth_quality_elasticity for q in quality]
    for i, place in enumerate(agents.prefectures):
        idle = sum([c.servers * (1 - c.use) for c in agents.of_cell(INTELLIGENT, i)])
        here = place.talent**p.birth_talent_elasticity
        here *= (1 + idle / size) ** p.birth_compute_elasticity
        if place.tier == RING_1:
            here *= 1 + policy["lever"]["ecosystem_incubation"][0]
        for j in range(count):
            mean = here * by_quality[j] * (1 + place.deployment[j])
            waiting = int(poisson(draw[i * count + j], mean))
            if waiting:
                free = agents.vacant[i, j]
                for slot in free[:waiting]:
                    uniform = min(max(fate[slot.luck], 1e-12), 1 - 1e-12)
                    wisdom = math.exp(p.founder_log_sd * STANDARD.inv_cdf(uniform))
                    wisdom *= 1 + p.founder_learning * quality[j]
                    founded.append((slot, min(wisdom, frontier)))
                overflow += max(waiting - len(free), 0)
    agents.memo["founded"] = founded
    there = len(agents.firms)
    return [0.0] * there, overflow, [0.0] * there


def next_firms(agents: Any, quarter: Record) -> list[Any]:
    """Return the firms that stay and the entrants; the closed leave their slots."""
    p, innovation, business = agents.p, quarter["innovation"], quarter["business"]
    staff, cash = quarter["labour"]["staff"], quarter["accounts"]["cash"]["firms"]
    staying: list[Any] = []
    by_domain: list[list[Any]] = [[] for _ in agents.domains]
    fresh = set()
    for f, firm in enumerate(agents.firms):
        if business["exits"][f]:
            firm.slot.generation = firm.generation
            insort(agents.vacant[firm.prefecture, firm.domain], firm.slot, key=slot_number)
            firm.remove()
            continue
        firm.cash = cash[f]
        if business["born"][f]:
            fresh.add(firm)
            firm.knowledge, firm.staff = business["founders"][f], p.smallest_staff
            firm.generation += 1
        else:
            firm.age += 1
            firm.knowledge = innovation["knowledge_next"][f]
            firm.research = innovation["research_next"][f]
            firm.staff = staff[f]
            firm.share = business["share"][f]
            firm.sales = business["sales"][f]
            firm.compute = innovation["compute"][f]
        staying.append(firm)
        by_domain[firm.domain].append(firm)
    for rivals, pool in zip(by_domain, business["pool"], strict=True):
        for firm in rivals:
            if firm in fresh:
                firm.share = p.entrant_share / len(rivals)
                firm.sales = firm.share * pool
        whole = sum([firm.share for firm in rivals])
        for firm in rivals:
            firm.share = firm.share / whole if whole > 0 else 0.0
    return staying


def slot_number(slot: Any) -> int:
    """Return where a slot stands in the list of all."""
    return slot.id


REPLACED: dict[str, tuple[Any, ...]] = {
    "innovation": (partner_shares, intensity, acceptance, patent_rate, affordability),
    "dispatch": (clear,),
    "exits": (heir_shares,),
    "labour": (births,),
    "turnover": (next_firms,),
}
