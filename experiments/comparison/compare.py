"""Policy packages against a reference: paired differences, their intervals and their cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Self, cast

import numpy as np
import pandas as pd
import xarray as xr

from ecosystem.inputs.arguments import listed
from ecosystem.inputs.catalogue import outcomes as catalogue
from ecosystem.inputs.catalogue import tiers
from ecosystem.inputs.faults import FaultList, collected
from ecosystem.inputs.scenario import ResolvedScenario, package_names, resolve
from ecosystem.maths.arrays import Array
from ecosystem.runs.result import Result
from ecosystem.runs.table import DIMENSIONS
from experiments.comparison.beats import beats_table
from experiments.comparison.intervals import ENOUGH, describe, quantile, ratio_of_medians
from experiments.comparison.keyed import keyed_rows
from experiments.comparison.package_facts import PAID, UNSPENT, package_facts
from experiments.comparison.payback import NEEDED, payback_facts
from experiments.comparison.regret import OBJECTIVE, regret_of
from experiments.comparison.scoreboard import aimed_at, scoreboard_table
from experiments.comparison.sureness import sign_shown, visible

NET_COST = "net_public_cost"
MONEY_UNIT = 100.0
"""Effects are stated for this many million yuan of extra net public cost."""
REACTING = {
    name: row["part"]
    for name, row in keyed_rows("experiments.comparison", "reacting_parts.csv", "outcome").items()
}
"""For some outcomes another one, in the same unit, that is the part of it which can react."""


def scenarios_with_reference(scenarios: Any, reference: Any) -> tuple[list[ResolvedScenario], str]:
    """Resolve what is to be compared, the reference among it, and return the reference's name.

    Raises
    ------
    InputError
        With every fault of every scenario, and every name that stands twice.
    """
    faults = FaultList()
    items = [*(package_names() if scenarios is None else listed(scenarios)), reference]
    resolved = [collected(faults, partial(resolve, item)) for item in items]
    faults.raise_if_any()
    *compared, base = [scenario for scenario in resolved if scenario]
    if base.digest not in {scenario.digest for scenario in compared}:
        compared.append(base)
    names = [scenario.name for scenario in compared]
    for name in sorted({name for name in names if names.count(name) > 1}):
        faults.add("scenarios", name, "names that differ, so that results can be told apart")
    faults.raise_if_any()
    return compared, base.name


def headline_outcomes(*, whole: bool = False) -> list[str]:
    """Return the names of the fixed first table of every comparison, in its order.

    Or of these only the `whole` ones, which have no parts such as tiers.
    """
    rows = catalogue().items()
    return [name for name, row in rows if row.headline and not (whole and row.dimension)]


def needed_outcomes(wanted: Sequence[str] | None = None) -> list[str]:
    """Return what is run to compare some outcomes: they, the money, the objective, the aims."""
    chosen = headline_outcomes() if wanted is None else wanted
    parts = [REACTING[name] for name in chosen if name in REACTING]
    money = [NET_COST, UNSPENT, *PAID.values(), *NEEDED]
    return list(dict.fromkeys([*chosen, *parts, *money, OBJECTIVE, *aimed_at()]))


def require_something_to_compare(resolved: Sequence[ResolvedScenario], base: str) -> None:
    """Raise InputError where nothing stands beside the reference."""
    faults = FaultList()
    if all(scenario.name == base for scenario in resolved):
        faults.add("scenarios", base, "at least one scenario beside the reference")
    faults.raise_if_any()


@dataclass(frozen=True)
class ComparisonResult:
    """What a comparison found.

    Parameters
    ----------
    result
        The runs themselves.
    reference
        Name of the scenario that the others are compared with.
    outcomes
        Names of the compared outcomes, in the order of the table.
    table
        One row a package and outcome, best package first; a package without a single pair, since
        its runs or those of the reference failed, has none. `median`, `low_50` … `high_90` are of
        paired differences, package minus reference, over parameter draws and luck;
        `monte_carlo_error` is the standard error of the median and `low_90_error` … of the bounds
        (Maritz–Jarrett), which more replicates shrink; `share_above_zero` counts no ties.
        `share_of_sign` is the share of pairs with the more common sign, `share_low` its lower 90 %
        bound, and `sureness` the word for that (`experiments.comparison.sureness`).
        `percent_of_reference` is the median of the difference in per cent of the reference, pair by
        pair, with `percent_low_90` and `percent_high_90`; `percent_of_reacting` the same of the
        part that can react, `REACTING`; either is empty where its own base is not above zero in
        every pair. `per_100` with `per_100_low`
        and `per_100_high` is the median effect over the median extra net public cost, for 100 M¥,
        with its 90 % bootstrap interval, empty unless the sign is likely, of fewer than 20 pairs,
        or where no extra cost is shown. `reference_median` is of all runs of the reference that
        ended well.
    differences
        The pairs: one column a package, one row an outcome and replicate.
    packages
        What each package is: instruments, planned and paid money, who pays; what the money moves
        and when it is paid back.
    equal_money
        How plans of equal cost were found (`experiments.comparison.equal_money`); empty where
        plans were not sought.
    """

    result: Result
    reference: str
    outcomes: tuple[str, ...]
    table: pd.DataFrame
    differences: pd.DataFrame
    packages: pd.DataFrame
    equal_money: pd.DataFrame = field(default_factory=pd.DataFrame)

    @classmethod
    def of(cls, result: Result, reference: str, outcomes: Sequence[str] | None = None) -> Self:
        """Compare the scenarios of a result that is there already."""
        summary = result.summary()
        present = [name for name in dict.fromkeys(summary["outcome"]) if name]
        chosen = tuple(outcomes if outcomes is not None else present)
        differences, levels = paired_differences(summary, reference)
        table = comparison_table(differences, levels, chosen)
        facts = package_facts(result, reference)
        facts = facts.merge(payback_facts(result, reference), on="package", how="left")
        return cls(result, reference, chosen, table, differences, facts)

    def title(self, name: str, lang: str = "en") -> str:
        """Return the title of a scenario."""
        return self.result.titles[name][lang]

    @cached_property
    def regret(self) -> pd.DataFrame:
        """Regret of every package, the reference too; see `regret_table`."""
        return regret_of(self.result)

    @cached_property
    def scoreboard(self) -> pd.DataFrame:
        """How sure the aims of each paragraph of the article are; see `scoreboard_table`."""
        return scoreboard_table(self.differences)

    @cached_property
    def beats(self) -> pd.DataFrame:
        """In what share of the pairs each package beats each other one; see `beats_table`."""
        return beats_table(self.differences, self.reference, self.outcomes)

    @cached_property
    def beats_matrix(self) -> dict[str, dict[str, dict[str, float]]]:
        """The shares of `beats` by outcome (`outcome[part]`), package and other package."""
        found: dict[str, dict[str, dict[str, float]]] = {}
        for row in row_dicts(self.beats):
            own = found.setdefault(row["outcome"] + part_of(row), {})
            own.setdefault(row["package"], {})[row["other"]] = row["better_share"]
        return found

    @property
    def pairs(self) -> dict[str, int]:
        """Number of pairs of each package: replicates in which neither of its two runs failed."""
        whole = self.differences.notna().groupby(level="replicate").all().sum()
        return {str(name): int(count) for name, count in whole.items()}

    def rows(self, outcome: str) -> pd.DataFrame:
        """Return the rows of one outcome, best package first."""
        rows = self.table[self.table["outcome"] == outcome]
        if rows.empty:
            faults = FaultList()
            if outcome in self.outcomes:
                faults.add("outcome", outcome, "a comparison in which not every pair has failed")
            faults.name("outcome", outcome, self.outcomes)
            faults.raise_if_any()
        return rows

    def blocks(self, outcome: str | None = None) -> list[pd.DataFrame]:
        """Return the rows of each outcome, or of one, one frame for each of its parts."""
        rows = self.table if outcome is None else self.rows(outcome)
        keys = ["outcome", *(name for name in DIMENSIONS if name in rows.columns)]
        return [block for _, block in rows.groupby(keys, sort=False)]

    def to_xarray(self) -> xr.Dataset:
        """Return the table and the pairs as one labelled dataset.

        Statistics have the dimensions (package, outcome), `difference` also replicate. Parts of an
        outcome, such as tiers, are outcomes named `outcome[part]`.
        """
        table = self.table.assign(
            outcome=[row["outcome"] + part_of(row) for row in row_dicts(self.table)]
        )
        statistics = table.drop(columns=["unit", "time_base", *DIMENSIONS], errors="ignore")
        pairs = self.differences.melt(ignore_index=False, value_name="difference").reset_index()
        pairs["outcome"] = [row["outcome"] + part_of(row) for row in row_dicts(pairs)]
        pairs = pairs.rename(columns={"scenario": "package"})
        pairs = pairs[pairs["outcome"].isin(statistics["outcome"])]
        keys = ["package", "outcome", "replicate"]
        dataset = statistics.set_index(["package", "outcome"]).to_xarray()
        difference = pairs.set_index(keys)["difference"].to_xarray()
        attributes = {
            "reference": self.reference,
            "replicates": self.result.replicates,
            "seed": self.result.seed,
            "until": self.result.until,
            "world": self.result.world.name,
        }
        merged = xr.merge([dataset, difference.to_dataset()], join="outer", compat="equals")
        return merged.assign_attrs(attributes)


def paired_differences(
    summary: pd.DataFrame, reference: str
) -> tuple[pd.DataFrame, pd.Series[float]]:
    """Subtract the reference from every scenario, replicate by replicate.

    Parameters
    ----------
    summary
        `Result.summary()`: one value a scenario, replicate, outcome and part.
    reference
        Name of the scenario to subtract.

    Returns
    -------
    tuple
        Differences, indexed by outcome, parts and replicate with one column a package (NaN where
        a run failed); and the level of the reference with the same index.
    """
    keys = ["outcome", *DIMENSIONS, "replicate"]
    values = summary.assign(
        **{name: summary[name].astype("str").fillna("") for name in DIMENSIONS},
        outcome=summary["outcome"].astype("str"),
        scenario=summary["scenario"].astype("str"),
    )
    wide = values.pivot(index=keys, columns="scenario", values="value")
    levels = wide[reference]
    order = [name for name in dict.fromkeys(values["scenario"]) if name != reference]
    return wide[order].sub(levels, axis=0), levels.rename("reference")


def comparison_table(
    differences: pd.DataFrame, levels: pd.Series[float], outcomes: Sequence[str]
) -> pd.DataFrame:
    """Summarise paired differences; see `Comparison.table` for the columns."""
    groups = ["outcome", *DIMENSIONS]
    known = NET_COST in differences.index.get_level_values("outcome")
    costs = differences.xs(NET_COST, level="outcome") if known else None
    blocks = []
    for key, block in differences.groupby(level=groups, sort=False):
        row = catalogue()[str(key[0])]
        if row.name not in outcomes:
            continue
        level = levels.loc[block.index]
        base, part = np.asarray(level, dtype=float), _reacting(levels, row.name, level)
        rows = []
        for package in block.columns[block.notna().any()]:
            pairs = np.asarray(block[package], dtype=float)
            facts = describe(pairs, visible(row.unit))
            ratio = (float("nan"),) * 3
            enough = sign_shown(facts) and facts["pairs"] >= ENOUGH
            if costs is not None and row.name != NET_COST and enough:
                ratio = ratio_of_medians(pairs, costs[package].to_numpy())
            rows.append(
                dict(zip(groups, key, strict=True))
                | {"package": package, "unit": row.unit, "time_base": row.time_base}
                | facts
                | relative(pairs, base, part)
                | {"reference_median": float(level.median()), "per_100": MONEY_UNIT * ratio[0]}
                | {"per_100_low": MONEY_UNIT * ratio[1], "per_100_high": MONEY_UNIT * ratio[2]}
            )
        if not rows:
            continue
        frame = pd.DataFrame(rows)
        frame["rank"] = frame["median"].rank(ascending=row.better == "lower", method="min")
        blocks.append(frame.sort_values("rank", kind="stable"))
    if not blocks:
        return pd.DataFrame(columns=["package", "outcome"])
    from_core = [row.title_en for row in tiers().values()]
    blocks.sort(key=lambda rows: [*from_core, ""].index(rows["tier"].iloc[0]))
    table = pd.concat(blocks, ignore_index=True)
    order = {name: place for place, name in enumerate(outcomes)}
    table = table.sort_values("outcome", key=lambda names: names.map(order), kind="stable")
    table["rank"] = table["rank"].astype("Int64")
    unused = [name for name in DIMENSIONS if (table[name] == "").all()]
    front = ["package", "outcome", "rank"]
    rest = [name for name in table.columns if name not in front and name not in unused]
    return table[[*front, *rest]].reset_index(drop=True)


def _reacting(levels: pd.Series[float], outcome: str, level: pd.Series[float]) -> Array:
    """Return what can react of the level of an outcome, (pairs,): all of it unless declared."""
    name = REACTING.get(outcome)
    if name is None:
        return np.asarray(level, dtype=float)
    keys = [(name, *key[1:]) for key in level.index]  # the same parts and replicates
    return np.asarray(levels.reindex(keys), dtype=float)


def relative(pairs: Array, base: Array, part: Array) -> dict[str, float]:
    """Return paired differences in per cent of the reference and of what can react of it.

    Parameters
    ----------
    pairs
        Package minus reference, (pairs,).
    base, part
        Level of the reference, and of the part of it that can react, (pairs,).

    Returns
    -------
    dict
        `percent_of_reference` and `percent_of_reacting`, medians over the pairs, and the 90 % of
        the former; NaN where that which it is a share of is not above zero in every pair.
    """
    known = np.isfinite(pairs)

    def share(of: Array, name: str) -> float:
        above = (of[known] > 0).all()
        return quantile(100 * pairs[known] / of[known], name) if above else float("nan")

    return {
        "percent_of_reference": share(base, "median"),
        "percent_low_90": share(base, "low_90"),
        "percent_high_90": share(base, "high_90"),
        "percent_of_reacting": share(part, "median"),
    }


def row_dicts(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame whose columns are named by text."""
    return cast("list[dict[str, Any]]", frame.to_dict("records"))


def part_of(row: Any) -> str:
    """Return the part of an outcome, such as ``[intelligent]``; nothing for a whole."""
    parts = ", ".join(str(row[name]) for name in DIMENSIONS if row.get(name))
    return f"[{parts}]" if parts else ""
