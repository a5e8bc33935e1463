"""How runs are asked for: one table of options, checked once and passed on whole.

The arguments of the Python functions, the options of the command line and the help of both are
made from the fields of `Options` and of what inherits from it::

    class CompareOptions(Options):
        reference: Any = Field("history", description="What the others are compared with.")
        replicates: Whole = Field(100, description="Number of pairs.")

    @face(CompareOptions)
    def compare(asked: CompareOptions) -> Comparison:
        \"\"\"Run scenarios and compare each with the reference.

        {parameters}
        \"\"\"
        result = run(asked.scenarios, asked)

    compare(["article"], seed=3, replicates=50)  # or compare.with_options(asked)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from functools import partial, wraps
from pathlib import Path
from textwrap import indent, wrap
from typing import Annotated, Any, Protocol, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic import ValidationInfo as Info

from ecosystem.inputs.arguments import checked_parameters, listed
from ecosystem.inputs.calendar import HORIZON, check_period, period_index, period_label
from ecosystem.inputs.catalogue import outcomes as outcome_table
from ecosystem.inputs.faults import FaultList, InputError, nearest
from ecosystem.inputs.translate import translate
from ecosystem.inputs.world.loader import load_world

T = TypeVar("T")
Check = Callable[[FaultList, str, Any], Any]
PLACES = ("jobs", "executor", "cluster", "out", "progress")
"""Options that say where runs take place, and change no number."""
EXECUTORS = ("processes", "serial", "dask")


def read_by(check: Check) -> BeforeValidator:
    """Return the validator that reads a field with one of our own checks, in our own words."""

    def validate(value: Any, info: Info) -> Any:
        faults = FaultList()
        found = check(faults, str(info.field_name), value)
        faults.raise_if_any()
        return found

    return BeforeValidator(validate)


def whole_from(least: int) -> BeforeValidator:
    """Return the validator of a whole number of at least so much, NumPy's included."""
    return read_by(lambda faults, place, value: faults.whole(place, value, least))


def _truth(faults: FaultList, place: str, value: Any) -> Any:
    if not isinstance(value, bool):
        faults.add(place, value, "true or false")
    return value


def _jobs(faults: FaultList, place: str, value: Any) -> Any:
    return None if value is None else faults.whole(place, value, 1)


def _quarter(faults: FaultList, place: str, value: Any, first: int = 0) -> Any:
    check_period(faults, place, value, first)
    return value


def _shocks(faults: FaultList, place: str, value: Any) -> tuple[str, ...]:
    given = [] if value is None else listed(value)
    for one in given:
        if not (isinstance(one, str) and one):
            faults.add(place, one, "one shock as a text, NAME[:AMPLITUDE[:START]], or several")
    return tuple(given)


def _outcomes(
    faults: FaultList, place: str, value: Any, whole: bool = False
) -> tuple[str, ...] | None:
    if value is None:
        return None
    asked = listed(value)
    if not asked:
        faults.add(place, value, "at least one outcome")
    valid = [name for name, row in outcome_table().items() if not (whole and row.dimension)]
    for name in asked:
        faults.name(place, name, valid)
    return tuple(dict.fromkeys(asked))


def _executor(faults: FaultList, place: str, value: Any) -> Any:
    if not (value is None or value in EXECUTORS or isinstance(value, Executor)):
        allowed = f"one of {', '.join(EXECUTORS)}, or an executor of concurrent.futures"
        faults.add(place, value, allowed, nearest(value, EXECUTORS))
    return value


def _folder(faults: FaultList, place: str, value: Any) -> Path | None:
    """Return a folder of the user; ``~`` is the home folder, whoever reads the path."""
    if value is None:
        return None
    if not isinstance(value, str | Path) or not str(value):
        faults.add(place, value, "a folder")
        return None
    return Path(value).expanduser()


def _world(faults: FaultList, place: str, value: Any) -> str | None:
    if not isinstance(value, str | Path) or not str(value):
        faults.add(place, value, "full, teaching or a folder with world tables")
        return None
    place = str(Path(value).expanduser()) if str(value).startswith("~") else str(value)
    try:
        load_world(place)
    except InputError as error:
        faults.faults += error.faults
    return place


Whole = Annotated[int, whole_from(1)]
Seed = Annotated[int, whole_from(0)]
Truth = Annotated[bool, read_by(_truth)]
Quarter = Annotated[str, read_by(_quarter)]
Shocks = Annotated[tuple[str, ...], read_by(_shocks)]
Values = Annotated[Mapping[str, float], read_by(lambda faults, _, v: checked_parameters(faults, v))]
Outcomes = Annotated[tuple[str, ...] | None, read_by(_outcomes)]
WholeOutcomes = Annotated[tuple[str, ...] | None, read_by(partial(_outcomes, whole=True))]
"""Outcomes without parts such as regions or kinds."""
Folder = Annotated[Path | None, read_by(_folder)]


def quarter_from(first: int) -> BeforeValidator:
    """Return the validator of a quarter that is not before the `first`."""
    return read_by(partial(_quarter, first=first))


