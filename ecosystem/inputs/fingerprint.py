"""What tells a user's function or object from any other of its name: source, and all it carries."""

from __future__ import annotations

import hashlib
import inspect
import io
import marshal
import pickle
from collections.abc import Callable
from pathlib import Path
from types import CellType, CodeType, ModuleType
from typing import Any

from ecosystem.inputs.faults import FaultList, InputError


def digest_of(name: str, home: Any, value: Any) -> str:
    """Return the SHA-256 that tells a user's function or object from any other of its name.

    What counts is the source, and all that is carried along: default values, variables of a
    closure and attributes of an object, to the last entry; functions among these in the same way.
    What is only looked up during a call does not count: global variables, other files.

    Parameters
    ----------
    name
        What faults call it.
    home
        The function or class in whose source `value` stands.
    value
        The function or object.

    Raises
    ------
    InputError
        Something that is carried along cannot be pickled, or the source cannot be found.
    """
    total, faults = hashlib.sha256(source_of(home)), FaultList()
    function = inspect.isfunction(value)
    parts = {"": written(value), **carried_by(value)} if function else {"": value}
    for part, inside in parts.items():
        try:
            total.update(part.encode() + b"\0" + content(inside))
        except Exception as error:  # whatever pickle or an object's own methods raise
            what = f"{type(inside).__name__} ({error})"
            allowed = "what can be pickled, since it tells this run from others"
            faults.add(f"{name}: {part}" if part else name, what, allowed)
    faults.raise_if_any()
    return total.hexdigest()


def source_of(home: Any) -> bytes:
    """Return the file of a function or class; else its text; else what it was compiled to."""
    try:
        file = Path(inspect.getsourcefile(home) or "")
        return file.read_bytes() if file.is_file() else inspect.getsource(home).encode()
    except (OSError, TypeError):
        if inspect.isfunction(home):
            # 2: later formats depend on what else the process holds
            return marshal.dumps(home.__code__, 2)
    faults = FaultList()
    faults.add("model", home.__qualname__, "a function, or a class in a file")
    raise InputError(faults.faults)


def written(function: Callable[..., Any]) -> tuple[bytes, str, int, tuple[int, int]]:
    """Return source, name, first line and end of a function: two of one name may share a line."""
    code: CodeType = function.__code__
    ends = [(line or 0, column or 0) for _, line, _, column in code.co_positions()]
    return source_of(function), function.__qualname__, code.co_firstlineno, max(ends)


def carried_by(function: Callable[..., Any]) -> dict[str, Any]:
    """Return what a function has besides its source, by name: default values and closure."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    empty = CellType()
    return {
        "__defaults__": function.__defaults__,
        "__kwdefaults__": function.__kwdefaults__,
        **{name: cell.cell_contents for name, cell in cells if cell != empty},
    }


def content(value: Any) -> bytes:
    """Return a value as bytes that say all of it."""
    buffer = io.BytesIO()
    Content(buffer, protocol=5).dump(value)
    return buffer.getvalue()


class Content(pickle.Pickler):
    """Pickles to tell values apart, not to build them again: functions and modules, too."""

    def reducer_override(self, value: Any) -> Any:
        """Give a function as its source and what it carries, a module as its name."""
        if isinstance(value, ModuleType):
            return str, (value.__name__,)
        if inspect.isfunction(value):
            # as a state, which follows once the function is known: it may carry itself
            return tuple, (written(value),), carried_by(value)
        return NotImplemented

    def persistent_id(self, value: Any) -> Any:
        """Give a set in the order of its contents: its own changes from process to process."""
        if type(value) in (set, frozenset):
            return type(value).__name__, sorted(content(item) for item in value)
        return None
