"""S1: governments - what programmes are paid, what levers that buys, readiness and the gate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecosystem.inputs.calendar import POLICY_START, QUARTERS_A_YEAR
from ecosystem.maths.arrays import Array, combine, safe_ratio
from ecosystem.state.records import Policy, Quarter
from ecosystem.state.setting import Setting
from ecosystem.state.state import State


def govern(quarter: Quarter, setting: Setting) -> Policy:
    """Return what the three levels of government do this quarter.

    Source: model equations (1.1)-(1.5), the spending-lever law and the occupancy gate.
    """
    state, drivers = quarter.state, quarter.drivers
    p, t, schedule = setting.parameters, state.period, setting.schedule
    observed = schedule.observed[t]
    weight = state.governments.envelope_weight
    if t >= POLICY_START and t % QUARTERS_A_YEAR == 0:
        weight = setting.rules.move_envelopes(quarter, setting)
    fiscal = np.where(observed, 1.0, drivers.fiscal)
    tilt = history_tilt(setting, t)
    planned = schedule.spending[t] / QUARTERS_A_YEAR * weight * tilt * permitted(setting, t)
    claimed = planned * np.ones((setting.runs, 1))
    cash = fiscal_cash(setting, drivers.fiscal)
    maintenance = routine_maintenance(state, setting)
    envelope = schedule.envelope[t] / QUARTERS_A_YEAR * weight * fiscal * ~schedule.programme
    paid, by_level, pref_paid, left, match, co_funding = pay_programmes(
        quarter, setting, planned * fiscal, envelope, observed, cash
    )
    lever = {
        name: buy_lever(setting, name, QUARTERS_A_YEAR * paid[:, [i]])
        for i, name in enumerate(schedule.names)
        if setting.schedule.programme[i]
    }
    ready = schedule.column("hub_readiness")
    works = p.hub_readiness_effectiveness if t >= POLICY_START else 1.0
    programme = works * paid[:, [ready]] * schedule.place(setting.world)[ready]
    below = state.governments.readiness < p.readiness_ceiling
    own = setting.rules.push_readiness(quarter, setting) * left[0] * below
    own = own * permitted(setting, t)[:, [ready]]
    infrastructure = programme + own + maintenance + diffusion_readiness(state, setting)
    extra = fiscal_loop(state, setting)
    talent_money = (1 - p.fiscal_loop_grant_share) * extra
    joint = schedule.column("joint_innovation")
    return Policy(
        lever=lever,
        rate={name: expected_rate(state, setting, i) for i, name in enumerate(schedule.names)},
        promised={name: float(schedule.rate[t, i]) for i, name in enumerate(schedule.names)},
        envelope=envelope,
        programme_paid=paid,
        programme_claimed=claimed,
        level_paid=by_level,
        prefecture_paid=pref_paid + maintenance + own,
        prefecture_left=left[0] - own,
        province_left=left[1],
        co_funding=co_funding,
        match=match,
        infrastructure=infrastructure,
        own_readiness=maintenance + own,
        readiness_next=improve_readiness(state.governments.readiness, infrastructure, setting),
        ambition_next=yardstick(state, setting),
        gate=occupancy_gate(quarter, setting),
        shells_only=bool(schedule.shells_only[t]),
        envelope_weight=weight,
        grants=p.joint_innovation_grant_share * paid[:, [joint]],
        fiscal_extra=extra,
        local_settlement=settled_share(state, setting),
        advantage=advantage(quarter, setting),
        fiscal_talent=p.talent_retention_maximum * -np.expm1(-talent_money / p.fiscal_loop_scale),
    )


def permitted(setting: Setting, t: int) -> Array:
    """Return the share of each plan that may be carried out, (runs, instruments).

    Where new government investment projects are limited (a switch of the scenario), no readiness
    is built; the money stays unspent.
    """
    schedule, limit = setting.schedule, setting.parameters.investment_limit
    projects = np.arange(len(schedule.names)) == schedule.column("hub_readiness")
    return 1 - limit * projects * float(t >= POLICY_START)


def expected_rate(state: State, setting: Setting, column: int) -> Array:
    """Return the rate that claimants count on: on paper times the share paid last quarter.

    Without an envelope nothing is expected. Shape (runs, 1).
    """
    schedule, t = setting.schedule, state.period
    promised = schedule.rate[t, column] if schedule.envelope[t, column] > 0 else 0.0
    return float(promised) * state.governments.paid_share[:, [column]]


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


def fiscal_cash(setting: Setting, fiscal: float) -> tuple[Array, Array]:
    """Return cash for programmes this quarter: prefectures (runs, P), province (runs, 1), M¥."""
    p, world = setting.parameters, setting.world
    prefectures = p.prefecture_programme_share * world.prefectures.budget_expenditure
    province = p.province_programme_share * world.province.provincial_budget_expenditure
    return prefectures * fiscal / QUARTERS_A_YEAR, province * fiscal / QUARTERS_A_YEAR


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


def pay_programmes(
    quarter: Quarter,
    setting: Setting,
    due: Array,
    envelope: Array,
    observed: NDArray[np.bool_],
    cash: tuple[Array, Array],
) -> tuple[Array, Array, Array, tuple[Array, Array], Array, Array]:
    """Pay programmes as far as the local match allows.

    Where the province cannot pay all that is planned, programmes and the envelopes of transfers
    are cut alike.

    Returns
    -------
    tuple
        Paid by instrument (runs, I); by level (runs, 3: nation, province, prefectures); by
        prefecture (runs, P); cash left (prefectures, province); share of prefecture dues met
        (runs, P); paid share of the national part (runs, P).
    """
    schedule, world = setting.schedule, setting.world
    place = schedule.place(world)  # (I, P): whose prefecture share it is
    split = schedule.split  # (I, 3): nation, province, prefecture
    due = due * schedule.programme
    free = due * ~observed
    prefecture_due = combine(free * split[:, 2], place)
    met = setting.rules.pay_match(quarter, setting, cash[0], prefecture_due)
    province_due = ((free + envelope * ~observed) * split[:, 1]).sum(axis=1, keepdims=True)
    province_met = np.minimum(1, safe_ratio(cash[1], province_due, empty=1.0))
    local = np.where(split[:, [2]] > 0, met[:, None], 1.0)  # (R, I, P)
    province = np.where(split[:, [1]] > 0, province_met[:, None], 1.0)
    matched = np.where(observed[:, None], 1.0, np.minimum(local, province)) * place
    share = matched.sum(axis=2)
    funded = setting.rules.withhold_funding(quarter, setting)
    national = np.where(observed, 1.0, combine(funded, place.T))
    by_level = [
        (due * share * split[:, 0] * national),
        (due * share * split[:, 1]),
        (due * share * split[:, 2]),
    ]
    paid = by_level[0] + by_level[1] + by_level[2]
    by_place = (due * split[:, 2])[:, :, None] * matched
    prefecture_paid = by_place.sum(axis=1)
    left = np.maximum(cash[0] - (by_place * ~observed[:, None]).sum(axis=1), 0)
    province_left = np.maximum(cash[1] - (by_level[1] * ~observed).sum(axis=1, keepdims=True), 0)
    levels = np.stack([level.sum(axis=1) for level in by_level], axis=1)
    return paid, levels, prefecture_paid, (left, province_left), met, funded


def pay_match(quarter: Quarter, setting: Setting, cash: Array, due: Array) -> Array:
    """Return the share of its dues that each prefecture meets (runs, prefectures): a rule.

    It pays as far as its own `cash` for programmes goes; `cash` and `due` in M¥.
    """
    return np.minimum(1, safe_ratio(cash, due, empty=1.0))


def withhold_funding(quarter: Quarter, setting: Setting) -> Array:
    """Return the paid part of the national share by prefecture (runs, prefectures): a rule.

    The nation pays in full where last year's local match reached the threshold.
    """
    last_year = quarter.state.governments.match_last_year
    return np.minimum(1, last_year / setting.parameters.match_threshold)


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
    """Return diffusion money of last quarter that went into readiness, M¥ (runs, P)."""
    places = setting.world.prefectures
    spread_out = places.ring_2 * places.budget_expenditure
    spread_out = spread_out / max(spread_out.sum(), 1.0)
    return np.asarray(state.governments.diffusion * spread_out)


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
    rule = schedule.rate[: t + 1, schedule.column("local_settlement_rule")] > 0
    renewed = -np.expm1(-p.server_depreciation_intelligent * rule.sum())
    return np.asarray(p.local_settlement + renewed * settlement_gap(state, setting))


def settlement_gap(state: State, setting: Setting) -> Array:
    """Return by how much the rule raises the locally settled share of new servers, (runs, 1)."""
    p, schedule = setting.parameters, setting.schedule
    rule = schedule.rate[state.period, schedule.column("local_settlement_rule")] > 0
    return np.maximum(p.settlement_floor - p.local_settlement, 0) * float(rule)


def advantage(quarter: Quarter, setting: Setting) -> Array:
    """Return what subsidies add to the log of profitability of intelligent compute, (runs, 1)."""
    state, drivers = quarter.state, quarter.drivers
    schedule, p = setting.schedule, setting.parameters
    output = expected_rate(state, setting, schedule.column("output_subsidy"))
    capital = expected_rate(state, setting, schedule.column("capital_subsidy"))
    if schedule.shells_only[state.period]:
        hall = drivers.hall_cost[:, setting.world.kinds.intelligent] / p.expected_fill
        capital = capital * hall / (drivers.server_cost[:, setting.world.kinds.intelligent] + hall)
    diffusion = expected_rate(state, setting, schedule.column("even_diffusion"))
    diffusion = (1 - p.diffusion_readiness_share) * diffusion * second_ring_share(state, setting)
    kept = 1 - p.output_subsidy_price_share
    return np.asarray(np.log1p(kept * output) - np.log1p(-capital - diffusion))


def second_ring_share(state: State, setting: Setting) -> Array:
    """Return the second ring's share of the province's halls for intelligent compute, (runs, 1)."""
    world = setting.world
    halls = state.centres.halls * world.centres.intelligent
    there = world.centres.ring_2
    whole = halls.sum(axis=1, keepdims=True)
    return safe_ratio((halls * there).sum(axis=1, keepdims=True), whole)


def yardstick(state: State, setting: Setting) -> Array:
    """Return ambition after comparison with the fastest grower, (runs, P), within [0, 1]."""
    p, g = setting.parameters, state.governments
    gap = np.maximum(g.growth.max(axis=1, keepdims=True) - g.growth, 0)
    faded = (1 - p.ambition_fading) * g.ambition
    return np.clip(faded + p.ambition_gain * gap, 0, 1)


def occupancy_gate(quarter: Quarter, setting: Setting) -> Array:
    """Return 1 where new halls are refused, (runs, cells): nowhere without the instrument."""
    state, schedule = quarter.state, setting.schedule
    active = schedule.rate[state.period, schedule.column("occupancy_gate")] > 0
    fill = state.centres.fill_history.mean(axis=1)
    return setting.rules.refuse_halls(quarter, setting, fill) * float(active)


def refuse_halls(quarter: Quarter, setting: Setting, fill: Array) -> Array:
    """Return 1 where the province refuses new halls, else 0 (runs, cells): a rule.

    Outside the hub where `fill`, servers over halls as a mean of four quarters, lies below the
    threshold.
    """
    low = fill < setting.parameters.gate_threshold
    return (low & ~setting.world.cells.in_hub).astype(float)
