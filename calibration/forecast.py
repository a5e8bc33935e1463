"""The forecast to the end of 2030: ``forecast.csv`` and a note of what made it.

The model speaks where it makes the series. A series of all fields, of which the model makes a part,
grows with the model in that part and with a ruler in the rest (``model with share``); where the
part is under a tenth, or the model is given the series, the ruler speaks alone (``benchmark``):
the one that scored best at the origins, with a width from its own errors there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from calibration.history import (
    LAST_DAY,
    Series,
    decimal,
    earlier_knowledge,
    judged,
    known_at,
    known_figures,
    origins,
    quarter_end,
)
from calibration.records import INFORMATION_END
from calibration.rulers import MEMBERS, RULERS, Known, expect
from calibration.scores import quantiles
from calibration.validate import (
    LEVELS,
    QUANTILES,
    Observed,
    at_origin,
    runs_say,
)
from ecosystem.inputs.calendar import POLICY_START, period_index
from ecosystem.maths.arrays import Array
from ecosystem.runs.identity import commit, folder_digest, model_digests, versions

LAST = period_index("2030Q4")
QUARTERS = range(POLICY_START, LAST + 1)
PART = 0.1
"""Share of a series below which what the model makes of it says nothing of the whole."""
ENOUGH = 5
"""Figures from which on scores choose a ruler; before, the published forecast if there is one."""
COLUMNS = ("series", "region", "date", "median", "q05", "q25", "q75", "q95", "by")
SEED = 20301231
"""Pairs runs of the model with members of a ruler; the last day of the forecast."""


def best_ruler(series: Series, known: Known) -> str:
    """Return the ruler to forecast a series with.

    That with the least mean score over all origins, on the figures that all of them forecast which
    can forecast now; with fewer than `ENOUGH` such figures the published forecast, else no change.
    """
    now = [name for name, ruler in RULERS.items() if np.isfinite(ruler(known, known.years)).all()]
    rows = [row for one in origins(series) for row in at_origin(series, one, {}, np.ones(1))]
    table = pd.DataFrame(rows, columns=["origin", "date", "by", "crps"])
    scored = table.pivot_table(index=["origin", "date"], columns="by", values="crps")
    common = scored.reindex(columns=now).dropna()
    if len(common) >= ENOUGH:
        return str(common.mean().idxmin())
    return "constant_share" if "constant_share" in now else "no_change"


def part_of(series: Series, observed: Observed) -> float:
    """Return which part of the last figure of a series of all fields the model makes, by median."""
    last = known_figures(series, LAST_DAY)[-1]
    return float(np.median(observed[series.observable][:, last.quarter]) / last.value)


def ahead(series: Series, observed: Observed) -> tuple[Array, dict[str, Any]]:
    """Return the forecast of a series, logs (quarters, members), and what made it."""
    known = known_at(series, LAST_DAY)
    assert known is not None  # a series without any figure is no row of the table
    ruler = best_ruler(series, known)
    earlier = earlier_knowledge(series, origins(series))
    years = np.array([decimal(quarter_end(quarter)) for quarter in QUARTERS])
    members = expect(RULERS[ruler], known, earlier, years)
    told: dict[str, Any] = {"ruler": ruler, "errors_of_ruler": len(earlier)}
    if series.observable not in observed:
        return members, {"by": "benchmark", **told, "why": "the model is given this series"}
    said = [runs_say(series, observed, QUARTERS[0] - 1, quarter) for quarter in QUARTERS]
    spoken = np.array([one for one in said if one is not None])
    if series.relation == "level":
        return spoken, {"by": "model"}
    part = part_of(series, observed)
    told["part_of_series"] = round(part, 3)
    if part < PART:
        return members, {"by": "benchmark", **told}
    drawn = np.random.default_rng(SEED).integers(MEMBERS.size, size=spoken.shape[1])
    share = min(part, 1 - 1e-9)
    mixed = np.logaddexp(np.log(share) + spoken, np.log1p(-share) + members[:, drawn])
    return mixed, {"by": "model with share", **told}


def forecast(observed: Observed) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Forecast every series of the table to the end of 2030.

    Parameters
    ----------
    observed
        Observables of runs of equal weight to 2030Q4, (runs, quarters) each.

    Returns
    -------
    frame : DataFrame
        ``series, region, date, median, q05, q25, q75, q95, by``, a row a series and quarter's end.
    made : dict
        By ``series region``: unit, definition, and what made the forecast.
    """
    rows, made = [], {}
    for series in (one for one in judged().values() if one.forecast):
        members, told = ahead(series, observed)
        for quarter, values in zip(QUARTERS, members, strict=True):
            levels = np.exp(quantiles(values, LEVELS))
            if series.unit == "percent":
                levels = np.minimum(levels, 100.0)
            row = {"series": series.series, "region": series.region, "by": told["by"]}
            row |= {"date": quarter_end(quarter).isoformat()}
            rows.append(row | dict(zip(QUANTILES, levels.tolist(), strict=True)))
        about = {"unit": series.unit, "definition": series.definition}
        made[f"{series.series} {series.region}"] = about | told
    return pd.DataFrame(rows, columns=list(COLUMNS)), made


def code() -> dict[str, Any]:
    """Return what names the code: version, commit, and digests of model and calibration."""
    own = folder_digest(resources.files("calibration"), (".py",))
    version = {"version": versions()["compute-ecosystem"], "commit": commit()}
    return {**version, "code": {**model_digests(), "calibration": own}}


def write_forecast(folder: Path, observed: Observed, about: Mapping[str, Any]) -> pd.DataFrame:
    """Write ``forecast.csv``, and ``forecast.json`` beside it; return the frame.

    Parameters
    ----------
    folder
        Where to; it exists.
    observed
        See `forecast`.
    about
        What else the note says: world, draws, command.
    """
    frame, made = forecast(observed)
    frame.to_csv(folder / "forecast.csv", index=False, float_format="%.6g", lineterminator="\n")
    note = {
        "file": "forecast.csv",
        **code(),
        "information_end": INFORMATION_END,
        **about,
        "series": made,
    }
    words = json.dumps(note, ensure_ascii=False, indent=1)
    (folder / "forecast.json").write_text(words + "\n", encoding="utf-8", newline="\n")
    return frame
