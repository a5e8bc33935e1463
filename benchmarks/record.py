"""What a benchmark writes down: a table, the command, the date and the machine."""

from __future__ import annotations

import csv
import os
import platform
from collections.abc import Sequence
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
