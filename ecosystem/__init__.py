"""A model of a region's compute ecosystem; what it offers is imported when it is first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecosystem.ensemble.design import cross
    from ecosystem.ensemble.runner import run_design
    from ecosystem.mesa_model import EcosystemModel
    from ecosystem.scenario import Scenario
    from ecosystem.simulation import simulate

__all__ = ["EcosystemModel", "Scenario", "cross", "run_design", "simulate"]

HOMES = {
    "EcosystemModel": "ecosystem.mesa_model",
    "Scenario": "ecosystem.scenario",
    "cross": "ecosystem.ensemble.design",
    "run_design": "ecosystem.ensemble.runner",
    "simulate": "ecosystem.simulation",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for; AttributeError if the package does not offer it."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)
