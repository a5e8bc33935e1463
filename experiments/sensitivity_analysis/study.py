"""Which uncertain numbers decide what policies do: a study is run, and indices become tables.

All points of a Morris trajectory or Saltelli block share luck, and so do all scenarios, so that
neither an index nor a paired effect takes chance for a factor.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ecosystem.inputs.calendar import FIRST_YEAR, POLICY_START, QUARTERS_A_YEAR
from ecosystem.inputs.catalogue import outcomes as outcome_table
from ecosystem.maths.arrays import Array
from ecosystem.runs.design import Design
from ecosystem.runs.result import titles_of
from ecosystem.runs.runner import Ensemble, start
from experiments.sensitivity_analysis.chance import shares_of_chance
from experiments.sensitivity_analysis.factors import DUMMY, NEAR_DUMMY
from experiments.sensitivity_analysis.plan import YEARLY, Study
from experiments.sensitivity_analysis.salib_study import (
    MAIN,
    NEAR_SHARE,
    NOT_COMMON,
    Analysis,
    analyse,
)

LEVEL, EFFECT = "level", "effect"
HORIZON = "horizon"
"""Period of outcomes over their own time base: present value, sum, last four quarters, end."""
Progress = Callable[[int, int], None]
Columns = dict[str, Any]
"""Columns of some rows of a table; what is no array is the same in all of them."""


@dataclass(frozen=True)
class SensitivityResult:
    """What a sensitivity study found.

    Parameters
    ----------
    study
        What was run.
    table
        One row a package, quantity (level, or effect against the reference), outcome and factor,
        over the outcome's own time base. Morris: `mu`, `mu_star` and `sigma` in the outcome's
        unit, of changes over two thirds of a factor's range times 1.5; Sobol: `first` and `total`
        shares of variance, without unit. `_low` and `_high` lie 1.96 bootstrap standard deviations
        off (100 resamples), never below zero for `mu_star` and `total`. `rank` orders factors,
        `matters` says that the lower end lies above the near-dummy and luck is common.
        `chance_share` is the share of variance that luck has at a point, with an interval of
        percentiles; `other_share` that of luck and of the uncertain parameters that are no
        factor; `chance_blocks` says how many blocks they come from.
        `mean` and `sd` are the outcome's over the sample, in `outcome_unit`; `blocks` were
        analysed. `status` is ``ok`` or says what is wrong, see `salib_study`.
    by_year
        The same by year, without intervals of the shares.
    pairs
        Sobol indices of pairs, if asked for, else empty. `matters` says that the lower end lies
        above every pair of the dummy, which all come of noise.
    failed
        Runs that failed.
    """

    study: Study
    table: pd.DataFrame
    by_year: pd.DataFrame
    pairs: pd.DataFrame
    failed: list[dict[str, Any]]

    def title(self, package: str, lang: str = "en") -> str:
        """Return the title of a scenario; the name of a model of one's own."""
        titles = {name: title[lang] for name, title in titles_of(self.study.scenarios).items()}
        return str(titles.get(package, package))


@dataclass(frozen=True)
class Values:
    """What came of the runs of a study.

    Parameters
    ----------
    points
        Means over replicates by outcome and period, (scenarios, points); NaN where a run failed.
    repeats
        The same of the repeats, (scenarios, kinds of repeat, blocks).
    failed
        Rows of runs that failed.
    """

    points: dict[tuple[str, str], Array]
    repeats: dict[tuple[str, str], Array]
    failed: list[dict[str, Any]]


def run_study(study: Study) -> Values:
    """Run what is missing of a study and return its outcomes.

    Raises
    ------
    FloatingPointError
        Every run of the sample failed.
    """
    many, replicates = len(study.names), study.asked.replicates
    design, repeats = study.design, study.repeats

    def counted(before: int) -> Progress | None:
        show = study.asked.progress
        return show and (lambda done, _: show(before + done, study.runs))

    first = ensemble_of(study, design, counted(0))
    points = means(first, study, (many, -1, replicates))
    if len(first.failures) == len(design):
        place = f", see {first.directory}" if first.directory else ""
        error = first.failures[0]["error"]
        raise FloatingPointError(f"every run failed{place}; the first: {error}")
    second = ensemble_of(study, repeats, counted(len(design)))
    shape = (many, study.repeated, study.sample.blocks)
    again = means(second, study, (*shape, replicates))
    again = {key: again.get(key, np.full(shape, np.nan)) for key in points}  # all may have failed
    return Values(points, again, first.failures + second.failures)


def ensemble_of(study: Study, design: Design, progress: Progress | None = None) -> Ensemble:
    """Return a design of a study ready to run."""
    asked = study.asked
    asked = asked.with_(outcomes=study.outcomes or None, progress=progress)
    return start(design, asked, model=asked.model, keep=study.keep)


