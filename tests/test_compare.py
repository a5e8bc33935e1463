"""The comparison as a whole: what it holds, what it says, and what fails in it."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ecosystem.inputs.catalogue import outcomes as catalogue
from ecosystem.inputs.catalogue import tiers
from ecosystem.inputs.faults import InputError
from ecosystem.inputs.scenario import Scenario
from ecosystem.runs.result import Result
from experiments import compare
from experiments.comparison.compare import (
    NET_COST,
    headline_outcomes,
    part_of,
    row_dicts,
    scenarios_with_reference,
)
from experiments.comparison.intervals import ENOUGH
from experiments.comparison.package_facts import PAID
from experiments.faces import Comparison
from experiments.report import compare_view, first_screen
from experiments.report.messages import text, width
from experiments.report.tables import NARROW, Table, terminal

HIGHER = next(name for name, row in catalogue().items() if row.headline and row.better == "higher")
SMALL: dict[str, Any] = {"replicates": 3, "until": "2026Q2", "world": "teaching", "jobs": 1}
WHOLE, PARTS = "regional_value_added", catalogue()["regional_value_added"].beside
LANGUAGES = pytest.mark.parametrize("lang", ["en", "zh"])


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    twin = Scenario(policies=["history"], name="twin")
    return compare([twin, "demand_first"], seed=1, **SMALL)


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
    failed = [
        {"scenario": name, "shock": "none", "replicate": r}
        for name, own in gone.items()
        for r in own
    ]
    return replace(result, series=series, summaries=summaries, failed=tuple(failed))


def repeated(result: Result, runs: int) -> Result:
    """Return so many runs of every scenario, those there are over and over."""
    series, summaries = (
        {name: value[:, np.arange(runs) % result.replicates] for name, value in values.items()}
        for values in (result.series, result.summaries)
    )
    return replace(result, replicates=runs, series=series, summaries=summaries)


def with_third(result: Result) -> Result:
    """Return a result with one scenario more, the first once more as `third`."""
    more = replace(result.resolved[0], name="third", title_en="third", title_zh="third")
    series, summaries = (
        {name: np.concatenate([value, value[:1]]) for name, value in values.items()}
        for values in (result.series, result.summaries)
    )
    return replace(result, resolved=(*result.resolved, more), series=series, summaries=summaries)


# ---- what it holds


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
    payers = [f"paid_{level}" for level in PAID]
    for name, row in facts.iterrows():
        extra = comparison.differences.get(name)
        for level, column in zip(PAID, payers, strict=True):
            if extra is not None:
                assert row[column] == extra.xs(PAID[level], level="outcome").median()
    assert 0 < facts.loc["history", payers].sum() < 1.1 * facts.loc["history", "paid"]


def test_xarray_holds_statistics_and_pairs(comparison: Comparison) -> None:
    data, row = comparison.to_xarray(), comparison.table.iloc[0]
    found = data.sel(package=row["package"], outcome=row["outcome"])
    assert float(found["median"]) == row["median"]
    assert float(np.median(found["difference"])) == pytest.approx(row["median"])
    assert data.attrs["reference"] == "history"


@LANGUAGES
def test_parts_of_a_headline_have_a_row_each_in_tables_pages_and_figures(
    comparison: Comparison, lang: str
) -> None:
    """Value added by tier: named by tier in both languages, and drawn apart."""
    rows = comparison.rows("value_added_by_tier")
    for _, own in rows.groupby("package"):
        assert list(own["tier"]) == [row.title_en for row in tiers().values()]
    assert {"value_added_by_tier[core]"} <= set(comparison.to_xarray()["outcome"].values)
    words = comparison.text(lang, 200)
    for row in tiers().values():
        assert f"[{getattr(row, f'title_{lang}')}] · " in words
    drawn = compare_view.charts(comparison, lang)
    assert {"difference_value_added_by_tier_ring_1", "difference_value_added_hub"} <= set(drawn)
    assert len(drawn) == len({row["outcome"] + part_of(row) for row in row_dicts(comparison.table)})
    assert "[ring 1]" in drawn["difference_value_added_by_tier_ring_1"]().alt


def test_a_figure_of_an_unknown_outcome_names_the_nearest(comparison: Comparison) -> None:
    with pytest.raises(InputError, match=HIGHER):
        comparison.figure(HIGHER + "x")
    assert comparison.figure().alt


def test_one_name_is_taken_as_one() -> None:
    for one in ("article", Scenario(["article"], name="mine")):
        assert scenarios_with_reference(one, "history") == scenarios_with_reference(
            [one], "history"
        )
    found = compare("none", outcomes="patents", parameters={"hype": np.float64(0.3)}, **SMALL)
    assert found.outcomes == ("patents",) and set(found.table["package"]) == {"none"}
    assert found.result.given == {"hype": 0.3}


# ---- what it says


@LANGUAGES
@pytest.mark.parametrize("columns", [NARROW, 100, 140])
def test_pages_keep_to_the_width_and_cut_no_name(
    comparison: Comparison, lang: str, columns: int
) -> None:
    words = comparison.text(lang, columns)
    assert max(width(line) for line in words.splitlines()) <= columns
    assert "…" not in words.replace(" … ", "")  # but between the ends of an interval
    squeezed = words.replace(" ", "").replace("\n", "")
    assert comparison.title("demand_first", lang).replace(" ", "") in squeezed


@LANGUAGES
@pytest.mark.parametrize("runs", [3, ENOUGH])
def test_the_first_screen_fits_and_names_what_stands_out(
    comparison: Comparison, lang: str, runs: int
) -> None:
    found = Comparison.of(repeated(comparison.result, runs), "history")
    page = first_screen.summary(found, lang, ["A sentence."])
    lines = terminal(page, NARROW).splitlines()
    assert len(lines) <= first_screen.LINES and max(map(width, lines)) <= NARROW
    words = "\n".join(lines)
    assert comparison.title("demand_first", lang) in words and "A sentence." in words
    assert "--full" in words and "comparison.csv" in words
    assert (text("few_pairs", lang, enough=ENOUGH)[:12] in words) == (runs < ENOUGH)
    assert found.summary(lang, NARROW).splitlines()[0] == lines[0]


def test_the_first_screen_shows_both_of_two_packages(comparison: Comparison) -> None:
    found = Comparison.of(repeated(comparison.result, 100), "history")
    front, table = [block for block in first_screen.summary(found) if isinstance(block, Table)]
    assert front.columns[1:3] == ["cost, M¥", "effect, M¥"]
    cost = found.differences.xs(NET_COST, level="outcome")["demand_first"].median()
    shown = {row[0]: row[1:3] for row in front.rows}
    assert shown["twin"] == ["0", "0"] and float(shown["Demand first"][0].replace(",", "")) == (
        pytest.approx(cost, rel=0.01)
    )
    assert list(table.columns[1:]) == ["twin", "Demand first"]
    assert all("≥" in row[2] or row[2].endswith("no visible change") for row in table.rows)
    assert {row[1] for row in table.rows} == {"0, no visible change"}
    words = found.summary("en", NARROW)
    assert re.search(r"beats (twin|Demand\s+first) in \d+\s+of\s+100\s+pairs", words)


@LANGUAGES
@pytest.mark.parametrize("outcomes", [headline_outcomes(), ["patents", WHOLE, *PARTS]])
def test_the_first_screen_shows_the_parts_of_a_whole_for_the_same_package(
    comparison: Comparison, lang: str, outcomes: list[str]
) -> None:
    """Parks gain most by one package, all that is added by another: that one's own parts."""
    chain, parks = PARTS
    result = repeated(with_third(comparison.result), 100)
    gains = {"twin": (3e3, 1e3), "demand_first": (1e3, 2e3), "third": (0.0, 0.0), "history": (0, 0)}
    summaries = {name: values.copy() for name, values in result.summaries.items()}
    for name, (own, more) in gains.items():
        place = result.scenarios.index(name)
        summaries[chain][place], summaries[parks][place] = own, more
        summaries[WHOLE][place] = own + more
    found = Comparison.of(replace(result, summaries=summaries), "history", outcomes)
    page = first_screen.summary(found, lang)
    table = [block for block in page if isinstance(block, Table)][-1]
    titles = {name: getattr(catalogue()[name], f"title_{lang}") for name in (WHOLE, *PARTS)}
    rows = table.rows
    assert rows[0][0].startswith(titles[WHOLE]) and rows[0][0].endswith("twin")
    assert rows[0][1].split(" ")[0] == "+4,000"
    shown = {parks: "+1,000"} if found.outcomes[0] == chain else {chain: "+3,000", parks: "+1,000"}
    for row, (part, gain) in zip(rows[1 : 1 + len(shown)], shown.items(), strict=True):
        assert row[0] == text("summary_part", lang, part=titles[part])
        assert row[1].split(" ")[0] == gain
    assert sum(titles[parks] in row[0] for row in rows) == 1
    assert len(terminal(page, NARROW).splitlines()) <= first_screen.LINES


