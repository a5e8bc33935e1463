"""Nobody's luck depends on anybody else: batches, horizons, workers, agents, instruments."""

import hashlib
import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import (
    LAST,
    append_row,
    assert_close,
    copied_world,
    quarters,
    setting_of,
    use_everywhere,
    with_new_row,
)

from ecosystem import simulate
from ecosystem.inputs import catalogue
from ecosystem.inputs.calendar import POLICY_START, period_label
from ecosystem.inputs.catalogue import Instrument, Parameter
from ecosystem.inputs.scenario import resolve
from ecosystem.inputs.world.loader import load_world
from ecosystem.outcomes import measure
from ecosystem.quarter.start import make_setting
from ecosystem.runs import chunk as core
from ecosystem.runs.result import Result
from ecosystem.state.setting import Setting

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
UNTIL = "2026Q3"
PACKAGES = ("history", "article")


def run(scenarios: Any = PACKAGES, replicates: int = 3, **others: Any) -> Result:
    """Simulate the teaching world in this process."""
    arguments: dict[str, Any] = {"until": UNTIL, "world": "teaching", "jobs": 1, "seed": 11}
    return simulate(scenarios, replicates=replicates, **arguments | others)


@lru_cache(maxsize=1)
def three() -> Result:
    """Return the run of three replicates that all others are compared with."""
    return run()


def assert_contains(larger: Result, smaller: Result) -> None:
    """Fail unless the smaller run is a part of the larger one, to the bit."""
    rows = [larger.scenarios.index(name) for name in smaller.scenarios]
    assert smaller.series
    for name, values in smaller.series.items():
        part = larger.series[name][rows][:, : smaller.replicates, : values.shape[2]]
        assert np.array_equal(part, values), name
    for name, values in smaller.draw_values.items():
        assert np.array_equal(larger.draw_values[name][: smaller.replicates], values), name
    if larger.until == smaller.until:
        for name, values in smaller.summaries.items():
            part = larger.summaries[name][rows][:, : smaller.replicates]
            assert np.array_equal(part, values), name


def test_three_replicates_are_the_first_three_of_eight() -> None:
    assert_contains(run(replicates=8), three())


def test_replicates_differ() -> None:
    """Else all of this would be easy."""
    patents = three().series["patents"]
    assert len(np.unique(patents.sum(axis=2)[0])) == 3
    assert not np.array_equal(patents[0], patents[1])
    other = run(seed=12)
    assert not np.array_equal(other.series["patents"], patents)


def test_other_packages_beside_it_change_nothing() -> None:
    assert_contains(run(("demand_first", "article", "none", "history")), three())
    assert_contains(three(), run("article"))


def test_a_longer_horizon_changes_nothing() -> None:
    assert_contains(run(until="2030Q4"), three())


