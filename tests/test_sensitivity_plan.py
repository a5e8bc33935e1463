"""Factors, files of factors, and the plan of a study: what is sampled, repeated and refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ecosystem.inputs.arguments import checked_parameters
from ecosystem.inputs.catalogue import parameters
from ecosystem.inputs.draws import draw_parameters
from ecosystem.inputs.faults import FaultList, InputError
from ecosystem.inputs.scenario import Scenario, resolve
from ecosystem.maths.chance import Chance
from ecosystem.runs.design import Design
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
from experiments.sensitivity_analysis.plan import Study, plan_study
from experiments.sensitivity_analysis.salib_study import (
    LEVELS,
    NEAR_SHARE,
    Sample,
    draw,
    near_term,
)
from experiments.sensitivity_analysis.study import sensitivity


def test_the_near_dummy_has_its_share() -> None:
    variance = {"sobol": 1 / 12, "morris": np.linspace(0, 1, LEVELS).var()}
    for method, of_factor in variance.items():
        added = near_term(method, 3.0) ** 2 * of_factor
        assert added / (9.0 + added) == pytest.approx(NEAR_SHARE)


def test_the_default_study_has_the_factors_that_it_says() -> None:
    table, factors = parameters(), default_factors()
    moved = [move.parameter for factor in factors.values() for move in factor.moves]
    assert len(moved) == len(set(moved)) and len(factors) == 28
    assert [name for name in factors if name.endswith("_effectiveness")] == [*factors][25:]
    assert {name for name in table if name.endswith("_effectiveness")} <= set(moved)
    for factor in factors.values():
        assert factor.title_zh and all(
            move.low == table[move.parameter].low for move in factor.moves
        )
    assert [factor.name for factor in read_factors()][-2:] == [DUMMY, NEAR_DUMMY]
    every = {factor.name for factor in read_factors(["all"])} - {DUMMY, NEAR_DUMMY}
    assert (
        every
        == set(uncertain_factors())
        == {name for name, row in table.items() if row.distribution != "fixed"}
    )


def test_all_and_one_effectiveness_for_each_block_move_every_parameter_once() -> None:
    blocks = [name for name in default_factors() if name.endswith("_effectiveness")]
    found = {factor.name: factor for factor in read_factors(["all", *blocks])}
    moved = [move.parameter for factor in found.values() for move in factor.moves]
    assert len(moved) == len(set(moved)) and set(moved) == set(uncertain_factors())
    inside = {move.parameter for name in blocks for move in found[name].moves}
    assert inside == {name for name in uncertain_factors() if name.endswith("_effectiveness")}
    assert set(found) == (set(uncertain_factors()) - inside) | {*blocks, DUMMY, NEAR_DUMMY}


@pytest.mark.parametrize("names", ['["all", "halls"]', '["halls", "all"]'])
def test_a_factor_of_ones_own_takes_its_parameters_out_of_all(names: str, tmp_path: Path) -> None:
    path = tmp_path / "factors.toml"
    path.write_text(GOOD.replace('["hype", "agglomeration", "halls"]', names), encoding="utf-8")
    found = {factor.name: factor for factor in read_factors(path)}
    assert len(found["halls"].moves) == 2 and "hall_cost_share" not in found
    assert found["hype"].moves[0].high == 0.5 and len(found) == len(uncertain_factors()) + 1


@pytest.mark.parametrize("names", ['["all"]', '["hype"]'])
def test_a_factor_of_ones_own_that_is_not_used_is_a_fault(names: str, tmp_path: Path) -> None:
    path = tmp_path / "factors.toml"
    path.write_text(GOOD.replace('["hype", "agglomeration", "halls"]', names), encoding="utf-8")
    with pytest.raises(InputError, match=r"together\.halls: .* a name that stands in factors"):
        read_factors(path)
    path.write_text(GOOD.replace("halls", "all"), encoding="utf-8")
    with pytest.raises(InputError, match=r"together\.all: .* no other factor"):
        read_factors(path)


@pytest.mark.parametrize("entry", [1, (0,), (0, 1, "uniform", 2), "01", None])
def test_a_range_of_ones_own_in_another_form_is_one_fault(entry: Any) -> None:
    with pytest.raises(InputError) as error:
        read_factors({"a": entry, "b": (0, 1, "loguniform")})
    ranges, below = error.value.faults
    assert (ranges.place, ranges.value) == ("factors.a", entry) and "(low, high)" in ranges.allowed
    assert below.place == "factors.b.low"


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

BAD = """
factors = ["hipe", "hype", "halls"]
samples = 5

