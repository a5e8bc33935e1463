"""What came of a chunk as a wide table, as a Parquet file, and as a tidy frame on request.

A wide table has a row a run and period and a column an outcome, or entry of one such as
``servers/intelligent``; beside them stand what names the run and the parameter values of its
point. Runs that failed have no numbers. The metadata hold the question, so that a file can be
read, and run again, without any other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ecosystem.inputs.catalogue import outcomes as outcome_table
from ecosystem.inputs.catalogue import tiers
from ecosystem.inputs.world.loader import World, load_world
from ecosystem.maths.arrays import Array
from ecosystem.runs.chunk import periods
from ecosystem.runs.design import scenario_name, shock_label
from ecosystem.runs.task import Kept, Piece, Task

META = b"ecosystem"
DIMENSIONS = ("region", "tier", "kind", "domain")
GIVEN = "parameters."
"""How the columns of parameter values begin."""
Entries = Mapping[str, tuple[str, Sequence[str]]]
"""Column that an outcome's entries belong to, and their names, by outcome."""


def outcome_entries(world: World, outcome: str) -> tuple[str, tuple[str, ...]]:
    """Return the column that an outcome's entries belong to in a world, and their names."""
    dimension = outcome_table()[outcome].dimension
    names: dict[str, tuple[str, ...]] = {
        "": ("",),
        "tier": tuple(row.title_en for row in tiers().values()),
        "kind": tuple(world.kinds),
        "region": tuple(world.regions.region),
        "domain": tuple(world.domains.domain),
        "prefecture": tuple(world.prefectures.prefecture),
    }
    column = "region" if dimension == "prefecture" else dimension
    return column, names[dimension]


@lru_cache(maxsize=64)
def known_entries(world: str, digest: str, outcomes: tuple[str, ...]) -> Entries:
    """Return `outcome_entries` by outcome for a world of this digest."""
    return {name: outcome_entries(load_world(world), name) for name in outcomes}


def entries_of(task: Task, piece: Piece) -> Entries:
    """Return the entries of the outcomes of a chunk; those of a user's own model have none."""
    if task.plan.model is None:
        return known_entries(task.plan.world, task.plan.world_digest, task.plan.outcomes)
    return {name: ("", ("",)) for name in piece.values.get("end", ())}


def keys_of(task: Task) -> pd.DataFrame:
    """Return what names the runs of a chunk, a row a run."""
    return pd.DataFrame(
        {
            "run": task.runs.astype(np.int64),
            "scenario": scenario_name(task.scenario),
            "shock": shock_label(task.scenario),
            "replicate": task.replicate.astype(np.int64),
            "point": task.point.astype(np.int64),
        }
    )


def wide(task: Task, piece: Piece) -> pa.Table:
    """Return what came of a chunk as a wide table, ordered by kind, run and period."""
    entries = entries_of(task, piece)
    labels = {kind: periods(kind, task.plan.until) for kind in task.plan.keep}
    place = np.searchsorted(task.runs, piece.runs)
    count = len(task)
    rows = np.concatenate([np.repeat(np.arange(count), len(names)) for names in labels.values()])
    period = pa.array(np.concatenate([list(names) * count for names in labels.values()]))
    columns: dict[str, Any] = {
        str(name): word(keys.iloc[0], len(rows))
        if name in ("scenario", "shock")
        else keys.values[rows]
        for name, keys in keys_of(task).items()
    }
    columns |= {GIVEN + name: values[rows] for name, values in task.values.items()}
    columns["period"] = period.dictionary_encode()
    for outcome, (_, names) in entries.items():
        blocks = []
        for kind, given in labels.items():
            block = np.full((count, len(given), len(names)), np.nan)
            if kind in piece.values:
                block[place] = piece.values[kind][outcome]
            blocks.append(block.reshape(-1, len(names)))
        values = np.concatenate(blocks)
        columns |= {f"{outcome}/{name}".rstrip("/"): values[:, i] for i, name in enumerate(names)}
    meta = {
        "identity": task.identity,
        "question": json.loads(task.question),
        "outcomes": {name: [column, list(names)] for name, (column, names) in entries.items()},
        "periods": labels,
        "failures": piece.failures,
        "files": piece.files,
    }
    words = json.dumps(meta, ensure_ascii=False)
    return pa.table(columns).replace_schema_metadata({META: words.encode()})


def word(text: str, rows: int) -> pa.DictionaryArray:
    """Return a column that says the same in every row."""
    return pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), pa.array([text]))


def encoded(table: pa.Table) -> bytes:
    """Return a table as the content of a Parquet file."""
    sink = pa.BufferOutputStream()
    words = [name for name in table.column_names if table.schema.field(name).type != pa.float64()]
    words += [name for name in table.column_names if name.startswith(GIVEN)]
    # least and most of every page would take half of the time
    pq.write_table(table, sink, compression="zstd", use_dictionary=words, write_statistics=False)
    return sink.getvalue().to_pybytes()


def decoded(content: bytes) -> pa.Table:
    """Return the table of a Parquet file's content.

    Arrow reads its own buffer in this thread: where its threads call back into Python, Ctrl-C at
    that moment is lost or ends the process without a word.
    """
    file = pq.ParquetFile(pa.BufferReader(content), pre_buffer=False)
    return file.read(use_threads=False)


def meta_of(schema: pa.Schema) -> dict[str, Any]:
    """Return question, outcomes, periods, failures and files of a wide table of this schema."""
    return json.loads((schema.metadata or {})[META])


