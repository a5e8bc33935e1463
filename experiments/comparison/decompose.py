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
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecosystem.inputs.catalogue import instruments, parameters
from ecosystem.inputs.catalogue import outcomes as catalogue
from ecosystem.inputs.faults import FaultList
from ecosystem.inputs.options import Options
from ecosystem.inputs.scenario import ResolvedScenario, resolve
from ecosystem.inputs.schedule import build_schedule, discount_factors, public_discount_rate
from ecosystem.maths.arrays import Array
from ecosystem.runs.result import Result
from experiments.comparison.compare import NET_COST, headline_outcomes
from experiments.comparison.intervals import describe
from experiments.comparison.package_facts import instruments_on
from experiments.comparison.regret import OBJECTIVE
from experiments.comparison.shapley import break_even, shapley
from experiments.comparison.simulated import simulated
from experiments.comparison.sureness import visible

Set = frozenset[str]
NOTHING: Set = frozenset()

BLOCKS = {"supply": "article_supply", "demand": "article_demand", "ecosystem": "article_ecosystem"}
"""Packages whose instruments make the blocks; other instruments make a block of their own."""
OTHER = "other"
FEW = 4
"""At most so many instruments that fill one block are split one by one instead."""
RULES = "rules"
"""The part of a package that is no instrument: its own functions, parameters and shocks."""
RULED = ("hooks", "parameters", "shocks")
"""Fields of a scenario that are its rules."""
LEVELS = (0.0, 0.5, 1.0, 1.5)
"""Effectiveness of a programme at which it is tried."""
TRIES = 32
"""Replicates of a try of effectiveness, at most: there are four for every programme."""


def instruments_of(scenario: ResolvedScenario) -> list[str]:
    """Return what a scenario lays over the reference, in the order of the instrument table."""
    own = {edit.instrument for layer in scenario.layers if layer.own for edit in layer.edits}
    return [name for name in instruments() if name in own]


def parts_of(scenario: ResolvedScenario, base: ResolvedScenario) -> list[str]:
    """Return in what a scenario differs from a reference: instruments, and rules if they differ.

    An instrument that the scenario ends is a part where the reference has it in force.
    """
    apart = any(getattr(scenario, rule) != getattr(base, rule) for rule in RULED)
    on = {*instruments_on(scenario), *instruments_on(base)}
    names = [name for name in instruments_of(scenario) if name in on]
    return [*names, *([RULES] if apart else [])]


def ended_by(scenario: ResolvedScenario, base: ResolvedScenario) -> list[str]:
    """Return the parts of a scenario that are instruments of the reference which it ends."""
    return [
        name
        for name in parts_of(scenario, base)
        if name in instruments_on(base) and name not in instruments_on(scenario)
    ]


def blocks_of(names: Sequence[str]) -> dict[str, Set]:
    """Return the instruments of each block that a package has any of; its rules are a block.

    Where all stand in one block, which would be the whole again, and are `FEW`, each is its own.
    """
    rules = frozenset(names) & {RULES}
    blocks = {
        block: frozenset(names) & frozenset(instruments_of(resolve(package)))
        for block, package in BLOCKS.items()
    }
    blocks |= {OTHER: frozenset(names).difference(rules, *blocks.values()), RULES: rules}
    filled = {block: members for block, members in blocks.items() if members}
    if len(filled) == 1 and len(names) <= FEW:
        return {name: frozenset({name}) for name in names}
    return filled


def money_by_instrument(scenario: ResolvedScenario, layer: int) -> dict[str, float]:
    """Return the present value, M¥, that one layer of a scenario plans, by instrument."""
    schedule = build_schedule(replace(scenario, layers=scenario.layers[: layer + 1]))
    touched = np.zeros_like(schedule.own)
    for edit in scenario.layers[layer].edits:
        touched[edit.start : edit.end + 1, schedule.of(edit.instrument)] = True
    money = np.where(touched, schedule.spending + schedule.envelope, 0.0)
    value = discount_factors(public_discount_rate(scenario)) @ money / 4
    return {name: float(value[schedule.of(name)].sum()) for name in instruments()}


