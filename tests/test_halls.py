"""Halls: projects use empty ones first, room and fill in MW, and what is stated of them."""

from dataclasses import replace

import numpy as np
import pytest
from helpers import quarter_of, quarters, setting_of

from ecosystem.inputs.calendar import period_index
from ecosystem.maths.arrays import Array, safe_ratio
from ecosystem.maths.clearing import spread
from ecosystem.quarter.start import initial_state
from ecosystem.state.records import Investment, Quarter
from ecosystem.state.setting import Setting

FREE = {"finance_scale": 1e9, "order_speed": 0.0}
"""Nobody is short of money, and servers are ordered for projects alone."""


def first_quarter(halls: float, build: float = 1.0, **values: float) -> tuple[Quarter, Setting]:
    """Return the first quarter with halls times a factor, and with `build` of national growth."""
    setting = setting_of(world="full", replicates=range(3), **FREE, **values)
    state = initial_state(setting)
    state = replace(state, centres=replace(state.centres, halls=halls * state.centres.halls))
    drivers = quarter_of(state, setting, "drivers").drivers
    drivers = replace(drivers, capacity_next=build * drivers.capacity_next)
    return quarter_of(state, setting, "investment", drivers=drivers), setting


def by_cell(values: Array, setting: Setting) -> Array:
    """Return sums over centres of a kind and prefecture."""
    return setting.world.centres.sum(values, "cell")


def test_without_bids_nothing_is_built_or_taken() -> None:
    quarter, _ = first_quarter(halls=100, build=0)
    built = quarter.investment
    assert (built.location.placed == 0).all()
    assert (built.spare > 0).any() and (built.hall_order == 0).all()
    assert (built.server_order == 0).all()


def test_where_enough_stands_empty_no_hall_is_built_and_servers_come() -> None:
    """All bids fit into spare halls that all suit them: the seed of servers comes all the same."""
    quarter, setting = first_quarter(halls=8, reuse_share=1.0, lumpy_projects=0.0)
    built = quarter.investment
    where = by_cell(quarter.state.centres.halls, setting) > 0
    placed = np.where(where, built.location.placed, 0)
    assert (placed > 0).any()
    assert (built.spare >= placed).all()
    orders = by_cell(built.server_order, setting)
    assert (by_cell(built.hall_order, setting)[where] == 0).all()
    expected = setting.parameters.hall_seed_share * placed
    np.testing.assert_allclose(orders[where], expected[where], rtol=1e-9)


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_projects_build_what_spare_halls_do_not_hold(share: float) -> None:
    """Used = min(share (halls - servers/u*), bids) in MW, and halls are ordered for the rest."""
    quarter, setting = first_quarter(halls=1.3, reuse_share=share)
    built, old, p = quarter.investment, quarter.state.centres, setting.parameters
    kind, cells = setting.world.centres.kind, setting.world.cells
    wear = spread(setting.by_kind("server_depreciation"), kind)
    needed = old.servers * (1 - wear) * old.power / 1000
    halls = old.halls * (1 - p.hall_depreciation)
    empty = by_cell(halls, setting) - by_cell(needed, setting) / p.neutral_fill
    spare = share * np.maximum(empty, 0) * 1000 / spread(quarter.drivers.power, cells.kind)
    used = np.minimum(spare, built.location.placed)
    assert (used > 0).any() == (share > 0)
    np.testing.assert_allclose(built.spare, spare, rtol=1e-9)
    ordered = by_cell(built.hall_order, setting)
    np.testing.assert_allclose(ordered, built.location.placed - used, rtol=1e-9, atol=1e-12)


def test_old_servers_take_the_room_their_power_asks_for() -> None:
    """In 1.5 times their own MW old servers of twice today's power leave room for as many new."""
    quarter, setting = first_quarter(halls=1.0)
    kind, power = setting.world.centres.kind, quarter.drivers.power
    old = quarter.state.centres
    wear = spread(setting.by_kind("server_depreciation"), kind)
    kept, twice = old.servers * (1 - wear), 2 * spread(power, kind)
    kilowatt = kept * twice / (1 - setting.parameters.hall_depreciation)

    def built(megawatt: Array) -> Investment:
        centres = replace(old, power=twice, halls=megawatt)
        return quarter_of(replace(quarter.state, centres=centres), setting, "investment").investment

    np.testing.assert_allclose(built(1.5 * kilowatt / 1000).capacity, 2 * kept, rtol=1e-12)
    tight = built(0.5 * kilowatt / 1000)
    np.testing.assert_allclose(tight.servers, 0.5 * kept, rtol=1e-12)
    there = by_cell(tight.halls, setting) > 0
    fill = safe_ratio(by_cell(tight.servers * tight.power, setting), by_cell(tight.halls, setting))
    np.testing.assert_allclose(fill[there], 1000, rtol=1e-12)


@pytest.mark.parametrize("wear", [0.0, 0.01])
def test_the_nameplate_changes_by_wear_alone_while_nothing_is_built(wear: float) -> None:
    """Without wear it is constant, though halls carry more as servers need less power."""
    setting = setting_of(hall_depreciation=wear, footloose_share=1e-12, replicates=range(2))
    first = initial_state(setting).centres.nameplate.sum(axis=1)
    for quarter, _ in quarters(setting, 40):
        expected = first * (1 - wear) ** (quarter.state.period + 1)
        np.testing.assert_allclose(quarter.investment.nameplate.sum(axis=1), expected, rtol=1e-9)


def test_the_nameplate_of_a_hall_is_what_was_ordered() -> None:
    """In PFLOPS of the day of the order, three quarters before the hall stands."""
    setting = setting_of(replicates=range(3), fixed=False, exit_quarters=1000.0)
    orders, before = [], initial_state(setting).centres.nameplate
    for quarter, state in quarters(setting, 24):
        built, kept = quarter.investment, 1 - setting.parameters.hall_depreciation
        arrived = orders[-3] if len(orders) >= 3 else 0 * before
        np.testing.assert_allclose(built.nameplate, before * kept + arrived, rtol=1e-9, atol=1e-9)
        orders.append(built.hall_order)
        before = state.centres.nameplate
    assert (np.sum(orders, axis=0).sum(axis=1) > 0).all()


@pytest.mark.slow
def test_halls_of_the_hub_stand_two_thirds_full() -> None:
    """Median over 100 draws of the mean fill from 2030 to 2035 lies between .55 and .75.

    Single runs spread by .10, so the median has a standard error of .013.
    """
    setting = setting_of(world="full", replicates=range(100), fixed=False)
    hub, fill = setting.world.centres.in_hub & setting.world.centres.intelligent, []
    for quarter, _ in quarters(setting, period_index("2035Q4")):
        built = quarter.investment
        running = (built.servers * built.power * hub).sum(axis=1)
        fill.append(safe_ratio(running, 1000 * (built.halls * hub).sum(axis=1)))
    late = np.mean(fill[period_index("2030Q1") :], axis=0)
    assert 0.55 < np.median(late) < 0.75
