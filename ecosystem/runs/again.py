"""The same again: chunks of a run directory run anew from what they say of themselves.

Nothing but the chunk is needed to ask its question again, and the answer is compared value by
value. What is not as it was then (code, tables, versions, the user's files) is listed beside it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ecosystem.inputs.draws import Draws, read_draws
from ecosystem.inputs.entries import Edit, ShockUse
from ecosystem.inputs.faults import FaultList
from ecosystem.inputs.fingerprint import digest_of_file
from ecosystem.inputs.functions import MEAN, Hook
from ecosystem.inputs.scenario import Layer, ResolvedScenario
from ecosystem.inputs.world.loader import load_world
from ecosystem.runs.directory import DRAWN, MANIFEST, PLAN, read_json, read_plan
from ecosystem.runs.identity import digest, model_digests, versions
from ecosystem.runs.pool import Pool, bare, in_order
from ecosystem.runs.store import chunk_paths, read_chunk
from ecosystem.runs.table import GIVEN, frame_of, meta_of, piece_of, runs_of, tidy_of
from ecosystem.runs.task import Model, Plan, Task

CLOSE = 1e-9
"""Relative to the largest value of the outcome: rounding that differs between machines."""
DIGITS = 12
"""Hexadecimal digits of a digest that are shown."""


@dataclass
class Compared:
    """What came of comparing runs then and now.

    Attributes
    ----------
    values, same, close
        Number of values compared; of those the same to the last bit; of the others those within
        1e-9 of the outcome's size.
    differing
        Rows that differ more: keys, the value stored and the value now.
    failed
        Errors of runs that fail as they did, by number.
    failures
        What differs between the runs that failed then and now.
    """

    values: int = 0
    same: int = 0
    close: int = 0
    differing: list[pd.DataFrame] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add_chunk(self, then: pa.Table, now: pa.Table) -> None:
        """Compare two wide tables of the same runs."""
        errors = [
            {row["run"]: row["error"] for row in piece_of(one).failures} for one in (then, now)
        ]
        self.add(frame_of(then), frame_of(now), errors)

    def add(
        self, then: pd.DataFrame, now: pd.DataFrame, errors: Sequence[Mapping[int, str]]
    ) -> None:
        """Compare the tidy frames of a chunk, and the errors of its failed runs, then and now."""
        for run in sorted({run for one in errors for run in one}):
            old, new = (one.get(run) for one in errors)
            if old is not None and old == new:
                self.failed[run] = old
            else:
                self.failures.append(f"  run {run}: {old or 'ok'} → {new or 'ok'}")
        keys = [name for name in then.columns if name != "value"]
        words = {name: str for name in keys if then[name].dtype == "category"}
        both = then.astype(words).merge(
            now.astype(words), on=keys, how="outer", suffixes=("_then", "_now")
        )
        both = both[~both["run"].isin(errors[0].keys() ^ errors[1].keys())]
        a, b = both["value_then"].to_numpy(), both["value_now"].to_numpy()
        sizes = both.assign(size=np.abs(a)).groupby(["outcome", "period"])["size"]
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        close = ~same & (np.abs(a - b) <= CLOSE * sizes.transform("max").to_numpy())
        self.values += len(both)
        self.same += int(same.sum())
        self.close += int(close.sum())
        if not (same | close).all():
            names = {"value_then": "stored", "value_now": "now"}
            self.differing.append(both[~(same | close)].rename(columns=names))


def run_again(
    directory: Path, found: Compared, pool: Pool, run: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:  # fmt: skip
    """Run the chunks of a directory anew, compare them, and return how many there were.

    Parameters
    ----------
    directory
        The run directory; it is not touched.
    found
        Takes in what is found.
    pool
        Where the runs take place.
    run
        Number of a single run, in every design that has one; all by default.
    progress
        Called with the number of finished and of all chunks.

    Raises
    ------
    InputError
        A chunk is not as it was written, or what was run is not there any more.
    """
    read_plan(directory)
    kept = directory / DRAWN
    draws = read_draws(kept) if kept.is_file() else None
    tasks = Stored(chunk_paths(directory), run, draws)
    pool.limit(len(tasks))
    try:
        each = [[number] for number in range(len(tasks))]
        for number, piece in in_order(pool, tasks, bare, each, lambda _, one: one):
            stored, task = read_chunk(tasks.paths[number]), tasks[number]
            then = frame_of(stored)
            then = then if run is None else then[then["run"] == run]
            errors = [
                {row["run"]: row["error"] for row in rows if row["run"] in task.runs}
                for rows in (piece_of(stored).failures, piece.failures)
            ]
            found.add(then, tidy_of(task, piece), errors)
            if progress:
                progress(number + 1, len(tasks))
    finally:
        pool.close()
    return len(tasks)


class Stored(Sequence[Task]):
    """The tasks of stored chunks, or of one run in each that has it; read when asked for."""

    def __init__(self, paths: Sequence[Path], run: int | None, draws: Draws | None = None) -> None:
        self.run, self.draws = run, draws
        self.paths = [
            path for path in paths if run is None or run in runs_of(read_chunk(path), "run")
        ]

    def __len__(self) -> int:
        """Return the number of chunks."""
        return len(self.paths)

    def __getitem__(self, number: Any) -> Any:
        """Return the task of a chunk."""
        task = task_of(read_chunk(self.paths[number]), self.draws)
        if self.run is None:
            return task
        place = int(np.flatnonzero(task.runs == self.run)[0])
        return task.part(slice(place, place + 1))


def key_of(table: pa.Table) -> str:
    """Return what tells the question of a chunk from any other, whatever the code and the data."""
    asked = meta_of(table.schema)["question"]
    scenario = asked["scenario"]
    if not isinstance(scenario, str):
        hooks = [words.partition(" (SHA-256")[0] for words in scenario["hooks"]]
        scenario = {**scenario, "hooks": hooks}
    known = {name: asked[name] for name in ("keep", "outcomes", "seed", "until", "model")}
    return digest([scenario, known, columns_of(table)])


def columns_of(table: pa.Table) -> dict[str, Any]:
    """Return number, point, luck and parameter values of the runs of a chunk, (runs,) each."""
    given = [name for name in table.column_names if name.startswith(GIVEN)]
    return {name: runs_of(table, name) for name in ("run", "point", "replicate", *given)}


def task_of(table: pa.Table, draws: Draws | None = None) -> Task:
    """Return the task whose answer a wide table is, to be run with the code that is here now.

    Raises
    ------
    InputError
        A function of the user cannot be found any more, or the draws are not there.
    """
    asked, faults = meta_of(table.schema)["question"], FaultList()
    places = asked["functions"]
    model = model_of(faults, asked["model"]) if asked["model"] else None
    scenario = asked["scenario"]
    if not isinstance(scenario, str):
        hooks = [hook_of(faults, words, places[words]) for words in scenario["hooks"]]
        faults.raise_if_any()
        scenario = scenario_of(scenario, [hook for hook in hooks if hook])
    faults.raise_if_any()
    if asked.get("draws") != (draws and asked.get("draws") and draws.digest):
        faults.add(DRAWN, draws, f"the draws that the runs began with: {asked['draws'][:DIGITS]}")
    faults.raise_if_any()
    world = asked["world"]
    plan = Plan(
        world=world,
        world_digest="" if model else load_world(world).digest,
        code=model_digests()["code"],
        seed=asked["seed"],
        until=asked["until"],
        fixed=asked["fixed_parameters"],
        outcomes=tuple(asked["outcomes"]),
        keep=tuple(asked["keep"]),
        model=model,
    )
    columns = columns_of(table)
    run, point, replicate = (columns.pop(name) for name in ("run", "point", "replicate"))
    values = {name.removeprefix(GIVEN): column for name, column in columns.items()}
    rows = draws.of_replicates(plan.seed, replicate) if draws and asked["draws"] else None
    return Task(
        plan, scenario, run, point.astype(np.int32), replicate.astype(np.int32), values, draws=rows
    )


def scenario_of(content: Mapping[str, Any], hooks: Sequence[Hook]) -> ResolvedScenario:
    """Return the scenario that a question spells out."""
    layers = tuple(
        Layer(**{**layer, "edits": tuple(Edit(**edit) for edit in layer["edits"])})
        for layer in content["layers"]
    )
    shocks = tuple(ShockUse(**use) for use in content["shocks"])
    return ResolvedScenario(
        **{**content, "layers": layers, "shocks": shocks, "hooks": tuple(hooks)}
    )


def hook_of(faults: FaultList, words: str, place: str) -> Hook | None:
    """Return the user's function behind a stage as it is now, else note a fault."""
    stage, _, name = words.partition(" (SHA-256")[0].partition(" = ")
    function = name.rpartition(":")[2]
    if name == MEAN:
        return Hook.from_mean(stage)
    try:
        if place.endswith(".py"):
            return Hook.from_file(stage, place, function, Path(place).read_bytes())
        return Hook.from_function(stage, standing_at(f"{place}:{function}"))
    except (Exception, SystemExit) as error:  # whatever the user's file raises
        faults.add("hooks", name, f"a function that is there ({type(error).__name__}: {error})")
    return None


