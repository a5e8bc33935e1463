"""What pictures of a sensitivity study show: intervals, marks, and what is wrong, in words."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from sensitivity_studies import LINEAR, linear, study

from benchmarks.toys import ISHIGAMI, G, ishigami, noisy_g, sobol_g
from experiments.faces import Sensitivity
from experiments.report.messages import number, text
from experiments.report.sensitivity_figures import GREY, describe
from experiments.report.sensitivity_words import below_words
from experiments.sensitivity_analysis.salib_study import NEAR_SHARE


@pytest.fixture(scope="module")
def bars() -> Sensitivity:
    return study(sobol_g, G, samples=64)


@pytest.fixture(scope="module")
def plane() -> Sensitivity:
    return study(ishigami, ISHIGAMI, "morris")


def words_of(found: Sensitivity) -> str:
    """Return all words of the picture of a study."""
    figure = found.figure().figure
    pieces = [*figure.texts, *(piece for panel in figure.axes for piece in panel.texts)]
    return " ".join(" ".join(piece.get_text() for piece in pieces).split())


def horizontal(panel: Any) -> set[tuple[float, float]]:
    """Return the ends of all horizontal lines of a panel that are collections."""
    return {
        (round(float(line[0, 0]), 9), round(float(line[1, 0]), 9))
        for lines in panel.collections
        if hasattr(lines, "get_segments")
        for line in lines.get_segments()
    }


def ends(rows: pd.DataFrame, index: str) -> set[tuple[float, float]]:
    """Return the ends of intervals of a table."""
    pairs = zip(rows[f"{index}_low"], rows[f"{index}_high"], strict=True)
    return {(round(low, 9), round(high, 9)) for low, high in pairs}


def test_bars_show_the_share_of_the_near_dummy_and_who_lies_above_it(bars: Sensitivity) -> None:
    panel = bars.figure().figure.axes[0]
    shown = [label.get_text() for label in panel.get_yticklabels()]
    rows = bars.table.sort_values("rank")
    assert rows["matters"].any() and not rows["matters"].all()
    assert [label.startswith("* ") for label in shown] == rows["matters"].tolist()
    dotted = [line for line in panel.get_lines() if line.get_linestyle() == ":"]
    assert [list(np.unique(line.get_xdata())) for line in dotted] == [[NEAR_SHARE]]
    assert panel.get_legend() is not None
    assert horizontal(panel) == ends(rows, "first") | ends(rows, "total")


def test_the_plane_and_its_description_show_intervals_and_no_check(plane: Sensitivity) -> None:
    chart = plane.figure()
    assert ends(chart.data, "mu_star") <= horizontal(chart.figure.axes[0])
    row = plane.table[plane.table["rank"] == 1].iloc[0]
    span = f"({number(row['mu_star_low'])} to {number(row['mu_star_high'])})"
    assert f"{row['factor']} {number(row['mu_star'])} {span}, stands out" in chart.alt
    assert "mean absolute elementary effect" in chart.alt and "ummy" not in chart.alt


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_description_has_intervals_and_says_who_stands_out(bars: Sensitivity, lang: str) -> None:
    main = bars.table[bars.table["rank"].eq(1)].index[0]
    table = bars.table.assign(matters=False)
    table.loc[main, ["total", "total_low", "total_high", "matters"]] = [1.3, 0.1, 2.4, True]
    alt = describe(replace(bars, table=table), table, lang)
    noise = text("sensitivity_above_all", lang)
    span = {"en": "1.30 (0.100 to 2.40), stands out", "zh": "1.30（0.100 至 2.40），突出"}[lang]
    assert f"{bars.table['factor'][main]} {span}, {noise}; " in alt
    assert alt.count(noise) == 1 and alt.count(text("sensitivity_may_be_noise", lang)) == 2
    assert text("sensitivity_share", lang) in alt
    table["status"] = "blocks left out"
    lost = text("sensitivity_status blocks left out", lang, lost=4, blocks=64)
    assert lost in describe(bars, table.assign(blocks=60), lang) and lost not in alt


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_heading_counts_no_check_as_a_factor(lang: str) -> None:
    head = study(linear, LINEAR, "morris").page(lang)[0]
    words = {"en": "20 blocks; factors: 2, and 2 checks; 120 runs", "zh": "2 个因子、另加 2 个检验"}
    assert words[lang] in head


def test_a_picture_says_what_is_wrong_with_its_outcome(bars: Sensitivity) -> None:
    found = study(noisy_g, G, samples=64)
    assert "luck is not common to a block" in words_of(found)
    labels = found.figure().figure.axes[0].get_yticklabels()
    assert not any(label.get_text().startswith("*") for label in labels)
    assert "luck" not in words_of(bars)


@pytest.mark.parametrize("name", ["plane", "bars"])
def test_one_panel_lies_within_the_page(name: str, request: pytest.FixtureRequest) -> None:
    figure = request.getfixturevalue(name).figure().figure
    for piece in [*figure.texts, *figure.axes[0].texts, figure.axes[0]._left_title]:
        box = piece.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.width


def test_cells_that_may_be_noise_are_grey_and_those_without_indices_have_a_dash(
    bars: Sensitivity,
) -> None:
    chart = bars.heat_map()
    panel = chart.figure.axes[0]
    shown = panel.collections[0].get_array()
    cells = chart.data.set_index("factor")
    matters = cells.loc[[factor.name for factor in bars.study.factors], "matters"]
    assert np.array_equal(~np.ma.getmaskarray(shown).ravel(), matters.to_numpy() > 0)
    assert to_hex(panel.get_facecolor()) == GREY and 0 < matters.gt(0).sum() < len(matters)
    assert "stands out for 1 of 1 outcome" in chart.alt and "levels of outcomes" in chart.alt
    assert shown.max() <= 1 and chart.data["part"].le(1).all()
    broken = study(lambda runs: np.where(runs["x1"] > 0.6, np.nan, 1.0), G, samples=64).heat_map()
    dashes = [piece.get_text() for piece in broken.figure.axes[0].texts]
    assert dashes == ["–"] * len(cells) and "no factor stands out" in broken.alt


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_share_of_what_is_no_factor_has_its_interval(bars: Sensitivity, lang: str) -> None:
    row = {"chance_share": 0.2, "chance_low": 0.1, "chance_high": 0.3, "chance_blocks": 9,
           "other_share": 1.4, "other_low": 0.5, "other_high": 2.0}  # fmt: skip
    lines = below_words(bars, pd.DataFrame([row]), lang)
    assert len(lines) == 2 and lines[1].count("100 %") == 2 and "50 %" in lines[1]
    assert "200 %" not in lines[1]  # more than all there is comes of few blocks
