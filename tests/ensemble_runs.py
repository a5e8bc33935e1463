"""Small designs of a model of one's own, as the ensemble tests run them."""

from pathlib import Path
from typing import Any

import ensemble_models as models
import numpy as np

from ecosystem import cross, run_design
from ecosystem.runs.runner import Ensemble

DESIGN = cross(points={"x1": np.arange(12.0)})


def own(out: Path | None, model: Any = models.two_outcomes, **others: Any) -> Ensemble:
    arguments: dict[str, Any] = {"executor": "serial", "chunk_runs": 2, "out": out}
    return run_design(DESIGN, model=model, **arguments | others)


def filled(out: Path, **others: Any) -> Path:
    directory = own(out, **others).complete().directory
    assert directory is not None
    return directory


def shards(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.glob("shards/*.parquet"))
