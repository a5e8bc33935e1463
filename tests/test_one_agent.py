"""One agent at a time by hand: what a stage does to it, from the sentence in docs/model.md.

Each case takes a quarter of the teaching world, picks one agent and computes its number with plain
arithmetic. What is hard to follow by hand (routing, dispatch, location, budgets, settlement, exits
and accounts) has a slow reference of its own, `tests/reference/`.
"""

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from helpers import final, setting_of
from reference.closed_forms import logistic, match

from ecosystem.inputs.calendar import mid_year
from ecosystem.maths.kernels import HOURS
from ecosystem.quarter.start import initial_state
from ecosystem.quarter.step import step
from ecosystem.state.setting import Setting
from ecosystem.state.state import State

RUN, PLACE, DOMAIN = 1, 1, 0


class Case:
    """A quarter, the state after it, and parameters of one run as plain numbers."""

    def __init__(self, package: str, period: int, **values: float) -> None:
        self.setting: Setting = setting_of(package, replicates=(0, 1), fixed=False, **values)
        _, before = final(self.setting, period - 1)
        self.after, self.quarter = step(before, self.setting)
        self.state: State = before
        self.world = self.setting.world

    def p(self, name: str) -> float:
        return float(self.setting.parameters[name][RUN, 0])

    def lever(self, name: str) -> float:
        return float(self.quarter.policy.lever[name][RUN, 0])


@cache
def case(package: str = "article", period: int = 30) -> Case:
    return Case(package, period)


def same(found: Any, by_hand: float) -> None:
    assert float(found) == pytest.approx(by_hand, rel=1e-9, abs=1e-12)


# S0


def test_prices_costs_and_power_halve_in_their_time() -> None:
    c, d = case(), case().quarter.drivers
    years = mid_year(c.state.period) - c.p("price_reference_year")
    general, intelligent = (c.world.kinds.index(name) for name in ("general", "intelligent"))
    rent = c.p("price_to_cost_intelligent") * c.p("server_cost_intelligent")
    same(d.price[RUN, intelligent], rent * 2 ** (-years / c.p("price_halving_time_intelligent")))
    cost = c.p("server_cost_general") * 2 ** (-years / c.p("price_halving_time_general"))
    same(d.server_cost[RUN, general], cost)
    same(d.hall_cost[RUN, general], c.p("hall_cost_share") * cost)
    halls = c.p("hall_cost_intelligent") * 2 ** (-years / c.p("power_halving_time_intelligent"))
    same(d.hall_cost[RUN, intelligent], halls)
    power = c.p("power_super") * 2 ** (-years / c.p("power_halving_time_super"))
    same(d.power[RUN, c.world.kinds.index("super")], power)


def test_demand_of_one_region_and_workload() -> None:
    c, d = case(), case().quarter.drivers
    work, region = c.world.workloads, int(np.flatnonzero(~c.world.regions.home)[0])
    speed, middle = c.p("real_time_share_speed"), c.p("real_time_share_midpoint")
    start, end = c.p("real_time_share_start"), c.p("real_time_share_end")
    inference = start + (end - start) * logistic(speed * (mid_year(c.state.period) - middle))
    same(d.real_time_share[RUN, 0], inference)
    for w in range(work.count):
        kind = int(work.kind[w])
        mix = work.share_within_kind[w]
        if work.intelligent[w]:
            mix = inference if work.real_time[w] else (1 - inference) * mix
        tabled = c.setting.national_table[RUN, c.state.period, kind]
        wanted = c.state.nation.demand_ratio[RUN, kind] * tabled * HOURS * mix
        dear = c.state.buyers.price[RUN, region, w] ** -c.p("demand_elasticity")
        luck = math.exp(d.noise[RUN, region, w] - c.p("demand_noise_sd") ** 2 / 2)
        same(d.demand[RUN, region, w], c.world.regions.demand_share[region] * wanted * dear * luck)


