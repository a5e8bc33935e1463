"""Tables, faults and the calendar."""

import pickle
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.targets import observables
from docs.make.tables import loops, systems
from ecosystem.inputs import catalogue
from ecosystem.inputs.calendar import (
    HORIZON,
    POLICY_START,
    check_period,
    mid_year,
    period_index,
    period_label,
    year_end_period,
)
from ecosystem.inputs.faults import Fault, FaultList, InputError, nearest, retired
from ecosystem.inputs.scenario import package_names

HEADER = "name,symbol,meaning,unit,default,low,high,distribution,group,tag,source\n"
AGENT_CLASSES = {
    "Government",
    "DispatchCentre",
    "DataCentre",
    "EquipmentMaker",
    "University",
    "AIFirm",
    "IndustrialPark",
    "ComputeBuyer",
}


def test_every_table_reads():
    tables = (
        catalogue.parameters,
        catalogue.instruments,
        catalogue.shocks,
        catalogue.outcomes,
        catalogue.agents,
        catalogue.state_columns,
        catalogue.kinds,
        catalogue.tiers,
    )
    assert all(len(table()) > 0 for table in tables)


def test_names_that_point_into_another_table_exist_there():
    instruments, faults = catalogue.instruments(), FaultList()
    mechanisms = {**systems(), **loops()}
    for name, row in {**instruments, **catalogue.agents(), **mechanisms}.items():
        faults.name(f"{name}.expected_outcome", row.expected_outcome, catalogue.outcomes())
    for name, row in instruments.items():
        for other in row.excluded:
            faults.name(f"{name}.excludes", other, instruments)
    for name, outcome in catalogue.outcomes().items():
        for other in outcome.beside:
            faults.name(f"{name}.beside", other, catalogue.outcomes())
    for name, row in mechanisms.items():
        for other in (*row.off, *getattr(row, "instrument_names", ())):
            faults.name(name, other, instruments)
    faults.raise_if_any()


def test_instruments_of_the_table():
    rows = list(catalogue.instruments().values())
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert all(row.article_sentence for row in rows if row.number <= 18)
    assert all(row.ramp_quarters == (0 if row.type == "rule" else 4) for row in rows)


def test_levers_have_their_parameters():
    parameters = catalogue.parameters()
    for row in catalogue.instruments().values():
        if row.type == "programme":
            assert f"{row.name}_effectiveness" in parameters
        if row.type == "programme" and row.name != "hub_readiness":
            assert f"{row.name}_maximum" in parameters
            assert parameters[f"{row.name}_scale"].default == row.spending_default
            assert row.spending_high == 3 * row.spending_default


def test_every_kind_of_agent_decides():
    rows = catalogue.agents().values()
    assert {row.class_name for row in rows} == AGENT_CLASSES
    stages = files("ecosystem") / "stages"
    assert all((stages / row.stage_file.split("/")[-1]).is_file() for row in rows)


def test_a_table_reports_every_fault_at_once():
    text = HEADER + (
        "low_default,,m,,0,1,2,uniform,g,a,\n"
        "no_number,,m,,x,1,2,uniform,g,a,\n"
        "odd,,m,,1,0,2,normal,g,a,\n"
        "twice,,m,,1,,,fixed,g,a,\n"
        "twice,,m,,1,,,fixed,g,a,\n"
        "short,,m\n"
        "log,,m,,0,0,2,loguniform,g,a,\n"
        "endless,,m,,inf,,,fixed,g,a,\n"
        "no_range,,m,,1,,,uniform,g,a,\n"
    )
    with pytest.raises(InputError) as caught:
        catalogue.read_rows(text, catalogue.Parameter, "p.csv")
    faults = caught.value.faults
    assert [fault.place for fault in faults] == [
        "p.csv:2", "p.csv:3:default", "p.csv:4:distribution", "p.csv:6", "p.csv:7", "p.csv:8",
        "p.csv:9:default", "p.csv:10",
    ]  # fmt: skip
    assert [fault.value for fault in faults[:2]] == ["low_default", "x"]


def test_unknown_and_missing_columns_are_faults():
    text = "name,meaning,colour\nx,m,red\n"
    with pytest.raises(InputError) as caught:
        catalogue.read_rows(text, catalogue.Parameter, "p.csv")
    words = str(caught.value)
    assert "colour" in words and "default" in words and "distribution" in words


def test_an_instrument_has_the_money_of_its_type():
    good = next(iter(catalogue.instruments().values())).model_dump()
    for change in (
        {"spending_default": None},
        {"rate_default": 0.1},
        {"national_share": 1.0},
        {"spending_high": 1.0},
    ):
        with pytest.raises(ValueError):
            catalogue.Instrument.model_validate({**good, **change})


def test_a_shock_needs_the_times_of_its_profile():
    good = catalogue.shocks()["ai_winter"].model_dump()
    for change in ({"decay": None}, {"amplitude_default": 5}, {"start_default": "2040Q1"}):
        with pytest.raises(ValueError):
            catalogue.Shock.model_validate({**good, **change})


def test_a_fault_is_one_line_and_travels():
    fault = Fault("mine.toml: instrument[0].name", "compute\nvouchr", "a name", "compute_voucher")
    assert "\n" not in str(fault) and "nearest valid name: compute_voucher" in str(fault)
    error = InputError([fault, Fault("a", 1, "b")])
    again = pickle.loads(pickle.dumps(error))
    assert again.faults == error.faults and str(again).count("\n") == 1
    assert isinstance(error, ValueError)


def test_nearest_name():
    assert nearest("ai_wintr", ["hub_outage", "ai_winter"]) == "ai_winter"
    assert nearest("zzz", ["hub_outage"]) == ""


def test_a_retired_name_leads_to_its_successor() -> None:
    known = {*catalogue.parameters(), *package_names(), *observables()}
    for name, successor in retired().items():
        assert name not in known and successor in known
        assert nearest(name, known) == successor


@pytest.mark.parametrize(
    "value", [True, "1", None, float("nan"), float("inf"), 10**400, -1, 3, [], {}]
)
def test_what_is_not_a_number_in_range(value):
    faults = FaultList()
    assert faults.number("x", value, 0, 2) is None
    with pytest.raises(InputError, match="from 0 to 2"):
        faults.raise_if_any()


@given(st.integers(0, HORIZON - 1))
def test_quarters_have_one_name_each(index):
    assert period_index(period_label(index)) == index


def test_calendar_words():
    assert period_index("2020Q1") == 0 and period_index("2025Q3") == POLICY_START == 22
    assert period_label(HORIZON - 1) == "2035Q4"
    assert [year_end_period(year) for year in (2020, 2023)] == [3, 15]
    assert mid_year(0) == 2020.125


@pytest.mark.parametrize(
    "value",
    ["2019Q4", "2036Q1", "2025Q5", "2025q3", "2025Q3 ", "25Q3", "", 2025, None, "２０２５Q3"],
)
def test_what_is_not_a_quarter(value):
    faults = FaultList()
    assert check_period(faults, "x", value) is None
    assert len(faults.faults) == 1
    with pytest.raises(InputError, match="2020Q1 to 2035Q4"):
        faults.raise_if_any()
