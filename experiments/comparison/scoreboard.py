"""What packages do for each paragraph of the article: its aims, named in a table beforehand.

A paragraph is judged on its own aims and, like every other, on regional value added; packages are
judged on all of them, whatever their own paragraph is.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any, Literal

import numpy as np
import pandas as pd

from ecosystem.inputs.catalogue import Row, outcomes, read_rows
from experiments.comparison.intervals import describe
from experiments.comparison.sureness import visible

WANTED, OTHER = "wanted", "other"
"""Whether the sign that more pairs have is the wanted one."""


class Aim(Row):
    """An aim of a block of the article, ``name``: an outcome, and the sign that is wanted of it.

    ``paragraph`` are words of the article, ``why`` is what the aim reads from them.
    """

    title_en: str
    title_zh: str
    outcome: str
    wanted: Literal["+", "-"]
    paragraph: str = ""
    why: str

    @property
    def key(self) -> str:
        """An outcome may be the aim of several blocks."""
        return f"{self.name}.{self.outcome}"


@cache
def aims() -> tuple[Aim, ...]:
    """Return the aims of all blocks, in the order of the article."""
    source = files("experiments.comparison") / "scoreboard.csv"
    text = source.read_text(encoding="utf-8-sig")
    return tuple(read_rows(text, Aim, "comparison/scoreboard.csv").values())


def aimed_at() -> list[str]:
    """Return the outcomes that the scoreboard needs, each beside the parts it is shown with."""
    names = [(aim.outcome, *outcomes()[aim.outcome].beside) for aim in aims()]
    return list(dict.fromkeys(name for group in names for name in group))


def scoreboard_table(differences: pd.DataFrame) -> pd.DataFrame:
    """Judge packages on the aims of every block.

    Parameters
    ----------
    differences
        Paired differences, `ComparisonResult.differences`.

    Returns
    -------
    DataFrame
        One row a block, aim and package that has a pair: `title_en` and `title_zh` of the block;
        `part_of`, the aim that the outcome is a part of, where it is no aim itself; `wanted`, the
        sign of the aim; `direction`, ``wanted`` or ``other`` by the sign that more pairs have,
        nothing of a tie; and the statistics of `describe`. Aims whose outcome was not run are left
        out.
    """
    known = set(differences.index.get_level_values("outcome"))
    rows: list[dict[str, Any]] = []
    for aim in aims():
        for outcome in (aim.outcome, *outcomes()[aim.outcome].beside):
            if outcome not in known:
                continue
            block = pd.DataFrame(differences.xs(outcome, level="outcome"))
            about = {"block": aim.name, "title_en": aim.title_en, "title_zh": aim.title_zh}
            about |= {"outcome": outcome, "unit": outcomes()[outcome].unit, "wanted": aim.wanted}
            about["part_of"] = aim.outcome if outcome != aim.outcome else ""
            rows += [
                about
                | {"package": package, "direction": direction(pairs, aim.wanted)}
                | describe(pairs, visible(outcomes()[outcome].unit))
                for package, pairs in ((name, block[name].to_numpy()) for name in block)
                if np.isfinite(pairs).any()
            ]
    return pd.DataFrame(rows)


def direction(pairs: Any, wanted: str) -> str:
    """Return whether more pairs have the wanted sign or the other one; nothing of a tie."""
    more, fewer = int(np.sum(pairs > 0)), int(np.sum(pairs < 0))
    if more == fewer:
        return ""
    return WANTED if (more > fewer) == (wanted == "+") else OTHER
