"""Levels against published figures: every target is measured or says why not."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from calibration.levels import RECORD, inside, levels
from calibration.likelihood import at
from calibration.observe import observation_model
from calibration.simulated import OBSERVED, growth, observed, prior_draws, year
from calibration.simulated import year_to_date as so_far
from calibration.targets import CLASSES, load_targets, observables
from ecosystem.maths.arrays import Array

TARGETS = {target.name: target for target in load_targets()}
MODEL = ["low", "median", "high", "inside"]


@cache
def teaching() -> Mapping[str, Array]:
    return observed(prior_draws(3), "teaching", jobs=1)


def test_every_observable_is_measured_or_says_why_not() -> None:
    reasons = {name: row.not_measured for name, row in observables().items()}
    assert set(OBSERVED) == {name for name, reason in reasons.items() if not reason}
    assert any(reasons.values())


def test_every_level_has_a_class_and_says_what_to_beware_of() -> None:
    assert {target.use for target in TARGETS.values()} == set(CLASSES)
    assert [use for use, kind in CLASSES.items() if kind == "fitted"] == ["fit"]
    for target in TARGETS.values():
        assert target.note or target.use == "fit" or observables()[target.observable].not_measured


def test_readings_of_a_series() -> None:
    values = np.arange(1.0, 9)[None]
    assert np.isnan(year(values)[0, :3]).all()
    assert year(values)[0, 3:].tolist() == [10, 14, 18, 22, 26]
    assert so_far(values[:, :6]).tolist() == [[1, 3, 6, 10, 5, 11]]
    assert np.isnan(growth(values)[0, :4]).all()
    assert growth(values)[0, 4:].tolist() == pytest.approx([400, 200, 400 / 3, 100])


@pytest.mark.parametrize(
    ("bound", "low", "high", "expected"),
    [
        ("", 1, 3, True),
        ("", 2, 2, True),
        ("", 2.1, 3, False),
        ("", 1, 1.9, False),
        ("lower", 2.1, 3, True),
        ("lower", 1, 1.9, False),
        ("upper", 1, 1.9, True),
        ("upper", 2.1, 3, False),
    ],
)
def test_a_bound_is_inside_where_the_band_reaches_it(
    bound: str, low: float, high: float, expected: bool
) -> None:
    target = replace(TARGETS["hub_compute_2024q4"], value=2.0, bound=bound)
    assert inside(target, low, high) is expected


def test_band_and_ratio_of_made_runs() -> None:
    """Of 101 runs with levels 0 to 100 the band is 5 to 95; growth is the ratio of two quarters."""
    runs = np.arange(101.0)[:, None] * np.ones((1, 22))
    firms = np.where(np.arange(22) == TARGETS["province_high_technology_growth"].period, 6.0, 3.0)
    found = levels({"hub_occupancy": runs, "ai_firms": np.ones((101, 1)) * firms})
    found = found.set_index("name")
    assert found.loc["hub_occupancy_2024q2", MODEL].tolist() == [5, 50, 95, 1]
    assert found.loc["province_high_technology_growth", MODEL].tolist() == [2, 2, 2, 0]
    assert found.loc["hub_compute_2024q4", MODEL].isna().all()
    none = at(TARGETS["province_high_technology_growth"], np.zeros((2, 22)))
    assert np.isnan(none).all()


def test_what_is_watched_fits_together() -> None:
    found = teaching()
    first = observation_model().break_period
    assert {values.shape for values in found.values()} == {(3, 22)}
    assert (found["nameplate"] <= found["nameplate_province"] + 1e-9).all()
    assert (found["centres_running_hub"] <= found["centres_running_province"]).all()
    assert (found["racks_running"] <= found["racks_built"] * (1 + 1e-9)).all()
    assert np.array_equal(found["published_compute"][:, first:], found["nameplate"][:, first:])
    assert (found["research_of_firms"][:, 3:] <= found["research_spending"][:, 3:]).all()
    for name in ("national_occupancy", "hub_occupancy", "invention_patents_capital"):
        known = found[name][np.isfinite(found[name])]
        assert ((known >= 0) & (known <= 100 + 1e-9)).all() and known.any()


def test_the_table_has_every_target_and_a_blank_only_where_nothing_is_measured() -> None:
    found = levels(teaching())
    assert list(found["name"]) == list(TARGETS)
    blank = found["median"].isna().to_numpy()
    unmeasured = [bool(observables()[name].not_measured) for name in found["observable"]]
    assert (blank >= unmeasured).all()
    assert found[~blank][MODEL].notna().all(axis=None)


def test_the_record_is_that_of_the_table_of_today() -> None:
    record, today = pd.read_csv(RECORD, dtype=str, keep_default_na=False), levels({})
    assert list(record.columns) == list(today.columns)
    words = [name for name in today.columns if name not in (*MODEL, "published")]
    assert record[words].to_numpy().tolist() == today[words].to_numpy().tolist()
    assert record["published"].astype(float).tolist() == pytest.approx(today["published"], rel=1e-5)
    measured = record["observable"].isin(OBSERVED)
    assert (record.loc[measured, MODEL] != "").all(axis=None)
    assert (record.loc[~measured, MODEL] == "").all(axis=None)
