"""What a user may write in a scenario: edits of instruments, shocks, titles, parameter values.

One pydantic model for each kind of entry, in a TOML file as in Python; what is wrong with one is
said by `ecosystem.inputs.translate`. An entry becomes an `Edit` or a `ShockUse`, from which the
schedule is built.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ecosystem.inputs.calendar import (
    HORIZON,
    POLICY_START,
    check_period,
    period_index,
    period_label,
)
from ecosystem.inputs.catalogue import Instrument, instruments, shocks
from ecosystem.inputs.faults import FaultList
from ecosystem.inputs.translate import name_among, number_from, read_by, whole_from


def quarter_from(first: int) -> BeforeValidator:
    """Return the validator of a quarter that is not before the first."""
    return read_by(lambda faults, value: check_period(faults, "", value, first))


REFERENCE = "history"
"""The package that everything else edits, and the only one that may touch the past."""
SHOCK_KEYS = ("name", "amplitude", "start")
PLACES = 'names of prefectures, a tier or "hub", in quotes or as a list'
MONEY_UNIT = "million yuan a year"
Money = Annotated[float | None, number_from(0, unit=MONEY_UNIT)]
Quarters = Annotated[int | None, whole_from(0)]
Text = Annotated[str, Field(pattern=r"\S", description="a text, in quotes")]


def _names(faults: FaultList, value: Any) -> str | None:
    """Return names of places with a bar between them; whether a world has them is seen later."""
    names = [value] if isinstance(value, str) else value
    if value is None:
        return None
    if not isinstance(names, list | tuple) or not names:
        faults.add("", value, PLACES)
        return None
    for number, name in enumerate(names):
        if not isinstance(name, str) or not name.strip() or "|" in name:
            faults.add("" if name is value else f"[{number}]", name, PLACES)
        elif name in names[:number]:
            faults.add(f"[{number}]", name, "each place once")
    return "|".join(map(str, names))


Place = Annotated[str | None, read_by(_names)]


@dataclass(frozen=True)
class Edit:
    """Values of one instrument over the quarters ``start`` to ``end``, both included.

    A value that is None stays as it was where the instrument was on, and takes the default of
    the instrument table where it was off. Money in million yuan a year. What is
    ``observed`` is on record: it neither ramps up nor waits for anybody's share. ``place`` holds
    names with a bar between them; ``users`` is whose vouchers they are. Rises come in over
    ``ramp_up`` quarters, and the value fades over the last ``ramp_down`` quarters. Edits of one
    ``file`` add up where they meet; those of a later file take the place of what an earlier one
    has. ``where`` one was written is for faults alone.
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
    place: str | None = None
    users: str | None = None
    ramp_up: int | None = None
    ramp_down: int | None = None
    file: int = 0
    where: str = field(default="", compare=False)


@dataclass(frozen=True)
class ShockUse:
    """A shock with its amplitude and its first quarter."""

    name: str
    amplitude: float
    start: int


class Entry(BaseModel):
    """Anything that a user writes: nothing is converted, and unknown keys are faults."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class InstrumentEntry(Entry):
    """Values of one instrument over some quarters, none of them before the policies."""

    name: Annotated[str, name_among(lambda: instruments())] = Field(
        description="the name of an instrument"
    )
    active: bool = True
    rate: Annotated[float | None, number_from()] = None
    spending: Money = None
    envelope: Money = None
    eligible: str | None = None
    place: Place = None
    users: Place = None
    compute: Place = None
    start: Annotated[int, quarter_from(POLICY_START)] = POLICY_START
    end: Annotated[int, quarter_from(POLICY_START)] = HORIZON - 1
    ramp_up: Quarters = None
    ramp_down: Quarters = None

    @field_validator(
        *("rate", "spending", "envelope", "eligible", "place", "users", "compute"),
        *("ramp_up", "ramp_down"),
        mode="before",
    )
    @classmethod
    def _belongs(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse what this instrument does not have, and a rate out of its range."""
        row, key = instruments().get(info.data.get("name", "")), str(info.field_name)
        faults, ended = FaultList(), info.data.get("active") is False
        if allowed := "nothing beside active = false" if ended else _allowed(row, key):
            faults.add("", value, allowed)
        elif row and key == "eligible":
            faults.name("", value, row.eligible)
        elif row and key == "rate":
            faults.number("", value, row.rate_low, row.rate_high, row.rate_unit)
        faults.raise_if_any()
        return value

    @field_validator("end")
    @classmethod
    def _after_start(cls, end: int, info: ValidationInfo) -> int:
        if end < info.data.get("start", end):
            raise ValueError(f"{period_label(info.data['start'])} or later")
        return end

    @field_validator("ramp_up", "ramp_down")
    @classmethod
    def _inside(cls, quarters: int | None, info: ValidationInfo) -> int | None:
        if quarters and {"start", "end"} <= set(info.data):
            most = info.data["end"] + 1 - info.data["start"]
            if quarters > most:
                raise ValueError(f"at most {most}, the quarters from start to end")
        return quarters

    @model_validator(mode="after")
    def _fades(self) -> Self:
        if self.ramp_down and "end" not in self.model_fields_set:
            raise ValueError("an end beside ramp_down, since the last quarters before it fade")
        return self

    def edit(self) -> Edit:
        """Return the edit that is meant."""
        plain = self.model_dump(exclude={"name", "place", "compute"})
        return Edit(instrument=self.name, **plain, place=self.place or self.compute)


