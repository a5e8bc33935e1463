"""Reference of the turn of the quarter: the agents at the start of the next one."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from .agents import FIRST_POLICY_QUARTER, HOURS, Agents, Buyer, Firm, Prefecture
from .closed_forms import ratio
from .policy import readiness_part

Record = dict[str, Any]


def reference_next(agents: Agents, quarter: dict[str, Record]) -> Agents:
    """Return everybody after the quarter; `quarter` holds the stages' records by name."""
    cash = quarter["accounts"]["cash"]
    supply, innovation = quarter["supply"], quarter["innovation"]
    households, grid, bank, world = (
        cash[name][0] for name in ("households", "grid", "bank", "world")
    )
    return replace(
        agents,
        period=agents.period + 1,
        nation=next_nation(agents, quarter),
        province=next_province(agents, quarter),
        instruments=next_instruments(agents, quarter),
        prefectures=[
            next_prefecture(agents, i, place, quarter) for i, place in enumerate(agents.prefectures)
        ],
        centres=next_centres(agents, quarter),
        makers=[
            replace(
                maker,
                capacity=supply["capacity_next"][m],
                cumulative=supply["cumulative_next"][m],
                cost=supply["cost_next"][m],
                sales=supply["expected_next"][m],
                cash=cash["makers"][m],
            )
            for m, maker in enumerate(agents.makers)
        ],
        local_share=supply["local_share"],
        universities=[
            replace(
                university,
                knowledge=[known[u] for known in innovation["university_knowledge_next"]],
                cash=cash["universities"][u],
            )
            for u, university in enumerate(agents.universities)
        ],
        firms=next_firms(agents, quarter),
        parks=[
            replace(
                park,
                adoption=innovation["adoption_next"][k],
                servers=innovation["park_servers_next"][k],
                cash=cash["parks"][k],
            )
            for k, park in enumerate(agents.parks)
        ],
        regions=[
            replace(
                region,
                buyers=[
                    Buyer(
                        experience=quarter["market"]["experience_next"][g][w],
                        price=quarter["market"]["routing"]["price_paid"][g][w],
                        noise=quarter["drivers"]["noise"][g][w],
                    )
                    for w in range(len(agents.workloads))
                ],
            )
            for g, region in enumerate(agents.regions)
        ],
        sectors=replace(agents.sectors, households=households, grid=grid, bank=bank, world=world),
    )


def next_nation(agents: Agents, quarter: dict[str, Record]) -> Any:
    """Return the national market; use of 2024 is the running mean of its quarters."""
    old, market = agents.nation, quarter["market"]
    since = agents.period - 16  # quarters since 2024Q1
    mean = list(old.use_2024)
    if 0 <= since < 4:
        mean = [
            (before * since + now) / (since + 1)
            for before, now in zip(old.use_2024, market["national_use"], strict=True)
        ]
    drivers, wear = quarter["drivers"], agents.by_kind("server_depreciation")
    power = []
    for k, before in enumerate(old.capacity):
        kept = before - wear[k] * before
        new = max(drivers["capacity_next"][k] - kept, 0.0)
        power.append((old.power[k] * kept + drivers["power"][k] * new) / (kept + new))
    return replace(
        old,
        power=power,
        capacity=quarter["drivers"]["capacity_next"],
        capacity_history=[list(old.capacity), *old.capacity_history[:-1]],
        demand_ratio=quarter["drivers"]["demand_ratio_next"],
        use=market["national_use"],
        use_2024=mean,
        rival_use=market["rival_use"],
        cash=quarter["accounts"]["cash"]["government"][-1],
    )


def next_province(agents: Agents, quarter: dict[str, Record]) -> Any:
    """Return the provincial government with the receipts that its budgets react to."""
    old, t = agents.province, agents.period
    receipts = [quarter["accounts"]["local_receipts"][0], *old.receipts[:-1]]
    return replace(
        old,
        cash=quarter["accounts"]["cash"]["government"][-2],
        receipts=receipts,
        receipts_before=sum(old.receipts) if t % 4 == 0 else old.receipts_before,
        advantage=[quarter["policy"]["advantage"][0], *old.advantage[:-1]],
        diffusion=readiness_part(agents)
        * math.fsum(quarter["accounts"]["settlement"]["payers"]["even_diffusion"]),
        receipts_reference=(
            sum(receipts) / 4 if t == FIRST_POLICY_QUARTER - 1 else old.receipts_reference
        ),
    )


def next_instruments(agents: Agents, quarter: dict[str, Record]) -> dict[str, Any]:
    """Return the instruments: what was claimed and paid adds up within a year."""
    settlement, weight = quarter["accounts"]["settlement"], quarter["policy"]["envelope_weight"]
    january = agents.period % 4 == 0
    return {
        name: replace(
            tool,
            paid_share=settlement["paid_share"][i],
            envelope_weight=weight[i],
            claimed=settlement["claimed"][i] + (0.0 if january else tool.claimed),
            paid=settlement["paid"][i] + (0.0 if january else tool.paid),
        )
        for i, (name, tool) in enumerate(agents.instruments.items())
    }


