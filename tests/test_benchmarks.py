"""Benchmarks and other commands: what is timed computes the same, and --help runs nothing."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from reference.agreement import differences

from benchmarks import record
from benchmarks.campaigns import repairs
from benchmarks.mesa_objects import ObjectModel
from benchmarks.record import Row, markdown, ratio
from experiments.comparison.intervals import describe

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = [
    path
    for folder in ("ecosystem", "calibration", "experiments", "docs", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")
]
"""What runs as `python -m`."""


def test_ratios_are_taken_round_by_round() -> None:
    slow, fast = Row("x", "slow", "µs", (10.0, 40.0, 60.0)), Row("x", "fast", "µs", (1.0, 2.0, 3.0))
    found = ratio("slow over fast", "x", slow, fast)
    assert found.samples == (10.0, 20.0, 20.0)
    assert markdown([found]).splitlines()[-1] == "| slow over fast | x | times | 20 | 10 | 20 | 3 |"


def test_repairs_and_comparisons_have_one_rule_for_intervals() -> None:
    pairs = np.append(np.random.Generator(np.random.Philox(3)).standard_cauchy(100), np.nan)
    kept, shown = repairs.row("packages", "x", "y", pairs, "M¥"), describe(pairs)
    assert [kept[name] for name in ("low", "median", "high")] == [
        shown[name] for name in ("low_90", "median", "high_90")
    ]
    assert kept["low"] in pairs and kept["high"] in pairs


def test_mesa_objects_decide_what_the_core_decides() -> None:
    model = ObjectModel(world="teaching")
    for _ in range(2):
        model.step()
        for stage, decided in model.decided.items():
            decided.pop("cash", None)  # is compared in another way: tests/test_reference.py
            found = {name: getattr(getattr(model.quarter, stage), name) for name in decided}
            assert not differences(found, decided, 0, stage)
    world = model.setting.world
    assert len(model.agents_by_type) == 1 and len(model.agents) > world.firms.count


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
