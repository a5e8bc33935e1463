"""The pictures: ranked paired differences, and bands over time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from experiments.comparison.intervals import ENOUGH, clear_of_zero
from experiments.report.charts import INK, QUIET, ZERO_INSIDE, Chart, new_figure, theme
from experiments.report.messages import number, percent, text, title, wrap

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 9.0
"""Inches; a page of A4 across with its margins."""
BESIDE = (1.25, 2.35)
"""Where the two columns of numbers end, in inches to the right of the axes."""


def colours() -> tuple[str, str]:
    """Return the colours of better and worse, told apart by every kind of colour vision."""
    import seaborn as sns

    palette = sns.color_palette("colorblind").as_hex()
    return palette[0], palette[3]


def finding(rows: pd.DataFrame, labels: Mapping[str, str], words: Mapping[str, str]) -> str:
    """Return the sentence a figure of paired differences shows, as its title.

    Parameters
    ----------
    rows
        One row a package, best first, with the columns of `Comparison.table`.
    labels
        Title of each package.
    words
        `outcome`, `unit`, `reference`, `better` (higher, lower or empty) and `lang`.
    """
    clear = rows.loc[clear_of_zero(rows)]
    good = clear.loc[_is_better(clear["median"], words["better"])]
    if rows["pairs"].max() < ENOUGH:
        key, row = "finding_few", rows.iloc[0]
    elif clear.empty:
        key, row = "finding_none", rows.iloc[0]
    elif not words["better"]:
        key, row = "finding_moves", clear.iloc[int(clear["median"].abs().argmax())]
    elif good.empty:
        key, row = "finding_worse", clear.iloc[-1]
    else:
        key, row = "finding_best", good.iloc[0]
    values = {**words, "enough": str(ENOUGH)}
    values["package"] = labels[row["package"]]
    values["median"] = number(row["median"], signed=True)
    values["low"] = number(row["low_90"], signed=True)
    values["high"] = number(row["high_90"], signed=True)
    return text(key, **values)


def _is_better(value: Any, better: str) -> Any:
    """Return where a difference goes in the wanted direction; up where no direction is wanted."""
    return value < 0 if better == "lower" else value > 0


def ranked_differences(
    rows: pd.DataFrame,
    labels: Mapping[str, str],
    *,
    outcome: Any,
    reference: str,
    base: str,
    notes: Sequence[str] = (),
    lang: str = "en",
) -> Chart:
    """Draw paired differences of all packages for one outcome, best on top.

    Parameters
    ----------
    rows
        Rows of `Comparison.table` for one outcome, best first.
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
    words = {
        "outcome": title(outcome, lang),
        "unit": outcome.unit,
        "reference": reference,
        "better": outcome.better,
        "lang": lang,
    }
    sentence = finding(rows, labels, words)
    from matplotlib.ticker import FuncFormatter

    with theme(lang):
        figure, axes = _frame(len(rows), sentence, _subtitle(outcome, base, lang), notes)
        for place, (_, row) in enumerate(rows.iterrows()):
            _dot(axes, place, row, outcome.better)
            _beside(axes, place, _margin_words(row, lang), INK if clear_of_zero(row) else QUIET)
        axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
        names = [wrap(labels[name], 27) for name in rows["package"]]
        axes.set_yticks(range(len(rows)), names, fontsize=9.5)
        axes.xaxis.set_major_formatter(FuncFormatter(_tick))
        axes.tick_params(axis="x", labelsize=9)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlabel(text("difference_axis", **words), fontsize=9)
        heads = [text(key, lang) for key in ("column_median", "column_share")]
        _beside(axes, -0.75, heads, QUIET)
        figure.draw_without_rendering()  # ticks come to be while the fonts are set
    alt = text("alt_dots", lang, finding=sentence) + "".join(
        text("alt_row", lang, package=labels[row["package"]], unit=outcome.unit, **_numbers(row))
        for _, row in rows.iterrows()
    )
    return Chart(figure, rows.reset_index(drop=True), alt.strip(), lang)


