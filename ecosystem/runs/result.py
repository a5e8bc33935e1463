"""What a simulation returns: arrays by outcome, and the same as tidy frames or xarray."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ecosystem.inputs.calendar import period_label
from ecosystem.inputs.catalogue import outcomes, tiers
from ecosystem.inputs.draws import draw_parameters
from ecosystem.inputs.scenario import ResolvedScenario
from ecosystem.inputs.world.loader import World
from ecosystem.maths.arrays import Array
from ecosystem.maths.chance import Chance

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

DIMENSIONS = ("region", "tier", "kind", "domain")
ROWS = 2**18
"""Most rows of a piece of a tidy frame: labels take four times the memory of the values."""


def outcome_entries(world: World, outcome: str) -> tuple[str, tuple[str, ...]]:
    """Return the column that an outcome's entries belong to in a world, and their names."""
    dimension = outcomes()[outcome].dimension
    names: dict[str, tuple[str, ...]] = {
        "": ("",),
        "tier": tuple(row.title_en for row in tiers().values()),
        "kind": tuple(world.kinds),
        "region": tuple(world.regions.region),
        "domain": tuple(world.domains.domain),
        "prefecture": tuple(world.prefectures.prefecture),
    }
    column = "region" if dimension == "prefecture" else dimension
    return column, names[dimension]


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

    @property
    def scenarios(self) -> tuple[str, ...]:
        """Names of the scenarios."""
        return tuple(scenario.name for scenario in self.resolved)

    @property
    def titles(self) -> dict[str, dict[str, str]]:
        """Titles of the scenarios in English and Chinese."""
        return {s.name: {"en": s.title_en, "zh": s.title_zh} for s in self.resolved}

    @property
    def shocks(self) -> tuple[str, ...]:
        """Shocks of each scenario as one word, ``none`` without."""
        return tuple("+".join(use.name for use in s.shocks) or "none" for s in self.resolved)

    @property
    def failed_runs(self) -> dict[str, int]:
        """Number of failed runs of each scenario that has some; names must differ for that."""
        counts = Counter(row["scenario"] for row in self.failed)
        return {name: counts[name] for name in self.scenarios if counts[name]}

    def used_runs(self, scenario: str) -> int:
        """Return how many runs of a scenario did not fail."""
        return self.replicates - self.failed_runs.get(scenario, 0)

    @property
    def draw_values(self) -> dict[str, Array]:
        """Value of every parameter, (replicates,); drawn again when asked for, not kept."""
        chance = Chance(self.seed, range(self.replicates))
        return draw_parameters(chance, not self.varied, self.given)

    @property
    def draws(self) -> pd.DataFrame:
        """Parameter values that vary, one row a replicate."""
        import pandas as pd

        drawn = self.draw_values
        values = {name: drawn[name] for name in self.varied}
        return pd.DataFrame(values, index=pd.RangeIndex(self.replicates, name="replicate"))

    def entries(self, outcome: str) -> tuple[str, tuple[str, ...]]:
        """Return the column that an outcome's entries belong to, and their names."""
        return outcome_entries(self.world, outcome)

    def to_frame(self) -> pd.DataFrame:
        """Return every quarter as a tidy frame.

        Columns: scenario, shock, replicate, point, period, outcome, region, tier, kind, domain,
        value; text columns are categories. It takes five times the memory of the arrays;
        `frames` gives it in pieces.
        """
        import pandas as pd

        return pd.concat(list(self.frames()), ignore_index=True)

    def frames(self, rows: int = ROWS) -> Iterator[pd.DataFrame]:
        """Give the rows of `to_frame` in their order, in pieces of some `rows` rows.

        A piece is of one outcome and holds whole runs, so it may be larger by one run; all pieces
        have the same columns and categories.
        """
        last = next(iter(self.series.values())).shape[2] if self.series else 0
        return self._tidy(self.series, [period_label(t) for t in range(last)], rows)

    def summary(self) -> pd.DataFrame:
        """Return each outcome over its own time base as a tidy frame without a period."""
        import pandas as pd

        values = {name: value[:, :, None] for name, value in self.summaries.items()}
        pieces = [piece.drop(columns="period") for piece in self._tidy(values, [self.until], ROWS)]
        return pd.concat(pieces, ignore_index=True)

    def _tidy(
        self, values: Mapping[str, Array], periods: list[str], rows: int
    ) -> Iterator[pd.DataFrame]:
        """Give arrays (scenarios, replicates, periods, entries) as frames, see `frames`."""
        import pandas as pd

        names = list(values)
        labels = sorted({label for name in names for label in self.entries(name)[1]} | {""})
        for position, name in enumerate(names):
            column, entries = self.entries(name)
            places = np.array([labels.index(entry) for entry in entries], dtype=np.int32)
            runs = values[name].reshape(-1, len(periods), len(entries))
            many = max(1, rows // (len(periods) * len(entries)))
            for first in range(0, len(runs), many):
                block = runs[first : first + many]
                run, time, entry = np.indices(block.shape, dtype=np.int32).reshape(3, -1)
                scenario, replicate = np.divmod(run + first, self.replicates)
                frame = {
                    "scenario": _category(scenario, self.scenarios),
                    "shock": _category(scenario, self.shocks),
                    "replicate": replicate.astype(np.int64),
                    "point": np.zeros(block.size, dtype=np.int64),
                    "period": _category(time, periods),
                    "outcome": _category(np.full(block.size, position), names),
                }
                for dimension in DIMENSIONS:
                    codes = np.full(block.size, labels.index(""))
                    codes = places[entry] if dimension == column else codes
                    frame[dimension] = pd.Categorical.from_codes(codes, pd.Index(labels))
                frame["value"] = block.reshape(-1)
                yield pd.DataFrame(frame)

    def to_xarray(self) -> xr.Dataset:
        """Return every quarter as a dataset: (scenario, replicate, period[, entries])."""
        import xarray as xr

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


def _category(codes: np.ndarray, names: tuple[str, ...] | list[str]) -> Any:
    """Return codes as a categorical; equal names share a category."""
    import pandas as pd

    distinct = list(dict.fromkeys(names))
    place = np.array([distinct.index(name) for name in names])
    return pd.Categorical.from_codes(place[codes], pd.Index(distinct))
