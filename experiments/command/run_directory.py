"""Files of a run directory beside its shards, and what names it; see `ecosystem.runs`."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

from ecosystem.inputs.faults import InputError
from ecosystem.runs.directory import damaged, is_complete, opened, write_manifest
from ecosystem.runs.identity import (
    configuration_hash,
    digest,
    folder_digest,
    model_digests,
    plain,
    versions,
)
from experiments.report.files import read_csv, write_csv, write_text

__all__ = [
    "configuration_hash",
    "damaged",
    "data_digests",
    "is_complete",
    "is_finished",
    "opened",
    "plain",
    "read_csv",
    "versions",
    "write_csv",
    "write_manifest",
    "write_text",
]


def data_digests() -> dict[str, str]:
    """Return what a run depends on besides configuration and world: tables, packages and code."""
    model = model_digests()
    own = folder_digest(importlib.resources.files("experiments"), (".py",))
    code = digest([("ecosystem", model["code"].encode()), ("experiments", own.encode())])
    return {**model, "code": code}


def is_finished(directory: Path) -> bool:
    """Return whether a run directory lacks nothing, and what must be is as it was written."""
    try:
        return is_complete(directory) and not damaged(directory)
    except InputError:  # of the manifest: it is written again
        return False
