"""Reference of research, learning and adoption, firm by firm; model equations (5.1)-(5.9)."""

from __future__ import annotations

import math
from typing import Any

from .agents import (
    GENERAL,
    HOURS,
    INTELLIGENT,
    Agents,
    Firm,
    Park,
    Prefecture,
    University,
)
from .closed_forms import logistic, logit_shares, poisson, ratio, shares

Cells = dict[tuple[int, int], float]  # by (prefecture, domain)


def reference_innovation(
    agents: Agents,
    drivers: dict[str, Any],
    policy: dict[str, Any],
    investment: dict[str, Any],
    market: dict[str, Any],
) -> dict[str, Any]:
    """Return what firms, universities, parks and users learn in the quarter."""
    p = agents.p
    places, domains = range(len(agents.prefectures)), range(len(agents.domains))
    lever = policy["lever"]["joint_innovation"][0]
    frontier = p.frontier_knowledge * math.exp(p.frontier_growth * agents.period / 4)
    frontier *= 1 + p.frontier_push * lever
    to_firms, to_universities = grants(agents, policy)
    leaders = lead_weights(agents, policy, investment)
    known = {(i, j): partners(agents, i, j, leaders[i], frontier) for i in places for j in domains}
    close = {(i, j): intensity(agents, i, j, lever) for i in places for j in domains}
    used = compute_of_firms(agents, lever, investment, market)

    spending = [p.research_intensity * firm.sales for firm in agents.firms]
    effort = [
        own + grant + p.research_additionality * grant
        for own, grant in zip(spending, to_firms, strict=True)
    ]
    luck = agents.uniform("patents", len(agents.firms))
    patents, absorbing, wisdom, stock = [], [], [], []
    for f, firm in enumerate(agents.firms):
        cell = (firm.prefecture, firm.domain)
        rate = patent_rate(agents, drivers, firm, effort[f], used[f])
        patents.append(poisson(luck[firm.luck], rate) if firm.active else 0.0)
        able = 1 - math.exp(-firm.research / p.absorption_scale)
        absorbing.append(able)
        gap = max(known[cell] - firm.knowledge, 0.0)
        absorbed = close[cell] * able * gap * math.exp(-gap / p.cognitive_distance)
        gain = p.knowledge_per_patent * patents[f] + absorbed
        gain = max(frontier - firm.knowledge, 0.0) * (1 - math.exp(-gain / frontier))
        kept = firm.knowledge - p.knowledge_depreciation * firm.knowledge
        wisdom.append(kept + gain if firm.active else 0.0)
        kept = firm.research - p.research_depreciation * firm.research
        stock.append(kept + effort[f] if firm.active else 0.0)

    quality = [algorithm_quality(agents, drivers, j) for j in domains]
    scale = p.quality_scale * math.exp(p.quality_growth * (agents.year - p.quality_year))
    relative = [1 - math.exp(-value / scale) for value in quality]
    price = market["routing"]["offer"]["relative_price"][INTELLIGENT]
    affordable = [[affordability(agents, i, j, price) for j in domains] for i in places]
    parks = [
        park_year(agents, policy, park, relative, affordable[park.prefecture])
        for park in agents.parks
    ]
    return {
        "research_spending": spending,
        "grants": to_firms,
        "university_grants": to_universities,
        "compute": used,
        "patents": patents,
        "collaboration": [[close[i, j] for j in domains] for i in places],
        "absorptive": absorbing,
        "knowledge_next": wisdom,
        "research_next": stock,
        "university_knowledge_next": teach(agents, lever, patents, close, frontier),
        "quality": quality,
        "relative_quality": relative,
        "frontier": [frontier],
        "deployment_next": [
            [deploy(agents, policy, place, j, relative[j], affordable[i][j]) for j in domains]
            for i, place in enumerate(agents.prefectures)
        ],
        "adoption_next": [adoption for adoption, _, _ in parks],
        "park_servers_next": [servers for _, servers, _ in parks],
        "park_order": [order for _, _, order in parks],
        "park_output": [park_output(agents, park) for park in agents.parks],
        "density": [math.fsum(close.values()) / len(close)],
    }


def grants(agents: Agents, policy: dict[str, Any]) -> tuple[list[float], list[float]]:
    """Return research grants of firms and of universities, (5.1) and coupling C2."""
    p = agents.p
    programme = policy["grants"][0]
    firms = p.grant_share_firms * programme + p.fiscal_loop_grant_share * policy["fiscal_extra"][0]
    universities = (1 - p.grant_share_firms) * programme
    weight = [p.grant_floor + firm.sales if firm.active else 0.0 for firm in agents.firms]
    if not sum(weight):
        universities += firms
    part = shares([university.research_funds for university in agents.universities])
    return [firms * share for share in shares(weight)], [universities * share for share in part]


