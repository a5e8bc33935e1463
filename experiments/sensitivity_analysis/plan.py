"""What a sensitivity study will run: factors, sample, runs in blocks, and repeats for chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecosystem.inputs.draws import draw_parameters, drawn_values, varied_parameters
from ecosystem.inputs.faults import FaultList, collected
from ecosystem.inputs.scenario import ResolvedScenario
from ecosystem.maths.chance import Chance
from ecosystem.runs.design import MODEL, Design, cross
from experiments.comparison.budget import with_budget
from experiments.comparison.compare import headline_outcomes, scenarios_with_reference
from experiments.comparison.simulated import laid_over
from experiments.sensitivity_analysis.factors import Factor, parameter_points, read_factors
from experiments.sensitivity_analysis.options import SensitivityOptions
from experiments.sensitivity_analysis.salib_study import FEWEST, METHODS, Sample, draw

SUMMARY, YEARLY = "summary", "yearly"
MOST = 2**16
"""Most blocks of a study; the sample of so many takes half a gigabyte."""
SIZES = {"morris": ("trajectories", 20), "sobol": ("samples", 64)}
"""What the number of blocks is called by method, and how many there are by default."""
OF_SCENARIOS = (
    *("scenarios", "reference", "until", "world", "shock", "budget", "parameters"),
    *("fixed_parameters", "draws", "outcomes"),
)
"""Options that a model of one's own has no use for."""


