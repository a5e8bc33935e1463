"""A decomposition as text, as figures and as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.comparison.compare import row_dicts
from experiments.comparison.decompose import NET_COST, OBJECTIVE, OTHER, RULES, Decomposition
from experiments.comparison.intervals import clear_of_zero
from experiments.report.messages import number, percent, scaled_unit, text, title, wrap
from experiments.report.presentation import (
    COLUMNS,
    FIRST,
    base_words,
    circumstances,
    few_notes,
    outcome_row,
    table_line,
)

if TYPE_CHECKING:
    import pandas as pd

    from experiments.report.charts import Chart

SCALED = ("mean", "median", "low_50", "high_50", "low_90", "high_90", "monte_carlo_error")
PARTS = ("without", "alone")
SMALL = 0.01
"""Numbers below it get four decimals, so that none is cut by its cell."""


def scaled(rows: pd.DataFrame, factor: float) -> pd.DataFrame:
    """Return rows in a unit so many times the original."""
    return rows.assign(**{name: rows[name] / factor for name in SCALED})


def unit_of(found: Decomposition, outcome: str, lang: str) -> tuple[float, str]:
    """Return the divisor and the unit in which the numbers of an outcome can be read."""
    rows = found.table[found.table["outcome"] == outcome]
    largest = float(rows[["low_90", "high_90"]].abs().max().max())
    return scaled_unit(largest, str(rows["unit"].iloc[0]), lang)


def part_titles(found: Decomposition, lang: str) -> dict[str, str]:
    """Return the titles of instruments, blocks and the whole."""
    from ecosystem.inputs.catalogue import instruments
    from ecosystem.inputs.scenario import resolve
    from experiments.comparison.decompose import BLOCKS

    names = {name: title(row, lang) for name, row in instruments().items()}
    names |= {block: title(resolve(package), lang) for block, package in BLOCKS.items()}
    names |= {OTHER: text("block_other", lang), RULES: text("block_rules", lang)}
    return names | {"whole": title(found.package, lang)}


def table_notes(found: Decomposition, lang: str) -> list[str]:
    """Return how to read the tables, and under which circumstances they hold."""
    runs = found.runs
    lines = [text("decompose_read", lang, pairs=runs["pairs"])]
    lines.append(text("decompose_break_even", lang, tries=runs["even_pairs"]))
    return [*lines, *notes(found, lang)]


def figure_notes(found: Decomposition, lang: str) -> list[str]:
    """Return how to read the figures, and under which circumstances they hold."""
    return [text("decompose_read_figure", lang, pairs=found.runs["pairs"]), *notes(found, lang)]


def notes(found: Decomposition, lang: str) -> list[str]:
    """Return what was left out, held, drawn and struck."""
    runs, both = found.runs, (found.package, found.reference)
    lines = [text("decompose_rules", lang)] if RULES in set(found.table["name"]) else []
    lost = {"lost": runs["replicates"] - runs["pairs"], "tries": runs["tries"] - runs["even_pairs"]}
    if any(lost.values()):
        lines.append(text("decompose_failed", lang, **lost))
    lines += few_notes(found.table, lang)
    lines.append(text("decompose_gap", lang, gap=f"{found.gap:.0e}"))
    return lines + circumstances(runs["varied"], runs["given"], both, runs["world"], lang)


def decomposition_text(found: Decomposition, lang: str = "en") -> str:
    """Return the tables of a decomposition as lines of at most 100 columns."""
    from experiments.comparison.budget import own_present_value

    runs, names = found.runs, part_titles(found, lang)
    head = text(
        "decompose_head", lang, package=names["whole"], pairs=runs["pairs"],
        seed=runs["seed"], world=runs["world"], until=runs["until"], runs=runs["runs"],
        money=number(own_present_value(found.package)), reference=title(found.reference, lang),
    )  # fmt: skip
    lines = wrap(head, COLUMNS).splitlines()
    for outcome in (OBJECTIVE, NET_COST):
        lines += ["", *_block_lines(found, outcome, names, lang)]
    lines += ["", *_instrument_lines(found, names, lang), ""]
    for note in table_notes(found, lang):
        lines += wrap(note, COLUMNS).splitlines()
    return "\n".join(lines)


def _heading(outcome: str, unit: str, found: Decomposition, lang: str) -> list[str]:
    row = outcome_row(outcome)
    facts = [title(row, lang), unit, base_words(row, found.runs["until"], lang)]
    return wrap(" · ".join([*facts, text(row.better or "neither", lang)]), COLUMNS).splitlines()


def _block_lines(found: Decomposition, outcome: str, names: dict[str, str], lang: str) -> list[str]:
    """Return the Shapley parts of one outcome, and the whole below them."""
    factor, unit = unit_of(found, outcome, lang)
    widths = (20, 21, 21, 11)
    heads = [text("column_median", lang), "50 %", "90 %", text("column_share", lang)]
    lines = _heading(outcome, unit, found, lang)
    lines.append(table_line("", text("decompose_blocks", lang), widths, heads))
    for part in ("shapley", "whole"):
        rows = scaled(found.rows(part, outcome), factor).reset_index()
        for row in row_dicts(rows):
            error = number(row["monte_carlo_error"], figures=2)
            cells = [f"{number(row['median'], signed=True)} ± {error}"]
            cells += [_range(row, "50"), _range(row, "90"), percent(row["share_above_zero"])]
            lines.append(table_line("", names[row["name"]], widths, cells))
    return lines


def _range(row: Mapping[Any, Any], reach: str) -> str:
    low, high = row[f"low_{reach}"], row[f"high_{reach}"]
    return f"{brief(low)} … {brief(high)}"


def brief(value: float) -> str:
    """Return a signed number of few digits: next to the largest of a table, small ones are 0."""
    return f"{value:+.4f}" if 0 < abs(value) < SMALL else number(value, signed=True)


def _instrument_lines(found: Decomposition, names: dict[str, str], lang: str) -> list[str]:
    """Return what each instrument adds last and alone, and where it breaks even."""
    factor, unit = unit_of(found, OBJECTIVE, lang)
    widths = (11, 18, 11, 18, 8, 8)
    keys = ("without", "", "alone", "", "value_added", "value_added_less_cost")
    heads = [text(f"decompose_{key}", lang) if key else "90 %" for key in keys]
    lines = _heading(OBJECTIVE, unit, found, lang)
    room = COLUMNS - 4 - sum(widths)
    lines.append(table_line("", text("packages_instruments", lang), widths, heads))
    tables = {part: scaled(found.rows(part), factor).to_dict("index") for part in PARTS}
    for name in tables["without"]:
        cells = []
        for part in PARTS:
            row = tables[part][name]
            mark = "*" if clear_of_zero(row) else " "
            cells += [f"{brief(row['median'])}{mark}", _range(row, "90")]
        cells += even_words(found, str(name), lang)
        first, *rest = wrap(names[str(name)], room).splitlines()
        lines.append(table_line("", first, widths, cells))
        lines += [f"    {line}" for line in rest]
    return lines


def even_words(found: Decomposition, name: str, lang: str) -> list[str]:
    """Return the break-even effectiveness of an instrument, in both measures, as words."""
    words = []
    for measure in ("value_added", "value_added_less_cost"):
        table = found.break_even
        rows = table[(table["instrument"] == name) & (table["measure"] == measure)]
        value = rows["break_even"].iloc[0] if len(rows) else None
        if value is None or value != value:
            words.append("–")
        else:
            words.append(text(value, lang) if isinstance(value, str) else f"{value:.2f}")
    return words


def decomposition_charts(found: Decomposition, lang: str = "en") -> dict[str, Chart]:
    """Draw the instruments (last and alone) and the waterfall of the blocks."""
    from experiments.report.charts import figure_language
    from experiments.report.decompose_figures import instrument_bars, waterfall

    lang = figure_language(lang)
    factor, unit = unit_of(found, OBJECTIVE, lang)
    names = part_titles(found, lang)
    row = outcome_row(OBJECTIVE)
    words = {
        "outcome": title(row, lang), "unit": unit, "package": names["whole"], "lang": lang,
        "base": text("present_value", lang, first=FIRST, until=found.runs["until"]),
    }  # fmt: skip
    foot, few = figure_notes(found, lang), few_notes(found.table, lang)
    parts = {
        part: scaled(found.rows(part), factor).assign(unit=unit)
        for part in (*PARTS, "shapley", "whole")
    }
    return {
        "instruments": instrument_bars(parts, names, words, foot, few),
        "blocks": waterfall(parts, names, words, foot, few),
    }


def save_decomposition(found: Decomposition, directory: Path, lang: str) -> list[Path]:
    """Write tables and figures into a folder that exists; return the paths."""
    from experiments.command.run_directory import write_csv

    paths = [directory / "decomposition.csv", directory / "break_even.csv"]
    write_csv(paths[0], found.table)
    write_csv(paths[1], found.break_even)
    figures = directory / "figures"
    figures.mkdir(exist_ok=True)
    for name, chart in decomposition_charts(found, lang).items():
        paths += chart.save(figures / f"decomposition_{name}")
    return paths
