"""One scenario: levels of its outcomes as a page, and bands over time as a figure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ecosystem.inputs.calendar import FIRST_YEAR, period_index, period_label
from ecosystem.inputs.catalogue import Outcome
from ecosystem.inputs.catalogue import outcomes as catalogue
from ecosystem.maths.arrays import Array
from ecosystem.runs.result import Result
from ecosystem.runs.table import DIMENSIONS
from experiments.comparison.compare import headline_outcomes, row_dicts
from experiments.comparison.intervals import ENOUGH, OUTWARD, QUANTILES
from experiments.report import notes
from experiments.report.charts import (
    BETTER,
    QUIET,
    TICKS,
    WIDTH,
    Chart,
    canvas,
    figure_language,
    save,
)
from experiments.report.figures import shown
from experiments.report.first_screen import caveats, fitted
from experiments.report.messages import display_unit, number, text, title, wrap
from experiments.report.tables import Page, Table

COLUMNS = 3
"""Panels beside each other."""
START = FIRST_YEAR + period_index(notes.FIRST) / 4
"""When packages start, marked by a dotted line."""


def _quantiles(about: Mapping[str, str], values: Array) -> pd.DataFrame:
    """Return the quantiles over the runs of an outcome or part, (runs, times), one row a time.

    The outer bounds are runs that were seen, as those of paired differences are pairs.
    """
    runs = pd.DataFrame(values)
    wide = {
        key: runs.quantile(level, interpolation=OUTWARD.get(key, "linear"))
        for key, level in QUANTILES.items()
    }
    row = notes.outcome_row(about["outcome"])
    return pd.DataFrame({**about, "unit": row.unit, "time_base": row.time_base, **wide})


def _headline(found: Mapping[str, Array], result: Result) -> Iterator[tuple[dict[str, str], Array]]:
    """Yield outcomes of the first scenario, each part by itself: headline ones where all ran."""
    names = [name for name in headline_outcomes() if name in found]
    if len(found) < len(catalogue()):  # some were asked for
        names = list(found)
    for name in names:
        column, entries = result.entries(name)
        for place, entry in enumerate(entries):
            about = {"outcome": name, **({column: entry} if column else {})}
            yield about, found[name][0, ..., place]


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return tables below each other; an outcome without parts has none of any kind."""
    table = pd.concat(tables, ignore_index=True)
    parts = [name for name in DIMENSIONS if name in table]
    return table.fillna(dict.fromkeys(parts, ""))


