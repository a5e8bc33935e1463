"""The observation model: what a hub states as its compute, given servers and shells.

Until 2024 the hub's published compute was servers in operation; from the end of that year it is
the nameplate of built halls (shells): what they were planned to carry, switched on or not. One
series therefore measures two stocks, one after the other, and the break between them is no growth.
Nameplate, racks built and racks in operation are three observables, each with an error of its own:
power per PFLOPS of the hub is not one number, so none follows from another.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecosystem.inputs.catalogue import Row, read_rows

Variant = Literal["break", "all_shells", "lagged_shells"]
"""``break``: servers, then shells. ``all_shells``: shells all along (the second fit).
``lagged_shells``: as ``break``, but in operation are the shells of some quarters earlier."""

COMPUTE = ("published_compute", "nameplate", "nameplate_province")
"""Observables whose error follows from this model."""
Floats = NDArray[np.float64]


class Constant(Row):
    """A number of the observation model."""

    value: float
    unit: str
    meaning: str


@dataclass(frozen=True)
class ObservationModel:
    """The numbers of ``observation.csv``.

    Parameters
    ----------
    break_period : int
        First quarter whose published figure is shells.
    log_sd_before, log_sd_after : float
        Standard deviation of the log of a published figure before and from the break on.
    lead : int
        Quarters from a hall to its servers, for ``lagged_shells``.
    weight_a, weight_b, weight_c : float
        Weight of a target by its grade.
    """

    break_period: int
    log_sd_before: float
    log_sd_after: float
    lead: int
    weight_a: float
    weight_b: float
    weight_c: float

    def weight(self, grade: str) -> float:
        """Return the weight of a grade, ``A``, ``B`` or ``C``."""
        return {"A": self.weight_a, "B": self.weight_b, "C": self.weight_c}[grade]


@lru_cache(maxsize=1)
def observation_model() -> ObservationModel:
    """Read ``observation.csv``.

    Raises
    ------
    InputError
        With every fault of the table.
    """
    text = (files("calibration") / "observation.csv").read_text(encoding="utf-8-sig")
    rows = read_rows(text, Constant, "observation.csv").values()
    value: dict[str, Any] = {row.name: row.value for row in rows}
    value |= {name: int(value[name]) for name in ("break_period", "lead")}
    return ObservationModel(**value)


def published_compute(
    servers: ArrayLike,
    shells: ArrayLike,
    periods: ArrayLike,
    model: ObservationModel,
    variant: Variant = "break",
) -> Floats:
    """Return what would be published, without error: C + s(t)·(S - C).

    Parameters
    ----------
    servers, shells : array_like, shape (runs, periods)
        Compute in operation C and nameplate of halls S, in PFLOPS. ``lagged_shells``
        needs consecutive quarters.
    periods : array_like of int, shape (periods,)
        Quarter of each column.
    model : ObservationModel
        Where the break lies and how long servers lag.
    variant : {"break", "all_shells", "lagged_shells"}
        Which of the readings of the series.

    Returns
    -------
    ndarray, shape (runs, periods)
        PFLOPS.
    """
    shells = np.asarray(shells, dtype=float)
    in_operation = np.asarray(servers, dtype=float)
    if variant == "lagged_shells":
        in_operation = earlier(shells, model.lead)
    switched = np.asarray(periods) >= model.break_period
    share = np.where(switched | (variant == "all_shells"), 1.0, 0.0)
    return in_operation + share * (shells - in_operation)


def earlier(levels: ArrayLike, quarters: int) -> Floats:
    """Return the levels of some quarters earlier; the first level stands for all before it.

    Parameters
    ----------
    levels : array_like, shape (runs, periods)
        Levels in consecutive quarters.
    quarters : int
        How much earlier.

    Returns
    -------
    ndarray, shape (runs, periods)
        In the unit of ``levels``.
    """
    levels = np.asarray(levels, dtype=float)
    source = np.maximum(np.arange(levels.shape[-1]) - quarters, 0)
    return levels[..., source]


def log_error_sd(periods: ArrayLike, model: ObservationModel) -> Floats:
    """Return the standard deviation of the log error of published compute.

    Parameters
    ----------
    periods : array_like of int, shape (periods,)
        Quarters.
    model : ObservationModel
        The break and the two standard deviations.

    Returns
    -------
    ndarray, shape (periods,)
        In logs.
    """
    after = np.asarray(periods) >= model.break_period
    return np.where(after, model.log_sd_after, model.log_sd_before)