def test_the_ratio_of_demand_and_the_national_build() -> None:
    c, d = case(), case().quarter.drivers
    ratio = c.state.nation.demand_ratio[RUN, 0]
    growth = c.p("demand_ratio_growth") / 4
    brake = 1 - ratio / c.p("demand_ratio_saturation") if growth > 0 else 1.0
    same(d.demand_ratio_next[RUN, 0], ratio * math.exp(growth * brake))
    table, t = c.setting.national_table[RUN], c.state.period
    general = d.capacity[RUN, 0] * table[t + 1, 0] / table[t, 0]
    same(d.capacity_next[RUN, 0], general)  # only investors in intelligent compute may not build
    early = case("history", 10)
    expected = early.setting.national_table[RUN, 11]
    np.testing.assert_array_equal(early.quarter.drivers.capacity_next[RUN], expected)


def test_capacity_goes_through_the_published_year_ends() -> None:
    plain = setting_of("history", national_growth_scale=1.0)
    for i, kind in enumerate(plain.world.kinds):
        path = plain.world.national_path[kind]
        for year, capacity in zip(path.year, path.capacity, strict=True):
            at = 4 * (int(year) - 2020) + 4
            if 0 <= at < plain.national_table.shape[1]:
                same(plain.national_table[0, at, i], capacity)


# S1


def test_a_lever_readiness_and_ambition() -> None:
    c, policy, g = case(), case().quarter.policy, case().state.governments
    column = c.setting.schedule.column("regional_pairing")
    spent = 4 * policy.programme_paid[RUN, column]
    most = c.p("regional_pairing_maximum") * c.p("regional_pairing_effectiveness")
    same(c.lever("regional_pairing"), most * (1 - math.exp(-spent / c.p("regional_pairing_scale"))))
    ready, works = g.readiness[RUN, PLACE], policy.infrastructure[RUN, PLACE]
    gain = (1 - ready) * (1 - math.exp(-works / c.p("readiness_investment_scale")))
    kept = ready - c.p("readiness_depreciation") * ready
    same(policy.readiness_next[RUN, PLACE], kept + gain)
    behind = max(g.growth[RUN]) - g.growth[RUN, PLACE]
    faded = (1 - c.p("ambition_fading")) * g.ambition[RUN, PLACE]
    same(policy.ambition_next[RUN, PLACE], min(faded + c.p("ambition_gain") * behind, 1.0))


# S3


def test_one_maker_learns_and_expands() -> None:
    c, supply, m = case(), case().quarter.supply, case().state.makers
    stages, makers = c.world.stages, c.world.makers
    i = int(np.flatnonzero(makers.stage == stages.index("packaging"))[0])
    sales, capacity = supply.sales[RUN, i], m.capacity[RUN, i]
    expected = m.sales[RUN, i] + c.p("sales_adaptation") * (sales - m.sales[RUN, i])
    same(supply.expected_next[RUN, i], expected)
    kept = capacity * (1 - c.p("maker_depreciation"))
    speed = c.p("maker_expansion_speed")
    speed *= 1 + c.p("chain_expansion_gain") * c.lever("equipment_chain")
    added = speed * max(expected / c.p("maker_target_use") - kept, 0)
    cost = c.p("maker_capital_intensity") * added
    worth = c.p("maker_capital_intensity") * capacity + m.cash[RUN, i]
    means = max(m.cash[RUN, i], 0) + c.p("leverage_maker") * max(worth, 0)
    part = min(1.0, means / cost) if cost > 0 else 1.0
    same(supply.investment[RUN, i], cost * part)
    same(supply.capacity_next[RUN, i], kept + added * part)
    first = c.p("initial_experience_quarters") * c.p("maker_target_use") * makers.capacity[i]
    made = m.cumulative[RUN, i] + sales
    exponent = c.p("learning_exponent_packaging") * c.p("learning_scale")
    theirs = makers.stage == stages.index("materials")
    inputs = np.average(m.cost[RUN, theirs], weights=m.capacity[RUN, theirs])
    dear = 1 + c.p("input_cost_share") * (inputs - 1)
    same(supply.cost_next[RUN, i], (made / first) ** -exponent * dear)


