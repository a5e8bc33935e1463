"""What a table of draws says of everything that figures measure: `history` run at every row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from calibration.observe import observation_model, published_compute
from ecosystem.inputs.calendar import QUARTERS_A_YEAR, period_index, period_label
from ecosystem.inputs.draws import LUCK, draw_parameters, varied_parameters
from ecosystem.inputs.scenario import resolve
from ecosystem.inputs.world.loader import load_world
from ecosystem.maths.arrays import Array, safe_ratio, total
from ecosystem.maths.chance import Chance
from ecosystem.maths.kernels import HOURS
from ecosystem.outcomes import measure
from ecosystem.quarter.start import initial_state, make_setting
from ecosystem.quarter.step import step
from ecosystem.runs.chunk import SLOTS_A_CHUNK, keep_memory
from ecosystem.runs.design import cross
from ecosystem.runs.runner import run_design
from ecosystem.runs.warm import compile_model
from ecosystem.state.ledger import Purpose, amount, select
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Setting

UNTIL = "2025Q2"
"""Last quarter of what is on record."""
LUCKS = 1_000_000
"""Luck numbers that belong to one seed."""
UNIT = 100
"""M¥ in the unit in which money is published, 10⁸ yuan."""
BILLION = 1000
"""M¥ in a billion yuan."""
OUTCOMES = (
    *("servers_hub", "nameplate_hub", "racks_built_hub", "racks_running_hub", "patents"),
    *("ai_firms", "births", "talent", "ai_firm_sales", "maker_sales"),
)
"""Outcomes of the model that are watched as they are, summed over their entries."""
Series = Mapping[str, Array]
"""What is watched, (runs, quarters) each."""


def year(values: Array) -> Array:
    """Return the sum of the four quarters that end in each, (runs, quarters); first three NaN."""
    sums = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
    whole = sums[:, QUARTERS_A_YEAR:] - sums[:, :-QUARTERS_A_YEAR]
    return np.pad(whole, ((0, 0), (QUARTERS_A_YEAR - 1, 0)), constant_values=np.nan)


def year_to_date(values: Array) -> Array:
    """Return the sum from the first quarter of the year on, (runs, quarters)."""
    starts = range(0, values.shape[1], QUARTERS_A_YEAR)
    return np.hstack([np.cumsum(values[:, t : t + QUARTERS_A_YEAR], axis=1) for t in starts])


def growth(values: Array) -> Array:
    """Return growth on the quarter a year before in percent, (runs, quarters); first four NaN."""
    before = np.pad(values, ((0, 0), (QUARTERS_A_YEAR, 0)), constant_values=np.nan)
    return 100 * (safe_ratio(values, before[:, : values.shape[1]], np.nan) - 1)


def published(series: Series) -> Array:
    """Return compute of the hub as it is stated, PFLOPS (runs, quarters)."""
    servers, halls = series["servers_hub"], series["nameplate_hub"]
    return published_compute(servers, halls, np.arange(servers.shape[1]), observation_model())


OBSERVED: dict[str, Callable[[Series], Array]] = {
    "published_compute": published,
    "servers_hub": lambda s: s["servers_hub"],
    "nameplate": lambda s: s["nameplate_hub"],
    "nameplate_province": lambda s: s["nameplate_province"],
    "nameplate_outside_hub": lambda s: s["nameplate_province"] - s["nameplate_hub"],
    "racks_running": lambda s: s["racks_running_hub"],
    "racks_built": lambda s: s["racks_built_hub"],
    "racks_ordered_province": lambda s: s["racks_ordered"],
    "centres_running_hub": lambda s: s["centres_hub"],
    "centres_running_province": lambda s: s["centres"],
    "national_occupancy": lambda s: 100 * s["national_occupancy"],
    "hub_occupancy": lambda s: 100 * s["hub_occupancy"],
    "hub_revenue": lambda s: year_to_date(s["hub_revenue"]) / UNIT,
    "hub_capital": lambda s: np.cumsum(s["hub_capital"], axis=1) / BILLION,
    "recruited_branches": lambda s: s["branches_hub"],
    "hub_firms": lambda s: s["branches_hub"] + s["ai_firms_hub"],
    "invention_patents": lambda s: year(s["patents"]),
    "invention_patents_capital": lambda s: (
        100 * safe_ratio(year(s["patents_ring_1"]), year(s["patents"]), np.nan)
    ),
    "research_spending": lambda s: year(s["research"] + s["grants"] + s["university_funds"]) / UNIT,
    "research_of_firms": lambda s: year(s["research"]) / UNIT,
    "university_funds": lambda s: year(s["university_funds"]) / UNIT,
    "researchers": lambda s: s["researchers"],
    "talent": lambda s: 1000 * s["talent"],
    "ai_firms": lambda s: s["ai_firms"],
    "births": lambda s: year(s["births"]),
    "ai_firm_sales": lambda s: year(s["ai_firm_sales"]) / UNIT,
    "ai_firm_sales_growth": lambda s: growth(year(s["ai_firm_sales"])),
    "deployment_fees": lambda s: year(s["deployment_fees"]) / UNIT,
    "maker_sales": lambda s: year(s["maker_sales"]) / UNIT,
    "maker_sales_growth": lambda s: growth(year(s["maker_sales"])),
    "packaging_output": lambda s: year(s["packaging_output"]),
    "packaging_growth": lambda s: growth(s["packaging_output"]),
    "packaging_investment": lambda s: year(s["packaging_investment"]) / UNIT,
    "park_output_growth": lambda s: growth(year(s["park_output"])),
}
"""How each observable of ``observables.csv`` is read off what is watched, (runs, quarters)."""


def watch(quarter: Quarter, setting: Setting) -> dict[str, Array]:
    """Return what is watched of a quarter, (runs, 1) each; money in M¥."""
    world, found = setting.world, measure(quarter, setting)
    centres, hub, ring = world.centres, world.centres.in_hub, world.prefectures.ring_1
    built, market, made = quarter.investment, quarter.market, quarter.innovation
    business, firms, supply = quarter.business, quarter.state.firms.active, quarter.supply
    halls = total(built.halls) + total(built.halls_pipeline)
    running, power = (built.servers > 0).astype(float), built.power * hub
    drawn = quarter.drivers.capacity * quarter.state.nation.power
    packaging = world.stages.packaging[world.makers.stage]
    sold = world.firms.sum(business.sales, "domain")
    given = select(quarter.accounts.flows, Purpose.FUNDING, receiver="universities")
    return {name: total(found[name]) for name in OUTCOMES} | {
        "nameplate_province": total(built.nameplate * centres.intelligent),
        "racks_ordered": 1000 * halls / setting.parameters.rack_power,
        "centres": total(running),
        "centres_hub": total(running * hub),
        "national_occupancy": safe_ratio(total(market.national_use * drawn), total(drawn)),
        "hub_occupancy": safe_ratio(
            total(market.sold * power), HOURS * total(built.servers * power)
        ),
        "hub_capital": total((built.hall_outlay + built.server_outlay) * hub),
        "hub_revenue": total(market.revenue * hub),
        "branches_hub": total(quarter.state.society.branches * world.prefectures.hub),
        "ai_firms_hub": total(firms * world.prefectures.hub[world.firms.prefecture]),
        "patents_ring_1": total(made.patents * ring[world.firms.prefecture]),
        "research": total(made.research_spending),
        "grants": total(made.grants),
        "university_funds": amount(given),
        "researchers": total(quarter.labour.researchers),
        "deployment_fees": total(sold * safe_ratio(business.local_pool, business.pool)),
        "packaging_output": total(supply.output * packaging),
        "packaging_investment": total(supply.investment * packaging),
        "park_output": total(made.park_output),
    }


def prior_draws(number: int, seed: int = 1) -> pd.DataFrame:
    """Return draws of all uncertain parameters from their ranges, each with luck of its own.

    Parameters
    ----------
    number
        Rows, at most `LUCKS`.
    seed
        Of the draws and of their luck.
    """
    values = draw_parameters(Chance(seed, range(number)), False, {})
    columns = {name: values[name] for name in varied_parameters(False, {})}
    return pd.DataFrame({**columns, f"{LUCK}{period_label(0)}": seed * LUCKS + np.arange(number)})


def observed(
    draws: pd.DataFrame,
    world: str = "full",
    until: str = UNTIL,
    *,
    seed: int = 1,
    jobs: int | None = None,
    out: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Array]:
    """Run `history` at every row of a table of draws and return all observables.

    Parameters
    ----------
    draws
        Values of parameters, and luck (`ecosystem.inputs.draws`).
    world
        Name or folder of the world.
    until
        Last quarter.
    seed
        Of what the table does not say: other parameters, and luck from 2025Q3 on, a row each.
    jobs, out, progress
        As `ecosystem.simulate` takes them; with `out` a second start goes on from there.

    Returns
    -------
    dict
        Observables of ``observables.csv`` by name, in their units, (rows, quarters) each.

    Raises
    ------
    FloatingPointError
        Something that is watched is not finite.
    """
    compile_model()
    known = load_world(world)
    runs = run_design(
        cross(points=draws, luck=range(len(draws))),
        model=partial(watched, world=world, until=until, seed=seed, tables=known.digest),
        jobs=jobs, out=out, progress=progress,
        chunk_runs=max(1, SLOTS_A_CHUNK // known.firms.count),
    )  # fmt: skip
    series: dict[str, list[Array]] = {}
    for name, values in runs.arrays()["end"].items():
        series.setdefault(name.split()[0], []).append(values[:, 0])
    whole = {name: np.hstack(columns) for name, columns in series.items()}
    return {name: read(whole) for name, read in OBSERVED.items()}


def watched(
    rows: pd.DataFrame, world: str, until: str, seed: int, tables: str = ""
) -> pd.DataFrame:
    """Return what is watched in runs at rows of draws, a column a name and quarter.

    `tables` is the digest of the world, by which stored runs are told apart.
    """
    keep_memory()
    draws = rows.drop(columns=["scenario", "shock", "point", "replicate"])
    luck = rows["replicate"].tolist()
    setting = make_setting(resolve("history"), load_world(world), seed, luck, draws=draws)
    state, columns = initial_state(setting), dict[str, Array]()
    for t in range(period_index(until) + 1):
        state, quarter = step(state, setting)
        columns |= {f"{name} {t}": v[:, 0] for name, v in watch(quarter, setting).items()}
    return pd.DataFrame(columns, index=rows.index)
