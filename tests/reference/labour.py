"""Reference of talent, hiring, wages, sales, births and exits; model equations (6.1)-(6.4)."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

from .agents import INTELLIGENT, RING_1, Agents, Centre, Firm, Prefecture
from .closed_forms import logistic, logit_shares, match, poisson, ratio


def reference_labour(
    agents: Agents,
    drivers: dict[str, Any],
    policy: dict[str, Any],
    investment: dict[str, Any],
    supply: dict[str, Any],
    innovation: dict[str, Any],
) -> dict[str, Any]:
    """Return talent, hires and wages of the quarter."""
    p = agents.p
    centre_jobs = [
        p.jobs_per_megawatt * investment["servers"][c] * investment["power"][c] / 1000
        for c in range(len(agents.centres))
    ]
    maker_jobs = [sales / p.maker_productivity for sales in supply["sales"]]
    target, posts = [], []
    for f, firm in enumerate(agents.firms):
        research = innovation["research_spending"][f] + innovation["grants"][f]
        target.append(wanted_staff(agents, firm, research))
        posts.append(max(target[f] - (1 - p.separation_rate) * firm.staff, 0.0))
    recruited, peak = recruit(agents, investment)
    moved_in = [p.branch_movers * p.branch_staff * new for new in recruited]
    tightness, filled = [], []
    for i, place in enumerate(agents.prefectures):
        firms = math.fsum(
            post for f, post in zip(agents.firms, posts, strict=True) if f.prefecture == i
        )
        centres = math.fsum(
            p.separation_rate * jobs + max(jobs - jobs_before(agents, c), 0.0)
            for c, jobs in zip(agents.centres, centre_jobs, strict=True)
            if c.prefecture == i
        )
        makers = p.maker_talent_share * math.fsum(
            p.separation_rate * jobs
            for m, jobs in zip(agents.makers, maker_jobs, strict=True)
            if m.prefecture == i
        )
        branches = p.branch_staff * recruited[i] - moved_in[i]  # the rest is hired here
        vacancies = firms + centres + makers + branches
        searchers = p.search_share * place.talent * 1000
        tightness.append(vacancies / searchers)
        filled.append(ratio(match(vacancies, searchers, p.labour_matching), vacancies))
    hires = [posts[f] * filled[firm.prefecture] for f, firm in enumerate(agents.firms)]
    staff = [
        min((1 - p.separation_rate) * firm.staff, target[f]) + hires[f] if firm.active else 0.0
        for f, firm in enumerate(agents.firms)
    ]
    graduates, retained, left = talent_flows(agents, drivers, policy, tightness)
    return {
        "graduates": graduates,
        "retained": retained,
        "left": left,
        "moved_in": moved_in,
        "branches_next": [
            p.branch_survival * place.branches + recruited[i]
            for i, place in enumerate(agents.prefectures)
        ],
        "branch_peak_next": peak,
        "talent_next": [
            place.talent + (retained[i] - left[i] + moved_in[i]) / 1000
            for i, place in enumerate(agents.prefectures)
        ],
        "wage_next": [
            next_wage(agents, place, tightness[i]) for i, place in enumerate(agents.prefectures)
        ],
        "tightness": tightness,
        "centre_jobs": centre_jobs,
        "maker_jobs": maker_jobs,
        "hires": hires,
        "staff": staff,
    }


def recruit(agents: Agents, investment: dict[str, Any]) -> tuple[list[float], list[float]]:
    """Return new branches by prefecture and the new peak of servers there in MW (C1)."""
    megawatt = [0.0 for _ in agents.prefectures]
    for c, centre in enumerate(agents.centres):
        megawatt[centre.prefecture] += investment["servers"][c] * investment["power"][c] / 1000
    above = [
        max(power - place.branch_peak, 0.0)
        for power, place in zip(megawatt, agents.prefectures, strict=True)
    ]
    peak = [
        max(power, place.branch_peak)
        for power, place in zip(megawatt, agents.prefectures, strict=True)
    ]
    return [agents.p.branch_rate * more for more in above], peak


def wanted_staff(agents: Agents, firm: Firm, research: float) -> float:
    """Return L* of a firm: people for sales and people for research, (6.2)."""
    if not firm.active:
        return 0.0
    p, wage = agents.p, agents.prefectures[firm.prefecture].wage
    people = (1 + p.staff_growth) * firm.sales / p.sales_per_worker
    people += (research - p.research_purchase_share * research) * 1000 / wage
    return max(people, p.smallest_staff)


def jobs_before(agents: Agents, centre: Centre) -> float:
    """Return the jobs that a centre had at the start of the quarter."""
    return agents.p.jobs_per_megawatt * centre.servers * centre.power / 1000


def talent_flows(
    agents: Agents, drivers: dict[str, Any], policy: dict[str, Any], tightness: list[float]
) -> tuple[list[float], list[float], list[float]]:
    """Return graduates by place of study, retained by place of work, leavers, (6.1)."""
    p = agents.p
    lever = policy["lever"]["talent_retention"][0] + policy["fiscal_talent"][0]
    poached = drivers["poaching"] - 1  # pull of the east
    count = len(agents.prefectures)
    graduates, retained, pull = [0.0] * count, [0.0] * count, []
    for university in agents.universities:
        graduates[university.prefecture] += university.graduates
    for i, place in enumerate(agents.prefectures):
        pull.append(
            p.migration_wage * math.log(place.wage)
            + p.migration_size * math.log(place.talent)
            + p.migration_vacancy * tightness[i]
        )
    to_place = logit_shares(pull)
    for i, place in enumerate(agents.prefectures):
        response = p.retention_wage * math.log(place.wage / p.eastern_wage)
        response += p.retention_vacancy * tightness[i]
        keep = logistic(p.retention_intercept + p.retention_response * response + lever - poached)
        staying = graduates[i] * keep
        retained[i] += p.migration_home_bias * staying
        for k in range(count):
            retained[k] += (1 - p.migration_home_bias) * staying * to_place[k]
    departure = p.talent_departure * max(1 - p.talent_departure_response * lever, 0.0)
    departure *= 1 + p.poaching_departure * poached
    left = [departure * place.talent * 1000 for place in agents.prefectures]
    return graduates, retained, left


def next_wage(agents: Agents, place: Prefecture, tightness: float) -> float:
    """Return w' = w (1 + clip(eta (theta/theta_0 - 1))) (w_N/w)^a; w_N is the first wage."""
    p = agents.p
    usual = tightness if agents.period < p.wage_reference_quarters else place.tightness
    change = p.wage_speed * (ratio(tightness, usual, empty=1.0) - 1)
    change = min(max(change, -p.wage_step), p.wage_step)
    return place.wage * (1 + change) * (place.first_wage / place.wage) ** p.wage_anchor


