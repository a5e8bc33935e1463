"""What a comparison and a decomposition are asked with, beside what every run takes."""

from __future__ import annotations

import math
from typing import Annotated, Any, Self

from pydantic import Field

from ecosystem.inputs.arguments import listed
from ecosystem.inputs.calendar import POLICY_START
from ecosystem.inputs.faults import FaultList, collected
from ecosystem.inputs.options import Options, Whole, WholeOutcomes, quarter_from
from ecosystem.inputs.scenario import ResolvedScenario, resolve
from ecosystem.inputs.translate import read_by

ARTICLE, OWN = "article", "own"
"""Budgets by name: what the article costs at default spending, and no scaling at all."""
PLANNED, EXTRA = "planned", "extra"
"""What a budget makes equal: what packages plan, or what they cost the public."""


def read_budget(budget: object) -> float | str | None:
    """Return a budget as a number of million yuan, a name, or None for what the files say.

    Raises
    ------
    InputError
        It is neither a positive number nor a name.
    """
    if budget is None or budget in (ARTICLE, OWN):
        return budget
    try:
        number = float(budget)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(budget, bool) or not 0 < number < math.inf:
        faults = FaultList()
        faults.add("budget", budget, f"a number of million yuan above 0, {ARTICLE} or {OWN}")
        faults.raise_if_any()
    return number


def _budget(_: FaultList, value: Any) -> float | str | None:
    return read_budget(value)


def _equal(faults: FaultList, value: Any) -> str | None:
    return faults.name("", value, (PLANNED, EXTRA))


def _scenario(faults: FaultList, value: Any, place: str = "") -> ResolvedScenario | None:
    return None if value is None else collected(faults, lambda: resolve(value, place))


def _scenarios(faults: FaultList, value: Any) -> tuple[ResolvedScenario, ...] | None:
    if value is None:
        return None
    found = [_scenario(faults, item, f"[{number}]") for number, item in enumerate(listed(value))]
    return tuple(one for one in found if one is not None)


OneScenario = Annotated[Any, read_by(_scenario)]
ManyScenarios = Annotated[Any, read_by(_scenarios)]
PolicyQuarter = Annotated[str, quarter_from(POLICY_START)]
"""A quarter in which packages can differ: there are no effects of policy before 2025Q3."""
LAST = "Last quarter, from 2025Q3 on, when packages begin."
SCENARIOS = (
    "Package names, TOML files or Scenario objects, one or several; all packages by default."
)
WHOLE = "Outcomes without parts, one or several; the headline set by default."


class PolicyOptions(Options):
    """What every study of packages is asked with."""

    replicates: Whole = Field(100, description="Number of pairs.")
    until: PolicyQuarter = Field("2035Q4", description=LAST)
    budget: Annotated[float | str | None, read_by(_budget)] = Field(
        None,
        description="Planned present value of every package, million yuan; article for that of "
        "the article at default spending; own for each package's own; by default what its file "
        "says.",
    )


class CompareOptions(PolicyOptions):
    """What `experiments.compare` is asked with."""

    scenarios: ManyScenarios = Field(None, description=SCENARIOS)
    reference: OneScenario = Field(
        "history", description="What the others are compared with; added if not among them."
    )
    equal: Annotated[str, read_by(_equal)] = Field(
        PLANNED,
        description="What the budget names: planned, the money planned; extra, the net public cost "
        "beyond the reference, for which plans are sought first with runs of their own (50 pairs).",
    )

    @classmethod
    def collected(cls, faults: FaultList, **given: Any) -> Self | None:
        """Return checked options, or None after noting everything that is wrong."""
        found = super().collected(faults, **given)
        if found and found.equal == EXTRA and found.budget is None:
            needed = f"a number of million yuan above 0 or {ARTICLE}"
            faults.add("equal", EXTRA, f"{PLANNED}; --equal {EXTRA} needs --budget, {needed}")
        elif found and found.equal == EXTRA and found.budget == OWN:
            allowed = f"a number of million yuan above 0 or {ARTICLE}, with equal {EXTRA}"
            faults.add("budget", found.budget, allowed)
        return found


class DecomposeOptions(PolicyOptions):
    """What `experiments.decompose` is asked with."""

    package: OneScenario = Field(
        "article", description="Package name, TOML file or scenario with instruments of its own."
    )
    reference: OneScenario = Field(
        None, description="What it is compared with; history under the same shocks by default."
    )
    replicates: Whole = Field(
        100, description="Number of pairs; tries of effectiveness take at most 32 of them."
    )
    outcomes: WholeOutcomes = Field(None, description=WHOLE)
