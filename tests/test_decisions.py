"""Every decision matters: replaced by its mean, it moves the outcome its row names.

Full world, default parameters, pairs of runs with the same luck to 2030Q4. Whether a pair
differs is tested by flipping signs, at a false-alarm rate of 1 % for all decisions together
(Holm 1979); the median change has to reach the size of the table. Outcomes and sizes stand in
the agent table and were settled on other seeds than the one used here.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from arms import beyond_noise, chance_of, change, given, scenario, summary, switched, with_values

import ecosystem
from ecosystem.catalogue import AgentKind, agents, instruments
from ecosystem.setting import Array, Setting

REPLICATES = 32
POLICY = ("national_government", "provincial_government", "prefecture_government", "university")
"""Kinds whose decisions need programmes: they are tested with every instrument on."""
HOOK = re.compile(r'"([a-z_]+\.[a-z_]+)" (?:not )?in setting\.neutral')


def arm(row: AgentKind, neutral: bool) -> Setting:
    """Return the setting in which a decision is tested, with or without its rule."""
    allowed = [name for name, instrument in instruments().items() if not instrument.excluded]
    everything = [text for name in allowed for text in switched(name, True)]
    policy = everything if row.kind in POLICY else []
    rule = [row.name] if neutral else []
    setting = given(scenario(*policy), replicates=REPLICATES, neutral=rule)
    return price_war(setting) if row.name == "centre.withdraw" else setting


def price_war(setting: Setting) -> Setting:
    """Return the setting with prices near the cost of power.

    Power is a twentieth of the usual price, so a centre withdraws nothing: the rule is there for
    gluts, and is tested in one.
    """
    names = ("price_general", "price_to_cost_intelligent", "price_super")
    return with_values(
        setting, **{name: float(setting.parameters[name][0, 0]) / 25 for name in names}
    )


@cache
def reference(policy: bool, war: bool) -> dict[str, Array]:
    """Return the outcomes of the runs in which every rule holds."""
    rows = [row for row in agents().values() if (row.kind in POLICY) == policy]
    row = next(row for row in rows if (row.name == "centre.withdraw") == war)
    return summary(arm(row, False), {row.expected_outcome for row in agents().values()})


@cache
def changes() -> dict[str, Array]:
    """Return the relative change of every decision's outcome, (replicates,) each."""
    result = {}
    for name, row in agents().items():
        old = reference(row.kind in POLICY, name == "centre.withdraw")[row.expected_outcome]
        new = summary(arm(row, True), [row.expected_outcome])[row.expected_outcome]
        result[name] = change(new, old)
    return result


def test_every_decision_has_a_hook_and_every_hook_a_decision() -> None:
    stages = Path(ecosystem.__file__).parent / "stages"
    hooks = {
        hook: f"ecosystem/stages/{path.name}"
        for path in sorted(stages.glob("*.py"))
        for hook in HOOK.findall(path.read_text(encoding="utf-8"))
    }
    assert hooks == {name: row.stage_file for name, row in agents().items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(agents()))
def test_a_decision_moves_its_outcome(name: str) -> None:
    row = agents()[name]
    moved = changes()[name]
    assert beyond_noise(changes())[name], f"{row.expected_outcome}: p = {chance_of(moved):.5f}"
    assert abs(np.median(moved)) >= row.expected_size


def test_flipping_signs_finds_what_is_there_and_nothing_else() -> None:
    luck = np.random.default_rng(1)
    alarms = sum(chance_of(luck.normal(size=12)) <= 0.05 for _ in range(100))
    assert alarms <= 13  # 5 expected; more than 13 has a chance of 4e-4
    assert chance_of(np.zeros(12)) == 1
    assert chance_of(luck.normal(2, 1, 32)) < 1e-3
