"""S7: what goes into the books of centres - costs, support, equity of owners, rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecosystem.maths.arrays import Array, safe_ratio
from ecosystem.maths.clearing import spread
from ecosystem.stages.charges import charges_due
from ecosystem.stages.finance import Rates, keep_books, renew_assets
from ecosystem.stages.policy import readiness_part
from ecosystem.stages.settlement import operating_cost, power_bill, upkeep
from ecosystem.state.records import Books, Quarter, RealAssets, Settlement
from ecosystem.state.setting import Setting


@dataclass(frozen=True)
class CentreCosts:
    """What running and building costs centres, M¥ (runs, centres)."""

    power: Array  # before relief
    upkeep: Array
    operation: Array
    wages: Array
    charges: Array | float
    granted: Array  # share of capital outlay that subsidies bear


def centre_costs(quarter: Quarter, settlement: Settlement, setting: Setting) -> CentreCosts:
    """Return the costs of centres; of diffusion money only what is no readiness reaches them."""
    built, received = quarter.investment, settlement.received
    wage = spread(quarter.state.society.wage, setting.world.centres.prefecture) / 1000
    diffused = (1 - readiness_part(setting)) * received["even_diffusion"]
    outlay = built.server_outlay + built.hall_outlay
    return CentreCosts(
        power=power_bill(quarter, setting),
        upkeep=upkeep(quarter, setting),
        operation=operating_cost(quarter, setting),
        wages=quarter.labour.centre_jobs * wage,
        charges=charges_due("centres", quarter, setting),
        granted=safe_ratio(received["capital_subsidy"] + diffused, outlay),
    )


def centre_books(
    quarter: Quarter,
    costs: CentreCosts,
    injected: Array,
    received: dict[str, Array],
    setting: Setting,
) -> Books:
    """Return the books of centres with support, charges and equity put in, (runs, centres)."""
    c, built = quarter.state.centres, quarter.investment
    power = costs.power - received["tariff_discount"]
    return keep_books(
        cash=c.cash,
        loan=c.loan,
        book_servers=c.book_servers,
        book_halls=c.book_halls,
        income=quarter.market.revenue + received["output_subsidy"],
        costs=power + costs.upkeep + costs.operation + costs.wages + costs.charges,
        server_capital=built.server_outlay * (1 - costs.granted),
        hall_capital=built.hall_outlay * (1 - costs.granted),
        injected=injected,
        scrapped_share=scrapped_share(quarter),
        rates=centre_rates(quarter, setting),
    )


def real_assets(quarter: Quarter, setting: Setting) -> RealAssets:
    """Return what servers and halls are worth whoever paid, and their wear (runs, centres)."""
    c, built = quarter.state.centres, quarter.investment
    return renew_assets(
        servers=c.real_servers,
        halls=c.real_halls,
        server_outlay=built.server_outlay,
        hall_outlay=built.hall_outlay,
        server_price=spread(quarter.drivers.server_price, setting.world.centres.kind),
        scrapped_share=scrapped_share(quarter),
        rates=centre_rates(quarter, setting),
    )


def scrapped_share(quarter: Quarter) -> Array:
    """Return the share of servers cut because halls cannot hold them (runs, centres)."""
    built = quarter.investment
    return safe_ratio(built.scrapped, built.servers + built.scrapped)


def owners_equity(quarter: Quarter, costs: CentreCosts, setting: Setting) -> Array:
    """Return what local owners put into their centres for new projects, M¥ (runs, centres).

    They pay the part of local capital that no loan covers, out of the centre's own deposits first;
    owners of a centre that does not run yet pay all of that part. Otherwise every project would be
    three tenths overdraft.

    Source: minimum own capital of fixed-asset projects, 20 to 25 % (State Council notices 2015
    no. 51 and 2019 no. 26).
    """
    p, built = setting.parameters, quarter.investment
    capital = (built.server_outlay + built.hall_outlay) * (1 - costs.granted)
    own = (1 - p.loan_share) * quarter.policy.local_settlement * capital
    runs = built.servers - built.arrived > 0
    return np.maximum(own - runs * np.maximum(quarter.state.centres.cash, 0), 0)


def centre_rates(quarter: Quarter, setting: Setting) -> Rates:
    """Return the rates that the books of centres use, (runs, centres) or (runs, 1)."""
    p, kind = setting.parameters, setting.world.centres.kind
    wear = spread(setting.by_kind("server_depreciation"), kind)
    return Rates(
        local_settlement=quarter.policy.local_settlement,
        loan_share=p.loan_share,
        interest=p.interest_rate / 4,
        server_decline=wear + spread(quarter.drivers.price_decline, kind) / 4,
        hall_decline=p.hall_depreciation,
        value_added_tax=p.value_added_tax,
        income_tax=p.income_tax,
        payout=p.payout,
        reserve_quarters=p.reserve_quarters,
    )
