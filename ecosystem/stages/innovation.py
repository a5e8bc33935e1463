"""S5: universities, AI firms' research, algorithm quality, deployment, parks."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, expm1, log
from typing import Any

import numpy as np

from ecosystem.maths import kernels
from ecosystem.maths.arrays import Array, add_up, safe_ratio, sigmoid, total
from ecosystem.maths.clearing import power, spread
from ecosystem.maths.compiled import equation, kernel
from ecosystem.maths.kernels import HOURS
from ecosystem.maths.live import Live, of_run
from ecosystem.maths.scalars import poisson_count, ratio
from ecosystem.stages.columns import column_area
from ecosystem.stages.drivers import reference_prices
from ecosystem.stages.parks import adoption_bought
from ecosystem.stages.routing import park_output
from ecosystem.state.records import Innovation, Quarter
from ecosystem.state.setting import Setting
from ecosystem.state.state import Firms


def innovate(
    quarter: Quarter,
    setting: Setting,
) -> Innovation:
    """Return the quarter's research, learning and adoption; docs/model.md, S5."""
    state, policy = quarter.state, quarter.policy
    p, f = setting.parameters, state.firms
    pushed = 1 + p.frontier_push * policy.lever["joint_innovation"]
    frontier = p.frontier_knowledge * np.exp(p.frontier_growth * state.period / 4) * pushed
    grants, university_grants = research_grants(quarter, setting)
    own = setting.rules.spend_on_research(quarter, setting)
    partners = partner_knowledge(quarter, frontier, setting)
    compute = usable_compute(quarter, setting)
    patents, research = invent(quarter, own, grants, compute, partners, setting)
    absorptive, knowledge = learn(
        p.of_run, f, f.live, patents, partners, frontier, setting.world.firms.cell
    )
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
        knowledge_next=knowledge,
        research_next=research,
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
    world, area, place = setting.world, column_area(setting), setting.world.firms.prefecture
    loop = p.fiscal_loop_grant_share * policy.fiscal_extra
    to_firms, to_universities = [], []
    for number, i in enumerate(setting.schedule.of("joint_innovation")):
        granted = p.joint_innovation_grant_share * policy.programme_paid[:, [i]]
        for_firms = p.grant_share_firms * granted + (loop if number == 0 else 0.0)
        split, whole = grants_of_firms(p.of_run, f, f.live, for_firms, area[i], place)
        funds = world.universities.research_funds * area[i, world.universities.prefecture]
        to_firms.append(split)
        share = (1 - p.grant_share_firms) * granted + np.where(whole > 0, 0.0, for_firms)
        to_universities.append(share * safe_ratio(funds, funds.sum(keepdims=True)))
    return add_up(to_firms), add_up(to_universities)


@kernel
def grants_of_firms(
    parameters: Any, firms: Firms, live: Live, granted: Array, acts: Array, place: Any
) -> tuple[Array, Array]:
    """Return grants by firm where the programme acts, by sales and a floor, and what they share by.

    (runs, slots), M¥, and the sum of the weights, (runs, 1); `granted` is (runs, 1), M¥.
    """
    grants, whole = np.zeros_like(firms.sales), np.zeros_like(granted)
    for r in range(len(grants)):
        p = parameters[r]
        for f in of_run(live, r):
            grants[r, f] = (p.grant_floor + firms.sales[r, f]) * acts[place[f]]
            whole[r, 0] += grants[r, f]
        for f in of_run(live, r):
            grants[r, f] *= ratio(granted[r, 0], whole[r, 0])
    return grants, whole


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
    lever = policy.local_lever["joint_innovation"]
    by_cell = world.firms.sum(patents, "cell") * partners.intensity
    by_domain = by_cell.reshape(setting.runs, -1, kappa.shape[1]).sum(axis=1)
    back = p.university_back_flow * by_domain / kappa.shape[2]
    return taught(p.of_run, kappa, partners, lever, back, frontier, world.universities.prefecture)


@kernel
def taught(
    parameters: Any, known: Array, partners: Partners, lever: Array, back: Array, frontier: Array,
    place: Any,
) -> Array:  # fmt: skip
    """Return knowledge next quarter of every university, (runs, domains, universities)."""
    after = np.zeros_like(known)
    for r in range(len(known)):
        p = parameters[r]
        for j in range(known.shape[1]):
            for u in range(known.shape[2]):
                accepted = lever[r, place[u]] * partners.accepted[r, j, u]
                rate = p.university_growth + p.university_growth_consortium * accepted
                gain = known[r, j, u] * rate * partners.effort[r, j, u] + back[r, j]
                gain = towards_frontier(gain, known[r, j, u], frontier[r, 0])
                after[r, j, u] = known[r, j, u] + gain
    return after


@equation
def towards_frontier(gain: float, knowledge: float, frontier: float) -> float:
    """Return the gain that the world frontier leaves room for, (frontier - k)(1 - e^(-g/frontier)).

    For small gains this is g (1 - k/frontier); it is exact for a constant gain and never passes
    the frontier, which one large step of the linear form would.
    """
    return max(frontier - knowledge, 0) * -expm1(-gain / frontier)


