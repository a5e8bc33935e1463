"""Scenarios: the paths of shocks over time."""

import numpy as np
import pytest

from ecosystem.inputs import catalogue
from ecosystem.inputs.entries import REFERENCE
from ecosystem.inputs.scenario import Scenario, resolve
from ecosystem.inputs.schedule import shock_paths, shock_profile


def test_without_shocks_every_channel_is_one():
    paths = shock_paths(resolve(REFERENCE))
    assert set(paths) >= {"demand", "accelerators", "hub_availability", "fiscal", "open_source"}
    assert all(np.all(path == 1) for path in paths.values())


@pytest.mark.parametrize("name", list(catalogue.shocks()))
def test_amplitude_zero_is_no_shock(name):
    zero = Scenario(shocks=[{"name": name, "amplitude": 0}])
    assert all(np.all(path == 1) for path in shock_paths(resolve(zero)).values())
    path = shock_profile(catalogue.shocks()[name], 0.5, 28)
    assert np.all(path[:28] == 1) and np.all(path > 0) and not np.all(path == 1)


def test_profiles_by_hand():
    rows = catalogue.shocks()
    surge = shock_profile(rows["demand_surge"], 0.5, 10)
    assert surge[10] == 1
    assert surge[14] == pytest.approx(1 + 0.5 * (1 - np.exp(-2)) * np.exp(-4 / 12))
    winter = shock_profile(rows["ai_winter"], 0.4, 10)
    assert winter[10] == pytest.approx(0.6)
    assert winter[18] == pytest.approx(1 - 0.4 * np.exp(-1))
    outage = shock_profile(rows["hub_outage"], 0.9, 10)
    np.testing.assert_allclose(outage[9:15], [1, 0.1, 0.4, 0.7, 1, 1])
    squeeze = shock_profile(rows["fiscal_squeeze"], 0.3, 10)
    np.testing.assert_allclose(squeeze[10:18], 0.7)
    np.testing.assert_allclose(squeeze[18:24], [0.76, 0.82, 0.88, 0.94, 1, 1])
    control = shock_profile(rows["accelerator_export_control"], 0.6, 10)
    assert control[10] == pytest.approx(0.4) and control[16] == pytest.approx(0.7)
    assert control[22] == 1


def test_shocks_that_meet_multiply():
    one = {"name": "ai_winter", "start": "2027Q1"}
    paths = shock_paths(resolve(Scenario(shocks=[one, "demand_surge"])))
    rows = catalogue.shocks()
    both = shock_profile(rows["ai_winter"], 0.4, 28) * shock_profile(rows["demand_surge"], 0.5, 28)
    np.testing.assert_array_equal(paths["demand"], both)
