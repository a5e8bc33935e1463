"""S2, second half: halls and servers - arrivals, orders, the finance limit, exits."""

from __future__ import annotations

import numpy as np

from ecosystem.inputs.calendar import QUARTERS_A_YEAR
from ecosystem.maths.arrays import Array, safe_ratio
from ecosystem.maths.clearing import segment_share, spread
from ecosystem.maths.kernels import HOURS
from ecosystem.stages.drivers import new_power
from ecosystem.stages.finance import equity
from ecosystem.stages.location import cell_fill, hall_capacity, place_halls, standard_pue
from ecosystem.state.records import Investment, Quarter
from ecosystem.state.setting import Setting


def invest(quarter: Quarter, setting: Setting) -> Investment:
    """Return arrivals and orders of the quarter.

    Order of events: halls arrive, servers arrive, projects use empty halls, orders, finance,
    pipeline. Source: docs/model.md, S2 and the finance limit.
    """
    drivers, c = quarter.drivers, quarter.state.centres
    p, centres = setting.parameters, setting.world.centres
    location = place_halls(quarter, setting)
    halls = c.halls * (1 - p.hall_depreciation) + c.halls_pipeline[:, 0]
    kept, arrived, waiting = receive_servers(quarter, setting)
    capacity, servers, power, pue = house_servers(quarter, setting, halls, kept, arrived)
    new_power = spread(drivers.power, centres.kind)
    ordered = halls + c.halls_pipeline[:, 1:].sum(axis=1)
    needed = (servers * power + waiting.sum(axis=1) * new_power) / 1000
    spare = spare_halls(quarter, setting, ordered, needed)
    reused = np.minimum(spare, location.placed)
    missing = 1 - safe_ratio(reused, location.placed)
    new_halls = location.bid * spread(missing, centres.cell)
    want = wanted_servers(quarter, setting, capacity, servers, waiting, reused)
    hall_price = spread(drivers.hall_cost, centres.kind)
    server_price = spread(home_discount(quarter, setting), centres.kind)
    outlay = new_halls * hall_price + want * server_price
    limit = finance_limit(quarter, location.lender_index, setting)
    rationed = np.minimum(1, safe_ratio(limit, outlay, empty=1.0))
    hall_order, server_order = new_halls * rationed, want * rationed
    return Investment(
        location=location,
        halls=halls,
        halls_pipeline=advance(c.halls_pipeline, hall_order * new_power / 1000),
        nameplate=planned_capacity(quarter, setting),
        capacity=capacity,
        servers=servers,
        server_pipeline=advance(waiting, server_order),
        arrived=arrived,
        scrapped=kept + arrived - servers,
        power=power,
        pue=pue,
        spare=spare,
        hall_order=hall_order,
        server_order=server_order,
        hall_outlay=hall_order * hall_price,
        server_outlay=server_order * server_price,
        rationed=rationed,
        fill=cell_fill(servers * power, halls, drivers, setting),
    )


def planned_capacity(quarter: Quarter, setting: Setting) -> Array:
    """Return the nameplate of halls, what they were planned to carry, PFLOPS (runs, centres).

    N' = N (1 - wear) + 1000 MW arrived/kW of new servers when these halls were ordered, as many
    quarters ago as the pipeline is long. Nobody decides on it: it is what is published of halls.
    """
    c, p = quarter.state.centres, setting.parameters
    years = c.halls_pipeline.shape[1] / QUARTERS_A_YEAR
    then = new_power(setting, quarter.drivers.year - years)
    arrived = 1000 * c.halls_pipeline[:, 0] / spread(then, setting.world.centres.kind)
    return np.asarray(c.nameplate * (1 - p.hall_depreciation) + arrived)


def advance(pipeline: Array, order: Array) -> Array:
    """Return the pipeline one quarter on: the first arrivals leave, `order` joins at the end."""
    return np.concatenate([pipeline[:, 1:], order[:, None]], axis=1)