def test_orders_of_equipment_and_what_is_bought_at_home() -> None:
    c, supply, m = case(), case().quarter.supply, case().state.makers
    spent = c.quarter.investment.server_outlay[RUN].sum()
    bought = ("communications", "servers", "cooling")
    whole = sum(c.p(f"equipment_share_{name}") for name in bought)
    for name in bought:
        s = c.world.stages.index(name)
        same(supply.orders[RUN, s], spent * c.p(f"equipment_share_{name}") / whole)
        here = c.world.makers.stage == s
        cost = np.average(m.cost[RUN, here], weights=m.capacity[RUN, here])
        cost *= 1 - c.lever("equipment_chain")
        at_home = c.p(f"home_preference_{name}") * cost ** (1 - c.p("armington_elasticity"))
        same(supply.local_share[RUN, s], at_home / (at_home + 1 - c.p(f"home_preference_{name}")))
    sold = {name: supply.local_sales[RUN, c.world.stages.index(name)] for name in bought}
    chip = c.p("packaging_content") * c.p("packaging_home_share")
    chip *= sold["communications"] + sold["servers"]
    years = mid_year(c.state.period) - c.world.national_path["intelligent"].year[0]
    outside = c.p("outside_demand_packaging") * math.exp(c.p("outside_demand_growth") * years)
    s = c.world.stages.index("packaging")
    packed = supply.sales[RUN, c.world.makers.stage == s].sum()
    same(supply.intermediate[RUN, s], packed * chip / (chip + outside))
    same(supply.exports[RUN, s], packed * outside / (chip + outside))


# S5


def a_firm(c: Case) -> int:
    """Return the slot of the largest AI firm."""
    return int(np.argmax(c.state.firms.sales[RUN]))


def test_one_firm_researches_and_learns() -> None:
    c, made, f = case(), case().quarter.innovation, case().state.firms
    i = a_firm(c)
    place, domain = int(c.world.firms.prefecture[i]), int(c.world.firms.domain[i])
    same(made.research_spending[RUN, i], c.p("research_intensity") * f.sales[RUN, i])
    weight = f.active[RUN] * (c.p("grant_floor") + f.sales[RUN])
    policy = c.quarter.policy
    money = c.p("grant_share_firms") * policy.grants[RUN, 0]
    money += c.p("fiscal_loop_grant_share") * policy.fiscal_extra[RUN, 0]
    grant = money * weight[i] / weight.sum()
    same(made.grants[RUN, i], grant)
    effort = made.research_spending[RUN, i] + (1 + c.p("research_additionality")) * grant
    stock = f.research[RUN, i]
    same(made.research_next[RUN, i], stock * (1 - c.p("research_depreciation")) + effort)
    able = 1 - math.exp(-stock / c.p("absorption_scale"))
    same(made.absorptive[RUN, i], able)
    kappa = c.state.universities.knowledge[RUN, domain]
    away = c.world.distance_km[place, c.world.universities.prefecture]
    pull = np.exp(-away / c.p("partner_distance"))
    partners = (pull * kappa**2).sum() / (pull * kappa).sum()
    lead = lead_weight(c, place)
    gap = max((1 - lead) * partners + lead * made.frontier[RUN, 0] - f.knowledge[RUN, i], 0)
    close = made.collaboration[RUN, place, domain]
    learnt = close * able * gap * math.exp(-gap / c.p("cognitive_distance"))
    gain = c.p("knowledge_per_patent") * made.patents[RUN, i] + learnt
    same(
        made.knowledge_next[RUN, i],
        f.knowledge[RUN, i] * (1 - c.p("knowledge_depreciation"))
        + towards(c, f.knowledge[RUN, i], gain),
    )


def towards(c: Case, knowledge: float, gain: float) -> float:
    """Return what of a gain the frontier leaves room for."""
    frontier = float(c.quarter.innovation.frontier[RUN, 0])
    return max(frontier - knowledge, 0) * (1 - math.exp(-gain / frontier))


def lead_weight(c: Case, place: int) -> float:
    """Return the weight of lead firms' knowledge in a prefecture."""
    built, centres = c.quarter.investment, c.world.centres
    megawatt = built.servers[RUN] * built.power[RUN] / 1000
    near = 0.0
    for q in range(c.world.prefectures.count):
        there = 1 - math.exp(-megawatt[centres.prefecture == q].sum() / c.p("lead_firm_scale"))
        near += there * math.exp(-c.world.distance_km[place, q] / c.p("lead_firm_distance"))
    anchors = 1 + c.p("anchor_knowledge_gain") * c.lever("anchor_tenants")
    return min(1.0, c.p("lead_firm_knowledge") * anchors * min(1.0, near))


