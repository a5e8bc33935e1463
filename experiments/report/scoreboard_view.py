"""The scoreboard as tables: how sure the aims of each paragraph of the article are to be met."""

from __future__ import annotations

from typing import Any

from experiments.comparison.compare import ComparisonResult, row_dicts
from experiments.comparison.scoreboard import aims
from experiments.comparison.sureness import LEAST
from experiments.report import notes
from experiments.report.messages import text, title
from experiments.report.tables import Page, Table


def scoreboard_page(found: ComparisonResult, lang: str) -> Page:
    """Return a table for each block, packages by aims; nothing where none of them was run."""
    board = found.scoreboard
    if board.empty:
        return []
    page: Page = [text("scoreboard_head", lang, reference=found.title(found.reference, lang))]
    for name, rows in board.groupby("block", sort=False):
        names = list(dict.fromkeys(rows["outcome"]))
        wanted = rows.drop_duplicates("outcome").set_index("outcome")["wanted"]
        heads = [f"{title(notes.outcome_row(one), lang)} ({wanted[one]})" for one in names]
        cells = {(row["package"], row["outcome"]): _cell(row, lang) for row in row_dicts(rows)}
        lines = [
            [found.title(package, lang), *(cells.get((package, one), "–") for one in names)]
            for package in dict.fromkeys(rows["package"])
        ]
        block = next(aim for aim in aims() if aim.name == name)
        page += ["", Table([title(block, lang), *heads], lines)]
    return [*page, "", text("scoreboard_read", lang)]


def _cell(row: Any, lang: str) -> str:
    """Return for or against the aim, and how sure that is."""
    sure = notes.sure(row, lang, short=True)
    if not row["direction"] or not LEAST.get(row["sureness"]):  # open, or not visible
        return sure
    return text(f"scoreboard_{row['direction']}", lang, sure=sure)