class Options(BaseModel):
    """How scenarios are run.

    Attributes are the arguments of `ecosystem.simulate`; other functions and the command line
    take them, too. A field that says otherwise in a class below this one does so there alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    replicates: Whole = Field(
        20,
        description="Runs of each scenario. Replicate r has its own draw of every uncertain "
        "parameter and its own luck, both common to all scenarios.",
    )
    seed: Seed = Field(1, description="Seed of all chance, at least 0.")
    until: Quarter = Field(period_label(HORIZON - 1), description="Last quarter, such as 2030Q4.")
    world: Annotated[str, read_by(_world)] = Field(
        "full", description="full, teaching, or a folder with world tables."
    )
    shock: Shocks = Field(
        (), description="Shocks on every scenario: NAME, NAME:AMPLITUDE or NAME:AMPLITUDE:START."
    )
    parameters: Values = Field(
        {}, description="Parameter values that hold in all runs instead of draws."
    )
    fixed_parameters: Truth = Field(
        False, description="Keep parameters at their defaults; luck alone then differs."
    )
    outcomes: Outcomes = Field(None, description="Names of the outcome table, one or several.")
    jobs: Annotated[int | None, read_by(_jobs)] = Field(
        None, description="Workers; one a core by default."
    )
    executor: Annotated[str | Executor | None, read_by(_executor)] = Field(
        None,
        description="Where runs take place: processes (default), serial, dask, or an executor of "
        "concurrent.futures.",
    )
    cluster: str | None = Field(None, description="Address of a Dask scheduler, tcp://HOST:PORT.")
    out: Folder = Field(
        None,
        description="Folder that run directories are made in; a second start goes on from there.",
    )
    progress: Callable[[int, int], None] | None = Field(
        None, description="Called with the number of finished and of all runs."
    )

    @classmethod
    def of(cls, **given: Any) -> Self:
        """Return checked options.

        Raises
        ------
        InputError
            With everything that is wrong.
        """
        faults = FaultList()
        found = cls.collected(faults, **given)
        faults.raise_if_any()
        assert found is not None
        return found

    @classmethod
    def collected(cls, faults: FaultList, **given: Any) -> Self | None:
        """Return checked options, or None after noting everything that is wrong."""
        try:
            return cls(**given)
        except ValidationError as error:
            faults.faults += translate(error, cls)
        return None

    def with_(self, **changes: Any) -> Self:
        """Return the same options but for some, which are taken as they are."""
        return self.model_copy(update=changes)

    def as_(self, kind: type[O], **changes: Any) -> O:
        """Return what another class of options shares with these, and what is given beside it."""
        shared = {name: getattr(self, name) for name in Options.model_fields}
        return kind.of(**{**shared, **changes})

    @property
    def last(self) -> int:
        """Index of the last quarter."""
        return period_index(self.until)


O = TypeVar("O", bound=Options)  # noqa: E741
Asked = TypeVar("Asked", contravariant=True)
Answer = TypeVar("Answer", covariant=True)


def parameters_section(options: type[Options], names: Iterable[str]) -> str:
    """Return the docstring section that describes fields of a class of options."""
    lines = ["Parameters", "----------"]
    for name in names:
        words = wrap(str(options.model_fields[name].description), 90)
        lines += [name, *(indent(line, "    ") for line in words)]
    return "\n".join(lines)


class Face(Protocol[Asked, Answer]):
    """A function with the fields of its options as arguments; `with_options` takes them checked."""

    def __call__(self, *args: Any, **given: Any) -> Answer:
        """Check what is asked, and answer."""

    def with_options(self, asked: Asked) -> Answer:
        """Answer what has been checked."""


def face(
    options: type[O], *, positional: tuple[str, ...] = ()
) -> Callable[[Callable[[O], T]], Face[O, T]]:
    """Give a function of checked options the fields of these options as its arguments.

    Signature and docstring are made from the fields: ``{parameters}`` in the docstring is where
    they are described.

    Parameters
    ----------
    options
        The class of options; its faults are raised as one InputError.
    positional
        Names of the fields that may be given without a name, in their order.
    """
    rest = [name for name in options.model_fields if name not in positional]
    kinds = {
        **dict.fromkeys(positional, inspect.Parameter.POSITIONAL_OR_KEYWORD),
        **dict.fromkeys(rest, inspect.Parameter.KEYWORD_ONLY),
    }
    fields = options.model_fields
    needed = {name: inspect.Parameter.empty for name in kinds if fields[name].is_required()}
    shown = [
        inspect.Parameter(name, kind, default=needed.get(name, fields[name].get_default()))
        for name, kind in kinds.items()
    ]

    def decorate(function: Callable[[O], T]) -> Face[O, T]:
        @wraps(function)
        def called(*args: Any, **given: Any) -> T:
            if len(args) > len(positional):
                words = f"{function.__name__}() takes at most {len(positional)} arguments by place"
                raise TypeError(words)
            twice = set(positional[: len(args)]) & set(given)
            if twice:
                raise TypeError(f"{function.__name__}() got {sorted(twice)[0]} twice")
            return function(options.of(**dict(zip(positional, args, strict=False)), **given))

        documented: Any = called
        documented.__signature__ = inspect.Signature(shown)
        documented.with_options = function
        if function.__doc__:
            section = indent(parameters_section(options, kinds), "    ").lstrip()
            called.__doc__ = function.__doc__.replace("{parameters}", section)
        return documented

    return decorate
