"""What a simulation returns: arrays by outcome, and the same as tidy frames or xarray."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ecosystem.catalogue import outcomes
from ecosystem.chance import Chance
from ecosystem.draws import draw_parameters
from ecosystem.quarters import period_label
from ecosystem.scenario import ResolvedScenario
from ecosystem.setting import Array
from ecosystem.world.loader import World

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

TIERS = ("core", "ring 1", "ring 2", "other")
DIMENSIONS = ("region", "tier", "kind", "domain")


def outcome_entries(world: World, outcome: str) -> tuple[str, tuple[str, ...]]:
    """Return the column that an outcome's entries belong to in a world, and their names."""
    dimension = outcomes()[outcome].dimension
    names: dict[str, tuple[str, ...]] = {
        "": ("",),
        "tier": TIERS,
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
        value; text columns are categories.
        """
        last = next(iter(self.series.values())).shape[2] if self.series else 0
        periods = [period_label(t) for t in range(last)]
        return self._tidy(self.series, periods)

    def summary(self) -> pd.DataFrame:
        """Return each outcome over its own time base as a tidy frame without a period."""
        values = {name: value[:, :, None] for name, value in self.summaries.items()}
        return self._tidy(values, [self.until]).drop(columns="period")

    def _tidy(self, values: Mapping[str, Array], periods: list[str]) -> pd.DataFrame:
        import pandas as pd

        names = list(values)
        labels = sorted({label for name in names for label in self.entries(name)[1]} | {""})
        parts = []
        for position, name in enumerate(names):
            column, entries = self.entries(name)
            shape = (len(self.resolved), self.replicates, len(periods), len(entries))
            index = np.indices(shape).reshape(4, -1)
            frame = {
                "scenario": _category(index[0], self.scenarios),
                "shock": _category(index[0], self.shocks),
                "replicate": index[1].astype(np.int64),
                "point": np.zeros(index.shape[1], dtype=np.int64),
                "period": _category(index[2], periods),
                "outcome": _category(np.full(index.shape[1], position), names),
            }
            for dimension in DIMENSIONS:
                codes = np.full(index.shape[1], labels.index(""))
                if dimension == column:
                    codes = np.array([labels.index(entry) for entry in entries])[index[3]]
                frame[dimension] = pd.Categorical.from_codes(codes, pd.Index(labels))
            frame["value"] = values[name].reshape(-1)
            parts.append(pd.DataFrame(frame))
        return pd.concat(parts, ignore_index=True)

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
