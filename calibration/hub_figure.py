"""The figure of the search: servers, halls and published compute of the hub against the points."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from calibration.observe import observation_model
from ecosystem.inputs.calendar import FIRST_YEAR, QUARTERS_A_YEAR

FIRST_SHOWN = 2022
LIMITS = (30.0, 300_000.0)
"""Axis of compute, PFLOPS; in 2022 and before, single servers decide."""
STOCKS = {
    "servers": "Servers in operation",
    "halls": "Halls built (nameplate)",
    "published": "Published: servers, then halls",
}
PARAMETERS = {"defaults": "Default parameters", "draws": "All parameters drawn"}
INK, QUIET = "#222222", "#666666"
THEME = {
    "font.family": ["DejaVu Sans"],
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "axes.edgecolor": "#bbbbbb",
    "grid.color": "#e6e6e6",
    "text.color": INK,
    "svg.hashsalt": "compute-ecosystem",
}
TITLE = "Intelligent compute of the hub: fitted to September 2024, later points not used"
ALT = (
    "Small multiples on a logarithmic axis: servers in operation, halls built, and published "
    "compute of the hub, {first} to {last}, medians with 50 and 90 percent bands; above at the "
    "default parameters, below with all parameters drawn. Filled dots are the published points "
    "that were fitted, to September 2024; hollow dots are later points, not used. All numbers are "
    "in the CSV file."
)


def end_of(periods: ArrayLike) -> NDArray[np.float64]:
    """Return the ends of quarters as decimal years."""
    return FIRST_YEAR + (np.asarray(periods) + 1) / QUARTERS_A_YEAR


def draw_bands(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    """Draw a median with its 50 and 90 percent bands."""
    x = end_of(rows["period"].to_numpy())
    for low, high, alpha in (("q0.05", "q0.95", 0.18), ("q0.25", "q0.75", 0.35)):
        axes.fill_between(x, rows[low], rows[high], color=colour, alpha=alpha, linewidth=0)
    axes.plot(x, rows["q0.50"], color=colour, linewidth=1.8)


def segments(stock: str, rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the stocks a series measures and their rows: the break in it is no growth."""
    if stock != "published":
        return [(stock, rows)]
    before = rows["period"] < observation_model().break_period
    return [("servers", rows[before]), ("halls", rows[~before])]


def draw_points(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw published points: filled where fitted, hollow where not used; arrows on lower bounds."""
    for mark, face in (("fitted", INK), ("not used", "white")):
        chosen = rows[rows["mark"] == mark]
        axes.plot(
            end_of(chosen["period"].to_numpy()), chosen["published"], "o", markersize=5.5,
            markerfacecolor=face, markeredgecolor=INK, markeredgewidth=1.1, zorder=5,
        )  # fmt: skip
    for _, row in rows[rows["bound"] == "lower"].iterrows():
        x = float(end_of(row["period"]))
        axes.annotate(
            "", (x, row["published"] * 2.3), (x, row["published"] * 1.15),
            arrowprops={"arrowstyle": "->", "color": INK, "linewidth": 1.1}, zorder=5,
        )  # fmt: skip


def set_axes(axes: Axes, last: float) -> None:
    """Give a panel its logarithmic axis and whole years."""
    axes.set_yscale("log")
    axes.set_ylim(*LIMITS)
    axes.set_xlim(FIRST_SHOWN, last + 0.1)
    years = np.arange(FIRST_SHOWN, int(last) + 1)
    axes.set_xticks(years, [str(year) for year in years])
    ticks = [100, 1_000, 10_000, 100_000]
    axes.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()


def add_words(figure: Figure) -> None:
    """Add the title and the key of bands and points."""
    dot: dict[str, Any] = {
        "marker": "o",
        "linestyle": "",
        "markersize": 5.5,
        "markeredgecolor": INK,
    }
    figure.legend(
        handles=[
            Line2D([], [], color=QUIET, linewidth=1.8, label="median"),
            Patch(color=QUIET, alpha=0.5, linewidth=0, label="half of the runs"),
            Patch(color=QUIET, alpha=0.18, linewidth=0, label="90 % of the runs"),
            Line2D([], [], markerfacecolor=INK, label="published, fitted", **dot),
            Line2D([], [], markerfacecolor="white", label="published later, not used", **dot),
            Line2D([], [], color=INK, marker=r"$\uparrow$", linestyle="", label="at least"),
        ],
        loc="outside lower center", ncols=6, frameon=False, fontsize=9, handletextpad=0.5,
        columnspacing=1.4,
    )  # fmt: skip
    figure.suptitle(TITLE, x=0.01, ha="left", fontsize=12, fontweight="bold")


def picture(path: pd.DataFrame) -> Figure:
    """Return the figure: a column a stock, a row with fixed and one with drawn parameters."""
    palette = sns.color_palette("colorblind").as_hex()
    colours = {"servers": palette[0], "halls": palette[1]}
    bands, marks = path[path["mark"] == "band"], path[path["mark"] != "band"]
    figure = Figure(figsize=(9.0, 6.2), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(PARAMETERS), len(STOCKS), sharex=True, sharey=True)
    for line, (parameters, where) in zip(grid, PARAMETERS.items(), strict=True):
        for axes, (stock, title) in zip(line, STOCKS.items(), strict=True):
            mine = (bands["parameters"] == parameters) & (bands["stock"] == stock)
            for part, rows in segments(stock, bands[mine]):
                draw_bands(axes, rows, colours[part])
            draw_points(axes, marks if stock == "published" else marks[marks["stock"] == stock])
            set_axes(axes, float(end_of(bands["period"].max())))
            if parameters == "defaults":
                axes.set_title(title, loc="left")
        line[0].set_ylabel(f"{where}\nPFLOPS FP16, log scale")
    add_words(figure)
    return figure


def draw(path: pd.DataFrame, stem: Path) -> None:
    """Write the figure as PNG and SVG and its description as text.

    Parameters
    ----------
    path : DataFrame
        The `calibration.hub_search.Findings.path`.
    stem : Path
        File name without ending.
    """
    alt = ALT.format(first=FIRST_SHOWN, last=int(end_of(path["period"].max())))
    stem.with_suffix(".txt").write_text(alt + "\n", encoding="utf-8")
    with mpl.rc_context():
        sns.set_theme(style="whitegrid", palette="colorblind", color_codes=False, rc=THEME)
        figure = picture(path)
        figure.savefig(stem.with_suffix(".png"), dpi=300, metadata={"Description": alt})
        figure.savefig(stem.with_suffix(".svg"), metadata={"Date": None, "Description": alt})
