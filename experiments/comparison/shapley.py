"""How a whole is split over its parts, and at which strength a part begins to pay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import factorial
from typing import Any

from ecosystem.maths.arrays import Array

ALWAYS, ANY, NEVER = "always", "any", "never"


def shapley(values: Mapping[frozenset[str], Array], players: Sequence[str]) -> dict[str, Array]:
    """Split the value of the whole over its players (Shapley 1953, "A value for n-person games").

    Parameters
    ----------
    values
        Value of every set of players, one number a replicate, shape (replicates,).
    players
        Their names.

    Returns
    -------
    dict
        Part of each player by replicate: the mean over all orders of joining of what it adds.
        Parts sum to the value of the whole less that of the empty set.
    """
    parts = {}
    for player in players:
        rest = [other for other in players if other != player]
        part: Any = 0.0
        for size in range(len(players)):
            weight = factorial(size) * factorial(len(rest) - size) / factorial(len(players))
            for before in map(frozenset, combinations(rest, size)):
                part = part + weight * (values[before | {player}] - values[before])
        parts[player] = part
    return parts


def break_even(levels: Sequence[float], medians: Sequence[float]) -> float | str:
    """Return the smallest level from which on a median difference is above zero.

    A programme beats the reference with probability one half where the median of its paired
    difference is zero; between levels the median is interpolated linearly.

    Parameters
    ----------
    levels
        Effectiveness, ascending, the first of them 0.
    medians
        Median difference from the reference at each.

    Returns
    -------
    float or str
        The level from which on all medians are above zero; ``always`` where they are even at the
        lowest, ``any`` where they are at every level above it and zero there, ``never`` where the
        last is not; NaN where a median is not known.
    """
    if any(median != median for median in medians):
        return float("nan")
    low = [place for place, median in enumerate(medians) if median <= 0]
    if not low:
        return ALWAYS
    last = low[-1]
    if last == len(medians) - 1:
        return NEVER
    if last == 0 and medians[0] == 0:
        return ANY
    below, reach = medians[last], levels[last + 1] - levels[last]
    return levels[last] - below / (medians[last + 1] - below) * reach