def _each(table: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the rows of each outcome, or part of one."""
    keys = ["outcome", *(name for name in DIMENSIONS if name in table)]
    return [rows for _, rows in table.groupby(keys, sort=False)]


def run_table(result: Result) -> pd.DataFrame:
    """Return the level of every headline outcome over its own time base, one row a part."""
    found = _headline(result.summaries, result)
    return _joined([_quantiles(about, values[:, None]) for about, values in found])


def run_pages(result: Result, table: pd.DataFrame, lang: str) -> dict[str, Page]:
    """Return the first screen (``summary``) and everything (``full``) about one scenario."""
    name = result.scenarios[0]
    used = result.used_runs(0)
    above: Page = [
        text(
            "run_head", lang, scenario=result.titles[name][lang], replicates=used,
            seed=result.seed, world=notes.world_words(result.world.name, lang),
            until=result.until,
        ),
        *notes.failure_notes(result, lang),
    ]  # fmt: skip
    rows, brief = [], []
    for part in _each(table):
        (row,) = row_dicts(shown(part, lang, ""))
        outcome = notes.outcome_of(part)
        cells = [notes.value(row, signed=False)]
        cells += [notes.interval(row, reach, signed=False) for reach in ("50", "90")]
        base = f"{row['unit']} · {notes.base_words(outcome, result.until, lang)}"
        rows.append([title(outcome, lang), base, *cells])
        unit = display_unit(outcome.unit, lang, "short")[1]
        brief.append([title(outcome, lang), f"{cells[0]} {unit}".strip(), cells[2]])
    heads = [text(key, lang) for key in ("outcome", "unit", "median")]
    few = [text("few_runs", lang, enough=ENOUGH)] if used < ENOUGH else []
    below = [*few, *caveats(result, lang)]
    below.append(text("summary_files", lang, tables="levels.csv"))
    return {
        "summary": fitted(above, Table([heads[0], heads[2], "90 %"], brief), below, lang),
        "full": [
            *above, "", Table([*heads, "50 %", "90 %"], rows, names=2), "", *few,
            *notes.run_notes(result, lang), *notes.varied_notes(result, lang),
        ],
    }  # fmt: skip


def bands_table(result: Result) -> pd.DataFrame:
    """Return quantiles over the runs of the first scenario, one row a part and quarter."""
    tables = []
    for about, values in _headline(result.series, result):
        table = _quantiles(about, values).drop(columns="time_base")
        periods = [period_label(quarter) for quarter in range(len(table))]
        table.insert(list(table).index("unit") + 1, "period", periods)
        tables.append(table)
    return _joined(tables)


def bands(result: Result, lang: str = "en") -> Chart:
    """Draw every headline outcome of the first scenario over time, one panel an outcome."""
    lang = figure_language(lang)
    name, table = result.scenarios[0], bands_table(result)
    table["year"] = [FIRST_YEAR + period_index(str(period)) / 4 for period in table["period"]]
    parts = [shown(part, lang, "") for part in _each(table)]
    first = notes.outcome_of(parts[0])
    last, used = parts[0].iloc[-1], result.used_runs(0)
    head = text(
        "run_title" if used > 1 else "run_title_one", lang,
        scenario=result.titles[name][lang], outcome=title(first, lang),
        median=number(last["median"]), unit=last["unit"], period=last["period"],
        low=number(last["low_90"]), high=number(last["high_90"]),
    )  # fmt: skip
    reading = "run_reading" if used > 1 else "run_reading_one"
    few = [text("few_runs", lang, enough=ENOUGH)] if used < ENOUGH else []
    foot = [text(reading, lang, replicates=used, first=notes.FIRST)]
    foot += [*notes.run_notes(result, lang), *few]
    rows = math.ceil(len(parts) / COLUMNS)
    alt = [text("alt_bands", lang, title=head), *few]
    with canvas(2.1 * rows + 0.2, head, foot, lang, WIDTH + 1) as figure:
        panels = figure.subplots(rows, COLUMNS, squeeze=False, sharex=True).ravel()
        for panel, band in zip(panels, parts, strict=False):
            row = notes.outcome_of(band)
            unit = _panel_unit(str(band["unit"].iloc[0]), row, lang)
            _panel(panel, band, title(row, lang), unit)
            alt.append(_panel_words(band, title(row, lang), unit, used, lang))
        for panel in panels[len(parts) :]:
            panel.set_visible(False)
        for panel in panels[max(len(parts) - COLUMNS, 0) : len(parts)]:
            panel.tick_params(labelbottom=True)
            panel.set_xlabel(text("year", lang), fontsize=8)
    return Chart(figure, pd.concat(parts, ignore_index=True), " ".join(alt), lang)


def _panel_words(band: pd.DataFrame, name: str, unit: str, runs: int, lang: str) -> str:
    """Return one panel in words; one run has no interval."""
    first, last = band.iloc[0], band.iloc[-1]
    return text(
        "alt_panel" if runs > 1 else "alt_panel_one", lang, outcome=name, unit=unit,
        start=first["period"], end=last["period"],
        first=number(first["median"]), last=number(last["median"]),
        low=number(last["low_90"]), high=number(last["high_90"]),
    )  # fmt: skip


def _panel_unit(unit: str, outcome: Outcome, lang: str) -> str:
    """Return the unit of an outcome by quarter: of what flows, it is an amount a quarter."""
    flow = outcome.time_base in ("present_value", "sum")
    return f"{unit}, {text('per_quarter', lang)}" if flow else unit


def _panel(panel: Axes, band: pd.DataFrame, name: str, unit: str) -> None:
    """Draw median and bands of one outcome."""
    year = band["year"].to_numpy()
    for reach, depth in (("90", 0.18), ("50", 0.38)):
        panel.fill_between(
            year, band[f"low_{reach}"].to_numpy(), band[f"high_{reach}"].to_numpy(),
            color=BETTER, alpha=depth, linewidth=0,
        )  # fmt: skip
    panel.plot(year, band["median"].to_numpy(), color=BETTER, linewidth=1.6)
    panel.axvline(START, color=QUIET, linewidth=0.9, linestyle=":")
    panel.set_xlim(math.floor(year[0]), math.ceil(year[-1] + 0.01))
    panel.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    panel.xaxis.set_major_formatter("{x:.0f}")
    panel.yaxis.set_major_locator(MaxNLocator(nbins=4))
    panel.yaxis.set_major_formatter(TICKS)
    panel.tick_params(labelsize=7.5)
    panel.set_title(wrap(name, 36), fontsize=9, loc="left", pad=14)
    panel.text(0, 1.02, unit, transform=panel.transAxes, fontsize=7.5, color=QUIET, va="bottom")


def save_run(result: Result, directory: Path, lang: str, quiet: bool = True) -> pd.DataFrame:
    """Write the table, then the figure of one scenario; return the table."""
    table = run_table(result)
    save(directory, {"levels.csv": table}, {"bands": partial(bands, result, lang)}, lang, quiet)
    return table
