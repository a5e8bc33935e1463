"""Designs: tables of runs, each a scenario under a shock at a parameter point with its luck."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecosystem.inputs.arguments import checked_parameters, listed
from ecosystem.inputs.calendar import period_label
from ecosystem.inputs.catalogue import shocks as shock_table
from ecosystem.inputs.entries import ShockUse
from ecosystem.inputs.faults import FaultList
from ecosystem.inputs.scenario import ResolvedScenario, Scenario, resolve, with_overrides
from ecosystem.maths.arrays import Array
from ecosystem.runs.identity import digest, plain

Integers = NDArray[np.int32]
Item = str | Path | Scenario | ResolvedScenario
MODEL = "model"
"""Name of the scenario of runs that have none: those of a user's own model."""
RUN_COLUMNS = ("run", "scenario", "shock", "point", "replicate")
"""What names a run; no parameter of a model of one's own can be called so."""
LARGEST = int(np.iinfo(np.int32).max)
"""Largest number of a replicate."""
MOST = 100_000_000
"""Most runs of a design: their numbers take 20 bytes a run."""


def use_label(use: ShockUse) -> str:
    """Return a shock as one word: its name, with amplitude and start where they are its own."""
    row = shock_table()[use.name]
    start = period_label(use.start)
    if (use.amplitude, start) == (row.amplitude_default, row.start_default):
        return use.name
    return f"{use.name}:{use.amplitude!r}:{start}"


def shock_label(scenario: ResolvedScenario | str) -> str:
    """Return the shocks of a scenario as one word, ``none`` without."""
    uses = () if isinstance(scenario, str) else scenario.shocks
    return "+".join(map(use_label, uses)) or "none"


def scenario_name(scenario: ResolvedScenario | str) -> str:
    """Return the name of a scenario in results."""
    return scenario if isinstance(scenario, str) else scenario.name


@dataclass(frozen=True)
class Design:
    """A table of runs; row i is run i.

    Parameters
    ----------
    scenarios
        Scenarios with their shocks, each with a label of its own; a mere name is for models that
        know no scenarios.
    scenario
        Place of each run's scenario among `scenarios`, (runs,).
    point
        Place of each run's parameter point among `points`, (runs,).
    replicate
        Luck of each run, (runs,): runs with the same number share all their draws.
    points
        Values by parameter name, (points,) each; what is not named is drawn by replicate.

    Raises
    ------
    InputError
        Two scenarios could not be told apart in results.
    """

    scenarios: tuple[ResolvedScenario | str, ...]
    scenario: Integers
    point: Integers
    replicate: Integers
    points: Mapping[str, Array]

    def __post_init__(self) -> None:
        """Refuse scenarios of one name under shocks of one label."""
        faults = FaultList()
        first: dict[tuple[str, str], int] = {}
        for place, one in enumerate(self.scenarios):
            label = scenario_name(one), shock_label(one)
            if (other := first.setdefault(label, place)) != place:
                allowed = f"a name of its own: scenarios[{other}] has the same, and results could "
                faults.add(f"scenarios[{place}]", label[0], allowed + "not tell the two apart")
        faults.raise_if_any()

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self.replicate)

    @property
    def digest(self) -> str:
        """SHA-256 of everything in the table."""
        scenarios = [one if isinstance(one, str) else one.digest for one in self.scenarios]
        columns = {"scenario": self.scenario, "point": self.point, "replicate": self.replicate}
        return digest([scenarios, digests_of(columns), digests_of(self.points)])

    def values(self, runs: Any) -> dict[str, Array]:
        """Return the parameter values of some runs, (runs,) each."""
        return {name: column[self.point[runs]] for name, column in self.points.items()}

    def table(self, runs: NDArray[np.integer[Any]] | slice = slice(None)) -> pd.DataFrame:
        """Return runs as a frame: scenario, shock, point, replicate, and the point's values."""
        places = np.arange(len(self))[runs]
        which = self.scenario[places]
        keys = {
            "scenario": np.array([scenario_name(one) for one in self.scenarios], object)[which],
            "shock": np.array([shock_label(one) for one in self.scenarios], object)[which],
            "point": self.point[places],
            "replicate": self.replicate[places],
        }
        return pd.DataFrame(keys | self.values(places), index=pd.Index(places, name="run"))

    def part(self, runs: Sequence[int]) -> Design:
        """Return a design of some of the runs alone."""
        places = np.asarray(runs, dtype=np.int64)
        columns = self.scenario[places], self.point[places], self.replicate[places]
        return Design(self.scenarios, *columns, self.points)