def _numbers(row: pd.Series) -> dict[str, str]:
    """Return median and interval bounds of a row as words."""
    names = ("median", "low_50", "high_50", "low_90", "high_90")
    return {name: number(row[name], signed=True) for name in names}


def _subtitle(outcome: Any, base: str, lang: str) -> str:
    direction = text(outcome.better or "neither", lang)
    return " · ".join([outcome.unit, base, direction])


def _frame(rows: int, head: str, below: str, notes: Sequence[str]) -> tuple[Figure, Axes]:
    """Return a figure with title, subtitle and foot, and axes between them (places in inches)."""
    import matplotlib as mpl

    weight = mpl.rcParams["axes.titleweight"]
    head = wrap(head, 88)
    lines = "\n".join(wrap(note, 150) for note in notes)
    under = 0.20 + 0.22 * (1 + head.count("\n"))
    top = under + 0.50
    bottom = 0.75 + 0.15 * (1 + lines.count("\n"))
    middle = 0.3 + 0.4 * rows
    wide, high = WIDTH, top + middle + bottom
    figure = new_figure(wide, high)
    figure.text(0.02, 1 - 0.12 / high, head, va="top", fontsize=12, weight=weight)
    figure.text(0.02, 1 - under / high, below, va="top", fontsize=9, color=QUIET)
    figure.text(0.02, 0.08 / high, lines, va="bottom", fontsize=7.5, color=QUIET, linespacing=1.4)
    left, across = 2.1 / wide, (wide - 2.1 - BESIDE[1] - 0.15) / wide
    return figure, figure.add_axes((left, bottom / high, across, middle / high))


def _dot(axes: Axes, place: int, row: pd.Series, better: str) -> None:
    """Draw one package: thin 90 %, thick 50 %, a dot at the median; grey: no effect shown."""
    good, bad = colours()
    colour = good if not better or _is_better(row["median"], better) else bad
    colour = colour if clear_of_zero(row) else ZERO_INSIDE
    axes.hlines(place, row["low_90"], row["high_90"], color=colour, linewidth=1.4, zorder=2)
    axes.hlines(place, row["low_50"], row["high_50"], color=colour, linewidth=5, zorder=3)
    axes.plot(
        row["median"], place, "o", color="white", markeredgecolor=colour, markeredgewidth=1.8,
        markersize=7.5, zorder=4,
    )  # fmt: skip


def _margin_words(row: pd.Series, lang: str) -> list[str]:
    """Return median with its Monte Carlo error, and the share of pairs above zero, as words."""
    share = percent(row["share_above_zero"])
    return [
        f"{number(row['median'], signed=True)} ± {number(row['monte_carlo_error'], figures=2)}",
        text("of_pairs", lang, share=share, pairs=row["pairs"]),
    ]


def _beside(axes: Axes, place: float, words: Sequence[str], colour: str) -> None:
    """Write words into the two columns at the right of the axes."""
    for reach, cell in zip(BESIDE, words, strict=True):
        axes.annotate(
            cell, (1, place), xycoords=axes.get_yaxis_transform(),
            xytext=(72 * reach, 0), textcoords="offset points",
            ha="right", va="center", fontsize=8.5, color=colour, annotation_clip=False,
        )  # fmt: skip


def _tick(value: float, _: object) -> str:
    """Return a tick label with thousands apart and without an exponent."""
    return f"{value:,.10g}"


