"""S5: universities, AI firms' research, algorithm quality, deployment, parks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecosystem.maths import kernels
from ecosystem.maths.arrays import Array, add_up, safe_ratio, sigmoid, total
from ecosystem.maths.clearing import power, spread
from ecosystem.maths.kernels import HOURS
from ecosystem.stages.columns import column_area
from ecosystem.stages.demand import park_output
from ecosystem.stages.drivers import reference_prices
from ecosystem.stages.parks import adoption_bought
from ecosystem.state.records import Innovation, Quarter
from ecosystem.state.setting import Setting
from ecosystem.state.state import Firms


def innovate(
    quarter: Quarter,
    setting: Setting,
) -> Innovation:
    """Return the quarter's research, learning and adoption; docs/model.md, S5."""
    state, policy = quarter.state, quarter.policy
    p, world, f = setting.parameters, setting.world, state.firms
    cell = world.firms.cell
    pushed = 1 + p.frontier_push * policy.lever["joint_innovation"]
    frontier = p.frontier_knowledge * np.exp(p.frontier_growth * state.period / 4) * pushed
    grants, university_grants = research_grants(quarter, setting)
    own = setting.rules.spend_on_research(quarter, setting)
    effort = own + (1 + p.research_additionality) * grants
    partners = partner_knowledge(quarter, frontier, setting)
    compute = usable_compute(quarter, setting)
    patents = invent(quarter, effort, compute, partners, setting)
    gap = np.maximum(spread(partners.external, cell) - f.knowledge, 0)
    absorptive = -np.expm1(-f.research / p.absorption_scale)
    learning = spread(partners.intensity, cell) * absorptive
    absorbed = learning * gap * np.exp(-gap / p.cognitive_distance)
    gain = towards_frontier(p.knowledge_per_patent * patents + absorbed, f.knowledge, frontier)
    quality = algorithm_quality(quarter, setting)
    affordable = affordability(quarter, setting)
    deployed, relative = deploy(quarter, affordable, quality, setting)
    adoption, servers, order = modernise(quarter, affordable, relative, setting)
    return Innovation(
        research_spending=own,
        grants=grants,
        university_grants=university_grants,
        compute=compute,
        patents=patents,
        collaboration=partners.intensity.reshape(deployed.shape),
        absorptive=absorptive,
        knowledge_next=f.active * (f.knowledge * (1 - p.knowledge_depreciation) + gain),
        research_next=f.active * (f.research * (1 - p.research_depreciation) + effort),
        university_knowledge_next=teach(quarter, partners, patents, frontier, setting),
        quality=quality,
        relative_quality=relative,
        frontier=frontier,
        deployment_next=deployed,
        adoption_next=adoption,
        park_servers_next=servers,
        park_order=order,
        park_output=park_output(state, setting),
        density=partners.intensity.mean(axis=1, keepdims=True),
    )


def spend_on_research(quarter: Quarter, setting: Setting) -> Array:
    """Return what each AI firm spends on research out of its sales, M¥ (runs, slots): a rule."""
    return setting.parameters.research_intensity * quarter.state.firms.sales


def research_grants(quarter: Quarter, setting: Setting) -> tuple[Array, Array]:
    """Return research grants to firms (runs, slots) and universities (runs, universities), M¥.

    Firms share by their own research, universities by their funds, those of a place alone where
    the programme names one. The local fiscal loop (C2) adds a share of what local receipts rose
    to the grants of firms, wherever they are.
    """
    policy, p, f = quarter.policy, setting.parameters, quarter.state.firms
    world, area = setting.world, column_area(setting)
    loop = p.fiscal_loop_grant_share * policy.fiscal_extra
    to_firms, to_universities = [], []
    for number, i in enumerate(setting.schedule.of("joint_innovation")):
        granted = p.joint_innovation_grant_share * policy.programme_paid[:, [i]]
        for_firms = p.grant_share_firms * granted + (loop if number == 0 else 0.0)
        weight = f.active * (p.grant_floor + f.sales) * area[i, world.firms.prefecture]
        funds = world.universities.research_funds * area[i, world.universities.prefecture]
        kept = np.where(total(weight) > 0, 0.0, for_firms)
        to_firms.append(weight * safe_ratio(for_firms, total(weight)))
        share = (1 - p.grant_share_firms) * granted + kept
        to_universities.append(share * safe_ratio(funds, funds.sum(keepdims=True)))
    return add_up(to_firms), add_up(to_universities)


