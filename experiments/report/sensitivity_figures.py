"""Pictures of a sensitivity study: Morris plane or Sobol bars, and packages × factors."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ecosystem.inputs.faults import FaultList
from experiments.report.charts import (
    BETTER,
    INK,
    QUIET,
    TICKS,
    UNSURE,
    WORSE,
    Chart,
    canvas,
    figure_language,
    from_zero,
)
from experiments.report.messages import number, percent, text, wrap
from experiments.report.sensitivity_words import (
    SIDES,
    below_words,
    circumstances,
    factor_titles,
    largest,
    method_note,
    outcome_parts,
    outcome_title,
    package_rows,
    quantity_words,
    status_words,
)
from experiments.sensitivity_analysis.factors import NEAR_DUMMY
from experiments.sensitivity_analysis.salib_study import MAIN, NEAR_SHARE, OK
from experiments.sensitivity_analysis.study import EFFECT, LEVEL, SensitivityResult

NAMED = 7
"""Points of a plane that are named."""
BARS = 12
"""Factors that have bars."""
DESCRIBED = 3
"""Factors of an outcome that the description names."""
WIDE, HEIGHT = 11.0, 3.0
"""Inches of a figure, and about of the axes of a plane."""
GREY = "#e4e4e4"
"""Colour of cells that may be noise."""
CELLS = 3
"""Cells that the description names."""
LINE = "#c4c4c4"
"""Colour of thin lines that belong to a point."""


def package_chart(
    found: SensitivityResult,
    package: str | None = None,
    outcome: str | None = None,
    lang: str = "en",
) -> Chart:
    """Draw the plane or the bars of one package, industry beside the innovation ecosystem.

    Parameters
    ----------
    found
        What a study found.
    package
        Its effects are drawn, or its levels where it is the reference or stands alone; by default
        the first that is not the reference.
    outcome
        One outcome instead of the first of either group.
    lang
        Language of the labels.

    Raises
    ------
    InputError
        The study has no such package or outcome.
    """
    lang = figure_language(lang)
    study = found.study
    package = package or next((n for n in study.names if n != study.reference), study.names[0])
    faults = FaultList()
    faults.name("package", package, study.names)
    if outcome:
        faults.name("outcome", outcome, found.table["outcome"].unique())
    faults.raise_if_any()
    rows = package_rows(found, package)
    parts = outcome_parts(rows, lang, outcome)
    head = text(
        f"sensitivity_{study.sample.method}", lang, package=found.title(package, lang),
        what=quantity_words(found, rows["quantity"].iloc[0], lang),
    )  # fmt: skip
    fill = {"sobol": _bars, "morris": _plane}[study.sample.method]
    with canvas(4.5, head, [method_note(found, lang)], lang, WIDE) as figure:
        panels = figure.subplots(1, len(parts), squeeze=False)[0]
        for panel, part in zip(panels, parts, strict=True):
            _above(panel, part, found, lang)
            if part[MAIN[study.sample.method]].isna().all():
                words = wrap(status_words(found, part, lang), 40)
                said = panel.text(0.5, 0.5, words, transform=panel.transAxes, ha="center")
                said.set(color=QUIET, in_layout=False)
            else:
                fill(panel, part, found, lang)
    alt = " ".join(describe(found, part, lang) for part in parts)
    return Chart(figure, pd.concat(parts, ignore_index=True), f"{head}. {alt}", lang)


def _above(panel: Axes, part: pd.DataFrame, found: SensitivityResult, lang: str) -> None:
    """Write over a panel the outcome, its unit, the shares of chance, and what is wrong."""
    below = below_words(found, part, lang)
    if part["status"].iloc[0] != OK and part["rank"].notna().any():
        below.append(status_words(found, part, lang))
    label = wrap(outcome_title(found, part, lang), 48)
    panel.set_title(label, fontsize=10, loc="left", pad=11 * len(below) + 3)
    words = "\n".join(below)  # however wide they are, panels keep their width
    line = panel.text(0, 1.015, words, transform=panel.transAxes, fontsize=7.5, color=QUIET)
    line.set_in_layout(False)


def _plane(panel: Axes, part: pd.DataFrame, found: SensitivityResult, lang: str) -> None:
    """Draw mean absolute elementary effects against their spread, with intervals."""
    reach = [part["mu_star"] - part["mu_star_low"], part["mu_star_high"] - part["mu_star"]]
    panel.errorbar(
        part["mu_star"], part["sigma"], xerr=reach, fmt="none", ecolor=LINE, linewidth=0.9, zorder=1
    )
    colours = part["matters"].map({True: BETTER, False: UNSURE})
    panel.scatter(part["mu_star"], part["sigma"], 45, colours, edgecolors="white", zorder=3)
    near = float(part.loc[part["factor"] == NEAR_DUMMY, "mu_star"].iloc[0])
    panel.axvline(near, color=QUIET, linewidth=0.9, linestyle=":", zorder=2)
    top = float(max(part["mu_star"].max(), part["sigma"].max()))
    panel.plot([0, top], [0, top], color="#dddddd", linewidth=0.9, zorder=0)
    panel.set_xlim(left=min(0.0, float(part["mu_star_low"].min())))
    high = float(part["sigma"].max()) or top or 1.0
    panel.set_ylim(-0.04 * high, 1.12 * high)
    _name(panel, part.nsmallest(NAMED, "rank"), factor_titles(found, lang))
    unit = part["outcome_unit"].iloc[0]
    for key, axis in (("mu_star", panel.xaxis), ("sigma", panel.yaxis)):
        label = ", ".join(filter(None, (text(f"sensitivity_{key}", lang), unit)))
        axis.set_label_text(wrap(label, 60), fontsize=8.5)
        axis.set_major_formatter(TICKS)
    panel.tick_params(labelsize=7.5)


def _name(panel: Axes, named: pd.DataFrame, titles: dict[str, str]) -> None:
    """Write names beside points, towards the middle, each at least a line above the one below."""
    line, height = 10.0, HEIGHT * 72
    low, high = panel.get_ylim()
    middle = sum(panel.get_xlim()) / 2
    free = float("-inf")
    for _, row in named.sort_values("sigma").iterrows():
        own = (row["sigma"] - low) / (high - low) * height
        free = max(own + 4, free + line)
        side, shift = ("left", 9) if row["mu_star"] < middle else ("right", -9)
        panel.annotate(
            titles[row["factor"]], (row["mu_star"], row["sigma"]), xytext=(shift, free - own),
            textcoords="offset points", fontsize=7.5, color=INK, ha=side,
            arrowprops={"arrowstyle": "-", "color": LINE, "linewidth": 0.6},
        )  # fmt: skip


def _bars(panel: Axes, part: pd.DataFrame, found: SensitivityResult, lang: str) -> None:
    """Draw first and total order side by side, with intervals; a star marks what matters."""
    titles = factor_titles(found, lang)
    top = part.nsmallest(BARS, "rank")
    marks = ["* " if matters else "" for matters in top["matters"]]
    names = [mark + titles[name] for mark, name in zip(marks, top["factor"], strict=True)]
    from_zero(panel, names, text("sensitivity_share", lang))
    for kind, shift, colour in (("total", -0.2, BETTER), ("first", 0.2, WORSE)):
        where, words = np.arange(len(top)) + shift, text(f"sensitivity_{kind}", lang)
        panel.barh(where, top[kind], 0.4, color=colour, label=words)
        panel.hlines(where, top[f"{kind}_low"], top[f"{kind}_high"], color=INK, linewidth=1.0)
    panel.axvline(NEAR_SHARE, color=QUIET, linewidth=0.9, linestyle=":")
    panel.legend(fontsize=7.5, title=None, loc="lower right")


def describe(found: SensitivityResult, part: pd.DataFrame, lang: str) -> str:
    """Return the largest factors of one outcome in words, and what is wrong with it."""
    named = [_factor_words(found, row, lang) for _, row in largest(part, DESCRIBED).iterrows()]
    if part["status"].iloc[0] != OK or not named:
        named.append(status_words(found, part, lang))
    main = MAIN[found.study.sample.method]
    unit = text("sensitivity_share", lang) if main == "total" else part["outcome_unit"].iloc[0]
    index = text(f"sensitivity_{main}", lang)
    head = ", ".join(filter(None, (outcome_title(found, part, lang), index, unit)))
    return f"{head}: {'; '.join(named)}."


def _factor_words(found: SensitivityResult, row: pd.Series, lang: str) -> str:
    """Return a factor with its index, the interval, and whether it stands out."""
    main = MAIN[found.study.sample.method]
    words = [text(f"sensitivity_{'stands_out' if row['matters'] else 'may_be_noise'}", lang)]
    if main == "total" and row[main] > 1:
        words.append(text("sensitivity_above_all", lang))
    return text(
        "sensitivity_named", lang, factor=factor_titles(found, lang)[row["factor"]],
        value=number(row[main]), low=number(row[f"{main}_low"]), high=number(row[f"{main}_high"]),
        words=", ".join(words),
    )  # fmt: skip


def heat_map(found: SensitivityResult, lang: str = "en") -> Chart:
    """Draw packages × factors: the mean over a group's outcomes of each factor's part.

    Grey where the factor matters for none of them, a dash where none has indices.
    """
    lang = figure_language(lang)
    parts, study = heat_table(found), found.study
    sides, head, method = sides_of(parts), heat_head(found, lang), study.sample.method
    foot = [
        text(f"sensitivity_heat_{method}", lang), text("sensitivity_heat_grey", lang),
        text("sensitivity_blocks", lang, blocks=study.sample.blocks), *circumstances(found, lang),
    ]  # fmt: skip
    with canvas(2.2 + 0.21 * len(study.factors), head, [" ".join(foot)], lang, WIDE) as figure:
        panels = figure.subplots(1, len(sides), squeeze=False, sharey=True)[0]
        for panel, side in zip(panels, sides, strict=True):
            _cells(panel, parts, side, found, lang)
        bar = figure.colorbar(panels[0].collections[0], ax=panels, fraction=0.03, pad=0.01)
        bar.ax.yaxis.set_major_formatter(lambda share, _: percent(share))
        bar.ax.tick_params(labelsize=7.5)
        bar.set_label(text(f"sensitivity_bar_{method}", lang), fontsize=7.5)
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
    panel: Axes, parts: pd.DataFrame, side: str, found: SensitivityResult, lang: str
) -> None:
    """Draw the cells of one group of outcomes."""
    import seaborn as sns  # a comparison has no use for it, and it takes long to load

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
        wide.rename(index=titles), ax=panel, cmap="viridis", vmin=0.0, cbar=False,
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
    for _, row in parts[parts["matters"] > 0].nlargest(CELLS, "part").iterrows():
        where = found.title(row["package"], lang)
        if row["group"]:
            where += f", {text('sensitivity_' + row['group'], lang)}"
        words.append(text(
            "sensitivity_heat_cell", lang, factor=titles[row["factor"]], package=where,
            share=percent(row["part"]), matters=row["matters"], outcomes=row["outcomes"],
        ))  # fmt: skip
    return "; ".join(words) or text("sensitivity_heat_none", lang)
