"""Scenarios: patches, packages, overrides, schedules and budgets."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecosystem.inputs import catalogue
from ecosystem.inputs.calendar import HORIZON, POLICY_START, period_index
from ecosystem.inputs.faults import InputError
from ecosystem.inputs.scenario import (
    REFERENCE,
    Edit,
    Layer,
    ResolvedScenario,
    Scenario,
    package_names,
    resolve,
    with_overrides,
)
from ecosystem.inputs.schedule import (
    build_schedule,
    discount_factors,
    planned_present_value,
    public_discount_rate,
    ramp,
)
from ecosystem.inputs.world.loader import load_world

BUDGET = 4000.0
PLAIN = {"history", "none"}


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


# ---- packages


def test_the_packages_are_there():
    wanted = {
        "none", "history", "article", "article_supply", "article_demand", "article_ecosystem",
        "capex_only", "output_only", "diffusion", "demand_first", "innovation_first",
        "green_first", "article_plus",
    }  # fmt: skip
    assert set(package_names()) == wanted and package_names()[0] == REFERENCE


@pytest.mark.parametrize("name", package_names())
def test_packages_have_titles_and_leave_the_past_alone(name):
    resolved, past = resolve(name), slice(0, POLICY_START)
    assert resolved.title_en != resolved.name and resolved.title_zh != resolved.title_en
    mine, reference = build_schedule(resolved), schedule_of(REFERENCE)
    for column in ("rate", "spending", "envelope", "shells_only", "observed"):
        same = getattr(mine, column)[past] == getattr(reference, column)[past]
        assert np.all(same), column
    assert not mine.own[past].any()


@pytest.mark.parametrize("name", sorted(set(package_names()) - PLAIN))
def test_packages_cost_the_same(name):
    assert own_value(resolve(name)) == pytest.approx(BUDGET, rel=1e-9)
    schedule = schedule_of(name)
    assert schedule.unplanned == 0 and schedule.warnings == ()
    limit = np.array([row.spending_high or np.inf for row in catalogue.instruments().values()])
    assert np.all((schedule.spending <= limit) | schedule.observed)


def test_what_the_packages_hold():
    numbers = {
        name: {
            catalogue.instruments()[edit.instrument].number
            for edit, own in zip(resolve(name).edits, resolve(name).own, strict=True)
            if own
        }
        for name in package_names()
    }
    assert numbers == {
        "none": numbers["none"],
        "history": set(),
        "article": set(range(1, 19)),
        "article_supply": {1, 2, 3},
        "article_demand": set(range(4, 12)),
        "article_ecosystem": set(range(12, 19)),
        "capex_only": {2},
        "output_only": {23},
        "diffusion": {25, 12, 13},
        "demand_first": {4, 6, 7, 9},
        "innovation_first": {15, 16, 18, 22},
        "green_first": {24, 17},
        "article_plus": {*range(1, 19), 22, 26},
    }


def test_none_switches_everything_off():
    schedule = schedule_of("none")
    future = slice(POLICY_START, None)
    for column in (schedule.rate, schedule.spending, schedule.envelope, schedule.observed):
        assert not column[future].any()


def test_history_is_what_is_on_record():
    schedule = schedule_of(REFERENCE)
    ready = schedule.column("hub_readiness")
    by_year = schedule.spending[:24, ready].reshape(6, 4).sum(axis=1) / 4
    np.testing.assert_allclose(by_year, [0, 385, 1925, 2695, 2310, 385])
    assert schedule.observed[:, ready].sum() == 18
    gate = schedule.rate[:, schedule.column("occupancy_gate")]
    assert list(np.flatnonzero(gate)) == list(range(period_index("2022Q3"), HORIZON))
    tariff = np.flatnonzero(schedule.rate[:, schedule.column("tariff_discount")])
    assert (tariff[0], tariff[-1]) == (period_index("2022Q3"), period_index("2025Q4"))
    voucher = schedule.column("compute_voucher")
    assert schedule.rate[-1, voucher] == 0.3 and schedule.envelope[-1, voucher] == 100
    shells = np.flatnonzero(schedule.shells_only)
    assert (shells[0], shells[-1]) == (period_index("2023Q1"), period_index("2025Q2"))


def test_programme_years_are_those_of_the_table():
    schedule = schedule_of("article")
    years = catalogue.instruments()["hub_readiness"].default_years
    spent = schedule.spending[POLICY_START:, schedule.column("hub_readiness")] > 0
    assert spent.sum() == 4 * years


# ---- patches and ramps

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


@settings(max_examples=30, deadline=None)
@given(st.lists(EDITS, max_size=6))
def test_patches_apply_in_order(edits):
    """The arrays equal a walk through the edits, quarter by quarter."""
    schedule = build_schedule(scenario_of(Layer("x", tuple(edits))))
    for name in ("compute_voucher", "output_subsidy"):
        row, column = catalogue.instruments()[name], schedule.column(name)
        target = []
        for t in range(HORIZON):
            on, rate, envelope = False, 0.0, 0.0
            for edit in edits:
                if edit.instrument == name and edit.start <= t <= edit.end:
                    if not edit.active:
                        on, rate, envelope = False, 0.0, 0.0
                        continue
                    kept = (rate, envelope) if on else (row.rate_default, row.envelope_default)
                    rate = kept[0] if edit.rate is None else edit.rate
                    envelope = kept[1] if edit.envelope is None else edit.envelope
                    on = True
            target.append((rate, envelope))
        wanted = np.array(target)
        quarters, seen = np.array([4, 4]), np.zeros((HORIZON, 2), bool)
        wanted = ramp(wanted, quarters, seen)
        np.testing.assert_array_equal(schedule.rate[:, column], wanted[:, 0])
        np.testing.assert_array_equal(schedule.envelope[:, column], wanted[:, 1])
        assert not schedule.spending[:, column].any()


def test_a_rise_takes_four_quarters_and_a_fall_none():
    target = np.array([0, 8, 8, 8, 8, 8, 4, 4, 12, 12, 12, 12, 12, 0.0])[:, None]
    level = ramp(target, np.array([4]), np.zeros_like(target, bool))[:, 0]
    assert list(level) == [0, 2, 4, 6, 8, 8, 4, 4, 6, 8, 10, 12, 12, 0]
    observed = ramp(target, np.array([4]), np.ones_like(target, bool))
    assert np.array_equal(observed, target)
    assert np.array_equal(ramp(target, np.array([0]), np.zeros_like(target, bool)), target)


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
    assert own_value(both) == pytest.approx(2 * BUDGET, rel=1e-9)


def test_present_value_by_hand():
    edit = Edit("talent_retention", 22, 23, spending=100.0, observed=True)
    schedule = build_schedule(scenario_of(Layer("x", (edit,))))
    assert planned_present_value(schedule, 0.05) == pytest.approx(25 * (1 + 1.05**-0.25))
    assert planned_present_value(schedule, 0.05, since=23) == pytest.approx(25)


# ---- files and Python


def test_a_file_says_everything(tmp_path):
    name, row = next(
        (name, row) for name, row in catalogue.parameters().items() if row.high is not None
    )
    path = write(
        tmp_path,
        f"""
        extends = "demand_first"
        policies = ["innovation_first"]
        title.en = "Mine"
        title.zh = "我的"
        [[instrument]]
        name = "capital_subsidy"
        rate = 0.2
        envelope = 100
        eligible = "shells"
        start = "2026Q1"
        end = "2030Q4"
        [[shock]]
        name = "ai_winter"
        amplitude = 0.2
        start = "2028Q1"
        [parameters]
        {name} = {row.high!r}
        """,
    )
    resolved = resolve(str(path))
    assert (resolved.name, resolved.title_en, resolved.title_zh) == ("mine", "Mine", "我的")
    assert [layer.name for layer in resolved.layers] == [
        "history", "demand_first", "innovation_first", "mine",
    ]  # fmt: skip
    assert resolved.own.count(False) == len(resolve(REFERENCE).edits)
    assert resolved.shocks[0].start == 32 and resolved.parameters == {name: row.high}
    schedule = build_schedule(resolved)
    assert list(np.flatnonzero(schedule.shells_only[22:]) + 22) == list(range(24, 44))
    assert own_value(resolved) > 2 * BUDGET


def test_a_file_may_extend_its_neighbour(tmp_path):
    write(tmp_path, '[[instrument]]\nname = "hub_steering"\n', "first.toml")
    second = write(tmp_path, 'extends = "first.toml"\n', "second.toml")
    assert [layer.name for layer in resolve(second).layers] == ["history", "first", "second"]


def test_scenarios_in_python():
    plain = Scenario()
    assert resolve(plain).digest == resolve(REFERENCE).digest
    mine = Scenario(
        policies=["demand_first"],
        shocks=["ai_winter", {"name": "hub_outage", "amplitude": 0.5, "start": "2030Q1"}],
        name="hard_times",
        title={"en": "Hard times"},
    )
    resolved = resolve(mine)
    assert (resolved.name, resolved.title_en, resolved.title_zh) == (
        "hard_times", "Hard times", "hard_times",
    )  # fmt: skip
    assert [(shock.amplitude, shock.start) for shock in resolved.shocks] == [(0.4, 28), (0.5, 40)]
    assert resolve(resolved) is resolved
    assert pickle.loads(pickle.dumps(resolved)).digest == resolved.digest
    with pytest.raises(InputError):
        replace(mine, policies=["demand_cor"])


def test_everything_wrong_in_python_at_once():
    with pytest.raises(InputError) as caught:
        Scenario(
            policies=["histry", "nowhere.toml", 3],
            shocks=["ai_wintr", {"name": "ai_winter", "amplitude": True}, 7],
            parameters={"no_such_parameter": 1},
            title={"de": "Meins"},
        )
    places = [fault.place for fault in caught.value.faults]
    assert places == [
        "Scenario.policies[0]",
        "Scenario.policies[1]",
        "Scenario.policies[2]",
        "Scenario.shocks[0].name",
        "Scenario.shocks[1].amplitude",
        "Scenario.shocks[2]",
        "Scenario.parameters.no_such_parameter",
        "Scenario.title.de",
    ]
    assert [fault.nearest for fault in caught.value.faults[:4]] == ["history", "", "", "ai_winter"]


def test_the_digest_is_of_what_changes_numbers():
    base = resolve("demand_first")
    assert resolve("demand_first").digest == base.digest
    others = [
        resolve("innovation_first"),
        with_overrides(base, ["instrument.unified_dispatch.spending=100"]),
        with_overrides(base, ["parameters.public_discount_rate=0.04"]),
        with_overrides(base, [], ["ai_winter"]),
        with_overrides(base, [], ["ai_winter:0.1"]),
    ]
    assert len({base.digest, *(other.digest for other in others)}) == 6
    assert replace(base, title_en="Other").digest == base.digest


# ---- overrides


def test_overrides_apply_where_the_instrument_is_on():
    base = resolve("article")
    changed = build_schedule(
        with_overrides(
            base,
            ["instrument.hub_readiness.spending=1000", "instrument.compute_voucher.rate=0.2"],
        )
    )
    ready, voucher = changed.column("hub_readiness"), changed.column("compute_voucher")
    assert changed.spending[41, ready] == 1000 and changed.spending[42, ready] == 0
    assert changed.rate[21, voucher] == 0.3 and changed.rate[22, voucher] == 0.2
    assert changed.envelope[22, voucher] == 100
    off = build_schedule(with_overrides(base, ["instrument.occupancy_gate.active=false"]))
    assert not off.rate[22:, off.column("occupancy_gate")].any()


def test_overrides_with_dates_and_shocks():
    resolved = with_overrides(
        resolve(REFERENCE),
        ["instrument.hub_steering.spending=.5e2", "instrument.hub_steering.start=2027Q1"],
        ["hub_outage", "ai_winter:.3:2028Q2"],
    )
    assert resolved.edits[-1] == Edit("hub_steering", 28, 63, spending=50.0)
    assert [(use.name, use.amplitude, use.start) for use in resolved.shocks] == [
        ("hub_outage", 0.8, 28),
        ("ai_winter", 0.3, 33),
    ]
    assert with_overrides(resolve(REFERENCE)) == resolve(REFERENCE)


def test_everything_wrong_in_overrides_at_once():
    with pytest.raises(InputError) as caught:
        with_overrides(
            resolve(REFERENCE),
            [
                "rubbish",
                "parameters.no_such_parameter=3",
                "instrument.compute_vouchr.rate=0.4",
                "instrument.hub_readiness.rate=0.1",
                "instrument.capital_subsidy.start=2024Q1",
                "instrument.output_subsidy.envelope=nan",
            ],
            ["ai_wintr", "hub_outage:9:2040Q1"],
        )
    assert len(caught.value.faults) == 9
    assert "compute_voucher" in [fault.nearest for fault in caught.value.faults]
