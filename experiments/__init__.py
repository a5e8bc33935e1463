"""Studies of the model: packages compared, taken apart, and what their effects depend on."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.faces import compare, decompose
    from experiments.sensitivity_analysis.study import sensitivity

__all__ = ["compare", "decompose", "sensitivity"]

HOMES = {
    "compare": "experiments.faces",
    "decompose": "experiments.faces",
    "sensitivity": "experiments.sensitivity_analysis.study",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for; AttributeError if the package does not offer it."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)