def test_patents_of_one_firm() -> None:
    c = case()
    made, i = c.quarter.innovation, a_firm(c)
    place, domain = int(c.world.firms.prefecture[i]), int(c.world.firms.domain[i])
    years = min(
        mid_year(c.state.period) - c.p("patent_propensity_start"), c.p("patent_propensity_years")
    )
    rate = c.p("patent_rate") * math.exp(c.p("patent_propensity_growth") * years) / 4
    effort = (
        made.research_spending[RUN, i] + (1 + c.p("research_additionality")) * made.grants[RUN, i]
    )
    effort = max(4 * effort / c.p("research_reference"), c.p("research_floor"))
    reach = np.exp(
        -c.world.distance_km[place, c.world.universities.prefecture] / c.p("spillover_distance")
    )
    near = (reach * c.state.universities.knowledge[RUN, domain]).sum() / c.p("spillover_scale")
    rent = c.p("price_to_cost_intelligent") * c.p("server_cost_intelligent")
    price = c.quarter.drivers.price[RUN, c.world.kinds.index("intelligent")]
    used = made.compute[RUN, i] / (c.p("compute_reference") * HOURS * rent / price)
    mean = rate * effort ** c.p("research_elasticity") * (1 + near) ** c.p("university_elasticity")
    mean *= (1 + used) ** c.p("compute_elasticity")
    luck = c.setting.chance.uniform("patents", c.state.period, c.world.firms.count)
    assert made.patents[RUN, i] == poisson(luck[RUN, c.world.firms.order[i]], mean)


def test_deployment_parks_and_universities() -> None:
    c, made = case(), case().quarter.innovation
    firms = c.state.firms.active[RUN]
    here = (c.world.firms.prefecture == PLACE) & (c.world.firms.domain == DOMAIN)
    branches = c.p("branch_weight") * c.state.society.branches[RUN, PLACE] / c.world.domains.count
    near = math.sqrt(min(1.0, (firms[here].sum() + branches) / c.p("integrators")))
    price = c.quarter.market.routing.offer.relative_price[RUN, c.world.kinds.index("intelligent")]
    cheap = price ** -c.p("deployment_price_elasticity")
    known = (c.state.firms.share * c.state.firms.knowledge)[RUN, c.world.firms.domain == DOMAIN]
    quality = known.sum() + c.quarter.drivers.open_source[RUN, 0]
    same(made.quality[RUN, DOMAIN], quality)
    scale = c.p("quality_scale") * math.exp(
        c.p("quality_growth") * (mid_year(c.state.period) - c.p("quality_year"))
    )
    relative = 1 - math.exp(-quality / scale)
    same(made.relative_quality[RUN, DOMAIN], relative)
    pushed = c.p("deployment_innovation") * (1 + c.lever("scenario_deployment")) * cheap * near
    copied = c.p("deployment_imitation") * relative * cheap * near
    y = c.state.society.deployment[RUN, PLACE, DOMAIN]
    for _ in range(20_000):  # dy/dt = (p + q y)(1 - y) over a quarter, in small steps
        half = y + (pushed + copied * y) * (1 - y) * 0.25 / 40_000
        y += (pushed + copied * half) * (1 - half) * 0.25 / 20_000
    assert made.deployment_next[RUN, PLACE, DOMAIN] == pytest.approx(y, rel=1e-7)
    kappa = c.state.universities.knowledge[RUN, DOMAIN, 0]
    mean = c.state.universities.knowledge[RUN, DOMAIN].mean()
    accepted = 2 * logistic(c.p("consortium_selectivity") * math.log(kappa / mean))
    grows = c.p("university_growth")
    grows += c.p("university_growth_consortium") * c.lever("joint_innovation") * accepted
    effort = c.setting.rules.divide_effort(c.quarter, c.setting)[RUN, DOMAIN, 0]
    flow = sum(
        made.patents[RUN, (c.world.firms.prefecture == q) & (c.world.firms.domain == DOMAIN)].sum()
        * made.collaboration[RUN, q, DOMAIN]
        for q in range(c.world.prefectures.count)
    )
    back = c.p("university_back_flow") * flow / c.world.universities.count
    gain = towards(c, kappa, kappa * grows * effort + back)
    same(made.university_knowledge_next[RUN, DOMAIN, 0], kappa + gain)


