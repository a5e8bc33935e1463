"""Studies of the model: packages compared, taken apart, and what their effects depend on."""

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.faces import compare, decompose, sensitivity

__all__ = ["compare", "decompose", "sensitivity"]


def _check_neighbours() -> None:
    """Raise ImportError where a file of the user has the name of a package of ours."""
    home = Path(__file__).resolve().parents[1]
    for name in ("ecosystem", "calibration"):
        spec = find_spec(name)
        found = Path(spec.origin).resolve() if spec and spec.origin else None
        if found and found != home / name / "__init__.py":
            raise ImportError(
                f"{found} is in the way: Python takes it for the package {name} of the model; "
                "give it another name or start Python in another folder"
            )


_check_neighbours()


def __getattr__(name: str) -> Any:
    """Import what is asked for; AttributeError if the package does not offer it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("experiments.faces"), name)
