"""Check that the tables of a world fit together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import product

from ecosystem.inputs.faults import FaultList, nearest
from ecosystem.inputs.world.schema import Table, Value, read_schema

Tables = Mapping[str, Table]
MAY_BE_EMPTY = ("ai_firms",)
SUMS_TO_ONE = (("regions", "demand_share"), ("hubs", "share"))


def check_tables(tables: Tables, faults: FaultList) -> None:
    """Note duplicates, broken references, gaps and sums that do not hold.

    What one table says of another is looked at only where every table could be read.
    """
    for table in tables.values():
        if len(table) == 0 and table.name not in MAY_BE_EMPTY:
            faults.add(f"{table.name}.csv", "no rows", "at least one row")
        _check_unique(table, faults)
    for name, column in SUMS_TO_ONE:
        if name in tables:
            _check_sum(tables[name], column, faults)
    if len(tables) < len(read_schema()):
        return
    for table in tables.values():
        _check_references(table, tables, faults)
    kinds = read_schema()["data_centres"]["kind"].choices
    stages = read_schema()["makers"]["stage"].choices
    places = tables["prefectures"]["prefecture"]
    domains = tables["domains"]["domain"]
    _check_cells(tables["data_centres"], faults, prefecture=places, kind=kinds)
    _check_cells(tables["ai_firm_slots"], faults, prefecture=places, domain=domains)
    _check_cells(tables["makers"], faults, stage=stages)
    _check_cells(tables["workloads"], faults, kind=kinds)
    _check_domains(tables["domains"], faults)
    _check_path(tables["national_path"], kinds, faults)
    _check_home(tables["regions"], tables["network"], faults)
    _check_slots(tables["ai_firm_slots"], tables["ai_firms"], faults)
    if len(tables["provinces"]) != 1:
        faults.add("provinces.csv", f"{len(tables['provinces'])} rows", "one row")


def _check_unique(table: Table, faults: FaultList) -> None:
    """Note ids and short names that stand twice in a table."""
    for name, column in read_schema()[table.name].items():
        if name not in ("id", "year") and column.type != "key":
            continue
        seen: set[Value] = set()
        for row, value in enumerate(table[name]):
            if value is not None and value in seen:
                faults.add(table.place(row, name), value, f"each {name} once")
            seen.add(value)


def _check_sum(table: Table, column: str, faults: FaultList) -> None:
    total = math.fsum(value for value in table[column] if isinstance(value, int | float))
    if abs(total - 1) > 1e-9:
        faults.add(f"{table.name}.csv:{column}", total, "shares that sum to 1")


def _check_references(table: Table, tables: Tables, faults: FaultList) -> None:
    """Note cells that name a row which is not there."""
    for name, column in read_schema()[table.name].items():
        if not column.reference:
            continue
        target, _, key = column.reference.partition(".")
        valid = [str(value) for value in tables[target][key] if value is not None]
        for row, value in enumerate(table[name]):
            if value is not None and value not in valid:
                allowed = f"a {key} of {target}.csv"
                faults.add(table.place(row, name), value, allowed, nearest(value, valid))


def _check_cells(table: Table, faults: FaultList, **keys: Iterable[Value]) -> None:
    """Note keys, one a column, that no row has together."""
    present = set(zip(*(table[column] for column in keys), strict=True))
    for cell in product(*keys.values()):
        if None not in cell and cell not in present:
            spelled, allowed = ", ".join(map(str, cell)), f"a row for each {', '.join(keys)}"
            faults.add(f"{table.name}.csv", spelled, allowed)


def _check_domains(domains: Table, faults: FaultList) -> None:
    """Note domains in which no knowledge of universities is given."""
    prefix = "knowledge_"
    columns = read_schema()["universities"]
    known = [name.removeprefix(prefix) for name in columns if name.startswith(prefix)]
    for row, domain in enumerate(domains["domain"]):
        if domain is not None:
            faults.name(domains.place(row, "domain"), domain, known)


def _check_path(path: Table, kinds: Iterable[str], faults: FaultList) -> None:
    """Note kinds of compute with fewer than two observed figures, which give no growth."""
    for kind in kinds:
        column = f"{kind}_eflops"
        pairs = zip(path["forecast"], path[column], strict=True)
        observed = sum(forecast == 0 and value is not None for forecast, value in pairs)
        if observed < 2:
            faults.add(f"{path.name}.csv:{column}", observed, "at least two observed figures")


def _check_home(regions: Table, network: Table, faults: FaultList) -> None:
    """Note regions that stand not once in the network, and any home but the last region.

    The home region alone has no latency to data centres of its own: they are the province's.
    """
    found = Counter(network["region"])
    for region in regions["region"]:
        if region is not None and found[region] != 1:
            faults.add("network.csv", region, f"each region in one row, not in {found[region]}")
    homes = [row for row, home in enumerate(regions["home"]) if home == 1]
    last = max(range(len(regions)), key=lambda row: regions["id"][row] or 0, default=-1)
    if homes != [last]:
        faults.add("regions.csv:home", [regions["region"][row] for row in homes], "the last id")
        return
    pairs = zip(network["region"], network["latency_own_ms"], strict=True)
    for row, (region, own) in enumerate(pairs):
        if (region == regions["region"][last]) != (own is None):
            allowed = "blank for the home region and a number for every other"
            faults.add(network.place(row, "latency_own_ms"), own, allowed)


def _check_slots(ranges: Table, firms: Table, faults: FaultList) -> None:
    """Note slot ranges that overlap or leave gaps, and more firms than they hold."""
    columns = ("first_slot", "slots", "initial_firms", "prefecture", "domain")
    rows = list(zip(*(ranges[column] for column in columns), range(len(ranges)), strict=True))
    whole = [row for row in rows if all(value is not None for value in row)]
    expected = 0
    room: Counter[tuple[Value, Value]] = Counter()
    for first, slots, initial, prefecture, domain, row in sorted(whole):
        if first != expected and len(whole) == len(rows):
            faults.add(ranges.place(row, "first_slot"), first, f"{expected}, the next free slot")
        if initial > slots:
            faults.add(ranges.place(row, "initial_firms"), initial, f"at most {slots}, the slots")
        expected = max(expected, first + slots)
        room[prefecture, domain] += initial
    named = Counter(zip(firms["prefecture"], firms["domain"], strict=True))
    for (prefecture, domain), count in named.items():
        if None not in (prefecture, domain) and count > room[prefecture, domain]:
            allowed = f"at most {room[prefecture, domain]} named firms in {prefecture}, {domain}"
            faults.add("ai_firms.csv", count, allowed)
