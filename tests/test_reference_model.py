"""The whole model against the whole reference, chained quarter by quarter.

From the same world, parameters and luck both must arrive at the same state: a difference in any
stage, in what is handed on or in who gets which draw would grow from here.
"""

from __future__ import annotations

import pytest
from reference.agents import Agents
from reference.agreement import differences
from reference.cases import setting_of, state_of
from reference.layout import columns, from_state
from reference.model import reference_quarter
from reference.start import reference_start

from ecosystem.inputs.scenario import Scenario
from ecosystem.inputs.scenario import resolve as resolved
from ecosystem.inputs.world.loader import load_world
from ecosystem.quarter.start import initial_state, make_setting
from ecosystem.quarter.step import step
from ecosystem.state.state import State

QUARTERS = 8
LATER = 21  # the quarters around the first that packages change
SHAKEN = "2025Q4"  # t = 23


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
    ("packages", "shocks"),
    [
        ("history", "ai_winter"),
        ("article", "demand_surge"),
        ("article_plus", "power_crunch"),
        ("innovation_first", "talent_poaching"),
        ("demand_first", "rival_price_war"),
        ("output_only", "fiscal_squeeze"),
        ("diffusion", "efficiency_jump"),
        ("green_first", "inference_shift"),
        (("article_supply", "article_ecosystem"), "accelerator_export_control"),
        (("demand_first", "innovation_first", "green_first"), "hub_outage"),
        (("article_demand", "diffusion"), ("fiscal_squeeze", "power_crunch")),
    ],
)
def test_two_years_of_packages_and_shocks_agree(
    packages: str | tuple[str, ...], shocks: str | tuple[str, ...]
) -> None:
    """Each shock starts in the third of the eight quarters and has its default size."""
    named = (shocks,) if isinstance(shocks, str) else shocks
    shaken = [{"name": name, "start": SHAKEN} for name in named]
    check_chain(Scenario(packages, shocks=shaken))


def test_two_years_under_an_investment_limit_agree() -> None:
    check_chain(Scenario("article", parameters={"investment_limit": 1}))


def check_chain(scenario: Scenario) -> None:
    """Run both models for two years around the first quarter of the packages."""
    setting = make_setting(resolved(scenario), load_world("teaching"), 3, range(2))
    state = state_of("history", 3, LATER)
    everyone = [from_state(state, setting, run) for run in range(setting.runs)]
    for _ in range(QUARTERS):
        state, _ = step(state, setting)
        for run, agents in enumerate(everyone):
            everyone[run], _ = reference_quarter(agents)
            wrong = unequal(state, everyone[run], run)
            assert not wrong, "\n".join(wrong[:40])
