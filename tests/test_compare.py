"""Paired differences: their statistics, their ranking, and the comparison as a whole."""

import numpy as np
import pandas as pd
import pytest

from ecosystem.catalogue import outcomes as catalogue
from ecosystem.errors import InputError
from ecosystem.scenario import Scenario
from experiments import compare
from experiments.compare import (
    NET_COST,
    PAID,
    Comparison,
    comparison_table,
    headline_outcomes,
    paired_differences,
)
from experiments.intervals import describe, median_error, ratio_of_means

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
    found = paired_differences(summary(history=[1, 2, 3], a=[2, 3, 4], b=[4, 5, 6]), "history")
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