def test_one_park_adopts_and_builds() -> None:
    c, made, parks = case(), case().quarter.innovation, case().world.parks
    z, servers = c.state.parks.adoption[RUN, 0], c.state.parks.servers[RUN, 0]
    gain, t = c.p("park_productivity_gain"), c.state.period
    output = parks.output[0] * math.exp(c.p("park_output_growth") * t / 4)
    output *= (1 + gain * z) / (1 + gain * parks.adoption[0])
    same(made.park_output[RUN, 0], output)
    table = c.setting.national_table[RUN, :, 0]
    wanted = c.p("park_compute_intensity") * z * output * table[t] / table[0]
    kept = servers * (1 - c.p("server_depreciation_general"))
    support = (
        1 + c.p("industrial_subsidy_response") * c.quarter.policy.rate["industrial_centres"][RUN, 0]
    )
    order = c.p("park_build_speed") * support * max(wanted - kept, 0)
    same(made.park_order[RUN, 0], order)
    same(made.park_servers_next[RUN, 0], kept + order)


# S6


def test_one_place_hires_pays_and_keeps_people() -> None:
    c, labour, s = case(), case().quarter.labour, case().state.society
    built, centres, makers = c.quarter.investment, c.world.centres, c.world.makers
    at = centres.prefecture == PLACE
    jobs = c.p("jobs_per_megawatt") * (built.servers * built.power)[RUN, at] / 1000
    before = (
        c.p("jobs_per_megawatt") * (c.state.centres.servers * c.state.centres.power)[RUN, at] / 1000
    )
    leave = c.p("separation_rate")
    posts = (leave * jobs + np.maximum(jobs - before, 0)).sum()
    made = c.quarter.supply.sales[RUN, makers.prefecture == PLACE].sum() / c.p("maker_productivity")
    posts += leave * c.p("maker_talent_share") * made
    megawatt = (built.servers * built.power)[RUN, at].sum() / 1000
    fresh = c.p("branch_rate") * max(megawatt - s.branch_peak[RUN, PLACE], 0)
    same(labour.branches_next[RUN, PLACE], c.p("branch_survival") * s.branches[RUN, PLACE] + fresh)
    staff = c.p("branch_staff") * fresh
    same(labour.moved_in[RUN, PLACE], c.p("branch_movers") * staff)
    firms = np.flatnonzero((c.world.firms.prefecture == PLACE) & (c.state.firms.active[RUN] > 0))
    targets, wage = {}, s.wage[RUN, PLACE]
    for i in firms:
        research = (
            c.quarter.innovation.research_spending[RUN, i] + c.quarter.innovation.grants[RUN, i]
        )
        people = (1 - c.p("research_purchase_share")) * 1000 * research / wage
        sold = (1 + c.p("staff_growth")) * c.state.firms.sales[RUN, i] / c.p("sales_per_worker")
        targets[i] = max(sold + people, c.p("smallest_staff"))
    open_posts = {i: max(targets[i] - (1 - leave) * c.state.firms.staff[RUN, i], 0) for i in firms}
    vacancies = posts + sum(open_posts.values()) + staff - labour.moved_in[RUN, PLACE]
    searching = c.p("search_share") * 1000 * s.talent[RUN, PLACE]
    same(labour.tightness[RUN, PLACE], vacancies / searching)
    filled = match(vacancies, searching, c.p("labour_matching")) / vacancies
    for i in firms[:3]:
        kept = min((1 - leave) * c.state.firms.staff[RUN, i], targets[i])
        same(labour.staff[RUN, i], kept + open_posts[i] * filled)
    normal = s.tightness[RUN, PLACE]
    change = c.p("wage_speed") * (vacancies / searching / normal - 1)
    change = min(max(change, -c.p("wage_step")), c.p("wage_step"))
    lean = (wage / c.world.prefectures.wage[PLACE]) ** -c.p("wage_anchor")
    same(labour.wage_next[RUN, PLACE], wage * (1 + change) * lean)
    talent = (
        s.talent[RUN, PLACE] + (labour.retained - labour.left + labour.moved_in)[RUN, PLACE] / 1000
    )
    same(labour.talent_next[RUN, PLACE], talent)
    lever = c.lever("talent_retention") + c.quarter.policy.fiscal_talent[RUN, 0]
    going = c.p("talent_departure") * max(1 - c.p("talent_departure_response") * lever, 0)
    same(labour.left[RUN, PLACE], going * 1000 * s.talent[RUN, PLACE])


