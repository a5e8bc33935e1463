"""Load a world: read its tables, report every fault at once, hand out arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ecosystem.inputs import catalogue
from ecosystem.inputs.faults import Fault, FaultList, InputError, nearest
from ecosystem.inputs.world import assemble
from ecosystem.inputs.world.assemble import Array, Names, NationalPath, Rows
from ecosystem.inputs.world.checks import check_tables
from ecosystem.inputs.world.provenance import check_provenance, count_assumed
from ecosystem.inputs.world.schema import WORLDS, Table, read_schema, read_tables

Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class World:
    """Tables of one world as read-only arrays, without a runs axis.

    Agents carry `order`, the place of each sorted row among the ids, so that numbers drawn in
    the order of ids are used as ``draws[:, order]``. Names are index arrays (`prefecture`,
    `kind`, `owner`, `stage`, `domain`), and segments of a column begin where the offsets say:

    - centres: `cell` = kind * prefectures + prefecture, `cell_start`; `cells` has their rows
    - makers: `stage`, `stage_start`
    - firms, one row a slot: `cell` = prefecture * domains + domain, `cell_start`, `initial`
      (there at the start) and `name`
    - universities: `knowledge` of shape (domains, universities)
    - regions: `home_index`; network and regions have the same rows

    Sums over any of these are ``world.centres.sum(values, "kind")``. Kinds of compute and tiers of
    prefectures are masks by their names, ``centres.intelligent``, ``prefectures.ring_2``, and
    ``centres.in_hub`` says who stands where the hub lies.

    The province is one row of scalars. `distance_km` is (prefectures, prefectures).
    """

    name: str
    path: Path
    digest: str
    kinds: Names
    tiers: Names
    stages: Names
    owners: Names
    cells: Rows
    prefectures: Rows
    hubs: Rows
    regions: Rows
    network: Rows
    workloads: Rows
    domains: Rows
    centres: Rows
    makers: Rows
    universities: Rows
    firms: Rows
    parks: Rows
    province: Rows
    national_path: Mapping[str, NationalPath]
    distance_km: Array

    def __reduce__(self) -> tuple[Any, ...]:
        """Load again in another process, which costs less than sending the arrays."""
        return load_world, (str(self.path),)


def load_world(name_or_path: str | Path = "full") -> World:
    """Return a world by name (full, teaching) or from a folder of tables.

    Raises
    ------
    InputError
        With every fault of every table.
    """
    folder = _folder(name_or_path)
    return _load(folder, _stamp(folder))


def assumed_shares(name_or_path: str | Path = "full") -> dict[str, tuple[int, int]]:
    """Return for each table how many of its numbers are assumed, and how many there are."""
    folder = _folder(name_or_path)
    return count_assumed(_checked(folder, _stamp(folder)))


def _folder(name_or_path: str | Path) -> Path:
    """Return the folder of a world, a shipped one by its name."""
    shipped = {path.parent.name: path.parent for path in WORLDS.glob("*/regions.csv")}
    folder = shipped.get(str(name_or_path), Path(name_or_path))
    if not folder.is_dir():
        allowed = f"a folder of tables or one of {', '.join(sorted(shipped))}"
        beside = [path.name for path in folder.parent.glob("*/")]
        hint = nearest(folder.name, [*shipped, *beside])
        raise InputError([Fault("world", str(name_or_path), allowed, hint)])
    return folder.resolve()


def _stamp(folder: Path) -> Stamp:
    """Return what changes when a file of the folder does, so that a cached world is never stale."""
    files = sorted(folder.glob("*.csv"))
    return tuple((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files)


@lru_cache(maxsize=8)
def _checked(folder: Path, stamp: Stamp) -> Mapping[str, Table]:
    """Return the tables of a folder, or raise all their faults."""
    faults = FaultList()
    tables = read_tables(folder, faults)
    check_tables(tables, faults)
    if len(tables) == len(read_schema()):
        check_provenance(tables, faults)
    faults.raise_if_any()
    return tables


@lru_cache(maxsize=8)
def _load(folder: Path, stamp: Stamp) -> World:
    tables = _checked(folder, stamp)
    plain = {
        name: assemble.in_order_of_ids(table)
        for name, table in tables.items()
        if "id" in table.columns
    }
    kinds, tiers = Names(catalogue.kinds()), Names(catalogue.tiers())
    owners, stages = _choices("data_centres", "ownership"), _choices("makers", "stage")
    places, regions = plain["prefectures"], plain["regions"]
    axes = {
        "prefecture": places["prefecture"],
        "kind": kinds,
        "owner": owners,
        "stage": stages,
        "domain": plain["domains"]["domain"],
    }
    prefectures = assemble.prefectures_of(places, tiers)
    home = {"home_index": int(regions["home"].argmax())}
    return World(
        name=folder.name,
        path=folder,
        digest=_digest(folder),
        kinds=kinds,
        tiers=tiers,
        cells=assemble.cells_of(prefectures, kinds, tiers),
        stages=stages,
        owners=owners,
        prefectures=prefectures,
        hubs=assemble.rows_of(plain["hubs"]),
        regions=assemble.rows_of({**regions, **home}),
        network=assemble.network_of(plain["network"], regions["region"]),
        workloads=assemble.workloads_of(plain["workloads"], kinds),
        domains=assemble.rows_of(plain["domains"]),
        centres=assemble.centres_of(plain["data_centres"], axes, prefectures, kinds, tiers),
        makers=assemble.makers_of(plain["makers"], axes),
        universities=assemble.universities_of(plain["universities"], axes),
        firms=assemble.firms_of(plain["ai_firm_slots"], plain["ai_firms"], axes),
        parks=assemble.rows_of(assemble.agents_of(plain["parks"], axes, "prefecture")),
        province=assemble.province_of(plain["provinces"], places),
        national_path=assemble.national_path_of(plain["national_path"], kinds),
        distance_km=assemble.distance_of(places["latitude"], places["longitude"]),
    )


def _choices(table: str, column: str) -> Names:
    return Names(read_schema()[table][column].choices)


def _digest(folder: Path) -> str:
    """Return the SHA-256 of names and contents of the tables."""
    digest = hashlib.sha256()
    for name in read_schema():
        content = (folder / f"{name}.csv").read_bytes()
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
