"""Rolling origins: what was known when, weights of runs, and the rows that are asked for."""

import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from calibration import forecast, history, validate
from calibration.history import judged, known_at, known_figures, last_day, origins, quarter_end
from calibration.records import INFORMATION_END, sources, statistics
from calibration.scores import crps
from calibration.targets import load_targets
from ecosystem.inputs.calendar import POLICY_START, period_index
from ecosystem.maths.arrays import Array

RUNS, QUARTERS = 200, forecast.LAST + 1
ASKED = {
    ("compute_pflops_nameplate", "qingyang"), ("compute_pflops_nameplate", "gansu"),
    ("compute_pflops_servers", "qingyang"), ("standard_racks", "qingyang"),
    ("qingyang_digital_subsidiaries_registered", "qingyang"), ("rd_expenditure", "gansu"),
    ("invention_patents_granted", "gansu"), ("hightech_enterprises", "gansu"),
    ("intelligent_compute_eflops", "china"), ("use", "china"),
}  # fmt: skip


@pytest.fixture(scope="module")
def runs() -> dict[str, Array]:
    """Observables that grow steadily, with runs apart; the model is given the nation's compute."""
    rng = np.random.default_rng(5)
    level = np.exp(rng.normal(0, 0.3, (RUNS, 1)) + 0.04 * np.arange(QUARTERS))
    size = {"level": 1000.0, "growth": 50.0}
    return {
        one.observable: size[one.relation] * level
        for one in judged().values()
        if one.name != "national_compute"
    }


@pytest.mark.parametrize(
    ("date", "day"), [("2024", "2024-12-31"), ("2024-02", "2024-02-29"), ("2024-06-19",) * 2]
)
def test_a_date_is_the_last_day_it_names(date: str, day: str) -> None:
    assert last_day(date) == datetime.date.fromisoformat(day)


def test_quarters_end_where_the_calendar_says() -> None:
    ends = {quarter: quarter_end(period_index(quarter)) for quarter in ("2020Q1", "2025Q2")}
    assert {one: day.isoformat() for one, day in ends.items()} == {
        "2020Q1": "2020-03-31", "2025Q2": INFORMATION_END,
    }  # fmt: skip
    assert quarter_end(-1).isoformat() == "2019-12-31"


@pytest.mark.parametrize("name", list(judged()))
def test_nothing_is_known_before_it_came_out(name: str) -> None:
    series = judged()[name]
    published = {
        (one.date, one.value): one
        for one in statistics()
        if one.series in series.figures.split() and one.region in series.regions.split()
    }
    assert history.figures(series)
    for figure in history.figures(series):
        one = next(
            item
            for (date, value), item in published.items()
            if (last_day(date), value) == (figure.day, figure.value)
        )
        out = sources()[one.source].published
        if one.note.endswith("one vintage"):
            assert figure.out.isoformat() == f"{figure.day.year + 1}-12-31"
        else:
            assert figure.out == min(last_day(out or "2025"), last_day(INFORMATION_END))
    for origin in origins(series):
        day = quarter_end(origin)
        assert day < last_day(INFORMATION_END)
        known = known_figures(series, day)
        assert known and all(one.out <= day for one in known)
        to_come = history.to_come(series, origin)
        assert all(one.out > day and one.day > known[-1].day for one in to_come)
        assert not any(one.bound for one in to_come)


def test_a_figure_published_late_enters_no_origin_before_its_publication() -> None:
    series = judged()["hub_nameplate"]
    assert known_at(series, last_day("2025-03-11")) is None
    known = known_at(series, last_day("2025-03-12"))
    assert known is not None and np.exp(known.logs) == pytest.approx([51_000])
    targets = [one for one in load_targets() if one.name == "hub_compute_2024q4"]
    found = [validate.known_targets(targets, period_index(q)).item() for q in ("2024Q4", "2025Q1")]
    assert found == [False, True]


def test_growth_is_known_when_both_its_figures_are() -> None:
    targets = [one for one in load_targets() if one.name == "province_high_technology_growth"]
    assert (targets[0].base_date, targets[0].date) == ("2020", "2024")
    found = [validate.known_targets(targets, period_index(q)).item() for q in ("2025Q1", "2025Q2")]
    assert found == [False, True]  # the figure of 2024 came out on 2025-04-10


def test_the_newest_plan_replaces_those_before_it() -> None:
    racks = judged()["hub_racks"]
    plans = [
        np.exp(history.newest(racks.name, "plan", last_day(day))[1])
        for day in ("2022-02", "2022-05", "2022-07", "2025-03")
    ]
    assert [plan.round().tolist() for plan in plans] == [
        [], [400_000], [300_000, 800_000], [100_000],
    ]  # fmt: skip


