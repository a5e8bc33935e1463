"""What the page of findings says of the record of `benchmarks.campaigns.findings`."""

from __future__ import annotations

from functools import cache

import pandas as pd
from markupsafe import Markup

from benchmarks.campaigns.findings import ADDED, CHANCE, ENDS, PERMUTATIONS, RECORD
from ecosystem.inputs.catalogue import parameters
from experiments.comparison.sureness import SCALE

WORDS = {word: row["en"] for word, row in SCALE.items()}
OWN, MEAN, NATURAL = "own", "mean", "natural"


@cache
def rows() -> pd.DataFrame:
    """Return the record, texts as texts."""
    found = pd.read_csv(RECORD, dtype={"question": str}, keep_default_na=False, na_values=[""])
    return found.fillna({name: "" for name in ("sureness", "sign", "size")})


def kinds() -> list[str]:
    """Return the draws of which there are rows: what was learned first."""
    return sorted(rows()["draws"].unique(), key=lambda name: name != "posterior")


def facts() -> dict[str, str]:
    """Return numbers of the study that the page names."""
    pairs = int(rows()["pairs"].max())
    tests = 2 * len(splits(rows()[rows()["draws"] == kinds()[0]]))  # of sign and of size
    return {
        "pairs": f"{pairs}",
        "draws": " and ".join(kinds()),
        "shuffles": f"{PERMUTATIONS:,}",
        "by_luck": f"{CHANCE:g}",
        "tests": f"{tests}",
        "pages": f"{1 / (CHANCE * tests):.0f}",
    }


def scale_of(unit: str) -> tuple[float, str]:
    """Return the factor and the name of the unit in which numbers of a unit are shown."""
    if unit.startswith("PFh") and unit != "PFh per M¥" or unit in ("t", "MWh"):
        return 1e-6, f"million {unit.replace(', FP32-equivalent', '')}"
    return (100.0, "percentage points") if unit == "share" else (1.0, unit)


def size(value: float, unit: str) -> str:
    """Return a number of three digits in the unit that is shown."""
    shown = value * scale_of(unit)[0]
    return f"{shown:,.0f}" if abs(shown) >= 1000 else f"{shown:.3g}"


def unit_of(unit: str) -> str:
    """Return the unit that `size` shows."""
    return scale_of(unit)[1]


def cell(row: pd.Series) -> str:
    """Return median, interval, word and share of one row."""
    middle, low, high = (size(row[end], row["unit"]) for end in ("median", "low_90", "high_90"))
    if row["median"] != row["median"]:
        return "no ratio: the money is not shown to be above or below zero"
    words = f"{middle} [{low}, {high}]"
    if not row["sureness"]:
        return words
    way = "more" if row["share_above_zero"] >= 0.5 else "less"
    shown = row["sureness"] in ("no_visible_change", "open")
    word = WORDS[row["sureness"]] if shown else f"{WORDS[row['sureness']]} {way}"
    return f"{words} · **{word}** ({row['share_of_sign']:.2f})"


def chosen(question: str, **where: str) -> pd.DataFrame:
    """Return rows of a question."""
    found = rows()[rows()["question"] == question]
    for name, value in where.items():
        found = found[found[name] == value]
    return found


def said(question: str, case: str, outcome: str, setting: str = "as drawn") -> Markup:
    """Return one comparison in a line: what the surest draws that there are say."""
    found = chosen(question, case=case, outcome=outcome, setting=setting, rules=OWN)
    (row,) = (row for _, row in found.iterrows() if row["draws"] == kinds()[0])
    return Markup(f"{cell(row)} {unit_of(row['unit'])}")


def answers(question: str) -> Markup:
    """Return the table of a question: all its comparisons, draws beside each other."""
    keys = chosen(question)[["case", "setting", "outcome", "unit"]].drop_duplicates()
    return table(question, keys, [(one, OWN) for one in kinds()], kinds())


def decisions() -> Markup:
    """Return the first outcome of every comparison, as it is and at mean rules."""
    surest = kinds()[0]
    first = splits(rows()[rows()["draws"] == surest])
    columns = [(surest, OWN), (surest, MEAN), (surest, ADDED)]
    heads = ["as it is", "at mean rules", "what decisions add"]
    return table("", first[["case", "setting", "outcome", "unit"]], columns, heads)


def table(
    question: str, keys: pd.DataFrame, columns: list[tuple[str, str]], heads: list[str]
) -> Markup:
    """Return rows of the record as a table; `columns` are the draws and rules of each."""
    lines = ["", f"| Comparison | World | Outcome | {' | '.join(heads)} |"]
    lines.append("|---|---|---|" + "---|" * len(heads))
    record = chosen(question) if question else rows()
    indexed = record.set_index(["case", "setting", "outcome", "draws", "rules"]).sort_index()
    for key in keys.itertuples(index=False):
        places = [(key.case, key.setting, key.outcome, *column) for column in columns]
        cells = [cell(indexed.loc[[at]].iloc[0]) if at in indexed.index else "–" for at in places]
        name = f"`{key.outcome}`, {unit_of(key.unit)}"
        lines.append(f"| {' | '.join([f'`{key.case}`', key.setting, name, *cells])} |")
    return Markup("\n".join(lines))


def splits(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose effect was split by every factor: the first of each comparison."""
    return table[table["sign"] != ""]


def depends(question: str) -> Markup:
    """Return on what the sign of each comparison depends, a line each."""
    lines = [""]
    for _, row in splits(chosen(question)).iterrows():
        at = "" if row["setting"] == "as drawn" else f", {row['setting']}"
        shares = " / ".join(f"{row[f'sign_{end}']:.2f}" for end in ENDS)
        words = f"- `{row['case']}`{at}, `{row['outcome']}` ({row['draws']}): "
        if row["sign_told"]:
            words += f"the sign goes with {named(row['sign'])}: above zero in {shares} of its "
            words += f"lowest, middle and highest third; {even(row)}."
        else:
            words += f"no factor decides the sign (the strongest, `{row['sign']}`: {shares}, "
            words += "no more than luck brings)."
        if row["size_told"] and row["size"] != row["sign"]:
            ends = [size(row[f"size_{end}"], row["unit"]) for end in ENDS]
            words += f" The size goes with {named(row['size'])}: medians {' / '.join(ends)}."
        lines.append(words)
    return Markup("\n".join(lines))


def named(factor: str) -> str:
    """Return a factor with its meaning, where it is a parameter."""
    row = parameters().get(factor)
    return f"`{factor}` ({row.meaning}; {row.low:g} to {row.high:g})" if row else f"`{factor}`"


def even(row: pd.Series) -> str:
    """Return where the median effect is zero."""
    if row["break_even"] == row["break_even"]:
        return f"the median effect is zero at {row['break_even']:.3g}"
    return "the medians of the thirds have one sign, so there is no break-even inside its range"


def natural() -> Markup:
    """Return what runs say of the events of the past."""
    lines = [
        "",
        f"| Event | Outcome | {' | '.join(kinds())} |",
        "|---|---|" + "---|" * len(kinds()),
    ]
    table = chosen(NATURAL)
    for (case, outcome), mine in table.groupby(["case", "outcome"], sort=False):
        cells = [cell(row) for one in kinds() for _, row in mine[mine["draws"] == one].iterrows()]
        lines.append(f"| `{case}` | `{outcome}`, % | {' | '.join(cells)} |")
    return Markup("\n".join(lines))


def contents() -> dict[str, object]:
    """Return what the template of the page names."""
    return {
        "finding": facts, "said": said, "answers": answers, "depends": depends,
        "decisions": decisions, "natural": natural,
    }  # fmt: skip
