"""Income statements: the books of a data centre, and the taxes and profit of the other sectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ecosystem.maths.arrays import Array
from ecosystem.maths.compiled import equation, kernel
from ecosystem.state.setting import Setting


@dataclass(frozen=True)
class Statement:
    """What the income statement of a sector says, M¥."""

    value_added: Array  # gross (runs, members)
    wages: Array  # (runs, members)
    taxes: Array  # on value added and on income (runs, members)
    local_taxes: Array  # the part of them that stays in the province (runs, prefectures)


def close_statements(
    sector: str, added: Array, wages: Array, deducted: Array, setting: Setting
) -> tuple[Statement, Array]:
    """Return the statement of a sector that pays its taxes here, and its profit after tax, M¥."""
    world = setting.world
    taxes, local, profit = statements_closed(
        setting.parameters.of_run, added, wages, deducted, getattr(world, sector).prefecture,
        world.prefectures.count,
    )  # fmt: skip
    return Statement(added, wages, taxes, local), profit


@kernel
def statements_closed(
    parameters: Any, added: Array, wages: Array, deducted: Array, place: Any, prefectures: int
) -> tuple[Array, Array, Array]:
    """Return taxes by member, their local part by prefecture, and profit by member."""
    taxes, profit = np.zeros_like(added), np.zeros_like(added)
    local = np.zeros((len(added), prefectures))
    for r in range(len(added)):
        p = parameters[r]
        for i in range(len(place)):
            vat, tax, profit[r, i] = close_statement(p, added[r, i], wages[r, i], deducted[r, i])
            taxes[r, i] = vat + tax
            local[r, place[i]] += local_part(p, vat, tax)
    return taxes, local, profit


@equation
def close_statement(
    p: Any, added: float, wages: float, deducted: float
) -> tuple[float, float, float]:
    """Return value-added tax, income tax and profit after both, M¥.

    VAT is due on value added, income tax on what is left after wages and what else is `deducted`:
    interest, wear and contracts, less grants.
    """
    vat = p.value_added_tax * max(added, 0.0)
    before = added - wages - deducted - vat
    tax = p.income_tax * max(before, 0.0)
    return vat, tax, before - tax


@equation
def local_part(p: Any, value_added_tax: float, income_tax: float) -> float:
    """Return what of taxes prefectures and province get, M¥."""
    return p.vat_local_share * value_added_tax + p.income_tax_local_share * income_tax


@equation
def equity(cash: float, book: float, loan: float, settled: float) -> float:
    """Return what a centre is worth to its local owners, E = cash + local share * book - loan."""
    return cash + settled * book - loan


@equation
def keep_books(
    p: Any,
    settled: float,
    decline: float,
    scrapped: float,
    cash: float,
    loan: float,
    book_servers: float,
    book_halls: float,
    income: float,
    costs: float,
    server_capital: float,
    hall_capital: float,
    injected: float,
) -> tuple[float, ...]:
    """Close the books of a quarter; return the lines of `Books` in their order, M¥.

    Parameters
    ----------
    p
        Parameters of the run.
    settled
        Share lambda of surplus and capital that is booked here.
    decline
        Depreciation and price fall of servers, a quarter.
    scrapped
        Share of servers cut in the quarter; their book value is written off.
    cash, loan, book_servers, book_halls
        Opening balance, M¥.
    income, costs
        Revenue with support; power, upkeep, operation, wages and charges, M¥.
    server_capital, hall_capital
        Capital outlay net of subsidy, M¥.
    injected
        Equity that owners put in, M¥.

    Notes
    -----
    Headquarters are a shareholder of 1 - lambda: they pay that share of every capital outlay and
    take that share of a positive surplus. The loan runs off with the book value, a shortfall
    becomes an overdraft loan. Source: docs/model.md, S7.
    """
    surplus, capital = income - costs, server_capital + hall_capital
    take = (1 - settled) * max(surplus, 0.0)
    depreciation = book_servers * decline + book_halls * p.hall_depreciation
    book = book_servers + book_halls
    run_off = min(depreciation / book, 1.0) if book > 0 else 1.0
    interest, repayment = p.interest_rate / 4 * loan, loan * run_off
    borrowed = p.loan_share * settled * capital
    vat = p.value_added_tax * settled * max(surplus, 0.0)
    before_tax = settled * surplus - vat - settled * depreciation - interest
    tax = p.income_tax * max(before_tax, 0.0)
    balance = cash + injected + surplus - take - settled * capital + borrowed
    balance = balance - interest - repayment - vat - tax
    spare = balance - p.reserve_quarters * (costs + interest)
    dividend = p.payout * max(min(before_tax - tax, spare), 0.0)
    overdraft = max(dividend - balance, 0.0)
    return (
        surplus,
        take,
        (1 - settled) * capital,
        depreciation,
        interest,
        repayment,
        borrowed,
        overdraft,
        vat,
        tax,
        dividend,
        balance - dividend + overdraft,
        loan - repayment + borrowed + overdraft,
        book_servers * (1 - decline) * (1 - scrapped) + server_capital,
        book_halls * (1 - p.hall_depreciation) + hall_capital,
    )


@equation
def renew_assets(
    p: Any,
    decline: float,
    scrapped: float,
    servers: float,
    halls: float,
    server_outlay: float,
    hall_outlay: float,
    server_price: float,
) -> tuple[float, float, float]:
    """Return real assets after a quarter, at gross cost whoever paid for them, as `RealAssets`.

    R^s' = R^s (1 - delta - gamma/4)(1 - scrapped) + I^s/p_s and R^h' = R^h (1 - delta_h) + I^h;
    their wear is W = p_s R^s (delta + gamma/4) + R^h delta_h, the consumption of fixed capital at
    current replacement cost (System of National Accounts 2008, 6.240). What is scrapped is
    written off outside it.

    Parameters
    ----------
    p
        Parameters of the run.
    decline
        Depreciation and price fall of servers, delta + gamma/4.
    scrapped
        Share of servers cut in the quarter.
    servers, halls
        Opening real assets, M¥; servers at the trend of their price.
    server_outlay, hall_outlay
        Capital outlay before any subsidy, M¥.
    server_price
        Price of servers over its trend.
    """
    worn, worn_halls = servers * decline, halls * p.hall_depreciation
    return (
        (servers - worn) * (1 - scrapped) + server_outlay / server_price,
        halls - worn_halls + hall_outlay,
        server_price * worn + worn_halls,
    )