def lead_weights(agents: Agents, policy: dict[str, Any], investment: dict[str, Any]) -> list[float]:
    """Return the weight of lead firms' knowledge in each prefecture, coupling C4; at most one."""
    p = agents.p
    anchors = p.anchor_knowledge_gain * policy["lever"]["anchor_tenants"][0]
    megawatt = [0.0] * len(agents.prefectures)
    for c, centre in enumerate(agents.centres):
        megawatt[centre.prefecture] += investment["servers"][c] * investment["power"][c] / 1000
    weights = []
    for place in agents.prefectures:
        presence = math.fsum(
            (1 - math.exp(-power / p.lead_firm_scale)) * math.exp(-km / p.lead_firm_distance)
            for power, km in zip(megawatt, place.distance_km, strict=True)
        )
        weights.append(min(1.0, p.lead_firm_knowledge * min(1.0, presence) * (1 + anchors)))
    return weights


def nearness(agents: Agents, place: int, university: University, scale: float) -> float:
    """Return e^(-distance/scale) from a prefecture to a university."""
    return math.exp(-agents.prefectures[place].distance_km[university.prefecture] / scale)


def partner_shares(agents: Agents, place: int, domain: int) -> list[float]:
    """Return how firms of a cell spread over universities: a logit in ln kappa - distance."""
    return shares(
        [
            university.knowledge[domain]
            * nearness(agents, place, university, agents.p.partner_distance)
            for university in agents.universities
        ]
    )


def partners(agents: Agents, place: int, domain: int, lead: float, frontier: float) -> float:
    """Return partners' knowledge K^ext of a cell, (5.2) and coupling C4."""
    share = partner_shares(agents, place, domain)
    academic = math.fsum(
        s * university.knowledge[domain]
        for s, university in zip(share, agents.universities, strict=True)
    )
    return (1 - lead) * academic + lead * frontier


def intensity(agents: Agents, place: int, domain: int, lever: float) -> float:
    """Return c = 1 - e^(-c_0 - c_cons); the consortium counts where offers are accepted."""
    share = partner_shares(agents, place, domain)
    joined = math.fsum(
        s * acceptance(agents, university, domain)
        for s, university in zip(share, agents.universities, strict=True)
    )
    return 1 - math.exp(-agents.p.collaboration - lever * joined)


def acceptance(agents: Agents, university: University, domain: int) -> float:
    """Return how far a university accepts consortium offers in a domain, 1 at the mean."""
    mean = math.fsum(u.knowledge[domain] for u in agents.universities) / len(agents.universities)
    distinction = math.log(university.knowledge[domain] / mean)
    return 2 * logistic(agents.p.consortium_selectivity * distinction)


def compute_of_firms(
    agents: Agents, lever: float, investment: dict[str, Any], market: dict[str, Any]
) -> list[float]:
    """Return PFh that each firm can use: bought and lent from idle servers, coupling C3."""
    p = agents.p
    idle = math.fsum(
        max(HOURS * investment["servers"][c] - market["sold"][c], 0.0)
        for c, centre in enumerate(agents.centres)
        if centre.kind == INTELLIGENT
    )
    quota = p.free_quota * (1 + p.quota_consortium_gain * lever) * idle
    takers = sum(firm.active for firm in agents.firms) + len(agents.universities)
    served = market["firm_fulfilment"][0]
    wanted = market["routing"]["local"]["by_firm"]
    return [
        served * wanted[f] + (quota / takers if firm.active else 0.0)
        for f, firm in enumerate(agents.firms)
    ]


def patent_rate(
    agents: Agents, drivers: dict[str, Any], firm: Firm, effort: float, compute: float
) -> float:
    """Return expected patents of a firm in the quarter, (5.4)."""
    p = agents.p
    years = min(agents.year - p.patent_propensity_start, p.patent_propensity_years)
    rate = p.patent_rate * math.exp(p.patent_propensity_growth * years)
    research = max(4 * effort / p.research_reference, p.research_floor)
    academic = math.fsum(
        university.knowledge[firm.domain]
        * nearness(agents, firm.prefecture, university, p.spillover_distance)
        for university in agents.universities
    )
    # One PFLOPS at 2024 prices buys more hours each year: x_ref = 1 P p(2024)/p(t).
    rent = p.price_to_cost_intelligent * p.server_cost_intelligent
    usual = p.compute_reference * HOURS * rent / drivers["price"][INTELLIGENT]
    rate *= research**p.research_elasticity
    rate *= (1 + academic / p.spillover_scale) ** p.university_elasticity
    done = compute * drivers["efficiency"]  # better algorithms do more with the same compute
    rate *= (1 + done / usual) ** p.compute_elasticity
    return rate / 4


