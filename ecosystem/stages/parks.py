"""S5 and S7: how parks adopt AI, what it costs them, who pays for it, what they gain by it."""

from __future__ import annotations

import numpy as np

from ecosystem.maths import kernels
from ecosystem.maths.arrays import Array, add_up, safe_ratio
from ecosystem.maths.clearing import spread
from ecosystem.stages.bills import USERS, bills_of_users
from ecosystem.stages.columns import column_area
from ecosystem.stages.demand import output_of_parks, park_output
from ecosystem.stages.settlement import park_energy
from ecosystem.state.ledger import split_evenly
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Setting


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


def adoption_support(quarter: Quarter, setting: Setting) -> Array:
    """Return what the programme for strong industry pays parks, by output, M¥ (runs, parks).

    Those of its place alone where it names one.
    """
    paid, output = quarter.policy.programme_paid, park_output(quarter.state, setting)
    there = column_area(setting)[:, setting.world.parks.prefecture]
    columns = setting.schedule.of("strong_industry")
    return add_up(split_evenly(paid[:, [i]], output * there[i]) for i in columns)


def adoption_bought(quarter: Quarter, setting: Setting) -> Array:
    """Return the share of what parks have not yet adopted that support adds (runs, parks).

    A programme that bears the share s of the cost c of adoption a year's output pays for adoption
    of support/(s c 4 Y); the part alpha of it would not have come anyhow.
    """
    p = setting.parameters
    cost = p.park_adoption_cost * 4 * park_output(quarter.state, setting)
    paid_for = safe_ratio(adoption_support(quarter, setting), p.park_adoption_public_share * cost)
    additional = p.park_adoption_additionality * p.strong_industry_effectiveness
    return np.minimum(1, additional * paid_for)


def adoption_capital(adoption: Array, period: int, setting: Setting) -> Array:
    """Return the capital of adoption since the start of the run, c 4 (Y z - Y0 z0), M¥.

    (runs, parks) for `adoption` z at the start of `period`; Y0 is output at the adoption z0 of the
    start. None where less is adopted than then.
    """
    first = setting.world.parks.adoption
    now = output_of_parks(adoption, period, setting) * adoption
    then = output_of_parks(first, period, setting) * first
    return setting.parameters.park_adoption_cost * 4 * np.maximum(now - then, 0)


def adoption_wear(quarter: Quarter, setting: Setting) -> Array:
    """Return the wear of adoption capital in the quarter, M¥ (runs, parks)."""
    state = quarter.state
    stock = adoption_capital(state.parks.adoption, state.period, setting)
    return np.asarray(setting.parameters.park_adoption_wear * stock)


def adoption_outlay(quarter: Quarter, setting: Setting) -> Array:
    """Return what parks spend on adoption, what it adds to capital and its wear, M¥ (runs, parks).

    Nothing comes back where adoption falls.
    """
    state = quarter.state
    before = adoption_capital(state.parks.adoption, state.period, setting)
    after = adoption_capital(quarter.innovation.adoption_next, state.period + 1, setting)
    return np.maximum(after - (1 - setting.parameters.park_adoption_wear) * before, 0)


def server_wear(quarter: Quarter, setting: Setting) -> Array:
    """Return the wear of parks' own servers at current prices, whoever paid, M¥ (runs, parks)."""
    general = setting.world.kinds.general
    rate = setting.by_kind("server_depreciation") + quarter.drivers.price_decline / 4
    value = quarter.state.parks.servers * quarter.drivers.server_cost[:, general]
    return np.asarray(value * rate[:, general])


def purchases(quarter: Quarter, setting: Setting) -> Array:
    """Return what parks' own adoption buys of compute before vouchers, M¥ (runs, parks).

    Organisations that deploy AI pay through the books of parks, too; what they gain is not in the
    model, so what they pay is not taken off.
    """
    bill = add_up(bills_of_users(quarter, setting))[:, [USERS.index("parks")]]
    return split_evenly(bill, setting.world.parks.output)


def opening_purchases(quarter: Quarter, setting: Setting) -> Array:
    """Return what parks' adoption bought in the first quarter of the run, M¥ (runs, parks)."""
    state = quarter.state
    return state.parks.opening_purchases if state.period else purchases(quarter, setting)


def value_added_gain(quarter: Quarter, setting: Setting) -> Array:
    """Return the net value added that parks gain by digital-real integration, M¥ (runs, parks).

    (1 - goods)(Y - Y0) - (power - power0) - (purchases - purchases0) - wear of own servers - wear
    of adoption capital, where 0 is what the adoption, its purchases and the servers (none) of the
    start would give, grown as output grows without a gain. It cancels in a pair of runs. What is
    bought here is counted once, in the value added of who sells it. Support raises nothing here:
    servers and adoption wear whoever paid for them, and purchases are before vouchers.
    """
    state, p, parks = quarter.state, setting.parameters, setting.world.parks
    base = output_of_parks(parks.adoption, state.period, setting)
    grown = np.exp(p.park_output_growth * state.period / 4)
    energy = base * parks.energy_intensity * (1 - p.park_energy_gain * parks.adoption)
    tariff = quarter.drivers.electricity[parks.prefecture] / 1000
    added = (1 - p.park_goods_share) * (quarter.innovation.park_output - base)
    added = added - (park_energy(quarter, setting) - energy) * tariff
    bought = purchases(quarter, setting) - grown * opening_purchases(quarter, setting)
    wear = server_wear(quarter, setting) + adoption_wear(quarter, setting)
    return np.asarray(added - bought - wear)
