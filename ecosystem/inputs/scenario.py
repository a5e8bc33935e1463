"""What a user asks for, checked and resolved: packages, shocks and parameter values.

A scenario is a pile of sparse dated patches. Each layer of the pile is one package (or file)
with its own edits; later layers win. Every fault of every file is reported at once.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ecosystem.inputs.arguments import checked_parameters, listed
from ecosystem.inputs.calendar import HORIZON, POLICY_START, period_label
from ecosystem.inputs.catalogue import instruments
from ecosystem.inputs.entries import (
    REFERENCE,
    Edit,
    InstrumentEntry,
    ScenarioArguments,
    ShockEntry,
    ShockUse,
    value_of,
)
from ecosystem.inputs.faults import FaultList
from ecosystem.inputs.functions import Hook
from ecosystem.inputs.scenario_reader import Draft, Layer, package_names
from ecosystem.inputs.translate import read, read_what_fits

__all__ = [
    "REFERENCE",
    "Edit",
    "Layer",
    "ResolvedScenario",
    "Scenario",
    "ShockUse",
    "package_names",
    "resolve",
    "with_overrides",
]


@dataclass(frozen=True)
class ResolvedScenario:
    """A scenario with everything looked up: what the schedule is built from.

    ``hooks`` holds all functions of the user, behind stages and in the place of rules.
    """

    name: str
    title_en: str
    title_zh: str
    layers: tuple[Layer, ...]
    shocks: tuple[ShockUse, ...]
    parameters: Mapping[str, float]
    hooks: tuple[Hook, ...] = ()

    @property
    def edits(self) -> tuple[Edit, ...]:
        """All edits in the order in which they apply."""
        return tuple(edit for layer in self.layers for edit in layer.edits)

    @property
    def own(self) -> tuple[bool, ...]:
        """For each of ``edits``: does it come from another layer than the reference?"""
        return tuple(layer.own for layer in self.layers for _ in layer.edits)

    @property
    def digest(self) -> str:
        """SHA-256 of all that can change a number, and of the name."""
        content = {
            "name": self.name,
            "layers": [asdict(layer) for layer in self.layers],
            "shocks": [asdict(shock) for shock in self.shocks],
            "parameters": dict(self.parameters),
            "hooks": [str(hook) for hook in self.hooks],
        }
        text = json.dumps(content, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Scenario:
    """A scenario put together in Python.

    Parameters
    ----------
    policies : sequence of str or Path
        Packages and TOML files, applied in this order.
    shocks : sequence of str or dict
        Each ``NAME``, ``NAME:AMPLITUDE`` or ``NAME:AMPLITUDE:START``, or a dict of these by name.
    parameters : dict
        Parameter values that are set instead of the default or a draw.
    hooks : dict
        Functions ``f(record, state, setting)`` by the stage that they follow, each a function or
        a text such as ``my_file.py:my_function``; see `docs/your_own_policy.md`.
    rules : dict
        What replaces decision rules of agents, by the name of the rule (`docs/your_own_policy.md`):
        a function ``f(quarter, setting, *columns)``, a text as for hooks, or ``"mean"``.
    name : str
        Name in results; by default the names of the policies joined by ``+``.
    title : dict
        Titles by language, ``en`` and ``zh``.

    Raises
    ------
    InputError
        With everything that is wrong, in the arguments and in the files they name.
    """

    policies: Sequence[str | Path] = (REFERENCE,)
    shocks: Sequence[str | Mapping[str, Any]] = ()
    parameters: Mapping[str, float] = field(default_factory=dict)
    hooks: Mapping[str, Any] = field(default_factory=dict)
    rules: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    title: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the scenario now, so that a fault shows where it was made."""
        for attribute in ("policies", "shocks"):
            object.__setattr__(self, attribute, tuple(listed(getattr(self, attribute))))
        resolve(self)


def resolve(
    item: "str | Path | Scenario | ResolvedScenario", place: str = "scenario"
) -> ResolvedScenario:
    """Look up everything that a package name, a TOML path or a `Scenario` names.

    Faults call what was given its ``place``.

    Raises
    ------
    InputError
        With all faults of all files at once.
    """
    if isinstance(item, ResolvedScenario):
        return item
    draft = Draft()
    if isinstance(item, Scenario):
        found = _of_arguments(draft, item)
    else:
        found = draft.add(item, place)
    draft.faults.raise_if_any()
    return _compatible(
        ResolvedScenario(
            name=found["name"],
            title_en=found["en"],
            title_zh=found["zh"],
            layers=tuple(draft.layers),
            shocks=tuple(draft.shocks),
            parameters=draft.parameters,
            hooks=tuple(draft.hooks),
        )
    )