@dataclass(frozen=True)
class Partners:
    """What collaboration brings to each (prefecture, domain) cell."""

    external: Array  # knowledge of partners (runs, cells)
    intensity: Array  # of collaboration, 0 to 1 (runs, cells)
    spillover: Array  # university knowledge within reach (runs, cells)
    accepted: Array  # consortium offers accepted (runs, domains, universities)
    effort: Array  # of universities by domain, mean 1 (runs, domains, universities)


def partner_knowledge(quarter: Quarter, frontier: Array, setting: Setting) -> Partners:
    """Return partners' knowledge by cell; partner choice factorises.

    K_ext = sum_u E kappa^2 / sum_u E kappa with E = exp(-b d); lead firms and anchor tenants
    bring frontier knowledge where centres stand (coupling C4).
    """
    state, policy = quarter.state, quarter.policy
    p, world, kappa = setting.parameters, setting.world, state.universities.knowledge
    distance = world.distance_km[:, world.universities.prefecture]
    near = nearness(setting)
    reach = setting.once("reach", lambda: np.exp(-distance / p.spillover_distance[:, :, None]))
    accepted = setting.rules.accept_offers(quarter, setting)
    effort = setting.rules.divide_effort(quarter, setting)
    offered = spread(policy.local_lever["joint_innovation"], world.universities.prefecture)
    most = offered.max(axis=1, keepdims=True)
    accepted_there = kappa * accepted * safe_ratio(offered, most)[:, None]
    university = setting.rules.choose_partners(quarter, setting)
    pull = to_cells(kappa, near)
    consortium = most * safe_ratio(to_cells(accepted_there, near), pull)
    lead = lead_firms(quarter, setting)
    lead = np.repeat(lead, kappa.shape[1], axis=1)
    return Partners(
        external=(1 - lead) * university + lead * frontier,
        intensity=-np.expm1(-p.collaboration - consortium),
        spillover=to_cells(kappa, reach) / p.spillover_scale,
        accepted=accepted,
        effort=effort,
    )


def nearness(setting: Setting) -> Array:
    """Return how near universities are to firms, exp(-distance/range) (runs, P, universities)."""
    world, scale = setting.world, setting.parameters.partner_distance[:, :, None]
    distance = world.distance_km[:, world.universities.prefecture]
    return setting.once("near", lambda: np.exp(-distance / scale))


def to_cells(values: Array, weight: Array) -> Array:
    """Return (runs, domains, universities) weighted and summed by (prefecture, domain) cell."""
    by_place = np.matvec(weight[:, None], values)
    return by_place.swapaxes(1, 2).reshape(len(values), -1)


def choose_partners(quarter: Quarter, setting: Setting) -> Array:
    """Return the knowledge of the universities that firms of each cell work with: a rule.

    (runs, cells of prefecture and domain): sum_u E kappa^2 / sum_u E kappa, E = exp(-b d), since
    firms choose a university by its knowledge and by how near it is.
    """
    kappa, near = quarter.state.universities.knowledge, nearness(setting)
    return safe_ratio(to_cells(kappa**2, near), to_cells(kappa, near))


def lead_firms(quarter: Quarter, setting: Setting) -> Array:
    """Return the weight of lead firms' knowledge by prefecture, (runs, prefectures).

    w_p = s min(1, sum_q (1 - exp(-MW_q/scale)) exp(-d_pq/range)), MW of servers in operation.
    """
    investment, policy = quarter.investment, quarter.policy
    p, world = setting.parameters, setting.world
    megawatt = world.centres.sum(investment.servers * investment.power / 1000, "prefecture")
    present = -np.expm1(-megawatt / p.lead_firm_scale)
    reach = setting.once(
        "lead", lambda: np.exp(-world.distance_km / p.lead_firm_distance[:, :, None])
    )
    anchors = 1 + p.anchor_knowledge_gain * policy.lever["anchor_tenants"]
    weight = p.lead_firm_knowledge * anchors
    return np.asarray(np.minimum(1, weight * np.minimum(1, np.vecmat(present, reach))))


def accept_offers(quarter: Quarter, setting: Setting) -> Array:
    """Return how far each university accepts consortium offers: a rule.

    (runs, domains, universities), 1 where its own knowledge is the mean of the domain, up to 2
    where it stands out.
    """
    p, kappa = setting.parameters, quarter.state.universities.knowledge
    mean = kappa.mean(axis=2, keepdims=True)
    accepted = sigmoid(p.consortium_selectivity[:, :, None] * np.log(kappa / mean))
    return np.asarray(2 * accepted)


