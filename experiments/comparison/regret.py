"""Regret: how far a package falls behind the best one of each draw, once the draw is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.report.messages import number, percent, scaled_unit, text, title, wrap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from ecosystem.runs.result import Result

    Array = NDArray[np.float64]

OBJECTIVE = "local_value_added_net"


def regrets(values: Array) -> Array:
    """Return how far each package falls behind the best of the same draw, (packages, draws).

    Parameters
    ----------
    values
        Objective, more is better, (packages, draws). A draw in which a run failed is left out:
        its best package is not known.
    """
    known = values[:, np.isfinite(values).all(axis=0)]
    if not known.size:
        return known
    return np.asarray(known.max(axis=0) - known)


def regret_table(packages: Sequence[str], values: Array) -> pd.DataFrame:
    """Return the regret of packages, smallest maximum first (minimax; Savage 1951).

    Parameters
    ----------
    packages
        Names of the packages, the reference among them.
    values
        Objective of each package in each draw of parameters and luck, under each shock if there
        are several, (packages, draws).

    Returns
    -------
    DataFrame
        One row a package: `median`, `percentile_90` and `maximum` of its regret, the share of
        draws in which it is `best`, and the number of `draws`. The maximum is that of the draws
        made: more draws can only raise it.
    """
    import pandas as pd

    found = regrets(values)
    rows: list[dict[str, Any]] = []
    for name, own in zip(packages, found, strict=True):
        row: dict[str, Any] = {"package": name, "outcome": OBJECTIVE}
        for key, level in (("median", 0.5), ("percentile_90", 0.9), ("maximum", 1.0)):
            row[key] = float(np.quantile(own, level)) if len(own) else float("nan")
        row["best"] = float(np.mean(own <= 0)) if len(own) else float("nan")
        rows.append(row | {"draws": len(own)})
    return pd.DataFrame(rows).sort_values(["maximum", "package"], ignore_index=True)


def regret_of(result: Result) -> pd.DataFrame:
    """Return the regrets of a result's scenarios; empty if it lacks the objective."""
    import pandas as pd

    if OBJECTIVE not in result.summaries:
        return pd.DataFrame(columns=["package"])
    return regret_table(result.scenarios, result.summaries[OBJECTIVE][..., 0])


def regret_lines(
    table: pd.DataFrame, titles: Mapping[str, Mapping[str, str]], lang: str, head: str
) -> list[str]:
    """Return a table of regrets as lines of at most 100 columns, under the heading `head`."""
    from experiments.comparison.compare import row_dicts
    from experiments.report.presentation import COLUMNS, outcome_row, table_line

    if table.empty:
        return []
    row = outcome_row(OBJECTIVE)
    factor, unit = scaled_unit(float(table["maximum"].max()), row.unit, lang)
    draws = int(table["draws"].max())
    words = text(head, lang, outcome=title(row, lang), unit=unit, draws=draws)
    widths = (13, 13, 13, 13)
    keys = ("median", "percentile_90", "maximum", "best")
    heads = [text(f"regret_{key}", lang) for key in keys]
    lines = wrap(words, COLUMNS).splitlines()
    lines.append(table_line("", text("package", lang), widths, heads))
    for place, fact in enumerate(row_dicts(table), start=1):
        cells = [number(fact[key] / factor) for key in keys[:3]]
        cells.append(percent(fact["best"]))
        lines.append(table_line(str(place), titles[fact["package"]][lang], widths, cells))
    return lines + wrap(text("regret_read", lang), COLUMNS).splitlines()
