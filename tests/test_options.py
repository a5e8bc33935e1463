"""One table of options: checked once, the same words in every face."""

import inspect
from typing import Any

import numpy as np
import pytest
from pydantic import Field

from ecosystem import InputError
from ecosystem.inputs.options import Options, Whole, face


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
