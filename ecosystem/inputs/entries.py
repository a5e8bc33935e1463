"""What a user may write in a scenario: edits of instruments, shocks, titles, parameter values.

One pydantic model for each kind of entry, in a TOML file as in Python; what is wrong with one is
said by `ecosystem.inputs.translate`. An entry becomes an `Edit` or a `ShockUse`, from which the
schedule is built.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

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
from ecosystem.inputs.catalogue import instruments, shocks
from ecosystem.inputs.faults import FaultList
from ecosystem.inputs.translate import name_among, number_from, read_by


def quarter_from(first: int) -> BeforeValidator:
    """Return the validator of a quarter that is not before the first."""
    return read_by(lambda faults, value: check_period(faults, "", value, first))


REFERENCE = "history"
"""The package that everything else edits, and the only one that may touch the past."""
SHOCK_KEYS = ("name", "amplitude", "start")
Money = Annotated[float | None, number_from(0, unit="million yuan a year")]
Text = Annotated[str, Field(pattern=r"\S", description="a text, in quotes")]


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
    start: Annotated[int, quarter_from(POLICY_START)] = POLICY_START
    end: Annotated[int, quarter_from(POLICY_START)] = HORIZON - 1

    @field_validator("rate", "spending", "envelope", "eligible", mode="before")
    @classmethod
    def _belongs(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse what this instrument does not have, and a rate out of its range."""
        row, key, faults = (
            instruments().get(info.data.get("name", "")),
            info.field_name,
            FaultList(),
        )
        if info.data.get("active") is False:
            faults.add("", value, "nothing beside active = false")
        elif row and key == "eligible" and not row.eligible:
            faults.add("", value, f"nothing: {row.name} has no groups of claimants")
        elif row and key == "eligible":
            faults.name("", value, row.eligible)
        elif row and key not in row.money:
            allowed = " and ".join(row.money) or "active"
            faults.add("", value, f"{allowed}, since {row.name} is a {row.type}")
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

    def edit(self) -> Edit:
        """Return the edit that is meant."""
        return Edit(instrument=self.name, **self.model_dump(exclude={"name"}))


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
