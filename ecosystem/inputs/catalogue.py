"""The tables of what can be set and what is reported, read from CSV and checked.

One row model for each table; `parameters`, `instruments`, `shocks`, `outcomes`, `agents`,
`state_columns`, `kinds` and `tiers` return the rows by name in the order of the table.
Documentation, listings, checks of user input and sensitivity bounds are all read from here.
"""

from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ecosystem.inputs.calendar import period_index
from ecosystem.inputs.faults import FaultList
from ecosystem.inputs.files import read_csv
from ecosystem.inputs.translate import read


def _split(cell: object) -> object:
    return tuple(cell.split("|")) if isinstance(cell, str) else cell


Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
"""Names in one cell, with a bar between them."""

OWNERS = {
    "spending_default": ("programme",),
    "spending_high": ("programme",),
    "envelope_default": ("transfer",),
    "rate_default": ("transfer", "charge"),
    "rate_low": ("transfer", "charge"),
    "rate_high": ("transfer", "charge"),
    "payer": ("charge",),
    "base": ("charge",),
    "rate_unit": ("charge",),
}
"""Columns of the instrument table and the types of instrument that have them."""
CHARGE_UNITS = {
    ("centres", "electricity"): "yuan/MWh",
    ("centres", "compute"): "yuan/PFh",
    ("parks", "electricity"): "yuan/MWh",
    ("makers", "sales"): "share",
    ("firms", "sales"): "share",
}
"""Who can be charged for what, and the unit of the rate."""


