"""S1: what programmes are paid, and by which level of government."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ecosystem.inputs.calendar import QUARTERS_A_YEAR
from ecosystem.maths.arrays import Array, combine, safe_ratio
from ecosystem.maths.compiled import kernel
from ecosystem.stages.columns import column_place
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Setting

NATION, PROVINCE, PREFECTURES = range(3)  # levels of government, in the order of `Schedule.split`


@dataclass(frozen=True)
class Programmes:
    """What programmes are paid in a quarter, M¥."""

    paid: Array  # (runs, columns of the schedule)
    by_level: Array  # (runs, 3): nation, province, prefectures
    by_prefecture: Array  # (runs, prefectures)
    prefecture_left: Array  # cash of prefectures after them (runs, prefectures)
    province_left: Array  # (runs, 1)
    match: Array  # share of its dues that each prefecture meets (runs, prefectures)
    co_funding: Array  # paid part of the national share (runs, prefectures)


def fiscal_cash(quarter: Quarter, setting: Setting) -> tuple[Array, Array]:
    """Return cash for programmes this quarter: prefectures (runs, P), province (runs, 1), M¥.

    A share of budgets, which grow; a fiscal shock cuts it.
    """
    p, world = setting.parameters, setting.world
    growth = np.exp(p.budget_growth * quarter.state.period / 4)
    available = growth * quarter.drivers.fiscal / QUARTERS_A_YEAR
    prefectures = p.prefecture_programme_share * world.prefectures.budget_expenditure
    province = p.province_programme_share * world.province.provincial_budget_expenditure
    return prefectures * available, province * available


def pay_programmes(quarter: Quarter, setting: Setting, due: Array, envelope: Array) -> Programmes:
    """Pay programmes as far as the local match allows.

    Where the province cannot pay all that is planned, programmes and the envelopes of transfers
    are cut alike. `due` and `envelope` in M¥ (runs, instruments).
    """
    schedule = setting.schedule
    observed = schedule.observed[quarter.state.period]
    cash = fiscal_cash(quarter, setting)
    place = column_place(setting)  # (I, P): whose prefecture share it is
    _, province, prefecture = schedule.split.T  # (I,) each: who pays which share
    due = due * schedule.programme
    free = due * ~observed
    met = setting.rules.pay_match(quarter, setting, cash[0], combine(free * prefecture, place))
    province_due = ((free + envelope * ~observed) * province).sum(axis=1, keepdims=True)
    province_met = np.minimum(1, safe_ratio(cash[1], province_due, empty=1.0))
    funded = setting.rules.withhold_funding(quarter, setting)
    levels, by_prefecture, spent = pay_levels(
        due, observed, schedule.split, place, met, province_met, funded
    )
    spent_province = (levels[PROVINCE] * ~observed).sum(axis=1, keepdims=True)
    return Programmes(
        paid=levels[NATION] + levels[PROVINCE] + levels[PREFECTURES],
        by_level=np.ascontiguousarray(levels.sum(axis=2).T),
        by_prefecture=by_prefecture,
        prefecture_left=np.maximum(cash[0] - spent, 0),
        province_left=np.maximum(cash[1] - spent_province, 0),
        match=met,
        co_funding=funded,
    )


@kernel
def pay_levels(
    due: Array, observed: Any, split: Array, place: Array, met: Array, province_met: Array,
    funded: Array,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Return what each level pays of each programme, M¥ (3, runs, columns), what each prefecture
    pays, and what of it is not on record, M¥ (runs, prefectures).

    Where a programme acts, it is carried out as far as the prefecture and the province meet their
    shares; the nation pays its own share where it is not withheld. What is on record counts in
    full.
    """
    levels, by_prefecture, spent = np.zeros((3, *due.shape)), np.zeros_like(met), np.zeros_like(met)
    for r in range(len(due)):
        for i in range(due.shape[1]):
            carried_out = national = 0.0
            if due[r, i] == 0:
                continue
            for g in range(place.shape[1]):
                part = 1.0 if observed[i] or split[i, PREFECTURES] <= 0 else met[r, g]
                if split[i, PROVINCE] > 0 and not observed[i]:
                    part = min(part, province_met[r, 0])
                carried_out += part * place[i, g]
                national += funded[r, g] * place[i, g]
                own = due[r, i] * split[i, PREFECTURES] * part * place[i, g]
                by_prefecture[r, g] += own
                spent[r, g] += 0.0 if observed[i] else own
            national = 1.0 if observed[i] else national
            done = due[r, i] * carried_out
            levels[NATION, r, i] = done * split[i, NATION] * national
            levels[PROVINCE, r, i] = done * split[i, PROVINCE]
            levels[PREFECTURES, r, i] = done * split[i, PREFECTURES]
    return levels, by_prefecture, spent


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
