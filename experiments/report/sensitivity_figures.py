"""Pictures of a sensitivity study: Morris plane, Sobol bars, and packages × factors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
)
from experiments.report.messages import display_unit, number, percent, text, title, wrap
from experiments.report.notes import base_words, shock_notes, world_note
from experiments.sensitivity_analysis.factors import DUMMY, NEAR_DUMMY
from experiments.sensitivity_analysis.salib_study import BOTH, MAIN, NEAR_SHARE, OK, RESAMPLES
from experiments.sensitivity_analysis.study import EFFECT, LEVEL, Sensitivity

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

SIDES = ("industry", "innovation")
"""The two groups of outcomes that stand side by side."""
NAMED = 7
"""Points of a plane that are named."""
BARS = 12
"""Factors that have bars."""
WIDTH, HEIGHT = 11.0, 5.2
"""Inches."""
BESIDE = 0.085
"""How far to the left of bars the words above them begin, in widths of the figure."""


def package_chart(
    found: Sensitivity, package: str | None = None, outcome: str | None = None, lang: str = "en"
) -> Chart:
    """Draw one package: its effects, or its levels where it is the reference or stands alone."""
    lang = figure_language(lang)
    study = found.study
    others = [name for name in study.names if name != study.reference]
    package = package or (others or study.names)[0]
    faults = FaultList()
    faults.name("package", package, study.names)
    if outcome:
        faults.name("outcome", outcome, found.table["outcome"].unique())
    faults.raise_if_any()
    quantity = EFFECT if study.reference and package != study.reference else LEVEL
    rows = found.table
    rows = rows[(rows["package"] == package) & (rows["quantity"] == quantity)]
    shown = [outcome] if outcome else first_outcomes(rows)
    drawer = _plane if study.sample.method == "morris" else _bars
    head = text(
        f"sensitivity_{study.sample.method}", lang,
        package=found.title(package, lang), what=quantity_words(found, quantity, lang),
    )  # fmt: skip
    parts = [rows[rows["outcome"] == name] for name in shown]
    with theme(lang):
        figure = new_figure(WIDTH, HEIGHT)
        figure.text(0.02, 0.975, wrap(head, 105), va="top", fontsize=12)
        place = {"left": 0.08, "right": 0.985, "top": 0.75, "bottom": 0.20, "wspace": 0.25}
        if drawer is _bars:
            place |= {"left": 0.21, "wspace": 0.75}
        panels = figure.subplots(1, len(parts), squeeze=False, gridspec_kw=place)[0]
        for panel, part in zip(panels, parts, strict=True):
            label = outcome_title(part, lang)
            below = below_words(part, until_of(found), lang)
            if part["status"].iloc[0] != OK and len(part.dropna(subset="rank")):
                below += [status_words(found, part.iloc[0], lang)]
            left = -BESIDE / panel.get_position().width if drawer is _bars else 0.0
            panel.set_title(
                wrap(label, 48), fontsize=10, loc="left", pad=11 * len(below) + 3, x=left
            )
            panel.text(left, 1.015, "\n".join(below), transform=panel.transAxes, fontsize=7.5,
                       color=QUIET)  # fmt: skip
            if part[MAIN[study.sample.method]].isna().all():
                words = wrap(status_words(found, part.iloc[0], lang), 40)
                panel.text(0.5, 0.5, words, transform=panel.transAxes, ha="center", color=QUIET)
            else:
                drawer(panel, part, found, lang)
        foot = method_note(found, lang)
        figure.text(0.02, 0.015, wrap(foot, 195), va="bottom", fontsize=7.5, color=QUIET)
        figure.draw_without_rendering()
    import pandas as pd

    data = pd.concat(parts, ignore_index=True)
    return Chart(figure, data, f"{head}. {_words(found, parts, lang)}", lang)


def first_outcomes(rows: pd.DataFrame) -> list[str]:
    """Return the first outcome of industry and of the innovation ecosystem that is there."""
    sides = [rows.loc[rows["group"] == side, "outcome"] for side in SIDES]
    return [str(side.iloc[0]) for side in sides if len(side)] or [str(rows["outcome"].iloc[0])]


def quantity_words(found: Sensitivity, quantity: str, lang: str) -> str:
    """Return what is analysed in words."""
    reference = found.title(found.study.reference, lang)
    return text(f"sensitivity_{quantity}", lang, reference=reference)


def factor_titles(found: Sensitivity, lang: str) -> dict[str, str]:
    """Return the title of each factor."""
    return {factor.name: factor.title(lang) for factor in found.study.factors}


def outcome_title(part: pd.DataFrame, lang: str) -> str:
    """Return the title of the outcome that all rows are of."""
    from ecosystem.inputs.catalogue import outcomes

    name = str(part["outcome"].iloc[0])
    row = outcomes().get(name)
    return title(row, lang) if row and part["outcome_unit"].iloc[0] else name


def unit_words(part: pd.DataFrame, lang: str) -> str:
    """Return the unit of the outcome that all rows are of; nothing for a model of one's own."""
    return display_unit(str(part["outcome_unit"].iloc[0]), lang)[1]


