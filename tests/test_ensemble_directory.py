"""Run directories: failing runs, full disks, torn chunks, two processes, kills, other versions."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import ensemble_models as models
import numpy as np
import pandas as pd
import pytest
from ensemble_runs import ROOT, chunks, filled, own

from ecosystem import Scenario, cross, run_design, simulate
from ecosystem.inputs.faults import InputError
from ecosystem.inputs.fingerprint import digest_of_file
from ecosystem.inputs.functions import HookError
from ecosystem.runs import directory as directories
from ecosystem.runs import identity
from ecosystem.runs.runner import read_frame, read_frames
from ecosystem.runs.store import chunk_paths, opened

CONFIGURATION = {"command": "study"}
SMALL: dict[str, Any] = {"world": "teaching", "until": "2020Q2", "outcomes": ["patents"]}


def cut_short(out: Path, after: int) -> Path:
    """Stop a run after some chunks and return its directory."""
    runs = own(out)
    stream = iter(runs)
    for _ in range(after):
        next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert runs.directory is not None
    return runs.directory


def times(directory: Path) -> dict[Path, int]:
    found = (path for path in directory.rglob("*") if path.is_file() and path.name[0] != ".")
    return {path: path.stat().st_mtime_ns for path in found}


def test_a_run_that_fails_becomes_a_row_and_the_others_go_on(tmp_path: Path) -> None:
    runs = own(tmp_path, models.fails_at_seven, chunk_runs=12)
    with pytest.warns(UserWarning, match="2 of 12 runs failed, see `failures`; run 7: "):
        frame = runs.frame()
    directory = runs.directory or tmp_path
    assert frame["value"].tolist() == [0, 1, 2, 3, 4, 5, 6, 8, 9, 10]
    assert [row["run"] for row in runs.failures] == [7, 11]
    failed = pd.read_csv(directory / "failed.csv")
    assert failed["run"].tolist() == [7, 11]
    assert "seven is not for me" in failed["error"][0] and "not finite" in failed["error"][1]
    assert json.loads(failed["parameters"][0]) == {"x1": 7.0}
    assert failed["command"][0] == f"ecosystem reproduce {directory} --run 7"
    manifest = json.loads((directory / "manifest.json").read_text("utf-8"))
    assert (manifest["runs"], manifest["failed"]) == (12, 2)
    here = own(None, models.fails_at_seven, chunk_runs=12)
    with pytest.warns(UserWarning, match="2 of 12 runs failed"):
        pd.testing.assert_frame_equal(here.frame(), frame)
    for read in (read_frame, lambda place: list(read_frames(place))):
        with pytest.warns(UserWarning, match="2 runs failed and are in no frame, see failed.csv"):
            read(directory)
    (directory / "chunks" / chunks(directory)[0]).unlink()
    assert len(own(tmp_path, models.fails_at_seven, chunk_runs=12).complete().failures) == 2


def test_a_failed_run_of_the_model_is_not_a_number_in_its_arrays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ecosystem.outcomes import measure

    def broken(quarter: Any, setting: Any, names: Any) -> Any:
        values = measure(quarter, setting, names)
        unlucky = setting.parameters.hype > limit
        return values | {"patents": np.where(unlucky, np.nan, values["patents"])}

    options = {**SMALL, "replicates": 5, "jobs": 1}
    whole = simulate("history", **options)
    hype = whole.draw_values["hype"]
    limit = np.sort(hype)[-2] - 1e-12  # the two highest fail
    monkeypatch.setattr("ecosystem.runs.chunk.measure", broken)
    found = simulate("history", out=tmp_path, **options)
    bad = np.flatnonzero(hype > limit)
    assert [row["run"] for row in found.failed] == list(bad) and len(bad) == 2
    assert found.failed[0]["parameters"]["hype"] == hype[bad[0]]
    good = np.setdiff1d(range(5), bad)
    expected = whole.series["patents"][0, good]
    np.testing.assert_array_equal(found.series["patents"][0, good], expected)
    assert np.isnan(found.summaries["patents"][0, bad]).all()
    with pytest.raises(FloatingPointError, match="patents is not finite"):
        simulate("history", **options)
    limit = -1.0
    with pytest.raises(FloatingPointError, match="every run failed, see"):
        simulate("history", out=tmp_path / "all", **options)


def test_failed_runs_are_counted_by_scenario_and_shock() -> None:
    plans = [Scenario(["history"], name="plan", shocks=own) for own in ([], ["ai_winter"])]
    found = simulate(
        plans, world="teaching", until="2020Q1", outcomes=["patents"], jobs=1, replicates=3
    )
    assert (found.used_runs(0), found.used_runs(1)) == (3, 3)
    failed = [{"scenario": "plan", "shock": found.shocks[1], "replicate": r} for r in (0, 2)]
    found = replace(found, failed=tuple(failed))
    assert (found.used_runs(0), found.used_runs(1)) == (3, 1)
    assert found.failed_runs == {("plan", "ai_winter"): 2}


@pytest.mark.parametrize("name", ["NA", "null", "nan", "None", "1.10", "007", "true", "1e5", "中"])
def test_names_that_look_like_something_else_keep_their_text(name: str, tmp_path: Path) -> None:
    def fails(runs: pd.DataFrame) -> Any:
        raise ValueError(name)

    design = cross(Scenario("history", name=name), points={"x1": [1.0, 2.0]})
    runs = run_design(design, model=models.fails_at_seven, executor="serial", out=tmp_path)
    assert set(read_frame(runs.complete().directory or "")["scenario"]) == {name}
    failed = run_design(design, model=fails, executor="serial").complete().failures
    assert {row["scenario"] for row in failed} == {name}


def test_only_missing_chunks_are_run_again(tmp_path: Path) -> None:
    whole = filled(tmp_path / "whole")
    half = cut_short(tmp_path / "half", 3)
    assert 3 <= len(chunks(half)) < 6 and not directories.is_complete(half)
    before = times(half / "chunks")
    (half / "chunks" / ".00009-x.parquet.part").write_text("of a killed process")
    seen: list[tuple[int, int]] = []
    assert filled(tmp_path / "half", progress=lambda *done: seen.append(done)) == half
    assert seen[0] == (2 * len(before), 12) and seen[-1] == (12, 12)
    assert chunks(half) == chunks(whole) and not list(half.glob("chunks/.*"))
    after = times(half)
    assert before.items() <= after.items()
    filled(tmp_path / "half")
    assert times(half) == after


@pytest.mark.parametrize("name", ["plan.json", "manifest.json", "-00004-"])
def test_a_full_disk_names_the_file_and_says_what_is_kept(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.replace

    def full(source: Any, target: Any) -> None:
        if name in str(target):
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        with pytest.raises(OSError, match="No space left on device") as caught:
            filled(tmp_path)
    said = str(caught.value)
    assert caught.value.errno == errno.ENOSPC and name in str(caught.value.filename)
    assert said.count(directories.KEPT) == (name != "plan.json")  # before it there is nothing
    assert ("4 chunks are whole" in said) == (name == "-00004-")
    assert not list(tmp_path.glob("*/chunks/.*")) and bool(os.listdir(tmp_path)) == (
        name != "plan.json"
    )
    assert read_frame(filled(tmp_path)).equals(own(None).frame())


def test_a_place_that_cannot_be_written_is_found_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        own(tmp_path / "file", models.deadly).complete()


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7] + b"garbage")


def of_another_run(path: Path) -> None:
    elsewhere = filled(path.parents[2] / "elsewhere", model=models.fails_at_seven)
    shutil.copy(elsewhere / "chunks" / chunks(elsewhere)[2], path)


def renamed(path: Path) -> None:
    shutil.copy(path.parent / chunks(path.parents[1])[0], path)


def twice(path: Path) -> None:
    twin = path.parent / chunks(path.parents[1])[0]
    other = "1" if path.stem.endswith("0") else "0"
    shutil.copy(twin, path.with_name(f"{path.stem[:-1]}{other}.parquet"))


@pytest.mark.parametrize("damage", [torn, of_another_run, renamed, twice])
def test_a_wrong_chunk_is_named_set_aside_and_run_again(
    damage: Callable[[Path], None], tmp_path: Path
) -> None:
    directory = filled(tmp_path)
    names, before = chunks(directory), read_frame(directory)
    damage(directory / "chunks" / names[2])
    with pytest.raises(InputError, match="content that is not what its name says"):
        read_frame(directory)
    with pytest.warns(UserWarning, match=f"{names[2][:15]}.*: not as it was written, or of anothe"):
        filled(tmp_path)
    assert chunks(directory) == names and not directories.damaged(directory)
    assert read_frame(directory).equals(before)
    listed = json.loads((directory / "manifest.json").read_text("utf-8"))["files"]
    assert set(listed) == {f"chunks/{name}" for name in names} | {"plan.json"}


def test_files_of_others_among_the_chunks_are_left_alone(tmp_path: Path) -> None:
    directory = filled(tmp_path)
    before = times(directory)
    for name in ("mine.parquet", f"x-{chunks(directory)[0]}"):
        (directory / "chunks" / name).write_bytes(b"of somebody else")
    assert read_frame(filled(tmp_path)).equals(own(None).frame())
    assert before.items() <= times(directory).items() and len(chunks(directory)) == 8


def test_chunks_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "chunks").mkdir()
    names = [f"{'a' * 12}-{number}-{'0' * 16}.parquet" for number in ("00002", "99999", "100000")]
    for name in names:
        (tmp_path / "chunks" / name).touch()
    assert [path.name for path in chunk_paths(tmp_path)] == names


def test_a_file_that_is_edited_while_it_is_run_stops_the_manifest(tmp_path: Path) -> None:
    """It was known when the run began; a worker that is put up again loads the new one."""
    file, folder = tmp_path / "mine.py", tmp_path / "study"
    file.write_text("factor = 1", "utf-8")
    begun = {**CONFIGURATION, "data": {"files": {str(file): digest_of_file(file)}}}
    with pytest.raises(InputError, match="mine.py: 'changed' is not valid"):
        with opened(folder, begun, "study") as store:
            own(folder).complete()
            file.write_text("factor = 2", "utf-8")
            store.finish(begun, "study")
    assert chunks(folder) and not directories.is_complete(folder)


def test_a_list_of_failed_runs_that_is_lost_is_made_again(tmp_path: Path) -> None:
    failed = filled(tmp_path, model=models.fails_at_seven) / "failed.csv"
    before = failed.read_bytes()
    failed.unlink()
    filled(tmp_path, model=models.fails_at_seven)
    assert failed.read_bytes() == before


def test_a_manifest_that_cannot_be_read_is_written_again(tmp_path: Path) -> None:
    directory = filled(tmp_path)
    before = json.loads((directory / "manifest.json").read_text("utf-8"))
    (directory / "manifest.json").write_text('{"files": {', "utf-8")
    filled(tmp_path)
    assert json.loads((directory / "manifest.json").read_text("utf-8")) == before


def test_the_manifest_names_the_commit() -> None:
    done = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip("no checkout")
    assert (identity.commit() or "").startswith(done.stdout.strip())


def test_reading_warns_where_a_run_is_not_finished_and_refuses_an_old_one(tmp_path: Path) -> None:
    directory = filled(tmp_path)
    (directory / "manifest.json").unlink()
    for read in (read_frame, lambda place: list(read_frames(place))):
        with pytest.warns(UserWarning, match="is not finished") as caught:
            read(directory)
        assert caught[0].filename == __file__
    plan = json.loads((directory / "plan.json").read_text("utf-8"))
    del plan["format"]
    plan["versions"]["compute-ecosystem"] = "0.0.9"
    (directory / "plan.json").write_text(json.dumps(plan), "utf-8")
    for ask in (read_frame, lambda _: filled(tmp_path)):
        with pytest.raises(InputError, match=r"format 1.*compute-ecosystem 0\.0\.9, which wrote"):
            ask(directory)


def test_two_processes_do_not_share_a_directory(tmp_path: Path) -> None:
    first, second = own(tmp_path), own(tmp_path)
    stream = iter(first)
    next(stream)
    with pytest.raises(InputError, match=f"in use by process {os.getpid()}"):
        second.complete()
    assert chunks(first.directory)
    for _ in stream:
        pass
    assert second.complete().directory == first.directory


def test_several_designs_keep_their_chunks_in_one_directory_that_is_open(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    with opened(folder, CONFIGURATION, "study") as store:
        for seed in (1, 2):
            own(folder, models.fails_at_seven, seed=seed).complete()
        assert len(chunks(folder)) == 12 and len(store.failures()) == 4
        store.finish(CONFIGURATION, "study")
    assert len(pd.read_csv(folder / "failed.csv")) == 4
    with pytest.raises(InputError, match="design: None .* one of the several that it holds") as two:
        read_frame(folder)
    name = str(two.value).rpartition(" ")[2]
    with pytest.warns(UserWarning, match="2 runs failed"):
        assert len(read_frame(folder, design=name)) == 10


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_after_an_error_before_the_first_result(
    tmp_path: Path, error: type[BaseException]
) -> None:
    target = tmp_path / "runs" / "abc"
    with pytest.raises(error), opened(target, CONFIGURATION, "ecosystem run"):
        (target / "chunks").mkdir()
        raise error
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(error), opened(target, CONFIGURATION, "ecosystem run"):
        directories.write_file(target / "table.txt", b"words\n")
        raise error
    assert (target / "table.txt").is_file() and not directories.is_complete(target)


def test_other_code_or_data_is_refused_and_nothing_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = cut_short(tmp_path, 2)
    before = times(directory / "chunks")
    other = dict(identity.model_digests(), code="0" * 64, tables="1" * 64)
    for place in ("question", "chunk"):
        monkeypatch.setattr(f"ecosystem.runs.{place}.model_digests", lambda: other)
    with pytest.raises(InputError, match=r"begun with other data\.tables, data\.code") as caught:
        filled(tmp_path)
    assert str(directory) in str(caught.value)
    assert filled(tmp_path / "elsewhere").name != directory.name
    monkeypatch.undo()
    assert before == times(directory / "chunks")
    assert filled(tmp_path) == directory


def test_other_versions_or_a_renamed_directory_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = cut_short(tmp_path, 2)
    other = dict(identity.versions(), numpy="0.1")
    with monkeypatch.context() as patch:
        patch.setattr("ecosystem.runs.directory.versions", lambda: other)
        with pytest.raises(InputError, match=r"versions\.numpy.*0\.1, which is here now"):
            filled(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("ecosystem.runs.directory.versions", lambda: identity.versions() | {
            "machine": "another"
        })  # fmt: skip
        with pytest.warns(UserWarning, match="begun on another kind of machine"):
            filled(tmp_path)
    (tmp_path / "b").mkdir()
    directory.rename(own(tmp_path / "b", seed=2).directory or tmp_path)
    with pytest.raises(InputError, match=r"configuration\.seed"):
        filled(tmp_path / "b", seed=2)


@pytest.mark.parametrize("content", ['{"hash": ', "[1]", "{}", '{"configuration": [1, 2]}'])
def test_a_neighbour_that_cannot_be_read_stops_nothing(content: str, tmp_path: Path) -> None:
    neighbour = tmp_path / "0123456789ab" / directories.PLAN
    neighbour.parent.mkdir()
    neighbour.write_text(content, encoding="utf-8")
    assert directories.is_complete(filled(tmp_path))
    assert neighbour.read_text(encoding="utf-8") == content


def test_a_worker_of_other_code_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = own(None)
    other = dict(identity.model_digests(), code="0" * 64)
    monkeypatch.setattr("ecosystem.runs.chunk.model_digests", lambda: other)
    with pytest.raises(InputError, match="the code the runs began with"):
        runs.complete()


@pytest.mark.slow
def test_a_hook_that_always_fails_stops_everything_and_one_in_a_run_does_not() -> None:
    luck = simulate("history", world="teaching", until="2020Q1", replicates=4, outcomes=["pue"])
    hype = luck.draw_values["hype"]
    limit = np.sort(hype)[-2]

    def hot(record: Any, state: Any, setting: Any) -> Any:
        if (setting.parameters.hype > limit).any():
            raise ValueError("too much hype")
        return record

    def run(hook: Any) -> Any:
        design = cross(Scenario(hooks={"drivers": hook}), replicates=4)
        options: dict[str, Any] = {"world": "teaching", "until": "2025Q3", "outcomes": ["pue"]}
        return run_design(design, executor="serial", **options).complete()

    with pytest.raises(HookError, match="division by zero"):
        run(lambda record, state, setting: 1 / 0)
    (failed,) = run(hot).failures
    assert failed["run"] == int(np.argmax(hype)) and "too much hype" in failed["error"]


KILLED = """
import os, signal, sys
real = os.replace
def replace(source, target):
    if sys.argv[2] in str(target):
        os.kill(os.getpid(), signal.SIGKILL)
    real(source, target)
os.replace = replace
from pathlib import Path
from ensemble_runs import filled
filled(Path(sys.argv[1]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["manifest.json", "plan.json", "-00003-"])
def test_a_process_killed_while_it_writes_a_file_leaves_nothing_behind(
    name: str, tmp_path: Path
) -> None:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    command = [sys.executable, "-c", KILLED, str(tmp_path), name]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": paths}, timeout=120)
    assert done.returncode < 0 and list(tmp_path.rglob("*.part"))
    directory = filled(tmp_path)
    assert not list(tmp_path.rglob("*.part")) and not directories.damaged(directory)
    assert read_frame(directory).equals(own(None).frame())


@pytest.mark.slow
def test_a_sample_of_the_kill_campaign() -> None:
    kill = pytest.importorskip("benchmarks.campaigns.kill")
    if not Path("/proc").is_dir():
        pytest.skip("needs /proc")
    cases, ends = kill.campaign(4, seed=4)
    assert len(cases) == 4
    assert not [case for case in cases if case.fault] and not any(ends)
