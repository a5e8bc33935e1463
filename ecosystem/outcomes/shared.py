"""What outcomes of several subjects have in common."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ecosystem.maths.arrays import Array, total
from ecosystem.maths.clearing import spread
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Setting

Equations = dict[str, Callable[[], Array]]
"""How each outcome of a quarter is computed, by name."""


def by_tier(values: Array, setting: Setting) -> Array:
    """Return prefecture values summed by tier, (runs, tiers)."""
    return setting.world.prefectures.sum(values, "tier")


def headline(setting: Setting) -> Array:
    """Return the FP32-equivalent weights of the kinds, (runs, kinds)."""
    return setting.by_kind("headline_weight")


def fp32(setting: Setting) -> Array:
    """Return the FP32-equivalent weight of each centre's compute, (runs, centres)."""
    return spread(setting.by_kind("headline_weight"), setting.world.centres.kind)


def base_park_output(quarter: Quarter, setting: Setting) -> Array:
    """Return what parks would make with their adoption at the start, M¥ (runs, 1)."""
    trend = np.exp(setting.parameters.park_output_growth * quarter.state.period / 4)
    return total(setting.world.parks.output * trend)