@pytest.mark.parametrize("slots", [60, 180])
def test_the_cut_into_chunks_changes_nothing(slots: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of one run, and of three and two."""
    monkeypatch.setattr(core, "SLOTS_A_CHUNK", slots)
    assert_contains(run(replicates=5), three())


def test_kept_parameters_and_luck_are_apart() -> None:
    """With fixed parameters the luck is the same luck: first draws agree."""
    drawn, kept = (setting_of(fixed=fixed, replicates=range(3)) for fixed in (False, True))
    for process in ("demand", "tenants", "firm fates", "patents", "births"):
        luck = [setting.chance.uniform(process, 5, 40) for setting in (drawn, kept)]
        np.testing.assert_array_equal(*luck)


def test_a_draw_is_values_and_luck_whatever_seed_and_replicate() -> None:
    """One past for one row; what the table does not know is drawn by seed and replicate."""
    names = ["hype", "agglomeration"]
    values = {"hype": [0.2, 0.2, 0.3], "agglomeration": [0.5, 0.5, 0.5]}
    luck = {"luck_2020Q1": [5, 5, 5], "luck_2023Q4": [6, 6, 6]}
    table = pd.DataFrame({**values, **luck})
    scenario, world = resolve("history"), load_world("teaching")
    setting = make_setting(scenario, world, 3, (0, 1, 1), draws=table)
    alone = make_setting(scenario, world, 3, (0, 1, 1))
    for name in names:
        np.testing.assert_array_equal(setting.parameters[name][:, 0], table[name])
    np.testing.assert_array_equal(setting.parameters["foresight"], alone.parameters["foresight"])
    for period, same in ((3, True), (21, True), (POLICY_START, False)):
        births = setting.chance.uniform("births", period, 9)
        assert np.array_equal(births[0], births[1]) is same
        assert np.array_equal(births[1], births[2])
    above = make_setting(scenario, world, 3, (0, 1, 1), points={"hype": np.ones(3)}, draws=table)
    assert (above.parameters["hype"] == 1).all()


@pytest.mark.slow
@pytest.mark.parametrize("world", ["teaching", "full"])
def test_the_number_of_processes_changes_nothing(world: str) -> None:
    one, two = (run(world=world, replicates=8, jobs=jobs) for jobs in (1, 2))
    assert_contains(one, two)
    assert_contains(two, run(world=world))


DIGEST = f"""
import hashlib
from ecosystem import simulate
given = dict(replicates=3, seed=11, until={UNTIL!r}, world="teaching", jobs=1)
result = simulate({list(PACKAGES)!r}, **given)
digest = hashlib.sha256()
for name, values in sorted(result.series.items()):
    digest.update(name.encode() + values.tobytes())
print(digest.hexdigest())
"""


@pytest.mark.parametrize("hash_seed", ["1", "4242"])
def test_the_hash_seed_changes_nothing(hash_seed: str) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", DIGEST], capture_output=True, env=environment, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    digest = hashlib.sha256()
    for name, values in sorted(three().series.items()):
        digest.update(name.encode() + values.tobytes())
    assert done.stdout.strip() == digest.hexdigest()


def luck_of(setting: Setting, until: int = LAST) -> dict[str, np.ndarray]:
    """Return what chance alone decides: buyers' noise, quality and tenants of centres, by id."""
    order = setting.world.centres.order.argsort()
    noise, tenants = [], []
    for _, state in quarters(setting, until):
        noise.append(state.buyers.noise)
        tenants.append(state.centres.tenants[:, order])
    return {
        "noise": np.stack(noise),
        "tenants": np.stack(tenants),
        "quality": state.centres.quality[:, order],
        "parameters": setting.parameters.hype,
    }


@pytest.mark.parametrize("package", ["article", "none", "output_only"])
def test_a_policy_that_draws_more_leaves_luck_alone(package: str) -> None:
    """Policies change how many halls, firms and patents there are, and not what befalls them."""
    luck = luck_of(setting_of("history", fixed=False, replicates=range(2)))
    its = luck_of(setting_of(package, fixed=False, replicates=range(2)))
    for name, values in luck.items():
        np.testing.assert_array_equal(its[name], values)


NEW_AGENTS = {
    "data_centres": {"centre": "new", "name_en": "New", "name_zh": "新", "named": 0, "servers": 0},
    "makers": {"maker": "new", "name_en": "New", "name_zh": "新", "named": 0},
    "universities": {"university": "new", "name_en": "New", "name_zh": "新", "named": 0},
    "parks": {"park": "new", "name_en": "New", "name_zh": "新", "named": 0},
    "ai_firm_slots": {"first_slot": 60, "slots": 1, "initial_firms": 1},
}


@pytest.mark.parametrize("table", NEW_AGENTS)
def test_one_more_agent_leaves_everybody_elses_luck_alone(table: str, tmp_path: Path) -> None:
    """A row is appended to a table of the world: all others draw what they drew before."""
    folder = copied_world(tmp_path / "larger")
    append_row(folder, table, **NEW_AGENTS[table])
    if table == "universities":
        append_row(
            folder, "provenance", table=table, row="new", column="*", source="Test", grade="B"
        )
    given, larger = (
        setting_of(world=world, fixed=False, replicates=range(2))
        for world in (load_world("teaching"), load_world(folder))
    )
    luck, its = luck_of(given, 30), luck_of(larger, 30)
    centres = given.world.centres.count
    for name, values in luck.items():
        longer = its[name][..., :centres] if name in ("tenants", "quality") else its[name]
        np.testing.assert_array_equal(longer, values)
    one, other = (next(iter(quarters(setting, 0)))[0] for setting in (given, larger))
    rows = matching_rows(given, larger)
    np.testing.assert_array_equal(other.business.exits[:, rows], one.business.exits)
    np.testing.assert_array_equal(other.state.firms.knowledge[:, rows], one.state.firms.knowledge)
    np.testing.assert_array_equal(other.state.firms.sales[:, rows], one.state.firms.sales)


def matching_rows(given: Setting, larger: Setting) -> np.ndarray:
    """Return the rows of the larger world's slots that stand in the given one."""
    place = {int(i): row for row, i in enumerate(larger.world.firms.id)}
    return np.array([place[int(i)] for i in given.world.firms.id])


@pytest.mark.parametrize("kind", ["programme", "transfer", "rule"])
def test_one_more_instrument_without_money_changes_nothing(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row is appended to the table of instruments, with its parameters at the end of theirs."""
    luck = luck_of(setting_of("article", fixed=False, replicates=range(2)), 30)
    before = outcomes_at("article", POLICY_START + 8)
    model = next(row for row in catalogue.instruments().values() if row.type == kind)
    new = Instrument.model_validate({**model.model_dump(), "name": "another", "number": 99})
    ends = ("maximum", "scale", "effectiveness")
    table = catalogue.parameters()
    rows = [
        Parameter.model_validate(
            {**table[f"hub_steering_{end}"].model_dump(), "name": f"another_{end}"}
        )
        for end in ends
    ]
    use_everywhere(monkeypatch, "instruments", with_new_row(catalogue.instruments, new))
    use_everywhere(monkeypatch, "parameters", with_new_row(catalogue.parameters, *rows))
    setting = setting_of("article", fixed=False, replicates=range(2))
    assert setting.schedule.names[-1] == "another"
    assert float(setting.parameters.another_scale[0, 0]) > 0
    for name, values in luck_of(setting, 30).items():
        np.testing.assert_array_equal(values, luck[name])
    assert_close(outcomes_at("article", POLICY_START + 8), before)


def outcomes_at(package: str, t: int) -> dict[str, np.ndarray]:
    """Return the outcomes of a quarter but for what is left of a budget, which is rounding."""
    setting = setting_of(package, fixed=False, replicates=range(2))
    *_, (quarter, _) = quarters(setting, t)
    found = measure(quarter, setting)
    return {name: values for name, values in found.items() if name != "unspent"}


def test_the_last_quarter_of_these_tests_is_in_the_time_of_packages() -> None:
    assert three().series["patents"].shape[2] > POLICY_START
    assert period_label(three().series["patents"].shape[2] - 1) == UNTIL
