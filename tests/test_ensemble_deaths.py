"""Runs that kill their worker, as fast as no process is spawned; what else a user's code may do."""

import os
import sys
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import ensemble_models as models
import numpy as np
import pandas as pd
import pytest
from ensemble_runs import filled, own, shards

from ecosystem import Scenario, cross, run_design, simulate
from ecosystem.inputs.faults import InputError
from ecosystem.inputs.functions import HookError
from ecosystem.runs import executors
from ecosystem.runs.runner import Ensemble, read_frame

KILLS = Callable[[set[int]], bool]


class Frail(executors.SerialExecutor):
    """A worker that dies, in words, of some sets of runs."""

    def __init__(self, kills: KILLS, deaths: list[set[int]]) -> None:
        self.kills, self.deaths = kills, deaths

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        runs = set(args[0].runs.tolist())
        if not self.kills(runs):
            return super().submit(fn, *args, **kwargs)
        self.deaths.append(runs)
        future: Future[Any] = Future()
        future.set_exception(BrokenProcessPool("dead"))
        return future


@pytest.fixture
def frail(monkeypatch: pytest.MonkeyPatch) -> Callable[[KILLS], list[set[int]]]:
    """Return a function that makes spawned workers frail and returns what they died of."""

    def make(kills: KILLS) -> list[set[int]]:
        deaths: list[set[int]] = []
        monkeypatch.setattr(executors, "one_thread_processes", lambda _: Frail(kills, deaths))
        monkeypatch.setattr(executors, "end_processes", lambda _: None)
        return deaths

    return make


def in_chunks(runs: int, size: int, out: Path | None = None) -> Ensemble:
    design = cross(points={"x1": np.arange(float(runs))})
    options: dict[str, Any] = {"executor": "processes", "jobs": 2, "chunk_runs": size, "out": out}
    return run_design(design, model=models.two_outcomes, **options)


@pytest.mark.parametrize(
    "killers",
    [
        {0},
        {15},
        {3, 4},
        {0, 4, 5},
        {7, 23},
        set(range(16)),
        set(range(40)) - {39},
        {*range(0, 40, 3)},
    ],
)
def test_only_the_runs_that_kill_their_worker_fail(
    killers: set[int], frail: Any, tmp_path: Path
) -> None:
    deaths = frail(lambda runs: bool(runs & killers))
    runs = in_chunks(40, 8, tmp_path).complete()
    assert [row["run"] for row in runs.failures] == sorted(killers)
    assert {row["run"] for row in runs.failures if {row["run"]} not in deaths} == set()
    frame = read_frame(runs.directory or tmp_path)
    assert sorted(set(frame["run"])) == sorted(set(range(40)) - killers)
    whole = run_design(runs.design, model=models.two_outcomes, executor="serial", chunk_runs=8)
    undisturbed = whole.frame()
    wanted = undisturbed[~undisturbed["run"].isin(killers)].reset_index(drop=True)
    pd.testing.assert_frame_equal(frame, wanted, check_categorical=False, check_exact=True)


@pytest.mark.parametrize("size", [1, 2, 3, 64, 1000])
def test_a_killer_is_found_after_few_deaths(size: int, frail: Any) -> None:
    killer = size + size // 2
    deaths = frail(lambda runs: killer in runs)
    failures = in_chunks(3 * size, size).complete().failures
    assert [row["run"] for row in failures] == [killer]
    blamed = len(deaths) - 1  # the first died while there were other chunks
    assert 3 <= blamed <= max(np.ceil(np.log2(size)) + 2, 3)
    alone = 3 if size == 1 else 2
    words = f"its workers died {blamed} times, {alone} of them with this run alone (dead)"
    assert failures[0]["error"] == f"ChildProcessError: {words}"


def test_a_chunk_of_killers_takes_three_deaths_a_run(frail: Any) -> None:
    deaths = frail(lambda runs: 64 <= min(runs) < 128)
    failures = in_chunks(192, 64).complete().failures
    assert [row["run"] for row in failures] == list(range(64, 128))
    assert len(deaths) == 3 * 64


@pytest.mark.slow
def test_a_chunk_that_is_too_large_for_its_worker_loses_nothing(frail: Any, tmp_path: Path) -> None:
    wanted = shards(in_chunks(48, 16, tmp_path / "well").complete().directory or tmp_path)
    deaths = frail(lambda runs: len(runs) > 5)
    runs = in_chunks(48, 16, tmp_path / "ill").complete()
    assert not runs.failures and deaths
    assert shards(runs.directory or tmp_path) == wanted


def test_workers_that_always_die_are_not_laid_to_the_runs(frail: Any, tmp_path: Path) -> None:
    deaths = frail(lambda runs: True)
    with pytest.raises(ChildProcessError, match="workers died 6 times without finishing a chunk"):
        in_chunks(40, 8, tmp_path).complete()
    alone = [run for runs in deaths if len(runs) == 1 for run in runs]
    assert alone == [0, 10, 20, 29, 39]
    assert not list(tmp_path.glob("*/shards/*"))


