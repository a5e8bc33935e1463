"""Designs and what `run_design` gives: frames, luck, points, own models, shards, executors."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ensemble_models as models
import numpy as np
import pandas as pd
import pytest
from ensemble_runs import own, script

from ecosystem import EcosystemModel, Scenario, cross, run_design, simulate
from ecosystem.inputs.faults import InputError
from ecosystem.runs.chunk import Piece
from ecosystem.runs.design import Design
from ecosystem.runs.estimate import estimate
from ecosystem.runs.runner import Ensemble, check_memory, read_frame, read_frames
from ecosystem.runs.simulate import SimulateOptions
from experiments import compare, sensitivity

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
        ({"points": 5}, "points: 5 .* a frame, or lists of numbers by the name of a parameter"),
        ({"points": [1, 2]}, r"points: \[1, 2\] .* a frame, or lists of numbers"),
        ({"points": {"a": [1.0, 2.0]}, "luck": [[0], [0, 1]]}, r"luck: \[\[0\], \[0, 1\]\]"),
        ({"points": {"a": 0.2}}, "points.a: 0.2 .* a list of finite real numbers"),
        ({"points": {"replicate": [1.0]}}, "points: 'replicate' .* another name"),
        ({"scenarios": "none", "shocks": "ai_wintr"}, "nearest valid name: ai_winter"),
        ({"points": {"a": [1.0]}, "luck": [0, 1]}, "luck"),
        ({"points": {"a": [1.0]}, "luck": [0.5]}, r"luck: \[0\.5\] .* a whole number from 0"),
        ({"points": {"a": [1.0]}, "luck": [2**40]}, f"luck: .*{2**40}"),
        ({"points": {"a": [1.0]}, "luck": [-1]}, "luck: .*-1"),
        ({"replicates": 0}, "replicates"),
        ({"replicates": 10**9}, "replicates: 1000000000 .* 1,000,000,000 runs in all are more"),
        ({"parameters": ["hype"]}, r"parameters: \['hype'\]"),
    ],
)
def test_a_wrong_design_is_refused(arguments: dict[str, Any], word: str) -> None:
    with pytest.raises(InputError, match=word):
        cross(**arguments)


REAL = (0.5, 1, np.float32(0.5), np.float64(0.5), np.int8(1), np.array(0.5))
NO_REAL = ("0.5", 0.5j, True, np.bool_(True), np.complex64(1), None, np.nan, -np.inf, [0.5])


@pytest.mark.parametrize("value", [*REAL, *NO_REAL], ids=repr)
def test_one_rule_for_parameter_values_in_every_face(value: Any) -> None:
    """Finite real numbers, NumPy's included, and nothing else."""
    faces: dict[str, Any] = {
        "points": lambda: cross("history", points={"hype": [value]}),
        "cross": lambda: cross("history", parameters={"hype": value}),
        "scenario": lambda: Scenario(["history"], parameters={"hype": value}),
        "simulate": lambda: SimulateOptions.of(scenarios="history", parameters={"hype": value}),
        "mesa": lambda: EcosystemModel("history", world="teaching", parameters={"hype": value}),
    }
    for name, make in faces.items():
        if any(value is one for one in REAL):
            make()
        else:
            with pytest.raises(InputError, match="hype"):
                make()
                pytest.fail(name)


def settings() -> Iterator[tuple[str, Any]]:
    plan = [Scenario([name], name="plan") for name in ("article", "demand_first")]
    brief: dict[str, Any] = {"world": "teaching", "replicates": 1, "until": "2025Q3"}
    yield "cross", lambda: cross(plan)
    yield "one of them a package", lambda: cross(["article", Scenario("history", name="article")])
    yield "the same twice", lambda: cross(["article", "article"])
    yield "shocks", lambda: cross("article", shocks=["ai_winter", "ai_winter"])
    yield "simulate", lambda: simulate(plan, **brief)
    yield "compare", lambda: compare(plan, **brief)
    yield "a second reference", lambda: compare(Scenario("article", name="history"), **brief)
    yield "sensitivity", lambda: sensitivity(plan, world="teaching", until="2025Q3")


@pytest.mark.parametrize("face", dict(settings()))
def test_two_settings_never_share_a_label(face: str) -> None:
    with pytest.raises(InputError, match="scenarios.*(has the same|names that differ)"):
        dict(settings())[face]()


def test_shocks_of_another_amplitude_or_start_have_another_label() -> None:
    shocks = [None, "ai_winter", "ai_winter:0.25", "ai_winter:0.25:2031Q1", "ai_winter:0.9"]
    labels = cross("history", shocks=shocks).table()["shock"].tolist()
    assert len(set(labels)) == 5 and labels[:2] == ["none", "ai_winter"]
    assert labels[3] == "ai_winter:0.25:2031Q1"


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


def test_frames_stream_past_by_past_and_do_not_depend_on_chunks() -> None:
    design = cross(["history", "article"], replicates=3)
    whole = run(design).frame()
    frames = list(run(design, chunk_runs=1))
    assert [set(frame["run"]) for frame in frames] == [{0}, {3}, {1}, {4}, {2}, {5}]
    for one in (pd.concat(frames), run(design, chunk_runs=2).frame()):
        pd.testing.assert_series_equal(by_key(one), by_key(whole))
    assert run(design, chunk_runs=1).frame()["run"].is_monotonic_increasing