def below_words(part: pd.DataFrame, until: str, lang: str) -> list[str]:
    """Return unit with time base, and the shares of chance and of what is no factor, in words."""
    row = part.iloc[0]
    lines = [", ".join(filter(None, (unit_words(part, lang), time_words(part, until, lang))))]
    lines += [text(
        "sensitivity_chance", lang, share=share_words(row["chance_share"], lang),
        low=share_words(row["chance_low"], lang), high=share_words(row["chance_high"], lang),
        blocks=row["chance_blocks"],
    )]  # fmt: skip
    other = row.get("other_share", float("nan"))  # no such column where nothing else varies
    if other == other:
        lines += [text(
            "sensitivity_other", lang, share=share_words(other, lang),
            low=share_words(row["other_low"], lang), high=share_words(row["other_high"], lang),
        )]  # fmt: skip
    return [line for line in lines if line]


def share_words(share: float, lang: str) -> str:
    """Return an estimated share of variance; more than all there is comes of few blocks."""
    return text("sensitivity_all", lang) if share > 1 else percent(share)


def time_words(part: pd.DataFrame, until: str, lang: str) -> str:
    """Return the time that the outcome is over; nothing for a model of one's own."""
    from ecosystem.inputs.catalogue import outcomes

    row = outcomes().get(str(part["outcome"].iloc[0]))
    return base_words(row, until, lang) if row and part["outcome_unit"].iloc[0] else ""


def method_note(found: Sensitivity, lang: str) -> str:
    """Return under which circumstances what was run, and what the indices of the method mean."""
    words = {"share": percent(NEAR_SHARE), "resamples": RESAMPLES}
    note = text(f"sensitivity_{found.study.sample.method}_note", lang, **words)
    return " ".join([*circumstances(found, lang), note])


def circumstances(found: Sensitivity, lang: str) -> list[str]:
    """Return how many runs, what the rest is at, shocks and world; nothing for one's own model."""
    study = found.study
    if study.model is not None:
        return []
    titles = {one.name: found.title(one.name, lang) for one in study.scenarios}
    rest = "fixed" if study.fixed else "drawn" if study.drawn else "none"
    return [
        text(f"sensitivity_rest_{rest}", lang),
        *shock_notes(study.scenarios, titles, lang),
        world_note(str(study.options["world"]), lang),
    ]


def until_of(found: Sensitivity) -> str:
    """Return the last quarter of the runs."""
    return str(found.study.options["until"])


def status_words(found: Sensitivity, row: pd.Series[Any], lang: str) -> str:
    """Return the status of a row in words."""
    blocks = found.study.sample.blocks
    values = {"mean": f"{row['mean']:g}", "lost": blocks - row["blocks"], "blocks": blocks}
    return "; ".join(
        text(f"sensitivity_status {word}", lang, **values) for word in row["status"].split(BOTH)
    )


