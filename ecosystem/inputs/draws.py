"""Parameter values of each run: its own draw of every uncertain parameter, or the defaults.

A table of draws has a column for each uncertain parameter that it knows, and luck columns
``luck_2020Q1``, ``luck_2023Q4``, …: the number of the luck from that quarter to the next of them,
or to 2025Q2.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ecosystem.inputs.calendar import period_index
from ecosystem.inputs.catalogue import Parameter, parameters
from ecosystem.maths.arrays import Array
from ecosystem.maths.chance import Chance, PastLuck

LUCK = "luck_"
"""What the name of a luck column begins with; its quarter follows."""


def drawn_values(draws: pd.DataFrame) -> dict[str, Array]:
    """Return the parameter values of a table of draws, (rows,) each."""
    names = [name for name in draws.columns if not name.startswith(LUCK)]
    return {name: draws[name].to_numpy(dtype=float) for name in names}


def drawn_luck(draws: pd.DataFrame) -> PastLuck | None:
    """Return the luck of a table of draws, None where it has no luck columns."""
    names = sorted(name for name in draws.columns if name.startswith(LUCK))
    starts = tuple(period_index(name.removeprefix(LUCK)) for name in names)
    return PastLuck(starts, draws[names].to_numpy(dtype=np.int64)) if names else None


def varied_parameters(fixed: bool, given: Mapping[str, object]) -> tuple[str, ...]:
    """Return the names of parameters that differ between replicates."""
    if fixed:
        return ()
    return tuple(
        name
        for name, row in parameters().items()
        if row.distribution != "fixed" and name not in given
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
