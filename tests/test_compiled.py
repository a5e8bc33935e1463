"""Compiled code is that of the source at hand, compiled once, and runs as plain Python as well."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import poisson

import ecosystem
from ecosystem.inputs.fingerprint import is_users
from ecosystem.maths import compiled
from ecosystem.maths.compiled import kernel
from ecosystem.maths.scalars import normal_quantile, poisson_count

PACKAGE = Path(ecosystem.__file__).parent
RUN = """
import numpy as np
from ecosystem.inputs.scenario import resolve
from ecosystem.inputs.world.loader import load_world
from ecosystem.quarter.start import initial_state, make_setting
from ecosystem.quarter.step import step
setting = make_setting(resolve("history"), load_world("teaching"), 5, [0, 1])
state = initial_state(setting)
for _ in range({quarters}):
    state, quarter = step(state, setting)
print(*(float(x.sum()).hex() for x in (state.firms.staff, state.firms.sales, state.centres.sold)))
"""


def sums(source: Path, quarters: int, **environment: str) -> list[float]:
    """Return staff, sales of AI firms and compute sold, as a new process finds them."""
    said = subprocess.run(
        [sys.executable, "-c", RUN.format(quarters=quarters)],
        cwd=source, env=os.environ | environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [float.fromhex(word) for word in said.stdout.split()]


LAYOUTS = """
from ecosystem.inputs.scenario import resolve
from ecosystem.inputs.world.loader import load_world
from ecosystem.maths.compiled import COMPILED
from ecosystem.quarter.start import initial_state, make_setting
from ecosystem.quarter.step import step
for world in ("teaching", "full"):
    for name in ("history", "article_plus"):
        setting = make_setting(resolve(name), load_world(world), 5, [0, 1])
        state = initial_state(setting)
        for _ in range(3):
            state, quarter = step(state, setting)
found = {
    name: {str(one) for one in function.signatures if "array" in str(one).lower()}
    for name, function in COMPILED.items()
}
print(sum(map(bool, found.values())), *(name for name, of in found.items() if len(of) > 1))
"""


def test_every_kernel_is_compiled_for_one_layout_of_its_arrays() -> None:
    """A second one would be compiled in the middle of a study, in every process."""
    said = subprocess.run(
        [sys.executable, "-c", LAYOUTS], cwd=PACKAGE.parent, capture_output=True, text=True,
        check=True,
    ).stdout.split()  # fmt: skip
    assert int(said[0]) > 50
    assert said[1:] == []


@pytest.mark.slow
def test_an_edited_equation_changes_the_numbers_although_its_caller_is_kept(tmp_path: Path) -> None:
    """Numba alone would go on with the caller it has kept, whose file has not changed."""
    kept = {"NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    shutil.copytree(PACKAGE, tmp_path / "ecosystem", ignore=shutil.ignore_patterns("__pycache__"))
    before = sums(tmp_path, 0, **kept)
    assert sums(tmp_path, 0, **kept) == before
    edited = (
        tmp_path / "ecosystem" / "stages" / "firms.py"
    )  # staff of the start: labour.py calls it
    text, old = edited.read_text(encoding="utf-8"), "    return p.sales_per_worker * "
    assert text.count(old) == 1
    edited.write_text(text.replace(old, f"{old}2 * "), encoding="utf-8")
    assert sums(tmp_path, 0, **kept)[0] < before[0]


@pytest.mark.slow
@pytest.mark.parametrize("way", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_plain_python_and_checked_indices_give_the_same_numbers(way: str, tmp_path: Path) -> None:
    usual = sums(PACKAGE.parent, 3)
    np.testing.assert_allclose(
        sums(PACKAGE.parent, 3, **{way: "1", "NUMBA_CACHE_DIR": str(tmp_path)}), usual, rtol=1e-12
    )


def test_a_folder_that_cannot_be_written_to_is_said_and_the_model_still_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "below"))
    compiled.code_folder.cache_clear()
    with pytest.warns(RuntimeWarning, match=r"cannot be kept in .*below.*NUMBA_CACHE_DIR"):
        twice = kernel(lambda values: values + values)
    assert twice(np.ones(3)).tolist() == [2, 2, 2]
    compiled.code_folder.cache_clear()


def test_compiled_code_is_no_input_of_the_user() -> None:
    folder = compiled.code_folder()
    assert folder is not None and not is_users(str(next(folder.rglob("*.nbi"))))


def test_normal_quantile_is_scipys() -> None:
    """Both are right to about 1e-15; tails beyond 1e-12 are cut."""
    uniform = np.concatenate([np.geomspace(1e-12, 0.5, 400), 1 - np.geomspace(1e-12, 0.5, 400)])
    found = [normal_quantile(one) for one in uniform]
    np.testing.assert_allclose(found, ndtri(uniform), rtol=2e-15, atol=1e-15)
    assert normal_quantile(0.0) == normal_quantile(1e-12)


def test_poisson_count_is_the_smallest_whose_probability_exceeds_the_uniform_number() -> None:
    rng = np.random.default_rng(4)
    for uniform, mean in zip(
        rng.uniform(size=2000), 10 ** rng.uniform(-3, 1.69, 2000), strict=True
    ):
        count = poisson_count(uniform, mean)
        below = poisson.cdf(count - 1, mean) if count else 0.0
        assert below - 1e-12 <= uniform <= poisson.cdf(count, mean) + 1e-12
    assert np.isnan(poisson_count(0.5, float("nan")))