def test_a_likelihood_is_tempered_until_enough_runs_are_left() -> None:
    fit = -0.5 * np.linspace(0, 40, 500) ** 2
    weights, exponent = validate.weigh(fit, least=50)
    assert 0 < exponent < 1 and validate.effective(weights) == pytest.approx(50, rel=1e-3)
    flat, whole = validate.weigh(fit / 1e6, least=50)
    assert whole == 1 and validate.effective(flat) > 490
    fit[::2] = -np.inf
    weights, exponent = validate.weigh(fit, least=1000)
    assert exponent == 0 and weights[1::2] == pytest.approx(1 / 250) and not weights[::2].any()
    with pytest.raises(ValueError, match="ruled out"):
        validate.weigh(np.full(3, -np.inf))


def test_the_record_scores_model_and_rulers_at_the_same_origins(runs: dict[str, Array]) -> None:
    targets = [one for one in load_targets() if one.observable == "nameplate"]
    fits = np.random.default_rng(1).normal(size=(RUNS, len(targets)))
    record = validate.validate(runs, fits, targets)
    known = record[record["by"] == "model"].set_index(["name", "origin", "date"])
    assert (known["exponent"] == 1).all()
    early = known.xs("2024Q2", level="origin")
    assert early["effective"].to_numpy() == pytest.approx(RUNS)  # no nameplate had been published
    assert record.groupby(["name", "origin", "date"])["by"].agg(lambda by: by.is_unique).all()
    row = record[(record["by"] == "no_change") & (record["name"] == "hub_racks")].iloc[-1]
    assert row["median"] == pytest.approx(20_000) and row["published"] == 31_000
    assert row["error"] == pytest.approx(np.log(31 / 20))


def test_the_model_is_called_worse_exactly_where_it_scores_worse() -> None:
    rows = []
    for by, spread in (("model", 1.0), ("good", 0.1), ("bad", 9.0)):
        members = spread * np.linspace(-2, 2, 41)
        for date in ("2024-06-30", "2024-09-30"):
            about = {"name": "a", "origin": "2024Q1", "date": date, "by": by}
            rows.append(about | {"crps": crps(members, 0.0), "error": 0.0, "place": 0.5})
    rows[-1]["date"] = "2030-12-31"  # a figure that the model does not forecast is not counted
    table = validate.summary(pd.DataFrame(rows)).set_index("by")
    assert table["worse"].drop("model").to_dict() == {"good": 1, "bad": 0}
    assert table["figures"].to_dict() == {"model": 2, "good": 2, "bad": 1}
    (verdict,) = validate.verdicts(table.reset_index())
    assert (verdict["worse"], verdict["better"], verdict["best"]) == (["good"], ["bad"], "good")
    assert verdict["small"]


def test_the_forecast_has_the_rows_asked_for_and_no_other(runs: dict[str, Array]) -> None:
    frame, made = forecast.forecast(runs)
    assert tuple(frame.columns) == forecast.COLUMNS
    dates = [quarter_end(q).isoformat() for q in range(POLICY_START, period_index("2030Q4") + 1)]
    assert (dates[0], dates[-1], len(dates)) == ("2025-09-30", "2030-12-31", 22)
    asked = {(*one, date) for one in ASKED for date in dates}
    found = list(frame[["series", "region", "date"]].itertuples(index=False, name=None))
    assert set(found) == asked and len(found) == len(asked)
    order = frame[["q05", "q25", "median", "q75", "q95"]].to_numpy()
    assert (np.diff(order, axis=1) >= 0).all() and (order > 0).all()
    assert set(frame["by"]) <= {"model", "model with share", "benchmark"}
    by = frame.groupby(["series", "region"])["by"].agg(set)
    assert by["intelligent_compute_eflops", "china"] == {"benchmark"}
    assert by["compute_pflops_servers", "qingyang"] == {"model"}
    assert set(made) == {" ".join(one) for one in ASKED}


def test_the_model_speaks_for_the_part_it_makes() -> None:
    series = judged()["technology_firms"]
    last = known_figures(series, history.LAST_DAY)[-1]
    sure = series.model_copy(update={"log_sd": 0.0})
    for part, by in ((0.09, "benchmark"), (0.5, "model with share"), (1.0, "model with share")):
        steady = {series.observable: np.full((RUNS, QUARTERS), part * last.value)}
        members, told = forecast.ahead(sure, steady)
        assert told["by"] == by and told["part_of_series"] == pytest.approx(part, abs=1e-3)
    assert np.exp(members) == pytest.approx(last.value)


def test_a_benchmark_widens_with_the_distance(runs: dict[str, Array]) -> None:
    frame, _ = forecast.forecast(runs)
    for _, rows in frame[frame["by"] == "benchmark"].groupby("series"):
        assert (np.diff(np.log(rows["q95"] / rows["q05"])) > 0).all()


def test_the_note_names_what_made_the_file(runs: dict[str, Array], tmp_path: Path) -> None:
    frame = forecast.write_forecast(tmp_path, runs, {"world": "full"})
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "forecast.csv"), frame, rtol=1e-5)
    note = pd.read_json(tmp_path / "forecast.json", typ="series")
    assert (note["file"], note["world"]) == ("forecast.csv", "full")
    assert note["code"].keys() == {"tables", "packages", "code", "calibration"}
    assert {"version", "commit"} <= {*note.index}
