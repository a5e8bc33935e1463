"""`ecosystem reproduce`, and what `run` and `compare` do with a runner below them."""

import hashlib
import json
import os
import re
import time
from pathlib import Path
from typing import Any

import ensemble_models as models
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from ecosystem import Scenario, cross, run_design
from ecosystem.inputs.faults import InputError
from ecosystem.runs import identity
from ecosystem.runs.recall import recalled
from ecosystem.runs.shards import encoded, shard_name
from experiments.command.cli import app
from experiments.command.reproduce import reasons, reproduce

SMALL = ["--world", "teaching", "--replicates", "3", "--until", "2025Q3", "--jobs", "1"]
HOOK = """
def hook(record, state, setting):
    if setting.parameters.hype.max() > {limit!r}:
        raise ValueError("too much hype")
    return record
"""


def call(*arguments: str | Path) -> tuple[int, str, str]:
    """Run the command; return exit code, standard output and standard error."""
    result = CliRunner().invoke(app, [str(word) for word in arguments], env={"COLUMNS": "200"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def filled(out: Path) -> Path:
    """Run a design with everything that a plan must spell out, and return its directory."""
    scenario = Scenario("article", shocks=["ai_winter"], parameters={"loan_share": 0.5})
    design = cross(
        ["history", scenario], points={"hype": [0.1, 0.4]}, replicates=2, luck=[3, 5]
    )  # fmt: skip
    runs = run_design(
        design, world="teaching", until="2020Q4", outcomes=["patents", "servers"], seed=7,
        keep=("yearly", "end"), executor="serial", chunk_runs=3, out=out,
    ).complete()  # fmt: skip
    assert runs.directory is not None
    return runs.directory


def change_shard(directory: Path, factor: float) -> None:
    """Write a shard, and the manifest, as if the largest value had come out differently."""
    path = sorted(directory.glob("shards/*.parquet"))[0]
    table = pq.read_table(path)
    value = table.column("value").to_numpy().copy()
    value[np.argmax(value)] *= factor
    table = table.set_column(table.column_names.index("value"), "value", [value])
    content = encoded(table)
    path.unlink()
    other = path.parent / shard_name(directory.name, 0, content)
    other.write_bytes(content)
    manifest = json.loads((directory / "manifest.json").read_text("utf-8"))
    del manifest["files"][f"shards/{path.name}"]
    manifest["files"][f"shards/{other.name}"] = hashlib.sha256(content).hexdigest()
    (directory / "manifest.json").write_text(json.dumps(manifest), "utf-8")


@pytest.mark.slow
def test_a_design_comes_back_from_its_directory_and_gives_the_same_values(tmp_path: Path) -> None:
    directory = filled(tmp_path)
    design, options = recalled(directory)
    again = run_design(design, executor="serial", out=tmp_path / "again", **options).complete()
    assert again.directory is not None and again.directory.name == directory.name
    code, answer, _ = call("reproduce", directory, "--jobs", "1", "--quiet")
    assert code == 0 and "64 values compared: 64 the same to the last bit" in answer
    code, answer, _ = call("reproduce", directory, "--run", "5", "--jobs", "1", "--quiet")
    assert code == 0 and "8 values compared: 8 the same" in answer


@pytest.mark.slow
def test_differences_are_counted_listed_and_given_reasons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = filled(tmp_path)
    change_shard(directory, 1 + 1e-12)
    found = reproduce(directory, jobs=1)
    assert found.equal and (found.same, found.close) == (63, 1)
    assert "are as they were then" in found.text()
    change_shard(directory, 1.5)
    other = dict(identity.versions(), numpy="9.9")
    monkeypatch.setattr("ecosystem.runs.identity.versions", lambda: other)
    code, answer, _ = call("reproduce", directory, "--jobs", "1", "--quiet")
    assert code == 1 and "1 further off (in 1 runs)" in answer
    assert "numpy: " in answer and "→ 9.9" in answer and "threshold" in answer
    assert len(reproduce(directory, jobs=1).table()) == 1


@pytest.mark.slow
def test_what_is_missing_is_said(tmp_path: Path) -> None:
    directory = filled(tmp_path)
    lost = sorted(directory.glob("shards/*.parquet"))[1]
    lost.unlink()
    found = reproduce(directory, jobs=1)
    assert not found.equal and (found.missing, found.shards) == (1, 4)
    assert "1 of 4 shards" in found.text() and f"  shards/{lost.name}: missing" in found.text()
    (directory / "manifest.json").unlink()  # as if the run had not been finished
    found = reproduce(directory, jobs=1)
    assert found.equal and (found.missing, found.shards) == (1, 4)
    assert "1 of 4 shards" in found.text() and "not finished" in found.text()
    for path in directory.glob("shards/*.parquet"):
        path.unlink()
    with pytest.raises(InputError, match="a run directory with shards"):
        reproduce(directory, jobs=1)


def test_files_are_checked_against_the_manifest(tmp_path: Path) -> None:
    design = cross(points={"x1": np.arange(12.0)})
    runs = run_design(design, model=models.fails_at_seven, executor="serial", out=tmp_path)
    directory = runs.complete().directory
    assert directory is not None
    listed = json.loads((directory / "manifest.json").read_text("utf-8"))["files"]
    found = reproduce(directory, jobs=1)
    assert found.equal and found.files == len(listed) and found.finished
    assert f"{len(listed)} files checked" in found.text() and "not made anew" in found.text()
    table = directory / "failed.csv"
    table.write_bytes(table.read_bytes().replace(b"seven", b"eight"))
    code, answer, _ = call("reproduce", directory, "--jobs", "1", "--quiet")
    assert code == 1 and "failed.csv: missing, or not" in answer and "0 further off" in answer
    code, answer, _ = call("reproduce", directory, "--jobs", "1", "--quiet", "--lang", "zh")
    assert code == 1 and "failed.csv：缺失" in answer
    table.unlink()
    assert reproduce(directory, jobs=1).altered == ["failed.csv"]
    assert reproduce(directory, run=3, jobs=1).equal  # a single run alone


def test_a_run_is_found_in_those_ensembles_that_have_one_of_its_number(tmp_path: Path) -> None:
    for count in (12, 5):
        design = cross(points={"x1": np.arange(float(count))})
        out = tmp_path / "ensembles"
        run_design(design, model=models.two_outcomes, executor="serial", out=out).complete()
    assert (reproduce(tmp_path, run=4).values, reproduce(tmp_path, run=9).values) == (4, 2)
    assert reproduce(tmp_path).values == 2 * (12 + 5)
    with pytest.raises(InputError, match="below 12"):
        reproduce(tmp_path, run=12)


def test_an_ensemble_without_a_shard_counts_as_missing(tmp_path: Path) -> None:
    for count in (12, 5):
        design = cross(points={"x1": np.arange(float(count))})
        out = tmp_path / "ensembles"
        runs = run_design(design, model=models.two_outcomes, executor="serial", out=out).complete()
    assert runs.directory is not None  # the second, as if the run had been killed within it
    (runs.directory / "manifest.json").unlink()
    next(runs.directory.glob("shards/*")).unlink()
    found = reproduce(tmp_path)
    assert found.equal and (found.values, found.missing, found.shards) == (24, 1, 2)


@pytest.mark.parametrize("record", ["plan.json", "manifest.json"])
def test_versions_at_the_beginning_and_at_the_end_are_reasons(tmp_path: Path, record: str) -> None:
    design = cross(points={"x1": np.arange(4.0)})
    runs = run_design(design, model=models.two_outcomes, executor="serial", out=tmp_path)
    directory = runs.complete().directory
    assert directory is not None
    assert reasons(directory, models.two_outcomes) == {} and "SALib" in identity.versions()
    content = json.loads((directory / record).read_text("utf-8"))
    content["versions"]["SALib"] = "0.1"
    content["configuration"]["data"]["tables"] = "f" * 64
    (directory / record).write_text(json.dumps(content), "utf-8")
    now = {"SALib": identity.versions()["SALib"], "tables": identity.model_digests()["tables"][:12]}
    assert reasons(directory, models.two_outcomes) == {
        "SALib": ("0.1", now["SALib"]),
        "tables": ("f" * 12, now["tables"]),
    }


def test_a_model_of_ones_own_is_found_again_and_fails_as_it_did(tmp_path: Path) -> None:
    design = cross(points={"x1": np.arange(12.0)})
    runs = run_design(design, model=models.fails_at_seven, executor="serial", out=tmp_path)
    directory = runs.complete().directory
    assert directory is not None
    assert reproduce(directory, jobs=1).equal
    assert reproduce(directory, run=7, jobs=1).equal
    code, answer, _ = call("reproduce", directory, "--run", "7", "--jobs", "1", "--quiet")
    assert code == 0 and "seven is not for me" in answer


def test_what_is_no_run_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a run directory with shards"):
        reproduce(tmp_path)
    directory = filled(tmp_path)
    path = directory / "plan.json"
    plan = json.loads(path.read_text("utf-8"))
    plan["configuration"]["scenarios"][0]["name"] = "another"
    path.write_text(json.dumps(plan), "utf-8")
    assert call("reproduce", directory, "--quiet")[0] == 2
    path.write_text("{", "utf-8")
    assert call("reproduce", directory, "--quiet")[0] == 2
    with pytest.raises(InputError, match="below 8"):
        reproduce(filled(tmp_path / "b"), run=8)


def failing(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """Write a package with a hook that fails in the run with the most hype; return the hypes."""
    from ecosystem.inputs.draws import draw_parameters
    from ecosystem.maths.chance import Chance

    hype = draw_parameters(Chance(1, range(3)), False, {})["hype"]
    (tmp_path / "hook.py").write_text(HOOK.format(limit=float(np.sort(hype)[-2])))
    file = tmp_path / "mine.toml"
    file.write_text('extends = "history"\n[hooks]\ndrivers = "hook.py:hook"\n')
    return file, hype


@pytest.mark.slow
def test_a_command_with_failed_runs_ends_with_3_and_lists_them(tmp_path: Path) -> None:
    file, hype = failing(tmp_path)
    code, answer, words = call("run", file, *SMALL, "--out", tmp_path / "runs")
    directory = Path(answer.strip())
    assert code == 3 and "1 runs failed" in words
    failed = pd.read_csv(directory / "failed.csv")
    assert failed["run"].tolist() == [int(np.argmax(hype))]
    assert json.loads(failed["parameters"][0])["hype"] == hype.max()
    assert call("run", file, *SMALL, "--out", tmp_path / "runs")[0] == 3
    words_of_one = failed["command"][0].split()
    assert words_of_one[:2] == ["ecosystem", "reproduce"]
    code, answer, _ = call(*words_of_one[1:], "--quiet")
    assert code == 0 and "too much hype" in answer


@pytest.mark.slow
def test_a_dry_run_says_runs_time_and_disk(tmp_path: Path) -> None:
    words = ["--world", "teaching", "--dry-run", "--out", str(tmp_path)]
    code, _, said = call("compare", "demand_first", "--replicates", "10", *words)
    assert code == 0 and "20 runs" in said and "minutes on" in said and "MB on disk" in said
    code, _, said = call("compare", "demand_first", "--decompose", *words)
    assert code == 0 and not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["run", "--replicates", "60"],
        ["compare", "demand_first", "--replicates", "20", "--shock", "ai_winter"],
    ],
)
def test_a_dry_run_foresees_the_directory_and_the_time(tmp_path: Path, words: list[str]) -> None:
    """Bytes within a quarter, minutes within three times.

    Bytes are the same on every machine but for how pictures and columns compress. Time is told to
    a tenth of a minute (the 3 s), and a busy machine may give a process half of itself.
    """
    arguments = [*words, "--world", "teaching", "--jobs", "1", "--out", str(tmp_path)]
    _, _, said = call(*arguments, "--dry-run")
    found = re.search(r"about ([\d.]+) minutes on 1 workers, ([\d.]+) MB on disk", said)
    assert found is not None
    foreseen, size = 60 * float(found[1]), 1e6 * float(found[2])
    start = time.perf_counter()
    _, answer, _ = call(*arguments, "--quiet")
    taken = time.perf_counter() - start
    assert taken / 3 - 3 < foreseen < 3 * taken + 3
    real = sum(path.stat().st_size for path in Path(answer.strip()).rglob("*") if path.is_file())
    assert size / 1.25 < real < 1.25 * size


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--executor", "threads"], "executor"),
        (["--cluster", "tcp://127.0.0.1:1", "--executor", "serial"], "executor dask"),
    ],
)
def test_wrong_executors_are_refused(tmp_path: Path, arguments: list[str], word: str) -> None:
    code, answer, words = call("run", *SMALL, *arguments, "--out", tmp_path)
    assert code == 2 and answer == "" and word in words
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_full_disk_is_exit_code_1_and_the_same_command_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.replace

    def full(source: Any, target: Any) -> None:
        if str(target).endswith("table.txt") or str(target).endswith("summary.txt"):
            raise OSError(28, "No space left on device", str(target))
        real(source, target)

    words = ["run", *SMALL, "--quiet", "--out", str(tmp_path)]
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        code, _, said = call(*words)
        assert code == 1 and "No space left on device" in said
    (directory,) = tmp_path.iterdir()
    shards = {path: path.stat().st_mtime_ns for path in directory.rglob("shards/*")}
    assert shards and not (directory / "manifest.json").exists()
    assert not list(directory.rglob("*.part"))
    assert call(*words)[0] == 0 and (directory / "manifest.json").exists()
    assert shards == {path: path.stat().st_mtime_ns for path in directory.rglob("shards/*")}


