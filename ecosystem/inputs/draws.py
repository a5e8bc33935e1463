"""Parameter values of each run: its own draw of every uncertain parameter, or the defaults.

A table of draws has a column for each uncertain parameter that it knows, and luck columns
``luck_2020Q1``, ``luck_2023Q4``, …: the number of the luck from that quarter to the next of them,
or to 2025Q2. Rows count alike.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from ecosystem.inputs.calendar import POLICY_START, period_index, period_label
from ecosystem.inputs.catalogue import Parameter, parameters
from ecosystem.inputs.faults import FaultList, collected, nearest, number_in_words, real_number
from ecosystem.maths.arrays import Array
from ecosystem.maths.chance import Chance, PastLuck

LUCK = "luck_"
"""What the name of a luck column begins with; its quarter follows."""
POSTERIOR_FILE = "posterior.parquet"
"""In the folder of a world."""
ABOUT = b"calibration"
"""Key of what a file of draws says of itself, as JSON, in its schema."""
LARGEST_LUCK = 2**53
"""Whole numbers below it survive a table of floats."""


@dataclass(frozen=True, eq=False, repr=False)
class Draws:
    """A table of draws that has been checked.

    Parameters
    ----------
    frame
        Parameters in their units, and luck; a row a draw.
    name
        Name of its file.
    information
        Last day of the information that it was learned from, empty where that is not known.
    """

    frame: pd.DataFrame
    name: str = "a table"
    information: str = ""

    def __len__(self) -> int:
        """Return the number of draws."""
        return len(self.frame)

    def __repr__(self) -> str:
        """Name it, and say how many there are."""
        return f"{self.name}, {len(self):,} draws"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of names and values."""
        columns = {
            name: sha256(self.frame[name].to_numpy().tobytes()).hexdigest() for name in self.frame
        }
        return sha256(json.dumps(columns, sort_keys=True).encode()).hexdigest()

    @property
    def about(self) -> dict[str, Any]:
        """What is noted of it beside results."""
        return {
            "file": self.name,
            "digest": self.digest,
            "draws": len(self),
            "information": self.information,
        }

    def of_replicates(self, seed: int, replicates: Sequence[int] | Array) -> pd.DataFrame:
        """Return the row of each replicate: all rows in the seed's own order, over and over."""
        order = np.argsort(Chance(seed, [0]).uniform("draws", 0, len(self))[0], kind="stable")
        rows = order[np.asarray(replicates) % len(self)]
        return self.frame.iloc[rows].reset_index(drop=True)

    def content(self) -> bytes:
        """Return the file that `read_draws` reads."""
        table = pa.Table.from_pandas(self.frame, preserve_index=False)
        about = json.dumps({"information_end": self.information}).encode()
        buffer = pa.BufferOutputStream()
        parquet.write_table(
            table.replace_schema_metadata({**(table.schema.metadata or {}), ABOUT: about}), buffer
        )
        return bytes(buffer.getvalue())


def read_draws(path: str | Path) -> Draws:
    """Return the draws of a .parquet or .csv file.

    Raises
    ------
    InputError
        It cannot be read, or with everything that `check_draws` finds.
    """
    path, faults = Path(path).expanduser(), FaultList()
    frame, about = pd.DataFrame(), dict[str, Any]()
    try:
        if path.suffix == ".parquet":
            table = parquet.read_table(path)
            frame = pd.DataFrame(dict(enumerate(one.to_pandas() for one in table.columns)))
            frame.columns = pd.Index(table.column_names)
            about = json.loads((table.schema.metadata or {}).get(ABOUT, b"{}"))
        else:
            head = pd.read_csv(path, encoding="utf-8-sig", header=None, nrows=1, dtype=str)
            frame = pd.read_csv(path, encoding="utf-8-sig", header=None, skiprows=1)
            frame.columns = pd.Index(head.iloc[0].tolist())
    except (OSError, ValueError) as error:
        why = " ".join(str(getattr(error, "strerror", None) or error).split())
        faults.add("draws", str(path), f"a table of draws, .parquet or .csv ({why})")
        faults.raise_if_any()
    frame = check_draws(frame, faults, str(path))
    faults.raise_if_any()
    return Draws(frame, path.name, str(about.get("information_end", "")))


def draws_from(faults: FaultList, value: Any, allowed: str) -> Draws | None:
    """Return draws from a table or the path of its file, noting all that is wrong with it."""
    if isinstance(value, Draws):
        return value
    if isinstance(value, pd.DataFrame):
        return Draws(check_draws(value, faults))
    if isinstance(value, str | Path) and str(value):
        return collected(faults, lambda: read_draws(value))
    faults.add("", value, allowed)
    return None


def posterior_of(world: Path) -> Draws | None:
    """Return the posterior that lies in the folder of a world, None where there is none.

    Raises
    ------
    InputError
        As `read_draws`.
    """
    path = world / POSTERIOR_FILE
    if not path.is_file():
        return None
    found = path.stat()
    return _read_once(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=4)
def _read_once(path: Path, *_: int) -> Draws:
    """Return the draws of a file; the rest changes when the file does."""
    return read_draws(path)


