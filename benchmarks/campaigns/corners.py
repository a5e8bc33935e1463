"""Look for a point of the model at which an identity or a bound fails.

``python -m benchmarks.campaigns.corners`` draws 250 batches of a package and, in two of three, a
shock at an end of its range; each has 20 runs with luck and parameters of their own: every
uncertain parameter is drawn or, with a probability that differs between runs, stands at an end of
its range. The teaching world runs to 2035Q4, and after every quarter all is checked that
``tests/test_invariants.py`` checks. The record is `corners.md`; fewer ``--batches`` write nothing.
"""

from __future__ import annotations

import argparse
import datetime
import subprocess
import sys
import time
import traceback
from pathlib import Path

import numpy as np
from loky import get_reusable_executor
from tqdm import tqdm

from benchmarks.record import machine
from ecosystem.inputs import catalogue
from ecosystem.inputs.draws import draw_parameters
from ecosystem.inputs.scenario import ResolvedScenario, package_names, resolve, with_overrides
from ecosystem.inputs.world.loader import load_world
from ecosystem.maths.arrays import Array
from ecosystem.maths.chance import Chance
from ecosystem.quarter.start import make_setting

sys.path.append(str(Path(__file__).parents[2] / "tests"))

RECORD = Path(__file__).with_suffix(".md")
BATCHES, RUNS, SEED = 250, 20, 1


def corners(luck: np.random.Generator, seed: int, scenario: ResolvedScenario) -> dict[str, Array]:
    """Return the values of every uncertain parameter, some at an end of their range, (runs,)."""
    values = draw_parameters(Chance(seed, range(RUNS)), False, scenario.parameters)
    share = luck.choice([0.02, 0.2, 1.0], RUNS)
    found = {}
    for name, row in catalogue.parameters().items():
        if row.distribution != "fixed":
            end = np.where(luck.random(RUNS) < 0.5, row.low, row.high)
            found[name] = np.where(luck.random(RUNS) < share, end, values[name])
    return found


def fault(batch: int, seed: int) -> str:
    """Return what fails in a batch, or nothing."""
    from test_invariants import hold

    luck = np.random.default_rng([seed, batch])
    row = luck.choice(list(catalogue.shocks().values()))
    end, start = luck.choice([row.low, row.high]), luck.choice(["2025Q4", "2026Q2", "2027Q1"])
    shocks = [f"{row.name}:{end}:{start}"] if luck.random() < 2 / 3 else []
    package, its_seed = str(luck.choice(package_names())), int(luck.integers(2**32))
    scenario = with_overrides(resolve(package), (), shocks)
    points = corners(luck, its_seed, scenario)
    try:
        hold(make_setting(scenario, load_world("teaching"), its_seed, range(RUNS), points=points))
    except Exception as error:  # whatever it is, it is what is looked for
        places = [step.name for step in traceback.extract_tb(error.__traceback__)]
        told = " ".join(str(error).split())[:300]
        at = f"{package}, {shocks or 'no shock'}, seed {its_seed}"
        return f"batch {batch} ({at}) in {' > '.join(places[2:])}: {type(error).__name__}: {told}"
    return ""


def main() -> None:
    """Check the points, print what fails, and write the record of a whole campaign."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.campaigns.corners")
    parser.add_argument("--batches", type=int, default=BATCHES)
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    began = time.perf_counter()
    batches = range(given.batches)
    found = get_reusable_executor().map(fault, batches, [given.seed] * given.batches, chunksize=5)
    failed = [told for told in tqdm(found, total=given.batches, unit="batch") if told]
    minutes = (time.perf_counter() - began) / 60
    last = ["git", "log", "-1", "--format=%h", "--", "ecosystem"]
    commit = subprocess.run(last, capture_output=True, text=True, check=False).stdout.strip()
    text = (
        f"`python -m benchmarks.campaigns.corners --batches {given.batches} --seed {given.seed}`, "
        f"{datetime.date.today().isoformat()}, model of commit {commit}: {machine()}\n\n"
        f"{given.batches * RUNS:,} points (package, shock, corner of the parameters, luck), 64 "
        f"quarters each, all identities and bounds after every quarter: **{len(failed)} of "
        f"{given.batches} batches failed**, {minutes:.0f} minutes.\n"
    )
    text += "".join(f"- {told}\n" for told in failed)
    print(text)
    if given.batches == BATCHES:
        RECORD.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
