"""Sensitivity studies of functions with known indices, and everything that must not pass unseen."""

import importlib
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
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
from ecosystem.runs.runner import Ensemble
from experiments.sensitivity_analysis.factors import (
    DUMMY,
    NEAR_DUMMY,
)
from experiments.sensitivity_analysis.salib_study import (
    LEVELS,
    NEAR_SHARE,
    analyse,
    draw,
    global_stream_kept,
    near_term,
)
from experiments.sensitivity_analysis.study import Sensitivity, sensitivity

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
    assert found.table["status"].eq("luck not common").all()
    assert "区组内的随机性不一致" in found.text("zh")
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
        assert set(rows["status"]) == {"constant"} and rows["mean"].eq(7).all()
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
    lost = 256 - found.table["blocks"].iloc[0]
    assert found.table["status"].eq("blocks left out").all() and 0 < lost < 26
    assert found.table["total"].notna().all() and found.failed
    assert f"{lost} of 256 blocks left out: runs failed" in found.text().replace("\n", " ")
    assert f"256 个区组中有 {lost} 个因模拟失败而略去" in found.text("zh").replace("\n", "")
    assert "left out" not in found.text("zh")


@pytest.mark.slow
def test_too_many_failed_runs_leave_no_index(tmp_path: Path) -> None:
    found = study(breaks_often, ISHIGAMI, samples=64)
    assert found.table["status"].eq("failed").all()
    assert found.table[["first", "total", "rank"]].isna().all(axis=None)
    assert found.save(tmp_path) and "failed: runs failed in" in found.text()


def test_a_study_in_which_every_run_fails_says_so(tmp_path: Path) -> None:
    def fails(runs: Any) -> Any:
        return np.full(len(runs), np.nan)

    for out, words in ((None, "every run failed; the first"), (tmp_path, "every run failed, see")):
        with pytest.raises(FloatingPointError, match=f"{words}.*not finite"):
            study(fails, ISHIGAMI, samples=4, out=out)
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


@pytest.mark.parametrize(("swapped", "words"), [(1, "in order"), (2, "order of their design")])
def test_runs_that_change_places_are_refused(
    swapped: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, calls = Ensemble.tables, []

    def tables(self: Ensemble) -> Any:
        calls.append(self)
        step = -1 if len(calls) == swapped else 1
        for task, table in read(self):
            place = table.column_names.index("run")
            run = pa.array(table.column(place).to_numpy()[::step])
            yield task, table.set_column(place, "run", run)

    monkeypatch.setattr(Ensemble, "tables", tables)
    with pytest.raises(ValueError, match=words):
        study(sobol_g, G, samples=8)


def test_a_status_names_everything_that_is_wrong() -> None:
    sample = draw("sobol", ["a", DUMMY, NEAR_DUMMY], 16, 1)
    values = np.random.default_rng(1).random(len(sample.unit))
    values[0] = np.nan
    assert analyse(sample, np.arange(len(values)), values).status == (
        "blocks left out; luck not common"
    )
    values[1:] = 1.0
    assert analyse(sample, np.arange(len(values)), values).status == "constant; blocks left out"


def test_no_end_lies_below_what_an_index_can_be() -> None:
    def rare(runs: Any) -> Any:
        return np.where(np.prod([runs[name] for name in "abc"], axis=0) > 0.6, 1.0, 0.0)

    for method in ("morris", "sobol"):
        rows = by_factor(study(rare, {name: (0.0, 1.0) for name in "abc"}, method))
        name = "mu_star" if method == "morris" else "total"
        low, value, high = (rows.loc[["a", "b", "c"], name + end] for end in ("_low", "", "_high"))
        assert (2 * value - high < 0).any()  # where the lower end would lie if it were mirrored
        assert (low >= 0).all() and (low <= value).all() and (high > value).any()


def test_values_in_another_order_or_number_are_refused() -> None:
    sample = draw("sobol", ["a", DUMMY, NEAR_DUMMY], 8, 1)
    values, points = sample.unit[:, 0].copy(), np.arange(len(sample.unit))
    assert analyse(sample, points, values).status == "ok"
    with pytest.raises(ValueError, match="in order"):
        analyse(sample, points[::-1], values)
    with pytest.raises(ValueError, match="in order"):
        analyse(sample, points[:-1], values[:-1])
    shuffled = np.random.default_rng(1).permutation(values)
    assert analyse(sample, points, shuffled).status == "luck not common"


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


@pytest.mark.parametrize("method", ["morris", "sobol"])
def test_numpy_is_left_alone_whatever_salib_does(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeded = []
    for name in ("sample", "analyze"):
        module = importlib.import_module(f"SALib.{name}.{method}")

        def reseeds(real: Any, *given: Any, **more: Any) -> Any:
            np.random.seed(5)  # noqa: NPY002
            seeded.append(real.__name__)
            return real(*given, **more)

        monkeypatch.setattr(module, name, partial(reseeds, getattr(module, name)))
    before = np.random.mtrand.get_bit_generator().state["state"]
    sample = draw(method, ["a", "b"], 8, 1)
    assert analyse(sample, np.arange(len(sample.unit)), sample.unit[:, 0]).status == "ok"
    after = np.random.mtrand.get_bit_generator().state["state"]
    assert np.array_equal(before["key"], after["key"]) and before["pos"] == after["pos"]
    assert seeded == ["sample", "analyze"]
