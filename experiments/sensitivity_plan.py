"""What a sensitivity study will run: factors, sample, runs in blocks, and repeats for chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecosystem.errors import FaultList
from ecosystem.setting import Array
from experiments.salib_study import FEWEST, METHODS, Sample, draw
from experiments.sensitivity_factors import Factor, parameter_points, read_factors

if TYPE_CHECKING:
    from ecosystem.ensemble.chunks import Model
    from ecosystem.ensemble.design import Design
    from ecosystem.scenario import ResolvedScenario

HORIZON = "horizon"
"""Period of outcomes over their own time base: present value, sum, last four quarters, end."""
SUMMARY, YEARLY, END = "summary", "yearly", "end"


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
        from ecosystem.ensemble.design import MODEL

        return [one.name for one in self.scenarios] or [MODEL]

    @property
    def keep(self) -> tuple[str, ...]:
        """What is kept of a run."""
        return (SUMMARY, YEARLY) if self.years else (SUMMARY,)

    @property
    def design(self) -> Design:
        """Every scenario at every point, in every replicate; points of a block share luck."""
        from ecosystem.ensemble.design import cross

        return cross(
            self.scenarios or None,
            points=parameter_points(self.factors, self.sample.unit),
            replicates=self.replicates,
            luck=self.sample.block.tolist(),
        )

    @property
    def repeated(self) -> int:
        """How often the first point of a block runs again: with other luck, and with all else too.

        The second is not needed where parameters that are no factor stay at their defaults.
        """
        return 1 if self.fixed or self.model is not None else 2

    @property
    def repeats(self) -> Design:
        """The first point of every block again, in rows (kind of repeat, block, replicate).

        First with other luck and the block's parameters; then, with the same luck as that, with
        other values of the uncertain parameters that are no factor. A parameter that one of the
        scenarios sets itself is left to its scenario.
        """
        from ecosystem.chance import Chance
        from ecosystem.draws import draw_parameters, varied_parameters
        from ecosystem.ensemble.design import cross

        first = self.sample.unit[:: self.sample.length]
        each = np.repeat(np.arange(len(first)), self.replicates)
        points = {
            name: np.tile(column[each], self.repeated)
            for name, column in parameter_points(self.factors, first).items()
        }
        block_luck = np.arange(len(each))
        fresh_luck = block_luck + len(each)
        if self.repeated == 2:
            given = {name for one in self.scenarios for name in one.parameters} | set(points)
            chance = Chance(int(self.options["seed"]), [*block_luck.tolist(), *fresh_luck.tolist()])
            drawn = draw_parameters(chance, False, {})
            points |= {name: drawn[name] for name in varied_parameters(False, dict.fromkeys(given))}
        luck = np.tile(fresh_luck, self.repeated)
        return cross(self.scenarios or None, points=points, luck=luck.tolist())

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
    trajectories: int = 20,
    samples: int = 64,
    second_order: bool = False,
    factors: Any = None,
    replicates: int = 1,
    outcomes: Sequence[str] | None = None,
    fixed_parameters: bool = False,
    years: bool = True,
    model: Model | None = None,
    **options: Any,
) -> Study:
    """Check what is asked and return the study; see `experiments.sensitivity.sensitivity`.

    Raises
    ------
    InputError
        With everything that is wrong.
    """
    faults = FaultList()
    found = collected(faults, lambda: read_factors(factors)) or ()
    check_method(faults, method, trajectories, samples, second_order)
    for name, value in (("seed", options["seed"]), ("replicates", replicates)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            faults.add(name, value, "a whole number of at least 1")
    moved = {move.parameter: factor.name for factor in found for move in factor.moves}
    for scenario in scenarios:
        for name in sorted(moved.keys() & scenario.parameters.keys()):
            words = f"left open, since the factor {moved[name]} moves it"
            faults.add(f"{scenario.name}: parameters.{name}", scenario.parameters[name], words)
    wanted = () if model is not None else checked_outcomes(faults, outcomes)
    faults.raise_if_any()
    count = trajectories if method == "morris" else samples
    sample = draw(method, [one.name for one in found], count, options["seed"], second_order)
    return Study(
        tuple(scenarios), reference, found, sample, replicates, wanted, fixed_parameters,
        years and model is None, options, model,
    )  # fmt: skip


def collected(faults: FaultList, action: Callable[[], Any]) -> Any:
    """Return what an action returns, or None after noting its faults."""
    from ecosystem.errors import InputError

    try:
        return action()
    except InputError as error:
        faults.faults += [fault for fault in error.faults if fault not in faults.faults]
    return None


def check_method(
    faults: FaultList, method: str, trajectories: int, samples: int, second_order: bool
) -> None:
    """Note what is wrong with the method and the size of its sample."""
    faults.name("method", method, METHODS)
    if method == "sobol":
        good = isinstance(samples, int) and samples >= FEWEST and not samples & (samples - 1)
        if not good:
            faults.add("samples", samples, f"a power of 2, at least {FEWEST}")
    else:
        if not isinstance(trajectories, int) or trajectories < FEWEST:
            faults.add("trajectories", trajectories, f"a whole number of at least {FEWEST}")
        if second_order:
            faults.add("second_order", second_order, "the method sobol")


def checked_outcomes(faults: FaultList, names: Sequence[str] | None) -> tuple[str, ...]:
    """Return the outcomes of a study, the headline ones by default."""
    from ecosystem.catalogue import outcomes

    table = outcomes()
    if names is None:
        return tuple(name for name, row in table.items() if row.headline)
    whole = [name for name, row in table.items() if not row.dimension]
    return tuple(name for name in dict.fromkeys(names) if faults.name("outcomes", name, whole))


@dataclass(frozen=True)
class Values:
    """What came of a study.

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
    """
    many, blocks = len(study.names), study.sample.blocks
    points, lost = _collect(study, study.design, out, _shifted(progress, 0, study.runs))
    start = len(study.design)
    again, more = _collect(study, study.repeats, out, _shifted(progress, start, study.runs))
    shape, other = (many, -1, study.replicates), (many, study.repeated, blocks, study.replicates)
    return Values(
        {key: _mean(value.reshape(shape)) for key, value in points.items()},
        {key: _mean(value.reshape(other)) for key, value in again.items()},
        lost + more,
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
) -> tuple[dict[tuple[str, str], Array], list[dict[str, Any]]]:
    """Run a design and return (runs,) values by outcome and period, and failures."""
    from ecosystem.ensemble.runner import run_design

    ensemble = run_design(
        design, model=study.model, keep=study.keep, fixed_parameters=study.fixed,
        outcomes=study.outcomes or None, out=out, progress=progress, **study.options,
    )  # fmt: skip
    found: dict[tuple[str, str], Array] = {}
    first = start_year(study)
    for _, table in ensemble.tables():
        run, value = (table.column(name).to_numpy() for name in ("run", "value"))
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
    return found, ensemble.failures


def start_year(study: Study) -> int:
    """Return the first year in which a scenario may differ from the reference."""
    from ecosystem.quarters import FIRST_YEAR, POLICY_START, QUARTERS_A_YEAR

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
