"""Packages that cost the public the same: own money scaled until extra net public cost is equal.

Equal plans are not equal cost: claims stay below envelopes, a readier hub has to be kept up, more
rents and sales bring taxes. Here the plan of each package is sought at which its net public cost
beyond the reference, the median over pilot pairs of present values to the last quarter, is the
amount that was asked for. The median, since taxes have a long tail: the mean of 50 pairs of an
innovation package has a standard error of about a tenth of its money.

The pilots are the first `PILOTS` pairs of the comparison's own seed, with all that it is asked
with, so that their luck and parameter draws are those of its first pairs. A plan is rounded to four
digits before it is run: what is stored is what was run, on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ecosystem.inputs.scenario import ResolvedScenario, resolve
from ecosystem.inputs.schedule import build_schedule, discount_factors, public_discount_rate
from ecosystem.maths.arrays import Array
from experiments.comparison.budget import Priced, unscaled
from experiments.comparison.compare import NET_COST
from experiments.comparison.intervals import quantile_error
from experiments.comparison.options import ARTICLE, CompareOptions
from experiments.comparison.simulated import simulated

GROSS = "public_cost"
UNEVEN = 0.1
"""Extra costs that differ by more than this part of the largest are no equal money."""
PILOTS = 50
"""Pairs from which a cost is learned."""
TOLERANCE = 0.02
"""A cost is reached within this part of the amount."""
REACH = 10.0
"""A plan is sought from the amount over this to the amount times this, within the runs."""
TRIES, SECANTS, USUAL = 12, 4, 3
"""Plans tried of a package at most, of these by the secant, and commonly."""
DEFAULT = "article at default spending"
"""Name under which the article's cost is learned."""


class Try(NamedTuple):
    """A plan and what it costs: medians of pilot pairs beyond the reference, all in M¥.

    `error` is the standard error of `extra`, and `pilots` counts the pairs that ended in both.
    """

    planned: float
    extra: float
    gross: float = math.nan
    error: float = math.nan
    pilots: int = 0


def next_plan(tried: Sequence[Try], goal: float, start: float) -> float | None:
    """Return the plan to try next, M¥; None where the search has ended.

    The secant through the last two tries (before the first: no money costs nothing), within the
    reach; between a plan that costs too little and one that costs too much, never outside them, and
    after `SECANTS` tries their geometric mean.

    Parameters
    ----------
    tried
        What was tried so far.
    goal
        What the plan should cost, M¥.
    start
        The first plan, in the middle of the reach.
    """
    low, high = start / REACH, start * REACH
    if not tried:
        return _rounded(start)
    planned, extra = tried[-1][:2]
    if abs(extra - goal) <= TOLERANCE * goal or extra != extra or len(tried) == TRIES:
        return None
    before = tried[-2] if len(tried) > 1 else Try(0.0, 0.0)
    slope = (extra - before.extra) / (planned - before.planned)
    far = high if extra < goal else low
    following = planned + (goal - extra) / slope if slope > 0 else far
    less = [one.planned for one in tried if one.extra < goal]
    more = [one.planned for one in tried if one.extra >= goal]
    if less and more:
        low, high = sorted((max(less), min(more)))
        if len(tried) > SECANTS or not low < _rounded(following) < high:
            following = math.sqrt(low * high)
    plan = _rounded(min(max(following, low), high))
    return None if plan in [one.planned for one in tried] else plan


def _rounded(plan: float) -> float:
    return float(f"{plan:.4g}")


def closest(tried: Sequence[Try], goal: float) -> Try:
    """Return the try that costs what is asked for; if none does, the smallest plan next to it.

    Next to it are the nearest cost and what differs from that by less than the tolerance.
    """
    gaps, near = [abs(one.extra - goal) for one in tried], TOLERANCE * goal
    least = min(gaps)
    reach = least + (near if least > near else 0.0)
    return min(
        (one for one, gap in zip(tried, gaps, strict=True) if gap <= reach), default=tried[-1]
    )


