"""One scenario: levels of its outcomes as text, and bands over time as a figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.comparison.compare import DIMENSIONS, headline_outcomes, row_dicts
from experiments.comparison.intervals import ENOUGH, OUTWARD, QUANTILES
from experiments.report.messages import number, scaled_unit, text, title, wrap
from experiments.report.presentation import (
    COLUMNS,
    FIRST,
    base_words,
    failure_lines,
    outcome_row,
    run_notes,
    table_line,
    varied_lines,
)

if TYPE_CHECKING:
    import pandas as pd

    from ecosystem.runs.result import Result
    from experiments.report.charts import Chart


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
    import pandas as pd

    grouped = frame.groupby(keys, sort=False, observed=True)["value"]
    wide = {
        name: grouped.quantile(level, interpolation=OUTWARD.get(name, "linear"))
        for name, level in QUANTILES.items()
    }
    return pd.DataFrame(wide).reset_index()


def run_table(result: Result) -> pd.DataFrame:
    """Return the level of every headline outcome over its own time base, one row an outcome."""
    names = headline_outcomes()
    table = _quantiles(_whole(result.summary(), names), ["outcome"])
    rows = [outcome_row(str(name)) for name in table["outcome"]]
    table.insert(1, "unit", [row.unit for row in rows])
    table.insert(2, "time_base", [row.time_base for row in rows])
    order = {name: place for place, name in enumerate(names)}
    return table.sort_values("outcome", key=lambda column: column.map(order)).reset_index(drop=True)


def run_text(result: Result, table: pd.DataFrame, lang: str) -> str:
    """Return the levels of one scenario as lines of at most 100 columns."""
    name = result.scenarios[0]
    used = result.used_runs(name)
    head = text(
        "run_head", lang, scenario=result.titles[name][lang], replicates=used,
        seed=result.seed, world=result.world.name, until=result.until,
    )  # fmt: skip
    widths = (12, 21, 21)
    heads = [text("median", lang), "50 %", "90 %"]
    lines = [*wrap(head, COLUMNS).splitlines(), *failure_lines(result, lang)]
    lines += ["", table_line("", "", widths, heads)]
    for row in row_dicts(table):
        outcome = outcome_row(row["outcome"])
        factor, unit = scaled_unit(max(abs(row["low_90"]), abs(row["high_90"])), row["unit"], lang)
        low, high = {}, {}
        for reach in ("50", "90"):
            low[reach] = number(row[f"low_{reach}"] / factor)
            high[reach] = number(row[f"high_{reach}"] / factor)
        cells = [number(row["median"] / factor)]
        cells += [f"{low[reach]} … {high[reach]}" for reach in ("50", "90")]
        lines.append(table_line("", title(outcome, lang), widths, cells))
        lines.append(f"      {unit} · {base_words(outcome, result.until, lang)}")
    lines.append("")
    if used < ENOUGH:
        lines.append(text("few_runs", lang, enough=ENOUGH))
    for note in run_notes(result, lang):
        lines += wrap(note, COLUMNS).splitlines()
    return "\n".join([*lines, *varied_lines(result, lang)])


def bands_table(result: Result) -> pd.DataFrame:
    """Return quantiles over the runs of the first scenario, one row an outcome and quarter.

    Of headline outcomes without parts, one after the other: a frame of all takes more memory than
    the result itself.
    """
    import pandas as pd

    from ecosystem.inputs.calendar import period_label

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
    from ecosystem.inputs.calendar import FIRST_YEAR, period_index
    from experiments.report.charts import figure_language
    from experiments.report.figures import bands_over_time

    lang = figure_language(lang)
    name = result.scenarios[0]
    table = bands_table(result)
    table["year"] = [FIRST_YEAR + period_index(str(period)) / 4 for period in table["period"]]
    present = set(table["outcome"])
    rows: list[Any] = [outcome_row(key) for key in headline_outcomes() if key in present]
    scales = {}
    for place, row in enumerate(rows):
        largest = table.loc[table["outcome"] == row.name, ["low_90", "high_90"]].abs().max().max()
        scales[row.name], unit = scaled_unit(float(largest), row.unit, lang)
        rows[place] = row.model_copy(update={"unit": unit})
    columns = list(QUANTILES)
    scaled = table.copy()
    scaled[columns] = table[columns].div(table["outcome"].map(scales).astype(float), axis=0)
    last = scaled[scaled["outcome"] == rows[0].name].sort_values("year").iloc[-1]
    used = result.used_runs(name)
    head = text(
        "run_title" if used > 1 else "run_title_one", lang,
        scenario=result.titles[name][lang], outcome=title(rows[0], lang),
        median=number(last["median"]), unit=rows[0].unit, period=last["period"],
        low=number(last["low_90"]), high=number(last["high_90"]),
    )  # fmt: skip
    key = "run_reading" if used > 1 else "run_reading_one"
    reading = text(key, lang, replicates=used, first=FIRST)
    start = FIRST_YEAR + period_index(FIRST) / 4
    return bands_over_time(
        scaled, rows, head=head, start=start, runs=used,
        notes=[reading, *run_notes(result, lang)], lang=lang,
    )  # fmt: skip


def save_run(result: Result, directory: Path, lang: str) -> tuple[pd.DataFrame, str]:
    """Write the table and the figure of one scenario; return the table and its text."""
    from experiments.command.run_directory import write_csv

    table = run_table(result)
    write_csv(directory / "levels.csv", table)
    (directory / "figures").mkdir(exist_ok=True)
    bands(result, lang).save(directory / "figures" / "bands")
    return table, run_text(result, table, lang)
