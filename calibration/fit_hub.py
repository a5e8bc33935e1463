"""The documented search for the hub's take-off, as a command: ``python -m calibration.fit_hub``."""

import argparse
import subprocess
import sys
from datetime import date
from pathlib import Path

from calibration.hub_figure import draw
from calibration.hub_search import (
    FRESH_REPLICATES,
    FRESH_SEED,
    REPLICATES,
    SEED,
    Findings,
    find,
)
from ecosystem.inputs.calendar import period_label

COMMAND = "python -m calibration.fit_hub --write"
ROOT = Path(__file__).resolve().parents[1]
RECORD = ROOT / "calibration" / "hub_search.csv"
FIGURE = ROOT / "docs" / "figures" / "hub_path"


def code_version() -> str:
    """Return the commit of the checkout, with ``+`` where files differ from it."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def write(found: Findings, record: Path = RECORD, figure: Path = FIGURE) -> None:
    """Write the record, and the path as numbers and as a figure."""
    head = (
        f"# {COMMAND}\n# run on {date.today()}, code {code_version()}; seed {SEED}, "
        f"{REPLICATES} replicates; fresh: seed {FRESH_SEED}, {FRESH_REPLICATES} replicates\n"
    )
    body = found.table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    record.write_text(head + body, encoding="utf-8")
    numbers = found.path.assign(period=found.path["period"].map(period_label))
    numbers.to_csv(
        figure.with_suffix(".csv"), index=False, encoding="utf-8-sig", float_format="%.6g"
    )
    draw(found.path, figure)


def show(done: int, every: int) -> None:
    """Write on one line how many runs of a stage are done."""
    print(f"\r{done} of {every} runs", end="\n" if done == every else "", file=sys.stderr)


def main(arguments: list[str] | None = None) -> None:
    """Run the search, print all candidates, and write what was found if asked to."""
    parser = argparse.ArgumentParser(
        prog="python -m calibration.fit_hub",
        description="Run the grid of hub_grid.csv, the best candidates again on fresh luck, and "
        "draws of all parameters, and print every candidate with its scores: 4,768 runs to "
        "2025Q2, about a minute on two free cores.",
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help=f"also write {RECORD.relative_to(ROOT)} and {FIGURE.relative_to(ROOT)}.*; then run "
        "python -m docs.make",
    )
    given = parser.parse_args(arguments)
    if given.write and not FIGURE.parent.is_dir():
        parser.error("--write needs a checkout: there is no docs/figures beside calibration/")
    found = find(progress=show)
    print(found.table.to_string(index=False, float_format="%.3g"))
    if given.write:
        write(found)


if __name__ == "__main__":
    main()
