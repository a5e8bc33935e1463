"""A user's own functions, behind stages and in the place of rules: their source and identity."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from ecosystem.inputs.catalogue import agents
from ecosystem.inputs.faults import FaultList, InputError, nearest
from ecosystem.inputs.fingerprint import digest_of_file, home_of

STAGES = (
    "drivers", "policy", "investment", "supply", "market", "innovation", "labour", "business",
    "flows",
)  # fmt: skip
"""Stages that a function can follow; what `flows` returns is booked with the quarter's payments."""
MEAN = "mean"
"""What is written in the place of a function where a rule is replaced by its mean."""


class HookError(InputError):
    """What a hook returned cannot be used: names the hook, its stage, the quarter and the field."""


class Hook:
    """A user's function that is called right after a stage, or in the place of a decision rule.

    Attributes
    ----------
    stage : str
        One of `STAGES`, or a rule of the agent table.
    name : str
        Where the function stands, such as ``my_file.py:my_function``; `MEAN` for a rule's mean.
    function : callable
        The function itself.
    file : str
        The file that it was read from; empty for a function of Python's.
    content : bytes
        Content of the file. It travels with the hook: every process runs the same code.
    """

    def __init__(
        self,
        stage: str,
        name: str,
        function: Callable[..., Any],
        file: str = "",
        content: bytes = b"",
    ) -> None:
        self.stage, self.name, self.function = stage, name, function
        self.file, self.content = file, content

    @classmethod
    def from_file(cls, stage: str, path: str, function: str, content: bytes) -> Hook:
        """Return the hook that stands as `function` in a file of this content."""
        found = getattr(load(path, content), function)
        return cls(stage, f"{Path(path).name}:{function}", found, path, content)

    @classmethod
    def from_function(cls, stage: str, function: Callable[..., Any]) -> Hook:
        """Return the hook of a function that Python already has."""
        file = Path(inspect.getsourcefile(function) or "")
        home = file.name if file.is_file() else function.__module__
        return cls(stage, f"{home}:{function.__qualname__}", function)

    @classmethod
    def from_mean(cls, rule: str) -> Hook:
        """Return what says that a rule is replaced by its mean."""
        return cls(rule, MEAN, _mean)

    @property
    def place(self) -> str | None:
        """File or module from which any process can load the function; None where none can."""
        return self.file or (home_of(self.function) or "").partition(":")[0] or None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file that the function stands in.

        A function that no other process can load has one that holds in this process alone.
        """
        content = self.content
        if self.name == MEAN:
            content = MEAN.encode()
        elif not self.file and home_of(self.function):
            return str(digest_of_file(inspect.getsourcefile(self.function) or ""))
        elif not self.file:
            content = f"{self.name} {id(self.function)}".encode()
        return hashlib.sha256(content).hexdigest()

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel as the file's content, or as module and name of the function."""
        if self.file:
            function = self.name.rpartition(":")[2]
            return Hook.from_file, (self.stage, self.file, function, self.content)
        return Hook, (self.stage, self.name, self.function)

    def __deepcopy__(self, memo: dict[int, Any]) -> Hook:
        """Return the hook itself: it never changes."""
        return self

    def __str__(self) -> str:
        """Stage, function and digest: all that identifies a hook."""
        return f"{self.stage} = {self.name} (SHA-256 {self.digest})"

    def __eq__(self, other: object) -> bool:
        """Compare what identifies two hooks."""
        return isinstance(other, Hook) and str(self) == str(other)

    def __hash__(self) -> int:
        """Hash what identifies the hook."""
        return hash(str(self))


def _mean(*_: object) -> None:
    """Stand for the mean of a rule, which the model makes from the rule itself."""


@cache
def load(path: str, source: bytes) -> ModuleType:
    """Run a file of this content once and return it as a module.

    Compiled here rather than imported: no stale bytecode is read and none is left behind.
    """
    key = hashlib.sha256(path.encode() + b"\0" + source).hexdigest()
    module = ModuleType(f"ecosystem_hook_{key[:16]}")
    module.__file__ = path
    sys.modules[module.__name__] = module
    folder = str(Path(path).parent)
    if folder not in sys.path:  # for good: what it imports may be imported later, in a call
        sys.path.append(folder)
    try:
        exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)
    except BaseException:
        del sys.modules[module.__name__]
        raise
    return module


def read_hook(
    faults: FaultList, place: str, stage: object, value: object, folder: Path
) -> Hook | None:
    """Return the hook of one stage, else note what is wrong with it.

    Parameters
    ----------
    faults : FaultList
        Takes in the faults.
    place : str
        Where the hook is named, for the faults.
    stage, value : object
        What was written: one of `STAGES`, and ``my_file.py:my_function`` or a function.
    folder : Path
        What a relative path starts from.
    """
    known = faults.name(place, stage, STAGES)
    return _read(faults, place, known, value, folder, ("record", "state", "setting"))


def read_rule(
    faults: FaultList, place: str, rule: object, value: object, folder: Path
) -> Hook | None:
    """Return what replaces one rule of the agent table, else note what is wrong with it.

    Parameters are those of `read_hook`; ``"mean"`` stands for the rule's mean.
    """
    known = faults.name(place, rule, agents())
    if isinstance(value, str) and value == MEAN:
        return Hook.from_mean(known) if known else None
    arguments = ("quarter", "setting", *(agents()[known].columns if known else ()))
    return _read(faults, place, known, value, folder, arguments, f", or {MEAN!r}")


def _read(
    faults: FaultList, place: str, known: str | None, value: object, folder: Path,
    arguments: Sequence[str], more: str = "",
) -> Hook | None:  # fmt: skip
    """Return the function that a stage or rule names, if it takes these arguments."""
    hook: Hook | None = None
    if inspect.isfunction(value):
        hook = Hook.from_function(known or "", value)
    elif isinstance(value, str) and value.rpartition(":")[0].endswith(".py"):
        hook = _from_text(faults, place, known or "", value, folder)
    else:
        faults.add(place, value, f"a text such as 'my_file.py:my_function', or a function{more}")
    if hook is None or known is None:
        return None
    try:
        inspect.signature(hook.function).bind(*arguments)
    except (TypeError, ValueError):  # the latter of a builtin that does not say what it takes
        faults.add(place, hook.name, f"a function of ({', '.join(arguments)})")
        return None
    return hook


def _from_text(faults: FaultList, place: str, stage: str, value: str, folder: Path) -> Hook | None:
    """Return the hook that ``my_file.py:my_function`` names, else note a fault."""
    file, _, function = value.rpartition(":")
    path = (folder / file).absolute()
    try:
        content = path.read_bytes()
    except OSError as error:
        faults.add(place, file, f"a Python file that can be read ({error.strerror})")
        return None
    try:
        names = [name for name, item in vars(load(str(path), content)).items() if callable(item)]
    except (Exception, SystemExit) as error:  # whatever the user's file raises
        faults.add(place, file, f"a Python file that runs ({type(error).__name__}: {error})")
        return None
    if function not in names:
        faults.add(place, function, f"a function of {path.name}", nearest(function, names))
        return None
    return Hook.from_file(stage, str(path), function, content)
