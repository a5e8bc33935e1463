"""What a policy package is, before its effects: instruments, money, who pays."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ecosystem.inputs.calendar import HORIZON, POLICY_START, period_index, period_label
from ecosystem.inputs.catalogue import instruments
from ecosystem.inputs.functions import STAGES
from ecosystem.inputs.scenario import ResolvedScenario
from ecosystem.inputs.schedule import build_schedule, planned_present_value, public_discount_rate
from ecosystem.maths.arrays import Array
from ecosystem.maths.kernels import discount_factor
from ecosystem.runs.result import Result
from experiments.comparison.package_changes import LEVELS, package_changes

PAID = {level: f"public_cost_{level}" for level in LEVELS}
"""For each level of government the outcome that is its public cost, M¥."""
UNSPENT = "unspent"
"""Present value of planned money that was not paid, M¥."""


def instruments_on(scenario: ResolvedScenario) -> list[str]:
    """Return the instruments in force in any quarter in which packages may differ."""
    on = {name: [False] * HORIZON for name in instruments()}
    for edit in scenario.edits:
        on[edit.instrument][edit.start : edit.end + 1] = [edit.active] * (edit.end + 1 - edit.start)
    return [name for name, quarters in on.items() if any(quarters[POLICY_START:])]


def package_facts(result: Result, reference: str) -> pd.DataFrame:
    """Say what each scenario of a result is.

    Parameters
    ----------
    result
        The runs, with their resolved scenarios and the outcomes `UNSPENT` and `PAID`.
    reference
        Name of the scenario that the instruments are compared with.

    Returns
    -------
    DataFrame
        One row a scenario: titles; `instruments` in force from 2025Q3, those `added` to, `changed`
        and `ended` against the reference; `assumptions` that differ from those of the reference,
        parameters, rules, hooks and shocks; and present values in M¥: `planned` money to the end of
        the horizon, the part `planned_own` of the package itself (of the reference: all), with
        what takes the place of the reference's money,
        `unplanned`, what its budget names and its instruments cannot spend; `realised`, the
        median of what its instruments paid to the end of the runs, beyond the reference; `unspent`,
        unplanned and the median of what was planned to the end of the runs and not paid, beyond
        the reference; median public cost `paid`, and `extra`, its median difference from the
        reference. `paid_<level>` is what a level of government pays of extra (of the reference: of
        paid), its own median; below 0 where it pays less than without the package.
    """
    on = {scenario.name: instruments_on(scenario) for scenario in result.resolved}
    chosen = next(scenario for scenario in result.resolved if scenario.name == reference)
    left, spent, costs = {}, {}, {}
    for place, scenario in enumerate(result.resolved):
        money = {name: values[place, :, 0] for name, values in result.summaries.items()}
        left[scenario.name] = pd.Series(money[UNSPENT])
        spent[scenario.name] = pd.Series(_planned(result, scenario)) - left[scenario.name]
        costs[scenario.name] = pd.DataFrame({level: money[name] for level, name in PAID.items()})
    rows = []
    for scenario in result.resolved:
        name, base = scenario.name, scenario.name == reference
        schedule, discount = build_schedule(scenario), public_discount_rate(scenario)
        extra = costs[name] - costs[reference]
        more = 0.0 if base else 1.0
        realised, unspent = (kind[name] - more * kind[reference] for kind in (spent, left))
        payers = (costs[name] if base else extra).median()
        rows.append(
            {
                "package": name,
                "title_en": result.titles[scenario.name]["en"],
                "title_zh": result.titles[scenario.name]["zh"],
                "instruments": on[name],
                "added": [one for one in on[name] if one not in on[reference]],
                "changed": _changed(scenario, chosen),
                "ended": [one for one in on[reference] if one not in on[name]],
                "assumptions": assumptions_apart(scenario, chosen),
                "planned": planned_present_value(schedule, discount),
                "planned_own": planned_present_value(schedule, discount, own=not base),
                "unplanned": schedule.unplanned,
                "realised": float(realised.median()),
                "unspent": schedule.unplanned + float(unspent.median()),
                "paid": float(costs[name].sum(axis=1, skipna=False).median()),
                "extra": float(extra.sum(axis=1, skipna=False).median()),
                **{f"paid_{level}": float(money) for level, money in payers.items()},
            }
        )
    return pd.DataFrame(rows)


def _changed(scenario: ResolvedScenario, reference: ResolvedScenario) -> list[str]:
    """Return the instruments in force in both scenarios from 2025Q3 on, but with other plans."""
    both = set(instruments_on(scenario)) & set(instruments_on(reference))
    changes = package_changes(scenario, reference)
    return [one["instrument"] for one in changes if one["instrument"] in both]


def functions_apart(
    scenario: ResolvedScenario, reference: ResolvedScenario | None = None
) -> list[str]:
    """Return the rules and hooks of a scenario that the reference does not share, and its own."""
    both = (scenario.hooks, reference.hooks if reference else ())
    mine, theirs = (
        [f"{'hook' if one.stage in STAGES else 'rule'} {one.stage} = {one.name}" for one in hooks]
        for hooks in ([one for one in both[i] if one not in both[1 - i]] for i in (0, 1))
    )
    return mine + [f"without {one}" for one in theirs]


def assumptions_apart(scenario: ResolvedScenario, reference: ResolvedScenario) -> list[str]:
    """Return the parameters, rules, hooks and shocks that differ from those of a reference."""
    missing = object()
    parts = [
        f"{name} = {value:g}"
        for name, value in scenario.parameters.items()
        if reference.parameters.get(name, missing) != value
    ]
    parts += [f"{name} drawn" for name in reference.parameters if name not in scenario.parameters]
    parts += functions_apart(scenario, reference)
    return parts + [
        f"shock {use.name}:{use.amplitude:g}:{period_label(use.start)}"
        for use in scenario.shocks
        if use not in reference.shocks
    ]


def _planned(result: Result, scenario: ResolvedScenario) -> Array:
    """Return what a scenario plans to the end of the runs, M¥ of present value, (replicates,)."""
    schedule, last = build_schedule(scenario), period_index(result.until)
    money = (schedule.spending + schedule.envelope).sum(axis=1)[POLICY_START : last + 1] / 4
    drawn = result.draw_values["public_discount_rate"]
    rate = scenario.parameters.get("public_discount_rate", drawn) + np.zeros(result.replicates)
    years = np.arange(len(money)) / 4
    return np.asarray(money @ discount_factor(rate, years[:, None]))
