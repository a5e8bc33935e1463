"""What each part of a package adds: one instrument left out or alone, the split over three blocks.

All sets of instruments run with the same luck and the same parameters, so that every number is a
paired difference. Money stays with its instrument: a set has the part of the package's money that
its own instruments have in the whole, and none of it is planned for the rest. Where local cash is
short, though, what one instrument leaves lets others be paid in full; at the article's own money
that is much of an instrument's effect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from ecosystem.result import Result
    from ecosystem.scenario import ResolvedScenario
    from experiments.charts import Chart

    Array = NDArray[np.float64]

Set = frozenset[str]
NOTHING: Set = frozenset()

OBJECTIVE, NET_COST = "local_value_added_net", "net_public_cost"
BLOCKS = {"supply": "article_supply", "demand": "article_demand", "ecosystem": "article_ecosystem"}
"""Packages whose instruments make the blocks; other instruments make a block of their own."""
OTHER = "other"
LEVELS = (0.0, 0.5, 1.0, 1.5)
"""Effectiveness of a programme at which it is tried."""
TRIES = 32
"""Replicates of a try of effectiveness, at most: there are four for every programme."""


def instruments_of(scenario: ResolvedScenario) -> list[str]:
    """Return what a scenario lays over the reference, in the order of the instrument table."""
    from ecosystem.catalogue import instruments

    own = {edit.instrument for layer in scenario.layers if layer.own for edit in layer.edits}
    return [name for name in instruments() if name in own]


def blocks_of(names: Sequence[str]) -> dict[str, Set]:
    """Return the instruments of each block that a package has any of."""
    from ecosystem.scenario import resolve

    blocks = {
        block: frozenset(names) & frozenset(instruments_of(resolve(package)))
        for block, package in BLOCKS.items()
    }
    blocks[OTHER] = frozenset(names).difference(*blocks.values())
    return {block: members for block, members in blocks.items() if members}


def money_by_instrument(scenario: ResolvedScenario, layer: int) -> dict[str, float]:
    """Return the present value, M¥, that one layer of a scenario plans, by instrument."""
    import numpy as np

    from ecosystem.schedule import build_schedule, discount_factors, public_discount_rate

    schedule = build_schedule(replace(scenario, layers=scenario.layers[: layer + 1]))
    touched = np.zeros_like(schedule.own)
    for edit in scenario.layers[layer].edits:
        touched[edit.start : edit.end + 1, schedule.column(edit.instrument)] = True
    money = np.where(touched, schedule.spending + schedule.envelope, 0.0)
    value = discount_factors(public_discount_rate(scenario)) @ money / 4
    return dict(zip(schedule.names, map(float, value), strict=True))


def subset(scenario: ResolvedScenario, keep: Set, name: str) -> ResolvedScenario:
    """Return a scenario with some of its own instruments; each keeps the money it has in the whole.

    Parameters
    ----------
    scenario
        The whole.
    keep
        Names of the instruments that stay; without any, the reference is left.
    name
        Name of the set.
    """
    layers = []
    for number, layer in enumerate(scenario.layers):
        if layer.own:
            edits = tuple(edit for edit in layer.edits if edit.instrument in keep)
            value = layer.present_value
            if value is not None:
                money = money_by_instrument(scenario, number)
                value = sum(money[one] for one in {edit.instrument for edit in edits})
            layer = replace(layer, edits=edits, present_value=value)
        if layer.edits or not layer.own:
            layers.append(layer)
    return replace(scenario, name=name, title_en=name, title_zh=name, layers=tuple(layers))


def set_name(keep: Set) -> str:
    """Return the name under which a set of instruments runs."""
    return "+".join(sorted(keep)) or "none of them"


@dataclass(frozen=True)
class Decomposition:
    """What the parts of a package add.

    Parameters
    ----------
    package
        The whole, as it was run.
    runs
        Settings of the runs: replicates, tries (replicates of break-even), seed, until, world;
        `pairs` and `even_pairs`, the replicates and tries in which no run failed.
    table
        One row an outcome and part. `part` is ``whole``, ``without`` (the whole less the whole
        without `name`), ``alone`` (`name` on the reference) or ``shapley`` (`name` a block);
        the statistics are those of `experiments.intervals.describe`, of paired differences,
        and their mean, which alone adds up over the blocks.
    break_even
        One row a programme, measure and level: median difference from the reference of the
        programme alone, share of pairs above zero, and `break_even` of the programme and measure.
        The measures are the objective, and the objective less net public cost.
    gap
        Largest difference, over pairs and outcomes, of the sum of the Shapley parts from the
        whole, relative to the size of the whole: rounding alone.
    """

    package: ResolvedScenario
    runs: Mapping[str, Any]
    table: pd.DataFrame
    break_even: pd.DataFrame
    gap: float

    def rows(self, part: str, outcome: str = OBJECTIVE) -> pd.DataFrame:
        """Return the rows of one kind of part for one outcome, by name."""
        table = self.table
        keep = (table["part"] == part) & (table["outcome"] == outcome)
        return table[keep].set_index("name")

    def text(self, lang: str = "en") -> str:
        """Return the tables as lines of at most 100 columns."""
        from experiments.decompose_view import decomposition_text

        return decomposition_text(self, lang)

    def figures(self, lang: str = "en") -> dict[str, Chart]:
        """Draw the instruments and the waterfall of the blocks."""
        from experiments.decompose_view import decomposition_charts

        return decomposition_charts(self, lang)

    def save(self, directory: Path | str, lang: str = "en") -> list[Path]:
        """Write tables and figures into a folder that exists, and return the paths."""
        from experiments.decompose_view import save_decomposition

        return save_decomposition(self, Path(directory), lang)


def decompose(
    package: Any = "article",
    *,
    replicates: int = 100,
    seed: int = 1,
    until: str = "2035Q4",
    world: str = "full",
    budget: float | str | None = None,
    parameters: Mapping[str, float] | None = None,
    fixed_parameters: bool = False,
    jobs: int | None = None,
    outcomes: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
    executor: Any = None,
    cluster: str | None = None,
    out: Path | str | None = None,
) -> Decomposition:
    """Run a package without each instrument, with each alone, and block by block.

    The reference is what the package stands on: the package without its own instruments. See
    `experiments.compare.compare` for what is not listed here.

    Parameters
    ----------
    package
        Package name, TOML path or scenario with instruments of its own.
    replicates
        Number of pairs; tries of effectiveness take at most 32 of them.
    budget
        Planned present value of the whole; by default what its file says.
    outcomes
        Names of outcomes without parts; None for the headline set.

    Raises
    ------
    InputError
        With everything that is wrong in the arguments and in the files they name.
    """
    from ecosystem.scenario import resolve, with_overrides
    from ecosystem.simulation import simulate
    from experiments.budget import with_budget

    settings = [f"parameters.{name}={value!r}" for name, value in (parameters or {}).items()]
    whole = with_budget(with_overrides(resolve(package), settings), budget)
    names, wanted = checked(whole, outcomes)
    sets = dict.fromkeys([NOTHING, *wanted_sets(names)])
    plain = [subset(whole, keep, set_name(keep)) for keep in sets]
    trials = tried(whole, names)
    tries = min(replicates, TRIES)
    every = len(plain) * replicates + len(trials) * tries
    options: dict[str, Any] = {
        "seed": seed, "until": until, "world": world, "fixed_parameters": fixed_parameters,
        "jobs": jobs, "series": False, "executor": executor, "cluster": cluster, "out": out,
    }  # fmt: skip

    def shown(before: int) -> Callable[[int, int], None] | None:
        return progress and (lambda done, _: progress(before + done, every))

    result = simulate(plain, replicates=replicates, outcomes=wanted, progress=shown(0), **options)
    well = ended_well(result)
    values = {keep: by_outcome(result, place, well) for place, keep in enumerate(sets)}
    table, gap = parts_table(values, names)
    levels, even = break_even_table({}, values[NOTHING]), well[:tries]
    if trials:
        found = simulate(
            list(trials.values()), replicates=tries, outcomes=[OBJECTIVE, NET_COST],
            progress=shown(len(plain) * replicates), **options,
        )  # fmt: skip
        even = even & ended_well(found)
        sampled = {key: by_outcome(found, place, even) for place, key in enumerate(trials)}
        levels = break_even_table(sampled, by_outcome(result, list(sets).index(NOTHING), even))
    runs = {"replicates": replicates, "tries": tries, "seed": seed, "until": until}
    runs |= {"pairs": int(well.sum()), "even_pairs": int(even.sum())}
    runs |= {"world": result.world.name, "varied": len(result.varied), "runs": every}
    return Decomposition(whole, runs, table, levels, gap)


def checked(
    whole: ResolvedScenario, outcomes: Sequence[str] | None
) -> tuple[list[str], tuple[str, ...]]:
    """Return the instruments to take apart and the outcomes to report, or raise InputError."""
    from ecosystem.catalogue import outcomes as catalogue
    from ecosystem.errors import FaultList
    from experiments.compare import headline_outcomes

    faults, names = FaultList(), instruments_of(whole)
    if not names:
        faults.add("decompose", whole.name, "a package that adds instruments to the reference")
    single = [name for name, row in catalogue().items() if not row.dimension]
    chosen = headline_outcomes() if outcomes is None else list(outcomes)
    if outcomes is not None:
        for name in chosen:
            faults.name("outcomes", name, single)
    faults.raise_if_any()
    chosen = [name for name in chosen if name in single]
    return names, tuple(dict.fromkeys([OBJECTIVE, NET_COST, *chosen]))


def wanted_sets(names: Sequence[str]) -> list[Set]:
    """Return the whole, every single instrument, every one left out, and all unions of blocks."""
    whole = frozenset(names)
    blocks = list(blocks_of(names).values())
    unions = [
        frozenset().union(*chosen)
        for size in range(len(blocks) + 1)
        for chosen in combinations(blocks, size)
    ]
    return [whole, *(frozenset({name}) for name in names), *(whole - {name} for name in names)] + (
        unions
    )


def tried(whole: ResolvedScenario, names: Sequence[str]) -> dict[tuple[str, float], Any]:
    """Return each programme alone at each level of effectiveness."""
    from ecosystem.catalogue import instruments, parameters

    known = parameters()
    programmes = [name for name in names if instruments()[name].type == "programme"]
    return {
        (name, level): replace(
            subset(whole, frozenset({name}), f"{name} {level:g}"),
            parameters={**whole.parameters, f"{name}_effectiveness": level},
        )
        for name in programmes
        if f"{name}_effectiveness" in known
        for level in LEVELS
    }


def ended_well(result: Result) -> NDArray[np.bool_]:
    """Return the replicates in which no run failed, (replicates,): only those have all parts."""
    import numpy as np

    return ~np.isin(np.arange(result.replicates), [row["replicate"] for row in result.failed])


def by_outcome(result: Result, place: int, kept: NDArray[np.bool_]) -> dict[str, Array]:
    """Return the outcomes of one scenario by replicate, of the first that are asked for."""
    return {name: value[place, : len(kept), 0][kept] for name, value in result.summaries.items()}


def parts_table(
    values: Mapping[Set, Mapping[str, Array]], names: Sequence[str]
) -> tuple[pd.DataFrame, float]:
    """Summarise what each part adds; return the table and the gap of the Shapley parts."""
    import numpy as np
    import pandas as pd

    from ecosystem.catalogue import outcomes as catalogue
    from experiments.intervals import describe
    from experiments.shapley import shapley

    whole, blocks = frozenset(names), blocks_of(names)
    rows, gap = [], 0.0
    for outcome in values[whole]:
        base = values[NOTHING][outcome]
        full = values[whole][outcome]
        games = {
            frozenset(chosen): values[frozenset().union(*(blocks[one] for one in chosen))][outcome]
            for size in range(len(blocks) + 1)
            for chosen in combinations(blocks, size)
        }
        split = shapley(games, list(blocks))
        size = np.maximum(np.abs(full), 1.0)
        wrong = np.abs(sum(split.values()) - (full - base)) / size
        gap = max(gap, float(np.max(wrong, initial=0.0)))
        parts = {("whole", "whole"): full - base}
        for name in names:
            parts["without", name] = full - values[whole - {name}][outcome]
            parts["alone", name] = values[frozenset({name})][outcome] - base
        parts |= {("shapley", block): part for block, part in split.items()}
        unit = catalogue()[outcome].unit
        rows += [
            {
                "outcome": outcome,
                "unit": unit,
                "part": part,
                "name": name,
                "mean": pairs.mean() if pairs.size else np.nan,
                **describe(pairs),
            }  # fmt: skip
            for (part, name), pairs in parts.items()
        ]
    return pd.DataFrame(rows), gap


def break_even_table(
    sampled: Mapping[tuple[str, float], Mapping[str, Array]], base: Mapping[str, Array]
) -> pd.DataFrame:
    """Summarise the tries of effectiveness; see `Decomposition.break_even` for the columns."""
    import pandas as pd

    from experiments.intervals import describe
    from experiments.shapley import break_even

    columns = ["instrument", "measure", "effectiveness", "median", "low_90", "high_90"]
    columns += ["share_above_zero", "pairs", "break_even"]
    rows = []
    for name in dict.fromkeys(name for name, _ in sampled):
        for measure, sign in (("value_added", 0.0), ("value_added_less_cost", 1.0)):
            facts = []
            for level in LEVELS:
                one = sampled[name, level]
                more = {key: one[key] - base[key] for key in (OBJECTIVE, NET_COST)}
                facts.append(describe(more[OBJECTIVE] - sign * more[NET_COST]))
            even = break_even(LEVELS, [float(fact["median"]) for fact in facts])
            rows += [
                {"instrument": name, "measure": measure, "effectiveness": level}
                | fact
                | {"break_even": even}
                for level, fact in zip(LEVELS, facts, strict=True)
            ]
    return pd.DataFrame(rows, columns=columns)
