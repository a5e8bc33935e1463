"""Small helpers for arrays with a leading runs axis."""

from __future__ import annotations

import numpy as np

from ecosystem.setting import Array


def safe_ratio(top: Array, bottom: Array, empty: float = 0.0) -> Array:
    """Return top/bottom, and `empty` where the bottom is not above zero."""
    top, bottom = np.broadcast_arrays(np.asarray(top, float), np.asarray(bottom, float))
    some = bottom > 0
    return np.where(some, top / np.where(some, bottom, 1.0), empty)


def combine(values: Array, matrix: Array) -> Array:
    """Contract the last axis of `values` with a constant matrix: (runs, ..., n), (n, m).

    One vector-matrix product a row, so a run's bits do not depend on the batch.
    """
    values = np.ascontiguousarray(np.broadcast_to(values, values.shape), dtype=float)
    return np.vecmat(values, np.ascontiguousarray(matrix, dtype=float))


def total(values: Array) -> Array:
    """Sum over all axes but the first, (runs, 1)."""
    return values.reshape(len(values), -1).sum(axis=1, keepdims=True)


def sigmoid(values: Array) -> Array:
    """Return 1/(1 + exp(-x))."""
    from scipy.special import expit

    return np.asarray(expit(values))
