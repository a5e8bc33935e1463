"""How far a shock throws a package back, how long for, and the worst of several shocks.

Every run under a shock has a twin without it: same package, same luck, same parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from ecosystem.inputs.entries import ShockUse
from ecosystem.inputs.options import Options
from ecosystem.inputs.scenario import ResolvedScenario
from ecosystem.maths.arrays import Array
from ecosystem.runs.design import use_label
from ecosystem.runs.result import Result, titles_of
from experiments.comparison.intervals import describe
from experiments.comparison.regret import OBJECTIVE, regret_table
from experiments.comparison.simulated import simulated
from experiments.comparison.sureness import visible

SERIES = ("local_value_added_net", "compute_exported")
"""Outcomes, quarter by quarter, whose resilience is measured."""
WINDOW = 16
"""Quarters after the first of a shock over which losses add up."""
TOLERANCE, CALM = 0.05, 4
"""A run has recovered once its gap stays below this share for so many quarters."""


def gaps(shocked: Array, twin: Array) -> Array:
    """Return the share of the twin's level that is missing; NaN where the twin is not above 0."""
    positive = twin > 0
    return np.where(positive, (twin - shocked) / np.where(positive, twin, 1.0), np.nan)


def loss(shocked: Array, twin: Array) -> Array:
    """Return what is lost over the window as a share of what the twin makes in it.

    Parameters
    ----------
    shocked, twin
        Level by quarter from the first quarter of the shock, shape (runs, quarters); the window
        ends where the quarters do.

    Returns
    -------
    Array
        (runs,): sum of (twin - shocked) where that is above 0 over the sum of the twin, from 0;
        gains do not make up for losses. NaN where the twin's sum is not above 0.
    """
    twin, shocked = twin[:, : WINDOW + 1], shocked[:, : WINDOW + 1]
    whole = twin.sum(axis=1)
    lost = np.maximum(twin - shocked, 0.0).sum(axis=1)
    return np.where(whole > 0, lost / np.where(whole > 0, whole, 1.0), np.nan)


def depth(shocked: Array, twin: Array) -> Array:
    """Return the largest gap as a share of the twin's level in its quarter, (runs,), at least 0."""
    return np.maximum(np.nan_to_num(gaps(shocked, twin)).max(axis=1), 0.0)


def recovery_time(shocked: Array, twin: Array) -> Array:
    """Return quarters from the start of the shock to recovery, (runs,).

    A run recovers in the first quarter, after its gap has first reached 5 %, from which on the gap
    stays below 5 % for four quarters. 0 where the gap never reaches it; infinity where no recovery
    is seen within the quarters given (censored).
    """
    hurt = np.nan_to_num(gaps(shocked, twin)) >= TOLERANCE
    struck = np.maximum.accumulate(hurt, axis=1)
    found = np.full(len(hurt), np.inf)
    for quarter in range(hurt.shape[1] - CALM, -1, -1):
        calm = struck[:, quarter] & ~hurt[:, quarter : quarter + CALM].any(axis=1)
        found[calm] = quarter
    return np.where(struck[:, -1], found, 0.0)


