"""Figures state the finding, carry units, and leave the process as it was."""

import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import image

from ecosystem.inputs.catalogue import Outcome
from experiments.comparison.intervals import ENOUGH, describe
from experiments.report import charts, figures, messages

OUTCOME = Outcome(
    name="value", title_en="Value added", title_zh="增加值", unit="M¥ of 2020", group="industry",
    time_base="present_value", headline=True, better="higher", meaning="for the test",
)  # fmt: skip
TITLES = {"one": "Package one", "two": "Package two"}


def rows(one: float, two: float, better: str = "higher") -> pd.DataFrame:
    spread = np.linspace(-1, 1, 41)
    found = [
        {"package": "one", **describe(one + spread)},
        {"package": "two", **describe(two + spread)},
    ]
    frame = pd.DataFrame(found)
    return frame.sort_values("median", ascending=better == "lower").reset_index(drop=True)


def chart(frame: pd.DataFrame, lang: str = "en") -> charts.Chart:
    return figures.ranked_differences(
        frame, TITLES, outcome=OUTCOME, reference="History", base="present value",
        notes=["a note"], lang=lang,
    )  # fmt: skip


def words(picture: charts.Chart) -> str:
    """Return all that is written in a figure."""
    found = picture.figure.findobj(mpl.text.Text)
    return "\n".join(" ".join(item.get_text().split()) for item in found)


LARGEST = "largest median effect whose 90 % excludes zero"


@pytest.mark.parametrize(
    ("one", "two", "better", "start"),
    [
        (5, 0, "higher", f"Value: {LARGEST}: Package one, +5.00 M¥"),
        (5, -5, "lower", f"Value: {LARGEST}: Package two, -5.00 M¥"),
        (-5, 0, "higher", "Value: no package is shown to improve it; Package one makes it worse"),
        (5, 0, "lower", "Value: no package is shown to improve it; Package one makes it worse"),
        (0.1, 0, "higher", "Value: no effect shown for any package"),
        (3, -5, "", "Value: Package two moves it most, -5.00 M¥"),
    ],
)
def test_the_title_states_the_finding(one: float, two: float, better: str, start: str) -> None:
    given = {"outcome": "Value", "unit": "M¥", "reference": "History", "better": better}
    sentence = figures.finding(rows(one, two, better), TITLES, {**given, "lang": "en"})
    assert sentence.startswith(start)


def test_a_figure_shows_unit_price_year_pairs_and_error() -> None:
    shown = words(chart(rows(5, 0.1)))
    for piece in (
        "M¥ of 2020 · present value",
        "difference from History",
        "100 % of 41",
        "±",
        "a note",
    ):
        assert piece in shown


def test_grey_where_zero_lies_inside() -> None:
    axes = chart(rows(5, 0.1)).figure.axes[0]
    edges = [mpl.colors.to_hex(line.get_markeredgecolor()) for line in axes.lines[:2]]
    assert edges == [figures.colours()[0], charts.ZERO_INSIDE]


def test_too_few_pairs_show_no_effect() -> None:
    """Pairs that agree are grey, and the title says why, while they are fewer than enough."""
    for pairs in (ENOUGH - 1, ENOUGH):
        few = rows(5, 4).assign(pairs=pairs)
        shown, enough = chart(few), pairs == ENOUGH
        dots = shown.figure.axes[0].lines[:2]
        edges = {mpl.colors.to_hex(line.get_markeredgecolor()) for line in dots}
        assert edges == {figures.colours()[0] if enough else charts.ZERO_INSIDE}
        assert (LARGEST in shown.alt) is enough
        assert ("fewer than 20 pairs, too few" in shown.alt) is not enough


def test_few_pairs_of_one_package_do_not_hide_another() -> None:
    mixed = rows(5, 4).assign(pairs=[ENOUGH, ENOUGH - 1])
    shown = chart(mixed)
    edges = [
        mpl.colors.to_hex(line.get_markeredgecolor()) for line in shown.figure.axes[0].lines[:2]
    ]
    assert edges == [figures.colours()[0], charts.ZERO_INSIDE]
    assert f"{LARGEST}: Package one" in shown.alt


