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
from typing import NamedTuple

import numpy as np
import pandas as pd

from ecosystem.inputs.faults import FaultList
from ecosystem.inputs.scenario import ResolvedScenario, resolve
from ecosystem.inputs.schedule import build_schedule, discount_factors, public_discount_rate
from ecosystem.maths.arrays import Array
from experiments.comparison.budget import unscaled
from experiments.comparison.compare import NET_COST
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
Priced = Mapping[str, Callable[[float], ResolvedScenario]]
"""For each package with money of its own, what makes it plan so many million yuan."""


class Try(NamedTuple):
    """A plan and what it costs: medians of pilot pairs beyond the reference, all in M¥."""

    planned: float
    extra: float
    gross: float = math.nan


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
    planned, extra, _ = tried[-1]
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
    starts: Mapping[str, float], goal: float, cost: Callable[[dict[str, float]], dict[str, Try]]
) -> dict[str, list[Try]]:
    """Return all tries of each package; those still open are tried together.

    Parameters
    ----------
    starts
        The first plan of each package, M¥.
    goal
        What each should cost, M¥.
    cost
        Tries a plan of each of some packages.
    """
    tried: dict[str, list[Try]] = {name: [] for name in starts}
    plans = {name: next_plan([], goal, start) for name, start in starts.items()}
    while trial := {name: plan for name, plan in plans.items() if plan is not None}:
        for name, one in cost(trial).items():
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
        One row a package: `goal`, `planned` and, medians of the pilots, `extra` net public cost and
        `extra_gross` public cost, M¥; `reached`, and if not `why`: ``limit`` (its programmes can
        spend no more), ``claims`` (nobody claims more), ``taxes`` (they come in with the money),
        ``rules`` (it costs more whatever it plans), ``jump`` (no plan between too little and too
        much), ``no money`` (none of its own), ``failed`` (its pilots); number of plans `tried`,
        and of `pilots`.
    """
    base = next(one for one in scenarios if one.name == reference)
    packages = [one for one in scenarios if one.name != reference]
    priced = {one.name: priced[one.name] for one in packages if one.name in priced}
    first = [base, *(one for one in packages if one.name not in priced)]
    first += [_article(base)] if asked.budget == ARTICLE else []
    done, expected = 0, PILOTS * (len(first) + USUAL * len(priced))

    def run(some: Sequence[ResolvedScenario]) -> dict[str, Array]:
        nonlocal done
        start, done = done, done + PILOTS * len(some)
        show, every = asked.progress, max(expected, done)
        shown = show and (lambda finished, _: show(start + finished, every))
        return pilot_costs(some, asked.with_(progress=shown))

    def cost(plans: dict[str, float]) -> dict[str, Try]:
        costs = run([priced[name](plan) for name, plan in plans.items()])
        return {name: _try(plan, costs[name] - known) for name, plan in plans.items()}

    costs = run(first)
    known = costs[reference]
    still = {name: [_try(0.0, one - known)] for name, one in costs.items()}
    goal = _goal(asked.budget, still)
    starts = {name: goal / share_within(plan(goal), asked.last) for name, plan in priced.items()}
    tried = still | search(starts, goal, cost)
    chosen = {one.name: closest(tried[one.name], goal) for one in packages}
    found = {name: plan(chosen[name].planned) for name, plan in priced.items()}
    rows = []
    for name, one in chosen.items():
        why, tries = "no money", tried[name]
        if name in priced:
            largest = build_schedule(priced[name](max(tries).planned))
            why = why_not(tries, goal, largest.unplanned)
        rows.append(
            {"package": name, "goal": goal, "planned": one.planned, "extra": one.extra}
            | {"extra_gross": one.gross, "reached": not why, "why": why}
            | {"tried": len(tries) if name in priced else 0, "pilots": PILOTS}
        )
    return [found.get(one.name, one) for one in scenarios], pd.DataFrame(rows)


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
    ended = extra[:, np.isfinite(extra).all(axis=0)]
    net, gross = np.median(ended, axis=1) if ended.size else (math.nan, math.nan)
    return Try(plan, float(net), float(gross))


def pilot_costs(scenarios: Sequence[ResolvedScenario], asked: CompareOptions) -> dict[str, Array]:
    """Return net and gross public cost of each scenario in the pilots, M¥, (2, pilots)."""
    money = NET_COST, GROSS
    pilots = asked.with_(replicates=PILOTS, outcomes=money)
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


def _goal(budget: float | str | None, known: Mapping[str, Sequence[Try]]) -> float:
    """Return the amount that every package is to cost; InputError where it is not above 0."""
    goal = known[DEFAULT][0].extra if budget == ARTICLE else float(budget or 0.0)
    faults = FaultList()
    if not goal > 0:
        words = f"an amount above 0, of extra net public cost; that of the article is {goal:.4g}"
        faults.add("budget", budget, words)
    faults.raise_if_any()
    return goal
