"""Parameter values of each run: its own draw of every uncertain parameter, or the defaults."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ecosystem.inputs.catalogue import Parameter, parameters
from ecosystem.maths.arrays import Array
from ecosystem.maths.chance import Chance


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
