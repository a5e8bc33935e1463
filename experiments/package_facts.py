"""What a policy package is, before its effects: instruments, money, who pays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from ecosystem.result import Result
    from ecosystem.scenario import ResolvedScenario


def instruments_on(scenario: ResolvedScenario) -> list[str]:
    """Return the instruments in force in any quarter in which packages may differ."""
    from ecosystem.catalogue import instruments
    from ecosystem.quarters import HORIZON, POLICY_START

    on = {name: [False] * HORIZON for name in instruments()}
    for edit in scenario.edits:
        on[edit.instrument][edit.start : edit.end + 1] = [edit.active] * (edit.end + 1 - edit.start)
    return [name for name, quarters in on.items() if any(quarters[POLICY_START:])]


def package_facts(
    result: Result, summary: pd.DataFrame, reference: str, paid: Mapping[str, str]
) -> pd.DataFrame:
    """Say what each scenario of a result is.

    Parameters
    ----------
    result
        The runs, with their resolved scenarios.
    summary
        `Result.summary()`, which holds the outcomes in `paid`.
    reference
        Name of the scenario that the instruments are compared with.
    paid
        For each level of government the outcome that is its public cost, M¥.

    Returns
    -------
    DataFrame
        One row a scenario: titles, `instruments` in force from 2025Q3, those `added` to and
        `ended` against the reference; `planned` money to the end of the horizon, and the part
        `planned_own` that comes from the package itself; `unplanned`, what its budget names and
        its instruments cannot spend; median `paid` public cost, all present values in M¥; and the
        share of each level in what is paid.
    """
    import pandas as pd

    from ecosystem.schedule import (
        build_schedule,
        planned_present_value,
        public_discount_rate,
    )

    on = {scenario.name: instruments_on(scenario) for scenario in result.resolved}
    rows = []
    for scenario in result.resolved:
        own = summary[
            (summary["scenario"] == scenario.name) & summary["outcome"].isin(paid.values())
        ]
        costs = own.pivot(index="replicate", columns="outcome", values="value")
        total = costs.sum(axis=1)
        mean = float(total.mean()) if len(total) else 0.0
        schedule, discount = build_schedule(scenario), public_discount_rate(scenario)
        row = {
            "package": scenario.name,
            "title_en": scenario.title_en,
            "title_zh": scenario.title_zh,
            "instruments": on[scenario.name],
            "added": [name for name in on[scenario.name] if name not in on[reference]],
            "ended": [name for name in on[reference] if name not in on[scenario.name]],
            "planned": planned_present_value(schedule, discount),
            "planned_own": planned_present_value(schedule, discount, own=True),
            "unplanned": schedule.unplanned,
            "paid": float(total.median()) if len(total) else float("nan"),
        }
        for level, outcome in paid.items():
            part = float(costs[outcome].mean()) if outcome in costs else 0.0
            row[f"share_{level}"] = part / mean if mean else float("nan")
        rows.append(row)
    return pd.DataFrame(rows)
