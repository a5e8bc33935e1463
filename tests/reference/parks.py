"""Reference of parks: what adoption costs, who supports it, and the quarter of each park."""

from __future__ import annotations

from typing import Any

from .agents import GENERAL, Agents
from .closed_forms import shares
from .policy import lies_in
from .routing import output_at, park_output
from .settlement import park_outlays

Record = dict[str, Any]


def adoption_supports(agents: Agents, policy: Record) -> list[float]:
    """Return what each park gets of the programme for strong industry, by output, M¥."""
    got = [0.0 for _ in agents.parks]
    for tool, paid in zip(agents.instruments, policy["programme_paid"], strict=True):
        if tool.name == "strong_industry":
            there = [lies_in(agents.prefectures[k.prefecture], tool.place) for k in agents.parks]
            weights = [
                park_output(agents, k) * ok for k, ok in zip(agents.parks, there, strict=True)
            ]
            got = [a + paid * b for a, b in zip(got, shares(weights), strict=True)]
    return got


def adoption_capital(agents: Agents, park: Any, adoption: float, period: int) -> float:
    """Return what a park's adoption beyond that of the start costs at today's output, M¥."""
    now = output_at(agents, park, adoption, period) * adoption
    then = output_at(agents, park, park.first_adoption, period) * park.first_adoption
    return agents.p.park_adoption_cost * 4 * max(now - then, 0.0)


def park_accounts(
    agents: Agents,
    drivers: Record,
    policy: Record,
    innovation: Record,
    settlement: Record,
    bills: list[float],
    services: list[float],
) -> list[Record]:
    """Return the quarter of each park."""
    p, result = agents.p, []
    outlays, supports = park_outlays(drivers, innovation), adoption_supports(agents, policy)
    falls = p.server_depreciation_general + drivers["price_decline"][GENERAL] / 4
    for k, park in enumerate(agents.parks):
        output = innovation["park_output"][k]
        tariff = drivers["electricity"][park.prefecture]
        lever = policy["local_lever"]["strong_industry"][park.prefecture]
        saving = p.park_energy_gain + p.strong_industry_energy_gain * lever
        energy = park.energy_intensity * (1 - saving * park.adoption) * output
        power, wages, goods = (
            energy * tariff / 1000,
            p.park_wage_share * output,
            p.park_goods_share * output,
        )
        added = output - goods - power - bills[k] - services[k]
        stock = adoption_capital(agents, park, park.adoption, agents.period)
        aim = adoption_capital(agents, park, innovation["adoption_next"][k], agents.period + 1)
        worn = p.park_adoption_wear * stock
        adoption = max(aim - (stock - worn), 0.0)
        wear = worn + falls * park.servers * drivers["server_cost"][GENERAL]
        vat = p.value_added_tax * max(added, 0.0)
        profit = added - wages - vat
        tax = p.income_tax * max(profit - wear, 0.0)
        profit -= tax + outlays[k] + adoption
        profit += settlement["received"]["industrial_centres"][k] + supports[k]  # untaxed
        dividend = p.park_payout * max(profit, 0.0)
        result.append(
            {
                "cash": park.cash + profit - dividend,
                "value_added": added,
                "value_added_tax": vat,
                "income_tax": tax,
                "wages": wages,
                "power": power,
                "goods": goods,
                "servers": outlays[k],
                "adoption": adoption,
                "dividend": dividend,
                "output": output,
            }
        )
    return result