def test_chunks_are_what_is_streamed(tmp_path: Path) -> None:
    design = cross("history", points={"hype": [0.1, 0.4]})
    known = list(run(design, chunk_runs=1))
    kept = run(design, chunk_runs=1, out=tmp_path)
    for again in (list(kept), list(kept), list(read_frames(kept.directory or ""))):
        for one, other in zip(known, again, strict=True):
            pd.testing.assert_frame_equal(one, other)
    whole = read_frame(kept.directory or "")
    pd.testing.assert_frame_equal(whole, run(design, chunk_runs=1).frame())
    assert whole["period"].cat.ordered
    assert [path.name for path in tmp_path.iterdir()] == [(kept.directory or tmp_path).name]
    wide = pd.read_parquet((kept.directory or tmp_path) / "chunks")
    assert wide["parameters.hype"].tolist() == [0.1, 0.4]
    assert {"run", "scenario", "patents", "servers/intelligent"} <= set(wide)


def test_periods_have_an_order() -> None:
    frame = run(cross("history", replicates=2), keep=("yearly", "quarterly")).frame()
    last = frame[frame["period"] == frame["period"].max()]
    assert set(last["period"]) == {"2021Q2"} and set(last["run"]) == {0, 1}
    found = simulate("history", world="teaching", until="2021Q2", replicates=1).to_frame()
    assert (found["period"] <= "2020Q2").sum() == len(found) / 3


def test_results_that_do_not_fit_into_memory_are_refused_in_words() -> None:
    piece = Piece(np.arange(2), {"summary": {"patents": np.zeros((2, 1, 1))}})
    check_memory(1000, piece)
    with pytest.raises(InputError, match=r"runs: '1,000,000,000,000,000' .* 8000000 GB"):
        check_memory(10**15, piece)


def test_a_model_of_ones_own() -> None:
    rng = np.random.default_rng(1)
    points = {name: rng.uniform(-np.pi, np.pi, 5000) for name in ("x1", "x2", "x3")}
    frame = run_design(cross(points=points), model=models.ishigami, executor="serial").frame()
    assert frame["value"].var() == pytest.approx(13.84, rel=0.05)
    assert set(frame["outcome"]) == {"value"} and set(frame["period"]) == {"end"}
    frame = run_design(cross(points=FINITE, replicates=2), model=models.two_outcomes).frame()
    wide = frame.pivot(index="run", columns="outcome", values="value")
    assert wide.loc[3].to_dict() == {"sum": 2.0, "twice": 2.0}


RETURNED: dict[str, tuple[Any, str]] = {
    "sorted otherwise": (lambda runs: runs[["x1"]].sort_values("x1", ascending=False), ""),
    "a series": (lambda runs: runs["x1"].sort_values(ascending=False), ""),
    "counted anew": (lambda runs: pd.DataFrame({"x1": runs["x1"].to_numpy()}), ""),
    "other runs": (lambda runs: runs[["x1"]].set_axis(runs.index + 1), "another index"),
    "too few": (lambda runs: np.zeros(1), "1 rows for 2 runs"),
    "no columns": (lambda runs: runs[[]], "a frame without columns"),
    "twice the same": (
        lambda runs: pd.DataFrame(np.c_[runs["x1"], runs["x1"]], columns=["a", "a"]),
        "2 columns a",
    ),
    "complex": (lambda runs: runs["x1"].to_numpy() * 1j, "outcome value of type complex128"),
    "a fickle one": (
        lambda runs: runs[["x1", "replicate"][: 2 if runs.index[0] < 6 else 1]],
        "outcomes x1, replicate for run 0, x1 for run 6",
    ),
}


@pytest.mark.parametrize("case", RETURNED)
def test_what_a_model_returns_belongs_to_its_runs_or_is_refused(case: str) -> None:
    model, words = RETURNED[case]
    if not words:
        assert own(None, model).frame()["value"].tolist() == list(range(12))
        return
    for read in (lambda runs: runs.frame(), lambda runs: runs.arrays()):
        with pytest.raises(InputError, match=words):
            read(own(None, model))


def test_arrays_of_a_model_of_ones_own_are_the_same_from_a_directory(tmp_path: Path) -> None:
    here = own(None).arrays()["end"]
    assert here["twice"].ravel().tolist() == (2 * np.arange(12.0)).tolist()
    for _ in range(2):  # as it is run, and as it is read
        there = own(tmp_path).arrays()["end"]
        assert list(there) == list(here) == ["sum", "twice"]
        for name, value in here.items():
            np.testing.assert_array_equal(there[name], value)
    found = own(tmp_path, models.fails_at_seven).arrays()["end"]["value"].ravel()
    np.testing.assert_array_equal(found, [*range(7), np.nan, 8, 9, 10, np.nan])


def test_what_is_no_design_or_model_is_refused(tmp_path: Path) -> None:
    for out in (None, tmp_path):
        with pytest.raises(InputError, match="design: 0 is not valid; allowed: at least one run"):
            run_design(cross(points=FINITE).part([]), model=models.two_outcomes, out=out)
    with pytest.raises(InputError, match="model: 3 is not valid"):
        own(None, 3)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_an_estimate_foresees_what_is_run() -> None:
    """Bytes exactly. Time is the benchmark's: no bound holds on a machine that is busy."""
    design, keep = cross("history", replicates=60), ("summary", "quarterly")
    found = estimate(run(design, until="2022Q4", outcomes=None, keep=keep, chunk_runs=15))
    kept = run(design.part([0]), until="2022Q4", outcomes=None, keep=keep).arrays()
    each = sum(value.nbytes for kind in kept.values() for value in kind.values())
    assert found.runs == 60 and found.size == 60 * each and found.seconds > 0


@pytest.mark.slow
def test_the_examples_of_the_page_run(tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    page = (root / "docs/ensembles.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.S)
    assert len(blocks) == 3
    for block in blocks:
        assert script(block, tmp_path)
