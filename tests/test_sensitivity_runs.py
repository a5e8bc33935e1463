"""`ecosystem sensitivity` on the teaching world: files, resuming, and what paired effects show."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from ecosystem.inputs.faults import InputError
from experiments.command.cli import app
from experiments.report.charts import figure_language
from experiments.report.messages import text, width
from experiments.sensitivity_analysis.study import Sensitivity, sensitivity

ROOT = Path(__file__).resolve().parents[1]
TWO = 'factors = ["hype", "ecosystem_effectiveness"]\n'
SMALL = [
    "sensitivity",
    "innovation_first",
    "--world",
    "teaching",
    "--until",
    "2026Q4",
    "--trajectories",
    "4",
    "--jobs",
    "1",
]


def call(*arguments: str | Path) -> tuple[int, str, str]:
    """Run the command; return exit code, standard output and standard error."""
    words = [str(word) for word in arguments]
    result = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def two(tmp_path: Path) -> Path:
    path = tmp_path / "two.toml"
    path.write_text(TWO, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def found() -> Sensitivity:
    return sensitivity(
        ["innovation_first", "none"], factors=["hype", "ecosystem_effectiveness"],
        trajectories=6, world="teaching", until="2027Q4", jobs=1,
    )  # fmt: skip


@pytest.mark.slow
def test_levels_and_paired_effects_of_every_package(found: Sensitivity) -> None:
    table = found.table
    kinds = set(zip(table["package"], table["quantity"], strict=True))
    effects = {("innovation_first", "effect"), ("none", "effect")}
    assert kinds == effects | {(name, "level") for name in found.study.names}
    assert {"industry", "innovation"} <= set(table["group"])
    assert set(found.by_year["period"]) == {"2025", "2026", "2027"}
    assert table.groupby(["package", "quantity", "outcome"])["factor"].count().eq(4).all()
    assert (table.loc[table["factor"] == "dummy", "mu_star"].fillna(0) == 0).all()
    near = table[(table["factor"] == "near_dummy") & table["mu"].notna()]
    assert np.allclose(near["mu"], near["mu_star_low"]) and np.allclose(near["sigma"], 0, atol=1e-6)


@pytest.mark.slow
def test_what_has_no_effect_is_named_constant(found: Sensitivity) -> None:
    rows = found.table[found.table["package"].eq("none") & found.table["quantity"].eq("effect")]
    same = rows[rows["outcome"] == "public_cost_national"]
    assert same["status"].isin(["ok", "constant"]).all()
    constant = rows[rows["status"] == "constant"]
    assert constant["mu_star"].isna().all() and constant["rank"].isna().all()
    policy = found.table[found.table["factor"] == "ecosystem_effectiveness"]
    level = policy[policy["package"].eq("history") & policy["outcome"].eq("ai_firm_staff")]
    effect = policy[
        policy["package"].eq("innovation_first")
        & policy["quantity"].eq("effect")
        & policy["outcome"].eq("patents")
    ]
    assert (level["mu_star"] == 0).all() and effect["mu_star"].gt(0).all()


@pytest.mark.slow
def test_effects_are_differences_of_runs_that_share_luck_and_point(found: Sensitivity) -> None:
    from experiments.sensitivity_analysis.plan import run_study

    values = run_study(found.study)
    levels = values.points["patents", "horizon"]
    base = found.study.names.index("history")
    row = found.table[
        found.table["package"].eq("innovation_first")
        & found.table["quantity"].eq("effect")
        & found.table["outcome"].eq("patents")
    ].iloc[0]
    assert row["mean"] == pytest.approx((levels[0] - levels[base]).mean())


@pytest.mark.slow
def test_wrong_names_of_figures_are_refused(found: Sensitivity) -> None:
    for names, words in (
        (("inovation_first",), "nearest valid name: innovation_first"),
        (("history", "patent"), "nearest valid name: patents"),
        (("history", "patents", "fr"), "lang: 'fr' is not valid; allowed: one of en, zh"),
    ):
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
    for chart in (
        found.figure(lang=lang),
        found.figure("history", "patents"),
        found.heat_map(lang),
    ):
        assert len(chart.data) and chart.alt
        assert len(chart.save(tmp_path / "picture")) == 4
    panel = found.figure("history", "patents", lang=lang).figure.axes[0]
    shown = figure_language(lang)
    unit = {"en": ", count", "zh": ", 个"}[shown]
    assert panel.get_xlabel().endswith(unit) and panel.get_ylabel().endswith(unit)
    bar = found.heat_map(lang).figure.axes[-1].get_ylabel()
    assert bar == text("sensitivity_bar_morris", shown)
    assert (
        "hype" in found.text("en").lower()
        and max(width(line) for line in found.text(lang).splitlines()) <= 100
    )


@pytest.mark.slow
def test_the_text_says_what_was_run_and_how_much_is_not_of_the_factors(found: Sensitivity) -> None:
    words = " ".join(found.text().split())
    assert "present value 2025Q3–2027Q4" in words and "with parameters that are no factor" in words
    assert "that are no factor are drawn anew" in words and "Teaching world" in words
    struck = sensitivity(
        ["none"], factors=["hype"], trajectories=4, world="teaching", until="2026Q1", jobs=1,
        shock="ai_winter", fixed_parameters=True,
    )  # fmt: skip
    words = " ".join(struck.text().split())
    assert text("every_scenario") in words and "AI winter" in words
    assert "stay at their defaults" in words and "with parameters" not in words


@pytest.mark.slow
def test_the_command_writes_a_run_directory_that_reproduces(tmp_path: Path, two: Path) -> None:
    words = [*SMALL, "--factors", str(two), "--out", str(tmp_path)]
    code, answer, table = call(*words)
    directory = Path(answer.strip())
    names = {path.name for path in directory.iterdir()}
    assert code == 0 and {
        "manifest.json", "sensitivity.csv", "sensitivity_by_year.csv", "factors.csv", "figures",
        "ensembles",
    } <= names  # fmt: skip
    assert "chance" in table and "mu*" in table
    assert (directory / "sensitivity.csv").read_bytes()[:3] == b"\xef\xbb\xbf"
    code, again, said = call(*words, "--json")
    assert code == 0 and "run before" in said
    frame = pd.read_csv(directory / "sensitivity.csv")
    assert len(json.loads(again)["table"]) == len(frame)
    code, said, _ = call("reproduce", directory, "--quiet", "--jobs", "1")
    assert code == 0 and " 0 further off" in said


@pytest.mark.slow
def test_sobol_of_pairs_in_another_language(tmp_path: Path, two: Path) -> None:
    code, answer, table = call(
        "sensitivity", "innovation_first", "--method", "sobol", "--samples", "4", *SMALL[2:6],
        "--second-order", "--factors", two, "--lang", "zh", "--jobs", "1", "--out", tmp_path,
    )  # fmt: skip
    pairs = pd.read_csv(Path(answer.strip()) / "pairs.csv")
    assert code == 0 and "方差" in table
    assert {"factor", "other_factor", "second"} <= set(pairs) and len(pairs) % 6 == 0


@pytest.mark.slow
def test_a_dry_run_says_runs_time_and_disk(tmp_path: Path, two: Path) -> None:
    words = [*SMALL, "--factors", str(two), "--out", str(tmp_path / "no")]
    code, _, said = call(*words, "--dry-run")
    assert code == 0 and "56 runs" in said and "minutes" in said and "MB" in said
    assert not (tmp_path / "no").exists()


@pytest.mark.slow
def test_the_reference_alone_has_levels(tmp_path: Path, two: Path) -> None:
    words = ["sensitivity", "history", *SMALL[2:], "--factors", str(two), "--out", str(tmp_path)]
    code, answer, _ = call(*words, "--executor", "serial", "--quiet")
    frame = pd.read_csv(Path(answer.strip()) / "sensitivity.csv")
    assert code == 0 and set(frame["quantity"]) == {"level"}


def failing(monkeypatch: pytest.MonkeyPatch, from_replicate: int) -> None:
    """Let every run fail whose luck is that of a replicate from this one on."""
    from ecosystem.runs.core import run_chunk as real

    def broken(chunk: Any) -> Any:
        if max(chunk.replicates) >= from_replicate:
            raise FloatingPointError("bad luck")
        return real(chunk)

    monkeypatch.setattr("ecosystem.runs.chunks.run_chunk", broken)


@pytest.mark.slow
def test_runs_that_fail_are_listed_and_end_with_three(
    tmp_path: Path, two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, 7)  # of eight repeats of a single quarter, the last has this luck
    code, answer, said = call(
        "sensitivity", "history", "--world", "teaching", "--until", "2025Q3", "--factors", two,
        "--trajectories", "4", "--fixed-parameters", "--executor", "serial", "--out", tmp_path,
    )  # fmt: skip
    directory = Path(answer.strip())
    failed = pd.read_csv(directory / "failed.csv")
    assert code == 3 and "failed.csv" in said
    assert failed["replicate"].tolist() == [7] and failed["error"].str.contains("bad luck").all()
    frame = pd.read_csv(directory / "sensitivity.csv")
    assert frame["blocks"].eq(4).all() and frame["chance_blocks"].eq(3).all()
    assert json.loads((directory / "manifest.json").read_text(encoding="utf-8"))["failed"] == 1


def test_a_study_in_which_every_run_fails_ends_with_one(
    tmp_path: Path, two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, 0)
    code, answer, said = call(
        "sensitivity", "history", "--world", "teaching", "--until", "2025Q3", "--factors", two,
        "--trajectories", "4", "--executor", "serial", "--out", tmp_path,
    )  # fmt: skip
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


def test_wrong_requests_end_with_two(tmp_path: Path) -> None:
    code, _, said = call("sensitivity", "article", "--samples", "64")
    assert code == 2 and "samples: 64 is not valid; allowed: only with method sobol" in said
    code, _, said = call("sensitivity", "article", "--method", "sobol", "--samples", "48")
    assert code == 2 and "a power of 2" in said
    code, _, said = call("sensitivity", "article", "--set", "parameters.hype=0.3")
    assert code == 2 and "left open" in said
    code, _, said = call("sensitivity", "article", "--factors", tmp_path / "none.toml")
    assert code == 2 and "none.toml" in said


@pytest.mark.slow
def test_a_killed_study_goes_on_and_gives_the_same(tmp_path: Path, two: Path) -> None:
    options = [*SMALL[2:4], "--until", "2030Q4", "--trajectories", "8", "--jobs", "1"]
    words = ["sensitivity", "innovation_first", *options, "--factors", str(two), "--quiet"]
    command = [
        sys.executable,
        "-m",
        "experiments.command.cli",
        *words,
        "--out",
        str(tmp_path / "killed"),
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not list(tmp_path.glob("killed/*/ensembles/*/shards/*.parquet")):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = {path for path in tmp_path.glob("killed/*/ensembles/*/shards/*.parquet")}
    assert left and not list(tmp_path.glob("killed/*/manifest.json"))
    before = {path: path.stat().st_mtime_ns for path in left}
    answers = [call(*words, "--out", tmp_path / name)[1] for name in ("killed", "whole")]
    assert {path: path.stat().st_mtime_ns for path in left} == before
    one, other = (Path(answer.strip()) for answer in answers)
    for name in ("sensitivity.csv", "sensitivity_by_year.csv", "summary.txt"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
