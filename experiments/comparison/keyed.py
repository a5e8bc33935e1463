"""Small tables of this project, by the key of their rows."""

from __future__ import annotations

import csv
import functools
import importlib.resources


@functools.cache
def keyed_rows(room: str, name: str, key: str) -> dict[str, dict[str, str]]:
    """Return the rows of a CSV file that lies in a room such as ``experiments.report``."""
    source = importlib.resources.files(room) / name
    rows = csv.DictReader(source.read_text(encoding="utf-8-sig").splitlines())
    return {row[key]: row for row in rows}
