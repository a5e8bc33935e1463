"""The core of every run: the quarters of a chunk of runs, one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ecosystem.inputs.calendar import POLICY_START, QUARTERS_A_YEAR, period_label
from ecosystem.inputs.catalogue import outcomes as outcome_table
from ecosystem.inputs.scenario import ResolvedScenario
from ecosystem.inputs.world.loader import load_world
from ecosystem.maths.arrays import Array
from ecosystem.maths.kernels import discount_factor
from ecosystem.outcomes import measure
from ecosystem.quarter.start import initial_state, make_setting
from ecosystem.quarter.step import step
from ecosystem.state.setting import Setting

SLOTS_A_CHUNK = 102_400
"""AI-firm slots of a chunk of runs: a firm column of a chunk then stays below 1 MB."""
WARM_UP = 3_900_000
"""Numbers in the block that is allocated once, see `keep_memory`."""


@dataclass(frozen=True)
class Chunk:
    """Runs of one scenario that are stepped together.

    `points` has values by parameter name, (runs,) each, that stand above those of the scenario.
    """

    scenario: ResolvedScenario
    world: str
    seed: int
    replicates: tuple[int, ...]
    until: int
    fixed: bool
    outcomes: tuple[str, ...]
    series: bool
    points: Mapping[str, Array] = field(default_factory=dict)


def keep_memory() -> None:
    """Let the C library keep freed blocks: large temporaries are then up to nine times faster.

    Freeing one block just below the largest that glibc may hold raises its threshold for handing
    memory back to the system; the block is never touched.
    """
    block = np.empty(WARM_UP)
    del block


class Recorder:
    """Outcomes of a chunk: the summary as it goes, and the series if wanted."""

    def __init__(self, setting: Setting, names: Sequence[str], until: int, series: bool) -> None:
        self.names, self.until = tuple(names), until
        self.since = POLICY_START if until >= POLICY_START else 0
        self.rate = setting.parameters.public_discount_rate
        self.summary: dict[str, Array] = {}
        self.series: dict[str, list[Array]] | None = {n: [] for n in names} if series else None

    def add(self, t: int, values: Mapping[str, Array]) -> None:
        """Take in the outcomes of quarter `t`."""
        table = outcome_table()
        for name in self.names:
            value = values[name]
            if self.series is not None:
                self.series[name].append(value)
            weight = self.weight(table[name].time_base, t)
            if weight is not None:
                self.summary[name] = self.summary.get(name, 0.0) + weight * value

    def weight(self, time_base: str, t: int) -> Array | float | None:
        """Return the weight of quarter `t` in the summary of an outcome, None for none."""
        if time_base == "end":
            return 1.0 if t == self.until else None
        if time_base == "last_year_mean":
            quarters = min(QUARTERS_A_YEAR, self.until + 1)
            return 1 / quarters if t > self.until - quarters else None
        if t < self.since:
            return None
        if time_base == "sum":
            return 1.0
        years = (t - self.since) / QUARTERS_A_YEAR
        return discount_factor(self.rate, years)


def run_chunk(chunk: Chunk) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return series (runs, quarters, entries) and summary (runs, entries) of a chunk by outcome.

    Raises
    ------
    FloatingPointError
        If an outcome is not finite; names the scenario, outcome, quarter and replicate.
    """
    keep_memory()
    world = load_world(chunk.world)
    setting = make_setting(
        chunk.scenario, world, chunk.seed, chunk.replicates, chunk.fixed, chunk.points
    )
    recorder = Recorder(setting, chunk.outcomes, chunk.until, chunk.series)
    state = initial_state(setting)
    for t in range(chunk.until + 1):
        state, quarter = step(state, setting)
        if chunk.series or t >= recorder.since or t > chunk.until - QUARTERS_A_YEAR:
            values = measure(quarter, setting)
            check_finite(values, chunk, t)
            recorder.add(t, values)
    series = {name: np.stack(rows, axis=1) for name, rows in (recorder.series or {}).items()}
    return series, {name: recorder.summary[name] for name in chunk.outcomes}


def check_finite(values: Mapping[str, Array], chunk: Chunk, t: int) -> None:
    """Raise FloatingPointError where a wanted outcome is not a number."""
    for name in chunk.outcomes:
        bad = ~np.isfinite(values[name]).all(axis=1)
        if bad.any():
            run = chunk.replicates[int(np.flatnonzero(bad)[0])]
            raise FloatingPointError(
                f"{chunk.scenario.name}: outcome {name} is not finite in {period_label(t)}, "
                f"replicate {run}, seed {chunk.seed}"
            )
