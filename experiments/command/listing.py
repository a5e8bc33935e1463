"""`ecosystem list` and `ecosystem check`: what there is, and what is wrong with a file."""

from __future__ import annotations

import importlib.resources
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from calibration.read import read_data
from calibration.targets import load_targets
from ecosystem.inputs import catalogue
from ecosystem.inputs.catalogue import instruments
from ecosystem.inputs.entries import REFERENCE
from ecosystem.inputs.faults import FaultList, collected
from ecosystem.inputs.options import Options
from ecosystem.inputs.place_faults import checked_file
from ecosystem.inputs.scenario import ResolvedScenario, package_names, resolve
from ecosystem.inputs.schedule import build_schedule
from ecosystem.inputs.world.loader import assumed_shares, load_world
from experiments.command.resolve import assumed_words, replacements
from experiments.comparison.budget import own_present_value, replaced_present_value
from experiments.comparison.package_changes import package_changes
from experiments.comparison.package_facts import assumptions_apart, instruments_on
from experiments.report.messages import cell_word, pad, percent, text, width, wrap
from experiments.report.package_words import budget_notes, changes_page, package_file, plan_page
from experiments.report.tables import terminal

COLUMNS = 100
Rows = list[dict[str, Any]]


def _catalogue(table: str, columns: tuple[str, ...]) -> Callable[[str], Rows]:
    """Return a function that reads columns of a catalogue table; `title` is that of a language."""

    def rows(lang: str) -> Rows:
        names = [f"title_{lang}" if column == "title" else column for column in columns]
        return [
            {column: getattr(row, name) for column, name in zip(columns, names, strict=True)}
            for row in getattr(catalogue, table)().values()
        ]

    return rows


def _instruments(lang: str) -> Rows:
    """Return each instrument with what a file may set, who pays, and what the law says of it."""
    rows: Rows = []
    for row in instruments().values():
        if row.type == "transfer":
            default = f"rate {row.rate_default:g} ({row.rate_low:g}–{row.rate_high:g}), "
            default += f"envelope {row.envelope_default:g} M¥/year"
        elif row.type == "charge":
            default = f"rate {row.rate_default:g} {row.rate_unit} "
            default += f"({row.rate_low:g}–{row.rate_high:g})"
        elif row.type == "programme":
            default = f"spending {row.spending_default:g} M¥/year (0–{row.spending_high:g})"
        else:
            default = "active"
        shares = (row.national_share, row.provincial_share, row.prefecture_share)
        rows.append(
            {
                "number": row.number,
                "name": row.name,
                "default": default,
                "nation/province/prefecture %": (
                    "/".join(f"{100 * share:.0f}" for share in shares) if any(shares) else ""
                ),
                "legal": row.legal_status,
                "place": " ".join(row.places),
                "title": f"{getattr(row, f'title_{lang}')}: {row.acts_on}",
            }
        )
    return rows


def _packages(lang: str) -> Rows:
    scenarios = [resolve(name) for name in package_names()]
    return [
        {
            "name": scenario.name,
            "title": getattr(scenario, f"title_{lang}"),
            "instruments": ", ".join(instruments_on(scenario)),
        }
        for scenario in scenarios
    ]


def _targets(lang: str) -> Rows:
    return [
        {
            "name": target.name,
            "observable": target.observable,
            "value": target.value,
            "unit": target.unit,
            "use": target.use,
        }
        for target in load_targets()
    ]


def world_names() -> list[str]:
    """Return the worlds that come with the model."""
    folder = importlib.resources.files("ecosystem") / "world"
    found = (entry for entry in folder.iterdir() if entry.is_dir())
    return sorted(entry.name for entry in found if (entry / "prefectures.csv").is_file())


def _worlds(lang: str) -> Rows:
    return [
        {
            "world": name,
            "table": table,
            "numbers": count,
            "assumed": assumed,
            "share_assumed": percent(assumed / count) if count else "",
        }
        for name in world_names()
        for table, (assumed, count) in assumed_shares(name).items()
    ]


TOPICS: dict[str, Callable[[str], Rows]] = {
    "instruments": _instruments,
    "packages": _packages,
    "shocks": _catalogue("shocks", ("number", "name", "title", "amplitude_default", "meaning")),
    "parameters": _catalogue(
        "parameters", ("name", "symbol", "default", "low", "high", "unit", "meaning")
    ),
    "outcomes": _catalogue("outcomes", ("name", "unit", "time_base", "headline", "title")),
    "targets": _targets,
    "worlds": _worlds,
}


