"""The pictures of a comparison and of a run: ranked paired differences, and bands over time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ecosystem.inputs.catalogue import Outcome
from experiments.comparison.intervals import ENOUGH, QUANTILES, clear_of_zero
from experiments.report.charts import (
    BETTER,
    INK,
    QUIET,
    WIDTH,
    WORSE,
    ZERO_INSIDE,
    Chart,
    framed,
    theme,
    tick,
)
from experiments.report.messages import display_unit, number, percent, plain, text, title, wrap
from experiments.report.notes import with_error

BESIDE = (1.25, 2.35)
"""Where the two columns of numbers end, in inches to the right of the axes."""
IN_UNIT = [*QUANTILES, "monte_carlo_error", "mean", "reference_median"]
IN_UNIT += ["per_100", "per_100_low", "per_100_high"]
"""Columns of tables that are in the unit of their outcome."""


def shown(rows: pd.DataFrame, lang: str, form: str = "effect") -> pd.DataFrame:
    """Return rows of one outcome in the unit in which it is shown, which is in `unit`."""
    factor, words = display_unit(str(rows["unit"].iloc[0]), lang, form)
    scaled = {name: rows[name] / factor for name in IN_UNIT if name in rows.columns}
    return rows.assign(**scaled, unit=words)


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
        ``few`` pairs, ``none`` clear of zero, or the package that ``moves`` it most where no
        direction is better, the ``best`` of those that improve it, the last that makes it
        ``worse``.
    """
    clear = rows.loc[clear_of_zero(rows)]
    good = clear.loc[_is_better(clear["median"], better)]
    if rows["pairs"].max() < ENOUGH:
        return "few", rows.iloc[0]
    if clear.empty:
        return "none", rows.iloc[0]
    if not better:
        return "moves", clear.iloc[int(clear["median"].abs().argmax())]
    return ("worse", clear.iloc[-1]) if good.empty else ("best", good.iloc[0])


def _is_better(value: Any, better: str) -> Any:
    """Return where a difference goes in the wanted direction; up where no direction is wanted."""
    return value < 0 if better == "lower" else value > 0


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
    rows, labels = shown(rows, lang), {name: plain(words) for name, words in labels.items()}
    unit = str(rows["unit"].iloc[0])
    key, row = standing_out(rows, outcome.better)
    sentence = text(
        f"finding_{key}", lang, outcome=title(outcome, lang), unit=unit, reference=reference,
        enough=ENOUGH, package=labels[row["package"]], median=number(row["median"], signed=True),
        low=number(row["low_90"], signed=True), high=number(row["high_90"], signed=True),
    )  # fmt: skip
    below = " · ".join([unit, base, text(outcome.better or "neither", lang)])
    with theme(lang):
        frame = framed(0.3 + 0.4 * len(rows), sentence, below, notes)
        axes = frame.axes(2.1, BESIDE[1] + 0.15)
        for place, (_, row) in enumerate(rows.iterrows()):
            _dot(axes, place, row, outcome.better)
            of_pairs = {"share": percent(row["share_above_zero"]), "pairs": row["pairs"]}
            words = [with_error(row), text("of_pairs", lang, **of_pairs)]
            _beside(axes, place, words, INK if clear_of_zero(row) else QUIET)
        names = [wrap(labels[name], 27) for name in rows["package"]]
        axes.set_yticks(range(len(rows)), names, fontsize=9.5)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlabel(text("difference_axis", lang, reference=reference, unit=unit), fontsize=9)
        heads = [text(key, lang) for key in ("column_median", "column_share")]
        _beside(axes, -0.75, heads, QUIET)
        frame.figure.draw_without_rendering()  # ticks come to be while the fonts are set
    alt = text("alt_dots", lang, finding=sentence) + " ".join(
        text(
            "alt_row", lang, package=labels[row["package"]], unit=unit,
            **{name: number(row[name], signed=True) for name in QUANTILES},
        )
        for _, row in rows.iterrows()
    )  # fmt: skip
    return Chart(frame.figure, rows.reset_index(drop=True), alt.strip(), lang)


def _dot(axes: Axes, place: int, row: pd.Series, better: str) -> None:
    """Draw one package: thin 90 %, thick 50 %, a dot at the median; grey: no effect shown."""
    colour = BETTER if not better or _is_better(row["median"], better) else WORSE
    colour = colour if clear_of_zero(row) else ZERO_INSIDE
    axes.hlines(place, row["low_90"], row["high_90"], color=colour, linewidth=1.4, zorder=2)
    axes.hlines(place, row["low_50"], row["high_50"], color=colour, linewidth=5, zorder=3)
    axes.plot(
        row["median"], place, "o", color="white", markeredgecolor=colour, markeredgewidth=1.8,
        markersize=7.5, zorder=4,
    )  # fmt: skip


