"""Packages that cost the public the same: a search with a known answer, and what cannot be had."""

import json
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from ecosystem.inputs.faults import InputError
from experiments import compare
from experiments.command.cli import app
from experiments.command.reproduce import reproduce
from experiments.comparison.budget import article_present_value, with_money
from experiments.comparison.compare import NET_COST, scenarios_with_reference
from experiments.comparison.equal_money import (
    PILOTS,
    TOLERANCE,
    TRIES,
    Try,
    closest,
    equal_money,
    search,
    uneven_cost,
    why_not,
)
from experiments.comparison.intervals import quantile_error
from experiments.comparison.options import CompareOptions
from experiments.faces import Comparison
from experiments.report.messages import width

GOAL, FEW = 1000.0, 5
LUCK = np.linspace(-0.1, 0.1, PILOTS)
UNEVEN = {"en": "Notequalmoney", "zh": "资金不等"}
SMALL: dict[str, Any] = {"replicates": 2, "until": "2026Q4", "world": "teaching", "jobs": 1}
TOYS: dict[str, tuple[Callable[[float], float], str, float, int]] = {
    "half of the plan": (lambda plan: plan / 2, "", 2000, 2),
    "what is saved first": (lambda plan: plan / 2 - 300, "", 2600, 3),
    "a near miss first": (lambda plan: 416 + 0.55 * plan, "", 1035, 2),
    "a square": (lambda plan: (plan / 1500) ** 2 * GOAL, "", 1500, 5),
    "a root": (lambda plan: 20 * math.sqrt(plan), "", 2500, 5),
    "steep": (lambda plan: (plan / 1500) ** 8 * GOAL, "", 1500, TRIES),
    "claims end": (lambda plan: min(plan, 500), "claims", 1000, 3),
    "taxes are more": (lambda plan: -plan / 3, "claims", 1000, 2),
    "rules cost more": (lambda plan: 1500 + plan / 2, "rules", 100, 3),
    "a jump": (lambda plan: 500 if plan < 1203 else 1501, "jump", 1000, TRIES),
    "no pilot": (lambda plan: math.nan, "failed", 1000, 1),
}
"""Cost of a plan; why it is not reached, the plan, and how many tries find it at most."""


def test_plans_of_known_cost_are_found_together() -> None:
    rounds: list[set[str]] = []

    def cost(plans: dict[str, float], before: int) -> dict[str, Try]:
        assert before == sum(map(len, rounds))
        rounds.append(set(plans))
        return {name: Try(plan, TOYS[name][0](plan), 0.0) for name, plan in plans.items()}

    found = search(dict.fromkeys(TOYS, GOAL), GOAL, cost)
    assert rounds[0] == set(TOYS) and len(rounds) == TRIES and rounds[-1] <= {"a jump", "steep"}
    for name, (_, why, plan, most) in TOYS.items():
        tries, chosen = found[name], closest(found[name], GOAL)
        assert why_not(tries, GOAL, unplanned=0.0) == why, name
        assert chosen.planned == pytest.approx(plan, rel=TOLERANCE), name
        assert len(tries) <= most and GOAL / 10 <= min(tries).planned, name
        assert max(tries).planned <= 10 * GOAL, name
        assert why or abs(chosen.extra - GOAL) <= TOLERANCE * GOAL, name


def test_what_is_not_reached_says_why() -> None:
    """The same net cost below the amount, by what the payments and the programmes' limits are."""
    tries = [Try(1000, 300, 400), Try(10_000, 310, 420)]
    assert why_not(tries, GOAL, unplanned=0.0) == "claims"
    assert why_not(tries, GOAL, unplanned=5000.0) == "limit"
    assert why_not([tries[0], Try(10_000, 310, 1200)], GOAL, unplanned=5000.0) == "taxes"
    assert closest(tries, GOAL).planned == 1000  # the smaller plan of costs within the tolerance


@pytest.mark.parametrize(("costs", "said"), [([100, 109], False), ([100, 112], True),
                                             ([-50, -100], True), ([7], False)])  # fmt: skip
