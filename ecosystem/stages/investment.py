"""S2, second half: halls and servers - arrivals, orders, the finance limit, exits."""

from __future__ import annotations

import numpy as np

from ecosystem.maths.arrays import Array, safe_ratio
from ecosystem.maths.clearing import segment_share, spread
from ecosystem.maths.kernels import HOURS
from ecosystem.stages.finance import equity
from ecosystem.stages.location import hall_capacity, place_halls, standard_pue
from ecosystem.state.records import Investment, Quarter
from ecosystem.state.setting import Setting


def invest(quarter: Quarter, setting: Setting) -> Investment:
    """Return arrivals and orders of the quarter.

    Order of events: halls arrive, servers arrive, room, orders, finance, pipeline.
    Source: model equations (2.6)-(2.11) and the finance limit.
    """
    state, drivers, policy = quarter.state, quarter.drivers, quarter.policy
    c, p, centres = state.centres, setting.parameters, setting.world.centres
    location = place_halls(quarter, setting)
    halls = c.halls * (1 - p.hall_depreciation) + c.halls_pipeline[:, 0]
    capacity = hall_capacity(halls, drivers, setting)
    kept, arrived, waiting = receive_servers(quarter, setting)
    servers = np.minimum(kept + arrived, capacity)
    old = safe_ratio(kept, kept + arrived)  # an empty slot waits for new servers
    new_power = spread(drivers.power, centres.kind)
    power = old * c.power + (1 - old) * new_power
    pue = old * c.pue + (1 - old) * np.minimum(c.pue, standard_pue(policy, setting))
    want = wanted_servers(quarter, setting, capacity, servers, waiting)
    hall_price = spread(drivers.hall_cost, centres.kind)
    server_price = spread(home_discount(quarter, setting), centres.kind)
    outlay = location.bid * hall_price + want * server_price
    limit = finance_limit(quarter, location.lender_index, setting)
    rationed = np.minimum(1, safe_ratio(limit, outlay, empty=1.0))
    hall_order, server_order = location.bid * rationed, want * rationed
    return Investment(
        location=location,
        halls=halls,
        halls_pipeline=advance(c.halls_pipeline, hall_order * new_power / 1000),
        capacity=capacity,
        servers=servers,
        server_pipeline=advance(waiting, server_order),
        arrived=arrived,
        scrapped=kept + arrived - servers,
        power=power,
        pue=pue,
        hall_order=hall_order,
        server_order=server_order,
        hall_outlay=hall_order * hall_price,
        server_outlay=server_order * server_price,
        rationed=rationed,
        fill=cell_fill(servers, capacity, setting),
    )


def advance(pipeline: Array, order: Array) -> Array:
    """Return the pipeline one quarter on: the first arrivals leave, `order` joins at the end."""
    return np.concatenate([pipeline[:, 1:], order[:, None]], axis=1)


def receive_servers(quarter: Quarter, setting: Setting) -> tuple[Array, Array, Array]:
    """Return servers kept, servers delivered, and the pipeline with what slipped (PFLOPS).

    Of the servers due only the share that the market for accelerators supplies arrives; the
    rest slips by one quarter. Source: model equation (2.8).
    """
    state, drivers = quarter.state, quarter.drivers
    c = state.centres
    decay = spread(setting.by_kind("server_depreciation"), setting.world.centres.kind)
    due = c.server_pipeline[:, 0]
    delivered = spread(drivers.accelerators, setting.world.centres.kind) * due
    waiting = np.concatenate(
        [
            c.server_pipeline[:, :1] * 0,
            c.server_pipeline[:, 1:2] + (due - delivered)[:, None],
            c.server_pipeline[:, 2:],
        ],
        axis=1,
    )
    return c.servers * (1 - decay), delivered, waiting


