"""Patterns that are known of such places, and whether the model shows them.

``python -m calibration.patterns`` runs `history` at the defaults and at draws of all parameters.
What each pattern says, its tolerance and its class stand in ``patterns.csv``: *input* (assumed),
*fitted* (in view when parameters were set) or *emergent*. Only the last is evidence
(pattern-oriented modelling: Grimm and Railsback 2012).
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from calibration.command import record_command
from calibration.pattern_measures import MEASURES, follow
from ecosystem.inputs.catalogue import Row, read_rows
from ecosystem.inputs.scenario import resolve
from ecosystem.inputs.world.loader import load_world
from ecosystem.maths.arrays import Array
from ecosystem.quarter.start import make_setting
from ecosystem.runs.chunk import keep_memory

RECORD = Path(__file__).with_name("patterns_found.csv")
DRAWS, LUCK, SEED = 200, 32, 3
"""Draws of all parameters, runs at the defaults, and the seed of both."""
CHUNK = 100
CLASSES = {
    "emergent": "Evidence: neither assumed nor in view when parameters were set.",
    "fitted": "No evidence: in view when parameters were set.",
    "input": "No evidence: assumed, or true by construction.",
}


class Pattern(Row):
    """A row of ``patterns.csv``; a blank bound is open."""

    fact: int
    sentence: str
    class_: Literal["input", "fitted", "emergent"] = Field(alias="class")
    why: str
    measure: str
    low: float | None = None
    high: float | None = None

    def holds(self, values: Array) -> Array:
        """Return whether values are within the tolerance; what is not a number is not."""
        low = -np.inf if self.low is None else self.low
        high = np.inf if self.high is None else self.high
        return np.asarray((low <= values) & (values <= high))


@cache
def patterns() -> dict[str, Pattern]:
    """Return the patterns by name, in the order of the table.

    Raises
    ------
    InputError
        With every fault of the table.
    """
    text = (files("calibration") / "patterns.csv").read_text(encoding="utf-8-sig")
    return read_rows(text, Pattern, "patterns.csv")


def measured(
    runs: int, *, fixed: bool, world: str = "full", seed: int = SEED, **values: float
) -> dict[str, Array]:
    """Run `history` and return the measure of every pattern, (runs,) each.

    Parameters
    ----------
    runs
        Number of runs.
    fixed
        Keep all parameters at their defaults, so that luck alone differs.
    world
        Name of the world.
    seed
        Seed of draws and luck.
    values
        Parameter values that hold in all runs.
    """
    keep_memory()
    scenario = resolve("history")
    parts: list[Mapping[str, Array]] = []
    for first in range(0, runs, CHUNK):
        chunk = range(first, min(first + CHUNK, runs))
        points = {name: np.full(len(chunk), value) for name, value in values.items()}
        setting = make_setting(scenario, load_world(world), seed, chunk, fixed, points)
        course = follow(setting)
        parts.append({name: measure(course) for name, measure in MEASURES.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in patterns()}


def findings(defaults: Mapping[str, Array], draws: Mapping[str, Array]) -> pd.DataFrame:
    """Hold measures at the defaults and at draws against the tolerances.

    Parameters
    ----------
    defaults, draws : dict
        Measures by pattern, (runs,) each; NaN where a run has no such value.

    Returns
    -------
    DataFrame
        A row a pattern: ``default``, the median at the defaults of the runs that have a value;
        ``holds``, 1 if it is within the tolerance; ``share`` of draws within it; ``draws_low`` and
        ``draws_high``, 5 % and 95 % of draws.
    """
    rows = []
    for name, pattern in patterns().items():
        seen = defaults[name][np.isfinite(defaults[name])]
        middle = float(np.median(seen)) if len(seen) else np.nan
        seen = draws[name][np.isfinite(draws[name])]
        low, high = np.quantile(seen, (0.05, 0.95)) if len(seen) else (np.nan, np.nan)
        holds, share = int(pattern.holds(np.array(middle))), pattern.holds(draws[name]).mean()
        rows.append([name, middle, holds, share, low, high])
    columns = ["name", "default", "holds", "share", "draws_low", "draws_high"]
    return pd.DataFrame(rows, columns=columns)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all patterns, print what came out, and write it if asked to."""
    record_command(
        "calibration.patterns",
        f"Measure every pattern of patterns.csv in `history` on the full world, in {LUCK} runs at "
        f"the defaults and {DRAWS} draws of all parameters, and print what came out; about half a "
        "minute.",
        RECORD,
        lambda: findings(measured(LUCK, fixed=True), measured(DRAWS, fixed=False)),
        arguments,
    )


if __name__ == "__main__":
    main()
