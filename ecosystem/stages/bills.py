"""S7: what compute costs its buyers, and how vouchers relieve them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecosystem.inputs.places import area
from ecosystem.maths.arrays import Array, add_up, safe_ratio, total
from ecosystem.maths.clearing import spread
from ecosystem.maths.compiled import kernel
from ecosystem.maths.live import Live, of_run
from ecosystem.maths.scalars import ratio
from ecosystem.stages.routing import RIVAL
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


def compute_bills(quarter: Quarter, settlement: Settlement, setting: Setting) -> Compute:
    """Return what each sector pays for compute, and the vouchers it gets back.

    A voucher lowers the bills of all who may use it alike.
    """
    here, there = bills_at_home(quarter, setting)
    eligible = {i: eligible_bills(i, here, quarter, setting) for i in voucher_columns(setting)}
    share = {
        i: safe_ratio(settlement.paid[:, [i]], voucher_base(i, quarter, setting)) for i in eligible
    }
    vouchers = {
        sector: add_up(eligible[i][sector] * share[i] for i in eligible) for sector in BUYERS
    }
    return Compute(here, there, bills_elsewhere(quarter, setting), vouchers)


def bills_at_home(quarter: Quarter, setting: Setting) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return what each sector pays to centres of the province, and to centres elsewhere, M¥.

    Users within a sector share its bill by what they asked for, by output or by funds.
    """
    here, there = bills_of_users(quarter, setting)
    firms, live = quarter.market.routing.local.by_firm, quarter.state.firms.live
    of_firms = shared_by_firms(live, firms, bills_of(here, "firms"), bills_of(there, "firms"))
    return by_buyer(here, of_firms[0], setting), by_buyer(there, of_firms[1], setting)


def bills_of_users(quarter: Quarter, setting: Setting) -> tuple[Array, ...]:
    """Return what users pay to centres of the province and elsewhere, M¥ (runs, users) each.

    Users of a workload pay their part of its bill.
    """
    world, market = setting.world, quarter.market
    home, routing, work = world.regions.home_index, market.routing, world.workloads
    served = spread(safe_ratio(routing.rival_served, routing.rival_demand), work.kind)
    bought = (routing.demand * routing.share[..., RIVAL])[:, home] * served + market.helped_home
    price = spread(quarter.drivers.rival_price * quarter.drivers.price, work.kind)
    away = bought * (price * work.price_multiplier) / 1e6
    users = routing.local.users
    part = safe_ratio(users, users.sum(axis=1, keepdims=True))
    return tuple((bill[:, None, :] * part).sum(axis=2) for bill in (market.payments[:, home], away))


def bills_elsewhere(quarter: Quarter, setting: Setting) -> Array:
    """Return what users in other regions pay to centres of the province, M¥ (runs, 1)."""
    regions = setting.world.regions
    away = np.arange(len(regions.region)) != regions.home_index
    return total(quarter.market.payments.sum(axis=2) * away)


def voucher_columns(setting: Setting) -> list[int]:
    """Return the columns of the schedule that are compute vouchers."""
    return setting.schedule.of("compute_voucher")


def voucher_base(column: int, quarter: Quarter, setting: Setting) -> Array:
    """Return sales of compute for which vouchers of a column can be claimed, M¥ (runs, 1).

    All that users at home pay, and a part of what users elsewhere pay; of vouchers for users of
    some places, what these pay.
    """
    if setting.schedule.columns[column].users:
        here, _ = bills_at_home(quarter, setting)
        return add_up(map(total, eligible_bills(column, here, quarter, setting).values()))
    payments = quarter.market.payments
    at_home = total(payments[:, setting.world.regions.home_index])
    elsewhere = total(payments) - at_home
    return np.asarray(at_home + setting.parameters.voucher_export_share * elsewhere)


def eligible_bills(
    column: int, here: dict[str, Array], quarter: Quarter, setting: Setting
) -> dict[str, Array]:
    """Return the bills for which vouchers of a column can be claimed, by sector (runs, members).

    They are among those paid `here`. Where users of some places are named, the provincial government and users elsewhere are none.
    """
    world, p = setting.world, setting.parameters
    text = setting.schedule.columns[column].users
    if not text:
        exports = bills_elsewhere(quarter, setting)
        return here | {"world": here["world"] + p.voucher_export_share * exports}
    there = area(text, world) * 1.0
    branches = quarter.state.society.branches
    found = {
        sector: here[sector] * there[getattr(world, sector).prefecture]
        for sector in ("firms", "parks", "universities")
    }
    found["government"] = 0 * here["government"]
    found["world"] = here["world"] * safe_ratio(total(branches * there), total(branches))
    return found


def by_buyer(bills: Array, of_firms: Array, setting: Setting) -> dict[str, Array]:
    """Return bills of users (runs, users) by sector that pays, M¥ (runs, members)."""
    world = setting.world
    weights = {
        "parks": world.parks.output,
        "government": province_alone(world.prefectures.count),
        "universities": world.universities.research_funds,
        "world": np.ones(1),
    }
    others = {name: split_evenly(bills_of(bills, name), share) for name, share in weights.items()}
    return {"firms": of_firms, **others}


def bills_of(bills: Array, sector: str) -> Array:
    """Return what a sector pays of the bills of users (runs, users), M¥ (runs, 1)."""
    columns = [USERS.index(user) for user in BUYERS[sector]]
    return bills[:, columns].sum(axis=1, keepdims=True)


@kernel
def shared_by_firms(live: Live, wanted: Array, here: Array, there: Array) -> Array:
    """Share two bills, here and there, among firms by what they asked for, (2, runs, slots)."""
    shared = np.empty((2, *wanted.shape))
    for r in range(len(wanted)):
        shared[:, r], whole = 0, 0.0
        for f in of_run(live, r):
            whole += wanted[r, f]
        at_home, away = ratio(here[r, 0], whole), ratio(there[r, 0], whole)
        for f in of_run(live, r):
            shared[0, r, f], shared[1, r, f] = wanted[r, f] * at_home, wanted[r, f] * away
    return shared
