"""What a user asked a command for: checked options, and what only a command line has."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from ecosystem.inputs.entries import REFERENCE
from ecosystem.inputs.faults import FaultList, collected
from ecosystem.inputs.options import Options
from ecosystem.inputs.scenario import resolve, with_overrides
from ecosystem.inputs.world.loader import load_world
from experiments.comparison.options import EXTRA, LAST, OneScenario, PolicyQuarter


class RunOptions(Options):
    """What `ecosystem run` is asked with."""

    scenario: OneScenario = Field("history", description="Package name or TOML file.")
    until: PolicyQuarter = Field("2035Q4", description=LAST)


def one_by_one(faults: FaultList, given: dict[str, Any]) -> dict[str, Any]:
    """Return what was given without names that are joined by commas, which are noted."""
    left = dict(given)
    for key, between in (("scenarios", " "), ("outcomes", " --outcomes "), ("shock", " --shock ")):
        names = given.get(key, [])
        joined = [name for name in names if "," in name and not Path(name).is_file()]
        for name in joined:
            words = f"one name; several are written {between.lstrip()}"
            faults.add(key, name, words + between.join(name.split(",")))
        left[key] = [name for name in names if name not in joined]
    return {key: value for key, value in left.items() if value != []}


@dataclass(frozen=True)
class Request:
    """A command with its checked options.

    Parameters
    ----------
    kind
        ``run``, ``compare`` or ``sensitivity``.
    asked
        The options of that kind; the Python function of the same name takes them, too.
    settings
        What ``--set`` changes, as it was written.
    decompose
        Take the package apart as well.
    lang, dry_run, quiet, json, full
        What is shown, and how.
    """

    kind: str
    asked: Any
    settings: tuple[str, ...] = ()
    decompose: bool = False
    lang: str = "en"
    dry_run: bool = False
    quiet: bool = False
    json: bool = False
    full: bool = False

    @classmethod
    def of(cls, kind: str, options: type[Options], given: dict[str, Any], **shown: Any) -> Request:
        """Return a request that has been checked.

        Raises
        ------
        InputError
            With everything that is wrong with its options, and then also with what is laid over.
        """
        faults = FaultList()
        given = one_by_one(faults, given)
        asked = options.collected(faults, **given)
        if asked is None:
            from ecosystem.inputs.place_faults import check_written

            over = shown["settings"], given.get("shock", ())
            collected(faults, lambda: with_overrides(resolve(REFERENCE), *over))
            world = collected(faults, lambda: load_world(given.get("world", "full")))
            named = [given.get("scenario"), given.get("reference"), *given.get("scenarios", [])]
            for file in filter(None, named):
                if world:
                    check_written(faults, file, world)
        faults.raise_if_any()
        return cls(kind, asked, **shown)

    @property
    def equal_cost(self) -> bool:
        """Whether plans of equal cost are sought first, which only a comparison can ask for."""
        return self.kind == "compare" and self.asked.equal == EXTRA

    @staticmethod
    def command_line() -> str:
        """Return the command line that is running, to be run again."""
        return shlex.join(["ecosystem", *sys.argv[1:]])