def _allowed(row: Instrument | None, key: str) -> str:
    """Say what may be set instead of a key that an instrument does not have, "" if it has it."""
    if row is None or key in row.money or key in row.places:
        return ""
    if key == "eligible":
        return "" if row.eligible else f"nothing: {row.name} has no groups of claimants"
    if key in ("ramp_up", "ramp_down"):
        return f"nothing: {row.name} is a rule, on or off" if row.type == "rule" else ""
    if key not in ("place", "users", "compute"):
        return f"{' and '.join(row.money) or 'active'}, since {row.name} is a {row.type}"
    if not row.places:
        return f"nothing, since {row.name} acts on the province as a whole"
    why = "has a place for each" if len(row.places) > 1 else "has no place for users apart"
    return f"{' and '.join(row.places)}, since {row.name} {why}"


class RecordedEntry(InstrumentEntry):
    """Values on record: the reference alone may write them, from the first quarter on."""

    start: Annotated[int, quarter_from(0)] = POLICY_START
    end: Annotated[int, quarter_from(0)] = HORIZON - 1
    observed: bool = False


class ShockEntry(Entry):
    """A shock: its table, or ``NAME``, ``NAME:AMPLITUDE`` or ``NAME:AMPLITUDE:START``."""

    name: Annotated[str, name_among(lambda: shocks())] = Field(
        description="the name of a shock: " + ", ".join(shocks())
    )
    amplitude: Annotated[float | None, number_from()] = None
    start: Annotated[int | None, quarter_from(0)] = None

    @model_validator(mode="before")
    @classmethod
    def _spelled(cls, value: object) -> object:
        if isinstance(value, str):
            parts: dict[str, Any] = dict(zip(SHOCK_KEYS, value.split(":", 2), strict=False))
            if "amplitude" in parts:
                parts["amplitude"] = value_of(parts["amplitude"])
            return parts
        return dict(value) if isinstance(value, Mapping) else value

    @field_validator("amplitude", mode="before")
    @classmethod
    def _in_range(cls, value: Any, info: ValidationInfo) -> Any:
        row, faults = shocks().get(info.data.get("name", "")), FaultList()
        if row:
            faults.number("", value, row.low, row.high)
        faults.raise_if_any()
        return value

    def use(self) -> ShockUse:
        """Return the shock that is meant; what is not given is that of the shock table."""
        row = shocks()[self.name]
        amplitude = row.amplitude_default if self.amplitude is None else self.amplitude
        start = period_index(row.start_default) if self.start is None else self.start
        return ShockUse(self.name, amplitude, start)


class Title(Entry):
    """Titles by language."""

    en: Text = ""
    zh: Text = ""


class Budget(Entry):
    """What the money of a file is scaled to."""

    present_value: Annotated[float | None, number_from(0, unit="million yuan")] = None


class ScenarioFile(Entry):
    """A scenario file; functions of the user and parameter values are read on their own."""

    title: Title = Title()
    extends: str = Field(default=REFERENCE, description="a package or a TOML file, in quotes")
    policies: list[Any] = Field(default=[], description="a list of packages and TOML files")
    instrument: list[InstrumentEntry] = Field(
        default=[], description="tables, each headed [[instrument]]"
    )
    shock: list[ShockEntry] = Field(default=[], description="tables, each headed [[shock]]")
    parameters: Mapping[str, Any] = {}
    budget: Budget = Budget()
    hooks: Mapping[str, Any] = {}
    rules: Mapping[str, Any] = {}


class ReferenceFile(ScenarioFile):
    """The file of what is on record."""

    instrument: list[RecordedEntry]  # type: ignore[assignment]


class ScenarioArguments(Entry):
    """What `Scenario` is made of in Python."""

    policies: tuple[Any, ...] = Field(
        default=(REFERENCE,), min_length=1, description="at least one package or TOML file"
    )
    instruments: tuple[InstrumentEntry, ...] = ()
    shocks: tuple[ShockEntry, ...] = ()
    parameters: Mapping[str, Any] = {}
    hooks: Mapping[str, Any] = {}
    rules: Mapping[str, Any] = {}
    title: Title = Title()
    name: str = Field(default="", description="a text, in quotes")


def value_of(text: str) -> Any:
    """Read a value of the command line: as TOML would, else as a number, else as plain text."""
    for read in (lambda: tomllib.loads(f"value = {text}")["value"], lambda: float(text)):
        try:
            return read()
        except ValueError:
            continue
    return text.strip()
