"""Reference of the equipment chain, maker by maker; model equations (3.1)-(3.6)."""

from __future__ import annotations

import math
from typing import Any

from .agents import Agents, Maker
from .closed_forms import ratio

UPSTREAM = ("materials", "packaging")
SUPPLIER = {"packaging": "materials", "communications": "packaging"}
SUPPLIER |= {"servers": "packaging", "cooling": "packaging"}  # whose product a stage buys


def reference_supply_chain(
    agents: Agents, policy: dict[str, Any], investment: dict[str, Any]
) -> dict[str, Any]:
    """Return the quarter's orders and sales of equipment, by stage or by maker.

    A programme for the chain makes buyers prefer what is made at home, as if it were cheaper by
    the lever, and lets makers expand faster.
    """
    p, stages = agents.p, agents.stages
    lever = policy["lever"]["equipment_chain"][0]
    by_stage = {name: makers_of(agents, name) for name in stages}
    cost_index = {name: mean_cost(makers) for name, makers in by_stage.items()}
    home = {name: home_share(agents, name, (1 - lever) * cost_index[name]) for name in stages}
    orders = equipment_orders(agents, math.fsum(investment["server_outlay"]))

    sold: dict[int, float] = {}  # by maker
    for name in stages:
        if name not in UPSTREAM:
            sold |= sell_out(by_stage[name], orders[name] * home[name], p.armington_elasticity)
    to_centres = [sold.get(maker.id, 0.0) for maker in agents.makers]

    def sales_of(name: str) -> float:
        return math.fsum(sold.get(maker.id, 0.0) for maker in by_stage[name])

    growth = math.exp(p.outside_demand_growth * (agents.year - agents.published[1].year[0]))
    abroad = {
        "packaging": p.outside_demand_packaging * growth,
        "materials": p.outside_demand_materials * growth,
    }
    used = sales_of("servers") + sales_of("communications")
    inside = {"packaging": p.packaging_content * used * p.packaging_home_share}
    packaging = inside["packaging"] + abroad["packaging"]
    sold |= sell_out(by_stage["packaging"], packaging, p.armington_elasticity)
    inside["materials"] = p.material_content * sales_of("packaging")
    materials = inside["materials"] + abroad["materials"]
    sold |= sell_out(by_stage["materials"], materials, p.armington_elasticity)

    local_sales = [0.0 if name in UPSTREAM else sales_of(name) for name in stages]
    at_home = []
    for name in stages:
        wanted = inside.get(name, 0.0)
        at_home.append(ratio(sales_of(name) * wanted, wanted + abroad.get(name, 0.0)))
    plans = [plan(agents, maker, sold[maker.id], lever) for maker in agents.makers]
    return {
        "orders": [orders[name] for name in stages],
        "local_share": [home[name] for name in stages],
        "to_centres": to_centres,
        "local_sales": local_sales,
        "imports": [orders[name] - s for name, s in zip(stages, local_sales, strict=True)],
        "intermediate": at_home,
        "exports": [
            sales_of(name) - at_home[i] if name in UPSTREAM else 0.0
            for i, name in enumerate(stages)
        ],
        "sales": [sold[maker.id] for maker in agents.makers],
        "investment": [money for money, _, _ in plans],
        "capacity_next": [capacity for _, capacity, _ in plans],
        "cumulative_next": [maker.cumulative + sold[maker.id] for maker in agents.makers],
        "cost_next": [unit_cost(agents, m, sold[m.id], cost_index) for m in agents.makers],
        "expected_next": [expected for _, _, expected in plans],
    }


def makers_of(agents: Agents, stage: str) -> list[Maker]:
    """Return the makers of a stage."""
    return [maker for maker in agents.makers if agents.stages[maker.stage] == stage]


def mean_cost(makers: list[Maker]) -> float:
    """Return unit cost weighted by capacity."""
    capacity = math.fsum(maker.capacity for maker in makers)
    return math.fsum(maker.cost * maker.capacity for maker in makers) / capacity


def home_share(agents: Agents, stage: str, cost: float) -> float:
    """Return the Armington share of home goods, (3.2)."""
    weight = getattr(agents.p, f"home_preference_{stage}")
    outside = (1 - weight) * cost ** (agents.p.armington_elasticity - 1)
    return weight / (weight + outside)


def equipment_orders(agents: Agents, spending: float) -> dict[str, float]:
    """Return what centres order from each stage, (3.1): server money over three stages."""
    part = {
        name: 0.0 if name in UPSTREAM else getattr(agents.p, f"equipment_share_{name}")
        for name in agents.stages
    }
    whole = sum(part.values())
    return {name: spending * share / whole for name, share in part.items()}


def sell_out(makers: list[Maker], demand: float, elasticity: float) -> dict[int, float]:
    """Return sales by maker, (3.3): by weight up to capacity, then two passes over slack."""
    weight = {m.id: m.quality / m.cost ** (elasticity - 1) for m in makers}
    whole = math.fsum(weight.values())
    sales = {m.id: min(demand * weight[m.id] / whole, m.capacity) for m in makers}
    for _ in range(2):
        slack = {m.id: m.capacity - sales[m.id] for m in makers}
        free = math.fsum(slack.values())
        rest = max(demand - math.fsum(sales.values()), 0.0)
        filled = min(ratio(rest, free), 1.0)
        for maker in makers:
            sales[maker.id] = min(sales[maker.id] + slack[maker.id] * filled, maker.capacity)
    return sales


def plan(agents: Agents, maker: Maker, sales: float, lever: float) -> tuple[float, float, float]:
    """Return capital spending, next capacity and expected sales of a maker, (3.6).

    The finance limit is the core's: cash, and a multiple of capacity and cash.
    """
    p = agents.p
    expected = (1 - p.sales_adaptation) * maker.sales + p.sales_adaptation * sales
    kept = maker.capacity - p.maker_depreciation * maker.capacity
    speed = p.maker_expansion_speed + p.maker_expansion_speed * p.chain_expansion_gain * lever
    more = speed * max(expected / p.maker_target_use - kept, 0.0)
    price = p.maker_capital_intensity
    worth = p.maker_capital_intensity * maker.capacity + maker.cash
    means = max(maker.cash, 0.0) + p.leverage_maker * max(worth, 0.0)
    if more * price > means:
        more = means / price
    return more * price, kept + more, expected


def unit_cost(agents: Agents, maker: Maker, sales: float, index: dict[str, float]) -> float:
    """Return the next unit cost of a maker: Wright's law and the price of inputs, (3.5)."""
    p, stage = agents.p, agents.stages[maker.stage]
    first = p.initial_experience_quarters * p.maker_target_use * maker.first_capacity
    exponent = p.learning_scale * getattr(p, f"learning_exponent_{stage}")
    learnt = (first / (maker.cumulative + sales)) ** exponent
    inputs = index[SUPPLIER[stage]] if stage in SUPPLIER else 1.0
    return learnt * (1 + p.input_cost_share * (inputs - 1))
