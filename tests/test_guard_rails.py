"""The reference stays within what is believable: bounds stand in guard_rails.csv.

Full world, `history` to 2035Q4. At the default parameters a bound holds for the median run; of
200 draws of all parameters nine in ten stay within the bounds that are prior beliefs. There, halls
are built as expected: a lucky project moves a single year's share by more than any parameter.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from arms import given, scenario, with_values

from ecosystem.inputs.calendar import HORIZON, POLICY_START, QUARTERS_A_YEAR, period_index
from ecosystem.maths.arrays import Array
from ecosystem.outcomes import measure
from ecosystem.quarter.start import initial_state
from ecosystem.quarter.step import step

REPLICATES = 16
DRAWS, NEEDED = 200, 0.9
PRIOR = ("footloose_share", "utilisation", "ai_firms", "programme_share")
NAMES = ("footloose_share", "utilisation", "ai_firms", "insolvent_share", "talent")


def rails() -> dict[str, tuple[float, float]]:
    """Return the bounds by name."""
    path = Path(__file__).with_name("guard_rails.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return {
            row["name"]: (float(row["low"]), float(row["high"])) for row in csv.DictReader(file)
        }


@cache
def series(draws: bool = False) -> dict[str, Array]:
    """Return the series of the reference, (quarters, replicates) each."""
    if draws:
        setting = given(scenario(), replicates=DRAWS, fixed=False)
        setting = with_values(setting, lumpy_projects=0.0)
    else:
        setting = given(scenario(), replicates=REPLICATES)
    names = (*NAMES, "births", "births_without_slot", "programme_share")
    columns: dict[str, list[Array]] = {name: [] for name in names}
    ready = setting.schedule.column("hub_readiness")
    others = setting.schedule.programme & (np.arange(len(setting.schedule.names)) != ready)
    state = initial_state(setting)
    for _ in range(HORIZON):
        state, quarter = step(state, setting)
        values = measure(quarter, setting)
        spent = quarter.policy.programme_paid[:, others].sum(axis=1)
        science = setting.world.province.science_expenditure / QUARTERS_A_YEAR
        values["programme_share"] = (spent / science)[:, None]
        for name, column in columns.items():
            column.append(values[name][:, 0])
    return {name: np.array(column) for name, column in columns.items()}


def yearly(name: str, since: int, draws: bool = False) -> Array:
    """Return yearly means from a quarter on, (years, replicates)."""
    values = series(draws)[name][since:]
    values = values[: len(values) // QUARTERS_A_YEAR * QUARTERS_A_YEAR]
    return np.asarray(values.reshape(-1, QUARTERS_A_YEAR, values.shape[1]).mean(axis=1))


@pytest.mark.slow
@pytest.mark.parametrize("name", list(rails()))
def test_the_reference_stays_within_its_rails(name: str) -> None:
    first = period_index("2026Q1")
    found = {
        "ai_firms": lambda: np.median(series()["ai_firms"][-1]),
        "talent": lambda: np.median(series()["talent"][-1] / series()["talent"][0]),
        "births_without_slot": lambda: np.median(
            series()["births_without_slot"].sum(axis=0) / series()["births"].sum(axis=0)
        ),
        "programme_share": lambda: np.median(yearly(name, POLICY_START), axis=1),
    }.get(name, lambda: np.median(yearly(name, first), axis=1))()
    low, high = rails()[name]
    assert np.all((low <= found) & (found <= high)), found


def kept(name: str) -> Array:
    """Return whether each draw keeps within a rail in every year, (draws,).

    Where halls stand empty a draw may build none for a year: one in four does.
    """
    low, high = rails()[name]
    low = 0.0 if name == "footloose_share" else low
    if name == "ai_firms":
        values = series(draws=True)[name][-1:]
    else:
        since = POLICY_START if name == "programme_share" else period_index("2026Q1")
        values = yearly(name, since, draws=True)
    return np.asarray(((low <= values) & (values <= high)).all(axis=0))


@pytest.mark.slow
def test_nine_in_ten_prior_draws_keep_within_the_rails() -> None:
    """Why the others do not stands in docs/limits.md."""
    inside = np.all([kept(name) for name in PRIOR], axis=0)
    assert inside.mean() >= NEEDED, {name: kept(name).mean() for name in PRIOR}
