"""Tasks of a design: what a worker needs to run a chunk, and what comes of it.

A task holds no array that grows with the design.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecosystem.inputs.scenario import ResolvedScenario
from ecosystem.maths.arrays import Array
from ecosystem.runs.design import Integers, digests_of
from ecosystem.runs.identity import digest
from ecosystem.runs.own import check_same_outcomes
from ecosystem.runs.past import Past

KEEP = ("summary", "end", "yearly", "quarterly")
"""What can be kept of a run: each outcome over its own time base, in the last quarter, by year
(flows summed, shares averaged, stocks at the end), by quarter."""
Model = Callable[[Any], Any]
Kept = dict[str, dict[str, Array]]


@dataclass(frozen=True)
class Plan:
    """What all chunks of a design have in common.

    Parameters
    ----------
    world, world_digest, code
        Name or folder of the world, and what its tables and the model's code must be.
    seed, until, fixed, outcomes
        As `ecosystem.inputs.options.Options` has them; `until` is the index of the last quarter.
    keep
        What is kept of each run, some of `KEEP`.
    model
        A user's own model, or None.
    listens
        Note which files the user's functions read, since results are stored.
    repeat
        Words that repeat a run, followed by its number.
    strict
        Raise the first error instead of listing the run as failed.
    """

    world: str
    world_digest: str
    code: str
    seed: int
    until: int
    fixed: bool
    outcomes: tuple[str, ...]
    keep: tuple[str, ...]
    model: Model | None = None
    listens: bool = False
    repeat: tuple[str, ...] = ()
    strict: bool = False


@dataclass(frozen=True)
class Task:
    """One chunk: some runs of one scenario.

    Parameters
    ----------
    plan
        What it has in common with the other chunks.
    scenario
        The scenario of all its runs.
    runs, point, replicate
        Number, parameter point and luck of each run, (runs,).
    values
        Parameter values by name, (runs,) each.
    question
        All else that determines the results, as JSON, where these are stored.
    past
        The past from which the runs go on, where it has been stepped already: of no other numbers.
    draws
        The row of each run in a table of draws, where there is one.
    """

    plan: Plan
    scenario: ResolvedScenario | str
    runs: NDArray[np.int64]
    point: Integers
    replicate: Integers
    values: Mapping[str, Array]
    question: str = ""
    past: Past | None = None
    draws: pd.DataFrame | None = None

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self.runs)

    def part(self, places: slice) -> Task:
        """Return some of the runs as a task of their own."""
        return replace(
            self,
            runs=self.runs[places],
            point=self.point[places],
            replicate=self.replicate[places],
            values={name: column[places] for name, column in self.values.items()},
            past=self.past and self.past.part(places),
            draws=None if self.draws is None else self.draws.iloc[places],
        )

    def singles(self) -> list[Task]:
        """Return each run as a task of its own."""
        return [self.part(slice(place, place + 1)) for place in range(len(self))]

    @property
    def identity(self) -> str:
        """SHA-256 of all that determines the results."""
        columns: dict[str, NDArray[Any]] = {
            "run": self.runs, "point": self.point, "replicate": self.replicate, **self.values
        }  # fmt: skip
        return digest([self.question, digests_of(columns)])


@dataclass(frozen=True)
class Piece:
    """What came of a chunk.

    Parameters
    ----------
    runs
        Numbers of the runs that ended well.
    values
        What was kept, by kind and outcome, (runs, periods, entries) each.
    failures
        One row each of the others: run, error, parameters and the command that repeats it.
    files
        SHA-256 of the files that the user's functions read, by path.
    """

    runs: NDArray[np.int64]
    values: Kept
    failures: tuple[dict[str, Any], ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)


def joined(pieces: Sequence[Piece]) -> Piece:
    """Return the pieces of a chunk that was run in parts as one.

    Raises
    ------
    InputError
        A user's own model returned other outcomes for some runs than for others.
    """
    whole = [piece for piece in pieces if len(piece.runs)]
    check_same_outcomes(
        {int(piece.runs[0]): list(values) for piece in whole for values in piece.values.values()}
    )
    values: Kept = {
        kind: {
            name: np.concatenate([piece.values[kind][name] for piece in whole])
            for name in whole[0].values[kind]
        }
        for kind in (whole[0].values if whole else ())
    }
    return Piece(
        np.concatenate([piece.runs for piece in pieces]),
        values,
        tuple(row for piece in pieces for row in piece.failures),
        {path: found for piece in pieces for path, found in piece.files.items()},
    )
