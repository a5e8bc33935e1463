"""How likely published figures are where a run shows something else, and what no run may exceed.

A figure is lognormal around what the model shows, with the error of its target. A bound ("over
50,000") counts on one side alone. Where a run shows nothing, `LEAST` of the figure stands for it.
Ceilings are no measurements: they say what cannot have been, since the part is less than the whole.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

import numpy as np

from calibration.records import Statistic, quarter_of, statistics
from calibration.targets import Target, observables
from ecosystem.inputs.catalogue import Row, read_rows
from ecosystem.inputs.faults import FaultList
from ecosystem.maths.arrays import Array, safe_ratio

LEAST = 1e-3
"""What stands for nothing, over the figure: seven in logs, far outside every error."""


def at(target: Target, values: Array) -> Array:
    """Return what runs say of a target, (runs,): the level, or the ratio to the base date."""
    if target.base_period is None:
        return values[:, target.period]
    return safe_ratio(values[:, target.period], values[:, target.base_period], np.nan)


def summaries(targets: Sequence[Target], observed: Mapping[str, Array]) -> Array:
    """Return logs of what runs say of targets, (runs, targets).

    Parameters
    ----------
    targets
        What is held against them.
    observed
        Observables by name, (runs, quarters) each.
    """
    least = [LEAST * target.value for target in targets]
    shown = [at(target, observed[target.observable]) for target in targets]
    columns = [
        np.fmax(one, low) for one, low in zip(shown, least, strict=True)
    ]  # NaN is nothing, too
    return np.log(np.stack(columns, axis=1))


def log_likelihood(targets: Sequence[Target], observed: Mapping[str, Array]) -> Array:
    """Return the log-likelihood of each figure, less what is the same for all runs.

    Parameters
    ----------
    targets, observed
        As of `summaries`.

    Returns
    -------
    ndarray, shape (runs, targets)
        -w d²/2, with the weight w of the target and the distance d in standard deviations.
    """
    shown = summaries(targets, observed)
    off = (np.log([target.value for target in targets]) - shown) / [t.log_sd for t in targets]
    bound = np.array([target.bound for target in targets])
    off = np.where(bound == "lower", np.fmax(off, 0), off)
    off = np.where(bound == "upper", np.fmin(off, 0), off)
    return np.asarray(-0.5 * np.array([target.weight for target in targets]) * off**2)


class Ceiling(Row):
    """A row of ``ceilings.csv``: an observable is at most a share of a published figure."""

    observable: str
    series: str
    region: str
    date: str
    share: float
    reason: str

    @property
    def figure(self) -> Statistic:
        """The published figure."""
        named = self.series, self.region, self.date
        return next(s for s in statistics() if (s.series, s.region, s.date) == named)

    @property
    def limit(self) -> float:
        """The most that a run may show, in the unit of the figure."""
        return self.share * self.figure.value


@cache
def ceilings() -> dict[str, Ceiling]:
    """Return the ceilings by name.

    Raises
    ------
    InputError
        With every fault of the table: bad cells, unknown observables, no such figure, another
        unit.
    """
    text = (files("calibration") / "ceilings.csv").read_text(encoding="utf-8-sig")
    rows = read_rows(text, Ceiling, "ceilings.csv")
    faults, known = FaultList(), {(s.series, s.region, s.date) for s in statistics()}
    for name, row in rows.items():
        place = f"ceilings.csv: {name}"
        if (row.series, row.region, row.date) not in known:
            faults.add(f"{place}.series", row.series, "series, region and date of a statistic")
        elif faults.name(f"{place}.observable", row.observable, observables()):
            if (unit := observables()[row.observable].unit) != row.figure.unit:
                faults.add(f"{place}.observable", row.observable, f"in {row.figure.unit}: {unit}")
    faults.raise_if_any()
    return rows


def within_ceilings(observed: Mapping[str, Array]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which runs exceed no ceiling, (runs,), of observables (runs, quarters) by name."""
    kept = [
        observed[row.observable][:, quarter_of(row.date)] <= row.limit
        for row in ceilings().values()
    ]
    return np.all(kept, axis=0)
