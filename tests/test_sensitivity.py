"""Sensitivity studies of functions with known indices, and everything that must not pass unseen."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.toys import (
    ISHIGAMI,
    G,
    g_indices,
    ishigami,
    ishigami_indices,
    lucky_g,
    lucky_g_indices,
    noisy_g,
    sobol_g,
)
from ecosystem.catalogue import parameters
from ecosystem.errors import InputError
from ecosystem.scenario import Scenario, resolve
from experiments.salib_study import (
    LEVELS,
    NEAR_SHARE,
    Sample,
    analyse,
    draw,
    global_stream_kept,
    near_term,
)
from experiments.sensitivity import Sensitivity, sensitivity
from experiments.sensitivity_factors import (
    DUMMY,
    NEAR_DUMMY,
    Factor,
    Move,
    default_factors,
    parameter_points,
    read_factors,
    uncertain_factors,
)
from experiments.sensitivity_plan import plan_study

KEPT = 1 - NEAR_SHARE
"""What the near-dummy leaves of the shares of all other factors."""
WITHIN = {ishigami: 0.02, sobol_g: 0.03, lucky_g: 0.04}
"""Stated error of any index at 1,024 blocks with seed 1."""


def study(model: Any, factors: Any = None, method: str = "sobol", **options: Any) -> Sensitivity:
    return sensitivity(model=model, factors=factors, method=method, jobs=1, **options)


def by_factor(found: Sensitivity) -> pd.DataFrame:
    return found.table.set_index("factor")


@pytest.mark.parametrize(
    ("model", "ranges", "expected"),
    [
        (ishigami, ISHIGAMI, ishigami_indices()),
        (sobol_g, G, g_indices()),
        (lucky_g, G, lucky_g_indices()[:2]),
    ],
)
def test_known_indices_come_out_within_the_stated_error(
    model: Any, ranges: Any, expected: tuple[Any, Any]
) -> None:
    rows = by_factor(study(model, ranges, samples=1024))
    for index, truth in zip(("first", "total"), expected, strict=True):
        error = rows[index].loc[list(ranges)].to_numpy() - KEPT * truth
        assert np.abs(error).max() < WITHIN[model]
    assert [rows[index][DUMMY] for index in ("first", "total")] == [0.0, 0.0]
    assert rows.loc[NEAR_DUMMY, "total"] == pytest.approx(NEAR_SHARE, rel=0.01)
    assert not rows.loc[[DUMMY, NEAR_DUMMY], "matters"].any()
    assert (rows["status"] == "ok").all()


def test_pairs_of_ishigami_are_known_too() -> None:
    found = study(ishigami, ISHIGAMI, samples=1024, second_order=True)
    pairs = found.pairs.set_index(["factor", "other_factor"])["second"]
    first, total = ishigami_indices()
    assert pairs["x1", "x3"] == pytest.approx(KEPT * total[2], abs=0.05)
    assert abs(pairs["x1", "x2"]) < 0.05 and len(pairs) == 10
    rows = by_factor(found)
    assert np.abs(rows.loc[list(ISHIGAMI), "total"] - KEPT * total).max() < WITHIN[ishigami]


def test_chance_is_the_variance_within_a_point() -> None:
    found = study(lucky_g, G, samples=1024)
    row, truth = found.table.iloc[0], lucky_g_indices()[2]
    assert row["chance_low"] < truth < row["chance_high"]
    assert row["chance_share"] == pytest.approx(truth, abs=0.03)
    assert "other_share" not in found.table  # nothing else was drawn
    assert study(sobol_g, G, samples=64).table["chance_share"].eq(0).all()
    halved = study(lucky_g, G, samples=256, replicates=4).table["chance_share"].iloc[0]
    assert halved < 0.5 * truth  # of the mean of four


def test_luck_that_is_not_common_to_a_block_is_named() -> None:
    found = study(noisy_g, G, samples=64)
    assert found.table["status"].str.startswith("luck is not common").all()
    assert by_factor(found)["total"][DUMMY] > 0.05  # what would be taken for a factor


def linear(runs: Any) -> Any:
    return pd.DataFrame({"sum": 3 * runs["a"] - 2 * runs["b"], "same": 7.0}, index=runs.index)


def test_elementary_effects_of_a_linear_function_are_exact() -> None:
    found = study(linear, {"a": (0.0, 2.0), "b": (1.0, 2.0)}, "morris", trajectories=8)
    rows = by_factor(found)
    rows = rows[rows["outcome"] == "sum"]
    assert rows.loc[["a", "b", DUMMY], "mu"].tolist() == pytest.approx([6.0, -2.0, 0.0])
    assert rows["sigma"].to_numpy() == pytest.approx(0, abs=1e-9)
    assert rows.loc[NEAR_DUMMY, "mu_star"] == pytest.approx(near_term("morris", rows["sd"].iloc[0]))
    assert rows["rank"].loc[["a", "b"]].tolist() == [1, 2]


def test_elementary_effects_of_ishigami_are_those_of_the_whole_grid() -> None:
    grid = np.linspace(0, 1, LEVELS)
    step = LEVELS / (2 * (LEVELS - 1))
    found = by_factor(study(ishigami, ISHIGAMI, "morris", trajectories=400))
    for place, name in enumerate(ISHIGAMI):
        low = np.array([point for point in product(grid, repeat=3) if point[place] + step <= 1.001])
        high = low.copy()
        high[:, place] += step
        ends = [
            ishigami(pd.DataFrame(2 * np.pi * unit - np.pi, columns=list(ISHIGAMI)))
            for unit in (low, high)
        ]
        effects = (ends[1] - ends[0]) / step
        assert found.loc[name, "mu_star"] == pytest.approx(np.abs(effects).mean(), rel=0.1)
        assert found.loc[name, "sigma"] == pytest.approx(effects.std(), rel=0.1)


def test_a_constant_outcome_is_named_and_has_no_index() -> None:
    for method in ("morris", "sobol"):
        rows = study(linear, {"a": (0.0, 2.0), "b": (1.0, 2.0)}, method).table
        rows = rows[rows["outcome"] == "same"]
        assert set(rows["status"]) == {"constant: 7 at every point"}
        main = "mu_star" if method == "morris" else "total"
        assert rows[[main, "rank"]].isna().all(axis=None) and not rows["matters"].any()
        assert rows["chance_share"].isna().all()


def breaks(runs: Any) -> Any:
    value = ishigami(runs)
    return np.where(runs["x1"] > 3.05, np.nan, value)  # 1.5 % of runs


def breaks_often(runs: Any) -> Any:
    return np.where(runs["x1"] > 2, np.nan, ishigami(runs))


def test_failed_runs_leave_their_block_out_and_are_counted() -> None:
    found = study(breaks, ISHIGAMI, samples=256)
    status = found.table["status"].iloc[0]
    lost = 256 - found.table["blocks"].iloc[0]
    assert status == f"{lost} of 256 blocks left out: runs failed" and 0 < lost < 26
    assert found.table["total"].notna().all() and found.failed
    assert "left out" in found.text()


def test_too_many_failed_runs_leave_no_index() -> None:
    found = study(breaks_often, ISHIGAMI, samples=64)
    assert found.table["status"].str.startswith("failed: runs failed in").all()
    assert found.table[["first", "total", "rank"]].isna().all(axis=None)


def test_values_in_another_order_or_number_are_refused() -> None:
    sample = draw("sobol", ["a", DUMMY, NEAR_DUMMY], 8, 1)
    values, points = sample.unit[:, 0].copy(), np.arange(len(sample.unit))
    assert analyse(sample, points, values).status == "ok"
    with pytest.raises(ValueError, match="in order"):
        analyse(sample, points[::-1], values)
    with pytest.raises(ValueError, match="in order"):
        analyse(sample, points[:-1], values[:-1])
    shuffled = np.random.default_rng(1).permutation(values)
    assert analyse(sample, points, shuffled).status.startswith("luck is not common")


@pytest.mark.parametrize(
    ("method", "names", "count", "seed"),
    [
        ("morris", ["a"], 8, 0),
        ("morris", ["a", "a"], 8, 1),
        ("sobol", ["a"], 12, 1),
        ("sobol", ["a"], 2, 1),
        ("fast", ["a"], 8, 1),
    ],
)
def test_samples_that_salib_would_take_for_others_are_refused(
    method: str, names: list[str], count: int, seed: int
) -> None:
    with pytest.raises(ValueError):
        draw(method, names, count, seed)


def test_the_same_seed_gives_the_same_sample_and_leaves_numpy_alone() -> None:
    for method in ("morris", "sobol"):
        one, two, other = (draw(method, ["a", "b"], 8, seed) for seed in (1, 1, 2))
        assert np.array_equal(one.unit, two.unit) and not np.array_equal(one.unit, other.unit)
    before = np.random.mtrand.get_bit_generator().state["state"]
    with global_stream_kept():
        np.random.seed(1)  # noqa: NPY002
    after = np.random.mtrand.get_bit_generator().state["state"]
    assert np.array_equal(before["key"], after["key"]) and before["pos"] == after["pos"]


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
    with pytest.raises(InputError, match="TOMLDecodeError"):
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


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": 0}, "seed: 0 "),
        ({"replicates": 0}, "replicates: 0 "),
        ({"trajectories": 2}, "trajectories: 2 "),
        ({"method": "sobol", "samples": 48}, "samples: 48 "),
        ({"method": "fast"}, "method: 'fast'"),
        ({"second_order": True}, "second_order: True"),
        ({"outcomes": ["patent"]}, "nearest valid name: patents"),
        ({"factors": ["hipe"]}, "nearest valid name: hype"),
        ({"factors": {"dummy": (0, 1)}}, "another name"),
    ],
)
def test_wrong_requests_are_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as error:
        plan(**options)
    assert words in str(error.value)


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
