"""Reading packages, scenario files and shocks: what they say, and everything wrong with it."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from ecosystem.inputs.calendar import (
    HORIZON,
    POLICY_START,
    check_period,
    period_index,
    period_label,
)
from ecosystem.inputs.catalogue import Instrument, instruments, parameters, shocks
from ecosystem.inputs.faults import FaultList
from ecosystem.inputs.functions import Hook, read_hook, read_rule

REFERENCE = "history"
"""The package that everything else edits, and the only one that may touch the past."""

PACKAGES = Path(str(files("ecosystem"))) / "packages"
MONEY = {
    "programme": ("spending",),
    "transfer": ("rate", "envelope"),
    "charge": ("rate",),
    "rule": (),
}
FILE_KEYS = (
    "title", "extends", "policies", "instrument", "shock", "parameters", "budget", "hooks",
    "rules",
)  # fmt: skip
VALUE_KEYS = ("rate", "spending", "envelope", "eligible")
LAST = period_label(HORIZON - 1)
EDIT_KEYS = ("name", "active", *VALUE_KEYS, "start", "end")
SHOCK_KEYS = ("name", "amplitude", "start")


@dataclass(frozen=True)
class Edit:
    """Values of one instrument over the quarters ``start`` to ``end``, both included.

    A value that is None stays as it was where the instrument was on, and takes the default of
    the instrument table where it was off. Money in million yuan a year. What is
    ``observed`` is on record: it neither ramps up nor waits for anybody's share.
    """

    instrument: str
    start: int
    end: int
    active: bool = True
    rate: float | None = None
    spending: float | None = None
    envelope: float | None = None
    eligible: str | None = None
    observed: bool = False


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
class ShockUse:
    """A shock with its amplitude and its first quarter."""

    name: str
    amplitude: float
    start: int


def package_names() -> tuple[str, ...]:
    """Return the names of the packages that come with the model, the reference first."""
    names = sorted(path.stem for path in PACKAGES.glob("*.toml"))
    return tuple(sorted(names, key=lambda name: name != REFERENCE))


class Draft:
    """A scenario that is being read: what was found so far, and every fault."""

    def __init__(self) -> None:
        self.faults = FaultList()
        self.layers: list[Layer] = []
        self.shocks: list[ShockUse] = []
        self.parameters: dict[str, float] = {}
        self.hooks: list[Hook] = []
        self.titles: dict[Path, dict[str, str]] = {}

    def add(
        self, item: object, place: str, folder: Path, trail: tuple[Path, ...]
    ) -> dict[str, str]:
        """Read a package or file after all that it extends; return its name and titles."""
        path = self.find(item, place, folder)
        if path is None:
            return {}
        key = path.resolve()
        if key in trail:
            chain = " -> ".join(step.stem for step in (*trail[trail.index(key) :], key))
            self.faults.add(place, str(item), f"nothing that extends itself ({chain})")
            return {}
        if key not in self.titles:
            package = path.parent == PACKAGES
            label = f"packages/{path.name}" if package else str(path)
            self.titles[key] = self.read(path, label, (*trail, key), package)
        return self.titles[key]

    def find(self, item: object, place: str, folder: Path) -> Path | None:
        """Return the path of a package name or TOML file, else note a fault."""
        if isinstance(item, Path) or (
            isinstance(item, str) and (item.endswith(".toml") or Path(item).name != item)
        ):
            path = folder / item
            if path.is_file():
                return path
            self.faults.add(place, str(item), "a TOML file that exists")
            return None
        name = self.faults.name(place, item, package_names())
        return PACKAGES / f"{name}.toml" if name else None

    def load(self, path: Path, label: str) -> dict[str, Any]:
        """Read a TOML file; empty where it cannot be read."""
        try:
            return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            bad = error.object[error.start : error.start + 1]
            self.faults.add(f"{label}: line {line}", bad, "text in UTF-8")
        except tomllib.TOMLDecodeError as error:
            self.faults.add(label, str(error), "TOML syntax")
        except OSError as error:
            self.faults.add(label, error.strerror, "a file that can be read")
        return {}

    def read(
        self, path: Path, label: str, trail: tuple[Path, ...], package: bool
    ) -> dict[str, str]:
        """Read a file, first what it extends, then what it says itself; return its titles."""
        content = self.load(path, label)
        reference = package and path.stem == REFERENCE
        keys = [key for key in FILE_KEYS if not (reference and key in ("extends", "policies"))]
        self.faults.keys(f"{label}: ", content, keys)
        if not reference:
            self.add(content.get("extends", REFERENCE), f"{label}: extends", path.parent, trail)
            for number, other in enumerate(self.entries(label, content, "policies", str)):
                self.add(other, f"{label}: policies[{number}]", path.parent, trail)
        edit_keys = (*EDIT_KEYS, "observed") if reference else EDIT_KEYS
        edits = [
            self.edit(
                f"{label}: instrument[{number}]",
                entry,
                0 if reference else POLICY_START,
                edit_keys,
            )
            for number, entry in enumerate(self.entries(label, content, "instrument", dict))
        ]
        self.read_shocks(f"{label}: shock", self.entries(label, content, "shock", dict))
        self.read_parameters(f"{label}: parameters", content.get("parameters", {}))
        self.read_hooks(f"{label}: hooks", content.get("hooks", {}), path.parent)
        self.read_rules(f"{label}: rules", content.get("rules", {}), path.parent)
        found = tuple(edit for edit in edits if edit is not None)
        money = self.budget(f"{label}: budget", content.get("budget", {}))
        self.layers.append(Layer(path.stem, found, money, own=not reference))
        return self.title(f"{label}: title", content.get("title", {}), path.stem)

    def budget(self, place: str, value: Any) -> float | None:
        """Return the present value (million yuan) that a layer is scaled to, if it names one."""
        if not self.mapping(place, value) or not value:
            return None
        self.faults.keys(f"{place}.", value, ("present_value",))
        return self.faults.number(f"{place}.present_value", value.get("present_value"), 0)

    def entries(self, label: str, content: dict[str, Any], key: str, kind: type) -> list[Any]:
        """Return a list of ``kind`` out of a file; empty, with a fault, where it is none."""
        value = content.get(key, [])
        if isinstance(value, list) and all(isinstance(item, kind) for item in value):
            return value
        allowed = "a list of names" if kind is str else f"tables, each headed [[{key}]]"
        self.faults.add(f"{label}: {key}", value, allowed)
        return []

    def mapping(self, place: str, value: object) -> bool:
        """Tell whether ``value`` is a table, noting a fault where it is none."""
        if isinstance(value, Mapping):
            return True
        self.faults.add(place, value, "a table of names and values")
        return False

    def title(self, place: str, value: Any, name: str) -> dict[str, str]:
        """Return name and titles, the name standing in for a title that is not given."""
        result = {"name": name, "en": name, "zh": name}
        if self.mapping(place, value):
            self.faults.keys(f"{place}.", value, ("en", "zh"))
            for language in {"en", "zh"} & set(value):
                if not isinstance(value[language], str) or not value[language].strip():
                    self.faults.add(f"{place}.{language}", value[language], "a text")
            result |= value
        return result

    def read_parameters(self, place: str, values: object) -> None:
        """Read parameter values, each inside the range of the parameter table."""
        if not isinstance(values, Mapping):
            self.mapping(place, values)
            return
        for name, value in values.items():
            if self.faults.name(f"{place}.{name}", name, parameters()):
                row = parameters()[name]
                number = self.faults.number(f"{place}.{name}", value, row.low, row.high)
                if number is not None:
                    self.parameters[name] = number

    def read_hooks(self, place: str, values: object, folder: Path) -> None:
        """Read functions of the user by stage; relative files start from `folder`."""
        if not isinstance(values, Mapping):
            self.mapping(place, values)
            return
        for stage, value in values.items():
            hook = read_hook(self.faults, f"{place}.{stage}", stage, value, folder)
            if hook is not None:
                self.hooks.append(hook)

    def read_rules(self, place: str, values: object, folder: Path) -> None:
        """Read what replaces decision rules of agents; a later layer replaces an earlier one's."""
        if not isinstance(values, Mapping):
            self.mapping(place, values)
            return
        for rule, value in values.items():
            hook = read_rule(self.faults, f"{place}.{rule}", rule, value, folder)
            if hook is not None:
                self.hooks = [other for other in self.hooks if other.stage != hook.stage]
                self.hooks.append(hook)

    def read_shocks(self, place: str, entries: Sequence[object]) -> None:
        """Read shocks that are given by name or as tables."""
        for number, entry in enumerate(entries):
            here = f"{place}[{number}]"
            self.read_shock(here, {"name": entry} if isinstance(entry, str) else entry)

    def read_shock(self, place: str, entry: object) -> None:
        """Read one shock; amplitude and start default to those of the shock table."""
        if not isinstance(entry, Mapping):
            self.mapping(place, entry)
            return
        self.faults.keys(f"{place}.", entry, SHOCK_KEYS)
        name = self.faults.name(f"{place}.name", entry.get("name"), shocks())
        row = shocks().get(name or "")
        low, high = (row.low, row.high) if row else (None, None)
        amplitude, start = (
            (row.amplitude_default, period_index(row.start_default)) if row else (0, 0)
        )
        if "amplitude" in entry:
            value = self.faults.number(f"{place}.amplitude", entry["amplitude"], low, high)
            amplitude = amplitude if value is None else value
        if "start" in entry:
            period = check_period(self.faults, f"{place}.start", entry["start"])
            start = start if period is None else period
        if name:
            self.shocks.append(ShockUse(name, amplitude, start))

    def edit(
        self, place: str, entry: Mapping[str, Any], first: int, keys: Sequence[str]
    ) -> Edit | None:
        """Read one edit of an instrument, none earlier than quarter ``first``."""
        self.faults.keys(f"{place}.", entry, (*keys, "name"))
        name = self.faults.name(f"{place}.name", entry.get("name"), instruments())
        start = check_period(
            self.faults, f"{place}.start", entry.get("start", period_label(POLICY_START)), first
        )
        end = check_period(self.faults, f"{place}.end", entry.get("end", LAST), first)
        if start is not None and end is not None and end < start:
            self.faults.add(f"{place}.end", entry.get("end"), f"{period_label(start)} or later")
        active = self.flag(f"{place}.active", entry.get("active", True))
        observed = self.flag(f"{place}.observed", entry.get("observed", False))
        values = self.values(place, entry, instruments().get(name or ""), active)
        if name is None or start is None or end is None:
            return None
        return Edit(name, start, end, active, observed=observed, **values)

    def flag(self, place: str, value: object) -> bool:
        """Return a truth value, noting a fault where it is none."""
        if not isinstance(value, bool):
            self.faults.add(place, value, "true or false")
        return value is not False

    def values(
        self, place: str, entry: Mapping[str, Any], row: Instrument | None, active: bool
    ) -> dict[str, Any]:
        """Read rate, spending, envelope and eligible claimants of an edit."""
        values: dict[str, Any] = {}
        for key in (key for key in VALUE_KEYS if key in entry):
            here, value = f"{place}.{key}", entry[key]
            if not active:
                self.faults.add(here, value, "nothing beside active = false")
            elif key == "eligible":
                valid = row.eligible if row else ()
                if row and not valid:
                    self.faults.add(here, value, f"nothing: {row.name} has no groups of claimants")
                elif row:
                    values[key] = self.faults.name(here, value, valid)
            elif row and key not in MONEY[row.type]:
                allowed = " and ".join(MONEY[row.type]) or "active"
                self.faults.add(here, value, f"{allowed}, since {row.name} is a {row.type}")
            elif key == "rate" and row:
                values[key] = self.faults.number(here, value, row.rate_low, row.rate_high)
            else:
                values[key] = self.faults.number(here, value, 0)
        return values
