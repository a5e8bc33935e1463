"""What the tests of the Mesa face share."""

from typing import Any

from ecosystem.mesa.model import EcosystemModel


def run(quarters: int, **arguments: Any) -> EcosystemModel:
    """Return a model of the teaching world, of seed 1, after so many quarters."""
    model = EcosystemModel(**{"world": "teaching", "rng": 1, **arguments})
    for _ in range(quarters):
        model.step()
    return model
