"""Run directories: a plan that is written first, a manifest that is written last, and a lock.

`plan.json` says what the directory is for, `manifest.json` lists every file. Files are written
under a temporary name and renamed. The lock, which no dead process can hold, keeps a second
process out.
"""

from __future__ import annotations

import json
import os
import socket
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import pandas as pd
from filelock import FileLock, Timeout

from ecosystem.inputs.faults import FaultList, InputError
from ecosystem.runs.identity import (
    COMPUTING,
    MACHINE,
    commit,
    digest,
    plain,
    short_digest,
    versions,
)

FORMAT = 2
"""Of run directories and their files; the first kept tidy tables in a folder called shards."""
PLAN, MANIFEST, LOCK, HOLDER = "plan.json", "manifest.json", ".lock", ".holder"
DRAWN = "draws.parquet"
"""The table of draws that its runs have their rows of."""
BAD, PART = ".corrupt", ".part"
"""Endings of a chunk that was set aside, and of a file that is being written."""
CHECKED = (".json", ".txt", ".parquet")
"""Endings of files that must be as they were written; tables and figures may be edited."""
KEPT = "what is written is kept, and the same command goes on from there"
ANEW = "begin anew in another folder (--out)"


def is_complete(directory: Path) -> bool:
    """Return whether a run directory holds a finished run; its manifest is written last."""
    return (directory / MANIFEST).is_file()


def damaged(directory: Path) -> list[Path]:
    """Return the files of a finished run that are missing, or that must be as written and are not.

    Raises
    ------
    InputError
        The manifest cannot be read.
    """

    def sound(path: Path, known: str) -> bool:
        if not path.is_file():
            return False
        return path.suffix not in CHECKED or digest(path.read_bytes()) == known

    listed = read_json(directory / MANIFEST)["files"].items()
    return [directory / name for name, known in listed if not sound(directory / name, known)]


def plan_of(configuration: Mapping[str, Any], command: str) -> dict[str, Any]:
    """Return what is written before anything is run."""
    return {
        "format": FORMAT,
        "hash": short_digest(configuration),
        "command": command,
        "folder": os.getcwd(),
        "commit": commit(),
        "configuration": plain(configuration),
        "versions": versions(),
    }


def check_plan(directory: Path, configuration: Mapping[str, Any]) -> None:
    """Raise InputError where the directory was begun as another run; warn on another machine."""
    path = directory / PLAN
    if not path.is_file():
        return
    plan, faults, now = read_plan(directory), FaultList(), versions()
    if plan.get("hash") != short_digest(configuration):
        for key in different(plan.get("configuration", {}), plain(configuration)) or ["hash"]:
            faults.add(f"{path}: {key}", "another than now", "the run that the directory is for")
    for name in COMPUTING:
        if plan.get("versions", {}).get(name) != now[name]:
            allowed = f"{now[name]}, which is here now; go on with the version the run began "
            allowed += f"with, or {ANEW}"
            faults.add(f"{path}: versions.{name}", plan.get("versions", {}).get(name), allowed)
    faults.raise_if_any()
    before = plan.get("versions", {}).get(MACHINE)
    if before != now[MACHINE] and not is_complete(directory):
        words = f"{path}: begun on another kind of machine ({before}; here {now[MACHINE]}): what "
        words += "is run from now on may differ from a run on one machine in its last digits"
        warnings.warn(words, stacklevel=2)


def different(before: Any, now: Any, place: str = "configuration") -> list[str]:
    """Return the dotted places at which two JSON contents differ."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return [
            found
            for key in dict.fromkeys([*before, *now])
            for found in different(before.get(key), now.get(key), f"{place}.{key}")
        ]
    return [] if before == now else [place]


def refuse_unfinished_kin(directory: Path, configuration: Mapping[str, Any]) -> None:
    """Raise InputError where this run was begun with other code or data and is not finished.

    Nothing of it may be mixed with what is run now, and nothing of it is lost. A neighbour that
    cannot be read, or that is being removed, is not this run's matter.
    """
    faults = FaultList()
    wanted = {key: value for key, value in plain(configuration).items() if key != "data"}
    for path in sorted(directory.parent.glob(f"*/{PLAN}")) if directory.parent.is_dir() else []:
        kin = path.parent
        if kin == directory or is_complete(kin):
            continue
        try:
            found = dict(read_plan(kin)["configuration"])
        except (InputError, LookupError, TypeError, ValueError):
            continue
        if {key: value for key, value in found.items() if key != "data"} == wanted:
            places = different(found.get("data"), plain(configuration).get("data"), "data")
            what = f"begun with other {', '.join(places)} and not finished"
            allowed = "finishing it with what it was begun with; or removing it, or another folder "
            faults.add(str(kin), what, allowed + "(--out), to begin anew")
    faults.raise_if_any()


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock; the system gives it back when the process ends, however it ends.

    Raises
    ------
    InputError
        Another process holds it.
    """
    holder = directory / HOLDER
    try:
        with FileLock(directory / LOCK, timeout=0):
            holder.write_text(f"process {os.getpid()} on {socket.gethostname()}", "utf-8")
            yield
            holder.unlink(missing_ok=True)
    except Timeout:
        words = "another process"
        with suppress(OSError):
            words = holder.read_text("utf-8")
        faults = FaultList()
        allowed = "no other process in it: wait until that ends, or stop it"
        faults.add(str(directory), f"in use by {words}", allowed)
        raise InputError(faults.faults) from None


