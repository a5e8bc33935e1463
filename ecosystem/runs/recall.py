"""From a run directory back to the design and the request that filled it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any

from ecosystem.inputs.calendar import period_label
from ecosystem.inputs.faults import FaultList
from ecosystem.inputs.functions import MEAN, Hook
from ecosystem.inputs.scenario import Edit, Layer, ResolvedScenario, ShockUse
from ecosystem.runs.chunks import Model
from ecosystem.runs.design import Design
from ecosystem.runs.directory import PLAN, read_json
from ecosystem.runs.store import stored_design

STATE = "arguments of a partial and the state of an object are not kept"


def recalled(directory: Path) -> tuple[Design, dict[str, Any]]:
    """Return the design of a run directory, and the arguments that `run_design` was given.

    Raises
    ------
    InputError
        The directory's own files do not fit together, or what was run cannot be found any more.
    """
    found = read_json(directory / PLAN)["configuration"]
    faults = FaultList()
    hooks = {words: hook_of(faults, words, source) for words, source in found["hooks"].items()}
    model = model_of(faults, found["model"]) if found["model"] else None
    faults.raise_if_any()
    scenarios = tuple(
        one if isinstance(one, str) else scenario_of(one, hooks) for one in found["scenarios"]
    )
    design = stored_design(directory, scenarios)
    if design.digest != found["design"]:
        faults.add(str(directory), design.digest[:12], f"the design {found['design'][:12]}")
    faults.raise_if_any()
    options = {
        "model": model,
        "keep": found["keep"],
        "outcomes": found["outcomes"] if model is None else None,
        "seed": found["seed"],
        "until": period_label(found["until"]),
        "world": found["world"],
        "fixed_parameters": found["fixed_parameters"],
        "chunk_runs": found["chunk_runs"],
    }
    return design, options


def scenario_of(content: Mapping[str, Any], hooks: Mapping[str, Any]) -> ResolvedScenario:
    """Return the scenario that a plan spells out."""
    layers = tuple(
        Layer(**{**layer, "edits": tuple(Edit(**edit) for edit in layer["edits"])})
        for layer in content["layers"]
    )
    return ResolvedScenario(
        name=content["name"],
        title_en=content["title_en"],
        title_zh=content["title_zh"],
        layers=layers,
        shocks=tuple(ShockUse(**use) for use in content["shocks"]),
        parameters=dict(content["parameters"]),
        hooks=tuple(hooks[words] for words in content["hooks"]),
    )


def hook_of(faults: FaultList, words: str, source: str | None) -> Hook | None:
    """Return the hook of a file that the plan holds, else note a fault."""
    stage, _, name = words.partition(" (SHA-256")[0].partition(" = ")
    if name == MEAN:
        return Hook.from_mean(stage)
    if source is None:
        faults.add("hooks", name, "a function in a file: one of Python's own is not kept")
        return None
    file, _, function = name.rpartition(":")
    return Hook.from_file(stage, file, function, source.encode())


def model_of(faults: FaultList, found: Mapping[str, Any]) -> Model | None:
    """Return a user's own model by module and name, else note a fault."""
    allowed = "a function in a file of its own that can be imported from here"
    if not found["function"]:
        faults.add("model", found["name"], f"{allowed}: {STATE}")
        return None
    if os.getcwd() not in sys.path:  # a command looks beside itself, not where it is called
        sys.path.append(os.getcwd())  # for good: worker processes look where this one does
    try:
        model, problem = standing_at(found["name"]), "it is no function"
    except (Exception, SystemExit) as error:  # whatever the user's file raises
        model, problem = None, f"{type(error).__name__}: {error}"
    if callable(model):
        return model
    faults.add("model", found["name"], f"{allowed} ({problem})")
    return None


def standing_at(name: str) -> Any:
    """Import what stands at a name such as ``my_file:my_function`` or ``my_file:Class.method``."""
    module, _, function = name.partition(":")
    return attrgetter(function)(import_module(module))


def why_lost(configuration: Mapping[str, Any], model: Model | None) -> str:
    """Return why runs could not be recalled from their directory; empty where they can be.

    Parameters
    ----------
    configuration
        As the plan of the directory will have it.
    model
        The user's own model, or None.
    """
    if None in configuration["hooks"].values():
        return "a hook given as a function of Python is not kept"
    found = configuration["model"]
    if found is None:
        return ""
    if not found["function"]:
        return STATE
    try:
        # what a script or a notebook defines is there under this name in its own process alone
        lost = found["name"].startswith("__main__:") or standing_at(found["name"]) is not model
    except (AttributeError, ImportError):
        lost = True
    return "a function that no other process can import by its name is not kept" if lost else ""
