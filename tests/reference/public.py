"""Reference of the other side of the accounts: governments, households, bank, grid and world."""

from __future__ import annotations

import math
from typing import Any

from .agents import Agents
from .parks import adoption_supports
from .policy import readiness_part

Record = dict[str, Any]


def tax_shares(agents: Agents, payers: list[Any], results: list[Record]) -> Record:
    """Return what nation, province and each prefecture get of a sector's taxes."""
    p = agents.p
    places = [0.0] * len(agents.prefectures)
    local = national = 0.0
    for payer, result in zip(payers, results, strict=True):
        vat, tax = result["value_added_tax"], result["income_tax"]
        here = p.vat_local_share * vat + p.income_tax_local_share * tax
        local += here
        national += vat + tax - here
        places[payer.prefecture] += p.prefecture_tax_share * here
    return {"local": local, "national": national, "places": places}


def government_accounts(
    agents: Agents,
    drivers: Record,
    policy: Record,
    innovation: Record,
    settlement: Record,
    compute: Record,
    services: float,
    taxes: dict[str, Record],
) -> Record:
    """Return deposits of prefectures, province and nation, and what they pay to people."""
    p, places = agents.p, agents.prefectures
    cash = [place.cash for place in places] + [agents.province.cash, agents.nation.cash]
    province, nation = len(places), len(places) + 1
    for tax in taxes.values():
        for i, amount in enumerate(tax["places"]):
            cash[i] += amount
        cash[province] += (1 - p.prefecture_tax_share) * tax["local"]
        cash[nation] += tax["national"]
    for payers in settlement["payers"].values():
        cash = [deposit - amount for deposit, amount in zip(cash, payers, strict=True)]
    funds = math.fsum(university.research_funds for university in agents.universities)
    funds *= agents.growth(p.university_funds_growth)
    cash[nation] -= p.university_national_share * funds
    cash[province] -= (1 - p.university_national_share) * drivers["fiscal"] * funds
    cash[province] -= compute["government"] + services
    for i, amount in enumerate(policy["prefecture_paid"]):
        cash[i] -= amount
    cash[province] -= policy["level_paid"][1] + policy["fiscal_extra"][0]
    cash[nation] -= policy["level_paid"][0]
    programmes = math.fsum(policy["prefecture_paid"]) + math.fsum(policy["level_paid"][:2])
    programmes += policy["fiscal_extra"][0]
    diffusion = math.fsum(settlement["payers"]["even_diffusion"])
    programmes += readiness_part(agents) * diffusion  # builders of readiness
    granted = math.fsum(innovation["grants"]) + math.fsum(innovation["university_grants"])
    supported = math.fsum(adoption_supports(agents, policy))
    return {"cash": cash, "to_people": programmes - granted - supported}


def owners_take(agents: Agents, centres: list[Record], exits: Record) -> Record:
    """Return what owners of centres get less what they put in: people, and each government.

    The nation owns telecom operators, a prefecture its local state firms; people own the rest.
    """
    state = [0.0] * (len(agents.prefectures) + 2)
    people = 0.0
    for c, centre in enumerate(agents.centres):
        taken = centres[c]["books"]["dividend"] + exits["left_over"][c] - centres[c]["injected"]
        if centre.owner == "telecom":
            state[-1] += taken
        elif centre.owner == "local_soe":
            state[centre.prefecture] += taken
        else:
            people += taken
    return {"state": state, "people": people}


def passive_deposits(
    agents: Agents,
    supply: Record,
    investment: Record,
    compute: Record,
    members: dict[str, list[Record]],
    exits: Record,
    people: float,
) -> dict[str, list[float]]:
    """Return deposits of households, the grid, the bank and the world outside.

    `people` is what programmes pay to people and what centres pay to private owners.
    """
    p, centres = agents.p, members["centres"]

    def total(group: str, item: str) -> float:
        return math.fsum(member[item] for member in members[group])

    def booked(item: str) -> float:
        return math.fsum(centre["books"][item] for centre in centres)

    power = total("centres", "power") + total("makers", "power") + total("parks", "power")
    wages = math.fsum(total(group, "wages") for group in members)
    dividends = math.fsum(total(group, "dividend") for group in ("makers", "firms", "parks"))
    households = agents.sectors.households + wages + dividends - total("firms", "founding")
    households += math.fsum(investment["hall_outlay"]) + people
    branches = p.branch_staff * math.fsum(
        place.branches * place.wage / 1000 for place in agents.prefectures
    )  # their headquarters pay them
    households += branches
    households += p.upkeep_home_share * total("centres", "upkeep")
    households += (1 - p.generation_outside_share) * power

    bank = agents.sectors.bank + booked("interest") + booked("repayment")
    bank += total("makers", "interest") + total("firms", "interest")
    bank += math.fsum(exits["repaid"]) - math.fsum(exits["overdraft"])
    bank -= booked("borrowed") + booked("overdraft") + total("firms", "written_off")

    imported = math.fsum(investment["server_outlay"]) - math.fsum(supply["to_centres"])
    world = agents.sectors.world + imported + math.fsum(supply["investment"])
    world += total("parks", "servers") + total("parks", "adoption") + total("parks", "goods")
    world += total("makers", "inputs")
    world += math.fsum(compute["abroad"][:-1]) + total("firms", "purchases")
    world -= branches
    world += total("universities", "purchases") + p.generation_outside_share * power
    world += (1 - p.upkeep_home_share) * total("centres", "upkeep")
    world += booked("headquarters_take") - booked("headquarters_pay")
    world -= compute["from_outside"] + total("makers", "exports")
    world -= total("firms", "abroad") + total("parks", "output")
    return {
        "households": [households],
        "grid": [agents.sectors.grid],
        "bank": [bank],
        "world": [world],
    }
