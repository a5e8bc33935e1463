"""Results of many runs as one Parquet file, written piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ecosystem.runs.shards import WORDS, renamed

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

GROUP = 2**20
"""Rows from which on a row group of a Parquet file is closed."""


def write_frames(path: Path, frames: Iterable[pd.DataFrame]) -> None:
    """Write tidy frames with the same columns and categories as one Parquet file.

    Parameters
    ----------
    path
        The file.
    frames
        At least one; only those of one row group are in memory at a time.

    Raises
    ------
    OSError
        The file cannot be written.
    ValueError
        A frame has other columns than the first.
    """
    import pyarrow.parquet as pq

    tables = (arrow_table(frame) for frame in frames)
    first = next(tables)
    words = [name for name in first.column_names if name != "value"]
    with (
        renamed(path) as file,
        pq.ParquetWriter(
            file, first.schema, compression="zstd", use_dictionary=words, write_statistics=["value"]
        ) as writer,
    ):
        for group in grouped(first, tables):
            writer.write_table(group, row_group_size=len(group))


def arrow_table(frame: pd.DataFrame) -> pa.Table:
    """Return a tidy frame under the schema of results.

    Text columns are dictionaries of strings, `replicate` and `point` 32-bit integers, `value`
    double precision; the column `period` is there only where the frame has it.
    """
    import pyarrow as pa

    word = pa.dictionary(pa.int32(), pa.string())
    kinds = {**dict.fromkeys(WORDS, word), "value": pa.float64()}
    kinds.update(replicate=pa.int32(), point=pa.int32())
    schema = pa.schema([(name, kinds[name]) for name in frame.columns])
    return pa.Table.from_pandas(frame, schema=schema, preserve_index=False)


def grouped(first: pa.Table, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Give tables joined to row groups: pieces of few rows would each carry all categories."""
    import pyarrow as pa

    held = [first]
    for table in tables:
        if sum(len(one) for one in held) >= GROUP:
            yield pa.concat_tables(held)
            held = []
        held.append(table)
    yield pa.concat_tables(held)
