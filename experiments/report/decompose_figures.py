"""The pictures of a decomposition: what each instrument adds, and the waterfall of the blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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
    framed,
    theme,
)
from experiments.report.messages import number, text, wrap


@dataclass(frozen=True)
class Bars:
    """What bars are drawn of.

    Parameters
    ----------
    parts
        Rows by name for ``without``, ``alone``, ``shapley`` and ``whole``, in one unit.
    names
        Titles of instruments, blocks and the whole.
    words
        `outcome`, `unit`, `base`, `package` and `lang`.
    notes
        Lines for the foot.
    few
        Those of them that also belong to the figure in words.
    """

    parts: Mapping[str, pd.DataFrame]
    names: Mapping[str, str]
    words: Mapping[str, str]
    notes: Sequence[str]
    few: Sequence[str]


def instrument_bars(bars: Bars) -> Chart:
    """Draw what each instrument adds to the rest of the package and alone, largest on top."""
    last, alone = bars.parts["without"], bars.parts["alone"]
    order = last["median"].sort_values(ascending=False, kind="stable").index

    def fill(axes: Axes) -> None:
        for shift, rows, colour in ((-0.19, last, BETTER), (0.19, alone, WORSE)):
            for place, name in enumerate(order):
                _bar(axes, place + shift, 0.0, rows.loc[name], "median", 0.34, colour)
            label = text(f"decompose_{rows['part'].iloc[0]}", bars.words["lang"])
            axes.barh([-9], [0], color=colour, label=label)
        axes.legend(fontsize=8, loc="lower right", frameon=True)

    data = pd.concat([rows.loc[order].reset_index() for rows in (last, alone)], ignore_index=True)
    return _drawn(bars, "decompose_figure", data, list(order), 0.42, "median", fill)


def waterfall(bars: Bars) -> Chart:
    """Draw the Shapley parts of the blocks one after the other, by their means, and the whole.

    Means are drawn because they add up; medians do not. Whiskers are the 90 % of pairs.
    """
    rows = pd.concat([bars.parts["shapley"], bars.parts["whole"]])

    def fill(axes: Axes) -> None:
        start = 0.0
        for place, (name, row) in enumerate(rows.iterrows()):
            if name == "whole":
                _bar(axes, place, 0.0, row, "mean", 0.6, QUIET)
                continue
            _bar(axes, place, start, row, "mean", 0.6, BETTER if row["mean"] >= 0 else WORSE)
            start += row["mean"]
            axes.vlines(start, place + 0.3, place + 0.7, color=QUIET, linewidth=0.9)

    names = [str(name) for name in rows.index]
    return _drawn(bars, "decompose_waterfall", rows.reset_index(), names, 0.55, "mean", fill)


def _bar(
    axes: Axes, place: float, start: float, row: pd.Series, value: str, height: float, colour: str
) -> None:
    """Draw a bar from `start` with the 90 % of pairs as a whisker; grey: no effect shown."""
    fill = colour if clear_of_zero(row) else ZERO_INSIDE
    axes.barh(place, row[value], height, left=start, color=fill, edgecolor=colour, zorder=2)
    low, high = row["low_90"] + start, row["high_90"] + start
    axes.hlines(place, low, high, color=INK, linewidth=1.0, zorder=3)


def _drawn(
    bars: Bars, head: str, data: pd.DataFrame, order: Sequence[str], high: float, value: str,
    fill: Callable[[Axes], None],
) -> Chart:  # fmt: skip
    """Return the chart of bars that `fill` draws into axes, a row so many inches `high` a name.

    In words it gives the numbers in the column `value`, which its bars draw.
    """
    words, lang = bars.words, bars.words["lang"]
    sentence = text(head, **words)
    with theme(lang):
        below = f"{words['unit']} · {words['base']}"
        frame = framed(high * len(order) + 0.35, sentence, below, bars.notes, above=0.35)
        axes = frame.axes(0.33 * WIDTH, 0.03 * WIDTH)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
        axes.set_xlabel(f"{words['outcome']}, {words['unit']}", fontsize=9)
        fill(axes)
        axes.set_yticks(range(len(order)), [wrap(bars.names[x], 38) for x in order], fontsize=8.5)
        axes.set_ylim(len(order) - 0.4, -0.6)
        frame.figure.draw_without_rendering()
    rows = [
        text(
            "decompose_alt", lang, part=text(f"decompose_{row['part']}", lang),
            name=bars.names[row["name"]], unit=words["unit"],
            value=f"{text(value, lang)} {number(row[value], signed=True)}",
            low=number(row["low_90"], signed=True), high=number(row["high_90"], signed=True),
        )
        for row in data.to_dict("records")
    ]  # fmt: skip
    return Chart(frame.figure, data, " ".join([f"{sentence}.", *rows, *bars.few]), lang)
