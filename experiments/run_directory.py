"""Files of a run directory beside its shards, and what names it; see `ecosystem.ensemble`."""

from __future__ import annotations

import importlib.resources
from pathlib import Path
from typing import TYPE_CHECKING

from ecosystem.ensemble.directory import damaged, is_complete, opened, write_manifest
from ecosystem.ensemble.identity import (
    configuration_hash,
    digest,
    folder_digest,
    model_digests,
    plain,
    versions,
)
from ecosystem.ensemble.shards import encoded, write_file

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "configuration_hash",
    "damaged",
    "data_digests",
    "is_complete",
    "is_finished",
    "opened",
    "plain",
    "versions",
    "write_csv",
    "write_manifest",
    "write_parquet",
    "write_text",
]

TEXT_COLUMNS = ("scenario", "shock", "period", "outcome", "region", "tier", "kind", "domain")


def data_digests() -> dict[str, str]:
    """Return what a run depends on besides configuration and world: tables, packages and code."""
    model = model_digests()
    own = folder_digest(importlib.resources.files("experiments"), (".py",))
    code = digest([("ecosystem", model["code"].encode()), ("experiments", own.encode())])
    return {**model, "code": code}


def is_finished(directory: Path) -> bool:
    """Return whether a run directory lacks nothing and every shard in it is as it was written."""
    return is_complete(directory) and not damaged(directory)


def write_text(path: Path, words: str) -> None:
    """Write a text under a temporary name and rename it."""
    write_file(path, words.encode())


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a frame as CSV that spreadsheets open with its Chinese intact (UTF-8 with a mark)."""
    write_file(path, frame.to_csv(index=False, lineterminator="\n").encode("utf-8-sig"))


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Write a tidy result frame under the one schema that all shards of a run share.

    Text columns are dictionaries of strings, `replicate` and `point` 32-bit integers, `value`
    double precision; the column `period` is there only where the frame has it.
    """
    import pyarrow as pa

    word = pa.dictionary(pa.int32(), pa.string())
    kinds = {**dict.fromkeys(TEXT_COLUMNS, word), "value": pa.float64()}
    kinds.update(replicate=pa.int32(), point=pa.int32())
    schema = pa.schema([(name, kinds[name]) for name in frame.columns])
    write_file(path, encoded(pa.Table.from_pandas(frame, schema=schema, preserve_index=False)))