def test_what_is_warned_of_stands_in_a_line_of_the_first_screen(comparison: Comparison) -> None:
    facts = comparison.packages.copy()
    place = facts.index[facts["package"] == "demand_first"][0]
    assert "Not policy alone" not in comparison.summary("en", NARROW)
    facts.at[place, "assumptions"] = ["hype = 0.5", "rule want_staff = mine.py:none"]
    facts.at[place, "unplanned"] = 12.0
    screen = replace(comparison, packages=facts).summary("en", NARROW)
    words = " ".join(screen.split())
    assert "Not policy alone, since assumed otherwise than in History continues: Demand" in words
    assert "more than its instruments can spend: Demand first." in words
    assert len(screen.splitlines()) <= first_screen.LINES


def test_packages_without_a_difference_do_not_beat_each_other(comparison: Comparison) -> None:
    result = comparison.result
    twin, package = (result.scenarios.index(name) for name in ("twin", "demand_first"))
    same = {name: values.copy() for name, values in result.summaries.items()}
    for values in same.values():
        values[package] = values[twin]
    words = Comparison.of(replace(result, summaries=same), "history").summary("en", NARROW)
    words = " ".join(words.split())
    assert "no difference between" in words and "beats" not in words
    assert "this ratio of medians, not of single worlds" in comparison.text("en", 500)


