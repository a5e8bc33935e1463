"""Run directories: whose a shard is, what a killed process leaves, and what is lost or damaged."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ensemble_runs import filled, own, shards

from ecosystem import cross, run_design
from ecosystem.inputs.faults import InputError
from ecosystem.runs import directory as directories
from ecosystem.runs.recall import recalled
from ecosystem.runs.runner import read_frame, read_frames

HERE = Path(__file__).parent
KILLED = """
import os, signal, sys
from pathlib import Path
real = os.replace
def replace(source, target):
    if Path(target).name == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)
    real(source, target)
os.replace = replace
from ensemble_runs import filled
filled(Path(sys.argv[1]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["manifest.json", "plan.json", "points.parquet"])
def test_a_process_killed_while_it_writes_a_file_leaves_nothing_behind(
    tmp_path: Path, name: str
) -> None:
    if sys.platform == "win32":
        pytest.skip("needs SIGKILL")
    path = os.pathsep.join([str(HERE), str(HERE.parent)])
    words = [sys.executable, "-c", KILLED, str(tmp_path), name]
    killed = subprocess.run(words, env={**os.environ, "PYTHONPATH": path}, check=False)
    assert killed.returncode == -9
    (directory,) = tmp_path.iterdir()
    assert [left.name for left in directory.rglob("*.part")] == [f".{name}.part"]
    assert filled(tmp_path) == directory
    assert not list(directory.rglob("*.part")) and not directories.damaged(directory)
    listed = json.loads((directory / "manifest.json").read_text("utf-8"))["files"]
    assert all((directory / one).is_file() for one in listed)


def other(out: Path) -> Path:
    """Fill a directory with as many runs at other points."""
    design = cross(points={"x1": 100 + np.arange(12.0)})
    runs = run_design(design, model=own(None).plan.model, executor="serial", chunk_runs=2, out=out)
    directory = runs.complete().directory
    assert directory is not None
    return directory


@pytest.mark.parametrize("kind", ["exchanged", "added", "renumbered"])
def test_a_shard_of_another_run_or_number_is_set_aside(tmp_path: Path, kind: str) -> None:
    directory, names = filled(tmp_path), shards(filled(tmp_path))
    foreign = other(tmp_path / "other")
    here = directory / "shards"
    if kind == "renumbered":
        wrong = here / names[1].replace("00001-", "00099-")
        (here / names[1]).rename(wrong)
    else:
        wrong = here / shards(foreign)[1]
        shutil.copy(foreign / "shards" / wrong.name, wrong)
        if kind == "exchanged":
            (here / names[1]).unlink()
    with pytest.raises(InputError, match="00001|00099"):
        read_frame(directory)
    with pytest.warns(UserWarning, match=f"{wrong.name}: not as it was written, or of another"):
        assert filled(tmp_path) == directory
    assert shards(directory) == names and not directories.damaged(directory)
    assert read_frame(directory).equals(own(None).frame())


def test_a_shard_that_is_there_twice_is_refused_and_set_aside(tmp_path: Path) -> None:
    from ecosystem.runs.shards import decoded, encoded, shard_name

    directory = filled(tmp_path)
    first = directory / "shards" / shards(directory)[1]
    content = encoded(
        decoded(first.read_bytes()).replace_schema_metadata({"failed": "[]", "x": ""})
    )
    twin = first.with_name(shard_name(directory.name, 1, content))  # as of another machine
    twin.write_bytes(content)
    with pytest.raises(InputError, match="number 1 is there twice"):
        read_frame(directory)
    with pytest.warns(UserWarning, match="set aside"):
        filled(tmp_path)
    assert len(read_frame(directory)) == len(own(None).frame())


@pytest.mark.parametrize("name", ["plan.json", "design.parquet", "manifest.json"])
def test_a_full_disk_names_the_file_and_says_what_is_kept(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def full(number: int) -> None:
        if name in os.readlink(f"/proc/self/fd/{number}"):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(number)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc")
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space left on device") as caught:
            filled(tmp_path)
    assert caught.value.errno == errno.ENOSPC and str(caught.value.filename).endswith(name)
    kept = "what is written is kept, and the same command goes on from there"
    assert (kept in str(caught.value)) == (name == "manifest.json")  # before it there is nothing
    assert str(caught.value).count(kept) <= 1
    assert filled(tmp_path).is_dir()


def test_a_damaged_design_is_named_and_written_again(tmp_path: Path) -> None:
    directory = filled(tmp_path)
    for name in ("design.parquet", "points.parquet"):
        path = directory / name
        before = path.read_bytes()
        path.write_bytes(before[:50])
        with pytest.raises(InputError, match=f"{name}.* written again|{name}.*writes it again"):
            recalled(directory)
        filled(tmp_path)
        assert path.read_bytes() == before and not directories.damaged(directory)


def test_a_manifest_that_cannot_be_read_is_written_again(tmp_path: Path) -> None:
    directory = filled(tmp_path)
    path = directory / "manifest.json"
    before = json.loads(path.read_text("utf-8"))
    path.write_text('{"files": {', "utf-8")
    filled(tmp_path)
    assert json.loads(path.read_text("utf-8")) == before


@pytest.mark.parametrize(
    ("luck", "shown"),
    [
        ([0.5, 1.7], r"\[0\.5, 1\.7\]"),
        ([2_000_000_000, 1], "2000000000"),
        (["a", "b"], r"\['a', 'b'\]"),
        ([[0, 1]], r"\[0, 1\]"),
        ([0, -1], "-1"),
        ([2**40, 0], str(2**40)),
    ],
)
def test_luck_that_is_no_block_number_is_refused(luck: Any, shown: str) -> None:
    with pytest.raises(InputError, match=f"luck: .*{shown}.*a whole number from 0 to 429496728 "):
        cross(points={"x": [1.0, 2.0]}, luck=luck, replicates=5)


def test_numbers_of_numpy_count_and_names_of_columns_do_not() -> None:
    design = cross(points={"x1": [1.0, 2.0]}, luck=np.array([3, 7]), replicates=np.int64(2))  # type: ignore[arg-type]
    assert design.replicate.tolist() == [6, 7, 14, 15]
    with pytest.raises(InputError, match="points: 'replicate' is not valid; allowed: another name"):
        cross(points={"replicate": [1.0]})


def test_what_would_keep_nothing_is_refused() -> None:
    design = cross("history")
    with pytest.raises(InputError, match=r"outcomes: \[\] is not valid; allowed: at least one"):
        run_design(design, outcomes=[], world="teaching")
    with pytest.raises(InputError, match="until: '2020Q3' .*first whole year"):
        run_design(design, keep="yearly", until="2020Q3", world="teaching")


def fails_once(runs: Any) -> Any:
    value = runs["x1"].to_numpy()
    return np.where((value == 3) & bool(os.environ.get("ENSEMBLE_TEST_FAILS")), np.nan, value)


def test_a_run_that_ends_well_at_last_is_listed_as_failed_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENSEMBLE_TEST_FAILS", "1")
    directory = filled(tmp_path, model=fails_once)
    assert (directory / "failed.csv").is_file()
    monkeypatch.delenv("ENSEMBLE_TEST_FAILS")
    (directory / "shards" / shards(directory)[1]).unlink()
    again = own(tmp_path, fails_once).complete()
    assert again.directory == directory and not again.failures
    assert not (directory / "failed.csv").exists() and not directories.damaged(directory)


def test_outcomes_that_differ_between_chunks_are_refused(tmp_path: Path) -> None:
    def fickle(runs: Any) -> Any:
        both = pd.DataFrame({"a": runs["x1"], "b": runs["x1"]})
        return both if runs.index[0] < 6 else both[["a"]]

    words = "outcomes a, b for run 0, a for run 6"
    for out in (None, tmp_path):
        with pytest.raises(InputError, match=words):
            own(out, fickle).frame()
        with pytest.raises(InputError, match=words):
            own(out, fickle).arrays()
    with pytest.raises(InputError, match="a frame without columns"):
        own(None, lambda runs: runs[[]]).frame()


def test_a_warning_that_a_run_is_not_finished_names_the_line_that_reads_it(tmp_path: Path) -> None:
    directory = filled(tmp_path)
    (directory / "manifest.json").unlink()
    for read in (read_frame, lambda place: list(read_frames(place))):
        with pytest.warns(UserWarning, match="is not finished") as caught:
            read(directory)
        assert caught[0].filename == __file__
