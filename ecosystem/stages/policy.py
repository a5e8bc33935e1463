"""S1: governments - what programmes are paid, what levers that buys, readiness and the gate."""

from __future__ import annotations

import numpy as np

from ecosystem.inputs.calendar import POLICY_START, QUARTERS_A_YEAR
from ecosystem.inputs.catalogue import charges, instruments
from ecosystem.maths.arrays import Array, add_up, mean_over, safe_ratio
from ecosystem.maths.clearing import spread
from ecosystem.stages.columns import (
    column_area,
    column_place,
    column_reach,
    expected_rate,
    local_rate,
    promised_rate,
)
from ecosystem.stages.programmes import pay_programmes
from ecosystem.state.records import Policy, Quarter
from ecosystem.state.setting import Setting
from ecosystem.state.state import State


def govern(quarter: Quarter, setting: Setting) -> Policy:
    """Return what the three levels of government do this quarter.

    Source: docs/model.md, S1, the spending-lever law and the occupancy gate.
    """
    state, fiscal_factor = quarter.state, quarter.drivers.fiscal
    p, t, schedule = setting.parameters, state.period, setting.schedule
    weight = state.governments.envelope_weight
    if t >= POLICY_START and t % QUARTERS_A_YEAR == 0:
        weight = setting.rules.move_envelopes(quarter, setting)
    fiscal = np.where(schedule.observed[t], 1.0, fiscal_factor)
    tilt = history_tilt(setting, t)
    planned = schedule.spending[t] / QUARTERS_A_YEAR * weight * tilt * permitted(setting, t)
    envelope = schedule.envelope[t] / QUARTERS_A_YEAR * weight * fiscal * ~schedule.programme
    programmes = pay_programmes(quarter, setting, planned * fiscal, envelope)
    own = own_readiness(quarter, programmes.prefecture_left, setting)
    maintenance = routine_maintenance(state, setting)
    infrastructure = hub_works(programmes.paid, setting, t) + own + maintenance
    infrastructure = infrastructure + diffusion_readiness(state, setting)
    extra = fiscal_loop(state, setting)
    talent_money = (1 - p.fiscal_loop_grant_share) * extra
    return Policy(
        lever=levers(programmes.paid, setting),
        local_lever=local_levers(programmes.paid, setting),
        rate={name: local_rate(state, setting, name) for name in of_type("transfer")},
        promised={name: promised_rate(setting, name, t) for name in of_type("charge")},
        envelope=envelope,
        programme_paid=programmes.paid,
        programme_claimed=planned * np.ones((setting.runs, 1)),
        level_paid=programmes.by_level,
        prefecture_paid=programmes.by_prefecture + maintenance + own,
        prefecture_left=programmes.prefecture_left - own,
        province_left=programmes.province_left,
        co_funding=programmes.co_funding,
        match=programmes.match,
        infrastructure=infrastructure,
        own_readiness=maintenance + own,
        readiness_next=improve_readiness(state.governments.readiness, infrastructure, setting),
        ambition_next=yardstick(state, setting),
        gate=occupancy_gate(quarter, setting),
        envelope_weight=weight,
        fiscal_extra=extra,
        local_settlement=settled_share(state, setting),
        advantage=advantage(quarter, setting),
        fiscal_talent=p.talent_retention_maximum * -np.expm1(-talent_money / p.fiscal_loop_scale),
    )


BOTH = ("anchor_tenants", "joint_innovation")
"""Programmes with a place of which a part acts on the whole province."""


def levers(paid: Array, setting: Setting) -> dict[str, Array]:
    """Return what each programme that acts on the province buys with what it is paid, (runs, 1)."""
    return {
        name: buy_lever(
            setting,
            name,
            QUARTERS_A_YEAR * add_up(paid[:, [i]] for i in setting.schedule.of(name)),
        )
        for name in of_type("programme")
        if not instruments()[name].subject or name in BOTH
    }