def test_workers_that_begin_to_die_are_not_laid_to_the_runs(frail: Any, tmp_path: Path) -> None:
    done: list[int] = []

    def kills(runs: set[int]) -> bool:
        done.append(1)
        return len(done) > 3

    deaths = frail(kills)
    with pytest.raises(ChildProcessError, match="workers died"):
        in_chunks(60, 2, tmp_path).complete()
    assert any({first} in deaths for first in (0, 2, 4))  # one that had ended well
    directory = next(tmp_path.iterdir())
    with pytest.warns(UserWarning, match="is not finished"):
        assert read_frame(directory)["run"].max() < 6
    frail(lambda runs: False)
    assert not in_chunks(60, 2, tmp_path).complete().failures


@pytest.mark.slow
def test_a_chunk_of_killers_that_is_alone_missing_ends_all_the_same(
    frail: Any, tmp_path: Path
) -> None:
    whole = in_chunks(6, 1, tmp_path).complete().directory
    assert whole is not None
    (whole / "shards" / shards(whole)[2]).unlink()
    (whole / "manifest.json").unlink()
    frail(lambda runs: 2 in runs)
    assert [row["run"] for row in in_chunks(6, 1, tmp_path).complete().failures] == [2]


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
def test_whatever_a_model_raises_is_a_failed_run(
    error: BaseException, words: str, tmp_path: Path
) -> None:
    def model(runs: pd.DataFrame) -> pd.Series:
        if (runs.index == 3).any():
            raise error
        return runs["x1"]

    runs = own(tmp_path, model).complete()
    assert [(row["run"], row["error"]) for row in runs.failures] == [(3, words)]
    assert (runs.directory or tmp_path).joinpath("failed.csv").is_file()


def test_ctrl_c_in_a_model_ends_the_ensemble() -> None:
    def model(runs: pd.DataFrame) -> pd.Series:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        own(None, model).complete()


def test_a_model_that_exits_is_an_error_where_the_first_is_raised() -> None:
    def model(runs: pd.DataFrame) -> pd.Series:
        sys.exit(0)

    with pytest.raises(RuntimeError, match="the model raised SystemExit: 0"):
        own(None, model).arrays()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SystemExit("I give up"), r"SystemExit: I give up \(line"),
        (GeneratorExit(), r"GeneratorExit:  ?\(line"),
        (Mute(), r"Mute without a message \(line"),
    ],
)
def test_whatever_a_hook_raises_is_an_error_of_the_hook(error: BaseException, words: str) -> None:
    def hook(record: Any, state: Any, setting: Any) -> Any:
        raise error

    with pytest.raises(HookError, match=words):
        simulate(Scenario("history", hooks={"drivers": hook}), world="teaching", until="2025Q3")


def test_ctrl_c_in_a_hook_is_no_error_of_the_hook() -> None:
    def hook(record: Any, state: Any, setting: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(Scenario("history", hooks={"drivers": hook}), world="teaching", until="2025Q3")


def twice_the_same(runs: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(np.c_[runs["x1"], runs["x1"]], columns=["a", "a"])


def complex_array(runs: pd.DataFrame) -> np.ndarray:
    return runs["x1"].to_numpy() * 1j


def complex_column(runs: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"a": runs["x1"], "b": runs["x1"] * 1j})


def one_outcome_less(runs: pd.DataFrame) -> pd.DataFrame:
    if (runs.index == 3).any():
        raise ValueError("three")
    return pd.DataFrame({"a": runs["x1"]} | ({"b": runs["x1"]} if runs.index[0] < 3 else {}))


def one_outcome_more(runs: pd.DataFrame) -> pd.DataFrame:
    if (runs.index == 3).any():
        raise ValueError("three")
    return pd.DataFrame({"a": runs["x1"]} | ({"b": runs["x1"]} if runs.index[0] > 3 else {}))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (twice_the_same, "model: '2 columns a' is not valid; allowed: one column an outcome"),
        (complex_array, "model: 'outcome value of type complex128' .* allowed: real numbers"),
        (complex_column, "model: 'outcome b of type complex128' .* allowed: real numbers"),
        (one_outcome_less, "model: 'outcomes a, b for run 0, a for run 4' .* the same outcomes"),
        (one_outcome_more, "model: 'outcomes a for run 0, a, b for run 4' .* the same outcomes"),
    ],
)
def test_outcomes_that_would_be_lost_are_refused(model: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        own(None, model, chunk_runs=8).complete()


def test_arrays_of_a_model_of_ones_own_are_the_same_from_a_directory(tmp_path: Path) -> None:
    here = own(None).arrays()["end"]
    assert here["twice"].ravel().tolist() == (2 * np.arange(12.0)).tolist()
    for _ in range(2):  # as it is run, and as it is read
        there = own(tmp_path).arrays()["end"]
        assert list(there) == list(here) == ["sum", "twice"]
        for name, value in here.items():
            np.testing.assert_array_equal(there[name], value)


def test_failed_runs_of_a_model_of_ones_own_are_not_numbers_in_its_arrays(tmp_path: Path) -> None:
    found = own(tmp_path, models.fails_at_seven).arrays()["end"]["value"].ravel()
    np.testing.assert_array_equal(found, [*range(7), np.nan, 8, 9, 10, np.nan])


def test_a_design_without_runs_is_refused(tmp_path: Path) -> None:
    none = own(None).design.part([])
    for out in (None, tmp_path):
        with pytest.raises(InputError, match="design: 0 is not valid; allowed: at least one run"):
            run_design(none, model=models.two_outcomes, out=out)
    assert not os.listdir(tmp_path)
    assert filled(tmp_path)
