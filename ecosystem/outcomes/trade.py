"""Outcomes of exports, imports, revenue and the equipment chain."""

from __future__ import annotations

from functools import cache

import numpy as np

from ecosystem.maths.arrays import Array, safe_ratio, total
from ecosystem.maths.clearing import spread
from ecosystem.outcomes.shared import Equations, headline
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Setting


def measure_trade(quarter: Quarter, setting: Setting) -> Equations:
    """Return the equations of exports, imports, revenue and the equipment chain."""
    world, market, supply = setting.world, quarter.market, quarter.supply
    home = world.regions.home
    weight = cache(lambda: spread(headline(setting), world.workloads.kind))
    delivered = cache(lambda: (market.delivered * weight()[:, None, :]).sum(axis=2))
    abroad = cache(lambda: np.where(home, 0.0, delivered()))
    return {
        "compute_exported": lambda: total(abroad()),
        "compute_export_revenue": lambda: quarter.accounts.exports,
        "exports_by_region": abroad,
        "compute_imports": lambda: quarter.accounts.imports,
        "local_use": lambda: total(delivered() * home),
        "buyers_saving": lambda: buyers_saving(quarter, setting),
        "compute_revenue": lambda: world.centres.sum(market.revenue, "kind"),
        "unserved": lambda: total(
            (market.lost.sum(axis=1) + market.leaked.sum(axis=1)) * headline(setting)
        ),
        "local_content": lambda: safe_ratio(total(supply.local_sales), total(supply.orders)),
        "maker_sales": lambda: total(supply.sales),
        "maker_capacity": lambda: total(quarter.state.makers.capacity),
        "maker_jobs": lambda: total(quarter.labour.maker_jobs),
    }


def buyers_saving(quarter: Quarter, setting: Setting) -> Array:
    """Return what buyers elsewhere save against the price of their own region, M¥ (runs, 1)."""
    world, p, market = setting.world, setting.parameters, quarter.market
    work = world.workloads
    own = p.own_region_price * spread(quarter.drivers.price, work.kind) * work.price_multiplier
    abroad = np.where(world.regions.home, 0.0, 1.0)[:, None]
    would_pay = market.delivered * own[:, None, :] / 1e6
    return total((would_pay - market.payments) * abroad)
