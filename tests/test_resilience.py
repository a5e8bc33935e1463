"""Shocks on packages: what is said of them, and one small study of two of them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ecosystem.inputs.catalogue import shocks as shock_table
from ecosystem.inputs.options import Options
from ecosystem.inputs.scenario import resolve, with_overrides
from ecosystem.runs.design import use_label
from experiments.command.commands import records
from experiments.comparison.intervals import ENOUGH
from experiments.comparison.resilience import WINDOW, _facts, _robustness, loss
from experiments.faces import Resilience
from experiments.report.messages import text, width
from experiments.report.tables import NARROW

SMALL: dict[str, Any] = {"replicates": 3, "until": "2026Q2", "world": "teaching", "jobs": 1}
LANGUAGES = pytest.mark.parametrize("lang", ["en", "zh"])


def two_shocks(pairs: int, names: Sequence[str] = ("ai_winter", "hub_outage")) -> Resilience:
    """Return what two made shocks do; under the second the first run fails."""
    uses = with_overrides(resolve("history"), (), names).shocks
    twin = np.full((pairs, 40), 200.0)
    hit = twin * (1 - np.linspace(0.1, 0.5, pairs)[:, None])
    broken = hit.copy()
    broken[0] = np.nan
    both = dict(zip((use_label(use) for use in uses), (hit, broken), strict=True))
    key = ("compute_exported", "history")
    about = dict(zip(("outcome", "package"), key, strict=True))
    table = pd.DataFrame([about | _facts(use, both[use_label(use)], twin) for use in uses])
    losses = {key: {name: loss(value, twin) for name, value in both.items()}}
    return Resilience(table, _robustness(losses), {"history": {"en": "History", "zh": "现状"}})


@LANGUAGES
@pytest.mark.parametrize("pairs", [6, ENOUGH, ENOUGH + 1])
def test_every_row_says_of_how_many_pairs_it_is(pairs: int, lang: str) -> None:
    found = two_shocks(pairs)
    least = found.robustness.iloc[0]
    assert least["pairs"] == pairs - 1  # the run that failed is in no robustness
    assert least["robustness_low_90"] == pytest.approx(0.5)
    lines = found.text(lang, NARROW).splitlines()
    name = found.titles["history"][lang]
    rows = [line.split() for line in lines if line.startswith(name)]
    assert sorted(int(row[-1]) for row in rows[:2]) == [pairs - 1, pairs]
    assert str(pairs - 1) in rows[2] and max(width(line) for line in lines) <= NARROW
    squeezed = found.text(lang, 1000)
    assert (text("resilience_few", lang, enough=ENOUGH) in squeezed) == (pairs - 1 < ENOUGH)
    assert text("resilience_read", lang, window=WINDOW) in squeezed
    assert name in found.headline(lang) and "%" in found.headline(lang)


def test_the_hardest_shock_is_named_with_what_it_takes_from_every_package() -> None:
    """What a shock takes from a package is against that package without it, not a rank of it."""
    found = two_shocks(20)
    other = found.table.assign(package="none", loss=found.table["loss"] / 2)
    both = replace(
        found, table=pd.concat([found.table, other]),
        titles=found.titles | {"none": {"en": "All end", "zh": "终止"}},
    )  # fmt: skip
    hardest = found.table.loc[found.table["loss"].idxmax()]
    low, high = (f"{100 * value:.1f} %" for value in (hardest["loss"] / 2, hardest["loss"]))
    words = both.headline("en")
    assert words.startswith("Hardest shock, ") and "against itself without it" in words
    assert f"it takes {low} (All end) to {high} (History) of" in words
    assert f"takes {high} of" in found.headline("en") and "from History" in found.headline("en")


def test_two_uses_of_one_shock_are_two_shocks() -> None:
    found = two_shocks(6, ("ai_winter", "ai_winter:0.9"))
    assert found.table["shock"].tolist() == ["ai_winter", "ai_winter:0.9:2027Q1"]
    assert found.robustness["shocks"].tolist() == [2]
    assert "0.9 2027Q1" in found.text("en", 1000)


def test_a_recovery_that_never_comes_is_not_one_that_is_not_known() -> None:
    use, twin = with_overrides(resolve("history"), (), ["ai_winter"]).shocks[0], np.ones((1, 40))
    over = twin * np.where(np.arange(40) < 8, 0.5, 1.0)
    rows = records(pd.DataFrame([_facts(use, x, twin) for x in (twin * 0.5, twin * np.nan, over)]))
    assert [row["recovery"] for row in rows] == [text("never"), None, 8]
    assert [row["loss"] for row in rows] == pytest.approx([0.5, None, 0.5 * 8 / (WINDOW + 1)])
    assert [row["pairs"] for row in rows] == [1, 0, 1]
    assert records(pd.DataFrame(columns=["package"])) == []


@pytest.mark.slow
def test_two_shocks_on_two_packages_in_the_teaching_world(tmp_path: Path) -> None:
    shocks = ["hub_outage:0.8:2026Q1", f"ai_winter:{shock_table()['ai_winter'].high}:2026Q1"]
    struck = [with_overrides(resolve(name), (), shocks) for name in ("history", "demand_first")]
    calm = replace(struck[0], shocks=(), name="calm")
    asked = Options.of(**{**SMALL, "until": "2027Q4"})
    found = Resilience.of([*struck, calm], asked)
    assert len(found.table) == 8 and set(found.table["package"]) == {"history", "demand_first"}
    outside = found.table.set_index(["outcome", "package", "shock"]).loc["compute_exported"]
    outage = use_label(struck[0].shocks[0])
    assert outside.loc[("history", outage), "depth"] > 0.1
    assert outside["loss"].between(0, 1).all() and outside["censored"].between(0, 1).all()
    assert (found.table["pairs"] == 3).all() and (found.robustness["pairs"] == 3).all()
    worst = found.robustness.set_index(["outcome", "package"]).loc["compute_exported"]
    for package in worst.index:
        assert worst.loc[package, "robustness"] <= 1 - outside.loc[package]["loss"].max() + 1e-9
    assert (found.regret["draws"] == 3 * (1 + len(shocks))).all()
    assert "draws in all" in found.text() and len(found.save(tmp_path)) == 3
    late = Resilience.of(struck[:1], Options.of(**{**SMALL, "until": "2025Q4"}))
    assert late.table.empty and late.regret.empty
    assert late.text() == late.headline() == "No shock begins within the runs."