def wanted_servers(
    quarter: Quarter, setting: Setting, capacity: Array, servers: Array, waiting: Array
) -> Array:
    """Return server orders before finance, PFLOPS (runs, centres), at most the room in halls.

    The room counts the halls that arrive next quarter and the servers under way.
    """
    kind = setting.world.centres.kind
    pipeline = quarter.state.centres.halls_pipeline
    next_halls = 1000 * pipeline[:, 1] / spread(quarter.drivers.power, kind)
    owned = servers + waiting.sum(axis=1)
    room = np.maximum(capacity + next_halls - servers - waiting.sum(axis=1), 0)
    order = setting.rules.order_servers(quarter, setting, room, owned, next_halls)
    return np.clip(order, 0, room)


def order_servers(
    quarter: Quarter, setting: Setting, room: Array, owned: Array, next_halls: Array
) -> Array:
    """Return the servers that each centre orders, PFLOPS (runs, centres): a rule.

    A prefecture orders what lifts its servers (`owned`, with those under way) towards last
    quarter's contracts over the threshold use, shared by `room`; a share of the halls that arrive
    next quarter (`next_halls`) is filled from the start. All in PFLOPS (runs, centres).
    Source: model equation (2.11), orders by prefecture.
    """
    p, centres = setting.parameters, setting.world.centres
    threshold = spread(setting.by_kind("order_use"), setting.world.cells.kind)
    contracts = centres.sum(quarter.state.centres.sold, "cell") / HOURS
    want = p.order_speed * np.maximum(contracts / threshold - centres.sum(owned, "cell"), 0)
    shared = segment_share(room, centres.cell_start, centres.cell)
    seed = p.hall_seed_share * next_halls
    return np.minimum(shared * spread(want, centres.cell) + seed, room)


def home_discount(quarter: Quarter, setting: Setting) -> Array:
    """Return the server price with what equipment learnt at home saves, M¥/P (runs, kinds).

    Coupling C7, intelligent servers: price * [1 - s (share bought at home)(1 - home cost)].
    """
    state, drivers = quarter.state, quarter.drivers
    p, world = setting.parameters, setting.world
    stage = world.stages.index("servers")
    makers = world.makers.stage == stage
    cost = spread(state.makers.cost, np.flatnonzero(makers)).mean(axis=1, keepdims=True)
    home = state.makers.local_share[:, stage : stage + 1]
    saved = p.home_equipment_pass_through * home * np.maximum(1 - cost, 0)
    saved = saved * world.kinds.intelligent
    return np.asarray(drivers.server_cost * (1 - saved))


def finance_limit(quarter: Quarter, index: Array, setting: Setting) -> Array:
    """Return what each operator can spend this quarter, M¥ (runs, centres).

    limit = max(cash, 0) + l max(E, 0) + M [soft + (1 - soft) min(1, index^3)], with soft the
    soft-budget factor of state owners (Kornai 1986).
    """
    state, drivers = quarter.state, quarter.drivers
    p, world = setting.parameters, setting.world
    owner, kind = world.centres.owner, world.centres.kind
    leverage = spread(p.stack("leverage", world.owners), owner)
    market = drivers.capacity[:, world.kinds.intelligent] / p.finance_reference_capacity
    market = (
        market * drivers.trend_server_cost[:, world.kinds.intelligent] / p.finance_reference_cost
    )
    factor = spread(setting.by_kind("finance_factor"), kind)
    base = p.finance_scale * spread(p.stack("finance_base", world.owners), owner) * market * factor
    soft = p.soft_budget * spread(p.stack("soft_owner", world.owners), owner)
    strict = np.minimum(1, index**3)
    c, settled = state.centres, quarter.policy.local_settlement
    reach = np.maximum(equity(c.cash, c.book_servers + c.book_halls, c.loan, settled), 0)
    return np.asarray(
        np.maximum(c.cash, 0) + leverage * reach + base * (soft + (1 - soft) * strict)
    )


def cell_fill(servers: Array, capacity: Array, setting: Setting) -> Array:
    """Return fill C/S by cell, leaning on the neutral fill where nothing stands (runs, cells)."""
    p, centres = setting.parameters, setting.world.centres
    prior = p.use_prior_capacity
    filled = centres.sum(servers, "cell") + prior * p.neutral_fill
    return np.asarray(filled / (centres.sum(capacity, "cell") + prior))
