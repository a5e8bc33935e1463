"""Sensitivity studies of functions with known indices, and everything that must not pass unseen."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sensitivity_studies import LINEAR, by_factor, linear, study

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
from experiments.sensitivity_analysis.factors import DUMMY, NEAR_DUMMY
from experiments.sensitivity_analysis.salib_study import (
    LEVELS,
    MAIN,
    NEAR_SHARE,
    analyse,
    draw,
    global_stream_kept,
    near_term,
)

KEPT = 1 - NEAR_SHARE
"""What the near-dummy leaves of the shares of all other factors."""
WITHIN = {ishigami: 0.02, sobol_g: 0.03, lucky_g: 0.04}
"""Stated error of any index at 1,024 blocks with seed 1."""
CHECKED = ["a", DUMMY, NEAR_DUMMY]


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
    total = ishigami_indices()[1]
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


def test_elementary_effects_of_a_linear_function_are_exact() -> None:
    found = study(linear, LINEAR, "morris", trajectories=8)
    rows = found.table[found.table["outcome"] == "sum"].set_index("factor")
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
        start, end = (
            ishigami(pd.DataFrame(2 * np.pi * unit - np.pi, columns=list(ISHIGAMI)))
            for unit in (low, high)
        )
        effects = (end - start) / step
        assert found.loc[name, "mu_star"] == pytest.approx(np.abs(effects).mean(), rel=0.1)
        assert found.loc[name, "sigma"] == pytest.approx(effects.std(), rel=0.1)


@pytest.mark.parametrize("method", ["morris", "sobol"])
def test_a_constant_outcome_is_named_and_has_no_index(method: str) -> None:
    rows = study(linear, LINEAR, method).table
    rows = rows[rows["outcome"] == "same"]
    assert set(rows["status"]) == {"constant"} and rows["mean"].eq(7).all()
    assert rows[[MAIN[method], "rank", "chance_share"]].isna().all(axis=None)
    assert not rows["matters"].any()


def broken_above(limit: float, model: Callable[[Any], Any] = ishigami) -> Callable[[Any], Any]:
    """Return a model whose runs fail where x1 is above a limit."""
    return lambda runs: np.where(runs["x1"] > limit, np.nan, model(runs))


def never_finite(runs: Any) -> Any:
    """Return nothing that can be analysed."""
    return np.full(len(runs["x1"]), np.nan)


def test_failed_runs_leave_their_block_out_and_are_counted(tmp_path: Path) -> None:
    found = study(broken_above(3.05), ISHIGAMI, samples=256)  # 1.5 % of runs
    lost = 256 - found.table["blocks"].iloc[0]
    assert found.table["status"].eq("blocks left out").all() and 0 < lost < 26
    assert found.table["total"].notna().all() and found.failed
    assert f"{lost} of 256 blocks left out: runs failed" in found.text().replace("\n", " ")
    assert f"256 个区组中有 {lost} 个因模拟失败而略去" in found.page("zh")[-1]
    found = study(broken_above(2), ISHIGAMI, samples=8)
    assert found.table["status"].eq("failed").all()
    assert found.table[["first", "total", "rank"]].isna().all(axis=None)
    assert found.save(tmp_path) and "failed: runs failed in" in found.text()


def test_a_study_in_which_every_run_fails_says_so(tmp_path: Path) -> None:
    for out, words in ((None, "every run failed; the first"), (tmp_path, "every run failed, see")):
        with pytest.raises(FloatingPointError, match=f"{words}.*not finite"):
            study(never_finite, ISHIGAMI, samples=4, out=out)
    assert list(tmp_path.glob("*/failed.csv"))


@pytest.mark.parametrize("lost", [3, 8])
def test_repeats_that_failed_are_not_behind_the_share_of_chance(lost: int) -> None:
    def model(runs: Any) -> Any:  # blocks 0 to 7 have luck 0 to 7, their repeats 8 to 15
        return np.where(runs["replicate"] >= 16 - lost, np.nan, lucky_g(runs))

    found = study(model, G, samples=8)
    assert found.table["chance_blocks"].eq(8 - lost).all() and len(found.failed) == lost
    assert found.table["status"].eq("ok").all() and found.table["blocks"].eq(8).all()
    assert found.table["chance_share"].isna().all() == (lost == 8)
    assert f"{8 - lost} blocks)" in found.text()


def test_a_factor_of_luck_that_is_not_common_never_matters() -> None:
    found = study(noisy_g, G, samples=64, second_order=True)
    assert found.table["status"].eq("luck not common").all()
    assert "区组内的随机性不一致" in found.text("zh")
    assert by_factor(found)["total"][DUMMY] > 0.05  # what would be taken for a factor
    assert found.table["total_low"].gt(0.1).any() and not found.table["matters"].any()
    assert set(found.pairs["status"]) == {"luck not common"} and not found.pairs["matters"].any()


def test_a_status_names_everything_that_is_wrong() -> None:
    sample = draw("sobol", CHECKED, 16, 1)
    values = np.random.default_rng(1).random(len(sample.unit))
    values[0] = np.nan
    assert analyse(sample, values).status == "blocks left out; luck not common"
    values[1:] = 1.0
    assert analyse(sample, values).status == "constant; blocks left out"
    values[0] = 1.0
    assert analyse(sample, values).status == "constant"
    values[sample.length * 3 + 1] = 2.0  # between A and B
    found = analyse(sample, values)
    assert found.status == "varies too rarely" and np.isnan(found.indices["total"]).all()


@pytest.mark.parametrize("method", ["morris", "sobol"])
def test_no_end_lies_below_what_an_index_can_be(method: str) -> None:
    def rare(runs: Any) -> Any:
        return np.where(np.prod([runs[name] for name in "abc"], axis=0) > 0.6, 1.0, 0.0)

    rows = by_factor(study(rare, dict.fromkeys("abc", (0.0, 1.0)), method)).loc[list("abc")]
    low, value, high = (rows[MAIN[method] + end] for end in ("_low", "", "_high"))
    assert (2 * value - high < 0).any()  # where the lower end would lie if it were mirrored
    assert (low >= 0).all() and (low <= value).all() and (high > value).any()


def test_values_in_another_number_are_refused_and_in_another_order_noticed() -> None:
    sample = draw("sobol", CHECKED, 8, 1)
    values = sample.unit[:, 0].copy()
    assert analyse(sample, values).status == "ok"
    with pytest.raises(ValueError, match="not one a point"):
        analyse(sample, values[:-1])
    shuffled = np.random.default_rng(1).permutation(values)
    assert analyse(sample, shuffled).status == "luck not common"


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


@pytest.mark.parametrize("method", ["morris", "sobol"])
def test_the_same_seed_gives_the_same_sample(method: str) -> None:
    one, two, other = (draw(method, ["a", "b"], 8, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.unit, two.unit) and not np.array_equal(one.unit, other.unit)


@pytest.mark.parametrize("method", ["morris", "sobol"])
def test_numpy_is_left_alone_whatever_salib_does(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeded = []

    def reseeds(real: Any, *given: Any, **more: Any) -> Any:
        np.random.seed(5)  # noqa: NPY002
        seeded.append(real.__name__)
        return real(*given, **more)

    for name in ("sample", "analyze"):
        home = import_module(f"SALib.{name}.{method}")
        monkeypatch.setattr(home, name, partial(reseeds, getattr(home, name)))
    before = np.random.mtrand.get_bit_generator().state["state"]
    sample = draw(method, ["a", "b"], 8, 1)
    assert analyse(sample, sample.unit[:, 0]).status == "ok"
    with global_stream_kept():
        np.random.seed(1)  # noqa: NPY002
    after = np.random.mtrand.get_bit_generator().state["state"]
    assert np.array_equal(before["key"], after["key"]) and before["pos"] == after["pos"]
    assert seeded == ["sample", "analyze"]
