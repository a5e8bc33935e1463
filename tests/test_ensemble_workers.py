"""Workers: where they run, what becomes of the others when one dies, scripts, Dask, Ctrl-C."""

import gc
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import ensemble_models as models
import numpy as np
import pandas as pd
import pytest
from ensemble_runs import KILLS, ROOT, Frail, chunks, own, script

from ecosystem import Scenario, cross, run_design, simulate
from ecosystem.inputs.faults import InputError
from ecosystem.inputs.functions import HookError
from ecosystem.runs import chunk, pool
from ecosystem.runs.runner import Ensemble, read_frame


@pytest.fixture
def frail(monkeypatch: pytest.MonkeyPatch) -> Callable[[KILLS], list[set[int]]]:
    """Return a function that makes worker processes frail and returns what they died of."""

    def make(kills: KILLS) -> list[set[int]]:
        deaths: list[set[int]] = []
        monkeypatch.setattr(pool, "processes", lambda _: Frail(kills, deaths))
        return deaths

    return make


def in_chunks(runs: int, size: int, out: Path | None = None) -> Ensemble:
    design = cross(points={"x1": np.arange(float(runs))})
    options: dict[str, Any] = {"executor": "processes", "jobs": 2, "chunk_runs": size, "out": out}
    return run_design(design, model=models.two_outcomes, **options)


@pytest.mark.parametrize("killers", [{0}, {15}, {3, 4}, {0, 4, 5}, {7, 23}, {*range(0, 40, 3)}])
def test_only_the_runs_that_kill_their_worker_fail(
    killers: set[int], frail: Any, tmp_path: Path
) -> None:
    """Each is tried three times, alone; all others of its chunk are kept."""
    deaths = frail(lambda runs: bool(runs & killers))
    runs = in_chunks(40, 8, tmp_path).complete()
    assert [row["run"] for row in runs.failures] == sorted(killers)
    assert all(deaths.count({run}) == 3 for run in killers)
    words = "ChildProcessError: its worker died 3 times with this run alone (dead)"
    assert {row["error"] for row in runs.failures} == {words}
    with pytest.warns(UserWarning, match=f"{len(killers)} runs? failed"):
        frame = read_frame(runs.directory or tmp_path)
    whole = run_design(runs.design, model=models.two_outcomes, executor="serial", chunk_runs=8)
    expected = whole.frame()
    wanted = expected[~expected["run"].isin(killers)].reset_index(drop=True)
    pd.testing.assert_frame_equal(frame, wanted, check_exact=True)


def test_a_chunk_that_is_too_large_for_its_worker_loses_nothing(frail: Any, tmp_path: Path) -> None:
    wanted = chunks(in_chunks(48, 16, tmp_path / "well").complete().directory)
    deaths = frail(lambda runs: len(runs) > 5)
    runs = in_chunks(48, 16, tmp_path / "ill").complete()
    assert not runs.failures and deaths
    repeated = "ill and well differ in the command that repeats a run alone"
    assert len(chunks(runs.directory)) == len(wanted) == 3, repeated
    assert read_frame(runs.directory or "").equals(in_chunks(48, 16).frame())


def test_workers_that_always_die_are_not_laid_to_the_runs(frail: Any, tmp_path: Path) -> None:
    frail(lambda runs: True)
    with pytest.raises(ChildProcessError, match=r"workers died of 3 runs in a row, .* 2 \(dead\)"):
        in_chunks(40, 8, tmp_path).complete()
    assert not list(tmp_path.glob("*/chunks/*"))
    seen: list[int] = []
    frail(lambda runs: bool(seen.append(1)) or len(seen) > 3)
    with pytest.raises(ChildProcessError, match="20 runs in a row.*the same command goes on"):
        in_chunks(100, 25, tmp_path).complete()
    with pytest.warns(UserWarning, match="is not finished"):
        assert read_frame(next(tmp_path.iterdir()))["run"].max() < 75
    frail(lambda runs: False)
    assert not in_chunks(100, 25, tmp_path).complete().failures