def test_the_first_screen_names_every_package_that_failed(comparison: Comparison) -> None:
    names = [f"Package {letter}" for letter in "abcdefghijkl"]
    result = comparison.result
    place = result.scenarios.index("demand_first")
    many = [
        replace(result.resolved[place], name=name, title_en=name, title_zh=name) for name in names
    ]
    held = [*range(len(result.scenarios)), *[place] * len(many)]
    series, summaries = (
        {name: value[held] for name, value in values.items()}
        for values in (result.series, result.summaries)
    )
    more = replace(result, resolved=(*result.resolved, *many), series=series, summaries=summaries)
    found = Comparison.of(without(more, **dict.fromkeys(names, [0])), "history")
    words = " ".join(found.summary("en", NARROW).split())
    assert all(f"{name}: 1 of 3 runs failed, 2 pairs left" in words for name in names)


def test_packages_that_share_no_pair_have_no_leader(comparison: Comparison, tmp_path: Path) -> None:
    found = Comparison.of(without(comparison.result, twin=[0], demand_first=[1, 2]), "history")
    assert found.pairs == {"twin": 2, "demand_first": 1}
    assert "beats" not in found.summary("en", NARROW) and found.text("en")
    Comparison.of(found.result, "history", [HIGHER]).save(tmp_path)


@pytest.mark.parametrize("name", ["beats", "beats_matrix", "regret", "scoreboard"])
def test_a_table_of_a_comparison_is_made_once(comparison: Comparison, name: str) -> None:
    assert getattr(comparison, name) is getattr(comparison, name)


@pytest.mark.parametrize(
    ("lang", "few", "many"),
    [("en", "a, b", "a, b, c, d, e, f, and 2 more"), ("zh", "a、b", "a、b、c、d、e、f，另有 2 项")],
)
def test_of_a_long_list_the_first_names_stand(lang: str, few: str, many: str) -> None:
    assert first_screen._few_names([*"ab"], lang) == few
    assert first_screen._few_names([*"abcdefgh"], lang) == many


def test_who_beats_whom_is_in_the_page_and_in_the_files(
    comparison: Comparison, tmp_path: Path
) -> None:
    beats = comparison.beats.set_index(["outcome", "package", "other"])["better_share"]
    assert (beats.loc[(slice(None), "twin", "history")] == 0).all()
    row = comparison.rows(HIGHER).set_index("package").loc["demand_first"]
    assert beats[(HIGHER, "demand_first", "history")] == row["share_above_zero"]
    matrix = comparison.beats_matrix[HIGHER]
    assert set(matrix) == {"twin", "demand_first", "history"}
    assert matrix["demand_first"]["history"] == row["share_above_zero"]
    words = comparison.text("en", 200)
    assert words.count("better than (% of pairs)") == len(comparison.blocks())
    assert "the row beats that of the column" in words
    Comparison.of(comparison.result, "history", [HIGHER]).save(tmp_path)
    kept = pd.read_csv(tmp_path / "beats.csv", keep_default_na=False)
    assert len(kept) == 6 and set(kept["outcome"]) == {HIGHER}
    table = pd.read_csv(tmp_path / "comparison.csv", keep_default_na=False)
    assert {"sureness", "share_low", "low_90_error", "high_90_error"} <= set(table)


def test_the_notebook_view_says_what_was_run_and_how_often(comparison: Comparison) -> None:
    page = comparison._repr_html_()
    assert all(words in page for words in ("3 pairs", "<table", "90 %", "assumed", "<td"))


def test_a_quantity_has_one_unit_wherever_it_stands(comparison: Comparison) -> None:
    words = comparison.text("en", 300)
    heads = [line for line in words.splitlines() if " is better" in line]
    units = {line.split(" · ")[0]: line.split(" · ")[1] for line in heads}
    assert units["Contracted use of servers"] == "percentage points"
    assert units["Net public cost"] == units["Public cost: nation"] == "M¥ of 2020"
    place = words.splitlines().index(next(h for h in heads if "percentage points" in h))
    assert words.splitlines()[place + 1].endswith(" %")  # of the level


