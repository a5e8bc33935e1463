"""Texts and tables as files that are whole or not there, and tables read as they were written."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ecosystem.runs.directory import renamed, write_file


def write_text(path: Path, words: str) -> None:
    """Write a text under a temporary name and rename it."""
    write_file(path, words.encode())


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a frame as CSV that spreadsheets open with its Chinese intact (UTF-8 with a mark)."""
    with renamed(path) as file:  # without a second copy of it as text
        frame.to_csv(file, index=False, lineterminator="\n", encoding="utf-8-sig", mode="wb")


def read_csv(path: Path) -> pd.DataFrame:
    """Return a table of ours as text: a package called NA, null or 007 keeps its name."""
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
