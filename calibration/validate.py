"""Forecasts from rolling origins, held against what came: the model beside the rulers, by series.

At an origin, the end of a quarter, only figures that had come out are used. The model's forecast is
the table of runs drawn from the prior, weighted by the likelihood of those figures, with the error
of a published figure on top. Nothing is pooled over series: they have little in common, and most
have a handful of figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from calibration import scores
from calibration.history import (
    Series,
    came_out,
    decimal,
    earlier_knowledge,
    judged,
    known_at,
    known_figures,
    origins,
    quarter_end,
    to_come,
)
from calibration.records import sources, statistics
from calibration.rulers import RULERS, expect
from calibration.targets import Target
from ecosystem.inputs.calendar import period_label
from ecosystem.maths.arrays import Array

LEAST = 50.0
"""Effective number of runs below which a likelihood is tempered: quantiles of nine tenths rest on
two or three runs then, and on none with fewer."""
SMALL = 10
"""Number of origins below which a sample is called small."""
EQUAL = 1e-9
"""Difference of mean scores that is none: the sums of equal weights differ in their last digits."""
LEVELS = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
QUANTILES = ("q05", "q25", "median", "q75", "q95")
MODEL, PRIOR = "model", "prior"
"""The model weighted by what was known, and unweighted."""
SEED = 20250630
"""Of the errors of figures that are laid over the runs, the same in every quarter of a run."""
Observed = Mapping[str, Array]
"""Observables of the runs by name, (runs, quarters) each."""


def effective(weights: Array) -> float:
    """Return the effective number of runs of weights that sum to one (Kish 1965)."""
    return float(1 / np.sum(weights**2))


def weigh(fit: Array, least: float = LEAST) -> tuple[Array, float]:
    """Return weights of runs by their log likelihood, tempered where too few would be left.

    Parameters
    ----------
    fit
        Log likelihood, (runs,); minus infinity where a run is ruled out.
    least
        Effective number of runs to be left.

    Returns
    -------
    weights : ndarray, shape (runs,)
        They sum to one.
    exponent : float
        To which the likelihood was raised: the largest up to 1 that leaves so many.
    """
    possible = np.isfinite(fit)
    if not possible.any():
        raise ValueError("every run is ruled out, so that none can be weighed")
    relative = np.where(possible, fit - np.max(fit, where=possible, initial=-np.inf), -np.inf)

    def weights(exponent: float) -> Array:
        raw = np.exp(exponent * np.where(possible, relative, 0.0)) * possible
        return raw / raw.sum()

    def beyond(exponent: float) -> float:
        return effective(weights(exponent)) - least

    if beyond(1.0) >= 0:
        exponent = 1.0
    else:
        exponent = brentq(beyond, 0.0, 1.0, xtol=1e-6) if beyond(0.0) > 0 else 0.0
    return weights(exponent), exponent


def known_targets(targets: Sequence[Target], origin: int) -> Array:
    """Return which targets rest on figures that were out by the end of a quarter, (targets,)."""
    day = quarter_end(origin)
    out = {
        (one.series, one.region, one.date): came_out(
            one.date, sources()[one.source].published, one.note
        )
        for one in statistics()
        if one.kind == "observation"
    }
    return np.array(
        [
            all(
                out[target.series, target.region, date] <= day
                for date in (target.date, target.base_date)
                if date
            )
            for target in targets
        ],
        dtype=bool,
    )


def runs_say(series: Series, observed: Observed, origin: int, quarter: int) -> Array | None:
    """Return what runs say of a series in a quarter, logs with the error of a figure, (runs,).

    None where the model does not measure it, or has no value at the figure it would grow from.
    """
    values = observed.get(series.observable)
    if values is None:
        return None
    found = np.log(np.maximum(values[:, quarter], 1.0))
    if series.relation == "growth":
        last = known_figures(series, quarter_end(origin))[-1]
        base = values[:, last.quarter] if last.quarter >= 0 else np.full(found.shape, np.nan)
        found = found - np.log(np.maximum(base, 1.0)) + np.log(last.value)
    noise = np.random.default_rng(SEED).standard_normal(found.shape)
    return found + series.log_sd * noise if np.isfinite(found).all() else None


def score(ensemble: Array, truth: float, weights: Array | None = None) -> dict[str, float]:
    """Return quantiles of a forecast in logs as levels, and its scores against a figure."""
    middle = scores.quantiles(ensemble, LEVELS, weights)
    return dict(zip(QUANTILES, np.exp(middle).tolist(), strict=True)) | {
        "crps": scores.crps(ensemble, np.log(truth), weights),
        "error": float(abs(middle[2] - np.log(truth))),
        "place": scores.place(ensemble, np.log(truth), weights),
    }


def at_origin(
    series: Series, origin: int, observed: Observed, weights: Array
) -> Iterable[dict[str, Any]]:
    """Give the scored forecasts of one series from one origin: model, prior and rulers."""
    known = known_at(series, quarter_end(origin))
    assert known is not None  # an origin is a day on which something came out
    earlier = earlier_knowledge(series, [one for one in origins(series) if one < origin])
    for figure in to_come(series, origin):
        year = np.array([decimal(figure.day)])
        about = {
            "name": series.name,
            "origin": period_label(origin) if origin >= 0 else "",
            "date": figure.day.isoformat(),
            "known": known.years.size,
            "ahead": float(year[0] - known.years[-1]),
            "published": figure.value,
        }
        said = runs_say(series, observed, origin, figure.quarter)
        if said is not None:
            yield about | {"by": MODEL} | score(said, figure.value, weights)
            yield about | {"by": PRIOR} | score(said, figure.value)
        for name, ruler in RULERS.items():
            members = expect(ruler, known, earlier, year)[0]
            if np.isfinite(members).all():
                yield about | {"by": name} | score(members, figure.value)


def validate(observed: Observed, fits: Array, targets: Sequence[Target]) -> pd.DataFrame:
    """Forecast every judged series from every origin from the first quarter of the model on.

    Parameters
    ----------
    observed
        Observables of runs drawn from the prior.
    fits
        Log likelihood of each run and target, (runs, targets); minus infinity rules a run out.
    targets
        The figures the model is fitted to.

    Returns
    -------
    DataFrame
        A row a series, origin, figure and forecaster (``by``): quantiles, ``crps`` and absolute
        ``error`` in logs, ``place`` of the published value in the forecast, and for the model the
        effective number of runs (``effective``) and the ``exponent`` of its likelihood.
    """
    rows = []
    for series in judged().values():
        for origin in (one for one in origins(series) if one >= 0):
            used = np.where(known_targets(targets, origin), fits, 0.0)
            weights, exponent = weigh(used.sum(axis=1))
            more = {"effective": effective(weights), "exponent": exponent}
            rows += [
                row | (more if row["by"] == MODEL else {})
                for row in at_origin(series, origin, observed, weights)
            ]
    return pd.DataFrame(rows)


def summary(record: pd.DataFrame) -> pd.DataFrame:
    """Set every forecaster of a series beside the model, on the figures that both forecast.

    Returns
    -------
    DataFrame
        A row a series and forecaster: number of ``origins`` and ``figures`` forecast; mean
        ``crps`` and ``error`` in logs; ``model_crps`` and ``model_error`` on the same figures;
        shares of figures inside the middle half and nine tenths (``inside_50``, ``inside_90``);
        and ``worse``, whether the model scores worse, blank without the model.
    """
    keys = ["origin", "date"]
    rows = []
    row: dict[str, Any]
    for (name, by), found in record.groupby(["name", "by"], sort=False):
        model = record[(record["name"] == name) & (record["by"] == MODEL)]
        both = found if model.empty else found.merge(model, on=keys, suffixes=("", "_model"))
        if both.empty:
            continue
        row = {"name": name, "by": by, "origins": both["origin"].nunique(), "figures": len(both)}
        row |= {"crps": both["crps"].mean(), "error": both["error"].mean()}
        if not model.empty:
            row |= {f"model_{one}": both[f"{one}_model"].mean() for one in ("crps", "error")}
            behind = (both["crps_model"] - both["crps"]).mean() > EQUAL
            row |= {"worse": None if by == MODEL else int(behind)}
        inside = both["place"].sub(0.5).abs()
        rows.append(row | {f"inside_{p}": float((inside <= p / 200).mean()) for p in (50, 90)})
    return pd.DataFrame(rows).astype({"worse": "Int64"})


def verdicts(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return, by series, what the model is worse and better than, and if the sample is small.

    Parameters
    ----------
    table
        From `summary`.

    Returns
    -------
    list of dict
        ``name``, ``worse`` and ``better`` (names of forecasters), ``best`` of all, ``origins``,
        ``figures``, ``small``, and ``judged``, whether the model was there to be judged.
    """
    found = []
    for name, rows in table.groupby("name", sort=False):
        rulers = rows[~rows["by"].isin([MODEL])]
        most = rows.sort_values("figures").iloc[-1]
        full = rows[rows["figures"] == most["figures"]].sort_values("crps")
        found.append(
            {
                "name": name,
                "judged": bool((rows["by"] == MODEL).any()),
                "worse": rulers.loc[rulers["worse"].eq(1).fillna(False), "by"].tolist(),
                "better": rulers.loc[rulers["worse"].eq(0).fillna(False), "by"].tolist(),
                "best": full["by"].iloc[0],
                "origins": int(most["origins"]),
                "figures": int(most["figures"]),
                "small": bool(most["origins"] < SMALL),
            }
        )
    return found
