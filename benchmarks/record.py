"""What a benchmark is as a command, and what it writes down: a table, the date, the machine."""

import argparse
import csv
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Row:
    """One measured quantity: its samples, in the unit of the row."""

    what: str
    case: str
    unit: str
    samples: tuple[float, ...]

    @property
    def middle(self) -> float:
        """Median of the samples."""
        return median(self.samples)

    def cells(self) -> list[str]:
        """Return the row as text: median, least, most, number of samples."""
        numbers = (self.middle, min(self.samples), max(self.samples))
        return [self.what, self.case, self.unit, *map(plain, numbers), str(len(self.samples))]


HEADER = ["what", "case", "unit", "median", "least", "most", "samples"]


def plain(value: float) -> str:
    """Return a number with four significant digits and no exponent."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def ratio(what: str, case: str, top: Row, bottom: Row) -> Row:
    """Return the ratios of two rows, round by round, as they were measured side by side."""
    pairs = zip(top.samples, bottom.samples, strict=True)
    return Row(what, case, "times", tuple(a / b for a, b in pairs))


def machine() -> str:
    """Return the processor, its cores and the versions that matter; no name of a host."""
    model = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text(encoding="utf-8").splitlines()
        names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    parts = [model, f"{os.cpu_count()} cores", platform.system()]
    parts.append(f"Python {platform.python_version()}")
    return ", ".join(parts + [f"{name} {version(name)}" for name in ("numpy", "scipy", "mesa")])


def markdown(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [HEADER, ["---"] * 3 + ["---:"] * 4, *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write(name: str, command: str, rows: Sequence[Row], notes: str = "") -> None:
    """Write `results/name.csv` and `results/name.md` and print the latter."""
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([HEADER, *(row.cells() for row in rows)])
    text = f"`{command}`, {date.today().isoformat()}: {machine()}\n\n{markdown(rows)}\n"
    text += f"\n{notes}\n" if notes else ""
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    print(text)


def command(
    name: str, about: str, measure: Callable[[bool], Sequence[Row]], notes: str = ""
) -> None:
    """Run a benchmark as a command, ``python -m benchmarks.NAME``.

    Parameters
    ----------
    name
        Of the module and of its record.
    about
        What is measured and how long it takes.
    measure
        Returns the rows; its argument says whether small sizes are asked for.
    notes
        What a reader of the record has to know.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=about)
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="small sizes, to see that it works")
    sizes.add_argument(
        "--write", action="store_true", help=f"also write benchmarks/results/{name}.md and .csv"
    )
    given = parser.parse_args()
    rows = measure(given.quick)
    if given.write:
        write(name, f"{parser.prog} --write", rows, notes)
    else:
        print(markdown(rows))