def test_files_beside_a_figure(tmp_path: Path) -> None:
    paths = chart(rows(5, 0.1)).save(tmp_path / "difference")
    png, svg, csv, alt = paths
    assert [path.suffix for path in paths] == [".png", ".svg", ".csv", ".txt"]
    assert image.imread(png).shape[1] == pytest.approx(figures.WIDTH * 300, abs=1)
    assert csv.read_bytes().startswith(b"\xef\xbb\xbf")
    assert "Package one: median +5.00" in alt.read_text(encoding="utf-8")
    again = chart(rows(5, 0.1)).save(tmp_path / "again")
    assert svg.read_text(encoding="utf-8") == again[1].read_text(encoding="utf-8")
    assert not re.search(r"<dc:date>", svg.read_text(encoding="utf-8"))


def test_drawing_leaves_the_settings_of_the_process_alone() -> None:
    import matplotlib.pyplot as plt
    import seaborn  # noqa: F401 - importing registers colour maps; only drawing is tested here

    backend = mpl.get_backend()
    before, red = dict(mpl.rcParams), mpl.colors.to_rgb("r")
    chart(rows(5, 0.1))._repr_png_()
    assert dict(mpl.rcParams) == before
    assert mpl.colors.to_rgb("r") == red
    assert mpl.get_backend() == backend
    assert plt.get_fignums() == []


def test_without_a_chinese_font_figures_fall_back_with_one_warning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(charts, "chinese_fonts", lambda: ())
    charts._warn_no_font.cache_clear()
    assert [charts.figure_language("zh") for _ in range(2)] == ["en", "en"]
    assert charts.figure_language("en") == "en"
    assert capsys.readouterr().err.count("warning") == 1


@pytest.mark.filterwarnings("ignore:Glyph")
def test_with_a_chinese_font_the_labels_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The font stands in each label, so that drawing again outside the theme keeps it."""
    monkeypatch.setattr(charts, "chinese_fonts", lambda: (charts.LATIN_FONT,))
    picture = chart(rows(5, 0.1), charts.figure_language("zh"))
    assert "与“History”之差" in words(picture).replace(" ", "")
    for item in picture.figure.findobj(mpl.text.Text):
        assert item.get_fontfamily()[0] == charts.LATIN_FONT


def test_bands_have_whole_years_and_one_panel_an_outcome() -> None:
    year = np.arange(2020, 2036, 0.25)
    frame = pd.DataFrame({"outcome": "value", "period": "2030Q1", "year": year})
    for place, name in enumerate(("low_90", "low_50", "median", "high_50", "high_90")):
        frame[name] = year - 2020 + place
    picture = figures.bands_over_time(
        frame, [OUTCOME], head="A head", start=2025.5, notes=["a note"]
    )
    axes = picture.figure.axes[0]
    labels = [label.get_text() for label in axes.get_xticklabels() if label.get_text()]
    assert labels and all(re.fullmatch(r"20\d\d", label) for label in labels)
    assert "M¥ of 2020, a quarter" in words(picture) and "Value added" in picture.alt


def test_every_message_has_both_languages_and_the_same_values() -> None:
    for key, row in messages._words().items():
        assert row["en"] and row["zh"], key
        fields = [set(re.findall(r"{(\w+)}", row[lang])) for lang in messages.LANGUAGES]
        assert fields[0] == fields[1], key


def test_numbers_and_widths() -> None:
    values = {1234567.0: "1,234,567", 0.0: "0", 12.34: "12.3", 0.1234: "0.123", -5.0: "-5.00"}
    assert {value: messages.number(value) for value in values} == values
    assert messages.number(5.0, signed=True) == "+5.00" and messages.number(float("nan")) == "–"
    assert messages.width("算力 a") == 6
    assert messages.pad("算力算力", 5) == "算力…" and messages.pad("算", 4, right=True) == "  算"
    assert messages.wrap("one two three", 7) == "one two\nthree"
    assert messages.wrap("算力算力", 4) == "算力\n算力"
    assert messages.scaled_unit(2e9, "PFh") == (1e6, "million PFh")
    assert messages.scaled_unit(2e4, "share", "zh") == (1.0, "比例")
    assert messages.scaled_unit(2e5, "M¥ of 2020") == (1e3, "billion ¥ of 2020")
    assert messages.scaled_unit(2e-3, "index") == (1e-3, "10⁻³ index")
