"""A mechanism of the model replaced by its neutral value, and what that changes.

Paired runs of a package at the tables' own money: with every mechanism, and with one neutral.
Halls are built as expected instead of in drawn projects: one lucky project would hide the rest.
``python -m docs.make.mechanisms`` takes the loops of the model.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from calibration.command import record_command
from docs.make.tables import Mechanism, loops
from ecosystem.inputs.calendar import period_index
from ecosystem.inputs.catalogue import parameters
from ecosystem.inputs.scenario import resolve, with_overrides
from ecosystem.inputs.world.loader import load_world
from ecosystem.maths.arrays import Array
from ecosystem.outcomes import measure
from ecosystem.quarter.start import initial_state, make_setting
from ecosystem.quarter.step import step
from ecosystem.runs.chunk import Recorder, keep_memory
from ecosystem.state.setting import Parameters, Setting
from experiments.comparison.budget import unscaled

LAST = period_index("2030Q4")
"""Quarter to which mechanisms are followed."""
REPLICATES, SEED = 32, 2
"""Pairs of runs of each loop, and their seed."""
STRENGTHS = Path(__file__).resolve().parents[1] / "loops.csv"


def with_values(setting: Setting, **values: float) -> Setting:
    """Return the setting with parameters of the given values, in or out of their ranges."""
    columns = {name: setting.parameters[name][:, 0] for name in parameters()}
    columns |= {name: np.full_like(columns[name], value) for name, value in values.items()}
    return replace(setting, parameters=Parameters(columns))


def arm(
    row: Mechanism | None,
    *,
    replicates: int,
    seed: int = 1,
    package: str = "article",
    world: str = "full",
    fixed: bool = True,
) -> Setting:
    """Return the setting of an arm: with a mechanism at its neutral value, or with all of them."""
    off = row.off if row else ()
    settings = [
        text
        for name in off
        for text in (f"instrument.{name}.active=false", f"instrument.{name}.start=2025Q3")
    ]
    scenario = with_overrides(unscaled(resolve(package)), settings)
    setting = make_setting(scenario, load_world(world), seed, range(replicates), fixed)
    return with_values(setting, **{"lumpy_projects": 0.0} | (row.values if row else {}))


def summarise(setting: Setting, names: Iterable[str], last: int = LAST) -> dict[str, Array]:
    """Return outcomes on their own time base, summed over their entries, (runs,) each."""
    keep_memory()
    recorder = Recorder(setting, tuple(names), last, False)
    state = initial_state(setting)
    for t in range(last + 1):
        state, quarter = step(state, setting)
        if t >= recorder.since:
            recorder.add(t, measure(quarter, setting))
    return {name: value.sum(axis=1) for name, value in recorder.summary.items()}


def brought(whole: Array, neutral: Array) -> Array:
    """Return the relative change that a mechanism brings; in logs where both are positive."""
    if (whole > 0).all() and (neutral > 0).all():
        return np.log(whole / neutral)
    scale = np.where(neutral == 0, np.where(whole == 0, 1.0, np.abs(whole)), np.abs(neutral))
    return np.asarray((whole - neutral) / scale)


def effects(rows: Mapping[str, Mechanism], replicates: int, seed: int = 1) -> dict[str, Array]:
    """Return what each mechanism brings to the outcome named for it, (replicates,) each.

    A loop is looked at in the package of its row, a system in `article`.
    """
    packages = {name: getattr(row, "package", "article") for name, row in rows.items()}
    names = {row.expected_outcome for row in rows.values()}
    whole = {
        package: summarise(arm(None, replicates=replicates, seed=seed, package=package), names)
        for package in sorted(set(packages.values()))
    }
    result = {}
    for name, row in rows.items():
        outcome = row.expected_outcome
        setting = arm(row, replicates=replicates, seed=seed, package=packages[name])
        neutral = summarise(setting, [outcome])[outcome]
        result[name] = brought(whole[packages[name]][outcome], neutral)
    return result


def strengths() -> pd.DataFrame:
    """Return what each loop brings to its outcome: median, 5 % and 95 % of pairs, relative."""
    rows = []
    for name, values in effects(loops(), REPLICATES, SEED).items():
        low, median, high = np.expm1(np.quantile(values, (0.05, 0.5, 0.95)))
        rows.append({"name": name, "median": median, "low": low, "high": high})
    return pd.DataFrame(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run every loop with and without, print what it brings, and write it if asked to."""
    record_command(
        "docs.make.mechanisms",
        f"Run the full world with each loop and without it, {REPLICATES} pairs of runs a loop, and "
        "print what the loop brings to its outcome; about half a minute.",
        STRENGTHS,
        strengths,
        arguments,
        digits=3,
    )


if __name__ == "__main__":
    main()
