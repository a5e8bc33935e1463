"""What a sensitivity study is asked with, beside what every run takes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from ecosystem.inputs.options import Truth, Whole, WholeOutcomes
from ecosystem.inputs.translate import whole_from
from experiments.comparison.options import SCENARIOS, WHOLE, PolicyOptions


class SensitivityOptions(PolicyOptions):
    """What `experiments.sensitivity` is asked with."""

    scenarios: Any = Field(None, description=SCENARIOS)
    reference: Any = Field(
        "history", description="What paired effects are taken from; added if not among them."
    )
    method: Any = Field(
        "morris", description="morris (elementary effects) or sobol (shares of variance)."
    )
    trajectories: Any = Field(None, description="Morris trajectories; 20 by default.")
    samples: Any = Field(None, description="Blocks of the Sobol' sequence, a power of 2; 64.")
    second_order: Truth = Field(
        False, description="Sobol indices of pairs of factors too; twice the runs."
    )
    factors: Any = Field(
        None, description="Factors and their ranges, or a TOML file with them; see docs."
    )
    replicates: Whole = Field(1, description="Runs of each scenario and point; their mean.")
    seed: Annotated[int, whole_from(1)] = Field(
        1, description="Seed of the sample, of all luck and of the bootstrap, at least 1."
    )
    fixed_parameters: Truth = Field(
        False,
        description="Keep parameters that are no factor at their defaults instead of drawing them "
        "for each block.",
    )
    outcomes: WholeOutcomes = Field(None, description=WHOLE)
    years: Truth = Field(True, description="Indices by year too.")
    model: Any = Field(
        None,
        description="A model of your own instead of scenarios, as run_design takes it; what is "
        "said of scenarios, parameters, outcomes or time is then refused.",
    )
