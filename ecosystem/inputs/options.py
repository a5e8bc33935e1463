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
from typing import TYPE_CHECKING, Annotated, Any, Protocol, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ecosystem.inputs.arguments import checked_parameters, listed
from ecosystem.inputs.calendar import HORIZON, check_period, period_index, period_label
from ecosystem.inputs.catalogue import outcomes as outcome_table
from ecosystem.inputs.faults import FaultList, collected, nearest
from ecosystem.inputs.translate import read_by, translate, whole_from
from ecosystem.inputs.world.loader import load_world

if TYPE_CHECKING:
    from ecosystem.inputs.draws import Draws

T = TypeVar("T")
PLACES = ("jobs", "executor", "cluster", "out", "progress")
"""Options that say where runs take place, and change no number."""
PRIOR, POSTERIOR = "prior", "posterior"
"""Draws by name: of the assumed ranges, and those that a world has of its own."""
DRAWS = f"{POSTERIOR}, {PRIOR}, a table of draws, or its file (.parquet, .csv)"
EXECUTORS = ("processes", "serial", "dask")
SCHEDULER = "dask scheduler, then dask worker tcp://HOST:8786 --nthreads 1 on each machine"
"""What starts a scheduler and its workers."""


def _truth(faults: FaultList, value: Any) -> Any:
    if not isinstance(value, bool):
        faults.add("", value, "true or false")
    return value


def _shocks(faults: FaultList, value: Any) -> tuple[str, ...]:
    given = [] if value is None else listed(value)
    for one in given:
        if not (isinstance(one, str) and one):
            faults.add("", one, "one shock as a text, NAME[:AMPLITUDE[:START]], or several")
    return tuple(given)


def _outcomes(faults: FaultList, value: Any, whole: bool = False) -> tuple[str, ...]:
    asked = listed(value)
    if not asked:
        faults.add("", value, "at least one outcome")
    table = outcome_table()
    valid = [name for name, row in table.items() if not (whole and row.dimension)]
    shown = []
    for name in asked:
        if faults.name("", name, valid):
            shown += [name, *table[name].beside]
    return tuple(dict.fromkeys(shown))


def _address(faults: FaultList, value: Any) -> Any:
    if not (isinstance(value, str) and value):
        faults.add("", value, "the address of a Dask scheduler, such as tcp://HOST:8786")
    return value


def _function(faults: FaultList, value: Any) -> Any:
    if not callable(value):
        faults.add("", value, "a function of the number of finished and of all runs")
    return value


def _executor(faults: FaultList, value: Any) -> Any:
    if not (isinstance(value, Executor) or (isinstance(value, str) and value in EXECUTORS)):
        allowed = f"one of {', '.join(EXECUTORS)}, or an executor of concurrent.futures"
        faults.add("", value, allowed, nearest(value, EXECUTORS))
    return value


def _path(faults: FaultList, value: Any, allowed: str) -> Path:
    """Return a path of the user; ``~`` is the home folder, whoever reads the path."""
    if isinstance(value, str | Path) and str(value):
        return Path(value).expanduser()
    faults.add("", value, allowed)
    return Path()


def _world(faults: FaultList, value: Any) -> str:
    """Return the name or folder of a world that can be loaded."""
    known = len(faults.faults)
    place = str(_path(faults, value, "full, teaching or a folder with world tables"))
    if len(faults.faults) == known:
        collected(faults, lambda: load_world(place))
    return place


def _draws(faults: FaultList, value: Any) -> Any:
    """Return draws by name, or a table of them, given or read from a file."""
    if value is None or isinstance(value, str) and value in (POSTERIOR, PRIOR):
        return value
    from ecosystem.inputs.draws import draws_from

    if isinstance(value, str) and not Path(value).suffix:
        faults.add("", value, DRAWS, nearest(value, (POSTERIOR, PRIOR)))
    return draws_from(faults, value, DRAWS) if not faults.faults else None


def _quarter(faults: FaultList, value: Any, first: int) -> Any:
    check_period(faults, "", value, first)
    return value


def quarter_from(first: int) -> BeforeValidator:
    """Return the validator of a quarter, as text, that is not before the `first`."""
    return read_by(partial(_quarter, first=first))


