"""From what is asked of the runner to a checked plan, and to all that determines its results."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any

import cloudpickle

from ecosystem.inputs.arguments import listed
from ecosystem.inputs.calendar import QUARTERS_A_YEAR
from ecosystem.inputs.catalogue import outcomes as outcome_table
from ecosystem.inputs.catalogue import parameters as parameter_table
from ecosystem.inputs.draws import Draws
from ecosystem.inputs.faults import FaultList, InputError
from ecosystem.inputs.fingerprint import files_of, home_of
from ecosystem.inputs.functions import Hook
from ecosystem.inputs.options import Options
from ecosystem.inputs.place_faults import check_places
from ecosystem.inputs.scenario import ResolvedScenario
from ecosystem.inputs.world.loader import World, load_world
from ecosystem.runs.design import Design
from ecosystem.runs.identity import model_digests
from ecosystem.runs.task import KEEP, Model, Plan

NAMED_WORLDS = ("full", "teaching")
TYPED = """a function that stands under its name in a file of its own: what is typed into a script
or a notebook, a closure or the method of an object runs, but is not stored, nor is a partial of
anything but plain values by name"""


def checked_plan(
    design: Design,
    asked: Options | None,
    faults: FaultList,
    model: Model | None,
    keep: str | Sequence[str],
    chunk_runs: int | None,
) -> tuple[Plan, World | None, str | Executor]:
    """Return plan, world and kind of executor of a design.

    Raises
    ------
    InputError
        With every fault, those of `asked` among them.
    """
    kept = tuple(listed(keep)) if model is None else ("end",)
    for name in kept or ("",):
        faults.name("keep", name, KEEP)
    if chunk_runs is not None:
        faults.whole("chunk_runs", chunk_runs, 1)
    if model is not None and not callable(model):
        faults.add("model", model, "a function of a frame of runs")
    if not len(design):
        faults.add("design", 0, "at least one run")
    asked = asked or Options.of()
    if asked.last + 1 < QUARTERS_A_YEAR and "yearly" in kept:
        faults.add("until", asked.until, "a quarter after the first whole year, to keep years")
    world = check_model(faults, design, asked.world) if model is None else None
    kind = check_executor(faults, asked, design, model)
    faults.raise_if_any()
    plan = Plan(
        world=str(asked.world if asked.world in NAMED_WORLDS or world is None else world.path),
        world_digest=world.digest if world else "",
        code=model_digests()["code"],
        seed=asked.seed,
        until=asked.last,
        fixed=asked.fixed_parameters,
        outcomes=(asked.outcomes or tuple(outcome_table())) if model is None else (),
        keep=tuple(name for name in KEEP if name in kept),
        model=model,
    )
    return plan, world, kind


def check_model(faults: FaultList, design: Design, world: str) -> World | None:
    """Return the world of a design for this package's model, noting what the model cannot run."""
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
        tables = load_world(world)
        check_places(faults, scenarios_of(design), tables)
        return tables
    except InputError as error:
        faults.faults += error.faults
    return None


def check_executor(
    faults: FaultList, asked: Options, design: Design, model: Model | None
) -> str | Executor:
    """Return where runs take place: here, where a function cannot travel to another process."""
    kind = asked.place
    if kind == "serial" or asked.jobs == 1:
        return "serial" if kind == "processes" else kind
    try:
        cloudpickle.dumps([model, [one.hooks for one in scenarios_of(design)]])
    except Exception as error:  # whatever pickle or a function's own methods raise
        if asked.executor or asked.jobs:
            place = "executor" if asked.executor else "jobs"
            words = f"serial or 1 job: a function does not travel to other processes ({error})"
            faults.add(place, getattr(asked, place), words)
        else:
            words = "all runs take place in this process, on one core: a function does not travel "
            warnings.warn(f"{words}to other processes ({error})", stacklevel=5)
        return "serial"
    return kind


def scenarios_of(design: Design) -> list[ResolvedScenario]:
    """Return the scenarios of a design that are of this package's model."""
    return [one for one in design.scenarios if isinstance(one, ResolvedScenario)]


def shared_question(design: Design, plan: Plan, draws: Draws | None) -> dict[str, Any]:
    """Return what determines the results of all runs of a design beside their own columns."""
    hooks = [hook for scenario in scenarios_of(design) for hook in scenario.hooks]
    places = function_places(hooks, plan.model)
    files = {path: known for place in places.values() for path, known in files_of(place).items()}
    return {
        "keep": plan.keep,
        "outcomes": plan.outcomes,
        "seed": plan.seed,
        "until": plan.until,
        "world": plan.world,
        "fixed_parameters": plan.fixed,
        "draws": draws and draws.digest,
        "model": model_home(plan.model) if plan.model else None,
        "functions": places,
        "data": {"world": plan.world_digest, **model_digests(), "files": files},
    }


def model_home(model: Model) -> str | None:
    """Return ``module:name`` of a user's own model, with the values by name of a partial of it."""
    if not isinstance(model, partial):
        return home_of(model)
    named = all(isinstance(one, str | int | float | None) for one in model.keywords.values())
    home = home_of(model.func) if named and not model.args else None
    return home and f"{home} {json.dumps(model.keywords, sort_keys=True)}"


def function_places(hooks: Sequence[Hook], model: Model | None) -> dict[str, str]:
    """Return file or module of each of the user's functions, by what results call it.

    Raises
    ------
    InputError
        One of them cannot be loaded by another process: then nothing can be stored.
    """
    found = {str(hook): hook.place for hook in hooks}
    if model is not None:
        name = getattr(model, "__qualname__", type(model).__name__)
        found[name] = (model_home(model) or "").partition(":")[0] or None
    faults = FaultList()
    for name, place in found.items():
        if place is None:
            faults.add("out", name, TYPED)
    faults.raise_if_any()
    return {name: place for name, place in found.items() if place}