def test_unequal_cost_is_said_from_a_tenth_on(costs: list[float], said: bool) -> None:
    index = pd.MultiIndex.from_product([[NET_COST, "patents"], [0, 1, 2]], names=["outcome", "r"])
    pairs = np.outer([0.5, 1.0, 1.5] * 2, costs)  # medians are the costs
    names = [f"package_{number}" for number in range(len(costs))]
    found = uneven_cost(pd.DataFrame(pairs, index=index, columns=names))
    assert list(found) == (sorted(costs) if said else [])
    assert uneven_cost(pd.DataFrame(pairs, index=index, columns=names).loc[["patents"]]).empty


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"equal": "extra"}, "equal: 'extra' .* --equal extra needs --budget"),
        ({"equal": "extra", "budget": "own"}, "budget: 'own' .* with equal extra"),
        ({"equal": "extras", "budget": 5}, "equal: 'extras' .* nearest valid name: extra"),
    ],
)
def test_what_cannot_be_equal_is_named(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        compare("article", **given)


# ---- pilots that cost what is known beforehand


def asked_of(
    monkeypatch: pytest.MonkeyPatch, extra: float, **given: Any
) -> tuple[list[Any], pd.DataFrame]:
    """Seek equal money for the article where every package costs so much, whatever it plans.

    Two pilots fail, one of the reference.
    """

    def costs(scenarios: Any, *_: Any) -> dict[str, Any]:
        found = {one.name: np.tile(LUCK, (2, 1)) for one in scenarios}
        for name, values in found.items():
            values += 0.0 if name == "history" else np.outer((extra, extra), 1 + LUCK)
            values[0, 0 if name == "history" else 1] = np.nan
        return found

    monkeypatch.setattr("experiments.comparison.equal_money.pilot_costs", costs)
    asked = CompareOptions(**given, equal="extra")
    scenarios, base = scenarios_with_reference("article", "history")
    laid, priced = with_money(scenarios, base, lambda one: one, asked.budget, asked.equal)
    return equal_money(laid, base, priced, asked)


def test_the_error_of_a_cost_and_the_pilots_that_ended_stand_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, money = asked_of(monkeypatch, 1000.0, budget=1000)
    row = money.iloc[0]
    pairs = 1000 * (1 + LUCK[2:])
    assert row["extra"] == pytest.approx(np.median(pairs)) and row["pilots"] == PILOTS - 2
    assert row["error"] == pytest.approx(quantile_error(pairs)) and 8 < row["error"] < 40
    assert row["reached"] and row["planned"] > 0


@pytest.mark.parametrize("extra", [-50.0, 0.0])
def test_an_article_that_costs_nothing_is_no_wrong_input(
    monkeypatch: pytest.MonkeyPatch, extra: float
) -> None:
    """It is known after pilots alone, when something has been written: a failure (exit code 1)."""
    with pytest.raises(FloatingPointError, match="budget article: .* not above 0"):
        asked_of(monkeypatch, extra, budget="article")
    assert asked_of(monkeypatch, extra, budget=70.0)[1]["goal"].tolist() == [70.0]


# ---- a small run


@pytest.mark.parametrize("scenarios", ["none", ["none", "history"]])
def test_that_nobody_has_money_of_its_own_is_said(
    monkeypatch: pytest.MonkeyPatch, scenarios: Any
) -> None:
    monkeypatch.setattr("experiments.comparison.equal_money.PILOTS", FEW)
    found = compare(scenarios, budget=1000, equal="extra", **SMALL | {"until": "2025Q4"})
    row = found.equal_money.iloc[0]
    assert (row["package"], row["why"], row["goal"]) == ("none", "no money", 1000)
    for lang in ("en", "zh"):
        assert "1,000" in found.summary(lang) and " ± " in found.text(lang)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """Compare a package that reaches the amount, one at its limit, and one without money."""
    limited = tmp_path_factory.mktemp("files") / "limited.toml"
    limited.write_text('[[instrument]]\nname = "second_ring_quality"\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("experiments.comparison.equal_money.PILOTS", FEW)
        return compare(["output_only", limited, "none"], budget=400, equal="extra", **SMALL)


@pytest.mark.slow
def test_the_plan_found_costs_what_was_asked_for(found: Comparison) -> None:
    """And the pilots are the first pairs of the seed: a comparison of them shows their median."""
    money = found.equal_money.set_index("package")
    assert list(money.index) == ["output_only", "limited", "none"]
    assert list(money["why"]) == ["", "limit", "no money"]
    row = money.loc["output_only"]
    assert row["extra"] == pytest.approx(row["goal"], rel=TOLERANCE) and row["goal"] == 400
    assert row["planned"] == float(f"{row['planned']:.4g}")
    assert row["pilots"] == FEW and row["tried"] <= TRIES
    planned = found.packages.set_index("package")["planned_own"]
    assert planned["output_only"] == pytest.approx(row["planned"])
    same = compare("output_only", budget=row["planned"], **{**SMALL, "replicates": FEW})
    assert same.rows(NET_COST)["median"].iloc[0] == pytest.approx(row["extra"], rel=1e-9)


@pytest.mark.slow
def test_the_articles_cost_is_that_of_its_default_spending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.comparison.equal_money.PILOTS", FEW)
    asked = {**SMALL, "replicates": FEW, "until": "2025Q4", "outcomes": NET_COST}
    money = compare("article", budget="article", equal="extra", **asked).equal_money.iloc[0]
    plain = compare("article", budget="own", **asked).rows(NET_COST)["median"].iloc[0]
    assert money["goal"] == pytest.approx(plain, rel=1e-9) and money["reached"]
    assert money["planned"] == pytest.approx(article_present_value({}), rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_tables_say_what_was_equal_and_what_was_not(found: Comparison, lang: str) -> None:
    for words in (found.text(lang, 80), found.summary(lang, 80)):
        assert max(width(line) for line in words.splitlines()) <= 80
        whole = "".join(words.split())
        assert "400" in whole and found.title("none", lang).replace(" ", "") in whole
        assert UNEVEN[lang] not in whole  # what does not reach the amount is named once
    plain = replace(found, equal_money=pd.DataFrame())
    for words in (plain.text(lang, 80), plain.summary(lang, 80)):
        assert UNEVEN[lang] in "".join(words.split()) and "--equal extra" in words


@pytest.mark.slow
def test_the_plan_stands_in_the_manifest_and_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["compare", "output_only", "--budget", "60", "--equal", "extra", "--json"]
    words += ["--world", "teaching", "--replicates", "2", "--until", "2025Q4", "--jobs", "1"]
    words += ["--set", "parameters.hype=0.5", "--outcomes", NET_COST, "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["ecosystem", *words])
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    directory = Path(answer["directory"])
    manifest = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["equal_money"] == answer["equal_money"]
    assert "equal_money.csv" in manifest["files"]
    (row,) = manifest["equal_money"]
    assert row["reached"] and row["extra"] == pytest.approx(row["goal"], rel=TOLERANCE)
    assert row["pilots"] == PILOTS
    (plan,) = (one["planned_own"] for one in answer["packages"] if one["package"] == "output_only")
    assert plan == pytest.approx(row["planned"])
    again = reproduce(directory, jobs=1)
    assert again.equal and again.tables > 2, again.text()


@pytest.mark.parametrize(("packages", "plans"), [(["article", "none"], 2 + 3), (["none"], 2)])
def test_the_cost_of_pilots_is_said_before_they_are_run(
    tmp_path: Path, packages: list[str], plans: int
) -> None:
    words = ["compare", *packages, "--budget", "1000", "--equal", "extra", "--dry-run"]
    words += ["--world", "teaching", "--until", "2025Q4", "--replicates", "3", "--jobs", "1"]
    result = CliRunner().invoke(app, [*words, "--out", str(tmp_path)])
    pilots = PILOTS * plans
    runs = 3 * (len(packages) + 1) + pilots
    assert f"{runs} runs" in result.stderr and f"about {pilots} pilot runs" in result.stderr
