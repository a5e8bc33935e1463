"""One scenario: levels of its outcomes as a page, and bands over time as a figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ecosystem.inputs.calendar import FIRST_YEAR, period_index, period_label
from ecosystem.runs.result import DIMENSIONS, Result
from experiments.comparison.compare import headline_outcomes, row_dicts
from experiments.comparison.intervals import ENOUGH, OUTWARD, QUANTILES
from experiments.report import notes
from experiments.report.charts import Chart, draw, figure_language
from experiments.report.compare_view import caveats, fitted
from experiments.report.figures import bands_over_time, shown
from experiments.report.files import write_csv
from experiments.report.messages import number, text, title
from experiments.report.tables import Page, Table


def _whole(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return the rows of these outcomes that are not about a part, such as a tier or a kind."""
    keep = frame["outcome"].isin(names)
    for name in DIMENSIONS:
        keep &= frame[name].isna() | (frame[name].astype("str") == "")
    return frame[keep]


def _quantiles(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the quantiles of `value` over the runs, one row a key, in the order of first use.

    The outer bounds are runs that were seen, as those of paired differences are pairs.
    """
    grouped = frame.groupby(keys, sort=False, observed=True)["value"]
    wide = {
        name: grouped.quantile(level, interpolation=OUTWARD.get(name, "linear"))
        for name, level in QUANTILES.items()
    }
    table = pd.DataFrame(wide).reset_index()
    table.insert(1, "unit", [notes.outcome_row(str(name)).unit for name in table["outcome"]])
    return table


def run_table(result: Result) -> pd.DataFrame:
    """Return the level of every headline outcome over its own time base, one row an outcome."""
    names = headline_outcomes()
    table = _quantiles(_whole(result.summary(), names), ["outcome"])
    bases = [notes.outcome_row(str(name)).time_base for name in table["outcome"]]
    table.insert(2, "time_base", bases)
    order = {name: place for place, name in enumerate(names)}
    return table.sort_values("outcome", key=lambda column: column.map(order)).reset_index(drop=True)


def run_pages(result: Result, table: pd.DataFrame, lang: str) -> dict[str, Page]:
    """Return the first screen (``summary``) and everything (``full``) about one scenario."""
    name = result.scenarios[0]
    used = result.used_runs(name)
    above: Page = [
        text(
            "run_head", lang, scenario=result.titles[name][lang], replicates=used,
            seed=result.seed, world=notes.world_words(result.world.name, lang),
            until=result.until,
        ),
        *notes.failure_notes(result, lang),
    ]  # fmt: skip
    rows, bases = [], []
    for place in range(len(table)):
        row = row_dicts(shown(table.iloc[[place]], lang, ""))[0]
        outcome = notes.outcome_row(row["outcome"])
        cells = [number(row["median"])]
        cells += [notes.interval(row, reach, signed=False) for reach in ("50", "90")]
        rows.append([title(outcome, lang), row["unit"], *cells])
        bases.append(f"{row['unit']} · {notes.base_words(outcome, result.until, lang)}")
    heads = [text(key, lang) for key in ("outcome", "unit", "median")]
    few = [text("few_runs", lang, enough=ENOUGH)] if used < ENOUGH else []
    brief = [[*row[:3], row[4]] for row in rows]
    below = [*few, *caveats(result, lang)]
    below.append(text("summary_files", lang, tables="levels.csv"))
    everything = [[row[0], base, *row[2:]] for row, base in zip(rows, bases, strict=True)]
    return {
        "summary": fitted(above, Table([*heads, "90 %"], brief, names=2), below, lang),
        "full": [
            *above, "", Table([*heads, "50 %", "90 %"], everything, names=2), "", *few,
            *notes.run_notes(result, lang), *notes.varied_notes(result, lang),
        ],
    }  # fmt: skip


def bands_table(result: Result) -> pd.DataFrame:
    """Return quantiles over the runs of the first scenario, one row an outcome and quarter.

    Of headline outcomes without parts, one after the other: a frame of all takes more memory than
    the result itself.
    """
    names = set(headline_outcomes())
    tables = []
    for name, series in result.series.items():
        if name not in names or result.entries(name)[0]:
            continue
        runs, quarters = series.shape[1:3]
        labels = pd.Index([period_label(t) for t in range(quarters)])
        period = pd.Categorical.from_codes(np.tile(np.arange(quarters), runs), labels)
        frame = pd.DataFrame({"outcome": name, "period": period, "value": series[0].reshape(-1)})
        tables.append(_quantiles(frame, ["outcome", "period"]))
    return pd.concat(tables, ignore_index=True)


def bands(result: Result, lang: str = "en") -> Chart:
    """Draw every headline outcome of the first scenario of a result over time."""
    lang = figure_language(lang)
    name = result.scenarios[0]
    table = bands_table(result)
    table["year"] = [FIRST_YEAR + period_index(str(period)) / 4 for period in table["period"]]
    parts = [shown(part, lang, "") for _, part in table.groupby("outcome", sort=False)]
    table = pd.concat(parts, ignore_index=True)
    present = set(table["outcome"])
    rows = [notes.outcome_row(key) for key in headline_outcomes() if key in present]
    last = table[table["outcome"] == rows[0].name].sort_values("year").iloc[-1]
    used = result.used_runs(name)
    head = text(
        "run_title" if used > 1 else "run_title_one", lang,
        scenario=result.titles[name][lang], outcome=title(rows[0], lang),
        median=number(last["median"]), unit=last["unit"], period=last["period"],
        low=number(last["low_90"]), high=number(last["high_90"]),
    )  # fmt: skip
    key = "run_reading" if used > 1 else "run_reading_one"
    reading = text(key, lang, replicates=used, first=notes.FIRST)
    return bands_over_time(
        table, rows, head=head, start=FIRST_YEAR + period_index(notes.FIRST) / 4, runs=used,
        notes=[reading, *notes.run_notes(result, lang)], lang=lang,
    )  # fmt: skip


def save_run(result: Result, directory: Path, lang: str, quiet: bool = True) -> pd.DataFrame:
    """Write the table, then the figure of one scenario; return the table."""
    table = run_table(result)
    write_csv(directory / "levels.csv", table)
    draw({"bands": lambda: bands(result, lang)}, directory, lang, quiet)
    return table
