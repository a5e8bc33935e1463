"""Chunks: runs of one scenario that are stepped together, and what becomes of them.

A task is everything a worker needs to run a chunk; it holds no array that grows with the design.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecosystem.extend import words_of
from ecosystem.inputs.calendar import FIRST_YEAR, QUARTERS_A_YEAR, period_label
from ecosystem.inputs.catalogue import outcomes as outcome_table
from ecosystem.inputs.draws import draw_parameters
from ecosystem.inputs.faults import FaultList, InputError
from ecosystem.inputs.functions import HookError
from ecosystem.inputs.scenario import ResolvedScenario
from ecosystem.inputs.world.loader import World, load_world
from ecosystem.maths.arrays import Array
from ecosystem.maths.chance import Chance
from ecosystem.runs.core import SLOTS_A_CHUNK, Chunk, run_chunk
from ecosystem.runs.design import Design, Integers, scenario_name, shock_label
from ecosystem.runs.identity import model_digests
from ecosystem.runs.own import check_same_outcomes, own_outcomes

KEEP = ("summary", "end", "yearly", "quarterly")
"""What can be kept of a run: each outcome over its own time base, in the last quarter, by year
(flows summed, shares averaged, stocks at the end), by quarter."""
OWN_CHUNK = 1000
"""Runs of a chunk of a user's own model."""
LOOKED_AT = 5
"""Runs of a chunk that are looked at alone before a hook is said to fail in all of them."""
Model = Callable[[Any], Any]
Kept = dict[str, dict[str, Array]]


@dataclass(frozen=True)
class Plan:
    """What all chunks of a design have in common.

    Parameters
    ----------
    world, world_digest, code
        Name or folder of the world, and what its tables and the model's code must be.
    seed, until, fixed, outcomes
        As `ecosystem.runs.simulate.simulate` takes them; `until` is the index of the last quarter.
    keep
        What is kept of each run, some of `KEEP`.
    model
        A user's own model, or None.
    repeat
        Words that repeat a run, followed by its number.
    strict
        Raise the first error instead of listing the run as failed.
    """

    world: str
    world_digest: str
    code: str
    seed: int
    until: int
    fixed: bool
    outcomes: tuple[str, ...]
    keep: tuple[str, ...]
    model: Model | None = None
    repeat: tuple[str, ...] = ()
    strict: bool = False


@dataclass(frozen=True)
class Task:
    """One chunk: some runs of one scenario.

    Parameters
    ----------
    plan
        What it has in common with the other chunks.
    scenario
        The scenario of all its runs.
    runs, point, replicate
        Number, parameter point and luck of each run, (runs,).
    values
        Parameter values by name, (runs,) each.
    """

    plan: Plan
    scenario: ResolvedScenario | str
    runs: NDArray[np.int64]
    point: Integers
    replicate: Integers
    values: Mapping[str, Array]

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self.runs)

    def part(self, places: slice) -> Task:
        """Return some of the runs as a task of their own."""
        values = {name: column[places] for name, column in self.values.items()}
        keys = self.point[places], self.replicate[places]
        return Task(self.plan, self.scenario, self.runs[places], *keys, values)


@dataclass(frozen=True)
class Piece:
    """What came of a chunk.

    Parameters
    ----------
    runs
        Numbers of the runs that ended well.
    values
        What was kept, by kind and outcome, (runs, periods, entries) each.
    failures
        One row each of the others: run, error, parameters and the command that repeats it.
    """

    runs: NDArray[np.int64]
    values: Kept
    failures: tuple[dict[str, Any], ...] = ()


