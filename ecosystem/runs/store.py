"""The shards of one design in a run directory: which are there, missing, or bad."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecosystem.inputs.faults import FaultList, InputError
from ecosystem.runs import directory as directories
from ecosystem.runs.design import Design
from ecosystem.runs.identity import configuration_hash
from ecosystem.runs.shards import (
    BAD,
    decoded,
    encoded,
    failures_of,
    is_sound,
    number_of,
    shard_name,
    write_file,
)

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

SHARDS, FAILED = "shards", "failed.csv"


class Store:
    """A run directory that is filled with shards.

    Parameters
    ----------
    directory
        The run directory.
    configuration
        What it is for.
    command
        Command line or words that repeat the run.
    count
        Number of shards when all are there.
    """

    def __init__(
        self, directory: Path, configuration: Mapping[str, Any], command: str, count: int
    ) -> None:
        self.directory, self.configuration = directory, configuration
        self.command, self.count = command, count
        self.owner = configuration_hash(configuration)
        self.found: dict[int, Path] = {}

    @contextmanager
    def opened(self, design: Design) -> Iterator[None]:
        """Hold the directory, with the shards that it has already looked up and checked."""
        with directories.opened(self.directory, self.configuration, self.command):
            folder = self.directory / SHARDS
            folder.mkdir(exist_ok=True)
            for name, table in design_tables(design).items():
                if not holds(self.directory / name, table):
                    write_file(self.directory / name, encoded(table))
            self.look()
            yield

    def look(self) -> None:
        """Find the shards that are there; set aside those that are not as they were written.

        Or of another run, or there twice.
        """
        self.found = {}
        for path in sorted((self.directory / SHARDS).glob("*.parquet")):
            number = number_of(path)
            if number not in self.found and is_sound(path, self.owner):
                self.found[number] = path
            else:
                aside = path.with_name(path.name + BAD)
                path.replace(aside)
                words = f"{path}: not as it was written, or of another run; set aside as "
                words += f"{aside.name}, and run again where it is missing"
                warnings.warn(words, stacklevel=2)

    def write(self, number: int, content: bytes) -> Path:
        """Write a shard.

        Raises
        ------
        OSError
            It cannot be written; says how many are there and how to go on.
        """
        path = self.directory / SHARDS / shard_name(self.owner, number, content)
        try:
            write_file(path, content)
        except OSError as error:
            words = (
                f"{error.strerror or error}; {len(self.found)} of {self.count} shards are whole; "
                f"what is written {directories.KEPT}"
            )
            raise OSError(error.errno, words, str(path)) from error
        self.found[number] = path
        return path

    def finish(self, runs: int) -> None:
        """List failed runs and write the manifest, unless nothing has changed since it was."""
        names = {f"{SHARDS}/{path.name}" for path in self.found.values()}
        if names == self.listed():
            return
        failed = self.failures()
        if failed:
            table = failed_table(failed).to_csv(index=False, lineterminator="\n")
            write_file(self.directory / FAILED, ("\ufeff" + table).encode())
        else:  # what an earlier manifest had listed as failed has ended well
            (self.directory / FAILED).unlink(missing_ok=True)
        directories.write_manifest(
            self.directory, self.configuration, self.command, runs=runs, failed=len(failed)
        )

    def listed(self) -> set[str]:
        """Return the shards that the manifest lists; empty where it is missing or unreadable."""
        with suppress(InputError):
            files = directories.read_json(self.directory / directories.MANIFEST)["files"]
            return {name for name in files if name.startswith(SHARDS)}
        return set()

    def failures(self) -> list[dict[str, Any]]:
        """Return the rows of all runs that failed, in the order of runs."""
        import pyarrow.parquet as pq

        rows = [
            row
            for number in sorted(self.found)
            for row in failures_of(pq.read_schema(self.found[number]))
        ]
        return sorted(rows, key=lambda row: row["run"])


def failed_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return failed runs as a frame; parameter values as JSON."""
    import pandas as pd

    words = [json.dumps(row["parameters"]) for row in rows]
    return pd.DataFrame(rows).assign(parameters=words)


def design_tables(design: Design) -> dict[str, pa.Table]:
    """Return a design as tables by file name: a row a run, and a row a point, in their order."""
    import pyarrow as pa

    runs = {"scenario": design.scenario, "point": design.point, "replicate": design.replicate}
    tables = {directories.DESIGN: pa.table(runs)}
    if design.points:
        tables[directories.POINTS] = pa.table(dict(design.points))
    return tables


def holds(path: Path, table: pa.Table) -> bool:
    """Return whether a file is there and holds this table."""
    with suppress(OSError, ValueError):  # Arrow's errors of what it cannot read are these
        return bool(decoded(path.read_bytes()).equals(table))
    return False


def stored_design(directory: Path, scenarios: tuple[Any, ...]) -> Design:
    """Return the design of a run directory.

    Parameters
    ----------
    directory
        The run directory.
    scenarios
        The scenarios of the design, as the plan has them.

    Raises
    ------
    InputError
        It cannot be read.
    """

    def columns(name: str) -> dict[str, Any]:
        faults = FaultList()
        try:
            table = decoded((directory / name).read_bytes())
            return {column: table.column(column).to_numpy() for column in table.column_names}
        except (OSError, ValueError) as error:
            allowed = "the table as it was written; the command that began the run writes it again"
            faults.add(str(directory / name), f"{type(error).__name__}: {error}", allowed)
        raise InputError(faults.faults)

    runs, points = columns(directories.DESIGN), {}
    if (directory / directories.POINTS).is_file():
        points = columns(directories.POINTS)
    return Design(scenarios, runs["scenario"], runs["point"], runs["replicate"], points)


def shard_paths(directory: Path | str) -> list[Path]:
    """Return the shards of a run directory in the order of the design.

    Raises
    ------
    InputError
        It is no run directory, has no shards, or one of them twice.
    """
    paths = sorted((Path(directory) / SHARDS).glob("*.parquet"), key=number_of)
    faults = FaultList()
    if not paths:
        faults.add("directory", str(directory), "a run directory with a folder of shards")
    for one, other in pairwise(paths):
        if number_of(one) == number_of(other):
            allowed = "one shard of a number; the command that began the run sets the other aside"
            faults.add(str(other), f"number {number_of(one)} is there twice", allowed)
    faults.raise_if_any()
    return paths


def warn_if_unfinished(directory: Path | str) -> None:
    """Warn who reads a run directory of which shards are missing."""
    if not directories.is_complete(Path(directory)):
        words = f"{directory} is not finished: some of its shards are missing"
        warnings.warn(words, stacklevel=3)
