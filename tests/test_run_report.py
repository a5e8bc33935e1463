"""One scenario's levels and bands, as tables, pages and a figure."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.text import Text

from ecosystem.runs.result import Result
from ecosystem.runs.simulate import simulate
from experiments.comparison.compare import row_dicts
from experiments.comparison.intervals import ENOUGH, QUANTILES
from experiments.report.charts import Chart
from experiments.report.files import write_csv
from experiments.report.messages import text, width
from experiments.report.run_report import bands, bands_table, run_pages, run_table
from experiments.report.tables import NARROW, terminal


@pytest.fixture(scope="module")
def result() -> Result:
    """Return a short run of two scenarios."""
    return simulate(
        ["history", "none"], replicates=3, until="2026Q2", world="teaching", executor="serial"
    )


def repeated(result: Result, times: int) -> Result:
    """Return a result with every run so many times."""
    series, summaries = (
        {name: np.tile(value, (1, times) + (1,) * (value.ndim - 2)) for name, value in kept.items()}
        for kept in (result.series, result.summaries)
    )
    many = times * result.replicates
    return replace(result, replicates=many, series=series, summaries=summaries)


def first(result: Result, runs: int) -> Result:
    """Return so many runs of the first scenario alone."""
    kept = repeated(result, -(-runs // result.replicates))
    series, summaries = (
        {name: value[:1, :runs] for name, value in values.items()}
        for values in (kept.series, kept.summaries)
    )
    one = result.resolved[:1]
    return replace(kept, resolved=one, replicates=runs, series=series, summaries=summaries)


def written(picture: Chart) -> str:
    """Return all that is written in a figure, line breaks as blanks."""
    pieces = [*picture.figure.texts, *(item for axes in picture.figure.axes for item in axes.texts)]
    return "\n".join(" ".join(item.get_text().split()) for item in pieces)


def test_csv_is_that_of_the_frame(result: Result, tmp_path: Path) -> None:
    write_csv(tmp_path / "summary.csv", result.summary())
    words = result.summary().to_csv(index=False, lineterminator="\n")
    assert (tmp_path / "summary.csv").read_bytes() == words.encode("utf-8-sig")


def test_bands_are_quantiles_of_the_frame(result: Result) -> None:
    table = bands_table(result)
    table = table[table["outcome"] == "local_value_added_net"].set_index("period")
    frame = result.to_frame()
    own = frame[(frame["scenario"] == "history") & (frame["outcome"] == "local_value_added_net")]
    for period, values in own.groupby("period", observed=True)["value"]:
        row = table.loc[str(period)]
        for name in ("low_50", "median", "high_50"):
            assert row[name] == values.quantile(QUANTILES[name])
        assert (row["low_90"], row["high_90"]) == (values.min(), values.max())  # not within them


def test_the_90_percent_of_few_runs_hold_them_all(result: Result) -> None:
    """Bounds between two runs would hold one of three runs, and call it nine in ten."""
    one = first(result, 3)
    table = run_table(one)
    assert len(table) > 5 and {"core", "ring 1"} <= set(table["tier"])
    for row in row_dicts(table):
        entries = one.entries(row["outcome"])[1]
        values = one.summaries[row["outcome"]][0, :, entries.index(row["tier"])]
        assert (row["low_90"], row["high_90"]) == (values.min(), values.max())
        assert row["median"] == np.median(values) and row["low_50"] == np.quantile(values, 0.25)


@pytest.mark.parametrize("runs", [1, ENOUGH - 1, ENOUGH])
def test_a_figure_of_few_runs_says_so(result: Result, runs: int) -> None:
    picture, few = bands(first(result, runs)), text("few_runs", enough=ENOUGH)
    shown = written(picture)
    assert (few in shown) == (few in picture.alt) == (runs < ENOUGH)
    words = shown.splitlines()[0] + picture.alt
    assert "comes to" in words and ("90 %" in words) == (runs > 1)


@pytest.mark.slow
@pytest.mark.parametrize("runs", [1, 3])
def test_the_title_of_a_figure_stands_clear_of_those_of_its_panels(
    result: Result, runs: int
) -> None:
    """Of one line and of two; some panels have titles of two lines."""
    figure = bands(first(result, runs)).figure
    head = figure.texts[0].get_window_extent()
    names = {axes.get_title(loc="left") for axes in figure.axes} - {""}
    titles = figure.findobj(lambda item: isinstance(item, Text) and item.get_text() in names)
    assert len(titles) == len(names)
    assert max(title.get_window_extent().y1 for title in titles) < head.y0


@pytest.mark.slow
def test_runs_that_failed_do_not_count_in_the_figure(result: Result) -> None:
    one = first(result, 2)
    found = replace(one, failed=({"scenario": "history", "shock": "none", "replicate": 1},))
    assert "(90 % of runs" in bands(one).alt and "90 %" not in bands(found).alt


def test_the_words_have_the_units_of_the_panels(result: Result) -> None:
    picture = bands(result)
    units = [axes.texts[0].get_text() for axes in picture.figure.axes if axes.get_visible()]
    assert any("a quarter" in unit for unit in units)
    assert all(f" {unit}. " in f"{picture.alt} " for unit in units)
    assert picture.alt.count("a quarter") == sum("a quarter" in unit for unit in units)
    axes = next(axes for axes in picture.figure.axes if axes.get_xlabel())
    labels = [label.get_text() for label in axes.get_xticklabels() if label.get_text()]
    assert labels and all(re.fullmatch(r"20\d\d", label) for label in labels)


@pytest.mark.slow
def test_text_counts_the_runs_that_did_not_fail(result: Result) -> None:
    summaries = {name: value.copy() for name, value in result.summaries.items()}
    for value in summaries.values():
        value[0, 1] = np.nan
    failed = ({"scenario": "history", "shock": "none", "replicate": 1},)
    found = replace(result, summaries=summaries, failed=failed)
    assert found.used_runs(0) == 2
    for name in ("summary", "full"):
        words = shown(found, "en", name)
        assert "History continues: 2 runs, seed" in words and "failed.csv" in words
        assert "History continues: 1 of 3 runs failed" in words
        assert "3 次模拟中 1 次失败" in shown(found, "zh", name)
        assert "failed" not in shown(result, "en", name)


def shown(result: Result, lang: str, name: str = "full", columns: int = NARROW) -> str:
    """Return a page of a run as it stands on a terminal."""
    return terminal(run_pages(result, run_table(result), lang)[name], columns)


def test_an_outcome_of_which_all_parts_are_asked_for_has_a_row_a_part() -> None:
    asked = {"replicates": 1, "until": "2026Q1", "world": "teaching", "jobs": 1}
    found = simulate("history", outcomes="servers_by_tier", **asked)
    words = shown(found, "zh", columns=200)
    assert "[核心]" in words and len(run_table(found)) == len(found.entries("servers_by_tier")[1])
    assert "[ring 1]" in bands(found).alt


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_first_screen_of_a_run_fits(result: Result, lang: str) -> None:
    lines = shown(result, lang, "summary").splitlines()
    assert len(lines) <= 24 and max(map(width, lines)) <= NARROW
    assert result.titles["history"][lang] in lines[0] and "levels.csv" in "".join(lines)


def test_a_share_is_a_percentage_as_in_comparisons(result: Result) -> None:
    level = run_table(result).set_index("outcome").loc["utilisation", "median"]
    (line,) = (x for x in shown(result, "en", columns=200).splitlines() if "Contracted use" in x)
    assert line.split()[4] == "%" and f"{100 * level:.1f}" in line