def local_levers(paid: Array, setting: Setting) -> dict[str, Array]:
    """Return the lever in each prefecture of every programme that has a place, (runs, P).

    0 where it does not act; its entries add up before the lever is bought.
    """
    reach, of = column_reach(setting), setting.schedule.of
    return {
        name: buy_lever(
            setting, name, add_up(QUARTERS_A_YEAR * paid[:, [i]] * reach[i] for i in of(name))
        )
        for name in of_type("programme")
        if instruments()[name].subject and name != "hub_readiness"
    }


def of_type(kind: str) -> list[str]:
    """Return the instruments of a type, in the order of the table."""
    return [name for name, row in instruments().items() if row.type == kind]


def hub_works(paid: Array, setting: Setting, t: int) -> Array:
    """Return works that the hub programme pays, M¥ (runs, P); those on record count in full."""
    place = column_place(setting)
    effective = setting.parameters.hub_readiness_effectiveness if t >= POLICY_START else 1.0
    columns = setting.schedule.of("hub_readiness")
    return add_up(effective * paid[:, [i]] * place[i] for i in columns)


def own_readiness(quarter: Quarter, left: Array, setting: Setting) -> Array:
    """Return readiness spending that prefectures decide on themselves, M¥ (runs, P).

    A share of their cash that is `left` after programmes; nothing above the readiness ceiling, and
    nothing where new projects are forbidden.
    """
    state = quarter.state
    below = state.governments.readiness < setting.parameters.readiness_ceiling
    spent = setting.rules.push_readiness(quarter, setting) * left * below
    ready = setting.schedule.column("hub_readiness")
    return np.asarray(spent * permitted(setting, state.period)[:, [ready]])


def permitted(setting: Setting, t: int) -> Array:
    """Return the share of each plan that may be carried out, (runs, instruments).

    Where new government investment projects are limited (a switch of the scenario), no readiness
    is built; the money stays unspent.
    """
    schedule, limit = setting.schedule, setting.parameters.investment_limit
    projects = np.isin(np.arange(len(schedule.names)), schedule.of("hub_readiness"))
    return 1 - limit * projects * float(t >= POLICY_START)


def buy_lever(setting: Setting, name: str, spending: Array) -> Array:
    """Return lever = maximum * effectiveness * (1 - exp(-spending/scale)), (runs, 1).

    `spending` in M¥ a year. Readiness has no lever: its spending reaches readiness itself.
    """
    p = setting.parameters
    if name == "hub_readiness":
        return p.hub_readiness_effectiveness * (spending > 0)
    scale = p[f"{name}_scale"]
    strength = p[f"{name}_maximum"] * p[f"{name}_effectiveness"]
    return np.asarray(strength * -np.expm1(-spending / scale))


def fiscal_loop(state: State, setting: Setting) -> Array:
    """Return what risen local receipts add to innovation spending, M¥ (runs, 1); coupling C2.

    extra = phi max(four-quarter mean of receipts from centres and AI firms - level before the
    packages, 0), split between research grants and keeping talent.
    """
    g = state.governments
    if state.period < POLICY_START:
        return np.zeros((setting.runs, 1))
    risen = g.receipts.mean(axis=1, keepdims=True) - g.receipts_reference
    return setting.parameters.fiscal_loop * np.maximum(risen, 0)


def history_tilt(setting: Setting, t: int) -> Array:
    """Return the factor on observed readiness spending, (runs, instruments).

    Its yearly shares are uncertain: weight exp(tilt (year - centre)) at the same total.
    """
    schedule, p = setting.schedule, setting.parameters
    ready = schedule.column("hub_readiness")
    seen = schedule.observed[:, ready]
    spending = schedule.spending[:, ready] * seen
    column = np.arange(len(schedule.names)) == ready
    if not seen[t] or spending.sum() == 0:
        return np.ones((1, len(schedule.names)))
    years = np.arange(len(spending)) / QUARTERS_A_YEAR
    years = years - (years * spending).sum() / spending.sum()
    weights = np.exp(p.readiness_history_tilt * years)
    factor = weights * spending.sum() / (weights * spending).sum(axis=1, keepdims=True)
    return np.where(column, factor[:, [t]], 1.0)


