"""Draws of the posterior as a file, and parameters as normal numbers.

Each uncertain parameter has a range and a distribution in the parameter table; its place in the
distribution, as a standard normal number, is what is fitted. The file is a table of draws as
`simulate(draws=...)` takes it: parameters in their units and luck, rows of equal weight. In the
metadata stand what made it and what the first rows come to, so that a rerun can prove it current.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet
from scipy.special import ndtr

from ecosystem.inputs.calendar import period_label
from ecosystem.inputs.catalogue import Parameter, parameters
from ecosystem.inputs.draws import ABOUT, LUCK, value_of, varied_parameters
from ecosystem.maths.arrays import Array
from ecosystem.maths.chance import normal_inverse

PROVED = 20
"""Rows that a rerun proves current."""
CLOSE = 1e-6
"""Relative difference of a rerun that is no change of the model: another processor may do that."""


def place_of(row: Parameter, values: Array) -> Array:
    """Return where values of a parameter lie in its distribution, 0 to 1."""
    assert row.low is not None and row.high is not None
    low, high = row.low, row.high
    if row.distribution == "loguniform":
        low, high, values = np.log(low), np.log(high), np.log(values)
    return np.asarray((values - low) / (high - low))


def to_normal(draws: pd.DataFrame) -> Array:
    """Return the uncertain parameters of draws as standard normal numbers, (rows, parameters)."""
    columns = [
        place_of(parameters()[name], draws[name].to_numpy())
        for name in varied_parameters(False, {})
    ]
    return normal_inverse(np.column_stack(columns))


def from_normal(normal: Array, luck: NDArray[np.int64], starts: list[int]) -> pd.DataFrame:
    """Return draws of normal numbers and luck.

    Parameters
    ----------
    normal : ndarray, shape (rows, parameters)
        In the order of the parameter table, uncertain ones only.
    luck : ndarray of int, shape (rows, stages)
        Luck numbers.
    starts : list of int
        First quarter of each stage.
    """
    table, columns = parameters(), {}
    for place, name in enumerate(varied_parameters(False, {})):
        columns[name] = value_of(table[name], ndtr(normal[:, place]), False, {})
    numbers = zip(starts, luck.T, strict=True)
    return pd.DataFrame(columns | {f"{LUCK}{period_label(t)}": number for t, number in numbers})


def write_posterior(
    path: Path, draws: pd.DataFrame, figures: Array, names: list[str], about: Mapping[str, Any]
) -> None:
    """Write draws with what made them.

    Parameters
    ----------
    path : Path
        File to write.
    draws : DataFrame
        Parameters in their units and luck; rows of equal weight.
    figures : ndarray, shape (rows, figures)
        What each row comes to, in logs.
    names : list of str
        Of the figures.
    about : mapping
        What made the draws.
    """
    proof = {name: figures[:PROVED, place].tolist() for place, name in enumerate(names)}
    words = json.dumps({**about, "figures": proof}, ensure_ascii=False)
    table = pa.Table.from_pandas(draws, preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), ABOUT: words.encode()})
    parquet.write_table(table, path, compression="zstd")


def about_posterior(path: Path) -> dict[str, Any]:
    """Return what made a file of draws; empty for a file that does not say."""
    metadata = parquet.read_schema(path).metadata or {}
    found: dict[str, Any] = json.loads(metadata.get(ABOUT, b"{}"))
    return found


def outdated(path: Path, rerun: Callable[[pd.DataFrame], Mapping[str, Array]]) -> dict[str, float]:
    """Run the first rows of a posterior again; return the figures that differ and by how much.

    Parameters
    ----------
    path : Path
        A file that `write_posterior` wrote.
    rerun : callable
        From draws to the logs of figures by name, (rows,) each.
    """
    stored = about_posterior(path)["figures"]
    again = rerun(parquet.read_table(path).slice(0, PROVED).to_pandas())
    apart = {
        name: float(np.nanmax(np.abs(np.nan_to_num(again[name]) - np.nan_to_num(values))))
        for name, values in stored.items()
    }
    return {name: difference for name, difference in apart.items() if not difference <= CLOSE}