def why_not(tried: Sequence[Try], goal: float, unplanned: float) -> str:
    """Return why no try costs what is asked for: a word of `equal_money`, nothing where one does.

    Parameters
    ----------
    tried
        All tries of a package.
    goal
        What it should cost, M¥.
    unplanned
        What the largest plan names and its programmes cannot spend, M¥.
    """
    if any(one.extra != one.extra for one in tried):
        return "failed"
    if min(abs(one.extra - goal) for one in tried) <= TOLERANCE * goal:
        return ""
    if all(one.extra > goal for one in tried):
        return "rules"
    if not all(one.extra < goal for one in tried):
        return "jump"
    if max(one.gross for one in tried) >= goal:
        return "taxes"
    return "limit" if unplanned > 0 else "claims"


def search(
    starts: Mapping[str, float],
    goal: float,
    cost: Callable[[dict[str, float], int], dict[str, Try]],
) -> dict[str, list[Try]]:
    """Return all tries of each package; those still open are tried together.

    Parameters
    ----------
    starts
        The first plan of each package, M¥.
    goal
        What each should cost, M¥.
    cost
        Tries a plan of each of some packages, given how many were tried before.
    """
    tried: dict[str, list[Try]] = {name: [] for name in starts}
    plans = {name: next_plan([], goal, start) for name, start in starts.items()}
    while trial := {name: plan for name, plan in plans.items() if plan is not None}:
        before = sum(len(tries) for tries in tried.values())
        for name, one in cost(trial, before).items():
            tried[name].append(one)
        plans = {name: next_plan(tried[name], goal, starts[name]) for name in trial}
    return tried


def equal_money(
    scenarios: Sequence[ResolvedScenario], reference: str, priced: Priced, asked: CompareOptions
) -> tuple[list[ResolvedScenario], pd.DataFrame]:
    """Give packages the plans at which they cost the public the same.

    Parameters
    ----------
    scenarios
        What is compared and the reference, with parameters and shocks.
    reference
        Name of the reference. It keeps its money.
    priced
        How a plan is given to those that have money of their own.
    asked
        The comparison; its `budget` is the amount, or the article's cost at default spending.

    Returns
    -------
    list
        The scenarios with the plans found.
    DataFrame
        One row a package: `goal`, `planned` and, medians of the pilots, `extra` net public cost,
        its standard `error` and `extra_gross` public cost, M¥; `reached`, and if not `why`:
        ``limit`` (its programmes can spend no more), ``claims`` (nobody claims more), ``taxes``
        (they come in with the money), ``rules`` (it costs more whatever it plans), ``jump`` (no
        plan between too little and too much), ``no money`` (none of its own), ``failed`` (its
        pilots); number of plans `tried`, and of `pilots` that ended in the package and in the
        reference.

    Raises
    ------
    FloatingPointError
        The pilots of the article do not give a cost above 0.
    """
    base = next(one for one in scenarios if one.name == reference)
    packages = [one for one in scenarios if one.name != reference]
    priced = {one.name: priced[one.name] for one in packages if one.name in priced}
    first = [base, *(one for one in packages if one.name not in priced)]
    first += [_article(base)] if asked.budget == ARTICLE else []
    expected = len(first) + USUAL * len(priced)
    costs = pilot_costs(first, asked, 0, expected)
    tried = {name: [_try(0.0, one - costs[reference])] for name, one in costs.items()}
    goal = _goal(asked.budget, tried)
    starts = {name: goal / share_within(plan(goal), asked.last) for name, plan in priced.items()}

    def cost(plans: dict[str, float], before: int) -> dict[str, Try]:
        some = [priced[name](plan) for name, plan in plans.items()]
        found = pilot_costs(some, asked, len(first) + before, expected)
        return {name: _try(plan, found[name] - costs[reference]) for name, plan in plans.items()}

    tried |= search(starts, goal, cost)
    rows = [_row(one.name, tried[one.name], goal, priced.get(one.name)) for one in packages]
    chosen = {str(row["package"]): float(row["planned"]) for row in rows}
    planned = {name: plan(chosen[name]) for name, plan in priced.items()}
    return [planned.get(one.name, one) for one in scenarios], pd.DataFrame(rows)


