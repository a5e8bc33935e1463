"""A sensitivity study as pages and as files."""

from collections.abc import Callable
from functools import partial

import pandas as pd

from experiments.report.charts import Chart
from experiments.report.first_screen import fitted
from experiments.report.messages import number, text
from experiments.report.sensitivity_figures import (
    heat_head,
    heat_map,
    heat_table,
    package_chart,
    sides_of,
)
from experiments.report.sensitivity_words import (
    below_words,
    factor_titles,
    interval,
    largest,
    method_note,
    outcome_parts,
    outcome_title,
    package_rows,
    quantity_words,
    shown,
    status_words,
)
from experiments.report.tables import Page, Table
from experiments.sensitivity_analysis.factors import CHECKS, factor_table
from experiments.sensitivity_analysis.salib_study import MAIN, OK
from experiments.sensitivity_analysis.study import SensitivityResult

LISTED = 5
"""Factors that are listed of each outcome."""
DIGITS = 6
"""Significant digits of the table by year in its file."""


def full(found: SensitivityResult, lang: str = "en") -> Page:
    """Return for every package the factors that move industry and the ecosystem most."""
    page: Page = [_heading(found, lang)]
    for package in found.study.names:
        rows = package_rows(found, package)
        what = quantity_words(found, rows["quantity"].iloc[0], lang)
        page += ["", f"{found.title(package, lang)}: {what}"]
        for part in outcome_parts(rows, lang):
            page += _outcome(found, part, lang)
    return [*page, "", method_note(found, lang), *_problems(found, lang)]


def summary(found: SensitivityResult, lang: str = "en") -> Page:
    """Return the first screen: for how many effects each factor stands out, and what is wrong."""
    titles, cells = factor_titles(found, lang), heat_table(found)
    counts = cells.groupby(["factor", "group"], sort=False)[["matters", "outcomes"]].sum()
    often = counts["matters"].groupby("factor", sort=False).sum()
    ranked = often[often > 0].sort_values(ascending=False, kind="stable")
    sides = sides_of(cells)
    rows = [
        [
            titles[str(factor)],
            *(text("sensitivity_counts", lang, **counts.loc[(factor, side)]) for side in sides),
        ]
        for factor in ranked.index
    ]
    heads = [text(f"sensitivity_{side}", lang) if side else "" for side in sides]
    above = [_heading(found, lang), heat_head(found, lang)]
    below: Page = [] if rows else [text("sensitivity_heat_none", lang)]
    below += [text("sensitivity_short_note", lang), *_problems(found, lang, short=True)]
    return fitted(above, Table([text("sensitivity_factor", lang), *heads], rows), below, lang)


def _heading(found: SensitivityResult, lang: str) -> str:
    """Return what was run."""
    study = found.study
    return text(
        "sensitivity_heading", lang, method=study.sample.method.capitalize(),
        blocks=study.sample.blocks, factors=len(study.factors) - len(CHECKS), checks=len(CHECKS),
        runs=study.runs, replicates=study.asked.replicates, seed=study.sample.seed,
    )  # fmt: skip


def _outcome(found: SensitivityResult, part: pd.DataFrame, lang: str) -> Page:
    """Return one outcome: chance, then the largest factors, those that matter with a star."""
    main = MAIN[found.study.sample.method]
    titles = factor_titles(found, lang)
    head = f"{outcome_title(found, part, lang)}, {' · '.join(below_words(found, part, lang))}"
    if part[main].isna().all():
        return [head, status_words(found, part, lang)]
    rows = [
        [
            "*" if row["matters"] else "",
            titles[row["factor"]],
            number(row[main]),
            interval(row, main),
        ]
        for _, row in largest(part, LISTED).iterrows()
    ]
    heads = [text(f"sensitivity_{key}", lang) for key in ("factor", main, "interval")]
    return [head, Table(["", *heads], rows, names=2)]


def _problems(found: SensitivityResult, lang: str, short: bool = False) -> Page:
    """Name every outcome that has no indices, or whose indices are to be read with care."""
    wrong = found.table[found.table["status"] != OK]
    each = wrong.groupby(["package", "quantity", "outcome"], sort=False)
    parts = [shown(part, lang) for _, part in each]
    if short and parts:
        return [text("sensitivity_problems_short", lang, count=len(parts))]
    names = [
        f"{found.title(part['package'].iloc[0], lang)}, "
        f"{quantity_words(found, part['quantity'].iloc[0], lang)}, "
        f"{outcome_title(found, part, lang)} ({status_words(found, part, lang)})"
        for part in parts
    ]
    return [text("sensitivity_problems", lang, names="; ".join(names))] if names else []


def tables(found: SensitivityResult, lang: str = "en") -> dict[str, pd.DataFrame]:
    """Return the tables that have rows, by the name of their files; that by year is rounded."""
    yearly = found.by_year.select_dtypes("float")
    rounded = yearly.map(lambda value: float(f"{value:.{DIGITS}g}"))
    tables = {
        "sensitivity.csv": found.table,
        "factors.csv": factor_table(found.study.factors, lang),
        "sensitivity_by_year.csv": found.by_year.assign(**rounded),
        "pairs.csv": found.pairs,
    }
    return {name: table for name, table in tables.items() if len(table)}


def charts(found: SensitivityResult, lang: str = "en") -> dict[str, Callable[[], Chart]]:
    """Return what draws a plane or bars of each package, and packages × factors."""
    kind = "plane" if found.study.sample.method == "morris" else "bars"
    drawn = {
        f"{kind}_{name}": partial(package_chart, found, name, lang=lang)
        for name in found.study.names
    }
    return {**drawn, "packages_and_factors": partial(heat_map, found, lang)}
