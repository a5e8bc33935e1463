"""Functions with known sensitivity indices, as models of one's own for `run_design`.

Ishigami and Homma 1990; Saltelli and Sobol' 1995 (the G function). The last two have luck, by
replicate or, as a warning, afresh in every run.
"""

from __future__ import annotations

from typing import Any

import numpy as np

ISHIGAMI = {name: (-np.pi, np.pi) for name in ("x1", "x2", "x3")}
A, B = 7.0, 0.1
WEIGHTS = (0.0, 1.0, 4.5, 9.0, 99.0, 99.0, 99.0, 99.0)
G = {f"x{place + 1}": (0.0, 1.0) for place in range(len(WEIGHTS))}
PAIR = {name: (0.0, 1.0) for name in ("x1", "x2")}
LUCK = 0.25
"""Standard deviation of the logarithm of luck."""


def ishigami(runs: Any) -> Any:
    """Return sin x1 + 7 sin² x2 + 0.1 x3⁴ sin x1, (runs,)."""
    x, y, z = (runs[name].to_numpy() for name in ISHIGAMI)
    return np.sin(x) + A * np.sin(y) ** 2 + B * z**4 * np.sin(x)


def sobol_g(runs: Any) -> Any:
    """Return the product of (|4 x - 2| + a) / (1 + a), (runs,)."""
    factors = [
        (np.abs(4 * runs[name].to_numpy() - 2) + weight) / (1 + weight)
        for name, weight in zip(G, WEIGHTS, strict=True)
    ]
    return np.prod(factors, axis=0)


def luck_of(runs: Any, stream: int) -> Any:
    """Return a standard normal number that belongs to the replicate, (runs,)."""
    numbers, place = np.unique(runs["replicate"].to_numpy(), return_inverse=True)
    luck = [np.random.default_rng([stream, int(number)]).standard_normal() for number in numbers]
    return np.array(luck)[place]


def lucky_g(runs: Any) -> Any:
    """Return G times a lognormal luck that belongs to the replicate, (runs,)."""
    return sobol_g(runs) * np.exp(LUCK * luck_of(runs, 1))


def lucky_sum(runs: Any, share: float, variance: float, stream: int) -> Any:
    """Return a sum with a known share of chance, (runs,), of factors with so much variance each."""
    slope = np.sqrt((1 - share) / len(PAIR) / variance)
    return slope * sum(runs[name].to_numpy() for name in PAIR) + np.sqrt(share) * luck_of(
        runs, stream
    )


def noisy_g(runs: Any) -> Any:
    """Return G times a luck of every single run, as a model would that ignores replicates."""
    luck = [np.random.default_rng([2, int(run)]).standard_normal() for run in runs.index]
    return sobol_g(runs) * np.exp(LUCK * np.array(luck))


def ishigami_indices() -> tuple[Any, Any]:
    """Return first and total order, (3,) each."""
    alone = 0.5 * (1 + B * np.pi**4 / 5) ** 2
    second = A**2 / 8
    pair = B**2 * np.pi**8 * (1 / 18 - 1 / 50)
    variance = alone + second + pair
    first = np.array([alone, second, 0.0]) / variance
    return first, first + np.array([pair, 0.0, pair]) / variance


def g_indices() -> tuple[Any, Any]:
    """Return first and total order, (8,) each."""
    parts = 1 / (3 * (1 + np.array(WEIGHTS)) ** 2)
    variance = np.prod(1 + parts) - 1
    return parts / variance, parts * np.prod(1 + parts) / (1 + parts) / variance


def lucky_g_indices() -> tuple[Any, Any, float]:
    """Return first and total order given luck and the share of chance at a point.

    With luck L independent of x, a factor's variance given luck is E[L²] times that of G; the
    variance within a point is Var L E[G²].
    """
    mean, square = np.exp(LUCK**2 / 2), np.exp(2 * LUCK**2)
    spread = np.prod(1 + 1 / (3 * (1 + np.array(WEIGHTS)) ** 2))  # E[G²]; E[G] is 1
    variance = square * spread - mean**2
    scale = square * (spread - 1) / variance
    first, total = g_indices()
    return scale * first, scale * total, float((square - mean**2) * spread / variance)
