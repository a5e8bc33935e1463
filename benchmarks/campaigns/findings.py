"""Five questions with no obvious answer, and three natural experiments, put to the model.

``python -m benchmarks.campaigns.findings`` runs the scenarios of every question with the same luck
and the same parameters, subtracts them pair by pair, and prints what it found: some twelve thousand
runs, about five minutes on two cores. With ``--write`` it keeps that in ``findings.csv``, beside
the rows of other ``--draws``, from which ``python -m docs.make`` makes ``docs/findings.md``.

Every answer stands beside the same comparison with all decision rules of agents replaced by their
means, and beside the uncertain parameter that its sign depends on, if one can be told (`split_by`).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ecosystem import Scenario, simulate
from ecosystem.inputs.calendar import period_index
from ecosystem.inputs.catalogue import agents, shocks
from ecosystem.inputs.catalogue import outcomes as outcome_table
from ecosystem.inputs.scenario import REFERENCE, ResolvedScenario, resolve
from ecosystem.maths.arrays import Array
from ecosystem.state.records import Policy
from ecosystem.state.setting import Setting
from ecosystem.state.state import State
from experiments.comparison.budget import with_budget
from experiments.comparison.intervals import describe, ratio_of_medians
from experiments.comparison.resilience import WINDOW, loss
from experiments.comparison.shapley import break_even
from experiments.comparison.sureness import visible

RECORD = Path(__file__).with_suffix(".csv")
PAIRS, SEED, BUDGET, START = 120, 1, 4000.0, "2025Q3"
NET, GROSS, COST, PAID = (
    "local_value_added_net", "local_value_added_gross", "net_public_cost", "public_cost",
)  # fmt: skip
EXPORTS, USE, COVER = "compute_exported", "utilisation", "cost_cover_centres"
OF_HISTORY = f"{COVER} of history"
WORTH = "social_account"
AI = ("value_added_ai_firms", "ai_firm_sales", "ai_firm_staff", "patents", "wage")
RULES = {"own": {}, "mean": dict.fromkeys(agents(), "mean")}
"""Decision rules of agents: their own, and each replaced by its mean."""
ADDED, AS_DRAWN = "own less mean", "as drawn"
PERMUTATIONS, CHANCE = 10_000, 0.001
"""Shuffles, and the chance that luck alone names any parameter for one comparison."""
ENDS = ("low", "middle", "high")
SHOCK_FROM = period_index("2027Q1")
UNITS = {
    "loss_hub_outage": "share", "loss_worst": "share", "exports_per_payment": "PFh per M¥",
    "price_of_export": "¥/PFh FP32-equivalent", "co2_per_export": "kg/PFh FP32-equivalent",
    "value_per_100": "M¥ per 100 M¥",
}  # fmt: skip
"""Units of what is computed here; those of outcomes stand in their table."""
EXPORT_LEVERS = ("regional_pairing", "overflow_takeup", "scenario_import")


class Case(NamedTuple):
    """A paired comparison: `one` less `other`, in the world of a `setting`.

    The first of the outcomes is the one whose sign answers.
    """

    question: str
    one: str
    other: str
    outcomes: tuple[str, ...]
    setting: str = AS_DRAWN


def levers_for_nothing(record: Policy, state: State, setting: Setting) -> dict[str, Any]:
    """Give the export programmes the strength that unlimited spending buys, for no money."""
    p = setting.parameters
    names = {
        name: getattr(p, f"{name}_maximum") * getattr(p, f"{name}_effectiveness")
        for name in EXPORT_LEVERS
    }
    return {"lever": names}


def programmes(*names: str, **given: Any) -> list[dict[str, Any]]:
    """Return entries of instruments that start with the policies."""
    return [{"name": name, "start": START, **given} for name in names]


MADE: dict[str, tuple[dict[str, Any], float | None]] = {
    "concentrate": (
        {
            "instruments": [
                *programmes("capital_subsidy", place="hub", envelope=225),
                *programmes("hub_readiness", spending=225),
            ]
        },
        BUDGET,
    ),
    "spread": ({"instruments": programmes("even_diffusion")}, BUDGET),
    "dispatch_pairing": ({"instruments": programmes("unified_dispatch", EXPORT_LEVERS[0])}, BUDGET),
    "export_push": ({"instruments": programmes(*EXPORT_LEVERS)}, BUDGET),
    "export_push_free": ({"hooks": {"policy": levers_for_nothing}}, None),
    "batch_first": ({"instruments": programmes("latency_insensitive_first")}, None),
    "batch_strategy": (
        {"instruments": programmes("latency_insensitive_first", *EXPORT_LEVERS[1:])}, None,
    ),
    "equipment_chain": ({"instruments": programmes("equipment_chain")}, None),
}  # fmt: skip
"""Scenarios laid over history, and their planned present value (None: as the tables say)."""
PACKAGES = ("article_supply", "diffusion", "capex_only", "output_only")
"""Packages of the model, each at the money of its file, which is the same."""
SETTINGS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    AS_DRAWN: ({}, (*PACKAGES, *MADE)),
    "hype .9": ({"parameters": {"hype": 0.9}}, ("capex_only", "output_only", "dispatch_pairing")),
    "hype .1": ({"parameters": {"hype": 0.1}}, ("capex_only", "output_only", "dispatch_pairing")),
    "training ahead": (
        {"parameters": {"real_time_share_end": 0.4}}, ("batch_first", "batch_strategy"),
    ),
    "inference ahead": (
        {"parameters": {"real_time_share_end": 0.8}, "shock": ["inference_shift"]},
        ("batch_first", "batch_strategy"),
    ),
}  # fmt: skip
"""Worlds in which scenarios are compared: what holds in all runs, and the scenarios."""
PLACE = (NET, USE, "loss_hub_outage", "loss_worst", EXPORTS, "gini_value_added", WORTH, COST)
MONEY = ("exports_per_payment", EXPORTS, PAID, COST, NET)
CARBON = ("co2_nation", "co2_province", "energy", EXPORTS)
BATCH = (NET, "batch_served", EXPORTS, USE, "firm_compute", COST)
CASES = (
    Case("1", "concentrate", "spread", PLACE),
    Case("1", "concentrate", REFERENCE, PLACE),
    Case("1", "spread", REFERENCE, PLACE),
    Case("1", "article_supply", "diffusion", tuple(n for n in PLACE if "loss" not in n)),
    *(
        Case("2", one, other, MONEY, setting)
        for setting in ("hype .9", "hype .1", AS_DRAWN)
        for one, other in (
            ("dispatch_pairing", "output_only"),
            ("dispatch_pairing", "capex_only"),
            ("output_only", "capex_only"),
        )
    ),
    *(
        Case("2", one, REFERENCE, (EXPORTS, PAID, COST, NET), setting)
        for setting in ("hype .9", "hype .1")
        for one in ("dispatch_pairing", "output_only", "capex_only")
    ),
    Case("3", "export_push", REFERENCE, (*AI, EXPORTS, "unit_cost", COST)),
    Case("3", "export_push_free", REFERENCE, (*AI, EXPORTS, "unit_cost", COST)),
    Case("3", "output_only", REFERENCE, (*AI, EXPORTS, "unit_cost", COST)),
    *(
        Case("4", one, REFERENCE, BATCH, setting)
        for one in ("batch_first", "batch_strategy")
        for setting in ("training ahead", AS_DRAWN, "inference ahead")
    ),
    Case(
        "5", "equipment_chain", REFERENCE,
        (NET, "value_added_makers", "maker_jobs", "local_content", "servers", EXPORTS, WORTH, COST),
    ),
    Case("5", "export_push", REFERENCE, CARBON),
    Case("5", "export_push_free", REFERENCE, CARBON),
)  # fmt: skip
CONTRASTS = (("2", "hype .9", "hype .1"), ("4", "inference ahead", "training ahead"))
"""Worlds whose effects are subtracted, pair by pair: question, one, other."""
RATIOS = (
    ("2", "price_of_export", PAID, EXPORTS, 1e6),
    ("1", "value_per_100", NET, COST, 100.0),
    ("4", "value_per_100", NET, COST, 100.0),
    ("5", "value_per_100", NET, COST, 100.0),
    ("5", "co2_per_export", "co2_nation", EXPORTS, 1e3),
)
"""Ratios of median changes against history: question, name, above, below, factor."""
NATURAL = {
    "rack_subsidy_2023": ("capital_subsidy", ("racks_built_hub", "servers_hub", "halls_hub")),
    "occupancy_gate_2022": ("occupancy_gate", ("servers_second_ring", "fill", "halls_hub")),
    "export_controls_2022": ("", ("servers_hub", "servers", USE, "compute_revenue")),
}
"""What was done before 2025Q3: the instrument of history, none for a shock, and what it moves."""
CONTROLS, SEEN_AT = "accelerator_export_control:0.5:2022Q4", "2024Q4"


def scenario(name: str, rules: str) -> ResolvedScenario:
    """Return a scenario of this campaign by its name, under rules of `RULES`."""
    given, money = MADE.get(name, ({}, None))
    policy = name if name in (REFERENCE, *PACKAGES) else REFERENCE
    made = resolve(Scenario([policy], name=name, rules=RULES[rules], **given))
    return with_budget(made, money)


def without(instrument: str) -> ResolvedScenario:
    """Return history as if it had never had one of its instruments."""
    base = resolve(REFERENCE)
    layers = tuple(
        replace(layer, edits=tuple(one for one in layer.edits if one.instrument != instrument))
        for layer in base.layers
    )
    return replace(base, name=f"without {instrument}", layers=layers)


def levels_of(
    setting: str, rules: str, given: Mapping[str, Any]
) -> tuple[dict[str, dict[str, Array]], pd.DataFrame]:
    """Run a world; return (pairs,) by scenario and outcome, and the factors of each pair."""
    asked, names = SETTINGS[setting]
    wanted = {name for case in CASES for name in case.outcomes} - set(UNITS)
    found = simulate(
        [scenario(name, rules) for name in (REFERENCE, *names)],
        outcomes=sorted({*wanted, COVER}), series=False, **asked, **given,
    )  # fmt: skip
    levels = {
        one: {name: value[place].sum(axis=1) for name, value in found.summaries.items()}
        for place, one in enumerate(found.scenarios)
    }
    base = levels[REFERENCE]
    for values in levels.values():
        more, paid = values[EXPORTS] - base[EXPORTS], values[PAID] - base[PAID]
        values["exports_per_payment"] = np.where(paid > 1, more / np.maximum(paid, 1), np.nan)
    if setting == AS_DRAWN:
        for one, lost in losses(rules, given).items():
            levels[one] |= lost
    return levels, found.draws.assign(**{OF_HISTORY: base[COVER]})


def losses(rules: str, given: Mapping[str, Any]) -> dict[str, dict[str, Array]]:
    """Return what of gross value added shocks take over four years, (pairs,) by scenario."""
    names = (REFERENCE, "concentrate", "spread")

    def gross(shock: str | None) -> Array:
        found = simulate(
            [scenario(name, rules) for name in names], outcomes=[GROSS],
            shock=shock and [shock], until="2031Q1", **given,
        )  # fmt: skip
        return found.series[GROSS][:, :, SHOCK_FROM : SHOCK_FROM + WINDOW + 1, 0]

    calm = gross(None)
    lost = {
        shock: np.array([loss(*each) for each in zip(gross(shock), calm, strict=True)])
        for shock in shocks()
    }
    worst = np.max(list(lost.values()), axis=0)
    return {
        name: {"loss_hub_outage": lost["hub_outage"][place], "loss_worst": worst[place]}
        for place, name in enumerate(names)
    }


def natural(given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Compare the past with an event and without it, in per cent of the level without."""
    struck = Scenario([REFERENCE], shocks=[CONTROLS], name="with controls")
    asked = sorted({name for _, names in NATURAL.values() for name in names})
    scenarios = [REFERENCE, struck, *(without(name) for name, _ in NATURAL.values() if name)]
    found = simulate(scenarios, outcomes=asked, until="2025Q2", **given)
    at = {
        name: dict(
            zip(found.scenarios, values[:, :, period_index(SEEN_AT)].sum(axis=2), strict=True)
        )
        for name, values in found.series.items()
    }
    for event, (instrument, names) in NATURAL.items():
        have, lack = (
            (REFERENCE, f"without {instrument}") if instrument else (struck.name, REFERENCE)
        )
        for name in names:
            change = 100 * (at[name][have] / at[name][lack] - 1)
            yield {
                "question": "natural", "case": event, "setting": SEEN_AT, "rules": "own",
                "outcome": name, "unit": "%", **describe(change, visible("ratio")),
            }  # fmt: skip


