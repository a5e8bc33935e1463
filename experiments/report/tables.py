"""One builder of what people read: the same rows become terminal text, HTML and JSON.

A page is a list of paragraphs and tables. It holds no width: it is laid out for the terminal that
shows it, and no name or number is ever cut.
"""

from __future__ import annotations

import html
import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from experiments.report.messages import plain, width, wrap

WIDE, NARROW = 100, 80
"""Terminal columns of a page in a file, and of a first screen that fits any terminal."""
NAME = 14
"""Columns that names need at least; where numbers leave fewer, they are broken, too."""


@dataclass(frozen=True)
class Table:
    """A table in words.

    Parameters
    ----------
    columns
        Headings.
    rows
        Cells, row by row.
    names
        So many first columns hold names, which are set to the left and may take several lines.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    names: int = 1


Page = list[str | Table]


def terminal(page: Page, columns: int = WIDE) -> str:
    """Return a page as lines of at most so many terminal columns."""
    blocks = []
    for block in page:
        if isinstance(block, Table):
            blocks.append(_laid_out(block, columns))
        else:
            blocks.append("\n".join(wrap(line, columns) for line in block.split("\n")))
    return "\n".join(blocks)


def screen() -> int:
    """Return how many columns the terminal has for a page."""
    return min(shutil.get_terminal_size().columns, WIDE)


def _laid_out(table: Table, columns: int) -> str:
    """Return a table as lines; names give way first, then numbers."""
    grid = RichTable(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    numbers = [
        max(width(row[place]) for row in [table.columns, *table.rows]) + 2
        for place in range(table.names, len(table.columns))
    ]
    fits = sum(numbers) + NAME <= columns
    for place, head in enumerate(table.columns):
        name = place < table.names
        grid.add_column(
            Text(head), justify="left" if name else "right", overflow="fold",
            no_wrap=fits and not name,
        )  # fmt: skip
    for row in table.rows:
        grid.add_row(*(Text(plain(cell)) for cell in row))
    out = io.StringIO()
    Console(file=out, width=columns, color_system=None, legacy_windows=False).print(grid)
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip("\n").split("\n"))


def as_html(page: Page) -> str:
    """Return a page as HTML, the first paragraph in bold."""
    blocks = []
    for place, block in enumerate(page):
        if isinstance(block, Table):
            blocks.append(_html_table(block))
        elif block:
            words = html.escape(block).replace("\n", "<br>")
            blocks.append(f"<p>{words}</p>" if place else f"<p><b>{words}</b></p>")
    return "".join(blocks)


def _html_table(table: Table) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        sides = ["left" if place < table.names else "right" for place in range(len(cells))]
        return "<tr>" + "".join(
            f'<{tag} style="text-align:{side}">{html.escape(plain(cell))}</{tag}>'
            for cell, side in zip(cells, sides, strict=True)
        )  # fmt: skip

    head, body = line(table.columns, "th"), "".join(line(row, "td") for row in table.rows)
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"


def to_json(pages: dict[str, Page]) -> str:
    """Return pages by name as JSON, to be laid out later; see `from_json`."""
    plain = {
        name: [asdict(block) if isinstance(block, Table) else block for block in page]
        for name, page in pages.items()
    }
    return json.dumps(plain, ensure_ascii=False, indent=1)


def from_json(words: str) -> dict[str, Page]:
    """Return the pages that `to_json` has written."""
    return {
        name: [block if isinstance(block, str) else Table(**block) for block in page]
        for name, page in json.loads(words).items()
    }
