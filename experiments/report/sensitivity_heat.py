"""Packages × factors in one picture: what stands out is coloured, what may be noise is grey."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from experiments.report.charts import QUIET, Chart, figure_language, new_figure, theme
from experiments.report.messages import percent, text, wrap
from experiments.report.sensitivity_words import (
    SIDES,
    circumstances,
    factor_titles,
)
from experiments.sensitivity_analysis.salib_study import MAIN
from experiments.sensitivity_analysis.study import EFFECT, LEVEL, SensitivityResult

GREY = "#e4e4e4"
"""Colour of cells that may be noise."""
NAMED = 3
"""Cells that the description names."""
WIDTH = 12.0
"""Inches."""


def heat_map(found: SensitivityResult, lang: str = "en") -> Chart:
    """Draw packages × factors: the mean over a group's outcomes of each factor's part.

    Grey where the factor matters for none of them, a dash where none has indices.
    """
    lang = figure_language(lang)
    parts = heat_table(found)
    method = found.study.sample.method
    sides = sides_of(parts)
    tall = 2.7 + 0.21 * len(found.study.factors)
    head = heat_head(found, lang)
    foot = [text(f"sensitivity_heat_{method}", lang), text("sensitivity_heat_grey", lang)]
    foot += [text("sensitivity_blocks", lang, blocks=found.study.sample.blocks)]
    foot += circumstances(found, lang)
    place = {"left": 0.22, "right": 0.915, "top": 1 - 0.75 / tall, "bottom": 1.8 / tall}
    with theme(lang):
        figure = new_figure(WIDTH, tall)
        figure.text(0.02, 1 - 0.12 / tall, wrap(head, 110), va="top", fontsize=12)
        panels = figure.subplots(
            1, len(sides), squeeze=False, sharey=True, gridspec_kw={**place, "wspace": 0.06}
        )[0]
        bar = figure.add_axes((0.925, place["bottom"], 0.012, place["top"] - place["bottom"]))
        for panel, side in zip(panels, sides, strict=True):
            _cells(panel, bar, parts, side, found, lang)
        bar.yaxis.set_major_formatter(lambda share, _: percent(share))
        bar.tick_params(labelsize=7.5)
        bar.set_ylabel(text(f"sensitivity_bar_{method}", lang), fontsize=7.5)
        words = wrap(" ".join(foot), 190)
        figure.text(0.02, 0.1 / tall, words, va="bottom", fontsize=7.5, color=QUIET)
        figure.draw_without_rendering()
    return Chart(figure, parts, f"{head}: {_named(found, parts, lang)}.", lang)


def heat_head(found: SensitivityResult, lang: str) -> str:
    """Return what depends on factors: effects, or levels where there is no reference."""
    kind = EFFECT if EFFECT in set(found.table["quantity"]) else LEVEL
    return text(f"sensitivity_heat_of_{kind}", lang)


def sides_of(parts: pd.DataFrame) -> list[str]:
    """Return the groups of outcomes that are there; an empty one for a model of one's own."""
    return [side for side in SIDES if side in set(parts["group"])] or [""]


def heat_table(found: SensitivityResult) -> pd.DataFrame:
    """Return the mean part of each factor over the outcomes of a package and group.

    Columns group, package, factor; `part`: Morris `mu_star` over the sum of all, Sobol the total
    index, at most 1 for each outcome; `matters`: for how many of `outcomes` with indices.
    """
    main = MAIN[found.study.sample.method]
    effects = found.table[found.table["quantity"] == EFFECT]
    rows = effects if len(effects) else found.table
    rows = rows[rows["group"].isin([*SIDES, ""])]
    part = rows[main].clip(upper=1)
    if main == "mu_star":
        outcome = rows.groupby(["package", "group", "outcome"])
        part = rows[main] / outcome[main].transform("sum")
    cells = rows.assign(part=part).groupby(["group", "package", "factor"], sort=False)
    return cells.agg(
        part=("part", "mean"), matters=("matters", "sum"), outcomes=("part", "count")
    ).reset_index()


def _cells(
    panel: Axes, bar: Axes, parts: pd.DataFrame, side: str, found: SensitivityResult, lang: str
) -> None:
    """Draw the cells of one group of outcomes."""
    titles = factor_titles(found, lang)
    seen = parts["part"].where(parts["matters"] > 0)
    own = parts.assign(seen=seen)[parts["group"] == side]
    packages = list(dict.fromkeys(own["package"]))
    wide, count = (
        own.pivot(index="factor", columns="package", values=name).loc[list(titles), packages]
        for name in ("seen", "outcomes")
    )
    panel.set_facecolor(GREY)
    sns.heatmap(
        wide.rename(index=titles), ax=panel, cmap="viridis", vmin=0.0, cbar_ax=bar,
        vmax=float(seen.max()) if seen.any() else 1.0, linewidths=0.3, yticklabels=True,
        xticklabels=[wrap(found.title(name, lang), 24) for name in packages],
    )  # fmt: skip
    for row, column in zip(*(count == 0).to_numpy().nonzero(), strict=True):
        panel.text(column + 0.5, row + 0.5, "–", ha="center", va="center", color=QUIET, fontsize=7)
    panel.set_title(text(f"sensitivity_{side}", lang) if side else "", fontsize=10, loc="left")
    panel.set(xlabel="", ylabel="")
    panel.tick_params(axis="x", labelsize=7.5, rotation=55)
    panel.tick_params(axis="y", labelsize=7.5, rotation=0)
    for label in panel.get_xticklabels():
        label.set(ha="right", rotation_mode="anchor")


def _named(found: SensitivityResult, parts: pd.DataFrame, lang: str) -> str:
    """Return the largest cells that stand out in words."""
    titles, words = factor_titles(found, lang), []
    for _, row in parts[parts["matters"] > 0].nlargest(NAMED, "part").iterrows():
        where = found.title(row["package"], lang)
        if row["group"]:
            where += f", {text('sensitivity_' + row['group'], lang)}"
        words.append(text(
            "sensitivity_heat_cell", lang, factor=titles[row["factor"]], package=where,
            share=percent(row["part"]), matters=row["matters"], outcomes=row["outcomes"],
        ))  # fmt: skip
    return "; ".join(words) or text("sensitivity_heat_none", lang)