def model_of(faults: FaultList, name: str) -> Model | None:
    """Return a user's own model by module and name, else note a fault."""
    allowed = "a function in a file of its own that can be imported from here"
    try:
        model, problem = standing_at(name), "it is no function"
    except (Exception, SystemExit) as error:  # whatever the user's file raises
        model, problem = None, f"{type(error).__name__}: {error}"
    if callable(model):
        return model
    faults.add("model", name, f"{allowed} ({problem})")
    return None


def standing_at(name: str) -> Any:
    """Import what stands at a name such as ``my_file:my_function`` or ``my_file:Class.method``."""
    if os.getcwd() not in sys.path:  # a command looks beside itself, not where it is called
        sys.path.append(os.getcwd())  # for good: worker processes look where this one does
    module, _, function = name.partition(":")
    return attrgetter(function)(import_module(module))


def reasons(directory: Path) -> dict[str, tuple[str, str]]:
    """Return what is not as it was when a run directory began and ended: then and now, by name.

    Code, tables, world, files of the user's functions and those they read, versions and machine.
    """
    found: dict[str, tuple[str, str]] = {}
    for path in chunk_paths(directory):
        meta = meta_of(pq.read_schema(path))
        asked, then = meta["question"], dict(meta["question"]["data"])
        files = {**then.pop("files"), **meta["files"]}
        now = {**model_digests(), **{name: digest_of_file(name) or "missing" for name in files}}
        then |= files
        if asked["model"]:
            then.pop("world")
        else:
            now["world"] = load_world(asked["world"]).digest
        found |= differing(then, now, DIGITS)
    for record in (directory / PLAN, directory / MANIFEST):
        if record.is_file():
            found |= differing(read_json(record)["versions"], versions())
    return found


def differing(
    then: Mapping[str, str], now: Mapping[str, str], digits: int | None = None
) -> dict[str, tuple[str, str]]:
    """Return what differs, then and now, by name; digests cut to some digits."""
    return {
        name: (str(then.get(name))[:digits], str(now.get(name))[:digits])
        for name in {**then, **now}
        if then.get(name) != now.get(name)
    }
