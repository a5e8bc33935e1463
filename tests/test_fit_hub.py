"""The search for the hub's take-off, its record, and its figure."""

import csv
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from calibration import fit_hub, hub_search
from calibration.hub_figure import end_of
from calibration.hub_search import (
    TOLERANCE,
    Findings,
    Paths,
    better_share,
    grid,
    hub_paths,
    hub_points,
    loss,
    passing,
    path_table,
    scored,
    shipped,
    worst_factor,
)
from calibration.targets import load_targets
from ecosystem.inputs.calendar import period_label

LAST_FITTED = "2024-09-30"


def made_up_paths(candidates: int = 2, runs: int = 20) -> Paths:
    """Return growing paths with some spread over runs."""
    spread = np.random.default_rng(3).lognormal(0, 0.3, (candidates, runs, 1))
    servers = spread * 5_000 * np.exp(0.4 * (np.arange(22) - 15))
    return Paths(servers, 2.5 * servers)


def record() -> list[dict[str, str]]:
    lines = fit_hub.RECORD.read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def test_search_finds_the_known_optimum_of_a_linear_model() -> None:
    """log modelled = log published + A (x - x*), so the loss is 0 at x* and nowhere else."""
    points = hub_points("fit")
    slopes = np.array([[1.0, 0.2], [0.5, -0.7], [0.3, 0.4], [0.1, 0.9]])
    optimum = np.array([0.5, -1.0])

    axis = [-1.0, -0.5, 0.0, 0.5, 1.0]
    x = np.array(list(product(axis, axis))) - optimum
    modelled = points.values * np.exp(x @ slopes.T)
    losses = loss(modelled, points)
    best = losses.argmin()
    assert x[best].tolist() == [0, 0]
    assert losses[best] == pytest.approx(0, abs=1e-20)
    assert worst_factor(modelled, points)[best] == pytest.approx(1)
    quadratic = np.einsum("ni,ij,nj->n", x, slopes.T @ (points.weights[:, None] * slopes), x)
    assert losses == pytest.approx(quadratic)


def test_loss_and_factor_in_a_closed_form() -> None:
    points = hub_points("fit")
    assert loss(2 * points.values, points) == pytest.approx(np.log(2) ** 2)
    assert worst_factor(points.values / 3, points) == pytest.approx(3)
    assert loss(0 * points.values, points) == np.inf


def test_the_two_september_readings_share_one_weight() -> None:
    points = hub_points("fit")
    september = points.periods == points.periods.max()
    assert september.sum() == 2
    assert points.weights[september].sum() == pytest.approx(points.weights[0])
    assert points.weights.sum() == pytest.approx(1)


def test_points_held_out_are_never_in_the_objective() -> None:
    """Neither their values nor what is modelled there moves a score."""
    points, held_out = hub_points("fit"), hub_points("hold_out")
    assert all(target.date <= LAST_FITTED for target in points.targets)
    assert all(target.date > LAST_FITTED for target in held_out.targets)
    assert len(held_out.targets) == 2
    moved = [replace(t, value=10 * t.value) if t.use != "fit" else t for t in load_targets()]
    again = hub_points("fit", moved)
    assert np.array_equal(again.values, points.values)
    assert np.array_equal(again.weights, points.weights)
    paths = made_up_paths()
    later = np.arange(22) >= held_out.periods.min()
    other = Paths(np.where(later, 1.0, paths.servers), np.where(later, 2.0, paths.halls))
    candidates = [shipped(list(grid()[0])), grid()[0]]
    tables = [scored(candidates, each, points, held_out) for each in (paths, other)]
    scores = [
        name for name in map(str, tables[0]) if name.startswith(("loss", "worst", "rank", "within"))
    ]
    assert len(scores) == 8
    assert tables[0][scores].equals(tables[1][scores])
    assert tables[0]["loss_break"].is_monotonic_increasing


