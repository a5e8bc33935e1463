"""Every word and unit that a figure or a table shows, in English and Chinese, from tables."""

from __future__ import annotations

import math
import re
import unicodedata

from rich.cells import cell_len, set_cell_size

from ecosystem.inputs.faults import Fault, InputError
from experiments.comparison.keyed import keyed_rows
from experiments.comparison.sureness import SCALE

LANGUAGES = ("en", "zh")


COUNTED = re.compile(r"\{(\w+):\|([^|}]*)\|([^}]*)\}")
"""A number with its noun in a message: ``{count:|run|runs}``."""


def text(key: str, lang: str = "en", **values: object) -> str:
    """Return one message with its values filled in; KeyError for a key the table lacks.

    ``{count:|run|runs}`` in a message becomes "1 run" or "2 runs".
    """
    check_language(lang)
    filled = {
        name: plain(value) if isinstance(value, str) else value for name, value in values.items()
    }

    def counted(found: re.Match[str]) -> str:
        name, one, many = found.groups()
        return f"{{{name}}} {one if str(values[name]) == '1' else many}"

    words = keyed_rows("experiments.report", "messages.csv", "key")[key][lang]
    return COUNTED.sub(counted, words).format(**filled)


def sure_word(word: str, lang: str = "en") -> str:
    """Return a word of the scale of sureness in one language."""
    check_language(lang)
    return SCALE[word][lang]


def plain(words: str) -> str:
    """Return words of a user on one line, without signs that no font or terminal can show."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in words).split())


def check_language(lang: str) -> None:
    """Raise InputError unless this is one of `LANGUAGES`."""
    if lang not in LANGUAGES:
        raise InputError([Fault("lang", lang, f"one of {', '.join(LANGUAGES)}")])


def title(row: object, lang: str = "en") -> str:
    """Return the title of a catalogue row (`title_en`, `title_zh`) in one language."""
    check_language(lang)
    return plain(str(getattr(row, f"title_{lang}")))


def number(value: float, *, signed: bool = False, figures: int = 3, finest: float = 1e-9) -> str:
    """Return a number to so many significant digits, with thousands apart and no exponent.

    Digits before the point are never rounded away, and none is finer than `finest`, a power of
    ten: what is less than half of that is printed as 0.
    """
    if value != value:
        return "–"
    if abs(value) <= finest / 2:
        return "0"
    power = math.floor(math.log10(abs(float(f"{value:.{figures - 1}e}"))))
    digits = max(min(figures - 1 - power, round(-math.log10(finest))), 0)
    return f"{value:{'+' if signed else ''},.{digits}f}"


def whole(value: float) -> str:
    """Return a number without digits after the point, with thousands apart."""
    return "–" if value != value else f"{round(value) + 0:,}"


def percent(share: float) -> str:
    """Return a share as a whole percentage."""
    return "–" if share != share else f"{round(100 * share)} %"


def display_unit(unit: str, lang: str = "en", form: str = "") -> tuple[float, str]:
    """Return the one unit in which numbers of a unit of the catalogue are shown.

    Parameters
    ----------
    unit
        A unit of the outcome table; one that `units.csv` lacks is shown as it is.
    lang
        Language of the words.
    form
        ``effect`` for differences (those of shares are percentage points), nothing for levels;
        ``effect_short`` and ``short`` for the same in a narrow column.

    Returns
    -------
    tuple
        What numbers are divided by, and the unit in words.
    """
    check_language(lang)
    row = keyed_rows("experiments.report", "units.csv", "unit").get(unit)
    if row is None:
        return 1.0, unit
    words = row[f"{form}_{lang}"] if form else ""
    return float(row["factor"]), words or row[f"short_{lang}" if "short" in form else lang]


def cell_word(column: str, cell: str, lang: str = "en") -> str:
    """Return a cell of a list in one language: words of the table and units; names stay."""
    row = keyed_rows("experiments.report", "messages.csv", "key").get(f"list_{column}_{cell}")
    if row:
        return row[lang]
    if lang == "zh" and column in ("unit", "default"):
        for words in keyed_rows("experiments.report", "unit_words.csv", "en").values():
            cell = re.sub(rf"(?<![A-Za-z]){words['en']}(?![A-Za-z])", words["zh"], cell)
    return cell


def width(line: str) -> int:
    """Return how many terminal columns a line takes; Chinese characters take two."""
    return cell_len(line)


def pad(cell: str, columns: int, *, right: bool = False) -> str:
    """Fill a cell with blanks up to a width in terminal columns; a longer one is cut."""
    if width(cell) > columns:
        return set_cell_size(cell, columns - 1).rstrip() + "…"
    blank = " " * (columns - width(cell))
    return blank + cell if right else cell + blank


def wrap(line: str, columns: int) -> str:
    """Break a line into lines of at most so many terminal columns; Chinese breaks anywhere."""
    lines, current = [], ""
    for piece in pieces(line):
        if current and width(current + piece.rstrip()) > columns:
            lines.append(current.rstrip())
            current = ""
        current += piece.lstrip() if not current else piece
    return "\n".join([*lines, current.rstrip()])


def pieces(line: str) -> list[str]:
    """Return what a line may break between: after a blank or a wide character.

    But not between a number and the sign that belongs to it, as in ``± 3`` and ``≥ 89 %``.
    """
    found = [""]
    for place, letter in enumerate(line):
        closing = unicodedata.category(letter) in ("Po", "Pe") and width(letter) == 2
        wide = width(letter) == 2 and not closing
        if wide and found[-1]:
            found.append("")
        found[-1] += letter
        if letter == " " and line[place + 1 : place + 2] != "%" and line[place - 1] not in "±≥…":
            found.append("")
    return [piece for piece in found if piece]
