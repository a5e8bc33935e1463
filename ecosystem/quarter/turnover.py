"""From the records of a quarter to the state at the start of the next."""

from __future__ import annotations

from typing import Any

import numpy as np

from ecosystem.inputs.calendar import POLICY_START, QUARTERS_A_YEAR, year_end_period
from ecosystem.maths.arrays import Array, total
from ecosystem.maths.clearing import spread
from ecosystem.maths.compiled import kernel
from ecosystem.maths.kernels import HOURS
from ecosystem.maths.live import Live, of_run
from ecosystem.maths.scalars import ratio
from ecosystem.stages.firms import entrant_shares, output_per_worker
from ecosystem.stages.parks import opening_purchases
from ecosystem.stages.policy import readiness_part
from ecosystem.state import state as agents
from ecosystem.state.records import Business, Quarter
from ecosystem.state.setting import Setting


def next_state(quarter: Quarter, setting: Setting) -> agents.State:
    """Return the state after the quarter: what the stages decided, nothing new."""
    cash = quarter.accounts.cash
    return agents.State(
        period=quarter.state.period + 1,
        nation=next_nation(quarter, setting),
        governments=next_governments(quarter, setting),
        centres=next_centres(quarter),
        makers=agents.Makers(
            capacity=quarter.supply.capacity_next,
            cumulative=quarter.supply.cumulative_next,
            cost=quarter.supply.cost_next,
            sales=quarter.supply.expected_next,
            cash=cash["makers"],
            local_share=quarter.supply.local_share,
        ),
        universities=agents.Universities(
            knowledge=quarter.innovation.university_knowledge_next, cash=cash["universities"]
        ),
        firms=next_firms(quarter, setting),
        parks=agents.Parks(
            adoption=quarter.innovation.adoption_next,
            servers=quarter.innovation.park_servers_next,
            opening_purchases=opening_purchases(quarter, setting),
            cash=cash["parks"],
        ),
        buyers=agents.Buyers(
            experience=quarter.market.experience_next,
            price=quarter.market.routing.price_paid,
            noise=quarter.drivers.noise,
        ),
        society=next_society(quarter, setting),
        sectors=agents.Sectors(
            households=cash["households"], grid=cash["grid"], bank=cash["bank"], world=cash["world"]
        ),
    )


def shift(history: Array, newest: Array) -> Array:
    """Return a history (runs, lags, ...) with the newest value first and the oldest dropped."""
    return np.concatenate([newest[:, None], history[:, :-1]], axis=1)


def next_nation(quarter: Quarter, setting: Setting) -> agents.Nation:
    """Return the national market; the use of 2024 is the mean of its four quarters.

    New servers draw less power than those that stay, so the mean of the vintages falls later.
    """
    old, market, drivers = quarter.state.nation, quarter.market, quarter.drivers
    last = year_end_period(REFERENCE_YEAR)
    place = quarter.state.period - (last - QUARTERS_A_YEAR)  # 1 to 4 within the reference year
    mean = old.use_2024
    if 1 <= place <= QUARTERS_A_YEAR:
        mean = old.use_2024 + (market.national_use - old.use_2024) / place
    kept = old.capacity * (1 - setting.by_kind("server_depreciation"))
    new = np.maximum(drivers.capacity_next - kept, 0)
    return agents.Nation(
        power=(old.power * kept + drivers.power * new) / (kept + new),
        capacity=drivers.capacity_next,
        capacity_history=shift(old.capacity_history, old.capacity),
        demand_ratio=drivers.demand_ratio_next,
        use=market.national_use,
        use_2024=mean,
        rival_use=market.rival_use,
    )


REFERENCE_YEAR = 2024  # the year whose use is the reference of the national build


def next_governments(quarter: Quarter, setting: Setting) -> agents.Governments:
    """Return governments: readiness, ambition, what was claimed and paid, receipts, deposits."""
    old, policy, books = quarter.state.governments, quarter.policy, quarter.accounts.settlement
    t = quarter.state.period
    first = t % QUARTERS_A_YEAR == 0
    last = (t + 1) % QUARTERS_A_YEAR == 0
    activity = headline_activity(quarter, setting)
    floor = setting.parameters.activity_floor
    match = old.match + (policy.match - old.match) / (t % QUARTERS_A_YEAR + 1)
    receipts = shift(old.receipts, quarter.accounts.local_receipts[:, 0])
    mean = receipts.mean(axis=1, keepdims=True)
    return agents.Governments(
        readiness=policy.readiness_next,
        ambition=policy.ambition_next,
        activity=activity,
        growth=np.log((activity + floor) / (old.activity + floor)),
        match=match,
        match_last_year=match if last else old.match_last_year,
        paid_share=books.paid_share,
        envelope_weight=policy.envelope_weight,
        claimed=books.claimed + (0 if first else 1) * old.claimed,
        paid=books.paid + (0 if first else 1) * old.paid,
        receipts=receipts,
        receipts_before=total(old.receipts) if first else old.receipts_before,
        receipts_reference=mean if t + 1 == POLICY_START else old.receipts_reference,
        advantage=shift(old.advantage, policy.advantage[:, 0]),
        diffusion=readiness_part(setting) * total(books.payers["even_diffusion"]),
        cash=quarter.accounts.cash["government"],
    )


