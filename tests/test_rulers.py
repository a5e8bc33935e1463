"""Rulers on series that they describe exactly, and scores against closed forms and integrals."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from calibration import rulers, scores
from calibration.rulers import RULERS, Known

NONE = np.zeros((2, 0))
YEARS = np.arange(2015.0, 2024.0)
LATER = np.array([2024.0, 2025.5, 2030.0])


def series(values, *, years=YEARS, nation=NONE, plan=NONE) -> Known:
    return Known(years, np.log(values), np.asarray(nation, float), np.asarray(plan, float))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("no_change", lambda t: 7.0 + 0 * t),
        ("linear_trend", lambda t: 50 + 3 * (t - 2015)),
        ("exponential_trend", lambda t: 5 * 1.3 ** (t - 2015)),
        ("logistic", lambda t: 900 / (1 + np.exp(-0.6 * (t - 2022)))),
    ],
)
def test_ruler_goes_on_with_a_series_of_its_own_kind(name, path):
    found = RULERS[name](series(path(YEARS)), LATER)
    assert np.exp(found) == pytest.approx(path(LATER), rel=1e-4)


def test_first_order_goes_on_towards_the_mean_of_the_process():
    logs = [1.0]
    for _ in range(16):
        logs.append(0.8 + 0.7 * logs[-1])
    found = rulers.first_order(series(np.exp(logs[:9])), np.arange(2024.0, 2032.0))
    assert found == pytest.approx(logs[9:])


def test_first_order_drifts_where_growth_persists():
    path = 5 * 1.3 ** (YEARS - 2015)
    found = rulers.first_order(series(path), LATER)
    assert np.exp(found) == pytest.approx(5 * 1.3 ** (LATER - 2015))


def test_share_of_the_nation_keeps_the_share():
    nation = [[2020.0, 2025.0, 2028.0], np.log([100.0, 1000.0, 2000.0])]
    found = rulers.constant_share(
        series([3.0], years=np.array([2020.0]), nation=nation),
        np.array([2025.0, 2028.0, 2031.0]),
    )
    assert np.exp(found) == pytest.approx([30.0, 60.0, 120.0])


def test_plan_is_met_at_its_date_and_held_after_it():
    known = series([100.0], years=np.array([2022.0]), plan=[[2021.0, 2024.0], np.log([5.0, 400.0])])
    found = np.exp(rulers.published_plan(known, np.array([2023.0, 2024.0, 2030.0])))
    assert found == pytest.approx([200.0, 400.0, 400.0])


@pytest.mark.parametrize("name", list(RULERS))
def test_ruler_says_nothing_where_too_little_is_known(name):
    found = RULERS[name](series([3.0], years=np.array([2020.0])), LATER)
    assert np.isfinite(found).all() == (name == "no_change")


def test_width_grows_with_the_distance_and_shrinks_with_success():
    steady, wild = np.exp(0.1 * YEARS), np.exp(0.1 * YEARS + np.tile([0.5, -0.5, 0.0], 3))
    widths = []
    for values in (steady, wild):
        values = values / values[0]
        earlier = [series(values[:n], years=YEARS[:n]) for n in range(2, 9)]
        found = rulers.expect(rulers.exponential_trend, series(values), earlier, LATER)
        widths.append(np.ptp(found, axis=1))
        assert (np.diff(widths[-1]) > 0).all()
    assert (widths[0] < widths[1] / 2).all()


@pytest.mark.parametrize("truth", [-3.0, 0.4, 2.0])
def test_crps_of_many_quantiles_is_that_of_the_normal(truth):
    members = norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    closed = truth * (2 * norm.cdf(truth) - 1) + 2 * norm.pdf(truth) - 1 / np.sqrt(np.pi)
    assert scores.crps(members, truth) == pytest.approx(closed, abs=1e-3)


@pytest.mark.parametrize("truth", [-0.5, 1.0, 2.2, 9.0])
def test_crps_is_the_integral_of_the_squared_distance(truth):
    values, weights = np.array([2.0, 0.0, 5.0, 2.0, 7.5]), np.array([0.1, 0.3, 0.2, 0.4, 0.0])

    def squared(x: float) -> float:
        return (weights[values <= x].sum() - (truth <= x)) ** 2

    integral = quad(squared, -2, 10, points=[0.0, 2.0, 5.0, truth], limit=200)[0]
    assert scores.crps(values, truth, weights) == pytest.approx(integral, abs=1e-9)


def test_crps_without_width_is_the_absolute_error():
    assert scores.crps(np.full(5, 3.0), 1.25) == pytest.approx(1.75)


def test_place_counts_half_of_what_equals_the_truth():
    assert scores.place(np.array([1.0, 2.0, 2.0, 5.0]), 2.0) == 0.5
    assert scores.place(np.array([1.0, 3.0]), 2.0, np.array([3.0, 1.0])) == 0.75


def test_quantiles_ignore_what_has_no_weight():
    values, weights = np.array([9.0, 1.0, 2.0, 3.0]), np.array([0.0, 1.0, 1.0, 1.0])
    found = scores.quantiles(values, np.array([0.01, 0.5, 0.99]), weights)
    assert found == pytest.approx([1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("values", "weights"), [([1.0, np.nan], None), ([1.0, 2.0], [0.0, 0.0]), ([1.0], [-1.0])]
)
def test_ensemble_that_is_none_is_refused(values, weights):
    weights = None if weights is None else np.array(weights)
    with pytest.raises(ValueError, match="ensemble"):
        scores.crps(np.array(values), 1.0, weights)
