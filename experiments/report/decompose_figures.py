"""The pictures of a decomposition: what each instrument adds, and the waterfall of the blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from experiments.comparison.intervals import clear_of_zero
from experiments.report.charts import (
    BETTER,
    INK,
    QUIET,
    WIDTH,
    WORSE,
    ZERO_INSIDE,
    Chart,
    Frame,
    framed,
    theme,
)
from experiments.report.messages import number, text, wrap


def instrument_bars(
    parts: Mapping[str, pd.DataFrame],
    names: Mapping[str, str],
    words: Mapping[str, str],
    notes: Sequence[str],
    few: Sequence[str],
) -> Chart:
    """Draw what each instrument adds to the rest of the package and alone, largest on top.

    Parameters
    ----------
    parts
        Rows by name for ``without`` and ``alone``, in the unit of the figure.
    names
        Titles of the instruments.
    words
        `outcome`, `unit`, `base`, `package` and `lang`.
    notes
        Lines for the foot of the figure.
    few
        Those of them that also belong to the figure in words.
    """
    lang = words["lang"]
    order = parts["without"]["median"].sort_values(ascending=False, kind="stable").index
    head = text("decompose_figure", **words)
    with theme(lang):
        frame, axes = _space(0.42 * len(order) + 0.4, head, words, notes)
        for shift, part, colour in ((-0.19, "without", BETTER), (0.19, "alone", WORSE)):
            for place, name in enumerate(order):
                _bar(axes, place + shift, 0.0, parts[part].loc[name], colour)
            axes.barh([-9], [0], color=colour, label=text(f"decompose_{part}", lang))
        axes.set_yticks(range(len(order)), [wrap(names[name], 38) for name in order], fontsize=8)
        axes.set_ylim(len(order) - 0.4, -0.6)
        axes.legend(fontsize=8, loc="lower right", frameon=True)
        frame.figure.draw_without_rendering()
    data = pd.concat([parts[part].loc[order].reset_index() for part in ("without", "alone")])
    alt = _alt(head, data, names, words, few)
    return Chart(frame.figure, data.reset_index(drop=True), alt, lang)


def waterfall(
    parts: Mapping[str, pd.DataFrame],
    names: Mapping[str, str],
    words: Mapping[str, str],
    notes: Sequence[str],
    few: Sequence[str],
) -> Chart:
    """Draw the Shapley parts of the blocks one after the other, by their means, and the whole.

    Means are drawn because they add up; medians do not. Whiskers are the 90 % of pairs.
    """
    lang, head = words["lang"], text("decompose_waterfall", **words)
    rows = pd.concat([parts["shapley"], parts["whole"]])
    with theme(lang):
        frame, axes = _space(0.55 * len(rows) + 0.3, head, words, notes)
        start = 0.0
        for place, (name, row) in enumerate(rows.iterrows()):
            if name == "whole":
                _bar(axes, place, 0.0, row, QUIET, height=0.6, value="mean")
                continue
            _bar(axes, place, start, row, (WORSE, BETTER)[row["mean"] >= 0], 0.6, "mean")
            start += row["mean"]
            axes.vlines(start, place + 0.3, place + 0.7, color=QUIET, linewidth=0.9)
        labels = [wrap(names[str(name)], 38) for name in rows.index]
        axes.set_yticks(range(len(rows)), labels, fontsize=9)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        frame.figure.draw_without_rendering()
    data = rows.reset_index()
    return Chart(frame.figure, data, _alt(head, data, names, words, few, value="mean"), lang)


def _bar(
    axes: Axes, place: float, start: float, row: pd.Series, colour: str,
    height: float = 0.34, value: str = "median",
) -> None:  # fmt: skip
    """Draw a bar from `start` with the 90 % of pairs as a whisker; grey: no effect shown."""
    fill = colour if clear_of_zero(row) else ZERO_INSIDE
    axes.barh(place, row[value], height, left=start, color=fill, edgecolor=colour, zorder=2)
    low, high = row["low_90"] + start, row["high_90"] + start
    axes.hlines(place, low, high, color=INK, linewidth=1.0, zorder=3)


def _space(
    middle: float, head: str, words: Mapping[str, str], notes: Sequence[str]
) -> tuple[Frame, Axes]:
    """Return a figure and axes of a height in inches for bars."""
    frame = framed(middle, head, f"{words['unit']} · {words['base']}", notes, above=0.35)
    axes = frame.axes(0.33 * WIDTH, 0.03 * WIDTH)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    axes.set_xlabel(f"{words['outcome']}, {words['unit']}", fontsize=9)
    return frame, axes


def _alt(
    head: str, data: pd.DataFrame, names: Mapping[str, str], words: Mapping[str, str],
    few: Sequence[str], value: str = "median",
) -> str:  # fmt: skip
    """Return a figure in words, with the number that its bars draw."""
    lang = words["lang"]
    rows = [
        text(
            "decompose_alt", lang, part=text(f"decompose_{row['part']}", lang),
            name=names[row["name"]], value=f"{text(value, lang)} {number(row[value], signed=True)}",
            low=number(row["low_90"], signed=True), high=number(row["high_90"], signed=True),
            unit=words["unit"],
        )
        for row in data.to_dict("records")
    ]  # fmt: skip
    return " ".join([f"{head}.", *rows, *few])
