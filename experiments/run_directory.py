"""Run directories: named by what was run, written once, whole or not at all."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.resources
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

MANIFEST = "manifest.json"
TEXT_COLUMNS = ("scenario", "shock", "period", "outcome", "region", "tier", "kind", "domain")
LIBRARIES = ("numpy", "pandas", "scipy", "pyarrow", "xarray", "mesa", "matplotlib", "seaborn")


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: models and dataclasses as dictionaries, paths as text."""
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(mode="json"))
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(plain(item) for item in value)
    if hasattr(value, "tolist"):
        return value.tolist()
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def digest(files: Iterable[tuple[str, bytes]]) -> str:
    """Return the SHA-256 of named contents, in the order of their names."""
    total = hashlib.sha256()
    for name, content in sorted(files):
        total.update(f"{name}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()


def folder_digest(folder: Any, endings: tuple[str, ...]) -> str:
    """Return one digest of the files with these endings in a folder and below it.

    `folder` is a path or a resource of an installed package.
    """

    def walk(place: Any, prefix: str) -> Iterator[tuple[str, bytes]]:
        for entry in place.iterdir():
            if entry.is_dir():
                yield from walk(entry, f"{prefix}{entry.name}/")
            elif entry.name.endswith(endings):
                yield prefix + entry.name, entry.read_bytes()

    return digest(walk(folder, ""))


def data_digests() -> dict[str, str]:
    """Return what a run depends on besides configuration and world: tables, packages and code."""
    model = importlib.resources.files("ecosystem")
    return {
        "tables": folder_digest(model / "tables", (".csv",)),
        "packages": folder_digest(model / "packages", (".toml",)),
        "code": digest(
            (name, folder_digest(importlib.resources.files(name), (".py",)).encode())
            for name in ("ecosystem", "experiments")
        ),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python, of this distribution and of the libraries that compute."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in ("compute-ecosystem", *LIBRARIES):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def configuration_hash(configuration: Mapping[str, Any]) -> str:
    """Return the twelve characters that name the directory of a resolved configuration."""
    words = json.dumps(plain(configuration), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(words.encode()).hexdigest()[:12]


def is_complete(directory: Path) -> bool:
    """Return whether a run directory holds a finished run; its manifest is written last."""
    return (directory / MANIFEST).is_file()


@contextmanager
def new_directory(directory: Path) -> Iterator[Path]:
    """Give a staging folder that becomes `directory` when the block ends without an error.

    The folder stands beside its final name and is renamed in one step, so that a run directory is
    whole or absent, and one that is there is never touched. After an error nothing is left.

    Raises
    ------
    OSError
        The place cannot be written to; found before anything is computed.
    """
    made = [folder for folder in directory.parents if not folder.exists()]
    staging: Path | None = None
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
        yield staging
        staging.chmod(0o777 & ~_umask())
        try:
            staging.rename(directory)
        except OSError:
            if not is_complete(directory):  # else the same run finished elsewhere meanwhile
                raise
            shutil.rmtree(staging)
    except BaseException:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)
        for folder in made:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        raise


def _umask() -> int:
    """Return the mask for new files, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, words: str) -> None:
    """Write a text under a temporary name and rename it."""
    part = path.with_name(path.name + ".part")
    part.write_text(words, encoding="utf-8", newline="\n")
    part.replace(path)


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a frame as CSV that spreadsheets open with its Chinese intact (UTF-8 with a mark)."""
    part = path.with_name(path.name + ".part")
    frame.to_csv(part, index=False, encoding="utf-8-sig", lineterminator="\n")
    part.replace(path)


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Write a tidy result frame under the one schema that all shards of a run share.

    Text columns are dictionaries of strings, `replicate` and `point` 32-bit integers, `value`
    double precision; the column `period` is there only where the frame has it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    word = pa.dictionary(pa.int32(), pa.string())
    kinds = {**dict.fromkeys(TEXT_COLUMNS, word), "value": pa.float64()}
    kinds.update(replicate=pa.int32(), point=pa.int32())
    schema = pa.schema([(name, kinds[name]) for name in frame.columns])
    part = path.with_name(path.name + ".part")
    pq.write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False), part)
    part.replace(path)


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
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }
    manifest = {
        "hash": configuration_hash(configuration),
        "command": command,
        "configuration": plain(configuration),
        "versions": versions(),
        **plain(more),
        "files": files,
    }
    write_text(directory / MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
