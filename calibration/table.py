"""The stored table of runs of the prior: ``python -m calibration.table --out FOLDER``.

Parameters and luck of every row, and all observables to 2025Q2. What is learned from figures is
learned from this table; it is made once, goes on after an interruption, and stays in its folder.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from calibration.simulated import observed, prior_draws
from ecosystem.maths.arrays import Array

ROWS = 20_000
"""Rows of the table: of parameters and luck, one in a thousand meets all figures of the hub."""


def prior_table(
    world: str = "full",
    rows: int = ROWS,
    *,
    out: Path | None = None,
    jobs: int | None = None,
    seed: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[pd.DataFrame, dict[str, Array]]:
    """Return draws of the prior and what is observed in them.

    Parameters
    ----------
    world
        Name or folder of the world.
    rows
        Number of draws.
    out, jobs, progress
        As `calibration.simulated.observed` takes them.
    seed
        Of draws and luck.

    Returns
    -------
    draws : DataFrame
        A row a draw.
    observed : dict
        Observables by name, (rows, quarters) each.
    """
    draws = prior_draws(rows, seed)
    return draws, observed(draws, world, seed=seed, jobs=jobs, out=out, progress=progress)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the table of the full world, or what is missing of it."""
    parser = argparse.ArgumentParser(prog="python -m calibration.table", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder that keeps the runs")
    parser.add_argument("--rows", type=int, default=ROWS)
    given = parser.parse_args(arguments)
    with tqdm(total=given.rows, unit="run", file=sys.stderr) as bar:

        def show(done: int, every: int) -> None:
            bar.update(done - bar.n)

        prior_table(rows=given.rows, out=given.out, progress=show)


if __name__ == "__main__":
    main()
