"""Where every number of a world comes from.

An entry of ``provenance.csv`` holds for one cell, for a row (column ``*``), for a column
(row ``*``) or for a whole table; the most specific one counts, a row before a column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ecosystem.inputs.faults import FaultList, nearest
from ecosystem.inputs.world.schema import Table, Value, read_schema

ASSUMED = "assumed"
ANY = "*"
Tables = Mapping[str, Table]
Key = tuple[str, str, str]
"""Table, row and column."""


def check_provenance(tables: Tables, faults: FaultList) -> None:
    """Note entries that fit no number and numbers that no entry covers."""
    entries = tables["provenance"]
    _check_entries(entries, faults)
    index = _index(tables, faults)
    for table, row, column, value in _numbers(tables):
        entry = _find(index, table.name, table.row_names[row], column)
        place = table.place(row, column)
        if entry is None:
            faults.add(place, value, "a number that a row of provenance.csv covers")
        elif entries["grade"][entry] == ASSUMED:
            low, high = entries["low"][entry], entries["high"][entry]
            if isinstance(low, float) and isinstance(high, float) and not low <= value <= high:
                faults.add(place, value, f"its assumed range, {low:g} to {high:g}")


def count_assumed(tables: Tables) -> dict[str, tuple[int, int]]:
    """Return for each table how many of its numbers are assumed, and how many there are."""
    grades = tables["provenance"]["grade"]
    index = _index(tables, FaultList())
    counts: dict[str, tuple[int, int]] = {}
    for table, row, column, _ in _numbers(tables):
        entry = _find(index, table.name, table.row_names[row], column)
        assumed, total = counts.get(table.name, (0, 0))
        is_assumed = entry is not None and grades[entry] == ASSUMED
        counts[table.name] = (assumed + is_assumed, total + 1)
    return counts


def _numbers(tables: Tables) -> Iterator[tuple[Table, int, str, float]]:
    """Yield table, row, column and value of every number that needs provenance."""
    for name, columns in read_schema().items():
        for column in columns.values():
            if name == "provenance" or not column.counted:
                continue
            for row, value in enumerate(tables[name][column.name]):
                if isinstance(value, int | float):
                    yield tables[name], row, column.name, value


def _find(index: Mapping[Key, int], table: str, row: str, column: str) -> int | None:
    """Return the position of the most specific entry for a cell."""
    for key in ((table, row, column), (table, row, ANY), (table, ANY, column), (table, ANY, ANY)):
        if key in index:
            return index[key]
    return None


def _index(tables: Tables, faults: FaultList) -> dict[Key, int]:
    """Return the entries by table, row and column, noting those that name nothing."""
    entries = tables["provenance"]
    world = {name: table for name, table in tables.items() if name != entries.name}
    named = {name: (*table.row_names, ANY) for name, table in world.items()}
    counted = {
        name: (*(column.name for column in columns.values() if column.counted), ANY)
        for name, columns in read_schema().items()
    }
    index: dict[Key, int] = {}
    for entry in range(len(entries)):
        table, row, column = (_text(entries[part][entry]) for part in ("table", "row", "column"))
        if table not in world:
            place = entries.place(entry, "table")
            faults.add(place, table, "a table of the world", nearest(table, world))
            continue
        for part, value, valid in (("row", row, named[table]), ("column", column, counted[table])):
            if value not in valid:
                place = entries.place(entry, part)
                allowed = f"a {part} of {table}.csv or {ANY}"
                faults.add(place, value, allowed, nearest(value, valid))
        if (table, row, column) in index:
            faults.add(entries.place(entry), f"{table}, {row}, {column}", "each cell once")
        index[table, row, column] = entry
    return index


def _check_entries(entries: Table, faults: FaultList) -> None:
    """Note assumed entries without range and reason, and published ones without source."""
    for entry, grade in enumerate(entries["grade"]):
        low, high = entries["low"][entry], entries["high"][entry]
        needed = ("low", "high", "reason") if grade == ASSUMED else ("source",)
        for column in needed if grade is not None else ():
            if entries[column][entry] is None:
                faults.add(entries.place(entry, column), None, f"a {column}, as it is {grade}")
        if isinstance(low, float) and isinstance(high, float) and low > high:
            faults.add(entries.place(entry, "low"), low, f"at most {high:g}, the high end")


def _text(value: Value) -> str:
    return "" if value is None else str(value)
