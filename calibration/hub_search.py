"""The search for the hub's take-off: its published compute against modelled paths, over a grid.

Only targets marked ``fit`` are scored, all of them about days before the break in the series.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import product
from typing import get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from calibration.observe import COMPUTE, Variant, observation_model, published_compute
from calibration.targets import Target, Use, load_targets
from ecosystem.inputs.calendar import period_label
from ecosystem.inputs.catalogue import Row, parameters, read_rows
from ecosystem.inputs.scenario import Scenario
from ecosystem.runs.simulate import simulate

Floats = NDArray[np.float64]
Candidate = Mapping[str, float]
"""Parameter values by name."""
Progress = Callable[[int, int], None]

TOLERANCE = 1.5
"""Factor within which the modelled path must lie of every published point that is fitted."""
UNTIL = "2025Q2"
"""Last quarter of what is on record."""
SEED, REPLICATES = 1, 32
"""Luck of the search, common to all candidates."""
FRESH_SEED, FRESH_REPLICATES, AGAIN = 2, 128, 5
"""Luck of the second look at the best candidates: the winner of a noisy search flatters itself."""
DRAWS = 512
"""Replicates with parameter draws of their own."""
RESAMPLES = 1000
"""Bootstrap samples of replicates."""
VARIANTS: tuple[Variant, ...] = get_args(Variant)
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles of the path over runs."""


class GridRow(Row):
    """A row of ``hub_grid.csv``: a parameter that is searched over, and where."""

    values: str
    meaning: str


@dataclass(frozen=True)
class Points:
    """Published points of the hub's compute.

    Parameters
    ----------
    targets : tuple of Target
        The rows of ``targets.csv``, of shape (points,) with the arrays below.
    periods : ndarray of int
        Quarter of each.
    values : ndarray
        In PFLOPS.
    weights : ndarray
        By grade and share of the row; their sum is 1.
    """

    targets: tuple[Target, ...]
    periods: NDArray[np.int64]
    values: Floats
    weights: Floats


def hub_points(use: Use, targets: Sequence[Target] | None = None) -> Points:
    """Return the points of published compute with one use, in the region that is fitted.

    Parameters
    ----------
    use : {"fit", "hold_out"}
        Fitted, or drawn and not used.
    targets : sequence of Target, optional
        By default those of ``targets.csv``.
    """
    compute = [t for t in targets or load_targets() if t.observable in COMPUTE]
    hubs = {target.region for target in compute if target.use == "fit"}
    chosen = tuple(target for target in compute if target.use == use and target.region in hubs)
    weights = np.array([target.weight for target in chosen])
    return Points(
        targets=chosen,
        periods=np.array([target.period for target in chosen]),
        values=np.array([target.value for target in chosen]),
        weights=weights / weights.sum(),
    )


def log_errors(modelled: ArrayLike, points: Points) -> Floats:
    """Return log(modelled / published), (..., points); nothing modelled is infinitely far off."""
    with np.errstate(divide="ignore"):
        return np.log(np.asarray(modelled, dtype=float) / points.values)


def loss(modelled: ArrayLike, points: Points) -> Floats:
    """Return the weighted mean squared log error of modelled values, (..., points) to (...)."""
    return np.asarray((points.weights * log_errors(modelled, points) ** 2).sum(axis=-1))


def worst_factor(modelled: ArrayLike, points: Points) -> Floats:
    """Return the largest factor between modelled and published, either way, (...)."""
    return np.asarray(np.exp(np.abs(log_errors(modelled, points)).max(axis=-1)))


def shipped(names: Sequence[str]) -> dict[str, float]:
    """Return the defaults of the parameter table."""
    return {name: float(parameters()[name].default) for name in names}


def grid() -> list[dict[str, float]]:
    """Return all combinations of ``hub_grid.csv``, and the shipped defaults if not among them."""
    text = (files("calibration") / "hub_grid.csv").read_text(encoding="utf-8-sig")
    rows = read_rows(text, GridRow, "hub_grid.csv")
    axes = {name: [float(value) for value in row.values.split(";")] for name, row in rows.items()}
    found = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    default = shipped(list(axes))
    return found if default in found else [*found, default]


