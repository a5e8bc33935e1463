"""The first screen of a study: what stands out, in lines that fit any terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from ecosystem.runs.result import Result
from experiments.comparison.compare import NET_COST, ComparisonResult, part_of, row_dicts
from experiments.comparison.package_facts import PAID
from experiments.report import money_view, notes
from experiments.report.compare_view import heading
from experiments.report.figures import shown, standing_out
from experiments.report.messages import display_unit, number, text, title
from experiments.report.tables import NARROW, Page, Table, terminal

LINES, FEWEST = 24, 3
"""Lines of a first screen, and rows that its last table has however long the rest is."""
NAMES = 6
"""So many outcomes are named on it in which nothing stands out."""
BOTH = 2
"""So many packages stand side by side on the first screen; of more, the one that stands out."""


def summary(found: ComparisonResult, lang: str = "en", more: Sequence[str] = ()) -> Page:
    """Return the first screen: what was run, what stands out, caveats, where the rest is.

    Parameters
    ----------
    found
        The comparison.
    lang
        Language.
    more
        Sentences about what was run beside it.
    """
    both = len(found.pairs) == BOTH
    rows: list[list[str]] = []
    quiet: dict[str, list[str]] = {"open": [], "unseen": []}
    blocks, held, told = found.blocks(), 0, set[str]()
    wholes = [block for block in blocks if notes.outcome_of(block).beside]
    others = [block for block in blocks[1:] if not notes.outcome_of(block).beside]
    for block in [*wholes, *others]:  # a whole first, with its parts; the first stands on top
        outcome = notes.outcome_of(block)
        if outcome.name in told:
            continue
        name = title(outcome, lang)
        block = shown(block, lang, "effect_short")
        key, row = standing_out(block, outcome.better)
        if key == "unseen":
            quiet[key].append(name)
        elif row["sureness"] == "open" and len(found.pairs) > BOTH:
            quiet[key].append(f"{name} (≥ {notes.bound(row)} %)")
        elif outcome.name not in (NET_COST, *PAID.values()):  # costs are in tables of packages
            name = ", ".join(filter(None, (name, row["unit"])))
            rows.append(
                [name, *_side_by_side(found, block, lang)]
                if both
                else _standing_out(found, name, key, row, lang)
            )
            if outcome.beside:
                top = notes.outcome_of(blocks[0]).name
                parts = [part for part in outcome.beside if part != top]
                rows += _parts(found, parts, row["package"], lang)
                held, told = len(rows), told | {*outcome.beside}
    below: list[str | Table] = [
        text(f"summary_{key}", lang, names=_few_names(names, lang))
        for key, names in quiet.items()
        if names
    ]
    below += [*money_view.equal_note(found, lang), *money_view.uneven_hint(found, lang)]
    below += money_view.warned_note(found, lang)
    below += [*_leader(found, lang), *notes.few_notes(found.table, lang), *more]
    below += [*caveats(found.result, lang), text("summary_files", lang, tables="comparison.csv")]
    heads = [found.title(name, lang) for name in found.pairs]
    if not both:
        heads = [text(key, lang) for key in ("summary_effect", "summary_sure")]
    first = "summary_both" if both else "outcome" if len(found.pairs) < BOTH else "summary_largest"
    above = [*heading(found, lang, "summary_head"), *_cost_and_effect(found, lang)]
    table = Table([text(first, lang), *heads], rows)
    return fitted(above, table, below, lang, held or FEWEST)


def _cost_and_effect(found: ComparisonResult, lang: str) -> Page:
    """Return what each package costs beside what it does to the first outcome."""
    if not found.blocks():
        return []
    outcome, cost = notes.outcome_of(found.blocks()[0]), notes.outcome_row(NET_COST)
    rows = shown(found.blocks()[0], lang, "effect_short")
    factor, unit = display_unit(cost.unit, lang, "effect_short")
    costs = pd.DataFrame(found.differences.xs(NET_COST, level="outcome")).median() / factor
    lines = [
        [
            found.title(row["package"], lang), number(
                costs[row["package"]], signed=True, finest=notes.finest({"outcome": NET_COST})
            ),
            notes.value(row), notes.interval(row, "90"), notes.sure(row, lang, short=True),
        ]
        for row in row_dicts(rows)
    ]  # fmt: skip
    heads = [text("package", lang), text("summary_cost", lang, unit=unit)]
    heads += [text("summary_of_first", lang, unit=rows["unit"].iloc[0]), "90 %"]
    words = text("summary_first", lang, outcome=title(outcome, lang), cost=title(cost, lang))
    return ["", words, Table([*heads, text("summary_sure", lang)], lines)]


def _few_names(names: Sequence[str], lang: str) -> str:
    """Return the first names of a list, and how many more there are."""
    words, gone = ("、" if lang == "zh" else ", ").join(names[:NAMES]), len(names) - NAMES
    return text("and_more", lang, names=words, count=gone) if gone > 0 else words


def _standing_out(
    found: ComparisonResult, name: str, key: str, row: pd.Series, lang: str
) -> list[str]:
    """Return an outcome with the package that stands out in it, its effect, and how sure it is."""
    if len(found.pairs) > BOTH:
        name += f" – {found.title(row['package'], lang)}"
    name = text("summary_worse", lang, package=name) if key == "worse" else name
    effect = f"{notes.value(row)} ({notes.interval(row, '90')})"
    return [name, effect, notes.sure(row, lang, short=True)]


def _parts(
    found: ComparisonResult, parts: Sequence[str], package: str, lang: str
) -> list[list[str]]:
    """Return the parts of an outcome for the package that it is shown for, or for both."""
    rows = []
    for part in parts:
        block = shown(found.rows(part), lang, "effect_short")
        name = text("summary_part", lang, part=title(notes.outcome_of(block), lang))
        if len(found.pairs) == BOTH:
            rows.append([name, *_side_by_side(found, block, lang)])
        else:
            row = block[block["package"] == package].iloc[0]
            effect = f"{notes.value(row)} ({notes.interval(row, '90')})"
            rows.append([name, effect, notes.sure(row, lang, short=True)])
    return rows


def _side_by_side(found: ComparisonResult, block: pd.DataFrame, lang: str) -> list[str]:
    """Return the median of every package, and how sure its sign is."""
    rows = {row["package"]: row for row in row_dicts(block)}
    return [
        f"{notes.value(rows[name])}, {notes.sure(rows[name], lang, short=True)}"
        if name in rows
        else "–"
        for name in found.pairs
    ]


def _leader(found: ComparisonResult, lang: str) -> list[str]:
    """Return how often one of the two best packages of the first outcome beats the other.

    Nothing where the two share no pair.
    """
    blocks = found.blocks()
    if not blocks or len(blocks[0]) < BOTH:
        return []
    first, second = row_dicts(blocks[0].iloc[:BOTH])
    pair = {first["package"], second["package"]}
    rows = [
        row
        for row in row_dicts(found.beats)
        if {row["package"], row["other"]} == pair
        and (row["outcome"], part_of(row)) == (first["outcome"], part_of(first))
    ]
    tie = all(row["better_share"] == 0 for row in rows)
    return [
        text(
            "beats_none" if tie else "beats_line", lang, first=found.title(row["package"], lang),
            second=found.title(row["other"], lang), sure=notes.sure(row, lang, short=True),
            outcome=title(notes.outcome_of(blocks[0]), lang),
            times=round(row["better_share"] * row["pairs"]), pairs=row["pairs"],
        )
        for row in sorted(rows, key=lambda row: -row["better_share"])[:1]
    ]  # fmt: skip


def fitted(
    above: Sequence[str | Table],
    table: Table,
    below: Sequence[str | Table],
    lang: str,
    fewest: int = FEWEST,
) -> Page:
    """Return a page of at most `LINES` lines, without rows of its table after the `fewest` first.

    It is longer where what is above and below leaves no room for these.
    """
    for left in range(len(table.rows), min(fewest, len(table.rows)) - 1, -1):
        gone = len(table.rows) - left
        rest = [text("summary_rest", lang, count=gone)] if gone else []
        body: Page = [replace(table, rows=table.rows[:left])] if left else []
        page = [*above, "", *body, *rest, *([""] if body else []), *below]
        if len(terminal(page, NARROW).split("\n")) <= LINES:
            break
    return page


def caveats(result: Result, lang: str) -> list[str]:
    """Return in short what the numbers of a result rest on."""
    varied, source = len(result.varied), result.drawn_from
    words = [notes.varied_words("summary_", varied, source, lang)]
    if source is not None:
        words[0] = f"{notes.draws_words(source, not varied, lang)} {words[0]}"
    if result.world.name == "teaching":
        words.append(text("teaching_note", lang))
    return words
