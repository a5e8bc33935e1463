"""S2, second half: halls and servers - arrivals, orders, the finance limit, exits."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecosystem.inputs.calendar import QUARTERS_A_YEAR
from ecosystem.maths.arrays import Array
from ecosystem.maths.clearing import spread
from ecosystem.maths.compiled import equation, kernel
from ecosystem.maths.kernels import HOURS
from ecosystem.maths.scalars import ratio
from ecosystem.stages.drivers import new_power
from ecosystem.stages.finance import worth
from ecosystem.stages.location import cell_fill, place_halls
from ecosystem.stages.prices import standard_pue
from ecosystem.state.records import Investment, Quarter
from ecosystem.state.setting import Setting
from ecosystem.state.state import Centres


def invest(quarter: Quarter, setting: Setting) -> Investment:
    """Return arrivals and orders of the quarter.

    Order of events: halls arrive, servers arrive, projects use empty halls, orders, finance,
    pipeline. Source: docs/model.md, S2 and the finance limit.
    """
    drivers, policy, c = quarter.drivers, quarter.policy, quarter.state.centres
    p, world, centres = setting.parameters, setting.world, setting.world.centres
    location, kind, cell = place_halls(quarter, setting), centres.kind, centres.cell
    halls, waiting, arrived, scrapped, capacity, servers, power, pue = receive(
        p.of_run, c, drivers.accelerators, setting.by_kind("server_depreciation"), drivers.power,
        policy.local_lever["green_standard"], kind, centres.prefecture,
    )  # fmt: skip
    spare, new_halls, room, owned, taken = fill_halls(
        p.of_run, halls, c.halls_pipeline, waiting, capacity, servers, power, drivers.power,
        location.placed, location.bid, kind, cell, world.cells.kind,
    )  # fmt: skip
    want = setting.rules.order_servers(quarter, setting, room, owned, taken)
    hall_order, server_order, hall_outlay, server_outlay, rationed = order(
        want, room, new_halls, drivers.hall_cost, home_discount(quarter, setting),
        finance_limit(quarter, location.lender_index, setting), kind,
    )  # fmt: skip
    hall_power = hall_order * spread(drivers.power, kind) / 1000
    return Investment(
        location=location,
        halls=halls,
        halls_pipeline=advance(c.halls_pipeline, hall_power),
        nameplate=planned_capacity(quarter, setting),
        capacity=capacity,
        servers=servers,
        server_pipeline=advance(waiting, server_order),
        arrived=arrived,
        scrapped=scrapped,
        power=power,
        pue=pue,
        spare=spare,
        hall_order=hall_order,
        server_order=server_order,
        hall_outlay=hall_outlay,
        server_outlay=server_outlay,
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


@kernel
def receive(
    parameters: Any, c: Centres, supplied: Array, wear: Array, new_power: Array, green: Array,
    kind: Any, place: Any,
) -> tuple[Array, Array, Array, Array, Array, Array, Array, Array]:  # fmt: skip
    """Return halls (MW), servers under way with what slipped, those that arrive and are scrapped,
    and what `house_servers` returns, (runs, centres) each; the second is a pipeline.
    """
    halls, waiting, arrived, scrapped = (
        np.zeros_like(c.halls), c.server_pipeline.copy(), np.zeros_like(c.halls),
        np.zeros_like(c.halls),
    )  # fmt: skip
    capacity, servers, power, pue = (
        np.zeros_like(c.halls), np.zeros_like(c.halls), np.zeros_like(c.halls),
        np.zeros_like(c.halls),
    )  # fmt: skip
    for r in range(len(halls)):
        p = parameters[r]
        for i in range(len(kind)):
            k, green_pue = kind[i], min(c.pue[r, i], standard_pue(p, green[r, place[i]]))
            halls[r, i] = c.halls[r, i] * (1 - p.hall_depreciation) + c.halls_pipeline[r, 0, i]
            due = c.server_pipeline[r, 0, i]
            arrived[r, i] = receive_servers(due, supplied[k])
            waiting[r, 0, i], waiting[r, 1, i] = 0, waiting[r, 1, i] + due - arrived[r, i]
            kept = c.servers[r, i] * (1 - wear[r, k])
            capacity[r, i], servers[r, i], power[r, i], pue[r, i] = house_servers(
                halls[r, i], kept, arrived[r, i], c.power[r, i], new_power[r, k], c.pue[r, i],
                green_pue,
            )  # fmt: skip
            scrapped[r, i] = kept + arrived[r, i] - servers[r, i]
    return halls, waiting, arrived, scrapped, capacity, servers, power, pue


@equation
def receive_servers(due: float, supplied: float) -> float:
    """Return the servers due that arrive, PFLOPS: the share that the market for accelerators
    supplies; the rest slips by one quarter. Source: docs/model.md, S2.
    """
    return supplied * due


@equation
def house_servers(
    halls: float, kept: float, arrived: float, power: float, new_power: float, pue: float,
    new_pue: float,
) -> tuple[float, float, float, float]:  # fmt: skip
    """Return what halls (MW) can carry, the servers in them (PFLOPS), their kW/PFLOPS and PUE.

    Old servers take the room that their power asks for and new ones what they leave:
    capacity = kept + (1000 halls - kept kW)/kW of new ones. What does not fit is scrapped.
    """
    asked = kept * power
    stay = kept * min(1.0, 1000 * halls / asked if asked > 0 else 1.0)
    capacity = stay + max(1000 * halls - stay * power, 0.0) / new_power
    servers = min(stay + arrived, capacity)
    old = ratio(stay, servers)  # an empty slot waits for new servers
    return capacity, servers, old * power + (1 - old) * new_power, old * pue + (1 - old) * new_pue


@kernel
def fill_halls(
    parameters: Any, halls: Array, pipeline: Array, waiting: Array, capacity: Array,
    servers: Array, power: Array, new_power: Array, placed: Array, bid: Array, kind: Any,
    cell: Any, cell_kind: Any,
) -> tuple[Array, Array, Array, Array, Array]:  # fmt: skip
    """Return `spare_halls` by cell, and by centre the halls to build, the room in halls, servers
    with those under way, and the halls that projects take, PFLOPS.

    The room counts the halls that arrive next quarter and the servers under way. Projects that
    use empty halls share the room of their cell.
    """
    spare, new_halls, room, owned, taken = (
        np.zeros_like(placed), np.zeros_like(halls), np.zeros_like(halls), np.zeros_like(halls),
        np.zeros_like(halls),
    )  # fmt: skip
    for r in range(len(halls)):
        p, unused, rooms = parameters[r], np.zeros_like(placed[r]), np.zeros_like(placed[r])
        for i in range(len(kind)):
            k = kind[i]
            under_way = waiting[r, :, i].sum()
            owned[r, i] = servers[r, i] + under_way
            taken[r, i] = 1000 * pipeline[r, 1, i] / new_power[r, k]
            room[r, i] = max(capacity[r, i] + taken[r, i] - owned[r, i], 0.0)
            rooms[cell[i]] += room[r, i]
            needed = (servers[r, i] * power[r, i] + under_way * new_power[r, k]) / 1000
            ordered = halls[r, i] + pipeline[r, 1:, i].sum()
            unused[cell[i]] += ordered - needed / p.neutral_fill
        for c in range(len(unused)):
            spare[r, c] = spare_halls(p, unused[c], new_power[r, cell_kind[c]])
        for i in range(len(kind)):
            c = cell[i]
            reused = min(spare[r, c], placed[r, c])
            new_halls[r, i] = bid[r, i] * (1 - ratio(reused, placed[r, c]))
            taken[r, i] += ratio(room[r, i], rooms[c]) * reused
    return spare, new_halls, room, owned, taken


@equation
def spare_halls(p: Any, unused: float, new_power: float) -> float:
    """Return the empty halls of a cell that projects use before they build, PFLOPS.

    Of what stands empty beyond the usual fill u* a share suits the next tenant: in each cell
    spare = share max(halls - needed/u*, 0), `unused` the difference, both with what is on order,
    in MW.
    """
    return p.reuse_share * 1000 * max(unused, 0.0) / new_power


@kernel
def order(
    want: Array, room: Array, halls: Array, hall_price: Array, server_price: Array, limit: Array,
    kind: Any,
) -> tuple[Array, Array, Array, Array, Array]:  # fmt: skip
    """Return orders of halls and servers (PFLOPS) and what they cost (M¥) as far as finance goes.

    Last, the share of the planned outlay that it allows, (runs, centres) each.
    """
    hall_order, server_order, hall_outlay, server_outlay, rationed = (
        np.zeros_like(halls), np.zeros_like(halls), np.zeros_like(halls), np.zeros_like(halls),
        np.ones_like(halls),
    )  # fmt: skip
    for r in range(len(halls)):
        for i in range(len(kind)):
            hall, server = hall_price[r, kind[i]], server_price[r, kind[i]]
            wanted = min(max(want[r, i], 0.0), room[r, i])
            outlay = halls[r, i] * hall + wanted * server
            rationed[r, i] = min(limit[r, i] / outlay, 1.0) if outlay > 0 else 1.0
            hall_order[r, i] = halls[r, i] * rationed[r, i]
            server_order[r, i] = wanted * rationed[r, i]
            hall_outlay[r, i] = hall_order[r, i] * hall
            server_outlay[r, i] = server_order[r, i] * server
    return hall_order, server_order, hall_outlay, server_outlay, rationed


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
    centres, sold = setting.world.centres, quarter.state.centres.sold
    return orders(
        setting.parameters.of_run, setting.by_kind("order_use"), sold, room, owned, taken,
        centres.kind, centres.cell, setting.world.cells.count,
    )  # fmt: skip


@kernel
def orders(
    parameters: Any, threshold: Array, sold: Array, room: Array, owned: Array, taken: Array,
    kind: Any, cell: Any, cells: int,
) -> Array:  # fmt: skip
    """Return the servers that every centre orders, PFLOPS (runs, centres)."""
    ordered = np.zeros_like(room)
    for r in range(len(room)):
        p, want, rooms = parameters[r], np.zeros(cells), np.zeros(cells)
        for i in range(len(cell)):
            want[cell[i]] += sold[r, i] / HOURS / threshold[r, kind[i]] - owned[r, i]
            rooms[cell[i]] += room[r, i]
        for i in range(len(cell)):
            wanted = p.order_speed * max(want[cell[i]], 0.0) * ratio(room[r, i], rooms[cell[i]])
            ordered[r, i] = min(wanted + p.hall_seed_share * taken[r, i], room[r, i])
    return ordered


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
    drivers, p, world = quarter.drivers, setting.parameters, setting.world
    market = drivers.capacity / p.finance_reference_capacity
    market = (market * drivers.trend_server_cost)[:, world.kinds.intelligent]
    base = p.finance_scale * p.stack("finance_base", world.owners)
    soft = p.soft_budget * p.stack("soft_owner", world.owners)
    return limits(
        quarter.state.centres, quarter.policy.local_settlement, index,
        p.stack("leverage", world.owners), base * market / p.finance_reference_cost,
        setting.by_kind("finance_factor"), soft, world.centres.owner, world.centres.kind,
    )  # fmt: skip


@kernel
def limits(
    c: Centres, settled: Array, index: Array, leverage: Array, base: Array, factor: Array,
    soft: Array, owner: Any, kind: Any,
) -> Array:  # fmt: skip
    """Return what every operator can spend, M¥ (runs, centres)."""
    limit = np.zeros_like(c.cash)
    for r in range(len(limit)):
        for i in range(len(owner)):
            o, strict = owner[i], min(1.0, index[r, i] ** 3)
            book = c.book_servers[r, i] + c.book_halls[r, i]
            own = worth(c.cash[r, i], book, c.loan[r, i], settled[r, 0])
            lent = leverage[r, o] * max(own, 0.0)
            given = base[r, o] * factor[r, kind[i]] * (soft[r, o] + (1 - soft[r, o]) * strict)
            limit[r, i] = max(c.cash[r, i], 0.0) + lent + given
    return limit
