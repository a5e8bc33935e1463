"""S3: the equipment chain - home share, sales of makers, learning, capacity."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ecosystem.maths import kernels
from ecosystem.maths.arrays import Array, safe_ratio, total
from ecosystem.maths.clearing import redistribute, spread
from ecosystem.state.records import Quarter, Supply
from ecosystem.state.setting import Setting

UPSTREAM, BOUGHT = ("materials", "packaging"), ("communications", "servers", "cooling")


def supply_equipment(quarter: Quarter, setting: Setting) -> Supply:
    """Return what home makers sell; docs/model.md, S3, three passes, no cycle."""
    world, p, m = setting.world, setting.parameters, quarter.state.makers
    makers, stages = world.makers, world.stages
    orders, import_price = equipment_orders(quarter, setting)
    home_price = 1 + p.maker_chip_share * (import_price - 1)
    mean_cost = makers.sum(m.cost * m.capacity, "stage") / makers.sum(m.capacity, "stage")
    price = setting.rules.ask_price(quarter, setting)
    weight = makers.quality * np.exp((1 - p.armington_elasticity) * np.log(price))
    supported = spread(quarter.policy.local_lever["equipment_chain"], makers.prefecture)
    most = supported.max(axis=1, keepdims=True)
    part = makers.sum(safe_ratio(supported, most) * m.capacity, "stage")
    preference = mean_cost * (1 - most * safe_ratio(part, makers.sum(m.capacity, "stage")))
    preference = preference * home_price / import_price
    favour = np.exp((1 - p.armington_elasticity) * np.log((1 - supported) / (1 - most)))
    share = kernels.armington_share(
        p.stack("home_preference", stages), preference, p.armington_elasticity
    )
    units, chosen = orders * share / home_price, weight * favour
    downstream = redistribute(units, chosen, m.capacity, makers.stage_start, makers.stage)
    made = makers.sum(downstream, "stage")
    upstream, intermediate = sell_upstream(quarter, made, weight, setting)
    output = downstream + upstream
    expected = m.sales + p.sales_adaptation * (output - m.sales)
    capital, capacity_next = expand(quarter, expected, setting)
    cumulative = m.cumulative + output
    sold, downstream = made * home_price, downstream * spread(home_price, makers.stage)
    sales = downstream + upstream
    is_upstream = np.array([name in UPSTREAM for name in stages])
    return Supply(
        orders=orders,
        local_share=share,
        to_centres=downstream,
        local_sales=sold,
        imports=orders - sold,
        intermediate=intermediate,
        exports=makers.sum(sales, "stage") * is_upstream - intermediate,
        sales=sales,
        output=output,
        investment=capital,
        capacity_next=capacity_next,
        cumulative_next=cumulative,
        cost_next=learn_by_doing(cumulative, setting, mean_cost),
        expected_next=expected,
    )


def equipment_orders(quarter: Quarter, setting: Setting) -> tuple[Array, Array]:
    """Return what centres order of each stage, M¥, and its price over the trend (runs, stages).

    Servers, switches and cooling in fixed shares; where accelerators are scarce, it is servers
    that are dear.
    """
    outlay, world = quarter.investment.server_outlay, setting.world
    price = spread(quarter.drivers.server_price, world.centres.kind)
    mix = setting.parameters.stack("equipment_share", BOUGHT)
    mix = mix / mix.sum(axis=1, keepdims=True)
    usual = mix * total(outlay / price)
    usual = np.concatenate([np.zeros((setting.runs, len(UPSTREAM))), usual], axis=1)
    servers = np.array([name == "servers" for name in world.stages])
    orders = usual + total(outlay - outlay / price) * servers
    return orders, safe_ratio(orders, usual, empty=1.0)


def sell_upstream(
    quarter: Quarter, made: Array, weight: Array, setting: Setting
) -> tuple[Array, Array]:
    """Return sales of upstream makers (runs, makers), and what home makers buy of them, M¥.

    Packaging goes into the communications gear and servers that are `made`, materials into
    packaging; the second is (runs, stages). Most demand for both comes from outside.
    """
    p, stages, capacity = setting.parameters, setting.world.stages, quarter.state.makers.capacity
    years = quarter.drivers.year - world_start(setting)
    outside = {
        name: p[f"outside_demand_{name}"]
        * np.exp(p.outside_demand_growth * years)
        * quarter.drivers.chip_demand
        for name in UPSTREAM
    }
    using = made[:, stages.communications] + made[:, stages.servers]
    chip = p.packaging_content * p.packaging_home_share * using
    packaging = sales_of("packaging", chip + outside["packaging"], weight, capacity, setting)
    material = p.material_content * total(packaging)
    materials = sales_of("materials", material + outside["materials"], weight, capacity, setting)
    home = {"packaging": chip, "materials": material}
    upstream = packaging + materials
    by_stage = setting.world.makers.sum(upstream, "stage")
    return upstream, split_sales(by_stage, home, outside, setting)


def world_start(setting: Setting) -> float:
    """Return the calendar year in which outside demand is measured."""
    return float(setting.world.national_path["intelligent"].year[0])


def sales_of(name: str, demand: Array, weight: Array, capacity: Array, setting: Setting) -> Array:
    """Return sales of one upstream stage's makers, M¥ (runs, makers), zero elsewhere."""
    makers = setting.world.makers
    column = np.array([stage == name for stage in setting.world.stages])
    return redistribute(demand * column, weight, capacity, makers.stage_start, makers.stage)