@pytest.mark.slow
def test_compare_is_reproduced(tmp_path: Path) -> None:
    words = ["compare", "demand_first", *SMALL, "--shock", "ai_winter:0.5:2025Q1", "--quiet"]
    code, answer, _ = call(*words, "--out", tmp_path)
    assert code == 0 and len(list(tmp_path.glob("*/ensembles/*"))) == 2
    code, said, _ = call("reproduce", answer.strip(), "--jobs", "1", "--quiet")
    assert code == 0 and "0 further off" in said
    shard = next(tmp_path.glob("*/ensembles/*/shards/*"))
    content = shard.read_bytes()
    shard.write_bytes(content[:-1])
    code, said, _ = call("reproduce", answer.strip(), "--jobs", "1", "--quiet")
    assert code == 2
    code, again, said = call(*words, "--out", tmp_path)
    assert code == 0 and again == answer and f"warning: {shard}: not as it was" in said
    assert shard.read_bytes() == content


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["altered", "missing"])
def test_a_damaged_shard_of_a_finished_study_is_run_again(tmp_path: Path, damage: str) -> None:
    factors = tmp_path / "factors.toml"
    factors.write_text('factors = ["hype", "ecosystem_effectiveness"]\n', encoding="utf-8")
    words = ["sensitivity", "innovation_first", "--world", "teaching", "--until", "2025Q3"]
    words += ["--trajectories", "4", "--factors", str(factors), "--jobs", "1", "--quiet"]
    code, answer, _ = call(*words, "--out", tmp_path)
    directory = Path(answer.strip())
    table = (directory / "sensitivity.csv").read_bytes()
    shard = next(directory.glob("ensembles/*/shards/*"))
    content = shard.read_bytes()
    shard.unlink()
    if damage == "altered":
        shard.write_bytes(content[:-1])
    code, again, said = call(*words, "--out", tmp_path)
    assert code == 0 and again == answer and shard.read_bytes() == content
    assert (f"warning: {shard}: not as it was" in said) == (damage == "altered")
    assert (directory / "sensitivity.csv").read_bytes() == table
    assert (
        "run before" in call(*[word for word in words if word != "--quiet"], "--out", tmp_path)[2]
    )
