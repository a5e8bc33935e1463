"""One past of many packages: the same bits as a run of its own, whatever is run beside it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ensemble_models as models
import numpy as np
import pytest
from ensemble_runs import Frail

import ecosystem
from ecosystem import InputError, Scenario, cross, run_design, simulate
from ecosystem.inputs.calendar import HORIZON, POLICY_START, period_index
from ecosystem.inputs.scenario import package_names, resolve
from ecosystem.inputs.schedule import build_schedule
from ecosystem.inputs.world.loader import load_world
from ecosystem.outcomes import measure
from ecosystem.quarter.start import initial_state, make_setting
from ecosystem.quarter.step import step
from ecosystem.runs import chunk, pool
from ecosystem.runs.chunk import Recorder, make_past
from ecosystem.runs.past import early_part
from ecosystem.runs.runner import Ensemble
from ecosystem.runs.task import Task
from ecosystem.runs.tasks import LONGEST
from ecosystem.state.setting import Setting

UNTIL, OUTCOMES = "2026Q1", ["local_value_added_net", "patents", "servers", "fill", "ai_firms"]
SMALL: dict[str, Any] = {"world": "teaching", "until": UNTIL, "outcomes": OUTCOMES}
KINDS = ("summary", "end", "yearly", "quarterly")


def double_push(quarter: Any, setting: Any) -> Any:
    return np.minimum(1, 2 * setting.rules.push_readiness(quarter, setting))


def cheaper(record: Any, state: Any, setting: Any) -> Any:
    return {"price": 0.9 * record.price}


def fails_with_high_hype(record: Any, state: Any, setting: Any) -> Any:
    if (setting.parameters.hype > 0.3).any():
        raise ValueError("too much of it")
    return {}


PLACES = [{"name": "talent_retention", "spending": 9.0, "place": "hub"}] * 10
"""Ten columns of the schedule that no other scenario has."""
SCENARIOS = [
    "history",
    "article",
    Scenario("article", name="early shock", shocks=["ai_winter:0.4:2023Q1"]),
    Scenario("article", name="late shock", shocks=["ai_winter:0.4:2025Q3"]),
    Scenario("capex_only", name="rule", rules={"push_readiness": double_push}),
    Scenario("capex_only", name="mean", rules={"push_readiness": "mean"}),
    Scenario("history", name="hook", hooks={"drivers": cheaper}),
    Scenario("history", name="places", instruments=PLACES),
    Scenario("history", name="fails", hooks={"policy": fails_with_high_hype}),
]
TOGETHER = [["history", "article", "late shock", "hook", "places", "fails"]]
APART = [["early shock"], ["rule"], ["mean"]]
POINTS = {"hype": [0.1, 0.35]}


def together(**others: Any) -> Ensemble:
    design = cross(SCENARIOS, points=POINTS, replicates=2)
    given: dict[str, Any] = {"executor": "serial", "keep": KINDS} | SMALL | others
    return run_design(design, **given)


def follow(setting: Setting, quarters: int) -> list[Any]:
    """Return the outcomes of each quarter of runs that are stepped from 2020Q1 on."""
    state, found = initial_state(setting), []
    for _ in range(quarters):
        state, quarter = step(state, setting)
        found.append(measure(quarter, setting))
    return found


def test_bits_are_those_of_runs_from_the_start_to_the_end() -> None:
    """The reference builds the whole of a scenario at once and never leaves off."""
    found = together().arrays(strict=False)
    last, place = period_index(UNTIL), 0
    for item in SCENARIOS:
        for hype in POINTS["hype"]:
            scenario, runs = resolve(item), slice(place, place := place + 2)
            if scenario.name == "fails" and hype > 0.3:
                assert np.isnan(found["summary"]["patents"][runs]).all()
                continue
            setting = make_setting(
                scenario, load_world("teaching"), 1, [0, 1], points={"hype": np.full(2, hype)}
            )
            recorder = Recorder(setting, OUTCOMES, last, True)
            for t, values in enumerate(follow(setting, last + 1)):
                recorder.add(t, values)
            assert recorder.series is not None
            for name in OUTCOMES:
                series = np.stack(recorder.series[name], axis=1)
                np.testing.assert_array_equal(found["quarterly"][name][runs], series)
                np.testing.assert_array_equal(found["end"][name][runs], series[:, -1:])
                summary = recorder.summary[name][:, None]
                np.testing.assert_array_equal(found["summary"][name][runs], summary)
            patents = np.stack(recorder.series["patents"], axis=1)[:, :24].reshape(2, 6, 4, -1)
            yearly = found["yearly"]["patents"][runs]
            np.testing.assert_allclose(yearly, patents.sum(axis=2), rtol=1e-12)


def test_packages_of_a_job_step_their_past_once(
    monkeypatch: pytest.MonkeyPatch, kept: Path
) -> None:
    made: list[Task] = []
    monkeypatch.setattr(chunk, "make_past", lambda task: made.append(task) or make_past(task))
    names, given = ["history", "article", "capex_only"], {"world": "teaching", "jobs": 1}
    simulate(names, replicates=2, series=False, **given)
    assert len(made) == 1
    simulate(names, replicates=2, series=False, seed=2, start=kept, **given)
    assert len(made) == 1


def test_a_past_is_not_kept_under_a_rule_of_the_users_own() -> None:
    own = Scenario("history", rules={"want_staff": lambda quarter, setting: 0})
    with pytest.raises(InputError, match=r"rules, want_staff.*leaves no trace"):
        ecosystem.past(own, world="teaching", replicates=1)


def test_who_shares_is_told_by_what_the_past_reads() -> None:
    tasks = together().tasks
    names = [[tasks[number].scenario.name for number in shared] for shared in tasks.shared]
    assert names == TOGETHER + APART
    every = run_design(cross(package_names()), outcomes=["patents"]).tasks
    assert len(every.shared) == 1 and len(every.shared[0]) == len(package_names())
    design = cross(["history", Scenario("history", name="own", parameters={"hype": 0.3})])
    assert len(run_design(design, outcomes=["patents"]).tasks.shared) == 2
    assert len(run_design(design.part([0, 1]), outcomes=["patents"]).tasks.shared) == 2
    own = run_design(cross(["history", "article"]), model=models.two_outcomes)
    assert len(own.tasks.shared) == 2  # what a model of the user's own reads is not known
    other = cross("article", replicates=2).part([1])
    apart = replace(cross(["history", "article"]), replicate=np.array([0, 1], np.int32))
    assert len(run_design(apart).tasks.shared) == 2 and len(run_design(other).tasks.shared) == 1


def test_a_scenario_begins_as_its_early_part_does() -> None:
    names = ("rate", "spending", "envelope", "shells_only", "observed")
    for item in [*package_names(), *SCENARIOS]:
        scenario = resolve(item)
        mine, past = build_schedule(scenario), build_schedule(early_part(scenario))
        count = len(past.columns)
        assert mine.columns[:count] == past.columns
        for name in names:
            a, b = getattr(mine, name)[:POLICY_START], getattr(past, name)[:POLICY_START]
            np.testing.assert_array_equal(a[:, :count], b)
            assert not a[:, count:].any()


def test_the_past_reads_nothing_that_comes_after_it() -> None:
    setting = make_setting(resolve("history"), load_world("teaching"), 1, [0, 1])
    later = np.arange(HORIZON) >= POLICY_START
    spoiled = {
        name: np.where(later[:, None], 0.25, getattr(setting.schedule, name))
        for name in ("rate", "spending", "envelope")
    }
    shocks = {name: np.where(later, 1.2, path) for name, path in setting.shocks.items()}
    other = replace(setting, schedule=replace(setting.schedule, **spoiled), shocks=shocks)
    courses = [follow(one, POLICY_START + 1) for one in (setting, other)]
    for mine, theirs in list(zip(*courses, strict=True))[:POLICY_START]:
        for name, value in mine.items():
            np.testing.assert_array_equal(value, theirs[name])
    assert (courses[0][-1]["public_cost"] != courses[1][-1]["public_cost"]).any()


@pytest.mark.parametrize(("workers", "sizes"), [(1, [7, 6]), (2, [7, 6]), (13, [1] * 13)])
def test_a_past_is_stepped_as_often_as_makes_all_ready_soonest(
    workers: int, sizes: list[int]
) -> None:
    tasks = run_design(cross(package_names(), replicates=20), outcomes=["patents"]).tasks
    jobs = tasks.jobs(range(13), workers)
    assert [len(job) for job in jobs] == sizes and sum(jobs, []) == list(range(13))
    assert tasks.steps(jobs) == 20 * (22 * len(jobs) + 42 * 13)
    assert tasks.jobs([2, 7, 9], 1) == [[2, 7, 9]]
    many = cross([Scenario("article", name=f"plan {number}") for number in range(40)])
    jobs = run_design(many, outcomes=["patents"]).tasks.jobs(range(40), workers)
    assert max(map(len, jobs)) <= LONGEST and sum(jobs, []) == list(range(40))


def test_kills_workers_and_chunks_change_no_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, given = ["history", "article", "capex_only"], {"keep": KINDS, **SMALL}
    design = cross(names, replicates=4)
    whole = run_design(design, executor="serial", **given).arrays()

    def same(runs: Ensemble, but: Sequence[int] = ()) -> None:
        kept = np.setdiff1d(range(12), but)
        for kind, values in runs.arrays(strict=False).items():
            for name, value in values.items():
                np.testing.assert_array_equal(value[kept], whole[kind][name][kept])

    same(run_design(design, executor="serial", chunk_runs=3, **given))
    stored = run_design(design, executor="serial", chunk_runs=2, out=tmp_path / "a", **given)
    same(stored)
    assert stored.directory is not None
    files = sorted(stored.directory.glob("chunks/*"))
    for file in files[1:4]:  # the end of one past, the beginning of another
        file.unlink()
    same(stored)
    assert sorted(stored.directory.glob("chunks/*")) == files
    deaths: list[set[int]] = []
    frail = Frail(lambda runs: 5 in runs, deaths)
    monkeypatch.setattr(pool, "processes", lambda _: frail)
    lost = run_design(design, jobs=2, chunk_runs=2, **given)
    same(lost, but=[5])
    assert [row["run"] for row in lost.failures] == [5] and deaths.count({5}) == 3


def test_a_past_that_fails_fails_in_every_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(quarter: Any, setting: Any, names: Any) -> Any:
        values = measure(quarter, setting, names)
        spoiled = (setting.parameters.hype > 0.3) & (quarter.state.period == 5)
        return {name: np.where(spoiled, np.nan, value) for name, value in values.items()}

    monkeypatch.setattr("ecosystem.runs.chunk.measure", broken)
    design = cross(["history", "article"], points=POINTS)
    found = run_design(design, executor="serial", keep=("summary", "quarterly"), **SMALL)
    values = found.arrays(strict=False)["summary"]["patents"][:, 0, 0]
    assert np.isfinite(values).tolist() == [True, False, True, False]
    errors = [row["error"] for row in found.failures]
    for name, error in zip(["history", "article"], errors, strict=True):
        assert f"{name}: outcome local_value_added_net is not finite in 2021Q2" in error


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    past = ecosystem.past(world="teaching", replicates=3, seed=2)
    return past.save(tmp_path_factory.mktemp("past") / "past.npz")


@pytest.mark.parametrize("series", [True, False])
@pytest.mark.parametrize("item", ["article", SCENARIOS[3], SCENARIOS[7]])
def test_what_starts_from_a_file_is_what_starts_in_2020(
    kept: Path, item: Any, series: bool
) -> None:
    given = {**SMALL, "replicates": 2, "seed": 2, "jobs": 1, "series": series}
    mine, known = simulate(item, start=kept, **given), simulate(item, **given)
    for a, b in ((mine.series, known.series), (mine.summaries, known.summaries)):
        assert a.keys() == b.keys()
        for name, value in b.items():
            np.testing.assert_array_equal(a[name], value)


def test_what_starts_from_a_past_is_stored_and_travels(kept: Path, tmp_path: Path) -> None:
    given = {**SMALL, "replicates": 3, "seed": 2, "series": False}
    names = ["history", "article"]
    known = simulate(names, jobs=1, **given)
    mine = simulate(names, jobs=2, out=tmp_path, start=ecosystem.read_past(kept), **given)
    np.testing.assert_array_equal(mine.summaries["patents"], known.summaries["patents"])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"seed": 3}, "start, seed: 2 is not valid; allowed: 3, as in article"),
        ({"world": "full"}, "start, world"),
        ({"parameters": {"hype": 0.3}}, "start, parameters"),
        ({"fixed_parameters": True}, "start, fixed_parameters"),
        ({"shock": "ai_winter:0.3:2024Q1"}, "start, shocks before 2025Q3"),
        ({"scenarios": SCENARIOS[4]}, "start, rules"),
        ({"replicates": 4}, "replicates: 4 is not valid; allowed: at most 3"),
        ({"until": "2025Q2"}, "until: '2025Q2' is not valid; allowed: 2025Q3 or later"),
        ({"start": 3}, "start: 3 is not valid; allowed: a past of `ecosystem.past`"),
        ({"start": "nowhere.npz"}, "start: 'nowhere.npz' .*No such file"),
        ({"start": __file__}, "start: .*damaged, or of another version"),
    ],
)
def test_a_past_of_something_else_is_refused(kept: Path, given: Any, words: str) -> None:
    asked = {"scenarios": "article", "replicates": 3, "seed": 2, "start": kept, **SMALL}
    with pytest.raises(InputError, match=words):
        simulate(**asked | given)


def test_a_past_of_other_code_is_refused(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = {"code": "another", "tables": "others", "packages": ""}
    monkeypatch.setattr("ecosystem.runs.stored.model_digests", lambda: other)
    with pytest.raises(InputError, match="start, code: .*allowed: another, (.|\n)*start, tables"):
        simulate("article", start=kept, replicates=3, seed=2, **SMALL)
