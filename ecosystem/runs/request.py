"""From what a user asks of the runner to a checked plan, and to what names its directory."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import Any

from ecosystem.inputs.calendar import HORIZON, QUARTERS_A_YEAR, check_period
from ecosystem.inputs.catalogue import outcomes as outcome_table
from ecosystem.inputs.catalogue import parameters as parameter_table
from ecosystem.inputs.faults import FaultList, InputError
from ecosystem.inputs.fingerprint import digest_of
from ecosystem.inputs.scenario import ResolvedScenario
from ecosystem.inputs.world.loader import World, load_world
from ecosystem.runs.chunks import KEEP, Model, Plan
from ecosystem.runs.design import Design
from ecosystem.runs.executors import Pool, check_executor
from ecosystem.runs.identity import model_digests, plain

NAMED_WORLDS = ("full", "teaching")


def checked(
    design: Design,
    *,
    model: Model | None,
    keep: str | Sequence[str],
    outcomes: str | Sequence[str] | None,
    seed: int,
    until: str,
    world: str | Path,
    fixed: bool,
    executor: str | Executor | None,
    cluster: str | None,
    jobs: int | None,
    chunk_runs: int | None,
) -> tuple[Plan, World | None, Pool]:
    """Return plan, world and workers, or raise InputError with every fault."""
    faults = FaultList()
    kept = (keep,) if isinstance(keep, str) else tuple(keep)
    kept = kept if model is None else ("end",)
    named = [outcomes] if isinstance(outcomes, str) else outcomes
    wanted = tuple(outcome_table() if named is None else dict.fromkeys(named))
    for name in kept or ("",):
        faults.name("keep", name, KEEP)
    for name in wanted:
        faults.name("outcomes", name, outcome_table())
    if not wanted:
        faults.add("outcomes", outcomes, "at least one outcome")
    seed = faults.whole("seed", seed, 0) or 0
    for place, value in (("jobs", jobs), ("chunk_runs", chunk_runs)):
        if value is not None:
            faults.whole(place, value, 1)
    if model is not None and not callable(model):
        faults.add("model", model, "a function of a frame of runs")
        model = None
    last = check_period(faults, "until", until)
    if last is not None and last + 1 < QUARTERS_A_YEAR and "yearly" in kept:
        faults.add("until", until, "a quarter after the first whole year, to keep years")
    tables = check_model(faults, design, world) if model is None else None
    kind = check_executor(faults, executor, cluster)
    kind = movable(faults, kind, executor or cluster or jobs, design, model)
    faults.raise_if_any()
    plan = Plan(
        world=str(world if str(world) in NAMED_WORLDS or tables is None else tables.path),
        world_digest=tables.digest if tables else "",
        code=model_digests()["code"],
        seed=seed,
        until=HORIZON - 1 if last is None else last,
        fixed=fixed,
        outcomes=wanted if model is None else (),
        keep=tuple(name for name in KEEP if name in kept),
        model=model,
    )
    return plan, tables, Pool(kind, jobs, cluster)


def check_model(faults: FaultList, design: Design, world: str | Path) -> World | None:
    """Return the world of a design for this package's model, noting what the model cannot run."""
    if not len(design):
        faults.add("design", 0, "at least one run")
    for scenario in design.scenarios:
        if isinstance(scenario, str):
            faults.add("scenarios", scenario, "scenarios, unless a model of your own is given")
    known = parameter_table()
    for name, column in design.points.items():
        if faults.name(f"points.{name}", name, known):
            row = known[name]
            for value in (float(column.min()), float(column.max())):
                faults.number(f"points.{name}", value, row.low, row.high)
    try:
        return load_world(world)
    except InputError as error:
        faults.faults += error.faults
    return None


def movable(
    faults: FaultList,
    kind: str | Executor,
    asked: Any,
    design: Design,
    model: Model | None,
) -> str | Executor:
    """Return the kind of executor: serial where another process could not find a function."""
    here = [
        hook.name
        for scenario in design.scenarios
        if isinstance(scenario, ResolvedScenario)
        for hook in scenario.hooks
        if not hook.portable
    ]
    if model is not None and not can_travel(model):
        here.append(getattr(model, "__qualname__", type(model).__name__))
    if not here or kind == "serial" or asked == 1:
        return kind
    if asked is not None:
        words = f"serial or 1 job, or {here[0]} in a file of its own: other processes lack it"
        faults.add("jobs" if isinstance(asked, int) else "executor", asked, words)
    return "serial"


def can_travel(model: Model) -> bool:
    """Return whether another process can find a model: it stands in a file of its own."""
    if getattr(model, "__module__", None) == "__main__":
        return False
    try:
        pickle.dumps(model)
    except Exception:  # whatever pickle or the model's own methods raise
        return False
    return True


def configuration_of(design: Design, plan: Plan, chunk_runs: int | None) -> dict[str, Any]:
    """Return everything that determines results, and what they are cut into."""
    return {
        "command": "design",
        "scenarios": plain(design.scenarios),
        "runs": len(design),
        "design": design.digest,
        "keep": plan.keep,
        "outcomes": plan.outcomes,
        "seed": plan.seed,
        "until": plan.until,
        "world": plan.world,
        "fixed_parameters": plan.fixed,
        "chunk_runs": chunk_runs,
        "model": identity_of(plan.model),
        "hooks": sources_of(design),
        "data": {"world": plan.world_digest, **model_digests()},
    }


def identity_of(model: Model | None) -> dict[str, Any] | None:
    """Return where a user's own model stands, the digest of its source and of what it carries.

    `function` says whether that is all: a partial or an object also has arguments or a state.

    Raises
    ------
    InputError
        It carries something that cannot be pickled: another such model could not be told from it.
    """
    if model is None:
        return None
    inner: Any = model.func if isinstance(model, partial) else model
    bound = getattr(inner, "__self__", inner)  # the object of a method, or the class of one
    kind = bound if inspect.isclass(bound) else type(bound)
    home: Any = inner if inspect.isfunction(inner) else kind
    name = f"{home.__module__}:{home.__qualname__}"
    digest = digest_of(name, home, model)
    return {"name": name, "digest": digest, "function": inspect.isfunction(model)}


def sources_of(design: Design) -> dict[str, str | None]:
    """Return the files that the user's own functions stand in, by what identifies the function."""
    hooks = [
        hook
        for scenario in design.scenarios
        if isinstance(scenario, ResolvedScenario)
        for hook in scenario.hooks
    ]
    return {str(hook): hook.source.decode() if hook.source else None for hook in hooks}
