"""What survives a kill: a run directory that is filled chunk by chunk.

Each chunk of runs becomes a file of the folder `chunks`, called
``<design>-<number>-<digest>.parquet``. The digest is of its content, and the content says which
question it answers: so a chunk is whole and in its place, or known not to be, without a list that
could be lost.
"""

from __future__ import annotations

import json
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ecosystem.inputs.draws import Draws
from ecosystem.inputs.faults import FaultList, InputError
from ecosystem.inputs.fingerprint import changed_files
from ecosystem.runs.directory import (
    ANEW,
    BAD,
    DRAWN,
    KEPT,
    MANIFEST,
    PART,
    PLAN,
    check_plan,
    damaged,
    is_complete,
    is_empty,
    locked,
    plan_of,
    read_json,
    read_plan,
    refuse_unfinished_kin,
    told,
    write_csv,
    write_file,
    write_json,
    write_manifest,
)
from ecosystem.runs.identity import digest
from ecosystem.runs.table import decoded, frame_of, meta_of, one_frame
from ecosystem.runs.task import Task

CHUNKS, FAILED = "chunks", "failed.csv"
NAME = re.compile(r"([0-9a-f]{12})-(\d+)-[0-9a-f]{16}\.parquet")
"""Of a chunk: tag of its design, number, digest. Files of other names are somebody else's."""
DIGITS = 16
"""Hexadecimal digits of a chunk's digest in its name."""
_open: dict[Path, Store] = {}
"""Run directories that this process holds."""


class Store:
    """A run directory that this process holds to fill it.

    Attributes
    ----------
    directory : Path
    files : dict
        SHA-256, by path, of what the user's functions have read.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.files: dict[str, str] = {}

    def found(self, design: str, tasks: Sequence[Task]) -> dict[int, Path]:
        """Return the files of those chunks, by number, that are there and answer their question.

        A file that is not as it was written, or of another question, is set aside. What the runs
        of a chunk have read must be as it was then.
        """
        sound: dict[int, Path] = {}
        for path in chunk_paths(self.directory):
            tag, number = place_of(path)
            if tag != design:
                continue
            meta = None if number in sound or number >= len(tasks) else checked_meta(path)
            if meta and meta["identity"] == tasks[number].identity:
                self.heard(meta["files"])
                sound[number] = path
                continue
            aside = path.with_name(path.name + BAD)
            path.replace(aside)
            words = f"{path}: not as it was written, or of another run; set aside as {aside.name}, "
            warnings.warn(f"{words}and run again where it is missing", stacklevel=2)
        return sound

    def is_listed(self) -> bool:
        """Return whether a manifest lists the chunks that are there, no other, and all is sound."""
        there = {path.name for path in chunk_paths(self.directory)}
        with suppress(InputError, KeyError):
            files = [name.split("/") for name in read_json(self.directory / MANIFEST)["files"]]
            listed = {
                name for *folder, name in files if folder == [CHUNKS] and NAME.fullmatch(name)
            }
            return there == listed and not damaged(self.directory)
        return False

    def heard(self, files: Mapping[str, str]) -> None:
        """Take in what user's functions read; refuse what has changed since other runs read it."""
        new = {path: found for path, found in files.items() if self.files.get(path) != found}
        faults = FaultList()
        for path in changed_files(new).keys() | (new.keys() & self.files.keys()):
            allowed = f"a file as it was when runs of {self.directory} read it; {ANEW}"
            faults.add(path, "changed", allowed)
        faults.raise_if_any()
        self.files |= new

    def keep(self, draws: Draws | None) -> None:
        """Keep a table of draws beside its runs, which could not be run again without it."""
        if draws is not None and not (self.directory / DRAWN).is_file():
            write_file(self.directory / DRAWN, draws.content())

    def write(self, design: str, number: int, content: bytes) -> Path:
        """Write a chunk.

        Raises
        ------
        OSError
            It cannot be written; says how many are there and how to go on.
        """
        folder = self.directory / CHUNKS
        path = folder / f"{design}-{number:05d}-{digest(content)[:DIGITS]}.parquet"
        try:
            folder.mkdir(exist_ok=True)
            write_file(path, content)
        except OSError as error:
            whole = len(chunk_paths(self.directory))
            words = f"{error.strerror or error}; {whole} chunks are whole; {KEPT}"
            raise OSError(error.errno, words, str(path)) from error
        return path

    def failures(self) -> list[dict[str, Any]]:
        """Return the rows of all runs that failed, design by design in the order of runs."""
        return [row for path in chunk_paths(self.directory) for row in failures_of(path)]

    def finish(self, configuration: Mapping[str, Any], command: str, **more: Any) -> None:
        """List failed runs and write the manifest, the last file."""
        known, self.files = self.files, {}
        self.heard(configuration.get("data", {}).get("files", {}))
        self.heard(known)  # once more: all is as it was when the first of the runs read it
        failed = self.failures()
        if failed:
            rows = pd.DataFrame(failed)
            rows["parameters"] = [json.dumps(row["parameters"]) for row in failed]
            write_csv(self.directory / FAILED, rows)
        else:  # what an earlier manifest had listed as failed has ended well
            (self.directory / FAILED).unlink(missing_ok=True)
        write_manifest(
            self.directory, configuration, command, failed=len(failed), read=known, **more
        )


