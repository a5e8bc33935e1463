"""The whole model against the whole reference, chained quarter by quarter.

From the same world, parameters and luck both must arrive at the same state: a difference in any
stage, in what is handed on or in who gets which draw would grow from here.
"""

from __future__ import annotations

from functools import cache

import pytest
from reference.agents import Agents
from reference.agreement import differences
from reference.layout import columns, from_state
from reference.model import reference_quarter
from reference.start import reference_start

from ecosystem.scenario import Scenario
from ecosystem.scenario import resolve as resolved
from ecosystem.setting import Setting
from ecosystem.simulation import make_setting
from ecosystem.start import initial_state
from ecosystem.state import State
from ecosystem.step import step
from ecosystem.world.loader import load_world

QUARTERS = 8
LATER = 21  # the quarters around the first that packages change


@cache
def setting_of(name: str, seed: int, world: str, shock: str = "") -> Setting:
    scenario = resolved(Scenario(name, shocks=(shock,) if shock else ()))
    return make_setting(scenario, load_world(world), seed, range(2))


def unequal(state: State, agents: Agents, run: int) -> list[str]:
    """Return all differences between a row of the state and the agents."""
    assert state.period == agents.period
    return [
        f"t={state.period} run={run} {line}"
        for name, group in columns(agents).items()
        for line in differences(getattr(state, name), group, run, name)
    ]


@pytest.mark.parametrize("world", ["teaching", "full"])
@pytest.mark.parametrize("seed", [1, 2])
def test_both_start_alike(world: str, seed: int) -> None:
    setting = setting_of("history", seed, world)
    for run in range(setting.runs):
        wrong = unequal(initial_state(setting), reference_start(setting, run), run)
        assert not wrong, "\n".join(wrong[:40])


@pytest.mark.parametrize("seed", [1, 2])
def test_two_years_from_the_start_agree(seed: int) -> None:
    setting = setting_of("history", seed, "teaching")
    state = initial_state(setting)
    everyone = [reference_start(setting, run) for run in range(setting.runs)]
    for _ in range(QUARTERS):
        state, _ = step(state, setting)
        for run, agents in enumerate(everyone):
            everyone[run], _ = reference_quarter(agents)
            wrong = unequal(state, everyone[run], run)
            assert not wrong, "\n".join(wrong[:40])


@pytest.mark.parametrize(
    ("name", "shock"),
    [
        ("innovation_first", ""),
        ("output_only", "fiscal_squeeze"),
        ("article", "demand_surge"),
    ],
)
def test_two_years_of_packages_agree(name: str, shock: str) -> None:
    setting = setting_of(name, 3, "teaching", shock)
    state = initial_state(setting)
    for _ in range(LATER):
        state, _ = step(state, setting)
    everyone = [from_state(state, setting, run) for run in range(setting.runs)]
    for _ in range(QUARTERS):
        state, _ = step(state, setting)
        for run, agents in enumerate(everyone):
            everyone[run], _ = reference_quarter(agents)
            wrong = unequal(state, everyone[run], run)
            assert not wrong, "\n".join(wrong[:40])
