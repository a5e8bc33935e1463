"""S7: what compute costs its buyers, and how vouchers relieve them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecosystem.maths.arrays import Array, safe_ratio, total
from ecosystem.maths.clearing import spread
from ecosystem.stages.routing import RIVAL
from ecosystem.stages.settlement import voucher_base
from ecosystem.state.ledger import province_alone, split_evenly
from ecosystem.state.records import Quarter, Settlement
from ecosystem.state.setting import Setting

USERS = ("firms", "deployments", "parks", "government", "universities", "branches")
"""Users of compute at home, in the order of `LocalDemand.users`."""
BUYERS = {
    "firms": ("firms",),
    "parks": ("deployments", "parks"),
    "government": ("government",),
    "universities": ("universities",),
    "world": ("branches",),
}
"""The sector that pays for each of them."""


@dataclass(frozen=True)
class Compute:
    """What compute costs its buyers, M¥."""

    here: dict[str, Array]  # sector -> paid to centres of the province (runs, members)
    there: dict[str, Array]  # sector -> paid to centres elsewhere (runs, members)
    exports: Array  # paid by other regions (runs, 1)
    vouchers: dict[str, Array]  # sector -> received for it (runs, members)

    @property
    def firms(self) -> Array:
        """What firms pay net of vouchers, M¥ (runs, slots)."""
        return np.asarray(self.here["firms"] - self.vouchers["firms"] + self.there["firms"])


def compute_bills(quarter: Quarter, settlement: Settlement, setting: Setting) -> Compute:
    """Return what each sector pays for compute, and the vouchers it gets back.

    Users of a workload pay their part of its bill; users within a sector share the sector's bill
    by what they asked for, by output or by funds. A voucher lowers all bills alike.
    """
    world, p, market = setting.world, setting.parameters, quarter.market
    home, routing, work = world.regions.home_index, market.routing, world.workloads
    outside_home = np.arange(len(world.regions.region)) != home
    exports = total(market.payments.sum(axis=2) * outside_home)
    served = spread(safe_ratio(routing.rival_served, routing.rival_demand), work.kind)
    bought = (routing.demand * routing.share[..., RIVAL])[:, home] * served + market.helped_home
    price = spread(quarter.drivers.rival_price * quarter.drivers.price, work.kind)
    away = bought * (price * work.price_multiplier) / 1e6
    users = routing.local.users
    part = safe_ratio(users, users.sum(axis=1, keepdims=True))
    here, there = (
        by_buyer((bill[:, None, :] * part).sum(axis=2), quarter, setting)
        for bill in (market.payments[:, home], away)
    )
    share = safe_ratio(total(settlement.payers["compute_voucher"]), voucher_base(market, setting))
    eligible = here | {"world": here["world"] + p.voucher_export_share * exports}
    vouchers = {sector: bill * share for sector, bill in eligible.items()}
    return Compute(here, there, exports, vouchers)


def by_buyer(bills: Array, quarter: Quarter, setting: Setting) -> dict[str, Array]:
    """Return bills of users (runs, users) by sector that pays, M¥ (runs, members)."""
    world = setting.world
    weights = {
        "firms": quarter.market.routing.local.by_firm,
        "parks": world.parks.output,
        "government": province_alone(world.prefectures.count),
        "universities": world.universities.research_funds,
        "world": np.ones(1),
    }
    columns = {sector: [USERS.index(user) for user in users] for sector, users in BUYERS.items()}
    return {
        sector: split_evenly(bills[:, column].sum(axis=1, keepdims=True), weights[sector])
        for sector, column in columns.items()
    }
