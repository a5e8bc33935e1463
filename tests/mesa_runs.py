"""What the tests of the Mesa face share."""

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from ecosystem.mesa.model import EcosystemModel
from ecosystem.state.state import State


def columns(state: State) -> dict[tuple[str, str], np.ndarray]:
    """Return all arrays of a state by owner and name."""
    return {
        (part.name, field.name): getattr(getattr(state, part.name), field.name)
        for part in fields(state)
        if is_dataclass(getattr(state, part.name))
        for field in fields(getattr(state, part.name))
    }


def run(quarters: int, **arguments: Any) -> EcosystemModel:
    """Return a model of the teaching world after so many quarters."""
    model = EcosystemModel(**{"world": "teaching", **arguments})
    for _ in range(quarters):
        model.step()
    return model
