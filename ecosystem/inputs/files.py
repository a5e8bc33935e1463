"""Reading files of a user: a file that cannot be read at all is one fault that says what to do."""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ecosystem.inputs.faults import MISSING, FaultList, nearest

UTF8 = "text in UTF-8 (a spreadsheet saves it as 'CSV UTF-8')"
OTHER_SEPARATORS = (";", "\t", "|")


def read_text(path: Path, place: str, faults: FaultList) -> str | None:
    """Return the text of a file, or None after noting why there is none."""
    try:
        content = path.read_bytes()
    except OSError as error:
        faults.add(place, error.strerror, "a file that can be read")
        return None
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content:
        faults.add(place, "UTF-16 or binary", UTF8)
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        faults.add(f"{place}: line {line}", content[error.start : error.start + 1], UTF8)
        return None


def read_toml(path: Path, place: str, faults: FaultList) -> dict[str, Any]:
    """Return what a TOML file says; empty, with a fault, where it cannot be read."""
    try:
        return tomllib.loads(read_text(path, place, faults) or "")
    except tomllib.TOMLDecodeError as error:
        faults.add(place, str(error), "TOML syntax, with text in quotes")
        return {}


def read_csv(
    text: str,
    file: str,
    columns: Mapping[str, bool],
    faults: FaultList,
    examples: Mapping[str, str] | None = None,
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the line and the stripped cells of each row of a CSV table, blank lines left out.

    A text that is no such table is one fault and has no rows. A row with too few or too many
    cells is one fault and keeps those that stand below a column.

    Parameters
    ----------
    text : str
        The table, with a header line.
    file : str
        File name, for the faults.
    columns : mapping of str to bool
        Columns of the table, and whether the file has to have them.
    faults : FaultList
        Takes what is wrong.
    examples : mapping of str to str, optional
        What stands in each column of a table that is right, for the fault of one that is missing.
    """
    try:
        records = list(_records(text))
    except csv.Error as error:
        faults.add(file, str(error), "comma-separated values")
        return
    header = records[0][1] if records else []
    if not columns.keys() & header:
        _no_table(text, file, columns, faults)
        return
    for name in header:
        if name not in columns:
            faults.add(f"{file}:1", name, "a column of the table", nearest(name, columns))
        elif header.count(name) > 1:
            faults.add(f"{file}:1:{name}", name, "each column once")
    for name, needed in columns.items():
        if needed and name not in header:
            shown = f"such as {name} = {examples[name]}" if examples else "every one is needed"
            faults.add(f"{file}:1:{name}", MISSING, shown)
    for line, record in records[1:]:
        if len(record) != len(header):
            faults.add(f"{file}:{line}", f"{len(record)} cells", f"{len(header)} cells")
        yield line, dict(zip(header, record, strict=False))


def _no_table(text: str, file: str, columns: Iterable[str], faults: FaultList) -> None:
    """Note the one thing to do about a text without a single column of the table."""
    first = text.strip().partition("\n")[0]
    names = list(columns)
    for separator in OTHER_SEPARATORS:
        if {name.strip(' "') for name in first.split(separator)} & set(names):
            faults.add(file, f"{separator!r} instead of ','", "comma-separated values")
            return
    allowed = f"a header line with the columns {', '.join(names)}"
    faults.add(f"{file}:1" if first else file, first[:60] or "an empty file", allowed)


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and stripped cells of every record that is not empty."""
    reader = csv.reader(io.StringIO(text, newline=""))
    start = 1
    for record in reader:
        if record:
            yield start, [cell.strip() for cell in record]
        start = reader.line_num + 1