def test_grid_holds_the_shipped_defaults_once() -> None:
    candidates = grid()
    assert candidates.count(shipped(list(candidates[0]))) == 1
    assert len({tuple(candidate.values()) for candidate in candidates}) == len(candidates)


def test_better_share_knows_the_better_one() -> None:
    points = hub_points("fit")
    noise = np.random.default_rng(5).lognormal(0, 0.1, (40, 1))
    close, far = points.values * noise, 1.4 * points.values * noise
    assert better_share(close, far, points) == 1
    assert better_share(far, close, points) == 0


def test_the_record_is_of_this_grid_and_these_defaults() -> None:
    rows, names = record(), list(grid()[0])
    found = [{name: float(row[name]) for name in names} for row in rows]
    assert sorted(map(tuple, (c.values() for c in found))) == sorted(
        map(tuple, (c.values() for c in grid()))
    )
    default = [c for c, row in zip(found, rows, strict=True) if row["shipped"] == "1"]
    assert default == [shipped(names)], f"run {fit_hub.COMMAND} again"
    losses = [float(row["loss_break"]) for row in rows]
    assert losses == sorted(losses)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "replicates"),
    [
        (hub_search.SEED, hub_search.REPLICATES),
        (hub_search.FRESH_SEED, hub_search.FRESH_REPLICATES),
    ],
)
def test_shipped_defaults_lie_within_the_factor_and_the_record_is_up_to_date(
    seed: int, replicates: int
) -> None:
    """A change of the model that moves the path by more than 5 % asks for a new record."""
    points = hub_points("fit")
    modelled = hub_paths([shipped(list(grid()[0]))], replicates, seed, jobs=1).at(points)[0]
    assert worst_factor(modelled, points) <= TOLERANCE
    row = next(row for row in record() if row["shipped"] == "1")
    if seed == hub_search.SEED:
        recorded = [float(row[f"servers_{period_label(p)}"]) for p in points.periods]
        assert modelled == pytest.approx(recorded, rel=0.05), f"run {fit_hub.COMMAND} again"
    else:
        recorded_factor = float(row["fresh_worst_factor"])
        assert worst_factor(modelled, points) == pytest.approx(recorded_factor, rel=0.05)


def test_share_of_single_runs_within_the_tolerance() -> None:
    points = hub_points("fit")
    path = np.zeros((1, 4, 22))
    path[..., points.periods] = 1.0
    path[0, :, points.periods] = points.values[:, None] * [1.0, 1.4, 1 / 1.4, 1.6]
    paths = Paths(path, path)
    assert passing(paths, points) == 0.5  # two readings of September lie 1.1 apart


def test_made_up_findings_are_written_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    points, held_out = hub_points("fit"), hub_points("hold_out")
    paths = made_up_paths()
    one = Paths(paths.servers[:1], paths.halls[:1])
    table = scored([shipped(list(grid()[0])), grid()[0]], paths, points, held_out)
    found = Findings(table, path_table(one, one, points, held_out))
    fit_hub.write(found, tmp_path / "record.csv", tmp_path / "figure")
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["figure.csv", "figure.png", "figure.svg", "figure.txt", "record.csv"]
    again = pd.read_csv(tmp_path / "record.csv", comment="#")
    pd.testing.assert_frame_equal(again, table, rtol=1e-5, check_dtype=False)
    rows = pd.read_csv(tmp_path / "figure.csv")
    counts = rows["mark"].value_counts()
    assert dict(counts) == {"band": 2 * 3 * 22, "fitted": 4, "not used": 2}
    assert rows["period"].iloc[21] == "2025Q2"

    monkeypatch.setattr(fit_hub, "find", lambda progress: found)
    monkeypatch.setattr(fit_hub, "write", lambda found: pytest.fail("nobody asked to write"))
    fit_hub.main([])
    assert "worst_factor_break" in capsys.readouterr().out


def test_ends_of_quarters() -> None:
    assert end_of([15]) == pytest.approx(2024)
