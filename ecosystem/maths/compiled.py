"""Equations of one agent and loops over agents, compiled by Numba at their first call.

An `equation` is a function of numbers and of the parameters of a run, ``p.staff_growth``; a
`kernel` loops over runs and agents and calls equations. Both are plain Python: with
``NUMBA_DISABLE_JIT=1`` they run as they read. The compiled code is kept for the next process in a
folder that is named by all source of the model, since Numba itself does not see that a function
which another one calls has changed.
"""

from __future__ import annotations

import hashlib
import os
import sys
import warnings
from collections import namedtuple
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache, wraps
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from llvmlite.binding import get_host_cpu_name

from ecosystem.maths.cache import cache_folder

Function = TypeVar("Function", bound=Callable[..., Any])

COMPILED: dict[str, Any] = {}
"""Compiled form of every equation and kernel, by module and name."""
SOURCE = Path(__file__).parents[1]
ROOMS = ("maths", "inputs", "state", "stages", "quarter", "outcomes")
"""Rooms whose source compiled code may come from."""


@cache
def code_folder() -> Path | None:
    """Return the folder of compiled code of this source, or None where none can be written to."""
    place = [numba.__version__, sys.version_info[:2], get_host_cpu_name(), SOURCE]
    content = hashlib.sha256(repr(place).encode())
    for path in sorted(p for room in ROOMS for p in (SOURCE / room).rglob("*.py")):
        content.update(path.relative_to(SOURCE).as_posix().encode() + path.read_bytes())
    folder = cache_folder() / content.hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    warnings.warn(
        f"compiled code cannot be kept in {folder}: every process compiles the model again; "
        "NUMBA_CACHE_DIR names another folder",
        RuntimeWarning,
        stacklevel=2,
    )
    return None


def compiled(function: Callable[..., Any]) -> Any:
    """Return a function that Numba compiles at its first call; division by zero is infinite."""
    folder, numba_settings = code_folder(), vars(numba.config)
    usual = numba_settings["CACHE_DIR"]
    numba_settings["CACHE_DIR"] = str(folder or "")
    try:
        made = numba.njit(cache=folder is not None, error_model="numpy")(function)
    finally:
        numba_settings["CACHE_DIR"] = usual
    COMPILED[f"{function.__module__}.{function.__name__}"] = made
    return made


def equation(function: Function) -> Function:
    """Compile a function of numbers and of a run's parameters, to be called by kernels."""
    made: Function = compiled(function)
    return made


def kernel(function: Function) -> Function:
    """Compile a loop over runs and agents; it is given arrays and records, and returns new arrays.

    Every array goes in read-only and in one block, so that a kernel is compiled once.
    """
    loop = compiled(function)

    @wraps(function)
    def call(*given: Any) -> Any:
        return loop(*(as_given(value) for value in given))

    return call  # type: ignore[return-value]


def as_given(value: Any) -> Any:
    """Return an array as one read-only block, a record as a named tuple of such, others as is."""
    if isinstance(value, np.ndarray):
        if value.flags.c_contiguous and not value.flags.writeable:
            return value
        block = value.view() if value.flags.c_contiguous else np.ascontiguousarray(value)
        block.setflags(write=False)
        return block
    if isinstance(value, tuple):
        return type(value)(*map(as_given, value))
    if is_dataclass(value) and not isinstance(value, type):
        made = columns_of(type(value))
        return made(*[as_given(getattr(value, name)) for name in made._fields])
    return value


@cache
def columns_of(record: type) -> Any:
    """Return the named tuple of a record's columns.

    It stands in this module, where another process that loads compiled code looks for it.
    """
    name = f"{record.__name__}Columns"
    made = namedtuple(name, [field.name for field in fields(record)], module=__name__)  # type: ignore[misc]
    globals()[name] = made
    return made
