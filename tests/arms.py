"""Two arms of an experiment with the same draws, and whether they differ beyond noise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from ecosystem.catalogue import instruments
from ecosystem.outcomes import measure
from ecosystem.quarters import period_index
from ecosystem.scenario import ResolvedScenario, resolve, with_overrides
from ecosystem.setting import Array, Parameters, Setting
from ecosystem.simulation import Recorder, keep_memory, make_setting
from ecosystem.start import initial_state
from ecosystem.step import step
from ecosystem.world.loader import load_world

FALSE_ALARM = 0.01
"""Chance that any of a family of tests passes where nothing differs."""
FLIPS = 20_000
LAST = period_index("2030Q4")


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
    neutral: Iterable[str] = (),
) -> Setting:
    """Return the setting of an arm; rules in `neutral` are replaced by their mean."""
    setting = make_setting(resolved, load_world(world), seed, range(replicates), fixed)
    return replace(setting, neutral=frozenset(neutral))


def with_values(setting: Setting, **values: float) -> Setting:
    """Return the setting with parameters of the given values, in or out of their ranges."""
    from ecosystem.catalogue import parameters

    columns = {name: setting.parameters[name][:, 0] for name in parameters()}
    for name, value in values.items():
        columns[name] = np.full_like(columns[name], value)
    return replace(setting, parameters=Parameters(columns))


def summary(setting: Setting, names: Iterable[str], last: int = LAST) -> dict[str, Array]:
    """Return outcomes on their own time base, summed over their entries, (runs,) each."""
    keep_memory()
    recorder = Recorder(setting, tuple(names), last, False)
    state = initial_state(setting)
    for t in range(last + 1):
        state, quarter = step(state, setting)
        if t >= recorder.since:
            recorder.add(t, measure(quarter, setting))
    return {name: value.sum(axis=1) for name, value in recorder.summary.items()}


def change(new: Array, old: Array) -> Array:
    """Return the relative change of each replicate; in logs where both are positive."""
    if (new > 0).all() and (old > 0).all():
        return np.log(new / old)
    return np.asarray((new - old) / np.abs(old))


def chance_of(differences: Array) -> float:
    """Return the two-sided p-value of a median of zero, by flipping signs of ranks at random.

    Signed ranks (Wilcoxon 1945): a replicate in which a large centre fails counts for one pair
    and no more. Exact where both signs are equally likely; never below 1/(FLIPS + 1).
    """
    from scipy.stats import rankdata

    signs = np.random.default_rng(0).choice((-1.0, 1.0), (FLIPS, len(differences)))
    ranks = np.sign(differences) * rankdata(np.abs(differences))
    reached = np.abs(signs @ ranks) >= np.abs(ranks.sum()) * (1 - 1e-12)
    return (1 + int(reached.sum())) / (FLIPS + 1)


def beyond_noise(family: Mapping[str, Array]) -> dict[str, bool]:
    """Return which differences are not zero, at FALSE_ALARM for the whole family (Holm 1979)."""
    chances = {name: chance_of(values) for name, values in family.items()}
    found, passed = dict.fromkeys(chances, False), True
    for place, name in enumerate(sorted(chances, key=lambda key: chances[key])):
        passed = passed and chances[name] <= FALSE_ALARM / (len(chances) - place)
        found[name] = passed
    return found
