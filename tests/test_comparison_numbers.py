"""Numbers of comparisons against closed forms: intervals, money, regret, shocks, Shapley."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ecosystem.inputs.catalogue import outcomes as catalogue
from ecosystem.inputs.scenario import resolve, with_overrides
from experiments.comparison.compare import NET_COST, comparison_table, paired_differences
from experiments.comparison.intervals import (
    describe,
    quantile_error,
    ratio_of_means,
    ratio_of_medians,
)
from experiments.comparison.payback import payback_periods
from experiments.comparison.regret import OBJECTIVE, regret_table, regrets
from experiments.comparison.resilience import (
    CALM,
    TOLERANCE,
    WINDOW,
    _facts,
    depth,
    loss,
    recovery_time,
)
from experiments.comparison.shapley import ALWAYS, ANY, NEVER, break_even, shapley

HIGHER = next(name for name, row in catalogue().items() if row.headline and row.better == "higher")


def philox(seed: int = 3) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


# ---- intervals


def test_error_of_the_median_is_that_of_the_bootstrap_and_of_normals() -> None:
    random = philox()
    sample = random.normal(size=31)
    medians = np.median(random.choice(sample, (20_000, 31)), axis=1)
    assert quantile_error(sample) == pytest.approx(medians.std(), rel=0.02)
    sample = philox().normal(size=20_000)
    assert quantile_error(sample) == pytest.approx(np.sqrt(np.pi / 2 / 20_000), rel=0.1)
    assert quantile_error(np.ones(5)) == 0 and np.isnan(quantile_error([1.0]))


def test_a_description_counts_no_tie_and_bounds_are_pairs_that_were_seen() -> None:
    found = describe([0.0, 0.0, 1.0, 2.0, np.nan])
    assert found["share_above_zero"] == 0.5 and found["pairs"] == 4
    assert found["median"] == 0.5
    assert describe([])["pairs"] == 0
    few = describe([-1.0, 10.0, 11.0, 12.0, 13.0])
    assert (few["low_90"], few["high_90"]) == (-1.0, 13.0)


@pytest.mark.parametrize("ratio", [ratio_of_means, ratio_of_medians])
def test_ratios_of_centres(ratio: Any) -> None:
    cost = np.linspace(1, 3, 20)
    assert ratio(2 * cost, cost) == pytest.approx((2, 2, 2))
    estimate, low, high = ratio(np.linspace(-1, 5, 20), cost)
    assert low < estimate < high and estimate == pytest.approx(1)
    assert np.isnan(ratio(cost, cost - 2)).all()
    assert np.isnan(ratio([1.0], [1.0])).all()


@pytest.mark.parametrize("count", [20, 21])
def test_a_ratio_of_medians_is_that_of_the_medians_shown(count: int) -> None:
    """A long tail moves the mean alone; the interval is that of resampled medians."""
    effect, cost = np.exp(philox().normal(size=(2, count)) * [[3.0], [0.2]])
    estimate, low, high = ratio_of_medians(effect, cost)
    assert estimate == pytest.approx(np.median(effect) / np.median(cost))
    assert ratio_of_means(effect, cost)[0] == pytest.approx(effect.mean() / cost.mean())
    drawn = philox().integers(count, size=(20_000, count))
    ratios = np.median(effect[drawn], axis=1) / np.median(cost[drawn], axis=1)
    share = [np.mean(ratios <= end) for end in (low, high)]  # its standard error is 0.5 %
    assert share == pytest.approx([0.05, 0.95], abs=0.03)


# ---- the table of paired differences


def summary(**scenarios: list[float]) -> pd.DataFrame:
    """Return a summary of two outcomes: the given values, and a cost of 100 M¥ a place."""
    rows = [
        {"scenario": name, "shock": "", "replicate": replicate, "outcome": outcome, "value": value}
        for place, (name, values) in enumerate(scenarios.items())
        for replicate, found in enumerate(values)
        for outcome, value in ((HIGHER, found), (NET_COST, 100.0 * place))
    ]
    return pd.DataFrame(rows).assign(region="", tier="", kind="", domain="")


def test_pairs_are_made_by_replicate_and_not_by_row() -> None:
    shuffled = summary(history=[1, 2, 3], a=[2, 4, 6]).sample(frac=1, random_state=philox(1))
    differences, levels = paired_differences(shuffled, "history")
    assert differences.loc[HIGHER, "a"].tolist() == [1, 2, 3]
    assert levels.loc[HIGHER].tolist() == [1, 2, 3]


def test_table_ranks_in_the_direction_that_is_better() -> None:
    often = 7  # 21 pairs, enough to show an effect
    frame = summary(history=[1, 2, 3] * often, a=[2, 3, 4] * often, b=[4, 5, 6] * often)
    table = comparison_table(*paired_differences(frame, "history"), [HIGHER, NET_COST])
    higher = table[table["outcome"] == HIGHER]
    assert higher["package"].tolist() == ["b", "a"] and higher["median"].tolist() == [3, 1]
    assert higher["rank"].tolist() == [1, 2] and higher["reference_median"].tolist() == [2, 2]
    assert higher["per_100"].tolist() == pytest.approx([1.5, 1.0])
    cost = table[table["outcome"] == NET_COST]
    assert catalogue()[NET_COST].better == "lower" and cost["package"].tolist() == ["a", "b"]
    assert cost["per_100"].isna().all()


@pytest.mark.parametrize("name", ["NA", "null", "nan", "None", "1.10", "007"])
def test_a_package_keeps_its_name_whatever_it_looks_like(name: str) -> None:
    frame = summary(history=[1, 2, 3], **{name: [2, 3, 4]})
    table = comparison_table(*paired_differences(frame, "history"), [HIGHER])
    assert table["package"].tolist() == [name]


def test_no_ratio_where_no_sign_is_likely() -> None:
    found = paired_differences(summary(history=[1, 2, 3] * 9, a=[0, 12, 5] * 9), "history")
    row = comparison_table(*found, [HIGHER]).iloc[0]
    assert row["sureness"] == "open" and np.isnan(row["per_100"])
    for pairs in (19, 20):  # too few agree by luck
        frame = summary(history=[1] * pairs, a=[12] * pairs)
        row = comparison_table(*paired_differences(frame, "history"), [HIGHER]).iloc[0]
        assert np.isnan(row["per_100"]) == (pairs == 19)


def test_a_failed_run_costs_its_pair_only() -> None:
    frame = summary(history=[1, 2, 3], a=[2, 3, 4])
    frame = frame[~((frame["scenario"] == "a") & (frame["replicate"] == 1))]
    table = comparison_table(*paired_differences(frame, "history"), [HIGHER])
    assert table["pairs"].tolist() == [2] and table["median"].tolist() == [1]


# ---- pay-back


def test_a_loan_is_paid_back_when_instalments_add_up_to_it() -> None:
    cost, income = np.zeros((3, 8)), np.ones((3, 8))
    cost[:, 1] = (4.0, 20.0, 0.0)
    income[:, 0] = 0
    found = payback_periods(cost, income, first=22)
    assert found[0] == 22 + 4  # quarters 1 to 4 bring one each
    assert np.isinf(found[1]) and np.isnan(found[2])
    early = payback_periods(np.array([[0.0, 0, 5, 0]]), np.array([[1.0, 1, 1, 2]]))
    assert early[0] == 3  # receipts before the first payment are none of its return


def test_money_saved_and_a_failed_run_leave_nothing_to_pay_back() -> None:
    cost = np.array([[-1.0, -1, -1], [1, np.nan, 1]])
    assert np.isnan(payback_periods(cost, np.ones((2, 3)))).all()
    assert np.isnan(payback_periods(np.zeros((2, 0)), np.zeros((2, 0)))).all()


# ---- regret

VALUES = np.array([[10.0, 0, 5], [8, 4, 5], [9, 3, -10]])


def test_regret_by_hand() -> None:
    assert regrets(VALUES).tolist() == [[0, 4, 0], [2, 0, 0], [1, 1, 15]]
    luck = np.array([[100.0, -50, 3]])
    np.testing.assert_allclose(regrets(VALUES + luck), regrets(VALUES))  # what all gain is none
    table = regret_table("abc", VALUES).set_index("package")
    assert list(table.index) == ["b", "a", "c"]  # smallest largest regret first
    assert table["maximum"].tolist() == [2, 4, 15] and table["median"].tolist() == [0, 0, 1]
    assert table["best"].tolist() == pytest.approx([2 / 3, 2 / 3, 0])
    assert table.loc["c", "percentile_90"] == pytest.approx(np.quantile([1, 1, 15], 0.9))
    assert (table["draws"] == 3).all() and (table["outcome"] == OBJECTIVE).all()


def test_a_draw_in_which_a_run_failed_is_left_out() -> None:
    broken = VALUES.copy()
    broken[2, 2] = np.nan
    table = regret_table("abc", broken).set_index("package")
    assert (table["draws"] == 2).all() and table.loc["c", "maximum"] == 1
    none = regret_table("abc", np.full((3, 2), np.nan))
    assert none["maximum"].isna().all() and (none["draws"] == 0).all()


# ---- shocks

QUARTERS = 40
TWIN = np.full((1, QUARTERS), 200.0)
AGE = np.arange(QUARTERS)
USE = with_overrides(resolve("history"), (), ["ai_winter"]).shocks[0]


@pytest.mark.parametrize("size", [0.1, 0.4, 0.9])
@pytest.mark.parametrize("decay", [0.5, 0.8])
def test_a_drop_that_fades(size: float, decay: float) -> None:
    shocked, terms = TWIN * (1 - size * decay**AGE), WINDOW + 1
    assert loss(shocked, TWIN) == pytest.approx(size * (1 - decay**terms) / (1 - decay) / terms)
    assert depth(shocked, TWIN) == pytest.approx(size)
    assert recovery_time(shocked, TWIN)[0] == np.floor(np.log(TOLERANCE / size) / np.log(decay)) + 1


@pytest.mark.parametrize("length", [1, 4, 20])
def test_a_pulse_after_a_delay(length: int) -> None:
    """A shock may reach a series late: recovery is counted from the shock, after the gap."""
    delay = 3
    shocked = TWIN * (1 - 0.3 * ((delay <= AGE) & (delay + length > AGE)))
    inside = min(length, WINDOW + 1 - delay)
    assert loss(shocked, TWIN) == pytest.approx(0.3 * inside / (WINDOW + 1))
    assert depth(shocked, TWIN) == pytest.approx(0.3)
    assert recovery_time(shocked, TWIN)[0] == delay + length


def test_gains_do_not_make_up_for_losses_and_nothing_has_no_share() -> None:
    swing = TWIN * (1 + 0.2 * np.where(AGE % 2, 1, -1))
    assert loss(swing, TWIN) == pytest.approx(0.2 * (WINDOW // 2 + 1) / (WINDOW + 1))
    assert loss(TWIN * 1.5, TWIN) == 0 and depth(TWIN * 1.5, TWIN) == 0
    assert np.isnan(loss(TWIN, TWIN * 0)).all() and (depth(TWIN, TWIN * 0) == 0).all()


@pytest.mark.parametrize(
    ("share", "quarters"),
    [
        (0.96, 0.0),  # never 5 % away
        (0.94, np.inf),
        (np.where(AGE < QUARTERS - CALM + 1, 0.5, 1.0), np.inf),  # three calm quarters: too few
        (np.where((AGE < 2) | (AGE == 5), 0.5, 1.0), 6),  # a relapse
    ],
)
def test_when_a_run_has_recovered(share: Any, quarters: float) -> None:
    assert recovery_time(TWIN * share, TWIN)[0] == quarters


def test_runs_that_failed_are_in_no_number() -> None:
    hit = np.repeat(TWIN * np.where(AGE < 8, 0.5, 1.0), 3, axis=0)
    twin = np.repeat(TWIN, 3, axis=0)
    whole = _facts(USE, hit, twin)
    assert whole["depth"] == pytest.approx(0.5) and whole["recovery"] == 8
    broken = hit.copy()
    broken[:2] = np.nan
    assert _facts(USE, broken, twin) == whole | {"pairs": 1}
    assert _facts(USE, hit, np.where(np.isnan(broken), np.nan, twin)) == whole | {"pairs": 1}
    nothing = _facts(USE, hit * np.nan, twin)
    assert all(np.isnan(nothing[name]) for name in ("loss", "depth", "recovery", "censored"))


def test_the_90_percent_of_few_pairs_under_a_shock_hold_them_all() -> None:
    twin, sizes = np.repeat(TWIN, 10, axis=0), np.linspace(0.1, 0.5, 10)
    facts = _facts(USE, twin * (1 - sizes[:, None]), twin)
    for name in ("loss", "depth"):
        found = [facts[f"{name}{end}"] for end in ("_low_90", "", "_high_90")]
        assert found == pytest.approx([0.1, 0.3, 0.5])


# ---- Shapley values and break-even


def subsets(players: list[str]) -> list[frozenset[str]]:
    sizes = range(len(players) + 1)
    return [frozenset(some) for size in sizes for some in combinations(players, size)]


@pytest.mark.parametrize(
    ("worth", "parts"),
    [  # one left glove and two right ones; a runway that planes need 1, 2, 3 of
        (lambda some: "a" in some and len(some) > 1, [2 / 3, 1 / 6, 1 / 6]),
        (lambda some: max((" abc".index(one) for one in some), default=0), [1 / 3, 5 / 6, 11 / 6]),
    ],
)
def test_games_whose_values_are_known(
    worth: Callable[[frozenset[str]], float], parts: list[float]
) -> None:
    values = {some: np.array([float(worth(some))]) for some in subsets(list("abc"))}
    found = shapley(values, list("abc"))
    assert [found[name][0] for name in "abc"] == pytest.approx(parts)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_parts_sum_to_the_whole_in_every_pair(count: int) -> None:
    players, random = list("abcd"[:count]), philox(1)
    worth = {some: random.normal(size=50) for some in subsets(players)}
    np.testing.assert_allclose(
        sum(shapley(worth, players).values()),
        worth[frozenset(players)] - worth[frozenset()], atol=1e-12,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("medians", "wanted"),
    [
        ((-1, 0, 1, 2), 0.5), ((-3, -1, 1, 2), 0.75), ((0, 1, 2, 3), ANY),
        ((1, 2, 3, 4), ALWAYS), ((0, -1, -2, -3), NEVER), ((0, 0, 0, 0), NEVER),
        ((-4, -3, -2, -1), NEVER), ((0, -1, 1, 2), 0.75), ((-1, -1, -1, 1), 1.25),
        ((-1, 1, -1, 1), 1.25), ((0, 0, 1, 2), 0.5),
    ],
)  # fmt: skip
def test_where_a_median_turns_positive(medians: tuple[float, ...], wanted: float | str) -> None:
    assert break_even((0, 0.5, 1, 1.5), medians) == wanted