def receive_servers(quarter: Quarter, setting: Setting) -> tuple[Array, Array, Array]:
    """Return servers kept, servers delivered, and the pipeline with what slipped (PFLOPS).

    Of the servers due only the share that the market for accelerators supplies arrives; the
    rest slips by one quarter. Source: docs/model.md, S2.
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


def house_servers(
    quarter: Quarter, setting: Setting, halls: Array, kept: Array, arrived: Array
) -> tuple[Array, Array, Array, Array]:
    """Return what halls (MW) can carry, the servers in them (PFLOPS), their kW/PFLOPS and PUE.

    Old servers take the room that their power asks for and new ones what they leave:
    capacity = kept + (1000 halls - kept kW)/kW of new ones. What does not fit is scrapped.
    """
    c, policy = quarter.state.centres, quarter.policy
    new_power = spread(quarter.drivers.power, setting.world.centres.kind)
    stay = kept * np.minimum(1, safe_ratio(1000 * halls, kept * c.power, empty=1.0))
    capacity = stay + np.maximum(1000 * halls - stay * c.power, 0) / new_power
    servers = np.minimum(stay + arrived, capacity)
    old = safe_ratio(stay, servers)  # an empty slot waits for new servers
    power = old * c.power + (1 - old) * new_power
    pue = old * c.pue + (1 - old) * np.minimum(c.pue, standard_pue(policy, setting))
    return capacity, servers, power, pue


def spare_halls(quarter: Quarter, setting: Setting, halls: Array, needed: Array) -> Array:
    """Return the empty halls that projects use before they build, PFLOPS (runs, cells).

    Of what stands empty beyond the usual fill u* a share suits the next tenant: in each cell
    spare = share max(halls - needed/u*, 0), with `halls` and what servers need (`needed`), both
    with what is on order, in MW (runs, centres).
    """
    p, world = setting.parameters, setting.world
    empty = np.maximum(world.centres.sum(halls - needed / p.neutral_fill, "cell"), 0)
    return np.asarray(
        p.reuse_share * 1000 * empty / spread(quarter.drivers.power, world.cells.kind)
    )


def wanted_servers(
    quarter: Quarter,
    setting: Setting,
    capacity: Array,
    servers: Array,
    waiting: Array,
    reused: Array,
) -> Array:
    """Return server orders before finance, PFLOPS (runs, centres), at most the room in halls.

    The room counts the halls that arrive next quarter and the servers under way. Projects that
    use empty halls (`reused`, by cell) share the room of their cell.
    """
    centres = setting.world.centres
    next_halls = hall_capacity(quarter.state.centres.halls_pipeline[:, 1], quarter.drivers, setting)
    owned = servers + waiting.sum(axis=1)
    room = np.maximum(capacity + next_halls - servers - waiting.sum(axis=1), 0)
    shared = segment_share(room, centres.cell_start, centres.cell)
    taken = next_halls + shared * spread(reused, centres.cell)
    order = setting.rules.order_servers(quarter, setting, room, owned, taken)
    return np.clip(order, 0, room)


def order_servers(
    quarter: Quarter, setting: Setting, room: Array, owned: Array, taken: Array
) -> Array:
    """Return the servers that each centre orders, PFLOPS (runs, centres): a rule.

    A prefecture orders what lifts its servers (`owned`, with those under way) towards last
    quarter's contracts over the threshold use, shared by `room`; a share of the halls that
    projects take (`taken`: those that arrive next quarter, and empty ones that are used instead
    of new ones) is filled from the start. All in PFLOPS (runs, centres).
    Source: docs/model.md, S2, orders by prefecture.
    """
    p, centres = setting.parameters, setting.world.centres
    threshold = spread(setting.by_kind("order_use"), setting.world.cells.kind)
    contracts = centres.sum(quarter.state.centres.sold, "cell") / HOURS
    want = p.order_speed * np.maximum(contracts / threshold - centres.sum(owned, "cell"), 0)
    shared = segment_share(room, centres.cell_start, centres.cell)
    seed = p.hall_seed_share * taken
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
