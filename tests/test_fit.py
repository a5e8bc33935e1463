"""Known answers of the fit: a linear model with normal noise, whose posterior is exact.

Seeds are fixed. Means and variances are held to `ERRORS` standard errors of their own: a change
of luck alone fails one of the sixteen comparisons of a test in 10,000.
"""

from __future__ import annotations

import numpy as np
import pytest

from calibration.abc import FAR, Adjusted, adjust, as_published, kept_share
from calibration.learned import Learned, learn, tension, trade_offs
from calibration.sampler import (
    ISLANDS,
    Rows,
    degree,
    effective_rows,
    resampled,
    systematic,
    tempered,
    worth,
)
from ecosystem.maths.arrays import Array
from ecosystem.maths.chance import normal_inverse

ERRORS = 4.5
PARAMETERS, SD, LUCK_SD = 8, 0.3, 0.4
PERIODS = np.array([3, 3, 9, 14])
DATES = np.unique(PERIODS)
PUBLISHED = np.array([0.8, -0.5, 1.2, 0.6])
SLOPES = np.zeros((PARAMETERS, 4))
SLOPES[:3] = [[0.9, 0.2, 0.7, 0.5], [0.1, 0.8, 0.3, -0.4], [0.0, 0.3, 0.5, 0.6]]
"""Five of the eight parameters move no figure."""
BASIS = np.eye(PARAMETERS)[:, :3]


def noise_of(luck: Array) -> Array:
    """Return the standard normal number that each luck number stands for (SplitMix64)."""
    mixed = luck.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return normal_inverse((mixed ^ (mixed >> np.uint64(31))) / 2.0**64)


def model(normal: Array, luck: Array) -> Array:
    """Return figures: linear in parameters, with a random walk of luck from date to date."""
    walk = LUCK_SD * np.cumsum(noise_of(luck + np.arange(len(DATES))), axis=1)
    return np.asarray(normal @ SLOPES + walk[:, np.searchsorted(DATES, PERIODS)])


def likelihood(normal: Array, luck: Array) -> Array:
    return np.asarray(-(((model(normal, luck) - PUBLISHED) / SD) ** 2) / 2)


def exact() -> tuple[Array, Array]:
    """Return mean and covariance of the parameters given what was published."""
    date = 1 + np.searchsorted(DATES, PERIODS)
    noise = LUCK_SD**2 * np.minimum.outer(date, date) + SD**2 * np.eye(len(PERIODS))
    gain = SLOPES @ np.linalg.inv(SLOPES.T @ SLOPES + noise)
    return gain @ PUBLISHED, np.eye(PARAMETERS) - gain @ SLOPES.T


def prior(rows: int, seed: int = 5) -> Rows:
    rng = np.random.default_rng(seed)
    normal, luck = rng.standard_normal((rows, PARAMETERS)), rng.integers(2**40, size=(rows, 1))
    luck = np.tile(luck, len(DATES))
    return Rows(normal, luck, likelihood(normal, luck))


def said_by(table: Rows) -> Array:
    none = np.zeros(len(PUBLISHED))
    return as_published(model(table.normal, table.luck), PUBLISHED, none + SD, none)


def approximated() -> tuple[Learned, Adjusted]:
    table = prior(20_000)
    figures = said_by(table)
    learned = learn(table.normal, figures)
    said = (figures - figures.mean(axis=0)) @ learned.figures
    wanted = (PUBLISHED - figures.mean(axis=0)) @ learned.figures
    share = kept_share(table.normal, said, wanted, learned.parameters)
    return learned, adjust(table.normal, said, wanted, share)


def require_exact(mean: Array, variance: Array, rows: float) -> None:
    """Fail unless means and variances are the exact ones, within errors of so many rows."""
    wanted, covariance = exact()
    spread = np.diag(covariance)
    assert (np.abs(mean - wanted) < ERRORS * np.sqrt(spread / rows)).all()
    assert (np.abs(variance / spread - 1) < ERRORS * np.sqrt(2 / rows)).all()


def test_approximation_finds_the_exact_posterior() -> None:
    _, found = approximated()
    assert found.effective > 1_000
    require_exact(found.mean, found.variance, found.effective)


def test_sampler_finds_the_exact_posterior() -> None:
    """Weighing a figure twice would halve variances, which is ten standard errors."""
    rows, stages = tempered(prior(20_000), likelihood, BASIS, 4_000)
    powers = [stage.power for stage in stages]
    assert powers == sorted(powers) and powers[-1] == 1
    assert all(stage.effective > 1_999 for stage in stages)
    assert rows.luck.shape == (4_000, len(DATES))
    effective = worth(rows.normal[:, :3])
    assert effective > 300
    require_exact(rows.normal.mean(axis=0), rows.normal.var(axis=0), effective)
    assert np.array_equal(rows.log_likelihood, likelihood(rows.normal, rows.luck))


def test_sampler_conditions_luck_as_well() -> None:
    """The walk of luck at the last date, given all figures, in closed form."""
    rows, _ = tempered(prior(20_000), likelihood, BASIS, 4_000)
    walk = model(0 * rows.normal, rows.luck)[:, -1]
    date = 1 + np.searchsorted(DATES, PERIODS)
    lucky = LUCK_SD**2 * np.minimum.outer(date, date)
    cause = lucky[-1] @ np.linalg.inv(SLOPES.T @ SLOPES + lucky + SD**2 * np.eye(4))
    mean, spread = cause @ PUBLISHED, lucky[-1, -1] - cause @ lucky[-1]
    effective = worth(walk[:, None])
    assert abs(walk.mean() - mean) < ERRORS * np.sqrt(spread / effective)
    assert abs(walk.var() / spread - 1) < ERRORS * np.sqrt(2 / effective)


