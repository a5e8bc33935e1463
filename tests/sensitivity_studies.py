"""Small studies of functions with known indices, for the tests of sensitivity studies."""

from typing import Any

import pandas as pd

from experiments import sensitivity
from experiments.faces import Sensitivity


def study(model: Any, factors: Any, method: str = "sobol", **options: Any) -> Sensitivity:
    """Run a study of a model of one's own in this process."""
    return sensitivity(model=model, factors=factors, method=method, jobs=1, **options)


def by_factor(found: Sensitivity) -> pd.DataFrame:
    """Return the table of a study with one outcome, by factor."""
    return found.table.set_index("factor")


def linear(runs: Any) -> Any:
    """Return two outcomes: one linear in a and b, one that is constant."""
    return pd.DataFrame({"sum": 3 * runs["a"] - 2 * runs["b"], "same": 7.0}, index=runs.index)


LINEAR = {"a": (0.0, 2.0), "b": (1.0, 2.0)}