def headline_activity(quarter: Quarter, setting: Setting) -> Array:
    """Return compute sold by prefecture in FP32-equivalent PFLOPS (runs, prefectures)."""
    world = setting.world
    weight = spread(setting.by_kind("headline_weight"), world.centres.kind)
    cells = world.centres.sum(quarter.market.sold / HOURS * weight, "cell")
    return world.cells.sum(cells, "prefecture")


def next_centres(quarter: Quarter) -> agents.Centres:
    """Return centres after orders, sales, books and exits."""
    old, market, exits = quarter.state.centres, quarter.market, quarter.accounts.exits
    return agents.Centres(
        halls=exits.halls,
        halls_pipeline=exits.halls_pipeline,
        nameplate=exits.nameplate,
        servers=exits.servers,
        server_pipeline=exits.server_pipeline,
        power=exits.power,
        pue=exits.pue,
        mark=market.mark_next,
        sold=market.sold,
        use=market.use,
        fill_history=shift(old.fill_history, quarter.investment.fill),
        quality=old.quality,
        tenants=market.tenants_next,
        book_servers=exits.book_servers,
        book_halls=exits.book_halls,
        real_servers=exits.real_servers,
        real_halls=exits.real_halls,
        loan=exits.loan,
        cash=quarter.accounts.cash["centres"],
        insolvent=exits.insolvent,
    )


def next_firms(quarter: Quarter, setting: Setting) -> agents.Firms:
    """Return AI firms after exits and births; the shares of entrants come out of those of all.

    An entrant's first sales are bounded by what its first staff can do, its orders are not.
    """
    old, business, innovation = quarter.state.firms, quarter.business, quarter.innovation
    p, domain = setting.parameters, setting.world.firms.domain
    newborn, stay, born = business.newborn, old.active * (1 - business.exits), business.born
    entrant = entrant_shares(
        p.of_run, old, old.live, business, newborn, domain, setting.world.domains.count
    )
    staff, share, sales, orders = market_of_firms(
        p.of_run, old.live, business, newborn, entrant, quarter.labour.staff, domain,
        quarter.state.period / 4,
    )  # fmt: skip
    return agents.Firms(
        active=stay + born,
        age=(old.age + 1) * stay,
        knowledge=innovation.knowledge_next * stay + business.founders,
        research=innovation.research_next * stay,
        staff=staff,
        share=share,
        sales=sales,
        orders=orders,
        compute=innovation.compute * stay,
        cash=quarter.accounts.cash["firms"],
        generation=old.generation + born,
    )


@kernel
def market_of_firms(
    parameters: Any, live: Live, business: Business, newborn: Live, entrant: Array, staff: Array,
    domain: Any, years: float,
) -> tuple[Array, Array, Array, Array]:  # fmt: skip
    """Return staff, shares of the market, sales and orders next quarter, (runs, slots) each."""
    then, share, sales, orders = (
        np.zeros_like(staff), np.zeros_like(staff), np.zeros_like(staff), np.zeros_like(staff)
    )  # fmt: skip
    for r in range(len(staff)):
        p, pool = parameters[r], business.pool[r]
        whole = np.zeros_like(pool)
        for f in of_run(live, r):
            if not business.exits[r, f]:
                then[r, f], share[r, f] = staff[r, f], business.share[r, f]
                orders[r, f], sales[r, f] = business.orders[r, f], business.sales[r, f]
                whole[domain[f]] += share[r, f]
        for f in of_run(newborn, r):
            then[r, f], share[r, f] = p.smallest_staff, entrant[r, f]
            orders[r, f] = entrant[r, f] * pool[domain[f]]
            able = p.smallest_staff * output_per_worker(p, business.founders[r, f], years)
            sales[r, f] = min(orders[r, f], able)
            whole[domain[f]] += share[r, f]
        for slots in (of_run(live, r), of_run(newborn, r)):
            for f in slots:
                share[r, f] = ratio(share[r, f], whole[domain[f]])
    return then, share, sales, orders


def next_society(quarter: Quarter, setting: Setting) -> agents.Society:
    """Return talent, wages, deployment; normal tightness is the mean of the first quarters."""
    old, labour, t = quarter.state.society, quarter.labour, quarter.state.period
    early = t < setting.parameters.wage_reference_quarters
    running = old.tightness + (labour.tightness - old.tightness) / (t + 1)
    return agents.Society(
        talent=labour.talent_next,
        wage=labour.wage_next,
        tightness=np.where(early, running, old.tightness),
        deployment=quarter.innovation.deployment_next,
        quality_start=old.quality_start,
        variety_start=old.variety_start,
        branches=labour.branches_next,
        branch_peak=labour.branch_peak_next,
    )
