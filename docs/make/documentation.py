"""Pages of the documentation that are read from the tables.

``python -m docs.make.documentation`` writes them, the strengths of the loops by runs of their
own; ``--check`` says which of them no longer fit the tables, and runs nothing.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from docs.make.odd import MODEL, odd_page
from ecosystem.inputs import catalogue

DOCS = Path(__file__).resolve().parents[1]
STRENGTHS = DOCS / "loops.csv"
REPLICATES, SEED = 32, 2
HEAD = "<!-- Written by `python -m docs.make.documentation`; edit the tables, not this page. -->"


@dataclass(frozen=True)
class Strength:
    """What a loop brings to its outcome at the defaults: relative change over the replicates."""

    median: float
    low: float
    high: float


def table(header: list[str], rows: list[list[object]]) -> str:
    """Return a table in Markdown."""
    lines: list[list[object]] = [[*header], ["---"] * len(header), *rows]
    cells = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def page(title: str, *parts: str) -> str:
    """Return a page with its title and the word that it is generated."""
    return "\n\n".join([f"# {title}", HEAD, *parts]) + "\n"


def code(*names: str) -> str:
    """Return names as code, separated by commas."""
    return ", ".join(f"`{name}`" for name in names)


def lever_parameters(instrument: str) -> str:
    """Return the parameters that carry an instrument's name, or a dash."""
    found = [name for name in catalogue.parameters() if name.startswith(f"{instrument}_")]
    return code(f"{instrument}_*") if found else "–"


def acts_in() -> dict[str, str]:
    """Return where each instrument acts, as the model page says."""
    rows = re.findall(r"^\| \d+ \| .*? \| `(\w+)` \| (.*?) \|$", MODEL.read_text("utf-8"), re.M)
    return dict(rows)


def article_page() -> str:
    """Return the map from the article's words to what acts, and to the test that sees it."""
    systems, instruments = catalogue.systems(), catalogue.instruments()
    intro = (
        "What each part of the policy article became. A *system* is something the article wants "
        "to exist; its mechanism is switched to the neutral value of the last column inside the "
        "run, and the outcome beside it has to move by more than the size stated, in relative "
        "terms. Sizes were written down before the first run, but for the few that the heads of "
        "`tests/test_systems.py` and `tests/test_instruments.py` name as corrected after a look "
        "at another seed."
    )
    system_rows: list[list[object]] = [
        [
            row.number,
            row.article_sentence,
            row.title_en,
            code(*row.instrument_names),
            f"`{row.stage_file}`",
            row.mechanism,
            f"`{row.expected_outcome}` {row.expected_sign}{row.expected_size:g}",
            f"`{row.neutral}`",
        ]
        for row in systems.values()
    ]
    places = acts_in()
    lever = (
        "Every instrument alone, on top of `history`, has to move an outcome that is not money "
        "spent on it (`tests/test_instruments.py`). Instruments without words of the article are "
        "on record or alternatives to it. The parameters are those of the spending–lever law; "
        "others of the same mechanism stand in [model.md](model.md)."
    )
    instrument_rows: list[list[object]] = [
        [
            row.number,
            row.article_sentence or "–",
            f"`{row.name}`",
            row.acts_on,
            places[row.name],
            lever_parameters(row.name),
            f"`{row.expected_outcome}` {row.expected_sign}{row.expected_size:g}",
            row.legal_status,
        ]
        for row in instruments.values()
    ]
    heads = ["#", "Words of the article", "System", "Instruments", "Stage"]
    ends = ["#", "Words of the article", "Instrument", "Acts on", "Acts in", "Parameters"]
    return page(
        "From the policy article to the model",
        intro,
        "## Systems",
        table([*heads, "Mechanism", "Outcome expected to move", "Neutral value"], system_rows),
        "## Instruments",
        lever,
        table([*ends, "Outcome expected to move", "Legal status"], instrument_rows),
    )


def parameters_page() -> str:
    """Return every parameter, by group."""
    groups: dict[str, list[list[object]]] = {}
    for row in catalogue.parameters().values():
        span = "fixed" if row.distribution == "fixed" else f"{row.low:g} to {row.high:g}"
        cells = [f"`{row.name}`", row.meaning, row.unit or "–", f"{row.default:g}", span]
        groups.setdefault(row.group, []).append([*cells, row.distribution, row.tag])
    head = ["Name", "Meaning", "Unit", "Default", "Range", "Drawn", "Tag"]
    parts = [f"## {group.capitalize()}\n\n{table(head, rows)}" for group, rows in groups.items()]
    note = "Tags: v a published figure, m standard literature, a assumed and to be varied."
    return page("Parameters", note, *parts)


