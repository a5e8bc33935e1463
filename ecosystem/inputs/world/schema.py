"""Read the tables of a world as ``schema.csv`` describes them, noting every fault."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, create_model

from ecosystem.inputs.catalogue import Names, Row, kinds, read_rows
from ecosystem.inputs.faults import MISSING, FaultList, nearest, number_in_words
from ecosystem.inputs.files import read_csv, read_text
from ecosystem.inputs.translate import name_among, read_what_fits

WORLDS = Path(str(files("ecosystem"))) / "world"
NUMERIC = ("integer", "number", "flag")
Value = str | int | float | None


def _with_kinds(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(kinds()) if names == ("kinds",) else names


class Column(Row):
    """One row of ``schema.csv``: what may stand in a column of a table."""

    table: str
    name: str = Field(alias="column")
    type: Literal["integer", "number", "flag", "key", "reference", "choice", "text"]
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: Annotated[Names, AfterValidator(_with_kinds)] = ()
    reference: str = ""
    required: bool
    structural: bool
    meaning: str

    @property
    def key(self) -> str:
        """Table and name, by which the row is found."""
        return f"{self.table}.{self.name}"

    @property
    def counted(self) -> bool:
        """Whether its cells are numbers that need provenance."""
        return self.type in NUMERIC and not self.structural

    def field(self) -> tuple[Any, Any]:
        """Return kind and bounds of a cell, for pydantic; a blank cell is None."""
        if self.type in NUMERIC:
            whole = self.type != "number"
            words = number_in_words(self.low, self.high, unit=self.unit, whole=whole)
            bounds: dict[str, Any] = {"ge": self.low, "le": self.high, "allow_inf_nan": False}
            kind: Any = int if whole else float
            return kind | None, Field(default=None, description=words, **bounds)
        if self.choices:
            return Annotated[str | None, name_among(lambda: self.choices)], None
        if self.type == "key":
            words = "letters, digits and underscores"
            return str | None, Field(default=None, pattern=r"^\w+$", description=words)
        return str | None, Field(default=None, min_length=1)


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


@lru_cache(maxsize=1)
def read_schema() -> Schema:
    """Return the columns of every table by table and name, in their order in the files."""
    text = Path(__file__).with_name("schema.csv").read_text(encoding="utf-8-sig")
    tables: dict[str, dict[str, Column]] = {}
    for column in read_rows(text, Column, "schema.csv").values():
        tables.setdefault(column.table, {})[column.name] = column
    return tables


@lru_cache(maxsize=32)
def row_model(table: str) -> type[BaseModel]:
    """Return the model of one row of a table; every cell of it may be blank."""
    fields: dict[str, Any] = {name: column.field() for name, column in read_schema()[table].items()}
    return create_model(table, **fields)


def read_tables(folder: Path, faults: FaultList) -> dict[str, Table]:
    """Read every table of the schema from a folder; what is wrong goes into ``faults``.

    A file that is missing or no table at all is one fault, and left out; so is a table that lacks
    columns, after all that is wrong in the others.
    """
    schema = read_schema()
    present = {path.stem for path in folder.glob("*.csv")}
    if not present & set(schema):
        faults.add(str(folder), "no tables", f"a folder with {', '.join(schema)} as .csv files")
        return {}
    for name in sorted(present - set(schema)):
        faults.add(f"{name}.csv", name, "a table of the schema", nearest(name, schema))
    for name in schema:
        if name not in present:
            faults.add(f"{name}.csv", None, "a file for every table of the schema")
    tables = {
        name: _read_table(folder / f"{name}.csv", faults) for name in schema if name in present
    }
    return {name: table for name, table in tables.items() if table is not None}


@lru_cache(maxsize=32)
def _template(table: str) -> dict[str, str]:
    """Return the first value in each column of a table of the teaching world, the template."""
    text = (WORLDS / "teaching" / f"{table}.csv").read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(text.splitlines()))
    return {name: next((row[name] for row in rows if row[name]), "") for name in rows[0]}


def _read_table(path: Path, faults: FaultList) -> Table | None:
    """Read one file into a table with exactly the columns of the schema."""
    columns = read_schema()[path.stem]
    text, before = read_text(path, path.name, faults), len(faults.faults)
    if text is None:
        return None
    rows, lines = [], []
    needed = dict.fromkeys(columns, True)
    for line, cells in read_csv(text, path.name, needed, faults, _template(path.stem)):
        known = {name: cell for name, cell in cells.items() if name in columns}
        written = {name: cell for name, cell in known.items() if cell or columns[name].required}
        rows.append(read_what_fits(row_model(path.stem), written, f"{path.name}:{line}:", faults))
        lines.append(line)
    found = faults.faults[before:]
    if (found and not lines) or any(fault.value == MISSING for fault in found):
        return None
    return Table(path.stem, {name: [getattr(row, name) for row in rows] for name in columns}, lines)
