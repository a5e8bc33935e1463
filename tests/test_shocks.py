"""Every shock moves what its channel says, and nothing at amplitude 0."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from arms import given, scenario

from ecosystem.inputs.calendar import period_index
from ecosystem.inputs.catalogue import shocks
from ecosystem.inputs.scenario import Scenario, resolve
from ecosystem.inputs.schedule import shock_paths, shock_profile
from ecosystem.maths.arrays import Array
from ecosystem.outcomes import measure
from ecosystem.quarter.start import initial_state
from ecosystem.quarter.step import step
from ecosystem.stages.drivers import drive
from ecosystem.state.records import Quarter

START, LAST = period_index("2027Q1"), period_index("2029Q4")
REPLICATES = 4
CHANNELS = {
    "demand_surge": {"demand": +1, "open_source": +1},
    "ai_winter": {"demand": -1},
    "accelerator_export_control": {"accelerators": -1},
    "power_crunch": {"electricity": +1, "supply": -1},
    "efficiency_jump": {"efficiency": +1},
    "hub_outage": {"hub_availability": -1},
    "fiscal_squeeze": {"fiscal": -1},
    "rival_price_war": {"rival_price": -1},
    "inference_shift": {"inference": +1},
    "talent_poaching": {"poaching": +1},
}
"""What each shock raises or lowers."""
EXPECTED = {
    "demand_surge": ("compute_exported", +1),
    "ai_winter": ("compute_exported", -1),
    "accelerator_export_control": ("servers_hub", -1),
    "power_crunch": ("unserved", +1),
    "efficiency_jump": ("utilisation", -1),  # demand is inelastic: less compute is wanted
    "hub_outage": ("unserved", +1),
    "fiscal_squeeze": ("public_cost", -1),
    "rival_price_war": ("compute_exported", -1),
    "inference_shift": ("batch_served", -1),
    "talent_poaching": ("talent", -1),
}
"""The outcome that shows each shock over its first two years, and its direction."""
NAMES = sorted({name for name, _ in EXPECTED.values()} | {"ai_firms", "talent", "halls_hub"})


@cache
def series(shock: str) -> dict[str, Array]:
    """Return outcomes of `history` under a shock (or none), (quarters, replicates) each."""
    resolved = scenario(shocks=[shock] if shock else [])
    setting = given(resolved, world="teaching", replicates=REPLICATES)
    state, result = initial_state(setting), {name: [] for name in NAMES}
    for _ in range(LAST + 1):
        state, quarter = step(state, setting)
        values = measure(quarter, setting)
        for name, column in result.items():
            column.append(values[name].sum(axis=1))
    return {name: np.array(column) for name, column in result.items()}


def test_every_shock_is_listed_here() -> None:
    rows = shocks()
    assert set(CHANNELS) == set(EXPECTED) == set(rows)
    for name, channels in CHANNELS.items():
        assert set(channels) == {rows[name].channel, rows[name].second_channel} - {""}


@pytest.mark.parametrize("name", list(CHANNELS))
def test_a_shock_moves_its_channels_alone_and_from_its_start(name: str) -> None:
    paths = shock_paths(scenario(shocks=[name]))
    for channel, path in paths.items():
        sign = CHANNELS[name].get(channel, 0)
        assert np.all(path[:START] == 1)
        assert np.all(np.sign(path[START:] - 1) * sign >= 0)
        assert np.any(path != 1) == bool(sign)


@pytest.mark.parametrize("name", list(CHANNELS))
def test_amplitude_zero_is_no_shock(name: str) -> None:
    paths = shock_paths(scenario(shocks=[f"{name}:0"]))
    assert set(paths) == {channel for each in CHANNELS.values() for channel in each}
    assert all(np.all(path == 1) for path in paths.values())


def test_profiles_by_hand() -> None:
    rows = shocks()
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


def test_shocks_that_meet_multiply() -> None:
    one = {"name": "ai_winter", "start": "2027Q1"}
    paths = shock_paths(resolve(Scenario(shocks=[one, "demand_surge"])))
    rows = shocks()
    both = shock_profile(rows["ai_winter"], 0.4, 28) * shock_profile(rows["demand_surge"], 0.5, 28)
    np.testing.assert_array_equal(paths["demand"], both)


@pytest.mark.parametrize("name", list(CHANNELS))
def test_drivers_read_the_channel(name: str) -> None:
    """At its start, or a quarter later where it rises, a shock changes what drivers return."""
    quiet, shaken = (
        given(scenario(shocks=use), world="teaching", replicates=1) for use in ([], [name])
    )
    state = initial_state(quiet)
    late = type(state)(**{**vars(state), "period": START + 1})
    before, after = drive(Quarter(late), quiet), drive(Quarter(late), shaken)
    read = {
        "demand": (before.demand.sum(), after.demand.sum()),
        "open_source": (before.open_source.item(), after.open_source.item()),
        "accelerators": (before.accelerators, after.accelerators),
        "hub_availability": (before.hub_availability, after.hub_availability),
        "fiscal": (before.fiscal, after.fiscal),
        "electricity": (before.electricity.sum(), after.electricity.sum()),
        "supply": (before.supply, after.supply),
        "efficiency": (before.efficiency, after.efficiency),
        "rival_price": (before.rival_price.item(), after.rival_price.item()),
        "inference": (before.real_time_share.item(), after.real_time_share.item()),
        "poaching": (before.poaching, after.poaching),
    }
    also = {
        "efficiency_jump": {"demand": -1},  # demand is inelastic: tasks grow less than efficiency
        "inference_shift": {"demand": -1},  # real-time work is dearer
    }
    for channel, (old, new) in read.items():
        said = CHANNELS[name] | also.get(name, {})
        assert np.sign(new - old) == said.get(channel, 0), channel


@pytest.mark.slow
@pytest.mark.parametrize("name", list(EXPECTED))
def test_a_shock_shows_in_the_world(name: str) -> None:
    quiet, shaken = series(""), series(name)
    for outcome in NAMES:
        assert np.array_equal(quiet[outcome][:START], shaken[outcome][:START])
    outcome, sign = EXPECTED[name]
    span = slice(START, START + 8)
    moved = (shaken[outcome][span] - quiet[outcome][span]).mean(axis=0)
    assert np.all(moved * sign > 0)
    assert abs(moved.mean()) > 0.01 * quiet[outcome][span].mean()
