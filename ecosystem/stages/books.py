"""S7: what goes into the books of centres - costs, support, equity of owners, rates."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ecosystem.maths.arrays import Array, safe_ratio
from ecosystem.maths.clearing import spread
from ecosystem.maths.compiled import equation, kernel
from ecosystem.maths.scalars import ratio
from ecosystem.stages.charges import charges_due
from ecosystem.stages.finance import keep_books, local_part, renew_assets
from ecosystem.stages.policy import readiness_part
from ecosystem.stages.settlement import operating_cost, power_bill, upkeep
from ecosystem.state.records import Books, Investment, Quarter, RealAssets, Settlement
from ecosystem.state.setting import Setting
from ecosystem.state.state import Centres


LINES = [field.name for field in fields(Books)]
VAT, INCOME_TAX = LINES.index("value_added_tax"), LINES.index("income_tax")


@dataclass(frozen=True)
class CentreCosts:
    """What running and building costs centres, M¥ (runs, centres)."""

    power: Array  # before relief
    upkeep: Array
    operation: Array
    wages: Array
    charges: Array
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
    quarter: Quarter, costs: CentreCosts, received: dict[str, Array], setting: Setting
) -> tuple[Books, Array, Array]:
    """Return the books of centres with support and charges, what owners put in, local taxes.

    (runs, centres), but taxes (runs, prefectures).
    """
    world = setting.world
    books, injected, local = books_kept(
        setting.parameters.of_run, quarter.state.centres, quarter.investment, costs,
        quarter.market.revenue, received["output_subsidy"], received["tariff_discount"],
        quarter.policy.local_settlement, server_decline(quarter, setting),
        world.centres.kind, world.centres.prefecture, world.prefectures.count,
    )  # fmt: skip
    return Books(*books), injected, local


@kernel
def books_kept(
    parameters: Any, centres: Centres, built: Investment, costs: CentreCosts, revenue: Array,
    support: Array, relief: Array, settled: Array, decline: Array, kind: Any, place: Any,
    prefectures: int,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Return the books of every centre, (15, runs, centres), what owners put in, local taxes."""
    books, injected = np.zeros((15, *revenue.shape)), np.zeros_like(revenue)
    local = np.zeros((len(revenue), prefectures))
    for r in range(len(revenue)):
        p, here = parameters[r], settled[r, 0]
        for c in range(len(kind)):
            net, cash = 1 - costs.granted[r, c], centres.cash[r, c]
            servers, halls = built.server_outlay[r, c] * net, built.hall_outlay[r, c] * net
            runs = built.servers[r, c] - built.arrived[r, c] > 0
            injected[r, c] = owners_equity(p, here, servers + halls, cash if runs else 0.0)
            books[:, r, c] = keep_books(
                p,
                settled=here,
                decline=decline[r, kind[c]],
                scrapped=scrapped_share(built.scrapped[r, c], built.servers[r, c]),
                cash=cash,
                loan=centres.loan[r, c],
                book_servers=centres.book_servers[r, c],
                book_halls=centres.book_halls[r, c],
                income=revenue[r, c] + support[r, c],
                costs=(
                    costs.power[r, c] - relief[r, c] + costs.upkeep[r, c]
                    + costs.operation[r, c] + costs.wages[r, c] + costs.charges[r, c]
                ),
                server_capital=servers,
                hall_capital=halls,
                injected=injected[r, c],
            )  # fmt: skip
            local[r, place[c]] += local_part(p, books[VAT, r, c], books[INCOME_TAX, r, c])
    return books, injected, local


@equation
def owners_equity(p: Any, settled: float, capital: float, cash: float) -> float:
    """Return what local owners put into their centre for new projects, M¥.

    They pay the part of local capital that no loan covers, out of the centre's own deposits first;
    owners of a centre that does not run yet pay all of that part, as if it had no cash. Otherwise
    every project would be three tenths overdraft.

    Source: minimum own capital of fixed-asset projects, 20 to 25 % (State Council notices 2015
    no. 51 and 2019 no. 26).
    """
    return max((1 - p.loan_share) * settled * capital - max(cash, 0.0), 0.0)


@equation
def scrapped_share(scrapped: float, kept: float) -> float:
    """Return the share of servers cut because halls cannot hold them."""
    return ratio(scrapped, kept + scrapped)


def server_decline(quarter: Quarter, setting: Setting) -> Array:
    """Return wear and price fall of servers, a quarter (runs, kinds)."""
    return setting.by_kind("server_depreciation") + quarter.drivers.price_decline / 4


def real_assets(quarter: Quarter, setting: Setting) -> RealAssets:
    """Return what servers and halls are worth whoever paid, and their wear (runs, centres)."""
    assets = assets_renewed(
        setting.parameters.of_run, quarter.state.centres, quarter.investment,
        quarter.drivers.server_price, server_decline(quarter, setting), setting.world.centres.kind,
    )  # fmt: skip
    return RealAssets(*assets)


@kernel
def assets_renewed(
    parameters: Any, centres: Centres, built: Investment, price: Array, decline: Array, kind: Any
) -> Array:
    """Return the real assets of every centre, (3, runs, centres)."""
    assets = np.zeros((3, *centres.cash.shape))
    for r in range(len(centres.cash)):
        for c in range(len(kind)):
            assets[:, r, c] = renew_assets(
                parameters[r],
                decline=decline[r, kind[c]],
                scrapped=scrapped_share(built.scrapped[r, c], built.servers[r, c]),
                servers=centres.real_servers[r, c],
                halls=centres.real_halls[r, c],
                server_outlay=built.server_outlay[r, c],
                hall_outlay=built.hall_outlay[r, c],
                server_price=price[r, kind[c]],
            )
    return assets
