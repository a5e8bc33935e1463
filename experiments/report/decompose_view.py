"""A decomposition as a page, as figures and as files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from ecosystem.inputs.catalogue import instruments
from ecosystem.inputs.scenario import resolve
from experiments.comparison.budget import own_present_value
from experiments.comparison.compare import NET_COST, row_dicts
from experiments.comparison.decompose import (
    BLOCKS,
    OTHER,
    RULES,
    DecompositionResult,
    ended_by,
)
from experiments.comparison.regret import OBJECTIVE
from experiments.comparison.sureness import sign_shown
from experiments.report import notes
from experiments.report.charts import (
    BETTER,
    INK,
    QUIET,
    WORSE,
    Chart,
    canvas,
    dot,
    figure_language,
    from_zero,
    sure_colours,
)
from experiments.report.figures import shown
from experiments.report.messages import number, text, title
from experiments.report.tables import Page, Table

PARTS = ("without", "alone")


def part_titles(found: DecompositionResult, lang: str) -> dict[str, str]:
    """Return the titles of instruments, blocks and the whole."""
    names = {name: title(row, lang) for name, row in instruments().items()}
    for name in ended_by(found.package, found.reference):
        names[name] = text("decompose_ended", lang, name=names[name])
    names |= {block: title(resolve(package), lang) for block, package in BLOCKS.items()}
    names |= {OTHER: text("block_other", lang), RULES: text("block_rules", lang)}
    return names | {"whole": title(found.package, lang)}


def _notes(found: DecompositionResult, lang: str) -> list[str]:
    """Return what was left out, held, drawn and struck."""
    runs, both = found.runs, (found.package, found.reference)
    lines = [text("decompose_rules", lang)] if RULES in set(found.table["name"]) else []
    lost = {"lost": runs["replicates"] - runs["pairs"], "tries": runs["tries"] - runs["even_pairs"]}
    if any(lost.values()):
        lines.append(text("decompose_failed", lang, **lost))
    lines += [notes.scale_words(lang), *notes.few_notes(found.table, lang)]
    lines.append(text("decompose_gap", lang, gap=f"{found.gap:.0e}"))
    return lines + notes.circumstances(
        runs["varied"], runs["given"], both, runs["world"], lang, runs["drawn_from"]
    )


def full(found: DecompositionResult, lang: str = "en") -> Page:
    """Return the split over blocks, and what each instrument adds."""
    runs, names = found.runs, part_titles(found, lang)
    page: Page = [
        text(
            "decompose_head", lang, package=names["whole"], pairs=runs["pairs"],
            seed=runs["seed"], until=runs["until"], runs=runs["runs"],
            world=notes.world_words(runs["world"], lang),
            money=number(own_present_value(found.package)),
        )
    ]  # fmt: skip
    for outcome in dict.fromkeys((found.runs["first"], OBJECTIVE, NET_COST)):
        page += ["", *_blocks(found, outcome, names, lang)]
    page += ["", *_instruments(found, names, lang), ""]
    page.append(text("decompose_read", lang, pairs=runs["pairs"]))
    page.append(text("decompose_break_even", lang, tries=runs["even_pairs"]))
    return [*page, *_notes(found, lang)]


def headline(found: DecompositionResult, lang: str = "en") -> str:
    """Return what adds most to the first outcome asked for when it joins last, as a sentence."""
    first, names = found.runs["first"], part_titles(found, lang)
    rows = shown(found.rows("without", first), lang)
    if rows["median"].isna().all():
        return text("decompose_failed", lang, lost=found.runs["replicates"], tries=0)
    row = rows.sort_values("median", kind="stable").iloc[-1]
    likely = any(sign_shown(one) for one in row_dicts(rows))
    return text(
        "summary_decompose" if likely else "summary_decompose_open", lang,
        outcome=title(notes.outcome_row(first), lang), package=names["whole"],
        name=names[str(row.name)], unit=row["unit"], sure=notes.sure(row, lang),
        median=number(row["median"], signed=True),
        low=number(row["low_90"], signed=True), high=number(row["high_90"], signed=True),
    )  # fmt: skip


def _blocks(found: DecompositionResult, outcome: str, names: dict[str, str], lang: str) -> Page:
    """Return the Shapley parts of one outcome, and the whole below them."""
    rows = pd.concat([found.rows(part, outcome) for part in ("shapley", "whole")])
    rows = shown(rows, lang)
    heads = [text("decompose_blocks", lang), *notes.difference_heads(lang)]
    lines = [
        [names[row["name"]], *notes.difference_cells(row, lang)]
        for row in row_dicts(rows.reset_index())
    ]
    row, unit = notes.outcome_row(outcome), rows["unit"].iloc[0]
    return [notes.heading(row, unit, found.runs["until"], lang), Table(heads, lines)]


def _instruments(found: DecompositionResult, names: dict[str, str], lang: str) -> Page:
    """Return what each instrument adds last and alone, and where it breaks even."""
    tables = {part: shown(found.rows(part), lang) for part in PARTS}
    rows = [
        [names[name] if part == PARTS[0] else "", text(f"decompose_{part}", lang)]
        + notes.difference_cells(tables[part].loc[name], lang)
        for name in tables[PARTS[0]].index
        for part in PARTS
    ]
    even = [[names[name], *even_words(found, name, lang)] for name in tables[PARTS[0]].index]
    row, unit = notes.outcome_row(OBJECTIVE), tables[PARTS[0]]["unit"].iloc[0]
    first = text("packages_instruments", lang)
    keys = ("value_added", "value_added_less_cost")
    return [
        notes.heading(row, unit, found.runs["until"], lang),
        Table([first, "", *notes.difference_heads(lang)], rows, names=2), "",
        Table([first, *(text(f"decompose_{key}", lang) for key in keys)], even),
    ]  # fmt: skip


def even_words(found: DecompositionResult, name: str, lang: str) -> list[str]:
    """Return the break-even effectiveness of an instrument, in both measures, as words."""
    even = found.break_even.groupby(["instrument", "measure"])["break_even"].first()
    words = []
    for measure in ("value_added", "value_added_less_cost"):
        value = even.get((name, measure), float("nan"))
        known = text(value, lang) if isinstance(value, str) else f"{value:.2f}"
        words.append(known if value == value else "–")
    return words


def tables(found: DecompositionResult, lang: str = "en") -> dict[str, pd.DataFrame]:
    """Return the tables by the name of their files."""
    return {"decomposition.csv": found.table, "break_even.csv": found.break_even}


def charts(found: DecompositionResult, lang: str = "en") -> dict[str, Callable[[], Chart]]:
    """Return what draws the instruments (last and alone) and the waterfall of the blocks."""
    return {
        "decomposition_instruments": partial(instrument_dots, found, lang),
        "decomposition_blocks": partial(waterfall, found, lang),
    }


def instrument_dots(found: DecompositionResult, lang: str) -> Chart:
    """Draw what each instrument adds to the rest of the package and alone, largest on top."""
    lang = figure_language(lang)
    last, alone = (shown(found.rows(part), lang) for part in PARTS)
    order = last["median"].sort_values(ascending=False, kind="stable").index

    def fill(axes: Axes) -> None:
        for shift, rows, colour, marker in ((-0.17, last, BETTER, "o"), (0.17, alone, WORSE, "D")):
            for place, name in enumerate(order):
                dot(axes, place + shift, rows.loc[name], colour, marker)
            words = text(f"decompose_{rows['part'].iloc[0]}", lang)
            axes.plot([], marker=marker, color=colour, label=words)
        axes.legend(fontsize=8, loc="lower right", frameon=True)

    data = pd.concat([rows.loc[order].reset_index() for rows in (last, alone)], ignore_index=True)
    return _drawn(found, lang, "decompose_figure", data, list(order), "median", fill)


def waterfall(found: DecompositionResult, lang: str) -> Chart:
    """Draw the Shapley parts of the blocks one after the other, by their means, and the whole.

    Means are drawn because they add up; medians do not. Whiskers are the 90 % of pairs.
    """
    lang = figure_language(lang)
    rows = pd.concat([shown(found.rows(part), lang) for part in ("shapley", "whole")])
    names = [str(name) for name in rows.index]
    starts = [*rows["mean"].cumsum().shift(fill_value=0.0)[:-1], 0.0]  # the whole comes last

    def fill(axes: Axes) -> None:
        for place, (name, row, start) in enumerate(
            zip(names, row_dicts(rows), starts, strict=True)
        ):
            edge = BETTER if row["mean"] >= 0 else WORSE
            edge, face = sure_colours(row, QUIET if name == "whole" else edge)
            axes.barh(place, row["mean"], 0.6, start, color=face, edgecolor=edge, zorder=2)
            low, high = start + row["low_90"], start + row["high_90"]
            axes.hlines(place, low, high, color=INK, linewidth=1.0, zorder=3)
            if name != "whole":
                end = start + row["mean"]
                axes.vlines(end, place + 0.3, place + 0.7, color=QUIET, linewidth=0.9)

    return _drawn(found, lang, "decompose_waterfall", rows.reset_index(), names, "mean", fill)


def _drawn(
    found: DecompositionResult, lang: str, head: str, data: pd.DataFrame, order: Sequence[str],
    value: str, fill: Callable[[Axes], None],
) -> Chart:  # fmt: skip
    """Return the chart that `fill` draws into axes with a row a name.

    In words it gives the numbers in the column `value`, which it draws.
    """
    names, outcome = part_titles(found, lang), title(notes.outcome_row(OBJECTIVE), lang)
    sentence, unit = text(head, lang, outcome=outcome, package=names["whole"]), data["unit"].iloc[0]
    base = text("present_value", lang, first=notes.FIRST, until=found.runs["until"])
    foot = [text("decompose_read_figure", lang, pairs=found.runs["pairs"]), *_notes(found, lang)]
    with canvas(0.9 + 0.45 * len(order), sentence, foot, lang) as figure:
        axes = figure.subplots()
        from_zero(axes, [names[name] for name in order], f"{outcome}, {unit}")
        below = f"{unit} · {base}"
        axes.set_title(below, loc="left", fontsize=9, color=QUIET, weight="normal")
        fill(axes)
    rows = [
        text(
            "decompose_alt", lang, part=text(f"decompose_{row['part']}", lang),
            name=names[row["name"]], unit=unit,
            value=f"{text(value, lang)} {number(row[value], signed=True)}",
            low=number(row["low_90"], signed=True), high=number(row["high_90"], signed=True),
        )
        for row in row_dicts(data)
    ]  # fmt: skip
    few = notes.few_notes(found.table, lang)
    return Chart(figure, data, " ".join([f"{sentence}.", *rows, *few]), lang)
