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
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecosystem.inputs.catalogue import Row, read_rows

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
    weight_a, weight_b, weight_c : float
        Weight of a target by its grade.
    """

    break_period: int
    log_sd_before: float
    log_sd_after: float
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
    value["break_period"] = int(value["break_period"])
    return ObservationModel(**value)


def published_compute(
    servers: ArrayLike, shells: ArrayLike, periods: ArrayLike, model: ObservationModel
) -> Floats:
    """Return what would be published, without error: servers, from the break on shells.

    Parameters
    ----------
    servers, shells : array_like, shape (runs, periods)
        Compute in operation and nameplate of halls, in PFLOPS.
    periods : array_like of int, shape (periods,)
        Quarter of each column.
    model : ObservationModel
        Where the break lies.

    Returns
    -------
    ndarray, shape (runs, periods)
        PFLOPS.
    """
    return np.where(np.asarray(periods) >= model.break_period, shells, servers)


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
