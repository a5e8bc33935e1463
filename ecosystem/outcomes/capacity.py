"""Outcomes of halls, servers, use and fill."""

from __future__ import annotations

from functools import cache

import numpy as np

from ecosystem.maths import kernels
from ecosystem.maths.arrays import Array, safe_ratio, total
from ecosystem.maths.kernels import HOURS
from ecosystem.outcomes.shared import Equations, by_tier, fp32, headline
from ecosystem.stages.charges import charges_due
from ecosystem.stages.settlement import operating_cost, upkeep
from ecosystem.state.records import BATCH, Quarter
from ecosystem.state.setting import Setting


def measure_capacity(quarter: Quarter, setting: Setting) -> Equations:
    """Return the equations of halls, servers, use and fill."""
    world, built, market = setting.world, quarter.investment, quarter.market
    books, exits, assets = quarter.accounts.books, quarter.accounts.exits, quarter.accounts.assets
    centres, kinds, tiers = world.centres, world.kinds, world.tiers
    people, hub = world.prefectures.population, centres.in_hub & centres.intelligent
    rack = setting.parameters.rack_power
    weight = cache(lambda: fp32(setting))
    servers = cache(lambda: built.servers * weight())
    sold = cache(lambda: market.sold * weight())
    drawn, megawatt = cache(lambda: built.servers * built.power / 1000), built.halls
    servers_place = cache(lambda: centres.sum(servers(), "prefecture"))
    servers_tier = cache(lambda: by_tier(servers_place(), setting))
    servers_kind = cache(lambda: centres.sum(built.servers, "kind"))
    use_tier = cache(lambda: safe_ratio(in_tiers(sold()), HOURS * servers_tier()))

    def in_tiers(values: Array) -> Array:
        return by_tier(centres.sum(values, "prefecture"), setting)

    return {
        "utilisation": lambda: safe_ratio(total(sold()), HOURS * total(servers())),
        "fill": lambda: safe_ratio(total(drawn()), total(megawatt)),
        "servers": servers_kind,
        "halls": lambda: centres.sum(built.capacity, "kind"),
        "servers_by_tier": servers_tier,
        "servers_by_prefecture": servers_place,
        "gini_servers": lambda: kernels.gini(servers_place(), people)[:, None],
        "use_by_tier": use_tier,
        "use_by_kind": lambda: safe_ratio(centres.sum(market.sold, "kind"), HOURS * servers_kind()),
        "fill_by_tier": lambda: safe_ratio(in_tiers(drawn()), in_tiers(megawatt)),
        "servers_hub": lambda: total(built.servers * hub),
        "halls_hub": lambda: total(built.capacity * hub),
        "nameplate_hub": lambda: total(built.nameplate * hub),
        "racks_built_hub": lambda: total(megawatt * hub) * 1000 / rack,
        "racks_running_hub": lambda: total(drawn() * hub) * 1000 / rack,
        "readiness_hub": lambda: safe_ratio(
            total(quarter.policy.readiness_next * world.prefectures.hub),
            total(world.prefectures.hub * np.ones((setting.runs, 1))),
        ),
        "footloose_share": lambda: safe_ratio(
            new_halls(quarter, setting), built.location.footloose
        )[:, kinds.intelligent],
        "cost_cover_centres": lambda: safe_ratio(total(books.surplus), total(assets.wear)),
        "interest_over_revenue": lambda: safe_ratio(total(books.interest), total(market.revenue)),
        "stranded_capital": lambda: stranded_capital(quarter, setting),
        "insolvent_share": lambda: insolvent_share(built.servers, exits.insolvent),
        "debt_written_off": lambda: total(exits.written_off),
        "national_use": lambda: market.national_use,
        "herfindahl": lambda: concentration(built.servers * centres.intelligent, setting),
        "centre_jobs": lambda: total(quarter.labour.centre_jobs),
        "servers_second_ring": lambda: servers_tier()[:, tiers.ring_2],
        "use_second_ring": lambda: use_tier()[:, tiers.ring_2],
        "batch_served": lambda: total(market.by_class[:, BATCH] * weight()),
        "fit_of_kind": lambda: fit_of_kind(built.servers, setting),
        "unit_cost": lambda: unit_cost(quarter, setting),
        "rival_displacement": lambda: safe_ratio(
            total(sold()), total(sold()) + total(market.routing.rival_served * headline(setting))
        ),
    }


def new_halls(quarter: Quarter, setting: Setting) -> Array:
    """Return expected new halls after what projects find empty, PFLOPS (runs, kinds)."""
    where, spare = quarter.investment.location, quarter.investment.spare
    expected = (where.footloose[:, :, None] * where.share[:, :, :-1]).reshape(setting.runs, -1)
    return setting.world.cells.sum(np.maximum(expected - spare, 0), "kind")


def stranded_capital(quarter: Quarter, setting: Setting) -> Array:
    """Return the book value of centres times the distance of use to its target, M¥ (runs, 1)."""
    books = quarter.accounts.books
    idle = np.maximum(1 - quarter.market.use / setting.parameters.target_use, 0)
    return total((books.book_servers + books.book_halls) * idle)


def insolvent_share(servers: Array, insolvent: Array) -> Array:
    """Return the share of running centres in default (runs, 1)."""
    running = (servers > 0).astype(float)
    return safe_ratio(total((insolvent > 0) * running), total(running))


def concentration(servers: Array, setting: Setting) -> Array:
    """Return the concentration of servers over prefectures (Herfindahl), (runs, 1)."""
    places = setting.world.centres.sum(servers, "prefecture")
    return kernels.herfindahl(safe_ratio(places, total(places)))[:, None]


def fit_of_kind(servers: Array, setting: Setting) -> Array:
    """Return how well kinds stand where they fit, 0 to 1 (runs, 1).

    The mean over kinds of the share of intelligent servers in the core, and of general and super
    servers outside it.
    """
    world = setting.world
    inside = safe_ratio(
        world.centres.sum(servers * world.centres.core, "kind"), world.centres.sum(servers, "kind")
    )
    wanted = np.where(world.kinds.intelligent, inside, 1 - inside)
    return np.asarray(wanted.mean(axis=1, keepdims=True))


def unit_cost(quarter: Quarter, setting: Setting) -> Array:
    """Return what compute costs centres over what they sell, yuan/PFh (runs, 1)."""
    cost = total(cost_of_centres(quarter, setting))
    return safe_ratio(1e6 * cost, total(quarter.market.sold * fp32(setting)))


def cost_of_centres(quarter: Quarter, setting: Setting) -> Array:
    """Return running cost, charges, depreciation and interest of centres, M¥ (runs, centres)."""
    books, accounts = quarter.accounts.books, quarter.accounts
    cost = accounts.power_bill + upkeep(quarter, setting) + accounts.wages["centres"]
    cost = cost + operating_cost(quarter, setting) + charges_due("centres", quarter, setting)
    return np.asarray(cost + books.depreciation + books.interest)
