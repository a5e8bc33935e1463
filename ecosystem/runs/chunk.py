"""Chunks: runs of one scenario that are stepped together, and what becomes of them.

A task is everything a worker needs to run a chunk; it holds no array that grows with the design.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecosystem.extend import words_of
from ecosystem.inputs.calendar import FIRST_YEAR, POLICY_START, QUARTERS_A_YEAR, period_label
from ecosystem.inputs.catalogue import outcomes as outcome_table
from ecosystem.inputs.draws import draw_parameters
from ecosystem.inputs.faults import FaultList, InputError
from ecosystem.inputs.fingerprint import FilesRead
from ecosystem.inputs.functions import HookError
from ecosystem.inputs.scenario import ResolvedScenario
from ecosystem.inputs.world.loader import load_world
from ecosystem.maths.arrays import Array
from ecosystem.maths.chance import Chance
from ecosystem.maths.kernels import discount_factor
from ecosystem.outcomes import measure
from ecosystem.quarter.start import initial_state, make_setting
from ecosystem.quarter.step import step
from ecosystem.runs.design import Integers, digests_of, scenario_name, shock_label
from ecosystem.runs.identity import digest, model_digests
from ecosystem.runs.own import check_same_outcomes, own_outcomes
from ecosystem.state.setting import Setting

KEEP = ("summary", "end", "yearly", "quarterly")
"""What can be kept of a run: each outcome over its own time base, in the last quarter, by year
(flows summed, shares averaged, stocks at the end), by quarter."""
SLOTS_A_CHUNK = 102_400
"""AI-firm slots of a chunk of runs: a firm column of a chunk then stays below 1 MB."""
OWN_CHUNK = 1000
"""Runs of a chunk of a user's own model."""
WARM_UP = 3_900_000
"""Numbers in the block that is allocated once, see `keep_memory`."""
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
        As `ecosystem.inputs.options.Options` has them; `until` is the index of the last quarter.
    keep
        What is kept of each run, some of `KEEP`.
    model
        A user's own model, or None.
    listens
        Note which files the user's functions read, since results are stored.
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
    listens: bool = False
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
    question
        All else that determines the results, as JSON, where these are stored.
    """

    plan: Plan
    scenario: ResolvedScenario | str
    runs: NDArray[np.int64]
    point: Integers
    replicate: Integers
    values: Mapping[str, Array]
    question: str = ""

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self.runs)

    def part(self, places: slice) -> Task:
        """Return some of the runs as a task of their own."""
        values = {name: column[places] for name, column in self.values.items()}
        keys = self.point[places], self.replicate[places]
        return Task(self.plan, self.scenario, self.runs[places], *keys, values, self.question)

    def singles(self) -> list[Task]:
        """Return each run as a task of its own."""
        return [self.part(slice(place, place + 1)) for place in range(len(self))]

    @property
    def identity(self) -> str:
        """SHA-256 of all that determines the results."""
        columns: dict[str, NDArray[Any]] = {
            "run": self.runs, "point": self.point, "replicate": self.replicate, **self.values
        }  # fmt: skip
        return digest([self.question, digests_of(columns)])


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
    files
        SHA-256 of the files that the user's functions read, by path.
    """

    runs: NDArray[np.int64]
    values: Kept
    failures: tuple[dict[str, Any], ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)