class Shrinking(pool.Pool):
    """Four workers at first; once one of them has died, a single one."""

    depth, ahead, kind = 4, 8, "processes"

    def __init__(self) -> None:
        self.dead = False

    def submit(self, *call: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if 3 in call[1] and not self.dead:
            future.set_exception(BrokenProcessPool("dead"))
        elif 0 not in call[1] or self.dead:  # the first is not done as the last dies
            future.set_result(call[1])
        return future

    def done(self, waiting: Iterable[Future[Any]]) -> set[Future[Any]]:
        assert waiting, "waits for nothing, for ever"
        return {future for future in waiting if future.done()}

    def mourn(self, error: BaseException) -> None:
        self.dead, self.depth, self.ahead = True, 1, 2


def test_a_pool_that_shrinks_goes_on() -> None:
    tasks: Any = range(7)
    jobs = [[0], [1], [2, 3], [4], [5, 6]]
    found = pool.in_order(Shrinking(), tasks, pool.bare, jobs, lambda _, result: result)
    assert list(found) == [(number, number) for number in tasks]


class Mute(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


class Panic(BaseException):
    """An error such as those of libraries in Rust."""


RAISED = [
    (SystemExit(0), "RuntimeError: the model raised SystemExit: 0"),
    (GeneratorExit(), "RuntimeError: the model raised GeneratorExit:"),
    (Panic("rust"), "RuntimeError: the model raised Panic: rust"),
    (ValueError("bad \udcff,\n中"), "ValueError: bad \\udcff, 中"),
    (Mute(), "Mute without a message"),
]


@pytest.mark.parametrize(("error", "words"), RAISED)
def test_whatever_a_model_raises_is_a_failed_run(error: BaseException, words: str) -> None:
    def model(runs: pd.DataFrame) -> pd.Series:
        if (runs.index == 3).any():
            raise error
        return runs["x1"]

    runs = own(None, model).complete()
    assert [(row["run"], row["error"]) for row in runs.failures] == [(3, words)]
    with pytest.raises(RuntimeError if words.startswith("Runtime") else type(error)):
        own(None, model).arrays()  # the first is raised where nothing is written


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (SystemExit("I give up"), HookError, r"SystemExit: I give up \(line"),
        (GeneratorExit(), HookError, r"GeneratorExit:  ?\(line"),
        (Mute(), HookError, r"Mute without a message \(line"),
        (KeyboardInterrupt(), KeyboardInterrupt, "^$"),
    ],
)
def test_whatever_a_hook_raises_is_an_error_of_the_hook(error: Any, kind: Any, words: str) -> None:
    def hook(record: Any, state: Any, setting: Any) -> Any:
        raise error

    with pytest.raises(kind, match=words):
        simulate(Scenario("history", hooks={"drivers": hook}), world="teaching", until="2025Q3")


def test_ctrl_c_in_a_model_ends_the_ensemble_and_failed_runs_no_frame() -> None:
    def interrupted(runs: pd.DataFrame) -> pd.Series:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        own(None, interrupted).complete()
    with pytest.raises(FloatingPointError, match="every run failed; run 0: KeyError"):
        own(None, lambda runs: runs["x2"]).frame()