def _row(
    name: str, tries: Sequence[Try], goal: float, plan: Callable[[float], ResolvedScenario] | None
) -> dict[str, Any]:
    """Return the row of a package that has tried these plans, or has no money to plan with."""
    chosen, why = closest(tries, goal), "no money"
    if plan:
        why = why_not(tries, goal, build_schedule(plan(max(tries).planned)).unplanned)
    return {
        "package": name,
        "goal": goal,
        "planned": chosen.planned,
        "extra": chosen.extra,
        "error": chosen.error,
        "extra_gross": chosen.gross,
        "reached": not why,
        "why": why,
        "tried": len(tries) if plan else 0,
        "pilots": chosen.pilots,
    }


def share_within(scenario: ResolvedScenario, last: int) -> float:
    """Return the part of its own planned present value that a scenario plans to a quarter.

    1 where it plans nothing until then.
    """
    schedule = build_schedule(scenario)
    money = np.where(schedule.own, schedule.spending + schedule.envelope, 0.0).sum(axis=1)
    value = discount_factors(public_discount_rate(scenario)) * money
    return float(value[: last + 1].sum() / value.sum()) or 1.0


def _try(plan: float, extra: Array) -> Try:
    """Return what a plan costs, of extra net and gross cost by pilot, (2, pilots)."""
    net, gross = extra[:, np.isfinite(extra).all(axis=0)]
    if not net.size:
        return Try(plan, math.nan)
    return Try(plan, float(np.median(net)), float(np.median(gross)), quantile_error(net), net.size)


def pilot_costs(
    scenarios: Sequence[ResolvedScenario], asked: CompareOptions, before: int, expected: int
) -> dict[str, Array]:
    """Return net and gross public cost of each scenario in the pilots, M¥, (2, pilots).

    The progress goes on after so many scenarios run before, of so many that are expected.
    """
    show, start = asked.progress, PILOTS * before
    every = max(PILOTS * expected, start + PILOTS * len(scenarios))
    shown = show and (lambda finished, _: show(start + finished, every))
    money = NET_COST, GROSS
    pilots = asked.with_(replicates=PILOTS, outcomes=money, progress=shown)
    result = simulated(scenarios, pilots, series=False)
    return {
        one.name: np.stack([result.summaries[name][place, :, 0] for name in money])
        for place, one in enumerate(scenarios)
    }


def uneven_cost(differences: pd.DataFrame) -> pd.Series[float]:
    """Return extra net public cost by package, M¥ (medians), cheapest first, if it is not equal.

    Nothing where no two packages differ by more than `UNEVEN`.

    Parameters
    ----------
    differences
        `ComparisonResult.differences`.
    """
    if NET_COST not in differences.index.get_level_values("outcome"):
        return pd.Series(dtype=float)
    pairs = pd.DataFrame(differences.xs(NET_COST, level="outcome"))
    cost = pairs.median().dropna().sort_values()
    apart = len(cost) > 1 and np.ptp(cost) > UNEVEN * np.abs(cost).max()
    return cost if apart else cost[:0]


def _article(base: ResolvedScenario) -> ResolvedScenario:
    """Return the article at default spending, with the parameters and shocks of the reference."""
    plain = unscaled(resolve(ARTICLE))
    return replace(plain, name=DEFAULT, parameters=base.parameters, shocks=base.shocks)


def _goal(budget: float | str | None, tried: Mapping[str, Sequence[Try]]) -> float:
    """Return the amount that every package is to cost; FloatingPointError without one above 0."""
    if budget != ARTICLE:
        return float(budget or 0.0)
    goal = tried[DEFAULT][0].extra
    if not goal > 0:
        words = "its extra net public cost is not above 0 in the pilot runs"
        raise FloatingPointError(f"budget {ARTICLE}: {words} ({goal:.4g} million yuan)")
    return goal