def run_task(task: Task, whole: bool = True) -> Piece:
    """Run a chunk; where a run fails, halve the chunk until the run stands alone.

    Parameters
    ----------
    task
        The chunk.
    whole
        It is no part of one: then a hook that fails in all its runs is a mistake.

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
    check_place(task.plan)
    if not task.plan.listens:
        return attempt(task, whole)
    with FilesRead() as heard:
        piece = attempt(task, whole)
    return Piece(piece.runs, piece.values, piece.failures, heard.files)


def answer(task: Task, piece: Piece | None = None) -> Piece:
    """Run a chunk, unless it has been run in parts already, of which this piece came."""
    return run_task(task) if piece is None else piece


def run_part(task: Task) -> Piece:
    """Run a part of a chunk (`run_task`)."""
    return run_task(task, whole=False)


def attempt(task: Task, whole: bool) -> Piece:
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


def run_whole(task: Task) -> Kept:
    """Run all runs of a chunk together and return what is kept."""
    if task.plan.model is not None:
        keys = {
            "scenario": scenario_name(task.scenario),
            "shock": shock_label(task.scenario),
            "point": task.point,
            "replicate": task.replicate,
        }
        rows = pd.DataFrame(keys | dict(task.values), index=pd.Index(task.runs, name="run"))
        return {"end": own_outcomes(task.plan.model, rows)}
    series, summary = run_chunk(task)
    return {kind: keep_as(kind, series, summary) for kind in task.plan.keep}


def run_chunk(task: Task) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return series (runs, quarters, entries) and summary (runs, entries) of a chunk by outcome.

    Raises
    ------
    FloatingPointError
        If an outcome is not finite; names the scenario, outcome, quarter and replicate.
    """
    keep_memory()
    plan, scenario = task.plan, task.scenario
    assert isinstance(scenario, ResolvedScenario)
    setting = make_setting(
        scenario, load_world(plan.world), plan.seed, task.replicate.tolist(), plan.fixed,
        task.values,
    )  # fmt: skip
    wants_series = plan.keep != ("summary",)
    recorder = Recorder(setting, plan.outcomes, plan.until, wants_series)
    state = initial_state(setting)
    for t in range(plan.until + 1):
        state, quarter = step(state, setting)
        values = measure(quarter, setting, recorder.wanted(t))
        check_finite(values, task, t)
        recorder.add(t, values)
    series = {name: np.stack(rows, axis=1) for name, rows in (recorder.series or {}).items()}
    return series, {name: recorder.summary[name] for name in plan.outcomes}


def keep_memory() -> None:
    """Let the C library keep freed blocks: large temporaries are then up to nine times faster.

    Freeing one block just below the largest that glibc may hold raises its threshold for handing
    memory back to the system; the block is never touched.
    """
    block = np.empty(WARM_UP)
    del block


class Recorder:
    """Outcomes of a chunk: the summary as it goes, and the series if wanted."""

    def __init__(self, setting: Setting, names: Sequence[str], until: int, series: bool) -> None:
        self.names, self.until = tuple(names), until
        self.since = POLICY_START if until >= POLICY_START else 0
        self.rate = setting.parameters.public_discount_rate
        self.summary: dict[str, Array] = {}
        self.series: dict[str, list[Array]] | None = {n: [] for n in names} if series else None

    def wanted(self, t: int) -> Iterable[str]:
        """Return the outcomes that are needed of quarter `t`."""
        return self.weights(t) if self.series is None else self.names

    def add(self, t: int, values: Mapping[str, Array]) -> None:
        """Take in the outcomes of quarter `t`, at least those that are needed of it."""
        for name, rows in (self.series or {}).items():
            rows.append(values[name])
        for name, weight in self.weights(t).items():
            self.summary[name] = self.summary.get(name, 0.0) + weight * values[name]

    def weights(self, t: int) -> dict[str, Array | float]:
        """Return the weight of quarter `t` in the summary of each outcome that it counts in."""
        table = outcome_table()
        weights = {name: self.weight(table[name].time_base, t) for name in self.names}
        return {name: weight for name, weight in weights.items() if weight is not None}

    def weight(self, time_base: str, t: int) -> Array | float | None:
        """Return the weight of quarter `t` in the summary of an outcome, None for none."""
        if time_base == "end":
            return 1.0 if t == self.until else None
        if time_base == "last_year_mean":
            quarters = min(QUARTERS_A_YEAR, self.until + 1)
            return 1 / quarters if t > self.until - quarters else None
        if t < self.since:
            return None
        if time_base == "sum":
            return 1.0
        years = (t - self.since) / QUARTERS_A_YEAR
        return discount_factor(self.rate, years)


def check_finite(values: Mapping[str, Array], task: Task, t: int) -> None:
    """Raise FloatingPointError where an outcome is not a number."""
    for name, value in values.items():
        bad = ~np.isfinite(value).all(axis=1)
        if bad.any():
            run = task.replicate[int(np.flatnonzero(bad)[0])]
            raise FloatingPointError(
                f"{scenario_name(task.scenario)}: outcome {name} is not finite in "
                f"{period_label(t)}, replicate {run}, seed {task.plan.seed}"
            )


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
    """Return the pieces of a chunk that was run in parts as one.

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
    return Piece(
        np.concatenate([piece.runs for piece in pieces]),
        values,
        tuple(row for piece in pieces for row in piece.failures),
        {path: found for piece in pieces for path, found in piece.files.items()},
    )
