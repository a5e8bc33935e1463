"""Read the tables of a world as ``schema.csv`` describes them, noting every fault."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path

from ecosystem.inputs.catalogue import kinds
from ecosystem.inputs.faults import FaultList, nearest

WORLDS = Path(str(files("ecosystem"))) / "world"
NUMERIC = ("integer", "number", "flag")
Value = str | int | float | None


@dataclass(frozen=True)
class Column:
    """One row of ``schema.csv``: what may stand in a column of a table."""

    table: str
    name: str
    type: str
    unit: str
    low: float
    high: float
    choices: tuple[str, ...]
    reference: str
    required: bool
    structural: bool
    meaning: str

    @property
    def counted(self) -> bool:
        """Whether its cells are numbers that need provenance."""
        return self.type in NUMERIC and not self.structural


Schema = Mapping[str, Mapping[str, Column]]


@dataclass(frozen=True)
class Table:
    """The cells of one file by column; None stands for a cell that is wrong or blank.

    Parameters
    ----------
    name
        Name of the table, the stem of its file.
    columns
        Cells of each column of the schema, top to bottom.
    lines
        Line of the file on which each row begins, the header being line 1.
    """

    name: str
    columns: Mapping[str, Sequence[Value]]
    lines: Sequence[int]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.lines)

    def __getitem__(self, column: str) -> Sequence[Value]:
        """Return the cells of a column."""
        return self.columns[column]

    def place(self, row: int, column: str = "") -> str:
        """Return file, line and column of a cell, as faults name them."""
        return ":".join(filter(None, (f"{self.name}.csv", str(self.lines[row]), column)))

    @cached_property
    def row_names(self) -> list[str]:
        """Names by which provenance calls the rows: short names, else ids."""
        names = [str(cell) for cell in list(self.columns.values())[1]]
        unique = len(set(names)) == len(names)
        return names if unique else [str(cell) for cell in self.columns["id"]]


def _split(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split("|")))


def _number(text: str, default: float) -> float:
    return float(text) if text else default


@lru_cache(maxsize=1)
def read_schema() -> Schema:
    """Return the columns of every table by table and name, in their order in the files."""
    tables: dict[str, dict[str, Column]] = {}
    with Path(__file__).with_name("schema.csv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            tables.setdefault(row["table"], {})[row["column"]] = Column(
                table=row["table"],
                name=row["column"],
                type=row["type"],
                unit=row["unit"],
                low=_number(row["low"], -math.inf),
                high=_number(row["high"], math.inf),
                choices=tuple(kinds()) if row["choices"] == "kinds" else _split(row["choices"]),
                reference=row["reference"],
                required=row["required"] == "1",
                structural=row["structural"] == "1",
                meaning=row["meaning"],
            )
    return tables


def read_tables(folder: Path, faults: FaultList) -> dict[str, Table]:
    """Read every table of the schema from a folder; what is wrong goes into ``faults``."""
    schema = read_schema()
    present = {path.stem for path in folder.glob("*.csv")}
    for name in sorted(present - set(schema)):
        faults.add(f"{name}.csv", name, "a table of the schema", nearest(name, schema))
    for name in schema:
        if name not in present:
            faults.add(f"{name}.csv", None, "a file for every table of the schema")
    return {
        name: _read_table(folder / f"{name}.csv", columns, faults)
        if name in present
        else Table(name, {column: () for column in columns}, ())
        for name, columns in schema.items()
    }


def _read_table(path: Path, columns: Mapping[str, Column], faults: FaultList) -> Table:
    """Read one file into a table with exactly the columns of the schema."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        faults.add(path.name, f"byte {error.start}", "text in UTF-8")
        text = ""
    try:
        lines = list(_records(text))
    except csv.Error as error:
        faults.add(path.name, str(error), "comma-separated values")
        lines = []
    header = lines[0][1] if lines else []
    _check_header(path.name, header, columns, faults)
    cells: dict[str, list[Value]] = {name: [] for name in columns}
    for line, record in lines[1:]:
        if len(record) != len(header):
            faults.add(f"{path.name}:{line}", f"{len(record)} cells", f"{len(header)} cells")
        row = dict(zip(header, record, strict=False))
        for name, column in columns.items():
            place = f"{path.name}:{line}:{name}"
            cells[name].append(_cell(place, row[name], column, faults) if name in row else None)
    return Table(path.stem, cells, [line for line, _ in lines[1:]])


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and stripped cells of every record that is not empty."""
    reader = csv.reader(text.splitlines(keepends=True))
    start = 1
    for record in reader:
        if record:
            yield start, [cell.strip() for cell in record]
        start = reader.line_num + 1


def _check_header(
    file: str, header: Sequence[str], columns: Mapping[str, Column], faults: FaultList
) -> None:
    for name in header:
        if name not in columns:
            faults.add(f"{file}:1", name, "a column of the schema", nearest(name, columns))
        elif header.count(name) > 1:
            faults.add(f"{file}:1:{name}", name, "each column once")
    for name in columns:
        if name not in header:
            faults.add(f"{file}:1:{name}", None, "every column of the schema")


def _cell(place: str, text: str, column: Column, faults: FaultList) -> Value:
    """Return the value of a cell, or None after noting what is wrong with it."""
    if not text:
        if column.required:
            faults.add(place, text, f"a {column.type}")
        return None
    if column.choices:
        return faults.name(place, text, column.choices)
    if column.type == "key" and not text.replace("_", "").isalnum():
        faults.add(place, text, "letters, digits and underscores")
        return None
    if column.type not in NUMERIC:
        return text
    whole = column.type != "number"
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        faults.add(place, text, "a whole number" if whole else "a number")
        return None
    return None if faults.number(place, value, column.low, column.high) is None else value