Whole = Annotated[int, whole_from(1)]
Truth = Annotated[bool, read_by(_truth)]
Outcomes = Annotated[tuple[str, ...], read_by(_outcomes)] | None
WholeOutcomes = Annotated[tuple[str, ...], read_by(partial(_outcomes, whole=True))] | None
"""Outcomes without parts such as regions or kinds."""


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
    seed: Annotated[int, whole_from(0)] = Field(1, description="Seed of all chance, at least 0.")
    until: Annotated[str, quarter_from(0)] = Field(
        period_label(HORIZON - 1), description="Last quarter, such as 2030Q4."
    )
    world: Annotated[str, read_by(_world)] = Field(
        "full", description="full, teaching, or a folder with world tables."
    )
    shock: Annotated[tuple[str, ...], read_by(_shocks)] = Field(
        (), description="Shocks on every scenario: NAME, NAME:AMPLITUDE or NAME:AMPLITUDE:START."
    )
    parameters: Annotated[
        Mapping[str, float], read_by(lambda faults, value: checked_parameters(faults, value, ""))
    ] = Field({}, description="Parameter values that hold in all runs instead of draws.")
    fixed_parameters: Truth = Field(
        False, description="Keep parameters at their defaults; luck alone then differs."
    )
    draws: Annotated[Any, read_by(_draws)] = Field(
        None,
        description="Where uncertain parameters and luck to 2025Q2 come from: posterior (of the "
        "world, learned from data), prior (assumed ranges), a table of draws, or its file; by "
        "default the posterior if the world has one.",
    )
    outcomes: Outcomes = Field(None, description="Names of the outcome table; all by default.")
    jobs: Whole | None = Field(None, description="Workers; one a core by default.")
    executor: Annotated[str | Executor, read_by(_executor)] | None = Field(
        None,
        description="Where runs take place: processes (default), serial, dask, or an executor of "
        "concurrent.futures.",
    )
    cluster: Annotated[str, read_by(_address)] | None = Field(
        None, description="Address of a Dask scheduler, tcp://HOST:PORT."
    )
    out: Annotated[Path, read_by(partial(_path, allowed="a folder"))] | None = Field(
        None,
        description="Folder that run directories are made in; a second start goes on from there.",
    )
    progress: Annotated[Callable[[int, int], None], read_by(_function)] | None = Field(
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
            found = cls(**given)
        except ValidationError as error:
            faults.faults += translate(error, cls)
            return None
        if found.cluster and found.place != "dask":
            faults.add("cluster", found.cluster, "an address together with the executor dask")
        if found.place == "dask" and not found.cluster:
            allowed = f"dask with cluster=tcp://HOST:PORT of a scheduler: {SCHEDULER}"
            faults.add("executor", found.place, allowed)
        if found.fixed_parameters and not (found.draws is None or found.draws == PRIOR):
            faults.add("draws", found.draws, f"{PRIOR} beside fixed_parameters")
            return found
        known = len(faults.faults)
        drawn = collected(faults, lambda: found.drawn_from)
        if found.draws == POSTERIOR and drawn is None and len(faults.faults) == known:
            allowed = f"{PRIOR}, or a table of draws: world {found.world} has no posterior.parquet"
            faults.add("draws", POSTERIOR, allowed)
        return found

    @property
    def drawn_from(self) -> Draws | None:
        """The table of draws that replicates take theirs from, None for the prior's."""
        from ecosystem.inputs.draws import Draws, posterior_of

        if isinstance(self.draws, Draws):
            return self.draws
        if self.draws == PRIOR or self.fixed_parameters:
            return None
        return posterior_of(load_world(self.world).path)

    @property
    def place(self) -> str | Executor:
        """Where runs take place: ``processes``, ``serial``, ``dask``, or the user's executor."""
        return self.executor or ("dask" if self.cluster else "processes")

    def with_(self, **changes: Any) -> Self:
        """Return the same options but for some, which are taken as they are."""
        return self.model_copy(update=changes)

    def as_(self, kind: type[Kind], **changes: Any) -> Kind:
        """Return what another class of options shares with these, and what is given beside it."""
        shared = {name: getattr(self, name) for name in Options.model_fields}
        return kind.of(**{**shared, **changes})

    @property
    def last(self) -> int:
        """Index of the last quarter."""
        return period_index(self.until)


Kind = TypeVar("Kind", bound=Options)
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
    options: type[Kind], *, positional: tuple[str, ...] = ()
) -> Callable[[Callable[[Kind], T]], Face[Kind, T]]:
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

    def decorate(function: Callable[[Kind], T]) -> Face[Kind, T]:
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
