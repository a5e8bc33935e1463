"""The past of runs: the quarters before the policies, which packages share.

Packages differ from 2025Q3 on. What happens before depends on luck, on parameters, and on that
part of a scenario that begins before; where all of it is equal, the quarters to 2025Q2 are stepped
once, and every package goes on from the same state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np

from ecosystem.inputs.calendar import POLICY_START
from ecosystem.inputs.functions import MEAN, STAGES
from ecosystem.inputs.scenario import ResolvedScenario
from ecosystem.maths.arrays import Array
from ecosystem.state.state import State

Record = TypeVar("Record")


def early_part(scenario: ResolvedScenario) -> ResolvedScenario:
    """Return the part of a scenario that its past reads: scenarios of equal parts share a past.

    Layers and shocks that begin with 2025Q3 or later are left out, and functions behind stages,
    which are called from then on. A rule of the user's own is called from 2020Q1 on and sees the
    whole schedule, so a scenario with one has a past of its own.
    """
    rules = tuple(hook for hook in scenario.hooks if hook.stage not in STAGES)
    if any(rule.name != MEAN for rule in rules):
        return scenario
    return replace(
        scenario,
        name="past",
        title_en="",
        title_zh="",
        layers=tuple(
            layer
            for layer in scenario.layers
            if any(edit.start < POLICY_START for edit in layer.edits)
        ),
        shocks=tuple(use for use in scenario.shocks if use.start < POLICY_START),
        hooks=rules,
    )


@dataclass(frozen=True)
class Past:
    """What the future of some runs takes from their past.

    Parameters
    ----------
    state
        The state at the start of 2025Q3, or after the last quarter of runs that end before.
    measured
        Outcomes of the last quarters of the past, (runs, quarters, entries) each.
    """

    state: State
    measured: Mapping[str, Array]

    @property
    def quarters(self) -> range:
        """The quarters whose outcomes are there."""
        count = next(iter(self.measured.values())).shape[1] if self.measured else 0
        return range(self.state.period - count, self.state.period)

    def outcomes(self, t: int) -> dict[str, Array]:
        """Return the outcomes of quarter `t`, (runs, entries) each."""
        return {name: value[:, t - self.quarters.start] for name, value in self.measured.items()}

    def part(self, places: Any) -> Past:
        """Return some of the runs."""
        measured = {name: value[places] for name, value in self.measured.items()}
        return Past(rows_of(self.state, places), measured)


def rows_of(record: Record, places: Any) -> Record:
    """Return a record, and the records in it, with some of the runs of all arrays."""
    changed = {}
    for name in (field.name for field in fields(record)):  # type: ignore[arg-type]
        value = getattr(record, name)
        if isinstance(value, np.ndarray):
            changed[name] = value[places]
        elif is_dataclass(value):
            changed[name] = rows_of(value, places)
    return replace(record, **changed)  # type: ignore[type-var]
