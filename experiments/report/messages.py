"""Every word a figure or a table shows, in English and Chinese, read from one table."""

from __future__ import annotations

import csv
import functools
import importlib.resources
import math
import unicodedata

from ecosystem.inputs.faults import Fault, InputError

LANGUAGES = ("en", "zh")


@functools.cache
def _words() -> dict[str, dict[str, str]]:
    source = importlib.resources.files("experiments.report") / "messages.csv"
    rows = csv.DictReader(source.read_text(encoding="utf-8-sig").splitlines())
    return {row["key"]: row for row in rows}


def text(key: str, lang: str = "en", **values: object) -> str:
    """Return one message with its values filled in; KeyError for a key the table lacks."""
    check_language(lang)
    return _words()[key][lang].format(**values)


def check_language(lang: str) -> None:
    """Raise InputError unless this is one of `LANGUAGES`."""
    if lang not in LANGUAGES:
        raise InputError([Fault("lang", lang, f"one of {', '.join(LANGUAGES)}")])


def title(row: object, lang: str = "en") -> str:
    """Return the title of a catalogue row (`title_en`, `title_zh`) in one language."""
    check_language(lang)
    return str(getattr(row, f"title_{lang}"))


def number(value: float, *, signed: bool = False, figures: int = 3) -> str:
    """Return a number to so many significant digits, with thousands apart and no exponent.

    Digits before the point are never rounded away; a value below 1e-9 is printed as 0.
    """
    if value != value:
        return "–"
    if abs(value) < 1e-9:
        return "0"
    power = math.floor(math.log10(abs(float(f"{value:.{figures - 1}e}"))))
    return f"{value:{'+' if signed else ''},.{max(figures - 1 - power, 0)}f}"


def whole(value: float) -> str:
    """Return a number without digits after the point, with thousands apart."""
    return "–" if value != value else f"{round(value) + 0:,}"


def percent(share: float) -> str:
    """Return a share as a whole percentage."""
    return "–" if share != share else f"{round(100 * share)} %"


def scaled_unit(largest: float, unit: str, lang: str = "en") -> tuple[float, str]:
    """Return a divisor that makes numbers of this size readable, and the unit it gives.

    A unit of the catalogue that the table of messages has words for is put into the language.
    """
    powers = [power for power in (12, 9, 6, 3) if largest >= 10 ** (power + 2)]
    powers += [power for power in (-9, -6, -3) if 0 < largest < 10 ** (power + 1)]
    power = powers[0] if powers else 0
    whole = _words().get(f"unit {unit}" if not power else f"power_{power} {unit}")
    if whole:
        return 10.0**power, whole[lang]
    single = _words().get(f"unit {unit}")
    name = single[lang] if single else unit
    return 10.0**power, text(f"power_{power}", lang, unit=name) if power else name


def width(line: str) -> int:
    """Return how many terminal columns a line takes; Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)


def pad(cell: str, columns: int, *, right: bool = False) -> str:
    """Fill a cell with blanks up to a width in terminal columns; a longer one is cut."""
    while width(cell) > columns:
        cell = cell[:-2] + "…" if cell.endswith("…") else cell[:-1] + "…"
    blank = " " * (columns - width(cell))
    return blank + cell if right else cell + blank


def wrap(line: str, columns: int) -> str:
    """Break a line into lines of at most so many terminal columns; Chinese breaks anywhere."""
    lines, current = [], ""
    for piece in _pieces(line):
        if current and width(current + piece.rstrip()) > columns:
            lines.append(current.rstrip())
            current = ""
        current += piece.lstrip() if not current else piece
    return "\n".join([*lines, current.rstrip()])


def _pieces(line: str) -> list[str]:
    """Return the places at which a line may break: after a blank or a wide character."""
    pieces = [""]
    for letter in line:
        closing = unicodedata.category(letter) in ("Po", "Pe") and width(letter) == 2
        wide = width(letter) == 2 and not closing
        if wide and pieces[-1]:
            pieces.append("")
        pieces[-1] += letter
        if letter == " ":
            pieces.append("")
    return [piece for piece in pieces if piece]
