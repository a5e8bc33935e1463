"""What a package is, in words and as a file to start from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ecosystem.inputs.calendar import HORIZON, period_label
from ecosystem.inputs.catalogue import Instrument, instruments
from ecosystem.inputs.entries import MONEY_UNIT, Edit
from ecosystem.inputs.faults import number_in_words
from ecosystem.inputs.scenario import ResolvedScenario
from ecosystem.inputs.schedule import public_discount_rate
from experiments.comparison.budget import own_present_value, replaced_present_value
from experiments.comparison.package_changes import package_changes
from experiments.comparison.package_facts import assumptions_apart
from experiments.report.messages import number, percent, text, title, whole
from experiments.report.tables import Page, Table

BUDGET = """\
This budget scales every spending and envelope below, yours too, never rates, so that their present
value is the one named here. Without the next two lines entries plan what they say."""


def changes_page(
    scenarios: Sequence[ResolvedScenario], reference: ResolvedScenario, lang: str = "en"
) -> Page:
    """Return what each scenario changes against a reference, instrument by instrument."""
    name = getattr(reference, f"title_{lang}")
    page: Page = [text("changes_head", lang, reference=name)]
    for scenario in scenarios:
        if scenario.name == reference.name:
            continue
        rows = [
            [title(instruments()[one["instrument"]], lang), change_words(one, name, lang)]
            for one in package_changes(scenario, reference)
        ]
        apart = assumptions_apart(scenario, reference)
        rows += [[text("changes_assumed", lang), "; ".join(apart)]] if apart else []
        rows = rows or [["–", text("change_none", lang, reference=name)]]
        heads = [getattr(scenario, f"title_{lang}"), text("packages_instruments", lang)]
        page += ["", Table([heads[0], "→"], rows, names=2)]
    return page


def change_words(record: Mapping[str, Any], reference: str, lang: str = "en") -> str:
    """Return one record of `package_changes` in words."""
    row = instruments()[record["instrument"]]
    between = "；" if lang == "zh" else "; "
    before, after = (
        " + ".join(_entry_words(entry, row, lang) for entry in record[key])
        for key in ("from", "to")
    )
    parts = [text(f"change_{record['change']}", lang, before=before, to=after)]
    if record["replaces"]:
        parts.append(replaced_words(record, reference, lang))
    shares = "/".join(f"{100 * share:.0f}" for share in record["payers"].values())
    if any(record["payers"].values()) and record["change"] != "ended":
        key = "change_receivers" if row.type == "charge" else "change_payers"
        parts.append(text(key, lang, shares=shares))
    return between.join(parts)


def replaced_words(record: Mapping[str, Any], reference: str, lang: str = "en") -> str:
    """Say that a record of `package_changes` replaces what the reference plans, and by how much."""
    more = record["planned_to"] - record["planned_from"]
    return text(
        "change_replaces", lang, reference=reference,
        before=whole(record["planned_from"]), more=f"{round(more) + 0:+,}",
    )  # fmt: skip


def plan_page(scenario: ResolvedScenario, reference: ResolvedScenario, lang: str = "en") -> Page:
    """Return what a scenario plans in all beyond the reference, and what a budget does to it."""
    name = getattr(reference, f"title_{lang}")
    beyond = own_present_value(scenario) - replaced_present_value(scenario, reference)
    total = text(
        "plan_total", lang, reference=name, money=f"{round(beyond) + 0:,}",
        rate=percent(public_discount_rate(scenario)),
    )  # fmt: skip
    return [total, *own_plan_notes(scenario, reference, lang), *budget_notes(scenario, lang)]


def own_plan_notes(
    scenario: ResolvedScenario, reference: ResolvedScenario, lang: str = "en"
) -> list[str]:
    """Return how much of the reference's money a scenario's own plan replaces, if it does any."""
    own, replaced = own_present_value(scenario), replaced_present_value(scenario, reference)
    if round(own) <= 0 or round(replaced) <= 0:
        return []
    name = getattr(reference, f"title_{lang}")
    return [
        text("plan_own", lang, reference=name, money=whole(own), replaced=whole(replaced)),
    ]


def budget_notes(scenario: ResolvedScenario, lang: str = "en") -> list[str]:
    """Return a line for each file of a scenario whose budget scales the money of its entries."""
    notes = []
    for layer in scenario.layers:
        if layer.present_value is None:
            continue
        as_written = replace(layer, present_value=None)
        layers = tuple(as_written if one is layer else one for one in scenario.layers)
        before = own_present_value(replace(scenario, layers=layers))
        money, name = whole(layer.present_value), layer.name
        notes.append(text("plan_budget", lang, name=name, money=money, before=whole(before)))
    return notes


def _entry_words(entry: Mapping[str, Any], row: Instrument, lang: str) -> str:
    """Return one entry of a plan in words: how much, for whom, where, when."""
    words, money = {}, entry.get("spending", entry.get("envelope"))
    if "rate" in entry:
        words["rate"] = f"{number(entry['rate'])} {row.rate_unit}"
        if row.type == "transfer" or row.rate_unit == "share":
            words["rate"] = percent(entry["rate"])
    if money is not None:
        words["money"] = number(money)
    parts = [text(f"entry_{row.type}", lang, **words)]
    if entry.get("eligible") == "shells":
        parts.append(text("entry_shells", lang))
    for key in ("users", "place"):
        if entry[key]:
            parts.append(text(f"entry_{key}", lang, names=", ".join(entry[key])))
    if entry.get("ramp_up", row.ramp_quarters) != row.ramp_quarters:
        parts.append(text("entry_ramp_up", lang, quarters=entry["ramp_up"]))
    if entry.get("ramp_down"):
        parts.append(text("entry_ramp_down", lang, quarters=entry["ramp_down"]))
    return ("，" if lang == "zh" else ", ").join([*parts, f"{entry['start']}–{entry['end']}"])


def package_file(scenario: ResolvedScenario, reference: ResolvedScenario) -> str:
    """Return a package as a TOML file to start from; it is the same scenario when read again.

    What its entries leave to the instrument table stands beside them as comments.
    """
    planned = {one["instrument"]: one["to"] for one in package_changes(scenario, reference)}
    own = [layer for layer in scenario.layers if layer.own]
    lines = [f"extends = {_toml(reference.name)}", "", "[title]"]
    lines += [f"en = {_toml(scenario.title_en)}", f"zh = {_toml(scenario.title_zh)}"]
    for layer in own:
        if layer.present_value is not None:
            lines += ["", *(f"# {line}" for line in BUDGET.splitlines())]
            lines += ["[budget]", f"present_value = {_toml(layer.present_value)}  # million yuan"]
    for edit in (edit for layer in own for edit in layer.edits):
        lines += ["", "[[instrument]]", *_written(edit)]
        lines += _left_out(edit, planned.get(edit.instrument, ()))
    return "\n".join(lines) + "\n"


def _written(edit: Edit) -> list[str]:
    """Return the lines of what an entry sets."""
    where = "compute" if "compute" in instruments()[edit.instrument].places else "place"
    values = {
        "name": edit.instrument,
        "active": None if edit.active else False,
        "rate": edit.rate,
        "spending": edit.spending,
        "envelope": edit.envelope,
        "eligible": edit.eligible,
        "users": edit.users.split("|") if edit.users else None,
        where: edit.place.split("|") if edit.place else None,
        "start": period_label(edit.start),
        "end": period_label(edit.end) if edit.end < HORIZON - 1 or edit.ramp_down else None,
        "ramp_up": edit.ramp_up,
        "ramp_down": edit.ramp_down,
    }
    return [f"{key} = {_toml(value)}" for key, value in values.items() if value is not None]


def _left_out(edit: Edit, planned: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return comments on the values that an entry does not set: that of the table, and its range.

    Where a budget scales money, what it makes of it as well.
    """
    row = instruments()[edit.instrument]
    ranges = {
        "rate": (row.rate_default, row.rate_low, row.rate_high),
        "spending": (row.spending_default, 0, row.spending_high),
        "envelope": (row.envelope_default, 0, None),
    }
    lines = []
    for key in row.money if edit.active else ():
        default, low, high = ranges[key]
        if getattr(edit, key) is None:
            words = number_in_words(low, high, unit="" if key == "rate" else MONEY_UNIT)
            lines.append(f"# {key} = {_toml(default)}  # of the table; {words}")
            made = {entry[key] for entry in planned if key in entry} - {default}
            lines[-1] += "".join(f"; the budget makes it {number(value)}" for value in sorted(made))
    return lines


def _toml(value: object) -> str:
    """Return a value as TOML writes it; its texts, lists and numbers are those of JSON."""
    return json.dumps(value, ensure_ascii=False)