class Row(BaseModel):
    """A row of any table: frozen, without unknown columns, all numbers finite."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True
    )

    name: str = Field(
        pattern=r"^[a-z][a-z0-9_.]*$", description="a name of small letters, digits, _ and ."
    )

    @property
    def key(self) -> str:
        """What the row is found by."""
        return self.name


class Parameter(Row):
    """A number of the model, with the range over which it is uncertain."""

    symbol: str = ""
    meaning: str
    unit: str = ""
    default: float
    low: float | None = None
    high: float | None = None
    distribution: Literal["fixed", "uniform", "loguniform"]
    group: str
    tag: Literal["v", "m", "a"]
    source: str = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        low, high = self.low, self.high
        if self.distribution != "fixed" and (low is None or high is None or low >= high):
            raise ValueError("an uncertain parameter needs low < high")
        if self.distribution == "loguniform" and (low is None or low <= 0):
            raise ValueError("a loguniform parameter needs low > 0")
        _require_inside(self.default, low, high)
        return self


MONEY = {
    "programme": ("spending",),
    "transfer": ("rate", "envelope"),
    "charge": ("rate",),
    "rule": (),
}
"""What a scenario may set of an instrument, by its type."""


class Instrument(Row):
    """A policy instrument; money in million yuan a year at prices of 2020.

    A programme buys a lever with its spending, of which no more than ``spending_high`` can be
    spent in a year; a transfer pays claims at its rate out of an envelope; a charge asks its
    ``payer`` for its rate on each unit of its ``base`` and is shared by the levels that pay for
    others; a rule costs nothing. It acts in its ``place``, the hub or a ring, or everywhere where
    that is blank, on the ``subject`` that stands there: a scenario may name other prefectures that
    have one. The prefecture share of a programme falls on them, that of a transfer or a charge on
    where it is paid. ``eligible`` are the groups of claimants that may be named, the default
    first. What is ``excluded`` may not be in force in the same quarter.
    """

    number: int = Field(ge=1)
    title_en: str
    title_zh: str
    type: Literal["programme", "transfer", "charge", "rule"]
    acts_on: str
    payer: str = ""
    base: str = ""
    rate_unit: str = ""
    rate_default: float | None = None
    rate_low: float | None = None
    rate_high: float | None = None
    spending_default: float | None = Field(default=None, ge=0)
    spending_high: float | None = Field(default=None, ge=0)
    envelope_default: float | None = Field(default=None, ge=0)
    national_share: float = Field(ge=0, le=1)
    provincial_share: float = Field(ge=0, le=1)
    prefecture_share: float = Field(ge=0, le=1)
    place: Literal["", "hub", "ring_1", "ring_2"] = ""
    subject: Names = ()
    eligible: Names = Field(default=(), alias="eligibility")
    excluded: Names = Field(default=(), alias="excludes")
    legal_status: Literal["allowed", "review needed", "restricted"]
    legal_rule: str = ""
    ramp_quarters: int = Field(ge=0)
    default_years: float | None = Field(default=None, gt=0)
    expected_outcome: str
    expected_sign: Literal["+", "-"]
    expected_size: float = Field(gt=0)
    article_sentence: str = ""
    source: str
    grade: Literal["A", "B", "C", "assumed"]

    @property
    def money(self) -> tuple[str, ...]:
        """What a scenario may set of it beside dates, places and claimants."""
        return MONEY[self.type]

    @property
    def places(self) -> dict[str, str]:
        """The keys that give it a place, and whose place each is: nothing without a subject."""
        if len(self.subject) > 1:  # each subject has a place of its own
            return {subject: subject for subject in self.subject}
        subject = self.payer or "".join(self.subject)
        return {"place": subject} if subject else {}

    @model_validator(mode="after")
    def _check(self) -> Self:
        shares = self.national_share + self.provincial_share + self.prefecture_share
        if abs(shares - (self.type != "rule")) > 1e-9:
            raise ValueError("funding shares must sum to 1 (to 0 for a rule)")
        for column, owners in OWNERS.items():
            if (getattr(self, column) not in (None, "")) != (self.type in owners):
                raise ValueError(f"{column} belongs to a {' or a '.join(owners)}, and only there")
        unit = CHARGE_UNITS.get((self.payer, self.base))
        if self.type == "charge" and self.rate_unit != unit:
            known = "; ".join(f"{p}, {b}, {u}" for (p, b), u in CHARGE_UNITS.items())
            raise ValueError(f"payer, base and rate_unit of a charge must be one of: {known}")
        if self.rate_default is not None:
            _require_inside(self.rate_default, self.rate_low, self.rate_high)
        if self.spending_default is not None:
            _require_inside(self.spending_default, 0.0, self.spending_high)
        return self


class Shock(Row):
    """A shock: which channel it multiplies, and how the multiplier runs over time (quarters)."""

    number: str
    title_en: str
    title_zh: str
    channel: str
    second_channel: str = ""
    profile: Literal["surge", "decay", "ramp", "hold_recover"]
    sign: int = Field(ge=-1, le=1)
    second_factor: float | None = None
    amplitude_default: float
    low: float
    high: float
    start_default: str
    rise: float | None = Field(default=None, gt=0)
    decay: float | None = Field(default=None, gt=0)
    hold: int | None = Field(default=None, ge=1)
    recovery: int | None = Field(default=None, ge=0)
    meaning: str
    source: str

    @model_validator(mode="after")
    def _check(self) -> Self:
        _require_inside(self.amplitude_default, self.low, self.high)
        period_index(self.start_default)
        needs = {"surge": ("rise", "decay"), "decay": ("decay",), "ramp": ("rise",)}
        for column in needs.get(self.profile, ("hold", "recovery")):
            if getattr(self, column) is None:
                raise ValueError(f"the profile {self.profile} needs {column}")
        return self


class Outcome(Row):
    """What is reported, over which time, and ``beside`` which parts it is always shown."""

    title_en: str
    title_zh: str
    unit: str
    group: str
    time_base: Literal["present_value", "last_year_mean", "end", "sum"]
    dimension: Literal["", "tier", "kind", "region", "domain", "prefecture"] = ""
    headline: bool
    better: Literal["higher", "lower", ""] = ""
    beside: Names = ()
    meaning: str


class AgentKind(Row):
    """A decision of a kind of agent, and what its test expects when the rule is replaced.

    The rule is the function of this name in ``stage_file``: it takes the quarter, the setting and
    these ``columns``, and returns ``answer``, within ``low`` and ``high`` where they are given;
    the latter may be the name of one of the columns. ``expected_size`` is the relative
    change of ``expected_outcome`` between the rule and ``neutral``, its mean; it was written down
    before the test was run.
    """

    kind: str
    class_name: str
    count_full: int = Field(ge=1)
    count_teaching: int = Field(ge=1)
    decision: str
    reads: str
    stage_file: str
    columns: Names = Field(default=(), alias="arguments")
    answer: str
    low: float | None = None
    high: float | str | None = Field(default=None, union_mode="left_to_right")
    neutral: str
    expected_outcome: str
    expected_size: float = Field(gt=0)

    @property
    def yes_or_no(self) -> bool:
        """Whether the answer is 1 or 0, and nothing between."""
        return self.answer.startswith("1 or 0")

    @property
    def sums_to_one(self) -> bool:
        """Whether the answers along the last axis share one whole."""
        return self.answer.startswith("shares")


class StateColumn(Row):
    """A column of the state: its class in ``ecosystem.state.state``, unit and bounds."""

    owner: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    meaning: str

    @property
    def key(self) -> str:
        """The owner and the name: several owners have a column of one name."""
        return f"{self.owner}.{self.name}" if self.owner else self.name


class Group(Row):
    """A kind of compute or a tier of prefectures; tables of a world name it or give its place."""

    title_en: str
    title_zh: str
    precision: str = ""
    meaning: str


RowType = TypeVar("RowType", bound=Row)


def _require_inside(default: float, low: float | None, high: float | None) -> None:
    """Raise ValueError where the default lies outside [low, high]."""
    if (low is not None and default < low) or (high is not None and default > high):
        raise ValueError(f"the default {default:g} lies outside [{low}, {high}]")


def read_rows(text: str, model: type[RowType], file: str) -> dict[str, RowType]:
    """Read a table from CSV text; blank cells take the default of the row model.

    Parameters
    ----------
    text : str
        The table, with a header line.
    model : type
        Row model that every line must fit.
    file : str
        File name, for the faults.

    Returns
    -------
    dict
        Rows by name, in the order of the table.

    Raises
    ------
    InputError
        With every fault of the table: unknown or missing columns, bad values, duplicate names.
    """
    faults = FaultList()
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    columns = {name: field.is_required() for name, field in fields.items()}
    rows: dict[str, RowType] = {}
    for line, cells in read_csv(text, file, columns, faults):
        if any(needed and name not in cells for name, needed in columns.items()):
            continue  # noted already
        written = {name: cell for name, cell in cells.items() if cell and name in columns}
        row = read(model, written, f"{file}:{line}:", faults)
        if row and row.key in rows:
            faults.add(f"{file}:{line}", row.key, "a name that stands only once in the table")
        if row:
            rows[row.key] = row
    faults.raise_if_any()
    return rows


def table(file: str, model: type[RowType]) -> Callable[[], dict[str, RowType]]:
    """Return a function that reads a table of the package once."""

    @lru_cache(maxsize=1)
    def read() -> dict[str, RowType]:
        text = (files("ecosystem") / "tables" / file).read_text(encoding="utf-8-sig")
        return read_rows(text, model, f"tables/{file}")

    return read


parameters = table("parameters.csv", Parameter)
instruments = table("instruments.csv", Instrument)
shocks = table("shocks.csv", Shock)
outcomes = table("outcomes.csv", Outcome)
agents = table("agents.csv", AgentKind)
state_columns = table("state.csv", StateColumn)
kinds = table("kinds.csv", Group)
tiers = table("tiers.csv", Group)


def charges() -> list[Instrument]:
    """Return the instruments that are charges."""
    return [row for row in instruments().values() if row.type == "charge"]
