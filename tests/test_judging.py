"""The command `ecosystem validate`: what it prints and writes, on the teaching world."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from calibration import forecast, judging
from ecosystem.inputs.draws import Draws
from experiments.command import judging as command
from experiments.command.cli import app
from experiments.command.request import RunOptions
from experiments.report.messages import width

ROWS, DRAWS = 60, 4


@pytest.fixture(scope="module")
def judged() -> judging.Judged:
    return judging.judge("teaching", rows=ROWS, jobs=1)


def answered(out: Path, lang: str = "en", *, forecast: bool = False, json: bool = False) -> None:
    options = RunOptions.of(world="teaching", draws="prior", out=out, jobs=1)
    assert command.validate(options, forecast, lang, quiet=False, json=json, rows=ROWS) == 0


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_table_says_where_the_model_is_worse(
    judged: judging.Judged,
    lang: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "judge", lambda *_, **__: judged)
    answered(tmp_path, lang)
    answer, shown = capsys.readouterr()
    folder = Path(answer.strip())
    assert folder.parent == tmp_path
    table = pd.read_csv(folder / "summary.csv")
    worse = table[table["worse"] == 1]
    said = {"en": "worse than", "zh": "不如"}[lang]
    lines = [line for line in shown.splitlines() if said in line]
    assert len(lines) >= worse["name"].nunique() > 0
    assert max(width(line) for line in shown.splitlines()) <= 100
    assert {"en": "Small samples", "zh": "样本很小"}[lang] in shown
    assert len(pd.read_csv(folder / "origins.csv")) == len(judged.record)


def test_the_forecast_says_that_it_is_of_the_prior(
    judged: judging.Judged,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "judge", lambda *_, **__: judged)
    monkeypatch.setattr(judging, "DRAWS", DRAWS)
    answered(tmp_path, forecast=True, json=True)
    answer, shown = capsys.readouterr()
    found = json.loads(answer)
    folder = Path(found["directory"])
    frame = pd.read_csv(folder / "forecast.csv")
    assert tuple(frame.columns) == forecast.COLUMNS and len(frame) == 220
    note = json.loads((folder / "forecast.json").read_text(encoding="utf-8"))
    assert note["runs"] == DRAWS and note["draws"].startswith("prior")
    shown = " ".join(shown.split())
    assert "draws of the prior, weighted" in shown and "forecast.csv" in shown


def test_a_table_of_draws_makes_the_forecast(
    judged: judging.Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging, "DRAWS", DRAWS)
    table = Draws(judged.draws.head(2).reset_index(drop=True), "mine.parquet", "2025-06-30")
    frame, about = judging.forecast_draws(judged, table)
    assert about["draws"]["file"] == "mine.parquet"
    luck = frame["luck_2020Q1"].value_counts()
    assert dict(luck) == dict.fromkeys(judged.draws["luck_2020Q1"].head(2), DRAWS // 2)


def test_draws_of_the_prior_come_by_their_likelihood(judged: judging.Judged) -> None:
    sure = np.full(len(judged.draws), -np.inf)
    sure[3] = 0.0
    only = judging.Judged(judged.record, judged.draws, sure, ROWS, 4)
    frame, about = judging.forecast_draws(only, None)
    assert (frame["luck_2020Q1"] == judged.draws["luck_2020Q1"].iloc[3]).all()
    assert about["effective"] == 1


def test_an_unknown_world_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["validate", "--world", "teachin", "--out", str(tmp_path)])
    assert found.exit_code == 2 and "teaching" in found.stderr and "Traceback" not in found.stderr
