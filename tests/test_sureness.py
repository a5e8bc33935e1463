"""How sure a sign is: the scale, its false alarms, who beats whom, errors of bounds, per cents."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from ecosystem.inputs.catalogue import outcomes as catalogue
from ecosystem.runs.table import DIMENSIONS
from experiments.comparison.beats import beats_table
from experiments.comparison.compare import REACTING, comparison_table, relative
from experiments.comparison.intervals import QUANTILES, describe, quantile, quantile_error
from experiments.comparison.keyed import keyed_rows
from experiments.comparison.sureness import (
    FALSE_ALARM,
    LEAST,
    NO_VISIBLE_CHANGE,
    SCALE,
    lower_bound,
    sign_shown,
    visible,
    word_of,
)
from experiments.report import notes
from experiments.report.charts import SHADES
from experiments.report.messages import LANGUAGES, display_unit, sure_word, text

HIGHER, LOWER = "patents", "co2_nation"


def philox(seed: int = 3) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


# ---- the scale


@pytest.mark.parametrize(
    ("times", "pairs", "word"),
    [
        (4, 4, "open"), (5, 5, "leaning"), (10, 10, "leaning"), (11, 11, "likely"),
        (44, 44, "likely"), (45, 45, "very_likely"), (100, 100, "very_likely"),
        (229, 229, "very_likely"), (230, 230, "almost_certain"), (50, 100, "open"), (0, 0, "open"),
    ],
)  # fmt: skip
def test_all_of_so_many_pairs_are_called_so(times: int, pairs: int, word: str) -> None:
    """All of n pairs have the bound 0.1 to the power 1/n; 100 of 100 pairs are not certainty."""
    bound = float(lower_bound(times, pairs))
    assert word_of(bound) == word
    if times == pairs > 0:
        assert bound == pytest.approx(FALSE_ALARM ** (1 / pairs))


@pytest.mark.parametrize("pairs", [5, 20, 100, 400])
@pytest.mark.parametrize("share", [least for least in LEAST.values() if least])
def test_a_word_is_too_sure_in_at_most_one_study_in_ten(share: float, pairs: int) -> None:
    """Exact, by adding up the binomial: the true share is as large as the word allows, no more."""
    times = np.arange(pairs + 1)
    too_sure = lower_bound(times, pairs) > share
    assert binom.pmf(times[too_sure], pairs, share).sum() <= FALSE_ALARM
    assert (np.diff(lower_bound(times, pairs)) > 0).all()


def test_a_coin_is_hardly_ever_called_leaning_in_a_hundred_pairs() -> None:
    """The sign is named after it was seen: both tails count."""
    times = np.arange(101)
    called = lower_bound(np.maximum(times, 100 - times), 100) >= LEAST["leaning"]
    assert binom.pmf(times[called], 100, 0.5).sum() < 0.001


def test_a_description_has_the_word_of_the_sign_that_more_pairs_have() -> None:
    down = describe(-np.arange(1.0, 101))
    assert down["share_of_sign"] == 1 and down["sureness"] == "very_likely" and sign_shown(down)
    mixed = describe([*np.ones(91), *-np.ones(9)])
    assert mixed["share_of_sign"] == 0.91 and mixed["sureness"] == "likely"
    assert mixed["low_90"] < 0 < mixed["high_90"]  # zero within the 90 % hides no likely sign
    ties = describe([*np.zeros(45), *np.ones(55)])
    assert ties["share_of_sign"] == 0.55 and ties["sureness"] == "open"
    assert sign_shown(pd.DataFrame([down, mixed, ties])).tolist() == [True, True, False]


def test_what_moves_less_than_its_display_unit_shows_no_visible_change() -> None:
    small = np.linspace(0.1, 0.9, 40)
    assert describe(small, 1.0)["sureness"] == NO_VISIBLE_CHANGE
    assert describe(small, 0.5)["sureness"] == describe(small)["sureness"] == "likely"
    wide = np.linspace(-50, 51, 40)  # a median that is small, in pairs that are not
    assert describe(wide, 1.0)["sureness"] == "open"
    assert describe(np.full(40, -1.0), 1.0)["sureness"] == "likely"  # one firm less is seen
    for least in (0.0, 1.0):
        assert describe(np.zeros(40), least)["sureness"] == NO_VISIBLE_CHANGE


@pytest.mark.parametrize(("moving", "word"), [(12, "open"), (6, "open"), (4, NO_VISIBLE_CHANGE)])
def test_what_moves_in_a_few_worlds_is_no_lack_of_change(moving: int, word: str) -> None:
    """Of 100 pairs: beyond the middle half they still count, beyond nine tenths no longer."""
    pairs = [*np.full(moving, 500.0), *np.zeros(100 - moving)]
    assert describe(pairs, 1.0)["sureness"] == describe(np.negative(pairs), 1.0)["sureness"] == word


def test_every_unit_has_a_least_visible_difference() -> None:
    assert visible("share") == pytest.approx(0.001) and visible("M¥ of 2020") == 1
    with pytest.raises(KeyError, match="of my own"):
        visible("of my own")
    for unit in {row.unit for row in catalogue().values()}:
        assert 0 < visible(unit) <= display_unit(unit)[0]


# ---- the words


def test_one_table_has_every_word_in_both_languages_surest_first() -> None:
    bounds = list(LEAST.values())
    assert bounds == sorted(bounds, reverse=True) and bounds[-1] == 0
    assert list(SHADES) == [word for word, least in LEAST.items() if least]
    assert list(SHADES.values()) == sorted(SHADES.values(), reverse=True)
    assert sure_word("almost_certain") == "almost certain"
    assert sure_word("leaning", "zh") == "略偏"
    assert all(row[lang] for row in SCALE.values() for lang in LANGUAGES)
    for lang in LANGUAGES:
        for word in LEAST:
            assert sure_word(word, lang) in notes.scale_words(lang)


def test_the_number_stands_beside_the_word_and_is_never_rounded_up() -> None:
    row = describe([*np.ones(91), *-np.ones(9)])
    assert notes.sure(row, "en") == "likely ≥ 86 % (91/100)"
    assert notes.sure(row, "zh", short=True) == "可能 ≥ 86 %"
    assert notes.sure(row | {"share_low": 0.9499, "sureness": "likely"}, "en", short=True) == (
        "likely ≥ 94 %"
    )
    assert notes.sure(describe(np.zeros(9), 1.0), "en") == "no visible change"
    assert notes.sure(describe([]), "en") == "open"


def test_no_message_says_that_there_is_no_effect() -> None:
    for row in keyed_rows("experiments.report", "messages.csv", "key").values():
        assert not re.search("no effect shown|excludes zero|outside the 90", row["en"])
        assert not re.search("未显示.*效果|不含零", row["zh"])


def test_one_run_is_no_runs() -> None:
    given = {"scenario": "x", "seed": 1, "world": "full", "until": "2035Q4"}
    assert ": 1 run, " in text("run_head", replicates=1, **given)
    assert ": 2 runs, " in text("run_head", replicates=2, **given)
    assert text("summary_varied", count=1).endswith("1 parameter varies.")
    counted = r"\{(pairs|runs|count|replicates|draws|blocks|tries|quarters|packages)\} [a-z]+s\b"
    for row in keyed_rows("experiments.report", "messages.csv", "key").values():
        assert not re.search(counted, row["en"]), row["en"]


# ---- errors of the bounds


@pytest.mark.parametrize("name", QUANTILES)
@pytest.mark.parametrize(("pairs", "within"), [(20, 0.1), (100, 0.01), (400, 0.003)])
def test_the_error_of_a_bound_is_that_of_an_order_statistic(
    name: str, pairs: int, within: float
) -> None:
    """The k-th of n uniforms is Beta(k, n + 1 - k): its spread is known; here at its mean."""
    rank = quantile(np.arange(1.0, pairs + 1), name)
    spread = np.sqrt(rank * (pairs + 1 - rank) / ((pairs + 1) ** 2 * (pairs + 2)))
    even = np.arange(1, pairs + 1) / (pairs + 1)
    assert quantile_error(even, name) == pytest.approx(spread, rel=within)
    assert quantile_error(even * 7 - 3, name) == pytest.approx(7 * spread, rel=within)


@pytest.mark.parametrize("name", ["low_90", "high_50"])
def test_the_error_of_a_bound_over_many_studies(name: str) -> None:
    """The mean error of 400 studies of 100 uniforms is within 15 % of the known spread.

    One study's error has a relative spread of 0.37 (low_90) or 0.24, so that the mean has 0.018 or
    0.012 about its expectation, 1.05 or 1.01 of the truth (4,000 studies): a right rule fails in
    fewer than one of 100,000 seeds.
    """
    rank = quantile(np.arange(1.0, 101), name)
    spread = np.sqrt(rank * (101 - rank) / (101**2 * 102))
    studies = philox().uniform(size=(400, 100))
    errors = [quantile_error(study, name) for study in studies]
    assert np.mean(errors) == pytest.approx(spread, rel=0.15)
    bounds = [quantile(study, name) for study in studies]
    assert np.std(bounds) == pytest.approx(spread, rel=0.15)  # four times its own error of 0.035


# ---- who beats whom


def differences(name: str, **packages: list[float]) -> pd.DataFrame:
    """Return paired differences of one outcome, as `paired_differences` gives them."""
    pairs = len(next(iter(packages.values())))
    index = pd.MultiIndex.from_tuples(
        [(name, *("" for _ in DIMENSIONS), pair) for pair in range(pairs)],
        names=["outcome", *DIMENSIONS, "replicate"],
    )
    return pd.DataFrame(packages, index=index)


@pytest.mark.parametrize(("outcome", "wins"), [(HIGHER, (2, 1)), (LOWER, (1, 2))])
def test_who_beats_whom_by_hand(outcome: str, wins: tuple[int, int]) -> None:
    """Of four pairs a has more in two, b in one, and one is a tie; in a fifth a run failed."""
    frame = differences(outcome, a=[2, 3, 1, -1, np.nan], b=[1, 1, 2, -1, 9])
    table = beats_table(frame, "history", [outcome]).set_index(["package", "other"])
    assert table.loc[("a", "b"), "better_share"] == wins[0] / 4
    assert table.loc[("b", "a"), "better_share"] == wins[1] / 4
    assert table.loc[("a", "b"), "pairs"] == 4 and table.loc[("b", "history"), "pairs"] == 5
    below = outcome == LOWER
    assert table.loc[("a", "history"), "better_share"] == (1 / 4 if below else 3 / 4)
    assert table.loc[("history", "a"), "better_share"] == (3 / 4 if below else 1 / 4)
    assert (table["share_low"] >= 0).all()
    assert table.loc[("a", "b"), "share_low"] == table.loc[("b", "a"), "share_low"]
    assert table.loc[("a", "b"), "share_low"] == pytest.approx(lower_bound(2, 4))
    assert table.loc[("a", "b"), "direction"] == "more"  # of the outcome, better or not
    assert table.loc[("b", "a"), "direction"] == "less"
    words = {NO_VISIBLE_CHANGE if below else "open"}  # a few patents are seen, a few tons are not
    assert set(table["sureness"]) == words and len(table) == 6
    assert beats_table(frame, "history", ["theil"]).empty


def test_two_that_are_the_same_beat_each_other_never() -> None:
    same = list(philox().normal(size=50))
    table = beats_table(differences(HIGHER, a=same, b=same), "history", [HIGHER])
    both = table[(table["package"] != "history") & (table["other"] != "history")]
    assert (both["better_share"] == 0).all() and set(both["sureness"]) == {NO_VISIBLE_CHANGE}
    assert set(both["direction"]) == {""}


def test_nobody_visibly_beats_who_is_ahead_by_less_than_is_seen() -> None:
    """Ahead in every pair, but by less than one patent; of the reference, by a hundred."""
    ahead = list(np.linspace(100, 200, 50))
    frame = differences(HIGHER, a=list(np.add(ahead, 0.4)), b=ahead)
    table = beats_table(frame, "history", [HIGHER]).set_index(["package", "other"])
    words = table["sureness"]
    assert words["a", "b"] == words["b", "a"] == NO_VISIBLE_CHANGE
    assert words["a", "history"] == words["history", "a"] == "very_likely"
    assert table["direction"]["a", "history"] == "more"
    assert table["direction"]["history", "a"] == "less"  # the one that loses is as sure to


# ---- per cent


def test_per_cent_is_taken_pair_by_pair() -> None:
    base, part = np.array([100.0, 200, 400]), np.array([10.0, 10, 10])
    found = relative(np.array([1.0, 4, 4]), base, part)
    assert found["percent_of_reference"] == 1 and found["percent_of_reacting"] == 40
    assert (found["percent_low_90"], found["percent_high_90"]) == (1, 2)
    lost = relative(np.array([1.0, np.nan, 4]), np.array([100.0, np.nan, 400]), part)
    assert lost["percent_of_reference"] == 1
    for level in (0.0, -5.0):  # each base is judged on its own
        nothing = relative(np.array([1.0, 4, 4]), np.array([100, 200, level]), part)
        assert np.isnan(nothing["percent_of_reference"]) and np.isnan(nothing["percent_low_90"])
        assert nothing["percent_of_reacting"] == 40
        assert np.isnan(relative(np.ones(3), base, np.array([1, 1, level]))["percent_of_reacting"])


def test_what_can_react_is_declared_in_the_same_unit() -> None:
    rows = catalogue()
    for outcome, part in REACTING.items():
        assert rows[outcome].unit == rows[part].unit
        assert rows[outcome].time_base == rows[part].time_base
        assert rows[outcome].dimension == rows[part].dimension == ""


def test_the_table_has_shares_of_what_can_react() -> None:
    part = REACTING[LOWER]
    frame = pd.concat([differences(LOWER, a=[-1.0, -2]), differences(part, a=[-1.0, -2])])
    levels = pd.Series([100.0, 100, 10, 20], index=frame.index)
    table = comparison_table(frame, levels, [LOWER, part]).set_index("outcome")
    assert table["percent_of_reference"].tolist() == pytest.approx([-1.5, -10])
    assert table["percent_of_reacting"].tolist() == pytest.approx([-10, -10])
    alone: Any = comparison_table(frame.loc[[LOWER]], levels.loc[[LOWER]], [LOWER]).iloc[0]
    assert alone["percent_of_reference"] == -1.5 and np.isnan(alone["percent_of_reacting"])
