"""Figures state the finding, carry units, cost no run; words and tables fit where they stand."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import image

from ecosystem.inputs.catalogue import Outcome, outcomes
from experiments.comparison.intervals import describe
from experiments.comparison.keyed import keyed_rows
from experiments.comparison.sureness import SCALE
from experiments.report import charts, figures, messages
from experiments.report.files import read_csv, write_csv
from experiments.report.tables import Table, as_html, from_json, terminal, to_json

OUTCOME = Outcome(
    name="value_added_hub", title_en="Value added", title_zh="增加值", unit="M¥ of 2020",
    group="industry", time_base="present_value", headline=True, better="higher",
    meaning="for the test",
)  # fmt: skip
TITLES = {"one": "Package one", "two": "Package two"}


def rows(one: float, two: float, better: str = "higher") -> pd.DataFrame:
    spread = np.linspace(-1, 1, 41)
    found = [
        {"package": "one", "outcome": OUTCOME.name, "unit": OUTCOME.unit, **describe(one + spread)},
        {"package": "two", "outcome": OUTCOME.name, "unit": OUTCOME.unit, **describe(two + spread)},
    ]
    frame = pd.DataFrame(found)
    return frame.sort_values("median", ascending=better == "lower").reset_index(drop=True)


def chart(frame: pd.DataFrame, lang: str = "en", better: str = "higher") -> charts.Chart:
    return figures.ranked_differences(
        frame, TITLES, outcome=OUTCOME.model_copy(update={"better": better}),
        reference="History", base="present value", notes=["a note"], lang=lang,
    )  # fmt: skip


def words(picture: charts.Chart) -> str:
    """Return all that is written in a figure."""
    found = picture.figure.findobj(mpl.text.Text)
    return "\n".join(" ".join(item.get_text().split()) for item in found)


def edges(picture: charts.Chart) -> list[str]:
    """Return the colours of the two dots."""
    lines = picture.figure.axes[0].lines
    return [
        mpl.colors.to_hex(line.get_markeredgecolor())
        for line in lines
        if len(line.get_xdata()) == 1
    ]


LARGEST = "largest median effect with a likely sign"


@pytest.mark.parametrize(
    ("one", "two", "better", "start"),
    [
        (5, 0, "higher", f"Value added: {LARGEST}: Package one, +5.0 M¥"),
        (5, -5, "lower", f"Value added: {LARGEST}: Package two, -5.0 M¥"),
        (-5, 0, "higher", "Value added: no package is likely to improve it; Package one makes it"),
        (5, 0, "lower", "Value added: no package is likely to improve it; Package one makes it"),
        (
            0.1,
            0,
            "higher",
            "Value added: no sign is likely for any package against History; surest",
        ),
        (0, 0, "higher", "Value added: no sign is likely for any package"),
        (3, -5, "", "Value added: Package two moves it most, -5.0 M¥"),
    ],
)
def test_the_title_states_the_finding(one: float, two: float, better: str, start: str) -> None:
    found = chart(rows(one, two, better), better=better)
    assert " ".join(found.figure.texts[0].get_text().split()).startswith(start)
    assert start in found.alt


def test_a_figure_shows_unit_price_year_pairs_error_and_is_hollow_where_open() -> None:
    found = chart(rows(5, 0.1))
    shown = words(found)
    for piece in (
        "M¥ of 2020 · present value", "difference from History", "likely ≥ 94 % (41/41)",
        "open ≥ ", "±", "a note",
    ):  # fmt: skip
        assert piece in shown
    likely, hollow = (line for line in found.figure.axes[0].lines if len(line.get_xdata()) == 1)
    assert likely.get_markerfacecolor() == likely.get_markeredgecolor() != charts.BETTER
    assert hollow.get_markerfacecolor() == "white"
    assert edges(found)[1] == charts.UNSURE


@pytest.mark.parametrize("word", SCALE)
def test_the_surer_the_sign_the_stronger_the_colour(word: str) -> None:
    edge, face = charts.sure_colours({"sureness": word}, charts.WORSE)
    if word not in charts.SHADES:
        assert (edge, face) == (charts.UNSURE, "white")
    else:
        assert edge == face
        wanted = [1 - charts.SHADES[word] * (1 - x) for x in mpl.colors.to_rgb(charts.WORSE)]
        assert mpl.colors.to_rgb(edge) == pytest.approx(wanted, abs=1 / 255)


def test_what_nobody_sees_is_said_to_be_so() -> None:
    found = chart(rows(5, 4).assign(sureness="no_visible_change"))
    assert "Value added: no visible change by any package against History" in found.alt
    assert "move less than 1.00 M¥ of 2020" in found.alt and edges(found) == [charts.UNSURE] * 2


def test_sentences_stand_apart() -> None:
    alt = chart(rows(5, 0.1)).alt
    assert not re.search(r"[a-z%)]\.[A-Z]", alt) and ". Package one: median" in alt


def test_files_beside_a_figure(tmp_path: Path) -> None:
    paths = chart(rows(5, 0.1)).save(tmp_path / "difference")
    png, svg, csv, alt = paths
    assert [path.suffix for path in paths] == [".png", ".svg", ".csv", ".txt"]
    assert image.imread(png).shape[1] == pytest.approx(charts.WIDTH * 300, abs=1)
    assert csv.read_bytes().startswith(b"\xef\xbb\xbf")
    assert "Package one: median +5.0," in alt.read_text(encoding="utf-8")
    again = chart(rows(5, 0.1)).save(tmp_path / "again")
    assert svg.read_text(encoding="utf-8") == again[1].read_text(encoding="utf-8")
    assert not re.search(r"<dc:date>", svg.read_text(encoding="utf-8"))


def test_drawing_leaves_the_settings_of_the_process_alone() -> None:
    import matplotlib.pyplot as plt

    backend = mpl.get_backend()
    before, red = dict(mpl.rcParams), mpl.colors.to_rgb("r")
    chart(rows(5, 0.1))._repr_png_()
    assert dict(mpl.rcParams) == before and mpl.colors.to_rgb("r") == red
    assert mpl.get_backend() == backend and plt.get_fignums() == []


def test_settings_of_the_user_do_not_matter(tmp_path: Path) -> None:
    """Such as TeX, which turns a dollar sign into an error after all runs."""
    plain = chart(rows(5, 0.1)).save(tmp_path / "plain")
    with mpl.rc_context({"text.usetex": True, "font.size": 30, "lines.linewidth": 9}):
        odd = chart(rows(5, 0.1)).save(tmp_path / "odd")
    for one, other in zip(plain, odd, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_a_figure_that_fails_costs_no_run(tmp_path: Path) -> None:
    def broken() -> charts.Chart:
        raise RuntimeError("no such glyph")

    with pytest.warns(UserWarning, match="figure bad was not drawn.*no such glyph"):
        paths = charts.save(tmp_path, {}, {"bad": broken, "good": lambda: chart(rows(5, 0))}, "en")
    note = tmp_path / "figures" / "bad.failed.txt"
    assert note in paths and "no such glyph" in note.read_text() and len(paths) == 5
    charts.save(tmp_path, {}, {"bad": lambda: chart(rows(5, 0))}, "en")
    assert not note.exists() and (tmp_path / "figures" / "bad.png").is_file()


def test_many_figures_are_drawn_in_processes_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> charts.Chart:
        raise RuntimeError("no such glyph")

    every: dict[str, Callable[[], charts.Chart]] = {
        f"figure_{k}": partial(chart, rows(5 + k, 0.1)) for k in range(2 * charts.SHARE - 1)
    }
    every["bad"] = broken
    found = {}
    for cores in (1, 2):
        monkeypatch.setattr(charts, "cpu_count", lambda cores=cores: cores)
        place = tmp_path / str(cores)
        place.mkdir()
        with pytest.warns(UserWarning, match="figure bad was not drawn.*no such glyph"):
            paths = charts.save(place, {}, every, "en")
        found[cores] = [(path.name, path.read_bytes()) for path in paths]
    assert found[1] == found[2] and len(found[1]) == 4 * (len(every) - 1) + 1


def test_drawing_shows_how_far_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for quiet in (True, False):
        charts.save(tmp_path, {}, {"one": lambda: chart(rows(5, 0))}, "en", quiet)
        assert ("figures" in capsys.readouterr().err) is (not quiet)


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


# ---- words, units and tables


def test_every_message_has_both_languages_and_the_same_values() -> None:
    for key, row in keyed_rows("experiments.report", "messages.csv", "key").items():
        assert row["en"] and row["zh"], key
        fields = [set(re.findall(r"{(\w+)[}:]", row[lang])) for lang in messages.LANGUAGES]
        assert fields[0] == fields[1], key


def test_every_unit_of_the_outcome_table_is_shown_in_one_way() -> None:
    known = keyed_rows("experiments.report", "units.csv", "unit")
    assert {row.unit for row in outcomes().values()} == set(known)
    assert messages.display_unit("share") == (0.01, "%")
    assert messages.display_unit("share", "zh", "effect") == (0.01, "百分点")
    assert messages.display_unit("share", form="effect_short") == (0.01, "pp")
    assert messages.display_unit("M¥ of 2020", form="effect_short") == (1.0, "M¥")
    assert messages.display_unit("count", form="short") == (1.0, "")
    assert messages.display_unit("of my own") == (1.0, "of my own")


def test_numbers_and_widths() -> None:
    values = {1234567.0: "1,234,567", 0.0: "0", 12.34: "12.3", 0.1234: "0.123", -5.0: "-5.00"}
    assert {value: messages.number(value) for value in values} == values
    assert messages.number(5.0, signed=True) == "+5.00" and messages.number(float("nan")) == "–"
    assert messages.width("算力 a") == 6
    assert messages.pad("算力算力", 5) == "算力…" and messages.pad("算", 4, right=True) == "  算"
    assert messages.wrap("one two three", 7) == "one two\nthree"
    assert messages.wrap("算力算力", 4) == "算力\n算力"
    assert messages.wrap("one ± 2 of 30 % … 4", 9) == "one ± 2\nof 30 %\n… 4"
    fine = {0.0567: "0.06", -0.004: "0", 12.34: "12.3", 1234.0: "1,234", 0.5: "0.50"}
    assert {value: messages.number(value, finest=0.01) for value in fine} == fine
    assert messages.number(-0.96, finest=0.1) == "-1.0" and messages.number(0.04, finest=0.1) == "0"
    assert messages.text("package", "zh") and messages.plain(" two\n\x1blines ") == "two lines"


TABLE = Table(
    ["", "package", "median", "90 %"],
    [
        ["1", "需求侧政策组合[bold]与名称很长的一个名字", "+1,251 ± 12", "+44 … +1,057"],
        ["2", "A name of several words <b>& such", "-0.00123 ± 0.001", "–"],
    ],
    names=2,
)  # fmt: skip


@pytest.mark.parametrize("columns", [30, 50, 80, 140])
def test_a_table_keeps_to_its_width_and_cuts_nothing(columns: int) -> None:
    lines = terminal(["A paragraph of words that wraps.", TABLE], columns).splitlines()
    assert max(messages.width(line) for line in lines) <= columns
    letters = sorted("".join("".join(lines).split()))
    given = [
        "A paragraph of words that wraps.",
        *TABLE.columns,
        *(c for r in TABLE.rows for c in r),
    ]
    assert letters == sorted("".join("".join(given).split()))
    if columns == 140:
        assert len(lines) == 4 and all(cell in lines[2] for cell in TABLE.rows[0])


def test_headings_break_before_names_and_names_before_numbers() -> None:
    """And nothing inside a word or number while blanks are left to break at."""
    heads = ["package", "nation / province / prefectures", "median ± error"]
    table = Table(heads, [["Capital subsidy only", "10 / 20 / 30", "-0.15 ± 0.06 (19/20)"]])
    wide = ["Capital subsidy only  10 / 20 / 30  -0.15 ± 0.06 (19/20)"]
    assert terminal([table], 56).splitlines()[-1:] == wide
    names = terminal([table], 52).splitlines()[-2:]
    assert names == ["Capital subsidy   10 / 20 / 30  -0.15 ± 0.06 (19/20)", "only"]
    assert terminal([Table(["", "a"], [["", "1"], ["", ""]])], 9) == "   a\n   1\n"
    words = terminal([table], 42).split()
    assert {"Capital", "subsidy", "prefectures", "(19/20)"} <= set(words)


def test_the_same_rows_as_html_and_json() -> None:
    page = ["A head & more", TABLE, "", "a note"]
    shown = as_html(page)
    assert "<b>A head &amp; more</b>" in shown and "&lt;b&gt;&amp; such</td>" in shown
    assert shown.count("<tr>") == 3 and "<p>a note</p>" in shown
    assert from_json(to_json({"full": page})) == {"full": page}


def test_names_keep_their_text_when_a_table_is_read_back(tmp_path: Path) -> None:
    names = ["NA", "null", "nan", "None", "1.10", "007", "", "需求"]
    write_csv(tmp_path / "failed.csv", pd.DataFrame({"scenario": names, "replicate": range(8)}))
    assert read_csv(tmp_path / "failed.csv")["scenario"].tolist() == names