[range.hype]
low = 0.5
high = 0.2
width = 1

[range.foresight]
low = 0.1

[together.halls]
parameters = ["hall_cost", "soft_owner_private"]
"""


def test_factors_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "factors.toml"
    path.write_text(GOOD, encoding="utf-8")
    found = {factor.name: factor for factor in read_factors(path)}
    assert [*found] == ["hype", "agglomeration", "halls", DUMMY, NEAR_DUMMY]
    assert (found["hype"].moves[0].low, found["hype"].moves[0].high) == (0.2, 0.5)
    assert [move.parameter for move in found["halls"].moves] == [
        "hall_cost_intelligent", "hall_cost_share",
    ]  # fmt: skip


def test_every_fault_of_a_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "factors.toml"
    path.write_text(BAD, encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_factors(path)
    words = str(error.value)
    for fault in (
        "samples", "nearest valid name: hype", "range.hype.low", "'width'", "'foresight'",
        "'hall_cost'", "'soft_owner_private'",
    ):  # fmt: skip
        assert fault in words
    path.write_text("factors = [", encoding="utf-8")
    with pytest.raises(InputError, match="allowed: TOML syntax"):
        read_factors(path)
    path.write_text("[range.hype]\nhigh = 2.0", encoding="utf-8")
    with pytest.raises(InputError, match="a number from 0 to 1"):
        read_factors(path)
    with pytest.raises(InputError, match="one factor a parameter"):
        read_factors(["server_cost", "server_cost_intelligent"])


def plan(**options: Any) -> Any:
    scenarios = [resolve("article"), resolve("history")]
    given = {"factors": ["hype", "foresight"], "trajectories": 4, "seed": 1, "until": "2026Q4"}
    return plan_study(scenarios, "history", **{**given, "world": "teaching", **options})


def test_luck_belongs_to_the_block_and_repeats_have_their_own() -> None:
    found = plan(replicates=2)
    design, repeats = found.design, found.repeats
    table = design.table()
    assert len(design) + len(repeats) == found.runs
    lucks = table.groupby(found.sample.block[table["point"]])["replicate"].agg(["min", "max"])
    assert lucks.to_numpy().tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert set(repeats.replicate) == set(range(8, 16))
    again = repeats.table().iloc[:16]
    blocks = np.arange(8) // 2
    first = design.points["hype"][:: found.sample.length]
    assert np.array_equal(again["hype"][:8], first[blocks])
    assert np.array_equal(again["hype"][8:], first[blocks])
    same, other = again["loan_share"].to_numpy().reshape(2, 8)
    assert not np.isclose(same, other).any()
    alone = plan(fixed_parameters=True)
    assert set(alone.repeats.points) == {"hype", "foresight"} and alone.repeated == 1


def drawn(found: Study, design: Design, scenario: int) -> pd.DataFrame:
    """Return every parameter of the runs of one scenario, as a chunk of them has it."""
    runs = np.flatnonzero(design.scenario == scenario)
    chance = Chance(found.options["seed"], design.replicate[runs].tolist())
    given: dict[str, Any] = {**found.scenarios[scenario].parameters, **design.values(runs)}
    return pd.DataFrame(draw_parameters(chance, found.fixed, given))


def test_repeats_have_the_parameters_of_their_block_though_a_scenario_sets_its_own() -> None:
    own = resolve(Scenario(policies=["article"], parameters={"loan_share": 0.6}, name="own"))
    found = plan_study(
        [own, resolve("history"), resolve("none")], "history", factors=["hype"], trajectories=4,
        replicates=2, seed=1, until="2026Q4", world="teaching",
    )  # fmt: skip
    first = np.arange(0, len(found.sample.unit), found.sample.length)
    rows = (2 * first[:, None] + np.arange(2)).reshape(-1)
    for scenario in range(3):
        points = drawn(found, found.design, scenario).iloc[rows].reset_index(drop=True)
        again = drawn(found, found.repeats, scenario)
        pd.testing.assert_frame_equal(again[:8], points)
        other = again[8:].reset_index(drop=True)
        moved = {name for name in other if not np.isclose(other[name], points[name]).any()}
        fixed = {"hype"} | ({"loan_share"} if scenario == 0 else set())
        assert moved == set(uncertain_factors()) - fixed
    assert drawn(found, found.repeats, 0)["loan_share"].eq(0.6).all()
    assert len(found.repeats) == 3 * 2 * 8 and set(found.repeats.replicate) == set(range(8, 16))


def test_each_method_has_its_own_number_of_blocks() -> None:
    assert plan(trajectories=None).sample.blocks == 20
    assert plan(method="sobol", trajectories=None).sample.blocks == 64


def test_parameters_may_be_numbers_of_numpy_and_faults_name_them() -> None:
    given = {"hype": np.float32(0.5), "loan_share": np.float64(0.6)}
    assert checked_parameters(FaultList(), given) == {"hype": 0.5, "loan_share": 0.6}
    with pytest.raises(InputError, match=r"own: parameters\.hype: 0\.3 .*left open"):
        own = Scenario(policies=["history"], name="own")
        sensitivity([own], own, factors=["hype"], parameters={"hype": np.float64(0.3)})
    with pytest.raises(InputError, match=r"^parameters\.hipe: .*nearest valid name: hype"):
        sensitivity(["history"], parameters={"hipe": 0.3})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": 0}, "seed: 0 "),
        ({"until": "2024Q4"}, "until: '2024Q4' is not valid; allowed: a quarter from 2025Q3 to"),
        ({"fixed_parameters": "no"}, "fixed_parameters: 'no' is not valid; allowed: true or false"),
        ({"years": "no"}, "years: 'no' is not valid; allowed: true or false"),
        ({"second_order": "no", "method": "sobol", "trajectories": None}, "second_order: 'no' is"),
        ({"samples": 64}, "samples: 64 is not valid; allowed: only with method sobol"),
        ({"method": "sobol"}, "trajectories: 4 is not valid; allowed: only with method morris"),
        ({"outcomes": []}, "outcomes: [] "),
        ({"replicates": 0}, "replicates: 0 "),
        ({"trajectories": 2}, "trajectories: 2 "),
        ({"method": "sobol", "samples": 48, "trajectories": None}, "samples: 48 "),
        ({"method": "fast"}, "method: 'fast'"),
        ({"second_order": True}, "second_order: True"),
        ({"outcomes": ["patent"]}, "nearest valid name: patents"),
        ({"outcomes": "patent"}, "outcomes: 'patent' is"),
        ({"factors": "nowhere.toml"}, "nowhere.toml: 'No such file or directory'"),
        ({"factors": ["hipe"]}, "nearest valid name: hype"),
        ({"factors": {"dummy": (0, 1)}}, "another name"),
    ],
)
def test_wrong_requests_are_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as error:
        plan(**options)
    assert words in str(error.value) and len(error.value.faults) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scenarios": "articl"}, "scenario: 'articl' is"),
        ({"shock": ["ai_winter"]}, "shock: ['ai_winter'] is"),
        ({"parameters": ["hype"]}, "parameters: ['hype'] is"),
        ({"until": "2025Q2"}, "until: '2025Q2' is"),
    ],
)
def test_wrong_arguments_are_one_fault_each(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as error:
        sensitivity(**{"scenarios": "none", "world": "teaching", **options})
    assert str(error.value).startswith(words) and len(error.value.faults) == 1


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


@pytest.mark.parametrize("name", WITHOUT_USE)
def test_a_model_of_ones_own_is_not_given_what_it_has_no_use_for(name: str) -> None:
    given = {name: WITHOUT_USE[name]}
    with pytest.raises(InputError) as error:
        sensitivity(model=len, factors={"a": (0, 1)}, trajectories=4, **given)
    (fault,) = error.value.faults
    assert fault.place == name and "a model of your own" in fault.allowed


def test_the_last_quarter_of_a_model_of_ones_own_is_not_looked_at() -> None:
    assert plan_study([], "", factors={"a": (0, 1)}, model=len, seed=1, until="2020Q1").model


def test_a_scenario_that_sets_a_factor_itself_is_refused() -> None:
    own = resolve(Scenario(policies=["history"], parameters={"hype": 0.3}, name="own"))
    with pytest.raises(InputError, match=r"own: parameters\.hype: 0\.3 .*left open"):
        plan_study([own], "own", factors=["hype"], seed=1, until="2026Q4", world="teaching")


def test_blocks_of_a_sample_differ_in_one_factor_at_a_time() -> None:
    trajectories = draw("morris", ["a", "b", "c"], 5, 1)
    steps = np.diff(trajectories.unit.reshape(5, 4, 3), axis=1) != 0
    assert (steps.sum(axis=2) == 1).all() and (steps.sum(axis=1) == 1).all()
    saltelli: Sample = draw("sobol", ["a", "b", "c"], 8, 1)
    rows = saltelli.unit.reshape(8, 5, 3)
    for place in range(3):
        assert ((rows[:, place + 1] != rows[:, 0]).sum(axis=1) == 1).all()
        assert np.array_equal(rows[:, place + 1, place], rows[:, 4, place])
