"""Factors, files of factors, and the plan of a study: what is sampled, repeated and refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ecosystem.inputs.catalogue import parameters
from ecosystem.inputs.draws import draw_parameters
from ecosystem.inputs.faults import InputError
from ecosystem.inputs.scenario import Scenario
from ecosystem.maths.chance import Chance
from ecosystem.runs.design import Design
from experiments import sensitivity
from experiments.sensitivity_analysis.factors import (
    DUMMY,
    NEAR_DUMMY,
    Factor,
    Move,
    default_factors,
    parameter_points,
    read_factors,
    uncertain_factors,
)
from experiments.sensitivity_analysis.options import SensitivityOptions
from experiments.sensitivity_analysis.plan import Study, plan_study
from experiments.sensitivity_analysis.salib_study import LEVELS, NEAR_SHARE, draw, near_term


def plan(**options: Any) -> Study:
    given = {"scenarios": "article", "factors": ["hype", "foresight"], "trajectories": 4}
    given |= {"until": "2026Q4", "world": "teaching", **options}
    return plan_study(SensitivityOptions.of(**given))


def moved(factors: Any) -> list[str]:
    """Return the parameters that factors move."""
    return [move.parameter for factor in factors for move in factor.moves]


def test_the_near_dummy_has_its_share() -> None:
    variance = {"sobol": 1 / 12, "morris": np.linspace(0, 1, LEVELS).var()}
    for method, of_factor in variance.items():
        added = near_term(method, 3.0) ** 2 * of_factor
        assert added / (9.0 + added) == pytest.approx(NEAR_SHARE)


def test_the_default_study_has_the_factors_that_it_says() -> None:
    table, factors = parameters(), default_factors()
    names = moved(factors.values())
    assert len(names) == len(set(names)) and len(factors) == 28
    assert [name for name in factors if name.endswith("_effectiveness")] == [*factors][25:]
    assert {name for name in table if name.endswith("_effectiveness")} <= set(names)
    for factor in factors.values():
        assert factor.title_zh
        assert all(move.low == table[move.parameter].low for move in factor.moves)
    assert [factor.name for factor in read_factors()][-2:] == [DUMMY, NEAR_DUMMY]
    uncertain = {name for name, row in table.items() if row.distribution != "fixed"}
    assert set(moved(read_factors(["all"]))) == set(uncertain_factors()) == uncertain


def test_all_and_one_effectiveness_for_each_block_move_every_parameter_once() -> None:
    blocks = [name for name in default_factors() if name.endswith("_effectiveness")]
    found = read_factors(["all", *blocks])
    assert sorted(moved(found)) == sorted(uncertain_factors())
    inside = {name for name in uncertain_factors() if name.endswith("_effectiveness")}
    assert {factor.name for factor in found} == (
        set(uncertain_factors()) - inside | {*blocks, DUMMY, NEAR_DUMMY}
    )


def test_a_factor_sets_its_parameters_to_one_quantile_of_their_own_distributions() -> None:
    both = Factor("both", (Move("p", 1.0, 3.0), Move("q", 0.1, 10.0, "loguniform")))
    points = parameter_points([both], np.array([[0.0], [0.5], [1.0]]))
    assert points["p"].tolist() == [1.0, 2.0, 3.0]
    assert points["q"].tolist() == pytest.approx([0.1, 1.0, 10.0])
    assert points["q"].min() >= 0.1 and points["q"].max() <= 10.0


GOOD = """
factors = ["hype", "agglomeration", "halls"]

[range.hype]
low = 0.2
high = 0.5