def divide_effort(quarter: Quarter, setting: Setting) -> Array:
    """Return how each university divides its effort: a rule.

    (runs, domains, universities), mean one over domains: more where it knows more and where local
    firms are many.
    """
    state = quarter.state
    p, kappa, world = setting.parameters, state.universities.knowledge, setting.world
    demand = world.firms.sum(state.firms.active, "domain")
    demand = (1 + demand) / (1 + demand).mean(axis=1, keepdims=True)
    pull = p.university_focus[:, :, None] * np.log(kappa * demand[:, :, None])
    return np.asarray(kernels.softmax(pull, axis=1) * kappa.shape[1])


def teach(
    quarter: Quarter,
    partners: Partners,
    patents: Array,
    frontier: Array,
    setting: Setting,
) -> Array:
    """Return knowledge of universities next quarter, (runs, domains, universities).

    Gain kappa (g + g_c lever accepted) effort + back-flow, towards the frontier.
    """
    state, policy = quarter.state, quarter.policy
    p, kappa, world = setting.parameters, state.universities.knowledge, setting.world
    lever = spread(policy.local_lever["joint_innovation"], world.universities.prefecture)[:, None]
    rate = p.university_growth[:, :, None]
    rate = rate + p.university_growth_consortium[:, :, None] * lever * partners.accepted
    by_cell = world.firms.sum(patents, "cell") * partners.intensity
    by_domain = by_cell.reshape(setting.runs, -1, kappa.shape[1]).sum(axis=1)
    back = p.university_back_flow * by_domain / kappa.shape[2]
    gain = kappa * rate * partners.effort + back[:, :, None]
    return np.asarray(kappa + towards_frontier(gain, kappa, frontier[:, :, None]))


def towards_frontier(gain: Array, knowledge: Array, frontier: Array) -> Array:
    """Return the gain that the world frontier leaves room for, (frontier - k)(1 - e^(-g/frontier)).

    For small gains this is g (1 - k/frontier); it is exact for a constant gain and never passes
    the frontier, which one large step of the linear form would.
    """
    return np.asarray(np.maximum(frontier - knowledge, 0) * -np.expm1(-gain / frontier))


def usable_compute(quarter: Quarter, setting: Setting) -> Array:
    """Return compute each firm can use, PFh (runs, slots): bought plus free quota (C3)."""
    state, market, policy, investment = (
        quarter.state,
        quarter.market,
        quarter.policy,
        quarter.investment,
    )
    p, f = setting.parameters, state.firms
    idle = (HOURS * investment.servers - market.sold) * setting.world.centres.intelligent
    strength = 1 + p.quota_consortium_gain * policy.lever["joint_innovation"]
    quota = p.free_quota * strength * total(np.maximum(idle, 0))
    each = quota / (total(f.active) + setting.world.universities.count)
    return np.asarray(market.firm_fulfilment * market.routing.local.by_firm + each * f.active)


def invent(
    quarter: Quarter,
    effort: Array,
    compute: Array,
    partners: Partners,
    setting: Setting,
) -> Array:
    """Return invention patents by firm, Poisson (runs, slots); docs/model.md, S5.

    Rate = l_0(t)/4 (RD/RD_0)^a_R (1 + UNI)^a_U (1 + x/x_ref)^a_C (Griliches 1979, Jaffe 1989).
    """
    state, drivers = quarter.state, quarter.drivers
    p, world = setting.parameters, setting.world
    years = np.minimum(drivers.year - p.patent_propensity_start, p.patent_propensity_years)
    propensity = p.patent_rate * np.exp(p.patent_propensity_growth * years) / 4
    by_cell = propensity * np.exp(p.university_elasticity * np.log1p(partners.spillover))
    reference = p.compute_reference * HOURS * reference_prices(setting)[:, world.kinds.intelligent]
    reference = reference / drivers.trend_price[:, world.kinds.intelligent]
    annual = np.maximum(4 * effort / p.research_reference, p.research_floor)
    scale = np.exp(
        p.research_elasticity * np.log(annual)
        + p.compute_elasticity * np.log1p(drivers.efficiency * compute / reference)
    )
    mean = state.firms.active * spread(by_cell, world.firms.cell) * scale
    draw = setting.chance.uniform("patents", state.period, world.firms.count)
    return kernels.poisson_inverse(spread(draw, world.firms.order), mean)


def algorithm_quality(quarter: Quarter, setting: Setting) -> Array:
    """Return the quality of local suppliers and of open models, A_j (runs, domains).

    A = A_0 (V/V_0)^(1/r) + o with V = sum kappa^r over active firms, r = sigma - 1, and A_0 the
    size-weighted mean knowledge of the first firms: love of variety, Dixit & Stiglitz 1977, with
    qualities as in Feenstra 1994. A firm that enters never lowers it.
    """
    state, p = quarter.state, setting.parameters
    variety = supplier_variety(state.firms, setting) / state.society.variety_start
    local = state.society.quality_start * power(variety, 1 / p.supplier_substitution)
    return np.asarray(local + quarter.drivers.open_source)