def told(error: OSError, directory: Path) -> OSError:
    """Return an error of writing or of workers that says what is kept, where anything is."""
    words = error.strerror or str(error)
    if directory.exists() and KEPT not in words:
        words = f"{words}; {KEPT}"
    if isinstance(error, ChildProcessError):
        return ChildProcessError(words)
    return OSError(error.errno, words, error.filename or str(directory))


def is_empty(directory: Path) -> bool:
    """Return whether a directory holds no result."""
    own = (PLAN, LOCK, HOLDER, DRAWN)
    return not any(path.is_file() and path.name not in own for path in directory.rglob("*"))


def write_manifest(
    directory: Path, configuration: Mapping[str, Any], command: str, **more: Any
) -> None:
    """Write what was run, with which versions and data, and a digest of every file; the last file.

    Parameters
    ----------
    directory
        Folder that holds the other files already.
    configuration
        The resolved configuration that gave the directory its name.
    command
        Command line that repeats the run.
    more
        Further entries, such as `failed`.
    """
    files = {
        path.relative_to(directory).as_posix(): digest(path.read_bytes())
        for path in sorted(directory.rglob("*"))
        if path.is_file()
        and path.name not in (LOCK, HOLDER)
        and path != directory / MANIFEST
        and path.suffix not in (BAD, PART)
    }
    content = {**plan_of(configuration, command), **more, "files": files}
    write_json(directory / MANIFEST, content)


def write_file(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it (`renamed`)."""
    with renamed(path) as file:
        file.write(content)


def write_json(path: Path, content: Any) -> None:
    """Write JSON under a temporary name and rename it."""
    write_file(path, (json.dumps(plain(content), indent=2, ensure_ascii=False) + "\n").encode())


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a frame as CSV that spreadsheets open with its Chinese intact (UTF-8 with a mark)."""
    with renamed(path) as file:  # without a second copy of it as text
        frame.to_csv(file, index=False, lineterminator="\n", encoding="utf-8-sig", mode="wb")


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
        sync_folder(path.parent)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error
        raise


def sync_folder(folder: Path) -> None:
    """Have the names of files in a folder survive a power cut, where the system can do that."""
    if os.name == "nt":
        return
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)


def read_json(path: Path) -> dict[str, Any]:
    """Return the content of a plan or manifest.

    Raises
    ------
    InputError
        It cannot be read as a JSON object.
    """
    faults = FaultList()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
        what = type(found).__name__
    except (OSError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
    faults.add(str(path), what, f"a run's own file as written; where it is lost, {ANEW}")
    raise InputError(faults.faults)


def read_plan(directory: Path) -> dict[str, Any]:
    """Return the plan of a run directory.

    Raises
    ------
    InputError
        It cannot be read, or is of an older version of this package.
    """
    faults = FaultList()
    if not directory.is_dir():
        faults.add("RUN", str(directory), "a run directory that is there")
    elif not (directory / PLAN).is_file() and (inside := sorted(directory.glob(f"*/{PLAN}"))):
        faults.add("RUN", str(directory), f"a run directory; did you mean {inside[0].parent}")
    faults.raise_if_any()
    plan = read_json(directory / PLAN)
    if plan.get("format") != FORMAT:
        name = "compute-ecosystem"
        version = plan.get("versions", {}).get(name, "an earlier version")
        allowed = f"format {FORMAT}; read it with {name} {version}, which wrote it, or {ANEW}"
        faults.add(str(directory), f"format {plan.get('format', 1)}", allowed)
        raise InputError(faults.faults)
    return plan
