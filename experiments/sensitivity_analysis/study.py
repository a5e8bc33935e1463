"""Which uncertain numbers decide what policies do: a SALib study of outcomes and paired effects."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecosystem.inputs.arguments import check_shock, checked_parameters
from ecosystem.inputs.faults import FaultList
from ecosystem.maths.arrays import Array
from experiments.command.faults import collected
from experiments.comparison.compare import scenarios_with_reference
from experiments.sensitivity_analysis.chance import ENDS, share_columns
from experiments.sensitivity_analysis.factors import DUMMY, NEAR_DUMMY
from experiments.sensitivity_analysis.plan import HORIZON, Study, Values, plan_study, run_study
from experiments.sensitivity_analysis.salib_study import (
    INDICES,
    MAIN,
    NEAR_SHARE,
    NOT_COMMON,
    Analysis,
    analyse,
)

if TYPE_CHECKING:
    import pandas as pd

    from ecosystem.inputs.scenario import ResolvedScenario
    from ecosystem.runs.chunks import Model
    from ecosystem.runs.design import Integers
    from experiments.report.charts import Chart

LEVEL, EFFECT = "level", "effect"
COMMON = ("package", "quantity", "group", "outcome", "outcome_unit", "period")


def sensitivity(
    scenarios: Any = None,
    reference: Any = "history",
    *,
    method: str = "morris",
    trajectories: int | None = None,
    samples: int | None = None,
    second_order: bool = False,
    factors: str | Path | Sequence[str] | Mapping[str, Sequence[Any]] | None = None,
    replicates: int = 1,
    seed: int = 1,
    until: str = "2035Q4",
    world: str | Path = "full",
    shock: str | None = None,
    budget: float | str | None = None,
    parameters: Mapping[str, float] | None = None,
    fixed_parameters: bool = False,
    outcomes: str | Sequence[str] | None = None,
    years: bool = True,
    model: Model | None = None,
    executor: Any = None,
    cluster: str | None = None,
    jobs: int | None = None,
    out: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Sensitivity:
    """Run scenarios over a sample of factors and say which factors move outcomes and effects.

    All points of a Morris trajectory or Saltelli block share luck, and so do all scenarios, so
    that neither an index nor a paired effect takes chance for a factor.

    Parameters
    ----------
    scenarios
        Package names, TOML paths or `Scenario` objects, one or several; None for all packages.
    reference
        What paired effects are taken from; added if it is not among them.
    method
        ``morris`` (screening: elementary effects) or ``sobol`` (shares of variance).
    trajectories
        Morris trajectories; None for 20.
    samples
        Blocks of the Sobol' sequence, a power of 2; None for 64.
    second_order
        Sobol indices of pairs of factors too; twice the runs.
    factors
        See `experiments.sensitivity_analysis.factors.read_factors`; None for the default study.
    replicates
        Runs of each scenario and point; their mean is analysed.
    seed
        Seed of the sample, of all luck and of the bootstrap, at least 1.
    until, world, shock, budget, parameters, executor, cluster, jobs
        As in `experiments.faces.compare` and `ecosystem.runs.runner.run_design`.
    fixed_parameters
        Uncertain parameters that are no factor stay at their defaults instead of being drawn for
        each block.
    outcomes
        Outcomes without parts, one name or several; None for the headline set.
    years
        Indices by year too.
    model
        A model of one's own instead of scenarios, as `run_design` takes it. What is said of
        scenarios, their parameters, outcomes or time is then refused.
    out
        Folder in which runs are kept, so that a killed study goes on.
    progress
        Called with the number of finished and of all runs.

    Raises
    ------
    InputError
        With everything that is wrong.
    FloatingPointError
        Every run failed.
    """
    resolved: list[ResolvedScenario] = []
    base = ""
    if model is None:
        resolved, base = studied(scenarios, reference, shock, budget, parameters)
    else:
        refuse_without_scenarios(
            scenarios=scenarios, reference=reference, until=until, world=world, shock=shock,
            budget=budget, parameters=parameters, fixed_parameters=fixed_parameters,
            outcomes=outcomes,
        )  # fmt: skip
    study = plan_study(
        resolved, base, method=method, trajectories=trajectories, samples=samples,
        second_order=second_order, factors=factors, replicates=replicates, outcomes=outcomes,
        fixed_parameters=fixed_parameters, years=years, model=model, seed=seed, until=until,
        world=world, executor=executor, cluster=cluster, jobs=jobs,
    )  # fmt: skip
    return Sensitivity.of(study, run_study(study, out, progress))


def studied(
    scenarios: Any, reference: Any, shock: str | None, budget: Any, parameters: Any
) -> tuple[list[ResolvedScenario], str]:
    """Return the scenarios of a study as they are run, and the name of the reference.

    Raises
    ------
    InputError
        With everything that is wrong.
    """
    from ecosystem.inputs.scenario import with_overrides
    from experiments.comparison.budget import read_budget, with_budget

    faults = FaultList()
    found = collected(faults, lambda: scenarios_with_reference(scenarios, reference))
    check_shock(faults, shock)
    money = collected(faults, lambda: read_budget(budget))
    values = checked_parameters(faults, parameters)
    faults.raise_if_any()
    resolved, base = found or ([], "")
    shocks = [] if shock is None else [shock]
    resolved = [replace(one, parameters={**one.parameters, **values}) for one in resolved]
    return [with_budget(with_overrides(one, (), shocks), money) for one in resolved], base


def refuse_without_scenarios(**given: Any) -> None:
    """Raise InputError where a model of one's own is given what scenarios alone have a use for."""
    usual = inspect.signature(sensitivity).parameters
    faults = FaultList()
    for name, value in given.items():
        default = usual[name].default
        if value is not default and value != default:
            faults.add(name, value, "left out: a model of your own has no use for it")
    faults.raise_if_any()


