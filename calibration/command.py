"""What a command that makes a record has in common with the others: print, write if asked to."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]


def record_command(
    program: str,
    about: str,
    record: Path,
    measured: Callable[[], pd.DataFrame],
    arguments: Sequence[str] | None = None,
    digits: int = 6,
) -> None:
    """Measure, print the table, and with ``--write`` keep it in the record.

    Parameters
    ----------
    program, about
        How the command is called, and what it does.
    record
        File of the record, in a checkout.
    measured
        Makes the table.
    arguments
        Words of the command line; those of the process by default.
    digits
        Significant digits that the record keeps.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=about)
    words = f"also write {record.relative_to(ROOT)}; then run python -m docs.make"
    parser.add_argument("--write", action="store_true", help=words)
    given = parser.parse_args(arguments)
    if given.write and not (ROOT / "docs").is_dir():
        parser.error("--write needs a checkout: there is no docs/ beside calibration/")
    found = measured()
    print(found.to_string(index=False, float_format="%.4g", na_rep=""))
    if given.write:
        found.to_csv(record, index=False, float_format=f"%.{digits}g", lineterminator="\n")