@dataclass(frozen=True)
class ResilienceResult:
    """What shocks do to packages.

    Parameters
    ----------
    table
        One row an outcome, package and shock: the `pairs` of runs that ended well, of these the
        medians of `loss` and `depth` with 90 % intervals, whose bounds are runs that were seen,
        median `recovery` in quarters (infinite where more than half of the runs are censored), and
        the share `censored`.
    robustness
        One row an outcome and package: median and 90 % interval of the smallest, over the shocks,
        of 1 less the loss, the `pairs` of which it is known under all of them, and the `worst`
        shock by median loss.
    titles
        Titles of the packages by language.
    regret
        Regret of the packages over all draws without a shock and under each shock that hits all
        of them, see `regret_table`; empty where fewer than two are compared.
    """

    table: pd.DataFrame
    robustness: pd.DataFrame
    titles: dict[str, dict[str, str]]
    regret: pd.DataFrame = field(default_factory=pd.DataFrame)

    @classmethod
    def of(cls, scenarios: Sequence[ResolvedScenario], asked: Options) -> Self:
        """Run scenarios under each of their shocks alone, and without any.

        Parameters
        ----------
        scenarios
            With their shocks; those without one within the runs are left out.
        asked
            How they are run; its `outcomes`, without parts, are `SERIES` by default.
        """
        outcomes = asked.outcomes or SERIES
        single = [(one, use) for one in scenarios for use in one.shocks if use.start <= asked.last]
        struck = [one for one in scenarios if any(one is other for other, _ in single)]
        if not struck:
            return cls(pd.DataFrame(), pd.DataFrame(), {})
        twins = [replace(scenario, shocks=()) for scenario in struck]
        runs = [*twins, *(replace(one, shocks=(use,)) for one, use in single)]
        result = simulated(runs, asked.with_(outcomes=outcomes))
        place = {scenario.name: number for number, scenario in enumerate(twins)}
        rows: list[dict[str, Any]] = []
        losses: dict[tuple[str, str], dict[str, Array]] = {}
        for outcome in outcomes:
            series = result.series[outcome][..., 0]
            for run, (scenario, use) in enumerate(single, start=len(twins)):
                number = place[scenario.name]
                pair = series[run][:, use.start :], series[number][:, use.start :]
                losses.setdefault((outcome, scenario.name), {})[use_label(use)] = loss(*pair)
                rows.append({"outcome": outcome, "package": scenario.name} | _facts(use, *pair))
        titles = titles_of(struck)
        regret = _regret(struck, single, result)
        return cls(pd.DataFrame(rows), _robustness(losses), titles, regret)


def _regret(
    struck: Sequence[ResolvedScenario],
    single: Sequence[tuple[ResolvedScenario, ShockUse]],
    result: Result,
) -> pd.DataFrame:
    """Return regrets over the draws of the twins, then of each shock that all packages share."""
    if OBJECTIVE not in result.summaries or len(struck) < 2:
        return pd.DataFrame()
    values = result.summaries[OBJECTIVE][..., 0]
    alive = [i for i in range(len(struck)) if np.isfinite(values[i]).any()]
    if len(alive) < 2:
        return pd.DataFrame()
    place = {(one.name, use): len(struck) + i for i, (one, use) in enumerate(single)}
    states, struck = [values[alive]], [struck[i] for i in alive]
    for use in struck[0].shocks:
        runs = [place[one.name, use] for one in struck if (one.name, use) in place]
        states += [values[runs]] if len(runs) == len(struck) else []
    return regret_table([one.name for one in struck], np.concatenate(states, axis=1))


def _facts(use: ShockUse, shocked: Array, twin: Array) -> dict[str, Any]:
    """Return the row of one package under one shock."""
    facts: dict[str, Any] = {"shock": use_label(use), "amplitude": use.amplitude}
    ended_well = np.isfinite(shocked).all(axis=1) & np.isfinite(twin).all(axis=1)
    shocked, twin = shocked[ended_well], twin[ended_well]
    facts["pairs"] = len(twin)
    for name, values in (("loss", loss(shocked, twin)), ("depth", depth(shocked, twin))):
        facts |= _quantiles(name, values)
    time = recovery_time(shocked, twin) if len(twin) else np.array([np.nan])
    facts["recovery"] = float(np.quantile(time, 0.5, method="inverted_cdf"))
    facts["censored"] = float(np.mean(np.isinf(time))) if len(twin) else np.nan
    return facts


def _quantiles(name: str, values: Array) -> dict[str, float]:
    facts = describe(values, visible("share"))
    return {name: facts["median"]} | {f"{name}_{end}": facts[end] for end in ("low_90", "high_90")}


def _robustness(losses: dict[tuple[str, str], dict[str, Array]]) -> pd.DataFrame:
    """Return the smallest 1 - loss over the shocks, run by run, summarised."""
    rows = []
    for (outcome, package), by_shock in losses.items():
        medians = {name: _quantiles("loss", values)["loss"] for name, values in by_shock.items()}
        worst = max(medians, key=lambda name: float(np.nan_to_num(medians[name], nan=-np.inf)))
        least = 1 - np.max(np.stack(list(by_shock.values())), axis=0)
        row = {"outcome": outcome, "package": package, "shocks": len(by_shock), "worst": worst}
        row |= {"pairs": int(np.isfinite(least).sum())}
        rows.append(row | _quantiles("robustness", least))
    return pd.DataFrame(rows)