def check_draws(frame: pd.DataFrame, faults: FaultList, place: str = "") -> pd.DataFrame:
    """Return a table of draws with floats, and luck as integers, noting everything wrong with it.

    Parameters
    ----------
    frame
        The table; its index has no meaning.
    faults
        Takes what is wrong: of each column the first value that is.
    place
        The file that it was read from.
    """
    if frame.empty:
        size = f"{frame.shape[0]} rows of {frame.shape[1]} columns"
        faults.add(place, size, "at least one draw of one parameter, or of luck")
    known, kept = parameters(), dict[str, Any]()
    lucks = [f"{LUCK}{period_label(t)}" for t in range(POLICY_START)]
    uncertain = [name for name, row in known.items() if row.distribution != "fixed"]
    for name, count in Counter(frame.columns).items():
        at = f"{place}: {name}" if place else f".{name}"
        if count > 1:
            faults.add(at, f"{count} columns", "one column of a name")
        elif name in lucks:
            whole = _checked(faults, at, frame[name], 0, None, whole=True)
            kept[name] = whole.astype(np.int64)
        elif name in uncertain:
            row = known[name]
            kept[name] = _checked(faults, at, frame[name], row.low, row.high, row.unit)
        elif str(name).startswith(LUCK):
            allowed = f"{LUCK} and a quarter from 2020Q1 to {period_label(POLICY_START - 1)}"
            faults.add(at, name, allowed, nearest(name, lucks))
        else:
            fixed = "; this one is the same in every run" if name in known else ""
            allowed = f"an uncertain parameter, or {lucks[0]}{fixed}"
            faults.add(at, name, allowed, nearest(name, [*uncertain, *lucks]))
    given = [name for name in frame.columns if name in lucks]
    if given and lucks[0] not in given:
        faults.add(place, given[0], f"{lucks[0]} beside it: luck has a number from the first day")
    return pd.DataFrame(kept)


def _checked(
    faults: FaultList, at: str, column: pd.Series, low: float | None, high: float | None,
    unit: str = "", whole: bool = False,
) -> Array:  # fmt: skip
    """Return the numbers of a column, noting the first that is none in [low, high]."""
    if column.dtype.kind in "iuf":
        values = column.to_numpy(dtype=float)
    else:
        read = [real_number(value) for value in column]
        values = np.array([np.nan if value is None else value for value in read])
    good = np.isfinite(values)
    good &= values >= (-np.inf if low is None else low)
    good &= values <= (np.inf if high is None else high)
    if whole:
        good &= (values < LARGEST_LUCK) & (np.floor(values) == values)
    if not good.all():
        row = int(np.flatnonzero(~good)[0])
        allowed = number_in_words(low, high, unit=unit, whole=whole)
        faults.add(f"{at}[{row}]", column.iloc[row], allowed)
    return np.where(good, values, 0.0)


def drawn_values(draws: pd.DataFrame) -> dict[str, Array]:
    """Return the parameter values of a table of draws, (rows,) each."""
    names = [name for name in draws.columns if not name.startswith(LUCK)]
    return {name: draws[name].to_numpy(dtype=float) for name in names}


def drawn_luck(draws: pd.DataFrame) -> PastLuck | None:
    """Return the luck of a table of draws, None where it has no luck columns."""
    names = sorted(name for name in draws.columns if name.startswith(LUCK))
    starts = tuple(period_index(name.removeprefix(LUCK)) for name in names)
    return PastLuck(starts, draws[names].to_numpy(dtype=np.int64)) if names else None


def varied_parameters(
    fixed: bool, given: Mapping[str, object], draws: Draws | None = None
) -> tuple[str, ...]:
    """Return the names of parameters that differ between replicates."""
    if fixed:
        return ()
    values = {} if draws is None else drawn_values(draws.frame)
    return tuple(
        name
        for name, row in parameters().items()
        if row.distribution != "fixed"
        and name not in given
        and not (name in values and (values[name] == values[name][0]).all())
    )


def draw_parameters(
    chance: Chance, fixed: bool, given: Mapping[str, float | Array]
) -> dict[str, Array]:
    """Return one value a run for every row of the parameter table, (runs,) each.

    One uniform number for each row in the order of the table, so that a new row at its end
    moves nobody else's draw; replicates share draws over all scenarios. What is given is one
    value for all runs or (runs,).
    """
    table = parameters()
    luck = chance.uniform("parameters", 0, len(table))
    return {
        name: value_of(row, luck[:, i], fixed, given) for i, (name, row) in enumerate(table.items())
    }


def value_of(row: Parameter, luck: Array, fixed: bool, given: Mapping[str, float | Array]) -> Array:
    """Return the values of one parameter, by inverse distribution function unless given."""
    if row.name in given:
        return np.full_like(luck, given[row.name])
    if fixed or row.distribution == "fixed" or row.low is None or row.high is None:
        return np.full_like(luck, row.default)
    if row.distribution == "loguniform":
        low, high = np.log(row.low), np.log(row.high)
        return np.asarray(np.exp(low + (high - low) * luck))
    return np.asarray(row.low + (row.high - row.low) * luck)
