"""Two arms of an experiment with the same draws, and whether they differ beyond noise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from docs.make.mechanisms import summarise
from docs.make.mechanisms import with_values as with_values
from ecosystem.inputs.calendar import period_index
from ecosystem.inputs.catalogue import instruments
from ecosystem.inputs.functions import Hook
from ecosystem.inputs.scenario import ResolvedScenario, resolve, with_overrides
from ecosystem.inputs.world.loader import load_world
from ecosystem.maths.arrays import Array
from ecosystem.quarter.start import make_setting
from ecosystem.state.setting import Setting

FALSE_ALARM = 0.01
"""Chance that any of a family of tests passes where nothing differs."""
FLIPS = 20_000


def scenario(*settings: str, shocks: Iterable[str] = ()) -> ResolvedScenario:
    """Return `history` with overrides as on the command line."""
    return with_overrides(resolve("history"), settings, shocks)


def switched(name: str, active: bool) -> list[str]:
    """Return the overrides that have an instrument on at its defaults, or off, from 2025Q3."""
    years = instruments()[name].default_years if active else None
    end = [f"instrument.{name}.end={2025 + int(years)}Q2"] if years else []
    on = str(active).lower()
    return [f"instrument.{name}.active={on}", f"instrument.{name}.start=2025Q3", *end]


def given(
    resolved: ResolvedScenario,
    *,
    world: str = "full",
    replicates: int,
    seed: int = 1,
    fixed: bool = True,
    means: Iterable[str] = (),
) -> Setting:
    """Return the setting of an arm; rules in `means` are replaced by their mean."""
    resolved = replace(resolved, hooks=tuple(map(Hook.from_mean, means)))
    return make_setting(resolved, load_world(world), seed, range(replicates), fixed)


def summary(setting: Setting, names: Iterable[str], until: str) -> dict[str, Array]:
    """Return outcomes on their own time base, summed over their entries, (runs,) each."""
    return summarise(setting, names, period_index(until))


def change(new: Array, old: Array) -> Array:
    """Return the change of each replicate relative to the larger of the two values."""
    scale = np.maximum(np.abs(new), np.abs(old))
    return np.asarray((new - old) / np.where(scale > 0, scale, 1.0))


def chance_of(differences: Array) -> float:
    """Return the two-sided p-value of no change, by flipping signs of pairs at random.

    The statistic is Wilcoxon's (1945) sum of signed ranks: one run in which luck tipped a large
    project counts no more than another. Exact where both signs are equally likely; never below
    1/(FLIPS + 1).
    """
    sizes = np.abs(differences)
    ranks = np.sign(sizes) * ((sizes > sizes[:, None]).sum(axis=0) + 1.0)
    signs = np.random.default_rng(0).choice((-1.0, 1.0), (FLIPS, len(sizes)))
    reached = np.abs(signs @ ranks) >= np.abs(np.sign(differences) @ ranks)
    return (1 + int(reached.sum())) / (FLIPS + 1)


def beyond_noise(family: Mapping[str, Array]) -> dict[str, bool]:
    """Return which differences are not zero, at FALSE_ALARM for the whole family (Holm 1979)."""
    chances = {name: chance_of(values) for name, values in family.items()}
    found, passed = dict.fromkeys(chances, False), True
    for place, name in enumerate(sorted(chances, key=lambda key: chances[key])):
        passed = passed and chances[name] <= FALSE_ALARM / (len(chances) - place)
        found[name] = passed
    return found
