"""Paired differences: their statistics, their ranking, and the comparison as a whole."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from ecosystem.inputs.catalogue import outcomes as catalogue
from ecosystem.inputs.faults import InputError
from ecosystem.inputs.scenario import Scenario
from ecosystem.runs.result import Result
from experiments import compare
from experiments.comparison.compare import (
    NET_COST,
    PAID,
    Comparison,
    comparison_table,
    headline_outcomes,
    paired_differences,
    scenarios_with_reference,
)
from experiments.comparison.decompose import decompose
from experiments.comparison.intervals import describe, median_error, ratio_of_means
from experiments.report.presentation import comparison_text

HIGHER = next(name for name, row in catalogue().items() if row.headline and row.better == "higher")
SMALL = {"replicates": 3, "until": "2026Q2", "world": "teaching", "jobs": 1}


def summary(**scenarios: list[float]) -> pd.DataFrame:
    """Return a summary of two outcomes: the given values, and a cost of 100 M¥ a place."""
    rows = [
        {"scenario": name, "shock": "", "replicate": replicate, "outcome": outcome, "value": value}
        for place, (name, values) in enumerate(scenarios.items())
        for replicate, found in enumerate(values)
        for outcome, value in ((HIGHER, found), (NET_COST, 100.0 * place))
    ]
    return pd.DataFrame(rows).assign(region="", tier="", kind="", domain="")


def test_error_of_the_median_is_that_of_the_bootstrap() -> None:
    random = np.random.Generator(np.random.Philox(3))
    sample = random.normal(size=31)
    medians = np.median(random.choice(sample, (20_000, 31)), axis=1)
    assert median_error(sample) == pytest.approx(medians.std(), rel=0.02)


def test_error_of_the_median_of_many_normals() -> None:
    sample = np.random.Generator(np.random.Philox(3)).normal(size=20_000)
    assert median_error(sample) == pytest.approx(np.sqrt(np.pi / 2 / 20_000), rel=0.1)
    assert median_error(np.ones(5)) == 0 and np.isnan(median_error([1.0]))


def test_a_description_counts_no_tie_as_above() -> None:
    found = describe([0.0, 0.0, 1.0, 2.0, np.nan])
    assert found["share_above_zero"] == 0.5 and found["pairs"] == 4
    assert found["median"] == 0.5 and found["reads_zero"] is True
    assert describe([1.0, 2.0])["reads_zero"] is False
    assert describe([])["pairs"] == 0 and describe([])["reads_zero"] is True


def test_few_pairs_give_an_interval_that_was_seen() -> None:
    found = describe([-1.0, 10.0, 11.0, 12.0, 13.0])
    assert (found["low_90"], found["high_90"]) == (-1.0, 13.0) and found["reads_zero"] is True


def test_the_reference_alone_is_nothing_to_compare() -> None:
    with pytest.raises(InputError, match="beside the reference"):
        compare(["history"], replicates=2, world="teaching")


def test_ratio_of_means() -> None:
    cost = np.linspace(1, 3, 20)
    assert ratio_of_means(2 * cost, cost) == pytest.approx((2, 2, 2))
    estimate, low, high = ratio_of_means(np.linspace(-1, 5, 20), cost)
    assert low < estimate < high and estimate == pytest.approx(1)
    assert np.isnan(ratio_of_means(cost, cost - 2)).all()
    assert np.isnan(ratio_of_means([1.0], [1.0])).all()


def test_pairs_are_made_by_replicate_and_not_by_row() -> None:
    frame = summary(history=[1, 2, 3], a=[2, 4, 6])
    shuffled = frame.sample(frac=1, random_state=np.random.Generator(np.random.Philox(1)))
    differences, levels = paired_differences(shuffled, "history")
    assert differences.loc[HIGHER, "a"].tolist() == [1, 2, 3]
    assert levels.loc[HIGHER].tolist() == [1, 2, 3]


def test_table_ranks_in_the_direction_that_is_better() -> None:
    often = 7  # 21 pairs, enough to show an effect
    frame = summary(history=[1, 2, 3] * often, a=[2, 3, 4] * often, b=[4, 5, 6] * often)
    found = paired_differences(frame, "history")
    table = comparison_table(*found, [HIGHER, NET_COST])
    higher = table[table["outcome"] == HIGHER]
    assert higher["package"].tolist() == ["b", "a"] and higher["median"].tolist() == [3, 1]
    assert higher["rank"].tolist() == [1, 2] and higher["reference_median"].tolist() == [2, 2]
    assert higher["per_100"].tolist() == pytest.approx([1.5, 1.0])
    cost = table[table["outcome"] == NET_COST]
    assert catalogue()[NET_COST].better == "lower" and cost["package"].tolist() == ["a", "b"]
    assert cost["per_100"].isna().all()


def test_no_ratio_where_no_effect_is_shown() -> None:
    found = paired_differences(summary(history=[1, 2, 3], a=[0, 2, 5]), "history")
    row = comparison_table(*found, [HIGHER]).iloc[0]
    assert row["reads_zero"] and np.isnan(row["per_100"])
    for pairs in (19, 20):  # too few agree by luck
        frame = summary(history=[1] * pairs, a=[2] * pairs)
        row = comparison_table(*paired_differences(frame, "history"), [HIGHER]).iloc[0]
        assert not row["reads_zero"] and np.isnan(row["per_100"]) == (pairs == 19)


def test_a_failed_run_costs_its_pair_only() -> None:
    frame = summary(history=[1, 2, 3], a=[2, 3, 4])
    frame = frame[~((frame["scenario"] == "a") & (frame["replicate"] == 1))]
    table = comparison_table(*paired_differences(frame, "history"), [HIGHER])
    assert table["pairs"].tolist() == [2] and table["median"].tolist() == [1]


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    twin = Scenario(policies=["history"], name="twin")
    return compare([twin, "demand_first"], seed=1, **SMALL)


def test_the_reference_is_added_and_a_twin_of_it_differs_by_nothing(
    comparison: Comparison,
) -> None:
    assert comparison.reference == "history"
    assert set(comparison.result.scenarios) == {"twin", "demand_first", "history"}
    assert set(comparison.table["package"]) == {"twin", "demand_first"}
    assert (comparison.differences["twin"] == 0).all()
    assert comparison.outcomes == tuple(headline_outcomes())


def test_packages_say_what_they_are(comparison: Comparison) -> None:
    facts = comparison.packages.set_index("package")
    assert {"unified_dispatch", "regional_pairing"} <= set(facts.loc["demand_first", "added"])
    assert facts.loc["twin", "added"] == [] and facts.loc["twin", "ended"] == []
    assert facts.loc["demand_first", "planned_own"] > 1000
    assert facts.loc["history", "paid"] > 0
    shares = facts.loc["history", [f"share_{level}" for level in PAID]]
    assert shares.sum() == pytest.approx(1)


def test_xarray_holds_statistics_and_pairs(comparison: Comparison) -> None:
    data = comparison.to_xarray()
    row = comparison.table.iloc[0]
    found = data.sel(package=row["package"], outcome=row["outcome"])
    assert float(found["median"]) == row["median"]
    assert float(np.median(found["difference"])) == pytest.approx(row["median"])
    assert data.attrs["reference"] == "history"


def test_the_notebook_view_says_what_was_run_and_how_often(comparison: Comparison) -> None:
    page = comparison._repr_html_()
    assert "3 pairs" in page and "<table" in page and "90 %" in page and "assumed" in page


def without(result: Result, **gone: list[int]) -> Result:
    """Return a result in which these replicates of these scenarios failed."""
    series, summaries = (
        {name: value.copy() for name, value in values.items()}
        for values in (result.series, result.summaries)
    )
    for name, replicates in gone.items():
        place = result.scenarios.index(name)
        for array in (*series.values(), *summaries.values()):
            array[place, replicates] = np.nan
    failed = [{"scenario": name, "replicate": r} for name, own in gone.items() for r in own]
    return replace(result, series=series, summaries=summaries, failed=tuple(failed))


def test_failed_runs_are_counted_by_scenario_and_pairs_are_those_used(
    comparison: Comparison,
) -> None:
    found = Comparison.of(without(comparison.result, demand_first=[1]), "history", [HIGHER])
    assert found.pairs == {"twin": 3, "demand_first": 2}
    words = comparison_text(found, "en")
    assert "2 packages against History continues: 2–3 pairs" in words
    assert "1 of 9 runs failed" in words and "failed.csv" in words
    assert "Demand first: 1 of 3 runs failed, 2 pairs left" in words
    assert "Paired differences over 2–3 pairs" in words
    chinese = comparison_text(found, "zh")
    assert "9 次模拟中 1 次失败" in chinese and "3 次模拟中 1 次失败，余 2 对" in chinese
    assert "Fewer than 20 pairs: such" in found._repr_html_() and "<td>twin" in found._repr_html_()
    assert "2–3 pairs" in found._repr_html_() and "1 of 9 runs failed" in found._repr_html_()
    found = Comparison.of(without(comparison.result, history=[0]), "history", [HIGHER])
    words = comparison_text(found, "en")
    assert "History continues: 1 of 3 runs failed\n" in words and ": 2 pairs, seed" in words
    assert "failed" not in comparison_text(comparison)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lang", "named"),
    [("en", "Demand first: 3 of 3 runs failed, no pair left"), ("zh", "没有余下的模拟对")],
)
def test_a_package_of_which_every_run_failed_is_named_and_in_no_table(
    comparison: Comparison, lang: str, named: str
) -> None:
    gone = without(comparison.result, demand_first=[0, 1, 2])
    found = Comparison.of(gone, "history", [HIGHER])
    words = comparison_text(found, lang)
    assert named in words and "None" not in words and "– ± –" not in words
    assert words.count("– / – / –") == 1  # of the twin, which costs nothing beyond the reference
    assert set(found.table["package"]) == {"twin"} and found.table["rank"].notna().all()
    assert set(found.regret["package"]) == {"twin", "history"}
    assert found.regret["draws"].eq(3).all()
    assert found.figure(HIGHER, lang).alt


def test_money_is_that_of_runs_that_ended_well(comparison: Comparison) -> None:
    whole = comparison.packages.set_index("package")
    for lost in ([1], [0, 1, 2]):
        gone = without(comparison.result, demand_first=lost)
        money = Comparison.of(gone, "history", [HIGHER]).packages.set_index("package")
        for name in ("paid", "extra"):
            value = money.loc["demand_first", name]
            assert np.isnan(value) if len(lost) == 3 else value != 0
            assert money.loc["twin", name] == whole.loc["twin", name]
    costs = comparison.result.summary()
    costs = costs[costs["outcome"].str.startswith("public_cost_") & (costs["scenario"] != "twin")]
    paid = costs.groupby(["scenario", "replicate"], observed=True)["value"].sum()
    left = paid["demand_first"].drop(1)
    gone = without(comparison.result, demand_first=[1])
    money = Comparison.of(gone, "history", [HIGHER]).packages.set_index("package")
    assert money.loc["demand_first", "paid"] == pytest.approx(left.median())


@pytest.mark.parametrize("lost", [["history"], ["twin", "demand_first"]])
def test_where_no_pair_is_left_the_rest_is_still_written(
    comparison: Comparison, tmp_path: Path, lost: list[str]
) -> None:
    gone = without(comparison.result, **dict.fromkeys(lost, [0, 1, 2]))
    found = Comparison.of(gone, "history")
    words = comparison_text(found)
    assert ": 0 pairs, seed" in words and "± –" not in words and found.table.empty
    assert [path.name for path in found.save(tmp_path)] == [
        "comparison.csv", "packages.csv", "regret.csv",
    ]  # fmt: skip
    with pytest.raises(InputError, match="not every pair has failed"):
        found.figure()


def test_a_figure_of_an_unknown_outcome_names_the_nearest(comparison: Comparison) -> None:
    with pytest.raises(InputError, match=HIGHER):
        comparison.figure(HIGHER + "x")
    assert comparison.figure().alt


def test_wrong_scenarios_are_all_reported() -> None:
    with pytest.raises(InputError) as error:
        compare(["histori", "demand_cor"], **SMALL)
    assert len(error.value.faults) == 2
    twice = [Scenario(["none"], name="x"), Scenario(["capex_only"], name="x")]
    with pytest.raises(InputError, match="differ"):
        compare(twice, **SMALL)


WRONG = [
    ("until", "2024Q4", "a quarter from 2025Q3 to 2035Q4"),
    ("until", "2025Q2", "a quarter from 2025Q3 to 2035Q4"),
    ("fixed_parameters", "no", "true or false"),
    ("replicates", "5", "a whole number of at least 1"),
    ("parameters", ["hype"], "a table of names and values"),
    ("outcomes", [], "at least one outcome"),
    ("outcomes", "patent", "nearest valid name: patents"),
    ("budget", "much", "a number of million yuan above 0"),
]


@pytest.mark.parametrize("ask", [compare, decompose])
@pytest.mark.parametrize(("name", "value", "words"), WRONG)
def test_a_wrong_argument_is_one_fault(ask: Any, name: str, value: Any, words: str) -> None:
    with pytest.raises(InputError) as error:
        ask("article", **{**SMALL, name: value})
    (fault,) = error.value.faults
    assert fault.place == name and words in str(fault)


def test_a_shock_is_one_text() -> None:
    for shock in (["ai_winter"], 0, ""):
        with pytest.raises(InputError) as error:
            compare("article", shock=cast(Any, shock), **SMALL)
        assert [fault.place for fault in error.value.faults] == ["shock"]


def test_all_that_is_wrong_with_a_comparison_is_said_at_once() -> None:
    wrong: Any = {name: value for name, value, _ in WRONG} | {"shock": ["ai_winter"], "jobs": 0}
    with pytest.raises(InputError) as error:
        compare(["articl"], seed=-1, world="teaching", **wrong)
    assert len(error.value.faults) == len(wrong) + 2


def test_one_name_is_taken_as_one() -> None:
    for one in ("article", Scenario(["article"], name="mine")):
        assert scenarios_with_reference(one, "history") == scenarios_with_reference(
            [one], "history"
        )
    found = compare("none", outcomes="patents", parameters={"hype": np.float64(0.3)}, **SMALL)
    assert found.outcomes == ("patents",) and set(found.table["package"]) == {"none"}
    assert found.result.given == {"hype": 0.3}
