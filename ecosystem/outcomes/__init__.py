"""What is reported of a quarter: every outcome of the outcome table, (runs, entries) each.

An outcome is a function without arguments, called where the outcome is asked for. What several of
them share is one, too, and remembers its value (`cache`): it is computed once a quarter, or never.
"""

from __future__ import annotations

from collections.abc import Iterable

from ecosystem.maths.arrays import Array
from ecosystem.outcomes.capacity import measure_capacity
from ecosystem.outcomes.climate import measure_climate
from ecosystem.outcomes.innovation import measure_innovation
from ecosystem.outcomes.money import measure_money
from ecosystem.outcomes.trade import measure_trade
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Setting


def measure(
    quarter: Quarter, setting: Setting, names: Iterable[str] | None = None
) -> dict[str, Array]:
    """Return outcomes of a quarter by name, all of them or only those that are named.

    Flows are of the quarter, stocks those in operation during it. Arrays are (runs, 1) or
    (runs, entries of the outcome's dimension).
    """
    equations = (
        measure_money(quarter, setting)
        | measure_capacity(quarter, setting)
        | measure_trade(quarter, setting)
        | measure_innovation(quarter, setting)
        | measure_climate(quarter, setting)
    )
    return {name: equations[name]() for name in (equations if names is None else names)}
