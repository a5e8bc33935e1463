"""Shards: what came of a chunk as a tidy table, as Parquet, and as a file that proves itself.

A shard file is called ``00012-<digest>.parquet``; the digest is of the run that it belongs to, its
number and its content, so that a shard is whole and in its place or known not to be, without a
list that could be lost. Failed runs stand in its metadata.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from ecosystem.inputs.faults import FaultList
from ecosystem.inputs.world.loader import load_world
from ecosystem.runs.chunks import Kept, Piece, Task, periods, run_task
from ecosystem.runs.design import scenario_name, shock_label
from ecosystem.runs.result import DIMENSIONS, outcome_entries

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

FAILED = b"failed"
COLUMNS = ("run", "scenario", "shock", "replicate", "point", "period", "outcome", *DIMENSIONS)
WORDS = ("scenario", "shock", "period", "outcome", *DIMENSIONS)
DIGITS = 16
"""Hexadecimal digits of a shard's digest in its name."""
BAD, PART = ".corrupt", ".part"
"""Endings of a shard that was set aside, and of a file that is being written."""


def work(task: Task, piece: Piece | None = None) -> bytes:
    """Run a chunk and return its shard; what a worker does (`run_task`)."""
    return encoded(tidy(task, run_task(task, piece)))


def entries_of(task: Task, outcome: str) -> tuple[str, tuple[str, ...]]:
    """Return the column that an outcome's entries belong to, and their names."""
    if task.plan.model is not None:
        return "", ("",)
    return known_entries(task.plan.world, task.plan.world_digest, outcome)


@lru_cache(maxsize=1024)
def known_entries(world: str, digest: str, outcome: str) -> tuple[str, tuple[str, ...]]:
    """Return `entries_of` for a world with this digest."""
    return outcome_entries(load_world(world), outcome)


class Columns:
    """Columns of a tidy table as they grow; words are kept as codes."""

    def __init__(self) -> None:
        self.parts: dict[str, list[Any]] = {name: [] for name in (*COLUMNS, "value")}
        self.words: dict[str, list[str]] = {name: [] for name in WORDS}

    def codes(self, column: str, names: Sequence[str]) -> np.ndarray:
        """Return the codes of words in a column; new words get new codes."""
        known = self.words[column]
        known += [name for name in names if name not in known]
        return np.array([known.index(name) for name in names], dtype=np.int32)

    def add(self, task: Task, piece: Piece, kind: str, outcome: str) -> None:
        """Add the values of one outcome, (runs, periods, entries), with all that names them."""
        value = piece.values[kind][outcome]
        runs, quarters, entries = value.shape
        dimension, names = entries_of(task, outcome)
        row = np.repeat(np.searchsorted(task.runs, piece.runs), quarters * entries)
        time = self.codes("period", periods(kind, task.plan.until))
        block = {
            "run": task.runs[row].astype(np.int32),
            "replicate": task.replicate[row],
            "point": task.point[row],
            "period": np.tile(np.repeat(time, entries), runs),
            "value": value.reshape(-1),
        }
        same = {"scenario": scenario_name(task.scenario), "shock": shock_label(task.scenario)}
        same |= {"outcome": outcome, **dict.fromkeys(DIMENSIONS, "")}
        for column, word in same.items():
            if column == dimension:
                block[column] = np.tile(self.codes(column, names), runs * quarters)
            else:
                block[column] = np.repeat(self.codes(column, [word]), value.size)
        for column, part in block.items():
            self.parts[column].append(part)

    def table(self) -> pa.Table:
        """Return what has been added as a table."""
        import pyarrow as pa

        columns = {}
        for name, parts in self.parts.items():
            empty = np.zeros(0, np.float64 if name == "value" else np.int32)
            columns[name] = pa.array(np.concatenate([empty, *parts]))
            if name in self.words:
                words = pa.array(self.words[name], pa.string())
                columns[name] = pa.DictionaryArray.from_arrays(columns[name], words)
        return pa.table(columns)


