"""What a run survives: failing runs, full disks, torn shards, two processes, kills, Ctrl-C."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import ensemble_models as models
import numpy as np
import pandas as pd
import pytest
from ensemble_runs import filled, own, shards
from typer.testing import CliRunner

from ecosystem import Scenario, cross, run_design, simulate
from ecosystem.inputs.faults import InputError
from ecosystem.inputs.functions import HookError
from ecosystem.runs import directory as directories
from ecosystem.runs import identity
from ecosystem.runs.runner import Ensemble, read_frame
from experiments.command.cli import app

ROOT = Path(__file__).parents[1]


def cut_short(out: Path, after: int) -> Path:
    """Stop a run after some shards and return its directory."""
    runs = own(out)
    stream = iter(runs)
    for _ in range(after):
        next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert runs.directory is not None
    return runs.directory


def test_a_run_that_fails_becomes_a_row_and_the_others_go_on(tmp_path: Path) -> None:
    runs = own(tmp_path, models.fails_at_seven, chunk_runs=12)
    with pytest.warns(UserWarning, match="2 of 12 runs failed, see `failures`; run 7: "):
        frame = runs.frame()
    assert frame["value"].tolist() == [0, 1, 2, 3, 4, 5, 6, 8, 9, 10]
    assert [row["run"] for row in runs.failures] == [7, 11]
    failed = pd.read_csv((runs.directory or tmp_path) / "failed.csv")
    assert failed["run"].tolist() == [7, 11]
    assert "seven is not for me" in failed["error"][0] and "not finite" in failed["error"][1]
    assert json.loads(failed["parameters"][0]) == {"x1": 7.0}
    assert failed["command"][0] == f"ecosystem reproduce {runs.directory} --run 7"
    manifest = json.loads(((runs.directory or tmp_path) / "manifest.json").read_text("utf-8"))
    assert (manifest["runs"], manifest["failed"]) == (12, 2)
    here = own(None, models.fails_at_seven, chunk_runs=12)
    with pytest.warns(UserWarning, match="2 of 12 runs failed"):
        pd.testing.assert_frame_equal(here.frame(), frame)
    assert [row["run"] for row in here.failures] == [7, 11]


def test_a_failed_run_of_the_model_is_not_a_number_in_its_arrays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ecosystem import outcomes

    measure = outcomes.measure

    def broken(quarter: Any, setting: Any) -> Any:
        values = measure(quarter, setting)
        unlucky = setting.parameters.hype > limit
        return values | {"patents": np.where(unlucky, np.nan, values["patents"])}

    options: dict[str, Any] = {
        "world": "teaching", "until": "2020Q2", "replicates": 5, "jobs": 1, "outcomes": ["patents"],
    }  # fmt: skip
    whole = simulate("history", **options)
    hype = whole.draw_values["hype"]
    limit = np.sort(hype)[-2] - 1e-12  # the two highest fail
    monkeypatch.setattr("ecosystem.runs.core.measure", broken)
    found = simulate("history", out=tmp_path, **options)
    bad = np.flatnonzero(hype > limit)
    assert [row["run"] for row in found.failed] == list(bad) and len(bad) == 2
    assert found.failed[0]["parameters"]["hype"] == hype[bad[0]]
    good = np.setdiff1d(range(5), bad)
    np.testing.assert_array_equal(
        found.series["patents"][0, good], whole.series["patents"][0, good]
    )
    assert np.isnan(found.summaries["patents"][0, bad]).all()
    with pytest.raises(FloatingPointError, match="patents is not finite"):
        simulate("history", **options)
    limit = -1.0
    with pytest.raises(FloatingPointError, match="every run failed, see"):
        simulate("history", out=tmp_path / "all", **options)


def test_only_missing_shards_are_run_again(tmp_path: Path) -> None:
    whole = filled(tmp_path / "whole")
    half = cut_short(tmp_path / "half", 3)
    assert 3 <= len(shards(half)) < 6 and not directories.is_complete(half)
    before = {path: path.stat().st_mtime_ns for path in half.glob("shards/*")}
    (half / "shards" / ".00009-x.parquet.part").write_text("of a killed process")
    seen: list[tuple[int, int]] = []
    assert filled(tmp_path / "half", progress=lambda *done: seen.append(done)) == half
    assert seen[0] == (2 * len(before), 12) and seen[-1] == (12, 12)
    assert shards(half) == shards(whole) and not list(half.glob("shards/.*"))
    assert (
        before.items() <= {path: path.stat().st_mtime_ns for path in half.glob("shards/*")}.items()
    )
    after = {path: path.stat().st_mtime_ns for path in half.rglob("*") if path.name != ".lock"}
    filled(tmp_path / "half")
    assert after == {
        path: path.stat().st_mtime_ns for path in half.rglob("*") if path.name != ".lock"
    }


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, left = os.replace, [4]

    def full(source: Any, target: Any) -> None:
        left[0] -= str(target).endswith(".parquet") and "shards" in str(target)
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="4 of 6 shards are whole") as caught:
        filled(tmp_path)
    assert caught.value.errno == errno.ENOSPC and "No space left" in str(caught.value)
    monkeypatch.undo()
    directory = next(tmp_path.iterdir())
    assert len(shards(directory)) == 4 and not list(directory.glob("shards/.*"))
    assert filled(tmp_path) == directory
    assert read_frame(directory).equals(own(None).frame())


def test_a_limit_of_the_system_is_a_full_disk(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        design = cross(points={"x1": np.random.default_rng(1).normal(size=3000)})
        runs = run_design(design, model=models.two_outcomes, executor="serial", out=tmp_path)
        with pytest.raises(OSError):
            runs.complete()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert runs.complete().frame()["value"].notna().all()


def test_a_place_that_cannot_be_written_is_found_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        own(tmp_path / "file", models.deadly).complete()


def test_a_corrupt_shard_is_named_set_aside_and_run_again(tmp_path: Path) -> None:
    directory = filled(tmp_path)
    names = shards(directory)
    bad = directory / "shards" / names[2]
    bad.write_bytes(bad.read_bytes()[:-7] + b"garbage")
    with pytest.raises(InputError, match=names[2]):
        read_frame(directory)
    with pytest.warns(UserWarning, match=f"{names[2]}: not as it was written"):
        filled(tmp_path)
    assert shards(directory) == names
    assert (directory / "shards" / f"{names[2]}.corrupt").is_file()
    assert read_frame(directory).equals(own(None).frame())
    manifest = json.loads((directory / "manifest.json").read_text("utf-8"))
    listed = {f"shards/{name}" for name in names} | {"plan.json", "design.parquet"}
    assert set(manifest["files"]) == listed | {"points.parquet"}  # not itself, nothing set aside
    (directory / "manifest.json").unlink()
    with pytest.warns(UserWarning, match="is not finished"):
        read_frame(directory)


def test_two_processes_do_not_share_a_directory(tmp_path: Path) -> None:
    first, second = own(tmp_path), own(tmp_path)
    stream = iter(first)
    next(stream)
    with pytest.raises(InputError, match=f"in use by process {os.getpid()}"):
        second.complete()
    for _ in stream:
        pass
    assert second.complete().directory == first.directory


def test_other_code_or_data_is_refused_and_nothing_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = cut_short(tmp_path, 2)
    before = {path: path.read_bytes() for path in directory.glob("shards/*")}
    other = dict(identity.model_digests(), code="0" * 64, tables="1" * 64)
    for place in ("request", "chunks"):
        monkeypatch.setattr(f"ecosystem.runs.{place}.model_digests", lambda: other)
    with pytest.raises(InputError, match=r"begun with other data\.tables, data\.code") as caught:
        filled(tmp_path)
    assert str(directory) in str(caught.value)
    assert filled(tmp_path / "elsewhere").name != directory.name
    monkeypatch.undo()
    assert before == {path: path.read_bytes() for path in directory.glob("shards/*")}
    assert filled(tmp_path) == directory


def test_other_versions_or_a_renamed_directory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = cut_short(tmp_path, 2)
    other = dict(identity.versions(), numpy="0.1")
    monkeypatch.setattr("ecosystem.runs.directory.versions", lambda: other)
    with pytest.raises(InputError, match=r"versions\.numpy.*0\.1, which is here now"):
        filled(tmp_path)
    monkeypatch.undo()
    (tmp_path / "b").mkdir()
    name = own(tmp_path / "b", seed=2).directory
    directory.rename(name or tmp_path)
    with pytest.raises(InputError, match=r"configuration\.seed"):
        filled(tmp_path / "b", seed=2)


def test_a_worker_of_other_code_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = own(None)
    other = dict(identity.model_digests(), code="0" * 64)
    monkeypatch.setattr("ecosystem.runs.chunks.model_digests", lambda: other)
    with pytest.raises(InputError, match="the code the runs began with"):
        runs.complete()


@pytest.mark.slow
def test_a_hook_that_always_fails_stops_everything_and_one_in_a_run_does_not(
    tmp_path: Path,
) -> None:
    luck = simulate("history", world="teaching", until="2020Q1", replicates=4, outcomes=["pue"])
    hype = luck.draw_values["hype"]
    limit = np.sort(hype)[-2]

    def hot(record: Any, state: Any, setting: Any) -> Any:
        if (setting.parameters.hype > limit).any():
            raise ValueError("too much hype")
        return record

    def filled_with(hook: Any) -> Ensemble:
        design = cross(Scenario(hooks={"drivers": hook}), replicates=4)
        runs = run_design(
            design, world="teaching", until="2025Q3", outcomes=["pue"], out=tmp_path
        )  # fmt: skip
        return runs.complete()

    with pytest.raises(HookError, match="division by zero"):
        filled_with(lambda record, state, setting: 1 / 0)
    assert list(tmp_path.iterdir()) == []
    (failed,) = filled_with(hot).failures
    assert failed["run"] == int(np.argmax(hype)) and "too much hype" in failed["error"]


HEARD = (  # a shell's background job ignores the signal, and so would its children
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_the_same_command_goes_on(tmp_path: Path) -> None:
    command = [
        sys.executable, "-c", HEARD, "-m", "experiments.command.cli",
        "run", "--replicates", "400", "--until", "2025Q3",
    ]  # fmt: skip
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "cut")],
        cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    begin = time.monotonic()
    while not (kept := list(tmp_path.rglob("shards/*.parquet"))) and time.monotonic() < begin + 60:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers get it too
    answer, said = process.communicate(timeout=60)
    assert process.returncode == 130, said.decode()
    assert "interrupted" in said.decode() and "the same command" in said.decode()
    assert answer == b"" and "Traceback" not in said.decode()
    before = {path: path.stat().st_mtime_ns for path in kept}
    assert before and not list(tmp_path.rglob(directories.MANIFEST))
    cut, whole = (
        Path(
            subprocess.run(
                [*command, "--quiet", "--out", str(tmp_path / name)],
                cwd=ROOT, check=True, capture_output=True, text=True,
            ).stdout.strip()
        )
        for name in ("cut", "whole")
    )  # fmt: skip
    assert before == {path: path.stat().st_mtime_ns for path in kept}
    for name in ("results.parquet", "summary.csv", "levels.csv"):
        assert (ROOT / cut / name).read_bytes() == (ROOT / whole / name).read_bytes(), name


@pytest.mark.slow
def test_a_full_disk_in_a_study_is_said_and_the_same_command_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    factors = tmp_path / "two.toml"
    factors.write_text('factors = ["hype", "ecosystem_effectiveness"]\n', encoding="utf-8")
    words = ["sensitivity", "innovation_first", "--world", "teaching", "--until", "2025Q4"]
    words += ["--trajectories", "4", "--jobs", "1", "--factors", str(factors), "--quiet"]
    words += ["--out", str(tmp_path / "out")]
    real = os.replace

    def full(source: Any, target: Any) -> None:
        if Path(target).name.startswith("00001-"):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        stopped = CliRunner().invoke(app, words)
    assert stopped.exit_code == 1 and stopped.stdout == ""
    assert stopped.stderr.startswith("error: No space left on device; 1 of 2 shards are whole")
    assert "the same command goes on" in stopped.stderr and "Traceback" not in stopped.stderr
    (kept,) = (tmp_path / "out").rglob("shards/*.parquet")
    before = kept.stat().st_mtime_ns
    again = CliRunner().invoke(app, words)
    assert again.exit_code == 0, again.stderr
    assert kept.stat().st_mtime_ns == before
    assert (Path(again.stdout.strip()) / "sensitivity.csv").is_file()


@pytest.mark.slow
def test_a_sample_of_the_kill_campaign() -> None:
    kill = pytest.importorskip("benchmarks.campaigns.kill")
    if not Path("/proc").is_dir():
        pytest.skip("needs /proc")
    cases, ends = kill.campaign(10, seed=4)
    assert len(cases) == 10
    assert not [case for case in cases if case.fault] and not any(ends)
