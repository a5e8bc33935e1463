"""All of `ecosystem validate`: the table of runs, the origins, and the draws of the forecast.

``python -m calibration.judging`` prints the record of the origins; with ``--write`` it keeps it
beside this file, with the forecast, for the page `docs/validation.md`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from calibration.command import record_command
from calibration.forecast import LAST, write_forecast
from calibration.likelihood import log_likelihood, within_ceilings
from calibration.simulated import observed
from calibration.table import prior_table
from calibration.targets import load_targets
from calibration.validate import effective, validate, weigh
from ecosystem.inputs.calendar import period_label
from ecosystem.inputs.draws import Draws, posterior_of
from ecosystem.inputs.entries import REFERENCE
from ecosystem.inputs.world.loader import load_world
from ecosystem.maths.arrays import Array

RECORD = Path(__file__).with_name("validation.csv")
ROWS, DRAWS = 20_000, 1_000
"""Runs of the prior that are weighted, and runs of the forecast."""
SEED = 1
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Judged:
    """The record of the origins, and the runs it comes from.

    Parameters
    ----------
    record : DataFrame
        As `calibration.validate.validate` gives it.
    draws : DataFrame
        Draws of the prior within the ceilings.
    fit : ndarray, shape (draws,)
        Log likelihood of all figures that are fitted.
    rows, figures : int
        Runs of the prior, and figures fitted.
    """

    record: pd.DataFrame
    draws: pd.DataFrame
    fit: Array
    rows: int
    figures: int


def judge(
    world: str = "full",
    *,
    rows: int = ROWS,
    out: Path | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Judged:
    """Forecast from every origin with runs of the prior of a world.

    Parameters
    ----------
    world
        Name or folder of the world.
    rows
        Runs of the prior.
    out, jobs, progress
        See `calibration.table.prior_table`.
    """
    draws, seen = prior_table(world, rows, out=out, jobs=jobs, progress=progress)
    inside = within_ceilings(seen)
    kept = {name: values[inside] for name, values in seen.items()}
    targets = [target for target in load_targets() if target.use == "fit"]
    fits = log_likelihood(targets, kept)
    record = validate(kept, fits, targets)
    return Judged(record, draws[inside], fits.sum(axis=1), rows, len(targets))


def forecast_draws(judged: Judged, table: Draws | None) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the draws of a forecast, rows of equal weight, and what is to be said of them.

    Those of a table, such as the posterior of the world; without one, draws of the prior by their
    likelihood.
    """
    if table is not None:
        return table.of_replicates(SEED, range(DRAWS)), {"draws": table.about}
    weights, exponent = weigh(judged.fit)
    chosen = np.random.default_rng(SEED).choice(len(weights), size=DRAWS, p=weights)
    about = {
        "draws": "prior, weighted by the likelihood of the figures",
        "figures": judged.figures,
        "effective": round(effective(weights)),
        "exponent": round(exponent, 4),
    }
    return judged.draws.iloc[chosen].reset_index(drop=True), about


def forecast_into(
    folder: Path,
    judged: Judged,
    world: str = "full",
    table: Draws | None = None,
    *,
    command: str = "",
    out: Path | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run the draws of the forecast to the end of 2030 and write it into a folder that exists.

    Parameters
    ----------
    folder
        Where to.
    judged
        From `judge`, of the same world.
    world
        Name or folder of the world.
    table
        Draws to take; without them those of the prior by their likelihood.
    command
        What made the file, to be noted beside it.
    out, jobs, progress
        See `calibration.simulated.observed`.

    Returns
    -------
    dict
        What is to be said of the draws.
    """
    draws, about = forecast_draws(judged, table)
    until = period_label(LAST)
    seen = observed(draws, world, until, seed=SEED, out=out, jobs=jobs, progress=progress)
    said = {"scenario": REFERENCE, "world": world, "command": command, "runs": DRAWS}
    write_forecast(folder, seen, {**said, "prior_rows": judged.rows, **about})
    return about


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the record of the origins; write it, and the forecast, if asked to."""
    given = sys.argv[1:] if arguments is None else arguments
    once = cache(judge)
    about = f"Hold forecasts from rolling origins, with {ROWS} runs of the prior, against figures "
    about += "that came later; with --write forecast.csv and forecast.json are written, too."
    record_command("calibration.judging", about, RECORD, lambda: once().record, given, digits=4)
    if "--write" in given:
        command = "python -m calibration.judging --write"
        table = posterior_of(load_world().path)
        forecast_into(RECORD.parent, once(), table=table, command=command)


if __name__ == "__main__":
    main()