def test_one_firm_sells_and_may_close() -> None:
    c, business, f = case(), case().quarter.business, case().state.firms
    i, order = a_firm(c), c.world.firms.order
    mine = c.world.firms.domain == c.world.firms.domain[i]
    strength = np.maximum(f.knowledge[RUN], c.p("knowledge_floor")) ** c.p("competition_exponent")
    mean = max((f.share[RUN] * strength)[mine].sum(), c.p("knowledge_floor"))
    luck = c.setting.chance.normal("sales", c.state.period, c.world.firms.count)[RUN][order]
    moved = f.share[RUN] * np.maximum(1 + c.p("replicator_speed") * (strength / mean - 1), 0)
    moved = moved * np.exp(c.p("sales_noise_sd") * luck)
    share = moved[i] / moved[mine].sum()
    same(business.share[RUN, i], share)
    same(business.sales[RUN, i], share * business.pool[RUN, c.world.firms.domain[i]])
    place = int(c.world.firms.prefecture[i])
    cost = f.staff[RUN, i] * c.state.society.wage[RUN, place] / 1000
    months = f.cash[RUN, i] / (max(cost, c.p("smallest_cost")) / 3)
    short = logistic((c.p("exit_cash_months") - months) / c.p("exit_cash_spread"))
    hazard = c.p("exit_base") + c.p("exit_cash") * short
    hazard += c.p("exit_young") * (f.age[RUN, i] < c.p("young_quarters"))
    fate = c.setting.chance.uniform("firm fates", c.state.period, c.world.firms.count)
    assert business.exits[RUN, i] == (fate[RUN, order[i]] < hazard)


def test_one_market_of_ai_services() -> None:
    c, business = case(), case().quarter.business
    fresh = c.quarter.innovation.deployment_next - c.state.society.deployment
    gdp = c.world.prefectures.gdp / c.world.prefectures.gdp.sum()
    adopters = c.p("potential_adopters") * gdp / c.world.domains.count
    local = sum(
        adopters[q]
        * (
            c.p("deployment_fee_new") * fresh[RUN, q, DOMAIN]
            + c.p("deployment_fee_run") * c.state.society.deployment[RUN, q, DOMAIN]
        )
        for q in range(c.world.prefectures.count)
    )
    same(business.local_pool[RUN, DOMAIN], local)
    start, end = c.p("outside_market_growth_start"), c.p("outside_market_growth_end")
    fading, years = c.p("outside_market_fading_time"), c.state.period / 4
    growth = end * years + (start - end) * fading * (1 - math.exp(-years / fading))
    market = c.p("outside_market") * math.exp(growth)
    year = mid_year(c.state.period) - c.p("quality_year")
    nation = c.p("national_quality") * math.exp(c.p("quality_growth") * year)
    edge = (c.quarter.innovation.quality[RUN, DOMAIN] / nation) ** c.p("outside_quality_elasticity")
    same(business.pool[RUN, DOMAIN], local + c.p("outside_market_access") * market * edge)


