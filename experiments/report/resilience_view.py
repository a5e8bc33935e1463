"""What shocks do to packages, as a page and as files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ecosystem.inputs.catalogue import shocks
from experiments.comparison.compare import row_dicts
from experiments.comparison.intervals import ENOUGH
from experiments.comparison.resilience import WINDOW, ResilienceResult
from experiments.report.compare_view import regret_page
from experiments.report.messages import percent, plain, text, title
from experiments.report.notes import outcome_row
from experiments.report.tables import Page, Table


def full(found: ResilienceResult, lang: str = "en") -> Page:
    """Return losses by outcome and shock, robustness over several shocks, and regret."""
    if found.table.empty:
        return [text("resilience_none", lang)]
    keys = ("loss", "depth", "recovery", "censored", "pairs")
    heads = [text(f"resilience_{key}", lang) for key in keys]
    heads = [text("package", lang), heads[0], "90 %", *heads[1:]]
    page: Page = [text("resilience_head", lang)]
    for (outcome, shock), part in found.table.groupby(["outcome", "shock"], sort=False):
        rows = []
        for row in row_dicts(part.sort_values("loss", kind="stable")):
            time = text("never", lang) if np.isinf(row["recovery"]) else f"{row['recovery']:.0f}"
            cells = [_share(row["loss"]), _range(row, "loss"), _share(row["depth"]), time]
            cells += [percent(row["censored"]), str(row["pairs"])]
            rows.append([plain(found.titles[row["package"]][lang]), *cells])
        struck = _shock(str(shock), lang)
        page += ["", f"{_outcome(outcome, lang)} · {struck}", Table(heads, rows)]
    several = found.robustness[found.robustness["shocks"] > 1]
    page += [*_robustness(several, found.titles, lang), ""]
    page.append(text("resilience_read", lang, window=WINDOW))
    if min([*found.table["pairs"], *several["pairs"]]) < ENOUGH:
        page.append(text("resilience_few", lang, enough=ENOUGH))
    regret = regret_page(found.regret, found.titles, lang, "regret_shocks_head")
    return [*page, "", *regret] if regret else page


def headline(found: ResilienceResult, lang: str = "en") -> str:
    """Return the shock with the largest median loss, and what it takes from which package."""
    if found.table["loss"].isna().all() if len(found.table) else True:
        return text("resilience_none", lang)
    ordered = found.table.sort_values("loss", kind="stable", na_position="first")
    hardest = ordered.iloc[-1]
    same = (ordered[["outcome", "shock"]] == hardest[["outcome", "shock"]]).all(axis=1)
    known = ordered[same & ordered["loss"].notna()]
    first, last = known.iloc[0], known.iloc[-1]
    return text(
        "summary_resilience" if len(known) > 1 else "summary_resilience_one", lang,
        low=_share(first["loss"]), first=found.titles[first["package"]][lang],
        high=_share(last["loss"]), last=found.titles[last["package"]][lang],
        outcome=_outcome(hardest["outcome"], lang), shock=_shock(hardest["shock"], lang),
    )  # fmt: skip


def _robustness(table: pd.DataFrame, titles: Mapping[str, Mapping[str, str]], lang: str) -> Page:
    """Return the robustness of packages that were struck by several shocks."""
    heads = [text("package", lang), "", "90 %", text("resilience_pairs", lang), ""]
    page: Page = []
    for outcome, part in table.groupby("outcome", sort=False):
        rows = [
            [
                plain(titles[row["package"]][lang]), _share(row["robustness"]),
                _range(row, "robustness"), str(row["pairs"]), _shock(row["worst"], lang),
            ]
            for row in row_dicts(part.sort_values("robustness", ascending=False, kind="stable"))
        ]  # fmt: skip
        head = f"{_outcome(outcome, lang)} · {text('resilience_robustness', lang)}"
        page += ["", head, Table(heads, rows)]
    return page


def _outcome(name: object, lang: str) -> str:
    return title(outcome_row(str(name)), lang)


def _shock(label: str, lang: str) -> str:
    """Return the title of a shock, with amplitude and start where they are its own."""
    name, *own = label.split(":")
    return " ".join([title(shocks()[name], lang), *own])


def _share(value: float) -> str:
    return "–" if value != value else f"{100 * value:.1f} %"


def _range(row: Mapping[str, float], name: str) -> str:
    return f"{_share(row[f'{name}_low_90'])} … {_share(row[f'{name}_high_90'])}"


def tables(found: ResilienceResult, lang: str = "en") -> dict[str, pd.DataFrame]:
    """Return the tables by the name of their files."""
    return {
        "resilience.csv": found.table,
        "robustness.csv": found.robustness,
        "regret_under_shocks.csv": found.regret,
    }


def charts(found: ResilienceResult, lang: str = "en") -> dict[str, Any]:
    """Return the figures: there are none."""
    return {}
