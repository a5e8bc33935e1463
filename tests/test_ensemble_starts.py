"""What starts of a run leave of one another: two at once, one after a kill, on another machine."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path
from typing import IO, Any

import ensemble_models as models
import pandas as pd
import pytest
from ensemble_runs import DESIGN, filled, own

from ecosystem.inputs.faults import InputError
from ecosystem.runs import directory as directories
from ecosystem.runs import identity

CONFIGURATION = {"command": "study"}
ROOT = Path(__file__).parents[1]
HEARD = (  # a shell's background job ignores the signal, and so would its children
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextmanager
def study_with_an_ensemble(folder: Path) -> Iterator[None]:
    """Begin a study and an ensemble of it, with no result as yet."""
    with directories.opened(folder, CONFIGURATION, "first"):
        store = own(folder / "ensembles").store
        assert store is not None
        with store.opened(DESIGN):
            yield


def test_a_start_that_comes_second_takes_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second looks when nothing is there; then the first begins; then the second is refused."""
    folder = tmp_path / "out" / "study"
    look = directories.refuse_unfinished_kin
    with ExitStack() as first:

        def overtaken(*given: Any) -> None:
            monkeypatch.setattr(directories, "refuse_unfinished_kin", look)
            first.enter_context(study_with_an_ensemble(folder))

        monkeypatch.setattr(directories, "refuse_unfinished_kin", overtaken)
        with pytest.raises(InputError, match="in use by process"):
            with directories.opened(folder, CONFIGURATION, "second"):
                pytest.fail("two hold one directory")
        there = {path.name for path in contents(folder)}
        assert there >= {directories.PLAN, directories.LOCK, directories.DESIGN}
        assert len(list(folder.rglob(directories.PLAN))) == 2
        assert filled(folder / "elsewhere")
    assert folder.is_dir()


def test_a_lock_that_its_holder_removed_holds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process opens the lock; its holder gives up and removes it; then the process takes it."""
    take = directories.take

    def late(file: IO[str]) -> bool:
        shutil.rmtree(tmp_path / "run")
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / directories.LOCK).touch()  # of a third
        return take(file)

    monkeypatch.setattr(directories, "take", late)
    with pytest.raises(InputError, match="in use by"):
        with directories.opened(tmp_path / "run", CONFIGURATION, "second"):
            pytest.fail("it holds a file that is not there")
    assert [path.name for path in (tmp_path / "run").iterdir()] == [directories.LOCK]


@pytest.mark.parametrize("content", ['{"hash": ', "[1]", "{}", '{"configuration": [1, 2]}'])
def test_a_neighbour_that_cannot_be_read_stops_nothing(content: str, tmp_path: Path) -> None:
    neighbour = tmp_path / "0123456789ab" / directories.PLAN
    neighbour.parent.mkdir()
    neighbour.write_text(content, encoding="utf-8")
    assert directories.is_complete(filled(tmp_path))
    assert neighbour.read_text(encoding="utf-8") == content


def test_a_neighbour_that_is_being_removed_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    neighbour = filled(tmp_path, seed=2)
    (neighbour / directories.MANIFEST).unlink()
    whole = directories.is_complete

    def removed(directory: Path) -> bool:
        if directory == neighbour:
            shutil.rmtree(directory, ignore_errors=True)
        return whole(directory)

    monkeypatch.setattr(directories, "is_complete", removed)
    assert whole(filled(tmp_path)) and not neighbour.exists()


def test_a_directory_of_its_own_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    plan = filled(tmp_path) / directories.PLAN
    plan.write_text("[1]", encoding="utf-8")
    with pytest.raises(InputError, match=r"plan\.json: 'list' is not valid"):
        filled(tmp_path)


def test_another_kind_of_machine_is_said_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = own(tmp_path)
    stream = iter(runs)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    other = dict(identity.versions(), machine="another processor")
    monkeypatch.setattr(directories, "versions", lambda: other)
    with pytest.warns(UserWarning, match=r"another kind of machine .*here another processor.*last"):
        directory = filled(tmp_path)
    assert directory == runs.directory and directories.is_complete(directory)
    frame = own(tmp_path).frame()  # nothing is run any more: no warning
    pd.testing.assert_frame_equal(frame, own(None).frame())


def test_a_machine_is_known_by_what_changes_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by its name or kernel."""
    here = identity.machine()
    monkeypatch.setattr("platform.platform", lambda: "another kernel")
    assert identity.machine() == here == identity.versions()[identity.MACHINE]
    without = {"SIMD Extensions": {"baseline": ["X86_V2"], "found": ["SOME_OTHER"]}}
    monkeypatch.setattr("numpy.show_config", lambda mode: without)
    assert identity.machine() != here and identity.machine().endswith(" SOME_OTHER")


@pytest.mark.slow
def test_a_study_killed_between_its_ensembles_goes_on(tmp_path: Path) -> None:
    process = get_context("spawn").Process(target=models.study_killed_between, args=(tmp_path,))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    (whole,) = (place for place in tmp_path.iterdir() if directories.is_complete(place))
    before = {path: path.stat().st_mtime_ns for path in whole.glob("shards/*")}
    found, undisturbed = models.study(tmp_path), models.study(None)
    pd.testing.assert_frame_equal(found.table, undisturbed.table)
    assert before == {path: path.stat().st_mtime_ns for path in whole.glob("shards/*")}
    assert sorted(map(directories.is_complete, tmp_path.iterdir())) == [True, True]


CHILDREN = "task/*/children"


def children(process: int) -> int:
    """Return the number of processes that a process has started and that are still there."""
    found = 0
    for path in Path(f"/proc/{process}").glob(CHILDREN):
        with suppress(OSError):  # a thread that has just ended
            found += len(path.read_text().split())
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "seconds"), [(2, 0.0), (3, 0.0), (3, 0.7), (3, 3.0)])
def test_ctrl_c_ends_workers_of_dask_without_a_word(
    processes: int, seconds: float, tmp_path: Path
) -> None:
    """While the first worker starts, the second, both; and as runs take place."""
    pytest.importorskip("distributed")
    if not list(Path("/proc/self").glob(CHILDREN)):
        pytest.skip("needs a list of a process's children")
    command = [
        sys.executable,
        "-c",
        HEARD,
        "-m",
        "experiments.command.cli",
        "run",
        "--world",
        "teaching",
    ]
    command += ["--replicates", "20000", "--until", "2026Q4", "--jobs", "2", "--executor", "dask"]
    process = subprocess.Popen(
        [*command, "--quiet", "--out", str(tmp_path)],
        cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    begin = time.monotonic()
    while children(process.pid) < processes and time.monotonic() < begin + 60:
        time.sleep(0.005)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers get it too
    begin = time.monotonic()
    answer, said = process.communicate(timeout=60)  # of all that still have them open
    assert time.monotonic() - begin < 30  # not at the end of the runs
    assert (process.returncode, answer) == (130, b""), said.decode()
    assert said.startswith(b"interrupted; ") and len(said.splitlines()) == 1, said.decode()
