"""The command line: answers, exit codes, and what it leaves behind."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from ecosystem import read_frames
from ecosystem.inputs.catalogue import instruments, shocks
from experiments.command.cli import app
from experiments.report.messages import width

ROOT = Path(__file__).resolve().parents[1]
SMALL = ["--world", "teaching", "--replicates", "2", "--until", "2026Q2", "--jobs", "1"]


def call(*arguments: str | Path, out: Path | None = None) -> tuple[int, str, str]:
    """Run the command; return exit code, standard output and standard error."""
    words = [str(word) for word in arguments] + (["--out", str(out)] if out else [])
    result = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from experiments.command.cli import app; from typer.main import get_command; "
        "get_command(app); "
        "heavy = {'pandas', 'mesa', 'numba', 'seaborn', 'matplotlib', 'scipy', 'pyarrow'}; "
        "sys.exit(str(heavy & {*sys.modules}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stderr.strip() == "set()"


@pytest.mark.slow
def test_compare_writes_a_run_directory_and_prints_only_its_name(tmp_path: Path) -> None:
    code, answer, table = call("compare", "demand_first", *SMALL, out=tmp_path)
    directory = Path(answer.strip())
    assert code == 0 and directory.parent == tmp_path and len(directory.name) == 12
    names = {path.name for path in directory.iterdir()}
    assert {
        "manifest.json", "chunks", "comparison.csv", "figures",
    } <= names  # fmt: skip
    assert {path.suffix for path in (directory / "figures").iterdir()} == {
        ".png", ".svg", ".csv", ".txt",
    }  # fmt: skip
    assert "90 %" in table and "assumed" in table and "--full" in table
    assert max(width(line) for line in table.splitlines()) <= 100
    frame = pd.concat(read_frames(directory))
    assert set(frame["scenario"]) == {"history", "demand_first"}
    manifest = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["configuration"]["replicates"] == 2
    assert {"world", "tables", "packages", "code", "files"} == set(
        manifest["configuration"]["data"]
    )

    before = {path: path.stat().st_mtime_ns for path in directory.rglob("*")}
    code, again, words = call("compare", "demand_first", *SMALL, out=tmp_path)
    assert (code, again) == (0, answer) and "run before" in words and table.strip()[-40:] in words
    words = call("compare", "demand_first", *SMALL, "--full", out=tmp_path)[2]
    assert words.endswith((directory / "full.txt").read_text(encoding="utf-8"))
    assert {path: path.stat().st_mtime_ns for path in directory.rglob("*")} == before


@pytest.mark.slow
def test_compare_in_chinese_with_a_shock_as_json(tmp_path: Path) -> None:
    shock = next(iter(shocks()))
    code, answer, table = call(
        "compare", "demand_first", *SMALL, "--lang", "zh", "--shock", shock, "--json",
        "--fixed-parameters", out=tmp_path,
    )  # fmt: skip
    found = json.loads(answer)
    assert code == 0 and Path(found["directory"]).is_dir()
    assert {row["package"] for row in found["table"]} == {"demand_first"}
    assert set(found["beats"]["patents"]) == {"demand_first", "history"}
    assert shocks()[shock].title_zh in table and "中位数" in table
    lines = [line for line in table.splitlines() if "it/s" not in line]  # but the progress bar
    assert max(width(line) for line in lines) <= 100


@pytest.mark.slow
def test_run_shows_levels_and_bands(tmp_path: Path) -> None:
    code, answer, table = call("run", *SMALL, "--quiet", out=tmp_path)
    assert code == 0 and table == ""
    assert (Path(answer.strip()) / "figures" / "bands.png").is_file()
    words = (Path(answer.strip()) / "summary.txt").read_text(encoding="utf-8")
    assert "2 runs" in words and "Fewer than 20 runs" in words


def test_settings_change_the_run(tmp_path: Path) -> None:
    name = next(name for name, row in instruments().items() if row.type == "transfer")
    arguments = ["run", *SMALL, "--dry-run"]
    _, plain, words = call(*arguments, out=tmp_path)
    setting = f"instrument.{name}.rate={instruments()[name].rate_high}"
    code, changed, _ = call(*arguments, "--set", setting, out=tmp_path)
    assert code == 0 and plain != changed and "2 runs" in words
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("lang", "words"), [("en", "which a dry run does not make"), ("zh", "试运行不创建该目录")]
)
def test_a_dry_run_says_that_its_directory_is_not_made(
    tmp_path: Path, lang: str, words: str
) -> None:
    arguments = ["run", *SMALL, "--dry-run", "--lang", lang]
    code, answer, said = call(*arguments, out=tmp_path)
    place = answer.strip()
    assert code == 0 and place in said and words in said
    code, answer, _ = call(*arguments, "--json", "--quiet", out=tmp_path)
    found = json.loads(answer)
    assert code == 0 and (found["directory"], found["dry_run"]) == (place, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["run", "compare"])
def test_a_dry_run_gives_its_numbers_as_json(tmp_path: Path, command: str) -> None:
    """Bytes of memory are those of the arrays, and one chunk a scenario keeps one worker busy."""
    from ecosystem.runs.simulate import simulate
    from experiments.comparison.compare import needed_outcomes

    names = ["history", "demand_first"][: 1 if command == "run" else 2]
    words = [*SMALL, "--dry-run", "--json", "--quiet", "--jobs", "3"]
    code, answer, _ = call(command, names[-1], *words, out=tmp_path)
    found = json.loads(answer)
    assert code == 0 and found["runs"] == 2 * len(names) and found["quarters"] == 26
    assert found["workers"] == len(names)
    assert found["seconds"] > 0 and found["disk_bytes"] > 10_000
    result = simulate(
        names, replicates=2, until="2026Q2", world="teaching", jobs=1,
        outcomes=needed_outcomes() if command == "compare" else None,
    )  # fmt: skip
    arrays = [*result.series.values(), *result.summaries.values()]
    assert found["memory_bytes"] == sum(array.nbytes for array in arrays)


def test_a_dry_run_says_how_much_memory_and_how_many_workers(tmp_path: Path) -> None:
    _, answer, words = call("run", *SMALL, "--dry-run", "--jobs", "2", "--json", out=tmp_path)
    each = json.loads(answer)["memory_bytes"] / 2 / 1e3
    assert (
        "minutes on 1 worker," in words
        and f"MB of memory for what the runs leave, {each:.1f}" in words
    )


@pytest.mark.slow
def test_failed_runs_stand_in_text_and_answer(tmp_path: Path) -> None:
    from ecosystem.inputs.draws import draw_parameters
    from ecosystem.maths.chance import Chance

    hype = draw_parameters(Chance(1, range(2)), False, {})["hype"].min()
    (tmp_path / "hook.py").write_text(
        "def hook(record, state, setting):\n"
        f"    if (setting.parameters.hype > {hype}).any():\n"
        "        raise ValueError('too much hype')\n"
        "    return record\n",
        encoding="utf-8",
    )
    file = tmp_path / "NA.toml"
    file.write_text('extends = "history"\n[hooks]\ndrivers = "hook.py:hook"\n', encoding="utf-8")
    code, answer, words = call("run", file, *SMALL, "--json", out=tmp_path / "runs")
    found = json.loads(answer)
    assert code == 3 and "NA: 1 run, seed" in words and "NA: 1 of 2 runs failed" in words
    assert found["failed"] == {"runs": 1, "by_scenario": {"NA": 1}, "file": "failed.csv"}
    directory = Path(found["directory"])
    assert "failed.csv" in (directory / "summary.txt").read_text(encoding="utf-8")
    assert len(pd.read_csv(directory / "failed.csv")) == 1
    assert call("run", file, *SMALL, "--quiet", out=tmp_path / "runs")[0] == 3


def test_every_fault_is_reported_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text('extends = "bad.toml"\n[parameters]\nno_such = 1\n', encoding="utf-8")
    place = tmp_path / "runs"
    code, answer, words = call(
        "compare", "histori", "demand_cor", bad, "--until", "2040Q1", "--world", "nowhere",
        "--set", "instrument.no_such.rate=1", "--shock", "no_such:x", out=place,
    )  # fmt: skip
    assert code == 2 and answer == "" and not place.exists()
    for piece in ("histori", "demand_first", "bad.toml", "2040Q1", "nowhere", "--set", "--shock"):
        assert piece in words
    assert "Traceback" not in words


@pytest.mark.parametrize("command", ["run", "compare", "check"])
def test_a_command_lists_wrong_places_beside_all_else(command: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(
        'extends = "history"\n[parameters]\nno_such = 1\n'
        '[[instrument]]\nname = "hub_steering"\nplace = "lanzou"\n',
        encoding="utf-8",
    )
    code, answer, words = call(command, bad, *(() if command == "check" else ("--out", tmp_path)))
    assert code == 2 and answer == ""
    assert "no_such" in words and "instrument[0].place: 'lanzou'" in words
    assert words.count("lanzou") == words.count("parameters.no_such") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["compare", "--replicates", "0"],
        ["compare", "--lang", "fr"],
        ["run", "--no-such-option"],
        ["no-such-command"],
        ["list", "no-such-topic"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    assert call(*arguments)[0] == 2


def test_an_unwritable_place_is_exit_code_1(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder", encoding="utf-8")
    code, answer, words = call("run", *SMALL, out=file)
    assert code == 1 and answer == "" and "file" in words and "Traceback" not in words


def test_an_interrupted_run_is_exit_code_130(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("experiments.command.studies.run_all", interrupt)
    code, answer, words = call("run", *SMALL, out=tmp_path / "runs")
    assert code == 130 and answer == "" and "nothing was finished" in words
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_an_interrupted_study_says_how_to_go_on_and_does(tmp_path: Path) -> None:
    factors = tmp_path / "factors.toml"
    factors.write_text('factors = ["hype", "ecosystem_effectiveness"]\n', encoding="utf-8")
    words = ["sensitivity", "innovation_first", "--world", "teaching", "--until", "2030Q4"]
    words += ["--trajectories", "8", "--factors", str(factors), "--jobs", "1", "--quiet"]
    heard = (  # a shell's background job ignores the signal, and so would its children
        "import signal, runpy; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "runpy.run_module('experiments.command.cli', run_name='__main__', alter_sys=True)"
    )
    command = [sys.executable, "-c", heard, *words, "--out", str(tmp_path / "stopped")]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    end = time.monotonic() + 600
    while not (left := list(tmp_path.glob("stopped/*/chunks/*.parquet"))):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    answer, said = process.communicate(timeout=600)
    assert process.returncode == 130 and answer == "" and "Traceback" not in said
    assert "what was finished is kept" in said and "ecosystem sensitivity innovation_first" in said
    assert not list(tmp_path.glob("stopped/*/manifest.json"))
    before = {path: path.stat().st_mtime_ns for path in left}
    code, answer, _ = call(*words, out=tmp_path / "stopped")
    assert code == 0 and {path: path.stat().st_mtime_ns for path in left} == before
    code, whole, _ = call(*words, out=tmp_path / "whole")
    one, other = Path(answer.strip()), Path(whole.strip())
    for name in ("sensitivity.csv", "sensitivity_by_year.csv", "summary.txt"):
        assert (one / name).read_bytes() == (other / name).read_bytes()


def test_names_joined_by_commas_are_refused_all_at_once(tmp_path: Path) -> None:
    """With what to write instead, which is taken; a file may have a comma in its name."""
    joined = ["--outcomes", "jobs,patents", "--shock", "ai_winter,hub_outage"]
    joined += ["--outcomes", "fill,births", "--outcomes", "patent"]
    code, _, words = call("compare", "article,none", *joined, "--dry-run", out=tmp_path)
    assert code == 2 and len(words.splitlines()) == 5
    wanted = "--outcomes jobs --outcomes patents --shock ai_winter --shock hub_outage".split()
    assert all(piece in words for piece in ("article none", " ".join(wanted[:4])))
    (tmp_path / "a,b.toml").write_text("", encoding="utf-8")
    rest = [*wanted, *SMALL, "--dry-run", "--quiet"]
    assert call("compare", tmp_path / "a,b.toml", "none", *rest, out=tmp_path)[0] == 0


@pytest.mark.parametrize(
    "topic", ["instruments", "packages", "shocks", "parameters", "outcomes", "targets", "worlds"]
)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_lists(topic: str, lang: str) -> None:
    code, answer, _ = call("list", topic, "--lang", lang)
    assert code == 0 and len(answer.splitlines()) > 2
    assert len(json.loads(call("list", topic, "--json")[1])) >= 2
    if lang == "zh":  # headings are words; names, symbols of units and what files set stay
        head, *rows = answer.splitlines()
        assert not re.search("[A-Za-z]", head)
        cells = "\n".join(row for row in rows if not row.startswith(" "))  # below stand meanings
        assert not re.search(r"M¥|/year|  yes|present_value|review needed|hold_out", cells)


def test_list_without_a_topic_is_an_overview() -> None:
    code, answer, _ = call("list")
    assert code == 0 and "demand_first" in answer and "teaching" in answer
    assert max(width(line) for line in answer.splitlines()) <= 100


def test_check_says_ok_or_every_fault(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    good.write_text('extends = "history"\n', encoding="utf-8")
    bad.write_text('extends = "histry"\n[parameters]\nno_such = 1\n', encoding="utf-8")
    code, answer, _ = call("check", good)
    assert code == 0 and "ok" in answer
    code, answer, words = call("check", bad)
    assert code == 2 and answer == ""
    assert "histry" in words and "history" in words and "no_such" in words
    code, answer, _ = call("check", good, good)
    assert code == 0 and len(answer.splitlines()) == 2
    worse = tmp_path / "worse.toml"
    worse.write_text('[[instrument]]\nname = "hub_steering"\nstart = "2024Q1"\n', encoding="utf-8")
    code, answer, words = call("check", good, bad, worse)
    assert code == 2 and answer == "" and len(words.splitlines()) == 3
    assert "no_such" in words and "the past is on record" in words
    (tmp_path / "world").mkdir()
    assert call("check", tmp_path / "world")[0] == 2
    assert call("check", tmp_path / "missing.toml")[0] == 2
