"""Benchmarks and other commands: what is timed computes the same, and --help runs nothing."""

import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import record
from benchmarks.mesa_objects import ObjectModel, columns
from benchmarks.record import Row, markdown, ratio
from ecosystem.inputs.scenario import Scenario, resolve
from ecosystem.inputs.world.loader import load_world
from ecosystem.quarter.start import initial_state, make_setting
from ecosystem.quarter.step import step
from ecosystem.state.state import State

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = [
    path
    for folder in ("ecosystem", "calibration", "experiments", "docs", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")
]
"""What runs as `python -m`."""
TOLERANCE = 1e-9  # of a number, of the largest of its column, or of one unit
QUARTERS = 8
AFTER_PACKAGES = 28


def unequal(state: State, model: ObjectModel) -> list[str]:
    """Return the columns of the state in which core and objects differ."""
    wrong = []
    for group, names in columns(model).items():
        for name, values in names.items():
            expected = np.asarray(getattr(getattr(state, group), name))[0]
            found = np.asarray(values, dtype=float)
            assert found.shape == expected.shape, f"{group}.{name}"
            scale = max(np.abs(expected).max(initial=0.0), 1.0)
            apart = np.abs(found - expected).max(initial=0.0)
            if not apart <= TOLERANCE * scale:
                wrong.append(f"t={state.period} {group}.{name}: {apart} of {scale}")
    return wrong


@pytest.mark.parametrize(
    ("package", "seed", "quarters"),
    [
        ("history", 1, QUARTERS),
        ("history", 2, QUARTERS),
        ("article", 1, AFTER_PACKAGES),
        ("green_first", 2, AFTER_PACKAGES),
        ("diffusion", 3, AFTER_PACKAGES),
    ],
)
def test_mesa_objects_agree_with_the_core(package: str, seed: int, quarters: int) -> None:
    scenario = resolve(Scenario(package))
    setting = make_setting(scenario, load_world("teaching"), seed, [0])
    state, model = initial_state(setting), ObjectModel(setting=setting)
    born = left = 0.0
    for _ in range(quarters):
        state, quarter = step(state, setting)
        model.step()
        born += quarter.business.born.sum()
        left += quarter.business.exits.sum()
        assert not unequal(state, model)
    assert born > 0 and left > 0


def test_firms_are_agents_that_come_and_go() -> None:
    model = ObjectModel("history", rng=1, world="teaching")
    for _ in range(QUARTERS):
        model.step()
    everybody = model.everybody
    fixed: list[Any] = [everybody.province, *everybody.prefectures, *everybody.centres]
    fixed += [*everybody.makers, *everybody.universities, *everybody.parks]
    fixed += [buyer for region in everybody.regions for buyer in region.buyers]
    assert set(model.agents) == {*fixed, *everybody.firms}
    assert model.steps == QUARTERS == everybody.period


def test_ratios_are_taken_round_by_round() -> None:
    slow, fast = Row("x", "slow", "µs", (10.0, 40.0, 60.0)), Row("x", "fast", "µs", (1.0, 2.0, 3.0))
    found = ratio("slow over fast", "x", slow, fast)
    assert found.samples == (10.0, 20.0, 20.0)
    assert markdown([found]).splitlines()[-1] == "| slow over fast | x | times | 20 | 10 | 20 | 3 |"


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: str(path.relative_to(ROOT)))
def test_help_of_a_command_says_what_it_does_and_does_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [path.stem, "--help"])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # put back afterwards: one command sets it
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(path), run_name="__main__")
    assert end.value.code == 0
    words = capsys.readouterr().out
    assert words.lower().startswith("usage: ") and len(words.split()) > 20


def test_a_benchmark_records_only_when_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(record, "RESULTS", tmp_path / "results")
    for arguments in (["--quick"], [], ["--write"]):
        assert not (tmp_path / "results").exists()
        monkeypatch.setattr(sys, "argv", ["toy", *arguments])
        record.command("toy", "A toy.", lambda quick: [Row("x", "quick", "s", (quick,))], "Note.")
        assert "| x | quick | s |" in capsys.readouterr().out
    written = (tmp_path / "results" / "toy.md").read_text(encoding="utf-8")
    assert written.startswith("`python -m benchmarks.toy --write`") and "Note." in written
    assert (tmp_path / "results" / "toy.csv").exists()
