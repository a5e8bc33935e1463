"""The command `ecosystem validate`: what it prints and writes, on the teaching world."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from calibration import forecast, judging
from experiments.command import judging as command
from experiments.command.cli import app
from experiments.command.judging import Asked
from experiments.report.messages import width

ROWS, DRAWS = 60, 4


@pytest.fixture(scope="module")
def judged() -> judging.Judged:
    return judging.judge("teaching", rows=ROWS, jobs=1)


def asked(out: Path, **given: object) -> Asked:
    usual = {"world": "teaching", "draws": "posterior", "forecast": False, "out": out, "jobs": 1}
    usual |= {"lang": "en", "quiet": False, "json": False, "rows": ROWS}
    return Asked(**usual | given)  # type: ignore[arg-type]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_table_says_where_the_model_is_worse(
    judged: judging.Judged,
    lang: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "judge", lambda *_, **__: judged)
    assert command.validate(asked(tmp_path, lang=lang)) == 0
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


def test_the_forecast_says_that_there_is_no_posterior(
    judged: judging.Judged,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "judge", lambda *_, **__: judged)
    monkeypatch.setattr(judging, "DRAWS", DRAWS)
    assert command.validate(asked(tmp_path, forecast=True, json=True)) == 0
    answer, shown = capsys.readouterr()
    found = json.loads(answer)
    folder = Path(found["directory"])
    frame = pd.read_csv(folder / "forecast.csv")
    assert tuple(frame.columns) == forecast.COLUMNS and len(frame) == 220
    note = json.loads((folder / "forecast.json").read_text(encoding="utf-8"))
    assert note["rows"] == DRAWS and note["draws"].startswith("prior")
    assert "teaching has no posterior" in shown and "forecast.csv" in shown


def test_a_posterior_of_the_world_makes_the_forecast(
    judged: judging.Judged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class World:
        path = tmp_path

    monkeypatch.setattr(judging, "load_world", lambda _: World)
    judged.draws.head(7).to_parquet(tmp_path / "posterior.parquet")
    frame, about = judging.forecast_draws(judged, "mine", judging.POSTERIOR)
    assert about == {"draws": "posterior", "rows": 7}
    pd.testing.assert_frame_equal(frame, judged.draws.head(7).reset_index(drop=True))
    _, about = judging.forecast_draws(judged, "mine", judging.PRIOR)
    assert about["draws"].startswith("prior")


def test_draws_of_the_prior_come_by_their_likelihood(judged: judging.Judged) -> None:
    sure = np.full(len(judged.draws), -np.inf)
    sure[3] = 0.0
    only = judging.Judged(judged.record, judged.draws, sure, ROWS, 4)
    frame, about = judging.forecast_draws(only, "teaching", judging.PRIOR)
    assert (frame["luck_2020Q1"] == judged.draws["luck_2020Q1"].iloc[3]).all()
    assert about["effective"] == 1


def test_an_unknown_world_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["validate", "--world", "teachin", "--out", str(tmp_path)])
    assert found.exit_code == 2 and "teaching" in found.stderr and "Traceback" not in found.stderr
