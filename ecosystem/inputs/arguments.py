"""Arguments that several Python functions share: one or several items, parameter values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ecosystem.inputs.catalogue import parameters
from ecosystem.inputs.faults import FaultList
from ecosystem.inputs.translate import TABLE


def listed(value: Any) -> list[Any]:
    """Return one item, or any number of items, as a list; a text is one item."""
    single = isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable)
    return [value] if single else list(value)


def checked_parameters(
    faults: FaultList, values: object, place: str = "parameters"
) -> dict[str, float]:
    """Return parameter values as plain numbers, noting what the parameter table does not allow.

    None stands for no values. The one reader of them, whoever they come from.
    """
    if not isinstance(values, Mapping):
        if values is not None:
            faults.add(place, values, TABLE)
        return {}
    table, found = parameters(), {}
    for name, value in values.items():
        if faults.name(f"{place}.{name}", name, table):
            row = table[name]
            found[name] = faults.number(f"{place}.{name}", value, row.low, row.high, row.unit)
    return {name: value for name in table if (value := found.get(name)) is not None}
