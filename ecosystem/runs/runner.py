"""Run a design on any number of cores: streamed, resumable, the same to the last bit.

    from ecosystem import cross, run_design

    design = cross(["history", "article"], points={"hype": [0.2, 0.8]}, replicates=50)
    for frame in run_design(design, keep=("summary", "yearly"), outcomes=["patents"]):
        ...                                   # one tidy frame a chunk, past by past

    runs = run_design(design, out="runs")     # runs/<hash>/, chunk by chunk; killed, it resumes
    whole = runs.frame()                      # everything at once, if it fits into memory

Frames have the columns run, scenario, shock, replicate, point, period, outcome, region, tier,
kind, domain and value; `design.table()` has the parameter values of each run. The period of what
`keep` names is ``summary``, ``end``, a year such as ``2030``, or a quarter such as ``2030Q4``.

A model of one's own is a function of a frame, one row a run with scenario, shock, point,
replicate and the point's values, that returns one row a run: an array, or a frame with one column
an outcome. What it returns is kept as ``end``.

    def ishigami(runs):
        x, y, z = (runs[name] for name in ("x1", "x2", "x3"))
        return np.sin(x) + 7 * np.sin(y) ** 2 + 0.1 * z**4 * np.sin(x)

    runs = run_design(cross(points=table), model=ishigami)
"""

from __future__ import annotations

import json
import os
import shlex
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecosystem.inputs.draws import Draws
from ecosystem.inputs.faults import FaultList
from ecosystem.inputs.options import Options
from ecosystem.runs.chunk import OWN_CHUNK, SLOTS_A_CHUNK
from ecosystem.runs.design import Design
from ecosystem.runs.identity import plain, short_digest
from ecosystem.runs.own import check_same_outcomes
from ecosystem.runs.past import Past
from ecosystem.runs.pool import Make, Pool, bare, in_order
from ecosystem.runs.question import checked_plan, shared_question
from ecosystem.runs.store import (
    failures_of,
    held,
    opened,
    read_chunk,
    read_frame,
    read_frames,
)
from ecosystem.runs.table import encoded, one_frame, piece_of, tidy_of, wide
from ecosystem.runs.task import Kept, Model, Piece, Task
from ecosystem.runs.tasks import Tasks
from ecosystem.runs.warm import compile_model

__all__ = ["Ensemble", "read_frame", "read_frames", "run_design", "start"]


