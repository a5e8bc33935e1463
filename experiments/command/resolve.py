"""The scenarios of a request as they are run, with what the command line lays over them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from ecosystem.inputs.arguments import listed
from ecosystem.inputs.entries import REFERENCE
from ecosystem.inputs.faults import FaultList, collected
from ecosystem.inputs.place_faults import check_places
from ecosystem.inputs.scenario import ResolvedScenario, with_overrides
from ecosystem.inputs.schedule import build_schedule
from ecosystem.inputs.world.loader import load_world
from experiments.command.request import Request
from experiments.comparison.budget import Priced, with_money
from experiments.comparison.compare import require_something_to_compare, scenarios_with_reference
from experiments.comparison.options import EXTRA, PLANNED
from experiments.comparison.package_changes import package_changes
from experiments.comparison.package_facts import (
    assumptions_apart,
    functions_apart,
    instruments_on,
)
from experiments.report.messages import text
from experiments.report.package_words import own_plan_notes, replaced_words


def resolved(request: Request) -> tuple[list[ResolvedScenario], str, Priced]:
    """Look up everything a request names; return the scenarios and the name of the reference.

    A run, and a study of the reference's levels alone, have nothing beside the reference. Where
    packages shall cost the same, their plans are not known yet: the scenarios then have the money
    of the tables, and what gives them a plan is returned as well.

    Raises
    ------
    InputError
        With the faults of all scenarios, overrides and tables at once.
    """
    asked, faults = request.asked, FaultList()
    collect: Callable[..., Any] = partial(collected, faults)
    if request.kind == "run":
        named, reference = [asked.scenario], asked.scenario
    else:
        named, reference = asked.scenarios, asked.reference
    alone = request.kind == "run" or (
        request.kind == "sensitivity" and named is not None and listed(named) == [reference]
    )
    scenarios, name = scenarios_with_reference(named, reference)
    if not alone:
        collect(partial(require_something_to_compare, scenarios, name))
    world = collect(partial(load_world, asked.world))
    base = next(one for one in scenarios if one.name == name)

    def override(scenario: ResolvedScenario) -> ResolvedScenario:
        settings = request.settings
        if not alone and scenario.name == name:
            settings = tuple(one for one in settings if concerns(one, scenario))
        changed = with_overrides(scenario, settings=settings, shocks=asked.shock)
        if alone or len(changed.layers) == len(scenario.layers):
            return changed
        return with_shared_edits(changed, base)

    changed = [collect(partial(override, scenario)) for scenario in scenarios]
    if request.decompose and (len(scenarios) != 2 or name != REFERENCE):
        words = f"--decompose with exactly one package, against {REFERENCE}"
        faults.add("compare", [one.name for one in scenarios], words)
    if world:
        check_places(faults, [one for one in changed if one], world)
    faults.raise_if_any()
    if request.kind == "run":
        return changed, name, {}
    equal = EXTRA if request.equal_cost else PLANNED
    given, priced = with_money(scenarios, name, override, asked.budget, equal)
    return given, name, priced


def concerns(setting: str, reference: ResolvedScenario) -> bool:
    """Return whether a setting of the command line is for the reference, too.

    An instrument that the reference does not have on is changed in the packages alone; otherwise
    its effect would vanish from every difference.
    """
    kind, _, rest = setting.partition(".")
    return kind != "instrument" or rest.partition(".")[0] in instruments_on(reference)


def with_shared_edits(scenario: ResolvedScenario, reference: ResolvedScenario) -> ResolvedScenario:
    """Return a scenario whose last layer is its own only where the reference is not changed, too.

    What the command line changes on both sides of a comparison is no part of a package.
    """
    *below, last = scenario.layers
    on = instruments_on(reference)
    for own in (False, True):
        edits = tuple(one for one in last.edits if (one.instrument not in on) == own)
        below += [replace(last, edits=edits, own=own)] if edits else []
    return replace(scenario, layers=tuple(below))


def replacements(
    scenario: ResolvedScenario, reference: ResolvedScenario, lang: str = "en"
) -> list[str]:
    """Return a line for each instrument for which a scenario replaces what the reference pays."""
    return [
        f"{scenario.name}: {one['instrument']} {replaced_words(one, reference.name, lang)}"
        for one in package_changes(scenario, reference)
        if one["replaces"]
    ]


def assumed_words(
    scenario: ResolvedScenario, reference: ResolvedScenario, apart: list[str], lang: str
) -> str:
    """Return in a sentence what a scenario assumes otherwise than a reference."""
    names, about = "; ".join(apart), {"package": scenario.name, "reference": reference.name}
    return text("assumes_otherwise", lang, names=names, **about)


def warn(scenarios: list[ResolvedScenario], reference: str, lang: str = "en") -> None:
    """Say on standard error what the scenarios cannot spend, even if the user wants quiet.

    And what a scenario assumes otherwise than the reference, which is no effect of policy, and
    where it replaces what the reference pays instead of adding to it.
    """
    base = next((one for one in scenarios if one.name == reference), None)
    for scenario in scenarios:
        if base and (apart := assumptions_apart(scenario, base)):
            print(f"warning: {assumed_words(scenario, base, apart, lang)}", file=sys.stderr)
        for words in functions_apart(scenario) if scenario is base else ():
            print(f"note: {scenario.name}: {words}", file=sys.stderr)
        for words in replacements(scenario, base, lang) if base else ():
            print(f"note: {words}", file=sys.stderr)
        for words in own_plan_notes(scenario, base, lang) if base not in (None, scenario) else ():
            print(f"note: {scenario.name}: {words}", file=sys.stderr)
    for words in dict.fromkeys(
        words for scenario in scenarios for words in build_schedule(scenario).warnings
    ):
        print(f"warning: {words}", file=sys.stderr)
