"""`simulate` and what it returns: frames, summaries, datasets, and arguments that are wrong."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from helpers import quarters, setting_of

from ecosystem import Scenario, cross, run_design, simulate
from ecosystem.inputs.calendar import POLICY_START, period_index, period_label
from ecosystem.inputs.catalogue import outcomes, parameters
from ecosystem.inputs.faults import InputError
from ecosystem.inputs.world.loader import load_world
from ecosystem.outcomes import measure
from ecosystem.runs import chunk as core
from ecosystem.runs.result import Result

COLUMNS = [
    "scenario",
    "shock",
    "replicate",
    "point",
    "period",
    "outcome",
    "region",
    "tier",
    "kind",
    "domain",
    "value",
]
UNTIL = "2027Q1"
SHOCK = "ai_winter:0.5:2026Q1"


def run(scenarios: Any = ("history", "demand_first"), **others: Any) -> Result:
    arguments: dict[str, Any] = {
        "replicates": 2,
        "seed": 3,
        "until": UNTIL,
        "world": "teaching",
        "jobs": 1,
    }
    return simulate(scenarios, **arguments | others)


@pytest.fixture(scope="module")
def result() -> Result:
    return run()


def test_every_outcome_of_the_table_is_there_and_has_the_entries_it_says(result: Result) -> None:
    assert list(result.series) == list(outcomes())
    assert set(result.summaries) == set(outcomes())
    last = period_index(UNTIL)
    for name, values in result.series.items():
        entries = result.entries(name)[1]
        assert values.shape == (2, 2, last + 1, len(entries)), name
        assert result.summaries[name].shape == (2, 2, len(entries)), name
        assert np.isfinite(values).all(), name


def test_numbers_are_those_of_the_step(result: Result) -> None:
    """Scenario 1, replicate 1, quarter by quarter."""
    setting = setting_of("demand_first", seed=3, replicates=(1,), fixed=False)
    for t, (quarter, _) in enumerate(quarters(setting, period_index(UNTIL))):
        for name, values in measure(quarter, setting).items():
            np.testing.assert_array_equal(result.series[name][1, 1, t], values[0], err_msg=name)


def test_the_frame_is_tidy(result: Result) -> None:
    frame = result.to_frame()
    assert list(frame.columns) == COLUMNS
    assert len(frame) == sum(values.size for values in result.series.values())
    assert not frame.duplicated(COLUMNS[:-1]).any()
    assert set(frame["scenario"]) == {"history", "demand_first"}
    assert set(frame["shock"]) == {"none"}
    assert set(frame["point"]) == {0}
    assert list(frame["period"].cat.categories) == [
        period_label(t) for t in range(period_index(UNTIL) + 1)
    ]
    for name, row in outcomes().items():
        part = frame[frame["outcome"] == name]
        column, entries = result.entries(name)
        assert column == ("region" if row.dimension == "prefecture" else row.dimension)
        for dimension in COLUMNS[6:10]:
            expected = set(entries) if dimension == column else {""}
            assert set(part[dimension]) == expected, name


def test_the_frame_holds_the_series(result: Result) -> None:
    frame = result.to_frame().set_index(COLUMNS[:-1])["value"]
    for name in ("patents", "use_by_kind", "servers_by_prefecture", "ai_firm_sales"):
        column, entries = result.entries(name)
        for place, entry in enumerate(entries):
            blank = dict.fromkeys(COLUMNS[6:10], "")
            if column:
                blank[column] = entry
            key = ("demand_first", "none", 1, 0, "2026Q2", name, *blank.values())
            value = result.series[name][1, 1, period_index("2026Q2"), place]
            assert frame.loc[key] == value


def test_summaries_by_hand(result: Result) -> None:
    """Present value and sum count from 2025Q3 on, means the last year, ends the last quarter."""
    last = period_index(UNTIL)
    rate = result.draw_values["public_discount_rate"][None, :, None, None]
    age = (np.arange(last + 1) - POLICY_START) / 4
    weights = {
        "present_value": (1 + rate) ** -age[None, None, :, None] * (age >= 0)[:, None],
        "sum": (age >= 0)[None, None, :, None] * 1.0,
        "end": (np.arange(last + 1) == last)[None, None, :, None] * 1.0,
        "last_year_mean": (np.arange(last + 1) > last - 4)[None, None, :, None] / 4,
    }
    assert {row.time_base for row in outcomes().values()} == set(weights)
    for name, row in outcomes().items():
        expected = (result.series[name] * weights[row.time_base]).sum(axis=2)
        np.testing.assert_allclose(
            result.summaries[name], expected, rtol=1e-9, atol=1e-9, err_msg=name
        )


def test_before_the_packages_summaries_count_from_the_start() -> None:
    short = run("history", until="2020Q3")
    for name, weight in {"births": np.ones(3), "pue": np.ones(3) / 3}.items():
        expected = (short.series[name][..., 0] * weight).sum(axis=2)
        np.testing.assert_allclose(short.summaries[name][..., 0], expected)
    rate = short.draw_values["public_discount_rate"]
    factor = (1 + rate[:, None]) ** -np.array([0, 0.25, 0.5])
    worth = (short.series["tax_receipts"][0, ..., 0] * factor).sum(axis=1)
    np.testing.assert_allclose(short.summaries["tax_receipts"][0, :, 0], worth)


def test_the_summary_frame(result: Result) -> None:
    summary = result.summary()
    assert list(summary.columns) == [column for column in COLUMNS if column != "period"]
    assert len(summary) == sum(values.size for values in result.summaries.values())
    part = summary[(summary["outcome"] == "patents") & (summary["scenario"] == "history")]
    np.testing.assert_array_equal(part["value"], result.summaries["patents"][0, :, 0])


def test_without_series_the_summaries_stay_the_same(result: Result) -> None:
    brief = run(series=False)
    assert not brief.series
    for name, values in result.summaries.items():
        np.testing.assert_array_equal(brief.summaries[name], values, err_msg=name)


def test_the_dataset(result: Result) -> None:
    data = result.to_xarray()
    assert isinstance(data, xr.Dataset)
    assert set(data.data_vars) == set(outcomes())
    assert data["patents"].dims == ("scenario", "replicate", "period")
    assert data["use_by_kind"].dims == ("scenario", "replicate", "period", "kind")
    assert data["energy"].attrs["unit"] == outcomes()["energy"].unit
    picked = data["use_by_kind"].sel(
        scenario="demand_first", replicate=1, period="2026Q4", kind="intelligent"
    )
    t, kind = period_index("2026Q4"), result.world.kinds.index("intelligent")
    assert float(picked) == result.series["use_by_kind"][1, 1, t, kind]


@pytest.mark.slow
def test_titles_draws_and_shocks(result: Result) -> None:
    assert result.scenarios == ("history", "demand_first")
    assert all(title["en"] and title["zh"] for title in result.titles.values())
    assert result.draws.shape == (2, len(result.varied))
    for name in result.varied:
        row = parameters()[name]
        assert row.low is not None and row.high is not None
        assert result.draws[name].between(row.low, row.high).all()
    shocked = run("history", shock=SHOCK, outcomes=["compute_exported"])
    assert shocked.shocks == (SHOCK,)
    before, after = slice(0, period_index("2026Q1")), period_index("2026Q2")
    mine = result.series["compute_exported"][0, ..., 0]
    its = shocked.series["compute_exported"][0, ..., 0]
    np.testing.assert_array_equal(its[:, before], mine[:, before])
    assert (its[:, after] < mine[:, after]).all()


def test_only_wanted_outcomes_are_kept(result: Result) -> None:
    few = run(outcomes=["patents", "pue", "patents"])
    assert list(few.series) == list(few.summaries) == ["patents", "pue"]
    np.testing.assert_array_equal(few.series["pue"], result.series["pue"])


@pytest.mark.slow
def test_given_parameters_hold_in_every_run_and_are_not_varied(result: Result) -> None:
    given = run(parameters={"loan_share": 0.5, "hype": 0.1})
    assert (given.draw_values["loan_share"] == 0.5).all()
    assert set(result.varied) - set(given.varied) == {"loan_share", "hype"}
    others = set(result.draw_values) - {"loan_share", "hype"}
    for name in others:
        np.testing.assert_array_equal(given.draw_values[name], result.draw_values[name])
    assert not np.array_equal(given.series["halls"], result.series["halls"])
    held = Scenario(parameters={"loan_share": 0.5, "hype": 0.1}, name="held")
    same = run([held, "history"])
    np.testing.assert_array_equal(same.series["halls"][0], given.series["halls"][0])
    np.testing.assert_array_equal(same.series["halls"][1], result.series["halls"][0])


def test_fixed_parameters_leave_luck_alone_to_differ() -> None:
    fixed = run("history", fixed_parameters=True, until="2020Q4")
    assert fixed.varied == ()
    assert fixed.draws.shape == (2, 0)
    for name, row in parameters().items():
        assert (fixed.draw_values[name] == row.default).all()
    patents = fixed.series["patents"][0, ..., 0]
    assert not np.array_equal(patents[0], patents[1])


def test_progress_counts_all_runs() -> None:
    seen: list[tuple[int, int]] = []
    run(until="2020Q2", progress=lambda done, every: seen.append((done, every)))
    assert seen == [(0, 4), (2, 4), (4, 4)]


WRONG = {
    "replicates": (0, -1, 2.5, True),
    "seed": (-1, 0.5),
    "jobs": (-2, 0, 1.5),
    "until": ("2019Q4", "2036Q1", "2030", "2030Q5", 2030),
    "outcomes": (["patents", "utilization"], "utilization", [], 5),
    "world": ("teching",),
    "shock": ("ai_wintr", "ai_winter:5", "ai_winter:0.4:2040Q1", ["ai_wintr"], 0, ""),
    "parameters": ({"hyp": 0.1}, {"hype": 5.0}, {"hype": "much"}, {"hype": math.nan}, ["hype"]),
    "fixed_parameters": ("no", 1, None),
    "series": ("no",),
    "scenarios": ("histry", ["history", "no_such"], 5, None),
}


@pytest.mark.parametrize(
    ("argument", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_wrong_arguments_are_refused(argument: str, value: Any) -> None:
    with pytest.raises(InputError) as caught:
        run(value) if argument == "scenarios" else run("history", **{argument: value})
    assert len(caught.value.faults) == 1


def test_one_outcome_is_named_without_a_list_and_numbers_may_be_of_numpy() -> None:
    found = run("history", until="2020Q2", outcomes="pue", replicates=np.int64(2), seed=np.int8(3))
    assert list(found.series) == ["pue"]
    same = run("history", until="2020Q2", outcomes=["pue"]).series["pue"]
    np.testing.assert_array_equal(found.series["pue"], same)


def test_all_wrong_numbers_at_once_with_the_nearest_name() -> None:
    with pytest.raises(InputError) as caught:
        run("history", replicates=0, seed=-1, until="x", outcomes=["utilization"], jobs=-1)
    text = str(caught.value)
    for part in ("replicates", "seed", "until", "outcomes", "jobs", "utilisation"):
        assert part in text


def test_a_number_that_is_not_finite_stops_the_run_and_says_where(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(quarter: Any, setting: Any, names: Any) -> dict[str, np.ndarray]:
        values = measure(quarter, setting, names)
        if quarter.state.period == 5 and "patents" in values:
            values["patents"] = values["patents"] * np.array([[1.0], [np.nan]])
        return values

    monkeypatch.setattr("ecosystem.runs.chunk.measure", broken)
    with pytest.raises(FloatingPointError) as caught:
        run("history", until="2022Q1")
    for part in ("history", "patents", "2021Q2", "replicate 1", "seed 3"):
        assert part in str(caught.value)
    assert run("history", until="2022Q1", outcomes=["pue"]).series["pue"].size


def test_a_folder_of_tables_is_a_world(tmp_path: Path, result: Result) -> None:
    from helpers import copied_world

    folder = copied_world(tmp_path / "mine")
    mine = run(world=folder)
    np.testing.assert_array_equal(mine.series["patents"], result.series["patents"])


def test_chunks_share_the_runs_evenly() -> None:
    world = load_world("full")
    largest = core.SLOTS_A_CHUNK // world.firms.count
    for replicates in (1, largest, largest + 1, 5 * largest - 3):
        tasks = run_design(cross("history", replicates=replicates)).tasks
        sizes = [len(task) for task in tasks]
        assert sum(sizes) == replicates
        assert max(sizes) <= largest
        assert max(sizes) - min(sizes) <= 1
        assert [r for task in tasks for r in task.replicate] == list(range(replicates))


@pytest.mark.slow
def test_a_directory_gives_what_memory_gives(tmp_path: Path) -> None:
    """Outcomes of every time base, asked for in an order of the user's own."""
    given = {"replicates": 2, "until": "2026Q4", "world": "teaching", "jobs": 1}
    names = ["fill", "patents", "ai_firms", "local_value_added_net", "servers"]
    here = simulate(["article", "history"], outcomes=names, **given)
    there = simulate(["article", "history"], outcomes=names, out=tmp_path, **given)
    for name in names:
        np.testing.assert_array_equal(there.summaries[name], here.summaries[name])
        np.testing.assert_array_equal(there.series[name], here.series[name])
