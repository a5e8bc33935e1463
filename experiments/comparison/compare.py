"""Policy packages against a reference: paired differences, their intervals and their cost.

Nothing heavy is imported until a comparison runs: the command line imports this package to start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ecosystem.inputs.faults import FaultList
    from ecosystem.inputs.scenario import ResolvedScenario
    from ecosystem.runs.result import Result
    from experiments.report.charts import Chart

DIMENSIONS = ("region", "tier", "kind", "domain")
LEVELS = ("national", "provincial", "prefecture")
NET_COST = "net_public_cost"
UNSPENT = "unspent"
PAID = {level: f"public_cost_{level}" for level in LEVELS}
MONEY_UNIT = 100.0
"""Effects are stated for this many million yuan of extra net public cost."""


def scenarios_with_reference(scenarios: Any, reference: Any) -> tuple[list[ResolvedScenario], str]:
    """Resolve what is to be compared, the reference among it, and return the reference's name.

    Raises
    ------
    InputError
        With every fault of every scenario, and every name that stands twice.
    """
    from ecosystem.inputs.arguments import listed
    from ecosystem.inputs.faults import FaultList, InputError
    from ecosystem.inputs.scenario import package_names, resolve

    faults = FaultList()
    resolved: list[ResolvedScenario] = []
    for item in [*(package_names() if scenarios is None else listed(scenarios)), reference]:
        try:
            resolved.append(resolve(item))
        except InputError as error:
            faults.faults += [fault for fault in error.faults if fault not in faults.faults]
    faults.raise_if_any()
    *compared, base = resolved
    if base.digest not in {scenario.digest for scenario in compared}:
        compared.append(base)
    names = [scenario.name for scenario in compared]
    for name in sorted({name for name in names if names.count(name) > 1}):
        faults.add("scenarios", name, "names that differ, so that results can be told apart")
    faults.raise_if_any()
    return compared, base.name


def headline_outcomes() -> list[str]:
    """Return the names of the fixed first table of every comparison, in its order."""
    from ecosystem.inputs.catalogue import outcomes

    return [name for name, row in outcomes().items() if row.headline]


def chosen_outcomes(faults: FaultList, names: object, whole: bool = False) -> tuple[str, ...]:
    """Return the outcomes that are asked for, each once, or the headline ones for None.

    Notes unknown names, and outcomes with parts where only `whole` ones will do.
    """
    from ecosystem.inputs.arguments import listed
    from ecosystem.inputs.catalogue import outcomes

    if names is None:
        return tuple(headline_outcomes())
    asked = listed(names)
    if not asked:
        faults.add("outcomes", names, "at least one outcome")
    valid = [name for name, row in outcomes().items() if not (whole and row.dimension)]
    found = [name for name in asked if faults.name("outcomes", name, valid)]
    return tuple(dict.fromkeys(found))


def needed_outcomes(wanted: Sequence[str] | None = None) -> list[str]:
    """Return what is run for a comparison of some outcomes: they, the money and the objective."""
    from experiments.comparison.payback import NEEDED
    from experiments.comparison.regret import OBJECTIVE

    chosen = headline_outcomes() if wanted is None else wanted
    return list(dict.fromkeys([*chosen, NET_COST, UNSPENT, *PAID.values(), *NEEDED, OBJECTIVE]))


def compare(
    scenarios: Any = None,
    reference: Any = "history",
    *,
    replicates: int = 100,
    seed: int = 1,
    until: str = "2035Q4",
    world: str = "full",
    shock: str | None = None,
    budget: float | str | None = None,
    parameters: Mapping[str, float] | None = None,
    fixed_parameters: bool = False,
    jobs: int | None = None,
    outcomes: str | Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
    executor: Any = None,
    cluster: str | None = None,
    out: Path | str | None = None,
) -> Comparison:
    """Run scenarios and compare each with the reference, replicate by replicate.

    Replicate r has the same luck and the same parameter draw in every scenario, so that a pair
    differs by policy alone.

    Parameters
    ----------
    scenarios
        Package names, TOML paths or `Scenario` objects, one or several; None for all packages.
    reference
        What the others are compared with; added if it is not among them.
    replicates
        Number of pairs.
    seed
        Seed of all chance.
    until
        Last quarter, such as "2035Q4"; not before 2025Q3, when packages begin.
    world
        "full", "teaching" or the path of a world's tables.
    shock
        Name of a shock that hits every scenario, the reference too.
    budget
        Planned present value of every package, million yuan; "article" for that of the article at
        default spending; "own" for each package's own; None for what its file says.
    parameters
        Parameter values set instead of a draw, in every scenario.
    fixed_parameters
        Keep every parameter at its default; intervals then show luck alone.
    jobs
        Number of workers; None for one a core.
    outcomes
        One name or several; None for the headline set.
    progress
        Called with the work done and the work in all.
    executor, cluster, out
        Where runs take place and where they are kept; see `ecosystem.runs.simulate.simulate`.

    Raises
    ------
    InputError
        With everything that is wrong in the arguments and in the files they name.
    """
    from ecosystem.inputs.arguments import check_arguments, checked_parameters
    from ecosystem.inputs.calendar import POLICY_START
    from ecosystem.inputs.faults import FaultList
    from ecosystem.runs.simulate import simulate
    from experiments.command.faults import collected
    from experiments.comparison.budget import read_budget, with_budget

    faults = FaultList()
    found = collected(faults, lambda: scenarios_with_reference(scenarios, reference))
    check_arguments(
        faults, replicates=replicates, seed=seed, until=until, jobs=jobs, shock=shock,
        first=POLICY_START, fixed_parameters=fixed_parameters,
    )  # fmt: skip
    money = collected(faults, lambda: read_budget(budget))
    given = checked_parameters(faults, parameters)
    wanted = chosen_outcomes(faults, outcomes)
    faults.raise_if_any()
    resolved, base = found or ([], "")
    require_something_to_compare(resolved, base)
    resolved = [replace(one, parameters={**one.parameters, **given}) for one in resolved]
    result = simulate(
        [with_budget(one, money) for one in resolved], replicates=replicates, seed=seed,
        until=until, world=world, shock=shock, fixed_parameters=fixed_parameters, jobs=jobs,
        outcomes=needed_outcomes(wanted), progress=progress,
        executor=executor, cluster=cluster, out=out,
    )  # fmt: skip
    return Comparison.of(result, base, wanted)


def require_something_to_compare(resolved: Sequence[ResolvedScenario], base: str) -> None:
    """Raise InputError where nothing stands beside the reference."""
    from ecosystem.inputs.faults import FaultList

    faults = FaultList()
    if all(scenario.name == base for scenario in resolved):
        faults.add("scenarios", base, "at least one scenario beside the reference")
    faults.raise_if_any()


@dataclass(frozen=True)
class Comparison:
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
        `monte_carlo_error` is the standard error of the median (Maritz–Jarrett), which more
        replicates shrink; `share_above_zero` counts no ties; `reads_zero` says that the 90 %
        interval holds zero. `per_100` with `per_100_low` and `per_100_high` is the ratio of mean
        effect to mean extra net public cost times 100 M¥ with its 90 % bootstrap interval, empty
        where `reads_zero`, of fewer than 20 pairs, or where no extra cost is shown.
        `reference_median` is of all runs of the reference that ended well.
    differences
        The pairs: one column a package, one row an outcome and replicate.
    packages
        What each package is: instruments, planned and paid money, who pays; what the money moves
        and when it is paid back.
    """

    result: Result
    reference: str
    outcomes: tuple[str, ...]
    table: pd.DataFrame
    differences: pd.DataFrame
    packages: pd.DataFrame

    @classmethod
    def of(
        cls, result: Result, reference: str, outcomes: Sequence[str] | None = None
    ) -> Comparison:
        """Compare the scenarios of a result that is there already."""
        from experiments.comparison.package_facts import package_facts
        from experiments.comparison.payback import payback_facts

        summary = result.summary()
        present = [name for name in dict.fromkeys(summary["outcome"]) if name]
        chosen = tuple(outcomes if outcomes is not None else present)
        differences, levels = paired_differences(summary, reference)
        table = comparison_table(differences, levels, chosen)
        facts = package_facts(result, summary, reference, PAID)
        facts = facts.merge(payback_facts(result, reference), on="package", how="left")
        return cls(result, reference, chosen, table, differences, facts)

    def title(self, name: str, lang: str = "en") -> str:
        """Return the title of a scenario."""
        return self.result.titles[name][lang]

    @property
    def regret(self) -> pd.DataFrame:
        """Regret of every package, the reference too; see `regret_table`.

        A package of which every run failed is left out, for there is no draw in which it is known;
        a single one that is left has nothing to regret.
        """
        from experiments.comparison.regret import regret_of

        alive = [
            place for place, name in enumerate(self.result.scenarios) if self.result.used_runs(name)
        ]
        return regret_of(
            replace(
                self.result,
                resolved=tuple(self.result.resolved[place] for place in alive),
                summaries={
                    name: value[alive]
                    for name, value in self.result.summaries.items()
                    if len(alive) > 1
                },
            )
        )

    @property
    def pairs(self) -> dict[str, int]:
        """Number of pairs of each package: replicates in which neither of its two runs failed."""
        whole = self.differences.notna().groupby(level="replicate").all().sum()
        return {str(name): int(count) for name, count in whole.items()}

    def rows(self, outcome: str) -> pd.DataFrame:
        """Return the rows of one outcome, best package first."""
        rows = self.table[self.table["outcome"] == outcome]
        if rows.empty:
            from ecosystem.inputs.faults import FaultList

            faults = FaultList()
            if outcome in self.outcomes:
                faults.add("outcome", outcome, "a comparison in which not every pair has failed")
            faults.name("outcome", outcome, self.outcomes)
            faults.raise_if_any()
        return rows

    def to_xarray(self) -> xr.Dataset:
        """Return the table and the pairs as one labelled dataset.

        Statistics have the dimensions (package, outcome), `difference` also replicate. Parts of an
        outcome, such as tiers, are outcomes named `outcome[part]`.
        """
        import xarray as xr

        table = self.table.assign(outcome=[_key(row) for row in row_dicts(self.table)])
        statistics = table.drop(columns=["unit", "time_base", *_used(table)])
        pairs = self.differences.melt(ignore_index=False, value_name="difference").reset_index()
        pairs["outcome"] = [_key(row) for row in row_dicts(pairs)]
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

    def figure(self, outcome: str | None = None, lang: str = "en") -> Chart:
        """Draw the ranked paired differences of one outcome, by default the first of the table."""
        from experiments.report.presentation import difference_chart

        return difference_chart(self, outcome or self.outcomes[0], lang)

    def save(self, directory: Path | str, lang: str = "en") -> list[Path]:
        """Write tables and figures into a folder that exists, and return the paths.

        Raises
        ------
        OSError
            The folder is missing or cannot be written to.
        """
        from experiments.report.presentation import save_comparison

        return save_comparison(self, Path(directory), lang)

    def _repr_html_(self) -> str:
        """Show in a notebook what was run, how often, and the intervals."""
        from experiments.report.presentation import comparison_html

        return comparison_html(self)


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
    import pandas as pd

    from ecosystem.inputs.catalogue import outcomes as catalogue
    from experiments.comparison.intervals import clear_of_zero, describe, ratio_of_means

    groups = ["outcome", *DIMENSIONS]
    costs = differences.xs(NET_COST, level="outcome") if _has(differences, NET_COST) else None
    blocks = []
    for key, block in differences.groupby(level=groups, sort=False):
        row = catalogue()[str(key[0])]
        if row.name not in outcomes:
            continue
        level = float(levels.loc[block.index].median())
        rows = []
        for package in block.columns[block.notna().any()]:
            facts = describe(block[package].to_numpy())
            ratio = (float("nan"),) * 3
            if costs is not None and row.name != NET_COST and clear_of_zero(facts):
                ratio = ratio_of_means(block[package].to_numpy(), costs[package].to_numpy())
            rows.append(
                dict(zip(groups, key, strict=True))
                | {"package": package, "unit": row.unit, "time_base": row.time_base}
                | facts
                | {"reference_median": level, "per_100": MONEY_UNIT * ratio[0]}
                | {"per_100_low": MONEY_UNIT * ratio[1], "per_100_high": MONEY_UNIT * ratio[2]}
            )
        if not rows:
            continue
        frame = pd.DataFrame(rows)
        frame["rank"] = frame["median"].rank(ascending=row.better == "lower", method="min")
        blocks.append(frame.sort_values("rank", kind="stable"))
    if not blocks:
        return pd.DataFrame(columns=["package", "outcome"])
    table = pd.concat(blocks, ignore_index=True)
    order = {name: place for place, name in enumerate(outcomes)}
    table = table.sort_values("outcome", key=lambda names: names.map(order), kind="stable")
    table["rank"] = table["rank"].astype("Int64")
    unused = [name for name in DIMENSIONS if (table[name] == "").all()]
    front = ["package", "outcome", "rank"]
    rest = [name for name in table.columns if name not in front and name not in unused]
    return table[[*front, *rest]].reset_index(drop=True)


def row_dicts(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame whose columns are named by text."""
    return cast("list[dict[str, Any]]", frame.to_dict("records"))


def _has(differences: pd.DataFrame, outcome: str) -> bool:
    return outcome in differences.index.get_level_values("outcome")


def _used(frame: pd.DataFrame) -> list[str]:
    """Return the parts that a table has columns for."""
    return [name for name in DIMENSIONS if name in frame.columns]


def _key(row: Mapping[str, Any]) -> str:
    """Return an outcome with its part, such as `servers[intelligent]`."""
    parts = [str(row[name]) for name in DIMENSIONS if row.get(name)]
    return f"{row['outcome']}[{', '.join(parts)}]" if parts else str(row["outcome"])