def reference_business(
    agents: Agents, policy: dict[str, Any], innovation: dict[str, Any]
) -> dict[str, Any]:
    """Return sales, births and exits of AI firms."""
    domains = range(len(agents.domains))
    local = [home_market(agents, innovation, j) for j in domains]
    pool = [local[j] + outside_market(agents, innovation["quality"][j]) for j in domains]
    share = market_shares(agents)
    born, overflow, founders = births(agents, policy, innovation)
    return {
        "pool": pool,
        "local_pool": local,
        "sales": [share[f] * pool[firm.domain] for f, firm in enumerate(agents.firms)],
        "share": share,
        "born": born,
        "exits": exits(agents),
        "overflow": [overflow],
        "founders": founders,
    }


def home_market(agents: Agents, innovation: dict[str, Any], domain: int) -> float:
    """Return what local users pay for new and running deployments in a domain, (6.4)."""
    p = agents.p
    gdp = math.fsum(place.gdp for place in agents.prefectures)
    spending = 0.0
    for i, place in enumerate(agents.prefectures):
        users = p.potential_adopters * place.gdp / gdp / len(agents.domains)
        running = place.deployment[domain]
        fresh = innovation["deployment_next"][i][domain] - running
        spending += users * (fresh * p.deployment_fee_new + running * p.deployment_fee_run)
    return spending


