"""Runs and workers that die: what becomes of the others; Dask clusters that grow, shrink or lie."""

import os
import signal
import time
import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import ensemble_models as models
import numpy as np
import pandas as pd
import pytest
from ensemble_runs import filled, own, shards

from ecosystem import cross, run_design
from ecosystem.inputs.faults import InputError
from ecosystem.inputs.functions import HookError
from ecosystem.runs import chunks, executors
from ecosystem.runs.dask_cluster import Cluster
from ecosystem.runs.runner import read_frame


@pytest.mark.parametrize("bad", [{5}, {4, 5}, {4, 7}, {8, 15}, {0, 15}, set(range(15))])
def test_runs_in_which_a_hook_fails_do_not_stop_the_others(
    bad: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_whole(task: chunks.Task) -> chunks.Kept:
        if bad & set(task.runs.tolist()):
            raise HookError(["not these"])
        return {"end": {"value": task.values["x1"][:, None, None]}}

    monkeypatch.setattr(chunks, "run_whole", run_whole)
    runs = run_design(
        cross(points={"x1": np.arange(16.0)}), model=models.ishigami, executor="serial",
        chunk_runs=16,
    )  # fmt: skip
    with pytest.warns(UserWarning, match=f"{len(bad)} of 16 runs failed"):
        frame = runs.frame()
    assert frame["run"].tolist() == sorted(set(range(16)) - bad)
    assert {row["run"] for row in runs.failures} == bad


def test_a_hook_that_fails_in_all_runs_of_a_chunk_is_a_mistake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run_whole(task: chunks.Task) -> chunks.Kept:
        raise HookError(["none of them"])

    monkeypatch.setattr(chunks, "run_whole", run_whole)
    with pytest.raises(HookError, match="none of them"):
        own(None).complete()


def falling(runs: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"value": runs["x1"]}).sort_values("value", ascending=False)


def falling_series(runs: pd.DataFrame) -> pd.Series:
    return runs["x1"].sort_values(ascending=False)


def numbered_anew(runs: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"value": runs["x1"].to_numpy()})


def of_other_runs(runs: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"value": runs["x1"]}).set_axis(runs.index + 1)


@pytest.mark.parametrize("model", [falling, falling_series, numbered_anew])
def test_what_a_model_returns_belongs_to_the_runs_that_its_index_names(model: Any) -> None:
    assert own(None, model).frame()["value"].tolist() == list(range(12))


def too_few(runs: pd.DataFrame) -> np.ndarray:
    return np.zeros(1)


@pytest.mark.parametrize(
    ("model", "words"), [(of_other_runs, "another index"), (too_few, "1 rows for 2 runs")]
)
def test_rows_that_belong_to_no_run_are_refused(model: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        own(None, model).complete()


def test_where_every_run_failed_there_is_no_frame() -> None:
    def wrong(runs: pd.DataFrame) -> Any:
        raise KeyError("x2")

    with pytest.raises(FloatingPointError, match="every run failed; run 0: KeyError"):
        own(None, wrong).frame()
    with pytest.raises(InputError, match="model: 3 is not valid"):
        own(None, 3)


def test_parameter_values_are_not_held_twice() -> None:
    points = {f"x{column}": np.arange(20_000.0) for column in range(30)}
    design = cross(points=points)
    tracemalloc.start()
    runs = run_design(design, model=models.ishigami, executor="serial", chunk_runs=100)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(runs.tasks) == 200
    assert held < 0.25 * sum(column.nbytes for column in points.values())


@pytest.mark.slow
def test_a_killed_worker_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENSEMBLE_TEST_MARK", str(tmp_path / "mark"))
    frame = own(None, models.deadly_once, executor="processes", jobs=2).frame()
    assert (tmp_path / "mark").exists()
    assert frame["value"].tolist() == list(range(12))


@pytest.mark.slow
def test_a_run_that_always_kills_its_worker_is_a_failed_run(tmp_path: Path) -> None:
    def start() -> Any:
        return own(tmp_path, models.deadly, executor="processes", jobs=2).complete()

    runs = start()
    assert [row["run"] for row in runs.failures] == [3]  # and not run 2 of the same chunk
    assert " with this run alone" in runs.failures[0]["error"]
    assert read_frame(runs.directory)["run"].tolist() == [0, 1, 2, *range(4, 12)]
    before = shards(runs.directory)
    (runs.directory / "shards" / shards(runs.directory)[1]).unlink()
    (runs.directory / "manifest.json").unlink()
    start()  # in a process of its own even where no other chunk is missing
    assert shards(runs.directory) == before


def test_a_cluster_of_ones_own_is_put_up_with_all_its_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def connect(address: Any, workers: int) -> Any:
        asked.append(workers)
        one_is_left = Cluster(executors.SerialExecutor(), lambda: 1, lambda: None, (OSError,))
        return one_is_left

    monkeypatch.setattr("ecosystem.runs.dask_cluster.connect", connect)
    pool = executors.Pool("dask", 3, None)
    for _ in range(2):
        pool.done([pool.submit(len, "abc")])
        assert pool.workers == 1
        pool.mourn(OSError("dead"), hopeless=False)
    assert asked == [3, 3]


@pytest.mark.slow
def test_workers_that_always_die_end_in_words() -> None:
    with pytest.raises(ChildProcessError, match="workers died 6 times without finishing a chunk"):
        own(None, models.always_deadly, executor="processes", jobs=2).complete()


@pytest.mark.slow
def test_an_executor_of_the_user_that_breaks_is_not_put_up_again() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        with pytest.raises(ChildProcessError):
            own(None, models.deadly, executor=pool).complete()


@pytest.fixture(scope="module")
def cluster() -> Any:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    ) as made:
        yield made


@pytest.mark.slow
def test_dask_workers_that_are_killed_lose_nothing(tmp_path: Path, cluster: Any) -> None:
    runs = own(tmp_path, models.slow, executor="dask", cluster=cluster.scheduler_address)
    stream = iter(runs)
    next(stream)
    nanny = next(iter(cluster.workers.values()))
    os.kill(nanny.pid, signal.SIGKILL)
    for _ in stream:
        pass
    assert shards(runs.directory or tmp_path) == shards(
        filled(tmp_path / "serial", model=models.slow)
    )


@pytest.mark.slow
def test_workers_of_a_cluster_may_come_and_all_go(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecosystem.runs.executors.PATIENCE", 0.5)
    cluster.scale(1)
    wait_for(cluster, 1)
    runs = own(None, models.slow, executor="dask", cluster=cluster.scheduler_address, chunk_runs=1)
    stream = iter(runs)
    next(stream)
    assert runs.pool.workers == 1
    cluster.scale(2)
    wait_for(cluster, 2)
    while runs.pool.workers != 2:  # known once something is done; StopIteration if never
        next(stream)
    cluster.scale(0)
    wait_for(cluster, 0)
    with pytest.raises(ChildProcessError, match="no worker of tcp://.* is left"):
        for _ in stream:
            pass
    cluster.scale(2)


def wait_for(cluster: Any, workers: int) -> None:
    begin = time.monotonic()
    while len(cluster.scheduler_info["workers"]) != workers and time.monotonic() - begin < 20:
        time.sleep(0.05)
    assert len(cluster.scheduler_info["workers"]) == workers


@pytest.mark.slow
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "htp://127.0.0.1:9", "tcp://"])
def test_a_scheduler_that_is_not_there_is_said(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("ecosystem.runs.dask_cluster.PATIENCE", 1)
    with pytest.raises(InputError, match="a Dask scheduler with a worker that answers"):
        own(None, executor="dask", cluster=address).complete()
