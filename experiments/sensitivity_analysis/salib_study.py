"""SALib behind one careful function: samples in blocks, and indices that are never silently zero.

SALib turns a single missing outcome into zeros, ignores a seed of 0, may reseed NumPy's global
stream, and takes outcomes in any order; none of it is reported. So the sample is drawn and the
outcomes are analysed here and nowhere else, with everything checked before.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecosystem.maths.arrays import Array
from experiments.sensitivity_analysis.factors import DUMMY, NEAR_DUMMY

METHODS = ("morris", "sobol")
LEVELS = 4
"""Levels of the Morris grid; a step is two thirds of a factor's range."""
RESAMPLES = 100
"""Bootstrap resamples; half an interval is 1.96 times the standard deviation over them."""
CONFIDENCE = 0.95
NEAR_SHARE = 0.01
"""Share of the variance of an outcome that the near-dummy has."""
FEWEST = 4
"""Blocks below which nothing is analysed."""
OK, CONSTANT, FAILED = "ok", "constant", "failed"
RARE, LEFT_OUT, NOT_COMMON = "varies too rarely", "blocks left out", "luck not common"
"""What a status may say: the same at every point; too many runs failed; the same at every
independent point, though not at all; blocks in which a run failed were left out; outcomes differ
where the dummy alone moves."""
BOTH = "; "
"""Between two words of a status."""
MOST_LEFT_OUT = 0.1
"""Share of blocks that may be left out because a run failed."""
ROUNDING = 1e-12
"""What varies by less than this of its level is constant."""
INDICES = {
    "morris": ("mu", "mu_star", "mu_star_low", "mu_star_high", "sigma"),
    "sobol": ("first", "first_low", "first_high", "total", "total_low", "total_high"),
}
MAIN = {"morris": "mu_star", "sobol": "total"}
"""The index by which factors are ranked."""


@dataclass(frozen=True)
class Sample:
    """Points between 0 and 1 at which a method wants outcomes.

    Parameters
    ----------
    method
        ``morris`` or ``sobol``.
    names
        Factors, in the order of columns.
    unit
        Points, (points, factors).
    length
        Points of a block: one Morris trajectory or one Saltelli block.
    second_order
        Sobol indices of pairs are wanted.
    seed
        Seed of the sample and of the bootstrap, at least 1.
    """

    method: str
    names: tuple[str, ...]
    unit: Array
    length: int
    second_order: bool
    seed: int

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return len(self.unit) // self.length

    @property
    def block(self) -> NDArray[np.int32]:
        """Block of each point, (points,)."""
        return np.repeat(np.arange(self.blocks, dtype=np.int32), self.length)

    @property
    def problem(self) -> dict[str, Any]:
        """What SALib calls a problem, made anew since SALib writes into it."""
        bounds = [[0.0, 1.0] for _ in self.names]
        return {"num_vars": len(self.names), "names": list(self.names), "bounds": bounds}

    @property
    def independent(self) -> NDArray[np.intp]:
        """Places in a block of independent points: all of a trajectory; A and B."""
        return np.arange(self.length) if self.method == "morris" else np.array([0, self.length - 1])


@dataclass(frozen=True)
class Analysis:
    """Indices of one outcome.

    Parameters
    ----------
    status
        ``ok``, or what is wrong, joined by `BOTH`.
    indices
        By name, (factors,) each; NaN where there is nothing to analyse.
    second
        Second-order indices with their intervals' half-widths, (factors, factors) each, or None.
    blocks
        Blocks that were analysed.
    mean, sd
        Of the outcome over the independent points.
    """

    status: str
    indices: dict[str, Array]
    second: tuple[Array, Array] | None
    blocks: int
    mean: float
    sd: float


@contextmanager
def global_stream_kept() -> Iterator[None]:
    """Leave NumPy's global stream as it is, whatever a library does to it inside the block."""
    state = np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


def draw(
    method: str, names: Sequence[str], count: int, seed: int, second_order: bool = False
) -> Sample:
    """Return a sample of `count` Morris trajectories or Saltelli blocks.

    Raises
    ------
    ValueError
        The method is none of ours, names stand twice, or the seed or a count is one that SALib
        would take silently for something else.
    """
    if method not in METHODS or len(set(names)) != len(names) or seed < 1 or count < FEWEST:
        raise ValueError(f"{method}, {len(names)} names, {count} blocks, seed {seed}")
    if method == "sobol" and count & (count - 1):
        raise ValueError(f"{count} blocks of a Sobol' sequence are no power of 2")
    width = len(names)
    lengths = {"morris": width + 1, "sobol": 2 * width + 2 if second_order else width + 2}
    sample = Sample(method, tuple(names), np.zeros((0, width)), lengths[method], second_order, seed)
    from SALib.sample import morris as morris_sample  # slow to load, and other commands need none
    from SALib.sample import sobol as sobol_sample

    with global_stream_kept():
        if method == "morris":
            unit = morris_sample.sample(sample.problem, count, num_levels=LEVELS, seed=seed)
        else:
            unit = sobol_sample.sample(
                sample.problem, count, calc_second_order=second_order, seed=seed
            )
    if unit.shape != (count * sample.length, width) or unit.min() < 0 or unit.max() > 1:
        raise ValueError(f"SALib returned a sample of shape {unit.shape}")
    return replace(sample, unit=unit)


