"""Levels of the model in sample beside what was published.

``python -m calibration.levels`` runs `history` at draws of all parameters and holds every target of
``targets.csv`` against median and 90 % band over the draws. The band is that of the model: errors
of what is published are not part of it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from calibration.command import record_command
from calibration.likelihood import at
from calibration.simulated import observed, prior_draws
from calibration.targets import CLASSES, Target, load_targets
from ecosystem.maths.arrays import Array

RECORD = Path(__file__).with_name("levels.csv")
DRAWS, SEED = 100, 4
"""Draws of all parameters, and the seed of draws and luck."""
BAND = (0.05, 0.5, 0.95)
"""Quantiles over draws: the band and its middle."""
SHOWN = ("name", "observable", "region", "date", "base_date", "value", "bound", "unit", "grade")
"""What the table says of a target."""


def inside(target: Target, low: float, high: float) -> bool:
    """Return whether a published value lies in a band; of a bound, whether the band reaches it."""
    reaches_down = low <= target.value or target.bound == "lower"
    return reaches_down and (target.value <= high or target.bound == "upper")


def levels(values: Mapping[str, Array]) -> pd.DataFrame:
    """Hold observables against every target, in the order of the table.

    Parameters
    ----------
    values : dict
        Observables by name, (runs, quarters) each; those left out are not measured.

    Returns
    -------
    DataFrame
        A row a target: what was published, its class, and ``low``, ``median`` and ``high`` of the
        model with ``inside`` (1 or 0); blank where the model measures nothing.
    """
    rows = []
    for target in load_targets():
        about = {name: getattr(target, name) for name in SHOWN}
        found = at(target, values[target.observable]) if target.observable in values else None
        low, middle, high = (np.nan,) * 3 if found is None else np.nanquantile(found, BAND)
        band = {"class": CLASSES[target.use], "low": low, "median": middle, "high": high}
        held = {"inside": None if found is None else int(inside(target, low, high))}
        rows.append(about | band | held)
    table = pd.DataFrame(rows).astype({"inside": "Int64"})
    return table.rename(columns={"value": "published"})


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all levels, print them, and write them if asked to."""
    record_command(
        "calibration.levels",
        f"Hold `history` on the full world, at {DRAWS} draws of all parameters, against every "
        "published figure of targets.csv, and print the table; some seconds.",
        RECORD,
        lambda: levels(observed(prior_draws(DRAWS, SEED))),
        arguments,
    )


if __name__ == "__main__":
    main()
