"""Equal budgets: every package at the same planned present value, or each as its tables say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from ecosystem.inputs.scenario import ResolvedScenario, resolve
from ecosystem.inputs.schedule import build_schedule, planned_present_value, public_discount_rate
from experiments.comparison.options import ARTICLE, EXTRA, OWN, read_budget

Priced = Mapping[str, Callable[[float], ResolvedScenario]]
"""For each package with money of its own, what makes it plan so many million yuan."""


def own_present_value(scenario: ResolvedScenario) -> float:
    """Return the present value, million yuan, of the money that a scenario's own entries plan.

    That which takes the place of the reference's money is part of it (`replaced_present_value`).
    """
    rate = public_discount_rate(scenario)
    return planned_present_value(build_schedule(scenario), rate, own=True)


def replaced_present_value(scenario: ResolvedScenario, reference: ResolvedScenario) -> float:
    """Return the present value, million yuan, of the reference's money that a scenario ends.

    It ends it, or plans its own in its place; less this, its own plan is beyond the reference.
    """
    rate = public_discount_rate(scenario)
    before, after = (planned_present_value(build_schedule(x), rate) for x in (reference, scenario))
    return own_present_value(scenario) - (after - before)


def has_own_money(scenario: ResolvedScenario) -> bool:
    """Return whether a scenario's own entries plan money, whatever the budget."""
    return own_present_value(unscaled(scenario)) > 0


def unscaled(scenario: ResolvedScenario) -> ResolvedScenario:
    """Return a scenario with the money that its edits and the instrument table name."""
    layers = tuple(replace(layer, present_value=None) for layer in scenario.layers)
    return replace(scenario, layers=layers)


def article_present_value(parameters: Mapping[str, float]) -> float:
    """Return what the article plans at default spending, million yuan of present value."""
    return own_present_value(unscaled(replace(resolve(ARTICLE), parameters=parameters)))


def with_budget(scenario: ResolvedScenario, budget: float | str | None) -> ResolvedScenario:
    """Return a scenario whose own money has a given planned present value.

    Spending and envelopes are scaled together, never rates. A scenario that plans no money of its
    own, such as ``none`` or the reference, stays as it is.

    Parameters
    ----------
    scenario
        A package or file; all that it lays over the reference is scaled as one.
    budget
        Million yuan; ``article`` for what the article costs at default spending; ``own`` for
        unscaled money; None for the budgets that the files name.

    Raises
    ------
    InputError
        The budget is none of these.
    """
    budget = read_budget(budget)
    if budget is None:
        return scenario
    plain = unscaled(scenario)
    if budget == OWN or not has_own_money(scenario):
        return plain
    if budget == ARTICLE:
        budget = article_present_value(scenario.parameters)
    own = [layer for layer in plain.layers if layer.own]
    edits = tuple(edit for layer in own for edit in layer.edits)
    whole = replace(own[-1], edits=edits, present_value=float(budget))
    reference = tuple(layer for layer in plain.layers if not layer.own)
    return replace(plain, layers=(*reference, whole))


def with_money(
    scenarios: Sequence[ResolvedScenario],
    reference: str,
    override: Callable[[ResolvedScenario], ResolvedScenario],
    budget: float | str | None,
    equal: str,
) -> tuple[list[ResolvedScenario], Priced]:
    """Return scenarios with what is laid over them and the money they are asked to plan.

    Where packages shall cost the same, their plans are not known yet: those with money of their own
    have the money of the tables, and what gives each a plan is returned as well.

    Parameters
    ----------
    scenarios
        What is compared, and the reference.
    reference
        Name of the reference.
    override
        Lays parameters, shocks and settings over a scenario; money that it names itself is taken
        as written, whatever the budget.
    budget
        See `with_budget`.
    equal
        ``planned``, or ``extra`` where packages shall cost the same.
    """

    def planned(scenario: ResolvedScenario, budget: float | str | None) -> ResolvedScenario:
        held = replace(scenario, parameters=override(scenario).parameters)
        return override(with_budget(held, budget))

    if equal != EXTRA:
        return [planned(scenario, budget) for scenario in scenarios], {}
    packages = [one for one in scenarios if one.name != reference]
    priced = {one.name: partial(planned, one) for one in packages if has_own_money(one)}
    return [planned(one, OWN if one.name in priced else None) for one in scenarios], priced
