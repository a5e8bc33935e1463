"""What must stand beside every table and picture: what was run, what failed, what is assumed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from ecosystem.inputs.calendar import period_label
from ecosystem.inputs.catalogue import Outcome, outcomes, parameters, shocks, tiers
from ecosystem.inputs.draws import POSTERIOR_FILE, Draws
from ecosystem.inputs.scenario import ResolvedScenario
from ecosystem.runs.result import Result
from ecosystem.runs.table import DIMENSIONS
from experiments.comparison.intervals import ENOUGH
from experiments.comparison.sureness import LEAST, visible
from experiments.report.messages import display_unit, number, sure_word, text, title

NAMED = 20
"""So many varied parameters are named; of more, the groups are."""
FIRST = "2025Q3"
"""First quarter of present values and sums."""


def outcome_row(name: str) -> Outcome:
    """Return the catalogue row of an outcome."""
    return outcomes()[name]


def outcome_of(rows: pd.DataFrame) -> Outcome:
    """Return the catalogue row of the outcome of some rows, the part they are of in its titles."""
    outcome, first = outcome_row(str(rows["outcome"].iloc[0])), rows.iloc[0]
    part = ", ".join(str(first[name]) for name in DIMENSIONS if first.get(name))
    if not part:
        return outcome
    chinese = next((row.title_zh for row in tiers().values() if row.title_en == part), part)
    titles = (f"{outcome.title_en} [{part}]", f"{outcome.title_zh} [{chinese}]")
    return outcome.model_copy(update=dict(zip(("title_en", "title_zh"), titles, strict=True)))


def base_words(row: Outcome, until: str, lang: str) -> str:
    """Return the time base of an outcome in words."""
    return text(row.time_base, lang, first=FIRST, until=until)


def heading(outcome: Outcome, unit: str, until: str, lang: str) -> str:
    """Return title, unit and time base of an outcome, and which direction is better."""
    words = [title(outcome, lang), unit, base_words(outcome, until, lang)]
    return " · ".join([*words, text(outcome.better or "neither", lang)])


def few_notes(rows: pd.DataFrame, lang: str) -> list[str]:
    """Return what few pairs do not give, where some are too few."""
    few = min(rows.get("pairs", [0])) < ENOUGH
    return [text("few_pairs", lang, enough=ENOUGH)] if few else []


def run_notes(result: Result, lang: str) -> list[str]:
    """Return what varied, what was held, the shocks and the world of a result."""
    varied, given, world = len(result.varied), result.given, result.world.name
    return circumstances(varied, given, result.resolved, world, lang, result.drawn_from)


def circumstances(
    varied: int,
    given: Mapping[str, float],
    scenarios: Sequence[ResolvedScenario],
    world: str,
    lang: str,
    drawn_from: Draws | None,
) -> list[str]:
    """Return the draws, how many parameters varied, which were held, shocks and world, in words."""
    notes = [draws_words(drawn_from, not varied, lang), varied_words("", varied, drawn_from, lang)]
    if given:
        names = ", ".join(f"{name} = {value:g}" for name, value in given.items())
        notes.append(text("held", lang, names=names))
    return [*notes, *shock_notes(scenarios, lang), world_note(world, lang)]


def draws_words(drawn_from: Draws | None, fixed: bool, lang: str) -> str:
    """Return which draws were used."""
    if drawn_from is None:
        return text("draws_fixed" if fixed else "draws_prior", lang)
    name = text("draws_learned", lang) if drawn_from.name == POSTERIOR_FILE else drawn_from.name
    known = drawn_from.information
    until = text("draws_information", lang, date=known) if known else ""
    return text("draws_table", lang, name=name, count=f"{len(drawn_from):,}", until=until)


def varied_words(kind: str, varied: int, drawn_from: Draws | None, lang: str) -> str:
    """Return what numbers rest on: in whole, or in short as on the first screen (`kind`)."""
    word = "fixed" if not varied else "varied" if drawn_from is None else "tabled"
    return text(f"{kind}{word}", lang, count=varied)


def shock_notes(scenarios: Sequence[ResolvedScenario], lang: str) -> list[str]:
    """Return the shocks of all scenarios, and those of some."""
    notes = []
    common = set.intersection(*(set(item.shocks) for item in scenarios)) if scenarios else set()
    own_of = [(title(item, lang), set(item.shocks) - common) for item in scenarios]
    for scenario, own in [(text("every_scenario", lang), common), *own_of]:
        if own:
            uses = ", ".join(
                f"{title(shocks()[use.name], lang)} ({use.amplitude:g}, {period_label(use.start)})"
                for use in sorted(own, key=lambda use: use.name)
            )
            notes.append(text("under_shock", lang, scenario=scenario, shock=uses))
    return notes


def world_note(world: str, lang: str) -> str:
    """Return which world the numbers are of."""
    return text("teaching_note" if world == "teaching" else "world_note", lang, world=world)


def world_words(name: str, lang: str) -> str:
    """Return the name of a world that comes with the model in words; others as they are."""
    return text(f"world_{name}", lang) if name in ("full", "teaching") else name


def varied_notes(result: Result, lang: str) -> list[str]:
    """Return which parameters were varied: by name if they are few, else counted by group."""
    names = list(result.varied)
    if len(names) > NAMED:
        groups = Counter(parameters()[name].group for name in names)
        names = [f"{text('group_' + group, lang)} {count}" for group, count in groups.items()]
    return [text("parameters_list", lang, names=", ".join(names))] if names else []


def pairs_words(pairs: Iterable[int]) -> str:
    """Return how many pairs there are, as a range where packages that have some differ."""
    counts = sorted({count for count in pairs if count}) or [0]
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"


def failure_notes(result: Result, lang: str, pairs: Mapping[str, int] | None = None) -> list[str]:
    """Return how many runs failed by scenario, what pairs that leaves, and where they are listed.

    Nothing where none failed.
    """
    failed, each = result.failed_runs, result.replicates
    if not failed:
        return []
    count, runs = sum(failed.values()), each * len(result.scenarios)
    notes = [text("failed_head", lang, count=count, runs=runs)]
    for name, shock in zip(result.scenarios, result.shocks, strict=True):
        own, left = failed.get((name, shock), 0), (pairs or {}).get(name, each)
        if not own and left == each:
            continue
        words = text("failed_of", lang, scenario=result.titles[name][lang], count=own, runs=each)
        if left < each:
            words += text("failed_pairs" if left else "failed_no_pair", lang, pairs=left)
        notes.append(words)
    return notes


def finest(row: Any) -> float:
    """Return the last digit worth showing of an outcome in the unit in which it is shown.

    It is a tenth of the least difference that is seen.
    """
    unit = outcome_row(row["outcome"]).unit
    return visible(unit) / display_unit(unit)[0] / 10


def value(row: Any, name: str = "median", *, signed: bool = True, figures: int = 3) -> str:
    """Return one statistic of an outcome in words."""
    return number(row[name], signed=signed, figures=figures, finest=finest(row))


def with_error(row: Any) -> str:
    """Return a median with its Monte Carlo error in words."""
    return f"{value(row)} ± {value(row, 'monte_carlo_error', signed=False, figures=2)}"


def interval(row: Any, reach: str, *, signed: bool = True) -> str:
    """Return the ends of the interval that holds so many percent, ``50`` or ``90``, in words."""
    low, high = (value(row, f"{end}_{reach}", signed=signed) for end in ("low", "high"))
    return f"{low} … {high}"


def ends_error(row: Any) -> str:
    """Return the sampling errors of the two ends of the 90 % in words."""
    ends = ("low_90_error", "high_90_error")
    return " / ".join(value(row, end, signed=False, figures=2) for end in ends)


def bound(row: Any) -> int:
    """Return the lower bound of the share of worlds with the sign in whole per cent, not more."""
    return math.floor(100 * row["share_low"] + 1e-9)


def sure(row: Any, lang: str, *, short: bool = False) -> str:
    """Return how sure a sign is: the word, the bound it goes by, and the pairs unless `short`."""
    word = sure_word(row["sureness"], lang)
    if row["sureness"] not in LEAST or not row["pairs"]:
        return word
    words = f"{word} ≥ {bound(row)} %"
    if short:
        return words
    return f"{words} ({round(row['share_of_sign'] * row['pairs'])}/{row['pairs']})"


def scale_words(lang: str) -> str:
    """Return the scale of sureness as a sentence."""
    words = [
        f"{sure_word(word, lang)} ≥ {100 * least:g} %" for word, least in LEAST.items() if least
    ]
    names = ("、" if lang == "zh" else ", ").join(words)
    return text("sureness_scale", lang, names=names, open=sure_word("open", lang))


def difference_cells(row: Any, lang: str) -> list[str]:
    """Return median with error, both intervals and the sureness of the sign in words."""
    return [with_error(row), *(interval(row, reach) for reach in ("50", "90")), sure(row, lang)]


def difference_heads(lang: str) -> list[str]:
    """Return the headings of `difference_cells`."""
    return [text("column_median", lang), "50 %", "90 %", text("column_sure", lang)]
