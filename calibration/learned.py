"""What figures can tell of parameters: learned directions, learned shares, what trades off.

Parameters are normal numbers (`calibration.posterior.to_normal`), so that all are independent, of
mean 0 and variance 1 before anything is known; figures are logs with the error of publication in
them. A direction in the space of parameters is learned to the share of its variance that
the figures explain, the square of a canonical correlation (Hotelling 1936). With hundreds of
parameters some share is explained by accident: the same with figures dealt to other rows is the
noise floor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecosystem.maths.arrays import Array

DEALS = 19
"""Deals of figures to other rows: the largest share among 19 is passed by chance once in 20."""
ACCIDENT = 0.01
"""Share of the parameters that no figure reaches, and that stand above their floor by chance."""
ALIKE = 1e-9
"""Figures that are combinations of others up to this share of the largest variance are left out."""


@dataclass(frozen=True)
class Learned:
    """What figures tell of parameters.

    Parameters
    ----------
    shares : ndarray, shape (directions,)
        Share of the variance of each learned direction that figures explain, largest first.
    floor : float
        Share that is passed by chance once in twenty.
    figures : ndarray, shape (figures, directions)
        Weights by which centred figures make the direction; the result has variance 1.
    parameters : ndarray, shape (parameters, directions)
        Correlation of each parameter with what the figures say of a direction.
    basis : ndarray, shape (parameters, directions)
        The directions, orthonormal.
    parameter_shares : ndarray, shape (parameters,)
        Share of each parameter's own variance that all figures explain.
    parameter_floor : float
        Share that one unreached parameter in a hundred passes by chance.
    """

    shares: Array
    floor: float
    figures: Array
    parameters: Array
    basis: Array
    parameter_shares: Array
    parameter_floor: float

    @property
    def reached(self) -> NDArray[np.bool_]:
        """Return which parameters figures reach, (parameters,) of bool."""
        return self.parameter_shares > self.parameter_floor


def learn(normal: Array, figures: Array, seed: int = 1) -> Learned:
    """Say what figures tell of parameters, from rows drawn from the prior.

    Parameters
    ----------
    normal : ndarray, shape (rows, parameters)
        Parameters as independent standard normal numbers.
    figures : ndarray, shape (rows, figures)
        Logs, with the error of publication.
    seed : int
        Of the deals that give the noise floor.
    """
    rows = len(normal)
    centred = (normal - normal.mean(axis=0)) / normal.std(axis=0)
    whitening = _whitening(figures)
    white = (figures - figures.mean(axis=0)) @ whitening
    left, correlation, right = np.linalg.svd(centred.T @ white / rows, full_matrices=False)
    rng, largest, accidents = np.random.default_rng(seed), [0.0], []
    for _ in range(DEALS):
        dealt = centred.T @ rng.permutation(white) / rows
        largest.append(float(np.linalg.norm(dealt, 2)) ** 2)
        accidents.append((dealt**2).sum(axis=1))
    floor = max(largest)
    kept = correlation**2 > floor
    return Learned(
        correlation[kept] ** 2,
        floor,
        whitening @ right.T[:, kept],
        left[:, kept] * correlation[kept],
        left[:, kept],
        ((centred.T @ white / rows) ** 2).sum(axis=1),
        float(np.quantile(accidents, 1 - ACCIDENT)),
    )


def _whitening(figures: Array) -> Array:
    """Return weights that make uncorrelated numbers of variance 1 of centred figures."""
    variance, axes = np.linalg.eigh(np.atleast_2d(np.cov(figures.T)))
    kept = variance > ALIKE * variance.max()
    return np.asarray(axes[:, kept] / np.sqrt(variance[kept]))


def tension(figures: Array, published: Array) -> Array:
    """Return how far each published figure lies from what the others say of it, (figures,).

    In standard deviations of its prediction by linear regression on the others over the rows of
    the prior (Bayarri & Berger 2000 call for such conflicts to be looked at one by one). The
    deviation of figure t is (P d)_t / sqrt(P_tt), with d what was published less the mean over rows
    and P the inverse of the covariance.

    Parameters
    ----------
    figures : ndarray, shape (rows, figures)
        Logs, with the error of publication.
    published : ndarray, shape (figures,)
        Logs.
    """
    inverse = np.linalg.pinv(np.atleast_2d(np.cov(figures.T)), hermitian=True)
    away = published - figures.mean(axis=0)
    known = np.diag(inverse) > 0
    return np.where(known, inverse @ away / np.sqrt(np.where(known, np.diag(inverse), 1)), 0.0)


def trade_offs(
    normal: Array, weights: Array, among: NDArray[np.bool_]
) -> list[tuple[int, int, float]]:
    """Return pairs of parameters that figures tie together, by correlation, strongest first.

    A pair is named where its correlation is four standard errors from 0, which of 10,000
    independent pairs less than one passes by chance.

    Parameters
    ----------
    normal : ndarray, shape (rows, parameters)
        Rows of the posterior.
    weights : ndarray, shape (rows,)
        Of the rows, with sum 1.
    among : ndarray, shape (parameters,) of bool
        Which parameters are looked at.
    """
    places = np.flatnonzero(among)
    if len(places) < 2:
        return []
    values = normal[:, places]
    values = np.sqrt(weights)[:, None] * (values - weights @ values)
    covariance = values.T @ values
    spread = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(spread, spread)
    bound = 4 * np.sqrt((weights**2).sum())
    first, second = np.triu_indices(len(places), 1)
    found = [
        (int(places[i]), int(places[j]), float(correlation[i, j]))
        for i, j in zip(first, second, strict=True)
        if abs(correlation[i, j]) > bound
    ]
    return sorted(found, key=lambda pair: -abs(pair[2]))
