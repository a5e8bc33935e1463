"""The picture of a comparison: paired differences of all packages, best on top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from ecosystem.inputs.catalogue import Outcome
from experiments.comparison.intervals import ERRORS, QUANTILES
from experiments.comparison.sureness import NO_VISIBLE_CHANGE, sign_shown, visible
from experiments.report.charts import BETTER, INK, QUIET, WORSE, Chart, canvas, dot, from_zero
from experiments.report.messages import display_unit, number, plain, text, title
from experiments.report.notes import sure, value, with_error

BESIDE = (1.2, 3.35)
"""Where the two columns of numbers end, in inches to the right of the axes."""
IN_UNIT = [*QUANTILES, *ERRORS.values(), "mean", "reference_median"]
IN_UNIT += ["per_100", "per_100_low", "per_100_high"]
IN_UNIT += ["mu", "mu_star", "mu_star_low", "mu_star_high", "sigma", "sd"]
"""Columns of tables that are in the unit of their outcome."""


def shown(rows: pd.DataFrame, lang: str, form: str = "effect", unit: str = "unit") -> pd.DataFrame:
    """Return rows of one outcome in the unit in which it is shown, which is in the column `unit`.

    See `experiments.report.messages.display_unit` for forms.
    """
    factor, words = display_unit(str(rows[unit].iloc[0]), lang, form)
    scaled = {name: rows[name] / factor for name in IN_UNIT if name in rows.columns}
    return rows.assign(**scaled, **{unit: words})


def standing_out(rows: pd.DataFrame, better: str) -> tuple[str, pd.Series]:
    """Return what the paired differences of one outcome show, and the row that shows it.

    Parameters
    ----------
    rows
        One row a package, best first, with the columns of `ComparisonResult.table`.
    better
        ``higher``, ``lower`` or empty.

    Returns
    -------
    tuple
        No visible change by any (``unseen``), no sign that is likely (``open``, and the surest),
        or the package that ``moves`` it most where no direction is better, the ``best`` of those
        that improve it, the last that makes it ``worse``.
    """
    likely = rows.loc[sign_shown(rows)]
    good = likely.loc[_is_better(likely["median"], better)]
    if (rows["sureness"] == NO_VISIBLE_CHANGE).all():
        return "unseen", rows.iloc[0]
    if likely.empty:
        seen = rows.loc[rows["sureness"] != NO_VISIBLE_CHANGE]
        return "open", seen.iloc[int(seen["share_low"].argmax())]
    if not better:
        return "moves", likely.iloc[int(likely["median"].abs().argmax())]
    return ("worse", likely.iloc[-1]) if good.empty else ("best", good.iloc[0])


def _is_better(difference: Any, better: str) -> Any:
    """Return where a difference goes in the wanted direction; up where no direction is wanted."""
    return difference < 0 if better == "lower" else difference > 0


def ranked_differences(
    rows: pd.DataFrame,
    labels: Mapping[str, str],
    *,
    outcome: Outcome,
    reference: str,
    base: str,
    notes: Sequence[str] = (),
    lang: str = "en",
) -> Chart:
    """Draw paired differences of all packages for one outcome, best on top.

    Parameters
    ----------
    rows
        Rows of `ComparisonResult.table` for one outcome, best first.
    labels
        Title of each package in the language of the figure.
    outcome
        Row of the outcome catalogue.
    reference
        Title of the reference.
    base
        Time base in words, such as "present value 2025Q3–2035Q4".
    notes
        Lines for the foot of the figure.
    lang
        Language; callers pass what `figure_language` answers.
    """
    factor, _ = display_unit(outcome.unit, lang)
    rows, labels = shown(rows, lang), {name: plain(words) for name, words in labels.items()}
    unit = str(rows["unit"].iloc[0])
    key, row = standing_out(rows, outcome.better)
    sentence = text(
        f"finding_{key}", lang, outcome=title(outcome, lang), unit=unit, reference=reference,
        package=labels[row["package"]], median=value(row),
        low=value(row, "low_90"), high=value(row, "high_90"),
        sure=sure(row, lang), visible=number(visible(outcome.unit) / factor),
    )  # fmt: skip
    below = " · ".join([unit, base, text(outcome.better or "neither", lang)])
    axis = text("difference_axis", lang, reference=reference, unit=unit)
    with canvas(0.8 + 0.4 * len(rows), sentence, notes, lang) as figure:
        axes = figure.subplots()
        from_zero(axes, [labels[name] for name in rows["package"]], axis)
        axes.set_title(below, loc="left", fontsize=9, color=QUIET, weight="normal", pad=16)
        for place, (_, row) in enumerate(rows.iterrows()):
            wanted = not outcome.better or _is_better(row["median"], outcome.better)
            dot(axes, place, row, BETTER if wanted else WORSE)
            words = [with_error(row), sure(row, lang)]
            _beside(axes, place, words, INK if sign_shown(row) else QUIET)
        heads = [text(key, lang) for key in ("column_median", "column_sure")]
        _beside(axes, -0.75, heads, QUIET)
    alt = [
        text(
            "alt_row", lang, package=labels[row["package"]], unit=unit, sure=sure(row, lang),
            **{name: value(row, name) for name in QUANTILES},
        )
        for _, row in rows.iterrows()
    ]  # fmt: skip
    alt = [text("alt_dots", lang, finding=sentence), *alt]
    return Chart(figure, rows.reset_index(drop=True), " ".join(alt), lang)


def _beside(axes: Axes, place: float, words: Sequence[str], colour: str) -> None:
    """Write words into the two columns at the right of the axes."""
    for reach, cell in zip(BESIDE, words, strict=True):
        axes.annotate(
            cell, (1, place), xycoords=axes.get_yaxis_transform(),
            xytext=(72 * reach, 0), textcoords="offset points",
            ha="right", va="center", fontsize=8.5, color=colour, annotation_clip=False,
        )  # fmt: skip