def analyse(
    sample: Sample,
    values: Array,
    scale: float | None = None,
    pairs: bool = True,
) -> Analysis:
    """Return the indices of one outcome, or say why there are none.

    Blocks in which a run failed are left out and counted; above a tenth of them, or if too few
    are left, nothing is analysed.

    Parameters
    ----------
    sample
        Where the outcome was wanted.
    values
        The outcome at the sample's points in their order, (points,); NaN where a run failed.
    scale
        Level against which rounding is judged; by default the largest value.
    pairs
        Return second-order indices where the sample has them; they take forty times as long.

    Raises
    ------
    ValueError
        There is not one value a point.
    """
    if values.shape != (len(sample.unit),):
        raise ValueError(f"{values.shape} outcomes, not one a point of {len(sample.unit)}")
    rows = values.reshape(sample.blocks, sample.length)
    whole = np.isfinite(rows).all(axis=1)
    used, lost = int(whole.sum()), int((~whole).sum())
    if used < FEWEST or lost > MOST_LEFT_OUT * sample.blocks:
        return _nothing(sample, FAILED, used)
    rows = rows[whole]
    free = rows[:, sample.independent]
    mean, sd = float(free.mean()), float(free.std())
    wrong = [LEFT_OUT] if lost else []
    least = ROUNDING * (np.abs(rows).max() if scale is None else scale)
    if np.ptp(free) <= least:
        why = CONSTANT if np.ptp(rows) <= least else RARE
        return _nothing(sample, BOTH.join([why, *wrong]), used, mean)
    unit = sample.unit.reshape(sample.blocks, sample.length, -1)[whole]
    if _dummy_moves(sample, unit, rows):
        wrong.append(NOT_COMMON)
    if NEAR_DUMMY in sample.names:
        column = unit[..., sample.names.index(NEAR_DUMMY)]
        rows = rows + near_term(sample.method, sd) * (column - 0.5)
    second_order = sample.second_order and pairs
    if sample.second_order and not pairs:
        kept = [*range(len(sample.names) + 1), sample.length - 1]
        unit, rows = unit[:, kept], rows[:, kept]
    flat = unit.reshape(-1, unit.shape[-1])
    indices, second = _salib(sample, flat, rows.reshape(-1), second_order)
    return Analysis(BOTH.join(wrong) or OK, indices, second, used, mean, sd)


def near_term(method: str, sd: float) -> float:
    """Return the slope that gives the near-dummy its share of the variance of the sum.

    With an outcome of variance sd² and a factor u of variance v (1/12 where u is uniform, 5/36 on
    the four levels of a Morris grid), slope² v = share (sd² + slope² v). Its first and total
    Sobol index is the share; its elementary effects all are the slope.
    """
    variance = (LEVELS + 1) / (12 * (LEVELS - 1)) if method == "morris" else 1 / 12
    return float(sd * np.sqrt(NEAR_SHARE / (1 - NEAR_SHARE) / variance))


def _nothing(sample: Sample, status: str, blocks: int, mean: float = np.nan) -> Analysis:
    """Return an analysis without indices."""
    empty = {name: np.full(len(sample.names), np.nan) for name in INDICES[sample.method]}
    sd = np.nan if status == FAILED else 0.0
    return Analysis(status, empty, None, blocks, mean, sd)


def _dummy_moves(sample: Sample, unit: Array, rows: Array) -> bool:
    """Return whether an outcome changes in a block where only the dummy does."""
    if DUMMY not in sample.names:
        return False
    column = sample.names.index(DUMMY)
    others = np.delete(unit, column, axis=-1)
    if sample.method == "morris":
        still = (others[:, 1:] == others[:, :-1]).all(axis=-1)
        return bool((rows[:, 1:] != rows[:, :-1])[still].any())
    return bool((rows[:, column + 1] != rows[:, 0]).any())


def _salib(
    sample: Sample, unit: Array, values: Array, second_order: bool
) -> tuple[dict[str, Array], tuple[Array, Array] | None]:
    """Call SALib on checked values and return its indices under our names."""
    from SALib.analyze import morris as morris_analysis
    from SALib.analyze import sobol as sobol_analysis

    options: dict[str, Any] = {
        "num_resamples": RESAMPLES,
        "conf_level": CONFIDENCE,
        "seed": sample.seed,
    }
    second = None
    with global_stream_kept():
        if sample.method == "morris":
            found = morris_analysis.analyze(
                sample.problem, unit, values, num_levels=LEVELS, **options
            )
            if [str(name) for name in found["names"]] != list(sample.names):
                raise ValueError(f"SALib returned factors {found['names']}")
            kept = {"mu": found["mu"], "sigma": found["sigma"]}
            kept |= _interval("mu_star", found["mu_star"], found["mu_star_conf"], lowest=0.0)
        else:
            options["calc_second_order"] = second_order
            found = sobol_analysis.analyze(sample.problem, values, **options)
            kept = _interval("first", found["S1"], found["S1_conf"])
            kept |= _interval("total", found["ST"], found["ST_conf"], lowest=0.0)
            if second_order:
                second = (np.asarray(found["S2"]), np.asarray(found["S2_conf"]))
    indices = {name: np.asarray(kept[name], dtype=float) for name in INDICES[sample.method]}
    for name, index in indices.items():
        if index.shape != (len(sample.names),) or not np.isfinite(index).all():
            raise ValueError(f"SALib returned {name} = {index}")
    return indices, second


def _interval(name: str, value: Any, half: Any, lowest: float = -np.inf) -> dict[str, Any]:
    """Return an index with the ends of its interval, none below what the index can be."""
    low = np.maximum(value - half, lowest)
    return {name: value, f"{name}_low": low, f"{name}_high": value + half}
