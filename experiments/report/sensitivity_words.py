"""What stands beside the numbers of a sensitivity study, in words: titles, units, what is wrong."""

import math

import pandas as pd

from ecosystem.inputs.catalogue import outcomes
from experiments.report import figures
from experiments.report.messages import number, percent, text, title
from experiments.report.notes import base_words, draws_words, shock_notes, world_note
from experiments.sensitivity_analysis.chance import SHARES
from experiments.sensitivity_analysis.factors import DUMMY, NEAR_DUMMY
from experiments.sensitivity_analysis.salib_study import BOTH, NEAR_SHARE, RESAMPLES
from experiments.sensitivity_analysis.study import EFFECT, LEVEL, SensitivityResult

SIDES = ("industry", "innovation")
"""The two groups of outcomes that stand side by side."""


def package_rows(found: SensitivityResult, package: str) -> pd.DataFrame:
    """Return the effects of a package, or its levels where it is the reference or stands alone."""
    reference = found.study.reference
    quantity = EFFECT if reference and package != reference else LEVEL
    rows = found.table
    return rows[(rows["package"] == package) & (rows["quantity"] == quantity)]


def outcome_parts(rows: pd.DataFrame, lang: str, outcome: str | None = None) -> list[pd.DataFrame]:
    """Return the rows of one outcome, or of the first of either group, as they are shown."""
    sides = [rows.loc[rows["group"] == side, "outcome"] for side in SIDES]
    firsts = [str(side.iloc[0]) for side in sides if len(side)] or [str(rows["outcome"].iloc[0])]
    chosen = [outcome] if outcome else firsts
    return [shown(rows[rows["outcome"] == name], lang) for name in chosen]


def shown(part: pd.DataFrame, lang: str) -> pd.DataFrame:
    """Return rows of one outcome in the unit in which it is shown, which is in `outcome_unit`."""
    form = "effect" if part["quantity"].iloc[0] == EFFECT else ""
    return figures.shown(part, lang, form, "outcome_unit")


def largest(part: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return the rows of the factors with the largest indices, without the two checks."""
    factors = part[~part["factor"].isin([DUMMY, NEAR_DUMMY])]
    return factors.dropna(subset="rank").nsmallest(count, "rank")


def quantity_words(found: SensitivityResult, quantity: str, lang: str) -> str:
    """Return what is analysed in words."""
    reference = found.title(found.study.reference, lang)
    return text(f"sensitivity_{quantity}", lang, reference=reference)


def factor_titles(found: SensitivityResult, lang: str) -> dict[str, str]:
    """Return the title of each factor."""
    return {factor.name: factor.title(lang) for factor in found.study.factors}


def outcome_title(found: SensitivityResult, part: pd.DataFrame, lang: str) -> str:
    """Return the title of the outcome that all rows are of; its name for a model of one's own."""
    name = str(part["outcome"].iloc[0])
    return title(outcomes()[name], lang) if found.study.scenarios else name


def below_words(found: SensitivityResult, part: pd.DataFrame, lang: str) -> list[str]:
    """Return unit with time base, and the shares of chance and of what is no factor, in words."""
    row, lines = part.iloc[0], []
    if found.study.scenarios:
        base = base_words(outcomes()[row["outcome"]], found.study.asked.until, lang)
        lines.append(", ".join(filter(None, (row["outcome_unit"], base))))
    for name in SHARES:  # there is no column of the second where nothing else varies
        if name == SHARES[0] or not math.isnan(row.get(f"{name}_share", math.nan)):
            ends = {
                end: share_words(row[f"{name}_{end}"], lang) for end in ("share", "low", "high")
            }
            lines.append(text(f"sensitivity_{name}", lang, blocks=row["chance_blocks"], **ends))
    return lines


def interval(row: pd.Series, main: str) -> str:
    """Return the ends of the interval of an index in words."""
    return f"{number(row[f'{main}_low'])} … {number(row[f'{main}_high'])}"


def share_words(share: float, lang: str) -> str:
    """Return an estimated share of variance; more than all there is comes of few blocks."""
    return text("sensitivity_all", lang) if share > 1 else percent(share)


def method_note(found: SensitivityResult, lang: str) -> str:
    """Return under which circumstances what was run, and what the indices of the method mean."""
    words = {"share": percent(NEAR_SHARE), "resamples": RESAMPLES}
    note = text(f"sensitivity_{found.study.sample.method}_note", lang, **words)
    return " ".join([*circumstances(found, lang), note])


def circumstances(found: SensitivityResult, lang: str) -> list[str]:
    """Return what the rest is at, shocks and world; nothing for a model of one's own."""
    study = found.study
    if not study.scenarios:
        return []
    rest = "fixed" if study.asked.fixed_parameters else "drawn" if study.drawn else "none"
    return [
        draws_words(study.asked.drawn_from, study.asked.fixed_parameters, lang),
        text(f"sensitivity_rest_{rest}", lang),
        *shock_notes(study.scenarios, lang),
        world_note(study.asked.world, lang),
    ]


def status_words(found: SensitivityResult, part: pd.DataFrame, lang: str) -> str:
    """Return the status that all rows have in words."""
    row, blocks = part.iloc[0], found.study.sample.blocks
    values = {"mean": f"{row['mean']:g}", "blocks": blocks, "lost": blocks - row["blocks"]}
    return "; ".join(
        text(f"sensitivity_status {word}", lang, **values) for word in row["status"].split(BOTH)
    )