@pytest.mark.parametrize("bad", [{5}, {4, 5}, {8, 15}, {0, 15}, set(range(15)), set(range(16))])
def test_a_hook_that_fails_in_some_runs_is_no_mistake(
    bad: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_whole(task: chunk.Task) -> chunk.Kept:
        if bad & set(task.runs.tolist()):
            raise HookError(["not these"])
        return {"end": {"value": task.values["x1"][:, None, None]}}

    monkeypatch.setattr(chunk, "run_whole", run_whole)
    design = cross(points={"x1": np.arange(16.0)})
    runs = run_design(design, model=models.ishigami, executor="serial", chunk_runs=16)
    if len(bad) == 16:
        with pytest.raises(HookError, match="not these"):
            runs.complete()
        return
    assert {row["run"] for row in runs.complete().failures} == bad


def test_parameter_values_are_not_held_twice() -> None:
    points = {f"x{column}": np.arange(20_000.0) for column in range(30)}
    design = cross(points=points)
    tracemalloc.start()
    runs = run_design(design, model=models.ishigami, executor="serial", chunk_runs=100)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(runs.tasks) == 200
    assert held < 0.25 * sum(column.nbytes for column in points.values())


SCRIPT = """
import numpy as np
from ecosystem import InputError, cross, run_design
def typed(runs):
    return 2 * runs["x1"].to_numpy()
design = cross(points={"x1": np.arange(4.0)})
for model in (typed, lambda runs: typed(runs)):
    runs = run_design(design, model=model, jobs=2, chunk_runs=1)
    print(runs.frame()["value"].tolist())
    try:
        run_design(design, model=model, out="kept")
    except InputError as error:
        print(error)
"""


@pytest.mark.slow
@pytest.mark.parametrize("stdin", [False, True])
def test_a_plain_script_without_a_guard_runs_what_is_typed_and_stores_nothing(
    stdin: bool, tmp_path: Path
) -> None:
    said = script(SCRIPT, tmp_path, stdin=stdin).splitlines()
    assert said[0] == said[2] == "[0.0, 2.0, 4.0, 6.0]"
    assert "typed into a script or a notebook" in said[1] and "<lambda>" in said[3]
    assert not (tmp_path / "kept").exists()


def values(jobs: int) -> list[float]:
    return own(None, models.ishigami_of_one, executor=None, jobs=jobs).frame()["value"].tolist()


@pytest.mark.slow
def test_it_works_inside_workers_of_somebody_elses_pool() -> None:
    spawn = get_context("spawn")
    with spawn.Pool(1) as daemons, ProcessPoolExecutor(1, mp_context=spawn) as others:
        assert daemons.apply(values, (2,)) == others.submit(values, 2).result() == values(1)


def test_what_does_not_travel_runs_here_or_is_refused() -> None:
    from threading import Lock

    lock = Lock()

    def model(runs: pd.DataFrame) -> np.ndarray:
        with lock:
            return runs["x1"].to_numpy()

    with pytest.warns(UserWarning, match="on one core: a function does not travel") as caught:
        runs = own(None, model, executor=None)
    assert Path(caught[0].filename).name == "ensemble_runs.py"  # where run_design is called
    assert runs.frame()["value"].tolist() == list(range(12))
    for asked in ({"executor": "processes"}, {"executor": None, "jobs": 2}):
        with pytest.raises(InputError, match="a function does not travel to other processes"):
            own(None, model, **asked)


def test_an_executor_of_the_user_is_used_and_left_open() -> None:
    with ThreadPoolExecutor(2) as threads:
        frame = own(None, executor=threads).frame()
        assert threads.submit(int, "1").result() == 1
    assert len(frame) == 24


@pytest.mark.slow
def test_real_workers_that_are_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once: nothing is lost; always: a failed run, with its command; of the user's: an error."""
    monkeypatch.setenv("ENSEMBLE_TEST_MARK", str(tmp_path / "mark"))
    frame = own(None, models.deadly_once, executor="processes", jobs=2).frame()
    assert (tmp_path / "mark").exists() and frame["value"].tolist() == list(range(12))
    runs = own(tmp_path, models.deadly, executor="processes", jobs=2).complete()
    assert [row["run"] for row in runs.failures] == [3]  # and not run 2 of the same chunk
    assert runs.failures[0]["command"] == f"ecosystem reproduce {runs.directory} --run 3"
    with pytest.warns(UserWarning, match="1 run failed"):
        assert read_frame(runs.directory or "")["run"].tolist() == [0, 1, 2, *range(4, 12)]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        with pytest.raises(ChildProcessError, match="the executor that was given is broken"):
            own(None, models.deadly, executor=executor).complete()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"executor": "dask"}, "executor: 'dask' .* dask scheduler, then dask worker tcp://"),
        ({"cluster": "tcp://127.0.0.1:1"}, "cluster: .* together with the executor dask"),
        ({"executor": "threads"}, "executor: 'threads' .* one of processes, serial, dask"),
    ],
)
def test_wrong_executors_are_refused(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        own(None, **asked)


@pytest.mark.slow
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "htp://127.0.0.1:9", "tcp://"])
def test_a_scheduler_that_is_not_there_is_said(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And leaves no client whose end, at some later time, waits for the start of another."""
    dask = pytest.importorskip("distributed")
    monkeypatch.setattr(pool, "PATIENCE", 1)
    with pytest.raises(InputError, match="address of a Dask scheduler with a worker that answers"):
        own(None, executor="dask", cluster=address).complete()
    assert not any(type(one) is dask.Client for one in gc.get_objects())  # see `connected`


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Give the address of a Dask scheduler, and a function that starts a worker of it."""
    pytest.importorskip("distributed")
    file, started = tmp_path / "scheduler.json", []

    def start(part: str, *words: str) -> Any:
        command = [sys.executable, "-m", f"distributed.cli.dask_{part}", "--scheduler-file", file]
        paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        environment = os.environ | {"PYTHONPATH": paths}
        started.append(subprocess.Popen([*command, *words], env=environment, **quiet))
        return started[-1]

    start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    while not file.is_file() or not file.read_text():
        assert started[0].poll() is None
        time.sleep(0.05)
    yield (
        json.loads(file.read_text())["address"],
        lambda: start("worker", "--nthreads", "1", "--no-nanny", "--no-dashboard"),
    )
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_chunks_are_the_same_to_the_last_bit_wherever_they_are_run(
    tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a Dask cluster, too, where a worker that is killed loses nothing."""
    address, start_worker = cluster
    dask: dict[str, Any] = {"executor": "dask", "cluster": address}
    first = start_worker()
    design = cross(["history", "article"], points={"hype": [0.1, 0.4]}, replicates=2)
    small: dict[str, Any] = {
        "world": "teaching", "until": "2020Q4", "outcomes": ["patents"], "chunk_runs": 2
    }  # fmt: skip
    found = [
        run_design(design, out=tmp_path / str(place), **small, **where).complete().directory
        for place, where in enumerate([{"jobs": 1}, {"jobs": 2}, dask])
    ]
    assert len(chunks(found[0])) == 4
    assert chunks(found[0]) == chunks(found[1]) == chunks(found[2])
    stream = iter(own(None, models.slow, **dask))
    next(stream)
    first.kill()
    start_worker()
    assert len(list(stream)) == 5


HEARD = (  # a shell's background job ignores the signal, and so would its children
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


@pytest.mark.slow
@pytest.mark.parametrize("seen", ["a worker", "a chunk"])
def test_ctrl_c_ends_with_one_line_and_the_same_command_goes_on(seen: str, tmp_path: Path) -> None:
    """As workers start, and as they work; as a terminal does, they get the signal too."""
    if not Path("/proc/self/task").is_dir():
        pytest.skip("needs /proc")
    command = [
        sys.executable, "-m", "experiments.command.cli", "run", "--world", "teaching", "--quiet",
        "--jobs", "2", "--until", "2025Q3", "--replicates", "4000", "--out", str(tmp_path),
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", HEARD, *command[1:]], cwd=ROOT, stderr=subprocess.PIPE,
        stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip

    def there() -> bool:
        if seen == "a chunk":
            return bool(list(tmp_path.rglob("chunks/*.parquet")))
        found = [path.read_text() for path in Path(f"/proc/{process.pid}/task").glob("*/children")]
        return len(" ".join(found).split()) > 1  # one of them only counts semaphores

    begin = time.monotonic()
    while not there() and process.poll() is None and time.monotonic() < begin + 120:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    answer, said = process.communicate(timeout=120)  # of all that still have them open
    assert (process.returncode, answer) == (130, b""), said.decode()
    assert said.startswith(b"interrupted; ") and len(said.splitlines()) == 1, said.decode()
    assert not list(tmp_path.rglob("manifest.json"))
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("chunks/*.parquet")}
    assert bool(kept) == (seen == "a chunk")


@pytest.mark.slow
def test_an_ensemble_ends_its_workers(tmp_path: Path) -> None:
    code = """
from ensemble_runs import own
import ensemble_models as models, os
list(own(None, models.slow, executor="processes", jobs=2))
for child in open(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read().split():
    print(open(f"/proc/{child}/cmdline").read())
"""
    if not Path("/proc/self/task").is_dir():
        pytest.skip("needs /proc")
    assert "popen_loky" not in script(code, tmp_path)  # what counts semaphores may be there
