"""What holds for the article's systems together: tables used, sums, neutral cases, equal money."""

import re
from pathlib import Path

import numpy as np
import pytest
from helpers import final, setting_of

import ecosystem
from ecosystem.inputs.calendar import POLICY_START, period_index
from ecosystem.inputs.catalogue import instruments, outcomes
from ecosystem.inputs.scenario import package_names, resolve
from ecosystem.inputs.schedule import build_schedule
from ecosystem.outcomes import measure
from experiments.comparison.budget import own_present_value, with_budget
from experiments.comparison.options import ARTICLE

UNTIL = period_index("2028Q4")
PACKAGES = tuple(name for name in package_names() if name not in ("none", "history"))


def test_every_lever_is_read_by_a_stage() -> None:
    house = Path(ecosystem.__file__).parent
    paths = [path for room in ("stages", "outcomes") for path in (house / room).glob("*.py")]
    words = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    unread = {
        name
        for name, row in instruments().items()
        if not re.search(rf'(lever\[|rate\[|column\(|\.of\()\s*"{name}"', words)
    }
    assert unread == set()


def test_every_outcome_is_computed_and_no_other() -> None:
    setting = setting_of("article_plus")
    quarter, _ = final(setting, POLICY_START + 1)
    assert set(measure(quarter, setting)) == set(outcomes())


@pytest.mark.parametrize("world", ["teaching", "full"])
def test_sums_over_tiers_are_the_province(world: str) -> None:
    setting = setting_of("article", world=world, replicates=(0, 1))
    values = measure(final(setting, UNTIL)[0], setting)
    for by_tier, whole in (
        ("servers_by_tier", "servers_by_prefecture"),
        ("ai_firms_by_tier", "ai_firms"),
        ("talent_by_tier", "talent"),
        ("value_added_by_tier", "local_value_added_net"),
    ):
        np.testing.assert_allclose(
            values[by_tier].sum(axis=1), values[whole].sum(axis=1), rtol=1e-9, err_msg=by_tier
        )
    np.testing.assert_allclose(
        values["theil_between"] + values["theil_within"], values["theil"], rtol=1e-9, atol=1e-12
    )


@pytest.mark.slow
@pytest.mark.parametrize("budget", [4000.0, ARTICLE])
def test_planned_money_is_equal_at_both_budgets(budget: float | str) -> None:
    """What a package cannot plan within its limits is said beside it."""
    scaled = [with_budget(resolve(name), budget) for name in PACKAGES]
    goals = [own_present_value(each) + build_schedule(each).unplanned for each in scaled]
    np.testing.assert_allclose(goals, goals[0], rtol=1e-6)
    limits = np.array([row.spending_high or 0.0 for row in instruments().values()])
    for each in scaled:
        schedule = build_schedule(each)
        if schedule.unplanned:  # only where every programme is at its limit, and nothing else is
            used = schedule.own[POLICY_START:].any(axis=0)
            assert schedule.programme[used].all()
            most = schedule.spending[POLICY_START:].max(axis=0)
            np.testing.assert_allclose(most[used], limits[used])


def test_neighbours_take_work_that_finds_no_centre() -> None:
    """Through the corridor: it is served, and home users pay for their part of it elsewhere."""
    found = {}
    for share in (0.0, 0.05):
        setting = setting_of("article_demand", neighbour_share=share)
        quarter, _ = final(setting, UNTIL)
        found[share] = quarter.market.helped.sum(), measure(quarter, setting)
    assert found[0.0][0] == 0 < found[0.05][0]
    assert found[0.05][1]["unserved"] < found[0.0][1]["unserved"]
    assert found[0.05][1]["compute_imports"] > found[0.0][1]["compute_imports"]
