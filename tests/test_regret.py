"""Regret: against a table worked out by hand, and over shocks."""

import numpy as np
import pandas as pd
import pytest

from ecosystem.inputs.catalogue import shocks as shock_table
from ecosystem.inputs.scenario import resolve, with_overrides
from experiments.comparison.regret import OBJECTIVE, regret_lines, regret_table, regrets
from experiments.comparison.resilience import resilience
from experiments.report.messages import width
from experiments.report.presentation import COLUMNS

VALUES = np.array([[10.0, 0, 5], [8, 4, 5], [9, 3, -10]])
TITLES = {name: {"en": name, "zh": name} for name in "abc"}


def test_regret_by_hand() -> None:
    assert regrets(VALUES).tolist() == [[0, 4, 0], [2, 0, 0], [1, 1, 15]]
    table = regret_table("abc", VALUES).set_index("package")
    assert list(table.index) == ["b", "a", "c"]  # smallest largest regret first
    assert table["maximum"].tolist() == [2, 4, 15] and table["median"].tolist() == [0, 0, 1]
    assert table["best"].tolist() == pytest.approx([2 / 3, 2 / 3, 0])
    assert table.loc["c", "percentile_90"] == pytest.approx(np.quantile([1, 1, 15], 0.9))
    assert (table["draws"] == 3).all() and (table["outcome"] == OBJECTIVE).all()


def test_more_draws_raise_the_largest_regret_only() -> None:
    random = np.random.Generator(np.random.Philox(1)).normal(size=(4, 200))
    few, many = (regret_table("abcd", random[:, :count]) for count in (100, 200))
    merged = few.merge(many, on="package")
    assert (merged["maximum_y"] >= merged["maximum_x"]).all()


def test_what_all_gain_is_no_regret() -> None:
    luck = np.array([[100.0, -50, 3]])
    np.testing.assert_allclose(regrets(VALUES + luck), regrets(VALUES))


def test_a_draw_in_which_a_run_failed_is_left_out() -> None:
    broken = VALUES.copy()
    broken[2, 2] = np.nan
    table = regret_table("abc", broken).set_index("package")
    assert (table["draws"] == 2).all() and table.loc["c", "maximum"] == 1
    none = regret_table("abc", np.full((3, 2), np.nan))
    assert none["maximum"].isna().all() and (none["draws"] == 0).all()


def test_without_the_objective_there_is_no_table() -> None:
    assert regret_lines(pd.DataFrame(columns=["package"]), TITLES, "en", "regret_head") == []


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_table_as_words(lang: str) -> None:
    lines = regret_lines(regret_table("abc", VALUES), TITLES, lang, "regret_head")
    assert max(width(line) for line in lines) <= COLUMNS
    assert "1 b" in lines[2] and "67 %" in lines[2]


@pytest.mark.slow
def test_shocks_that_all_share_add_draws() -> None:
    shocks = [f"{row.name}:{row.high}:2025Q4" for row in list(shock_table().values())[:2]]
    packages = [with_overrides(resolve(name), [], shocks) for name in ("history", "capex_only")]
    found = resilience(packages, replicates=2, until="2026Q2", world="teaching", jobs=1)
    assert (found.regret["draws"] == 2 * (1 + len(shocks))).all()
    assert "draws in all" in found.text()
    alone = resilience(packages[:1], replicates=2, until="2026Q2", world="teaching", jobs=1)
    assert alone.regret.empty
