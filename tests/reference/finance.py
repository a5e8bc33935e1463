"""Reference of a centre's books, line by line; model, section 11, "A centre's books"."""

from __future__ import annotations

import math
from typing import Any

from .agents import Agents, Centre


def reference_books(
    agents: Agents,
    centre: Centre,
    income: float,
    costs: float,
    server_capital: float,
    hall_capital: float,
    cut: float,
    injected: float,
    at_home: float,
) -> dict[str, float]:
    """Close the quarter of one centre; money in million yuan.

    Parameters
    ----------
    income, costs : revenue with output subsidy; power after relief, upkeep, operation and wages.
    server_capital, hall_capital : outlay net of subsidy.
    cut : share of servers that no hall could hold.
    injected : equity that local owners put in.
    at_home : share of surplus and capital that is settled here.
    """
    p = agents.p
    halving = agents.by_kind("price_halving_time")[centre.kind]
    wear = agents.by_kind("server_depreciation")[centre.kind] + math.log(2) / halving / 4
    surplus = income - costs
    headquarters = (1 - at_home) * max(surplus, 0.0)
    capital = server_capital + hall_capital
    equity_in = (1 - at_home) * capital
    borrowed = p.loan_share * at_home * capital

    depreciation = wear * centre.book_servers + p.hall_depreciation * centre.book_halls
    book = centre.book_servers + centre.book_halls
    repayment = centre.loan * (min(depreciation / book, 1.0) if book > 0 else 1.0)
    interest = centre.loan * p.interest_rate / 4

    vat = p.value_added_tax * at_home * max(surplus, 0.0)
    taxable = at_home * (surplus - depreciation) - vat - interest
    tax = p.income_tax * max(taxable, 0.0)
    purse = centre.cash + injected + surplus - headquarters  # what the centre keeps of its surplus
    purse += equity_in + borrowed - capital
    purse -= interest + repayment + vat + tax
    spare = purse - p.reserve_quarters * (costs + interest)
    dividend = p.payout * max(min(taxable - tax, spare), 0.0)
    purse -= dividend
    overdraft = max(-purse, 0.0)
    return {
        "surplus": surplus,
        "headquarters_take": headquarters,
        "headquarters_pay": equity_in,
        "depreciation": depreciation,
        "interest": interest,
        "repayment": repayment,
        "borrowed": borrowed,
        "overdraft": overdraft,
        "value_added_tax": vat,
        "income_tax": tax,
        "dividend": dividend,
        "cash": max(purse, 0.0),
        "loan": centre.loan + borrowed + overdraft - repayment,
        "book_servers": centre.book_servers * (1 - wear) * (1 - cut) + server_capital,
        "book_halls": centre.book_halls * (1 - p.hall_depreciation) + hall_capital,
    }


def reference_assets(
    agents: Agents,
    centre: Centre,
    server_outlay: float,
    hall_outlay: float,
    server_price: float,
    cut: float,
) -> dict[str, float]:
    """Return real assets of one centre after the quarter at gross cost, and their wear.

    `server_price` is the price of servers over its trend, `cut` the share no hall could hold.
    """
    halving = agents.by_kind("price_halving_time")[centre.kind]
    decline = agents.by_kind("server_depreciation")[centre.kind] + math.log(2) / halving / 4
    hall_decline = agents.p.hall_depreciation
    servers = centre.real_servers * (1 - decline) * (1 - cut)
    return {
        "servers": servers + server_outlay / server_price,
        "halls": centre.real_halls * (1 - hall_decline) + hall_outlay,
        "wear": centre.real_servers * decline * server_price + centre.real_halls * hall_decline,
    }


def as_columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return one list a name from one dict an agent."""
    return {name: [row[name] for row in rows] for name in rows[0]}