def next_prefecture(
    agents: Agents, i: int, old: Prefecture, quarter: dict[str, Record]
) -> Prefecture:
    """Return a prefecture's government, people and users of AI."""
    p, t, count = agents.p, agents.period, len(agents.prefectures)
    policy, labour = quarter["policy"], quarter["labour"]
    weight = agents.by_kind("headline_weight")
    activity = math.fsum(
        sold / HOURS * weight[centre.kind]
        for centre, sold in zip(agents.centres, quarter["market"]["sold"], strict=True)
        if centre.prefecture == i
    )
    quarters = t % 4  # of this year that are over
    match = (old.match * quarters + policy["match"][i]) / (quarters + 1)
    tightness = old.tightness
    if t < p.wage_reference_quarters:
        tightness = (old.tightness * t + labour["tightness"][i]) / (t + 1)
    return replace(
        old,
        readiness=policy["readiness_next"][i],
        ambition=policy["ambition_next"][i],
        activity=activity,
        growth=math.log((activity + p.activity_floor) / (old.activity + p.activity_floor)),
        match=match,
        match_last_year=match if quarters == 3 else old.match_last_year,
        cash=quarter["accounts"]["cash"]["government"][i],
        talent=labour["talent_next"][i],
        wage=labour["wage_next"][i],
        tightness=tightness,
        branches=labour["branches_next"][i],
        branch_peak=labour["branch_peak_next"][i],
        deployment=quarter["innovation"]["deployment_next"][i],
        fill_history=[
            [quarter["investment"]["fill"][kind * count + i], *lags[:-1]]
            for kind, lags in enumerate(old.fill_history)
        ],
    )


def next_centres(agents: Agents, quarter: dict[str, Record]) -> list[Any]:
    """Return centres after exits; those pipelines are held quarter by quarter."""
    market, exits = quarter["market"], quarter["accounts"]["exits"]
    return [
        replace(
            old,
            halls=exits["halls"][c],
            halls_pipeline=[arriving[c] for arriving in exits["halls_pipeline"]],
            servers=exits["servers"][c],
            server_pipeline=[arriving[c] for arriving in exits["server_pipeline"]],
            power=exits["power"][c],
            pue=exits["pue"][c],
            mark=market["mark_next"][c],
            sold=market["sold"][c],
            use=market["use"][c],
            tenants=market["tenants_next"][c],
            book_servers=exits["book_servers"][c],
            book_halls=exits["book_halls"][c],
            loan=exits["loan"][c],
            cash=quarter["accounts"]["cash"]["centres"][c],
            insolvent=exits["insolvent"][c],
        )
        for c, old in enumerate(agents.centres)
    ]


def next_firms(agents: Agents, quarter: dict[str, Record]) -> list[Firm]:
    """Return AI firms: the closed leave empty slots, entrants start small, shares sum to one."""
    p, business = agents.p, quarter["business"]
    firms = []
    for f, old in enumerate(agents.firms):
        if business["born"][f]:
            firms.append(entrant(agents, f, old, quarter))
        elif old.active and not business["exits"][f]:
            firms.append(survivor(f, old, quarter))
        else:
            empty = dict.fromkeys(("active", "age", "knowledge", "research", "staff"), 0.0)
            empty |= dict.fromkeys(("share", "sales", "compute", "cash"), 0.0)
            firms.append(replace(old, **empty))
    for domain in range(len(agents.domains)):
        there = [f for f, firm in enumerate(firms) if firm.domain == domain and firm.active]
        for f in there:
            if business["born"][f]:
                firms[f].share = p.entrant_share / len(there)
                firms[f].sales = firms[f].share * business["pool"][domain]
        whole = math.fsum(firms[f].share for f in there)
        for f in there:
            firms[f].share = ratio(firms[f].share, whole)
    return firms


def entrant(agents: Agents, f: int, old: Firm, quarter: dict[str, Record]) -> Firm:
    """Return a firm that was founded in the quarter; its share comes when all are known."""
    return replace(
        old,
        active=1.0,
        age=0.0,
        knowledge=quarter["business"]["founders"][f],
        research=0.0,
        staff=agents.p.smallest_staff,
        compute=0.0,
        cash=quarter["accounts"]["cash"]["firms"][f],
        generation=old.generation + 1,
    )


def survivor(f: int, old: Firm, quarter: dict[str, Record]) -> Firm:
    """Return a firm that goes on."""
    innovation, business = quarter["innovation"], quarter["business"]
    return replace(
        old,
        age=old.age + 1,
        knowledge=innovation["knowledge_next"][f],
        research=innovation["research_next"][f],
        staff=quarter["labour"]["staff"][f],
        share=business["share"][f],
        sales=business["sales"][f],
        compute=innovation["compute"][f],
        cash=quarter["accounts"]["cash"]["firms"][f],
    )
