"""Equal money in words: the plans found for it, where costs differ, and what else is uneven."""

from __future__ import annotations

from typing import Any

import pandas as pd

from experiments.comparison.compare import NET_COST, ComparisonResult, row_dicts
from experiments.comparison.equal_money import TOLERANCE, uneven_cost
from experiments.report import notes
from experiments.report.messages import display_unit, number, percent, text
from experiments.report.package_words import own_plan_notes
from experiments.report.tables import Page, Table


def equal_page(found: ComparisonResult, lang: str) -> Page:
    """Return the plans at which packages cost the same, and which do not; nothing of no search."""
    money = found.equal_money
    if money.empty:
        return []
    rows = []
    for row in row_dicts(money):
        gross = _amount(row["extra_gross"], lang)
        cells = [_amount(row["planned"], lang), _with_error(row, lang), gross]
        words = "equal_" + (row["why"] or "reached").replace(" ", "_")
        rows.append([found.title(row["package"], lang), *cells, text(words, lang)])
    heads = [text(f"equal_{key}", lang) for key in ("planned", "extra", "gross", "found")]
    return [
        text("equal_head", lang, **_about(found, lang)),
        Table([text("package", lang), *heads], rows),
        text("equal_read", lang),
    ]


def equal_note(found: ComparisonResult, lang: str) -> list[str]:
    """Return in a sentence at which cost packages are compared, and which do not reach it."""
    money = found.equal_money
    if money.empty:
        return []
    error = number(money["error"].max() / _unit(lang)[0], figures=2)
    words = text("equal_note", lang, error=error, **_about(found, lang))
    rest = [
        f"{found.title(row['package'], lang)} ({_with_error(row, lang)})"
        for row in row_dicts(money)
        if not row["reached"]
    ]
    names = ("、" if lang == "zh" else ", ").join(rest)
    return [words + text("equal_rest", lang, names=names) if rest else words]


def uneven_note(found: ComparisonResult, lang: str) -> list[str]:
    """Return that packages do not cost the same, where they differ by more than a tenth.

    Where equal cost was sought, `equal_note` names those that do not reach it, and the others
    differ by the error of their pilots.
    """
    cost = uneven_cost(found.differences)
    if cost.empty or not found.equal_money.empty:
        return []
    (low, *_, high), (first, *_, last) = cost, map(str, cost.index)
    words = text(
        "uneven_cost", lang, low=_amount(low, lang), high=_amount(high, lang),
        first=found.title(first, lang), last=found.title(last, lang), unit=_unit(lang)[1],
    )  # fmt: skip
    return [words + text("uneven_hint", lang)]


def uneven_hint(found: ComparisonResult, lang: str) -> list[str]:
    """Return the same in short, where the costs themselves stand above."""
    return [text("uneven_short", lang)] if uneven_note(found, lang) else []


def replaced_notes(found: ComparisonResult, lang: str) -> list[str]:
    """Return for each package how much of its own plan replaces money of the reference."""
    base = next(one for one in found.result.resolved if one.name == found.reference)
    return [
        f"{found.title(one.name, lang)}: {words}"
        for one in found.result.resolved
        if one is not base
        for words in own_plan_notes(one, base, lang)
    ]


def warned_note(found: ComparisonResult, lang: str) -> list[str]:
    """Return in a line which packages assume otherwise or cannot spend what their budgets name."""
    facts, base = found.packages, found.reference
    apart = facts[facts["assumptions"].map(len).gt(0) & facts["package"].ne(base)]
    words = [
        text(key, lang, names=("、" if lang == "zh" else ", ").join(some[f"title_{lang}"]), **about)
        for key, some, about in (
            ("summary_assumed", apart, {"reference": found.title(base, lang)}),
            ("summary_unplanned", facts[facts["unplanned"] > 0], {}),
        )
        if len(some)
    ]
    return [" ".join(words)] if words else []


def tables(found: ComparisonResult) -> dict[str, pd.DataFrame]:
    """Return the table of plans by the name of its file, if plans were sought."""
    return {} if found.equal_money.empty else {"equal_money.csv": found.equal_money}


def _about(found: ComparisonResult, lang: str) -> dict[str, object]:
    """Return what was asked for, and how it was sought."""
    money = found.equal_money
    pilots = notes.pairs_words(money["pilots"])
    return {
        "goal": _amount(money["goal"].iloc[0], lang), "unit": _unit(lang)[1], "pilots": pilots,
        "seed": found.result.seed, "tolerance": percent(TOLERANCE),
        "reference": found.title(found.reference, lang), "until": found.result.until,
    }  # fmt: skip


def _unit(lang: str) -> tuple[float, str]:
    return display_unit(notes.outcome_row(NET_COST).unit, lang)


def _with_error(row: Any, lang: str) -> str:
    """Return an extra net public cost with the standard error of its median."""
    error = number(row["error"] / _unit(lang)[0], figures=2)
    return f"{_amount(row['extra'], lang)} ± {error}"


def _amount(value: float, lang: str) -> str:
    return number(value / _unit(lang)[0])
