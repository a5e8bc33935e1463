"""Loss, depth, recovery and robustness against closed forms, and against the twin of a real run."""

from dataclasses import replace

import numpy as np
import pytest

from ecosystem.scenario import resolve, with_overrides
from experiments.messages import width
from experiments.resilience import (
    CALM,
    TOLERANCE,
    WINDOW,
    _facts,
    depth,
    loss,
    recovery_time,
    resilience,
)

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
    worst = found.robustness.set_index(["outcome", "package"]).loc["compute_exported"]
    for package in worst.index:
        assert worst.loc[package, "robustness"] <= 1 - outside.loc[package]["loss"].max() + 1e-9
    late = resilience(struck, replicates=1, until="2025Q4", world="teaching", jobs=1)
    assert late.table.empty and late.text() == "No shock begins within the runs."
    for lang in ("en", "zh"):
        lines = found.text(lang).splitlines()
        assert max(width(line) for line in lines) <= 100