@dataclass(frozen=True)
class Paths:
    """Simulated servers and nameplate of halls, (candidates, runs, quarters), PFLOPS."""

    servers: Floats
    halls: Floats

    def published(self, variant: Variant = "break") -> Floats:
        """Return what each run would have published, without error."""
        periods = np.arange(self.servers.shape[-1])
        return published_compute(self.servers, self.halls, periods, observation_model(), variant)

    def at(self, points: Points, variant: Variant = "break") -> Floats:
        """Return the median over runs of what is published, (candidates, points)."""
        return np.median(self.published(variant)[..., points.periods], axis=1)


def hub_paths(
    candidates: Sequence[Candidate],
    replicates: int,
    seed: int,
    *,
    fixed: bool = True,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Paths:
    """Simulate what is on record, to 2025Q2, for all candidates on common random numbers.

    Parameters
    ----------
    candidates : sequence of dict
        Parameter values; all others are defaults, or drawn where not ``fixed``.
    replicates, seed
        Runs of each candidate and their seed.
    fixed
        Keep all other parameters at their defaults; otherwise each replicate draws its own.
    jobs, progress
        As in `simulate`.
    """
    result = simulate(
        [
            Scenario(parameters=candidate, name=f"candidate_{number}")
            for number, candidate in enumerate(candidates)
        ],
        replicates=replicates,
        seed=seed,
        until=UNTIL,
        fixed_parameters=fixed,
        jobs=jobs,
        outcomes=["servers_hub", "nameplate_hub"],
        progress=progress,
    )
    servers, halls = (result.series[name][..., 0] for name in ("servers_hub", "nameplate_hub"))
    return Paths(servers, halls)


@dataclass(frozen=True)
class Findings:
    """All that the search found.

    Parameters
    ----------
    table : DataFrame
        One row a candidate, best first: the record.
    path : DataFrame
        The path of the shipped defaults: quantiles over runs of every stock and quarter, with
        parameters at their defaults and drawn, and the published points below.
    """

    table: pd.DataFrame
    path: pd.DataFrame


def find(jobs: int | None = None, progress: Progress | None = None) -> Findings:
    """Run the grid, the best candidates again on fresh luck, and draws of all parameters.

    Parameters
    ----------
    jobs, progress
        As in `ecosystem.simulate`.
    """
    points, held_out, candidates = hub_points("fit"), hub_points("hold_out"), grid()
    paths = hub_paths(candidates, REPLICATES, SEED, jobs=jobs, progress=progress)
    table = scored(candidates, paths, points, held_out)
    table, fixed = look_again(table, points, jobs, progress)
    drawn = hub_paths([{}], DRAWS, FRESH_SEED, fixed=False, jobs=jobs, progress=progress)
    default = table["shipped"] == 1
    table.loc[default, "runs_within"] = passing(fixed, points)
    table.loc[default, "draws_within"] = passing(drawn, points)
    return Findings(table, path_table(fixed, drawn, points, held_out))


def scored(
    candidates: Sequence[Candidate], paths: Paths, points: Points, held_out: Points
) -> pd.DataFrame:
    """Return one row a candidate, best first, with its scores in all variants.

    Parameters
    ----------
    candidates : sequence of dict
        Parameter values.
    paths : Paths
        Their simulated paths.
    points, held_out : Points
        What is fitted; and what is not, of which only the quarters are read.
    """
    table = pd.DataFrame(list(candidates))
    default = shipped(list(table.columns))
    table["shipped"] = [int(candidate == default) for candidate in candidates]
    for variant in VARIANTS:
        modelled = paths.at(points, variant)
        table[f"loss_{variant}"] = loss(modelled, points)
        table[f"worst_factor_{variant}"] = worst_factor(modelled, points)
    table["within"] = (table["worst_factor_break"] <= TOLERANCE).astype(int)
    for name, stock in (("servers", paths.servers), ("halls", paths.halls)):
        for period in sorted({*points.periods, *held_out.periods}):
            table[f"{name}_{period_label(period)}"] = np.median(stock[..., period], axis=1)
    table = table.sort_values("loss_break", kind="stable").reset_index(names="candidate")
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return table


def look_again(
    table: pd.DataFrame, points: Points, jobs: int | None, progress: Progress | None
) -> tuple[pd.DataFrame, Paths]:
    """Run the best candidates and the shipped defaults on fresh luck.

    Returns
    -------
    DataFrame
        The table with ``fresh_loss``, ``fresh_worst_factor`` and ``beats_shipped`` in their rows.
    Paths
        Those of the shipped defaults, one candidate.
    """
    rows = table.index[(table["rank"] <= AGAIN) | (table["shipped"] == 1)]
    names = list(grid()[0])
    chosen = [dict(zip(names, values, strict=True)) for values in table.loc[rows, names].to_numpy()]
    paths = hub_paths(chosen, FRESH_REPLICATES, FRESH_SEED, jobs=jobs, progress=progress)
    here = int(np.flatnonzero(table.loc[rows, "shipped"])[0])
    runs = paths.published()[..., points.periods]
    table = table.copy()
    table.loc[rows, "fresh_loss"] = loss(np.median(runs, axis=1), points)
    table.loc[rows, "fresh_worst_factor"] = worst_factor(np.median(runs, axis=1), points)
    table.loc[rows, "beats_shipped"] = [better_share(own, runs[here], points) for own in runs]
    return table, Paths(paths.servers[here : here + 1], paths.halls[here : here + 1])


def better_share(paths: Floats, reference: Floats, points: Points) -> float:
    """Return the share of bootstrap samples of replicates in which a candidate beats another.

    Parameters
    ----------
    paths, reference : ndarray, shape (runs, points)
        Published by the runs of a candidate and of the other, on the same luck.
    points : Points
        What is fitted.
    """
    picks = np.random.default_rng(FRESH_SEED).integers(len(paths), size=(RESAMPLES, len(paths)))
    losses = [loss(np.median(runs[picks], axis=1), points) for runs in (paths, reference)]
    return float((losses[0] < losses[1]).mean())


def passing(paths: Paths, points: Points) -> float:
    """Return the share of single runs that lie within the tolerance of every point."""
    runs = paths.published()[0][:, points.periods]
    return float((worst_factor(runs, points) <= TOLERANCE).mean())


def path_table(fixed: Paths, drawn: Paths, points: Points, held_out: Points) -> pd.DataFrame:
    """Return quantiles over runs of every stock and quarter, then the published points.

    Parameters
    ----------
    fixed, drawn : Paths
        One candidate each: the shipped defaults, and replicates with their own parameters.
    points, held_out : Points
        What was fitted, and what was not used.
    """
    rows: list[dict[str, object]] = []
    for parameters_, paths in (("defaults", fixed), ("draws", drawn)):
        stocks = {"servers": paths.servers, "halls": paths.halls, "published": paths.published()}
        for stock, runs in stocks.items():
            for period, values in enumerate(np.quantile(runs[0], LEVELS, axis=0).T):
                row = {"mark": "band", "parameters": parameters_, "stock": stock, "period": period}
                quantiles = {f"q{q:.2f}": value for q, value in zip(LEVELS, values, strict=True)}
                rows.append(row | quantiles)
    for mark, group in (("fitted", points), ("not used", held_out)):
        for target in group.targets:
            before = target.period < observation_model().break_period
            rows.append(
                {
                    "mark": mark,
                    "stock": "servers" if before else "halls",
                    "period": target.period,
                    "date": target.date,
                    "published": target.value,
                    "bound": target.bound,
                }
            )
    return pd.DataFrame(rows)
