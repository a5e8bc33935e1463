"""What a user's function depends on: the file it stands in, and all that this file reads.

A function is known by the files of the user that are loaded with it, module by module, and by the
data files that are read meanwhile (`files_of`). What it reads later, as it is called, is heard by
`FilesRead`. Files of Python, of installed libraries and of this package do not count: versions
and the digest of the code stand for them. A file that a library opens outside Python is not heard.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any

from ecosystem.inputs.faults import FaultList
from ecosystem.maths.cache import cache_folder

OWN = Path(__file__).resolve().parents[1]
LIBRARIES = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
SYSTEM = ["/proc", "/sys", "/dev", "/etc", "/usr/lib", "/usr/share", "~/.cache", "~/.config"]
ELSEWHERE = tuple(
    os.path.realpath(os.path.expanduser(place)) + os.sep
    for place in (str(OWN), *LIBRARIES, *SYSTEM)
)
"""Folders whose files are nobody's input: libraries, the system, caches, this package."""
ACCESS = os.O_RDONLY | os.O_WRONLY | os.O_RDWR
"""Bits of the flags of a file that say whether it is read or written."""
CLOCK = 20_000_000
"""Nanoseconds by which the time of a file may lie behind the clock."""
FILES = "FILES "
"""Begins the line that answers; what a user's module prints may come before and after it."""
FRESH = "import ecosystem.inputs.fingerprint as here; here.tell_files()"


def digest_of_file(path: str | Path) -> str | None:
    """Return the SHA-256 of a file; None where it cannot be read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return None


def changed_files(files: Mapping[str, str]) -> dict[str, str | None]:
    """Return those of some files, by path, that have another digest now; None for a lost one."""
    now = {path: digest_of_file(path) for path in files}
    return {path: found for path, found in now.items() if found != files[path]}


class FilesRead:
    """Files of the user that this thread opens for reading inside a ``with`` block.

    What has been written since the block began is a result rather than an input.

    Attributes
    ----------
    files : dict
        SHA-256 by path, once the block has ended.
    """

    _heard = threading.local()
    _listening = False

    def __enter__(self) -> FilesRead:
        """Begin to listen."""
        if not FilesRead._listening:
            sys.addaudithook(self._hear)  # for good: Python has no way to take one back
            FilesRead._listening = True
        self.files: dict[str, str] = {}
        self._begin, self._before = time.time_ns(), getattr(self._heard, "paths", None)
        self._heard.paths = set()
        return self

    @classmethod
    def _hear(cls, event: str, given: tuple[Any, ...]) -> None:
        """Note a file that is opened for reading."""
        paths = getattr(cls._heard, "paths", None) if event == "open" else None
        if paths is None or not isinstance(given[0], str | bytes | os.PathLike):
            return
        path, mode, flags = given
        reads = mode.startswith("r") if isinstance(mode, str) else not flags & ACCESS
        if reads:
            paths.add(os.path.abspath(os.fsdecode(path)))

    def __exit__(self, *_: object) -> None:
        """Stop, and take the digest of what was read."""
        paths, self._heard.paths = self._heard.paths, self._before
        for path in {source_of(path) for path in paths}:
            try:
                old = is_users(path) and os.stat(path).st_mtime_ns < self._begin - CLOCK
            except OSError:
                continue
            if old and (found := digest_of_file(path)):
                self.files[path] = found
        if self._before is not None:
            self._before |= paths


def source_of(path: str) -> str:
    """Return the source of a compiled module, and any other path as it is."""
    if path.endswith(".pyc"):
        try:
            return importlib.util.source_from_cache(path)
        except ValueError:
            pass
    return path


def is_users(path: str | None) -> bool:
    """Return whether a path is a file of the user's."""
    if not path or not os.path.isfile(path):
        return False
    compiled = os.path.realpath(cache_folder()) + os.sep
    return not os.path.realpath(path).startswith((*ELSEWHERE, compiled))