def test_where_graduates_go_and_firms_are_born() -> None:
    c, labour, s = case(), case().quarter.labour, case().state.society
    places = range(c.world.prefectures.count)
    lever = c.lever("talent_retention") + c.quarter.policy.fiscal_talent[RUN, 0]
    kept, pull = [], []
    for q in places:
        relative = math.log(s.wage[RUN, q] / c.p("eastern_wage"))
        tight = labour.tightness[RUN, q]
        drawn = c.p("retention_wage") * relative + c.p("retention_vacancy") * tight
        stay = logistic(c.p("retention_intercept") + c.p("retention_response") * drawn + lever)
        kept.append(labour.graduates[RUN, q] * stay)
        weight = s.wage[RUN, q] ** c.p("migration_wage")
        weight *= s.talent[RUN, q] ** c.p("migration_size")
        pull.append(weight * math.exp(c.p("migration_vacancy") * tight))
    home = c.p("migration_home_bias")
    there = (1 - home) * sum(kept) * pull[PLACE] / sum(pull)
    same(labour.retained[RUN, PLACE], home * kept[PLACE] + there)
    born, f = c.quarter.business.born, c.state.firms
    for cell in range(0, c.world.firms.cell.max() + 1, 3):
        here = np.flatnonzero(c.world.firms.cell == cell)
        place, domain = divmod(cell, c.world.domains.count)
        mean = c.p("birth_rate") * s.talent[RUN, place] ** c.p("birth_talent_elasticity")
        quality = c.quarter.innovation.quality[RUN, domain]
        mean *= (1 + quality) ** c.p("birth_quality_elasticity")
        mean *= 1 + s.deployment[RUN, place, domain]
        if c.world.prefectures.ring_1[place]:
            mean *= 1 + c.lever("ecosystem_incubation")
        at = (c.world.centres.prefecture == place) & c.world.centres.intelligent
        centres, i = c.state.centres, c.world.kinds.index("intelligent")
        idle = (centres.servers * (1 - centres.use))[RUN, at].sum()
        size = c.state.nation.capacity[RUN, i] / c.setting.national_table[RUN, 0, i]
        mean *= (1 + idle / (c.p("birth_compute_size") * size)) ** c.p("birth_compute_elasticity")
        luck = c.setting.chance.uniform("births", c.state.period, c.world.firms.cell.max() + 1)
        free = (f.active[RUN, here] == 0).sum()
        assert born[RUN, here].sum() == min(poisson(luck[RUN, cell], mean), free)


def poisson(luck: float, mean: float) -> int:
    """Return the smallest count whose distribution function is above the luck."""
    count, part = 0, math.exp(-mean)
    below = part
    while below <= luck:
        count += 1
        part *= mean / count
        below += part
    return count


# From the quarter to the next state


def test_the_next_state_holds_what_the_stages_decided() -> None:
    c, q, new = case(), case().quarter, case().after
    old, t = c.state, c.state.period
    assert new.period == t + 1
    np.testing.assert_array_equal(new.nation.capacity_history[:, 0], old.nation.capacity)
    np.testing.assert_array_equal(
        new.nation.capacity_history[:, 1:], old.nation.capacity_history[:, :-1]
    )
    np.testing.assert_array_equal(new.centres.fill_history[:, 0], q.investment.fill)
    np.testing.assert_array_equal(new.centres.mark, q.market.mark_next)
    np.testing.assert_array_equal(new.makers.sales, q.supply.expected_next)
    np.testing.assert_array_equal(new.governments.readiness, q.policy.readiness_next)
    received = q.accounts.local_receipts[RUN, 0]
    same(new.governments.receipts[RUN, 0], received)
    weight = np.array([c.p(f"headline_weight_{kind}") for kind in c.world.kinds])
    here = c.world.centres.prefecture == PLACE
    sold = (q.market.sold[RUN] / HOURS * weight[c.world.centres.kind])[here].sum()
    same(new.governments.activity[RUN, PLACE], sold)
    floor = c.p("activity_floor")
    before = old.governments.activity[RUN, PLACE]
    same(new.governments.growth[RUN, PLACE], math.log((sold + floor) / (before + floor)))
    met, mean = q.policy.match[RUN, PLACE], old.governments.match[RUN, PLACE]
    same(new.governments.match[RUN, PLACE], mean + (met - mean) / (t % 4 + 1))
    first = 0 if t % 4 == 0 else 1
    claimed = q.accounts.settlement.claimed[RUN] + first * old.governments.claimed[RUN]
    np.testing.assert_allclose(new.governments.claimed[RUN], claimed, rtol=1e-12)


