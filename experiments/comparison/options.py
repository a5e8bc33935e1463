"""What a comparison and a decomposition are asked with, beside what every run takes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from ecosystem.inputs.calendar import POLICY_START
from ecosystem.inputs.faults import FaultList
from ecosystem.inputs.options import Options, Whole, WholeOutcomes, quarter_from, read_by
from experiments.comparison.budget import read_budget


def _budget(_: FaultList, __: str, value: Any) -> float | str | None:
    return read_budget(value)


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

    scenarios: Any = Field(
        None,
        description="Package names, TOML files or Scenario objects, one or several; all packages "
        "by default.",
    )
    reference: Any = Field(
        "history", description="What the others are compared with; added if not among them."
    )
    replicates: Whole = Field(100, description="Number of pairs.")
    until: PolicyQuarter = Field("2035Q4", description=LAST)
    budget: Budget = Field(None, description=MONEY)


class DecomposeOptions(Options):
    """What `experiments.decompose` is asked with."""

    package: Any = Field(
        "article", description="Package name, TOML file or scenario with instruments of its own."
    )
    reference: Any = Field(
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