def outside_market(agents: Agents, quality: float) -> float:
    """Return outside sales open to a domain, .6 o_j(t) (A/A^N)^e, last section of the model."""
    p, years = agents.p, agents.period / 4
    fade = p.outside_market_fading_time
    extra = (p.outside_market_growth_start - p.outside_market_growth_end) * fade
    growth = p.outside_market_growth_end * years + extra * (1 - math.exp(-years / fade))
    national = p.national_quality * math.exp(p.quality_growth * (agents.year - p.quality_year))
    market = p.outside_market * math.exp(growth)
    return p.outside_market_access * market * (quality / national) ** p.outside_quality_elasticity


def market_shares(agents: Agents) -> list[float]:
    """Return market shares after competition and luck: a replicator in each domain, (6.4)."""
    p, luck = agents.p, agents.normal("sales", len(agents.firms))
    result = [0.0] * len(agents.firms)
    for domain in range(len(agents.domains)):
        rivals = [f for f, firm in enumerate(agents.firms) if firm.domain == domain]
        strength = {
            f: max(agents.firms[f].knowledge, p.knowledge_floor) ** p.competition_exponent
            for f in rivals
        }
        mean = math.fsum(agents.firms[f].share * strength[f] for f in rivals)
        mean = max(mean, p.knowledge_floor)
        moved = {}
        for f in rivals:
            firm = agents.firms[f]
            factor = max(1 + p.replicator_speed * (strength[f] / mean - 1), 0.0)
            moved[f] = firm.share * factor * math.exp(p.sales_noise_sd * luck[firm.luck])
        whole = math.fsum(moved.values())
        for f in rivals:
            result[f] = ratio(moved[f], whole)
    return result


def births(
    agents: Agents, policy: dict[str, Any], innovation: dict[str, Any]
) -> tuple[list[float], float, list[float]]:
    """Return births by slot, births without a slot, and founders' knowledge, (6.3)."""
    p, count = agents.p, len(agents.domains)
    draw = agents.uniform("births", len(agents.prefectures) * count)
    fate = agents.uniform("firm fates", len(agents.firms))
    born, founders = [0.0] * len(agents.firms), [0.0] * len(agents.firms)
    overflow = 0.0
    market = agents.nation.capacity[INTELLIGENT] / agents.table[0][INTELLIGENT]
    for i, place in enumerate(agents.prefectures):
        idle = math.fsum(
            centre.servers * (1 - centre.use)
            for centre in agents.centres
            if centre.prefecture == i and centre.kind == INTELLIGENT
        )
        for j in range(count):
            mean = p.birth_rate * place.talent**p.birth_talent_elasticity
            mean *= (1 + idle / (p.birth_compute_size * market)) ** p.birth_compute_elasticity
            mean *= (1 + innovation["quality"][j]) ** p.birth_quality_elasticity
            mean *= 1 + place.deployment[j]
            if place.tier == RING_1:
                mean *= 1 + policy["lever"]["ecosystem_incubation"][0]
            waiting = poisson(draw[i * count + j], mean)
            for f, firm in enumerate(agents.firms):
                if waiting and (firm.prefecture, firm.domain) == (i, j) and not firm.active:
                    waiting -= 1
                    born[f] = 1.0
                    uniform = min(max(fate[firm.luck], 1e-12), 1 - 1e-12)
                    wisdom = math.exp(p.founder_log_sd * NormalDist().inv_cdf(uniform))
                    wisdom *= 1 + p.founder_learning * innovation["quality"][j]
                    founders[f] = min(wisdom, innovation["frontier"][0])
            overflow += waiting
    return born, overflow, founders


def exits(agents: Agents) -> list[float]:
    """Return 1 for each firm that closes: h_0, h_1 for lack of cash, h_2 for youth, (6.4)."""
    p, draw = agents.p, agents.uniform("firm fates", len(agents.firms))
    result = []
    for firm in agents.firms:
        wage = agents.prefectures[firm.prefecture].wage / 1000
        months = 3 * firm.cash / max(firm.staff * wage, p.smallest_cost)
        hazard = p.exit_base
        hazard += p.exit_cash * logistic((p.exit_cash_months - months) / p.exit_cash_spread)
        hazard += p.exit_young if firm.age < p.young_quarters else 0.0
        result.append(1.0 if firm.active and draw[firm.luck] < hazard else 0.0)
    return result
