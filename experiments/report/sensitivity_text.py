"""A sensitivity study as text and as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from experiments.report.messages import number, pad, text, wrap
from experiments.sensitivity_analysis.factors import CHECKS, DUMMY, NEAR_DUMMY
from experiments.sensitivity_analysis.salib_study import MAIN, OK
from experiments.sensitivity_analysis.study import EFFECT, LEVEL, Sensitivity

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = 100
"""Terminal columns a line may take."""
DIGITS = 6
LISTED = 5
"""Factors that are listed of each outcome."""


def sensitivity_text(found: Sensitivity, lang: str = "en") -> str:
    """Return for every package the factors that move industry and the ecosystem most."""
    from experiments.report.sensitivity_figures import first_outcomes, method_note, quantity_words

    study = found.study
    head = text(
        "sensitivity_heading", lang, method=study.sample.method.capitalize(),
        blocks=study.sample.blocks, factors=len(study.factors) - len(CHECKS), checks=len(CHECKS),
        runs=study.runs, replicates=study.replicates, seed=study.sample.seed,
    )  # fmt: skip
    lines = wrap(head, COLUMNS).splitlines()
    for package in study.names:
        quantity = EFFECT if study.reference and package != study.reference else LEVEL
        rows = found.table
        rows = rows[(rows["package"] == package) & (rows["quantity"] == quantity)]
        lines += ["", f"{found.title(package, lang)}: {quantity_words(found, quantity, lang)}"]
        for outcome in first_outcomes(rows):
            lines += _outcome_lines(found, rows[rows["outcome"] == outcome], lang)
    notes = [method_note(found, lang), *_problems(found, lang)]
    return "\n".join([*lines, "", *(wrap(note, COLUMNS) for note in notes)])


def _outcome_lines(found: Sensitivity, part: pd.DataFrame, lang: str) -> list[str]:
    """Return one outcome: chance, then the largest factors."""
    from experiments.report import sensitivity_figures as words

    main = MAIN[found.study.sample.method]
    titles = words.factor_titles(found, lang)
    title = words.outcome_title(part, lang)
    below = " · ".join(words.below_words(part, words.until_of(found), lang))
    head = wrap(f"{title}, {below}", COLUMNS - 2)
    lines = [f"  {line}" for line in head.splitlines()]
    if part[main].isna().all():
        return [*lines, f"    {words.status_words(found, part.iloc[0], lang)}"]
    checks = part["factor"].isin([DUMMY, NEAR_DUMMY])
    for _, row in part[~checks].nsmallest(LISTED, "rank").iterrows():
        span = f"{number(row[f'{main}_low'])} … {number(row[f'{main}_high'])}"
        mark = "*" if row["matters"] else " "
        name = pad(titles[row["factor"]], 44)
        lines.append(f"  {mark} {name}{pad(number(row[main]), 14, right=True)}   ({span})")
    return lines


def _problems(found: Sensitivity, lang: str) -> list[str]:
    """Name every outcome that has no indices, or whose indices are to be read with care."""
    from experiments.report.sensitivity_figures import outcome_title, quantity_words, status_words

    rows = found.table[found.table["status"] != OK]
    names = [
        f"{found.title(str(package), lang)}, {quantity_words(found, str(quantity), lang)}, "
        f"{outcome_title(part, lang)} ({status_words(found, part.iloc[0], lang)})"
        for (package, quantity, _), part in rows.groupby(
            ["package", "quantity", "outcome"], sort=False
        )
    ]
    return [text("sensitivity_problems", lang, names="; ".join(names))] if names else []


def save_sensitivity(found: Sensitivity, directory: Path, lang: str = "en") -> list[Path]:
    """Write tables and figures into a folder that exists; return the paths."""
    from experiments.command.run_directory import write_csv

    tables = {"sensitivity": found.table, "factors": factor_table(found, lang)}
    tables |= {"sensitivity_by_year": rounded(found.by_year), "pairs": found.pairs}
    paths = []
    for name, table in tables.items():
        if len(table):
            paths.append(directory / f"{name}.csv")
            write_csv(paths[-1], table)
    figures = directory / "figures"
    figures.mkdir(exist_ok=True)
    kind = "plane" if found.study.sample.method == "morris" else "bars"
    for package in found.study.names:
        paths += found.figure(package, lang=lang).save(figures / f"{kind}_{package}")
    return paths + found.heat_map(lang).save(figures / "packages_and_factors")


def rounded(table: pd.DataFrame) -> pd.DataFrame:
    """Return a long table with numbers to so many significant digits, to save space."""
    import numpy as np

    table = table.copy()
    for name in table.select_dtypes("float").columns:
        value = table[name].to_numpy()
        size = np.where(np.isfinite(value) & (value != 0), np.abs(value), 1.0)
        scale = 10.0 ** (DIGITS - 1 - np.floor(np.log10(size)))
        table[name] = np.round(value * scale) / scale
    return table


def factor_table(found: Sensitivity, lang: str = "en") -> pd.DataFrame:
    """Return what each factor moves, over which range; the two checks move nothing."""
    import pandas as pd

    rows = [
        (factor.name, factor.title(lang), factor.group, move.parameter, move.low, move.high,
         move.distribution)
        for factor in found.study.factors
        for move in factor.moves
    ]  # fmt: skip
    rows += [
        (factor.name, factor.title(lang), factor.group, "", 0.0, 1.0, "uniform")
        for factor in found.study.factors
        if not factor.moves
    ]
    names = ["factor", "title", "group", "parameter", "low", "high", "distribution"]
    return pd.DataFrame(rows, columns=names)
