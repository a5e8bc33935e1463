"""Reading packages and scenario files: each after all that it extends, every fault noted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from ecosystem.inputs.arguments import checked_parameters
from ecosystem.inputs.entries import (
    REFERENCE,
    Edit,
    ReferenceFile,
    ScenarioFile,
    ShockUse,
    Title,
)
from ecosystem.inputs.faults import FaultList, nearest
from ecosystem.inputs.files import read_toml
from ecosystem.inputs.functions import Hook, read_hook, read_rule
from ecosystem.inputs.translate import read_what_fits

PACKAGES = Path(str(files("ecosystem"))) / "packages"


@dataclass(frozen=True)
class Layer:
    """The edits of one package or file, scaled to a present value (million yuan) if it has one.

    ``own`` is false for the reference alone.
    """

    name: str
    edits: tuple[Edit, ...]
    present_value: float | None = None
    own: bool = True


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
        path, is_name = folder / item, isinstance(item, str) and Path(item).name == item
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
        content = read_toml(path, label, self.faults)
        kind = ReferenceFile if reference else ScenarioFile
        file = read_what_fits(kind, content, f"{label}: ", self.faults)
        if not reference:
            self.add(file.extends, f"{label}: extends", path.parent, trail)
        for number, other in enumerate(file.policies):
            self.add(other, f"{label}: policies[{number}]", path.parent, trail)
        self.shocks += [shock.use() for shock in file.shock]
        self.read_parameters(file.parameters, f"{label}: parameters")
        self.read_hooks(file.hooks, f"{label}: hooks", path.parent)
        self.read_rules(file.rules, f"{label}: rules", path.parent)
        edits = tuple(entry.edit() for entry in file.instrument)
        money = file.budget.present_value
        self.layers.append(Layer(path.stem, edits, money, own=not reference))
        return {"name": path.stem, **titles(file.title, path.stem)}

    def read_parameters(self, values: object, place: str) -> None:
        """Read parameter values, each inside the range of the parameter table."""
        self.parameters |= checked_parameters(self.faults, values, place)

    def read_hooks(self, values: Mapping[str, object], place: str, folder: Path) -> None:
        """Read functions of the user by stage; relative files start from `folder`."""
        for stage, value in values.items():
            hook = read_hook(self.faults, f"{place}.{stage}", stage, value, folder)
            if hook is not None:
                self.hooks.append(hook)

    def read_rules(self, values: Mapping[str, object], place: str, folder: Path) -> None:
        """Read what replaces decision rules of agents; a later layer replaces an earlier one's."""
        for rule, value in values.items():
            hook = read_rule(self.faults, f"{place}.{rule}", rule, value, folder)
            if hook is not None:
                self.hooks = [other for other in self.hooks if other.stage != hook.stage]
                self.hooks.append(hook)


def titles(title: Title, name: str) -> dict[str, str]:
    """Return titles by language, a name standing in for one that is not given."""
    return {"en": title.en or name, "zh": title.zh or name}
