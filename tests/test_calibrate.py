"""The fit on the model itself: held-out rows, recovery, and the file of the posterior."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from calibration.abc import adjust
from calibration.calibrate import calibrate, evidence
from calibration.learned import learn
from calibration.likelihood import summaries
from calibration.posterior import (
    PROVED,
    about_posterior,
    from_normal,
    outdated,
    to_normal,
    write_posterior,
)
from calibration.simulated import observed, prior_draws
from calibration.targets import Target, load_targets
from ecosystem.inputs.faults import InputError
from ecosystem.maths.arrays import Array
from experiments.command.cli import app

ROWS, HELD_OUT = 1_500, 200


def fitted() -> list[Target]:
    return [target for target in load_targets() if target.use == "fit"]


@cache
def table() -> tuple[pd.DataFrame, Array]:
    """Return draws of the teaching world and the logs of fitted figures."""
    draws = prior_draws(ROWS, seed=7)
    return draws, summaries(fitted(), observed(draws, "teaching", jobs=1))


@pytest.mark.slow
def test_held_out_rows_lie_where_the_approximation_says() -> None:
    """Rank histogram and coverage of 90 % over 200 rows of the table, each held out in turn.

    Of a right answer, ranks in ten classes pass the bound on χ² once in 1,000 and the coverage lies
    outside its bounds once in 1,000; three directions are looked at.
    """
    draws, figures = table()
    normal = to_normal(draws)
    said, _ = evidence(fitted(), figures, seed=3)
    learned = learn(normal, said)
    assert len(learned.shares) >= 3
    wanted = (said - said.mean(axis=0)) @ learned.figures
    aimed = normal @ learned.basis[:, :3]
    ranks = np.zeros((HELD_OUT, 3))
    for row in range(HELD_OUT):
        others = np.arange(ROWS) != row
        found = adjust(aimed[others], wanted[others], wanted[row], 0.5)
        ranks[row] = found.weights @ (found.normal < aimed[row])
    counts = np.array([np.histogram(rank, bins=10, range=(0, 1))[0] for rank in ranks.T])
    even = HELD_OUT / 10
    assert (((counts - even) ** 2 / even).sum(axis=1) < 27.9).all()
    inside = ((ranks > 0.05) & (ranks < 0.95)).mean(axis=0)
    assert ((inside > 0.83) & (inside < 0.97)).all()


@pytest.mark.slow
def test_a_known_row_is_recovered_from_what_it_shows() -> None:
    """Medians of figures lie within two errors of publication of what the row shows.

    And what is learned most lies within three and a half standard deviations of the posterior,
    which of ten parameters one misses once in 200.
    """
    draws, figures = table()
    row = int(np.argmin(np.abs(figures - np.median(figures, axis=0)).sum(axis=1)))
    shown = zip(fitted(), np.exp(figures[row]), strict=True)
    targets = [replace(target, value=float(value), bound="") for target, value in shown]
    found = calibrate(targets, "teaching", prior_rows=1_500, rows=400, jobs=1)
    assert found.learned
    assert len(found.draws) == 400
    assert found.about["idle"] > 50 and found.about["drawn_anew"] > 0.9
    after = found.tables["figures"]
    near = np.abs(np.log(after["posterior_median"] / after["published"]))
    error = after["log_sd"]
    assert (near < 2 * error + 0.05).all(), after
    most = found.tables["parameters"].head(10)["name"].tolist()
    normal = to_normal(found.draws)
    place = [list(found.draws).index(name) for name in most]
    real = to_normal(draws.iloc[[row]])[0, place]
    off = (normal[:, place].mean(axis=0) - real) / normal[:, place].std(axis=0)
    assert (np.abs(off) < 3.5).all(), off


def test_a_posterior_says_what_made_it_and_whether_it_is_current(tmp_path: Path) -> None:
    """A number that the model takes another way is seen in the figures of the first rows."""
    rng = np.random.default_rng(1)
    normal = rng.standard_normal((30, to_normal(prior_draws(1)).shape[1]))
    draws = from_normal(normal, rng.integers(2**31, size=(30, 2)), [0, 16])
    assert to_normal(draws) == pytest.approx(normal, abs=1e-6)
    assert list(draws)[-2:] == ["luck_2020Q1", "luck_2024Q1"]

    def shown(rows: pd.DataFrame, factor: float = 1.0) -> dict[str, Array]:
        found = {"one": np.log(rows["branch_rate"].to_numpy()), "none": np.full(len(rows), -np.inf)}
        return {name: values + np.log(factor) for name, values in found.items()}

    path, names = tmp_path / "posterior.parquet", ["one", "none"]
    figures = np.column_stack([shown(draws)[name] for name in names])
    write_posterior(path, draws, figures, names, {"seed": 3, "information_end": "2025-06-30"})
    assert about_posterior(path)["seed"] == 3
    assert pd.read_parquet(path).equals(draws)
    assert len(about_posterior(path)["figures"]["one"]) == PROVED
    assert outdated(path, shown) == {}
    assert outdated(path, lambda rows: shown(rows, 1.01)) == {"one": pytest.approx(np.log(1.01))}


def test_no_figure_to_fit_is_an_error() -> None:
    unused = [replace(target, use="comparison") for target in load_targets()]
    with pytest.raises(InputError, match="at least one figure"):
        calibrate(unused, "teaching")


def test_the_command_gives_a_template_and_names_every_fault_of_a_file(tmp_path: Path) -> None:
    given = CliRunner().invoke(app, ["calibrate", "--template"])
    assert given.exit_code == 0
    path = tmp_path / "mine.csv"
    path.write_text(given.stdout.replace("12000", "none").replace("153", "-1"), encoding="utf-8")
    found = CliRunner().invoke(app, ["calibrate", "--data", str(path), "--out", str(tmp_path)])
    assert found.exit_code == 2
    assert "mine.csv:2:" in found.stderr and "mine.csv:3:" in found.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["mine.csv"]
