"""One agent at a time by hand: universities, AI firms, parks and people (S5, S6)."""

import math

import numpy as np
import pytest
from one_agent import DOMAIN, PLACE, RUN, Case, case, productivity, same
from reference.closed_forms import logistic, match

from ecosystem.inputs.calendar import mid_year
from ecosystem.maths.arrays import Array
from ecosystem.maths.kernels import HOURS
from ecosystem.stages.innovation import affordability

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
    paid = policy.programme_paid[RUN, c.setting.schedule.column("joint_innovation")]
    money = c.p("grant_share_firms") * c.p("joint_innovation_grant_share") * paid
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
    known, power = c.state.firms.knowledge[RUN], c.p("supplier_substitution")
    variety = (known[c.world.firms.domain == DOMAIN] ** power).sum()
    first = c.state.society.quality_start[RUN, DOMAIN]
    quality = first * (variety / c.state.society.variety_start[RUN, DOMAIN]) ** (1 / power)
    quality += c.quarter.drivers.open_source[RUN, 0]
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
    adopted = c.setting.rules.adopt_ai(c.quarter, c.setting, c.state.parks.adoption, rates(c))
    paid = c.quarter.policy.programme_paid[RUN, c.setting.schedule.column("strong_industry")]
    cost = c.p("park_adoption_public_share") * c.p("park_adoption_cost")
    bought = c.p("park_adoption_additionality") * c.p("strong_industry_effectiveness") * paid
    bought /= cost * 4 * made.park_output[RUN].sum()
    assert 0 < bought < 1
    same(made.adoption_next[RUN, 0], adopted[RUN, 0] + bought * (1 - adopted[RUN, 0]))


def rates(c: Case) -> Array:
    """Return the rates at which parks adopt without support, a year (runs, parks)."""
    affordable = affordability(c.quarter, c.setting).mean(axis=2)[:, c.world.parks.prefecture]
    wanted = c.setting.rules.build_servers(c.quarter, c.setting)
    own = 1 + c.setting.parameters.own_centre_bonus * np.minimum(
        1, c.state.parks.servers / np.where(wanted > 0, wanted, np.inf)
    )
    good = c.quarter.innovation.relative_quality.mean(axis=1, keepdims=True)
    return c.setting.parameters.park_adoption_rate * good * affordable * own


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
    made = c.quarter.supply.sales[RUN, makers.prefecture == PLACE].sum()
    made /= c.p("maker_productivity") * math.exp(c.p("productivity_growth") * c.state.period / 4)
    posts += leave * c.p("maker_talent_share") * made
    megawatt = (built.servers * built.power)[RUN, at].sum() / 1000
    fresh = c.p("branch_rate") * max(megawatt - s.branch_peak[RUN, PLACE], 0)
    same(labour.branches_next[RUN, PLACE], c.p("branch_survival") * s.branches[RUN, PLACE] + fresh)
    staff = c.p("branch_staff") * fresh
    same(labour.moved_in[RUN, PLACE], c.p("branch_movers") * staff)
    firms = np.flatnonzero((c.world.firms.prefecture == PLACE) & (c.state.firms.active[RUN] > 0))
    targets, people, wage = {}, {}, s.wage[RUN, PLACE]
    for i in firms:
        research = (
            c.quarter.innovation.research_spending[RUN, i] + c.quarter.innovation.grants[RUN, i]
        )
        people[i] = (1 - c.p("research_purchase_share")) * 1000 * research / wage
        each = productivity(c, c.state.firms.knowledge[RUN, i], c.state.period)
        needed = (1 + c.p("staff_growth")) * c.state.firms.orders[RUN, i] / each
        targets[i] = max(needed + people[i], c.p("smallest_staff"))
    open_posts = {i: max(targets[i] - (1 - leave) * c.state.firms.staff[RUN, i], 0) for i in firms}
    vacancies = posts + sum(open_posts.values()) + staff - labour.moved_in[RUN, PLACE]
    searching = c.p("search_share") * 1000 * s.talent[RUN, PLACE]
    same(labour.tightness[RUN, PLACE], vacancies / searching)
    filled = match(vacancies, searching, c.p("labour_matching")) / vacancies
    for i in firms[:3]:
        kept = min((1 - leave) * c.state.firms.staff[RUN, i], targets[i])
        staff = kept + open_posts[i] * filled
        same(labour.staff[RUN, i], staff)
        same(
            labour.researchers[RUN, i],
            min(people[i] * min(1, staff / targets[i]), c.p("researchers_most") * staff),
        )
    normal = s.tightness[RUN, PLACE]
    change = c.p("wage_speed") * (vacancies / searching / normal - 1)
    change = min(max(change, -c.p("wage_step")), c.p("wage_step"))
    usual = c.world.prefectures.wage[PLACE] * math.exp(c.p("wage_growth") * c.state.period / 4)
    lean = (wage / usual) ** -c.p("wage_anchor")
    grown = wage * (1 + change) * math.exp(c.p("wage_growth") / 4)
    same(labour.wage_next[RUN, PLACE], grown * lean)
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
    orders = moved / moved[mine].sum() * business.pool[RUN, c.world.firms.domain[i]]
    same(business.orders[RUN, i], orders[i])
    labour = c.quarter.labour
    able = (labour.staff - labour.researchers)[RUN] * productivity(c, f.knowledge[RUN], 30)
    own = np.minimum(orders, able)
    room, unmet = (able - own)[mine].sum(), (orders - own)[mine].sum()
    more = (able - own)[i] * min(1, c.p("unmet_kept") * unmet / room)
    same(business.sales[RUN, i], own[i] + more)
    same(business.share[RUN, i], business.sales[RUN, i] / business.sales[RUN, mine].sum())
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
    rivals = c.state.society.quality_start[RUN, DOMAIN] + c.p("open_source_start")
    rivals *= math.exp(c.p("rival_quality_growth") * years)
    edge = (c.quarter.innovation.quality[RUN, DOMAIN] / rivals) ** c.p("outside_quality_elasticity")
    odds = c.p("outside_share_start") / (1 - c.p("outside_share_start")) * edge
    same(business.outside_share[RUN, DOMAIN], odds / (1 + odds))
    same(business.pool[RUN, DOMAIN], local + market * odds / (1 + odds))


def test_where_graduates_go_and_firms_are_born() -> None:
    c, labour, s = case(), case().quarter.labour, case().state.society
    places = range(c.world.prefectures.count)
    lever = c.lever("talent_retention") + c.quarter.policy.fiscal_talent[RUN, 0]
    kept, pull = [], []
    for q in places:
        east = c.p("eastern_wage") * math.exp(c.p("wage_growth") * c.state.period / 4)
        relative = math.log(s.wage[RUN, q] / east)
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