def subset(
    scenario: ResolvedScenario, keep: Set, name: str, base: ResolvedScenario
) -> ResolvedScenario:
    """Return a scenario with some of its own parts; each keeps the money it has in the whole.

    Parameters
    ----------
    scenario
        The whole.
    keep
        Names of the parts that stay; without any, the reference is left.
    name
        Name of the set.
    base
        The reference, whose rules hold where those of the scenario are not kept.
    """
    names: dict[str, Any] = {"name": name, "title_en": name, "title_zh": name}
    if not keep:
        return replace(base, **names)
    if RULES not in keep:
        rules: dict[str, Any] = {rule: getattr(base, rule) for rule in RULED}
        scenario = replace(scenario, **rules)
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
    return replace(scenario, **names, layers=tuple(layers))


def set_name(keep: Set) -> str:
    """Return the name under which a set of parts runs."""
    return "+".join(sorted(keep)) or "none of them"


@dataclass(frozen=True)
class DecompositionResult:
    """What the parts of a package add.

    Parameters
    ----------
    package
        The whole, as it was run.
    reference
        What it is compared with.
    runs
        Settings of the runs: parameters `given` to all, replicates, tries (replicates of
        break-even), seed, until, world; the `first` outcome asked for; `pairs`
        and `even_pairs`, the replicates and tries in which no run failed.
    table
        One row an outcome and part. `part` is ``whole``, ``without`` (the whole less the whole
        without `name`), ``alone`` (`name` on the reference) or ``shapley`` (`name` a block).
        Names are those of instruments, and ``rules`` for the package's own functions, parameters
        and shocks;
        the statistics are those of `intervals.describe`, of paired differences,
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
    reference: ResolvedScenario
    runs: Mapping[str, Any]
    table: pd.DataFrame
    break_even: pd.DataFrame
    gap: float

    def rows(self, part: str, outcome: str = OBJECTIVE) -> pd.DataFrame:
        """Return the rows of one kind of part for one outcome, by name; InputError for others."""
        table = self.table
        faults = FaultList()
        faults.name("part", part, table["part"].unique())
        faults.name("outcome", outcome, table["outcome"].unique())
        faults.raise_if_any()
        keep = (table["part"] == part) & (table["outcome"] == outcome)
        return table[keep].set_index("name")

    @classmethod
    def of(cls, whole: ResolvedScenario, base: ResolvedScenario, asked: Options) -> Self:
        """Run a package less and more of its parts on a reference.

        Parameters
        ----------
        whole, base
            Package and reference with their money, parameters and shocks.
        asked
            How they are run; its `outcomes` are reported, the headline ones by default.
        """
        check_parts(whole, base)
        chosen, names = asked.outcomes or headline_outcomes(whole=True), parts_of(whole, base)
        wanted = tuple(dict.fromkeys([OBJECTIVE, NET_COST, *chosen]))
        sets = dict.fromkeys([NOTHING, *wanted_sets(names)])
        plain = [subset(whole, keep, set_name(keep), base) for keep in sets]
        trials, tries = tried(whole, names, base), min(asked.replicates, TRIES)
        before = len(plain) * asked.replicates
        every, show = before + len(trials) * tries, asked.progress

        def shown(start: int) -> Callable[[int, int], None] | None:
            return show and (lambda done, _: show(start + done, every))

        first = asked.with_(outcomes=wanted, progress=shown(0))
        result = simulated(plain, first, series=False)
        well = ended_well(result)
        table, gap = parts_table(
            {keep: by_outcome(result, place, well) for place, keep in enumerate(sets)}, names
        )
        even, sampled = well[:tries], {}
        if trials:
            second = asked.with_(
                replicates=tries, outcomes=(OBJECTIVE, NET_COST), progress=shown(before)
            )
            found = simulated(list(trials.values()), second, series=False)
            even = even & ended_well(found)
            sampled = {key: by_outcome(found, place, even) for place, key in enumerate(trials)}
        levels = break_even_table(sampled, by_outcome(result, list(sets).index(NOTHING), even))
        runs = {
            "replicates": asked.replicates, "tries": tries, "seed": asked.seed,
            "until": asked.until, "pairs": int(well.sum()), "even_pairs": int(even.sum()),
            "world": result.world.name, "varied": len(result.varied), "runs": every,
            "first": next(iter(asked.outcomes or ()), OBJECTIVE),
            "given": dict(result.given), "drawn_from": result.drawn_from,
        }  # fmt: skip
        return cls(whole, base, runs, table, levels, gap)


def check_parts(whole: ResolvedScenario, base: ResolvedScenario) -> None:
    """Raise InputError where nothing can be taken apart."""
    faults = FaultList()
    if not set(parts_of(whole, base)) - {RULES}:
        allowed = "a package that adds instruments to the reference, or ends some"
        faults.add("decompose", whole.name, allowed)
    if instruments_of(base):
        faults.add("reference", base.name, "a reference without instruments of its own")
    faults.raise_if_any()


def unions(blocks: Mapping[str, Set]) -> dict[Set, Set]:
    """Return the instruments of every choice of blocks: of none, of one, …, of all."""
    sizes = range(len(blocks) + 1)
    return {
        frozenset(chosen): NOTHING.union(*(blocks[one] for one in chosen))
        for size in sizes
        for chosen in combinations(blocks, size)
    }


def wanted_sets(names: Sequence[str]) -> list[Set]:
    """Return the whole, every single instrument, every one left out, and all unions of blocks."""
    whole = frozenset(names)
    return [
        whole,
        *(frozenset({name}) for name in names),
        *(whole - {name} for name in names),
        *unions(blocks_of(names)).values(),
    ]


def tried(
    whole: ResolvedScenario, names: Sequence[str], base: ResolvedScenario
) -> dict[tuple[str, float], Any]:
    """Return each programme alone at each level of effectiveness."""
    known = parameters()
    types = {name: row.type for name, row in instruments().items()}
    programmes = [name for name in names if types.get(name) == "programme"]
    return {
        (name, level): replace(
            subset(whole, frozenset({name}), f"{name} {level:g}", base),
            parameters={**base.parameters, f"{name}_effectiveness": level},
        )
        for name in programmes
        if f"{name}_effectiveness" in known
        for level in LEVELS
    }


def ended_well(result: Result) -> NDArray[np.bool_]:
    """Return the replicates in which no run failed, (replicates,): only those have all parts."""
    return ~np.isin(np.arange(result.replicates), [row["replicate"] for row in result.failed])


def by_outcome(result: Result, place: int, kept: NDArray[np.bool_]) -> dict[str, Array]:
    """Return the outcomes of one scenario by replicate, of the first that are asked for."""
    return {name: value[place, : len(kept), 0][kept] for name, value in result.summaries.items()}


def parts_table(
    values: Mapping[Set, Mapping[str, Array]], names: Sequence[str]
) -> tuple[pd.DataFrame, float]:
    """Summarise what each part adds; return the table and the gap of the Shapley parts."""
    whole, blocks = frozenset(names), blocks_of(names)
    rows, gap = [], 0.0
    for outcome in values[whole]:
        base = values[NOTHING][outcome]
        full = values[whole][outcome]
        games = {chosen: values[union][outcome] for chosen, union in unions(blocks).items()}
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
                **describe(pairs, visible(unit)),
            }  # fmt: skip
            for (part, name), pairs in parts.items()
        ]
    return pd.DataFrame(rows), gap


def break_even_table(
    sampled: Mapping[tuple[str, float], Mapping[str, Array]], base: Mapping[str, Array]
) -> pd.DataFrame:
    """Summarise the tries of effectiveness; see `Decomposition.break_even` for the columns."""
    columns = ["instrument", "measure", "effectiveness", "median", "low_90", "high_90"]
    columns += ["share_above_zero", "pairs", "break_even"]
    rows = []
    for name in dict.fromkeys(name for name, _ in sampled):
        for measure, sign in (("value_added", 0.0), ("value_added_less_cost", 1.0)):
            facts = []
            for level in LEVELS:
                one = sampled[name, level]
                more = {key: one[key] - base[key] for key in (OBJECTIVE, NET_COST)}
                gain = more[OBJECTIVE] - sign * more[NET_COST]
                facts.append(describe(gain, visible(catalogue()[OBJECTIVE].unit)))
            even = break_even(LEVELS, [float(fact["median"]) for fact in facts])
            rows += [
                {"instrument": name, "measure": measure, "effectiveness": level}
                | fact
                | {"break_even": even}
                for level, fact in zip(LEVELS, facts, strict=True)
            ]
    return pd.DataFrame(rows, columns=columns)
