"""What a simulation returns: arrays by outcome, and the same as tidy frames or xarray."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ecosystem.inputs.calendar import period_label
from ecosystem.inputs.catalogue import outcomes
from ecosystem.inputs.draws import Draws, draw_parameters, drawn_values
from ecosystem.inputs.scenario import ResolvedScenario
from ecosystem.inputs.world.loader import World
from ecosystem.maths.arrays import Array
from ecosystem.maths.chance import Chance
from ecosystem.runs.design import shock_label
from ecosystem.runs.table import outcome_entries, tidy
from ecosystem.runs.task import Piece


def titles_of(scenarios: Sequence[ResolvedScenario]) -> dict[str, dict[str, str]]:
    """Return titles by scenario and language; where two are equal, with the scenario's name."""
    found = {one.name: {"en": one.title_en, "zh": one.title_zh} for one in scenarios}
    for lang in ("en", "zh"):
        counts = Counter(title[lang] for title in found.values())
        for name, title in found.items():
            if counts[title[lang]] > 1:
                title[lang] = f"{title[lang]} ({name})"
    return found


@dataclass(frozen=True)
class Result:
    """Outcomes of scenarios and replicates.

    Parameters
    ----------
    resolved
        The scenarios as they were run.
    replicates, seed, until
        Runs of each scenario, seed, last quarter.
    world
        The world they were run on.
    varied
        Parameters that differ between replicates.
    given
        Parameter values that hold in all runs.
    series
        Outcome by quarter, (scenarios, replicates, quarters, entries); empty if not kept.
    summaries
        Outcome over its own time base, (scenarios, replicates, entries): present value from
        2025Q3 on, mean of the last four quarters, value at the end, or sum from 2025Q3 on.
    failed
        One row each of the runs that failed, whose outcomes are NaN; see
        `ecosystem.runs.runner.Ensemble.failures`.
    drawn_from
        Table of draws that replicates have their rows of; None where all is the prior's.
    """

    resolved: tuple[ResolvedScenario, ...]
    replicates: int
    seed: int
    until: str
    world: World
    varied: tuple[str, ...]
    given: Mapping[str, float]
    series: Mapping[str, Array]
    summaries: Mapping[str, Array]
    failed: tuple[Any, ...] = ()
    drawn_from: Draws | None = None

    @property
    def scenarios(self) -> tuple[str, ...]:
        """Names of the scenarios."""
        return tuple(scenario.name for scenario in self.resolved)

    @property
    def titles(self) -> dict[str, dict[str, str]]:
        """Titles of the scenarios in English and Chinese."""
        return titles_of(self.resolved)

    @property
    def shocks(self) -> tuple[str, ...]:
        """Shocks of each scenario as one word, ``none`` without; see `design.use_label`."""
        return tuple(map(shock_label, self.resolved))

    @property
    def failed_runs(self) -> dict[tuple[str, str], int]:
        """Number of failed runs of each scenario that has some, by its name and its shocks."""
        return dict(Counter((row["scenario"], row["shock"]) for row in self.failed))

    def used_runs(self, place: int) -> int:
        """Return how many runs of the scenario at a place among `scenarios` did not fail."""
        return self.replicates - self.failed_runs.get(
            (self.scenarios[place], self.shocks[place]), 0
        )

    @property
    def draw_values(self) -> dict[str, Array]:
        """Value of every parameter, (replicates,); drawn again when asked for, not kept."""
        every, own = range(self.replicates), {}
        if self.drawn_from is not None:
            own = drawn_values(self.drawn_from.of_replicates(self.seed, every))
        return draw_parameters(Chance(self.seed, every), not self.varied, {**own, **self.given})

    @property
    def draws(self) -> pd.DataFrame:
        """Parameter values that vary, one row a replicate."""
        drawn = self.draw_values
        values = {name: drawn[name] for name in self.varied}
        return pd.DataFrame(values, index=pd.RangeIndex(self.replicates, name="replicate"))

    def entries(self, outcome: str) -> tuple[str, tuple[str, ...]]:
        """Return the column that an outcome's entries belong to, and their names."""
        return outcome_entries(self.world, outcome)

    def to_frame(self) -> pd.DataFrame:
        """Return every quarter as a tidy frame.

        Columns: scenario, shock, replicate, point, period, outcome, region, tier, kind, domain,
        value; text columns are categories, and periods are ordered. It takes some five times the
        memory of the arrays.
        """
        last = next(iter(self.series.values())).shape[2] if self.series else 0
        return self._tidy(self.series, [period_label(t) for t in range(last)])

    def summary(self) -> pd.DataFrame:
        """Return each outcome over its own time base as a tidy frame without a period."""
        values = {name: value[:, :, None] for name, value in self.summaries.items()}
        return self._tidy(values, [self.until]).drop(columns="period")

    def _tidy(self, values: Mapping[str, Array], periods: Sequence[str]) -> pd.DataFrame:
        """Return arrays (scenarios, replicates, periods, entries) as a frame."""
        runs = len(self.resolved) * self.replicates
        keys = pd.DataFrame(
            {
                "scenario": np.repeat(self.scenarios, self.replicates),
                "shock": np.repeat(self.shocks, self.replicates),
                "replicate": np.tile(np.arange(self.replicates), len(self.resolved)),
                "point": np.zeros(runs, dtype=np.int64),
            }
        )
        kept = {name: value.reshape(runs, *value.shape[2:]) for name, value in values.items()}
        entries = {name: self.entries(name) for name in values}
        return tidy(keys, Piece(np.arange(runs), {"": kept}), entries, {"": periods})

    def to_xarray(self) -> xr.Dataset:
        """Return every quarter as a dataset: (scenario, replicate, period[, entries])."""
        variables: dict[str, Any] = {}
        coordinates: dict[str, list[Any]] = {}
        for name, value in self.series.items():
            column, entries = self.entries(name)
            row = outcomes()[name]
            dimension = row.dimension
            data = value if dimension else value[..., 0]
            dims = ["scenario", "replicate", "period"] + ([dimension] if dimension else [])
            variables[name] = (dims, data, {"unit": row.unit, "long_name": row.title_en})
            if dimension:
                coordinates[dimension] = list(entries)
            coordinates["period"] = [period_label(t) for t in range(value.shape[2])]
        coordinates["scenario"] = list(self.scenarios)
        coordinates["replicate"] = list(range(self.replicates))
        return xr.Dataset(variables, coords=coordinates)
