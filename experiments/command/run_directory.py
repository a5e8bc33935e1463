"""What names a run directory of a command, beside what `ecosystem.runs` says of it."""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence

from ecosystem.inputs.fingerprint import files_of
from ecosystem.inputs.scenario import ResolvedScenario
from ecosystem.runs.identity import digest, folder_digest, model_digests, plain, short_digest
from ecosystem.runs.question import function_places
from ecosystem.runs.store import is_finished, opened
from experiments.report.files import write_csv, write_text

__all__ = [
    "data_digests", "is_finished", "opened", "plain", "short_digest", "write_csv", "write_text",
]  # fmt: skip


def data_digests(scenarios: Sequence[ResolvedScenario] = ()) -> dict[str, object]:
    """Return what a run depends on besides configuration and world.

    Tables, packages, code, and the files of the user's functions.
    """
    model = model_digests()
    own = folder_digest(importlib.resources.files("experiments"), (".py", ".csv"))
    places = function_places([hook for one in scenarios for hook in one.hooks], None)
    files = {path: known for place in places.values() for path, known in files_of(place).items()}
    return {**model, "code": digest([model["code"], own]), "files": files}
