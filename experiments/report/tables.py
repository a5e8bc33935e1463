"""One builder of what people read: the same rows become terminal text, HTML and JSON.

A page is a list of paragraphs and tables. It holds no width: it is laid out for the terminal that
shows it, and no name or number is ever cut.
"""

from __future__ import annotations

import html
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.cells import chop_cells

from experiments.report.messages import pad, pieces, plain, width, wrap

WIDE, NARROW = 100, 80
"""Terminal columns of a page in a file, and of a first screen that fits any terminal."""
NAME, GAP = 14, 2
"""Columns that names need at least, and between two columns of a table."""


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
    """Return a table as lines, a heading on the line above its column, names to the left."""
    rows = [[plain(cell) for cell in row] for row in (table.columns, *table.rows)]
    widths = _widths(rows, table.names, columns)
    lines = []
    for place, row in enumerate(rows):
        cells = [_folded(cell, wide) for cell, wide in zip(row, widths, strict=True)]
        high = max(map(len, cells))
        for number, (cell, wide) in enumerate(zip(cells, widths, strict=True)):
            blank, right = [""] * (high - len(cell)), number >= table.names
            filled = [*cell, *blank] if place else [*blank, *cell]
            cells[number] = [pad(line, wide, right=right) for line in filled]
        lines += [(" " * GAP).join(parts).rstrip() for parts in zip(*cells, strict=True)]
    return "\n".join(lines)


def _widths(rows: Sequence[Sequence[str]], names: int, columns: int) -> list[int]:
    """Return the width of each column of a table of at most so many columns of a terminal.

    Headings of numbers give way first, then names, then numbers, at first without a break inside
    a word or number.
    """
    cells = list(zip(*rows, strict=True))
    widths = [max(1, *map(width, own)) for own in cells]
    words = [max(width(word.rstrip()) for cell in own for word in [*pieces(cell), ""])
             for own in cells]  # fmt: skip
    whole = [max(word, *map(width, own[1:]), 0) for word, own in zip(words, cells, strict=True)]
    short = [max(word, min(NAME, wide)) for word, wide in zip(words, widths, strict=True)]
    for least in (
        widths[:names] + whole[names:], short[:names] + whole[names:], words,
        [1] * names + words[names:], [1] * len(cells),
    ):  # fmt: skip
        while sum(widths) + GAP * (len(widths) - 1) > columns:
            able = [place for place, wide in enumerate(widths) if wide > least[place]]
            if not able:
                break
            widths[max(able, key=widths.__getitem__)] -= 1
    return widths


def _folded(cell: str, columns: int) -> list[str]:
    """Return a cell as lines of at most so many columns; only a word longer than that is broken."""
    lines = wrap(cell, columns).split("\n")
    return [part for line in lines for part in chop_cells(line, columns)] or [""]


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
