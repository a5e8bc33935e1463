"""Leverage and pay-back: against series whose answer is known, and as words and files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecosystem.inputs.calendar import POLICY_START
from ecosystem.runs.result import Result
from ecosystem.runs.simulate import simulate
from experiments.comparison.compare import Comparison, needed_outcomes
from experiments.comparison.intervals import ENOUGH
from experiments.comparison.payback import NEEDED, payback_facts, payback_lines, payback_periods
from experiments.report.messages import text, width
from experiments.report.presentation import COLUMNS, comparison_text


def test_a_loan_is_paid_back_when_instalments_add_up_to_it() -> None:
    cost, income = np.zeros((3, 8)), np.ones((3, 8))
    cost[:, 1] = (4.0, 20.0, 0.0)
    income[:, 0] = 0
    found = payback_periods(cost, income, first=22)
    assert found[0] == 22 + 4  # quarters 1 to 4 bring one each
    assert np.isinf(found[1]) and np.isnan(found[2])


def test_receipts_before_the_first_payment_do_not_count_as_paid_back() -> None:
    cost, income = np.array([[0.0, 0, 5, 0]]), np.array([[1.0, 1, 1, 2]])
    assert payback_periods(cost, income)[0] == 3


def test_money_saved_and_a_failed_run_leave_nothing_to_pay_back() -> None:
    cost = np.array([[-1.0, -1, -1], [1, np.nan, 1]])
    assert np.isnan(payback_periods(cost, np.ones((2, 3)))).all()
    assert np.isnan(payback_periods(np.zeros((2, 0)), np.zeros((2, 0)))).all()


@pytest.fixture(scope="module")
def result() -> Result:
    """Return a short run of three scenarios."""
    return simulate(
        ["history", "demand_first", "none"], replicates=3, until="2026Q2", world="teaching",
        jobs=1, outcomes=needed_outcomes(),
    )  # fmt: skip


def made(result: Result, cost: float, income: float, capital: float) -> Result:
    """Return the result with constant extra flows of its second scenario."""
    series = {name: result.series[name].copy() for name in NEEDED}
    summaries = {name: result.summaries[name].copy() for name in NEEDED}
    for name, extra in zip(NEEDED, (capital, cost, income), strict=True):
        series[name][1:] = series[name][0]
        summaries[name][1:] = summaries[name][0]
        series[name][1, :, POLICY_START:] += extra
        summaries[name][1] += extra * np.array([1.0, 2.0, 3.0])[:, None]
    return replace(
        result,
        series={**result.series, **series},
        summaries={**result.summaries, **summaries},
    )


def test_facts_say_when_and_how_much(result: Result) -> None:
    facts = payback_facts(made(result, cost=2, income=3, capital=8), "history")
    row = facts.set_index("package").loc["demand_first"]
    assert row["payback"] == "2025Q3" and row["payback_never"] == 0 and row["payback_pairs"] == 3
    assert [row[f"leverage{end}"] for end in ("", "_low", "_high")] == pytest.approx([4, 4, 4])
    same = facts.set_index("package").loc["none"]
    assert same["payback"] == "" and same["payback_pairs"] == 0 and np.isnan(same["leverage"])


def test_what_never_pays_back_is_no_number(result: Result) -> None:
    facts = payback_facts(made(result, cost=2, income=1, capital=0), "history")
    row = facts.set_index("package").loc["demand_first"]
    assert row["payback"] == "not by 2026Q2" and row["payback_never"] == 1


def test_money_saved_has_no_leverage(result: Result) -> None:
    facts = payback_facts(made(result, cost=-2, income=1, capital=5), "history")
    row = facts.set_index("package").loc["demand_first"]
    assert np.isnan(row["leverage"]) and row["payback"] == ""


def test_a_result_without_these_outcomes_has_no_facts(result: Result) -> None:
    bare = replace(result, series={}, summaries=dict(result.summaries))
    assert payback_facts(bare, "history").empty
    assert payback_lines(Comparison.of(bare, "history")) == []


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(("runs", "cost"), [(3, 2), (ENOUGH - 1, 2), (ENOUGH, 2), (3, 0)])
def test_few_pairs_put_leverage_in_doubt(result: Result, lang: str, runs: int, cost: float) -> None:
    """Where no leverage is shown there is none to doubt."""
    found = made(result, cost=cost, income=1, capital=8)
    series, summaries = (
        {name: np.resize(value.swapaxes(0, 1), (runs, len(value), *value.shape[2:])).swapaxes(0, 1)
         for name, value in values.items()}
        for values in (found.series, found.summaries)
    )  # fmt: skip
    found = replace(found, replicates=runs, series=series, summaries=summaries)
    lines = payback_lines(Comparison.of(found, "history", []), lang)
    assert max(width(line) for line in lines) <= COLUMNS
    few = text("payback_few", lang, enough=ENOUGH)
    assert (few in lines) == (runs < ENOUGH and cost > 0)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_comparison_shows_and_keeps_them(result: Result, tmp_path: Path, lang: str) -> None:
    comparison = Comparison.of(made(result, cost=2, income=1, capital=8), "history", [])
    words = comparison_text(comparison, lang)
    assert ("not by 2026Q2" if lang == "en" else "至 2026Q2 未回收") in words
    assert max(width(line) for line in words.splitlines()) <= COLUMNS
    comparison.save(tmp_path, lang)
    kept = pd.read_csv(tmp_path / "packages.csv").set_index("package")
    assert kept.loc["demand_first", "leverage"] == pytest.approx(4)
    assert kept.loc["demand_first", "payback"] == "not by 2026Q2"
    assert (tmp_path / "regret.csv").is_file()