def supplier_variety(firms: Firms, setting: Setting) -> Array:
    """Return V_j = sum of kappa^r over the active firms of each domain, (runs, domains)."""
    known = power(firms.knowledge, setting.parameters.supplier_substitution)
    return setting.world.firms.sum(firms.active * known, "domain")


def affordability(quarter: Quarter, setting: Setting) -> Array:
    """Return how attractive AI is, (runs, prefectures, domains): local price and integrators.

    A shock to demand for AI moves it in proportion, dear or thrifty compute by its price.
    """
    state, market, drivers = quarter.state, quarter.market, quarter.drivers
    p, world = setting.parameters, setting.world
    firms = world.firms.sum(state.firms.active, "cell")
    firms = firms.reshape(setting.runs, world.prefectures.count, -1)
    branches = (p.branch_weight * state.society.branches)[:, :, None] / firms.shape[2]
    integrators = np.sqrt(np.minimum(1, (firms + branches) / p.integrators[:, :, None]))
    price = market.routing.offer.price_by_place
    price = price * drivers.rent[:, world.kinds.intelligent] / drivers.efficiency
    cheap = drivers.ai_demand * np.exp(-p.deployment_price_elasticity * np.log(price))
    return np.asarray(cheap[:, :, None] * integrators)


def deploy(
    quarter: Quarter,
    affordable: Array,
    quality: Array,
    setting: Setting,
) -> tuple[Array, Array]:
    """Return deployment next quarter (runs, P, J) and relative quality (runs, J).

    Bass diffusion (Bass 1969) whose rates rise with quality and with affordable local compute
    and integrators; docs/model.md, S5.
    """
    state, drivers, policy = quarter.state, quarter.drivers, quarter.policy
    p = setting.parameters
    scale = p.quality_scale * np.exp(p.quality_growth * (drivers.year - p.quality_year))
    relative = -np.expm1(-quality / scale)
    return (
        kernels.bass_step(
            state.society.deployment,
            (p.deployment_innovation * (1 + policy.local_lever["scenario_deployment"]))[:, :, None]
            * affordable,
            p.deployment_imitation[:, :, None] * relative[:, None, :] * affordable,
        ),
        relative,
    )


def modernise(
    quarter: Quarter, affordable: Array, relative: Array, setting: Setting
) -> tuple[Array, Array, Array]:
    """Return parks' adoption, own servers (P) and server orders (P) next quarter, (runs, parks).

    Adoption is logistic, the faster the more of the wanted servers a park has of its own;
    what support buys comes on top. A park builds towards C* = adoption * output * intensity.
    """
    state, policy = quarter.state, quarter.policy
    p, k = setting.parameters, state.parks
    where = setting.world.parks.prefecture
    here = spread(affordable.mean(axis=2), where)
    target = setting.rules.build_servers(quarter, setting)
    own = 1 + p.own_centre_bonus * np.minimum(1, safe_ratio(k.servers, target))
    rate = p.park_adoption_rate * relative.mean(axis=1, keepdims=True) * here * own
    adoption = setting.rules.adopt_ai(quarter, setting, k.adoption, rate)
    adoption_next = adoption + (1 - adoption) * adoption_bought(quarter, setting)
    decay = setting.by_kind("server_depreciation")[:, setting.world.kinds.general]
    kept = k.servers * (1 - decay)
    support = 1 + p.industrial_subsidy_response * spread(policy.rate["industrial_centres"], where)
    order = p.park_build_speed * support * np.maximum(target - kept, 0)
    return adoption_next, kept + order, order


def adopt_ai(quarter: Quarter, setting: Setting, adoption: Array, rate: Array) -> Array:
    """Return the share of its work in which each park uses AI next quarter (runs, parks): a rule.

    Logistic growth from `adoption` at `rate` a year, (runs, parks) each. The rate rises with the
    quality of algorithms, with cheap compute and with servers of its own.
    """
    return kernels.logistic_step(adoption, rate)


def build_servers(quarter: Quarter, setting: Setting) -> Array:
    """Return the servers that each park wants of its own, PFLOPS (runs, parks): a rule.

    In proportion to adoption and output; what work needs grows with capacity in the nation.
    """
    p, state, general = setting.parameters, quarter.state, setting.world.kinds.general
    wanted = p.park_compute_intensity * state.parks.adoption * park_output(state, setting)
    now, first = setting.national_table[:, state.period], setting.national_table[:, 0]
    return np.asarray(wanted * (now[:, general] / first[:, general]))
