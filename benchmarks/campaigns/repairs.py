"""What the repairs of the economics changed: packages, ablations and shocks, before and after.

``python -m benchmarks.campaigns.repairs`` measures the model as it stands on 100 pairs, a few
minutes on two cores, and prints what it found beside what was measured before. With ``--write`` it
keeps it in `repairs.csv` as the column ``after`` (another ``--column`` for a single repair), from
which ``python -m docs.make`` makes `docs/repairs.md`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from ecosystem import Scenario, simulate
from ecosystem.inputs.calendar import period_index
from ecosystem.inputs.catalogue import instruments, shocks
from ecosystem.inputs.catalogue import outcomes as outcome_table
from ecosystem.inputs.options import PRIOR
from ecosystem.inputs.scenario import REFERENCE, resolve
from ecosystem.maths.arrays import Array
from ecosystem.state.records import Labour, Quarter
from ecosystem.state.setting import Setting
from ecosystem.state.state import State
from experiments.comparison.budget import with_budget
from experiments.comparison.intervals import quantile

RECORD = Path(__file__).with_suffix(".csv")
PAIRS, SEED = 100, 1
PACKAGES = (
    "article_ecosystem", "article_demand", "article", "capex_only", "innovation_first",
    "demand_first", "green_first",
)  # fmt: skip
IN_PACKAGES = (
    "local_value_added_net", "regional_value_added", "park_value_added_gain", "ai_firm_staff",
    "ai_firm_sales", "patents", "net_public_cost",
)  # fmt: skip
SHOCKS = ("ai_winter", "accelerator_export_control", "demand_surge", "efficiency_jump")
IN_SHOCKS = (
    "local_value_added_net", "local_value_added_gross", "ai_firm_sales", "value_added_makers",
    "compute_export_revenue", "servers_hub", "patents",
)  # fmt: skip
SHOCK_FROM, SHOCK_QUARTERS = period_index("2027Q1"), 17
GROSS = "local_value_added_gross"
STRUCK = ("article", "article_demand", "article_ecosystem", "innovation_first")
NET, COVER = "local_value_added_net", "cost_cover_centres"
FOR_DEMAND = ("article_demand", "demand_first", "article")
START, ONE = "2025Q3", 1000.0
IN_INSTRUMENTS = (
    "local_value_added_net", "regional_value_added", "park_value_added_gain", "ai_firm_sales",
    "ai_firm_staff", "jobs", "net_public_cost",
)  # fmt: skip
IN_ABLATIONS = ("ai_firm_sales", "ai_firm_staff", "patents", "local_value_added_net")

from_prior = partial(simulate, draws=PRIOR, seed=SEED)
"""Runs on prior draws whether or not the world has learned any: before and after are on one."""


def nobody_is_hired(quarter: Quarter, setting: Setting) -> Array:
    """Return no staff wanted, persons (runs, slots)."""
    return np.zeros_like(quarter.state.firms.staff)


def all_graduates_leave(record: Labour, state: State, setting: Setting) -> dict[str, Array]:
    """Keep no graduate from 2025Q3 on: talent as it would be without them (runs, prefectures)."""
    nobody = np.zeros_like(record.retained)
    return {"retained": nobody, "talent_next": record.talent_next - record.retained / 1000}


ABLATIONS = {
    "hiring off": Scenario(["history"], name="hiring_off", rules={"want_staff": nobody_is_hired}),
    "no graduate stays from 2025Q3 on": Scenario(
        ["history"], name="no_graduates", hooks={"labour": all_graduates_leave}
    ),
}


def row(section: str, case: str, outcome: str, values: Array, unit: str) -> dict[str, object]:
    """Return what is kept of one number a pair."""
    known = values[np.isfinite(values)]
    low, middle, high = (quantile(known, name) for name in ("low_90", "median", "high_90"))
    return {
        "section": section, "case": case, "outcome": outcome, "unit": unit, "low": low,
        "median": middle, "high": high, "share_above": (values > 0).mean(), "pairs": len(values),
    }  # fmt: skip


def of_packages(pairs: int) -> Iterator[dict[str, object]]:
    """Compare packages with history: change of the outcomes of a run."""
    found = from_prior(
        ["history", *PACKAGES], replicates=pairs, outcomes=list(IN_PACKAGES),
        series=False,
    )  # fmt: skip
    for place, package in enumerate(PACKAGES, start=1):
        for name, values in found.summaries.items():
            moved = (values[place] - values[0])[:, 0]
            yield row("packages", package, name, moved, outcome_table()[name].unit)


def of_cover(pairs: int) -> Iterator[dict[str, object]]:
    """Split the effect of packages for demand by terciles of the cover of centres in history."""
    found = from_prior(
        [REFERENCE, *FOR_DEMAND], replicates=pairs, outcomes=[NET, COVER], series=False
    )
    cover = found.summaries[COVER][0, :, 0]
    third = np.searchsorted(np.quantile(cover, [1 / 3, 2 / 3]), cover)
    for place, package in enumerate(FOR_DEMAND, start=1):
        moved = (found.summaries[NET][place] - found.summaries[NET][0])[:, 0]
        for number in range(3):
            mine = third == number
            case = f"{package}, cover {cover[mine].min():.2f} to {cover[mine].max():.2f}"
            yield row("cover", case, NET, moved[mine], outcome_table()[NET].unit)


def of_instruments(pairs: int) -> Iterator[dict[str, object]]:
    """Add each instrument to history alone, at 1 bn yuan where it has money of its own."""
    alone = [
        with_budget(
            resolve(Scenario([REFERENCE], instruments=[{"name": name, "start": START}])), ONE
        )
        for name in instruments()
    ]
    named = {name: row.expected_outcome for name, row in instruments().items()}
    wanted = [*dict.fromkeys([*IN_INSTRUMENTS, *named.values()])]
    found = from_prior(
        [REFERENCE, *(replace(one, name=name) for name, one in zip(named, alone, strict=True))],
        replicates=pairs, outcomes=wanted, series=False,
    )  # fmt: skip
    for place, (name, its_own) in enumerate(named.items(), start=1):
        for outcome in dict.fromkeys([its_own, *IN_INSTRUMENTS]):
            values = found.summaries[outcome]
            moved = (values[place] - values[0]).sum(axis=1)
            yield row("instruments", name, outcome, moved, outcome_table()[outcome].unit)


def of_ablations(pairs: int) -> Iterator[dict[str, object]]:
    """Switch a thing off: change of 2035 in per cent."""
    for case, scenario in ABLATIONS.items():
        found = from_prior(["history", scenario], replicates=pairs, outcomes=list(IN_ABLATIONS))
        for name, values in found.series.items():
            base, off = values[:, :, -4:].reshape(2, pairs, -1).sum(axis=2)
            yield row("ablations", case, name, 100 * (off / base - 1), "% of 2035")


def of_shocks(pairs: int) -> Iterator[dict[str, object]]:
    """Strike history: change of what comes in the 17 quarters from 2027Q1, in per cent."""
    until = SHOCK_FROM + SHOCK_QUARTERS
    calm, *struck = (
        from_prior(
            "history", replicates=pairs, outcomes=list(IN_SHOCKS), shock=shock,
            until="2031Q1",
        )
        for shock in (None, *SHOCKS)
    )  # fmt: skip
    for shock, found in zip(SHOCKS, struck, strict=True):
        for name, values in found.series.items():
            base, hit = (
                one[0, :, SHOCK_FROM:until].reshape(pairs, SHOCK_QUARTERS, -1).sum(axis=2)
                for one in (calm.series[name], values)
            )
            change = 100 * (hit - base).sum(axis=1) / np.abs(base.sum(axis=1))
            yield row("shocks", shock, name, change, "% of 17 quarters")
            if name == "local_value_added_net":
                lost = 100 * np.maximum(base - hit, 0).sum(axis=1) / np.abs(base.sum(axis=1))
                yield row("shocks", shock, "loss of net value added, sum of gaps", lost, "%")


def of_losses(pairs: int) -> Iterator[dict[str, object]]:
    """Strike packages: gross value added lost over 17 quarters, beyond what history loses, %."""
    until, names = SHOCK_FROM + SHOCK_QUARTERS, [REFERENCE, *STRUCK]

    def gross(shock: str | None) -> Array:
        found = from_prior(names, replicates=pairs, outcomes=[GROSS], shock=shock, until="2031Q1")
        return found.series[GROSS][:, :, SHOCK_FROM:until].reshape(len(names), pairs, -1)

    calm = gross(None)
    for shock in shocks():
        lost = np.maximum(calm - gross(shock), 0).sum(axis=2) / np.abs(calm.sum(axis=2))
        for place, package in enumerate(names):
            values = 100 * (lost[place] - (lost[0] if place else 0))
            yield row("losses", shock, package, values, "percentage points" if place else "%")


def measured(pairs: int) -> pd.DataFrame:
    """Return all of it."""
    parts = (of_packages, of_cover, of_instruments, of_ablations, of_shocks, of_losses)
    return pd.DataFrame([line for part in parts for line in part(pairs)])


def main() -> None:
    """Measure, print beside what was before, and keep it where that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.campaigns.repairs")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--column", default="after", help="name of what is measured")
    parser.add_argument("--write", action="store_true", help="keep it in repairs.csv")
    given = parser.parse_args()
    found = measured(given.pairs).assign(column=given.column)
    kept = pd.read_csv(RECORD) if RECORD.is_file() else found.iloc[:0]
    whole = pd.concat([kept[kept["column"] != given.column], found], ignore_index=True)
    if given.write:
        whole.to_csv(RECORD, index=False, float_format="%.6g")
    words = whole.assign(
        words=[
            f"{one.median:,.4g} [{one.low:,.4g}, {one.high:,.4g}] {one.share_above:.2f}"
            for one in whole.itertuples()
        ]
    )
    table = words.pivot_table(
        index=["section", "case", "outcome"], columns="column", values="words", aggfunc="first",
        sort=False,
    )  # fmt: skip
    print(table.to_string())


if __name__ == "__main__":
    main()
