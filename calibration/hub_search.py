"""Scores of a modelled path of the hub against its published compute, and a search over a grid.

Only targets marked ``fit`` are scored, all of them about days before the break in the series.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.observe import Variant, observation_model, published_compute
from calibration.targets import Target, Use, load_targets
from ecosystem.inputs.catalogue import Row, parameters, read_rows
from ecosystem.inputs.scenario import Scenario

Floats = NDArray[np.float64]
Candidate = Mapping[str, float]
"""Parameter values by name."""

TOLERANCE = 1.5
"""Factor within which the modelled path must lie of every published point that is fitted."""
UNTIL = "2025Q2"
"""Last quarter of what is on record."""


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
    compute = [t for t in targets or load_targets() if t.observable == "published_compute"]
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


def rank(modelled: ArrayLike, points: Points) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Score candidates and rank them.

    Parameters
    ----------
    modelled : array_like, shape (candidates, points)
        What each candidate's path is at the points.
    points : Points
        What is fitted.

    Returns
    -------
    order : ndarray of int, shape (candidates,)
        Numbers of the candidates, best first; ties in the order given.
    losses, factors : ndarray, shape (candidates,)
        Weighted mean squared log error and worst factor, in the order given.
    """
    losses = loss(modelled, points)
    return np.argsort(losses, kind="stable"), losses, worst_factor(modelled, points)


@dataclass(frozen=True)
class Paths:
    """Simulated servers and halls of the hub, (candidates, runs, quarters), PFLOPS."""

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
    progress: Callable[[int, int], None] | None = None,
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
    from ecosystem.runs.simulate import simulate

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
        outcomes=["servers_hub", "halls_hub"],
        progress=progress,
    )
    servers, halls = (result.series[name][..., 0] for name in ("servers_hub", "halls_hub"))
    return Paths(servers, halls)