def bands_over_time(
    frame: pd.DataFrame,
    outcomes: Sequence[Any],
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
        Columns `outcome`, `year` (2025.5 is the start of 2025Q3) and the quantiles `low_90`,
        `low_50`, `median`, `high_50`, `high_90` over replicates.
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
    import matplotlib as mpl

    columns = min(3, len(outcomes))
    rows = math.ceil(len(outcomes) / columns)
    alt = [text("alt_bands", lang, title=head)]
    if runs < ENOUGH:
        few = text("few_runs", lang, enough=ENOUGH)
        notes, alt = [*notes, few], [*alt, f"{few} "]
    with theme(lang):
        head = wrap(head, 98)
        foot = "\n".join(wrap(note, 165) for note in notes)
        above = 0.90 + 0.22 * head.count("\n")  # room for panel titles of two lines
        below = 0.75 + 0.14 * foot.count("\n")
        figure = new_figure(WIDTH + 1, above + below + 2.1 * rows - 0.4)
        wide, high = figure.get_size_inches()
        weight = mpl.rcParams["axes.titleweight"]
        figure.text(0.02, 1 - 0.12 / high, head, va="top", fontsize=12, weight=weight)
        figure.text(0.02, 0.08 / high, foot, va="bottom", fontsize=7.5, color=QUIET)
        panels = figure.subplots(
            rows, columns, squeeze=False, sharex=True,
            gridspec_kw={
                "left": 0.07, "right": 0.985, "top": 1 - above / high, "bottom": below / high,
                "wspace": 0.28, "hspace": 0.52,
            },
        ).ravel()  # fmt: skip
        for panel, outcome in zip(panels, outcomes, strict=False):
            band = frame[frame["outcome"] == outcome.name].sort_values("year")
            _panel(panel, band, outcome, start, lang)
            alt.append(_panel_words(band, outcome, runs, lang))
        for panel in panels[len(outcomes) :]:
            panel.set_visible(False)
        for panel in panels[max(len(outcomes) - columns, 0) : len(outcomes)]:
            panel.tick_params(labelbottom=True)
            panel.set_xlabel(text("year", lang), fontsize=8)
        figure.draw_without_rendering()
    return Chart(figure, frame.reset_index(drop=True), "".join(alt).strip(), lang)


def _panel(panel: Axes, band: pd.DataFrame, outcome: Any, start: float, lang: str) -> None:
    """Draw median and bands of one outcome."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    colour = colours()[0]
    year = band["year"].to_numpy()
    for reach, depth in (("90", 0.18), ("50", 0.38)):
        panel.fill_between(
            year, band[f"low_{reach}"].to_numpy(), band[f"high_{reach}"].to_numpy(),
            color=colour, alpha=depth, linewidth=0,
        )  # fmt: skip
    panel.plot(year, band["median"].to_numpy(), color=colour, linewidth=1.6)
    panel.axvline(start, color=QUIET, linewidth=0.9, linestyle=":")
    if len(band):
        panel.set_xlim(math.floor(year[0]), math.ceil(year[-1] + 0.01))
    panel.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    panel.yaxis.set_major_locator(MaxNLocator(nbins=4))
    panel.yaxis.set_major_formatter(FuncFormatter(_tick))
    panel.tick_params(labelsize=7.5)
    unit = _panel_unit(outcome, lang)
    panel.set_title(wrap(title(outcome, lang), 36), fontsize=9, loc="left", pad=14)
    panel.text(0, 1.02, unit, transform=panel.transAxes, fontsize=7.5, color=QUIET, va="bottom")


def _panel_unit(outcome: Any, lang: str) -> str:
    """Return the unit of an outcome by quarter: of what flows, it is an amount a quarter."""
    flow = outcome.time_base in ("present_value", "sum")
    return f"{outcome.unit}, {text('per_quarter', lang)}" if flow else str(outcome.unit)


def _panel_words(band: pd.DataFrame, outcome: Any, runs: int, lang: str) -> str:
    """Return one panel in words; one run has no interval."""
    if band.empty:
        return ""
    first, last = band.iloc[0], band.iloc[-1]
    return text(
        "alt_panel" if runs > 1 else "alt_panel_one", lang,
        outcome=title(outcome, lang), unit=_panel_unit(outcome, lang),
        start=first["period"], end=last["period"],
        first=number(first["median"]), last=number(last["median"]),
        low=number(last["low_90"]), high=number(last["high_90"]),
    )  # fmt: skip
