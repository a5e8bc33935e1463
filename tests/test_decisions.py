"""Every decision matters: replaced by its mean, it moves the outcome its row names.

Full world, default parameters, pairs of runs with the same luck. Whether pairs differ is tested
by flipping signs, at a false-alarm rate of 1 % for all decisions together (Holm 1979); the median
change has to reach the size of the table. Outcomes and sizes stand in the agent table and were
settled on other seeds than the one used here. The market for compute is read at the end of 2024,
before large projects and exits have multiplied the luck of the runs; everything else in 2030.
"""

from __future__ import annotations

import inspect
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from arms import beyond_noise, chance_of, change, given, scenario, summary, switched, with_values

import ecosystem
from ecosystem.inputs.catalogue import AgentKind, agents, instruments
from ecosystem.maths.arrays import Array
from ecosystem.quarter.rules import RULES
from ecosystem.state.setting import Setting

PROGRAMMES = ("national_government", "prefecture_government", "university")
MARKET = ("dispatch_centre", "data_centre", "buyer")
PAIRS = dict.fromkeys(PROGRAMMES, 64) | dict.fromkeys((*MARKET, "provincial_government"), 96)
"""Runs of each arm by kind of agent; 32 for the others."""


def policies(row: AgentKind) -> tuple[str, ...]:
    """Return what is added to `history`, so that there is something to decide.

    The province moves money between transfers; nation, prefectures and universities decide on
    programmes, which spend all they can: at less every prefecture meets its match.
    """
    if row.kind == "provincial_government":
        return tuple(
            text
            for name, each in instruments().items()
            if each.type == "transfer" and not each.excluded
            for text in switched(name, True)
        )
    if row.kind in PROGRAMMES:
        programmes = {
            name: each
            for name, each in instruments().items()
            if each.type == "programme" and not each.excluded
        }
        return tuple(
            text
            for name, each in programmes.items()
            for text in (
                *switched(name, True),
                f"instrument.{name}.spending={each.spending_high}",
            )
        )
    return ()


def arm(row: AgentKind, mean: bool) -> Setting:
    """Return the setting in which a decision is tested, with or without its rule."""
    setting = given(
        scenario(*policies(row)),
        replicates=PAIRS.get(row.kind, 32),
        means=[row.name] if mean else [],
    )
    return price_war(setting) if row.name == "offer_idle" else setting


def until(row: AgentKind) -> str:
    """Return the last quarter of a decision's runs."""
    return "2024Q4" if row.kind in MARKET else "2030Q4"


def price_war(setting: Setting) -> Setting:
    """Return the setting with prices near the cost of power.

    Power is a twentieth of the usual price, so a centre withdraws nothing: the rule is there for
    gluts, and is tested in one.
    """
    names = ("price_to_cost_general", "price_to_cost_intelligent", "price_super")
    return with_values(
        setting, **{name: float(setting.parameters[name][0, 0]) / 25 for name in names}
    )


def group(row: AgentKind) -> tuple[object, ...]:
    """Return what decides which reference runs belong to a decision."""
    return policies(row), row.kind in MARKET, row.name == "offer_idle"


@cache
def reference(key: tuple[object, ...]) -> dict[str, Array]:
    """Return the outcomes of the runs in which every rule holds."""
    row = next(row for row in agents().values() if group(row) == key)
    return summary(arm(row, False), {row.expected_outcome for row in agents().values()}, until(row))


@cache
def changes() -> dict[str, Array]:
    """Return the relative change of every decision's outcome, (replicates,) each."""
    result = {}
    for name, row in agents().items():
        new = summary(arm(row, True), [row.expected_outcome], until(row))
        old = reference(group(row))
        result[name] = change(new[row.expected_outcome], old[row.expected_outcome])
    return result


def test_every_rule_of_the_table_is_a_function_of_its_stage_that_the_stage_asks_for() -> None:
    folder = Path(ecosystem.__file__).parent
    rules = {
        name: "/".join(("ecosystem", *rule.__module__.split(".")[1:])) + ".py"
        for name, rule in RULES.items()
    }
    assert rules == {name: row.stage_file for name, row in agents().items()}
    for name, row in agents().items():
        code = (folder.parent / row.stage_file).read_text(encoding="utf-8")
        assert code.count(f"setting.rules.{name}(") == 1
        assert tuple(inspect.signature(RULES[name]).parameters)[2:] == row.columns


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
