"""What a sensitivity study will run: factors, sample, runs in blocks, and repeats for chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecosystem.inputs.arguments import check_truths
from ecosystem.inputs.calendar import POLICY_START, check_period
from ecosystem.inputs.faults import FaultList
from ecosystem.maths.arrays import Array
from experiments.command.faults import collected
from experiments.comparison.compare import chosen_outcomes
from experiments.sensitivity_analysis.factors import Factor, parameter_points, read_factors
from experiments.sensitivity_analysis.salib_study import FEWEST, METHODS, Sample, draw

if TYPE_CHECKING:
    from ecosystem.inputs.scenario import ResolvedScenario
    from ecosystem.runs.chunks import Model
    from ecosystem.runs.design import Design, Integers
    from ecosystem.runs.runner import Ensemble

HORIZON = "horizon"
"""Period of outcomes over their own time base: present value, sum, last four quarters, end."""
SUMMARY, YEARLY, END = "summary", "yearly", "end"
SIZES = {"morris": ("trajectories", 20), "sobol": ("samples", 64)}
"""What the number of blocks is called by method, and how many there are by default."""


@dataclass(frozen=True)
class Study:
    """A sensitivity study that is ready to run.

    Parameters
    ----------
    scenarios
        Resolved scenarios, the reference among them; empty for a model of one's own.
    reference
        Name of the scenario that paired effects are taken from; empty without.
    factors
        Factors, the dummy and the near-dummy last.
    sample
        Points between 0 and 1, in blocks.
    replicates
        Runs of each scenario and point, whose mean is analysed.
    outcomes
        Names of outcomes; empty for a model of one's own.
    fixed
        Uncertain parameters that are no factor stay at their defaults instead of being drawn.
    years
        Outcomes are kept by year too.
    options
        What `run_design` is given: world, seed, until, executor, cluster, jobs.
    model
        A model of one's own.
    """

    scenarios: tuple[ResolvedScenario, ...]
    reference: str
    factors: tuple[Factor, ...]
    sample: Sample
    replicates: int
    outcomes: tuple[str, ...]
    fixed: bool
    years: bool
    options: Mapping[str, Any] = field(default_factory=dict)
    model: Model | None = None

    @property
    def names(self) -> list[str]:
        """Names of the scenarios."""
        from ecosystem.runs.design import MODEL

        return [one.name for one in self.scenarios] or [MODEL]

    @property
    def keep(self) -> tuple[str, ...]:
        """What is kept of a run."""
        return (SUMMARY, YEARLY) if self.years else (SUMMARY,)

    @property
    def design(self) -> Design:
        """Every scenario at every point, in every replicate; points of a block share luck."""
        from ecosystem.runs.design import cross

        return cross(
            self.scenarios or None,
            points=parameter_points(self.factors, self.sample.unit),
            replicates=self.replicates,
            luck=self.sample.block.tolist(),
        )

    @property
    def drawn(self) -> bool:
        """Uncertain parameters that are no factor are drawn anew for each block."""
        from ecosystem.inputs.draws import varied_parameters

        moved = {move.parameter: None for factor in self.factors for move in factor.moves}
        return self.model is None and bool(varied_parameters(self.fixed, moved))

    @property
    def repeated(self) -> int:
        """How often the first point of a block runs again: with other luck, and with all else too.

        The second is not needed where nothing else is drawn.
        """
        return 2 if self.drawn else 1

    @property
    def repeats(self) -> Design:
        """The first point of every block again, in rows (kind of repeat, block, replicate).

        First with other luck and the block's parameters; then, with the same luck as that, with
        other values of the uncertain parameters that are no factor. What a scenario sets itself
        it keeps, so scenarios that set different parameters have points of their own.
        """
        from ecosystem.runs.design import MODEL, Design

        runs = self.sample.blocks * self.replicates
        luck = np.tile(np.arange(runs, 2 * runs, dtype=np.int32), self.repeated)
        sets: list[Mapping[str, float]] = []
        for one in self.scenarios:
            sets += [one.parameters] if one.parameters not in sets else []
        places = np.array([sets.index(one.parameters) for one in self.scenarios] or [0])
        point = len(luck) * places[:, None] + np.arange(len(luck))
        return Design(
            self.scenarios or (MODEL,),
            np.repeat(np.arange(len(places), dtype=np.int32), len(luck)),
            point.reshape(-1).astype(np.int32),
            np.tile(luck, len(places)),
            self.repeat_points(sets or [{}]),
        )

    def repeat_points(self, sets: Sequence[Mapping[str, float]]) -> dict[str, Array]:
        """Return the points of the repeats for each set of parameters that scenarios set.

        Values by parameter name, in rows (set, kind of repeat, block, replicate).
        """
        from ecosystem.inputs.draws import draw_parameters, varied_parameters
        from ecosystem.maths.chance import Chance

        first = np.repeat(self.sample.unit[:: self.sample.length], self.replicates, axis=0)
        points = {
            name: np.tile(column, self.repeated * len(sets))
            for name, column in parameter_points(self.factors, first).items()
        }
        if self.repeated == 1:
            return points
        chance = Chance(int(self.options["seed"]), range(2 * len(first)))  # the blocks' own, fresh
        drawn = [draw_parameters(chance, False, own) for own in sets]
        return points | {
            name: np.concatenate([values[name] for values in drawn])
            for name in varied_parameters(False, points)
        }

    @property
    def runs(self) -> int:
        """Number of runs in all."""
        blocks = self.sample.blocks * self.repeated
        return len(self.names) * self.replicates * (len(self.sample.unit) + blocks)


def plan_study(
    scenarios: Sequence[ResolvedScenario],
    reference: str,
    *,
    method: str = "morris",
    trajectories: int | None = None,
    samples: int | None = None,
    second_order: bool = False,
    factors: Any = None,
    replicates: int = 1,
    outcomes: str | Sequence[str] | None = None,
    fixed_parameters: bool = False,
    years: bool = True,
    model: Model | None = None,
    **options: Any,
) -> Study:
    """Check what is asked and return the study; see `study.sensitivity`.

    Raises
    ------
    InputError
        With everything that is wrong.
    """
    faults = FaultList()
    check_truths(faults, fixed_parameters=fixed_parameters, years=years, second_order=second_order)
    if model is None:  # of which nothing has a time
        check_period(faults, "until", options["until"], POLICY_START)
    found = collected(faults, lambda: read_factors(factors)) or ()
    count = checked_count(faults, method, trajectories, samples, second_order)
    seed = faults.whole("seed", options["seed"], 1) or 1
    replicates = faults.whole("replicates", replicates, 1) or 1
    moved = {move.parameter: factor.name for factor in found for move in factor.moves}
    for scenario in scenarios:
        for name in sorted(moved.keys() & scenario.parameters.keys()):
            words = f"left open, since the factor {moved[name]} moves it"
            faults.add(f"{scenario.name}: parameters.{name}", scenario.parameters[name], words)
    wanted = () if model is not None else chosen_outcomes(faults, outcomes, whole=True)
    faults.raise_if_any()
    sample = draw(method, [one.name for one in found], count, seed, second_order)
    return Study(
        tuple(scenarios), reference, found, sample, replicates, wanted, fixed_parameters,
        years and model is None, options | {"seed": seed}, model,
    )  # fmt: skip


def checked_count(
    faults: FaultList,
    method: str,
    trajectories: int | None,
    samples: int | None,
    second_order: bool,
) -> int:
    """Return the number of blocks, after noting what is wrong with the method and its options."""
    given = {"trajectories": trajectories, "samples": samples, "second_order": second_order or None}
    belongs = {name: owner for owner, (name, _) in SIZES.items()} | {"second_order": "sobol"}
    if not faults.name("method", method, METHODS):
        return 0
    for name, value in given.items():
        if value is not None and belongs[name] != method:
            faults.add(name, value, f"only with method {belongs[name]}")
    option, default = SIZES[method]
    wanted = given[option]
    count = default if wanted is None else wanted
    whole = isinstance(count, int) and count >= FEWEST
    if method == "sobol" and not (whole and not count & (count - 1)):
        faults.add(option, count, f"a power of 2, at least {FEWEST}")
    elif not whole:
        faults.add(option, count, f"a whole number of at least {FEWEST}")
    return count


@dataclass(frozen=True)
class Values:
    """What came of a study.

    Parameters
    ----------
    order
        Number of the point that values belong to, as it was read with them, (scenarios, points).
    points
        Means over replicates by outcome and period, (scenarios, points); NaN where a run failed.
    repeats
        The same of the repeats, (scenarios, kinds of repeat, blocks).
    failed
        Rows of runs that failed.
    """

    order: Integers
    points: dict[tuple[str, str], Array]
    repeats: dict[tuple[str, str], Array]
    failed: list[dict[str, Any]]


def run_study(
    study: Study,
    out: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Values:
    """Run what is missing of a study and return its outcomes.

    Parameters
    ----------
    study
        From `plan_study`.
    out
        Folder for the run directories of the two ensembles; without, nothing is written.
    progress
        Called with the number of finished and of all runs.

    Raises
    ------
    FloatingPointError
        Every run of the sample failed.
    """
    many, blocks = len(study.names), study.sample.blocks
    design, repeats = study.design, study.repeats
    first, order, points = _collect(study, design, out, _shifted(progress, 0, study.runs))
    if len(first.failures) == len(design):
        place = f", see {first.directory}" if first.directory else ""
        error = first.failures[0]["error"]
        raise FloatingPointError(f"every run failed{place}; the first: {error}")
    second, place_again, again = _collect(
        study, repeats, out, _shifted(progress, len(design), study.runs)
    )
    if not np.array_equal(place_again, repeats.point):
        raise ValueError("repeats are not in the order of their design")
    shape, other = (many, -1, study.replicates), (many, study.repeated, blocks, study.replicates)
    order = order.reshape(shape)
    nothing = np.full((many, study.repeated, blocks), np.nan)
    return Values(
        np.where(np.ptp(order, axis=-1) == 0, order[..., 0], -1),
        {key: _mean(value.reshape(shape)) for key, value in points.items()},
        {key: _mean(again[key].reshape(other)) if key in again else nothing for key in points},
        first.failures + second.failures,
    )


def _mean(values: Array) -> Array:
    """Return the mean over the last axis, replicates; a single one is not copied."""
    return values[..., 0] if values.shape[-1] == 1 else values.mean(axis=-1)


def _shifted(
    progress: Callable[[int, int], None] | None, start: int, total: int
) -> Callable[[int, int], None] | None:
    """Return a function that counts a part of the runs among all."""
    if progress is None:
        return None
    return lambda done, _: progress(start + done, total)


def _collect(
    study: Study,
    design: Design,
    out: str | Path | None,
    progress: Callable[[int, int], None] | None,
) -> tuple[Ensemble, Integers, dict[tuple[str, str], Array]]:
    """Run a design; return it as it was run, each run's point, and values by outcome and period.

    Points and values are (runs,); a point is what stands beside the value in the shard.
    """
    from ecosystem.runs.runner import run_design

    ensemble = run_design(
        design, model=study.model, keep=study.keep, fixed_parameters=study.fixed,
        outcomes=study.outcomes or None, out=out, progress=progress, **study.options,
    )  # fmt: skip
    found: dict[tuple[str, str], Array] = {}
    order = np.full(len(design), -1, dtype=np.int32)
    first = start_year(study)
    for _, table in ensemble.tables():
        run, point, value = (table.column(name).to_numpy() for name in ("run", "point", "value"))
        order[run] = point
        codes, words = zip(*(_coded(table, name) for name in ("outcome", "period")), strict=True)
        together = codes[0].astype(np.int64) * max(len(words[1]), 1) + codes[1]
        for code in np.unique(together):
            rows = together == code
            outcome, period = divmod(int(code), len(words[1]))
            label = words[1][period]
            key = (words[0][outcome], HORIZON if label in (SUMMARY, END) else label)
            if key[1] != HORIZON and int(label) < first:
                continue
            if key not in found:
                found[key] = np.full(len(design), np.nan)
            found[key][run[rows]] = value[rows]
    for row in ensemble.failures:
        order[row["run"]] = row["point"]
    return ensemble, order, found


def start_year(study: Study) -> int:
    """Return the first year in which a scenario may differ from the reference."""
    from ecosystem.inputs.calendar import FIRST_YEAR, POLICY_START, QUARTERS_A_YEAR

    starts = [
        edit.start
        for scenario in study.scenarios
        for edit, own in zip(scenario.edits, scenario.own, strict=True)
        if own
    ]
    return FIRST_YEAR + min([POLICY_START, *starts]) // QUARTERS_A_YEAR


def _coded(table: Any, name: str) -> tuple[Array, list[str]]:
    """Return a column of words as numbers, and the words."""
    column = table.column(name).combine_chunks()
    return column.indices.to_numpy(), column.dictionary.to_pylist()
