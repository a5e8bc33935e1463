"""Records of the vectorised model as dicts and lists of one run, for the reference to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

STAGES = "drivers policy investment supply market innovation labour business accounts".split()
WITHOUT_RUNS = {"electricity", "accelerators"}  # arrays of a record that are the same for all runs


def plain_record(record: Any, run: int) -> Any:
    """Return a record of arrays (runs, ...) as nested dicts and lists of one run."""
    if is_dataclass(record):
        named = {field.name: getattr(record, field.name) for field in fields(record)}
        return plain_record(named, run)
    if isinstance(record, Mapping):
        return {
            name: value.tolist() if name in WITHOUT_RUNS else plain_record(value, run)
            for name, value in record.items()
            if name != "flows"
        }
    return record[run].tolist() if isinstance(record, np.ndarray) else record


def plain_quarter(quarter: Any, run: int) -> dict[str, Any]:
    """Return the records of all stages of a quarter by name."""
    return {name: plain_record(getattr(quarter, name), run) for name in STAGES}
