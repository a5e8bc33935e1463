"""S6, second part: what AI firms sell, how they compete, which are founded and which close."""

from __future__ import annotations

from math import exp, log
from typing import Any

import numpy as np

from ecosystem.inputs.calendar import mid_year
from ecosystem.maths.arrays import Array, total
from ecosystem.maths.clearing import first_free, power
from ecosystem.maths.compiled import equation, kernel
from ecosystem.maths.live import Live, of_run
from ecosystem.maths.scalars import logistic, normal_quantile, poisson_count, ratio
from ecosystem.stages.demand import potential_adopters
from ecosystem.stages.drivers import open_source_floor
from ecosystem.state.records import Business, Quarter
from ecosystem.state.setting import Setting
from ecosystem.state.state import Firms, Society, State


def trade(
    quarter: Quarter,
    setting: Setting,
) -> Business:
    """Return sales, births and exits of AI firms; docs/model.md, S6.

    Firms win orders by their market share, deliver what their staff can, and pass on a part of
    the rest; customers stay where they were served.
    """
    state, labour = quarter.state, quarter.labour
    p, world, f, t = setting.parameters, setting.world, state.firms, state.period
    local, share_outside = local_services(quarter, setting), outside_share(quarter, setting)
    pool = local + outside_market(quarter, setting) * share_outside
    won = compete(state, setting)
    orders, capacity = orders_and_capacity(
        p.of_run, f, f.live, pool, won, labour.staff, labour.researchers, world.firms.domain, t / 4
    )
    sales, share = deliver(
        p.of_run, f.live, orders, capacity, won, world.firms.domain, world.domains.count
    )
    fate = setting.chance.uniform("firm fates", t, world.firms.count)
    born, overflow, founders = found_firms(quarter, fate, setting)
    exits = closed(f.live, setting.rules.close_firm(quarter, setting), fate, world.firms.order)
    return Business(
        pool=pool,
        local_pool=local,
        outside_share=share_outside,
        orders=orders,
        capacity=capacity,
        sales=sales,
        share=share,
        born=born,
        exits=exits,
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


def compete(state: State, setting: Setting) -> Array:
    """Return market shares within each domain, a discrete replicator with luck (runs, slots).

    ms' = ms (1 + c (E/mean E - 1)) e^(s N), E = kappa^eta; Nelson & Winter 1982, Gibrat noise.
    """
    firms, domains = setting.world.firms, setting.world.domains.count
    luck = setting.chance.uniform("sales", state.period, firms.count)
    p, f = setting.parameters, state.firms
    return shares_won(p.of_run, f, f.live, luck, firms.order, firms.domain, domains)


@kernel
def shares_won(
    parameters: Any, firms: Firms, live: Live, luck: Array, order: Any, domain: Any, domains: int
) -> Array:
    """Return the share that each firm wins of its domain, (runs, slots)."""
    won = np.zeros_like(firms.share)
    for r in range(len(won)):
        p, share = parameters[r], firms.share[r]
        mean, whole = np.zeros(domains), np.zeros(domains)
        for f in of_run(live, r):
            won[r, f] = strength(p, firms.knowledge[r, f])
            mean[domain[f]] += share[f] * won[r, f]
        for f in of_run(live, r):
            ahead = won[r, f] / max(mean[domain[f]], p.knowledge_floor) - 1
            won[r, f] = moved_share(p, share[f], ahead, normal_quantile(luck[r, order[f]]))
            whole[domain[f]] += won[r, f]
        for f in of_run(live, r):
            won[r, f] = ratio(won[r, f], whole[domain[f]])
    return won


@equation
def strength(p: Any, knowledge: float) -> float:
    """Return how strong its knowledge makes a firm, E = kappa^eta."""
    return exp(p.competition_exponent * log(max(knowledge, p.knowledge_floor)))


@equation
def moved_share(p: Any, share: float, ahead: float, luck: float) -> float:
    """Return ms (1 + c ahead) e^(s N), before shares are made to sum to one."""
    return share * max(1 + p.replicator_speed * ahead, 0) * exp(p.sales_noise_sd * luck)


@kernel
def orders_and_capacity(
    parameters: Any, firms: Firms, live: Live, pool: Array, won: Array, staff: Array,
    researchers: Array, domain: Any, years: float,
) -> tuple[Array, Array]:  # fmt: skip
    """Return the orders that firms win and what their people in production can deliver, M¥."""
    orders, capacity = np.zeros_like(won), np.zeros_like(won)
    for r in range(len(won)):
        p = parameters[r]
        for f in of_run(live, r):
            output = output_per_worker(p, firms.knowledge[r, f], years)
            capacity[r, f] = (staff[r, f] - researchers[r, f]) * output
            orders[r, f] = won[r, f] * pool[r, domain[f]]
    return orders, capacity


@kernel
def deliver(
    parameters: Any, live: Live, orders: Array, capacity: Array, won: Array, domain: Any,
    domains: int,
) -> tuple[Array, Array]:  # fmt: skip
    """Return sales, M¥, and the shares of what was sold, (runs, slots) each.

    sales = min(orders, c) + slack min(1, phi U/sum slack), U what stays unmet in the domain; the
    rest of it goes outside (Dosi, Fagiolo & Roventini 2010). Where nothing is sold, shares stay.
    """
    sales, share = np.zeros_like(orders), np.zeros_like(orders)
    for r in range(len(orders)):
        p = parameters[r]
        unmet, slack, sold = np.zeros(domains), np.zeros(domains), np.zeros(domains)
        for f in of_run(live, r):
            sales[r, f] = min(orders[r, f], capacity[r, f])
            unmet[domain[f]] += orders[r, f] - sales[r, f]
            slack[domain[f]] += capacity[r, f] - sales[r, f]
        for f in of_run(live, r):
            taken = min(1, p.unmet_kept * ratio(unmet[domain[f]], slack[domain[f]]))
            sales[r, f] += (capacity[r, f] - sales[r, f]) * taken
            sold[domain[f]] += sales[r, f]
        for f in of_run(live, r):
            whole = sold[domain[f]]
            share[r, f] = sales[r, f] / whole if whole > 0 else won[r, f]
    return sales, share


@equation
def output_per_worker(p: Any, knowledge: float, years: float) -> float:
    """Return what a worker in production can deliver, M¥ a quarter.

    pi = pi_0 e^(g y) kappa^eta; knowledge raises output as research capital does (Hall, Mairesse
    & Mohnen 2010).
    """
    known = p.knowledge_productivity * log(max(knowledge, p.knowledge_floor))
    return p.sales_per_worker * exp(p.productivity_growth * years + known)


def found_firms(quarter: Quarter, fate: Array, setting: Setting) -> tuple[Array, Array, Array]:
    """Return births by slot, births without a slot, and entrants' knowledge.

    The number in each cell is Poisson with the mean of `births_expected`. C_0 grows with the
    national market, else calendar time alone would multiply births.
    """
    state, innovation = quarter.state, quarter.innovation
    p, world, f = setting.parameters, setting.world, state.firms
    idle = state.centres.servers * (1 - state.centres.use) * world.centres.intelligent
    idle = world.centres.sum(idle, "prefecture")
    market = state.nation.capacity / setting.national_table[:, 0]
    size = p.birth_compute_size * market[:, world.kinds.intelligent]
    nursery = 1 + quarter.policy.local_lever["ecosystem_incubation"]
    draw = setting.chance.uniform("births", state.period, len(world.firms.cell_start))
    number = births(p.of_run, state.society, idle / size, innovation.quality, nursery, draw)
    born, overflow = first_free(f.active, number, world.firms.cell_start)
    founders = endow(
        p.of_run, born, fate, innovation.quality, innovation.frontier, world.firms.order,
        world.firms.domain,
    )  # fmt: skip
    return born, total(overflow), founders


@kernel
def births(
    parameters: Any, society: Society, idle: Array, quality: Array, nursery: Array, draw: Array
) -> Array:
    """Return the number of firms that are founded in each cell, (runs, cells)."""
    number, (runs, places, domains) = np.zeros_like(draw), society.deployment.shape
    for r in range(runs):
        p = parameters[r]
        for i in range(places):
            for j in range(domains):
                mean = births_expected(p, society.talent[r, i], idle[r, i], quality[r, j])
                mean *= (1 + society.deployment[r, i, j]) * nursery[r, i]
                cell = i * domains + j
                number[r, cell] = poisson_count(draw[r, cell], mean)
    return number


@equation
def births_expected(p: Any, talent: float, idle: float, quality: float) -> float:
    """Return b H^a (1 + C/C_0)^c (1 + A)^k, before (1 + y) (Audretsch & Feldman 1996)."""
    return p.birth_rate * exp(
        p.birth_talent_elasticity * log(talent)
        + p.birth_compute_elasticity * log(1 + idle)
        + p.birth_quality_elasticity * log(1 + quality)
    )


@kernel
def endow(
    parameters: Any, born: Array, fate: Array, quality: Array, frontier: Array, order: Any,
    domain: Any,
) -> Array:  # fmt: skip
    """Return entrants' knowledge, lognormal around what local quality teaches (runs, slots).

    A slot that was free has no use for its draw of fate, so its entrant takes it.
    """
    founders = np.zeros_like(born)
    for r in range(len(born)):
        p = parameters[r]
        for f in range(born.shape[1]):
            if born[r, f] > 0:
                luck = exp(p.founder_log_sd * normal_quantile(fate[r, order[f]]))
                wisdom = luck * (1 + p.founder_learning * quality[r, domain[f]])
                founders[r, f] = min(wisdom, frontier[r, 0])
    return founders


@kernel
def entrant_shares(
    parameters: Any, firms: Firms, live: Live, business: Business, newborn: Live, domain: Any,
    domains: int,
) -> Array:  # fmt: skip
    """Return the market shares with which the entrants of the quarter start, (runs, slots).

    s_e = share (kappa_e/mean kappa)^eta/N, the mean over the firms before entry, N after it: who
    knows more than the others starts larger, as competition would make it.
    """
    share = np.zeros_like(firms.share)
    for r in range(len(share)):
        p = parameters[r]
        before, after, known = np.zeros(domains), np.zeros(domains), np.zeros(domains)
        for f in of_run(live, r):
            before[domain[f]] += 1
            after[domain[f]] += 1 - business.exits[r, f]
            known[domain[f]] += firms.knowledge[r, f]
        for f in of_run(newborn, r):
            after[domain[f]] += 1
        for f in of_run(newborn, r):
            j, own = domain[f], max(business.founders[r, f], p.knowledge_floor)
            usual = max(known[j] / before[j], p.knowledge_floor) if before[j] else own
            share[r, f] = p.entrant_share / after[j] * (own / usual) ** p.competition_exponent
    return share


@kernel
def closed(live: Live, chance: Array, fate: Array, order: Any) -> Array:
    """Return 1 for the firms that close, by their chance to and their fate (runs, slots)."""
    exits = np.zeros_like(chance)
    for r in range(len(chance)):
        for f in of_run(live, r):
            exits[r, f] = 1.0 if fate[r, order[f]] < chance[r, f] else 0.0
    return exits


def close_firm(quarter: Quarter, setting: Setting) -> Array:
    """Return the chance that each AI firm closes this quarter (runs, slots): a rule."""
    f, wage, place = quarter.state.firms, quarter.state.society.wage, setting.world.firms.prefecture
    return chances_of_closing(setting.parameters.of_run, f, f.live, wage, place)


@kernel
def chances_of_closing(parameters: Any, firms: Firms, live: Live, wage: Array, place: Any) -> Array:
    """Return the `hazard` of every firm, (runs, slots)."""
    chance = np.zeros_like(firms.cash)
    for r in range(len(chance)):
        p = parameters[r]
        for f in of_run(live, r):
            wages = firms.staff[r, f] * wage[r, place[f]] / 1000
            chance[r, f] = hazard(p, firms.cash[r, f], wages, firms.age[r, f])
    return chance


@equation
def hazard(p: Any, cash: float, wages: float, age: float) -> float:
    """Return h_0 + h_1 s((6 - months of cash)/3) + h_2 for the young, who most often die early."""
    months = cash / (max(wages, p.smallest_cost) / 3)
    short = logistic((p.exit_cash_months - months) / p.exit_cash_spread)
    young = p.exit_young if age < p.young_quarters else 0.0
    return p.exit_base + p.exit_cash * short + young
