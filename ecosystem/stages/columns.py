"""Columns of the schedule: where each acts, how far a yuan of it goes, the rate in a place."""

from __future__ import annotations

from ecosystem.maths.arrays import Array, add_up
from ecosystem.state.setting import Setting
from ecosystem.state.state import State


def column_area(setting: Setting) -> Array:
    """Return where each column of the schedule acts, 0 or 1 (columns, P)."""
    return setting.once("acts in", lambda: setting.schedule.area(setting.world))


def column_place(setting: Setting) -> Array:
    """Return whose share of a prefecture part each column is, (columns, P)."""
    return setting.once("pays", lambda: setting.schedule.place(setting.world))


def column_reach(setting: Setting) -> Array:
    """Return how far a yuan of each column goes in each prefecture, (columns, P)."""
    return setting.once("a yuan reaches", lambda: setting.schedule.reach(setting.world))


def expected_rate(state: State, setting: Setting, column: int) -> Array:
    """Return the rate that claimants count on: on paper times the share paid last quarter.

    Without an envelope nothing is expected. Shape (runs, 1).
    """
    schedule, t = setting.schedule, state.period
    promised = schedule.rate[t, column] if schedule.envelope[t, column] > 0 else 0.0
    return float(promised) * state.governments.paid_share[:, [column]]


def local_rate(state: State, setting: Setting, name: str) -> Array:
    """Return the rate of a transfer that claimants in each prefecture count on, (runs, P)."""
    area = column_area(setting)
    return add_up(expected_rate(state, setting, i) * area[i] for i in setting.schedule.of(name))


def promised_rate(setting: Setting, name: str, t: int) -> Array:
    """Return the rate of a charge in each prefecture, (P,)."""
    schedule, area = setting.schedule, column_area(setting)
    return add_up(schedule.rate[t, i] * area[i] for i in schedule.of(name))
