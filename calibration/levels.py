"""Levels of the model in sample beside what was published.

``python -m calibration.levels`` runs `history` at draws of all parameters and holds every target of
``targets.csv`` against median and 90 % band over the draws. The band is that of the model: errors
of what is published are not part of it.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from calibration.command import record_command
from calibration.observe import observation_model, published_compute
from calibration.targets import CLASSES, Target, load_targets
from ecosystem.inputs.calendar import QUARTERS_A_YEAR
from ecosystem.inputs.scenario import resolve
from ecosystem.inputs.world.loader import load_world
from ecosystem.maths.arrays import Array, safe_ratio, total
from ecosystem.maths.kernels import HOURS
from ecosystem.outcomes import measure
from ecosystem.quarter.start import initial_state, make_setting
from ecosystem.quarter.step import step
from ecosystem.runs.chunk import keep_memory
from ecosystem.state.ledger import Purpose, amount, select
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Setting

RECORD = Path(__file__).with_name("levels.csv")
DRAWS, SEED = 100, 4
"""Draws of all parameters, and the seed of draws and luck."""
BAND = (0.05, 0.5, 0.95)
"""Quantiles over draws: the band and its middle."""
UNIT = 100
"""M¥ in the unit in which money is published, 10⁸ yuan."""
OUTCOMES = (
    *("servers_hub", "nameplate_hub", "racks_built_hub", "racks_running_hub", "patents"),
    *("ai_firms", "births", "talent", "ai_firm_sales", "maker_sales"),
)
"""Outcomes of the model that are watched as they are, summed over their entries."""
SHOWN = ("name", "observable", "region", "date", "base_date", "value", "bound", "unit", "grade")
"""What the table says of a target."""
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
    "nameplate": lambda s: s["nameplate_hub"],
    "nameplate_province": lambda s: s["nameplate_province"],
    "racks_running": lambda s: s["racks_running_hub"],
    "racks_built": lambda s: s["racks_built_hub"],
    "racks_ordered_province": lambda s: s["racks_ordered"],
    "centres_running_hub": lambda s: s["centres_hub"],
    "centres_running_province": lambda s: s["centres"],
    "national_occupancy": lambda s: 100 * s["national_occupancy"],
    "hub_occupancy": lambda s: 100 * s["hub_occupancy"],
    "hub_revenue": lambda s: year_to_date(s["hub_revenue"]) / UNIT,
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


def modelled(runs: int = DRAWS, world: str = "full", seed: int = SEED) -> dict[str, Array]:
    """Run `history` to the last date of the targets, parameters drawn.

    Parameters
    ----------
    runs
        Number of draws.
    world
        Name of the world.
    seed
        Seed of draws and luck.

    Returns
    -------
    dict
        Observables by name, in their units, (runs, quarters) each.
    """
    keep_memory()
    setting = make_setting(resolve("history"), load_world(world), seed, range(runs))
    state, columns = initial_state(setting), []
    for _ in range(1 + max(target.period for target in load_targets())):
        state, quarter = step(state, setting)
        columns.append(watch(quarter, setting))
    series = {name: np.hstack([column[name] for column in columns]) for name in columns[0]}
    return {name: read(series) for name, read in OBSERVED.items()}


def at(target: Target, values: Array) -> Array:
    """Return what runs say of a target, (runs,): the level, or the ratio to the base date."""
    if target.base_period is None:
        return values[:, target.period]
    return safe_ratio(values[:, target.period], values[:, target.base_period], np.nan)


def inside(target: Target, low: float, high: float) -> bool:
    """Return whether a published value lies in a band; of a bound, whether the band reaches it."""
    reaches_down = low <= target.value or target.bound == "lower"
    return reaches_down and (target.value <= high or target.bound == "upper")


def levels(values: Mapping[str, Array]) -> pd.DataFrame:
    """Hold observables against every target, in the order of the table.

    Parameters
    ----------
    values : dict
        Observables by name, (runs, quarters) each; those left out are not measured.

    Returns
    -------
    DataFrame
        A row a target: what was published, its class, and ``low``, ``median`` and ``high`` of the
        model with ``inside`` (1 or 0); blank where the model measures nothing.
    """
    rows = []
    for target in load_targets():
        about = {name: getattr(target, name) for name in SHOWN}
        found = at(target, values[target.observable]) if target.observable in values else None
        low, middle, high = (np.nan,) * 3 if found is None else np.nanquantile(found, BAND)
        band = {"class": CLASSES[target.use], "low": low, "median": middle, "high": high}
        held = {"inside": None if found is None else int(inside(target, low, high))}
        rows.append(about | band | held)
    table = pd.DataFrame(rows).astype({"inside": "Int64"})
    return table.rename(columns={"value": "published"})


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all levels, print them, and write them if asked to."""
    record_command(
        "calibration.levels",
        f"Hold `history` on the full world, at {DRAWS} draws of all parameters, against every "
        "published figure of targets.csv, and print the table; some seconds.",
        RECORD,
        lambda: levels(modelled()),
        arguments,
    )


if __name__ == "__main__":
    main()
