"""The published figures, the targets and the observation model."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.history import judged
from calibration.likelihood import Ceiling, ceilings, log_likelihood, within_ceilings
from calibration.observe import log_error_sd, observation_model, published_compute
from calibration.records import INFORMATION_END, quarter_of, sources, statistics
from calibration.targets import load_targets, observables
from ecosystem.inputs.faults import InputError

HEADER = "name,series,region,date,base_date,observable,log_sd,share,use,note"


def last_day(date: str) -> str:
    """Return a date that is not before the last day of a year, month or day, for comparison."""
    return date + {4: "-12-31", 7: "-30", 10: ""}[len(date)]


def test_no_figure_is_about_a_day_after_the_information_set() -> None:
    assert len(statistics()) > 900
    assert [item for item in statistics() if last_day(item.date) > INFORMATION_END] == []


def test_no_source_was_published_after_the_information_set() -> None:
    """A bare year 2025 says too little: its figures must then be about an earlier year."""
    assert [item for item in sources().values() if item.published > INFORMATION_END] == []
    year_only = {key for key, item in sources().items() if item.published == INFORMATION_END[:4]}
    assert [
        item
        for item in statistics()
        if item.source in year_only and item.date >= INFORMATION_END[:4]
    ] == []


def test_every_figure_has_its_source_and_every_source_a_figure() -> None:
    assert {item.source for item in statistics()} == set(sources())


def test_figures_are_distinct_and_well_formed() -> None:
    keys = Counter((item.series, item.region, item.date, item.bound) for item in statistics())
    assert [key for key, count in keys.items() if count > 1] == []
    kinds = {"observation", "plan", "forecast", "rule", "prior"}
    assert {item.kind for item in statistics()} <= kinds
    assert {item.grade for item in statistics()} == {"A", "B", "C"}
    assert {item.bound for item in statistics()} == {"", "lower", "upper"}
    assert all(np.isfinite(item.value) and item.unit for item in statistics())
    ways = {"original", "copy", "transcription", "secondary"}
    assert {item.access for item in sources().values()} == ways


@pytest.mark.parametrize(
    ("date", "quarter"),
    [("2020", 3), ("2020-01", 0), ("2023-12-31", 15), ("2024-06-19", 17), ("2019-12", -1)],
)
def test_quarter_of_a_date(date: str, quarter: int) -> None:
    assert quarter_of(date) == quarter


@pytest.mark.parametrize("date", ["", "24-09", "2024-13", "2024-9", "2024Q3"])
def test_what_is_no_date_is_refused(date: str) -> None:
    with pytest.raises(ValueError, match="is not a year"):
        quarter_of(date)


def test_the_fitted_compute_changes_its_meaning_at_the_break() -> None:
    """Servers before it, halls after; two readings a week apart share one weight."""
    model = observation_model()
    fitted = [t for t in load_targets() if t.use == "fit" and t.region == "qingyang"]
    servers = [t for t in fitted if t.observable == "published_compute"]
    halls = [t for t in fitted if t.observable == "nameplate"]
    assert [(t.period, t.value) for t in servers] == [
        (15, 5000), (17, 12000), (18, 19000), (18, 21000)
    ]  # fmt: skip
    assert [(t.period, t.value, t.bound) for t in halls] == [(19, 51000, ""), (20, 50000, "lower")]
    assert servers[-1].period < model.break_period <= halls[0].period
    assert sum(t.weight for t in servers if t.period == 18) == 1


def test_a_figure_is_likely_where_a_run_shows_it_and_a_bound_counts_on_one_side() -> None:
    """By hand: a log error of .1, weights 1 and .5, twice the figure, half of it, and nothing."""
    one = next(t for t in load_targets() if t.name == "hub_compute_2024q3_early")
    bound = replace(one, bound="lower")
    shown = {"published_compute": one.value * np.array([[1.0], [2], [0.5], [0]]) * np.ones((4, 22))}
    found = log_likelihood([one, bound], shown)
    off = -0.25 * (np.log(2) / 0.1) ** 2
    nothing = -0.25 * (np.log(1000) / 0.1) ** 2
    np.testing.assert_allclose(found[:, 0], [0, off, off, nothing])
    np.testing.assert_allclose(found[:, 1], [0, 0, off, nothing])


def test_no_run_exceeds_a_ceiling() -> None:
    most = {name: np.full((2, 22), row.limit) for name, row in by_observable().items()}
    assert within_ceilings(most).all()
    for name, values in most.items():
        above = values * np.array([[1.0], [1.001]])
        assert within_ceilings({**most, name: above}).tolist() == [True, False]


def by_observable() -> dict[str, Ceiling]:
    return {row.observable: row for row in ceilings().values()}


def test_every_observable_is_used_and_grade_c_counts_less() -> None:
    targets = load_targets()
    used = {target.observable for target in targets} | set(by_observable())
    assert used | {row.observable for row in judged().values()} >= set(observables())
    assert next(t for t in targets if t.name == "province_compute_2024q4").weight == 0.3


def test_a_target_is_the_part_of_a_figure_that_the_model_holds_and_knows_its_day() -> None:
    target = next(t for t in load_targets() if t.name == "province_patents_2023")
    assert target.value == pytest.approx(0.07 * 3568)
    fitted = [t for t in load_targets() if t.use == "fit"]
    assert all(t.published <= INFORMATION_END for t in fitted)
    assert {t.published for t in fitted if t.name.startswith("hubs_")} == {"2024-09"}


def test_growth_is_the_ratio_of_two_figures() -> None:
    target = next(t for t in load_targets() if t.name == "province_high_technology_growth")
    assert (target.unit, target.base_period, target.period) == ("ratio", 3, 19)
    assert target.value == pytest.approx(2463 / 1229)


def test_all_cells_of_a_table_are_checked_at_once(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    lines = ["a,s,r,2024,,o,-1,1,fit,", "b,s,r,2024,,o,nan,2,train,", "c,s"]
    table.write_text("\n".join([HEADER, *lines]), encoding="utf-8")
    with pytest.raises(InputError) as error:
        load_targets(table)
    places = [fault.place for fault in error.value.faults]
    for place in ("2:log_sd", "3:log_sd", "3:share", "3:use", "4"):
        assert f"mine.csv:{place}" in places


def test_all_references_of_a_table_are_checked_at_once(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    lines = [
        "no_series,compute_pflop,qingyang,2024-06-19,,published_compute,,1,fit,",
        "no_region,compute_pflops,qingyan,2024-06-19,,published_compute,,1,fit,",
        "no_date,compute_pflops,qingyang,2024-06-20,,published_compute,,1,fit,",
        "too_early,rd_expenditure,gansu,2015,,research_spending,0.1,1,fit,",
        "no_observable,compute_pflops,qingyang,2024-06-19,,published,,1,fit,",
        "wrong_unit,compute_pflops,qingyang,2024-06-19,,racks_built,0.3,1,fit,",
        "no_error,standard_racks,qingyang,2024-06-19,,racks_built,,1,fit,",
    ]
    table.write_text("\n".join([HEADER, *lines]), encoding="utf-8-sig")
    with pytest.raises(InputError) as error:
        load_targets(table)
    faults = {fault.place.split()[1].split(".")[0]: fault for fault in error.value.faults}
    assert list(faults) == [line.split(",")[0] for line in lines]
    assert faults["no_series"].nearest == "compute_pflops"
    assert faults["no_region"].nearest == "qingyang"
    assert "2024-06-19" in faults["no_date"].allowed


def test_published_compute_is_servers_and_from_the_break_on_shells() -> None:
    model = observation_model()
    periods = np.arange(model.break_period - 2, model.break_period + 2)
    servers, shells = np.array([[1.0, 2, 3, 4]]), np.array([[10.0, 20, 30, 40]])
    assert published_compute(servers, shells, periods, model).tolist() == [[1, 2, 30, 40]]


@given(
    servers=st.lists(st.floats(0, 1e6), min_size=8, max_size=8),
    fill=st.floats(0, 1),
    first=st.integers(0, 50),
)
def test_published_compute_lies_between_servers_and_shells(
    servers: list[float], fill: float, first: int
) -> None:
    running = np.array(servers).reshape(2, 4)
    shells = running * (1 + fill)
    model = observation_model()
    published = published_compute(running, shells, np.arange(first, first + 4), model)
    slack = 1e-9 * shells
    assert np.all(published >= running - slack)
    assert np.all(published <= shells + slack)


def test_error_is_wider_after_the_break() -> None:
    model = replace(observation_model(), break_period=5)
    assert log_error_sd([4, 5, 6], model).tolist() == [
        model.log_sd_before,
        model.log_sd_after,
        model.log_sd_after,
    ]
    assert observation_model().break_period == quarter_of("2024-12") == 19
