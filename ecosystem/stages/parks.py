"""S5 and S7: what adopting AI costs parks, and who pays for it."""

from __future__ import annotations

import numpy as np

from ecosystem.maths.arrays import Array, safe_ratio
from ecosystem.stages.routing import output_of_parks, park_output
from ecosystem.state.ledger import split_evenly
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Setting


def adoption_support(quarter: Quarter, setting: Setting) -> Array:
    """Return what the programme for strong industry pays parks, by output, M¥ (runs, parks)."""
    programme = setting.schedule.column("strong_industry")
    paid = quarter.policy.programme_paid[:, [programme]]
    return split_evenly(paid, park_output(quarter.state, setting))


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
    return np.maximum(after - before + adoption_wear(quarter, setting), 0)


def server_wear(quarter: Quarter, setting: Setting) -> Array:
    """Return the wear of parks' own servers at current prices, whoever paid, M¥ (runs, parks)."""
    general = setting.world.kinds.general
    rate = setting.by_kind("server_depreciation") + quarter.drivers.price_decline / 4
    value = quarter.state.parks.servers * quarter.drivers.server_cost[:, general]
    return np.asarray(value * rate[:, general])