def split_by(effect: Array, factors: pd.DataFrame) -> dict[str, Any]:
    """Name the factor by whose terciles the sign of an effect differs most, and its size.

    Parameters
    ----------
    effect
        Paired differences, (pairs,), finite.
    factors
        Uncertain parameters and levels of the reference, a row a pair.

    Returns
    -------
    dict
        For ``sign`` (share above zero) and ``size`` (rank): the factor with the largest difference
        between the top and the bottom third of its values; whether it is ``told``: larger than the
        largest of all factors is, by luck, but once in 1 / `CHANCE` shuffles of the effect; of the
        sign, the shares by third and the value of the factor at which the median effect is zero;
        of the size, the medians by third. Shuffling against all factors at once is what guards
        against naming the luckiest of some hundred (Westfall & Young 1993).
    """
    count = len(effect)
    rank = factors.rank(method="first").to_numpy()
    third = 1 + (rank > count - count // 3) - (rank <= count // 3).astype(int)
    weights = ((third == 2).astype(float) - (third == 0)).T / (count // 3)
    random = np.random.Generator(np.random.Philox(1))
    order = random.permuted(np.tile(np.arange(count), (PERMUTATIONS, 1)), axis=1)
    ranks = (pd.Series(effect).rank().to_numpy() - 1) / (count - 1)
    found: dict[str, Any] = {}
    for kind, values in (("sign", (effect > 0).astype(float)), ("size", ranks)):
        seen = weights @ values
        by_luck = np.abs(weights @ values[order].T).max(axis=0)
        best = int(np.abs(seen).argmax())
        told = abs(seen[best]) > np.quantile(by_luck, 1 - CHANCE) + 1e-9
        mine = [third[:, best] == number for number in range(3)]
        medians = [float(np.median(effect[one])) for one in mine]
        shown = [float(np.mean(effect[one] > 0)) for one in mine] if kind == "sign" else medians
        found |= {kind: factors.columns[best], f"{kind}_told": int(told)}
        found |= dict(zip((f"{kind}_{end}" for end in ENDS), shown, strict=True))
        if kind == "sign":
            middle = [float(factors.iloc[one, best].median()) for one in mine]
            way = 1 if medians[2] > medians[0] else -1
            even = break_even([way * one for one in middle[::way]], medians[::way])
            found["break_even"] = way * even if isinstance(even, float) else np.nan
    return found


def measured(given: Mapping[str, Any]) -> pd.DataFrame:
    """Return all rows of the record."""
    rows: list[dict[str, Any]] = []
    seen: dict[Case, dict[str, dict[str, Array]]] = {}
    for setting in SETTINGS:
        worlds = {rules: levels_of(setting, rules, given) for rules in RULES}
        for case in (one for one in CASES if one.setting == setting):
            effects = {
                rules: {
                    name: levels[case.one][name] - levels[case.other][name]
                    for name in case.outcomes
                }
                for rules, (levels, _) in worlds.items()
            }
            seen[case] = effects
            rows += described(case, effects)
            first, known = rows[-len(case.outcomes) * 3], effects["own"][case.outcomes[0]]
            finite = np.isfinite(known)
            first |= split_by(known[finite], worlds["own"][1][finite])
            rows += ratios(case, effects)
    for case, effects in seen.items():
        for question, later, earlier in CONTRASTS:
            if case.question == question and case.setting == later:
                before = seen[case._replace(setting=earlier)]
                name = case.outcomes[0]
                apart = {
                    rules: {name: effects[rules][name] - before[rules][name]} for rules in RULES
                }
                rows += described(case._replace(setting=f"{later} less {earlier}"), apart)
    rows += natural(given)
    return pd.DataFrame(rows)


def about(case: Case, rules: str, outcome: str) -> dict[str, Any]:
    """Return what says which row of the record it is."""
    unit = UNITS.get(outcome) or outcome_table()[outcome].unit
    name = f"{case.one} less {case.other}"
    return {
        "question": case.question, "case": name, "setting": case.setting, "rules": rules,
        "outcome": outcome, "unit": unit,
    }  # fmt: skip


def described(case: Case, effects: Mapping[str, Mapping[str, Array]]) -> Iterator[dict[str, Any]]:
    """Return effects in the words of the model, and those of own rules less those of means."""
    own, mean = (effects[rules] for rules in RULES)
    for rules, found in (*effects.items(), (ADDED, {name: own[name] - mean[name] for name in own})):
        for name, effect in found.items():
            row = about(case, rules, name)
            named = name not in UNITS or row["unit"] == "share"
            yield row | describe(effect, visible(row["unit"]) if named else 0.0)


def ratios(case: Case, effects: Mapping[str, Mapping[str, Array]]) -> Iterator[dict[str, Any]]:
    """Return ratios of median changes against history with their bootstrap interval."""
    for question, name, above, below, factor in RATIOS:
        if case.other != REFERENCE or case.question != question:
            continue
        if {above, below} <= set(case.outcomes):
            for rules, found in effects.items():
                ratio = factor * np.array(ratio_of_medians(found[above], found[below]))
                yield about(case, rules, name) | {
                    **dict(zip(("median", "low_90", "high_90"), ratio, strict=True)),
                    "pairs": len(found[above]),
                }


KEPT = (
    "question", "case", "setting", "rules", "outcome", "unit", "low_90", "median", "high_90",
    "monte_carlo_error", "share_above_zero", "share_of_sign", "share_low", "sureness", "pairs",
    "sign", "sign_told", *(f"sign_{end}" for end in ENDS), "break_even",
    "size", "size_told", *(f"size_{end}" for end in ENDS),
)  # fmt: skip


def main() -> None:
    """Measure, print, and keep it where that is asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.campaigns.findings", description=__doc__.split("\n\n")[1]
    )
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--draws", default="prior", help="prior or posterior")
    parser.add_argument("--write", action="store_true", help="keep it in findings.csv")
    given = parser.parse_args()
    asked = {
        "replicates": given.pairs, "seed": SEED, "jobs": given.jobs, "draws": given.draws,
    }  # fmt: skip
    found = measured(asked).reindex(columns=list(KEPT))
    found.insert(0, "draws", given.draws)
    print(found[found["rules"] == "own"].to_string(max_colwidth=40, float_format="%.4g"))
    if given.write:
        kept = pd.read_csv(RECORD) if RECORD.is_file() else found.iloc[:0]
        others = kept[kept["draws"] != given.draws]
        whole = found if others.empty else pd.concat([others, found], ignore_index=True)
        whole.to_csv(RECORD, index=False, float_format="%.6g", lineterminator="\n")


if __name__ == "__main__":
    main()
