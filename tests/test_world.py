"""The two worlds load, say where their numbers come from, and broken copies say what is wrong."""

import csv
import pickle
import random
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ecosystem
from ecosystem.errors import InputError
from ecosystem.world.assemble import distance_of
from ecosystem.world.loader import World, assumed_shares, load_world
from ecosystem.world.schema import HERE, read_schema

WORLDS = ("full", "teaching")
COUNTS = {
    "full": {
        "prefectures": 14,
        "centres": 160,
        "makers": 100,
        "universities": 40,
        "firms": 800,
        "parks": 120,
        "regions": 6,
    },
    "teaching": {
        "prefectures": 3,
        "centres": 12,
        "makers": 10,
        "universities": 4,
        "firms": 60,
        "parks": 9,
        "regions": 3,
    },
}
LAST_DAY = "2025-06-30"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the teaching world that may be broken."""
    folder = tmp_path / "mine"
    shutil.copytree(HERE / "teaching", folder)
    return folder


def edit(folder: Path, table: str, change: Callable[[list[list[str]]], None]) -> None:
    """Change the rows of a table, the header being row 0."""
    path = folder / f"{table}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    change(rows)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(rows)


def put(row: int, column: int, text: str) -> Callable[[list[list[str]]], None]:
    """Return the change that writes one cell."""

    def change(rows: list[list[str]]) -> None:
        rows[row][column] = text

    return change


def drop(row: int) -> Callable[[list[list[str]]], None]:
    """Return the change that removes one row."""
    return lambda rows: rows.__delitem__(row)


def faults_of(folder: Path) -> list[str]:
    """Return the lines of the error that loading raises."""
    with pytest.raises(InputError) as caught:
        load_world(folder)
    return [str(fault) for fault in caught.value.faults]


@pytest.mark.parametrize("name", WORLDS)
def test_sizes(name: str) -> None:
    world = load_world(name)
    found = {table: getattr(world, table).count for table in COUNTS[name]}
    assert found == COUNTS[name]
    assert (len(world.kinds), world.workloads.count, world.domains.count) == (3, 7, 5)
    assert world.hubs.count == 7 and len(world.stages) == 5 and len(world.owners) == 4


def test_start_of_the_full_world() -> None:
    world = load_world("full")
    by_kind = [world.centres.servers[world.centres.kind == kind].sum() for kind in range(3)]
    assert by_kind == pytest.approx([1000, 300, 8])
    assert world.firms.initial.sum() == 120
    capital = np.argmax(world.prefectures.gdp)
    assert world.firms.initial[world.firms.prefecture == capital].sum() == 84
    graduates = world.universities.graduates
    assert graduates.sum() == pytest.approx(1000)
    assert graduates[world.universities.prefecture == capital].sum() == pytest.approx(750)
    sales = [0.8 * world.makers.capacity[world.makers.stage == stage].sum() for stage in range(5)]
    assert sales == pytest.approx([500, 1500, 60, 60, 30])
    assert world.makers.quality.mean() == pytest.approx(1)
    assert 4 * world.parks.output.sum() == pytest.approx(world.province.industrial_sales)
    spent = (
        world.prefectures.budget_expenditure.sum() + world.province.provincial_budget_expenditure
    )
    assert world.province.budget_expenditure == spent


@pytest.mark.parametrize("name", WORLDS)
def test_shares_sum_to_one(name: str) -> None:
    world = load_world(name)
    assert world.regions.demand_share.sum() == pytest.approx(1, abs=1e-12)
    assert world.hubs.share.sum() == pytest.approx(1, abs=1e-12)
    assert world.regions.home_index == world.regions.count - 1


@pytest.mark.parametrize("table", ["prefectures", "hubs", "network", "universities"])
def test_at_most_three_fifths_are_assumed(table: str) -> None:
    assumed, total = assumed_shares("full")[table]
    assert 0 < assumed <= 0.6 * total


@pytest.mark.parametrize("name", WORLDS)
def test_segments(name: str) -> None:
    world = load_world(name)
    places = world.prefectures.count
    centres, makers, firms = world.centres, world.makers, world.firms
    assert np.array_equal(centres.cell, centres.kind * places + centres.prefecture)
    assert np.array_equal(firms.cell, firms.prefecture * world.domains.count + firms.domain)
    for segment, start, count in (
        (centres.cell, centres.cell_start, len(world.kinds) * places),
        (makers.stage, makers.stage_start, len(world.stages)),
        (firms.cell, firms.cell_start, places * world.domains.count),
    ):
        sizes = np.add.reduceat(np.ones(len(segment)), start)
        assert len(start) == count
        assert np.array_equal(sizes, np.bincount(segment, minlength=count))
        assert np.all(np.diff(segment) >= 0) and sizes.min() >= 1
    for rows in (centres, makers, world.universities, firms, world.parks):
        assert sorted(rows.order) == list(range(rows.count))
        assert np.array_equal(np.sort(rows.id)[rows.order], rows.id)
    assert np.all(np.diff(world.parks.prefecture) >= 0)
    assert np.all(np.diff(world.universities.prefecture) >= 0)


@pytest.mark.parametrize("name", WORLDS)
def test_initial_firms_take_the_first_slots(name: str) -> None:
    firms = load_world(name).firms
    for cell in range(len(firms.cell_start)):
        mine = firms.initial[firms.cell == cell]
        assert np.array_equal(mine, np.arange(len(mine)) < mine.sum())
    assert all(firms.initial[slot] for slot, name in enumerate(firms.name) if name)
    assert sum(map(bool, firms.name)) >= 4


def test_distances_agree_with_the_published_ones() -> None:
    world = load_world("full")
    assert np.array_equal(world.distance_km, world.distance_km.T)
    assert np.all(np.diag(world.distance_km) == 0)
    capital = int(np.argmax(world.prefectures.gdp))
    published = [345, 0, 310, 437, 233, 238, 60, 312, 621, 638, 262, 89, 76, 145]
    assert world.distance_km[capital] == pytest.approx(published, abs=1)
    quarter = distance_of(np.array([0.0, 90.0]), np.array([0.0, 0.0]))
    assert quarter[0, 1] == pytest.approx(6371 * np.pi / 2)


def test_arrays_cannot_be_changed() -> None:
    world = load_world("teaching")
    with pytest.raises(ValueError):
        world.prefectures.gdp[0] = 0
    with pytest.raises(AttributeError, match="'electricity_price'"):
        _ = world.prefectures.electricty_price
    assert pickle.loads(pickle.dumps(world)).digest == world.digest


def test_loading_is_fast() -> None:
    from ecosystem.world import loader

    spans = []
    for _ in range(5):
        loader._checked.cache_clear()
        loader._load.cache_clear()
        start = time.perf_counter()
        load_world("full")
        spans.append(time.perf_counter() - start)
    assert min(spans) < 0.1


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


CASES = {
    "unknown table": (
        lambda f: (f / "hub.csv").write_text("id\n"),
        ["hub.csv: 'hub'", "nearest valid name: hubs"],
    ),
    "missing table": (lambda f: (f / "hubs.csv").unlink(), ["hubs.csv: None"]),
    "unknown column": (
        lambda f: edit(f, "hubs", put(0, 6, "puee")),
        ["hubs.csv:1: 'puee'", "nearest valid name: pue"],
    ),
    "missing column": (lambda f: edit(f, "hubs", put(0, 6, "puee")), ["hubs.csv:1:pue: None"]),
    "number": (
        lambda f: edit(f, "prefectures", put(1, 7, "cheap")),
        ["prefectures.csv:2:electricity_price: 'cheap'", "a number"],
    ),
    "not finite": (
        lambda f: edit(f, "prefectures", put(1, 7, "nan")),
        ["prefectures.csv:2:electricity_price: nan"],
    ),
    "whole number": (lambda f: edit(f, "ai_firm_slots", put(1, 4, "2.5")), ["a whole number"]),
    "blank": (lambda f: edit(f, "prefectures", put(1, 10, "")), ["prefectures.csv:2:gdp: ''"]),
    "range": (
        lambda f: edit(f, "prefectures", put(1, 13, "2")),
        ["prefectures.csv:2:readiness: 2.0", "from 0 to 1"],
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
        lambda f: edit(f, "makers", lambda r: r.__delitem__(slice(9, 11))),
        ["makers.csv:stage: 'cooling'"],
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
        lambda f: edit(
            f, "national_path", lambda r: [r[i].__setitem__(5, "") for i in (1, 2, 3, 4)]
        ),
        ["national_path.csv:super_eflops: 1"],
    ),
    "no rows": (lambda f: edit(f, "parks", lambda r: r.__delitem__(slice(1, 10))), ["one row"]),
    "no provenance": (
        lambda f: edit(f, "provenance", lambda r: r.__delitem__(slice(1, 3))),
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
    "encoding": (
        lambda f: (f / "hubs.csv").write_bytes("id,hub,中卫".encode("gb18030")),
        ["hubs.csv: 'byte 7'", "UTF-8"],
    ),
    "empty file": (lambda f: (f / "hubs.csv").write_text(""), ["hubs.csv:1:pue: None"]),
}


@pytest.mark.parametrize("case", CASES)
def test_faults(copy: Path, case: str) -> None:
    spoil, expected = CASES[case]
    spoil(copy)
    lines = faults_of(copy)
    for text in expected:
        assert any(text in line for line in lines), (text, lines)


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


def test_all_tables_empty(copy: Path) -> None:
    for path in copy.glob("*.csv"):
        path.write_text("")
    assert len(faults_of(copy)) > len(read_schema())


def test_unknown_world() -> None:
    with pytest.raises(InputError, match="nearest valid name: teaching"):
        load_world("teeching")


def shipped_tables() -> list[Path]:
    """Return the tables of both worlds."""
    return sorted(path for name in WORLDS for path in (HERE / name).glob("*.csv"))


@pytest.mark.parametrize(
    "path", shipped_tables(), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_nothing_is_dated_after_the_information_set(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for date in re.findall(r"\b20\d\d-\d\d(?:-\d\d)?\b", text):
        assert date <= LAST_DAY or not re.search(r"-(0[1-9]|1[0-2])", date), date
    if path.stem == "provenance":
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                years = re.findall(r"\b20\d\d\b", row["source"])
                assert all(year <= LAST_DAY[:4] for year in years), row
                assert not re.search(r"https?:|\bs[0-9a-f]{8}\b", "".join(row.values())), row


@pytest.mark.parametrize(
    "path", shipped_tables(), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_files_are_in_the_order_of_ids(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if path.stem != "provenance":
        ids = [int(row["id"]) for row in rows]
        assert ids == list(range(1, len(ids) + 1))
        assert list(rows[0]) == list(read_schema()[path.stem])


def test_no_place_name_stands_in_the_code() -> None:
    world = load_world("full")
    names: set[str] = set()
    for table in (world.prefectures, world.province):
        columns = ("prefecture", "province", "name_en", "name_zh")
        for column in (table.columns.get(name, ()) for name in columns):
            names.update([column] if isinstance(column, str) else column)
    assert len(names) >= 40
    pattern = re.compile("|".join(map(re.escape, names)), re.IGNORECASE)
    package = Path(ecosystem.__file__).parent
    found = [
        f"{path.relative_to(package)}: {match.group()}"
        for path in package.rglob("*.py")
        if (match := pattern.search(path.read_text(encoding="utf-8")))
    ]
    assert not found