def tidy(task: Task, piece: Piece) -> pa.Table:
    """Return a chunk's values as a tidy table, ordered by kind, outcome, run, period, entry."""
    columns = Columns()
    for kind, values in piece.values.items():
        for outcome in values:
            columns.add(task, piece, kind, outcome)
    failed = json.dumps(piece.failures, ensure_ascii=False)
    return columns.table().replace_schema_metadata({FAILED: failed.encode()})


def encoded(table: pa.Table) -> bytes:
    """Return a table as the content of a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    words = [name for name in table.column_names if name != "value"]
    numbers = [name for name in table.column_names if name == "value"]
    sink = pa.BufferOutputStream()
    # least and most of every page of words would take half of the time
    pq.write_table(table, sink, compression="zstd", use_dictionary=words, write_statistics=numbers)
    return sink.getvalue().to_pybytes()


def decoded(content: bytes) -> pa.Table:
    """Return the table of a shard's content.

    Arrow reads its own buffer in this thread: where its threads call back into Python, Ctrl-C at
    that moment is lost or ends the process without a word.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(pa.BufferReader(content), pre_buffer=False)
    return file.read(use_threads=False)


def frame_of(table: pa.Table) -> pd.DataFrame:
    """Return a shard's table as a frame; text columns are categories."""
    return table.to_pandas(use_threads=False)


def failures_of(schema: pa.Schema) -> list[dict[str, Any]]:
    """Return the rows of the runs that failed in a shard of this schema."""
    return json.loads((schema.metadata or {}).get(FAILED, b"[]"))


def piece_of(task: Task, table: pa.Table) -> Piece:
    """Return what came of a chunk from its table: the inverse of `tidy`."""
    failures = tuple(failures_of(table.schema))
    runs = np.setdiff1d(task.runs, [row["run"] for row in failures])
    value, start = table.column("value").to_numpy(), 0
    values: Kept = {}
    # those of a model of one's own stand in the table alone
    outcomes = task.plan.outcomes or table.column("outcome").unique().to_pylist()
    for kind in task.plan.keep if len(runs) else ():
        quarters, values[kind] = len(periods(kind, task.plan.until)), {}
        for outcome in outcomes:
            shape = len(runs), quarters, len(entries_of(task, outcome)[1])
            stop = start + int(np.prod(shape))
            values[kind][outcome] = value[start:stop].reshape(shape)
            start = stop
    return Piece(runs, values, failures)


def shard_name(owner: str, number: int, content: bytes) -> str:
    """Return the name of a shard's file; `owner` is the hash of the run that it belongs to."""
    digest = hashlib.sha256(f"{owner} {number} ".encode() + content).hexdigest()
    return f"{number:05d}-{digest[:DIGITS]}.parquet"


def number_of(path: Path) -> int:
    """Return the number of a shard from the name of its file; -1 where it is no shard."""
    number = path.name.partition("-")[0]
    return int(number) if number.isdecimal() else -1


def write_file(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it (`renamed`)."""
    with renamed(path) as file:
        file.write(content)


@contextmanager
def renamed(path: Path) -> Iterator[IO[bytes]]:
    """Give a file under a temporary name to write to; after an error nothing is left of it.

    Raises
    ------
    OSError
        It cannot be written; with its path.
    """
    part = path.with_name(f".{path.name}{PART}")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error
        raise


def is_sound(path: Path, owner: str) -> bool:
    """Return whether a shard of this run has the number and content that its name says."""
    return shard_name(owner, number_of(path), path.read_bytes()) == path.name


def read_shard(path: Path, owner: str) -> pa.Table:
    """Return the table of a shard's file.

    Raises
    ------
    InputError
        The content is not what the name says, or the shard is not of this run.
    """
    content = path.read_bytes()
    if shard_name(owner, number_of(path), content) != path.name:
        faults = FaultList()
        faults.add(
            str(path), "content that is not what its name says", "a shard of this run as it was "
            "written; the command that began the run computes it again",
        )  # fmt: skip
        faults.raise_if_any()
    return decoded(content)
