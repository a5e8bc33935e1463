"""A comparison as pages, as figures and as files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd

from ecosystem.inputs.catalogue import instruments
from experiments.comparison.compare import (
    REACTING,
    ComparisonResult,
    part_of,
    row_dicts,
)
from experiments.comparison.intervals import ENOUGH
from experiments.comparison.package_changes import LEVELS
from experiments.comparison.package_facts import PAID
from experiments.comparison.payback import NEEDED
from experiments.comparison.regret import OBJECTIVE
from experiments.comparison.sureness import sign_shown
from experiments.report import money_view, notes
from experiments.report.charts import Chart, figure_language
from experiments.report.figures import ranked_differences, shown
from experiments.report.messages import display_unit, number, percent, plain, text, title, whole
from experiments.report.package_words import changes_page
from experiments.report.scoreboard_view import scoreboard_page
from experiments.report.tables import Page, Table


def full(found: ComparisonResult, lang: str = "en") -> Page:
    """Return everything: what each package is, every outcome, who beats whom, how to read."""
    result = found.result
    base = next(one for one in result.resolved if one.name == found.reference)
    changes = changes_page(result.resolved, base, lang)
    blocks = [_packages(found, lang), changes, money_view.equal_page(found, lang)]
    blocks.append(_payback(found, lang))
    blocks += [_outcome(found, rows, lang) for rows in found.blocks()]
    blocks.append(scoreboard_page(found, lang))
    blocks.append(regret_page(found.regret, result.titles, lang, "regret_head"))
    page = heading(found, lang)
    for block in blocks:
        page += ["", *block] if block else []
    pairs = notes.pairs_words(found.pairs.values())
    return [
        *page, "", text("how_to_read_table", lang, pairs=pairs), notes.scale_words(lang),
        *notes.few_notes(found.table, lang), text("ratio_note", lang), text("beats_note", lang),
        *notes.run_notes(result, lang), *notes.varied_notes(result, lang),
    ]  # fmt: skip


def heading(found: ComparisonResult, lang: str, key: str = "compare_head") -> Page:
    """Return what was compared, how often, under which shocks, and what failed."""
    result = found.result
    words = text(
        key, lang, packages=len(result.scenarios) - 1,
        pairs=notes.pairs_words(found.pairs.values()), seed=result.seed, until=result.until,
        reference=found.title(found.reference, lang),
        world=notes.world_words(result.world.name, lang),
    )  # fmt: skip
    common = set.intersection(*(set(item.shocks) for item in result.resolved))
    under = [replace(result.resolved[0], shocks=tuple(common))]
    return [words, *notes.shock_notes(under, lang), *notes.failure_notes(result, lang, found.pairs)]


def _packages(found: ComparisonResult, lang: str) -> Page:
    """Return what each package is: its money, who pays, its instruments."""
    base, facts = found.reference, row_dicts(found.packages)
    known = found.pairs | {base: found.result.used_runs(found.result.scenarios.index(base))}
    rows, lost = [], []
    for fact in facts:
        name = plain(fact[f"title_{lang}"])
        if not known[fact["package"]]:
            lost.append(text("failed_no_number", lang, scenario=name))
            continue
        cost = "paid" if fact["package"] == base else "extra"
        keys = ("planned_own", "realised", "unspent", cost)
        payers = " / ".join(whole(fact[f"paid_{level}"]) for level in LEVELS)
        rows.append([name, *(whole(fact[key]) for key in keys), payers])
    heads = [text(f"packages_{key}", lang) for key in ("own", "realised", "unspent", "extra")]
    heads = [text("package", lang), *heads, text("packages_payers", lang)]
    contents = [[plain(fact["package"]), _contents(found, fact, lang)] for fact in facts]
    until = found.result.until
    return [
        text("packages_head", lang, first=notes.FIRST, prices=text("prices", lang)),
        Table(heads, rows), *lost, "",
        Table([text("package", lang), text("packages_instruments", lang)], contents, names=2), "",
        text("paid_note", lang, until=until, reference=found.title(base, lang)),
        *money_view.uneven_note(found, lang),
        *money_view.replaced_notes(found, lang),
    ]  # fmt: skip


def _contents(found: ComparisonResult, fact: Mapping[str, Any], lang: str) -> str:
    """Return the instruments of a package as an edit of the reference, and what it assumes."""
    table = instruments()

    def names(keys: Sequence[str]) -> str:
        return ("、" if lang == "zh" else ", ").join(title(table[key], lang) for key in keys)

    if fact["package"] == found.reference:
        return names(fact["instruments"]) or text("instruments_none", lang)
    parts = [
        text(f"instruments_{words}", lang, names=names(fact[key]))
        for key, words in (("added", "more"), ("changed", "other"), ("ended", "less"))
        if fact[key]
    ]
    changed = "; ".join(parts) or text("instruments_unchanged", lang)
    words = f"{found.title(found.reference, lang)} {changed}"
    if fact["assumptions"]:
        words += "; " + text("assumed_apart", lang, names="; ".join(fact["assumptions"]))
    return words


def _payback(found: ComparisonResult, lang: str) -> Page:
    """Return leverage and pay-back of the packages that have a pair."""
    until, pairs, rows, least = found.result.until, found.pairs, [], ENOUGH
    for fact in row_dicts(found.packages):
        if not pairs.get(fact["package"]) or not set(NEEDED) <= set(found.result.series):
            continue
        leverage, span, quarter = fact["leverage"], "–", fact["payback"] or "–"
        if leverage == leverage:
            least = min(least, pairs[fact["package"]])
            ends = (number(fact[f"leverage_{end}"], signed=True) for end in ("low", "high"))
            span = " … ".join(ends)
        if quarter.startswith("not by"):
            quarter = text("payback_not_by", lang, until=until)
        cells = [number(leverage, signed=True), span, quarter, percent(fact["payback_never"])]
        rows.append([plain(fact[f"title_{lang}"]), *cells])
    if not rows:
        return []
    heads = [text(f"payback_{key}", lang) for key in ("leverage", "quarter", "share")]
    few = [text("payback_few", lang, enough=ENOUGH)] if least < ENOUGH else []
    return [
        text("payback_head", lang, reference=found.title(found.reference, lang)),
        Table([text("package", lang), heads[0], "90 %", *heads[1:]], rows),
        text("payback_read", lang, first=notes.FIRST, until=until), *few,
    ]  # fmt: skip


def _outcome(found: ComparisonResult, rows: pd.DataFrame, lang: str) -> Page:
    """Return the block of one outcome: how large effects are, how sure, and who beats whom."""
    outcome = notes.outcome_of(rows)
    factor, level_unit = display_unit(outcome.unit, lang)
    level = number(rows["reference_median"].iloc[0] / factor)
    rows = shown(rows, lang)
    reference = found.title(found.reference, lang)
    part = REACTING.get(outcome.name)
    named = text("reacting_part", lang, part=title(notes.outcome_row(part), lang)) if part else ""
    sizes, sure = [], []
    for row in row_dicts(rows):
        name = found.title(row["package"], lang)
        sizes.append(
            [str(row["rank"]), name, notes.with_error(row), notes.interval(row, "50")]
            + [notes.interval(row, "90"), notes.ends_error(row)]
        )
        shares = [row["percent_of_reference"], *([row["percent_of_reacting"]] if part else [])]
        cells = [f"{number(share, signed=True, figures=2, finest=0.01)} %" for share in shares]
        cells = ["–" if cell.startswith("–") else cell for cell in cells]
        sure.append([name, notes.sure(row, lang), *cells, _ratio(row)])
    names = text("package", lang)
    heads = [names, text("column_median", lang), "50 %", "90 %", text("column_ends", lang)]
    shares = [text(f"column_{key}", lang) for key in ("reference", *(["reacting"] if part else []))]
    below = [names, text("column_sure", lang), *shares, text("per_100", lang)]
    return [
        notes.heading(outcome, rows["unit"].iloc[0], found.result.until, lang),
        text("reference_level", lang, level=f"{level} {level_unit}", reference=reference) + named,
        Table(["", *heads], sizes, names=2), Table(below, sure), *_beats(found, rows, lang),
    ]  # fmt: skip


def _beats(found: ComparisonResult, rows: pd.DataFrame, lang: str) -> Page:
    """Return in what share of pairs one package beats another in an outcome."""
    if len(rows) < 2:
        return []
    first = rows.iloc[0]
    matrix = pd.DataFrame.from_dict(
        found.beats_matrix[str(first["outcome"]) + part_of(first)], orient="index"
    )
    order = matrix.mean(axis=1).sort_values(ascending=False, kind="stable").index
    lines = [
        [str(place), found.title(name, lang)]
        + ["–" if name == other else whole(100 * matrix.loc[name, other]) for other in order]
        for place, name in enumerate(order, start=1)
    ]
    heads = [text("beats_head", lang), *(str(place) for place in range(1, len(order) + 1))]
    return [Table(["", *heads], lines, names=2)]


def _ratio(row: Mapping[str, Any]) -> str:
    """Return the effect per 100 M¥ with its interval, where the money has a price."""
    if not sign_shown(row) or row["outcome"] in PAID.values() or row["per_100"] != row["per_100"]:
        return "–"
    if row["per_100"] * row["median"] < 0:  # money saved: no effect of spending
        return "–"
    keys = ("per_100", "per_100_low", "per_100_high")
    found, low, high = (number(row[key], signed=True, figures=2) for key in keys)
    return f"{found} ({low} … {high})"


def regret_page(
    table: pd.DataFrame, titles: Mapping[str, Mapping[str, str]], lang: str, head: str
) -> Page:
    """Return a table of regrets under the heading `head`; nothing of an empty one."""
    if table.empty:
        return []
    row = notes.outcome_row(OBJECTIVE)
    (factor, unit), fine = display_unit(row.unit, lang), notes.finest({"outcome": OBJECTIVE})
    columns = ("median", "percentile_90", "maximum")
    rows = [
        [
            str(place), plain(titles[fact["package"]][lang]),
            *(number(fact[key] / factor, finest=fine) for key in columns),
            percent(fact["best"]),
        ]
        for place, fact in enumerate(row_dicts(table), start=1)
    ]  # fmt: skip
    heads = [text(f"regret_{key}", lang) for key in (*columns, "best")]
    draws = int(table["draws"].max())
    return [
        text(head, lang, outcome=title(row, lang), unit=unit, draws=draws),
        Table(["", text("package", lang), *heads], rows, names=2),
        text("regret_read", lang),
    ]


def difference_chart(found: ComparisonResult, rows: pd.DataFrame, lang: str = "en") -> Chart:
    """Draw the ranked paired differences of one block of a comparison."""
    lang = figure_language(lang)
    row, result = notes.outcome_of(rows), found.result
    reading = text("how_to_read", lang, pairs=notes.pairs_words(rows["pairs"]))
    return ranked_differences(
        rows, {name: found.title(name, lang) for name in result.scenarios}, outcome=row,
        reference=found.title(found.reference, lang),
        base=notes.base_words(row, result.until, lang), lang=lang,
        notes=[
            reading, notes.scale_words(lang), *notes.few_notes(rows, lang),
            *notes.run_notes(result, lang),
        ],
    )  # fmt: skip


def tables(found: ComparisonResult, lang: str = "en") -> dict[str, pd.DataFrame]:
    """Return the tables by the name of their files."""
    facts = found.packages.copy()
    for column in ("instruments", "added", "changed", "ended"):
        facts[column] = facts[column].map(" ".join)
    facts["assumptions"] = facts["assumptions"].map("; ".join)
    return {
        "comparison.csv": found.table,
        "packages.csv": facts,
        "beats.csv": found.beats,
        "regret.csv": found.regret,
        "scoreboard.csv": found.scoreboard,
        **money_view.tables(found),
    }


def charts(found: ComparisonResult, lang: str = "en") -> dict[str, Callable[[], Chart]]:
    """Return what draws the ranked differences of each outcome, or part of one."""
    return {
        f"difference_{rows['outcome'].iloc[0]}{_file_part(rows)}": partial(
            difference_chart, found, rows, lang
        )
        for rows in found.blocks()
    }


def _file_part(rows: pd.DataFrame) -> str:
    """Return the part of an outcome as a piece of a file name, ``_ring_1``; nothing for a whole."""
    return re.sub(r"\W+", "_", part_of(rows.iloc[0])).rstrip("_")