def listing(topic: str | None, lang: str = "en", *, as_json: bool = False) -> str:
    """Return a table of one topic, or what each topic holds if none is named."""
    if topic is None:
        found = {name: rows(lang) for name, rows in TOPICS.items() if name != "worlds"}
        rows: Rows = [
            {"topic": name, "count": len(items), "names": ", ".join(item["name"] for item in items)}
            for name, items in found.items()
        ]
        names = world_names()
        rows.append({"topic": "worlds", "count": len(names), "names": ", ".join(names)})
        return json.dumps(rows, ensure_ascii=False) if as_json else _overview(rows)
    rows = TOPICS[topic](lang)
    return json.dumps(rows, ensure_ascii=False) if as_json else _columns(rows, lang)


def package(name: str, lang: str = "en", *, as_json: bool = False, as_toml: bool = False) -> str:
    """Return what one package or scenario file changes against the reference.

    In words, as JSON, or (a package alone) as a TOML file to start from.

    Raises
    ------
    InputError
        The scenario has faults, or it is a file and is asked for as one.
    """
    scenario, reference = resolve(name, "NAME"), resolve(REFERENCE)
    if as_toml and name not in package_names():
        faults = FaultList()
        faults.name("--toml", name, package_names())
        faults.raise_if_any()
    if as_toml:
        return package_file(scenario, reference).rstrip()
    if as_json:
        own = [layer.present_value for layer in scenario.layers if layer.own]
        answer = {
            "package": scenario.name,
            "title_en": scenario.title_en,
            "title_zh": scenario.title_zh,
            "budget": next((value for value in own if value is not None), None),
            "planned": own_present_value(scenario),
            "replaced": replaced_present_value(scenario, reference),
            "changes": package_changes(scenario, reference),
            "assumptions": assumptions_apart(scenario, reference),
        }
        return json.dumps(answer, ensure_ascii=False)
    page = [*changes_page([scenario], reference, lang), "", *plan_page(scenario, reference, lang)]
    return terminal(page, COLUMNS)


def _overview(rows: Rows) -> str:
    lines = []
    for row in rows:
        words = wrap(row["names"], COLUMNS - 20)
        if words.count("\n") > 3:
            words = "\n".join([*words.splitlines()[:3], "…"])
        head = f"{row['topic']:<12}{row['count']:>5}   "
        lines.append(head + words.replace("\n", "\n" + " " * 20))
    return "\n".join(lines)


def _columns(rows: Rows, lang: str) -> str:
    """Return rows as aligned columns; where they are too wide, the last one stands below."""
    if not rows:
        return ""
    table = [[text(f"list_{column}", lang) for column in rows[0]]]
    table += [[cell_word(name, _cell(one), lang) for name, one in row.items()] for row in rows]
    widths = [max(width(line[place]) for line in table) for place in range(len(table[0]))]
    if sum(widths) + 2 * len(widths) <= COLUMNS:
        return "\n".join(_aligned(line, widths) for line in table)
    lines = [_aligned(table[0], [*widths[:-1], 0])]
    for line in table[1:]:
        lines.append(_aligned(line[:-1], widths))
        lines += [f"    {piece}" for piece in wrap(line[-1], COLUMNS - 4).splitlines()]
    return "\n".join(lines)


def _aligned(cells: list[str], widths: list[int]) -> str:
    """Return cells side by side, each filled up to its width."""
    pairs = zip(cells, widths, strict=False)
    return "  ".join(pad(cell, max(wide, width(cell))) for cell, wide in pairs).rstrip()


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return f"{value:,.6g}"
    return "" if value is None else str(value)


def nothing_changed(
    scenario: ResolvedScenario, reference: ResolvedScenario, lang: str
) -> list[str]:
    """Return a note where a scenario is the reference again."""
    if package_changes(scenario, reference) or assumptions_apart(scenario, reference):
        return []
    return [f"note: {scenario.name}: {text('change_none', lang, reference=reference.name)}"]


def check(files: Sequence[Path], lang: str = "en", world: str = "full") -> str:
    """Check scenario files, folders of world tables and files of figures; say they are right.

    Places are those of a `world`.

    Raises
    ------
    InputError
        With every fault of all of them.
    """
    faults, said, reference = FaultList(), [], resolve(REFERENCE)
    tables = load_world(Options.of(world=world).world)
    for file in files:
        if file.is_dir():
            collected(faults, partial(load_world, file))
        elif file.suffix.lower() == ".csv":
            collected(faults, partial(read_data, file))
        elif scenario := checked_file(faults, file, tables):
            said += nothing_changed(scenario, reference, lang)
            said += [f"warning: {words}" for words in build_schedule(scenario).warnings]
            apart = assumptions_apart(scenario, reference)
            words = assumed_words(scenario, reference, apart, lang)
            said += [f"note: {words}"] if apart else []
            said += [f"note: {words}" for words in replacements(scenario, reference, lang)]
            said += [f"note: {words}" for words in budget_notes(scenario, lang)]
    faults.raise_if_any()
    for words in said:
        print(words, file=sys.stderr)
    return "\n".join(text("ok", lang, file=file) for file in files)
