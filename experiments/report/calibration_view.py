"""What a calibration found, in words and tables."""

from __future__ import annotations

import math

import pandas as pd

from calibration.calibrate import ENOUGH, Calibration
from experiments.report.messages import text
from experiments.report.tables import Page, Table

TENSE = 2.0
"""Standard deviations from what the other figures say that are named a tension."""


def page(found: Calibration, lang: str) -> Page:
    """Return what was fitted, what was learned, and what is in doubt."""
    about, tables = found.about, found.tables
    parameters, figures = tables["parameters"], tables["figures"]
    counts = {
        "figures": int(figures["fitted"].sum()),
        "directions": len(tables["directions"]),
        "reached": int(parameters["reached"].sum()),
        "parameters": len(parameters),
        "worth": round(about["worth"]),
        "enough": ENOUGH,
    }
    lines: Page = [text("calibration_fitted", lang, **about, figures=counts["figures"])]
    lines += [text("calibration_learned" if found.learned else "nothing_learned", lang, **counts)]
    lines += [text("calibration_worth" if found.converged else "not_converged", lang, **counts)]
    apart = parameters.loc[parameters["disagree"] == 1, "name"]
    if len(apart):
        lines.append(text("calibration_disagree", lang, names=", ".join(apart)))
    tense = figures.loc[figures["tension"].abs() > TENSE, "name"]
    if len(tense):
        lines.append(text("calibration_tension", lang, names=", ".join(tense)))
    return [*lines, "", figures_shown(figures, lang)]


def figures_shown(figures: pd.DataFrame, lang: str) -> Table:
    """Return the fitted figures: published, and of the model before and after the fit."""
    columns = text("calibration_columns", lang).split("|")
    fitted = figures[figures["fitted"] == 1]
    rows = [
        [
            str(row["name"]),
            short(row["published"]),
            banded(row, "prior"),
            banded(row, "posterior"),
            f"{row['tension']:+.1f}",
        ]
        for _, row in fitted.iterrows()
    ]
    return Table(columns, rows)


def banded(row: pd.Series, words: str) -> str:
    """Return a median with its band."""
    low, middle, high = (row[f"{words}_{name}"] for name in ("low", "median", "high"))
    return f"{short(middle)} [{short(low)}, {short(high)}]"


def short(value: float) -> str:
    """Return a number in three digits."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"