[together.halls]
parameters = ["hall_cost_intelligent", "hall_cost_share"]
"""
NAMES = '["hype", "agglomeration", "halls"]'


def file_of(folder: Path, content: str) -> Path:
    path = folder / "factors.toml"
    path.write_text(content, encoding="utf-8")
    return path


def test_factors_of_a_file(tmp_path: Path) -> None:
    found = {factor.name: factor for factor in read_factors(file_of(tmp_path, GOOD))}
    assert [*found] == ["hype", "agglomeration", "halls", DUMMY, NEAR_DUMMY]
    assert found["hype"].moves == (Move("hype", 0.2, 0.5),)
    assert moved([found["halls"]]) == ["hall_cost_intelligent", "hall_cost_share"]
    for names in ('["all", "halls"]', '["halls", "all"]'):  # taken out of all
        every = read_factors(file_of(tmp_path, GOOD.replace(NAMES, names)))
        assert sorted(moved(every)) == sorted(uncertain_factors())
        assert len(every) == len(uncertain_factors()) + 1
    default = read_factors(file_of(tmp_path, GOOD.partition("\n\n")[2]))
    assert len(default) == len(default_factors()) + 3  # with those of together, and the checks


WRONG_FILES = {
    'factors = ["hipe"]': "factors: 'hipe' is .* nearest valid name: hype",
    'factors = "hype"': "factors: 'hype' is not valid; allowed: a list of names",
    "factors = [": "allowed: TOML syntax",
    'factors = ["hype"]\nsamples = 5': "samples: 'samples' is .* one of factors, range",
    "[range.hype]\nhigh = 2.0": r"range\.hype\.high: 2\.0 is .* a number from 0 to 1",
    "[range.hype]\nlow = '0.3'": r"range\.hype\.low: '0\.3' is .* a finite number",
    "[range.hype]\nlow = 0.5\nhigh = 0.2": r"range\.hype\.low: 0\.5 is .* high, which is 0\.2",
    "[range.hype]\nwidth = 1": r"range\.hype\.width: 'width' is .* low, high, distribution",
    "[range.hype]\ndistribution = 'normal'": r"distribution: 'normal' is .* loguniform",
    "[range.hipe]\nlow = 0.1": "range: 'hipe' is .* nearest valid name: hype",
    "range = 3": r"range: 3 is not valid; allowed: tables \[range\.NAME\]",
    "[together.new]\nparameters = []": r"together\.new\.parameters: \[\] is .* a list of",
    "[together.new]\nparameters = ['hipe']": r"parameters\[0\]: 'hipe' is .* name: hype",
    GOOD.replace("halls", "all"): r"together\.all: 'all' is .* no other factor",
    GOOD.replace(NAMES, '["all"]'): r"together\.halls: 'halls' is .* stands in factors",
    GOOD.replace(NAMES, '["range", "halls"]'): r"factors: 'range' is",
    "factors = ['halls']\n[together.halls]\nparameters = ['hype', 'hype']": "one factor a param",
}


@pytest.mark.parametrize("content", WRONG_FILES)
def test_wrong_files_are_named(content: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=WRONG_FILES[content]):
        read_factors(file_of(tmp_path, content))


def test_every_fault_of_a_file_is_reported_once(tmp_path: Path) -> None:
    bad = """
    factors = ["hipe", "hype", "halls"]
    samples = 5
    range.hype = {low = 0.5, high = 0.2, width = 1}
    range.foresight = {low = 0.1}
    together.halls = {parameters = ["hall_cost", "soft_owner_private"]}
    """
    with pytest.raises(InputError) as error:
        read_factors(file_of(tmp_path, bad))
    places = [fault.place.partition(": ")[2] for fault in error.value.faults]
    assert sorted(places) == [
        "factors", "range", "range.hype.low", "range.hype.width", "samples",
        "together.halls.parameters[0]", "together.halls.parameters[1]",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("factors", "words"),
    [
        ({"a": 1}, "factors.a: 1 is not valid; allowed: (low, high) or (low, high, "),
        ({"a": (0,)}, "factors.a: (0,) is"),
        ({"a": (0, 1, "uniform", 2)}, "factors.a: (0, 1, 'uniform', 2) is"),
        ({"a": "01"}, "factors.a: '01' is"),
        ({"a": None}, "factors.a: None is"),
        ({"a": ("0", 1)}, "factors.a.low: '0' is not valid; allowed: a finite number"),
        ({"a": (0, 1j)}, "factors.a.high: 1j is not valid; allowed: a finite number"),
        ({"a": (0, float("nan"))}, "factors.a.high: nan is"),
        ({"a": (True, 2)}, "factors.a.low: True is"),
        ({"a": (1, 1)}, "factors.a.low: 1.0 is not valid; allowed: a number below high"),
        ({"a": (0, 1, "loguniform")}, "factors.a.low: 0.0 is not valid; allowed: a number above 0"),
        ({"a": (0, 1, "normal")}, "factors.a.distribution: 'normal' is"),
        ({"dummy": (0, 1)}, "factors: 'dummy' is not valid; allowed: another name"),
        ({"run": (0, 1)}, "factors: 'run' is not valid; allowed: another name"),
        ({}, "factors: [] is not valid; allowed: at least one factor"),
        (["hipe"], "nearest valid name: hype"),
        (["hype", "hype"], "factors: 'hype' is not valid; allowed: each factor once"),
        (["server_cost", "server_cost_intelligent"], "one factor a parameter"),
        (5, "factors: 5 is not valid"),
    ],
)
def test_wrong_factors_are_named(factors: Any, words: str) -> None:
    with pytest.raises(InputError) as error:
        read_factors(factors)
    assert words in str(error.value)


def test_ranges_may_be_numbers_of_numpy() -> None:
    (factor, *_) = read_factors({"a": (np.float32(0.5), np.int64(2))})
    assert factor.moves == (Move("a", 0.5, 2.0),)


def test_luck_belongs_to_the_block_and_repeats_have_their_own() -> None:
    found = plan(replicates=2)
    design, repeats = found.design, found.repeats
    table = design.table()
    assert len(design) + len(repeats) == found.runs
    lucks = table.groupby(found.sample.block[table["point"]])["replicate"].agg(["min", "max"])
    assert lucks.to_numpy().tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert set(repeats.replicate) == set(range(8, 16))
    again = repeats.table().iloc[:16]
    first = design.points["hype"][:: found.sample.length][np.arange(8) // 2]
    assert np.array_equal(again["hype"], np.tile(first, 2))
    same, other = again["loan_share"].to_numpy().reshape(2, 8)
    assert not np.isclose(same, other).any()
    alone = plan(fixed_parameters=True)
    assert set(alone.repeats.points) == {"hype", "foresight"} and alone.repeated == 1


def drawn(found: Study, design: Design, scenario: int) -> pd.DataFrame:
    """Return every parameter of the runs of one scenario, as a chunk of them has it."""
    runs = np.flatnonzero(design.scenario == scenario)
    chance = Chance(found.asked.seed, design.replicate[runs].tolist())
    given: dict[str, Any] = {**found.scenarios[scenario].parameters, **design.values(runs)}
    return pd.DataFrame(draw_parameters(chance, found.asked.fixed_parameters, given))


def test_repeats_have_the_parameters_of_their_block_though_a_scenario_sets_its_own() -> None:
    own = Scenario(policies=["article"], parameters={"loan_share": 0.6}, name="own")
    found = plan(scenarios=[own, "history", "none"], factors=["hype"], replicates=2)
    first = np.arange(0, len(found.sample.unit), found.sample.length)
    rows = (2 * first[:, None] + np.arange(2)).reshape(-1)
    for scenario in range(3):
        points = drawn(found, found.design, scenario).iloc[rows].reset_index(drop=True)
        again = drawn(found, found.repeats, scenario)
        pd.testing.assert_frame_equal(again[:8], points)
        other = again[8:].reset_index(drop=True)
        changed = {name for name in other if not np.isclose(other[name], points[name]).any()}
        fixed = {"hype"} | ({"loan_share"} if scenario == 0 else set())
        assert changed == set(uncertain_factors()) - fixed
    assert drawn(found, found.repeats, 0)["loan_share"].eq(0.6).all()
    assert len(found.repeats) == 3 * 2 * 8 and set(found.repeats.replicate) == set(range(8, 16))


def test_each_method_has_its_own_number_of_blocks() -> None:
    assert plan(trajectories=None).sample.blocks == 20
    assert plan(method="sobol", trajectories=None).sample.blocks == 64
    assert plan(method="sobol", trajectories=None, samples=np.int64(8)).sample.blocks == 8


SAME = Scenario(["article"], name="plan")
SOBOL = {"method": "sobol", "trajectories": None}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": 0}, "seed: 0 "),
        ({"until": "2025Q2"}, "until: '2025Q2' is not valid; allowed: a quarter from 2025Q3 to"),
        ({"fixed_parameters": "no"}, "fixed_parameters: 'no' is not valid; allowed: true or false"),
        ({"years": "no"}, "years: 'no' is not valid; allowed: true or false"),
        ({"second_order": "no", **SOBOL}, "second_order: 'no' is"),
        ({"samples": 64}, "samples: 64 is not valid; allowed: only with method sobol"),
        ({"method": "sobol"}, "trajectories: 4 is not valid; allowed: only with method morris"),
        ({"outcomes": []}, "outcomes: [] "),
        ({"replicates": 0}, "replicates: 0 "),
        ({"trajectories": 2}, "trajectories: 2 is not valid; allowed: a whole number of at least"),
        ({"trajectories": np.int64(2**20)}, "trajectories: 1048576 is not valid; allowed: at most"),
        ({"samples": 48.0, **SOBOL}, "samples: 48.0 is not valid; allowed: a whole number of at"),
        ({"samples": 48, **SOBOL}, "samples: 48 is not valid; allowed: a power of 2, at least 4"),
        ({"method": "fast"}, "method: 'fast'"),
        ({"second_order": True}, "second_order: True"),
        ({"outcomes": ["patent"]}, "nearest valid name: patents"),
        ({"factors": "nowhere.toml"}, "nowhere.toml: 'No such file or directory'"),
        ({"scenarios": "articl"}, "scenario: 'articl' is"),
        ({"scenarios": [SAME, Scenario(["none"], name="plan")]}, "names that differ"),
        ({"shock": ["ai_winters"]}, "nearest valid name: ai_winter"),
        ({"parameters": ["hype"]}, "parameters: ['hype'] is"),
        ({"parameters": {"hipe": 0.3}}, "nearest valid name: hype"),
        (
            {
                "scenarios": [],
                "reference": Scenario(["history"], parameters={"hype": 0.3}, name="own"),
            },
            "own: parameters.hype: 0.3 is not valid; allowed: left open, since the factor hype",
        ),
    ],
)
def test_wrong_requests_are_one_fault_each(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as error:
        plan(**options)
    assert words in str(error.value) and len(error.value.faults) == 1


def test_what_is_wrong_with_scenarios_factors_and_method_is_said_at_once() -> None:
    with pytest.raises(InputError) as error:
        plan(scenarios=["articl"], factors=["hipe"], samples=64)
    assert [fault.place for fault in error.value.faults] == ["scenario", "factors", "samples"]


WITHOUT_USE: dict[str, Any] = {
    "scenarios": ["article"],
    "reference": "none",
    "until": "2030Q4",
    "world": "teaching",
    "shock": "ai_winter",
    "budget": "article",
    "parameters": {"hype": 0.3},
    "fixed_parameters": True,
    "outcomes": ["patents"],
}


def test_a_model_of_ones_own_is_not_given_what_it_has_no_use_for() -> None:
    with pytest.raises(InputError) as error:
        sensitivity(model=len, factors={"a": (0, 1)}, trajectories=4, **WITHOUT_USE)
    assert [fault.place for fault in error.value.faults] == list(WITHOUT_USE)
    assert all("a model of your own" in fault.allowed for fault in error.value.faults)


def test_blocks_of_a_sample_differ_in_one_factor_at_a_time() -> None:
    trajectories = draw("morris", ["a", "b", "c"], 5, 1)
    steps = np.diff(trajectories.unit.reshape(5, 4, 3), axis=1) != 0
    assert (steps.sum(axis=2) == 1).all() and (steps.sum(axis=1) == 1).all()
    rows = draw("sobol", ["a", "b", "c"], 8, 1).unit.reshape(8, 5, 3)
    for place in range(3):
        assert ((rows[:, place + 1] != rows[:, 0]).sum(axis=1) == 1).all()
        assert np.array_equal(rows[:, place + 1, place], rows[:, 4, place])
