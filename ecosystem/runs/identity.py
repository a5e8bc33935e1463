"""What tells one run from another: resolved configuration, code, data, versions; and digests."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.resources
import json
import platform
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np

LIBRARIES = (
    "numpy", "pandas", "scipy", "pyarrow", "xarray", "mesa", "matplotlib", "seaborn", "SALib",
)  # fmt: skip
COMPUTING = ("python", "compute-ecosystem", "numpy", "scipy")
"""What must stay the same while a directory is filled: these can change a bit of a number."""
MACHINE = "machine"
"""Name of what should stay the same, too, but may differ: see `machine`."""


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: models and dataclasses as dictionaries, paths as text.

    Fields that do not count when two of a dataclass are compared are left out.
    """
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(mode="json"))
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value) if one.compare}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(plain(item) for item in value)
    if hasattr(value, "tolist"):
        return value.tolist()
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def digest(content: Any) -> str:
    """Return the SHA-256 of bytes, or of any other content as JSON."""
    if not isinstance(content, bytes):
        content = json.dumps(plain(content), sort_keys=True, ensure_ascii=False).encode()
    return hashlib.sha256(content).hexdigest()


def short_digest(configuration: Mapping[str, Any]) -> str:
    """Return the twelve characters that name the directory of a resolved configuration."""
    return digest(configuration)[:12]


def folder_digest(folder: Any, endings: tuple[str, ...]) -> str:
    """Return one digest of the files with these endings in a folder and below it.

    `folder` is a path or a resource of an installed package.
    """

    def walk(place: Any, prefix: str) -> Iterator[tuple[str, str]]:
        for entry in place.iterdir():
            if entry.is_dir():
                yield from walk(entry, f"{prefix}{entry.name}/")
            elif entry.name.endswith(endings):
                yield prefix + entry.name, digest(entry.read_bytes())

    return digest(dict(walk(folder, "")))


@cache
def model_digests() -> dict[str, str]:
    """Return digests of the model's own tables, packages and code, as this process loaded them."""
    model = importlib.resources.files("ecosystem")
    return {
        "tables": folder_digest(model / "tables", (".csv",)),
        "packages": folder_digest(model / "packages", (".toml",)),
        "code": folder_digest(model, (".py",)),
    }


def machine() -> str:
    """Return what can change the last digits of a number beside `COMPUTING`.

    Processor, mathematics library, and the instructions that NumPy finds: `exp`, `log` and
    `power` differ in their last digits with and without AVX-512.
    """
    built = cast(dict[str, Any], np.show_config(mode="dicts"))
    found = built.get("SIMD Extensions", {}).get("found", [])
    return " ".join(filter(None, [platform.machine(), "".join(platform.libc_ver()), *found]))


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python, of the libraries that compute, and the kind of machine."""
    found = {
        "python": platform.python_version(), "platform": platform.platform(), MACHINE: machine()
    }  # fmt: skip
    for name in ("compute-ecosystem", *LIBRARIES):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


@cache
def commit() -> str | None:
    """Return the Git commit of the code, with ``+changes`` where files differ from it.

    None where the code does not lie in a checkout of its own.
    """
    here = Path(__file__)

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(here.parent), *words], capture_output=True, text=True, timeout=10
            )
        except (OSError, subprocess.TimeoutExpired):  # no Git here
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    if not git("ls-files", here.name):  # a copy that lies in somebody else's checkout
        return None
    found, changes = git("rev-parse", "HEAD"), git("status", "--porcelain", "--", "../..")
    return f"{found}+changes" if found and changes else found