def home_of(function: Callable[..., Any]) -> str | None:
    """Return ``module:name`` under which every process can load a function; None where none can.

    That is so for what is typed into a script or a notebook, and for a function with a state: a
    closure, a partial, the method of an object.
    """
    module, name = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    found: Any = sys.modules.get(module or "")
    if not name or found is None or module == "__main__" or not getattr(found, "__file__", None):
        return None
    try:
        return f"{module}:{name}" if attrgetter(name)(found) == function else None
    except AttributeError:
        return None


_known: dict[tuple[str, str | None], tuple[dict[str, str], dict[str, object]]] = {}
"""Files of a place, and the modules of this process that were loaded from them, by path."""


def files_of(place: str) -> dict[str, str]:
    """Return SHA-256 by path of all files that a function's module or file is made of and reads.

    They are found by loading it in a process of its own, with every module of the user that it
    imports at any time.

    Parameters
    ----------
    place
        Name of a module, or path of a Python file.

    Raises
    ------
    InputError
        It cannot be loaded there; or a file has changed since this process loaded it, which would
        run the old one.
    """
    faults = FaultList()
    key = place, getattr(sys.modules.get(place), "__file__", None)
    files, modules = _known.get(key, ({}, {}))
    changed = changed_files(files)
    if key in _known and not changed:
        return files
    if changed and any(modules[path] is module for path, module in loaded(modules).items()):
        allowed = "a file as this process loaded it: it has changed since; start Python anew"
        faults.add("out", next(iter(changed)), allowed)
        faults.raise_if_any()
    request = json.dumps({"place": place, "path": sys.path})
    package = {"PYTHONPATH": os.pathsep.join([str(OWN.parent), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, "-c", FRESH], input=request, capture_output=True, text=True,
        env=os.environ | package,
    )  # fmt: skip
    if done.returncode != 0:
        words = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        faults.add("out", place, f"a file that a process of its own can load ({words[0]})")
        faults.raise_if_any()
    answers = [line for line in done.stdout.splitlines() if line.startswith(FILES)]
    files = json.loads(answers[-1].removeprefix(FILES))
    _known[key] = files, loaded(files)
    return files


def loaded(paths: Iterable[str]) -> dict[str, object]:
    """Return the modules that this process has imported from some files, by path."""
    found = {getattr(module, "__file__", None): module for module in list(sys.modules.values())}
    return {path: found[path] for path in paths if path in found and found[path].__spec__}


def tell_files() -> None:
    """Load what standard input names and print the files of it; the end of `files_of`."""
    request = json.loads(sys.stdin.read())
    sys.path[:] = request["path"]
    place = request["place"]
    with FilesRead() as heard:
        if place.endswith(".py"):
            spec = importlib.util.spec_from_file_location("of_a_user", place)
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules["of_a_user"] = module  # where a dataclass looks its types up
            spec.loader.exec_module(module)
            modules = {place}
        else:
            importlib.import_module(place)
            modules = set()
        modules |= load_all(modules)
    files = heard.files | {path: digest_of_file(path) for path in modules}
    print(f"\n{FILES}{json.dumps(files)}")


def load_all(files: set[str]) -> set[str]:
    """Load what modules of the user import at any time; return the files of all of them."""
    seen: set[str] = set()
    while True:
        packages = {
            str(module.__file__): module.__package__ or ""
            for module in list(sys.modules.values())
            if is_users(getattr(module, "__file__", None))
        }
        packages |= {path: "" for path in files - packages.keys()}
        new = {path: package for path, package in packages.items() if path not in seen}
        if not new:
            return seen
        for path, package in new.items():
            seen.add(path)
            for name in imported_by(path, package):
                try:
                    spec = importlib.util.find_spec(name)
                    if spec and is_users(spec.origin):
                        importlib.import_module(name)
                except Exception:  # one that is not there, or no module: an attribute of one
                    continue


def imported_by(path: str, package: str) -> Iterator[str]:
    """Give the names that a file imports, inside functions too; some are names of no module."""
    for node in ast.walk(ast.parse(Path(path).read_bytes())) if path.endswith(".py") else ():
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            name = "." * node.level + (node.module or "")
            whole = importlib.util.resolve_name(name, package) if node.level else name
            yield whole
            yield from (f"{whole}.{alias.name}" for alias in node.names)
