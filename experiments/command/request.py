"""What a user asked a command for, before anything is looked up."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """The options of `ecosystem run` and `ecosystem compare`; `reference` is None for a run."""

    kind: str
    scenarios: tuple[str, ...]
    reference: str | None
    replicates: int
    seed: int
    until: str
    world: str
    shocks: tuple[str, ...]
    settings: tuple[str, ...]
    fixed_parameters: bool
    lang: str
    jobs: int | None
    out: Path
    dry_run: bool
    quiet: bool
    json: bool
    budget: str | None = None
    decompose: bool = False
    full: bool = False
    executor: str | None = None
    cluster: str | None = None

    @staticmethod
    def command_line() -> str:
        """Return the command line that is running, to be run again."""
        return shlex.join(["ecosystem", *sys.argv[1:]])