def _plane(panel: Axes, part: pd.DataFrame, found: Sensitivity, lang: str) -> None:
    """Draw mean absolute elementary effects against their spread, with intervals."""
    import seaborn as sns
    from matplotlib.ticker import FuncFormatter

    titles = factor_titles(found, lang)
    reach = [part["mu_star"] - part["mu_star_low"], part["mu_star_high"] - part["mu_star"]]
    panel.errorbar(
        part["mu_star"], part["sigma"], xerr=reach, fmt="none", ecolor="#c4c4c4", linewidth=0.9,
        zorder=1,
    )  # fmt: skip
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
    _name(panel, part.nsmallest(NAMED, "rank"), titles)
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    unit = unit_words(part, lang)
    for key, put in (("mu_star", panel.set_xlabel), ("sigma", panel.set_ylabel)):
        words = [text(f"sensitivity_{key}", lang), *([unit] if unit else [])]
        put(wrap(", ".join(words), 60), fontsize=8.5)
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
            arrowprops={"arrowstyle": "-", "color": "#c4c4c4", "linewidth": 0.6},
        )  # fmt: skip


def _bars(panel: Axes, part: pd.DataFrame, found: Sensitivity, lang: str) -> None:
    """Draw first and total order side by side, with intervals; a star marks what matters."""
    import pandas as pd
    import seaborn as sns

    titles = factor_titles(found, lang)
    top = part.nsmallest(BARS, "rank")
    names = [titles[name] for name in top["factor"]]
    kinds = {kind: text(f"sensitivity_{kind}", lang) for kind in ("total", "first")}
    long = pd.concat(
        [
            pd.DataFrame({"factor": names, "index": words, "share": top[kind].to_numpy()})
            for kind, words in kinds.items()
        ]
    )
    sns.barplot(
        data=long, y="factor", x="share", hue="index", ax=panel, errorbar=None
    )  # fmt: skip
    for kind, shift in (("total", -0.2), ("first", 0.2)):
        ends = top[f"{kind}_low"], top[f"{kind}_high"]
        where = [place + shift for place in range(len(top))]
        panel.hlines(where, *ends, color=INK, linewidth=1.0)
    panel.axvline(0, color=INK, linewidth=0.8)
    panel.axvline(NEAR_SHARE, color=QUIET, linewidth=0.9, linestyle=":")
    panel.set_xlabel(text("sensitivity_share", lang), fontsize=8.5)
    panel.set_ylabel("")
    marks = ["* " if matters else "" for matters in top["matters"]]
    labels = [wrap(mark + name, 26) for mark, name in zip(marks, names, strict=True)]
    panel.set_yticks(range(len(names)), labels, fontsize=7.5)
    panel.tick_params(axis="x", labelsize=7.5)
    panel.legend(fontsize=7.5, title=None, loc="lower right")


def _words(found: Sensitivity, parts: list[pd.DataFrame], lang: str) -> str:
    """Return the three largest factors of every panel in words, and what is wrong with it."""
    sobol = found.study.sample.method == "sobol"
    lines = []
    for part in parts:
        top = part[~part["factor"].isin([DUMMY, NEAR_DUMMY])].dropna(subset="rank")
        named = [_factor_words(found, row, lang) for _, row in top.nsmallest(3, "rank").iterrows()]
        if part["status"].iloc[0] != OK or not named:
            named.append(status_words(found, part.iloc[0], lang))
        index, unit = (
            (text("sensitivity_total", lang), text("sensitivity_share", lang))
            if sobol
            else (text("sensitivity_mu_star", lang), unit_words(part, lang))
        )
        head = ", ".join(filter(None, (outcome_title(part, lang), index, unit)))
        lines.append(f"{head}: {'; '.join(named)}.")
    return " ".join(lines)


def _factor_words(found: Sensitivity, row: pd.Series[Any], lang: str) -> str:
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
