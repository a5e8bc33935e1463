"""A decomposition as a page, as figures and as files."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd

from ecosystem.inputs.catalogue import instruments
from ecosystem.inputs.scenario import resolve
from experiments.comparison.budget import own_present_value
from experiments.comparison.compare import NET_COST, row_dicts
from experiments.comparison.decompose import BLOCKS, OTHER, RULES, DecompositionResult
from experiments.comparison.intervals import clear_of_zero
from experiments.comparison.regret import OBJECTIVE
from experiments.report import notes
from experiments.report.charts import Chart, draw, figure_language
from experiments.report.decompose_figures import Bars, instrument_bars, waterfall
from experiments.report.figures import shown
from experiments.report.files import write_csv
from experiments.report.messages import number, text, title
from experiments.report.tables import Page, Table

PARTS = ("without", "alone")


def part_titles(found: DecompositionResult, lang: str) -> dict[str, str]:
    """Return the titles of instruments, blocks and the whole."""
    names = {name: title(row, lang) for name, row in instruments().items()}
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
    lines += notes.few_notes(found.table, lang)
    lines.append(text("decompose_gap", lang, gap=f"{found.gap:.0e}"))
    return lines + notes.circumstances(runs["varied"], runs["given"], both, runs["world"], lang)


def decomposition_page(found: DecompositionResult, lang: str = "en") -> Page:
    """Return the split over blocks, and what each instrument adds."""
    runs, names = found.runs, part_titles(found, lang)
    page: Page = [
        text(
            "decompose_head", lang, package=names["whole"], pairs=runs["pairs"],
            seed=runs["seed"], until=runs["until"], runs=runs["runs"],
            world=notes.world_words(runs["world"], lang),
            money=number(own_present_value(found.package)), reference=title(found.reference, lang),
        )
    ]  # fmt: skip
    for outcome in (OBJECTIVE, NET_COST):
        page += ["", *_blocks(found, outcome, names, lang)]
    page += ["", *_instruments(found, names, lang), ""]
    page.append(text("decompose_read", lang, pairs=runs["pairs"]))
    page.append(text("decompose_break_even", lang, tries=runs["even_pairs"]))
    return [*page, *_notes(found, lang)]


def decomposition_headline(found: DecompositionResult, lang: str = "en") -> str:
    """Return the instrument that adds most when it joins last, as a sentence."""
    rows, names = shown(found.rows("without"), lang), part_titles(found, lang)
    if rows["median"].isna().all():
        return text("decompose_failed", lang, lost=found.runs["replicates"], tries=0)
    row = rows.sort_values("median", kind="stable").iloc[-1]
    return text(
        "summary_decompose", lang, package=names["whole"], name=names[str(row.name)],
        unit=row["unit"], median=number(row["median"], signed=True),
        low=number(row["low_90"], signed=True), high=number(row["high_90"], signed=True),
    )  # fmt: skip


def _heading(outcome: str, rows: pd.DataFrame, found: DecompositionResult, lang: str) -> str:
    row = notes.outcome_row(outcome)
    facts = [
        title(row, lang),
        rows["unit"].iloc[0],
        notes.base_words(row, found.runs["until"], lang),
    ]
    return " · ".join([*facts, text(row.better or "neither", lang)])


def _blocks(found: DecompositionResult, outcome: str, names: dict[str, str], lang: str) -> Page:
    """Return the Shapley parts of one outcome, and the whole below them."""
    rows = pd.concat([found.rows(part, outcome) for part in ("shapley", "whole")])
    rows = shown(rows, lang)
    heads = [text("decompose_blocks", lang), *notes.difference_heads(lang)]
    lines = [
        [names[row["name"]], *notes.difference_cells(row)] for row in row_dicts(rows.reset_index())
    ]
    return [_heading(outcome, rows, found, lang), Table(heads, lines)]


def _instruments(found: DecompositionResult, names: dict[str, str], lang: str) -> Page:
    """Return what each instrument adds last and alone, and where it breaks even."""
    keys = ("without", "", "alone", "", "value_added", "value_added_less_cost")
    heads = [text(f"decompose_{key}", lang) if key else "90 %" for key in keys]
    tables = {part: shown(found.rows(part), lang) for part in PARTS}
    rows = []
    for name in tables["without"].index:
        cells = []
        for part in PARTS:
            row = tables[part].loc[name]
            mark = " *" if clear_of_zero(row) else ""
            cells += [number(row["median"], signed=True) + mark, notes.interval(row, "90")]
        rows.append([names[name], *cells, *even_words(found, name, lang)])
    heading = _heading(OBJECTIVE, tables["without"], found, lang)
    return [heading, Table([text("packages_instruments", lang), *heads], rows)]


def even_words(found: DecompositionResult, name: str, lang: str) -> list[str]:
    """Return the break-even effectiveness of an instrument, in both measures, as words."""
    words, table = [], found.break_even
    for measure in ("value_added", "value_added_less_cost"):
        rows = table[(table["instrument"] == name) & (table["measure"] == measure)]
        value = rows["break_even"].iloc[0] if len(rows) else None
        if value is None or value != value:
            words.append("–")
        else:
            words.append(text(value, lang) if isinstance(value, str) else f"{value:.2f}")
    return words


def decomposition_charts(found: DecompositionResult, lang: str = "en") -> dict[str, Chart]:
    """Draw the instruments (last and alone) and the waterfall of the blocks."""
    return {name: decomposition_chart(found, name, lang) for name in ("instruments", "blocks")}


def decomposition_chart(found: DecompositionResult, name: str, lang: str) -> Chart:
    """Draw the ``instruments`` or the ``blocks``."""
    lang = figure_language(lang)
    names, row = part_titles(found, lang), notes.outcome_row(OBJECTIVE)
    parts = {part: shown(found.rows(part), lang) for part in (*PARTS, "shapley", "whole")}
    words = {
        "outcome": title(row, lang), "unit": parts["whole"]["unit"].iloc[0], "lang": lang,
        "base": text("present_value", lang, first=notes.FIRST, until=found.runs["until"]),
        "package": names["whole"],
    }  # fmt: skip
    reading = text("decompose_read_figure", lang, pairs=found.runs["pairs"])
    foot = [reading, *_notes(found, lang)]
    bars = Bars(parts, names, words, foot, notes.few_notes(found.table, lang))
    return instrument_bars(bars) if name == "instruments" else waterfall(bars)


def save_decomposition(
    found: DecompositionResult, directory: Path, lang: str, quiet: bool = True
) -> list[Path]:
    """Write tables, then figures, into a folder that exists; return the paths."""
    paths = [directory / "decomposition.csv", directory / "break_even.csv"]
    write_csv(paths[0], found.table)
    write_csv(paths[1], found.break_even)
    charts = {
        f"decomposition_{name}": partial(decomposition_chart, found, name, lang)
        for name in ("instruments", "blocks")
    }
    return paths + draw(charts, directory, lang, quiet)
