"""Patterns that are known of such places, and whether the model shows them.

``python -m calibration.patterns`` runs `history` at the defaults and at draws of all parameters
and writes ``docs/patterns.md``. What each pattern says, its tolerance and its class stand in
``patterns.csv``: *input* (assumed), *fitted* (in view when parameters were set) or *emergent*.
Only the last is evidence (pattern-oriented modelling: Grimm and Railsback 2012).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from calibration.pattern_measures import MEASURES, follow
from ecosystem.inputs.catalogue import Row, read_rows
from ecosystem.inputs.scenario import resolve
from ecosystem.inputs.world.loader import load_world
from ecosystem.maths.arrays import Array
from ecosystem.quarter.start import make_setting
from ecosystem.runs.core import keep_memory

PAGE = Path(__file__).resolve().parents[1] / "docs" / "patterns.md"
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


@dataclass(frozen=True)
class Finding:
    """What came out for one pattern."""

    name: str
    default: float  # median at the defaults, of the runs that have a value
    passes: bool  # whether it is within the tolerance
    share: float  # of draws within the tolerance
    low: float  # 5 % of draws
    high: float  # 95 % of draws


def findings(defaults: Mapping[str, Array], draws: Mapping[str, Array]) -> list[Finding]:
    """Hold measures at the defaults and at draws against the tolerances."""
    found = []
    for name, pattern in patterns().items():
        seen = defaults[name][np.isfinite(defaults[name])]
        middle = float(np.median(seen)) if len(seen) else float("nan")
        seen = draws[name][np.isfinite(draws[name])]
        low, high = np.quantile(seen, (0.05, 0.95)) if len(seen) else (np.nan, np.nan)
        share = float(pattern.holds(draws[name]).mean())
        passes = bool(pattern.holds(np.array(middle)))
        found.append(Finding(name, middle, passes, share, float(low), float(high)))
    return found


def tolerance(pattern: Pattern) -> str:
    """Return the tolerance in words."""
    if pattern.high is None:
        return f"at least {pattern.low:g}"
    if pattern.low is None:
        return f"at most {pattern.high:g}"
    return f"{pattern.low:g} to {pattern.high:g}"


def figure(value: float) -> str:
    """Return a value to three figures; years and large counts to two places."""
    return f"{value:.2f}" if abs(value) >= 100 else f"{value:.3g}"


def page(found: list[Finding], luck: int = LUCK, draws: int = DRAWS) -> str:
    """Return the page of the documentation."""
    table = patterns()
    evidence = [one for one in found if table[one.name].class_ == "emergent"]
    failing = [one for one in found if not one.passes]
    names = ", ".join(f"`{one.name}`" for one in failing) or "none"
    passing = sum(one.passes for one in evidence)
    parts = [
        "# Patterns: what the model shows, and what it was given",
        "<!-- Written by `python -m calibration.patterns` from calibration/patterns.csv. -->",
        f"Each pattern is measured in `history` on the full world: {luck} runs at the defaults, of "
        f"which the median is held against the tolerance, and {draws} draws of all parameters, "
        "whose share within the tolerance stands beside it, with 5 % to 95 % of their values. "
        "Tolerances were written down before the first run and are not moved to fit. Where a run "
        "has no such value (no fall, so no recovery), the draw counts as outside.",
        f"**Of {len(evidence)} emergent patterns {passing} hold at the defaults.** "
        f"Outside their tolerance at the defaults, of all classes: {names}.",
    ]
    for class_, meaning in CLASSES.items():
        head = "| Fact | Pattern | Tolerance | Default | Holds | Draws | 5 % to 95 % |"
        rows = [head, "|---" * 7 + "|"]
        notes = []
        for one in found:
            row = table[one.name]
            if row.class_ != class_:
                continue
            span = f"{figure(one.low)} to {figure(one.high)}"
            rows.append(
                f"| {row.fact} | {row.sentence} (`{one.name}`) | {tolerance(row)} "
                f"| {figure(one.default)} | {'yes' if one.passes else '**no**'} "
                f"| {100 * one.share:.0f} % | {span} |"
            )
            notes.append(f"- `{one.name}`: {row.measure}. *{row.why}.*")
        parts += [f"## {class_.capitalize()}", meaning, "\n".join(rows), "\n".join(notes)]
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Measure all patterns and write the page."""
    found = findings(measured(LUCK, fixed=True), measured(DRAWS, fixed=False))
    PAGE.write_text(page(found), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
