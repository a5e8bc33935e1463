"""What a comparison and a decomposition are asked with, beside what every run takes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from ecosystem.inputs.arguments import listed
from ecosystem.inputs.calendar import POLICY_START
from ecosystem.inputs.faults import FaultList, collected
from ecosystem.inputs.options import Options, Whole, WholeOutcomes, quarter_from
from ecosystem.inputs.scenario import ResolvedScenario, resolve
from ecosystem.inputs.translate import read_by
from experiments.comparison.budget import read_budget


def _budget(_: FaultList, value: Any) -> float | str | None:
    return read_budget(value)


def _scenario(faults: FaultList, value: Any, place: str = "") -> ResolvedScenario | None:
    """Return one scenario, noting its faults."""
    return None if value is None else collected(faults, lambda: resolve(value, place))


def _scenarios(faults: FaultList, value: Any) -> tuple[ResolvedScenario, ...] | None:
    """Return one scenario or several, noting the faults of all; None for all packages."""
    if value is None:
        return None
    found = [_scenario(faults, item, f"[{number}]") for number, item in enumerate(listed(value))]
    return tuple(one for one in found if one is not None)


OneScenario = Annotated[Any, read_by(_scenario)]
ManyScenarios = Annotated[Any, read_by(_scenarios)]
PolicyQuarter = Annotated[str, quarter_from(POLICY_START)]
"""A quarter in which packages can differ: there are no effects of policy before 2025Q3."""
Budget = Annotated[float | str | None, read_by(_budget)]
LAST = "Last quarter, from 2025Q3 on, when packages begin."
MONEY = (
    "Planned present value of every package, million yuan; article for that of the article at "
    "default spending; own for each package's own; by default what its file says."
)


class CompareOptions(Options):
    """What `experiments.compare` is asked with."""

    scenarios: ManyScenarios = Field(
        None,
        description="Package names, TOML files or Scenario objects, one or several; all packages "
        "by default.",
    )
    reference: OneScenario = Field(
        "history", description="What the others are compared with; added if not among them."
    )
    replicates: Whole = Field(100, description="Number of pairs.")
    until: PolicyQuarter = Field("2035Q4", description=LAST)
    budget: Budget = Field(None, description=MONEY)


class DecomposeOptions(Options):
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
    until: PolicyQuarter = Field("2035Q4", description=LAST)
    budget: Budget = Field(None, description=MONEY)
    outcomes: WholeOutcomes = Field(
        None, description="Outcomes without parts, one or several; the headline set by default."
    )