def _beside(axes: Axes, place: float, words: Sequence[str], colour: str) -> None:
    """Write words into the two columns at the right of the axes."""
    for reach, cell in zip(BESIDE, words, strict=True):
        axes.annotate(
            cell, (1, place), xycoords=axes.get_yaxis_transform(),
            xytext=(72 * reach, 0), textcoords="offset points",
            ha="right", va="center", fontsize=8.5, color=colour, annotation_clip=False,
        )  # fmt: skip


def bands_over_time(
    frame: pd.DataFrame,
    outcomes: Sequence[Outcome],
    *,
    head: str,
    start: float,
    runs: int = ENOUGH,
    notes: Sequence[str] = (),
    lang: str = "en",
) -> Chart:
    """Draw the runs of one scenario over time, one panel an outcome.

    Parameters
    ----------
    frame
        Columns `outcome`, `unit`, `year` (2025.5 is the start of 2025Q3), `period` and the
        quantiles `low_90`, `low_50`, `median`, `high_50`, `high_90` over replicates.
    outcomes
        Rows of the outcome catalogue, in the order of the panels.
    head
        Title.
    start
        Year at which packages start, marked by a dotted line.
    runs
        Number of runs in the bands: foot and alternative text say so where they are few.
    notes
        Lines for the foot of the figure.
    lang
        Language; callers pass what `figure_language` answers.
    """
    columns = min(3, len(outcomes))
    rows = math.ceil(len(outcomes) / columns)
    alt = [text("alt_bands", lang, title=head)]
    if runs < ENOUGH:
        few = text("few_runs", lang, enough=ENOUGH)
        notes, alt = [*notes, few], [*alt, few]
    with theme(lang):
        space = framed(2.1 * rows - 0.4, head, "", notes, wide=WIDTH + 1, above=0.55, foot=0.6)
        panels = space.figure.subplots(
            rows, columns, squeeze=False, sharex=True,
            gridspec_kw={
                "left": 0.07, "right": 0.985, "top": space.top, "bottom": space.bottom,
                "wspace": 0.28, "hspace": 0.52,
            },
        ).ravel()  # fmt: skip
        for place, panel in enumerate(panels):
            if place >= len(outcomes):
                panel.set_visible(False)
                continue
            outcome = outcomes[place]
            band = frame[frame["outcome"] == outcome.name].sort_values("year")
            unit = _panel_unit(band, outcome, lang)
            _panel(panel, band, title(outcome, lang), unit, start)
            if place >= len(outcomes) - columns:
                panel.tick_params(labelbottom=True)
                panel.set_xlabel(text("year", lang), fontsize=8)
            if len(band):
                first, last = band.iloc[0], band.iloc[-1]
                alt.append(text(
                    "alt_panel" if runs > 1 else "alt_panel_one", lang,
                    outcome=title(outcome, lang), unit=unit,
                    start=first["period"], end=last["period"],
                    first=number(first["median"]), last=number(last["median"]),
                    low=number(last["low_90"]), high=number(last["high_90"]),
                ))  # fmt: skip
        space.figure.draw_without_rendering()
    return Chart(space.figure, frame.reset_index(drop=True), " ".join(alt), lang)


def _panel_unit(band: pd.DataFrame, outcome: Outcome, lang: str) -> str:
    """Return the unit of an outcome by quarter: of what flows, it is an amount a quarter."""
    unit = str(band["unit"].iloc[0]) if len(band) else display_unit(outcome.unit, lang)[1]
    flow = outcome.time_base in ("present_value", "sum")
    return f"{unit}, {text('per_quarter', lang)}" if flow else unit


def _panel(panel: Axes, band: pd.DataFrame, name: str, unit: str, start: float) -> None:
    """Draw median and bands of one outcome."""
    year = band["year"].to_numpy()
    for reach, depth in (("90", 0.18), ("50", 0.38)):
        panel.fill_between(
            year, band[f"low_{reach}"].to_numpy(), band[f"high_{reach}"].to_numpy(),
            color=BETTER, alpha=depth, linewidth=0,
        )  # fmt: skip
    panel.plot(year, band["median"].to_numpy(), color=BETTER, linewidth=1.6)
    panel.axvline(start, color=QUIET, linewidth=0.9, linestyle=":")
    if len(band):
        panel.set_xlim(math.floor(year[0]), math.ceil(year[-1] + 0.01))
    panel.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    panel.yaxis.set_major_locator(MaxNLocator(nbins=4))
    panel.yaxis.set_major_formatter(FuncFormatter(tick))
    panel.tick_params(labelsize=7.5)
    panel.set_title(wrap(name, 36), fontsize=9, loc="left", pad=14)
    panel.text(0, 1.02, unit, transform=panel.transAxes, fontsize=7.5, color=QUIET, va="bottom")
