"""`ecosystem reproduce`, and what `run` and `compare` do with a runner below them."""

import json
import os
from pathlib import Path
from typing import Any

import ensemble_models as models
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from ecosystem import Scenario, cross, run_design
from ecosystem.ensemble import identity
from ecosystem.ensemble.recall import recalled
from ecosystem.ensemble.shards import encoded, shard_name
from ecosystem.errors import InputError
from experiments.cli import app
from experiments.reproduce import reproduce

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
    """Write a shard as if the first value had come out differently."""
    path = sorted(directory.glob("shards/*.parquet"))[0]
    table = pq.read_table(path)
    value = table.column("value").to_numpy().copy()
    value[np.argmax(value)] *= factor
    table = table.set_column(table.column_names.index("value"), "value", [value])
    content = encoded(table)
    path.unlink()
    (path.parent / shard_name(0, content)).write_bytes(content)


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
    monkeypatch.setattr("ecosystem.ensemble.identity.versions", lambda: other)
    code, answer, _ = call("reproduce", directory, "--jobs", "1", "--quiet")
    assert code == 1 and "1 further off (in 1 runs)" in answer
    assert "numpy: " in answer and "→ 9.9" in answer and "threshold" in answer
    assert len(reproduce(directory, jobs=1).table()) == 1


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    directory = filled(tmp_path)
    sorted(directory.glob("shards/*.parquet"))[1].unlink()
    found = reproduce(directory, jobs=1)
    assert found.equal and (found.missing, found.shards) == (1, 4)
    assert "1 of 4 shards" in found.text()


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
    from ecosystem.chance import Chance
    from ecosystem.draws import draw_parameters

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


def test_a_dry_run_says_runs_time_and_disk(tmp_path: Path) -> None:
    words = ["--world", "teaching", "--dry-run", "--out", str(tmp_path)]
    code, _, said = call("compare", "demand_first", "--replicates", "10", *words)
    assert code == 0 and "20 runs" in said and "minutes on" in said and "MB on disk" in said
    code, _, said = call("compare", "demand_first", "--decompose", *words)
    assert code == 0 and not list(tmp_path.iterdir())


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
        patch.setattr("pathlib.Path.replace", lambda source, target: full(source, target))
        code, _, said = call(*words)
        assert code == 1 and "No space left on device" in said
    (directory,) = tmp_path.iterdir()
    shards = {path: path.stat().st_mtime_ns for path in directory.rglob("shards/*")}
    assert shards and not (directory / "manifest.json").exists()
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
