"""Tables of draws: what is checked, which run gets which row, and that everything carries them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import copied_world
from typer.testing import CliRunner

from ecosystem import EcosystemModel, InputError, cross, past, run_design, simulate
from ecosystem.inputs.catalogue import parameters
from ecosystem.inputs.draws import (
    POSTERIOR_FILE,
    Draws,
    check_draws,
    read_draws,
    varied_parameters,
)
from ecosystem.inputs.faults import FaultList
from ecosystem.inputs.options import Options
from ecosystem.inputs.scenario import resolve
from ecosystem.inputs.world.loader import load_world
from ecosystem.quarter.start import make_setting
from ecosystem.runs.again import Compared, run_again
from ecosystem.runs.pool import Pool
from experiments import compare
from experiments.command.cli import app
from experiments.command.reproduce import reproduce
from experiments.sensitivity_analysis.options import SensitivityOptions
from experiments.sensitivity_analysis.plan import plan_study

SHORT: dict[str, Any] = {"until": "2025Q4", "world": "teaching", "jobs": 1}


def table(rows: int = 3) -> pd.DataFrame:
    """Return a small table of draws."""
    hype = parameters()["hype"]
    assert hype.low is not None and hype.high is not None
    return pd.DataFrame(
        {
            "hype": np.linspace(hype.low, hype.high, rows),
            "luck_2020Q1": np.arange(rows) + 1_000,
            "luck_2023Q4": np.arange(rows) + 2_000,
        }
    )


def faults_of(frame: pd.DataFrame) -> list[str]:
    """Return what is wrong with a table, a line each."""
    faults = FaultList()
    check_draws(frame, faults, "mine.csv")
    return [str(fault) for fault in faults.faults]


WRONG = [
    ({"hyp": 0.5}, "mine.csv: hyp: 'hyp' .* an uncertain parameter.*nearest valid name: hype"),
    ({"hype": [0.5, 9e9, 0.5]}, r"mine.csv: hype\[1\]: 9000000000.0 .* a number from"),
    ({"hype": [0.5, np.nan, 0.5]}, r"mine.csv: hype\[1\]: nan .* a number from"),
    ({"hype": [0.5, 0.5, "high"]}, r"mine.csv: hype\[2\]: 'high' .* a number from"),
    ({"luck_2025Q3": 1}, "mine.csv: luck_2025Q3: .* a quarter from 2020Q1 to 2025Q2"),
    ({"luck_2023Q4": [1.5, 1, 1]}, r"mine.csv: luck_2023Q4\[0\]: 1.5 .* a whole number"),
    ({"luck_2023Q4": [1, -1, 1]}, r"mine.csv: luck_2023Q4\[1\]: -1 .* a whole number"),
]


@pytest.mark.parametrize("column, words", WRONG, ids=[words for _, words in WRONG])
def test_each_fault_is_one_line(column: dict[str, Any], words: str) -> None:
    (line,) = faults_of(table().assign(**column))
    assert pd.Series(line).str.match(words).all(), line


def test_faults_of_the_whole_table_come_at_once() -> None:
    fixed = next(name for name, row in parameters().items() if row.distribution == "fixed")
    wrong = table().drop(columns="luck_2020Q1").assign(**{fixed: 1.0, "hype": -1e9})
    lines = faults_of(wrong)
    assert [line.split()[1] for line in lines] == ["hype[0]:", f"{fixed}:", "'luck_2023Q4'"]
    assert "the same in every run" in lines[1] and "luck_2020Q1 beside it" in lines[2]
    twice = pd.concat([table(), table()[["hype"]]], axis=1)
    assert "2 columns" in faults_of(twice)[0] and len(faults_of(twice)) == 1
    assert "0 rows" in faults_of(table()[:0])[0]


def test_a_file_reads_as_it_was_written(tmp_path: Path) -> None:
    draws = Draws(table(), information="2025-06-30")
    (tmp_path / "mine.parquet").write_bytes(draws.content())
    table().to_csv(tmp_path / "mine.csv", index=False)
    for name, known in (("mine.parquet", "2025-06-30"), ("mine.csv", "")):
        found = read_draws(tmp_path / name)
        assert found.digest == draws.digest and found.information == known
        assert (found.name, len(found)) == (name, 3)
    assert Draws(table(4)).digest != draws.digest
    (tmp_path / "mine.csv").write_text("hype,hype\n0.5,0.5\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"mine.csv: hype: '2 columns'"):
        read_draws(tmp_path / "mine.csv")
    (tmp_path / "bad.parquet").write_bytes(b"no")
    for name in ("bad.parquet", "none.csv"):
        with pytest.raises(InputError, match=f"draws: .*{name}' is not valid; allowed: a table"):
            read_draws(tmp_path / name)


def test_every_row_is_used_before_one_comes_again() -> None:
    draws = Draws(table(7))
    first = draws.of_replicates(3, range(14))
    assert sorted(first["luck_2020Q1"][:7]) == sorted(table(7)["luck_2020Q1"])
    assert (first[:7].to_numpy() == first[7:].to_numpy()).all()
    assert draws.of_replicates(3, [9]).equals(first[9:10].reset_index(drop=True))
    orders = {tuple(draws.of_replicates(seed, range(7))["luck_2020Q1"]) for seed in range(20)}
    assert len(orders) > 15  # of 5,040


def test_options_know_draws(tmp_path: Path) -> None:
    folder = copied_world(tmp_path / "own")
    assert Options.of(world=str(folder)).drawn_from is None
    with pytest.raises(InputError, match=f"draws: 'posterior' .* has no {POSTERIOR_FILE}"):
        Options.of(world=str(folder), draws="posterior")
    with pytest.raises(InputError, match="draws: 'posterio' .*nearest valid name: posterior"):
        Options.of(draws="posterio")
    with pytest.raises(InputError, match=r"^draws.hype\[0\]: -1.0 is not valid"):
        Options.of(draws=table().assign(hype=-1.0))
    with pytest.raises(InputError, match="draws: 5 is not valid; allowed: posterior, prior"):
        Options.of(draws=5)
    before = load_world(folder).digest
    (folder / POSTERIOR_FILE).write_bytes(Draws(table()).content())
    assert load_world(folder).digest == before
    for given in ({}, {"draws": "posterior"}):
        found = Options.of(world=str(folder), **given).drawn_from
        assert found is not None and found.digest == Draws(table()).digest
    for given in ({"draws": "prior"}, {"fixed_parameters": True}):
        assert Options.of(world=str(folder), **given).drawn_from is None
    with pytest.raises(InputError, match="draws: a table, 3 draws .*: prior beside fixed_par"):
        Options.of(draws=table(), fixed_parameters=True)
    (folder / POSTERIOR_FILE).write_bytes(b"no")
    with pytest.raises(InputError, match=POSTERIOR_FILE):
        Options.of(world=str(folder))


def test_which_parameters_vary() -> None:
    uncertain = varied_parameters(False, {})
    assert varied_parameters(False, {}, Draws(table())) == uncertain
    constant = Draws(table().assign(hype=0.5))
    assert set(uncertain) - set(varied_parameters(False, {}, constant)) == {"hype"}


@pytest.mark.slow
def test_a_replicate_has_the_values_and_the_luck_of_its_row(tmp_path: Path) -> None:
    """Also on its own under another seed, after a stored past, and as a Mesa model."""
    others = varied_parameters(False, {"hype": 0})
    defaults = pd.DataFrame({name: np.full(3, parameters()[name].default) for name in others})
    frame = pd.concat([table(), defaults], axis=1)
    whole = simulate("history", replicates=4, draws=frame, seed=5, **SHORT)
    rows = Draws(frame).of_replicates(5, range(4))
    assert whole.varied == ("hype",)
    assert np.array_equal(whole.draws["hype"], rows["hype"])
    patents = whole.series["patents"][0]
    assert np.array_equal(patents[0, :22], patents[3, :22])  # three draws: the past comes again
    assert not np.array_equal(patents[0, 22:], patents[3, 22:])
    alone = simulate("history", replicates=1, draws=rows[2:3], seed=77, **SHORT)
    assert np.array_equal(alone.series["patents"][0, 0, :22], patents[2, :22])
    model = EcosystemModel(rng=5, replicate=2, world="teaching", draws=frame, until="2020Q2")
    model.step()
    assert model.outcomes["patents"] == whole.series["patents"][0, 2, 0, 0]
    start = past("history", replicates=4, seed=5, world="teaching", draws=frame)
    on = simulate("history", replicates=4, draws=frame, seed=5, start=start, **SHORT)
    assert np.array_equal(on.series["patents"], whole.series["patents"])
    with pytest.raises(InputError, match="start, draws"):
        simulate("history", replicates=4, seed=5, start=start, **SHORT)


@pytest.mark.slow
def test_a_given_value_stands_above_the_draw() -> None:
    result = simulate("history", replicates=2, draws=table(), parameters={"hype": 0.5}, **SHORT)
    assert (result.draw_values["hype"] == 0.5).all() and "hype" not in result.varied
    setting = make_setting(
        resolve("history"), load_world("teaching"), 1, [0, 1],
        points={"hype": np.array([0.4, 0.6])}, draws=table(2),
    )  # fmt: skip
    assert setting.parameters.hype[:, 0].tolist() == [0.4, 0.6]


@pytest.mark.slow
def test_chunks_workers_and_stores_carry_draws(tmp_path: Path) -> None:
    design = cross(["history", "article"], replicates=5)
    asked: dict[str, Any] = {"outcomes": ["patents"], "world": "teaching", "until": "2025Q4"}
    whole = run_design(design, draws=table(), jobs=1, **asked).frame()
    parts = run_design(design, draws=table(), jobs=2, chunk_runs=2, **asked).frame()
    pd.testing.assert_frame_equal(whole, parts, check_exact=True)
    stored = run_design(design, draws=table(), jobs=1, chunk_runs=2, out=tmp_path, **asked)
    pd.testing.assert_frame_equal(whole, stored.frame(), check_exact=True)
    assert stored.directory is not None
    assert read_draws(stored.directory / "draws.parquet").digest == Draws(table()).digest
    manifest = json.loads((stored.directory / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["configuration"]["draws"]["draws"] == 3
    for run in (None, 3):
        found = reproduce(stored.directory, run, jobs=1)
        assert found.equal and found.same == found.values > 0
    prior = run_design(design, draws="prior", jobs=1, out=tmp_path, **asked).complete()
    assert prior.directory != stored.directory
    (stored.directory / "draws.parquet").write_bytes(Draws(table(4)).content())
    with pytest.raises(InputError, match="draws.parquet, 4 draws .*the draws that the runs began"):
        run_again(stored.directory, Compared(), Pool("serial", Options.of(jobs=1)))


@pytest.mark.slow
def test_a_command_takes_draws_and_is_reproduced_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a file that is gone by then; a posterior of the world is taken without being asked."""
    table().to_csv(tmp_path / "mine.csv", index=False)
    words = ["run", "history", "--replicates", "2", "--until", "2025Q4", "--jobs", "1", "--json"]
    folder = copied_world(tmp_path / "own")
    learned = Draws(table(4), information="2025-06-30").content()
    for number, more in enumerate((["--draws", str(tmp_path / "mine.csv")], [])):
        out = ["--world", str(folder), "--out", str(tmp_path / f"runs{number}")]
        monkeypatch.setattr("sys.argv", ["ecosystem", *words, *out, *more])
        found = CliRunner().invoke(app, [*words, *out, *more])
        assert found.exit_code == 0, found.output
        (directory,) = (tmp_path / f"runs{number}").iterdir()
        about = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
        assert about["configuration"]["draws"]["file"] == ("mine.csv", POSTERIOR_FILE)[number]
        said = ("Draws: mine.csv, 3.", "Draws: posterior, 4, information to 2025-06-30.")[number]
        assert said in found.stderr.split("\n")[0] and said in (directory / "full.txt").read_text(
            encoding="utf-8"
        )
        (tmp_path / "mine.csv").unlink(missing_ok=True)
        (folder / POSTERIOR_FILE).write_bytes(learned)
        again = CliRunner().invoke(app, ["reproduce", str(directory), "--jobs", "1"])
        assert again.exit_code == 0, again.output


