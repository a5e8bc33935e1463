"""A copy of the slow reference under a name of its own, so that its functions can be replaced."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

REFERENCE = Path(__file__).parents[1] / "tests" / "reference"
NAME = "benchmarked_reference"


def stage(name: str) -> ModuleType:
    """Return a module of the copy; the tests keep the original."""
    if NAME not in sys.modules:
        place = REFERENCE / "__init__.py"
        spec = spec_from_file_location(NAME, place, submodule_search_locations=[str(REFERENCE)])
        assert spec is not None and spec.loader is not None
        sys.modules[NAME] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[NAME])
    return import_module(f"{NAME}.{name}")


def replace_function(where: str, name: str, function: object) -> None:
    """Put a quick function in the place of a slow one, which must be there."""
    module = stage(where)
    if not hasattr(module, name):
        raise AttributeError(f"the reference has no {where}.{name} to replace")
    setattr(module, name, function)
