"""Scenarios run as it was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ecosystem.inputs.options import Options
from ecosystem.inputs.scenario import ResolvedScenario, with_overrides
from ecosystem.runs.result import Result
from ecosystem.runs.simulate import SimulateOptions, simulate


def laid_over(scenario: ResolvedScenario, asked: Options) -> ResolvedScenario:
    """Return a scenario with the parameters and shocks that are asked for on every one."""
    held = replace(scenario, parameters={**scenario.parameters, **asked.parameters})
    return with_overrides(held, (), asked.shock)


def simulated(
    scenarios: Sequence[ResolvedScenario], asked: Options, *, series: bool = True
) -> Result:
    """Run scenarios, which hold their parameters and shocks already, as it was asked."""
    held = asked.as_(SimulateOptions, scenarios=scenarios, series=series, shock=(), parameters={})
    return simulate.with_options(held)
