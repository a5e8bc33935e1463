"""Pictures of one package in a sensitivity study: Morris plane or Sobol bars."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from ecosystem.inputs.faults import FaultList
from experiments.report.charts import (
    BETTER,
    INK,
    QUIET,
    ZERO_INSIDE,
    Chart,
    figure_language,
    new_figure,
    theme,
    tick,
)
from experiments.report.messages import number, text, wrap
from experiments.report.sensitivity_words import (
    below_words,
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
from experiments.sensitivity_analysis.study import SensitivityResult

NAMED = 7
"""Points of a plane that are named."""
BARS = 12
"""Factors that have bars."""
DESCRIBED = 3
"""Factors of an outcome that the description names."""
WIDTH, HEIGHT = 11.0, 5.2
"""Inches."""
BESIDE = 0.085
"""How far to the left of bars the words above them begin, in widths of the figure."""
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
    bars = study.sample.method == "sobol"
    place = {"left": 0.21, "wspace": 0.75} if bars else {"left": 0.08, "wspace": 0.25}
    place |= {"right": 0.985, "top": 0.75, "bottom": 0.20}
    with theme(lang):
        figure = new_figure(WIDTH, HEIGHT)
        figure.text(0.02, 0.975, wrap(head, 105), va="top", fontsize=12)
        panels = figure.subplots(1, len(parts), squeeze=False, gridspec_kw=place)[0]
        for panel, part in zip(panels, parts, strict=True):
            left = -BESIDE / panel.get_position().width if bars else 0.0
            _above(panel, part, found, lang, left)
            if part[MAIN[study.sample.method]].isna().all():
                words = wrap(status_words(found, part, lang), 40)
                panel.text(0.5, 0.5, words, transform=panel.transAxes, ha="center", color=QUIET)
            else:
                (_bars if bars else _plane)(panel, part, found, lang)
        foot = wrap(method_note(found, lang), 195)
        figure.text(0.02, 0.015, foot, va="bottom", fontsize=7.5, color=QUIET)
        figure.draw_without_rendering()
    alt = " ".join(describe(found, part, lang) for part in parts)
    return Chart(figure, pd.concat(parts, ignore_index=True), f"{head}. {alt}", lang)


def _above(
    panel: Axes, part: pd.DataFrame, found: SensitivityResult, lang: str, left: float
) -> None:
    """Write over a panel the outcome, its unit, the shares of chance, and what is wrong."""
    below = below_words(found, part, lang)
    if part["status"].iloc[0] != OK and part["rank"].notna().any():
        below.append(status_words(found, part, lang))
    label = wrap(outcome_title(found, part, lang), 48)
    panel.set_title(label, fontsize=10, loc="left", pad=11 * len(below) + 3, x=left)
    panel.text(left, 1.015, "\n".join(below), transform=panel.transAxes, fontsize=7.5, color=QUIET)


def _plane(panel: Axes, part: pd.DataFrame, found: SensitivityResult, lang: str) -> None:
    """Draw mean absolute elementary effects against their spread, with intervals."""
    reach = [part["mu_star"] - part["mu_star_low"], part["mu_star_high"] - part["mu_star"]]
    panel.errorbar(
        part["mu_star"], part["sigma"], xerr=reach, fmt="none", ecolor=LINE, linewidth=0.9, zorder=1
    )
    sns.scatterplot(
        data=part, x="mu_star", y="sigma", hue="matters", s=45, ax=panel, zorder=3, legend=False,
        palette={True: BETTER, False: ZERO_INSIDE},
    )  # fmt: skip
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
        axis.set_major_formatter(FuncFormatter(tick))
    panel.tick_params(labelsize=7.5)


def _name(panel: Axes, named: pd.DataFrame, titles: dict[str, str]) -> None:
    """Write names beside points, towards the middle, each at least a line above the one below."""
    line, height = 10.0, panel.get_position().height * HEIGHT * 72
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
    names = [titles[name] for name in top["factor"]]
    kinds = {"total": -0.2, "first": 0.2}
    long = top.melt("factor", list(kinds), "index", "share")
    long["index"] = long["index"].map({kind: text(f"sensitivity_{kind}", lang) for kind in kinds})
    sns.barplot(data=long, y="factor", x="share", hue="index", ax=panel, errorbar=None)
    for kind, shift in kinds.items():
        where = [place + shift for place in range(len(top))]
        panel.hlines(where, top[f"{kind}_low"], top[f"{kind}_high"], color=INK, linewidth=1.0)
    panel.axvline(0, color=INK, linewidth=0.8)
    panel.axvline(NEAR_SHARE, color=QUIET, linewidth=0.9, linestyle=":")
    panel.set_xlabel(text("sensitivity_share", lang), fontsize=8.5)
    panel.set_ylabel("")
    marks = ["* " if matters else "" for matters in top["matters"]]
    labels = [wrap(mark + name, 26) for mark, name in zip(marks, names, strict=True)]
    panel.set_yticks(range(len(names)), labels, fontsize=7.5)
    panel.tick_params(axis="x", labelsize=7.5)
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
