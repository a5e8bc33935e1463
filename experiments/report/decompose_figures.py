"""The pictures of a decomposition: what each instrument adds, and the waterfall of the blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from experiments.comparison.intervals import clear_of_zero
from experiments.report.charts import INK, QUIET, ZERO_INSIDE, Chart, new_figure, theme
from experiments.report.figures import WIDTH, _tick, colours
from experiments.report.messages import number, text, wrap

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
    import pandas as pd

    lang = words["lang"]
    order = parts["without"]["median"].sort_values(ascending=False, kind="stable").index
    with theme(lang):
        head = text("decompose_figure", **words)
        figure, axes = _axes(0.42 * len(order) + 0.4, head, words, notes)
        for shift, part, colour in zip((-0.19, 0.19), ("without", "alone"), colours(), strict=True):
            for place, name in enumerate(order):
                _bar(axes, place + shift, 0.0, parts[part].loc[name], colour)
            axes.barh([-9], [0], color=colour, label=text(f"decompose_{part}", lang))
        axes.set_yticks(range(len(order)), [wrap(names[name], 38) for name in order], fontsize=8)
        axes.set_ylim(len(order) - 0.4, -0.6)
        axes.legend(fontsize=8, loc="lower right")
        figure.draw_without_rendering()
    data = pd.concat([parts[part].loc[order].reset_index() for part in ("without", "alone")])
    alt = _alt(head, data, names, words, few)
    return Chart(figure, data.reset_index(drop=True), alt, lang)


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
    import pandas as pd

    lang = words["lang"]
    rows = pd.concat([parts["shapley"], parts["whole"]])
    with theme(lang):
        head = text("decompose_waterfall", **words)
        figure, axes = _axes(0.55 * len(rows) + 0.3, head, words, notes)
        start = 0.0
        for place, (name, row) in enumerate(rows.iterrows()):
            whole = name == "whole"
            colour = QUIET if whole else colours()[0 if row["mean"] >= 0 else 1]
            begin = 0.0 if whole else start
            _bar(axes, place, begin, row, colour, height=0.6, value="mean")
            if not whole:
                start += row["mean"]
                axes.vlines(start, place + 0.3, place + 0.7, color=QUIET, linewidth=0.9)
        labels = [wrap(names[str(name)], 38) for name in rows.index]
        axes.set_yticks(range(len(rows)), labels, fontsize=9)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        figure.draw_without_rendering()
    data = rows.reset_index()
    return Chart(figure, data, _alt(head, data, names, words, few, value="mean"), lang)


def _bar(
    axes: Axes,
    place: float,
    start: float,
    row: pd.Series,
    colour: str,
    height: float = 0.34,
    value: str = "median",
) -> None:
    """Draw a bar from `start` with the 90 % of pairs as a whisker; grey: no effect shown."""
    fill = colour if clear_of_zero(row) else ZERO_INSIDE
    axes.barh(place, row[value], height, left=start, color=fill, edgecolor=colour, zorder=2)
    low, high = row["low_90"] + start, row["high_90"] + start
    axes.hlines(place, low, high, color=INK, linewidth=1.0, zorder=3)


def _axes(
    middle: float, head: str, words: Mapping[str, str], notes: Sequence[str]
) -> tuple[Figure, Axes]:
    """Return a figure with title, subtitle and foot, and axes of a height in inches."""
    import matplotlib as mpl
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    head = wrap(head, 88)
    foot = "\n".join(wrap(note, 150) for note in notes)
    under = 0.20 + 0.22 * (1 + head.count("\n"))
    top, bottom = under + 0.35, 0.75 + 0.15 * (1 + foot.count("\n"))
    high = top + middle + bottom
    figure = new_figure(WIDTH, high)
    weight = mpl.rcParams["axes.titleweight"]
    figure.text(0.02, 1 - 0.12 / high, head, va="top", fontsize=12, weight=weight)
    below = f"{words['unit']} · {words['base']}"
    figure.text(0.02, 1 - under / high, below, va="top", fontsize=9, color=QUIET)
    figure.text(0.02, 0.08 / high, foot, va="bottom", fontsize=7.5, color=QUIET, linespacing=1.4)
    axes = figure.add_axes((0.33, bottom / high, 0.64, middle / high))
    axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    axes.xaxis.set_major_formatter(FuncFormatter(_tick))
    axes.tick_params(axis="x", labelsize=9)
    axes.set_xlabel(f"{words['outcome']}, {words['unit']}", fontsize=9)
    return figure, axes


def _alt(
    head: str,
    data: pd.DataFrame,
    names: Mapping[str, str],
    words: Mapping[str, str],
    few: Sequence[str],
    value: str = "median",
) -> str:
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