@contextmanager
def opened(directory: Path, configuration: Mapping[str, Any], command: str) -> Iterator[Store]:
    """Give a run directory to fill, held by this process alone until the block ends.

    What an interrupted run left is kept; a directory into which nothing was written is removed
    after an error, and the folders made for it. Designs that are run meanwhile with this directory
    as their `out` keep their chunks in it.

    Raises
    ------
    InputError
        Another process fills it; or it was begun with another configuration, code or data, or
        with other versions of what computes.
    OSError
        The place cannot be written to, where possible found before anything is computed; says
        what is kept.
    """
    made = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    refuse_unfinished_kin(directory, configuration)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with locked(directory):
            try:
                check_plan(directory, configuration)
                if not (directory / PLAN).is_file():
                    write_json(directory / PLAN, plan_of(configuration, command))
                for left in (*directory.glob(f".*{PART}"), *directory.glob(f"*/.*{PART}")):
                    left.unlink()  # of a process that was killed
                store = _open[directory.resolve()] = Store(directory)
                yield store
            except BaseException:
                if directory in made and is_empty(directory):
                    shutil.rmtree(directory, ignore_errors=True)
                raise
            finally:
                _open.pop(directory.resolve(), None)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and not is_empty(directory):
            error.add_note(KEPT)
        for folder in made:
            with suppress(OSError):  # it holds something: of this run, or of another
                folder.rmdir()
        if isinstance(error, ChildProcessError) or isinstance(error, OSError) and error.errno:
            raise told(error, directory) from error
        raise


def held(directory: str | Path) -> Store | None:
    """Return a run directory that this process holds."""
    return _open.get(Path(directory).resolve())


def is_finished(directory: Path) -> bool:
    """Return whether a run directory lacks nothing, and what must be is as it was written.

    Raises
    ------
    InputError
        A file that the user's functions read has changed since.
    """
    try:
        manifest = read_json(directory / MANIFEST) if is_complete(directory) else {}
    except InputError:  # it is written again
        return False
    if not manifest or damaged(directory):
        return False
    Store(directory).heard(manifest.get("read", {}))
    return True


def chunk_paths(directory: str | Path) -> list[Path]:
    """Return the chunks of a run directory, design by design in the order of runs."""
    paths = (Path(directory).expanduser() / CHUNKS).glob("*.parquet")
    return sorted((path for path in paths if NAME.fullmatch(path.name)), key=place_of)


def place_of(path: Path) -> tuple[str, int]:
    """Return the tag of a chunk's design and the chunk's number in it."""
    tag, number, _ = path.name.split("-")
    return tag, int(number)


def checked_meta(path: Path) -> dict[str, Any] | None:
    """Return what a chunk says of itself; None where it is not as it was written."""
    try:
        return meta_of(read_chunk(path).schema)
    except InputError:
        return None


def failures_of(path: Path) -> list[dict[str, Any]]:
    """Return the rows of the runs of a chunk that failed."""
    return meta_of(pq.read_schema(path))["failures"]


def read_chunk(path: Path) -> pa.Table:
    """Return the wide table of a chunk's file.

    Raises
    ------
    InputError
        The content is not what the name says.
    """
    content = path.read_bytes()
    if digest(content)[:DIGITS] != path.stem.rpartition("-")[2]:
        faults = FaultList()
        allowed = "a chunk as it was written; the command that began the run computes it again"
        faults.add(str(path), "content that is not what its name says", allowed)
        faults.raise_if_any()
    return decoded(content)


def read_frames(directory: str | Path, design: str | None = None) -> Iterator[pd.DataFrame]:
    """Give the chunks of a run directory as tidy frames, those of a common past together.

    Warns where the run is not finished, as only some of its chunks are there then, and of runs
    that failed, which are in no frame.

    Parameters
    ----------
    directory
        The run directory.
    design
        Which of its designs, where it holds several, as that of a comparison under shocks does.

    Raises
    ------
    InputError
        There are none, or one is not as it was written.
    """
    paths = chosen_chunks(directory, design)
    _tell_what_is_missing(directory, paths)
    return (frame_of(read_chunk(path)) for path in paths)


def read_frame(directory: str | Path, design: str | None = None) -> pd.DataFrame:
    """Return all chunks of a run directory as one tidy frame; see `read_frames`."""
    paths = chosen_chunks(directory, design)
    _tell_what_is_missing(directory, paths)
    return one_frame(frame_of(read_chunk(path)) for path in paths)


def _tell_what_is_missing(directory: str | Path, paths: Sequence[Path]) -> None:
    """Warn the caller's caller of chunks that are not there, and of runs that failed."""
    if not is_complete(Path(directory).expanduser()):
        words = f"{directory} is not finished: some of its chunks are missing"
        warnings.warn(words, stacklevel=3)
    failed = 0
    for path in paths:
        with suppress(pa.ArrowException, OSError):  # damaged: that is said as it is read
            failed += len(failures_of(path))
    if failed:
        words = "1 run failed and is" if failed == 1 else f"{failed} runs failed and are"
        warnings.warn(f"{words} in no frame, see {FAILED}", stacklevel=3)


def chosen_chunks(directory: str | Path, design: str | None) -> Sequence[Path]:
    """Return the chunks of one design of a run directory."""
    read_plan(Path(directory).expanduser())
    faults, paths = FaultList(), chunk_paths(directory)
    names = list(dict.fromkeys(path.name.partition("-")[0] for path in paths))
    if not paths:
        faults.add("directory", str(directory), "a run directory with chunks")
    elif design is not None:
        faults.name("design", design, names)
    elif len(names) > 1:
        faults.add("design", None, f"one of the several that it holds: {', '.join(names)}")
    faults.raise_if_any()
    return [path for path in paths if path.name.startswith(design or names[0])]