def test_a_title_is_text_whatever_is_in_it(comparison: Comparison, tmp_path: Path) -> None:
    title = "Subsidy $_{ of 5 $, 20 $ and 30 $_x {package} <b>&amp; [bold]x[/] two\nlines\x1b"
    named = tuple(replace(one, title_en=title) for one in comparison.result.resolved)
    found = Comparison.of(replace(comparison.result, resolved=named), "history", [HIGHER])
    plain = "".join(title.replace("\x1b", " ").split())
    assert plain in "".join(found.text("en", 200).split())
    assert "<b>" not in found._repr_html_().removeprefix("<p><b>")
    paths = found.save(tmp_path)
    assert {path.suffix for path in paths} == {".csv", ".png", ".svg", ".txt"}
    assert plain in "".join(found.figure().alt.split())


def test_names_are_text_in_files(comparison: Comparison, tmp_path: Path) -> None:
    Comparison.of(comparison.result, "history", [HIGHER]).save(tmp_path)
    kept = pd.read_csv(tmp_path / "packages.csv", keep_default_na=False).set_index("package")
    assert kept.loc["demand_first", "payback"] == "not by 2026Q2"
    assert float(kept.loc["demand_first", "leverage"]) < np.inf
    assert (tmp_path / "regret.csv").is_file()


# ---- runs that failed


def test_failed_runs_are_counted_by_scenario_and_pairs_are_those_used(
    comparison: Comparison,
) -> None:
    found = Comparison.of(without(comparison.result, demand_first=[1]), "history", [HIGHER])
    assert found.pairs == {"twin": 3, "demand_first": 2}
    words, chinese, page = found.text("en"), found.text("zh"), found._repr_html_()
    for piece in (
        "2 packages against History continues: 2–3 pairs", "1 of 9 runs failed", "failed.csv",
        "Demand first: 1 of 3 runs failed, 2 pairs left", "Paired differences over 2–3 pairs",
    ):  # fmt: skip
        assert piece in words
    assert "9 次模拟中 1 次失败" in chinese and "3 次模拟中 1 次失败，余 2 对" in chinese
    assert all(x in page for x in ("Fewer than 20 pairs: the", "2–3 pairs", "1 of 9 runs failed"))
    found = Comparison.of(without(comparison.result, history=[0]), "history", [HIGHER])
    words = found.text("en")
    assert "History continues: 1 of 3 runs failed\n" in words and ": 2 pairs, seed" in words
    assert "failed" not in comparison.text("en")


@LANGUAGES
def test_a_package_of_which_every_run_failed_is_named_and_in_no_table(
    comparison: Comparison, lang: str
) -> None:
    gone = without(comparison.result, demand_first=[0, 1, 2])
    found = Comparison.of(gone, "history", [HIGHER])
    words = found.text(lang)
    assert text("failed_no_pair", lang).strip()[:10] in words
    assert "None" not in words and "– ± –" not in words
    assert words.count("0 / 0 / 0") == 1  # of the twin, which costs nothing beyond the reference
    assert set(found.table["package"]) == {"twin"} and found.table["rank"].notna().all()
    assert set(found.regret["package"]) == {"twin", "history"}
    assert found.regret["draws"].eq(3).all()
    assert len(found.summary(lang, NARROW).splitlines()) <= first_screen.LINES


def test_money_is_that_of_runs_that_ended_well(comparison: Comparison) -> None:
    whole = comparison.packages.set_index("package")
    costs = comparison.result.summary()
    costs = costs[costs["outcome"].str.startswith("public_cost_")]
    paid = costs.groupby(["scenario", "replicate"], observed=True)["value"].sum()
    for lost, left in (([1], paid["demand_first"].drop(1).median()), ([0, 1, 2], np.nan)):
        gone = without(comparison.result, demand_first=lost)
        money = Comparison.of(gone, "history", [HIGHER]).packages.set_index("package")
        assert money.loc["demand_first", "paid"] == pytest.approx(left, nan_ok=True)
        assert money.loc["twin", "extra"] == whole.loc["twin", "extra"]


@pytest.mark.parametrize("lost", [["history"], ["twin", "demand_first"]])
def test_where_no_pair_is_left_the_rest_is_still_written(
    comparison: Comparison, tmp_path: Path, lost: list[str]
) -> None:
    gone = without(comparison.result, **dict.fromkeys(lost, [0, 1, 2]))
    found = Comparison.of(gone, "history")
    words = found.text()
    assert ": 0 pairs, seed" in words and "± –" not in words and found.table.empty
    assert [path.name for path in found.save(tmp_path)] == list(compare_view.tables(found))
    assert found.summary()
    with pytest.raises(InputError, match="not every pair has failed"):
        found.figure()
