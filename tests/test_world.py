"""The two worlds load in the right order and say where their numbers come from."""

import csv
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

import ecosystem
from ecosystem.inputs.world.assemble import distance_of
from ecosystem.inputs.world.loader import assumed_shares, load_world
from ecosystem.inputs.world.schema import WORLDS as FOLDER
from ecosystem.inputs.world.schema import read_schema

WORLDS = ("full", "teaching")
COUNTS = {
    "full": {
        "prefectures": 14,
        "centres": 160,
        "makers": 100,
        "universities": 40,
        "firms": 1000,
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


@pytest.mark.parametrize("name", WORLDS)
def test_shipped_tables_are_in_order_and_nothing_is_dated_after_the_information_set(
    name: str,
) -> None:
    for path in sorted((FOLDER / name).glob("*.csv")):
        text = path.read_text(encoding="utf-8")
        for date in re.findall(r"\b20\d\d-\d\d(?:-\d\d)?\b", text):
            assert date <= LAST_DAY or not re.search(r"-(0[1-9]|1[0-2])", date), (path.stem, date)
        rows = list(csv.DictReader(text.splitlines()))
        if path.stem != "provenance":
            assert [int(row["id"]) for row in rows] == list(range(1, len(rows) + 1)), path.stem
            assert list(rows[0]) == list(read_schema()[path.stem])
            continue
        for row in rows:
            years = re.findall(r"\b20\d\d\b", row["source"])
            assert all(year <= LAST_DAY[:4] for year in years), row
            assert not re.search(r"https?:|\bs[0-9a-f]{8}\b", "".join(row.values())), row


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


@pytest.mark.parametrize(
    ("table", "over"),
    [
        ("centres", "kind"),
        ("centres", "prefecture"),
        ("centres", "cell"),
        ("cells", "kind"),
        ("cells", "prefecture"),
        ("firms", "prefecture"),
        ("firms", "domain"),
        ("firms", "cell"),
        ("makers", "stage"),
        ("makers", "prefecture"),
        ("universities", "prefecture"),
        ("parks", "prefecture"),
        ("prefectures", "tier"),
        ("workloads", "kind"),
    ],
)
def test_sums_over_an_index_column_are_sums_of_its_members(table: str, over: str) -> None:
    rows = getattr(load_world("full"), table)
    values = np.random.default_rng(1).random((2, 3, rows.count))
    index = np.asarray(getattr(rows, over), dtype=int)
    sums = rows.sum(values, over)
    by_hand = [values[..., index == i].sum(axis=-1) for i in range(sums.shape[-1])]
    assert index.max() < sums.shape[-1]
    np.testing.assert_allclose(sums, np.stack(by_hand, axis=-1), rtol=1e-12)


def test_kinds_and_tiers_are_masks_by_name() -> None:
    world = load_world("full")
    assert world.kinds.index("intelligent") == np.flatnonzero(world.kinds.intelligent)[0]
    np.testing.assert_array_equal(world.centres.super, world.centres.kind == 2)
    np.testing.assert_array_equal(world.prefectures.ring_2, world.prefectures.tier == 2)
    np.testing.assert_array_equal(
        world.cells.in_hub.reshape(3, -1), [world.prefectures.hub] * len(world.kinds)
    )
    with pytest.raises(AttributeError, match="nearest: 'ring_1'"):
        _ = world.tiers.ring1