def algorithm_quality(agents: Agents, drivers: dict[str, Any], domain: int) -> float:
    """Return A_j, knowledge of active firms by size and the open-source floor, (5.6)."""
    own = math.fsum(f.share * f.knowledge for f in agents.firms if f.domain == domain)
    return own + drivers["open_source"][0]


def teach(
    agents: Agents, lever: float, patents: list[float], close: Cells, frontier: float
) -> list[list[float]]:
    """Return knowledge of universities next quarter by domain and university, C4 and (5.5)."""
    p, domains = agents.p, range(len(agents.domains))
    firms = [sum(f.active for f in agents.firms if f.domain == j) for j in domains]
    mean = sum(1 + number for number in firms) / len(firms)
    back = [0.0 for _ in domains]
    for firm, number in zip(agents.firms, patents, strict=True):
        back[firm.domain] += number * close[firm.prefecture, firm.domain]
    result: list[list[float]] = [[] for _ in domains]
    for university in agents.universities:
        pull = [
            p.university_focus * math.log(university.knowledge[j] * (1 + firms[j]) / mean)
            for j in domains
        ]
        focus = logit_shares(pull)
        for j in domains:
            now = university.knowledge[j]
            growth = p.university_growth
            accepted = acceptance(agents, university, j)
            growth += p.university_growth_consortium * lever * accepted
            gain = now * growth * focus[j] * len(firms)
            gain += p.university_back_flow * back[j] / len(agents.universities)
            result[j].append(now + max(frontier - now, 0.0) * (1 - math.exp(-gain / frontier)))
    return result


def affordability(agents: Agents, place: int, domain: int, price: float) -> float:
    """Return how affordable AI is in a cell: local price of compute and integrators, (5.7).

    A branch counts for a part of a firm, shared evenly by the domains (C1).
    """
    p = agents.p
    firms = sum(
        firm.active for firm in agents.firms if (firm.prefecture, firm.domain) == (place, domain)
    )
    firms += p.branch_weight * agents.prefectures[place].branches / len(agents.domains)
    return price**-p.deployment_price_elasticity * min(1.0, firms / p.integrators) ** 0.5


def deploy(
    agents: Agents,
    policy: dict[str, Any],
    place: Prefecture,
    domain: int,
    quality: float,
    affordable: float,
) -> float:
    """Return the share of adopters next quarter: Bass's step in the model's form, (5.7)."""
    p, y = agents.p, place.deployment[domain]
    pushed = 1 + policy["lever"]["scenario_deployment"][0]
    innovation = p.deployment_innovation * pushed * affordable
    imitation = p.deployment_imitation * quality * affordable
    if innovation + imitation * y == 0:
        return y
    decay = math.exp(-(innovation + imitation) / 4)
    left = decay * (1 - y) / (innovation + imitation * y)
    return (1 - innovation * left) / (1 + imitation * left)


def park_output(agents: Agents, park: Park) -> float:
    """Return a park's output: trend and the productivity of what it adopted, (5.8)."""
    p = agents.p
    productivity = 1 + p.park_productivity_gain * park.adoption
    productivity /= 1 + p.park_productivity_gain * park.first_adoption
    return park.output * math.exp(p.park_output_growth * agents.period / 4) * productivity


def park_year(
    agents: Agents,
    policy: dict[str, Any],
    park: Park,
    quality: list[float],
    affordable: list[float],
) -> tuple[float, float, float]:
    """Return a park's adoption and servers next quarter and its order, (5.8) and (2.10)."""
    p = agents.p
    rate = p.park_adoption_rate * sum(quality) / len(quality) * sum(affordable) / len(affordable)
    rate *= 1 + policy["lever"]["strong_industry"][0]
    progress = agents.table[agents.period][GENERAL] / agents.table[0][GENERAL]
    target = p.park_compute_intensity * park.adoption * park_output(agents, park) * progress
    rate *= 1 + p.own_centre_bonus * min(1.0, ratio(park.servers, target))
    odds = ratio(park.adoption, 1 - park.adoption) * math.exp(rate / 4)
    kept = park.servers - agents.by_kind("server_depreciation")[GENERAL] * park.servers
    order = p.park_build_speed * max(target - kept, 0.0)
    order *= 1 + p.industrial_subsidy_response * policy["rate"]["industrial_centres"][0]
    return odds / (1 + odds), kept + order, order