@dataclass(frozen=True)
class Sensitivity:
    """What a sensitivity study found.

    Parameters
    ----------
    study
        What was run.
    table
        One row a package, quantity (level, or effect against the reference), outcome and factor,
        over the outcome's own time base. Morris: `mu`, `mu_star` and `sigma` in the outcome's
        unit, of changes over two thirds of a factor's range times 1.5; Sobol: `first` and `total`
        shares of variance, without unit. `_low` and `_high` lie 1.96 bootstrap standard deviations
        off (100 resamples), never below zero for `mu_star` and `total`. `rank` orders factors,
        `matters` says that the lower end lies above the near-dummy and luck is common.
        `chance_share` is the share of variance that luck has at a point, with an interval of
        percentiles; `other_share` that of luck and of the uncertain parameters that are no
        factor; `chance_blocks` says how many blocks they come from.
        `mean` and `sd` are the outcome's over the sample, in `outcome_unit`; `blocks` were
        analysed. `status` is ``ok`` or says what is wrong, see `salib_study`.
    by_year
        The same by year, without intervals of the shares.
    pairs
        Sobol indices of pairs, if asked for, else empty. `matters` says that the lower end lies
        above every pair of the dummy, which all come of noise.
    failed
        Runs that failed.
    """

    study: Study
    table: pd.DataFrame
    by_year: pd.DataFrame
    pairs: pd.DataFrame
    failed: list[dict[str, Any]]

    @classmethod
    def of(cls, study: Study, values: Values) -> Sensitivity:
        """Analyse what came of a study."""
        whole: list[dict[str, Any]] = []
        yearly: list[dict[str, Any]] = []
        pairs: list[dict[str, Any]] = []
        for quantity in quantities(study, values):
            found = analyse(
                study.sample, quantity.points, quantity.values, quantity.scale,
                pairs=quantity.period == HORIZON,
            )  # fmt: skip
            block = rows_of(quantity, found)
            (whole if quantity.period == HORIZON else yearly).append(block)
            if study.sample.second_order and quantity.period == HORIZON:
                pairs.append(pairs_of(quantity, found))
        ends = [name for name in whole[0] if name in ENDS]
        by_year = joined(yearly).drop(columns=ends, errors="ignore")
        return cls(study, joined(whole), by_year, joined(pairs), values.failed)

    def title(self, package: str, lang: str = "en") -> str:
        """Return the title of a package."""
        for scenario in self.study.scenarios:
            if scenario.name == package:
                return str(getattr(scenario, f"title_{lang}"))
        return package

    def figure(
        self, package: str | None = None, outcome: str | None = None, lang: str = "en"
    ) -> Chart:
        """Draw the plane or the bars of a package's effects, industry beside the ecosystem.

        Parameters
        ----------
        package
            By default the first that is not the reference.
        outcome
            One outcome instead of the first of either group.
        lang
            Language of the labels.

        Raises
        ------
        InputError
            The study has no such package or outcome.
        """
        from experiments.report.sensitivity_figures import package_chart

        return package_chart(self, package, outcome, lang)

    def heat_map(self, lang: str = "en") -> Chart:
        """Draw packages × factors, industry beside the innovation ecosystem."""
        from experiments.report.sensitivity_heat import heat_map

        return heat_map(self, lang)

    def text(self, lang: str = "en") -> str:
        """Return the factors that matter most as text."""
        from experiments.report.sensitivity_text import sensitivity_text

        return sensitivity_text(self, lang)

    def save(self, directory: Path | str, lang: str = "en") -> list[Path]:
        """Write tables and figures into a folder that exists, and return the paths.

        Raises
        ------
        OSError
            The folder is missing or cannot be written to.
        """
        from experiments.report.sensitivity_text import save_sensitivity

        return save_sensitivity(self, Path(directory), lang)

    def _repr_html_(self) -> str:
        """Show in a notebook what matters most."""
        import html

        return f"<pre>{html.escape(self.text())}</pre>"


