"""Patterns: each has a class, a measure and a tolerance; the stored page says what comes out."""

from collections.abc import Mapping
from functools import cache

import numpy as np
import pandas as pd
import pytest
from helpers import quarters, setting_of

from calibration import patterns as module
from calibration.pattern_measures import MEASURES, fall_of_use, follow, skewness, yearly_mean
from calibration.patterns import CLASSES, RECORD, Pattern, findings, measured, patterns
from ecosystem.maths.arrays import Array

RUNS, OTHER_SEED = 60, 11


def test_every_pattern_has_a_class_a_reason_a_measure_and_a_bound() -> None:
    assert list(MEASURES) == list(patterns())
    for pattern in patterns().values():
        assert pattern.class_ in CLASSES and pattern.why and pattern.measure
        assert pattern.low is not None or pattern.high is not None
        assert None in (pattern.low, pattern.high) or pattern.low < pattern.high
    assert {pattern.fact for pattern in patterns().values()} == {1, 2, 3, 4, 5}
    assert {pattern.class_ for pattern in patterns().values()} == set(CLASSES)


def test_what_is_no_number_does_not_hold() -> None:
    words = dict.fromkeys(("sentence", "why", "measure"), "")
    pattern = Pattern.model_validate({"name": "x", "fact": 1, "class": "input", "low": 0, **words})
    assert pattern.holds(np.array([-1, 0, np.nan, 1e9])).tolist() == [False, True, False, True]


@cache
def teaching() -> Mapping[str, Array]:
    return measured(3, fixed=False, world="teaching")


def test_it_runs_and_gives_one_number_a_run() -> None:
    found = teaching()
    assert list(found) == list(patterns())
    assert all(values.shape == (3,) for values in found.values())
    for name in ("hub_share_early", "hub_share_late", "exports_dominate", "few_firms_sell_most"):
        assert ((found[name] >= 0) & (found[name] <= 1)).all()
    assert (found["funnel_order"] >= 1 - 1e-12).all()  # by construction


def test_findings_hold_measures_against_tolerances() -> None:
    found = findings(teaching(), teaching()).set_index("name")
    assert list(found.index) == list(patterns())
    for name, pattern in patterns().items():
        assert found["holds"][name] == pattern.holds(found["default"][name])
        assert found["share"][name] == pattern.holds(teaching()[name]).mean()
    nothing = {name: np.full(3, np.nan) for name in patterns()}
    assert not findings(nothing, nothing)[["holds", "share"]].to_numpy().any()


def test_yearly_mean() -> None:
    means = yearly_mean(np.arange(8.0)[None])
    assert np.isnan(means[0, :3]).all() and means[0, 3:].tolist() == [1.5, 2.5, 3.5, 4.5, 5.5]


def test_skewness_of_a_few_full_centres() -> None:
    assert skewness(np.array([0.1, 0.1, 0.1, 0.9])) > 1
    assert skewness(np.array([-1.0, 0, 1])) == pytest.approx(0)


class Made:
    """A course with a boom in year three, in which use falls from 0.6 to 0.4, and half returns."""

    def __init__(self, after: float) -> None:
        servers, use = np.full((1, 64), 100.0), np.full((1, 64), 0.6)
        servers[:, 13:] = 300.0
        use[:, 13:21] = 0.4
        use[:, 21:] = after
        self.series = {"servers": servers, "use": use}


@pytest.mark.parametrize(("after", "regained"), [(0.5, 0.5), (0.4, 0.0), (0.6, 1.0)])
def test_fall_and_recovery_of_a_made_course(after: float, regained: float) -> None:
    fall, back = fall_of_use(Made(after))  # type: ignore[arg-type]
    assert fall[0] == pytest.approx(0.2) and back[0] == pytest.approx(regained)


@pytest.mark.slow
def test_measures_follow_the_run_itself() -> None:
    setting = setting_of(replicates=(0,))
    course = follow(setting)
    records = [quarter for quarter, _ in quarters(setting)]
    last = records[60:]
    ring = (setting.world.prefectures.tier == 1)[setting.world.firms.prefecture]
    patents = sum(quarter.innovation.patents[0] for quarter in last)
    found = MEASURES["capital_keeps_patents"](course)[0]
    assert found == pytest.approx(patents[ring].sum() / patents.sum())
    late = records[21]
    assert course.late.state.period == 21 == late.state.period
    built, sold = late.investment.servers[0], late.market.sold[0]
    use = sold[built > 0] / built[built > 0] / 2190
    assert MEASURES["many_stand_idle"](course)[0] == pytest.approx(np.mean(use < 0.3))


def test_the_record_has_every_pattern_and_fits_the_tolerances_of_today() -> None:
    record = pd.read_csv(RECORD)
    assert list(record["name"]) == list(patterns())
    for name, shown, holds in record[["name", "default", "holds"]].itertuples(index=False):
        near = patterns()[name].holds(shown * (1 + 1e-5 * np.array([-1.0, 1.0])))
        assert near.any() if holds else not near.all(), name


@pytest.mark.slow
def test_the_record_agrees_with_a_fresh_run() -> None:
    """Other draws and other luck: shares differ by less than four standard errors."""
    draws = measured(RUNS, fixed=False, seed=OTHER_SEED)
    for name, share in pd.read_csv(RECORD, index_col="name")["share"].items():
        fresh = float(patterns()[str(name)].holds(draws[str(name)]).mean())
        both = (RUNS * fresh + module.DRAWS * share) / (RUNS + module.DRAWS)
        error = np.sqrt(both * (1 - both) * (1 / RUNS + 1 / module.DRAWS))
        assert abs(fresh - share) <= 4 * error + 0.01, (name, fresh, share)
