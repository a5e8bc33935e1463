"""How often a study calls a factor one that matters though its share is below the near-dummy's.

``python -m benchmarks.false_alarms`` runs the toys of `benchmarks.toys` with 200 seeds through the
pipeline of `experiments.sensitivity` and writes `results/false_alarms.*`; ``--quick`` takes five
seeds and writes nothing. Factors with a true total index below the near-dummy's share must not be
called; those above three times that share should be; those between are not counted.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import toys
from benchmarks.record import Row, markdown, write
from experiments.salib_study import NEAR_SHARE
from experiments.sensitivity import sensitivity
from experiments.sensitivity_factors import DUMMY, NEAR_DUMMY

CASES: dict[str, tuple[Callable[[Any], Any], dict[str, tuple[float, float]], Any]] = {
    "Ishigami": (toys.ishigami, toys.ISHIGAMI, toys.ishigami_indices()[1]),
    "G": (toys.sobol_g, toys.G, toys.g_indices()[1]),
    "G with luck by block": (toys.lucky_g, toys.G, toys.lucky_g_indices()[1]),
    "G with luck by run": (toys.noisy_g, toys.G, toys.lucky_g_indices()[1]),
}
SIZES = {"morris": ("trajectories", (20, 80)), "sobol": ("samples", (64, 256))}


def rates(case: str, method: str, size: int, seeds: int) -> list[Row]:
    """Return how often factors were called, by what they truly are, %."""
    model, ranges, total = CASES[case]
    truth = {**dict(zip(ranges, total, strict=True)), DUMMY: 0.0}
    groups = {
        "no share": [name for name, share in truth.items() if share < 1e-9],
        "share below the near-dummy's": [n for n, s in truth.items() if 1e-9 <= s < NEAR_SHARE],
        "the near-dummy itself": [NEAR_DUMMY],
        "share above three times it": [n for n, s in truth.items() if s > 3 * NEAR_SHARE],
    }
    option = {SIZES[method][0]: size}
    called: dict[str, list[float]] = {group: [] for group in groups}
    for seed in range(1, seeds + 1):
        found = sensitivity(model=model, method=method, factors=ranges, seed=seed, jobs=1, **option)  # type: ignore[arg-type]
        matters = found.table.set_index("factor")["matters"]
        for group, names in groups.items():
            called[group] += [100 * float(matters[name]) for name in names]
    label = f"{method.capitalize()}, {size} blocks, {case}"
    return [
        Row(f"called, {group}", label, "%", (float(np.mean(shares)),))
        for group, shares in called.items()
        if shares
    ]


def main() -> None:
    """Measure, print and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="five seeds, no record")
    quick = parser.parse_args().quick
    seeds = 5 if quick else 200
    rows = [
        row
        for method, (_, sizes) in SIZES.items()
        for size in sizes
        for case in CASES
        for row in rates(case, method, size, seeds)
    ]
    if quick:
        print(markdown(rows))
    else:
        notes = (
            f"Share of calls over {seeds} seeds; the near-dummy has {NEAR_SHARE:.0%} of variance."
        )
        write("false_alarms", "python -m benchmarks.false_alarms", rows, notes)


if __name__ == "__main__":
    main()
