"""S2, halls and servers of each operator: arrivals, orders, the finance limit."""

from __future__ import annotations

from typing import Any

from .agents import HOURS, INTELLIGENT, Agents, Centre
from .closed_forms import ratio
from .location import cell_fill, reference_location, standard_pue

LISTS = (
    "halls halls_pipeline nameplate capacity servers server_pipeline arrived scrapped power pue "
    "hall_order server_order hall_outlay server_outlay rationed"
).split()
PIPELINES = ("halls_pipeline", "server_pipeline")


def reference_investment(
    agents: Agents, drivers: dict[str, Any], policy: dict[str, Any]
) -> dict[str, Any]:
    """Return capacity and orders, named as in the vectorised stage.

    Order of events: halls arrive, servers arrive, projects use empty halls, orders, finance,
    pipeline.
    """
    location = reference_location(agents, drivers, policy)
    placed = dict(zip(agents.cells(), location["placed"], strict=True))
    arrivals = {centre.id: arrive(agents, drivers, policy, centre) for centre in agents.centres}
    spare = {cell: spare_halls(agents, drivers, arrivals, *cell) for cell in agents.cells()}
    reused = {cell: min(spare[cell], placed[cell]) for cell in agents.cells()}
    orders = order_servers(agents, arrivals, reused)
    rows = []
    for i, centre in enumerate(agents.centres):
        cell = centre.kind, centre.prefecture
        rows.append(
            invest(
                agents,
                drivers,
                policy,
                centre,
                arrivals[centre.id],
                location["bid"][i] * (1 - ratio(reused[cell], placed[cell])),
                orders[centre.id],
                location["lender_index"][i],
            )
        )
    result: dict[str, Any] = {name: [row[name] for row in rows] for name in LISTS}
    for name in PIPELINES:
        result[name] = [list(lag) for lag in zip(*result[name], strict=True)]
    result["location"] = location
    result["spare"] = [spare[cell] for cell in agents.cells()]
    result["fill"] = [
        cell_fill(
            agents,
            drivers,
            cell[0],
            [arrivals[centre.id]["servers"] for centre in agents.of_cell(*cell)],
            [arrivals[centre.id]["power"] for centre in agents.of_cell(*cell)],
            [arrivals[centre.id]["halls"] for centre in agents.of_cell(*cell)],
        )
        for cell in agents.cells()
    ]
    return result


def spare_halls(
    agents: Agents,
    drivers: dict[str, Any],
    arrivals: dict[int, dict[str, Any]],
    kind: int,
    place: int,
) -> float:
    """Return what of a cell's empty halls suits the next tenant, P; orders count on both sides."""
    p, new_power = agents.p, drivers["power"][kind]
    megawatt = needed = 0.0
    for centre in agents.of_cell(kind, place):
        now = arrivals[centre.id]
        megawatt += now["halls"] + sum(centre.halls_pipeline[1:])
        needed += now["servers"] * now["power"] / 1000 + sum(now["waiting"]) * new_power / 1000
    return p.reuse_share * max(megawatt - needed / p.neutral_fill, 0.0) * 1000 / new_power


def arrive(
    agents: Agents, drivers: dict[str, Any], policy: dict[str, Any], centre: Centre
) -> dict[str, Any]:
    """Return what stands after arrivals; servers that slip wait one quarter."""
    p, kind = agents.p, centre.kind
    new_power = drivers["power"][kind]
    halls = centre.halls * (1 - p.hall_depreciation) + centre.halls_pipeline[0]
    kept = centre.servers * (1 - agents.by_kind("server_depreciation")[kind])
    delivered = drivers["accelerators"][kind] * centre.server_pipeline[0]
    slipped = centre.server_pipeline[0] - delivered
    waiting = [centre.server_pipeline[1] + slipped, *centre.server_pipeline[2:]]
    room = 1000 * halls  # kW
    stay = min(kept, ratio(room, centre.power))  # old servers that no longer fit are scrapped
    capacity = stay + max(room - stay * centre.power, 0.0) / new_power
    servers = min(stay + delivered, capacity)
    old = ratio(stay, servers)  # an empty slot will get what is built now
    next_halls = 1000 * centre.halls_pipeline[1] / new_power
    years = agents.year - 0.75 - p.price_reference_year  # halls are ordered three quarters ahead
    then = agents.by_kind("power")[kind] * 2 ** (
        -years / agents.by_kind("power_halving_time")[kind]
    )
    return {
        "halls": halls,
        "nameplate": centre.nameplate * (1 - p.hall_depreciation)
        + 1000 * centre.halls_pipeline[0] / then,
        "capacity": capacity,
        "servers": servers,
        "arrived": delivered,
        "scrapped": kept + delivered - servers,
        "power": old * centre.power + (1 - old) * new_power,
        "pue": old * centre.pue
        + (1 - old) * min(centre.pue, standard_pue(agents, policy, centre.prefecture)),
        "waiting": waiting,
        "next_halls": next_halls,
        "room": max(capacity + next_halls - servers - sum(waiting), 0.0),
    }


