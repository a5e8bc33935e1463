"""The past of runs: the quarters before the policies, which packages share.

Packages differ from 2025Q3 on. What happens before depends on luck, on parameters, and on that
part of a scenario that begins before; where all of it is equal, the quarters to 2025Q2 are stepped
once, and every package goes on from the same state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np

from ecosystem.inputs.calendar import POLICY_START
from ecosystem.inputs.functions import MEAN, STAGES
from ecosystem.inputs.scenario import ResolvedScenario
from ecosystem.maths.arrays import Array
from ecosystem.state.state import State


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
        Outcomes of so many of the last quarters as are needed of each, (runs, quarters, entries).
    """

    state: State
    measured: Mapping[str, Array]

    @property
    def quarters(self) -> range:
        """The quarters of which there are outcomes."""
        count = max((value.shape[1] for value in self.measured.values()), default=0)
        return range(self.state.period - count, self.state.period)

    def outcomes(self, t: int) -> dict[str, Array]:
        """Return the outcomes of quarter `t`, (runs, entries) each."""
        ago = self.state.period - t
        return {n: value[:, -ago] for n, value in self.measured.items() if value.shape[1] >= ago}

    def part(self, places: Any) -> Past:
        """Return some of the runs."""
        return Past(
            over_arrays(lambda value: value[places], self.state),
            {name: value[places] for name, value in self.measured.items()},
        )


def joined_pasts(pasts: Sequence[Past]) -> Past:
    """Return the runs of several pasts as one."""
    return Past(
        over_arrays(lambda *values: np.concatenate(values), *(one.state for one in pasts)),
        {name: np.concatenate([one.measured[name] for one in pasts]) for name in pasts[0].measured},
    )


def over_arrays(function: Callable[..., Array], *records: Any) -> Any:
    """Return the first of some records of one class with what a function makes of their arrays."""
    changed = {}
    for field in fields(records[0]):
        values = [getattr(record, field.name) for record in records]
        if isinstance(values[0], np.ndarray):
            changed[field.name] = function(*values)
        elif is_dataclass(values[0]):
            changed[field.name] = over_arrays(function, *values)
    return replace(records[0], **changed)
