"""Sensitivity studies of the teaching world: files, resuming, and what paired effects show."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from ecosystem.inputs.faults import InputError
from experiments import sensitivity
from experiments.command.cli import app
from experiments.faces import Sensitivity
from experiments.report import sensitivity_view
from experiments.report.charts import figure_language
from experiments.report.messages import text, width
from experiments.report.sensitivity_words import SIDES
from experiments.report.tables import Table, terminal
from experiments.sensitivity_analysis.chance import share_of_variance
from experiments.sensitivity_analysis.study import Values, quantities, run_study

TWO = ["hype", "ecosystem_effectiveness"]
TEACHING = ["--world", "teaching", "--jobs", "1", "--trajectories", "4"]


def call(*arguments: str | Path) -> tuple[int, str, str]:
    """Run `ecosystem sensitivity`; return exit code, standard output and standard error."""
    words = ["sensitivity", *(str(word) for word in arguments)]
    with patch.object(sys, "argv", ["ecosystem", *words]):  # noted as what repeats the run
        result = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def two(tmp_path: Path) -> list[str]:
    """Return the option that names a file of two factors."""
    path = tmp_path / "two.toml"
    path.write_text(f"factors = {json.dumps(TWO)}\n", encoding="utf-8")
    return ["--factors", str(path)]


@pytest.fixture(scope="module")
def found() -> Sensitivity:
    return sensitivity(
        ["innovation_first", "none"], factors=TWO, trajectories=6, world="teaching",
        until="2027Q4", jobs=1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def values(found: Sensitivity) -> Values:
    return run_study(found.study)


def rows_of(found: Sensitivity, package: str, quantity: str, outcome: str) -> pd.DataFrame:
    table = found.table[found.table["package"].eq(package) & found.table["quantity"].eq(quantity)]
    return table[table["outcome"] == outcome].set_index("factor")


@pytest.mark.slow
def test_levels_and_paired_effects_of_every_package(found: Sensitivity) -> None:
    table = found.table
    kinds = set(zip(table["package"], table["quantity"], strict=True))
    effects = {("innovation_first", "effect"), ("none", "effect")}
    assert kinds == effects | {(name, "level") for name in found.study.names}
    assert {"industry", "innovation"} <= set(table["group"])
    assert set(found.by_year["period"]) == {"2025", "2026", "2027"}
    assert not {"chance_low", "other_high"} & set(found.by_year)
    assert table.groupby(["package", "quantity", "outcome"])["factor"].count().eq(4).all()
    assert (table.loc[table["factor"] == "dummy", "mu_star"].fillna(0) == 0).all()
    near = table[(table["factor"] == "near_dummy") & table["mu"].notna()]
    assert np.allclose(near["mu"], near["mu_star_low"]) and np.allclose(near["sigma"], 0, atol=1e-6)


@pytest.mark.slow
def test_what_has_no_effect_is_named_constant(found: Sensitivity) -> None:
    rows = rows_of(found, "none", "effect", "public_cost_national")
    assert rows["status"].isin(["ok", "constant"]).all()
    constant = found.table[found.table["status"] == "constant"]
    assert constant["mu_star"].isna().all() and constant["rank"].isna().all() and len(constant)
    staff = rows_of(found, "history", "level", "ai_firm_staff")
    assert staff.loc["ecosystem_effectiveness", "mu_star"] == 0
    patents = rows_of(found, "innovation_first", "effect", "patents")
    assert patents.loc["ecosystem_effectiveness", "mu_star"] > 0


@pytest.mark.slow
def test_effects_and_their_shares_of_chance_are_of_differences_of_runs_that_share_luck(
    found: Sensitivity, values: Values
) -> None:
    points, again = (values.points["patents", "horizon"], values.repeats["patents", "horizon"])
    place, base = (found.study.names.index(name) for name in ("innovation_first", "history"))
    effect = next(
        one
        for one in quantities(found.study, values)
        if one.keys["quantity"] == "effect" and one.keys["outcome"] == "patents" and one.whole
    )
    assert np.array_equal(effect.values, points[place] - points[base])
    assert np.array_equal(effect.again, again[place] - again[base]) and len(again[place]) == 2
    rows, even = effect.values.reshape(6, -1), np.full((1, 6), 1 / 6)
    row = rows_of(found, "innovation_first", "effect", "patents").iloc[0]
    assert row["mean"] == pytest.approx(rows.mean())
    for kind, name in enumerate(("chance_share", "other_share")):
        spread = 0.5 * (effect.again[kind] - rows[:, 0]) ** 2
        assert row[name] == pytest.approx(share_of_variance(spread, rows, even)[0])
    assert row["chance_share"] != row["other_share"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("inovation_first",), "nearest valid name: innovation_first"),
        (("history", "patent"), "nearest valid name: patents"),
        (("history", "patents", "fr"), "lang: 'fr' is not valid; allowed: one of en, zh"),
    ],
)
def test_wrong_names_of_figures_are_refused(
    found: Sensitivity, names: tuple[str, ...], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        found.figure(*names)


@pytest.mark.slow
def test_the_heat_map_is_of_effects_and_says_what_was_run(found: Sensitivity) -> None:
    chart = found.heat_map()
    cells = chart.data.set_index(["group", "package", "factor"])
    rows = found.table[found.table["quantity"].eq("effect")]
    rows = rows[rows["group"].isin(["industry", "innovation"])]
    keys = ["group", "package", "factor"]
    assert cells["matters"].to_dict() == rows.groupby(keys)["matters"].sum().to_dict()
    assert set(chart.data["package"]) == {"innovation_first", "none"}
    known = cells["part"].dropna().groupby(["group", "package"]).sum()
    assert known.to_numpy() == pytest.approx(1)
    words = " ".join(" ".join(piece.get_text() for piece in chart.figure.texts).split())
    assert "What the effects of packages depend on" in words and "6 blocks." in words
    assert "Teaching world" in words and "drawn anew for each block" in words


@pytest.mark.slow
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_pictures_have_words_and_numbers(found: Sensitivity, lang: str, tmp_path: Path) -> None:
    chart = found.figure("history", "patents", lang=lang)
    assert len(chart.data) and chart.alt and len(chart.save(tmp_path / "picture")) == 4
    panel, shown = chart.figure.axes[0], figure_language(lang)
    unit = {"en": ", count", "zh": ", 个"}[shown]
    assert panel.get_xlabel().endswith(unit) and panel.get_ylabel().endswith(unit)
    bar = found.heat_map(lang).figure.axes[-1].get_ylabel()
    assert bar == text("sensitivity_bar_morris", shown)
    assert {"en": "Hype", "zh": "跟风预期"}[lang] in found.text(lang)
    for columns in (80, 100):
        assert max(width(line) for line in found.text(lang, columns).splitlines()) <= columns
    first = terminal(sensitivity_view.summary(found, lang), 80).splitlines()
    assert len(first) <= 24 and max(width(line) for line in first) <= 80


@pytest.mark.slow
def test_the_first_screen_counts_where_a_factor_stands_out(found: Sensitivity) -> None:
    (table,) = [block for block in sensitivity_view.summary(found) if isinstance(block, Table)]
    rows = found.table[found.table["quantity"].eq("effect") & found.table["mu_star"].notna()]
    assert table.columns == ["factor", "Industry", "Innovation ecosystem"] and table.rows
    for title, *cells in table.rows:
        name = {"Hype": "hype"}.get(title, "ecosystem_effectiveness")
        own = rows[rows["factor"] == name].groupby("group")["matters"]
        assert cells == [f"{own.sum()[side]} of {own.count()[side]}" for side in SIDES]


@pytest.mark.slow
def test_a_title_is_plain_text(found: Sensitivity) -> None:
    odd = "Subsidy $_{ of 5 $ {package}"
    scenarios = tuple(replace(one, title_en=odd) for one in found.study.scenarios)
    changed = replace(found, study=replace(found.study, scenarios=scenarios))
    assert odd in changed.figure().alt and odd in changed.heat_map().alt  # drawn, for their ticks
    assert odd in " ".join(changed.text().split())


@pytest.mark.slow
def test_the_text_says_what_was_run_and_how_much_is_not_of_the_factors(found: Sensitivity) -> None:
    words = " ".join(found.text().split())
    assert "present value 2025Q3–2027Q4" in words and "with parameters that are no factor" in words
    assert "that are no factor are drawn anew" in words and "Teaching world" in words
    struck = sensitivity(
        ["none"], factors=["hype"], trajectories=4, world="teaching", until="2025Q4", jobs=1,
        shock="ai_winter", fixed_parameters=True,
    )  # fmt: skip
    words = " ".join(struck.text().split())
    assert text("every_scenario") in words and "AI winter" in words
    assert "stay at their defaults" in words and "with parameters" not in words


@pytest.mark.slow
def test_the_command_writes_a_run_directory_that_reproduces(tmp_path: Path, two: list[str]) -> None:
    words = ["innovation_first", *TEACHING, "--until", "2025Q4", *two, "--out", tmp_path]
    code, answer, table = call(*words)
    directory = Path(answer.strip())
    names = {path.name for path in directory.iterdir()}
    assert code == 0 and {
        "manifest.json", "sensitivity.csv", "factors.csv", "figures", "chunks",
    } <= names  # fmt: skip
    full = (directory / "full.txt").read_text(encoding="utf-8")
    assert "depend on" in table and "chance" in full and "mu*" in full
    assert (directory / "sensitivity.csv").read_bytes()[:3] == b"\xef\xbb\xbf"
    code, again, said = call(*words, "--json")
    assert code == 0 and "run before" in said
    frame = pd.read_csv(directory / "sensitivity.csv")
    assert len(json.loads(again)["table"]) == len(frame)
    result = CliRunner().invoke(app, ["reproduce", str(directory), "--quiet", "--jobs", "1"])
    assert result.exit_code == 0 and " 0 further off" in result.stdout


@pytest.mark.slow
def test_sobol_of_pairs_in_another_language(tmp_path: Path, two: list[str]) -> None:
    code, answer, table = call(
        "innovation_first", "--method", "sobol", "--samples", "4", *TEACHING[:4], *two,
        "--until", "2026Q1", "--second-order", "--lang", "zh", "--out", tmp_path,
    )  # fmt: skip
    directory = Path(answer.strip())
    pairs = pd.read_csv(directory / "pairs.csv")
    assert code == 0 and "区组" in table
    assert {"factor", "other_factor", "second"} <= set(pairs) and len(pairs) % 6 == 0
    yearly = pd.read_csv(directory / "sensitivity_by_year.csv")
    assert set(yearly["period"]) == {2025}
    assert yearly["mean"].eq(yearly["mean"].map(lambda value: float(f"{value:.6g}"))).all()


@pytest.mark.slow
def test_a_dry_run_says_runs_time_and_disk(tmp_path: Path, two: list[str]) -> None:
    words = ["innovation_first", *TEACHING, "--until", "2026Q4", *two, "--out", tmp_path / "no"]
    code, _, said = call(*words, "--dry-run")
    assert code == 0 and "56 runs" in said and "minutes" in said and "MB" in said
    assert not (tmp_path / "no").exists()


def failing(monkeypatch: pytest.MonkeyPatch, from_replicate: int) -> None:
    """Let every run fail whose luck is that of a replicate from this one on."""
    from ecosystem.runs.chunk import run_chunk as real

    def broken(task: Any) -> Any:
        if task.replicate.max() >= from_replicate:
            raise FloatingPointError("bad luck")
        return real(task)

    monkeypatch.setattr("ecosystem.runs.chunk.run_chunk", broken)


LEVELS = ["history", *TEACHING, "--until", "2025Q3", "--executor", "serial"]


@pytest.mark.slow
def test_runs_that_fail_are_listed_and_end_with_three(
    tmp_path: Path, two: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, 7)  # of eight repeats of a single quarter, the last has this luck
    code, answer, said = call(*LEVELS, "--fixed-parameters", *two, "--out", tmp_path)
    directory = Path(answer.strip())
    failed = pd.read_csv(directory / "failed.csv")
    assert code == 3 and "failed.csv" in said
    assert failed["replicate"].tolist() == [7] and failed["error"].str.contains("bad luck").all()
    frame = pd.read_csv(directory / "sensitivity.csv")
    assert set(frame["quantity"]) == {"level"}  # of the reference alone
    assert frame["blocks"].eq(4).all() and frame["chance_blocks"].eq(3).all()
    assert json.loads((directory / "manifest.json").read_text(encoding="utf-8"))["failed"] == 1


def test_a_study_in_which_every_run_fails_ends_with_one(
    tmp_path: Path, two: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, 0)
    code, answer, said = call(*LEVELS, *two, "--out", tmp_path)
    assert code == 1 and not answer
    assert "error: every run failed, see " in said and "bad luck" in said


def test_repeats_may_fail_in_every_package(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, 4)
    found = sensitivity(
        ["none"], factors=["hype"], trajectories=4, world="teaching", until="2025Q3", jobs=1,
        outcomes=["patents"],
    )  # fmt: skip
    assert set(found.table["package"]) == {"none", "history"} and len(found.failed) == 16
    assert found.table["chance_blocks"].eq(0).all() and found.table["chance_share"].isna().all()
    assert found.table.loc[found.table["quantity"] == "level", "status"].eq("ok").all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--samples", "64"], "samples: 64 is not valid; allowed: only with method sobol"),
        (["--method", "sobol", "--samples", "48"], "a power of 2"),
        (["--set", "parameters.hype=0.3"], "left open"),
        (["--factors", "nowhere.toml"], "nowhere.toml"),
    ],
)
def test_wrong_requests_end_with_two(options: list[str], words: str) -> None:
    code, _, said = call("article", *options)
    assert code == 2 and words in said


def test_a_stopped_study_goes_on_and_gives_the_same(tmp_path: Path) -> None:
    options: dict[str, Any] = {"factors": TWO, "trajectories": 4, "world": "teaching", "jobs": 1}
    options |= {"until": "2025Q4", "outcomes": ["patents"]}

    def stop(done: int, _: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sensitivity("none", out=tmp_path, progress=stop, **options)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")}
    counted: list[tuple[int, int]] = []
    again = sensitivity(
        "none", out=tmp_path, progress=lambda *count: counted.append(count), **options
    )
    assert before and {path: path.stat().st_mtime_ns for path in before} == before
    assert counted[0][0] > 0
    assert counted[-1] == (again.study.runs, again.study.runs)
    whole = sensitivity("none", **options)
    pd.testing.assert_frame_equal(again.table, whole.table, check_exact=True)
    pd.testing.assert_frame_equal(again.by_year, whole.by_year, check_exact=True)
