"""Taking a package apart: known Shapley values, known thresholds, money that stays, a small run."""

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from ecosystem.inputs.catalogue import instruments, outcomes
from ecosystem.inputs.faults import InputError
from ecosystem.inputs.scenario import Scenario, resolve
from ecosystem.inputs.schedule import build_schedule
from ecosystem.runs.result import Result
from experiments import compare, decompose
from experiments.command.cli import app
from experiments.comparison.compare import NET_COST
from experiments.comparison.decompose import (
    RULES,
    blocks_of,
    break_even_table,
    instruments_of,
    parts_of,
    parts_table,
    subset,
    wanted_sets,
)
from experiments.comparison.regret import OBJECTIVE
from experiments.comparison.shapley import ANY
from experiments.comparison.simulated import simulated
from experiments.faces import Decomposition
from experiments.report.figures import IN_UNIT
from experiments.report.messages import width

SMALL: dict[str, Any] = {"replicates": 3, "until": "2026Q4", "world": "teaching", "jobs": 1}
NAMES = ["hub_steering", "unified_dispatch", "joint_innovation"]


def subsets(players: list[str]) -> list[frozenset[str]]:
    sizes = range(len(players) + 1)
    return [frozenset(some) for size in sizes for some in combinations(players, size)]


def test_instruments_of_known_worth() -> None:
    """Worth is additive plus 6 for having the first and the last: the two share it."""
    own = dict(zip(NAMES, (1.0, -2.0, 4.0), strict=True))
    pairs = np.arange(1.0, 5.0)
    values = {
        some: {
            OBJECTIVE: pairs * (sum(own[n] for n in some) + 6 * ({NAMES[0], NAMES[2]} <= some) + 9),
            NET_COST: np.zeros(4),
        }
        for some in subsets(NAMES)
    }
    table, gap = parts_table(values, NAMES)
    rows = table[table["outcome"] == OBJECTIVE].set_index(["part", "name"])
    middle = float(np.median(pairs))
    assert rows.loc[("whole", "whole"), "median"] == pytest.approx(9 * middle)
    for part, wanted in {"alone": (1, -2, 4), "without": (7, -2, 10)}.items():
        assert [rows.loc[(part, name), "median"] for name in NAMES] == pytest.approx(
            [value * middle for value in wanted]
        )
    split = [rows.loc[("shapley", block), "median"] for block in ("supply", "demand", "ecosystem")]
    assert split == pytest.approx([4 * middle, -2 * middle, 7 * middle]) and gap < 1e-12
    assert rows.loc[("shapley", "supply"), "pairs"] == 4


def test_break_even_of_value_and_of_value_less_cost() -> None:
    """Value 10e at a cost of 6: even at any effectiveness above 0; less the cost, at 0.6."""
    luck = np.linspace(-1, 1, 5)
    base = {OBJECTIVE: 50 + luck, NET_COST: luck}
    sampled = {
        ("unified_dispatch", level): {
            OBJECTIVE: base[OBJECTIVE] + 10 * level, NET_COST: base[NET_COST] + 6
        }
        for level in (0.0, 0.5, 1.0, 1.5)
    }  # fmt: skip
    found = break_even_table(sampled, base).groupby("measure")["break_even"].first()
    assert found["value_added"] == ANY
    assert found["value_added_less_cost"] == pytest.approx(0.6)


# ---- sets


def test_blocks_are_those_of_the_article() -> None:
    names = instruments_of(resolve("article"))
    numbers = {
        block: sorted(instruments()[name].number for name in members)
        for block, members in blocks_of(names).items()
    }
    assert numbers == {
        "supply": [1, 2, 3], "demand": [*range(4, 12)], "ecosystem": [*range(12, 19)]
    }  # fmt: skip
    beyond = blocks_of(instruments_of(resolve("article_plus")))["other"]
    assert beyond and min(instruments()[name].number for name in beyond) > 18
    assert len(set(wanted_sets(names))) == 18 + 18 + 8


def test_the_parts_of_what_only_ends_are_what_the_reference_still_has() -> None:
    """Of the 26 instruments that `none` ends, history has three in force after 2025Q2.

    They would fill one block, whose part is the whole: each is a player of its own.
    """
    names = parts_of(resolve("none"), resolve("history"))
    assert names == ["compute_voucher", "tariff_discount", "occupancy_gate"]
    assert blocks_of(names) == {name: {name} for name in names}
    assert set(wanted_sets(names)) == set(subsets(names))
    ended = subset(resolve("none"), frozenset({"compute_voucher"}), "one", resolve("history"))
    mine, history = build_schedule(ended), build_schedule(resolve("history"))
    differs = (mine.envelope != history.envelope).any(axis=0)
    assert [name for name, one in zip(mine.names, differs, strict=True) if one] == [names[0]]


