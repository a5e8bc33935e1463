"""What tells one run from another: resolved configuration, code, data, versions; and digests."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.resources
import json
import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, is_dataclass
from functools import cache
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


def configuration_hash(configuration: Mapping[str, Any]) -> str:
    """Return the twelve characters that name the directory of a resolved configuration."""
    words = json.dumps(plain(configuration), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(words.encode()).hexdigest()[:12]
