"""What a package changes against a reference: for each instrument from what to what, when, where.

Money is what stands when ramps are over, after the budget of the package has scaled it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ecosystem.inputs.calendar import HORIZON, POLICY_START, period_label
from ecosystem.inputs.catalogue import Instrument, instruments
from ecosystem.inputs.scenario import ResolvedScenario
from ecosystem.inputs.schedule import (
    Schedule,
    build_schedule,
    discount_factors,
    public_discount_rate,
)

LEVELS = ("national", "provincial", "prefecture")


def package_changes(
    scenario: ResolvedScenario, reference: ResolvedScenario
) -> list[dict[str, Any]]:
    """Return what a scenario changes, instrument by instrument in the order of the table.

    Returns
    -------
    list of dict
        One record for each instrument whose plan from 2025Q3 on differs: `instrument`, `title_en`,
        `title_zh`; `change`, added, changed or ended; the plans `from` and `to`, a list of entries
        each (`start`, `end`, `place`, `users`, and what the instrument has of `rate`, `spending`,
        `envelope`, `eligible`, `ramp_up`, `ramp_down`); `payers`, the share of each level; and the
        present values `planned_from` and `planned_to`, M¥. `replaces` says that a package sets
        what the reference pays already, instead of adding to it.
    """
    plans = [build_schedule(one) for one in (reference, scenario)]
    factors = discount_factors(public_discount_rate(scenario)) / 4
    records = []
    for name, row in instruments().items():
        before, after = (_entries(plan, row) for plan in plans)
        if before == after:
            continue
        change = "changed" if before and after else "added" if after else "ended"
        money_from, money_to = (_value(plan, name, factors) for plan in plans)
        shares = (row.national_share, row.provincial_share, row.prefecture_share)
        records.append(
            {
                "instrument": name,
                "title_en": row.title_en,
                "title_zh": row.title_zh,
                "change": change,
                "from": before,
                "to": after,
                "payers": dict(zip(LEVELS, shares, strict=True)),
                "planned_from": money_from,
                "planned_to": money_to,
                "replaces": change == "changed" and money_from > 0,
            }
        )
    return records


def _value(plan: Schedule, name: str, factors: np.ndarray[Any, Any]) -> float:
    """Return the present value of what is planned for an instrument, M¥."""
    money = (plan.spending + plan.envelope)[:, plan.of(name)].sum(axis=1)
    return float(factors @ money)


def _entries(plan: Schedule, row: Instrument) -> list[dict[str, Any]]:
    """Return the plan of an instrument from 2025Q3 on, one entry for each level and place."""
    found = []
    for i in plan.of(row.name):
        kept = None
        for t in range(POLICY_START, HORIZON):
            level = _level(plan, row, i, t)
            if level is not None and level == kept:
                found[-1]["end"] = period_label(t)
            elif level is not None:
                column = plan.columns[i]
                where = {
                    "place": column.place.split("|") if column.place else [],
                    "users": column.users.split("|") if column.users else [],
                }
                found.append({"start": period_label(t), "end": period_label(t), **where, **level})
            kept = level
    return sorted(found, key=lambda entry: (entry["start"], entry["place"], entry["users"]))


def _level(plan: Schedule, row: Instrument, column: int, t: int) -> dict[str, Any] | None:
    """Return what an entry sets in a quarter, None where it is not in force."""
    rate, money = (float(values[t, column]) for values in (plan.full_rate, plan.full_money))
    in_force = money > 0 if "spending" in row.money else rate > 0
    if not in_force:
        return None
    level: dict[str, Any] = {
        key: value
        for key, value in (("rate", rate), ("spending", money), ("envelope", money))
        if key in row.money
    }
    if row.eligible:
        level["eligible"] = "shells" if plan.shells_only[t, column] else row.eligible[0]
    if row.type != "rule":
        level["ramp_up"] = int(plan.ramp_up[t, column])
        level["ramp_down"] = int(plan.ramp_down[t, column])
    return level