def split_sales(
    by_stage: Array, home: Mapping[str, Array], outside: Mapping[str, Array], setting: Setting
) -> Array:
    """Return the part of upstream sales that goes to home makers, M¥ (runs, stages).

    `home` and `outside` are what either side wants of an upstream stage, M¥ (runs, 1).
    """
    bought = np.zeros_like(by_stage)
    for name in UPSTREAM:
        stage = getattr(setting.world.stages, name)
        bought[:, stage] = by_stage[:, stage] * safe_ratio(home[name], home[name] + outside[name])
    return bought


def learn_by_doing(cumulative: Array, setting: Setting, mean_cost: Array) -> Array:
    """Return unit-cost indices: Wright's law times what inputs cost, (runs, makers).

    Source: docs/model.md, S3, Wright 1936. Packaging buys materials, the rest packaging.
    """
    world, p = setting.world, setting.parameters
    makers, stages = world.makers, world.stages
    exponent = spread(p.stack("learning_exponent", stages), makers.stage) * p.learning_scale
    initial = initial_cumulative(setting)
    own = kernels.wright(cumulative, initial, exponent)
    supplier = [stages.index("packaging")] * len(stages)
    supplier[stages.index("packaging")] = stages.index("materials")
    inputs = spread(mean_cost, np.array(supplier))
    factor = 1 + p.input_cost_share * np.where(stages.materials, 0.0, inputs - 1)
    return np.asarray(own * spread(factor, makers.stage))


def initial_cumulative(setting: Setting) -> Array:
    """Return output before the first quarter, M¥ (runs, makers)."""
    p, makers = setting.parameters, setting.world.makers
    return np.asarray(p.initial_experience_quarters * p.maker_target_use * makers.capacity)


def ask_price(quarter: Quarter, setting: Setting) -> Array:
    """Return the price that each maker asks, index (runs, makers): a rule. Its unit cost."""
    return quarter.state.makers.cost


def expand_capacity(quarter: Quarter, setting: Setting, expected: Array) -> Array:
    """Return the capacity that each maker would add, M¥ a quarter (runs, makers): a rule.

    A part of what `expected` sales (M¥ a quarter) need at the target use beyond what is left of
    its capacity. Source: docs/model.md, S3.
    """
    p = setting.parameters
    kept = quarter.state.makers.capacity * (1 - p.maker_depreciation)
    where = setting.world.makers.prefecture
    chain = spread(quarter.policy.local_lever["equipment_chain"], where)
    speed = p.maker_expansion_speed * (1 + p.chain_expansion_gain * chain)
    return np.asarray(speed * np.maximum(expected / p.maker_target_use - kept, 0))


def expand(quarter: Quarter, expected: Array, setting: Setting) -> tuple[Array, Array]:
    """Return capital spending M¥ and next capacity M¥ a quarter, as far as money goes."""
    p, m = setting.parameters, quarter.state.makers
    kept = m.capacity * (1 - p.maker_depreciation)
    wanted = setting.rules.expand_capacity(quarter, setting, expected)
    cost = p.maker_capital_intensity * wanted
    worth = p.maker_capital_intensity * m.capacity + m.cash
    limit = np.maximum(m.cash, 0) + p.leverage_maker * np.maximum(worth, 0)
    allowed = np.minimum(1, safe_ratio(limit, cost, empty=1.0))
    return cost * allowed, kept + wanted * allowed