def order_servers(
    agents: Agents, arrivals: dict[int, dict[str, Any]], reused: dict[tuple[int, int], float]
) -> dict[int, float]:
    """Return orders before finance, P, by centre id.

    A prefecture orders towards last quarter's contracts over the threshold use, shared by room;
    a share of next quarter's halls, and of the empty ones that projects use, is filled from the
    start.
    """
    p, orders = agents.p, {}
    for kind, place in agents.cells():
        centres = agents.of_cell(kind, place)
        contracts = sum(centre.sold for centre in centres) / HOURS
        have = sum(
            arrivals[centre.id]["servers"] + sum(arrivals[centre.id]["waiting"])
            for centre in centres
        )
        missing = max(contracts / agents.by_kind("order_use")[kind] - have, 0.0)
        room = sum(arrivals[centre.id]["room"] for centre in centres)
        for centre in centres:
            own = arrivals[centre.id]
            share = ratio(own["room"], room)
            seed = p.hall_seed_share * (own["next_halls"] + share * reused[kind, place])
            orders[centre.id] = min(share * p.order_speed * missing + seed, own["room"])
    return orders


def invest(
    agents: Agents,
    drivers: dict[str, Any],
    policy: dict[str, Any],
    centre: Centre,
    now: dict[str, Any],
    halls: float,
    servers: float,
    lender_index: float,
) -> dict[str, Any]:
    """Return one operator's capacity and orders after the finance limit."""
    hall_price = drivers["hall_cost"][centre.kind]
    server_price = drivers["server_cost"][centre.kind]
    if centre.kind == INTELLIGENT:
        server_price = home_price(agents, server_price)
    wished = halls * hall_price + servers * server_price
    limit = finance_limit(agents, drivers, policy, centre, lender_index)
    allowed = min(1.0, ratio(limit, wished, 1.0))
    hall_order, server_order = halls * allowed, servers * allowed
    return {
        **{name: now[name] for name in LISTS if name in now},
        "halls_pipeline": [
            *centre.halls_pipeline[1:],
            hall_order * drivers["power"][centre.kind] / 1000,
        ],
        "server_pipeline": [*now["waiting"], server_order],
        "hall_order": hall_order,
        "server_order": server_order,
        "hall_outlay": hall_order * hall_price,
        "server_outlay": server_order * server_price,
        "rationed": allowed,
    }


def home_price(agents: Agents, price: float) -> float:
    """Return the price of servers with what equipment learnt at home saves (C7)."""
    stage = agents.stages.index("servers")
    costs = [maker.cost for maker in agents.makers if maker.stage == stage]
    learnt = max(1 - sum(costs) / len(costs), 0.0)
    return price * (1 - agents.p.home_equipment_pass_through * agents.local_share[stage] * learnt)


def finance_limit(
    agents: Agents,
    drivers: dict[str, Any],
    policy: dict[str, Any],
    centre: Centre,
    lender_index: float,
) -> float:
    """Return what an operator can spend this quarter, M¥ (section 11)."""
    p, owner = agents.p, centre.owner
    market = drivers["capacity"][INTELLIGENT] / p.finance_reference_capacity
    usual = drivers["server_cost"][INTELLIGENT] / drivers["server_price"][INTELLIGENT]
    market *= usual / p.finance_reference_cost
    credit = p.finance_scale * getattr(p, f"finance_base_{owner}") * market
    credit *= agents.by_kind("finance_factor")[centre.kind]
    soft = p.soft_budget * getattr(p, f"soft_owner_{owner}")
    trust = soft + (1 - soft) * min(1.0, lender_index**3)
    equity = centre.cash - centre.loan
    equity += policy["local_settlement"][0] * (centre.book_servers + centre.book_halls)
    own = max(centre.cash, 0.0) + getattr(p, f"leverage_{owner}") * max(equity, 0.0)
    return own + credit * trust
