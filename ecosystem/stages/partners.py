"""S5: with whom firms do research, and what universities learn, accept and teach."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, expm1, log
from typing import Any

import numpy as np

from ecosystem.maths.arrays import Array, safe_ratio, sigmoid
from ecosystem.maths.clearing import spread
from ecosystem.maths.compiled import equation, kernel
from ecosystem.maths.live import Live, of_run
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Setting


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
    return np.matmul(weight, values.swapaxes(1, 2)).reshape(len(values), -1)


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
    p, kappa, firms = setting.parameters, quarter.state.universities.knowledge, quarter.state.firms
    return efforts(p.of_run, kappa, firms.live, setting.world.firms.domain)


@kernel
def efforts(parameters: Any, known: Array, live: Live, domain: Any) -> Array:
    """Return (kappa n)^focus over its mean in each university, n = 1 + firms of the domain."""
    effort, domains = np.zeros_like(known), known.shape[1]
    for r in range(len(known)):
        p, firms = parameters[r], np.ones(domains)
        for f in of_run(live, r):
            firms[domain[f]] += 1
        for u in range(known.shape[2]):
            whole = 0.0
            for j in range(domains):
                effort[r, j, u] = exp(p.university_focus * log(known[r, j, u] * firms[j]))
                whole += effort[r, j, u]
            for j in range(domains):
                effort[r, j, u] *= domains / whole
    return effort


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
    return taught(
        p.of_run, kappa, partners, state.firms.live, patents, lever, frontier,
        world.universities.prefecture, world.firms.cell,
    )  # fmt: skip


@kernel
def taught(
    parameters: Any, known: Array, partners: Partners, live: Live, patents: Array, lever: Array,
    frontier: Array, place: Any, cell: Any,
) -> Array:  # fmt: skip
    """Return knowledge next quarter of every university, (runs, domains, universities)."""
    after, domains, count = np.zeros_like(known), known.shape[1], known.shape[2]
    for r in range(len(known)):
        p, back = parameters[r], np.zeros(domains)
        for f in of_run(live, r):
            shared = patents[r, f] * partners.intensity[r, cell[f]]
            back[cell[f] % domains] += p.university_back_flow * shared / count
        for j in range(domains):
            for u in range(count):
                accepted = lever[r, place[u]] * partners.accepted[r, j, u]
                rate = p.university_growth + p.university_growth_consortium * accepted
                gain = known[r, j, u] * rate * partners.effort[r, j, u] + back[j]
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
