"""Look for a point of the model at which an identity or a bound fails.

``python -m benchmarks.campaigns.corners`` draws 5,000 points: a package, a seed,
in two of three cases a shock at an end of its range, and every uncertain parameter either drawn or,
with a probability that differs between points, at an end of its range. At each it runs the teaching
world to 2035Q4 and checks after every quarter all that ``tests/test_invariants.py`` checks. The
record is `corners.md`; fewer ``--cases`` write nothing.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import time
import traceback
from pathlib import Path

import numpy as np
from loky import get_reusable_executor
from tqdm import tqdm

from benchmarks.record import machine
from ecosystem.inputs import catalogue
from ecosystem.inputs.scenario import package_names

sys.path.append(str(Path(__file__).parents[2] / "tests"))

RECORD = Path(__file__).with_suffix(".md")
CASES, SEED = 5000, 1


def point(case: int, seed: int) -> tuple[str, str, int, tuple[tuple[str, bool], ...]]:
    """Return the package, shock, seed and corner of a case."""
    luck = np.random.default_rng([seed, case])
    row = luck.choice(list(catalogue.shocks().values()))
    end = row.high if luck.random() < 0.5 else row.low
    start = luck.choice(["2025Q4", "2026Q2", "2027Q1"])
    shock = f"{row.name}:{end}:{start}" if luck.random() < 2 / 3 else ""
    share = luck.choice([0.02, 0.2, 1.0])
    corner = tuple(
        (name, bool(luck.random() < 0.5))
        for name, parameter in catalogue.parameters().items()
        if parameter.distribution != "fixed" and luck.random() < share
    )
    return str(luck.choice(package_names())), shock, int(luck.integers(2**32)), corner


def fault(case: int, seed: int) -> str:
    """Return what fails at a case, or nothing."""
    from test_invariants import Configuration, hold

    package, shock, its_seed, corner = point(case, seed)
    try:
        hold(Configuration(package, shock, its_seed, corner).setting(replicates=(0,)))
    except Exception as error:  # whatever it is, it is what is looked for
        places = [step.name for step in traceback.extract_tb(error.__traceback__)]
        told = " ".join(str(error).split())[:300]
        at = f"{package}, {shock or 'no shock'}, {len(corner)} parameters at an end"
        return f"case {case} ({at}) in {' > '.join(places[2:])}: {type(error).__name__}: {told}"
    return ""


def main() -> None:
    """Check the points, print what fails, and write the record of a whole campaign."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.campaigns.corners")
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    began = time.perf_counter()
    cases = range(given.cases)
    found = get_reusable_executor().map(fault, cases, [given.seed] * given.cases, chunksize=5)
    failed = [told for told in tqdm(found, total=given.cases, unit="point") if told]
    minutes = (time.perf_counter() - began) / 60
    text = (
        f"`python -m benchmarks.campaigns.corners --cases {given.cases} --seed {given.seed}`, "
        f"{datetime.date.today().isoformat()}: {machine()}\n\n"
        f"{given.cases} points (package, shock, corner of the parameters, seed), 64 quarters of "
        f"a run each, all identities and bounds after every quarter: **{len(failed)} failed**, "
        f"{minutes:.0f} minutes.\n"
    )
    text += "".join(f"- {told}\n" for told in failed)
    print(text)
    if given.cases == CASES:
        RECORD.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