class Ensemble:
    """A design together with how it is run; iterating runs it and gives its frames.

    Attributes
    ----------
    design : Design
    directory : Path or None
        The run directory, if results are written.
    failures : list of dict
        Rows of the runs that have failed so far.
    """

    def __init__(
        self,
        design: Design,
        tasks: Tasks,
        pool: Pool,
        progress: Callable[[int, int], None] | None = None,
        directory: Path | None = None,
        configuration: Mapping[str, Any] | None = None,
        command: str = "",
        shared: bool = False,
    ) -> None:
        self.design, self.tasks, self.pool, self.progress = design, tasks, pool, progress
        self.plan = tasks.plan
        self.directory, self.configuration, self.command = directory, configuration, command
        self.shared = shared
        self.failures: list[dict[str, Any]] = []

    def __iter__(self) -> Iterator[pd.DataFrame]:
        """Run what is missing and give one tidy frame a chunk, those of a common past together.

        Warns of failed runs, which no frame has; FloatingPointError where every run failed.
        """
        for task, piece in self.pieces():
            yield tidy_of(task, piece)
        self._tell_failures()

    def frame(self) -> pd.DataFrame:
        """Run what is missing and return everything as one frame, in the order of the design.

        Warns of failed runs, which the frame lacks; FloatingPointError where every run failed.
        """
        whole = one_frame(tidy_of(task, piece) for task, piece in self.pieces())
        self._tell_failures()
        return whole

    def _tell_failures(self) -> None:
        if not self.failures:
            return
        first = f"run {self.failures[0]['run']}: {self.failures[0]['error']}"
        if len(self.failures) == len(self.design):
            raise FloatingPointError(f"every run failed; {first}")
        words = f"{len(self.failures)} of {len(self.design)} runs failed, see `failures`; {first}"
        warnings.warn(words, stacklevel=3)

    def complete(self) -> Ensemble:
        """Run what is missing without reading it back."""
        for _ in self._results():
            pass
        return self

    def arrays(self, strict: bool = True) -> Kept:
        """Run what is missing and return everything by kind and outcome.

        Arrays are (runs, periods, entries), NaN where a run failed. Where nothing is written and
        `strict`, the first failure is raised instead.

        Raises
        ------
        InputError
            They would not fit into the memory of this machine.
        """
        whole: Kept = {kind: {} for kind in self.plan.keep}
        for _, piece in self.pieces(strict and self.directory is None):
            for kind, values in piece.values.items():
                for name, value in values.items():
                    if name not in whole[kind]:
                        check_memory(len(self.design), piece)
                        whole[kind][name] = np.full((len(self.design), *value.shape[1:]), np.nan)
                    whole[kind][name][piece.runs] = value
        return whole

    def pieces(self, strict: bool = False) -> Iterator[tuple[Task, Piece]]:
        """Run what is missing and give each chunk with what came of it, in order.

        Parameters
        ----------
        strict
            Raise the first failure instead of listing it.
        """
        outcomes: dict[int, list[str]] = {}
        for number, result in self._results(strict):
            piece = piece_of(read_chunk(result)) if isinstance(result, Path) else result
            for values in piece.values.values() if self.plan.model is not None else ():
                names = {int(piece.runs[0]): list(values)}
                check_same_outcomes(outcomes | names)
                outcomes = outcomes or names
            yield self.tasks[number], piece

    def _results(self, strict: bool = False) -> Iterator[tuple[int, Any]]:
        """Give the number of each chunk with its file, or with its piece where none is written."""
        self.failures = []
        every = range(len(self.tasks))
        if self.directory is None:
            tasks = self.tasks.under(replace(self.plan, strict=strict))
            for number, piece in self._run(tasks, bare, every, lambda _, piece: piece):
                self.failures += piece.failures
                yield number, piece
            return
        store = held(self.directory) if self.shared else None
        assert self.configuration is not None
        name = short_digest(self.configuration)
        with (
            nullcontext(store) if store
            else opened(self.directory, self.configuration, self.command)
        ) as place:  # fmt: skip
            assert place is not None
            place.keep(self.tasks.draws)
            there = place.found(name, self.tasks)
            missing = [number for number in every if number not in there]

            def keep(number: int, result: tuple[bytes, Mapping[str, str]]) -> Path:
                place.heard(result[1])
                return place.write(name, number, result[0])

            with closing(self._run(self.tasks, work, missing, keep)) as running:
                for number in every:
                    path = there[number] if number in there else next(running)[1]
                    self.failures += failures_of(path)
                    yield number, path
            if store is None and not place.is_listed():
                place.finish(self.configuration, self.command, runs=len(self.design))

    def _run(
        self,
        tasks: Tasks,
        make: Make,
        numbers: Sequence[int],
        keep: Callable[[int, Any], Any],
    ) -> Generator[tuple[int, Any], None, None]:
        """Run tasks and give in their order what `keep` makes of them as soon as they are done."""
        if numbers and tasks.plan.model is None:
            compile_model()
        every = len(self.design)
        done = every - sum(len(tasks.parts[number][1]) for number in numbers)
        show = self.progress or (lambda done, every: None)
        show(done, every)

        def kept(number: int, result: Any) -> Any:
            nonlocal done
            found = keep(number, result)
            done += len(tasks.parts[number][1])
            show(done, every)
            return found

        self.pool.limit(len(tasks))
        try:
            jobs = tasks.jobs(numbers, self.pool.width) if numbers else []
            yield from in_order(self.pool, tasks, make, jobs, kept)
        finally:
            self.pool.close()


def work(task: Task, piece: Piece) -> tuple[bytes, Mapping[str, str]]:
    """Return the content of a chunk's file, and the files that its runs read."""
    return encoded(wide(task, piece)), piece.files


def check_memory(runs: int, piece: Piece) -> None:
    """Raise InputError where the values of so many runs do not fit into this machine."""
    each = sum(v.nbytes for kind in piece.values.values() for v in kind.values()) / len(piece.runs)
    if not hasattr(os, "sysconf"):
        return
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if runs * each > there:
        faults = FaultList()
        allowed = f"fewer: they take {runs * each / 1e9:.0f} GB, and this machine has "
        allowed += f"{there / 1e9:.0f}; run_design gives results chunk by chunk"
        faults.add("runs", f"{runs:,}", allowed)
        faults.raise_if_any()


