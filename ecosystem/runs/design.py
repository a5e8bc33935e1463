"""Designs: tables of runs, each a scenario under a shock at a parameter point with its luck."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from ecosystem.inputs.arguments import checked_parameters
from ecosystem.inputs.faults import FaultList
from ecosystem.inputs.scenario import ResolvedScenario, Scenario, resolve, with_overrides
from ecosystem.maths.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

Integers = NDArray[np.int32]
Item = str | Path | Scenario | ResolvedScenario
MODEL = "model"
"""Name of the scenario of runs that have none: those of a user's own model."""
RUN_COLUMNS = ("run", "scenario", "shock", "point", "replicate")
"""What names a run; no parameter of a model of one's own can be called so."""
LARGEST = int(np.iinfo(np.int32).max)
"""Largest number of a replicate."""


def shock_label(scenario: ResolvedScenario | str) -> str:
    """Return the shocks of a scenario as one word, ``none`` without."""
    uses = () if isinstance(scenario, str) else scenario.shocks
    return "+".join(use.name for use in uses) or "none"


def scenario_name(scenario: ResolvedScenario | str) -> str:
    """Return the name of a scenario in results."""
    return scenario if isinstance(scenario, str) else scenario.name


@dataclass(frozen=True)
class Design:
    """A table of runs; row i is run i.

    Parameters
    ----------
    scenarios
        Scenarios with their shocks; a mere name is for models that know no scenarios.
    scenario
        Place of each run's scenario among `scenarios`, (runs,).
    point
        Place of each run's parameter point among `points`, (runs,).
    replicate
        Luck of each run, (runs,): runs with the same number share all their draws.
    points
        Values by parameter name, (points,) each; what is not named is drawn by replicate.
    """

    scenarios: tuple[ResolvedScenario | str, ...]
    scenario: Integers
    point: Integers
    replicate: Integers
    points: Mapping[str, Array]

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self.replicate)

    @property
    def digest(self) -> str:
        """SHA-256 of everything in the table."""
        total = hashlib.sha256()
        for one in self.scenarios:
            total.update((one if isinstance(one, str) else one.digest).encode() + b"\0")
        for column in (self.scenario, self.point, self.replicate):
            total.update(np.ascontiguousarray(column, dtype="<i4").tobytes())
        for name in sorted(self.points):
            total.update(name.encode() + b"\0")
            values = self.points[name][self.point]
            total.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
        return total.hexdigest()

    def values(self, runs: NDArray[np.integer[Any]]) -> dict[str, Array]:
        """Return the parameter values of some runs, (runs,) each."""
        return {name: column[self.point[runs]] for name, column in self.points.items()}

    def table(self, runs: NDArray[np.integer[Any]] | slice = slice(None)) -> pd.DataFrame:
        """Return runs as a frame: scenario, shock, point, replicate, and the point's values."""
        import pandas as pd

        places = np.arange(len(self))[runs]
        names = [scenario_name(one) for one in self.scenarios]
        shocks = [shock_label(one) for one in self.scenarios]
        which = self.scenario[places]
        keys = {
            "scenario": np.array(names, dtype=object)[which],
            "shock": np.array(shocks, dtype=object)[which],
            "point": self.point[places],
            "replicate": self.replicate[places],
        }
        return pd.DataFrame(keys | self.values(places), index=pd.Index(places, name="run"))

    def part(self, runs: Sequence[int]) -> Design:
        """Return a design of some of the runs alone."""
        places = np.asarray(runs, dtype=np.int64)
        return Design(
            self.scenarios,
            self.scenario[places],
            self.point[places],
            self.replicate[places],
            self.points,
        )


def cross(
    scenarios: Item | Sequence[Item] | None = None,
    *,
    shocks: str | Sequence[str | None] = (None,),
    points: Mapping[str, Any] | pd.DataFrame | None = None,
    replicates: int = 1,
    luck: Sequence[int] | None = None,
    parameters: Mapping[str, float] | None = None,
) -> Design:
    """Return the design of every scenario under every shock at every point in every replicate.

    Parameters
    ----------
    scenarios
        Package names, TOML files or `Scenario` objects; None for a user's own model that knows
        no scenarios.
    shocks
        ``name[:amplitude[:start]]`` each, on every scenario; None for no shock.
    points
        One column a parameter, one row a point (a frame, or arrays by name); without, there is
        one point at which every parameter is drawn.
    replicates
        Runs of each scenario, shock and point.
    luck
        A block number for each point. Run r of a point in block b has the luck of replicate
        ``b * replicates + r``, so that points of one block share luck and blocks do not. By
        default all points are one block.
    parameters
        Values that hold in all runs, whatever the scenario says.

    Raises
    ------
    InputError
        With everything that is wrong.
    """
    given: Any = {} if points is None else points
    faults = FaultList()
    columns = {str(name): _numbers(faults, f"points.{name}", given[name]) for name in given}
    sizes = {len(column) for column in columns.values()} or {1}
    if len(sizes) > 1 or 0 in sizes:
        faults.add("points", sorted(sizes), "columns of one length, at least 1")
    faults.whole("replicates", replicates, 1)
    for name, column in columns.items():
        if name in RUN_COLUMNS:
            faults.add("points", name, "another name: every run has a column of it")
        if not np.isfinite(column).all():
            faults.add(f"points.{name}", float(column[~np.isfinite(column)][0]), "a finite number")
    count = max(sizes)
    block = np.zeros(count, np.int64) if luck is None else _blocks(faults, luck, count, replicates)
    held = checked_parameters(faults, parameters)
    faults.raise_if_any()
    listed = _resolved(scenarios, [shocks] if isinstance(shocks, str) else shocks, held)
    scenario, point, run = np.indices((len(listed), count, replicates)).reshape(3, -1)
    replicate = block[point] * replicates + run
    return Design(
        tuple(listed),
        scenario.astype(np.int32),
        point.astype(np.int32),
        replicate.astype(np.int32),
        columns,
    )


def _numbers(faults: FaultList, place: str, values: Any) -> Array:
    """Return one value a point, (points,), noting what is no list of numbers."""
    try:
        column = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        column = np.empty(())
    if column.ndim == 1:
        return column
    faults.add(place, values, "a list of numbers, one a point")
    return np.zeros(1)


def _blocks(faults: FaultList, luck: Any, count: int, replicates: int) -> NDArray[np.int64]:
    """Return the block of each point, (points,), noting what is none."""
    block = np.asarray(luck)
    most = LARGEST // replicates - 1 if isinstance(replicates, int) and replicates > 0 else LARGEST
    whole = block.shape == (count,) and block.dtype.kind in "iu"
    if not whole or (block < 0).any() or (block > most).any():
        allowed = f"a whole number from 0 to {most} for each of {count} points"
        faults.add("luck", block.ravel()[:5].tolist(), allowed)
    return block.astype(np.int64) if whole else np.zeros(count, np.int64)


def _resolved(
    scenarios: Item | Sequence[Item] | None,
    shocks: Sequence[str | None],
    parameters: Mapping[str, float],
) -> list[ResolvedScenario | str]:
    """Return every scenario under every shock."""
    if scenarios is None:
        return [MODEL]
    single = isinstance(scenarios, str | Path | Scenario | ResolvedScenario)
    items = cast(Sequence[Item], [scenarios] if single else scenarios)
    shocked = [
        with_overrides(resolve(item), shocks=[shock] if shock else [])
        for item in items
        for shock in shocks
    ]
    return [replace(one, parameters={**one.parameters, **parameters}) for one in shocked]
