"""Small helpers for arrays with a leading runs axis."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_LARGEST = 700.0  # exp of more would overflow


def safe_ratio(top: Array | float, bottom: Array, empty: float = 0.0) -> Array:
    """Return top/bottom, and `empty` where the bottom is not above zero."""
    some = np.asarray(bottom) > 0
    if some.all():  # the same bits with one pass instead of three
        return np.asarray(top / bottom)
    return np.where(some, top / np.where(some, bottom, 1.0), empty)


def combine(values: Array, matrix: Array) -> Array:
    """Contract the last axis of `values` with a constant matrix: (runs, ..., n), (n, m).

    One vector-matrix product a row, so a run's bits do not depend on the batch.
    """
    return np.vecmat(np.ascontiguousarray(values), matrix)


def add_up(parts: Iterable[Array]) -> Array:
    """Return the sum of one or more arrays of one shape."""
    first, *rest = parts
    return np.asarray(sum(rest, start=first))


def total(values: Array) -> Array:
    """Sum over all axes but the first, (runs, 1)."""
    return values.reshape(len(values), -1).sum(axis=1, keepdims=True)


def mean_over(values: Array, weights: Array, empty: float = 0.0) -> Array:
    """Return the weighted mean over the last axis, (runs, 1); `empty` times the largest of none.

    None of the values is negative. Where all are equal it is their value to the last bit.
    """
    top = values.max(axis=-1, keepdims=True)
    part = np.asarray(safe_ratio(values, top) * weights).sum(axis=-1, keepdims=True)
    return np.asarray(top * safe_ratio(part, weights.sum(axis=-1, keepdims=True), empty))


def sigmoid(values: Array) -> Array:
    """Return 1/(1 + exp(-x))."""
    return 1 / (1 + np.exp(np.minimum(-values, _LARGEST)))