@pytest.mark.parametrize("left_out", ["capital_subsidy", "hub_readiness", "second_ring_quality"])
def test_an_instrument_leaves_with_its_money(left_out: str) -> None:
    whole = resolve("article")
    names = frozenset(instruments_of(whole))
    full = build_schedule(whole)
    rest = build_schedule(subset(whole, names - {left_out}, "rest", resolve("history")))
    stays = np.array([name != left_out for name in full.names])
    for array in ("rate", "spending", "envelope"):
        mine, theirs = (getattr(one, array)[:, stays] for one in (rest, full))
        np.testing.assert_allclose(mine, theirs, rtol=1e-9)
    history = build_schedule(resolve("history"))
    gone = full.column(left_out)
    np.testing.assert_array_equal(rest.spending[:, gone], history.spending[:, gone])


def test_without_any_instrument_the_reference_is_left() -> None:
    nothing = subset(resolve("article"), frozenset(), "nothing", resolve("history"))
    assert nothing.layers == resolve("history").layers
    assert all(layer.own for layer in resolve("article").layers[len(nothing.layers) :])


# ---- a small run


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with two programmes."""
    names = ("unified_dispatch", "regional_pairing")
    file = tmp_path_factory.mktemp("files") / "pair.toml"
    file.write_text("".join(f'[[instrument]]\nname = "{name}"\n' for name in names))
    return file


@pytest.fixture(scope="module")
def found(pair: Path) -> Decomposition:
    return decompose(pair, budget=4000, **SMALL)


@pytest.mark.slow
def test_the_whole_is_the_difference_of_a_comparison(found: Decomposition, pair: Path) -> None:
    same = compare([pair], budget=4000, **SMALL)
    for outcome in (OBJECTIVE, NET_COST):
        row = found.rows("whole", outcome).loc["whole"]
        assert row["median"] == pytest.approx(same.rows(outcome).iloc[0]["median"], rel=1e-9)
    assert found.gap < 1e-12 and found.runs["runs"] == (4 + 2 * 4) * 3


@pytest.mark.slow
def test_what_none_ends_adds_up_to_the_whole_of_a_comparison() -> None:
    ended, same = decompose("none", **SMALL), compare("none", **SMALL)
    for outcome in (OBJECTIVE, NET_COST):
        whole, parts = (ended.rows(part, outcome) for part in ("whole", "shapley"))
        assert whole["median"]["whole"] == pytest.approx(same.rows(outcome).iloc[0]["median"])
        assert list(parts.index) == parts_of(resolve("none"), resolve("history"))
        assert parts["mean"].sum() == pytest.approx(whole["mean"]["whole"], rel=1e-9)
    assert ended.gap < 1e-12 and ended.break_even.empty
    assert "Compute vouchers, ended" in ended.text("en", 200)


@pytest.mark.slow
def test_two_instruments_differ_by_the_same_interaction(found: Decomposition) -> None:
    """With two instruments, last less alone is one number, whichever of them is asked."""
    last, alone = (found.rows(part)["mean"] for part in ("without", "alone"))
    interaction = last - alone
    assert interaction.iloc[0] == pytest.approx(interaction.iloc[1], abs=1e-6)


@pytest.mark.slow
def test_a_programme_that_does_nothing_adds_nothing(found: Decomposition) -> None:
    table = found.break_even
    idle = table[(table["effectiveness"] == 0) & (table["measure"] == "value_added")]
    assert set(idle["instrument"]) == {"unified_dispatch", "regional_pairing"}
    reach = table["median"].abs().max()
    assert idle["median"].abs().max() <= 0.05 * reach


@pytest.mark.slow
def test_text_and_files(found: Decomposition, tmp_path: Path) -> None:
    for lang in ("en", "zh"):
        assert max(width(line) for line in found.text(lang, 80).splitlines()) <= 80
        assert "M¥" in found.headline(lang) or "百万元" in found.headline(lang)
    assert "Fewer than 20 pairs" in found.text() and "*" not in found.text().split("last:")[0]
    names = {path.name for path in found.save(tmp_path)}
    assert {"decomposition.csv", "break_even.csv", "decomposition_blocks.png"} <= names
    charts = found.figures()
    assert "median" in charts["instruments"].alt and len(charts["instruments"].data) == 4
    assert "mean" in charts["blocks"].alt and "median" not in charts["blocks"].alt  # means add up
    assert all("Fewer than 20 pairs" in chart.alt for chart in charts.values())
    assert "*" not in charts["blocks"].figure.texts[-1].get_text()  # a figure has no stars


@pytest.mark.slow
def test_the_data_of_a_figure_are_in_the_unit_beside_them(found: Decomposition) -> None:
    for chart in found.figures("zh").values():
        assert set(chart.data["unit"]) <= {"M¥ of 2020", "百万元（2020 年价）"}
        assert set(IN_UNIT) & set(chart.data.columns) >= {"mean", "median", "high_90"}


@pytest.mark.slow
def test_what_is_no_instrument_is_a_part_of_its_own(found: Decomposition, pair: Path) -> None:
    """Functions, parameters and shocks of a package: the whole is that of the comparison."""

    def idle(record: Any, state: Any, setting: Any) -> Any:
        return {"lever": {"regional_pairing": record.lever["regional_pairing"] + 0.2}}

    given = {"hype": 0.3}
    mine = Scenario(
        [pair], hooks={"policy": idle}, parameters={"agglomeration": 1.1}, shocks=["ai_winter"]
    )
    broken = decompose(mine, "history", parameters=given, **SMALL)
    same = compare([mine], parameters=given, **SMALL)
    for outcome in (OBJECTIVE, NET_COST):
        whole = broken.rows("whole", outcome).loc["whole"]
        assert whole["median"] == pytest.approx(same.rows(outcome).iloc[0]["median"], rel=1e-9)
    assert set(broken.rows("shapley").index) == {"demand", RULES}
    assert abs(broken.rows("alone")["median"][RULES]) > 0
    words = " ".join(broken.text().split())
    assert "Own rules: the functions" in words and "hype = 0.3" in words
    assert "agglomeration" not in words and "AI winter" in words
    assert "Own rules" not in found.text()


@pytest.mark.slow
@pytest.mark.parametrize(("place", "lost"), [(1, [1]), (2, [0, 1, 2])])
def test_a_replicate_in_which_a_run_failed_is_left_out_of_every_part(
    found: Decomposition, pair: Path, monkeypatch: pytest.MonkeyPatch, place: int, lost: list[int]
) -> None:
    """One run without values costs its replicate everywhere; no number rests on fewer unsaid."""

    def failing(scenarios: Any, asked: Any, **options: Any) -> Result:
        result = simulated(scenarios, asked, **options)
        summaries = {name: value.copy() for name, value in result.summaries.items()}
        for value in summaries.values():
            value[place, lost] = np.nan
        failed = tuple({"scenario": str(place), "replicate": one} for one in lost)
        return replace(result, summaries=summaries, failed=failed)

    monkeypatch.setattr("experiments.comparison.decompose.simulated", failing)
    broken = decompose(pair, budget=4000, **SMALL)
    left = 3 - len(lost)
    assert broken.runs["pairs"] == broken.runs["even_pairs"] == left
    assert set(broken.table["pairs"]) == set(broken.break_even["pairs"]) == {left}
    for lang, wanted in (
        ("en", f"{len(lost)} of all, {len(lost)} of"),
        ("zh", f"共 {len(lost)} 次"),
    ):
        words = " ".join(broken.text(lang).split())
        assert wanted in words and "nan" not in words and broken.headline(lang)
        assert "nan" not in "".join(chart.alt for chart in broken.figures(lang).values())
    assert broken.gap < 1e-12
    if left:
        parts = broken.rows("shapley")["mean"]
        assert parts.sum() == pytest.approx(broken.rows("whole")["mean"].iloc[0])
        assert parts.sum() != pytest.approx(found.rows("whole")["mean"].iloc[0])
    else:
        assert broken.table["median"].isna().all() and broken.break_even["break_even"].isna().all()


def test_only_packages_with_instruments_come_apart() -> None:
    for given, words in (
        (("history",), "adds instruments to the reference, or ends some"),
        (("demand_first", "article"), "without instruments of its own"),
    ):
        with pytest.raises(InputError, match=words):
            decompose(*given)
    with pytest.raises(InputError, match="public_cos"):
        decompose("demand_first", outcomes=["public_cos"])


def test_the_command_takes_one_package(tmp_path: Path) -> None:
    words = ["compare", "article", "capex_only", "--decompose", "--out", str(tmp_path)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2 and "exactly one package" in result.stderr
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_the_command_writes_what_is_no_setting_of_both_sides(tmp_path: Path) -> None:
    words = ["compare", "capex_only", "--decompose", "--json", "--out", str(tmp_path), "--quiet"]
    words += ["--world", "teaching", "--replicates", "2", "--until", "2025Q4", "--jobs", "1"]
    words += ["--set", "instrument.compute_voucher.envelope=600"]
    words += ["--set", "instrument.output_subsidy.rate=0.1"]
    words += ["--outcomes", "jobs", "--outcomes", OBJECTIVE]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.stderr
    answer = json.loads(result.stdout)
    rows = answer["decomposition"]
    assert {row["part"] for row in rows} == {"whole", "without", "alone", "shapley"}
    parts = {row["name"] for row in rows}
    assert "compute_voucher" not in parts and "output_subsidy" in parts
    (effect,) = (row["median"] for row in answer["table"] if row["outcome"] == OBJECTIVE)
    (whole,) = (
        row["median"] for row in rows if (row["outcome"], row["part"]) == (OBJECTIVE, "whole")
    )  # fmt: skip
    assert whole == pytest.approx(effect, rel=1e-6)
    directory = Path(answer["directory"])
    assert (directory / "decomposition.csv").is_file()
    assert (directory / "figures" / "decomposition_blocks.svg").is_file()
    screen = " ".join((directory / "summary.txt").read_text(encoding="utf-8").split())
    jobs = outcomes()["jobs"].title_en
    assert f"taken apart, {jobs}: the sign of no part is likely" in screen
    assert answer["packages"][0]["planned_own"] > 3000  # its own money, not 4 000