def test_rows_beyond_a_ceiling_are_never_kept() -> None:
    def within(normal: Array, luck: Array) -> Array:
        return np.where(normal[:, :1] < 0.2, likelihood(normal, luck), -np.inf)

    table = prior(4_000)
    table = Rows(table.normal, table.luck, within(table.normal, table.luck))
    rows, _ = tempered(table, within, BASIS, 400)
    assert rows.normal[:, 0].max() < 0.2
    nothing = Rows(table.normal, table.luck, np.full_like(table.log_likelihood, -np.inf))
    with pytest.raises(FloatingPointError, match="ceilings"):
        tempered(nothing, within, BASIS, 400)


def test_learned_directions_are_those_of_the_linear_model() -> None:
    """Shares are the canonical correlations, and the floor keeps out what figures do not reach."""
    learned, _ = approximated()
    date = 1 + np.searchsorted(DATES, PERIODS)
    noise = LUCK_SD**2 * np.minimum.outer(date, date) + SD**2 * np.eye(4)
    inverse = np.linalg.inv(SLOPES.T @ SLOPES + noise)
    wanted = np.sort(np.linalg.eigvals(SLOPES @ inverse @ SLOPES.T).real)[::-1][:3]
    assert learned.shares == pytest.approx(wanted, abs=ERRORS / np.sqrt(20_000))
    assert learned.reached.tolist() == [True] * 3 + [False] * 5
    _, covariance = exact()
    explained = 1 - np.diag(covariance)
    assert learned.parameter_shares == pytest.approx(explained, abs=ERRORS / np.sqrt(20_000))


def test_nothing_is_learned_from_figures_dealt_to_other_rows() -> None:
    """Of 40 deals one in twenty passes the floor: more than 7 have a chance of one in 1,000."""
    table, rng = prior(500), np.random.default_rng(3)
    figures = said_by(table)
    found = [len(learn(table.normal, rng.permutation(figures), n).shares) > 0 for n in range(40)]
    assert sum(found) <= 7


def test_pairs_that_only_their_sum_is_known_of_trade_off() -> None:
    rng = np.random.default_rng(2)
    normal = rng.standard_normal((3_000, 4))
    total = normal[:, 0] + normal[:, 1]
    weights = np.exp(-((total - 1) ** 2) / 0.02)
    pairs = trade_offs(normal, weights / weights.sum(), np.ones(4, bool))
    assert [pair[:2] for pair in pairs] == [(0, 1)]
    assert pairs[0][2] < -0.9
    assert trade_offs(normal, weights / weights.sum(), np.arange(4) == 1) == []


def test_tension_is_the_distance_from_what_the_others_say() -> None:
    """With two figures: the residual of one regressed on the other."""
    rng = np.random.default_rng(4)
    figures = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], 200_000)
    found = tension(figures, np.array([1.0, -0.2]))
    assert found == pytest.approx(np.array([1.16, -1.0]) / np.sqrt(0.36), abs=0.02)


@pytest.mark.parametrize(
    ("bound", "given", "wanted"),
    [(0, 2.0, 2.0), (1, 2.0, 0.5), (1, -2.0, -2.0), (-1, -2.0, 0.5), (-1, 2.0, 2.0)],
)
def test_beyond_a_bound_all_is_the_same(bound: int, given: float, wanted: float) -> None:
    found = as_published(np.array([[given]]), np.array([0.5]), np.zeros(1), np.array([bound]))
    assert found.item() == wanted


def test_figures_of_nothing_stand_far_away() -> None:
    found = as_published(np.array([[-np.inf, np.nan]]), np.zeros(2), np.zeros(2), np.zeros(2))
    assert (found == -FAR).all()


def test_systematic_resampling_gives_each_row_its_share_up_to_one() -> None:
    rng = np.random.default_rng(1)
    weights = rng.random(50)
    count = np.bincount(systematic(np.log(weights), 1_000, rng), minlength=50)
    assert (np.abs(count - 1_000 * weights / weights.sum()) < 1).all()


def test_islands_never_mix() -> None:
    places = resampled(np.zeros(400), 80, np.random.default_rng(1))
    island = np.repeat(np.arange(ISLANDS), 20)
    assert (places // 100 == island).all()


def test_effective_rows_and_degrees_in_closed_forms() -> None:
    log_weights = np.log([1.0, 1, 1, 1, 0.5, 0.5])
    assert effective_rows(log_weights) == pytest.approx(25 / 4.5)
    assert effective_rows(np.full(3, -np.inf)) == 0
    assert degree(log_weights, 3, 1.0) == 1
    power = degree(100 * log_weights, 5.0, 1.0)
    assert effective_rows(power * 100 * log_weights) == pytest.approx(5.0)


def test_worth_counts_independent_rows() -> None:
    """Rows that stand there ten times each are worth a tenth; an error of a fifth is 4 sd."""
    rng = np.random.default_rng(6)
    values = np.repeat(rng.standard_normal((400, 300)), 10, axis=0)
    assert worth(values) == pytest.approx(400, rel=0.2)
    assert worth(np.ones((8, 2))) == 0
