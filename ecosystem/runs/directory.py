"""Run directories: named by what is run, filled shard by shard, complete with their manifest.

`plan.json` is written first and says what the directory is for; `manifest.json` is written last
and lists every file. A lock of the operating system, which no dead process can hold, keeps a
second process out.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import socket
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from ecosystem.inputs.faults import FaultList, InputError
from ecosystem.runs.identity import COMPUTING, MACHINE, configuration_hash, plain, versions
from ecosystem.runs.shards import BAD, PART, write_file

PLAN, MANIFEST, LOCK = "plan.json", "manifest.json", ".lock"
DESIGN, POINTS = "design.parquet", "points.parquet"
CHECKED = (".json", ".txt", ".parquet")
"""Endings of files that must be as they were written; tables and figures may be edited."""
KEPT = "is kept, and the same command goes on from there"


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

    def sound(path: Path, digest: str) -> bool:
        if not path.is_file():
            return False
        return path.suffix not in CHECKED or digest_of_file(path) == digest

    listed = read_json(directory / MANIFEST)["files"].items()
    return [directory / name for name, digest in listed if not sound(directory / name, digest)]


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def hash_of(directory: Path) -> str:
    """Return the hash of the configuration that a run directory was begun for.

    Raises
    ------
    InputError
        Its plan cannot be read.
    """
    return str(read_json(directory / PLAN).get("hash"))


def write_json(path: Path, content: Any) -> None:
    """Write JSON under a temporary name and rename it."""
    words = json.dumps(plain(content), indent=2, ensure_ascii=False) + "\n"
    write_file(path, words.encode())


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
    faults.add(
        str(path), what, "a run's own file as written; where it is lost, the run can begin anew "
        "in another folder (--out)",
    )  # fmt: skip
    raise InputError(faults.faults)


@contextmanager
def opened(directory: Path, configuration: Mapping[str, Any], command: str) -> Iterator[Path]:
    """Give a run directory to fill, held by this process alone until the block ends.

    What an interrupted run left is kept; a directory into which nothing was written is removed
    after an error, and the folders made for it. Only who holds the directory removes a file of
    it: another start of the same run may have begun to fill what was not there a moment ago.

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
        with locked(directory) as lock:
            try:
                check_plan(directory, configuration)
                if not (directory / PLAN).is_file():
                    write_json(directory / PLAN, plan_of(configuration, command))
                remove_parts(directory)
                yield directory
            except BaseException:
                if directory in made:
                    remove_empty(directory, lock)
                raise
    except BaseException as error:
        for folder in made:
            with suppress(OSError):  # it holds something: of this run, or of another
                folder.rmdir()
        if isinstance(error, ChildProcessError) or isinstance(error, OSError) and error.errno:
            raise told(error, directory) from error
        raise


def told(error: OSError, directory: Path) -> OSError:
    """Return an error of writing or of workers that says what is kept, where anything is."""
    words = error.strerror or str(error)
    if directory.exists() and KEPT not in words:
        words = f"{words}; what is written {KEPT}"
    if isinstance(error, ChildProcessError):
        return ChildProcessError(words)
    return OSError(error.errno, words, error.filename or str(directory))


def remove_parts(directory: Path) -> None:
    """Remove what a process that was killed had not finished writing, here and one folder below.

    Runs that lie deeper have a lock of their own.
    """
    for left in (*directory.glob(f".*{PART}"), *directory.glob(f"*/.*{PART}")):
        left.unlink()


def plan_of(configuration: Mapping[str, Any], command: str) -> dict[str, Any]:
    """Return what is written before anything is run."""
    return {
        "hash": configuration_hash(configuration),
        "command": command,
        "configuration": plain(configuration),
        "versions": versions(),
    }


def check_plan(directory: Path, configuration: Mapping[str, Any]) -> None:
    """Raise InputError where the directory was begun as another run; warn on another machine."""
    path = directory / PLAN
    if not path.is_file():
        return
    plan, faults, now = read_json(path), FaultList(), versions()
    if plan.get("hash") != configuration_hash(configuration):
        for key in different(plan.get("configuration", {}), plain(configuration)) or ["hash"]:
            faults.add(f"{path}: {key}", "another than now", "the run that the directory is for")
    for name in COMPUTING:
        if plan.get("versions", {}).get(name) != now[name]:
            allowed = f"{now[name]}, which is here now; go on with the version the run began "
            allowed += "with, or begin anew in another folder (--out)"
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
            found = dict(read_json(path)["configuration"])
        except (InputError, LookupError, TypeError, ValueError):
            continue
        if {key: value for key, value in found.items() if key != "data"} == wanted:
            places = different(found.get("data"), plain(configuration).get("data"), "data")
            what = f"begun with other {', '.join(places)} and not finished"
            allowed = "finishing it with what it was begun with; or removing it, or another folder "
            faults.add(str(kin), what, allowed + "(--out), to begin anew")
    faults.raise_if_any()


@contextmanager
def locked(directory: Path) -> Iterator[IO[str]]:
    """Hold the directory's lock; the system gives it back when the process ends, however it ends.

    Raises
    ------
    InputError
        Another process holds it, or has just removed it, and the directory with it.
    """
    path = directory / LOCK
    with path.open("a+") as file:
        if not (take(file) and is_at(file, path)):
            file.seek(0)
            faults = FaultList()
            holder = f"in use by {file.read().strip() or 'another process'}"
            allowed = "no other process in it: wait until that ends, or stop it"
            faults.add(str(directory), holder, allowed)
            faults.raise_if_any()
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield file


def is_at(file: IO[str], path: Path) -> bool:
    """Return whether an open file is still what stands under a path: who removed it held it."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def take(file: IO[str]) -> bool:
    """Take the lock of an open file if it is free."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(1 << 20)  # a byte that nobody reads
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):  # somebody holds it
            return False
        raise
    return True


def remove_empty(directory: Path, lock: IO[str]) -> None:
    """Empty a directory that holds no result; its lock, which the caller holds, goes last."""
    held = directory / LOCK
    there = [path for path in sorted(directory.rglob("*"), reverse=True) if path != held]
    if any(path.is_file() and path.name not in (PLAN, LOCK, DESIGN, POINTS) for path in there):
        return
    for path in there:
        path.rmdir() if path.is_dir() else path.unlink()
    if sys.platform == "win32":  # an open file cannot be removed there, by whomever it is held
        lock.close()
        with suppress(PermissionError):
            held.unlink()
    else:
        held.unlink()


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
        path.relative_to(directory).as_posix(): digest_of_file(path)
        for path in sorted(directory.rglob("*"))
        if path.is_file()
        and path.name != LOCK
        and path != directory / MANIFEST
        and path.suffix not in (BAD, PART)
    }
    content = {**plan_of(configuration, command), **more, "files": files}
    write_json(directory / MANIFEST, content)