def test_firms_that_stay_leave_and_are_born() -> None:
    c, q, new, old = case(), case().quarter, case().after.firms, case().state.firms
    born, gone = q.business.born[RUN] > 0, q.business.exits[RUN] > 0
    assert born.any() and gone.any()
    stays = (old.active[RUN] > 0) & ~gone
    np.testing.assert_array_equal(new.active[RUN] > 0, stays | born)
    np.testing.assert_array_equal(new.age[RUN], np.where(stays, old.age[RUN] + 1, 0))
    np.testing.assert_array_equal(new.generation[RUN], old.generation[RUN] + born)
    np.testing.assert_allclose(new.staff[RUN, born], c.p("smallest_staff"))
    np.testing.assert_array_equal(new.knowledge[RUN, born], q.business.founders[RUN, born])
    for j in range(c.world.domains.count):
        mine = c.world.firms.domain == j
        entrant = c.p("entrant_share") / max(new.active[RUN, mine].sum(), 1)
        raw = np.where(stays, q.business.share[RUN], 0) + np.where(born, entrant, 0)
        np.testing.assert_allclose(new.share[RUN, mine], raw[mine] / raw[mine].sum(), rtol=1e-12)
        sales = np.where(stays, q.business.sales[RUN], born * entrant * q.business.pool[RUN, j])
        np.testing.assert_allclose(new.sales[RUN, mine], sales[mine], rtol=1e-12)


# The first quarter


def test_the_state_at_the_start() -> None:
    setting = setting_of("history", replicates=(0, 1), fixed=False)
    state, world = initial_state(setting), setting.world
    c = Case.__new__(Case)
    c.setting = setting
    centres, rows = state.centres, world.centres
    i = int(np.flatnonzero(rows.intelligent & (rows.servers > 0))[0])
    years = mid_year(0) - c.p("price_reference_year")
    power = c.p("power_intelligent") * 2 ** (-years / c.p("power_halving_time_intelligent"))
    carried = rows.servers[i] / c.p("initial_fill")
    same(centres.halls[RUN, i], carried * power / 1000)
    cost = c.p("server_cost_intelligent") * 2 ** (-years / c.p("price_halving_time_intelligent"))
    same(centres.book_servers[RUN, i], c.p("opening_book") * cost * rows.servers[i])
    hall = c.p("hall_cost_intelligent") * 2 ** (-years / c.p("power_halving_time_intelligent"))
    same(centres.book_halls[RUN, i], hall * carried)
    book = centres.book_servers[RUN, i] + centres.book_halls[RUN, i]
    same(centres.loan[RUN, i], c.p("opening_loan") * c.p("local_settlement") * book)
    same(centres.cash[RUN, i], c.p("opening_cash") * book)
    use = c.p("demand_ratio_start_intelligent")
    same(centres.sold[RUN, i], use * rows.servers[i] * HOURS)
    luck = setting.chance.normal("service quality", 0, rows.count)[RUN, rows.order[i]]
    sd = c.p("quality_log_sd")
    same(centres.quality[RUN, i], math.exp(sd * luck - sd**2 / 2))
    firms = world.firms
    f = int(np.flatnonzero(firms.initial)[0])
    luck = setting.chance.normal("first firms", 0, 2 * firms.count)[RUN]
    sd, size = c.p("initial_sales_log_sd"), luck[2 * firms.order[f]]
    sales = c.p("initial_sales") * math.exp(sd * size - sd**2 / 2)
    same(state.firms.sales[RUN, f], sales)
    same(state.firms.staff[RUN, f], sales / c.p("sales_per_worker"))
    wisdom = luck[2 * firms.order[f] + 1]
    same(state.firms.knowledge[RUN, f], math.exp(c.p("initial_knowledge_log_sd") * wisdom))
    mine = firms.domain == firms.domain[f]
    same(state.firms.share[RUN, f], sales / state.firms.sales[RUN, mine].sum())
    made = c.p("maker_target_use") * world.makers.capacity[0]
    same(state.makers.cumulative[RUN, 0], c.p("initial_experience_quarters") * made)
    now, after = setting.national_table[RUN, 0, 0], setting.national_table[RUN, 1, 0]
    same(state.nation.capacity_history[RUN, 2, 0], now * (now / after) ** 3)