def move_envelopes(quarter: Quarter, setting: Setting) -> Array:
    """Return the factor on every plan, (runs, instruments): a rule of the province, once a year.

    Money moves from envelopes that were not used up to those that were rationed, and all are cut
    in proportion when receipts fell.
    """
    g, p, t = quarter.state.governments, setting.parameters, quarter.state.period
    schedule = setting.schedule
    plan = np.maximum(
        (schedule.envelope[t - 4 : t] + schedule.spending[t - 4 : t]).sum(axis=0) / QUARTERS_A_YEAR,
        0.0,
    )
    money = plan * g.envelope_weight
    movable = money * ~schedule.programme * (schedule.rate[t] > 0)
    unspent = np.maximum(movable - g.paid, 0) * (g.claimed <= movable)
    short = np.maximum(g.claimed - movable, 0) * (movable > 0)
    moved = np.minimum(
        p.envelope_mobility * unspent.sum(axis=1, keepdims=True),
        p.envelope_mobility * short.sum(axis=1, keepdims=True),
    )
    taken = moved * safe_ratio(unspent, unspent.sum(axis=1, keepdims=True))
    given = moved * safe_ratio(short, short.sum(axis=1, keepdims=True))
    weight = np.where(movable > 0, safe_ratio(money - taken + given, plan), g.envelope_weight)
    receipts = g.receipts.sum(axis=1, keepdims=True)
    fall = np.maximum(1 - safe_ratio(receipts, g.receipts_before), 0)
    cut = np.where(g.receipts_before > 0, 1 - p.receipts_pressure * fall, 1.0)
    return np.asarray(weight * np.maximum(cut, p.envelope_floor))


def routine_maintenance(state: State, setting: Setting) -> Array:
    """Return what hub prefectures pay to hold their readiness, M¥ (runs, P).

    The loss delta Z is offset by I = delta I_0 Z/(1 - Z), at most at the readiness ceiling. It
    is upkeep out of the ordinary budget: taken from the cash for programmes it would leave none
    for the match, and every programme for the hub would be dead by construction.
    """
    p, world = setting.parameters, setting.world
    ready = np.minimum(state.governments.readiness, p.readiness_ceiling)
    need = p.readiness_depreciation * p.readiness_investment_scale * ready / (1 - ready)
    return np.asarray(need * world.prefectures.hub)


def push_readiness(quarter: Quarter, setting: Setting) -> Array:
    """Return the share of its free programme cash that each prefecture puts into its own readiness.

    A rule, (runs, prefectures). The share grows with ambition, that is with the distance to the
    fastest grower (yardstick competition); above the readiness ceiling nothing is spent.
    """
    return setting.parameters.readiness_push * quarter.state.governments.ambition


def improve_readiness(readiness: Array, infrastructure: Array, setting: Setting) -> Array:
    """Return Z' = Z + (1 - Z)(1 - exp(-I/I_0)) - delta Z, (runs, P)."""
    p = setting.parameters
    gain = (1 - readiness) * -np.expm1(-infrastructure / p.readiness_investment_scale)
    return np.asarray(readiness + gain - p.readiness_depreciation * readiness)


def diffusion_readiness(state: State, setting: Setting) -> Array:
    """Return diffusion money of last quarter that went into readiness, M¥ (runs, P).

    Each place of diffusion has the part of it that its envelope was of all.
    """
    place, columns = column_place(setting), setting.schedule.of("even_diffusion")
    planned = setting.schedule.envelope[state.period - 1, columns]
    part = safe_ratio(planned, planned.sum(keepdims=True))
    return add_up(state.governments.diffusion * (part[k] * place[i]) for k, i in enumerate(columns))


def readiness_part(setting: Setting) -> Array:
    """Return the part of paid diffusion money that goes into readiness, (runs, 1)."""
    p = setting.parameters
    share, limit = p.diffusion_readiness_share, p.investment_limit
    return np.asarray(share * (1 - limit) / (1 - share * limit))


def settled_share(state: State, setting: Setting) -> Array:
    """Return the locally settled share, (runs, 1): the operators' own, or on the way to the floor.

    The rule binds servers bought while it is in force, so the share rises as they replace others;
    otherwise headquarters would lose what they paid for.
    """
    p, schedule, t = setting.parameters, setting.schedule, state.period
    rule = (schedule.rate[: t + 1, schedule.of("local_settlement_rule")] > 0).any(axis=1)
    renewed = -np.expm1(-p.server_depreciation_intelligent * rule.sum())
    return np.asarray(p.local_settlement + renewed * settlement_gap(state, setting))


