"""Copies of a world: lines in any order, rows added, and every way to be broken."""

import csv
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecosystem.inputs.faults import InputError
from ecosystem.inputs.world.loader import World, load_world
from ecosystem.inputs.world.schema import WORLDS as FOLDER
from ecosystem.inputs.world.schema import read_schema

Rows = list[list[str]]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the teaching world that may be broken."""
    folder = tmp_path / "mine"
    shutil.copytree(FOLDER / "teaching", folder)
    return folder


def edit(folder: Path, table: str, change: Callable[[Rows], None]) -> None:
    """Change the rows of a table, the header being row 0."""
    path = folder / f"{table}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    change(rows)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(rows)


def put(row: int, column: int, text: str) -> Callable[[Rows], None]:
    """Return the change that writes one cell."""

    def change(rows: Rows) -> None:
        rows[row][column] = text

    return change


def drop(first: int, last: int | None = None) -> Callable[[Rows], None]:
    """Return the change that removes a row, or the rows from first to last."""

    def change(rows: Rows) -> None:
        del rows[first : (last or first) + 1]

    return change


def blank(column: int, count: int) -> Callable[[Rows], None]:
    """Return the change that empties the first cells of a column."""

    def change(rows: Rows) -> None:
        for row in rows[1 : count + 1]:
            row[column] = ""

    return change


def faults_of(folder: Path) -> list[str]:
    """Return the lines of the error that loading raises."""
    with pytest.raises(InputError) as caught:
        load_world(folder)
    return [str(fault) for fault in caught.value.faults]


def same(one: World, two: World) -> bool:
    """Return whether all columns of two worlds are equal."""
    tables = [name for name, value in vars(one).items() if hasattr(value, "columns")]
    return all(
        np.array_equal(getattr(one, table).columns[name], getattr(two, table).columns[name])
        if np.asarray(column).dtype.kind != "f"
        else np.array_equal(column, getattr(two, table).columns[name], equal_nan=True)
        for table in tables
        for name, column in getattr(one, table).columns.items()
    )


def test_order_of_lines_means_nothing(copy: Path) -> None:
    chance = random.Random(1)
    for path in copy.glob("*.csv"):
        lines = path.read_text(encoding="utf-8").splitlines()
        body = lines[1:]
        chance.shuffle(body)
        path.write_text("\n".join([lines[0], *body]) + "\n", encoding="utf-8-sig")
    assert same(load_world("teaching"), load_world(copy))
    assert load_world(copy).digest != load_world("teaching").digest


def test_a_new_row_moves_nobody_else(copy: Path) -> None:
    extra = "13,new,New,新,lanzhou,general,private,5,1.3,0".split(",")
    edit(copy, "data_centres", lambda rows: rows.append(extra))
    old, new = load_world("teaching").centres, load_world(copy).centres
    kept = new.id != 13
    assert np.array_equal(new.order[kept], old.order)
    assert new.order[~kept] == [12]


def test_an_edit_is_seen(copy: Path) -> None:
    before = load_world(copy).prefectures.talent[0]
    edit(copy, "prefectures", put(1, 8, "0.6"))
    assert load_world(copy).prefectures.talent[0] != before


CASES: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "unknown table": (
        lambda f: (f / "hub.csv").write_text("id\n"),
        ["hub.csv: 'hub'", "nearest valid name: hubs"],
    ),
    "missing table": (lambda f: (f / "hubs.csv").unlink(), ["hubs.csv: None"]),
    "unknown column": (
        lambda f: edit(f, "hubs", put(0, 6, "puee")),
        ["hubs.csv:1: 'puee'", "nearest valid name: pue"],
    ),
    "one column more": (
        lambda f: edit(f, "hubs", lambda rows: [row.append("") for row in rows]),
        ["hubs.csv:1: ''", "a column of the table"],
    ),
    "missing column": (
        lambda f: edit(f, "hubs", put(0, 6, "puee")),
        ["hubs.csv:1:pue: column missing; such as pue = 1.25"],
    ),
    "number": (
        lambda f: edit(f, "prefectures", put(1, 7, "cheap")),
        ["prefectures.csv:2:electricity_price: 'cheap'", "a number from 0.1 to 1.5 (yuan/kWh)"],
    ),
    "not finite": (
        lambda f: edit(f, "prefectures", put(1, 7, "nan")),
        ["prefectures.csv:2:electricity_price: 'nan'"],
    ),
    "whole number": (lambda f: edit(f, "ai_firm_slots", put(1, 4, "2.5")), ["a whole number"]),
    "blank": (lambda f: edit(f, "prefectures", put(1, 10, "")), ["prefectures.csv:2:gdp: ''"]),
    "range": (
        lambda f: edit(f, "prefectures", put(1, 13, "2")),
        ["prefectures.csv:2:readiness: '2'", "from 0 to 1"],
    ),
    "choice": (
        lambda f: edit(f, "data_centres", put(1, 5, "genral")),
        ["data_centres.csv:2:kind: 'genral'", "nearest valid name: general"],
    ),
    "length": (lambda f: edit(f, "parks", lambda r: r[3].append("9")), ["parks.csv:4: '11 cells'"]),
    "id twice": (
        lambda f: edit(f, "makers", put(2, 0, "1")),
        ["makers.csv:3:id: 1", "each id once"],
    ),
    "name twice": (
        lambda f: edit(f, "hubs", put(2, 1, "guian")),
        ["hubs.csv:7:hub: 'guian'", "each hub once"],
    ),
    "reference": (
        lambda f: edit(f, "parks", put(1, 4, "lanzou")),
        ["parks.csv:2:prefecture: 'lanzou'", "nearest valid name: lanzhou"],
    ),
    "missing prefecture": (
        lambda f: edit(f, "prefectures", drop(3)),
        ["parks.csv:8:prefecture: 'jinchang'", "data_centres.csv:13:prefecture"],
    ),
    "missing centre": (
        lambda f: edit(f, "data_centres", drop(12)),
        ["data_centres.csv: 'jinchang, super'"],
    ),
    "missing slots": (
        lambda f: edit(f, "ai_firm_slots", drop(15)),
        ["ai_firm_slots.csv: 'jinchang, clean_energy'"],
    ),
    "missing stage": (
        lambda f: edit(f, "makers", drop(9, 10)),
        ["makers.csv: 'cooling'", "a row for each stage"],
    ),
    "missing region": (lambda f: edit(f, "network", drop(1)), ["network.csv: 'BTH'"]),
    "home": (lambda f: edit(f, "regions", put(3, 5, "0")), ["regions.csv:home: []"]),
    "own latency": (
        lambda f: edit(f, "network", put(1, 4, "")),
        ["network.csv:2:latency_own_ms: None"],
    ),
    "sum": (
        lambda f: edit(f, "regions", put(1, 4, "0.6")),
        ["regions.csv:demand_share: 0.9125", "shares that sum to 1"],
    ),
    "overlap": (
        lambda f: edit(f, "ai_firm_slots", put(3, 3, "5")),
        ["ai_firm_slots.csv:4:first_slot: 5", "6, the next free slot"],
    ),
    "firms": (
        lambda f: edit(f, "ai_firm_slots", put(6, 5, "7")),
        ["ai_firm_slots.csv:7:initial_firms: 7", "at most 6"],
    ),
    "named firms": (
        lambda f: edit(f, "ai_firm_slots", put(8, 5, "1")),
        ["ai_firms.csv: 2", "at most 1 named firms in lanzhou, biomedicine"],
    ),
    "domain": (
        lambda f: edit(f, "domains", put(1, 1, "chess")),
        ["domains.csv:2:domain: 'chess'", "ai_firm_slots.csv:2:domain: 'ai'"],
    ),
    "path": (
        lambda f: edit(f, "national_path", blank(5, 4)),
        ["national_path.csv:super_eflops: 1"],
    ),
    "no rows": (lambda f: edit(f, "parks", drop(1, 9)), ["one row"]),
    "no provenance": (
        lambda f: edit(f, "provenance", drop(1, 2)),
        ["prefectures.csv:2:tier: 0", "provenance.csv"],
    ),
    "provenance of nothing": (
        lambda f: edit(f, "provenance", put(1, 2, "tiers")),
        ["provenance.csv:2:column: 'tiers'", "nearest valid name: tier"],
    ),
    "provenance twice": (
        lambda f: edit(f, "provenance", lambda r: r.append(r[1])),
        ["'prefectures, *, tier'", "each cell once"],
    ),
    "no source": (lambda f: edit(f, "provenance", put(1, 3, "")), ["provenance.csv:2:source"]),
    "no reason": (lambda f: edit(f, "provenance", put(3, 7, "")), ["provenance.csv:4:reason"]),
    "no range": (lambda f: edit(f, "provenance", put(3, 5, "")), ["provenance.csv:4:low"]),
    "range reversed": (lambda f: edit(f, "provenance", put(3, 5, "9")), ["provenance.csv:4:low"]),
    "outside its range": (
        lambda f: edit(f, "prefectures", put(1, 6, "30")),
        ["prefectures.csv:2:latency_extra_ms: 30", "its assumed range, 0 to 4"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_faults(copy: Path, case: str) -> None:
    spoil, expected = CASES[case]
    spoil(copy)
    lines = faults_of(copy)
    for text in expected:
        assert any(text in line for line in lines), (text, lines)


def test_a_missing_column_is_the_one_fault_of_its_table(copy: Path) -> None:
    """No knock-on faults; the first value of the template that is not blank is shown."""
    place = copy / "national_path.csv"
    lines = [line.split(",") for line in place.read_text(encoding="utf-8-sig").splitlines()]
    lost = lines[0].index("general_eflops")
    kept = [",".join(line[:lost] + line[lost + 1 :]) for line in lines]
    place.write_text("\n".join(kept) + "\n", encoding="utf-8")
    edit(copy, "parks", put(0, 4, "prefecure"))
    shown = next(line[lost] for line in lines[1:] if line[lost])
    assert sorted(faults_of(copy)) == [
        f"national_path.csv:1:general_eflops: column missing; such as general_eflops = {shown}",
        "parks.csv:1: 'prefecure' is not valid; allowed: a column of the table; "
        "nearest valid name: prefecture",
        "parks.csv:1:prefecture: column missing; such as prefecture = qingyang",
    ]


def with_separator(separator: str) -> Callable[[str], bytes]:
    """Return the change that puts another separator in place of commas."""
    return lambda text: text.replace(",", separator).encode()


UTF8 = "allowed: text in UTF-8 (a spreadsheet saves it as 'CSV UTF-8')"
HEADER = "a header line with the columns id, hub, name_en, name_zh, electricity_price, "
NO_TABLES: dict[str, tuple[Callable[[str], bytes], str]] = {
    "semicolons": (with_separator(";"), "hubs.csv: \"';' instead of ','\" is not valid; allowed: "),
    "tabulators": (with_separator("\t"), "hubs.csv: \"'\\\\t' instead of ','\" is not valid; "),
    "UTF-16": (lambda t: t.encode("utf-16"), f"hubs.csv: 'UTF-16 or binary' is not valid; {UTF8}"),
    "UTF-16, no mark": (
        lambda t: t.encode("utf-16-le"),
        f"hubs.csv: 'UTF-16 or binary' is not valid; {UTF8}",
    ),
    "GBK": (lambda t: t.encode("gb18030"), f"hubs.csv: line 2: b'\\xd5' is not valid; {UTF8}"),
    "no header": (lambda t: t.partition("\n")[2].encode(), f"allowed: {HEADER}"),
    "empty": (lambda _: b"", f"hubs.csv: 'an empty file' is not valid; allowed: {HEADER}"),
    "blank lines": (
        lambda _: b"\n\n",
        f"hubs.csv: 'an empty file' is not valid; allowed: {HEADER}",
    ),
    "a picture": (lambda _: b"\x89PNG\r\n\0", "hubs.csv: 'UTF-16 or binary' is not valid"),
}


@pytest.mark.parametrize("case", NO_TABLES)
def test_a_file_that_is_no_table_is_one_fault(copy: Path, case: str) -> None:
    spoil, expected = NO_TABLES[case]
    path = copy / "hubs.csv"
    path.write_bytes(spoil(path.read_text(encoding="utf-8-sig")))
    (line,) = faults_of(copy)
    assert expected in line, line


@pytest.mark.parametrize("spoil", [with_separator(";"), lambda _: b""])
def test_a_folder_of_such_files_is_one_fault_a_file(copy: Path, spoil: Any) -> None:
    for path in copy.glob("*.csv"):
        path.write_bytes(spoil(path.read_text(encoding="utf-8-sig")))
    assert len(faults_of(copy)) == len(read_schema())


def test_a_folder_without_tables_is_one_fault(tmp_path: Path) -> None:
    (line,) = faults_of(tmp_path)
    assert "'no tables' is not valid; allowed: a folder with prefectures, hubs" in line


def test_every_fault_at_once(copy: Path) -> None:
    edit(copy, "prefectures", put(1, 7, "cheap"))
    edit(copy, "hubs", put(2, 1, "guian"))
    edit(copy, "parks", put(1, 4, "lanzou"))
    edit(copy, "regions", put(1, 4, "0.6"))
    edit(copy, "provenance", put(1, 3, ""))
    places = {line.split(": ")[0] for line in faults_of(copy)}
    assert places >= {
        "prefectures.csv:2:electricity_price",
        "hubs.csv:7:hub",
        "parks.csv:2:prefecture",
        "regions.csv:demand_share",
        "provenance.csv:2:source",
    }


def test_unknown_world(copy: Path) -> None:
    for wrong, right in (("teeching", "teaching"), (copy.parent / "mne", "mine")):
        with pytest.raises(InputError, match=f"nearest valid name: {right}"):
            load_world(wrong)