class Tasks(Sequence[Task]):
    """The chunks of a design: of one scenario each, of equal size, and fitting the cache.

    A task is made when it is asked for, so that parameter values are not held twice.

    Parameters
    ----------
    design, plan
        What is cut, and what its chunks have in common.
    largest
        Most runs of a chunk.

    Raises
    ------
    InputError
        The design has no run.
    """

    def __init__(self, design: Design, plan: Plan, largest: int) -> None:
        if not len(design):
            faults = FaultList()
            faults.add("design", 0, "at least one run")
            faults.raise_if_any()
        self.design, self.plan, self.largest = design, plan, largest
        self.parts = [
            (scenario, runs)
            for place, scenario in enumerate(design.scenarios)
            if len(rows := np.flatnonzero(design.scenario == place))
            for runs in np.array_split(rows, -(-len(rows) // largest))
        ]

    def under(self, plan: Plan) -> Tasks:
        """Return the same chunks under another plan."""
        return Tasks(self.design, plan, self.largest)

    def __len__(self) -> int:
        """Return the number of chunks."""
        return len(self.parts)

    def __getitem__(self, number: Any) -> Any:
        """Return a chunk; several of them for a slice."""
        if isinstance(number, slice):
            return [self[place] for place in range(*number.indices(len(self)))]
        scenario, runs = self.parts[number]
        design = self.design
        columns = design.point[runs], design.replicate[runs]
        return Task(self.plan, scenario, runs, *columns, design.values(runs))


def largest_chunk(world: World | None) -> int:
    """Return the most runs of a chunk that fits the cache; for a user's own model without world."""
    return OWN_CHUNK if world is None else max(1, SLOTS_A_CHUNK // world.firms.count)


def run_task(task: Task, piece: Piece | None = None) -> Piece:
    """Run a chunk; where a run fails, halve the chunk until the run stands alone.

    Parameters
    ----------
    task
        The chunk.
    piece
        What came of it, where it has been run in parts.

    Raises
    ------
    InputError
        The chunk cannot be run here at all: other code or other data than where it was cut.
    HookError
        A user's function fails in each of some runs spread over the chunk: it is a mistake rather
        than the fault of a run.
    Exception
        What the first run raised, where the plan is strict.
    """
    if piece is not None:
        return piece
    check_place(task.plan)
    return attempt(task)


def run_part(task: Task) -> Piece:
    """Run a part of a chunk: as `run_task`, but a hook that fails in all its runs is no mistake."""
    check_place(task.plan)
    return attempt(task, whole=False)


def attempt(task: Task, whole: bool = True) -> Piece:
    """Run a chunk, halving it where a run fails; `whole` until it has been halved."""
    try:
        return Piece(task.runs, run_whole(task))
    except Exception as error:
        hook = isinstance(error, HookError)
        mistake = (whole and is_mistake(task)) if hook else isinstance(error, InputError)
        if task.plan.strict or mistake:
            raise
        if len(task) == 1:
            return Piece(task.runs[:0], {}, (failure(task, error),))
    middle = len(task) // 2
    halves = task.part(slice(middle)), task.part(slice(middle, None))
    return joined([attempt(half, whole=False) for half in halves])


def is_mistake(task: Task) -> bool:
    """Return whether a hook fails in each of `LOOKED_AT` runs spread over a chunk."""
    places = np.unique(np.linspace(0, len(task) - 1, LOOKED_AT).astype(int))
    for place in places:
        try:
            run_whole(task.part(slice(place, place + 1)))
        except HookError:
            continue
        return False
    return len(task) > 1


def given_up(task: Task, death: str) -> Piece:
    """Return a single run that killed its workers as one that has failed."""
    error = ChildProcessError(death)
    if task.plan.strict:
        raise error
    return Piece(task.runs[:0], {}, (failure(task, error),))


def run_whole(task: Task) -> Kept:
    """Run all runs of a chunk together."""
    return run_ecosystem(task) if task.plan.model is None else run_own(task)


def check_place(plan: Plan) -> None:
    """Raise InputError where this process has other code or other tables than the plan."""
    faults = FaultList()
    if plan.code != model_digests()["code"]:
        faults.add(
            "code", model_digests()["code"][:12], f"the code the runs began with: {plan.code[:12]}"
        )
    if plan.model is None and load_world(plan.world).digest != plan.world_digest:
        faults.add("world", plan.world, f"the tables the runs began with: {plan.world_digest[:12]}")
    faults.raise_if_any()


def chunk_of(task: Task) -> Chunk:
    """Return what the core takes for a task."""
    plan = task.plan
    if isinstance(task.scenario, str):
        raise TypeError(f"{task.scenario!r} is no scenario of the model")
    return Chunk(
        scenario=task.scenario,
        world=plan.world,
        seed=plan.seed,
        replicates=tuple(int(number) for number in task.replicate),
        until=plan.until,
        fixed=plan.fixed,
        outcomes=plan.outcomes,
        series=plan.keep != ("summary",),
        points=task.values,
    )


def run_ecosystem(task: Task) -> Kept:
    """Run a chunk of the model and return what is kept."""
    series, summary = run_chunk(chunk_of(task))
    return {kind: keep_as(kind, series, summary) for kind in task.plan.keep}


def keep_as(
    kind: str, series: Mapping[str, Array], summary: Mapping[str, Array]
) -> dict[str, Array]:
    """Return outcomes as one kind of `KEEP` holds them, (runs, periods, entries)."""
    if kind == "summary":
        return {name: value[:, None] for name, value in summary.items()}
    if kind == "end":
        return {name: value[:, -1:] for name, value in series.items()}
    if kind == "quarterly":
        return dict(series)
    return {name: by_year(value, outcome_table()[name].time_base) for name, value in series.items()}


def by_year(series: Array, time_base: str) -> Array:
    """Return quarters (runs, quarters, entries) by whole year: end, mean or sum."""
    whole = series[:, : series.shape[1] // QUARTERS_A_YEAR * QUARTERS_A_YEAR]
    quarters = [whole[:, first::QUARTERS_A_YEAR] for first in range(QUARTERS_A_YEAR)]
    if time_base == "end":
        return quarters[-1]
    total = quarters[0] + quarters[1] + quarters[2] + quarters[3]
    return total / QUARTERS_A_YEAR if time_base == "last_year_mean" else total


def periods(kind: str, until: int) -> tuple[str, ...]:
    """Return the labels of the periods of one kind of `KEEP`."""
    if kind == "quarterly":
        return tuple(period_label(t) for t in range(until + 1))
    if kind == "yearly":
        return tuple(str(FIRST_YEAR + year) for year in range((until + 1) // QUARTERS_A_YEAR))
    return (kind,)


def run_own(task: Task) -> Kept:
    """Call a user's own model with the chunk's rows and return its outcomes as end values."""
    import pandas as pd

    assert task.plan.model is not None
    keys = {
        "scenario": scenario_name(task.scenario),
        "shock": shock_label(task.scenario),
        "point": task.point,
        "replicate": task.replicate,
    }
    rows = pd.DataFrame(keys | dict(task.values), index=pd.Index(task.runs, name="run"))
    return {"end": own_outcomes(task.plan.model, rows)}


def failure(task: Task, error: Exception) -> dict[str, Any]:
    """Return the row of a run that failed."""
    plan, scenario = task.plan, task.scenario
    run, replicate = int(task.runs[0]), int(task.replicate[0])
    values = {name: float(column[0]) for name, column in task.values.items()}
    if plan.model is None and not isinstance(scenario, str):
        drawn = draw_parameters(
            Chance(plan.seed, [replicate]), plan.fixed, {**scenario.parameters, **values}
        )
        values = {name: float(value[0]) for name, value in drawn.items()}
    return {
        "run": run,
        "scenario": scenario_name(scenario),
        "shock": shock_label(scenario),
        "point": int(task.point[0]),
        "replicate": replicate,
        "seed": plan.seed,
        "error": " ".join(words_of(error).split()),
        "command": shlex.join([*plan.repeat, str(run)]) if plan.repeat else "",
        "parameters": values,
    }


def joined(pieces: Sequence[Piece]) -> Piece:
    """Return the pieces of a halved chunk as one.

    Raises
    ------
    InputError
        A user's own model returned other outcomes for some runs than for others.
    """
    whole = [piece for piece in pieces if len(piece.runs)]
    check_same_outcomes(
        {int(piece.runs[0]): list(values) for piece in whole for values in piece.values.values()}
    )
    values: Kept = {
        kind: {
            name: np.concatenate([piece.values[kind][name] for piece in whole])
            for name in whole[0].values[kind]
        }
        for kind in (whole[0].values if whole else ())
    }
    runs = np.concatenate([piece.runs for piece in pieces])
    return Piece(runs, values, tuple(row for piece in pieces for row in piece.failures))