def digests_of(columns: Mapping[str, NDArray[Any]]) -> dict[str, str]:
    """Return the digest of each of some columns of numbers."""
    return {
        name: digest(np.ascontiguousarray(column).astype(column.dtype.newbyteorder("<")).tobytes())
        for name, column in columns.items()
    }


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
    if not isinstance(given, Mapping | pd.DataFrame):
        faults.add("points", given, "a frame, or lists of numbers by the name of a parameter")
        given = {}
    columns = {str(name): _numbers(faults, f"points.{name}", given[name]) for name in given}
    sizes = {len(column) for column in columns.values()} or {1}
    if len(sizes) > 1 or 0 in sizes:
        faults.add("points", sorted(sizes), "columns of one length, at least 1")
    items = [MODEL] if scenarios is None else listed(scenarios)
    struck = listed(shocks)
    count = max(sizes)
    each = faults.whole("replicates", replicates, 1) or 1
    if (runs := len(items) * len(struck) * count * each) > MOST:
        allowed = f"fewer: {runs:,} runs in all are more than the {MOST:,} of a design"
        faults.add("replicates", replicates, allowed)
    for name in columns:
        if name in RUN_COLUMNS:
            faults.add("points", name, "another name: every run has a column of it")
    block = np.zeros(count, np.int64) if luck is None else _blocks(faults, luck, count, each)
    held = checked_parameters(faults, parameters)
    faults.raise_if_any()
    resolved = _resolved(items, struck, held)
    place = np.arange(len(resolved), dtype=np.int32)
    return Design(
        resolved,
        np.repeat(place, count * each),
        np.tile(np.repeat(np.arange(count, dtype=np.int32), each), len(resolved)),
        np.tile((block[:, None] * each + np.arange(each)).astype(np.int32).ravel(), len(resolved)),
        columns,
    )


def _numbers(faults: FaultList, place: str, values: Any) -> Array:
    """Return one value a point, (points,), noting the first that is no finite real number."""
    if np.ndim(values) != 1:
        faults.add(place, values, "a list of finite real numbers, one a point")
        return np.zeros(1)
    if getattr(getattr(values, "dtype", None), "kind", "") in ("i", "u", "f"):
        column = np.asarray(values, dtype=float)
        for value in column[~np.isfinite(column)][:1].tolist():
            faults.number(place, value)
        return column
    numbers = []
    for value in values:
        numbers.append(FaultList().number(place, value))
        if numbers[-1] is None:
            faults.add(place, value, "a finite real number for each point")
            return np.zeros(len(values))
    return np.array(numbers, dtype=float)


def _blocks(faults: FaultList, luck: Any, count: int, replicates: int) -> NDArray[np.int64]:
    """Return the block of each point, (points,), noting what is none."""
    try:
        block = np.asarray(luck)
    except ValueError:  # lists of several lengths
        block = np.array(None)
    most = LARGEST // replicates - 1
    whole = block.shape == (count,) and block.dtype.kind in "iu"
    if not whole or (block < 0).any() or (block > most).any():
        allowed = f"a whole number from 0 to {most} for each of {count} points"
        faults.add("luck", plain(listed(luck)[:5]), allowed)
    return block.astype(np.int64) if whole else np.zeros(count, np.int64)


def _resolved(
    items: Sequence[Item], shocks: Sequence[str | None], parameters: Mapping[str, float]
) -> tuple[ResolvedScenario | str, ...]:
    """Return every scenario under every shock."""
    if items == [MODEL]:
        return (MODEL,)
    shocked = [
        with_overrides(resolve(item), shocks=[shock] if shock else [])
        for item in items
        for shock in shocks
    ]
    return tuple(replace(one, parameters={**one.parameters, **parameters}) for one in shocked)
