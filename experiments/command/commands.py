"""From a request to a run directory: what `run`, `compare` and `sensitivity` have in common."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from experiments.command import run_directory as files
from experiments.command.dry_run import Cost, cost_words
from experiments.command.request import Request
from experiments.comparison.shapley import NEVER
from experiments.report.messages import text
from experiments.report.tables import NARROW, WIDE, Page, from_json, screen, terminal, to_json

PAGES = "pages.json"
"""What the screen shows, to be laid out to its width."""
ANSWER = "summary.json"
FAILED = "failed.csv"


@dataclass(frozen=True)
class Finding:
    """What came of a command: its pages, the answer as JSON, and more for the manifest.

    The page ``summary`` is the first screen, ``full`` is everything.
    """

    pages: dict[str, Page]
    answer: dict[str, Any]
    more: dict[str, Any]


@dataclass(frozen=True)
class Work:
    """What a request comes to.

    Parameters
    ----------
    configuration
        Everything that determines the results; it names the directory.
    cost
        Estimates what the request would take, for a dry run.
    fill
        Runs what is missing and writes tables and figures into the directory.
    """

    configuration: dict[str, Any]
    cost: Callable[[], Cost]
    fill: Callable[[Path], Finding]


def carry_out(request: Request, work: Work) -> int:
    """Fill the run directory of a request unless that is done, and return the exit code.

    Raises
    ------
    OSError
        The run directory cannot be written.
    """
    directory = request.asked.out / files.short_digest(work.configuration)
    if request.dry_run:
        return tell_cost(request, directory, work)
    if files.is_finished(directory):
        say(text("reused", request.lang, directory=directory), request.quiet)
    else:
        command = request.command_line()
        with files.opened(directory, work.configuration, command) as store:
            found = work.fill(directory)
            failed = failed_runs(store.failures())
            files.write_text(directory / PAGES, to_json(found.pages))
            for name, columns in (("summary", NARROW), ("full", WIDE)):
                words = terminal(found.pages[name], columns)
                files.write_text(directory / f"{name}.txt", words + "\n")
            answer = json.dumps(found.answer | {"failed": failed}, ensure_ascii=False, indent=1)
            files.write_text(directory / ANSWER, answer)
            store.finish(work.configuration, command, **found.more)
    return finish(request, directory)


def tell_cost(request: Request, directory: Path, work: Work) -> int:
    """Say what a request would take, print it as JSON if asked for, and return the exit code."""
    answer: dict[str, Any] = {"directory": str(directory), "dry_run": True}
    if request.json or not request.quiet:
        found = work.cost()
        answer |= found.numbers
        say(cost_words(found, request.lang), request.quiet)
        say(text("dry_run_directory", request.lang, directory=directory), request.quiet)
    print(json.dumps(answer, ensure_ascii=False) if request.json else directory)
    return 0


def say(words: str, quiet: bool = False) -> None:
    """Print on standard error, unless the user wants quiet."""
    if not quiet:
        print(words, file=sys.stderr)


@contextmanager
def progress_bar(
    lang: str, quiet: bool, key: str = "progress"
) -> Iterator[Callable[[int, int], None]]:
    """Give a function that shows work done, work in all and the time left."""
    with tqdm(
        total=None, disable=quiet, file=sys.stderr, leave=False, delay=1.0,
        desc=text(key, lang), mininterval=0.1 if sys.stderr.isatty() else 10.0,
        unit=text("progress_unit", lang),
    ) as bar:  # fmt: skip

        def show(done: int, total: int) -> None:
            if bar.total is None:  # what an earlier start has finished does not count as speed
                bar.initial = bar.n = done
            bar.total = total
            bar.update(done - bar.n)

        yield show


def records(frame: Any) -> list[dict[str, Any]]:
    """Return the rows of a frame as JSON can hold them; what is not a number becomes null.

    Infinity, which only a time until something happens can be, becomes "never".
    """
    numbers = frame.select_dtypes("float")
    frame = frame.assign(
        **{
            name: column.map(lambda value: NEVER if value == math.inf else value)
            for name, column in numbers.items()
        }
    )
    return json.loads(frame.to_json(orient="records", force_ascii=False, double_precision=15))


def failed_runs(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the number of failed `runs`, in all and `by_scenario`, and the `file`, or None."""
    counts = Counter(row["scenario"] for row in rows)
    return {"runs": len(rows), "by_scenario": dict(counts), "file": FAILED if rows else None}


def finish(request: Request, directory: Path) -> int:
    """Print the table on standard error and the answer on standard output."""
    pages = from_json((directory / PAGES).read_text(encoding="utf-8"))
    say(terminal(pages["full" if request.full else "summary"], screen()), request.quiet)
    found = json.loads((directory / ANSWER).read_text(encoding="utf-8"))
    answer = {"directory": str(directory), **found}
    count = found["failed"]["runs"]
    if count:
        place = directory / FAILED
        print(text("failed_runs", request.lang, count=count, file=place), file=sys.stderr)
    print(json.dumps(answer, ensure_ascii=False) if request.json else directory)
    return 3 if count else 0
