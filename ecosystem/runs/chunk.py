"""Chunks: runs of one scenario that are stepped together, and what becomes of them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ecosystem.extend import words_of
from ecosystem.inputs.calendar import FIRST_YEAR, POLICY_START, QUARTERS_A_YEAR, period_label
from ecosystem.inputs.catalogue import outcomes as outcome_table
from ecosystem.inputs.draws import draw_parameters, drawn_values
from ecosystem.inputs.faults import FaultList, InputError
from ecosystem.inputs.fingerprint import FilesRead
from ecosystem.inputs.functions import HookError
from ecosystem.inputs.scenario import ResolvedScenario
from ecosystem.inputs.world.loader import load_world
from ecosystem.maths.arrays import Array
from ecosystem.maths.chance import Chance
from ecosystem.maths.kernels import discount_factor
from ecosystem.outcomes import measure
from ecosystem.quarter.start import initial_state, make_setting, with_columns
from ecosystem.quarter.step import step
from ecosystem.runs.design import scenario_name, shock_label
from ecosystem.runs.identity import model_digests
from ecosystem.runs.own import own_outcomes
from ecosystem.runs.past import Past, early_part
from ecosystem.runs.task import Kept, Piece, Plan, Task, joined
from ecosystem.runs.warm import compile_model
from ecosystem.state.setting import Setting
from ecosystem.state.state import State

SLOTS_A_CHUNK = 102_400
"""AI-firm slots of a chunk of runs: a firm column of a chunk then stays below 1 MB."""
OWN_CHUNK = 1000
"""Runs of a chunk of a user's own model."""
WARM_UP = 3_900_000
"""Numbers in the block that is allocated once, see `keep_memory`."""
LOOKED_AT = 5
"""Runs of a chunk that are looked at alone before a hook is said to fail in all of them."""


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


def run_tasks(tasks: Sequence[Task], make: Callable[[Task, Piece], Any]) -> Iterator[Any]:
    """Run chunks of a common past and give what `make` makes of each.

    Where the past itself fails, every chunk comes upon that on its own.
    """
    past = None
    if len(tasks) > 1:
        with suppress(Exception):
            past = make_past(tasks[0])
    for task in tasks:
        yield make(task, run_task(replace(task, past=past) if past else task))


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
    """Make ready to run here; InputError where this process has other code or other tables."""
    faults = FaultList()
    if plan.code != model_digests()["code"]:
        faults.add(
            "code", model_digests()["code"][:12], f"the code the runs began with: {plan.code[:12]}"
        )
    if plan.model is None and load_world(plan.world).digest != plan.world_digest:
        faults.add("world", plan.world, f"the tables the runs began with: {plan.world_digest[:12]}")
    faults.raise_if_any()
    if plan.model is None:
        compile_model()


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
    past = task.past or make_past(task)
    assert isinstance(task.scenario, ResolvedScenario)
    setting = setting_of(task, task.scenario)
    recorder = Recorder.of(task.plan, setting)
    for t in past.quarters:
        recorder.add(t, past.outcomes(t))
    state = with_columns(past.state, setting)
    run_quarters(task, setting, state, task.plan.until, recorder.wanted, recorder.add)
    series = {name: np.stack(rows, axis=1) for name, rows in (recorder.series or {}).items()}
    return series, {name: recorder.summary[name] for name in task.plan.outcomes}


def make_past(task: Task) -> Past:
    """Return the past of the runs of a chunk: the same for all scenarios with an equal early part.

    Raises
    ------
    FloatingPointError
        As `run_chunk`.
    """
    keep_memory()
    assert isinstance(task.scenario, ResolvedScenario)
    setting, measured = setting_of(task, early_part(task.scenario)), dict[str, list[Array]]()

    def take(_: int, values: Mapping[str, Array]) -> None:
        for name, value in values.items():
            measured.setdefault(name, []).append(value)

    last, wanted = min(POLICY_START - 1, task.plan.until), Recorder.of(task.plan, setting).wanted
    state = run_quarters(task, setting, initial_state(setting), last, wanted, take)
    return Past(state, {name: np.stack(rows, axis=1) for name, rows in measured.items()})


def run_quarters(
    task: Task,
    setting: Setting,
    state: State,
    last: int,
    wanted: Callable[[int], Iterable[str]],
    take: Callable[[int, Mapping[str, Array]], None],
) -> State:
    """Step runs to a last quarter and return the state after it.

    `wanted` names the outcomes that are needed of a quarter, `take` is given them.
    """
    for t in range(state.period, last + 1):
        state, quarter = step(state, setting)
        values = measure(quarter, setting, wanted(t))
        check_finite(values, task, t)
        take(t, values)
        del quarter  # before the next is made, which then finds its memory free and at hand
    return state


def setting_of(task: Task, scenario: ResolvedScenario) -> Setting:
    """Return what the runs of a chunk are given from outside under a scenario."""
    plan = task.plan
    return make_setting(
        scenario, load_world(plan.world), plan.seed, task.replicate.tolist(), plan.fixed,
        task.values, task.draws,
    )  # fmt: skip


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

    @classmethod
    def of(cls, plan: Plan, setting: Setting) -> Recorder:
        """Return the recorder of what a plan keeps."""
        return cls(setting, plan.outcomes, plan.until, plan.keep != ("summary",))

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
        own = {} if task.draws is None else drawn_values(task.draws)
        drawn = draw_parameters(
            Chance(plan.seed, [replicate]), plan.fixed, {**own, **scenario.parameters, **values}
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
