"""A model of a region's compute ecosystem; what it offers is imported when it is first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecosystem.inputs.faults import InputError
    from ecosystem.inputs.scenario import Scenario
    from ecosystem.mesa.model import EcosystemModel
    from ecosystem.runs.design import cross
    from ecosystem.runs.runner import read_frames, run_design
    from ecosystem.runs.simulate import simulate
    from ecosystem.runs.stored import past, read_past

__all__ = [
    "EcosystemModel", "InputError", "Scenario", "cross", "past", "read_frames", "read_past",
    "run_design", "simulate",
]  # fmt: skip

HOMES = {
    "EcosystemModel": "ecosystem.mesa.model",
    "InputError": "ecosystem.inputs.faults",
    "Scenario": "ecosystem.inputs.scenario",
    "cross": "ecosystem.runs.design",
    "past": "ecosystem.runs.stored",
    "read_frames": "ecosystem.runs.runner",
    "read_past": "ecosystem.runs.stored",
    "run_design": "ecosystem.runs.runner",
    "simulate": "ecosystem.runs.simulate",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for; AttributeError if the package does not offer it."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)
