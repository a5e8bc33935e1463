"""Where the vectorised model and the reference differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

TOLERANCE = 1e-9  # of a number and of the largest of its array
NOTHING = 1e-12  # what is left of a difference of equal amounts
CLEARED = (".use", ".mark_next", ".energy", ".power_bill")
"""Clearing meets a segment's sum to rounding, but a small centre's part to some 1e-9 only."""
REMAINDERS = {
    "lost": "inflow",
    "helped": "inflow",
    "helped_home": "inflow",
    "scrapped": "servers",
}
"""Small differences of large amounts, and the amount that says how exact they can be."""
MONEY = {"cash": 1.0}
"""Deposits are what is left of many payments: exact to 1e-9 of these million yuan at least."""


def differences(
    record: Any, reference: Any, run: int, name: str = "", scale: float = 0.0
) -> list[str]:
    """Return a line for everything in which a record and its reference differ.

    Parameters
    ----------
    record
        A dataclass of a stage, a mapping, an array (runs, ...) or a plain number.
    reference
        The same of one run: dicts, nested lists, numbers.
    run
        Row of the arrays.
    name
        Put before the names of what differs.
    scale
        Size of the amounts behind the numbers, if these are remainders.
    """
    if is_dataclass(record):
        record = {field.name: getattr(record, field.name) for field in fields(record)}
    if isinstance(record, Mapping):
        missing = sorted(set(record) ^ set(reference))
        lines = [f"{name}: not in both: {', '.join(missing)}"] if missing else []
        for key in record:
            if key in reference:
                whole = MONEY.get(key, 0.0)
                if key in REMAINDERS:
                    whole = np.abs(reference[REMAINDERS[key]]).max()
                lines += differences(record[key], reference[key], run, f"{name}.{key}", whole)
        return lines
    model = np.asarray(record, dtype=float)
    if model.ndim > 1:  # what has no runs axis has one axis at most
        model = model[run]
    expected = np.asarray(reference, dtype=float)
    if model.shape != expected.shape:
        return [f"{name}: {model.shape} against {expected.shape}"]
    scale = max(np.abs(expected).max(initial=0.0), scale)
    apart = np.abs(model - expected)
    tolerance = 10 * TOLERANCE if name.endswith(CLEARED) else TOLERANCE
    wrong = ~(apart <= tolerance * (np.abs(expected) + scale) + NOTHING)
    if not wrong.any():
        return []
    worst = np.unravel_index(np.argmax(np.where(wrong, apart, -1)), model.shape)
    place = list(map(int, worst))
    return [f"{name}{place}: {model[worst]} against {expected[worst]}, {wrong.sum()} wrong"]
