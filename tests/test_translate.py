"""What pydantic refuses is said in our words: place, value, what is allowed, nearest name."""

from typing import Annotated, Any, Literal

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from ecosystem.inputs.faults import FaultList, real_number
from ecosystem.inputs.translate import name_among, number_from, read, read_by, read_what_fits


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, name_among(lambda: ["hub_steering", "ai_winter"])]
    rate: Annotated[float, number_from(0, 1, "share")] = 0.0
    active: bool = True


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    seed: int = Field(default=1, ge=0)
    share: float | None = Field(default=None, gt=0)
    any_number: Annotated[float, number_from()] = 0.0
    method: Literal["morris", "sobol"] = "morris"
    title: str = Field(default="x", description="a text in quotes")
    item: list[Item] = []
    names: list[str] = Field([], description="a list of names")
    values: dict[str, Annotated[float, number_from()]] = {}
    other: Item = Item(name="ai_winter")

    @field_validator("title")
    @classmethod
    def _short(cls, title: str) -> str:
        if len(title) > 9:
            raise ValueError("a short title")
        return title


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "low": ({"seed": -1}, "seed: -1 is not valid; allowed: a whole number of at least 0"),
    "not whole": ({"seed": 1.5}, "seed: 1.5 is not valid; allowed: a whole number of at least 0"),
    "range": (
        {"other": {"name": "ai_winter", "rate": 2}},
        "other.rate: 2 is not valid; allowed: a number from 0 to 1 (share)",
    ),
    "open": ({"share": 0}, "share: 0 is not valid; allowed: a number above 0"),
    "no number": ({"any_number": "1"}, "any_number: '1' is not valid; allowed: a finite number"),
    "choice": (
        {"method": "soboll"},
        "method: 'soboll' is not valid; allowed: one of morris, sobol; nearest valid name: sobol",
    ),
    "described": ({"title": 1.1}, "title: 1.1 is not valid; allowed: a text in quotes"),
    "validator": (
        {"title": "0123456789"},
        "title: '0123456789' is not valid; allowed: a short title",
    ),
    "key": (
        {"item": [{"name": "ai_winter", "rat": 1}]},
        "item[0].rat: 'rat' is not valid; allowed: one of name, rate, active; "
        "nearest valid name: rate",
    ),
    "missing": (
        {"item": [{}]},
        "item[0].name: None is not valid; allowed: a text",
    ),
    "name": (
        {"other": {"name": "ai_wintr"}},
        "other.name: 'ai_wintr' is not valid; allowed: one of hub_steering, ai_winter; "
        "nearest valid name: ai_winter",
    ),
    "truth": (
        {"item": [{"name": "ai_winter", "active": 1}]},
        "item[0].active: 1 is not valid; allowed: true or false",
    ),
    "no table": ({"item": [7]}, "item[0]: 7 is not valid; allowed: a table of names and values"),
    "no list": ({"names": "x"}, "names: 'x' is not valid; allowed: a list of names"),
    "list item": ({"names": ["x", 2]}, "names[1]: 2 is not valid; allowed: a text"),
    "mapping": ({"values": {"x": True}}, "values.x: True is not valid; allowed: a finite number"),
}


@pytest.mark.parametrize("case", CASES)
def test_one_fault_in_our_words(case: str) -> None:
    content, line = CASES[case]
    faults = FaultList()
    assert read(Asked, content, "mine.toml: ", faults) is None
    assert [str(fault) for fault in faults.faults] == [f"mine.toml: {line}"]


def test_all_faults_at_once_and_the_rest_is_kept() -> None:
    content = {"seed": True, "item": [{"name": "x", "rate": 2}, {}], "title": "mine", "sed": 3}
    faults = FaultList()
    asked = read_what_fits(Asked, content, "", faults)
    places = [fault.place for fault in faults.faults]
    assert places == ["seed", "item[0].name", "item[0].rate", "item[1].name", "sed"]
    assert asked == Asked(title="mine")
    assert read_what_fits(Asked, [1], "mine.toml: ", faults) == Asked()
    assert str(faults.faults[-1]).startswith("mine.toml: [1] is not valid; allowed: a table")


@pytest.mark.parametrize(
    "value",
    [1, 0.5, np.float32(0.5), np.int64(1), np.array(0.5), np.array(1), np.float64(1), np.uint8(1)],
)
def test_numbers(value: object) -> None:
    assert real_number(value) == float(value)  # type: ignore[arg-type]
    assert type(real_number(value)) is float
    assert read(Asked, {"any_number": value}, "", FaultList()) is not None


@pytest.mark.parametrize(
    "value",
    [
        True, "1", b"1", None, 1j, float("nan"), float("inf"), 10**400, [], {}, [1.0], (),
        np.True_, np.array(True), np.array("1"), np.str_("1"), np.complex128(1), np.array([1.0]),
        np.float32("nan"), np.datetime64("2025-01-01"), np.array(None, dtype=object),
    ],
)  # fmt: skip
def test_what_is_no_number(value: object) -> None:
    assert real_number(value) is None
    faults = FaultList()
    assert read(Asked, {"any_number": value}, "", faults) is None
    assert "a finite number" in str(faults.faults[0])


def test_a_fault_of_a_check_stands_inside_its_field_or_at_a_file() -> None:
    def check(faults: FaultList, value: Any) -> None:
        for place in ("", ".rate", "[0]", "hubs.csv:2"):
            faults.add(place, value, "something else")

    class Asked(BaseModel):
        hub: Annotated[Any, read_by(check)]

    faults = FaultList()
    assert read(Asked, {"hub": 3}, "mine.toml: ", faults) is None
    places = [fault.place for fault in faults.faults]
    assert places == ["mine.toml: hub", "mine.toml: hub.rate", "mine.toml: hub[0]", "hubs.csv:2"]
