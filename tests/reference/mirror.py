"""Records of the vectorised model as plain lists of one run, and where two records differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

RELATIVE = 1e-9
WITHOUT_RUNS = {"electricity"}  # arrays of the record that are the same for all runs


def plain_record(record: Any, run: int) -> Any:
    """Return a record of arrays (runs, ...) as nested dicts and lists of one run."""
    if is_dataclass(record) and not isinstance(record, type):
        named = {field.name: getattr(record, field.name) for field in fields(record)}
        return plain_record(named, run)
    if isinstance(record, Mapping):
        return {
            name: value.tolist() if name in WITHOUT_RUNS else plain_record(value, run)
            for name, value in record.items()
        }
    if isinstance(record, np.ndarray):
        return record[run].tolist()
    return record


def differences(mine: Any, theirs: Any, path: str = "", floor: float = 1e-12) -> Iterator[str]:
    """Yield where two records differ by more than 1e-9 relative; `floor` is taken as zero.

    Whatever `mine` names is compared; a column counts as a whole, so that a small remainder of
    large numbers is measured against the largest of its column where that column is money.
    """
    if isinstance(mine, Mapping):
        for name, value in mine.items():
            yield from differences(value, theirs[name], f"{path}.{name}", floor)
        return
    a, b = np.asarray(mine, float), np.asarray(theirs, float)
    if a.shape != b.shape:
        yield f"{path}: shape {a.shape} is not {b.shape}"
    elif not np.allclose(a, b, rtol=RELATIVE, atol=floor, equal_nan=True):
        gap = np.abs(a - b)
        worst = np.unravel_index(np.argmax(gap / (np.abs(b) + floor)), a.shape)
        place = tuple(int(i) for i in worst)
        yield f"{path}{place}: {a[worst]!r} is not {b[worst]!r} ({(gap > 0).sum()} differ)"
