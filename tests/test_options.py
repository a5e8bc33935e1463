"""One table of options: checked once, the same words in every face."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import Field

from ecosystem import InputError
from ecosystem.inputs.options import Options, Whole, face
from ecosystem.inputs.scenario import Scenario
from experiments import compare, decompose


class Asked(Options):
    """Options of a toy."""

    scenarios: Any = Field(None, description="Package names.")
    replicates: Whole = Field(100, description="Number of pairs.")


@face(Asked, positional=("scenarios",))
def asked(given: Asked) -> Asked:
    """Return what was asked.

    {parameters}
    """
    return given


WRONG = [
    ({"replicates": 0}, "replicates: 0 is not valid; allowed: a whole number of at least 1"),
    ({"replicates": True}, "replicates: True is not valid; allowed: a whole number of at least 1"),
    ({"seed": "a"}, "seed: 'a' is not valid; allowed: a whole number of at least 0"),
    ({"until": "2050Q1"}, "until: '2050Q1' is not valid; allowed: a quarter from 2020Q1"),
    ({"shock": 3}, "shock: 3 is not valid; allowed: one shock as a text"),
    ({"parameters": {"hype": "x"}}, "parameters.hype: 'x' is not valid; allowed: a number from"),
    ({"fixed_parameters": "no"}, "fixed_parameters: 'no' is not valid; allowed: true or false"),
    ({"outcomes": ["patent"]}, "outcomes: 'patent' is not valid; .*; nearest valid name: patents"),
    ({"outcomes": [["patents"]]}, r"outcomes: \['patents'\] is not valid; allowed: one of"),
    ({"outcomes": []}, r"outcomes: \[\] is not valid; allowed: at least one outcome"),
    ({"jobs": 0}, "jobs: 0 is not valid; allowed: a whole number of at least 1"),
    ({"executor": "proceses"}, "executor: 'proceses' .*; nearest valid name: processes"),
    ({"world": 5}, "world: 5 is not valid; allowed: full, teaching or a folder"),
    ({"world": "teachin"}, "world: 'teachin' .*; nearest valid name: teaching"),
    ({"cluster": 5}, "cluster: 5 .* the address of a Dask scheduler"),
    ({"progress": 3}, "progress: 3 .* a function of the number of finished"),
    ({"executor": np.ones(2)}, "executor: array.*one of processes, serial, dask"),
    ({"out": 5}, "out: 5 is not valid; allowed: a folder"),
    ({"replicate": 5}, "replicate: 'replicate' .*; nearest valid name: replicates"),
]


@pytest.mark.parametrize("given, words", WRONG, ids=[str(given) for given, _ in WRONG])
def test_each_fault_is_one_line(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=f"^{words}") as caught:
        asked(**given)
    assert len(caught.value.faults) == 1


def test_all_faults_come_at_once() -> None:
    with pytest.raises(InputError) as caught:
        asked(replicates=0, seed=-1, jobs=0)
    assert [fault.place for fault in caught.value.faults] == ["replicates", "seed", "jobs"]


def test_what_is_read_is_plain() -> None:
    found = asked(
        "history", replicates=np.int64(3), shock="ai_winter", out="~/runs", outcomes="patents"
    )
    assert (found.scenarios, found.replicates, found.shock) == ("history", 3, ("ai_winter",))
    assert type(found.replicates) is int and found.outcomes == ("patents",)
    assert "~" not in str(found.out) and found.last == 63
    assert found.with_(seed=5).seed == 5 and found.as_(Options, jobs=1).replicates == 3


def test_signature_and_help_are_made_from_the_fields() -> None:
    shown = inspect.signature(asked).parameters
    assert list(shown)[0] == "scenarios" and set(shown) == set(Asked.model_fields)
    assert shown["replicates"].default == 100
    assert shown["seed"].kind is inspect.Parameter.KEYWORD_ONLY
    for field in Asked.model_fields.values():
        assert str(field.description).split()[0] in str(asked.__doc__)


def test_arguments_by_place_are_those_named() -> None:
    with pytest.raises(TypeError, match="at most 1 arguments by place"):
        asked("history", 3)
    with pytest.raises(TypeError, match="scenarios twice"):
        asked("history", scenarios="none")


# ---- what is wrong with a comparison

SMALL: dict[str, Any] = {"replicates": 3, "until": "2026Q2", "world": "teaching", "jobs": 1}
WRONG_COMPARISON = [
    ("until", "2024Q4", "a quarter from 2025Q3 to 2035Q4"),
    ("until", "2025Q2", "a quarter from 2025Q3 to 2035Q4"),
    ("fixed_parameters", "no", "true or false"),
    ("replicates", "5", "a whole number of at least 1"),
    ("parameters", ["hype"], "a table of names and values"),
    ("outcomes", [], "at least one outcome"),
    ("outcomes", "patent", "nearest valid name: patents"),
    ("budget", "much", "a number of million yuan above 0"),
    ("shock", 0, "one shock as a text"),
    ("jobs", 0, "a whole number of at least 1"),
    ("seed", -1, "a whole number of at least 0"),
]


@pytest.mark.parametrize("ask", [compare, decompose])
@pytest.mark.parametrize(("name", "value", "words"), WRONG_COMPARISON)
def test_a_wrong_argument_is_one_fault(
    ask: Callable[..., Any], name: str, value: Any, words: str
) -> None:
    with pytest.raises(InputError) as error:
        ask("article", **{**SMALL, name: value})
    (fault,) = error.value.faults
    assert fault.place == name and words in str(fault)


def test_all_that_is_wrong_with_a_comparison_is_said_at_once() -> None:
    wrong: Any = {name: value for name, value, _ in WRONG_COMPARISON}
    with pytest.raises(InputError) as error:
        compare(["articl", "demand_cor"], world="teaching", **wrong)
    assert len(error.value.faults) == len(wrong) + 2


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(InputError, match="beside the reference"):
        compare(["history"], **SMALL)
    twice = [Scenario(["none"], name="x"), Scenario(["capex_only"], name="x")]
    with pytest.raises(InputError, match="differ"):
        compare(twice, **SMALL)