def _of_arguments(draft: Draft, scenario: Scenario) -> dict[str, str]:
    """Read what a scenario was put together from; return its name and titles."""
    places = [f"Scenario.policies[{number}]" for number in range(len(scenario.policies))]
    policies = [draft.add(*each) for each in zip(scenario.policies, places, strict=True)]
    given = read_what_fits(ScenarioArguments, vars(scenario), "Scenario.", draft.faults)
    draft.shocks += [shock.use() for shock in given.shocks]
    draft.read_parameters(given.parameters, "Scenario.parameters")
    draft.read_hooks(given.hooks, "Scenario.hooks", Path())
    draft.read_rules(given.rules, "Scenario.rules", Path())
    if draft.faults.faults:
        return {}
    between = {"name": "+", "en": " + ", "zh": " + "}
    joined = {key: plus.join(one[key] for one in policies) for key, plus in between.items()}
    if given.name:
        joined = dict.fromkeys(joined, given.name)
    return joined | given.title.model_dump(exclude_unset=True)


def _compatible(resolved: ResolvedScenario) -> ResolvedScenario:
    """Return the scenario, or raise InputError naming every two instruments that exclude others.

    They do where both are in force in the same quarter.
    """
    on = {name: [False] * HORIZON for name in instruments()}
    for edit in resolved.edits:
        on[edit.instrument][edit.start : edit.end + 1] = [edit.active] * (edit.end + 1 - edit.start)
    faults = FaultList()
    for name, row in instruments().items():
        for other in row.excluded:
            both = [t for t in range(HORIZON) if on[name][t] and on[other][t]]
            if both:
                spell = f"{name} and {other} together from {period_label(both[0])}"
                faults.add(resolved.name, spell, "one of the two, since they exclude each other")
    faults.raise_if_any()
    return resolved


def with_overrides(
    resolved: ResolvedScenario, settings: Iterable[str] = (), shocks: Iterable[str] = ()
) -> ResolvedScenario:
    """Lay the overrides of the command line over a scenario.

    Parameters
    ----------
    resolved : ResolvedScenario
        What is overridden; it stays as it is.
    settings : iterable of str
        ``instrument.NAME.KEY=VALUE`` or ``parameters.NAME=VALUE``. Values of an instrument
        apply from 2025Q3 on wherever the scenario has it on (everywhere if nowhere), unless
        ``start`` or ``end`` is among them; money is taken as written, whatever the budget.
    shocks : iterable of str
        ``NAME``, ``NAME:AMPLITUDE`` or ``NAME:AMPLITUDE:START``.

    Raises
    ------
    InputError
        With every fault of the overrides.
    """
    faults = FaultList()
    values: dict[str, object] = {}
    entries: dict[str, dict[str, object]] = {}
    for text in settings:
        path, equals, value = text.partition("=")
        match path.strip().split("."):
            case ["parameters", name] if equals:
                values[name] = value_of(value)
            case ["instrument", name, key] if equals and key != "name":
                entries.setdefault(name, {"name": name})[key] = value_of(value)
            case _:
                allowed = "instrument.NAME.KEY=VALUE or parameters.NAME=VALUE"
                faults.add("--set", text, allowed)
    edits: list[Edit] = []
    for name, entry in entries.items():
        written = read(InstrumentEntry, entry, f"--set instrument.{name}.", faults)
        if written is not None:
            edit = written.edit()
            edits += _where_on(resolved, edit) if not {"start", "end"} & set(entry) else [edit]
    given = checked_parameters(faults, values, "--set parameters")
    uses = [read(ShockEntry, text, f"--shock {text}.", faults) for text in shocks]
    faults.raise_if_any()
    changed = replace(
        resolved,
        layers=resolved.layers + ((Layer("overrides", tuple(edits)),) if edits else ()),
        shocks=resolved.shocks + tuple(shock.use() for shock in uses if shock),
        parameters={**resolved.parameters, **given},
    )
    return _compatible(changed) if edits else changed


def _where_on(resolved: ResolvedScenario, edit: Edit) -> list[Edit]:
    """Repeat an edit over every span in which the scenario switches the instrument on."""
    spans = [
        (max(other.start, POLICY_START), other.end)
        for other in resolved.edits
        if other.instrument == edit.instrument and other.active and other.end >= POLICY_START
    ]
    return [replace(edit, start=start, end=end) for start, end in spans] or [edit]
