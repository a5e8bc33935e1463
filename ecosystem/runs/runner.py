"""Run a design on any number of cores: streamed, resumable, the same to the last bit.

    from ecosystem import cross, run_design

    design = cross(["history", "article"], points={"hype": [0.2, 0.8]}, replicates=50)
    for frame in run_design(design, keep=("summary", "yearly"), outcomes=["patents"]):
        ...                                   # one tidy frame a shard, in the order of the design

    runs = run_design(design, out="runs")     # runs/<hash>/, shard by shard; killed, it resumes
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

import shlex
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecosystem.runs.chunks import Kept, Model, Piece, Plan, Task, Tasks, largest_chunk, run_task
from ecosystem.runs.design import Design
from ecosystem.runs.directory import hash_of
from ecosystem.runs.executors import Pool, in_order
from ecosystem.runs.identity import configuration_hash
from ecosystem.runs.own import check_same_outcomes
from ecosystem.runs.recall import why_lost
from ecosystem.runs.request import checked, configuration_of
from ecosystem.runs.shards import failures_of, frame_of, piece_of, read_shard, tidy, work
from ecosystem.runs.store import Store, shard_paths, warn_if_unfinished

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[int, int], None]


class Ensemble:
    """A design together with how it is run; iterating runs it and gives its frames in order.

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
        plan: Plan,
        tasks: Tasks,
        store: Store | None,
        pool: Pool,
        progress: Progress | None,
    ) -> None:
        self.design, self.plan, self.tasks = design, plan, tasks
        self.store, self.pool, self.progress = store, pool, progress
        self.failures: list[dict[str, Any]] = []

    @property
    def directory(self) -> Path | None:
        """The run directory, if results are written."""
        return self.store.directory if self.store else None

    def __iter__(self) -> Iterator[pd.DataFrame]:
        """Run what is missing and give one tidy frame a shard, in the order of the design.

        Warns of failed runs, which no frame has; FloatingPointError where every run failed.
        """
        for _, table in self.tables():
            yield frame_of(table)
        self.tell_failures()

    def frame(self) -> pd.DataFrame:
        """Run what is missing and return everything as one frame.

        Warns of failed runs, which the frame lacks; FloatingPointError where every run failed.
        """
        whole = one_frame(table for _, table in self.tables())
        self.tell_failures()
        return whole

    def tell_failures(self) -> None:
        """Warn of runs that failed; raise FloatingPointError where every run did."""
        if not self.failures:
            return
        first = f"run {self.failures[0]['run']}: {self.failures[0]['error']}"
        if len(self.failures) == len(self.design):
            raise FloatingPointError(f"every run failed; {first}")
        words = f"{len(self.failures)} of {len(self.design)} runs failed, see `failures`; {first}"
        warnings.warn(words, stacklevel=3)

    def complete(self) -> Ensemble:
        """Run what is missing without reading it back."""
        for _ in self._shards():
            pass
        return self

    def tables(self) -> Iterator[tuple[Task, Any]]:
        """Run what is missing and give each chunk with its table (`ecosystem.runs.shards`)."""
        owner = self.store.owner if self.store else ""
        outcomes: dict[int, list[str]] = {}
        for number, kept in self._shards():
            table = read_shard(kept, owner) if isinstance(kept, Path) else kept
            if self.plan.model is not None and len(table):
                names = table.column("outcome").unique().to_pylist()
                check_same_outcomes(outcomes | {table.column("run")[0].as_py(): names})
                outcomes = outcomes or {table.column("run")[0].as_py(): names}
            yield self.tasks[number], table

    def arrays(self, strict: bool = True) -> Kept:
        """Run what is missing and return everything by kind and outcome.

        Arrays are (runs, periods, entries), NaN where a run failed. Where nothing is written and
        `strict`, the first failure is raised instead.
        """
        whole: Kept = {kind: {} for kind in self.plan.keep}
        outcomes: dict[int, list[str]] = {}
        for piece in self._pieces(strict):
            for kind, values in piece.values.items():
                names = {int(piece.runs[0]): list(values)}
                check_same_outcomes(outcomes | names)
                outcomes = outcomes or names
                for name, value in values.items():
                    if name not in whole[kind]:
                        whole[kind][name] = np.full((len(self.design), *value.shape[1:]), np.nan)
                    whole[kind][name][piece.runs] = value
        return whole

    def _pieces(self, strict: bool) -> Iterator[Piece]:
        """Run what is missing and give each chunk as arrays."""
        if self.store is not None:
            for task, table in self.tables():
                yield piece_of(task, table)
            return
        self.failures = []
        tasks = self.tasks.under(replace(self.plan, strict=strict))
        for _, piece in self._run(run_task, tasks, range(len(tasks)), lambda _, piece: piece):
            self.failures += piece.failures
            yield piece

    def _shards(self) -> Iterator[tuple[int, Any]]:
        """Give the number of each shard with its path, or with its table where none is written."""
        self.failures = []
        if self.store is None:
            every = range(len(self.tasks))
            for number, table in self._run(tabulate, self.tasks, every, lambda _, table: table):
                self.failures += failures_of(table.schema)
                yield number, table
            return
        with self.store.opened(self.design):
            there = dict(self.store.found)
            missing = [number for number in range(len(self.tasks)) if number not in there]
            with closing(self._run(work, self.tasks, missing, self.store.write)) as running:
                for number in range(len(self.tasks)):
                    yield (number, there[number]) if number in there else next(running)
            self.failures = self.store.failures()
            self.store.finish(len(self.design))

    def _run(
        self,
        call: Callable[..., Any],
        tasks: Sequence[Task],
        numbers: Sequence[int],
        keep: Callable[[int, Any], Any],
    ) -> Generator[tuple[int, Any], None, None]:
        """Run tasks and give in their order what `keep` makes of them as soon as they are done."""
        every = len(self.design)
        done = every - sum(len(tasks[number]) for number in numbers)
        if self.progress is not None:
            self.progress(done, every)

        def kept(number: int, result: Any) -> Any:
            nonlocal done
            found = keep(number, result)
            done += len(tasks[number])
            if self.progress is not None:
                self.progress(done, every)
            return found

        self.pool.limit(len(tasks))
        try:
            yield from in_order(self.pool, tasks, call, numbers, kept)
        finally:
            self.pool.close()


