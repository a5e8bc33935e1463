"""Schedules: files over files, entries that add up, ramps and budgets."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecosystem.inputs import catalogue
from ecosystem.inputs.calendar import HORIZON, POLICY_START
from ecosystem.inputs.entries import REFERENCE, Edit
from ecosystem.inputs.scenario import Layer, ResolvedScenario, Scenario, resolve, with_overrides
from ecosystem.inputs.schedule import (
    build_schedule,
    discount_factors,
    planned_present_value,
    public_discount_rate,
    ramp,
)
from ecosystem.inputs.world.loader import load_world


def schedule_of(item):
    return build_schedule(resolve(item))


def scenario_of(*layers):
    return ResolvedScenario("x", "x", "x", tuple(layers), (), {})


def own_value(resolved):
    return planned_present_value(build_schedule(resolved), public_discount_rate(resolved), own=True)


def write(folder, text, name="mine.toml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


# ---- files, entries and ramps

EDITS = st.builds(
    lambda instrument, a, b, on, rate, envelope: Edit(
        instrument, min(a, b), max(a, b), on, rate if on else None, None, envelope if on else None
    ),
    st.sampled_from(["compute_voucher", "output_subsidy"]),
    st.integers(0, HORIZON - 1),
    st.integers(0, HORIZON - 1),
    st.booleans(),
    st.none() | st.floats(0, 0.5),
    st.none() | st.floats(0, 1e3),
)


def of_one_file(edits):
    """Return edits that do not contradict: what is ended in a quarter is not on in it."""
    kept = []
    for edit in edits:
        clash = (
            edit.active != other.active and edit.start <= other.end and other.start <= edit.end
            for other in kept
            if other.instrument == edit.instrument
        )  # fmt: skip
        kept += [] if any(clash) else [edit]
    return kept


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(EDITS, max_size=4), max_size=3))
def test_files_give_way_to_later_ones_and_entries_of_one_add_up(files):
    """The arrays equal a walk through the files, quarter by quarter; without ramps."""
    files = [of_one_file(edits) for edits in files]
    layers = [
        Layer(str(n), tuple(replace(edit, file=n, ramp_up=0) for edit in edits))
        for n, edits in enumerate(files)
    ]
    schedule = build_schedule(scenario_of(*layers))
    for name in ("compute_voucher", "output_subsidy"):
        row, columns = catalogue.instruments()[name], schedule.of(name)
        for t in range(HORIZON):
            before = None  # rate and envelope of what is on
            for edits in files:
                here = [e for e in edits if e.instrument == name and e.start <= t <= e.end]
                entries = [
                    (
                        (before or (row.rate_default,))[0] if e.rate is None else e.rate,
                        (before or (0, row.envelope_default))[1]
                        if e.envelope is None
                        else e.envelope,
                    )
                    for e in here
                    if e.active
                ]
                if here:
                    before = (
                        (max(rate for rate, _ in entries), sum(money for _, money in entries))
                        if entries
                        else None
                    )
            assert schedule.envelope[t, columns].sum() == pytest.approx((before or (0, 0))[1])
            assert schedule.rate[t, columns].max() == (before or (0, 0))[0]
    assert not schedule.spending.any()


def test_a_rise_takes_four_quarters_and_a_fall_none():
    target = np.array([0, 8, 8, 8, 8, 8, 4, 4, 12, 12, 12, 12, 12, 0.0])[:, None]
    level = ramp(target, np.array([4]), np.zeros_like(target, bool))[:, 0]
    assert list(level) == [0, 2, 4, 6, 8, 8, 4, 4, 6, 8, 10, 12, 12, 0]
    observed = ramp(target, np.array([4]), np.ones_like(target, bool))
    assert np.array_equal(observed, target)
    assert np.array_equal(ramp(target, np.array([0]), np.zeros_like(target, bool)), target)


def test_a_rise_keeps_the_length_with_which_it_begins():
    target = np.array([0, 8, 8, 8, 8, 12, 12, 12.0])[:, None]
    quarters = np.array([4, 4, 4, 1, 1, 1, 1, 1])[:, None]
    level = ramp(target, quarters, np.zeros_like(target, bool))[:, 0]
    assert list(level) == [0, 2, 4, 6, 8, 12, 12, 12]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30), st.integers(0, 6))
def test_a_ramp_never_overshoots_and_arrives(values, quarters):
    target = np.array([*values, *[values[-1]] * 6])[:, None]
    level = ramp(target, np.array([quarters]), np.zeros_like(target, bool))
    assert np.all(level >= 0) and np.all(level <= target) and level[-1] == target[-1]


def test_an_untouched_value_stays_and_a_new_one_takes_the_default(tmp_path):
    path = write(
        tmp_path,
        '[[instrument]]\nname = "compute_voucher"\nrate = 0.5\n'
        '[[instrument]]\nname = "talent_retention"\nstart = "2027Q1"\nend = "2028Q4"\n',
    )
    schedule = schedule_of(path)
    voucher, talent = schedule.column("compute_voucher"), schedule.column("talent_retention")
    assert schedule.rate[-1, voucher] == 0.5 and schedule.envelope[-1, voucher] == 100
    spending = schedule.spending[:, talent]
    assert spending[28:36].tolist() == [25, 50, 75, 100, 100, 100, 100, 100]
    assert spending.sum() == 650


def test_capital_subsidy_of_a_package_is_not_for_shells_alone():
    assert not schedule_of("capex_only").shells_only[POLICY_START:].any()


def test_who_pays():
    schedule = schedule_of(REFERENCE)
    np.testing.assert_allclose(schedule.split.sum(axis=1)[schedule.programme], 1)
    programmes = [row for row in catalogue.instruments().values() if row.type == "programme"]
    assert schedule.programme.sum() == len(programmes)
    world = load_world("teaching")
    place = schedule.place(world)
    np.testing.assert_allclose(place.sum(axis=1), 1)
    at_hub = place[schedule.column("hub_readiness")]
    np.testing.assert_allclose(at_hub[world.prefectures.hub == 0], 0)
    assert np.all(place[schedule.column("talent_retention")] > 0)


# ---- budgets


def test_a_budget_scales_money_and_never_rates(tmp_path):
    text = '[budget]\npresent_value = {}\n[[instrument]]\nname = "output_subsidy"\n'
    small = schedule_of(write(tmp_path, text.format(1000), "small.toml"))
    large = schedule_of(write(tmp_path, text.format(3000), "large.toml"))
    np.testing.assert_array_equal(small.rate, large.rate)
    own = small.own & (small.envelope > 0)
    np.testing.assert_allclose(large.envelope[own] / small.envelope[own], 3)


@settings(max_examples=20, deadline=None)
@given(st.floats(1, 2e4), st.integers(22, 50), st.floats(10, 900))
def test_any_budget_is_met_or_said_to_be_unspent(budget, start, spending):
    base = Layer("base", (Edit("joint_innovation", 22, 63, spending=150.0),))
    own = Layer("own", (Edit("joint_innovation", start, 63, spending=spending),), budget)
    resolved = scenario_of(base, own)
    schedule = build_schedule(resolved)
    column = schedule.column("joint_innovation")
    money = schedule.spending[start:, column] / 4
    reached = float(discount_factors(public_discount_rate(resolved))[start:] @ money)
    assert reached + schedule.unplanned == pytest.approx(budget, rel=1e-8)
    assert schedule.spending.max() <= 600
    assert bool(schedule.warnings) == (schedule.unplanned > 0)


def test_money_above_the_limit_is_shown_as_unspent():
    resolved = with_overrides(resolve(REFERENCE), ["instrument.talent_retention.spending=1000"])
    schedule = build_schedule(resolved)
    assert schedule.spending.max(axis=0)[schedule.column("talent_retention")] == 300
    rate = public_discount_rate(resolved)
    assert schedule.unplanned == pytest.approx(700 / 4 * discount_factors(rate).sum())
    assert "300" in schedule.warnings[0]


def test_each_of_two_policies_keeps_its_budget():
    both = resolve(Scenario(policies=["demand_first", "innovation_first"]))
    assert both.name == "demand_first+innovation_first"
    assert [layer.name for layer in both.layers] == ["history", "demand_first", "innovation_first"]
    assert own_value(both) == pytest.approx(2 * 4000, rel=1e-9)


def test_present_value_by_hand():
    edit = Edit("talent_retention", 22, 23, spending=100.0, observed=True)
    schedule = build_schedule(scenario_of(Layer("x", (edit,))))
    assert planned_present_value(schedule, 0.05) == pytest.approx(25 * (1 + 1.05**-0.25))
