"""Scenarios: packages, files, Python and overrides."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from ecosystem.inputs import catalogue
from ecosystem.inputs.arguments import checked_parameters
from ecosystem.inputs.calendar import HORIZON, POLICY_START, period_index
from ecosystem.inputs.entries import REFERENCE, Edit
from ecosystem.inputs.faults import FaultList, InputError
from ecosystem.inputs.scenario import Scenario, package_names, resolve, with_overrides
from ecosystem.inputs.schedule import (
    build_schedule,
    planned_present_value,
    public_discount_rate,
)
from ecosystem.mesa.model import EcosystemModel
from ecosystem.runs.design import cross

BUDGET = 4000.0
PLAIN = {"history", "none"}


def schedule_of(item):
    return build_schedule(resolve(item))


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
    shells = np.flatnonzero(schedule.shells_only.any(axis=1))
    assert (shells[0], shells[-1]) == (period_index("2023Q1"), period_index("2025Q2"))


def test_programme_years_are_those_of_the_table():
    schedule = schedule_of("article")
    years = catalogue.instruments()["hub_readiness"].default_years
    spent = schedule.spending[POLICY_START:, schedule.column("hub_readiness")] > 0
    assert spent.sum() == 4 * years


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
    shells = schedule.shells_only.any(axis=1)
    assert list(np.flatnonzero(shells[22:]) + 22) == list(range(24, 44))
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
            hooks=3,
            name=1.10,
            title={"de": "Meins"},
        )
    found = {fault.place.removeprefix("Scenario."): fault for fault in caught.value.faults}
    assert set(found) == {
        "policies[0]", "policies[1]", "policies[2]", "shocks[0].name", "shocks[1].amplitude",
        "shocks[2]", "hooks", "name", "title.de", "parameters.no_such_parameter",
    }  # fmt: skip
    assert found["policies[0]"].nearest == "history"
    assert found["shocks[0].name"].nearest == "ai_winter"


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"policies": []}, "policies"),
        ({"policies": 5}, "policies[0]"),
        ({"policies": None}, "policies[0]"),
        ({"shocks": 5}, "shocks[0]"),
        ({"shocks": {"amplitude": 0.1}}, "shocks[0].name"),
        ({"parameters": "hype"}, "parameters"),
        ({"parameters": {"hype": "0.3"}}, "parameters.hype"),
        ({"parameters": {1: 0.3}}, "parameters[1]"),
        ({"title": "Mine"}, "title"),
        ({"title": {"en": 7}}, "title.en"),
        ({"name": b"x"}, "name"),
    ],
)
def test_arguments_of_another_kind_are_one_fault(given, place):
    with pytest.raises(InputError) as caught:
        Scenario(**given)
    assert [fault.place for fault in caught.value.faults] == [f"Scenario.{place}"]


@pytest.mark.parametrize("name", ["NA", "null", "nan", "None", "1.10", "007", "20 $ and 30 $_x"])
def test_a_name_is_any_text(name):
    resolved = resolve(Scenario(name=name))
    assert resolved.name == resolved.title_en == name


FACES = {
    "Scenario": lambda value: resolve(Scenario(parameters={"hype": value})).parameters["hype"],
    "shock": lambda value: (
        resolve(Scenario(shocks=[{"name": "ai_winter", "amplitude": value}])).shocks[0].amplitude
    ),
    "checked": lambda value: checked_parameters(FaultList(), {"hype": value})["hype"],
    "cross": lambda value: (
        cross(["history"], parameters={"hype": value}).scenarios[0].parameters["hype"]
    ),
    "model": lambda value: EcosystemModel(
        world="teaching", parameters={"hype": value}
    ).params.hype.item(),
}


@pytest.mark.parametrize("face", FACES)
def test_every_face_takes_the_same_numbers(face):
    for value in (0.5, np.float32(0.5), np.float64(0.5), np.array(0.5)):
        assert FACES[face](value) == 0.5
    if face != "model":
        assert FACES[face](np.int64(0)) == FACES[face](0) == 0.0
    for value in ("0.5", True, np.True_, 0.5j, np.complex128(0.5), float("nan"), [0.5], None):
        with pytest.raises((InputError, KeyError)):
            FACES[face](value)


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
    assert resolved.edits[-1] == Edit("hub_steering", 28, 63, spending=50.0, file=1)
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


def test_instruments_of_python_have_a_name_beside_the_reference():
    own = resolve(Scenario(instruments=[{"name": "talent_retention"}]))
    assert (own.name, own.title_zh) == ("history+instruments", "延续现状 + 自设工具")
    assert resolve(Scenario(instruments=[{"name": "talent_retention"}], name="x")).name == "x"
