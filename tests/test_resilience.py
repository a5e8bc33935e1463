"""Loss, depth, recovery and robustness against closed forms, and against the twin of a real run."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ecosystem.inputs.scenario import resolve, with_overrides
from experiments.command.commands import records
from experiments.comparison.intervals import ENOUGH
from experiments.comparison.resilience import (
    CALM,
    TOLERANCE,
    WINDOW,
    Resilience,
    _facts,
    _robustness,
    depth,
    loss,
    recovery_time,
    resilience,
)
from experiments.report.messages import text, width

QUARTERS = 40
TWIN = np.full((1, QUARTERS), 200.0)
AGE = np.arange(QUARTERS)


@pytest.mark.parametrize("size", [0.1, 0.4, 0.9])
@pytest.mark.parametrize("decay", [0.5, 0.8])
def test_a_drop_that_fades(size: float, decay: float) -> None:
    shocked = TWIN * (1 - size * decay**AGE)
    terms = WINDOW + 1
    assert loss(shocked, TWIN) == pytest.approx(size * (1 - decay**terms) / (1 - decay) / terms)
    assert depth(shocked, TWIN) == pytest.approx(size)
    assert recovery_time(shocked, TWIN)[0] == np.floor(np.log(TOLERANCE / size) / np.log(decay)) + 1


@pytest.mark.parametrize("length", [1, 4, 20])
def test_a_pulse_after_a_delay(length: int) -> None:
    """A shock may reach a series late: recovery is counted from the shock, after the gap."""
    delay = 3
    hit = (delay <= AGE) & (delay + length > AGE)
    shocked = TWIN * (1 - 0.3 * hit)
    inside = min(length, WINDOW + 1 - delay)
    assert loss(shocked, TWIN) == pytest.approx(0.3 * inside / (WINDOW + 1))
    assert depth(shocked, TWIN) == pytest.approx(0.3)
    assert recovery_time(shocked, TWIN)[0] == delay + length


def test_gains_do_not_make_up_for_losses() -> None:
    swing = TWIN * (1 + 0.2 * np.where(AGE % 2, 1, -1))
    share = (WINDOW // 2 + 1) / (WINDOW + 1)
    assert loss(swing, TWIN) == pytest.approx(0.2 * share)
    assert loss(TWIN * 1.5, TWIN) == 0 and depth(TWIN * 1.5, TWIN) == 0


def test_no_harm_is_no_time_and_lasting_harm_is_censored() -> None:
    assert recovery_time(TWIN * 0.96, TWIN)[0] == 0
    assert recovery_time(TWIN * 0.94, TWIN)[0] == np.inf
    late = TWIN * np.where(AGE < QUARTERS - CALM + 1, 0.5, 1.0)
    assert recovery_time(late, TWIN)[0] == np.inf  # three calm quarters are not enough
    relapse = TWIN * np.where((AGE < 2) | (AGE == 5), 0.5, 1.0)
    assert recovery_time(relapse, TWIN)[0] == 6


def test_a_twin_that_makes_nothing_has_no_loss_to_share() -> None:
    assert np.isnan(loss(TWIN, TWIN * 0)).all()
    assert (depth(TWIN, TWIN * 0) == 0).all()


def test_runs_that_failed_are_in_no_number() -> None:
    use = with_overrides(resolve("history"), (), ["ai_winter"]).shocks[0]
    hit = np.repeat(TWIN * np.where(AGE < 8, 0.5, 1.0), 3, axis=0)
    twin = np.repeat(TWIN, 3, axis=0)
    whole = _facts(use, hit, twin)
    assert whole["depth"] == pytest.approx(0.5) and whole["recovery"] == 8
    for one, lost in ((hit, (0, 1)), (twin, (2,))):
        broken = one.copy()
        broken[list(lost)] = np.nan
        left = _facts(use, *((broken, twin) if one is hit else (hit, broken)))
        assert left == whole | {"pairs": 3 - len(lost)}
    nothing = _facts(use, hit * np.nan, twin)
    assert all(np.isnan(nothing[name]) for name in ("loss", "depth", "recovery", "censored"))


def test_the_90_percent_of_few_pairs_hold_them_all() -> None:
    """Bounds between two pairs would hold eight of ten pairs, and call it nine in ten."""
    use = with_overrides(resolve("history"), (), ["ai_winter"]).shocks[0]
    twin, sizes = np.repeat(TWIN, 10, axis=0), np.linspace(0.1, 0.5, 10)
    facts = _facts(use, twin * (1 - sizes[:, None]), twin)
    for name in ("loss", "depth"):
        found = [facts[f"{name}{end}"] for end in ("_low_90", "", "_high_90")]
        assert found == pytest.approx([0.1, 0.3, 0.5])


def two_shocks(pairs: int, quarters: int = QUARTERS) -> Resilience:
    """Return what two made shocks do; under the second the first run fails."""
    names, sizes = ("ai_winter", "hub_outage"), np.linspace(0.1, 0.5, pairs)
    uses = with_overrides(resolve("history"), (), names).shocks
    twin = np.repeat(TWIN[:, :quarters], pairs, axis=0)
    hit = twin * (1 - sizes[:, None])
    broken = hit.copy()
    broken[0] = np.nan
    both = dict(zip((use.name for use in uses), (hit, broken), strict=True))
    key = ("compute_exported", "history")
    about = dict(zip(("outcome", "package"), key, strict=True))
    table = pd.DataFrame([about | _facts(use, both[use.name], twin) for use in uses])
    losses = {key: {name: loss(value, twin) for name, value in both.items()}}
    titles = {"history": {"en": "History", "zh": "现状"}}
    return Resilience(table, _robustness(losses), titles)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("pairs", [6, ENOUGH, ENOUGH + 1])
def test_every_row_says_of_how_many_pairs_it_is(pairs: int, lang: str) -> None:
    found = two_shocks(pairs)
    least = found.robustness.iloc[0]
    assert least["pairs"] == pairs - 1  # the run that failed is in no robustness
    assert least["robustness_low_90"] == pytest.approx(0.5)
    lines = found.text(lang).splitlines()
    name, head = found.titles["history"][lang], text("resilience_pairs", lang)
    rows = [line.split() for line in lines if line.strip().startswith(name)]
    assert len(rows) == len([line for line in lines if "90 %" in line and head in line]) == 3
    assert sorted(int(row[-1]) for row in rows[:2]) == [pairs - 1, pairs]
    assert str(pairs - 1) in rows[2]
    assert max(width(line) for line in lines) <= 100
    few = text("resilience_few", lang, enough=ENOUGH)
    assert (few.replace(" ", "") in "".join(lines).replace(" ", "")) == (pairs - 1 < ENOUGH)


def test_the_window_ends_with_the_runs() -> None:
    """Of a shock five quarters before the end of the runs, nothing is known of sixteen."""
    found, quarters = two_shocks(3, quarters=5), f"to {WINDOW} quarters after it"
    words = " ".join(found.text().split())
    assert f"{quarters}, or to the end of the runs where that comes first" in words
    assert f"{WINDOW} 个季度（模拟若先结束则至其末）" in found.text("zh").replace("\n", "")


def test_a_recovery_that_never_comes_is_not_one_that_is_not_known() -> None:
    use = with_overrides(resolve("history"), (), ["ai_winter"]).shocks[0]
    lasting = _facts(use, TWIN * 0.5, TWIN)
    unknown = _facts(use, TWIN * np.nan, TWIN)
    over = _facts(use, TWIN * np.where(AGE < 8, 0.5, 1.0), TWIN)
    rows = records(pd.DataFrame([lasting, unknown, over]))
    assert [row["recovery"] for row in rows] == [text("never"), None, 8]
    assert [row["loss"] for row in rows] == pytest.approx([0.5, None, 0.5 * 8 / (WINDOW + 1)])
    assert [row["pairs"] for row in rows] == [1, 0, 1]
    assert records(pd.DataFrame(columns=["package"])) == []


@pytest.mark.slow
def test_two_shocks_on_two_packages_in_the_teaching_world() -> None:
    shocks = ["hub_outage:0.8:2026Q1", "ai_winter:0.4:2026Q1"]
    struck = [with_overrides(resolve(name), (), shocks) for name in ("history", "demand_first")]
    calm = replace(struck[0], shocks=(), name="calm")
    found = resilience(
        [*struck, calm], replicates=3, seed=1, until="2028Q4", world="teaching", jobs=1
    )
    assert len(found.table) == 8 and set(found.table["package"]) == {"history", "demand_first"}
    outside = found.table.set_index(["outcome", "package", "shock"]).loc["compute_exported"]
    assert outside.loc[("history", "hub_outage"), "depth"] > 0.1
    assert outside["loss"].between(0, 1).all() and outside["censored"].between(0, 1).all()
    assert (found.table["pairs"] == 3).all() and (found.robustness["pairs"] == 3).all()
    worst = found.robustness.set_index(["outcome", "package"]).loc["compute_exported"]
    for package in worst.index:
        assert worst.loc[package, "robustness"] <= 1 - outside.loc[package]["loss"].max() + 1e-9
    late = resilience(struck, replicates=1, until="2025Q4", world="teaching", jobs=1)
    assert late.table.empty and late.text() == "No shock begins within the runs."
    for lang in ("en", "zh"):
        lines = found.text(lang).splitlines()
        assert max(width(line) for line in lines) <= 100
