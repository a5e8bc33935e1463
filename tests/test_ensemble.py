"""Designs and what `run_design` gives: frames, luck, points, own models, shards, executors."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ensemble_models as models
import numpy as np
import pandas as pd
import pytest

from ecosystem import cross, run_design, simulate
from ecosystem.inputs.faults import InputError
from ecosystem.runs.design import Design
from ecosystem.runs.estimate import estimate
from ecosystem.runs.runner import Ensemble, read_frame, read_frames

OUTCOMES = ["patents", "pue", "servers"]
KEYS = ["run", "period", "outcome", "region", "tier", "kind", "domain"]
FINITE = {"x1": np.arange(12.0)}


def run(design: Design, **others: Any) -> Ensemble:
    arguments: dict[str, Any] = {
        "world": "teaching", "until": "2021Q2", "outcomes": OUTCOMES, "executor": "serial",
    }  # fmt: skip
    return run_design(design, **arguments | others)


def by_key(frame: pd.DataFrame) -> "pd.Series[float]":
    words = frame.astype(dict.fromkeys(KEYS[1:], str))
    return words.set_index(KEYS)["value"].sort_index()


def test_cross_is_every_scenario_shock_point_and_replicate() -> None:
    points = pd.DataFrame({"hype": [0.1, 0.2, 0.3]})
    design = cross(["history", "article"], shocks=[None, "ai_winter"], points=points, replicates=2)
    table = design.table()
    assert len(design) == len(table) == 2 * 2 * 3 * 2
    assert not table.duplicated(["scenario", "shock", "point", "replicate"]).any()
    assert set(table["shock"]) == {"none", "ai_winter"}
    assert table["hype"].tolist()[:6] == [0.1, 0.1, 0.2, 0.2, 0.3, 0.3]
    assert design.part([3]).table()["hype"].tolist() == [0.2]


def test_luck_belongs_to_the_block() -> None:
    design = cross(points={"x1": np.zeros(4)}, replicates=2, luck=[0, 0, 1, 1])
    assert design.table()["replicate"].tolist() == [0, 1, 0, 1, 2, 3, 2, 3]
    value = run_design(design, model=models.noisy, executor="serial").frame()["value"].to_numpy()
    np.testing.assert_array_equal(value[:2], value[2:4])
    assert len(set(value)) == 4


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"points": {"a": [1.0], "b": [1.0, 2.0]}}, "points"),
        ({"points": {"a": [np.nan]}}, "points.a"),
        ({"points": {"a": ["x"]}}, r"points\.a: \['x'\] .* a list of numbers"),
        ({"points": {"a": 0.2}}, "points.a: 0.2 .* a list of numbers"),
        ({"scenarios": "none", "shocks": "ai_wintr"}, "nearest valid name: ai_winter"),
        ({"points": {"a": [1.0]}, "luck": [0, 1]}, "luck"),
        ({"replicates": 0}, "replicates"),
        ({"parameters": ["hype"]}, r"parameters: \['hype'\]"),
    ],
)
def test_a_wrong_design_is_refused(arguments: dict[str, Any], word: str) -> None:
    with pytest.raises(InputError, match=word):
        cross(**arguments)


def test_wrong_requests_are_refused_with_every_fault() -> None:
    design = cross("history", points={"hyp": [0.1], "loan_share": [7.0]})
    with pytest.raises(InputError) as caught:
        run(design, keep="monthly", outcomes=["patent"], seed=-1, until="x", executor="thread")
    words = str(caught.value)
    for part in ("hyp", "hype", "loan_share", "monthly", "patents", "seed", "until", "thread"):
        assert part in words, part
    with pytest.raises(InputError, match="a model of your own"):
        run(cross(points={"hype": [0.1]}))


def test_values_are_those_of_simulate_whatever_the_points_beside_them() -> None:
    design = cross(["history", "article"], points={"hype": [0.1, 0.4]}, replicates=2)
    frame = run(design, keep=("summary", "quarterly"), chunk_runs=3).frame()
    for place, hype in enumerate((0.1, 0.4)):
        known = simulate(
            ["history", "article"], world="teaching", until="2021Q2", outcomes=OUTCOMES,
            replicates=2, jobs=1, parameters={"hype": hype},
        )  # fmt: skip
        mine = frame[frame["point"] == place]
        for wanted, kept in (
            (known.to_frame(), mine[mine["period"] != "summary"]),
            (known.summary().assign(period="summary"), mine[mine["period"] == "summary"]),
        ):
            keys = ["scenario", "replicate", *KEYS[1:]]
            both = [one.astype(dict.fromkeys(KEYS[1:], str)) for one in (wanted, kept)]
            a, b = (one.set_index(keys)["value"].sort_index() for one in both)
            assert len(a) == len(b)
            np.testing.assert_array_equal(a.to_numpy(), b[a.index].to_numpy())


def test_what_is_kept() -> None:
    design = cross("history", replicates=2)
    kinds = ("summary", "end", "yearly", "quarterly")
    frame = run(design, keep=kinds).frame()
    wide = frame.pivot_table(
        index=["run", "kind"], columns=["outcome", "period"], values="value", observed=True
    )
    assert set(frame["period"]) >= {"summary", "end", "2020", "2020Q1", "2021Q2"}
    assert "2021" not in set(frame["period"])  # half a year is none
    quarters = [f"2020Q{quarter}" for quarter in (1, 2, 3, 4)]
    plain: Any = wide.xs("", level="kind")
    np.testing.assert_array_equal(plain["patents", "end"], plain["patents", "2021Q2"])
    np.testing.assert_allclose(
        plain["patents", "2020"], plain["patents"].loc[:, quarters].sum(axis=1)
    )
    np.testing.assert_allclose(plain["pue", "2020"], plain["pue"].loc[:, quarters].mean(axis=1))
    kinds_of = wide["servers"].drop("", level="kind")
    np.testing.assert_array_equal(kinds_of["2020"], kinds_of["2020Q4"])


def test_frames_stream_in_order_and_do_not_depend_on_chunks() -> None:
    design = cross(["history", "article"], replicates=3)
    whole = run(design).frame()
    frames = list(run(design, chunk_runs=1))
    assert [sorted(set(frame["run"])) for frame in frames] == [[number] for number in range(6)]
    pd.testing.assert_series_equal(by_key(pd.concat(frames)), by_key(whole))


def test_shards_are_what_is_streamed(tmp_path: Path) -> None:
    design = cross("history", points={"hype": [0.1, 0.4]})
    known = list(run(design, chunk_runs=1))
    kept = run(design, chunk_runs=1, out=tmp_path)
    for again in (list(kept), list(kept), list(read_frames(kept.directory or ""))):
        for one, other in zip(known, again, strict=True):
            pd.testing.assert_frame_equal(one, other)
    pd.testing.assert_frame_equal(
        read_frame(kept.directory or ""), run(design, chunk_runs=1).frame()
    )
    assert [path.name for path in tmp_path.iterdir()] == [(kept.directory or tmp_path).name]


def test_a_model_of_ones_own() -> None:
    rng = np.random.default_rng(1)
    points = {name: rng.uniform(-np.pi, np.pi, 5000) for name in ("x1", "x2", "x3")}
    frame = run_design(cross(points=points), model=models.ishigami, executor="serial").frame()
    assert frame["value"].var() == pytest.approx(13.84, rel=0.05)
    assert set(frame["outcome"]) == {"value"} and set(frame["period"]) == {"end"}
    frame = run_design(cross(points=FINITE, replicates=2), model=models.two_outcomes).frame()
    wide = frame.pivot(index="run", columns="outcome", values="value")
    assert wide.loc[3].to_dict() == {"sum": 2.0, "twice": 2.0}


def test_a_model_that_cannot_travel_runs_here_or_is_refused(tmp_path: Path) -> None:
    design = cross(points=FINITE)
    frame = run_design(design, model=lambda runs: runs["x1"].to_numpy(), out=tmp_path).frame()
    assert frame["value"].tolist() == list(range(12))
    with pytest.raises(InputError, match="in a file of its own"):
        run_design(design, model=lambda runs: runs["x1"].to_numpy(), executor="processes")


def test_an_executor_of_the_user_is_used_and_left_open() -> None:
    with ThreadPoolExecutor(2) as threads:
        frame = run_design(
            cross(points=FINITE), model=models.two_outcomes, executor=threads
        ).frame()
        assert threads.submit(int, "1").result() == 1
    assert len(frame) == 24


@pytest.mark.slow
def test_an_estimate_foresees_the_bytes_and_the_time_of_a_directory(tmp_path: Path) -> None:
    """Bytes of shards within a third, time within three times, as tried on eight quarters.

    How well columns compress depends on what is in them; a later quarter may take longer than an
    early one, and a busy machine may give half of itself. One of four chunks left out, or eight
    quarters taken for all 64, would be four and eight times off.
    """
    design, keep = cross("history", replicates=60), ("summary", "quarterly")
    options: dict[str, Any] = {"until": "2035Q4", "outcomes": None, "keep": keep, "chunk_runs": 15}
    found = estimate(run(design, **options))
    start = time.perf_counter()
    runs = run(design, out=tmp_path, **options).complete()
    taken = time.perf_counter() - start
    assert runs.directory is not None and found.runs == 60 and len(runs.tasks) == 4
    real = sum(path.stat().st_size for path in runs.directory.glob("shards/*"))
    assert real / 1.33 < found.size < 1.33 * real
    assert taken / 3 < found.seconds < 3 * taken


@pytest.mark.slow
def test_shards_are_the_same_to_the_last_bit_wherever_they_are_run(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    design = cross(["history", "article"], points={"hype": [0.1, 0.4]}, replicates=2)
    found: dict[str, Sequence[str]] = {}
    for executor in ("serial", "processes", "dask"):
        runs = run(design, executor=executor, jobs=2, chunk_runs=2, out=tmp_path / executor)
        runs.complete()
        assert runs.directory is not None
        found[executor] = sorted(path.name for path in runs.directory.glob("shards/*.parquet"))
    assert len(found["serial"]) == 4
    assert found["serial"] == found["processes"] == found["dask"]


@pytest.mark.slow
def test_the_examples_of_the_page_run(tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    blocks = re.findall(
        r"```python\n(.*?)```", (root / "docs/ensembles.md").read_text("utf-8"), re.S
    )
    assert len(blocks) == 2
    for number, block in enumerate(blocks):
        script = tmp_path / f"example{number}.py"
        script.write_text(block, "utf-8")
        done = subprocess.run(
            [sys.executable, script], capture_output=True, text=True, cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(root)},
        )  # fmt: skip
        assert done.returncode == 0 and done.stdout, done.stderr
