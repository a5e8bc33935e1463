"""A user's own model from its run directory: found again, changed since, broken, or not kept."""

import functools
import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from ecosystem import Scenario, cross, run_design, simulate
from ecosystem.runs.recall import recalled
from experiments.command.cli import app

ROOT = Path(__file__).resolve().parents[1]
MODULE = "model_of_a_user"
CODE = """
def plain(runs):
    if (runs.index == 3).any():
        raise ValueError("three is not for me")
    return {factor} * runs["x1"].to_numpy()

def given(runs, more):
    return more * plain(runs)

def built():
    def inner(runs):
        return plain(runs)
    return inner

nameless = lambda runs: plain(runs)

class Kind:
    def __call__(self, runs):
        return plain(runs)

    def method(self, runs):
        return plain(runs)

    @staticmethod
    def static(runs):
        return plain(runs)
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder from which modules are read, as they stand there now."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, MODULE, raising=False)
    return tmp_path


def written(home: Path, code: str) -> None:
    """Write the module; it is read anew when it is imported the next time."""
    (home / f"{MODULE}.py").write_text(code, encoding="utf-8")
    sys.modules.pop(MODULE, None)
    importlib.invalidate_caches()


def filled(home: Path, pick: Callable[[Any], Any]) -> Path:
    """Run a design of what `pick` takes from the module; return its directory."""
    written(home, CODE.format(factor=2))
    design = cross(points={"x1": np.arange(1.0, 7.0)})
    model = pick(importlib.import_module(MODULE))
    directory = run_design(design, model=model, executor="serial", out=home).complete().directory
    assert directory is not None
    return directory


def call(*words: str) -> tuple[int, str, str]:
    """Run the command; return exit code, standard output and standard error."""
    result = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert isinstance(result.exception, SystemExit | None), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_a_model_that_was_edited_is_a_reason(home: Path) -> None:
    directory = str(filled(home, lambda module: module.plain))
    code, answer, _ = call("reproduce", directory, "--quiet")
    assert code == 0 and f"model {MODULE}" not in answer
    written(home, CODE.format(factor=3))
    code, answer, _ = call("reproduce", directory, "--quiet")
    assert code == 1 and "5 further off" in answer and "as they were then" not in answer
    assert f"  model {MODULE}:plain, its file or what it carries: " in answer
    assert "what is not as it was then" in answer


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def plain(runs:\n    return 1\n", "SyntaxError: "),
        ("plain = 1 / 0\n", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(7)\n", "SystemExit: 7"),
        ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("other = 1\n", "has no attribute 'plain'"),
        ("plain = 1\n", "it is no function"),
    ],
)
def test_a_file_that_cannot_be_run_any_more_is_one_clear_error(
    code: str, words: str, home: Path
) -> None:
    directory = filled(home, lambda module: module.plain)
    written(home, code)
    exit_code, answer, said = call("reproduce", str(directory), "--quiet")
    assert (exit_code, answer) == (2, "") and said.startswith("error: model: ")
    assert len(said.splitlines()) == 1 and words in said


@pytest.mark.parametrize("name", ["plain", "Kind.static"])
def test_the_command_of_a_failed_run_repeats_it(name: str, home: Path) -> None:
    directory = filled(home, lambda module: functools.reduce(getattr, name.split("."), module))
    command = pd.read_csv(directory / "failed.csv")["command"][0].split()
    assert command == ["ecosystem", "reproduce", str(directory), "--run", "3"]
    code, answer, _ = call(*command[1:], "--quiet")
    assert code == 0 and "run 3 fails as it did: ValueError: three is not for me" in answer
    assert recalled(directory)[1]["model"].__qualname__ == name


KEPT: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a partial": (lambda module: functools.partial(module.given, more=2), "arguments of a partial"),
    "an object": (lambda module: module.Kind(), "state of an object"),
    "a method": (lambda module: module.Kind().method, "state of an object"),
    "a closure": (lambda module: module.built(), "no other process can import"),
    "a lambda": (lambda module: module.nameless, "no other process can import"),
}


@pytest.mark.parametrize("case", KEPT)
def test_where_no_command_repeats_a_failed_run_it_says_why(case: str, home: Path) -> None:
    pick, words = KEPT[case]
    directory = filled(home, pick)
    command = pd.read_csv(directory / "failed.csv")["command"][0]
    assert command.startswith("no command: ") and words in command
    assert command.endswith("not kept. Run 3")
    code, _, said = call("reproduce", str(directory), "--run", "3", "--quiet")
    assert code == 2 and said.startswith("error: model: ")  # a command would not have worked


def test_a_function_of_a_script_is_not_there_for_a_command(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pick(module: Any) -> Any:
        monkeypatch.setattr(module.plain, "__module__", "__main__")
        monkeypatch.setattr(sys.modules["__main__"], "plain", module.plain, raising=False)
        return module.plain

    command = pd.read_csv(filled(home, pick) / "failed.csv")["command"][0]
    assert command.startswith("no command: a function that no other process can import")


@pytest.mark.slow
def test_a_hook_of_pythons_own_has_no_command(tmp_path: Path) -> None:
    brief: dict[str, Any] = {
        "world": "teaching", "until": "2020Q1", "replicates": 4, "outcomes": ["pue"]
    }  # fmt: skip
    limit = np.sort(simulate("history", **brief).draw_values["hype"])[-2]

    def hot(record: Any, state: Any, setting: Any) -> Any:
        if (setting.parameters.hype > limit).any():
            raise ValueError("too much hype")
        return record

    scenario = Scenario(hooks={"drivers": hot})
    design = cross(scenario, replicates=4)
    runs = run_design(design, world="teaching", until="2025Q3", outcomes=["pue"], out=tmp_path)
    (failed,) = runs.complete().failures
    assert failed["command"].startswith("no command: a hook given as a function")


@pytest.mark.slow
def test_workers_find_a_model_where_the_command_is_given(home: Path) -> None:
    """As the installed command does: its own folder is not where it is called."""
    (home / f"{MODULE}.py").write_text('def plain(runs):\n    return 2 * runs["x1"].to_numpy()\n')
    model = importlib.import_module(MODULE).plain
    design = cross(points={"x1": np.arange(12.0)})
    runs = run_design(design, model=model, chunk_runs=3, executor="serial", out=home).complete()
    words = "import sys; sys.path.append(sys.argv.pop(1)); "
    words += "from experiments.command.cli import main; main()"
    command = [sys.executable, "-P", "-c", words, str(ROOT), "reproduce", str(runs.directory)]
    done = subprocess.run(
        [*command, "--jobs", "2", "--quiet"], cwd=home, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
