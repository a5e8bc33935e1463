"""Compile the model once for each version of its source, before processes share it."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

import numba
from filelock import FileLock
from numba.core.event import Event, Listener, install_listener
from tqdm import tqdm

from ecosystem.inputs.scenario import resolve
from ecosystem.inputs.world.loader import load_world
from ecosystem.maths.compiled import COMPILED, code_folder
from ecosystem.quarter.start import initial_state, make_setting
from ecosystem.quarter.step import step

DONE = "complete"
"""File that says that all of the model is compiled in this folder."""


class Progress(Listener):
    """A bar that moves on with every function that is compiled."""

    def __init__(self, bar: tqdm[Any]) -> None:
        self.bar, self.seen = bar, set[int]()

    def on_start(self, event: Event) -> None:
        """Do nothing: what is compiled is counted at its end."""

    def on_end(self, event: Event) -> None:
        """Count a function of the model, once for all types of numbers that it is compiled for."""
        function = event.data["dispatcher"]
        if id(function) not in self.seen and any(function is one for one in COMPILED.values()):
            self.seen.add(id(function))
            self.bar.update()


@cache
def compile_model() -> None:
    """Compile every equation and kernel by one quarter of the teaching world, unless it is kept.

    One process of a machine compiles, the others wait for it and read what it has made. Where
    compiled code cannot be kept, each process compiles at its first quarter.
    """
    folder = code_folder()
    if folder is None or vars(numba.config)["DISABLE_JIT"] or (folder / DONE).exists():
        return
    with FileLock(folder / "compiling.lock"):
        if (folder / DONE).exists():
            return
        words = "Compiling the model, once for this version"
        with (
            tqdm(total=len(COMPILED), desc=words, file=sys.stderr, mininterval=1) as bar,
            install_listener("numba:compile", Progress(bar)),
        ):
            setting = make_setting(resolve("history"), load_world("teaching"), 0, [0])
            step(initial_state(setting), setting)
        (folder / DONE).touch()