@dataclass(frozen=True)
class Quantity:
    """One outcome of one package over one time, as it is analysed.

    Parameters
    ----------
    study
        Where it belongs.
    keys
        Values of the columns `COMMON`.
    points
        Number of the point that each value belongs to, (points,).
    values
        (points,).
    again
        The same of the repeats, (kinds of repeat, blocks).
    scale
        Largest level, against which rounding is judged.
    """

    study: Study
    keys: dict[str, str]
    points: Integers
    values: Array
    again: Array
    scale: float

    @property
    def period(self) -> str:
        """The time it is over."""
        return self.keys["period"]


def quantities(study: Study, values: Values) -> list[Quantity]:
    """Return levels of every scenario, and paired effects of those that are not the reference."""
    base = study.names.index(study.reference) if study.reference else None
    found = []
    for (outcome, period), levels in values.points.items():
        again = values.repeats[outcome, period]
        for place, package in enumerate(study.names):
            order = values.order[place]
            keys = keys_of(study, package, outcome, period)
            known = np.abs(levels[place][np.isfinite(levels[place])])
            scale = float(known.max()) if len(known) else 0.0
            found.append(Quantity(study, keys, order, levels[place], again[place], scale))
            if base is not None and place != base:
                effect, repeated = levels[place] - levels[base], again[place] - again[base]
                keys = keys | {"quantity": EFFECT}
                found.append(Quantity(study, keys, order, effect, repeated, scale))
    return found


def keys_of(study: Study, package: str, outcome: str, period: str) -> dict[str, str]:
    """Return the columns that all rows of a level share."""
    from ecosystem.inputs.catalogue import outcomes

    row = outcomes().get(outcome) if study.model is None else None
    return {
        "package": package,
        "quantity": LEVEL,
        "group": row.group if row else "",
        "outcome": outcome,
        "outcome_unit": row.unit if row else "",
        "period": period,
    }


def rows_of(quantity: Quantity, found: Analysis) -> dict[str, Any]:
    """Return the columns of one quantity, (factors,) each."""
    study = quantity.study
    names = study.sample.names
    main = found.indices[MAIN[study.sample.method]]
    rank = np.full(len(names), np.nan)
    if np.isfinite(main).all():
        rank[np.argsort(-main, kind="stable")] = np.arange(1, len(names) + 1)
    bar = NEAR_SHARE if study.sample.method == "sobol" else main[names.index(NEAR_DUMMY)]
    matters = found.indices[f"{MAIN[study.sample.method]}_low"] > bar
    matters &= NOT_COMMON not in found.status  # luck would be taken for factors
    shares = share_columns(quantity, found.sd)
    single = quantity.keys | shares | {"mean": found.mean, "sd": found.sd}
    single |= {"blocks": found.blocks, "status": found.status}
    columns: dict[str, Any] = {name: np.full(len(names), value) for name, value in single.items()}
    columns |= found.indices | {"rank": rank, "matters": matters}
    columns |= {"factor": np.array(names), "factor_group": groups_of(study)}
    front = [*COMMON, "factor", "factor_group", *INDICES[study.sample.method], "rank", "matters"]
    return {name: columns[name] for name in [*front, *shares, "mean", "sd", "blocks", "status"]}


def groups_of(study: Study) -> Any:
    """Return the group of each factor."""
    return np.array([factor.group for factor in study.factors])


def pairs_of(quantity: Quantity, found: Analysis) -> dict[str, Any]:
    """Return the second-order indices of one quantity, one row a pair."""
    names = np.array(quantity.study.sample.names)
    one, other = np.triu_indices(len(names), k=1)
    nothing = np.full((len(names), len(names)), np.nan)
    second, half = found.second or (nothing, nothing)
    share, reach = second[one, other], half[one, other]
    noise = share[(names[one] == DUMMY) | (names[other] == DUMMY)].max()
    low, high = share - reach, share + reach
    matters = (low > noise) & (NOT_COMMON not in found.status)
    last = {"blocks": found.blocks, "status": found.status}
    return {
        **{name: np.full(len(one), value) for name, value in quantity.keys.items()},
        **{"factor": names[one], "other_factor": names[other], "second": share},
        **{"second_low": low, "second_high": high, "matters": matters},
        **{name: np.full(len(one), value) for name, value in last.items()},
    }


def joined(blocks: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return blocks of columns as one frame."""
    import pandas as pd

    if not blocks:
        return pd.DataFrame()
    frame = pd.DataFrame(
        {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    )
    return frame.astype({"rank": "Int64"}) if "rank" in frame else frame
