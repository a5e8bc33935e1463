"""Run scenarios: every quarter of a chunk of runs before the next chunk, on one or more cores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from ecosystem.inputs.arguments import listed
from ecosystem.inputs.draws import varied_parameters
from ecosystem.inputs.faults import FaultList, collected
from ecosystem.inputs.options import Options, Truth, face
from ecosystem.inputs.scenario import ResolvedScenario, resolve, with_overrides
from ecosystem.inputs.translate import read_by
from ecosystem.inputs.world.loader import load_world
from ecosystem.runs.design import cross
from ecosystem.runs.result import Result
from ecosystem.runs.runner import start
from ecosystem.runs.stored import FILE, StoredPast, checked_past, read_past


def _past(faults: FaultList, value: Any) -> Any:
    if isinstance(value, str | Path):
        return collected(faults, lambda: read_past(value))
    if not isinstance(value, StoredPast):
        faults.add("", value, FILE)
    return value


class SimulateOptions(Options):
    """What `simulate` takes."""

    scenarios: Any = Field(
        ..., description="Package names, TOML files or `Scenario` objects, one or several."
    )
    series: Truth = Field(
        True, description="Keep every quarter; otherwise only each outcome's own time base."
    )
    start: Annotated[StoredPast, read_by(_past)] | None = Field(
        None,
        description="A past of `ecosystem.past`, or the file it was saved in: the same numbers, "
        "without running the quarters to 2025Q2 again.",
    )


def held_by_all(scenarios: Sequence[ResolvedScenario]) -> dict[str, float]:
    """Return the parameters that have one and the same value in every scenario."""
    first, *others = (scenario.parameters for scenario in scenarios)
    missing = object()
    return {
        name: value
        for name, value in first.items()
        if all(other.get(name, missing) == value for other in others)
    }


@face(SimulateOptions, positional=("scenarios",))
def simulate(asked: SimulateOptions) -> Result:
    """Run scenarios and return what they report.

    With `out`, a run that fails is listed in `Result.failed`, with NaN for its outcomes; without a
    folder the first failure ends the simulation.

    {parameters}

    Returns
    -------
    Result

    Raises
    ------
    InputError
        With every fault of scenarios, world and arguments.
    FloatingPointError
        An outcome is not finite; with `out`, every run failed.
    """
    scenarios = [with_overrides(resolve(one), (), asked.shock) for one in listed(asked.scenarios)]
    design = cross(scenarios, replicates=asked.replicates, parameters=asked.parameters)
    resolved = tuple(one for one in design.scenarios if not isinstance(one, str))
    past = checked_past(asked.start, resolved, asked)
    keep = ("summary", "quarterly") if asked.series else "summary"
    runs = start(design, asked, keep=keep, past=past)
    kept = runs.arrays()
    if len(runs.failures) == len(design):
        raise FloatingPointError(
            f"every run failed, see {runs.directory}; the first: {runs.failures[0]['error']}"
        )
    shape = len(design.scenarios), asked.replicates
    summaries, quarters = (
        {
            name: value.reshape(*shape, *value.shape[1:])
            for name, value in kept.get(kind, {}).items()
        }
        for kind in ("summary", "quarterly")
    )
    given = held_by_all(resolved)
    return Result(
        resolved=resolved,
        replicates=asked.replicates,
        seed=asked.seed,
        until=asked.until,
        world=load_world(asked.world),
        varied=varied_parameters(asked.fixed_parameters, given, asked.drawn_from),
        given=given,
        series=quarters,
        summaries={name: value[:, :, 0] for name, value in summaries.items()},
        failed=tuple(runs.failures),
        drawn_from=asked.drawn_from,
    )