@dataclass(frozen=True)
class Study:
    """A sensitivity study that is ready to run.

    Parameters
    ----------
    asked
        What it was asked for.
    scenarios
        Resolved scenarios, the reference among them; empty for a model of one's own.
    reference
        Name of the scenario that paired effects are taken from; empty without.
    factors
        Factors, the dummy and the near-dummy last.
    sample
        Points between 0 and 1, in blocks.
    outcomes
        Names of outcomes; empty for a model of one's own.
    """

    asked: SensitivityOptions
    scenarios: tuple[ResolvedScenario, ...]
    reference: str
    factors: tuple[Factor, ...]
    sample: Sample
    outcomes: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Names of the scenarios."""
        return [one.name for one in self.scenarios] or [MODEL]

    @property
    def keep(self) -> tuple[str, ...]:
        """What is kept of a run."""
        return (SUMMARY, YEARLY) if self.asked.years else (SUMMARY,)

    @property
    def design(self) -> Design:
        """Every scenario at every point, in every replicate; points of a block share luck."""
        return cross(
            self.scenarios or None,
            points=parameter_points(self.factors, self.sample.unit),
            replicates=self.asked.replicates,
            luck=self.sample.block.tolist(),
        )

    @property
    def drawn(self) -> tuple[str, ...]:
        """Uncertain parameters that are no factor and are drawn anew for each block."""
        moved = {move.parameter: None for factor in self.factors for move in factor.moves}
        own = self.asked.model is not None
        if own:
            return ()
        return varied_parameters(self.asked.fixed_parameters, moved, self.asked.drawn_from)

    @property
    def repeated(self) -> int:
        """How often the first point of a block runs again: with other luck, and with all else too.

        The second is not needed where nothing else is drawn.
        """
        return 2 if self.drawn else 1

    @property
    def repeats(self) -> Design:
        """The first point of every block again, in rows (scenario, kind, block, replicate).

        First with other luck and the block's parameters; then, with the same luck as that, with
        other values of the uncertain parameters that are no factor. What a scenario sets itself
        it keeps, so each has points of its own.
        """
        first = np.repeat(self.sample.unit[:: self.sample.length], self.asked.replicates, axis=0)
        luck = np.tile(np.arange(len(first), 2 * len(first)), self.repeated)
        shape = (len(self.names), len(luck))
        points = {
            name: np.tile(column, len(self.names) * self.repeated)
            for name, column in parameter_points(self.factors, first).items()
        }
        if self.drawn:
            seed, every = self.asked.seed, range(2 * len(first))  # the blocks' own, then fresh
            own, source = {}, self.asked.drawn_from
            if source is not None:
                own = drawn_values(source.of_replicates(seed, every))
            sets = [
                draw_parameters(Chance(seed, every), False, {**own, **one.parameters})
                for one in self.scenarios
            ]
            points |= {name: np.concatenate([one[name] for one in sets]) for name in self.drawn}
        return Design(
            self.scenarios or (MODEL,),
            np.indices(shape, np.int32)[0].reshape(-1),
            np.arange(shape[0] * shape[1], dtype=np.int32),
            np.tile(luck.astype(np.int32), shape[0]),
            points,
        )

    @property
    def runs(self) -> int:
        """Number of runs in all."""
        points = len(self.sample.unit) + self.sample.blocks * self.repeated
        return len(self.names) * self.asked.replicates * points


def plan_study(
    asked: SensitivityOptions,
    scenarios: Sequence[ResolvedScenario] | None = None,
    reference: str = "",
) -> Study:
    """Return the study that is asked for.

    Parameters
    ----------
    asked
        What is asked for.
    scenarios
        The scenarios as they are run; by default those that are asked for.
    reference
        Name of the one among them that paired effects are taken from; empty without.

    Raises
    ------
    InputError
        With everything that is wrong.
    """
    faults = FaultList()
    if asked.model is not None:
        check_without_scenarios(faults, asked)
        scenarios = ()
    elif scenarios is None:
        scenarios, reference = collected(faults, lambda: studied(asked)) or ((), "")
    factors = collected(faults, lambda: read_factors(asked.factors)) or ()
    count = checked_count(faults, asked)
    movers = {move.parameter: factor.name for factor in factors for move in factor.moves}
    for scenario in scenarios:
        for name in sorted(movers.keys() & scenario.parameters.keys()):
            words = f"left open, since the factor {movers[name]} moves it"
            faults.add(f"{scenario.name}: parameters.{name}", scenario.parameters[name], words)
    faults.raise_if_any()
    names = [factor.name for factor in factors]
    sample = draw(asked.method, names, count, asked.seed, asked.second_order)
    outcomes = tuple(asked.outcomes or headline_outcomes(whole=True)) if asked.model is None else ()
    return Study(asked, tuple(scenarios), reference, factors, sample, outcomes)


def studied(asked: SensitivityOptions) -> tuple[list[ResolvedScenario], str]:
    """Return the scenarios of a study as they are run, and the name of the reference.

    Raises
    ------
    InputError
        With everything that is wrong with them.
    """
    resolved, reference = scenarios_with_reference(asked.scenarios, asked.reference)
    return [with_budget(laid_over(one, asked), asked.budget) for one in resolved], reference


def checked_count(faults: FaultList, asked: SensitivityOptions) -> int:
    """Return the number of blocks, noting what is wrong with it or belongs to another method."""
    if not faults.name("method", asked.method, METHODS):
        return 0
    for method, (name, _) in SIZES.items():
        if method != asked.method and getattr(asked, name) is not None:
            faults.add(name, getattr(asked, name), f"only with method {method}")
    if asked.second_order and asked.method != "sobol":
        faults.add("second_order", asked.second_order, "only with method sobol")
    name, default = SIZES[asked.method]
    given = getattr(asked, name)
    count = faults.whole(name, default if given is None else given, FEWEST)
    if count is None:
        return 0
    if count > MOST:
        faults.add(name, count, f"at most {MOST} blocks, whose sample fits into memory")
    elif asked.method == "sobol" and count & (count - 1):
        faults.add(name, count, f"a power of 2, at least {FEWEST}")
    return count


def check_without_scenarios(faults: FaultList, asked: SensitivityOptions) -> None:
    """Note what a model of one's own was given that scenarios alone have a use for."""
    for name in OF_SCENARIOS:
        value, default = getattr(asked, name), SensitivityOptions.model_fields[name].get_default()
        if value is not default and value != default:
            faults.add(name, value, "left out: a model of your own has no use for it")
