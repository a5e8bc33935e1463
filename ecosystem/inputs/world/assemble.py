"""Turn checked tables into arrays in the order the model computes in.

Rows are first put in the order of their ids, so the order of lines in a file means nothing.
Agents are then sorted so that a kind, a stage or a cell is one segment of a column.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecosystem.inputs.faults import nearest
from ecosystem.inputs.world.schema import Table, read_schema

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Columns = dict[str, Any]
Axes = Mapping[str, Sequence[str]]
"""Names in the order of each axis that agents are placed on."""
EARTH_RADIUS = 6371.0
"""Mean radius of the earth, km."""
PFLOPS_IN_EFLOPS = 1000.0


class Names(tuple[str, ...]):
    """Names in the order of an axis; each is an attribute as well, the mask of its entry.

    ``kinds.intelligent`` is true where the axis has intelligent compute, so that
    ``price[:, kinds.intelligent]`` is a column and ``np.where(kinds.intelligent, a, b)`` a choice.
    """

    def __new__(cls, names: Iterable[str]) -> Names:
        """Return the names with a mask for each."""
        self = super().__new__(cls, names)
        for name in self:
            mask = np.array([other == name for other in self])
            mask.flags.writeable = False
            vars(self)[name] = mask
        return self

    def __getattr__(self, name: str) -> NDArray[np.bool_]:
        """Refuse a name that is none of them, with the nearest one that is."""
        raise AttributeError(f"no {name!r}; nearest: {nearest(name, self)!r}")

    def masks(self, index: Index) -> Columns:
        """Return for each name which members have it, given the entry of each member."""
        return {name: vars(self)[name][index] for name in self}


class Rows:
    """Columns of one table, read as attributes: arrays of numbers, tuples of text.

    Parameters
    ----------
    count : int
        Number of rows.
    columns : mapping of str to array or tuple
        Column by name; arrays are read-only from here on. What `sum` can sum over stands in
        `groups` (entries by index column), in `cell_axes` (the same of what cells are sorted by,
        in that order), and in columns such as `cell_start`, where segments of rows begin.
    """

    def __init__(self, count: int, columns: Mapping[str, Any]) -> None:
        for column in columns.values():
            if isinstance(column, np.ndarray):
                column.flags.writeable = False
        self.count = count
        self._indicators: dict[str, Array] = {}
        self.columns: Mapping[str, Any] = MappingProxyType(dict(columns))
        vars(self).update(
            (name, column) for name, column in columns.items() if name not in ("count", "columns")
        )  # so that a read is a plain attribute

    def sum(self, values: Array, over: str) -> Array:
        """Sum values of the members over those with the same entry of an index column.

        Parameters
        ----------
        values : (runs, ..., members) array.
        over : "cell", "prefecture", "tier", "kind", "domain" or "stage", where the rows have it.

        Returns
        -------
        (runs, ..., entries) array. Members that are sorted into cells are summed cell by cell
        first, so a run's bits depend on nothing beside it.
        """
        if (start := self.columns.get(f"{over}_start")) is not None:
            return np.add.reduceat(values, start, axis=-1)
        axes = self.columns.get("cell_axes", {})
        if over in axes:
            cells = self.sum(values, "cell") if "cell_start" in self.columns else values
            if over == next(iter(axes)):
                return np.asarray(cells.reshape(*cells.shape[:-1], axes[over], -1).sum(axis=-1))
            return np.asarray(cells.reshape(*cells.shape[:-1], -1, axes[over]).sum(axis=-2))
        if over not in self._indicators:
            self._indicators[over] = np.eye(self.groups[over])[self.columns[over]]
        return np.vecmat(np.ascontiguousarray(values), self._indicators[over])

    def __getattr__(self, name: str) -> Any:
        """Refuse a name that is no column, with the nearest one that is."""
        if name == "columns" or name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(f"no column {name!r}; nearest: {nearest(name, self.columns)!r}")


@dataclass(frozen=True)
class NationalPath:
    """National capacity of one kind as published.

    Parameters
    ----------
    year : array of int, (years,)
        Each figure holds at the end of its year.
    capacity : array, (years,)
        PFLOPS in the kind's own precision.
    last_observed : int
        Position of the last figure that is not a forecast.
    """

    year: Index
    capacity: Array
    last_observed: int


def rows_of(columns: Columns) -> Rows:
    """Return columns as rows."""
    return Rows(len(columns["id"]), columns)


def in_order_of_ids(table: Table) -> Columns:
    """Return the columns of a table as arrays and tuples, rows in the order of ids.

    Numbers become float64 (blank: NaN), whole numbers int64, flags bool, the rest tuples.
    """
    dtypes = {"number": float, "integer": np.int64, "flag": bool}
    rows = sorted(range(len(table)), key=table["id"].__getitem__)  # type: ignore[arg-type]
    columns: Columns = {}
    for name, column in read_schema()[table.name].items():
        cells = [table[name][row] for row in rows]
        if column.type in dtypes:
            cells = [np.nan if cell is None else cell for cell in cells]
            columns[name] = np.array(cells, dtype=dtypes[column.type])
        else:
            columns[name] = tuple("" if cell is None else cell for cell in cells)
    return columns


def positions(names: Iterable[str], valid: Sequence[str]) -> Index:
    """Return the place of each name among the valid ones."""
    place = {name: index for index, name in enumerate(valid)}
    return np.array([place[name] for name in names], dtype=np.int64)


def take(columns: Columns, order: Index) -> Columns:
    """Return the columns with rows in a new order, and the order itself as `order`."""
    taken = {
        name: column[order] if isinstance(column, np.ndarray) else tuple(column[i] for i in order)
        for name, column in columns.items()
    }
    return {**taken, "order": order}


def starts(segment: Index, count: int) -> Index:
    """Return where each of `count` segments begins in a sorted column of segment numbers."""
    return np.searchsorted(segment, np.arange(count)).astype(np.int64)


def agents_of(columns: Columns, axes: Axes, *by: str) -> Columns:
    """Return agents sorted by axes, the first one mattering most, ties by id.

    Names in columns called as an axis become places on it; sums can go over these `groups`.
    """
    places = {axis: positions(columns[axis], axes[axis]) for axis in axes if axis in columns}
    order = np.lexsort([places[axis] for axis in reversed(by)]).astype(np.int64)
    groups = {axis: len(axes[axis]) for axis in places}
    return {**take({**columns, **places}, order), "groups": groups}


def in_cells(columns: Columns, axes: Axes, first: str, second: str) -> Columns:
    """Return agents that are sorted by two axes with their `cell`, and where each cell begins."""
    cell = columns[first] * len(axes[second]) + columns[second]
    start = starts(cell, len(axes[first]) * len(axes[second]))
    return {**columns, "cell": cell, "cell_start": start}


def network_of(network: Columns, regions: Sequence[str]) -> Rows:
    """Return the network with its rows in the order of the regions."""
    return rows_of(take(network, np.argsort(positions(network["region"], regions))))


def prefectures_of(prefectures: Columns, tiers: Names) -> Rows:
    """Return prefectures with a mask for each tier."""
    tier = prefectures["tier"]
    return rows_of({**prefectures, **tiers.masks(tier), "groups": {"tier": len(tiers)}})


def workloads_of(workloads: Columns, kinds: Names) -> Rows:
    """Return workloads with `kind` as index, a mask for each kind, and `real_time` as flag."""
    real_time = np.array([name == "real_time" for name in workloads["latency_class"]])
    kind = positions(workloads["kind"], kinds)
    columns = {**workloads, "kind": kind, **kinds.masks(kind), "real_time": real_time}
    return rows_of({**columns, "groups": {"kind": len(kinds)}})


def centres_of(columns: Columns, axes: Axes, prefectures: Rows, kinds: Names, tiers: Names) -> Rows:
    """Return centres sorted by kind and prefecture, with cells and masks."""
    by = "kind", "prefecture"
    columns = agents_of({**columns, "owner": columns["ownership"]}, axes, *by)
    site = _site(columns["prefecture"], columns["kind"], prefectures, kinds, tiers)
    columns = {**in_cells(columns, axes, *by), **site}
    return rows_of({**columns, "cell_axes": {"kind": len(kinds)}})


def cells_of(prefectures: Rows, kinds: Names, tiers: Names) -> Rows:
    """Return the cells that centres stand in, prefectures within kinds, with masks."""
    count = len(kinds) * prefectures.count
    kind, prefecture = np.divmod(np.arange(count), prefectures.count)
    masks = _site(prefecture, kind, prefectures, kinds, tiers)
    axes = {"kind": len(kinds), "prefecture": prefectures.count}
    return Rows(count, {"kind": kind, "prefecture": prefecture, **masks, "cell_axes": axes})


def _site(prefecture: Index, kind: Index, prefectures: Rows, kinds: Names, tiers: Names) -> Columns:
    """Return masks of what stands in a prefecture: kinds, tiers, and whether the hub is there."""
    in_hub = prefectures.hub[prefecture]
    return {**kinds.masks(kind), **tiers.masks(prefectures.tier[prefecture]), "in_hub": in_hub}


def makers_of(columns: Columns, axes: Axes) -> Rows:
    """Return makers sorted by stage and prefecture."""
    columns = agents_of(columns, axes, "stage", "prefecture")
    return rows_of({**columns, "stage_start": starts(columns["stage"], len(axes["stage"]))})


def universities_of(columns: Columns, axes: Axes) -> Rows:
    """Return universities sorted by prefecture, with `knowledge` (domains, universities)."""
    columns = agents_of(columns, axes, "prefecture")
    knowledge = np.stack([columns[f"knowledge_{domain}"] for domain in axes["domain"]])
    return rows_of({**columns, "knowledge": knowledge})


def firms_of(ranges: Columns, firms: Columns, axes: Axes) -> Rows:
    """Return one row a slot, sorted by prefecture and domain, ties by slot number.

    The first slots of a range are taken at the start; named firms take the first of their cell.
    """
    by = "prefecture", "domain"
    ranges = take(ranges, np.argsort(ranges["first_slot"]))
    slots = ranges["slots"]
    within = np.arange(slots.sum()) - np.repeat(np.cumsum(slots) - slots, slots)
    columns = {
        "id": np.repeat(ranges["first_slot"], slots) + within,
        "initial": within < np.repeat(ranges["initial_firms"], slots),
        **{axis: tuple(np.repeat(ranges[axis], slots)) for axis in by},
    }
    columns = in_cells(agents_of(columns, axes, *by), axes, *by)
    named = in_cells(agents_of(firms, axes, *by), axes, *by)
    names = [""] * len(columns["id"])
    for cell in set(named["cell"]):
        free = np.flatnonzero(columns["initial"] & (columns["cell"] == cell))
        for slot, firm in zip(free, np.flatnonzero(named["cell"] == cell), strict=False):
            names[slot] = named["name_en"][firm]
    cell_axes = {axis: len(axes[axis]) for axis in by}
    return rows_of({**columns, "name": tuple(names), "cell_axes": cell_axes})


def province_of(provinces: Columns, prefectures: Columns) -> Rows:
    """Return the province's one row as scalars, with `budget_expenditure` of all levels."""
    row = {name: column[0] for name, column in provinces.items()}
    spent = row["provincial_budget_expenditure"] + prefectures["budget_expenditure"].sum()
    return Rows(1, {**row, "budget_expenditure": spent})


def national_path_of(table: Columns, kinds: Sequence[str]) -> Mapping[str, NationalPath]:
    """Return the published path of each kind, without the years that have no figure."""
    table = take(table, np.argsort(table["year"]))
    paths = {}
    for kind in kinds:
        capacity = PFLOPS_IN_EFLOPS * table[f"{kind}_eflops"]
        there = ~np.isnan(capacity)
        observed = np.flatnonzero(~table["forecast"][there])
        paths[kind] = NationalPath(table["year"][there], capacity[there], int(observed[-1]))
    return MappingProxyType(paths)


def distance_of(latitude: Array, longitude: Array) -> Array:
    """Return great-circle distances between all pairs of places, km (haversine formula)."""
    north, east = np.radians(latitude), np.radians(longitude)
    half_north = np.sin((north[:, None] - north) / 2) ** 2
    half_east = np.sin((east[:, None] - east) / 2) ** 2
    chord = half_north + np.cos(north)[:, None] * np.cos(north) * half_east
    distance: Array = 2 * EARTH_RADIUS * np.arcsin(np.sqrt(np.minimum(chord, 1)))
    distance.flags.writeable = False
    return distance