def means(ensemble: Ensemble, study: Study, shape: tuple[int, ...]) -> dict[tuple[str, str], Array]:
    """Run an ensemble and return means over replicates, the last of a shape, by outcome and period.

    Years before any scenario may differ from the reference are left out.
    """
    found, start = {}, start_year(study) - FIRST_YEAR
    for kind, outcomes in ensemble.arrays(strict=False).items():
        for outcome, value in outcomes.items():  # (runs, periods, 1)
            columns = value[..., 0].T
            periods = {HORIZON: columns[0]}
            if kind == YEARLY:
                years = enumerate(columns[start:], FIRST_YEAR + start)
                periods = {str(year): column for year, column in years}
            for period, column in periods.items():
                found[outcome, period] = column.reshape(shape).mean(axis=-1)
    return found


def start_year(study: Study) -> int:
    """Return the first year in which a scenario may differ from the reference."""
    starts = [
        edit.start
        for scenario in study.scenarios
        for edit, own in zip(scenario.edits, scenario.own, strict=True)
        if own
    ]
    return FIRST_YEAR + min([POLICY_START, *starts]) // QUARTERS_A_YEAR


@dataclass(frozen=True)
class Quantity:
    """One outcome of one package over one time, as it is analysed.

    Parameters
    ----------
    keys
        Values of the columns that all its rows share.
    values
        At the points of the sample, (points,).
    again
        The same of the repeats, (kinds of repeat, blocks).
    scale
        Largest level, against which rounding is judged.
    """

    keys: dict[str, str]
    values: Array
    again: Array
    scale: float

    @property
    def whole(self) -> bool:
        """Whether it is over the time base of the outcome, rather than of a year."""
        return self.keys["period"] == HORIZON


def quantities(study: Study, values: Values) -> Iterator[Quantity]:
    """Give levels of every scenario, and paired effects of those that are not the reference."""
    base = study.names.index(study.reference) if study.reference else None
    for (outcome, period), levels in values.points.items():
        again = values.repeats[outcome, period]
        row = outcome_table()[outcome] if study.scenarios else None
        for place, package in enumerate(study.names):
            keys = {
                "package": package,
                "quantity": LEVEL,
                "group": row.group if row else "",
                "outcome": outcome,
                "outcome_unit": row.unit if row else "",
                "period": period,
            }
            scale = float(np.nan_to_num(np.abs(levels[place])).max(initial=0))
            yield Quantity(keys, levels[place], again[place], scale)
            if base is not None and place != base:
                effect, repeated = levels[place] - levels[base], again[place] - again[base]
                yield Quantity(keys | {"quantity": EFFECT}, effect, repeated, scale)


def analyse_study(study: Study, values: Values) -> SensitivityResult:
    """Return the indices of every quantity of a study."""
    whole: list[Columns] = []
    yearly: list[Columns] = []
    pairs: list[Columns] = []
    for one in quantities(study, values):
        found = analyse(study.sample, one.values, one.scale, pairs=one.whole)
        (whole if one.whole else yearly).append(index_rows(study, one, found))
        if study.asked.second_order and one.whole:
            pairs.append(pair_rows(study, one, found))
    return SensitivityResult(study, joined(whole), joined(yearly), joined(pairs), values.failed)


def joined(blocks: list[Columns]) -> pd.DataFrame:
    """Return the rows of all quantities as one frame."""
    if not blocks:
        return pd.DataFrame()
    frame = pd.concat([pd.DataFrame(block) for block in blocks], ignore_index=True)
    return frame.astype({"rank": "Int64"}) if "rank" in frame else frame


def index_rows(study: Study, one: Quantity, found: Analysis) -> Columns:
    """Return the columns of the indices of one quantity, one row a factor."""
    from scipy.stats import rankdata  # slow to load, and a comparison needs none of it

    sample, main = study.sample, MAIN[study.sample.method]
    index = found.indices[main]
    near = index[sample.names.index(NEAR_DUMMY)] if sample.method == "morris" else NEAR_SHARE
    above = found.indices[f"{main}_low"] > near
    return {
        **one.keys,
        "factor": np.array(sample.names),
        "factor_group": np.array([factor.group for factor in study.factors]),
        **found.indices,
        "rank": rankdata(-index, method="ordinal"),
        "matters": above & (NOT_COMMON not in found.status),  # luck would be taken for factors
        **shares_of_chance(sample, one.values, one.again, found.sd, one.whole),
        "mean": found.mean,
        "sd": found.sd,
        "blocks": found.blocks,
        "status": found.status,
    }


def pair_rows(study: Study, one: Quantity, found: Analysis) -> Columns:
    """Return the columns of the second-order indices of one quantity, one row a pair."""
    names = np.array(study.sample.names)
    first, other = np.triu_indices(len(names), k=1)
    nothing = np.full((len(names), len(names)), np.nan)
    second, half = found.second or (nothing, nothing)
    share, reach = second[first, other], half[first, other]
    noise = share[(names[first] == DUMMY) | (names[other] == DUMMY)].max()
    return {
        **one.keys,
        "factor": names[first],
        "other_factor": names[other],
        "second": share,
        "second_low": share - reach,
        "second_high": share + reach,
        "matters": (share - reach > noise) & (NOT_COMMON not in found.status),
        "blocks": found.blocks,
        "status": found.status,
    }
