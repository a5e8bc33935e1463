"""Pages of the documentation: prose from templates, numbers and names from the tables."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from benchmarks.campaigns import repairs
from calibration import calibrate, judging, levels, patterns
from calibration.history import judged
from calibration.learned import DEALS
from calibration.likelihood import ceilings
from calibration.records import INFORMATION_END
from calibration.sampler import LEFT
from calibration.targets import load_targets, observables
from calibration.validate import LEAST, summary, verdicts
from docs.make import findings
from docs.make.mechanisms import REPLICATES, STRENGTHS
from docs.make.tables import loops, systems
from ecosystem.inputs import catalogue
from experiments.comparison.scoreboard import aims

DOCS = Path(__file__).resolve().parents[1]
MODEL = DOCS / "model.md"


def pages() -> dict[str, str]:
    """Return every page that has a template, by file name."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        finalize=cell,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["by"] = by
    environment.globals.update(contents())
    return {
        name.removesuffix(".j2"): environment.get_template(name).render()
        for name in environment.list_templates(["j2"])
    }


def contents() -> dict[str, Any]:
    """Return what templates may name: rows of the tables, records of runs, parts of model.md."""
    about = calibrate.FOUND / "about.json"
    return {
        "agents": list(catalogue.agents().values()),
        "instruments": list(catalogue.instruments().values()),
        "loops": list(loops().values()),
        "outcomes": catalogue.outcomes(),
        "parameters": catalogue.parameters(),
        "state_columns": list(catalogue.state_columns().values()),
        "systems": list(systems().values()),
        "aims": aims(),
        "acts_in": acts_in(),
        "submodels": submodels(),
        "rationale": Markup(section("Where building changed the design")),
        "pairs": REPLICATES,
        "strengths": {row["name"]: row for row in record(STRENGTHS)},
        "study": patterns,
        "patterns": [
            patterns.patterns()[row["name"]].model_dump() | row for row in record(patterns.RECORD)
        ],
        "level_draws": levels.DRAWS,
        "levels": [
            row | {"target": target, "observable": observables()[target.observable]}
            for row, target in zip(record(levels.RECORD), load_targets(), strict=True)
        ],
        "targets": load_targets(),
        "ceilings": list(ceilings().values()),
        **validation(),
        "calibrate": calibrate,
        "DEALS": DEALS,
        "LEFT": LEFT,
        "about": json.loads(about.read_text(encoding="utf-8")) if about.exists() else None,
        "found": {
            name: record(about.with_name(f"{name}.csv"))
            for name in calibrate.TABLES
            if about.exists()
        },
        "table": before_and_after,
        "step_by_step": step_by_step,
        **findings.contents(),
        "repairs_pairs": {row["section"]: int(row["pairs"]) for row in record(repairs.RECORD)},
    }


def validation() -> dict[str, Any]:
    """Return the record of forecasts from rolling origins, its scores, and the forecast."""
    found = pd.read_csv(judging.RECORD)
    scores, note = summary(found), judging.RECORD.with_name("forecast.json")
    return {
        "validation": found.to_dict("records"),
        "scores": scores.to_dict("records"),
        "verdicts": verdicts(scores),
        "forecast": pd.read_csv(judging.RECORD.with_name("forecast.csv")).to_dict("records"),
        "judged_series": judged(),
        "forecast_note": json.loads(note.read_text(encoding="utf-8")),
        "information_end": INFORMATION_END,
        "least": LEAST,
    }


def before_and_after(section: str) -> Markup:
    """Return the table of one section of the record of repairs."""
    rows = [row for row in record(repairs.RECORD) if row["section"] == section]
    return compared(rows, ("case", "outcome"), ("before", "after"))


def step_by_step() -> Markup:
    """Return net value added of packages as one repair after another came in."""
    steps = list(
        dict.fromkeys(row["column"] for row in record(repairs.RECORD) if row["section"] == "steps")
    )
    rows = [row for row in record(repairs.RECORD) if row["section"] in ("packages", "steps")]
    rows = [row for row in rows if row["outcome"] == "local_value_added_net"]
    return compared(rows, ("case",), ("before", *steps, "after"))


def compared(rows: list[dict[str, Any]], keys: tuple[str, ...], columns: tuple[str, ...]) -> Markup:
    """Return rows of the record of repairs side by side, one column of the record in each."""
    cells: dict[tuple[Any, ...], dict[Any, str]] = {}
    for row in rows:
        words = f"{row['median']:,.4g} [{row['low']:,.4g}, {row['high']:,.4g}]"
        place = cells.setdefault(tuple(row[key] for key in keys), {})
        place[row["column"]] = f"{words} {row['share_above']:.2f}"
    lines = ["", f"| {' | '.join((*keys, *columns))} |"]
    lines.append("|" + "---|" * len(keys) + "--:|" * len(columns))
    for key, found in cells.items():
        names = [f"`{name}`" if name in catalogue.outcomes() else str(name) for name in key]
        lines.append(f"| {' | '.join([*names, *(found.get(name, '–') for name in columns)])} |")
    return Markup("\n".join(lines))


def cell(value: object) -> object:
    """Return a value as it stands in a cell of a Markdown table; marked text stays as it is."""
    if isinstance(value, Markup):
        return value
    return str(value).replace("|", "\\|").replace("\n", " ")


def by(rows: Iterable[Any], attribute: str) -> dict[str, list[Any]]:
    """Return rows by the value of an attribute, in the order in which values come first."""
    found: dict[str, list[Any]] = {}
    for row in rows:
        found.setdefault(getattr(row, attribute), []).append(row)
    return found


def record(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a CSV file of results, numbers as numbers; lines with # are comments."""
    text = path.read_text(encoding="utf-8-sig")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return [{name: number(value) for name, value in row.items()} for row in csv.DictReader(lines)]


def number(text: str) -> float | str:
    """Return a number, or the text if it is none."""
    try:
        return float(text)
    except ValueError:
        return text


def acts_in() -> dict[str, str]:
    """Return where each instrument acts, as the model page says."""
    words = MODEL.read_text(encoding="utf-8")
    found = dict(re.findall(r"^\| \d+ \| .*? \| `(\w+)` \| (.*?) \|$", words, re.M))
    missing = [name for name in catalogue.instruments() if name not in found]
    if missing:
        raise ValueError(f"{MODEL.name} does not say where these act: {', '.join(missing)}")
    return found


def section(title: str) -> str:
    """Return what stands under the heading of the model page that starts with a title."""
    words = MODEL.read_text(encoding="utf-8")
    found = re.search(rf"^## {title}.*?\n(.*?)(?=^## |\Z)", words, re.M | re.DOTALL)
    if found is None:
        raise ValueError(f"{MODEL.name} has no heading {title!r}")
    return found.group(1).strip()


def submodels() -> list[dict[str, Any]]:
    """Return title, files and parameters of each stage, as the model page names them."""
    found = []
    for title in re.findall(r"^## (S\d [^\n]*)$", MODEL.read_text(encoding="utf-8"), re.M):
        body = section(re.escape(title))
        named = set(re.findall(r"`([a-z][a-z0-9_]*\*?)`", body))
        found.append(
            {
                "title": title,
                "files": sorted(set(re.findall(r"`(stages/\w+\.py)", body))),
                "parameters": sorted(
                    name for name in named if name in catalogue.parameters() or name.endswith("*")
                ),
            }
        )
    return found