def piece_of(table: pa.Table) -> Piece:
    """Return what came of a chunk from its wide table: the inverse of `wide`."""
    meta = meta_of(table.schema)
    runs = runs_of(table, "run")
    failed = [row["run"] for row in meta["failures"]]
    good, start = ~np.isin(runs, failed), 0
    values: Kept = {}
    for kind, names in meta["periods"].items() if good.any() else ():
        part = table.slice(start, len(runs) * len(names))
        start += len(part)
        values[kind] = {
            outcome: np.stack(
                [part.column(f"{outcome}/{entry}".rstrip("/")).to_numpy() for entry in entries], -1
            ).reshape(len(runs), len(names), len(entries))[good]
            for outcome, (_, entries) in meta["outcomes"].items()
        }
    return Piece(runs[good], values, tuple(meta["failures"]), meta["files"])


def runs_of(table: pa.Table, column: str) -> Any:
    """Return one value a run out of a column of a wide table."""
    each = len(next(iter(meta_of(table.schema)["periods"].values())))
    count = len(table) // sum(map(len, meta_of(table.schema)["periods"].values()))
    return table.column(column).slice(0, count * each).to_numpy()[::each]


def frame_of(table: pa.Table) -> pd.DataFrame:
    """Return a wide table as a tidy frame."""
    meta = meta_of(table.schema)
    keys = {name: runs_of(table, name) for name in ("run", "replicate", "point")}
    words = {name: table.column(name)[0].as_py() for name in ("scenario", "shock")}
    frame = pd.DataFrame(keys | words)[["run", "scenario", "shock", "replicate", "point"]]
    return tidy(frame, piece_of(table), meta["outcomes"], meta["periods"])


def tidy_of(task: Task, piece: Piece) -> pd.DataFrame:
    """Return what came of a chunk as a tidy frame."""
    labels = {kind: periods(kind, task.plan.until) for kind in task.plan.keep}
    return tidy(keys_of(task), piece, entries_of(task, piece), labels)


def tidy(
    keys: pd.DataFrame, piece: Piece, entries: Entries, labels: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """Return values as a tidy frame, ordered by kind, outcome, run, period and entry.

    Parameters
    ----------
    keys
        What names each run, a row a run; its text columns become categories.
    piece
        Runs, a number each out of `keys`' column run, and values (runs, periods, entries).
    entries, labels
        Entries by outcome, and periods by kind.

    Returns
    -------
    DataFrame
        The columns of `keys`, then period (an ordered category), outcome, region, tier, kind,
        domain and value.
    """
    words = sorted({name for _, names in entries.values() for name in names} | {""})
    code = {name: place for place, name in enumerate(words)}
    every = [label for names in labels.values() for label in names]
    first = dict(zip(labels, np.cumsum([0, *map(len, labels.values())]), strict=False))
    rows, values = list[Any](), list[Array]()
    codes: dict[str, list[Any]] = {name: [] for name in ("period", "outcome", *DIMENSIONS)}
    for kind, found in piece.values.items():
        for outcome, block in found.items():
            runs, quarters, parts = block.shape
            column, names = entries[outcome]
            rows.append(np.repeat(np.arange(runs, dtype=np.int32), quarters * parts))
            time = np.arange(first[kind], first[kind] + quarters, dtype=np.int32)
            codes["period"].append(np.tile(np.repeat(time, parts), runs))
            place = list(entries).index(outcome)
            codes["outcome"].append(np.full(block.size, place, np.int32))
            part = np.tile(np.array([code[name] for name in names], np.int32), runs * quarters)
            for name in DIMENSIONS:
                empty = np.full(block.size, code[""], np.int32)
                codes[name].append(part if name == column else empty)
            values.append(block.reshape(-1))
    row = np.concatenate([np.zeros(0, np.int32), *rows])
    named = keys.iloc[np.searchsorted(keys["run"], piece.runs)] if "run" in keys else keys
    columns: dict[str, Any] = {}
    for name in map(str, named):
        text = not pd.api.types.is_numeric_dtype(named[name].dtype)
        one = category(named[name]) if text else named[name].to_numpy()
        columns[name] = one.take(row)
    categories = {"period": every, "outcome": list(entries)} | dict.fromkeys(DIMENSIONS, words)
    for name, blocks in codes.items():
        joined = np.concatenate([np.zeros(0, np.int32), *blocks])
        ordered = name == "period"
        columns[name] = pd.Categorical.from_codes(joined, pd.Index(categories[name]), ordered)
    columns["value"] = np.concatenate([np.zeros(0), *values])
    return pd.DataFrame(columns)


def category(column: Any) -> pd.Categorical:
    """Return text as categories in the order in which they come."""
    return pd.Categorical(column, categories=pd.Index(dict.fromkeys(column), dtype=str))


def one_frame(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Return tidy frames as one, in the order of their runs, with the categories of all."""
    found = sorted(frames, key=lambda frame: frame["run"].iloc[0] if len(frame) else -1)
    for name in found[0].columns:
        if isinstance(found[0][name].dtype, pd.CategoricalDtype):
            ordered = found[0][name].cat.ordered
            every = dict.fromkeys(word for frame in found for word in frame[name].cat.categories)
            kind = pd.CategoricalDtype(pd.Index(every), ordered)
            found = [frame.assign(**{name: frame[name].astype(kind)}) for frame in found]
    return pd.concat(found, ignore_index=True)
