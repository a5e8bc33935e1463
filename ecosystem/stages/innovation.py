"""S5: AI firms' research, algorithm quality, deployment; with universities and parks."""

from __future__ import annotations

from math import exp, expm1, log
from typing import Any

import numpy as np

from ecosystem.maths import kernels
from ecosystem.maths.arrays import Array, combine, safe_ratio
from ecosystem.maths.clearing import power
from ecosystem.maths.compiled import equation, kernel
from ecosystem.maths.kernels import HOURS
from ecosystem.maths.live import Live, of_run
from ecosystem.maths.scalars import poisson_count
from ecosystem.stages.columns import column_area
from ecosystem.stages.demand import park_output
from ecosystem.stages.drivers import reference_prices
from ecosystem.stages.parks import modernise
from ecosystem.stages.partners import Partners, partner_knowledge, teach, towards_frontier
from ecosystem.state.records import Innovation, Quarter
from ecosystem.state.setting import Setting
from ecosystem.state.state import Firms


def innovate(
    quarter: Quarter,
    setting: Setting,
) -> Innovation:
    """Return the quarter's research, learning and adoption; docs/model.md, S5."""
    state, policy = quarter.state, quarter.policy
    p = setting.parameters
    pushed = 1 + p.frontier_push * policy.lever["joint_innovation"]
    frontier = p.frontier_knowledge * np.exp(p.frontier_growth * state.period / 4) * pushed
    grants, university_grants = research_grants(quarter, setting)
    own = setting.rules.spend_on_research(quarter, setting)
    partners = partner_knowledge(quarter, frontier, setting)
    compute = usable_compute(quarter, setting)
    patents, research, absorptive, knowledge = invent(
        quarter, own, grants, compute, partners, frontier, setting
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
    world, columns = setting.world, setting.schedule.of("joint_innovation")
    acts = column_area(setting)[columns]
    granted = p.joint_innovation_grant_share * policy.programme_paid[:, columns]
    for_firms = p.grant_share_firms * granted
    for_firms[:, :1] += p.fiscal_loop_grant_share * policy.fiscal_extra
    grants, kept = grants_of_firms(p.of_run, f, f.live, for_firms, acts, world.firms.prefecture)
    funds = world.universities.research_funds * acts[:, world.universities.prefecture]
    share = (1 - p.grant_share_firms) * granted + kept
    return grants, combine(share, safe_ratio(funds, funds.sum(axis=1, keepdims=True)))


@kernel
def grants_of_firms(
    parameters: Any, firms: Firms, live: Live, granted: Array, acts: Array, place: Any
) -> tuple[Array, Array]:
    """Return grants by firm, M¥ (runs, slots), and what finds no firm where its column acts.

    Each of the columns, (runs, columns), is shared by sales and a floor.
    """
    grants, kept = np.zeros_like(firms.sales), granted.copy()
    for r in range(len(grants)):
        p, sales = parameters[r], firms.sales[r]
        for c in range(granted.shape[1]):
            whole = 0.0
            if granted[r, c] != 0:
                for f in of_run(live, r):
                    whole += (p.grant_floor + sales[f]) * acts[c, place[f]]
            if whole > 0:
                for f in of_run(live, r):
                    weight = (p.grant_floor + sales[f]) * acts[c, place[f]]
                    grants[r, f] += weight * (granted[r, c] / whole)
                kept[r, c] = 0.0
    return grants, kept


def usable_compute(quarter: Quarter, setting: Setting) -> Array:
    """Return compute each firm can use, PFh (runs, slots): bought plus free quota (C3)."""
    market, p, world = quarter.market, setting.parameters, setting.world
    lent = p.free_quota * (1 + p.quota_consortium_gain * quarter.policy.lever["joint_innovation"])
    return compute_of_firms(
        quarter.state.firms.live, market.routing.local.by_firm, market.firm_fulfilment, lent,
        quarter.investment.servers, market.sold, world.centres.intelligent,
        world.universities.count,
    )  # fmt: skip


@kernel
def compute_of_firms(
    live: Live, wanted: Array, served: Array, lent: Array, servers: Array, sold: Array,
    intelligent: Any, universities: int,
) -> Array:  # fmt: skip
    """Return compute of each firm, PFh (runs, slots): what it wanted and got, and its quota."""
    compute = np.zeros_like(wanted)
    for r in range(len(wanted)):
        idle = 0.0
        for i in range(len(intelligent)):
            idle += max(HOURS * servers[r, i] - sold[r, i], 0) if intelligent[i] else 0.0
        quota = lent[r, 0] * idle / (live.number[r] + universities)
        for f in of_run(live, r):
            compute[r, f] = served[r, 0] * wanted[r, f] + quota
    return compute


def invent(
    quarter: Quarter,
    own: Array,
    grants: Array,
    compute: Array,
    partners: Partners,
    frontier: Array,
    setting: Setting,
) -> tuple[Array, Array, Array, Array]:
    """Return what research and learning bring to firms, (runs, slots) each; docs/model.md, S5.

    Invention patents, Poisson with rate l_0(t)/4 times `productivity_of_research`; the stock of
    research, M¥; absorptive capacity; knowledge, which patents and partners raise.
    """
    state, drivers = quarter.state, quarter.drivers
    p, world = setting.parameters, setting.world
    years = np.minimum(drivers.year - p.patent_propensity_start, p.patent_propensity_years)
    propensity = p.patent_rate * np.exp(p.patent_propensity_growth * years) / 4
    reference = p.compute_reference * HOURS * reference_prices(setting)[:, world.kinds.intelligent]
    reference = reference / drivers.trend_price[:, world.kinds.intelligent]
    luck = setting.chance.uniform("patents", state.period, world.firms.count)
    return invented_and_learnt(
        p.of_run, state.firms, state.firms.live, own, grants, compute, partners, propensity,
        drivers.efficiency / reference, frontier, luck, world.firms.order, world.firms.cell,
    )  # fmt: skip


@kernel
def invented_and_learnt(
    parameters: Any, firms: Firms, live: Live, own: Array, grants: Array, compute: Array,
    partners: Partners, propensity: Array, work: Array, frontier: Array, luck: Array, order: Any,
    cell: Any,
) -> tuple[Array, Array, Array, Array]:  # fmt: skip
    """Return patents, research stocks, absorptive capacity and knowledge of `invent`."""
    patents, stock, absorptive, knowledge = (
        np.zeros_like(own), np.zeros_like(own), np.zeros_like(own), np.zeros_like(own)
    )  # fmt: skip
    for r in range(len(own)):
        p = parameters[r]
        for f in of_run(live, r):
            c, known, research = cell[f], firms.knowledge[r, f], firms.research[r, f]
            effort = own[r, f] + (1 + p.research_additionality) * grants[r, f]
            used = work[r, 0] * compute[r, f]
            rate = productivity_of_research(p, effort, partners.spillover[r, c], used)
            patents[r, f] = poisson_count(luck[r, order[f]], propensity[r, 0] * rate)
            stock[r, f] = research * (1 - p.research_depreciation) + effort
            absorptive[r, f] = -expm1(-research / p.absorption_scale)
            learning = partners.intensity[r, c] * absorptive[r, f]
            gain = p.knowledge_per_patent * patents[r, f]
            gain += absorbed(p, learning, partners.external[r, c] - known)
            gain = towards_frontier(gain, known, frontier[r, 0])
            knowledge[r, f] = known * (1 - p.knowledge_depreciation) + gain
    return patents, stock, absorptive, knowledge


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
