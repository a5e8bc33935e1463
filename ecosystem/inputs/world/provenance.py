"""Where every number of a world comes from.

An entry of ``provenance.csv`` holds for one cell, for a row (column ``*``), for a column
(row ``*``) or for a whole table; the most specific one counts, a row before a column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from ecosystem.inputs.faults import FaultList, nearest
from ecosystem.inputs.world.schema import Table, read_schema

ASSUMED = "assumed"
ANY = "*"
Tables = Mapping[str, Table]


def check_provenance(tables: Tables, faults: FaultList) -> None:
    """Note entries that fit no number and numbers that no entry covers."""
    entries = tables["provenance"]
    _check_entries(entries, faults)
    _check_names(entries, tables, faults)
    for place, value, entry in _numbers(tables):
        if entry is None:
            faults.add(place, value, "a number that a row of provenance.csv covers")
        elif entries["grade"][entry] == ASSUMED:
            low, high = entries["low"][entry], entries["high"][entry]
            if isinstance(low, float) and isinstance(high, float) and not low <= value <= high:
                faults.add(place, value, f"its assumed range, {low:g} to {high:g}")


def count_assumed(tables: Tables) -> dict[str, tuple[int, int]]:
    """Return for each table how many of its numbers are assumed, and how many there are."""
    grades = tables["provenance"]["grade"]
    total: Counter[str] = Counter()
    assumed: Counter[str] = Counter()
    for place, _, entry in _numbers(tables):
        table = place.partition(".csv")[0]
        total[table] += 1
        assumed[table] += entry is not None and grades[entry] == ASSUMED
    return {table: (assumed[table], count) for table, count in total.items()}


def _numbers(tables: Tables) -> Iterator[tuple[str, float, int | None]]:
    """Yield place, value and position of the entry of every number that needs provenance."""
    entries = tables["provenance"]
    keys = zip(entries["table"], entries["row"], entries["column"], strict=True)
    index = {key: entry for entry, key in enumerate(keys)}
    for name, columns in read_schema().items():
        table = tables[name]
        for column in columns if table is not entries else ():
            for row, value in enumerate(table[column] if columns[column].counted else ()):
                if isinstance(value, int | float):
                    exact, any_row = table.row_names[row], ANY
                    cells = ((exact, column), (exact, ANY), (any_row, column), (any_row, ANY))
                    found = (index[name, *cell] for cell in cells if (name, *cell) in index)
                    yield table.place(row, column), value, next(found, None)


def _check_names(entries: Table, tables: Tables, faults: FaultList) -> None:
    """Note entries for a table, row or column that is not there, and cells with two entries."""
    schema, seen = read_schema(), set()
    for entry in range(len(entries)):
        table, row, column = (str(entries[part][entry]) for part in ("table", "row", "column"))
        if table not in schema or table == entries.name:
            names = [name for name in schema if name != entries.name]
            place = entries.place(entry, "table")
            faults.add(place, table, "a table of the world", nearest(table, names))
            continue
        counted = [name for name, found in schema[table].items() if found.counted]
        valid = {"row": tables[table].row_names, "column": counted}
        for part, name in (("row", row), ("column", column)):
            if name not in (*valid[part], ANY):
                place, allowed = entries.place(entry, part), f"a {part} of {table}.csv or {ANY}"
                faults.add(place, name, allowed, nearest(name, valid[part]))
        if (table, row, column) in seen:
            faults.add(entries.place(entry), f"{table}, {row}, {column}", "each cell once")
        seen.add((table, row, column))


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
