"""What tells one run of a user's own functions from another: source, and all that it carries."""

import functools
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ensemble_models as models
import numpy as np
import pandas as pd
import pytest
from ensemble_runs import own

from ecosystem import Scenario, cross, simulate
from ecosystem.inputs.faults import InputError
from ecosystem.inputs.scenario import resolve
from ecosystem.runs.request import identity_of

LONG = 3000
"""Entries of an array that NumPy abbreviates when it writes it."""


def table(change: float) -> np.ndarray:
    values = np.zeros(LONG)
    values[LONG // 2] = change
    return values


def added(carried: Any, read: Callable[[Any], float] = lambda carried: carried.sum()) -> Any:
    """Return a model of what it carries, which cannot be pickled."""

    def model(runs: pd.DataFrame) -> np.ndarray:
        return runs["x1"].to_numpy() + read(carried)

    return model


def with_helper(change: float) -> Any:
    values = table(change)

    def helper() -> float:
        return float(values.sum())

    return added(helper, lambda helper: helper())


def with_default(change: float) -> Any:
    values = table(change)

    def model(runs: pd.DataFrame, added: np.ndarray = values) -> np.ndarray:
        return runs["x1"].to_numpy() + added.sum()

    return model


def calling_itself(change: float) -> Any:
    values = table(change)

    def model(runs: pd.DataFrame, again: bool = True) -> np.ndarray:
        return model(runs, False) if again else runs["x1"].to_numpy() + values.sum()

    return model


# One line, one name: only where on the line they end tells them apart.
NEIGHBOURS = (lambda runs: runs["x1"].to_numpy(), lambda runs: runs["x1"].to_numpy() + 1)

MODELS: dict[str, Callable[[float], Any]] = {
    "an array": lambda change: added(table(change)),
    "a frame": lambda change: added(
        pd.DataFrame({"a": table(change)}), lambda frame: frame["a"].sum()
    ),
    "a function's array": with_helper,
    "a list of functions": lambda change: added(
        [with_helper(change)], lambda helpers: helpers[0](pd.DataFrame({"x1": [0.0]}))[0]
    ),
    "a default value": with_default,
    "a function that calls itself": calling_itself,
    "an argument given beforehand": lambda change: functools.partial(
        lambda runs, more: runs["x1"].to_numpy() + more, more=change
    ),
    "an attribute": lambda change: models.Shifted(lambda: change),
    "a method's object": lambda change: models.Shifted(lambda: change).shifted,
    "the same line": lambda change: NEIGHBOURS[int(change)],
}


@pytest.mark.parametrize("case", MODELS)
def test_models_that_differ_get_results_of_their_own(case: str, tmp_path: Path) -> None:
    """Each has its own directory, and the same model built again finds its own."""
    first, second, again = (own(tmp_path, MODELS[case](change)) for change in (0.0, 1.0, 0.0))
    assert first.directory == again.directory != second.directory
    values = [runs.frame()["value"].to_numpy() for runs in (first, second, again)]
    np.testing.assert_array_equal(values[0] + 1, values[1])
    np.testing.assert_array_equal(values[0], values[2])


def known_by_name(runs: pd.DataFrame, values: Any = None) -> np.ndarray:
    return runs["x1"].to_numpy() + values.sum()


def test_a_default_value_of_a_function_of_a_module_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one computed from the data of a notebook: the source says its name alone."""
    digests = set()
    for change in (0.0, 1.0, 1.0):
        monkeypatch.setattr(known_by_name, "__defaults__", (table(change),))
        digests.add((identity_of(known_by_name) or {})["digest"])
    assert len(digests) == 2


@pytest.mark.slow
def test_an_edit_in_a_wrapped_function_is_seen(tmp_path: Path) -> None:
    """The wrapper stands under the function's name, in a file that does not change."""
    code = "from functools import wraps\ndef known(f):\n    @wraps(f)\n    def call(runs):\n"
    (tmp_path / "wrapping.py").write_text(f"{code}        return f(runs)\n    return call\n")
    digests = set()
    for factor in (1, 2):
        code = f"@known\ndef model(runs):\n    return {factor} * runs\n"
        (tmp_path / "wrapped.py").write_text(f"from wrapping import known\n{code}")
        code = "from wrapped import model\nfrom ecosystem.runs.request import identity_of\n"
        command = [sys.executable, "-B", "-c", f"{code}print(identity_of(model))"]
        paths = {"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[1]}"}
        digests.add(subprocess.run(command, env=paths, check=True, capture_output=True).stdout)
    assert len(digests) == 2


@pytest.mark.slow
def test_an_identity_is_the_same_in_every_process() -> None:
    """Addresses and the order of sets change from process to process."""
    code = "import test_ensemble_identity as here; print(*here.some_digests())"
    folder = Path(__file__).parent
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONPATH": f"{folder}:{folder.parent}", "PYTHONHASHSEED": seed},
            check=True, capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(found) == 1 and b"None" not in found.pop()


def some_digests() -> list[str]:
    """Return digests of a model with a set, an object without a representation, and a module."""
    carried = ({"one", "two", "three", "four"}, models.Shifted(table), np)
    return [(identity_of(added(one)) or {})["digest"] for one in carried]


def test_what_cannot_be_told_apart_is_named_and_needs_no_identity_unwritten(tmp_path: Path) -> None:
    lock = threading.Lock()

    def model(runs: pd.DataFrame) -> np.ndarray:
        with lock:
            return runs["x1"].to_numpy()

    with pytest.raises(InputError, match=r"<locals>\.model: lock: .*cannot pickle.* allowed: what"):
        own(tmp_path, model)
    assert list(tmp_path.iterdir()) == []
    assert own(None, model).frame()["value"].tolist() == list(range(12))


def test_a_model_without_a_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a function, or a class in a file"):
        own(tmp_path, {}.get)


class Kind:
    """A class whose methods are models."""

    @classmethod
    def one(cls, runs: pd.DataFrame) -> np.ndarray:
        return runs["x1"].to_numpy()

    @classmethod
    def two(cls, runs: pd.DataFrame) -> np.ndarray:
        return 2 * runs["x1"].to_numpy()


def test_methods_of_a_class_are_models_of_their_own(tmp_path: Path) -> None:
    frames = [own(tmp_path, model).frame() for model in (Kind.one, Kind.two)]
    assert len(list(tmp_path.iterdir())) == 2
    assert (frames[1]["value"] == 2 * frames[0]["value"]).all() and frames[0]["value"].any()


def test_values_that_hold_in_all_runs_are_read_as_python_has_them() -> None:
    (one,), (same,) = (
        cross("history", parameters={"hype": value}).scenarios for value in (np.float64(0.3), 0.3)
    )
    assert one == same and not isinstance(one, str) and one.parameters["hype"] == 0.3
    with pytest.raises(InputError) as caught:
        cross("history", parameters={"hype": np.float64(7.5), "hyp": 0.3}, replicates=0)
    said = str(caught.value)
    assert "parameters.hype: 7.5 is not valid" in said and "parameters.hyp: 'hyp'" in said
    assert "replicates" in said and "--set" not in said and "np." not in said


def test_functions_with_other_long_arrays_have_other_digests() -> None:
    """NumPy abbreviates an array of this length where it is written."""

    def made(change: float) -> Callable[..., Any]:
        factors = np.ones(3000)
        factors[1500] += change

        def helper() -> float:
            return float(factors.mean())

        return lambda record, state, setting: {"advantage": helper() * record.advantage}

    scenarios = [Scenario(["article"], hooks={"policy": made(by)}) for by in (1.0, 2.0, 2.0)]
    one, two, same = (resolve(scenario).digest for scenario in scenarios)
    assert one != two == same


def test_a_function_that_cannot_be_told_apart_is_named_where_it_matters(tmp_path: Path) -> None:
    lock = threading.Lock()

    def careful(record: Any, state: Any, setting: Any) -> dict[str, Any]:
        with lock:
            return {}

    mine = Scenario(["article"], hooks={"policy": careful}, name="mine")
    brief: dict[str, Any] = {"world": "teaching", "replicates": 1, "until": "2025Q3"}
    with pytest.raises(InputError, match=r"careful: lock: .*cannot pickle"):
        simulate(mine, **brief, out=tmp_path / "runs")
    assert list(tmp_path.iterdir()) == []
    assert simulate(mine, **brief).scenarios == ("mine",)
