"""S6: talent, vacancies and hiring, wages, sales, births and exits of AI firms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecosystem.inputs.calendar import mid_year
from ecosystem.maths import kernels
from ecosystem.maths.arrays import Array, safe_ratio, sigmoid, total
from ecosystem.maths.chance import normal_inverse
from ecosystem.maths.clearing import first_free, power, spread
from ecosystem.stages.drivers import open_source_floor
from ecosystem.stages.routing import potential_adopters
from ecosystem.state.records import Business, Innovation, Labour, Quarter
from ecosystem.state.setting import Setting
from ecosystem.state.state import State


def employ(
    quarter: Quarter,
    setting: Setting,
) -> Labour:
    """Return talent, hiring and wages; docs/model.md, S6.

    Centres, makers and AI firms draw on one pool of searchers (coupling C5).
    """
    state, investment, supply = quarter.state, quarter.investment, quarter.supply
    p, world, s, f = setting.parameters, setting.world, state.society, state.firms
    centre_jobs = p.jobs_per_megawatt * investment.servers * investment.power / 1000
    productivity = p.maker_productivity * np.exp(p.productivity_growth * state.period / 4)
    maker_jobs = supply.output / productivity
    poached = p.talent_departure * p.poaching_departure * (quarter.drivers.poaching - 1)
    stay = np.maximum(1 - p.separation_rate - poached, 0)
    wanted = np.maximum(setting.rules.want_staff(quarter, setting), p.smallest_staff)
    target = f.active * wanted
    open_posts = np.maximum(target - stay * f.staff, 0)
    firm_posts = world.firms.sum(open_posts, "prefecture")
    before = p.jobs_per_megawatt * state.centres.servers * state.centres.power / 1000
    centre_posts = p.separation_rate * centre_jobs + np.maximum(centre_jobs - before, 0)
    maker_posts = p.separation_rate * p.maker_talent_share * maker_jobs
    other_posts = world.centres.sum(centre_posts, "prefecture")
    other_posts = other_posts + world.makers.sum(maker_posts, "prefecture")
    branches, peak, recruited = recruit(quarter, setting)
    staffed = p.branch_staff * recruited
    moved_in = p.branch_movers * staffed
    vacancies = firm_posts + other_posts + staffed - moved_in
    searchers = p.search_share * 1000 * s.talent
    hires = kernels.match(vacancies, searchers, p.labour_matching)
    filled = safe_ratio(hires, vacancies)
    hired = open_posts * spread(filled, world.firms.prefecture)
    staff = f.active * (np.minimum(stay * f.staff, target) + hired)
    filled_posts = np.minimum(1, safe_ratio(staff, wanted))
    tightness = safe_ratio(vacancies, searchers)
    graduates, retained, left = move_talent(quarter, tightness, setting)
    return Labour(
        graduates=graduates,
        retained=retained,
        left=left,
        talent_next=s.talent + (retained - left + moved_in) / 1000,
        moved_in=moved_in,
        branches_next=branches,
        branch_peak_next=peak,
        wage_next=move_wage(state, tightness, setting),
        tightness=tightness,
        centre_jobs=centre_jobs,
        maker_jobs=maker_jobs,
        hires=hired,
        staff=staff,
        researchers=np.minimum(
            want_researchers(quarter, setting) * filled_posts, p.researchers_most * staff
        ),
    )


def recruit(quarter: Quarter, setting: Setting) -> tuple[Array, Array, Array]:
    """Return branches next quarter, the peak of operation (MW), and branches recruited (runs, P).

    Coupling C1: firms from elsewhere register where servers run; new = r max(MW - peak, 0).
    """
    state, investment = quarter.state, quarter.investment
    p, world, s = setting.parameters, setting.world, state.society
    megawatt = world.centres.sum(investment.servers * investment.power / 1000, "prefecture")
    recruited = p.branch_rate * np.maximum(megawatt - s.branch_peak, 0)
    kept = p.branch_survival * s.branches
    return kept + recruited, np.maximum(megawatt, s.branch_peak), recruited


def want_staff(quarter: Quarter, setting: Setting) -> Array:
    """Return the staff that each AI firm wants, persons (runs, slots): a rule.

    For last quarter's orders, with some growth, and for its research.
    """
    p, f = setting.parameters, quarter.state.firms
    producers = f.orders / output_per_worker(f.knowledge, quarter.state.period, setting)
    return (1 + p.staff_growth) * producers + want_researchers(quarter, setting)


def want_researchers(quarter: Quarter, setting: Setting) -> Array:
    """Return the researchers that each AI firm can pay at local wages, persons (runs, slots)."""
    wage = spread(quarter.state.society.wage, setting.world.firms.prefecture)
    research = quarter.innovation.research_spending + quarter.innovation.grants
    return researchers_of(research, wage, setting)


def researchers_of(research: Array, wage: Array, setting: Setting) -> Array:
    """Return whom research spending pays beside its purchases: M¥ and k¥ a quarter to persons."""
    return np.asarray((1 - setting.parameters.research_purchase_share) * 1000 * research / wage)


def output_per_worker(knowledge: Array, period: int, setting: Setting) -> Array:
    """Return what a worker in production can deliver, M¥ a quarter (runs, slots).

    pi = pi_0 e^(g y) kappa^eta; knowledge raises output as research capital does (Hall, Mairesse
    & Mohnen 2010).
    """
    p = setting.parameters
    known = power(np.maximum(knowledge, p.knowledge_floor), p.knowledge_productivity)
    return np.asarray(p.sales_per_worker * np.exp(p.productivity_growth * period / 4) * known)


def move_talent(quarter: Quarter, tightness: Array, setting: Setting) -> tuple[Array, Array, Array]:
    """Return graduates by place of study, retained by place of work, and leavers (persons)."""
    state, drivers, policy = quarter.state, quarter.drivers, quarter.policy
    p, world, s = setting.parameters, setting.world, state.society
    lever = policy.local_lever["talent_retention"] + policy.fiscal_talent
    years = state.period / 4
    graduates = world.universities.graduates * np.exp(p.graduates_growth * years)
    graduates = world.universities.sum(graduates, "prefecture")
    relative = np.log(s.wage / (p.eastern_wage * np.exp(p.wage_growth * years)))
    stay = sigmoid(
        p.retention_intercept
        + p.retention_response * (p.retention_wage * relative + p.retention_vacancy * tightness)
        + lever
        - (drivers.poaching - 1)
    )
    pull = (
        p.migration_wage * np.log(s.wage)
        + p.migration_size * np.log(s.talent)
        + p.migration_vacancy * tightness
    )
    to_place = kernels.softmax(pull)
    at_home = p.migration_home_bias
    keep = graduates * stay
    retained = at_home * keep + (1 - at_home) * keep.sum(axis=1, keepdims=True) * to_place
    leaving = p.talent_departure * np.maximum(1 - p.talent_departure_response * lever, 0)
    leaving = leaving * (1 + p.poaching_departure * (drivers.poaching - 1))
    return graduates, retained, leaving * 1000 * s.talent


def move_wage(state: State, tightness: Array, setting: Setting) -> Array:
    """Return wages after growth, tightness and the usual wage, k¥ a quarter (runs, prefectures).

    w' = w (1 + clip) e^(g/4) (w/usual)^-a: without tightness the wage keeps its distance to the
    east's, which grows alike.
    """
    p, s = setting.parameters, state.society
    normal = np.where(state.period < p.wage_reference_quarters, tightness, s.tightness)
    change = p.wage_speed * (safe_ratio(tightness, normal, empty=1.0) - 1)
    change = np.clip(change, -p.wage_step, p.wage_step)
    grown = s.wage * (1 + change) * np.exp(p.wage_growth / 4)
    lean = np.log(s.wage / usual_wage(state.period, setting))
    return np.asarray(grown * np.exp(-p.wage_anchor * lean))


def usual_wage(period: int, setting: Setting) -> Array:
    """Return the wage of each place without tightness, k¥ a quarter (runs, prefectures)."""
    growth = np.exp(setting.parameters.wage_growth * period / 4)
    return setting.world.prefectures.wage * growth


def trade(
    quarter: Quarter,
    setting: Setting,
) -> Business:
    """Return sales, births and exits of AI firms; docs/model.md, S6.

    Firms win orders by their market share, deliver what their staff can, and pass on a part of
    the rest; customers stay where they were served.
    """
    state, labour = quarter.state, quarter.labour
    world, f = setting.world, state.firms
    local, share_outside = local_services(quarter, setting), outside_share(quarter, setting)
    pool = local + outside_market(quarter, setting) * share_outside
    won = compete(state, setting)
    orders = won * spread(pool, world.firms.domain)
    producers = labour.staff - labour.researchers
    capacity = producers * output_per_worker(f.knowledge, state.period, setting)
    sales = deliver(orders, capacity, setting)
    sold = spread(world.firms.sum(sales, "domain"), world.firms.domain)
    fate = spread(
        setting.chance.uniform("firm fates", state.period, world.firms.count), world.firms.order
    )
    born, overflow, founders = found_firms(quarter, fate, setting)
    exits = (fate < setting.rules.close_firm(quarter, setting)).astype(float)
    return Business(
        pool=pool,
        local_pool=local,
        outside_share=share_outside,
        orders=orders,
        capacity=capacity,
        sales=sales,
        share=np.where(sold > 0, safe_ratio(sales, sold), won),
        born=born,
        exits=exits * f.active,
        overflow=overflow,
        founders=founders,
    )


def local_services(quarter: Quarter, setting: Setting) -> Array:
    """Return what local deployments pay for AI services, M¥ (runs, domains)."""
    deployed, p = quarter.state.society.deployment, setting.parameters
    fresh = quarter.innovation.deployment_next - deployed
    fee = p.deployment_fee_new[:, :, None] * fresh + p.deployment_fee_run[:, :, None] * deployed
    fees = (potential_adopters(setting) * fee).sum(axis=1)
    return np.asarray(quarter.drivers.ai_demand * fees)


def outside_market(quarter: Quarter, setting: Setting) -> Array:
    """Return the market for AI services outside the province, M_j, M¥ (runs, domains).

    Its growth fades from one rate to another.
    """
    p, years = setting.parameters, quarter.state.period / 4
    fade = p.outside_market_fading_time
    growth = p.outside_market_growth_end * years + (
        p.outside_market_growth_start - p.outside_market_growth_end
    ) * fade * -np.expm1(-years / fade)
    market = p.outside_market * np.exp(growth) * quarter.drivers.ai_demand
    return market * np.ones(setting.world.domains.count)


def outside_share(quarter: Quarter, setting: Setting) -> Array:
    """Return the share of the outside market that local suppliers attract, (runs, domains).

    odds = S_0/(1 - S_0) [(A/A_0) e^(-g y)]^eps: attraction of quality relative to rivals whose own
    grows (Bell, Keeney & Little 1975), a binary logit, so never more than the market.
    """
    state, p = quarter.state, setting.parameters
    first = state.society.quality_start + open_source_floor(setting, mid_year(0))
    rivals = first * np.exp(p.rival_quality_growth * state.period / 4)
    start = p.outside_share_start / (1 - p.outside_share_start)
    edge = power(quarter.innovation.quality / rivals, p.outside_quality_elasticity)
    return np.asarray(start * edge / (1 + start * edge))


def deliver(orders: Array, capacity: Array, setting: Setting) -> Array:
    """Return sales, M¥ (runs, slots): orders up to capacity, and a part of what others cannot do.

    sales = min(orders, c) + slack min(1, phi U/sum slack), U what stays unmet in the domain; the
    rest of it goes outside (Dosi, Fagiolo & Roventini 2010).
    """
    firms = setting.world.firms
    own = np.minimum(orders, capacity)
    slack = capacity - own
    unmet, room = firms.sum(orders - own, "domain"), firms.sum(slack, "domain")
    taken = np.minimum(1, setting.parameters.unmet_kept * safe_ratio(unmet, room))
    return own + slack * spread(taken, firms.domain)


def compete(state: State, setting: Setting) -> Array:
    """Return market shares within each domain, a discrete replicator with luck (runs, slots).

    ms' = ms (1 + c (E/mean E - 1)) e^(s N), E = kappa^eta; Nelson & Winter 1982, Gibrat noise.
    """
    p, f, world = setting.parameters, state.firms, setting.world
    strength = np.exp(p.competition_exponent * np.log(np.maximum(f.knowledge, p.knowledge_floor)))
    mean = world.firms.sum(f.share * strength, "domain")
    relative = strength / spread(np.maximum(mean, p.knowledge_floor), world.firms.domain)
    luck = spread(
        setting.chance.normal("sales", state.period, world.firms.count), world.firms.order
    )
    moved = f.share * np.maximum(1 + p.replicator_speed * (relative - 1), 0)
    moved = moved * np.exp(p.sales_noise_sd * luck)
    whole = world.firms.sum(moved, "domain")
    return moved * spread(safe_ratio(np.ones_like(whole), whole), world.firms.domain)


def found_firms(quarter: Quarter, fate: Array, setting: Setting) -> tuple[Array, Array, Array]:
    """Return births by slot, births without a slot, and entrants' knowledge.

    Poisson with mean b H^a (1 + C/C_0)^c (1 + A)^k (1 + y) by cell (Audretsch & Feldman 1996).
    C_0 grows with the national market, else calendar time alone would multiply births.
    """
    state, policy, innovation = quarter.state, quarter.policy, quarter.innovation
    p, world, f = setting.parameters, setting.world, state.firms
    domains = len(world.domains.domain)
    talent = np.exp(p.birth_talent_elasticity * np.log(state.society.talent))
    idle = state.centres.servers * (1 - state.centres.use) * world.centres.intelligent
    idle = world.cells.sum(world.centres.sum(idle, "cell"), "prefecture")
    market = state.nation.capacity / setting.national_table[:, 0]
    size = p.birth_compute_size * market[:, world.kinds.intelligent]
    compute = np.exp(p.birth_compute_elasticity * np.log1p(idle / size))
    quality = np.exp(p.birth_quality_elasticity * np.log1p(innovation.quality))
    mean = p.birth_rate[:, :, None] * (talent * compute)[:, :, None] * quality[:, None, :]
    nursery = 1 + policy.local_lever["ecosystem_incubation"]
    mean = (mean * (1 + state.society.deployment) * nursery[:, :, None]).reshape(setting.runs, -1)
    draw = setting.chance.uniform("births", state.period, world.prefectures.count * domains)
    number = kernels.poisson_inverse(draw, mean)
    born, overflow = first_free(f.active > 0, number, world.firms.cell_start, world.firms.cell)
    return born.astype(float), total(overflow), endow(born, fate, innovation, setting)


def endow(born: NDArray[np.bool_], fate: Array, innovation: Innovation, setting: Setting) -> Array:
    """Return entrants' knowledge, lognormal around what local quality teaches (runs, slots).

    A slot that was free has no use for its draw of fate, so its entrant takes it.
    """
    p = setting.parameters
    run, slot = np.nonzero(born)
    luck = normal_inverse(fate[run, slot])
    level = 1 + p.founder_learning * innovation.quality
    knowledge = np.exp(p.founder_log_sd[run, 0] * luck)
    founders = np.zeros(born.shape)
    wisdom = knowledge * level[run, setting.world.firms.domain[slot]]
    founders[run, slot] = np.minimum(wisdom, innovation.frontier[run, 0])
    return founders


def entrant_shares(quarter: Quarter, setting: Setting) -> Array:
    """Return the market shares with which the entrants of the quarter start, (runs, slots).

    s_e = share (kappa_e/mean kappa)^eta/N, the mean over the firms before entry, N after it: who
    knows more than the others starts larger, as competition would make it.
    """
    p, world, f = setting.parameters, setting.world, quarter.state.firms
    business = quarter.business
    before = world.firms.sum(f.active, "domain")
    after = world.firms.sum(f.active * (1 - business.exits) + business.born, "domain")
    mean = safe_ratio(world.firms.sum(f.active * f.knowledge, "domain"), before)
    known, usual = (
        np.maximum(knowledge, p.knowledge_floor)
        for knowledge in (business.founders, spread(mean, world.firms.domain))
    )
    alone = spread(before, world.firms.domain) == 0
    ahead = np.where(alone, 1.0, power(known / usual, p.competition_exponent))
    each = p.entrant_share / spread(np.maximum(after, 1), world.firms.domain)
    return business.born * each * ahead


def close_firm(quarter: Quarter, setting: Setting) -> Array:
    """Return the chance that each AI firm closes this quarter (runs, slots): a rule.

    Hazard h_0 + h_1 s((6 - months of cash)/3) + h_2 for the young; births most often die early.
    """
    state = quarter.state
    p, f, world = setting.parameters, state.firms, setting.world
    wage = spread(state.society.wage, world.firms.prefecture) / 1000
    monthly = np.maximum(f.staff * wage, p.smallest_cost) / 3
    months = f.cash / monthly
    return np.asarray(
        p.exit_base
        + p.exit_cash * sigmoid((p.exit_cash_months - months) / p.exit_cash_spread)
        + p.exit_young * (f.age < p.young_quarters)
    )