@pytest.mark.slow
def test_studies_say_which_draws(tmp_path: Path) -> None:
    folder = copied_world(tmp_path / "own")
    asked: dict[str, Any] = {"replicates": 2, "until": "2025Q4", "jobs": 1}
    found = compare("article", world=str(folder), **asked)
    for words, lang in (("Draws: prior", "en"), ("抽样：先验", "zh")):
        assert words in found.text(lang, 200) and words in found.summary(lang, 200)
    (folder / POSTERIOR_FILE).write_bytes(Draws(table(), information="2025-06-30").content())
    found = compare("article", world=str(folder), **asked)
    for page in (found.text("en", 200), found.summary("en", 200)):
        assert "Draws: posterior, 3, information to 2025-06-30." in page
    assert "抽样：后验，3 组，信息截至 2025-06-30。" in found.text("zh", 200)


def test_a_sensitivity_study_draws_the_rest_from_the_table() -> None:
    """A factor moves over its own range; what is no factor is the row's of the block."""
    free = next(name for name in plan_study(SensitivityOptions.of(world="teaching")).drawn)
    row = parameters()[free]
    assert row.low is not None and row.high is not None
    draws = table(9).assign(**{free: np.linspace(row.low, row.high, 9)})
    asked = SensitivityOptions.of(
        scenarios=["article"], draws=draws, world="teaching", trajectories=4, seed=4
    )
    study = plan_study(asked)
    own = Draws(draws).of_replicates(4, range(8))[free].tolist()
    points = study.repeats.points[free].tolist()
    assert free in study.drawn and points == own * len(study.names)