def outcomes_page() -> str:
    """Return every outcome, by group."""
    groups: dict[str, list[list[object]]] = {}
    for row in catalogue.outcomes().values():
        cells = [f"`{row.name}`", row.title_en, row.title_zh, row.unit]
        base = row.time_base.replace("_", " ") + (f", by {row.dimension}" if row.dimension else "")
        groups.setdefault(row.group, []).append([*cells, base, row.meaning])
    head = ["Name", "Title", "名称", "Unit", "Over time", "Meaning"]
    parts = [f"## {group.capitalize()}\n\n{table(head, rows)}" for group, rows in groups.items()]
    note = (
        "Present values run from 2025Q3 at the public discount rate; last-year means are over the "
        "last four quarters; sums start with the packages."
    )
    return page("Outcomes", note, *parts)


def read_strengths() -> dict[str, Strength]:
    """Return the stored strengths of the loops by name."""
    with STRENGTHS.open(encoding="utf-8", newline="") as file:
        return {
            row["name"]: Strength(float(row["median"]), float(row["low"]), float(row["high"]))
            for row in csv.DictReader(file)
        }


def run_strengths() -> None:
    """Run every loop with and without, and store what it brings."""
    from docs.make.mechanisms import effects

    with STRENGTHS.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["name", "median", "low", "high"])
        for name, values in effects(catalogue.loops(), REPLICATES, SEED).items():
            low, median, high = np.expm1(np.quantile(values, (0.05, 0.5, 0.95)))
            writer.writerow([name, f"{median:.3g}", f"{low:.3g}", f"{high:.3g}"])


def percent(change: float) -> str:
    """Return a relative change in percent, three digits."""
    return f"{100 * change:+.3g} %"


def loops_page() -> str:
    """Return the loops and couplings with their strength at the defaults."""
    strengths = read_strengths()
    titles = {name: row.title_en for name, row in catalogue.outcomes().items()}
    rows: list[list[object]] = []
    for name, row in catalogue.loops().items():
        found = strengths[name]
        span = f"{percent(found.median)} ({percent(found.low)} to {percent(found.high)})"
        what = f"{titles[row.expected_outcome]} (`{row.expected_outcome}`)"
        cells = [name.upper(), row.kind, row.meaning, f"`{row.neutral}`", f"`{row.package}`"]
        rows.append([*cells, what, row.expected_sign, span])
    intro = (
        f"What each loop brings to one outcome at the default parameters: {REPLICATES} pairs of "
        "runs to 2030Q4 with the same luck, with the loop and with the neutral value of its "
        "switch; median and 5 % to 95 % of the pairs, relative to the run without. "
        "`tests/test_loops.py` tests the sign. R reinforces, B balances, C couples compute and "
        "the ecosystem."
    )
    head = ["", "Kind", "What it is", "Switch", "Package", "Outcome", "Expected", "It brings"]
    return page("Loops and couplings: how strong they are", intro, table(head, rows))


def pages() -> dict[str, str]:
    """Return every generated page by file name."""
    return {
        "article.md": article_page(),
        "odd.md": page("The model in the form of the ODD protocol", odd_page(table, code)),
        "parameters.md": parameters_page(),
        "outcomes.md": outcomes_page(),
        "loops.md": loops_page(),
    }


def main(arguments: list[str] | None = None) -> int:
    """Write the pages, or with ``--check`` return 1 if any differs from what the tables say."""
    parser = argparse.ArgumentParser(prog="python -m docs.make.documentation")
    parser.add_argument("--check", action="store_true", help="compare and write nothing")
    if not parser.parse_args(arguments).check:
        run_strengths()
        for name, text in pages().items():
            (DOCS / name).write_text(text, encoding="utf-8", newline="\n")
        return 0
    stale = [
        name
        for name, text in pages().items()
        if not (DOCS / name).exists() or (DOCS / name).read_text(encoding="utf-8") != text
    ]
    for name in stale:
        print(f"docs/{name} does not fit the tables: python -m docs.make.documentation")
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main())
