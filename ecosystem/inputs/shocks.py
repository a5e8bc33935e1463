"""Shocks of a scenario over time: what multiplies each channel, quarter by quarter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecosystem.inputs.calendar import HORIZON
from ecosystem.inputs.catalogue import Shock, shocks
from ecosystem.inputs.scenario import ResolvedScenario

Array = NDArray[np.float64]


def shock_paths(resolved: ResolvedScenario) -> dict[str, Array]:
    """Return the multiplier of every shock channel, (quarters,); shocks that meet multiply."""
    channels = [name for row in shocks().values() for name in (row.channel, row.second_channel)]
    paths = {name: np.ones(HORIZON) for name in channels if name}
    for use in resolved.shocks:
        row = shocks()[use.name]
        for channel, factor in ((row.channel, 1.0), (row.second_channel, row.second_factor)):
            if channel and factor is not None:
                change = shock_profile(row, factor * use.amplitude, use.start)
                paths[channel] = paths[channel] * change
    return paths


def shock_profile(row: Shock, amplitude: float, start: int) -> Array:
    """Return the multiplier of one shock over time, (quarters,), 1 before ``start``.

    Parameters
    ----------
    row : Shock
        Profile and its times, in quarters: *surge* rises and fades, *decay* drops at once and
        returns exponentially, *ramp* comes to stay, *hold_recover* stays for ``hold`` quarters and
        then returns linearly over ``recovery`` quarters.
    amplitude : float
        Size of the change; its sign is the shock's own.
    start : int
        First quarter of the shock.
    """
    age = np.arange(HORIZON) - start
    tau = np.maximum(age, 0).astype(float)
    if row.profile == "hold_recover":
        hold, recovery = row.hold or 0, row.recovery or 0
        change = np.clip(1.0 - np.maximum(tau - hold + 1.0, 0.0) / (recovery + 1.0), 0.0, 1.0)
    elif row.profile == "decay":
        change = np.exp(-tau / (row.decay or 1.0))
    elif row.profile == "ramp":
        change = 1.0 - np.exp(-tau / (row.rise or 1.0))
    else:
        change = (1.0 - np.exp(-tau / (row.rise or 1.0))) * np.exp(-tau / (row.decay or 1.0))
    return np.where(age >= 0, 1.0 + row.sign * amplitude * change, 1.0)
