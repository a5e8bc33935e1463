"""What a user asks for, checked and resolved: packages, shocks and parameter values.

A scenario is a pile of sparse dated patches. Each layer of the pile is one package (or file)
with its own edits; later layers win. Every fault of every file is reported at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Any

from ecosystem.inputs.arguments import checked_parameters, listed
from ecosystem.inputs.calendar import HORIZON, POLICY_START, period_label
from ecosystem.inputs.catalogue import instruments
from ecosystem.inputs.entries import (
    REFERENCE,
    Edit,
    InstrumentEntry,
    ReferenceFile,
    ScenarioArguments,
    ScenarioFile,
    ShockEntry,
    ShockUse,
    value_of,
)
from ecosystem.inputs.faults import FaultList, nearest
from ecosystem.inputs.files import read_toml
from ecosystem.inputs.functions import Hook, read_hook, read_rule
from ecosystem.inputs.translate import read, read_what_fits

Held = dict[tuple[str, int], list[Edit]]
"""Edits by instrument and quarter."""
PACKAGES = Path(str(files("ecosystem"))) / "packages"


def package_names() -> tuple[str, ...]:
    """Return the names of the packages that come with the model, the reference first."""
    names = sorted(path.stem for path in PACKAGES.glob("*.toml"))
    return tuple(sorted(names, key=lambda name: name != REFERENCE))


@dataclass(frozen=True)
class Layer:
    """The edits of one package or file, scaled to a present value (million yuan) if it has one.

    ``own`` is false for the reference alone.
    """

    name: str
    edits: tuple[Edit, ...]
    present_value: float | None = None
    own: bool = True


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
            "layers": [
                asdict(replace(one, edits=tuple(replace(edit, where="") for edit in one.edits)))
                for one in self.layers
            ],
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
        Name in results; by default the names of the policies joined by ``+``, and
        ``+instruments`` where there are some.
    title : dict
        Titles by language, ``en`` and ``zh``.
    instruments : sequence of dict
        Entries as under ``[[instrument]]`` of a file, laid over the policies; several of one
        instrument add up.

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
    instruments: Sequence[Mapping[str, Any]] = ()

    def __post_init__(self) -> None:
        """Check the scenario now, so that a fault shows where it was made."""
        for attribute in ("policies", "instruments", "shocks"):
            object.__setattr__(self, attribute, tuple(listed(getattr(self, attribute))))
        resolve(self)


def resolve(
    item: str | Path | Scenario | ResolvedScenario, place: str = "scenario"
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
    draft.take(given, given.shocks, "Scenario.", Path())
    if draft.faults.faults:
        return {}
    if given.instruments:
        draft.lay("instruments", given.instruments, "Scenario.instruments")
        policies.append({"name": "instruments", "en": "own instruments", "zh": "自设工具"})
    between = {"name": "+", "en": " + ", "zh": " + "}
    joined = {key: plus.join(one[key] for one in policies) for key, plus in between.items()}
    if given.name:
        joined = dict.fromkeys(joined, given.name)
    return joined | given.title.model_dump(exclude_unset=True)


class Draft:
    """A scenario that is being read: what was found so far, and every fault."""

    def __init__(self) -> None:
        self.faults = FaultList()
        self.layers: list[Layer] = []
        self.shocks: list[ShockUse] = []
        self.parameters: dict[str, float] = {}
        self.hooks: list[Hook] = []
        self.titles: dict[Path, dict[str, str]] = {}
        self.written: dict[str, Any] = {}  # what stands in each file, by its name in faults

    def add(
        self, item: object, place: str, folder: Path = Path(), trail: tuple[Path, ...] = ()
    ) -> dict[str, str]:
        """Read a package or file after all that it extends; return its name and titles.

        Parameters
        ----------
        item : object
            Package name or TOML file.
        place : str
            Where it is named, for the faults.
        folder : Path
            What a relative path starts from.
        trail : tuple of Path
            The files that led here, of which none may be read again.
        """
        path = self.find(item, place, folder)
        if path is None:
            return {}
        key = path.resolve()
        if key in trail:
            chain = " -> ".join(step.stem for step in (*trail[trail.index(key) :], key))
            self.faults.add(place, str(item), f"nothing that extends itself ({chain})")
        elif key not in self.titles:
            self.titles[key] = self.read(path, (*trail, key))
        return self.titles.get(key, {})

    def find(self, item: object, place: str, folder: Path) -> Path | None:
        """Return the path of a package name or TOML file, else note a fault."""
        names = package_names()
        if isinstance(item, str) and item in names:
            return PACKAGES / f"{item}.toml"
        if not isinstance(item, str | Path):
            self.faults.add(place, item, "a package or a TOML file, in quotes")
            return None
        path = folder / Path(item).expanduser()
        is_name = isinstance(item, str) and Path(item).name == item
        if path.suffix == ".toml" or not is_name:
            if path.is_file():
                return path
            allowed = "a TOML file that exists"
        else:
            allowed = f"a TOML file or one of {', '.join(names)}"
        beside = sorted(file.name for file in path.parent.glob("*.toml"))
        self.faults.add(place, str(item), allowed, nearest(path.name, [*beside, *names]))
        return None

    def read(self, path: Path, trail: tuple[Path, ...]) -> dict[str, str]:
        """Read a file, first what it extends, then what it says itself; return its titles."""
        package = path.parent == PACKAGES
        reference = package and path.stem == REFERENCE
        label = f"packages/{path.name}" if package else str(path)
        content = self.written[label] = read_toml(path, label, self.faults)
        kind = ReferenceFile if reference else ScenarioFile
        file = read_what_fits(kind, content, f"{label}: ", self.faults)
        if not reference:
            self.add(file.extends, f"{label}: extends", path.parent, trail)
        for number, other in enumerate(file.policies):
            self.add(other, f"{label}: policies[{number}]", path.parent, trail)
        self.take(file, file.shock, f"{label}: ", path.parent)
        where, budget = f"{label}: instrument", file.budget.present_value
        self.lay(path.stem, file.instrument, where, budget, own=not reference)
        title = file.title
        return {"name": path.stem, "en": title.en or path.stem, "zh": title.zh or path.stem}

    def lay(
        self,
        name: str,
        entries: Iterable[InstrumentEntry],
        where: str,
        present_value: float | None = None,
        own: bool = True,
    ) -> None:
        """Lay the entries of one file over all that was read before; `where` they stand."""
        edits = [
            replace(entry.edit(), file=len(self.layers), where=f"{where}[{number}]")
            for number, entry in enumerate(entries)
        ]
        self.layers.append(Layer(name, tuple(edits), present_value, own))

    def take(
        self,
        given: ScenarioFile | ScenarioArguments,
        used: Iterable[ShockEntry],
        place: str,
        folder: Path,
    ) -> None:
        """Take in shocks, parameter values and functions; relative files start from `folder`.

        A rule replaces that of an earlier layer.
        """
        self.shocks += [shock.use() for shock in used]
        self.parameters |= checked_parameters(self.faults, given.parameters, f"{place}parameters")
        for stage, value in given.hooks.items():
            hook = read_hook(self.faults, f"{place}hooks.{stage}", stage, value, folder)
            self.hooks += [hook] if hook else []
        for rule, value in given.rules.items():
            hook = read_rule(self.faults, f"{place}rules.{rule}", rule, value, folder)
            if hook:
                self.hooks = [other for other in self.hooks if other.stage != hook.stage] + [hook]


def _compatible(resolved: ResolvedScenario) -> ResolvedScenario:
    """Return the scenario with what its edits leave to earlier files (`_completed`).

    Or raise InputError naming every two instruments that exclude others and are in force in the
    same quarter, and every file that ends an instrument in a quarter in which it has it on.
    """
    faults, layers = FaultList(), []
    on: Held = {}
    for layer in resolved.layers:
        complete: list[Edit] = []
        for _, file in groupby(layer.edits, lambda edit: edit.file):
            own = [_completed(faults, edit, on) for edit in file]
            complete += own
            held = _by_quarter(own)
            clashes = [place for place, some in held.items() if len({e.active for e in some}) > 1]
            for name, t in dict(sorted(clashes, reverse=True)).items():  # the first quarter of each
                spell = f"{name} on and active = false in {period_label(t)}"
                faults.add(resolved.name, spell, "entries of one file that do not contradict")
            on |= held
        layers.append(replace(layer, edits=tuple(complete)))
    in_force = {place for place, some in on.items() if any(edit.active for edit in some)}
    for name, row in instruments().items():
        for other in row.excluded:
            both = [t for t in range(HORIZON) if {(name, t), (other, t)} <= in_force]
            if both:
                spell = f"{name} and {other} together from {period_label(both[0])}"
                faults.add(resolved.name, spell, "one of the two, since they exclude each other")
    faults.raise_if_any()
    return replace(resolved, layers=tuple(layers))


def _by_quarter(edits: Iterable[Edit]) -> Held:
    """Return the edits of each instrument and quarter."""
    held: Held = {}
    for edit in edits:
        for t in range(edit.start, edit.end + 1):
            held.setdefault((edit.instrument, t), []).append(edit)
    return held


def _completed(faults: FaultList, edit: Edit, on: Held) -> Edit:
    """Return an edit with the place, users and ramps that the edits it takes the place of have.

    Where these differ, it has to say its own. A fade belongs to an end: it stays where that does.
    """
    quarters, found = range(edit.start, edit.end + 1), dict[str, Any]()
    earlier = [one for t in quarters for one in on.get((edit.instrument, t), ()) if one.active]
    for key in ("place", "users", "ramp_up", "ramp_down") if edit.active else ():
        values = {getattr(one, key) for one in earlier if key != "ramp_down" or one.end == edit.end}
        if getattr(edit, key) is not None or not values:
            continue
        found[key], *others = values
        if others:
            two = key == "place" and "compute" in instruments()[edit.instrument].places
            written = "compute" if two else key
            had = sorted("that of the table" if one is None else str(one) for one in values)
            words = f"one of its own, since earlier entries have several ({', '.join(had)}); for "
            words += f"several, tables [[instrument]] or --set instrument.{edit.instrument}.1.KEY"
            faults.add(f"{edit.where or edit.instrument}.{written}", None, words)
    return replace(edit, **found)


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
        ``instrument.NAME.1.KEY``, ``instrument.NAME.2.KEY`` and so on are entries that add up.
    shocks : iterable of str
        ``NAME``, ``NAME:AMPLITUDE`` or ``NAME:AMPLITUDE:START``.

    Raises
    ------
    InputError
        With every fault of the overrides.
    """
    faults = FaultList()
    values: dict[str, object] = {}
    entries: dict[tuple[str, ...], dict[str, object]] = {}
    for text in settings:
        path, equals, value = text.partition("=")
        match path.strip().split("."):
            case ["parameters", name] if equals:
                values[name] = value_of(value)
            case ["instrument", name, *number, key] if (
                equals and key != "name" and len(number) < 2 and "".join(number or "1").isdecimal()
            ):
                entries.setdefault((name, *number), {"name": name})[key] = value_of(value)
            case _:
                allowed = "instrument.NAME.KEY=VALUE or parameters.NAME=VALUE"
                faults.add("--set", text, allowed)
    edits: list[Edit] = []
    file = 1 + max((edit.file for edit in resolved.edits), default=-1)
    for which, entry in entries.items():
        written = read(InstrumentEntry, entry, f"--set instrument.{'.'.join(which)}.", faults)
        if written is not None:
            where = f"--set instrument.{'.'.join(which)}"
            edit = replace(written.edit(), file=file, where=where)
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
    """Repeat an edit over every span in which the same entries switch the instrument on."""

    def entries(t: int) -> list[Edit]:
        same = (one for one in resolved.edits if one.instrument == edit.instrument)
        return [one for one in same if one.active and one.start <= t <= one.end]

    spans = [list(span) for on, span in groupby(range(POLICY_START, HORIZON), entries) if on]
    return [replace(edit, start=span[0], end=span[-1]) for span in spans] or [edit]
