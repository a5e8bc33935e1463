"""What a study computes beside SALib, and SALib's own numbers, against short formulas."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sensitivity_studies import by_factor, study

from benchmarks.toys import ISHIGAMI, G, ishigami, lucky_g, sobol_g
from experiments.sensitivity_analysis.chance import resamples, share_of_variance
from experiments.sensitivity_analysis.factors import DUMMY, NEAR_DUMMY
from experiments.sensitivity_analysis.salib_study import LEVELS, analyse, draw, near_term
from experiments.sensitivity_analysis.study import run_study


def test_elementary_effects_are_those_of_the_trajectories() -> None:
    found = study(ishigami, ISHIGAMI, "morris", trajectories=12)
    sample = found.study.sample
    values = ishigami(pd.DataFrame(np.pi * (2 * sample.unit[:, :3] - 1), columns=list(ISHIGAMI)))
    rows = values.reshape(12, -1)
    steps = np.diff(sample.unit.reshape(12, -1, sample.unit.shape[1]), axis=1)
    table = by_factor(found)
    assert np.abs(steps[steps != 0]) == pytest.approx(2 / 3) and LEVELS == 4  # as docs say
    for place, name in enumerate(ISHIGAMI):
        effects = np.diff(rows, axis=1) / np.where(steps[..., place], steps[..., place], np.nan)
        effects = effects[np.isfinite(effects)]
        expected = [effects.mean(), np.abs(effects).mean(), effects.std(ddof=1)]
        assert table.loc[name, ["mu", "mu_star", "sigma"]].tolist() == pytest.approx(expected)
    assert table["sd"].to_numpy() == pytest.approx(rows.std())


def test_shares_of_variance_are_those_of_saltelli_2010() -> None:
    found = study(sobol_g, G, samples=64)
    sample = found.study.sample
    values = sobol_g(pd.DataFrame(sample.unit[:, : len(G)], columns=list(G)))
    ends = values.reshape(64, -1)[:, sample.independent]
    table = by_factor(found)
    assert table["sd"].to_numpy() == pytest.approx(ends.std())  # of A and B alone
    column = sample.unit[:, sample.names.index(NEAR_DUMMY)]
    rows = (values + near_term("sobol", ends.std()) * (column - 0.5)).reshape(64, -1)
    rows = (rows - rows.mean()) / rows.std()
    start, end = rows[:, 0], rows[:, -1]
    variance = np.concatenate([start, end]).var()
    for place, name in enumerate(sample.names):
        moved = rows[:, place + 1]
        total = 0.5 * ((start - moved) ** 2).mean() / variance
        assert table.loc[name, "total"] == pytest.approx(total)
        first = (end * (moved - start)).mean() / variance
        assert table.loc[name, "first"] == pytest.approx(first, abs=1e-12)
    for index in ("first", "total"):
        low, high = table[f"{index}_low"], table[f"{index}_high"]
        kept = low > 0 if index == "total" else slice(None)
        assert ((low + high) / 2)[kept].to_numpy() == pytest.approx(table[index][kept].to_numpy())
    width = table["first_high"] - table["first_low"]
    assert not np.allclose(width, table["total_high"] - table["total_low"], rtol=0.1)


def test_the_bootstrap_has_the_seed_of_the_sample() -> None:
    sample = draw("sobol", ["a", "b", DUMMY], 16, 1)
    values = sample.unit[:, 0] ** 2 + sample.unit[:, 1]
    ends = [analyse(replace(sample, seed=seed), values).indices["total_high"] for seed in (1, 1, 2)]
    assert np.array_equal(ends[0], ends[1]) and not np.array_equal(ends[0], ends[2])


def pair_and_constant(runs: Any) -> Any:
    pair = (runs["a"] - 0.5) * (runs["b"] - 0.5) + 0.1 * runs["c"]
    return pd.DataFrame({"pair": pair, "same": 7.0}, index=runs.index)


def test_pairs_name_every_outcome_and_only_those_above_the_dummy_matter() -> None:
    ranges = dict.fromkeys("abc", (0.0, 1.0))
    pairs = study(pair_and_constant, ranges, samples=128, second_order=True).pairs
    found = pairs.groupby("outcome", sort=False)["status"].unique().map(list).to_dict()
    assert found == {"pair": ["ok"], "same": ["constant"]}
    same = pairs[pairs["outcome"] == "same"]
    assert same["second"].isna().all() and not same["matters"].any() and len(same) == 10
    rows = pairs[pairs["outcome"] == "pair"].set_index(["factor", "other_factor"])
    assert rows.index[rows["matters"]].tolist() == [("a", "b")]
    noise = [key for key in rows.index if DUMMY in key]
    assert rows.loc[noise, "second"].abs().max() > 0  # not zero: what noise alone gives
    assert rows["blocks"].eq(128).all()


def test_a_share_is_of_the_variance_between_blocks() -> None:
    chance = np.random.default_rng(1)
    rows, spread = chance.normal(size=(6, 3)) + 5, chance.random(6)
    apart = [
        0.5 * (rows[one, i] - rows[two, j]) ** 2
        for one in range(6) for two in range(6) if one != two
        for i in range(3) for j in range(3)
    ]  # fmt: skip
    even = np.full((1, 6), 1 / 6)
    share = share_of_variance(spread, rows, even)
    assert share == pytest.approx(spread.mean() / np.mean(apart))
    twice = np.array([[0, 2, 1, 1, 1, 1]]) / 6  # a resample is a sample like any other
    chosen = [1, 1, 2, 3, 4, 5]
    again = share_of_variance(spread[chosen], rows[chosen], even)
    assert share_of_variance(spread, rows, twice) == pytest.approx(again)
    weights = resamples(6, 1)
    assert weights.shape == (1000, 6) and np.allclose(weights.sum(axis=1), 1)


def test_the_interval_of_a_share_is_that_of_resampled_blocks() -> None:
    found = study(lucky_g, G, samples=32)
    values = run_study(found.study)
    rows = values.points["value", "horizon"][0].reshape(32, -1)
    spread = 0.5 * (values.repeats["value", "horizon"][0][0] - rows[:, 0]) ** 2
    free = rows[:, found.study.sample.independent]
    shares = share_of_variance(spread, free, resamples(32, found.study.sample.seed))
    row = found.table.iloc[0]
    expected = np.quantile(shares, [0.025, 0.975])
    assert row[["chance_low", "chance_high"]].tolist() == pytest.approx(expected)
