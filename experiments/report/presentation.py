"""A comparison or a run as text, as HTML and as files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.comparison.compare import DIMENSIONS, LEVELS, NET_COST, PAID, Comparison, row_dicts
from experiments.comparison.intervals import ENOUGH, clear_of_zero
from experiments.comparison.payback import payback_lines
from experiments.comparison.regret import regret_lines
from experiments.report.messages import number, pad, percent, scaled_unit, text, title, whole, wrap

if TYPE_CHECKING:
    import pandas as pd

    from ecosystem.inputs.scenario import ResolvedScenario, ShockUse
    from ecosystem.runs.result import Result
    from experiments.report.charts import Chart

COLUMNS = 100
"""Terminal columns a table may take."""
NAMED = 20
"""So many varied parameters are named; of more, the groups are."""
FIRST = "2025Q3"
"""First quarter of present values and sums."""
SCALED = (
    *("median", "low_50", "high_50", "low_90", "high_90", "monte_carlo_error"),
    *("reference_median", "per_100", "per_100_low", "per_100_high"),
)
"""Columns of a comparison that are in the unit of the outcome."""


def outcome_row(name: str) -> Any:
    """Return the catalogue row of an outcome."""
    from ecosystem.inputs.catalogue import outcomes

    return outcomes()[name]


def base_words(row: Any, until: str, lang: str) -> str:
    """Return the time base of an outcome in words."""
    return text(row.time_base, lang, first=FIRST, until=until)


def few_notes(rows: pd.DataFrame, lang: str) -> list[str]:
    """Return that nothing is marked where some pairs are too few to show an effect."""
    few = min(rows.get("pairs", [0])) < ENOUGH
    return [text("few_pairs", lang, enough=ENOUGH)] if few else []


def run_notes(result: Result, lang: str) -> list[str]:
    """Return what must stand beside every picture: what varied, shock and world."""
    varied, given, world = len(result.varied), result.given, result.world.name
    return circumstances(varied, given, result.resolved, world, lang)


def circumstances(
    varied: int,
    given: Mapping[str, float],
    scenarios: Sequence[ResolvedScenario],
    world: str,
    lang: str,
) -> list[str]:
    """Return how many parameters varied, which were held, the shocks and the world, in words."""
    notes = [text("varied" if varied else "fixed", lang, count=varied)]
    if given:
        names = ", ".join(f"{name} = {value:g}" for name, value in given.items())
        notes.append(text("held", lang, names=names))
    titles = {one.name: title(one, lang) for one in scenarios}
    return [*notes, *shock_notes(scenarios, titles, lang), world_note(world, lang)]


def shock_notes(
    scenarios: Sequence[ResolvedScenario], titles: Mapping[str, str], lang: str
) -> list[str]:
    """Return the shocks of all scenarios, and those of some."""
    notes = []
    hits = {item.name: set(item.shocks) for item in scenarios}
    common = set.intersection(*hits.values()) if hits else set()
    for name, own in [("", common), *((name, own - common) for name, own in hits.items())]:
        if own:
            words = ", ".join(shock_words(use, lang) for use in sorted(own, key=lambda u: u.name))
            scenario = titles[name] if name else text("every_scenario", lang)
            notes.append(text("under_shock", lang, scenario=scenario, shock=words))
    return notes


def world_note(world: str, lang: str) -> str:
    """Return which world the numbers are of."""
    return text("teaching_note" if world == "teaching" else "world_note", lang, world=world)


def shock_words(use: ShockUse, lang: str) -> str:
    """Return a shock with its size and first quarter in words."""
    from ecosystem.inputs.calendar import period_label
    from ecosystem.inputs.catalogue import shocks

    return f"{title(shocks()[use.name], lang)} ({use.amplitude:g}, {period_label(use.start)})"


def varied_lines(result: Result, lang: str) -> list[str]:
    """Return which parameters were varied: by name if they are few, else counted by group."""
    from ecosystem.inputs.catalogue import parameters

    if not result.varied:
        return []
    names = list(result.varied)
    if len(names) > NAMED:
        groups = Counter(parameters()[name].group for name in names)
        names = [f"{text('group_' + group, lang)} {count}" for group, count in groups.items()]
    return wrap(text("parameters_list", lang, names=", ".join(names)), COLUMNS).splitlines()


def _part(row: Mapping[str, Any]) -> str:
    return ", ".join(str(row[name]) for name in DIMENSIONS if row.get(name))


def _blocks(comparison: Comparison, outcome: str) -> list[pd.DataFrame]:
    """Return the rows of one outcome, one frame for each of its parts."""
    rows = comparison.rows(outcome)
    used = [name for name in DIMENSIONS if name in rows.columns]
    if not used:
        return [rows]
    return [block for _, block in rows.groupby(used, sort=False)]


def _scaled(rows: pd.DataFrame, lang: str) -> tuple[pd.DataFrame, str]:
    """Return rows in a unit in which their numbers can be read, and that unit."""
    largest = float(rows[["low_90", "high_90"]].abs().max().max())
    unit = str(rows["unit"].iloc[0])
    factor, words = scaled_unit(largest, unit, lang)
    if unit == "share":
        factor, words = 0.01, text("percentage_points", lang)
    scaled = rows.copy()
    scaled[list(SCALED)] = rows[list(SCALED)] / factor
    return scaled, words


def comparison_text(comparison: Comparison, lang: str = "en") -> str:
    """Return a comparison as lines of at most 100 columns."""
    result = comparison.result
    reference = comparison.title(comparison.reference, lang)
    lines = _heading(comparison, lang)
    for block in (_package_lines(comparison, lang), _payback_lines(comparison, lang)):
        lines += ["", *block] if block else []
    for outcome in shown_outcomes(comparison):
        for rows in _blocks(comparison, outcome):
            lines += ["", *_outcome_lines(comparison, rows, lang)]
    regret = regret_lines(comparison.regret, result.titles, lang, "regret_head")
    lines += ["", *regret] if regret else []
    pairs = pairs_words(comparison.pairs.values())
    lines += ["", *wrap(text("how_to_read_table", lang, pairs=pairs), COLUMNS).splitlines()]
    for note in few_notes(comparison.table, lang):
        lines += wrap(note, COLUMNS).splitlines()
    lines += wrap(text("ratio_note", lang, reference=reference), COLUMNS).splitlines()
    for note in run_notes(result, lang):
        lines += wrap(note, COLUMNS).splitlines()
    lines += varied_lines(result, lang)
    return "\n".join(lines)


def _heading(comparison: Comparison, lang: str) -> list[str]:
    result = comparison.result
    packages = len(result.scenarios) - 1
    words = text(
        "compare_head_one" if packages == 1 else "compare_head", lang, packages=packages,
        pairs=pairs_words(comparison.pairs.values()),
        reference=comparison.title(comparison.reference, lang), seed=result.seed,
        world=world_words(result.world.name, lang), until=result.until,
    )  # fmt: skip
    lines = wrap(words, COLUMNS).splitlines()
    hits = [set(item.shocks) for item in result.resolved]
    if common := set.intersection(*hits):
        words = ", ".join(shock_words(use, lang) for use in sorted(common, key=lambda u: u.name))
        scenario = text("every_scenario", lang)
        lines += wrap(
            text("under_shock", lang, scenario=scenario, shock=words), COLUMNS
        ).splitlines()
    return [*lines, *failure_lines(result, lang, comparison.pairs)]


def pairs_words(pairs: Iterable[int]) -> str:
    """Return how many pairs there are, as a range where packages that have some differ."""
    counts = sorted({count for count in pairs if count}) or [0]
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"


def failure_lines(result: Result, lang: str, pairs: Mapping[str, int] | None = None) -> list[str]:
    """Return how many runs failed by scenario, what pairs that leaves, and where they are listed.

    Nothing where none failed.
    """
    failed, each = result.failed_runs, result.replicates
    if not failed:
        return []
    count, runs = sum(failed.values()), each * len(result.scenarios)
    lines = wrap(text("failed_head", lang, count=count, runs=runs), COLUMNS).splitlines()
    for name in result.scenarios:
        left = (pairs or {}).get(name, each)
        if name not in failed and left == each:
            continue
        own = failed.get(name, 0)
        words = text("failed_of", lang, scenario=result.titles[name][lang], count=own, runs=each)
        if left < each:
            words += text("failed_pairs" if left else "failed_no_pair", lang, pairs=left)
        lines += [f"    {line}" for line in wrap(words, COLUMNS - 4).splitlines()]
    return lines


def shown_outcomes(comparison: Comparison) -> list[str]:
    """Return the outcomes of a comparison in their order; none where every pair has failed."""
    return list(dict.fromkeys(comparison.table["outcome"]))


def _payback_lines(comparison: Comparison, lang: str) -> list[str]:
    """Return leverage and pay-back of the packages that have a pair."""
    facts = comparison.packages
    paired = facts["package"].map(lambda name: comparison.pairs.get(name, 0) > 0)
    return payback_lines(replace(comparison, packages=facts[paired]), lang) if paired.any() else []


def world_words(name: str, lang: str) -> str:
    """Return the name of a world that comes with the model in words; others as they are."""
    return text(f"world_{name}", lang) if name in ("full", "teaching") else name


def _package_lines(comparison: Comparison, lang: str) -> list[str]:
    """Return what each package is: its money, who pays, its instruments."""
    lines = wrap(
        text("packages_head", lang, first=FIRST, prices=text("prices", lang)), COLUMNS
    ).splitlines()
    heads = ("own", "realised", "unspent", "extra", "payers")
    cells = [text(f"packages_{key}", lang) for key in heads]
    widths = (9, 9, 9, 9, 28)
    lines.append(table_line("", text("package", lang), widths, cells))
    base = comparison.reference
    known = comparison.pairs | {base: comparison.result.used_runs(base)}
    for fact in row_dicts(comparison.packages):
        if known[fact["package"]]:
            cost = "paid" if fact["package"] == base else "extra"
            shares = [percent(fact[f"share_{level}"]) for level in LEVELS]
            money = [whole(fact[key]) for key in ("planned_own", "realised", "unspent", cost)]
            money.append(" / ".join(shares))
            lines.append(table_line("", fact[f"title_{lang}"], widths, money))
        else:
            words = text("failed_no_number", lang, scenario=fact[f"title_{lang}"])
            lines += [f"    {line}" for line in wrap(words, COLUMNS - 4).splitlines()]
        words = f"{fact['package']}: {_instruments(comparison, fact, lang)}"
        lines += [f"     {line}" for line in wrap(words, COLUMNS - 5).splitlines()]
        if fact["assumptions"]:
            words = text("assumed_apart", lang, names="; ".join(fact["assumptions"]))
            lines += [f"     {line}" for line in wrap(words, COLUMNS - 5).splitlines()]
    reference = comparison.title(comparison.reference, lang)
    note = text("paid_note", lang, until=comparison.result.until, reference=reference)
    return lines + wrap(note, COLUMNS).splitlines()


def _instruments(comparison: Comparison, fact: Mapping[str, Any], lang: str) -> str:
    """Return the instruments of a package as an edit of the reference."""
    from ecosystem.inputs.catalogue import instruments

    def names(keys: Sequence[str]) -> str:
        joint = "、" if lang == "zh" else ", "
        return joint.join(title(instruments()[key], lang) for key in keys)

    reference = comparison.title(comparison.reference, lang)
    if fact["package"] == comparison.reference:
        return names(fact["instruments"]) or text("instruments_none", lang)
    parts = [
        text(f"instruments_{words}", lang, names=names(fact[key]))
        for key, words in (("added", "more"), ("changed", "other"), ("ended", "less"))
        if fact[key]
    ]
    changed = "; ".join(parts) or text("instruments_unchanged", lang)
    return f"{reference} {changed}"


def table_line(rank: str, name: str, widths: Sequence[int], cells: Sequence[str]) -> str:
    """Return one line of a table: rank, name, right-aligned cells."""
    room = COLUMNS - 4 - sum(widths)
    body = "".join(
        " " + pad(cell, wide - 1, right=True) for wide, cell in zip(widths, cells, strict=True)
    )
    return f"{rank:>3} {pad(name, room)}{body}".rstrip()


def _outcome_lines(comparison: Comparison, rows: pd.DataFrame, lang: str) -> list[str]:
    """Return the block of one outcome: packages ranked, with intervals."""
    outcome = outcome_row(str(rows["outcome"].iloc[0]))
    scaled, unit = _scaled(rows, lang)
    part = _part(row_dicts(rows)[0])
    name = title(outcome, lang) + (f" [{part}]" if part else "")
    base = base_words(outcome, comparison.result.until, lang)
    facts = [name, unit, base, text(outcome.better or "neither", lang)]
    level = text(
        "reference_level", lang, level=number(scaled["reference_median"].iloc[0]),
        reference=comparison.title(comparison.reference, lang),
    )  # fmt: skip
    widths = (20, 21, 21, 11)
    heads = [text("column_median", lang), "50 %", "90 %", text("column_share", lang)]
    lines = [*wrap(" · ".join(facts), COLUMNS).splitlines(), f"    {level}"]
    lines.append(table_line("", "", widths, heads))
    for row in row_dicts(scaled):
        cells = _cells(row)
        name = pad(comparison.title(row["package"], lang), COLUMNS - 7 - sum(widths)) + _mark(row)
        lines.append(table_line(str(row["rank"]), name, widths, cells))
    if outcome.name not in (NET_COST, *PAID.values()):
        lines += _ratio_lines(scaled, unit, lang)
    return lines


def _mark(row: Mapping[str, Any]) -> str:
    return " *" if clear_of_zero(row) else "  "


def _cells(row: Mapping[str, Any]) -> list[str]:
    """Return median with error, both intervals and the share of pairs above zero as words."""
    return [
        f"{number(row['median'], signed=True)} ± {number(row['monte_carlo_error'], figures=2)}",
        f"{number(row['low_50'], signed=True)} … {number(row['high_50'], signed=True)}",
        f"{number(row['low_90'], signed=True)} … {number(row['high_90'], signed=True)}",
        percent(row["share_above_zero"]),
    ]


def _ratio_lines(rows: pd.DataFrame, unit: str, lang: str) -> list[str]:
    """Return the effect per 100 M¥ of each package in a line or two."""
    parts, unmoved, free = [], [], []
    for row in row_dicts(rows):
        if not clear_of_zero(row):
            unmoved.append(row["package"])
        elif row["per_100"] != row["per_100"] or row["per_100"] * row["median"] < 0:
            free.append(row["package"])  # no cost, or money saved: no effect of spending
        else:
            low, high = (number(row[key], signed=True) for key in ("per_100_low", "per_100_high"))
            value = number(row["per_100"], signed=True)
            parts.append(f"{row['package']} {value} ({low} … {high})")
    for key, names in (("no_cost", free), ("no_effect", unmoved)):
        parts += [text(key, lang, names=", ".join(names))] if names else []
    line = f"{text('per_100', lang)} [{unit}]: " + ("; ".join(parts) or "–")
    return [f"    {piece}" for piece in wrap(line, COLUMNS - 4).splitlines()]


def difference_chart(comparison: Comparison, outcome: str, lang: str = "en") -> Chart:
    """Draw the ranked paired differences of one outcome; of its first part, where it has parts."""
    from experiments.report.charts import figure_language
    from experiments.report.figures import ranked_differences

    lang = figure_language(lang)
    rows = _blocks(comparison, outcome)[0]
    scaled, unit = _scaled(rows, lang)
    result = comparison.result
    row = outcome_row(outcome).model_copy(update={"unit": unit})
    pairs = pairs_words(rows["pairs"])
    notes = [text("how_to_read", lang, pairs=pairs), *few_notes(rows, lang)]
    notes += run_notes(result, lang)
    titles = {name: comparison.title(name, lang) for name in result.scenarios}
    return ranked_differences(
        scaled.assign(unit=unit), titles, outcome=row,
        reference=comparison.title(comparison.reference, lang),
        base=base_words(row, result.until, lang), notes=notes, lang=lang,
    )  # fmt: skip


def save_comparison(comparison: Comparison, directory: Path, lang: str) -> list[Path]:
    """Write tables and one figure an outcome into a folder that exists; return the paths."""
    from experiments.command.run_directory import write_csv

    names = ("comparison.csv", "packages.csv", "regret.csv")
    paths = [directory / name for name in names]
    write_csv(paths[0], comparison.table)
    facts = comparison.packages.copy()
    for column in ("instruments", "added", "changed", "ended"):
        facts[column] = facts[column].map(" ".join)
    facts["assumptions"] = facts["assumptions"].map("; ".join)
    write_csv(paths[1], facts)
    write_csv(paths[2], comparison.regret)
    figures = directory / "figures"
    figures.mkdir(exist_ok=True)
    for outcome in shown_outcomes(comparison):
        paths += comparison.figure(outcome, lang).save(figures / f"difference_{outcome}")
    return paths


def comparison_html(comparison: Comparison, lang: str = "en") -> str:
    """Return what was run, how often, what each package is, and the intervals, as HTML."""
    import html

    import pandas as pd

    heads = [text(key, lang) for key in ("outcome", "rank", "package", "column_median")]
    heads += ["50 %", "90 %", text("column_share", lang)]
    lines = []
    for outcome in shown_outcomes(comparison):
        for rows in _blocks(comparison, outcome):
            scaled, unit = _scaled(rows, lang)
            name = f"{title(outcome_row(outcome), lang)} ({unit})"
            for row in row_dicts(scaled):
                part = f" [{_part(row)}]" if _part(row) else ""
                package = comparison.title(row["package"], lang) + _mark(row)
                lines.append([name + part, str(row["rank"]), package, *_cells(row)])
    table = pd.DataFrame(lines, columns=heads).to_html(index=False, border=0)
    heading = html.escape(" ".join(_heading(comparison, lang)))
    blocks = [*_package_lines(comparison, lang), "", *_payback_lines(comparison, lang)]
    facts = html.escape("\n".join(blocks))
    pairs = pairs_words(comparison.pairs.values())
    notes = [text("how_to_read_table", lang, pairs=pairs), *few_notes(comparison.table, lang)]
    notes += run_notes(comparison.result, lang)
    foot = "".join(f"<p>{html.escape(note)}</p>" for note in notes)
    return f"<p><b>{heading}</b></p><pre>{facts}</pre>{table}{foot}"