def settlement_gap(state: State, setting: Setting) -> Array:
    """Return by how much the rule raises the locally settled share of new servers, (runs, 1)."""
    p, schedule = setting.parameters, setting.schedule
    rule = schedule.rate[state.period, schedule.of("local_settlement_rule")] > 0
    return np.maximum(p.settlement_floor - p.local_settlement, 0) * float(rule.any())


def advantage(quarter: Quarter, setting: Setting) -> Array:
    """Return what subsidies add to the log of profitability of intelligent compute, (runs, 1).

    The mean over the halls for it; a subsidy for some places counts by their part of them.
    """
    state, p, world = quarter.state, setting.parameters, setting.world
    halls = world.centres.sum(state.centres.halls * world.centres.intelligent, "prefecture")

    def mean(rate: Array, empty: float = 1.0) -> Array:
        return mean_over(rate, halls, empty)

    output = mean(local_rate(state, setting, "output_subsidy"))
    capital = add_up(
        mean(expected_rate(state, setting, i) * column_area(setting)[i])
        * eligible_share(quarter, setting, i)[:, world.kinds.intelligent]
        for i in setting.schedule.of("capital_subsidy")
    )
    spread_out = 1 - p.diffusion_readiness_share
    diffusion = mean(spread_out * local_rate(state, setting, "even_diffusion"), 0.0)
    kept = 1 / (1 - p.operating_cost_share) - p.output_subsidy_price_share
    return np.asarray(np.log1p(kept * output) - np.log1p(-capital - diffusion))


def eligible_share(quarter: Quarter, setting: Setting, column: int) -> Array:
    """Return the share of capital cost that a column of the capital subsidy is for, (runs, K)."""
    hall = quarter.drivers.hall_cost / setting.parameters.expected_fill
    server = quarter.drivers.server_cost
    shells_only = setting.schedule.shells_only[quarter.state.period, column]
    return np.asarray(eligible_capital(hall, server, bool(shells_only)) / (hall + server))


def eligible_capital(hall: Array, server: Array, shells_only: bool) -> Array:
    """Return what of the cost of halls and servers the capital subsidy is for, in their unit."""
    return hall if shells_only else hall + server


def charge_rate(payer: str, base: str, policy: Policy) -> Array | float:
    """Return what all charges ask of a payer for a unit of a base, by prefecture (P,), or 0.

    In the unit of the table.
    """
    rows = [row for row in charges() if (row.payer, row.base) == (payer, base)]
    return add_up(policy.promised[row.name] for row in rows) if rows else 0.0


def yardstick(state: State, setting: Setting) -> Array:
    """Return ambition after comparison with the fastest grower, (runs, P), within [0, 1]."""
    p, g = setting.parameters, state.governments
    gap = np.maximum(g.growth.max(axis=1, keepdims=True) - g.growth, 0)
    faded = (1 - p.ambition_fading) * g.ambition
    return np.clip(faded + p.ambition_gain * gap, 0, 1)


def occupancy_gate(quarter: Quarter, setting: Setting) -> Array:
    """Return 1 where new halls are refused, (runs, cells): nowhere without the instrument."""
    state, schedule, area = quarter.state, setting.schedule, column_area(setting)
    rate = add_up(schedule.rate[state.period, i] * area[i] for i in schedule.of("occupancy_gate"))
    active = spread(rate, setting.world.cells.prefecture) > 0
    fill = state.centres.fill_history.mean(axis=1)
    return np.asarray(setting.rules.refuse_halls(quarter, setting, fill) * active)


def refuse_halls(quarter: Quarter, setting: Setting, fill: Array) -> Array:
    """Return 1 where the province refuses new halls, else 0 (runs, cells): a rule.

    Outside the hub where `fill`, power of servers over that of halls as a mean of four quarters,
    lies below the threshold.
    """
    low = fill < setting.parameters.gate_threshold
    return (low & ~setting.world.cells.in_hub).astype(float)
