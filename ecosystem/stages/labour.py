"""S6, first part: talent, vacancies and hiring, wages."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecosystem.maths import kernels
from ecosystem.maths.arrays import Array, safe_ratio, sigmoid
from ecosystem.maths.compiled import equation, kernel
from ecosystem.maths.live import Live, of_run
from ecosystem.maths.scalars import ratio
from ecosystem.stages.firms import output_per_worker
from ecosystem.state.records import Labour, Quarter
from ecosystem.state.setting import Setting
from ecosystem.state.state import Firms, State


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
    open_posts = vacant_posts(f, f.live, wanted, stay)
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
    hired, staff, researchers = hire(
        p.of_run, f, f.live, research_money(quarter), wanted, open_posts, stay, filled, s.wage,
        world.firms.prefecture,
    )  # fmt: skip
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
        researchers=researchers,
    )


@kernel
def vacant_posts(firms: Firms, live: Live, wanted: Array, stay: Array) -> Array:
    """Return the posts that AI firms fill anew after those who leave, persons (runs, slots)."""
    posts = np.zeros_like(wanted)
    for r in range(len(wanted)):
        for f in of_run(live, r):
            posts[r, f] = max(wanted[r, f] - stay[r, 0] * firms.staff[r, f], 0)
    return posts


@kernel
def hire(
    parameters: Any, firms: Firms, live: Live, research: Array, wanted: Array, posts: Array,
    stay: Array, filled: Array, wage: Array, place: Any,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Return whom AI firms hire, their staff, and the researchers among it, (runs, slots) each.

    `filled` is the share of posts that found somebody by place. Who of the researchers is not yet
    hired does no research, and not all of the staff does.
    """
    hired, staff, researchers = np.zeros_like(wanted), np.zeros_like(wanted), np.zeros_like(wanted)
    for r in range(len(wanted)):
        p = parameters[r]
        for f in of_run(live, r):
            hired[r, f] = posts[r, f] * filled[r, place[f]]
            staff[r, f] = min(stay[r, 0] * firms.staff[r, f], wanted[r, f]) + hired[r, f]
            paid = researchers_of(p, research[r, f], wage[r, place[f]])
            there = paid * min(1, ratio(staff[r, f], wanted[r, f]))
            researchers[r, f] = min(there, p.researchers_most * staff[r, f])
    return hired, staff, researchers


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
    """Return the staff that each AI firm wants, persons (runs, slots): a rule."""
    f, years, wage = quarter.state.firms, quarter.state.period / 4, quarter.state.society.wage
    place, p, research = setting.world.firms.prefecture, setting.parameters, research_money(quarter)
    return staff_of_firms(p.of_run, f, f.live, research, wage, place, years)


@kernel
def staff_of_firms(
    parameters: Any, firms: Firms, live: Live, research: Array, wage: Array, place: Any,
    years: float,
) -> Array:  # fmt: skip
    """Return `wanted_staff` of every firm, (runs, slots)."""
    wanted = np.zeros_like(research)
    for r in range(len(research)):
        p = parameters[r]
        for f in of_run(live, r):
            output = output_per_worker(p, firms.knowledge[r, f], years)
            researchers = researchers_of(p, research[r, f], wage[r, place[f]])
            wanted[r, f] = wanted_staff(p, firms.orders[r, f], output, researchers)
    return wanted


@kernel
def staff_for_sales(
    parameters: Any, sales: Array, knowledge: Array, research: Array, wage: Array, place: Any
) -> Array:
    """Return whom firms need in the first quarter to make their sales and research, persons."""
    staff = np.zeros_like(sales)
    for r in range(len(sales)):
        p = parameters[r]
        for f in range(sales.shape[1]):
            researchers = researchers_of(p, research[r, f], wage[place[f]])
            staff[r, f] = sales[r, f] / output_per_worker(p, knowledge[r, f], 0.0) + researchers
    return staff


@equation
def wanted_staff(p: Any, orders: float, output: float, researchers: float) -> float:
    """Return producers for last quarter's orders, with some growth, and researchers, persons."""
    return (1 + p.staff_growth) * orders / output + researchers


@equation
def researchers_of(p: Any, research: float, wage: float) -> float:
    """Return whom research spending pays beside its purchases: M¥ and k¥ a quarter to persons."""
    return (1 - p.research_purchase_share) * 1000 * research / wage


def research_money(quarter: Quarter) -> Array:
    """Return what AI firms spend on research, their own and grants, M¥ (runs, slots)."""
    return np.asarray(quarter.innovation.research_spending + quarter.innovation.grants)


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