def usable_compute(quarter: Quarter, setting: Setting) -> Array:
    """Return compute each firm can use, PFh (runs, slots): bought plus free quota (C3)."""
    market, policy, p, f = (
        quarter.market, quarter.policy, setting.parameters, quarter.state.firms
    )  # fmt: skip
    servers, centres = quarter.investment.servers, setting.world.centres
    idle = np.maximum((HOURS * servers - market.sold) * centres.intelligent, 0)
    strength = 1 + p.quota_consortium_gain * policy.lever["joint_innovation"]
    users = f.live.number[:, None] + setting.world.universities.count
    quota = p.free_quota * strength * total(idle) / users
    return compute_of_firms(f.live, market.routing.local.by_firm, market.firm_fulfilment, quota)


@kernel
def compute_of_firms(live: Live, wanted: Array, served: Array, quota: Array) -> Array:
    """Return compute of each firm, PFh (runs, slots): what it wanted and got, and its quota."""
    compute = np.zeros_like(wanted)
    for r in range(len(wanted)):
        for f in of_run(live, r):
            compute[r, f] = served[r, 0] * wanted[r, f] + quota[r, 0]
    return compute


def invent(
    quarter: Quarter,
    own: Array,
    grants: Array,
    compute: Array,
    partners: Partners,
    setting: Setting,
) -> tuple[Array, Array]:
    """Return invention patents and research stocks next quarter by firm, (runs, slots) each.

    Patents are Poisson with rate l_0(t)/4 times `productivity_of_research`; docs/model.md, S5.
    """
    state, drivers = quarter.state, quarter.drivers
    p, world = setting.parameters, setting.world
    years = np.minimum(drivers.year - p.patent_propensity_start, p.patent_propensity_years)
    propensity = p.patent_rate * np.exp(p.patent_propensity_growth * years) / 4
    reference = p.compute_reference * HOURS * reference_prices(setting)[:, world.kinds.intelligent]
    reference = reference / drivers.trend_price[:, world.kinds.intelligent]
    luck = setting.chance.uniform("patents", state.period, world.firms.count)
    return invented(
        p.of_run, state.firms, state.firms.live, own, grants, compute, partners, propensity,
        drivers.efficiency / reference, luck, world.firms.order, world.firms.cell,
    )  # fmt: skip


@kernel
def invented(
    parameters: Any, firms: Firms, live: Live, own: Array, grants: Array, compute: Array,
    partners: Partners, propensity: Array, use: Array, luck: Array, order: Any, cell: Any,
) -> tuple[Array, Array]:  # fmt: skip
    """Return patents of the quarter and research stocks after it, M¥ (runs, slots) each."""
    patents, stock = np.zeros_like(own), np.zeros_like(own)
    for r in range(len(own)):
        p = parameters[r]
        for f in of_run(live, r):
            effort = own[r, f] + (1 + p.research_additionality) * grants[r, f]
            near, used = partners.spillover[r, cell[f]], use[r, 0] * compute[r, f]
            mean = propensity[r, 0] * productivity_of_research(p, effort, near, used)
            patents[r, f] = poisson_count(luck[r, order[f]], mean)
            stock[r, f] = firms.research[r, f] * (1 - p.research_depreciation) + effort
    return patents, stock


@equation
def productivity_of_research(p: Any, effort: float, near: float, compute: float) -> float:
    """Return (RD/RD_0)^a_R (1 + UNI)^a_U (1 + x/x_ref)^a_C (Griliches 1979, Jaffe 1989).

    Effort is M¥ a quarter; university knowledge within reach and compute are over their reference.
    """
    annual = max(4 * effort / p.research_reference, p.research_floor)
    return exp(
        p.research_elasticity * log(annual)
        + p.university_elasticity * log(1 + near)
        + p.compute_elasticity * log(1 + compute)
    )


@kernel
def learn(
    parameters: Any, firms: Firms, live: Live, patents: Array, partners: Partners, frontier: Array,
    cell: Any,
) -> tuple[Array, Array]:  # fmt: skip
    """Return absorptive capacity and knowledge next quarter of every firm, (runs, slots) each."""
    absorptive, after = np.zeros_like(patents), np.zeros_like(patents)
    for r in range(len(patents)):
        p = parameters[r]
        for f in of_run(live, r):
            known, partner = firms.knowledge[r, f], partners.external[r, cell[f]]
            absorptive[r, f] = -expm1(-firms.research[r, f] / p.absorption_scale)
            learning = partners.intensity[r, cell[f]] * absorptive[r, f]
            gain = p.knowledge_per_patent * patents[r, f] + absorbed(p, learning, partner - known)
            gain = towards_frontier(gain, known, frontier[r, 0])
            after[r, f] = known * (1 - p.knowledge_depreciation) + gain
    return absorptive, after


@equation
def absorbed(p: Any, learning: float, gap: float) -> float:
    """Return what is learnt of a gap in knowledge, which is hard to bridge where it is wide."""
    return learning * gap * exp(-gap / p.cognitive_distance) if gap > 0 else 0.0


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
    p, world = setting.parameters, setting.world
    return varieties(p.of_run, firms, firms.live, world.firms.domain, world.domains.count)


@kernel
def varieties(parameters: Any, firms: Firms, live: Live, domain: Any, domains: int) -> Array:
    """Return V_j by run, (runs, domains)."""
    variety = np.zeros((len(firms.knowledge), domains))
    for r in range(len(variety)):
        p = parameters[r]
        for f in of_run(live, r):
            variety[r, domain[f]] += firms.knowledge[r, f] ** p.supplier_substitution
    return variety


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
