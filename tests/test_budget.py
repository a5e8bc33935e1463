"""Equal budgets, what cannot be spent, and instruments that exclude each other."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ecosystem.inputs.catalogue import instruments
from ecosystem.inputs.faults import InputError
from ecosystem.inputs.scenario import Scenario, package_names, resolve, with_overrides
from ecosystem.inputs.schedule import build_schedule
from experiments import compare
from experiments.command.cli import app
from experiments.comparison.budget import (
    article_present_value,
    own_present_value,
    unscaled,
    with_budget,
)
from experiments.comparison.options import read_budget

FREE = ("none", "history")
SPENDING = sorted(set(package_names()) - set(FREE))


@pytest.mark.parametrize("budget", [4000.0, "article"])
@pytest.mark.parametrize("name", SPENDING)
def test_packages_plan_the_same_money_or_show_what_they_cannot_plan(
    name: str, budget: float | str
) -> None:
    goal = article_present_value({}) if budget == "article" else budget
    scaled = with_budget(resolve(name), budget)
    schedule = build_schedule(scaled)
    assert own_present_value(scaled) + schedule.unplanned == pytest.approx(goal, rel=1e-9)
    assert bool(schedule.unplanned) == any("stay unspent" in line for line in schedule.warnings)
    np.testing.assert_array_equal(schedule.rate, build_schedule(resolve(name)).rate)


def test_four_billion_is_what_the_files_say() -> None:
    for name in SPENDING:
        assert with_budget(resolve(name), 4000).digest == resolve(name).digest


def test_own_money_is_that_of_the_table() -> None:
    schedule = build_schedule(with_budget(resolve("article"), "own"))
    for name in ("unified_dispatch", "joint_innovation"):
        spent = schedule.spending[-1, schedule.column(name)]
        assert spent == instruments()[name].spending_default
    assert with_budget(resolve("article"), "article").name == "article"
    assert own_present_value(with_budget(resolve("article"), "article")) == pytest.approx(
        own_present_value(unscaled(resolve("article")))
    )


@pytest.mark.parametrize("name", FREE)
@pytest.mark.parametrize("budget", [4000, "article", "own"])
def test_what_plans_no_money_stays_as_it_is(name: str, budget: float | str) -> None:
    assert with_budget(resolve(name), budget) == resolve(name)


def test_files_that_extend_each_other_share_one_budget() -> None:
    both = resolve(Scenario(policies=["demand_first", "capex_only"]))
    assert own_present_value(with_budget(both, 4000)) == pytest.approx(4000)
    assert own_present_value(both) == pytest.approx(8000)


def test_the_articles_money_is_counted_at_the_rate_of_the_scenario() -> None:
    dear = replace(resolve("output_only"), parameters={"public_discount_rate": 0.08})
    goal = article_present_value(dear.parameters)
    assert goal < article_present_value({})
    assert own_present_value(with_budget(dear, "article")) == pytest.approx(goal)


@pytest.mark.parametrize("budget", ["much", "", -1, 0, "nan", float("inf"), True, [1]])
def test_a_budget_that_is_none_is_named(budget: object) -> None:
    with pytest.raises(InputError, match="million yuan above 0, article or own"):
        read_budget(budget)


def test_words_of_the_command_line_are_read_as_numbers() -> None:
    assert read_budget("2.5e3") == 2500.0 and read_budget(None) is None


@pytest.mark.slow
def test_a_comparison_shows_planned_realised_and_unspent_money() -> None:
    found = compare(
        ["demand_first", "none"], budget="article", replicates=2, until="2026Q4",
        world="teaching", fixed_parameters=True, jobs=1,
    ).packages.set_index("package")  # fmt: skip
    demand = found.loc["demand_first"]
    goal = article_present_value({})
    assert demand["planned_own"] + demand["unplanned"] == pytest.approx(goal)
    assert 0 < demand["realised"] < demand["planned_own"]
    assert demand["unspent"] >= demand["unplanned"] * (1 - 1e-9)
    assert found.loc["history", "realised"] > 0
    assert found.loc["none", "planned_own"] == 0 and found.loc["none", "realised"] < 0


def call(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["compare", *words, "--dry-run"])
    return result.exit_code, result.stderr


def test_a_budget_that_cannot_be_spent_is_warned_of_with_its_numbers() -> None:
    code, words = call("demand_first", "--budget", "article", "--quiet")
    schedule = build_schedule(with_budget(resolve("demand_first"), "article"))
    assert code == 0 and f"{schedule.unplanned:.0f} stay unspent" in words
    assert words.startswith("warning: demand_first: ")


def test_money_on_the_command_line_is_taken_as_written() -> None:
    over = with_overrides(resolve("demand_first"), ["instrument.regional_pairing.spending=7"])
    scaled = with_overrides(
        with_budget(resolve("demand_first"), 4000), ["instrument.regional_pairing.spending=7"]
    )
    for scenario in (over, scaled):
        schedule = build_schedule(scenario)
        assert schedule.spending[-1, schedule.column("regional_pairing")] == 7


def test_with_a_budget_an_instrument_may_be_switched_off_from_outside() -> None:
    code, words = call(
        "article", "--budget", "2000", "--set", "instrument.unified_dispatch.active=false"
    )
    assert code == 0, words
    both = resolve(Scenario(policies=["demand_first", "innovation_first"]))
    budget = with_budget(both, 2000)
    ended = with_overrides(budget, ["instrument.joint_innovation.active=false"])
    assert ended.edits[-1].file not in {edit.file for edit in budget.edits}


def test_a_bad_budget_ends_with_every_fault_at_once() -> None:
    code, words = call("articl", "--budget", "lots")
    assert code == 2 and "'lots'" in words and "nearest valid name: article" in words


FILE = """
policies = ["article"]
[[instrument]]
name = "even_diffusion"
start = "2028Q1"
"""


def test_instruments_that_exclude_each_other_are_both_named(tmp_path: Path) -> None:
    file = tmp_path / "both.toml"
    file.write_text(FILE, encoding="utf-8")
    with pytest.raises(InputError, match="even_diffusion and hub_steering.*2028Q1"):
        resolve(file)
    with pytest.raises(InputError, match="even_diffusion and hub_steering"):
        Scenario(policies=["diffusion", "article_supply"])
    with pytest.raises(InputError, match="even_diffusion and hub_steering"):
        with_overrides(resolve("diffusion"), ["instrument.hub_steering.active=true"])


def test_one_after_the_other_is_allowed(tmp_path: Path) -> None:
    ended = FILE.replace('["article"]', '["article_supply"]') + (
        '[[instrument]]\nname = "hub_steering"\nactive = false\nstart = "2028Q1"\n'
    )
    file = tmp_path / "after.toml"
    file.write_text(ended, encoding="utf-8")
    assert resolve(file).name == "after"
