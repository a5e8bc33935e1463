"""A user's own figures: what is right becomes targets, what is wrong is said at once."""

from pathlib import Path

import numpy as np
import pytest

from calibration.likelihood import log_likelihood
from calibration.read import read_data, template
from calibration.simulated import OBSERVED
from ecosystem.inputs.faults import InputError
from experiments.command.listing import check

HEADER = "series,date,value,unit,log_sd,base_date,bound,published"
RIGHT = "recruited_branches,2024-06,153,count,0.3,,,"


def wrong(tmp_path: Path, *lines: str) -> list[str]:
    """Return the faults of a file, a line each."""
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_data(path)
    return [str(fault) for fault in error.value.faults]


def test_the_template_is_right(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text(template(), encoding="utf-8-sig")
    targets = read_data(path)
    assert [(t.observable, t.period, t.value, t.use) for t in targets] == [
        ("published_compute", 17, 12000, "fit"),
        ("recruited_branches", 17, 153, "fit"),
        ("hub_occupancy", 17, 80, "comparison"),
        ("ai_firms", 19, 1.33, "fit"),
    ]
    assert targets[0].log_sd == 0.1 and targets[-1].base_period == 3
    assert {target.observable for target in targets} <= set(OBSERVED)
    assert str(path) in check([path])


def test_every_fault_is_said_at_once_with_row_and_column(tmp_path: Path) -> None:
    faults = wrong(
        tmp_path,
        HEADER,
        RIGHT,
        "recruited_branch,2024-06,153,count,0.3,,,",
        "recruited_branches,2024-03,nan,firms,0.3,,,",
        "recruited_branches,2019,-1,count,0,,,",
        "recruited_branches,2025-09,1,count,0.3,,,",
        "recruited_branches,2024-13,1,count,,,,2024-02-30",
        "site_nameplate,2024,1,PFLOPS,0.3,,,",
        "ai_firms,2023,2,count,0.3,2024,about,2022",
        "ai_firms,2023",
        ",2023,1,count,0.3,,,",
    )
    places = [fault.split(" ")[0].rstrip(":") for fault in faults]
    assert places == [
        "mine.csv:10",
        "mine.csv:3:series",
        "mine.csv:4:value",
        "mine.csv:4:unit",
        "mine.csv:5:value",
        "mine.csv:5:log_sd",
        "mine.csv:5:date",
        "mine.csv:6:date",
        "mine.csv:7:log_sd",
        "mine.csv:7:date",
        "mine.csv:7:published",
        "mine.csv:8:series",
        "mine.csv:9:bound",
        "mine.csv:9:unit",
        "mine.csv:9:base_date",
        "mine.csv:9:published",
        "mine.csv:10:value",
        "mine.csv:10:unit",
        "mine.csv:10:log_sd",
        "mine.csv:11:series",
    ]
    assert "nearest valid name: recruited_branches" in faults[1]
    assert "'firms' is not valid; allowed: count" in faults[3]
    assert "2020Q1 to 2025Q2" in faults[6]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b"series,date,value,unit\n", "no figure"),
        (b"series;date;value;unit\nai_firms;2024;1;count\n", "comma-separated"),
        ("series,date,value,unit,note\nai_firms,2024,1,count,甘肃\n".encode("gbk"), "UTF-8"),
    ],
)
def test_a_file_that_is_no_table_is_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_data(path)
    assert len(error.value.faults) == 1 and words in str(error.value)


def test_the_same_figure_twice_is_refused(tmp_path: Path) -> None:
    assert wrong(tmp_path, HEADER, RIGHT, RIGHT) == [
        "mine.csv:3:date: '2024-06' is not valid; allowed: a figure once (see row 2)"
    ]


@pytest.mark.parametrize(
    ("value", "bound", "agrees"),
    [(500, "", True), (600, "", False), (600, "upper", True), (600, "lower", False)],
)
def test_figures_of_a_quarter_may_not_contradict_each_other(
    tmp_path: Path, value: float, bound: str, agrees: bool
) -> None:
    """With errors of 0.3 each, three standard deviations are a factor of 3.57: up to 546."""
    other = f"recruited_branches,2024-05,{value},count,0.3,,{bound},"
    path = tmp_path / "mine.csv"
    path.write_text("\n".join([HEADER, RIGHT, other]), encoding="utf-8")
    if agrees:
        assert len(read_data(path)) == 2
    else:
        faults = wrong(tmp_path, HEADER, RIGHT, other)
        assert len(faults) == 1 and faults[0].startswith("mine.csv:3:value") and "153" in faults[0]


def test_figures_of_a_user_are_held_against_runs(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(template(), encoding="utf-8")
    targets = read_data(path)
    shown = {target.observable: np.full((2, 22), target.value) for target in targets}
    fits = log_likelihood(targets, shown)
    assert fits.shape == (2, 4) and fits[:, :3].tolist() == [[0, 0, 0]] * 2
