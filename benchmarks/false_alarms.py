"""How far a sensitivity study can be trusted: on toys with known answers, over many seeds.

* How often is a factor said to matter? Those with a true total index below the near-dummy's share
  must not be; those above three times that share should be; those between are not counted.
* How far are indices from the truth at 1,024 blocks?
* How often does the interval of the share of chance hold the truth?
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks import toys
from benchmarks.record import Row, command
from experiments import sensitivity
from experiments.sensitivity_analysis.factors import DUMMY, NEAR_DUMMY
from experiments.sensitivity_analysis.salib_study import LEVELS, MAIN, NEAR_SHARE

CASES: dict[str, tuple[Callable[[Any], Any], dict[str, tuple[float, float]], Any]] = {
    "Ishigami": (toys.ishigami, toys.ISHIGAMI, toys.ishigami_indices()),
    "G": (toys.sobol_g, toys.G, toys.g_indices()),
    "G with luck by block": (toys.lucky_g, toys.G, toys.lucky_g_indices()[:2]),
    "G with luck by run": (toys.noisy_g, toys.G, toys.lucky_g_indices()[:2]),
}
SIZES = {"morris": ("trajectories", (20, 80)), "sobol": ("samples", (64, 256))}
LARGE = 1024
"""Blocks at which errors are stated."""
SHARES = (0.1, 0.5, 0.95)
VARIANCE = {"morris": (LEVELS + 1) / (12 * (LEVELS - 1)), "sobol": 1 / 12}
"""Of a factor: on the levels of a Morris grid, and uniform."""
SEEDS, FEWER = 200, 30


def study(model: Any, factors: Any, method: str, size: int, seed: int) -> Any:
    """Return the table of a study, by factor."""
    option: dict[str, Any] = {SIZES[method][0]: size}
    found = sensitivity(model=model, method=method, factors=factors, seed=seed, jobs=1, **option)
    return found.table.set_index("factor")


def label(method: str, size: int, case: str) -> str:
    """Return how a study is called."""
    return f"{method.capitalize()}, {size} blocks, {case}"


def calls(case: str, method: str, size: int, seeds: int) -> list[Row]:
    """Return how often each factor lies above the near-dummy, by what they truly are, %."""
    model, ranges, (_, total) = CASES[case]
    truth = {**dict(zip(ranges, total, strict=True)), DUMMY: 0.0}
    groups = {
        "no share": [name for name, share in truth.items() if share < 1e-9],
        "share below the near-dummy's": [n for n, s in truth.items() if 1e-9 <= s < NEAR_SHARE],
        "the near-dummy itself": [NEAR_DUMMY],
        "share above three times it": [n for n, s in truth.items() if s > 3 * NEAR_SHARE],
    }
    called: dict[str, list[bool]] = {name: [] for name in [*truth, NEAR_DUMMY]}
    for seed in range(1, seeds + 1):
        rows = study(model, ranges, method, size, seed)
        main = MAIN[method]
        bar = NEAR_SHARE if method == "sobol" else rows.loc[NEAR_DUMMY, main]
        for name, low in rows[f"{main}_low"].items():
            called[name].append(low > bar)
    return [
        Row(f"called, {group}", label(method, size, case), "%",
            tuple(100 * float(np.mean(called[name])) for name in names))
        for group, names in groups.items()
        if names
    ]  # fmt: skip


def errors(case: str, seeds: int) -> Row:
    """Return the largest error of a first or total index at many blocks, one a seed."""
    model, ranges, truth = CASES[case]
    largest = []
    for seed in range(1, seeds + 1):
        rows = study(model, ranges, "sobol", LARGE, seed).loc[list(ranges)]
        found = rows[["first", "total"]].to_numpy().T
        largest.append(float(np.abs(found - (1 - NEAR_SHARE) * np.array(truth)).max()))
    return Row("largest error of an index", label("sobol", LARGE, case), "share", tuple(largest))


def coverage(share: float, method: str, seeds: int) -> list[Row]:
    """Return how often the interval of the share of chance holds it, and the estimates."""
    size, held, estimates = SIZES[method][1][0], [], []
    for seed in range(1, seeds + 1):
        model = partial(toys.lucky_sum, share=share, variance=VARIANCE[method], stream=seed)
        row = study(model, toys.PAIR, method, size, seed).iloc[0]
        held.append(row["chance_low"] <= share <= row["chance_high"])
        estimates.append(float(row["chance_share"]))
    case = label(method, size, f"sum with {share:.0%} of chance")
    return [
        Row("interval of the share of chance holds it", case, "%", (100 * float(np.mean(held)),)),
        Row("estimate of that share", case, "share", tuple(estimates)),
    ]


def rows(quick: bool) -> list[Row]:
    """Return the answers to the three questions."""
    many, few = (5, 2) if quick else (SEEDS, FEWER)
    called = [
        row
        for method, (_, sizes) in SIZES.items()
        for size in sizes
        for case in CASES
        for row in calls(case, method, size, many)
    ]
    wrong = [errors(case, few) for case in list(CASES)[:-1]]
    held = [row for method in SIZES for share in SHARES for row in coverage(share, method, many)]
    return [*called, *wrong, *held]


NOTES = (
    f"Calls: share of {SEEDS} seeds, one sample a factor of the group; the near-dummy has "
    f"{NEAR_SHARE:.0%} of variance. Where luck is by run, a study says so and calls nothing: these "
    f"are the calls that it would make. Errors: {FEWER} seeds."
)

if __name__ == "__main__":
    about = "How often a sensitivity study errs on functions whose indices are known, over many "
    command("false_alarms", f"{about}seeds; some minutes. --quick takes five seeds.", rows, NOTES)