def tabulate(task: Task, piece: Piece | None = None) -> Any:
    """Run a chunk and return its table (`run_task`)."""
    return tidy(task, run_task(task, piece))


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
    executor: str | Executor | None = None,
    cluster: str | None = None,
    jobs: int | None = None,
    out: str | Path | None = None,
    chunk_runs: int | None = None,
    progress: Progress | None = None,
    command: str | None = None,
) -> Ensemble:
    """Check a design and return it ready to run; iterating runs it, shard by shard.

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
    outcomes
        Names of the outcome table; all by default.
    seed
        Seed of all draws, at least 0.
    until
        Last quarter, such as ``2030Q4``.
    world
        ``full``, ``teaching`` or a folder of world tables.
    fixed_parameters
        What the design's points do not name stays at its default instead of being drawn.
    executor
        ``processes`` (default), ``serial``, ``dask``, or any `concurrent.futures.Executor`.
    cluster
        Address of a Dask scheduler, such as ``tcp://127.0.0.1:8786``; without, ``dask`` starts
        workers on this machine.
    jobs
        Number of workers; by default one a core.
    out
        Folder in which the run directory is made, named by the hash of everything that
        determines the results. What an earlier start has finished in it is not run again.
        Without, nothing is written.
    chunk_runs
        Most runs of a shard; by default what fits the cache.
    progress
        Called with the number of finished and of all runs.
    command
        Command line that repeats the run, noted in the run directory.

    Raises
    ------
    InputError
        With every fault of the arguments.
    """
    plan, place, pool = checked(
        design, model=model, keep=keep, outcomes=outcomes, seed=seed, until=until, world=world,
        fixed=fixed_parameters, executor=executor, cluster=cluster, jobs=jobs,
        chunk_runs=chunk_runs,
    )  # fmt: skip
    largest = chunk_runs or largest_chunk(place)
    if out is None:
        return Ensemble(design, plan, Tasks(design, plan, largest), None, pool, progress)
    configuration = configuration_of(design, plan, chunk_runs)
    directory = Path(out) / configuration_hash(configuration)
    repeat: tuple[str, ...] = ("ecosystem", "reproduce", str(directory.resolve()), "--run")
    if lost := why_lost(configuration, model):  # said where the command would stand
        repeat = (*f"no command: {lost}.".split(), "Run")
    tasks = Tasks(design, replace(plan, repeat=repeat), largest)
    store = Store(directory, configuration, command or shlex.join(repeat[:-1]), len(tasks))
    return Ensemble(design, tasks.plan, tasks, store, pool, progress)


def read_frames(directory: str | Path) -> Iterator[pd.DataFrame]:
    """Give the shards of a run directory as frames, in the order of the design.

    Warns where the run is not finished: then only some of its shards are there.

    Raises
    ------
    InputError
        There are none, or one is not as it was written.
    """
    paths = shard_paths(directory)
    warn_if_unfinished(directory)
    for table in tables_of(directory, paths):
        yield frame_of(table)


def read_frame(directory: str | Path) -> pd.DataFrame:
    """Return all shards of a run directory as one frame.

    Warns where the run is not finished: then only some of its shards are there.

    Raises
    ------
    InputError
        There are none, or one is not as it was written.
    """
    paths = shard_paths(directory)
    warn_if_unfinished(directory)
    return one_frame(tables_of(directory, paths))


def tables_of(directory: str | Path, paths: Sequence[Path]) -> Iterator[Any]:
    """Give shards of a run directory as tables."""
    owner = hash_of(Path(directory))
    for path in paths:
        yield read_shard(path, owner)


def one_frame(tables: Iterable[Any]) -> pd.DataFrame:
    """Return tables of shards as one frame with common categories."""
    import pyarrow as pa

    bare = [table.replace_schema_metadata() for table in tables]
    return frame_of(pa.concat_tables(bare).unify_dictionaries())
