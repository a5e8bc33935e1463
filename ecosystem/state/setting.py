"""What a chunk of runs is given from outside: world, parameters, schedule, shocks and luck."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ecosystem.inputs.functions import Hook
from ecosystem.inputs.schedule import Schedule
from ecosystem.inputs.world.loader import World
from ecosystem.maths.arrays import Array
from ecosystem.maths.chance import Chance


def read_only(values: Array) -> Array:
    """Return a view of an array that cannot be written to."""
    view = values.view()
    view.flags.writeable = False
    return view


class Parameters:
    """Parameter values of a chunk, each of shape (runs, 1), read as attributes.

    Parameters
    ----------
    values
        One array of shape (runs,) for each row of the parameter table.

    Attributes
    ----------
    of_run
        The same by run, (runs,): ``of_run[r].staff_growth``; what compiled loops read.
    """

    of_run: np.recarray[Any, Any]
    _columns: dict[str, Array]
    _stacked: dict[tuple[str, tuple[str, ...]], Array]

    def __init__(self, values: Mapping[str, Array]) -> None:
        columns = {name: read_only(np.asarray(v)[:, None]) for name, v in values.items()}
        row = np.dtype([(name, float) for name in columns])
        rows = np.rec.fromarrays([v[:, 0] for v in columns.values()], dtype=row)
        rows.flags.writeable = False
        # so that a read is a plain attribute
        vars(self).update(columns, _columns=columns, _stacked={}, of_run=rows)

    def __getattr__(self, name: str) -> Array:
        """Refuse a name that is no parameter; all that are were set when this was made."""
        raise AttributeError(f"no parameter {name!r} in the parameter table")

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse to be written to: all runs of a chunk read the same parameters."""
        raise AttributeError(f"parameter {name!r} cannot be written to")

    def __getitem__(self, name: str) -> Array:
        """Return the (runs, 1) column of a parameter whose name is put together from parts."""
        return self._columns[name]

    def stack(self, stem: str, endings: Sequence[str]) -> Array:
        """Return parameters `stem_ending` side by side, (runs, len(endings))."""
        key = (stem, tuple(endings))
        if key not in self._stacked:
            columns = [self._columns[f"{stem}_{ending}"] for ending in endings]
            self._stacked[key] = read_only(np.concatenate(columns, axis=1))
        return self._stacked[key]


class Rules:
    """The decision rules of the agents, read as attributes by the names of the agent table.

    Parameters
    ----------
    functions
        Function ``f(quarter, setting, *columns)`` of each rule, by name.
    own
        Functions of the user among them.
    """

    def __init__(
        self, functions: Mapping[str, Callable[..., Array]], own: Iterable[Hook] = ()
    ) -> None:
        vars(self).update(functions)
        self.own = tuple(own)

    def __getattr__(self, name: str) -> Callable[..., Array]:
        """Refuse a name that is no rule; all that are were set when this was made."""
        raise AttributeError(f"no rule {name!r} in the agent table")


@dataclass(frozen=True)
class Setting:
    """Everything a step reads that is not state.

    Parameters
    ----------
    world
        Tables of one world as arrays.
    parameters
        Parameter columns of shape (runs, 1).
    schedule
        Planned spending, envelopes and rates of one scenario, (quarters, instruments).
    shocks
        Multiplier of each shock channel, (quarters,).
    chance
        Keyed random streams of the runs.
    national_table
        Capacity of each kind in the nation as published and extrapolated,
        PFLOPS, (runs, quarters + 2, kinds).
    rules
        Decision rules of the agents, those of the user in place of the model's own.
    hooks
        Functions of the user that follow stages, in the order in which they are called.
    """

    world: World
    parameters: Parameters
    schedule: Schedule
    shocks: Mapping[str, Array]
    chance: Chance
    national_table: Array
    rules: Rules
    hooks: tuple[Hook, ...] = ()
    _kept: dict[str, Array] = field(default_factory=dict, init=False, compare=False, repr=False)

    def once(self, name: str, make: Callable[[], Array]) -> Array:
        """Return an array that stays the same over all quarters, made at the first call."""
        if name not in self._kept:
            self._kept[name] = read_only(make())
        return self._kept[name]

    @property
    def runs(self) -> int:
        """Number of runs in the chunk."""
        return int(self.national_table.shape[0])

    def by_kind(self, stem: str) -> Array:
        """Return a parameter that has one value for each kind of compute, (runs, kinds)."""
        return self.parameters.stack(stem, self.world.kinds)