def run_design(
    design: Design,
    *,
    model: Model | None = None,
    keep: str | Sequence[str] = "summary",
    outcomes: str | Sequence[str] | None = None,
    seed: int = 1,
    until: str = "2035Q4",
    world: str | Path = "full",
    fixed_parameters: bool = False,
    draws: str | Path | pd.DataFrame | Draws | None = None,
    executor: str | Executor | None = None,
    cluster: str | None = None,
    jobs: int | None = None,
    out: str | Path | None = None,
    chunk_runs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    command: str | None = None,
) -> Ensemble:
    """Check a design and return it ready to run; iterating runs it, chunk by chunk.

    Parameters
    ----------
    design
        The table of runs, from `ecosystem.runs.design.cross`.
    model
        A model of one's own instead of this package's: a function of a frame of runs; see above.
    keep
        What is kept of each run: some of ``summary`` (each outcome over its own time base),
        ``end`` (last quarter), ``yearly`` (flows summed, shares averaged, stocks at the end of
        the year) and ``quarterly``. A model of one's own gives ``end``.
    outcomes, seed, until, world, fixed_parameters, draws, executor, cluster, jobs, progress
        As `ecosystem.simulate` takes them. A model of one's own has no draws.
    out
        Folder in which the run directory is made, named by the hash of everything that
        determines the results. What an earlier start has finished in it is not run again.
        Without, nothing is written.
    chunk_runs
        Most runs of a chunk; by default what fits the cache.
    command
        Command line that repeats the run, noted in the run directory.

    Raises
    ------
    InputError
        With every fault of the arguments.
    """
    faults = FaultList()
    asked = Options.collected(
        faults, outcomes=outcomes, seed=seed, until=until, world=world, executor=executor,
        cluster=cluster, jobs=jobs, out=out, progress=progress, fixed_parameters=fixed_parameters,
        draws=draws,
    )  # fmt: skip
    return start(
        design, asked, faults, model=model, keep=keep, chunk_runs=chunk_runs, command=command
    )


def start(
    design: Design,
    asked: Options | None,
    faults: FaultList | None = None,
    *,
    model: Model | None = None,
    keep: str | Sequence[str] = "summary",
    chunk_runs: int | None = None,
    command: str | None = None,
    past: Past | None = None,
) -> Ensemble:
    """Return a design ready to run, under options that have been checked (`run_design`).

    Parameters
    ----------
    asked
        What has been asked for; None where that was wrong.
    faults
        What was wrong with it.
    past
        A past that all runs go on from, a row a replicate; it changes no number.

    Raises
    ------
    InputError
        With every fault.
    """
    plan, world, kind = checked_plan(design, asked, faults or FaultList(), model, keep, chunk_runs)
    asked = asked or Options.of()
    largest = OWN_CHUNK if world is None else max(1, SLOTS_A_CHUNK // world.firms.count)
    pool, largest = Pool(kind, asked), chunk_runs or largest
    draws = asked.drawn_from if model is None else None
    if asked.out is None:
        tasks = Tasks(design, plan, largest, past=past, draws=draws)
        return Ensemble(design, tasks, pool, asked.progress)
    shared = shared_question(design, plan, draws)
    configuration = {
        "command": "design",
        "scenarios": plain(design.scenarios),
        "runs": len(design),
        "design": design.digest,
        "chunk_runs": chunk_runs,
        **shared,
        "draws": draws and draws.about,
    }
    inside = held(asked.out) is not None
    directory = asked.out if inside else asked.out / short_digest(configuration)
    repeat = ("ecosystem", "reproduce", str(directory.resolve()), "--run")
    plan = replace(plan, repeat=repeat, listens=bool(shared["functions"]))
    questions = [
        json.dumps({**shared, "scenario": plain(one)}, sort_keys=True) for one in design.scenarios
    ]
    tasks = Tasks(design, plan, largest, questions, past, draws)
    return Ensemble(
        design, tasks, pool, asked.progress, directory, configuration,
        command or shlex.join(repeat[:-1]), inside,
    )  # fmt: skip
