"""Income statements: the books of a data centre, and the taxes and profit of the other sectors.

Every line works on arrays of any shape, so that one centre can be followed by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecosystem.maths.arrays import Array, safe_ratio
from ecosystem.state.records import Books, RealAssets
from ecosystem.state.setting import Setting


@dataclass(frozen=True)
class Statement:
    """What the income statement of a sector says, M¥ (runs, members)."""

    value_added: Array  # gross
    value_added_tax: Array
    income_tax: Array
    wages: Array


def close_statement(
    added: Array, wages: Array, deducted: Array | float, setting: Setting
) -> tuple[Statement, Array]:
    """Return the statement of a sector that pays its taxes here, and its profit after tax, M¥.

    VAT is due on value added, income tax on what is left after wages and what else is `deducted`:
    interest, wear and contracts, less grants.
    """
    p = setting.parameters
    vat = p.value_added_tax * np.maximum(added, 0)
    before = added - wages - deducted - vat
    tax = p.income_tax * np.maximum(before, 0)
    return Statement(added, vat, tax, wages), before - tax


def equity(cash: Array, book: Array, loan: Array, local_settlement: Array) -> Array:
    """Return what a centre is worth to its local owners, E = cash + local share * book - loan."""
    return np.asarray(cash + local_settlement * book - loan)


@dataclass(frozen=True)
class Rates:
    """Rates of one quarter that the books need, broadcastable to the centres."""

    local_settlement: Array  # share of surplus and capital that is booked here
    loan_share: Array  # of local capital outlay
    interest: Array  # a quarter
    server_decline: Array  # depreciation and price fall of servers, a quarter
    hall_decline: Array  # depreciation of halls, a quarter
    value_added_tax: Array
    income_tax: Array
    payout: Array  # share of free profit paid as dividend
    reserve_quarters: Array  # of costs and interest kept before a dividend


def keep_books(
    *,
    cash: Array,
    loan: Array,
    book_servers: Array,
    book_halls: Array,
    income: Array,
    costs: Array,
    server_capital: Array,
    hall_capital: Array,
    scrapped_share: Array,
    injected: Array,
    rates: Rates,
) -> Books:
    """Close the books of a quarter.

    Parameters
    ----------
    cash, loan, book_servers, book_halls
        Opening balance, M¥.
    income, costs
        Revenue with support; power, upkeep, operation and wages, M¥.
    server_capital, hall_capital
        Capital outlay net of subsidy, M¥.
    scrapped_share
        Share of servers cut in the quarter; their book value is written off.
    injected
        Equity that owners put in, M¥.

    Notes
    -----
    Headquarters are a shareholder of 1 - lambda: they pay that share of every capital outlay and
    take that share of a positive surplus. The loan runs off with the book value, a shortfall
    becomes an overdraft loan. Source: docs/model.md, S7.
    """
    r = rates
    outside = 1 - r.local_settlement
    surplus = income - costs
    take = outside * np.maximum(surplus, 0)
    capital = server_capital + hall_capital
    depreciation = book_servers * r.server_decline + book_halls * r.hall_decline
    book = book_servers + book_halls
    run_off = np.minimum(safe_ratio(depreciation, book, empty=1.0), 1)
    interest = r.interest * loan
    repayment = loan * run_off
    borrowed = r.loan_share * r.local_settlement * capital
    vat = r.value_added_tax * r.local_settlement * np.maximum(surplus, 0)
    before_tax = r.local_settlement * surplus - vat - r.local_settlement * depreciation - interest
    tax = r.income_tax * np.maximum(before_tax, 0)
    profit = before_tax - tax
    balance = (
        cash
        + injected
        + surplus
        - take
        - r.local_settlement * capital
        + borrowed
        - interest
        - repayment
        - vat
        - tax
    )
    spare = balance - r.reserve_quarters * (costs + interest)
    dividend = r.payout * np.maximum(np.minimum(profit, spare), 0)
    balance = balance - dividend
    overdraft = np.maximum(-balance, 0)
    return Books(
        surplus=surplus,
        headquarters_take=take,
        headquarters_pay=outside * capital,
        depreciation=depreciation,
        interest=interest,
        repayment=repayment,
        borrowed=borrowed,
        overdraft=overdraft,
        value_added_tax=vat,
        income_tax=tax,
        dividend=dividend,
        cash=balance + overdraft,
        loan=loan - repayment + borrowed + overdraft,
        book_servers=book_servers * (1 - r.server_decline) * (1 - scrapped_share) + server_capital,
        book_halls=book_halls * (1 - r.hall_decline) + hall_capital,
    )


def renew_assets(
    *,
    servers: Array,
    halls: Array,
    server_outlay: Array,
    hall_outlay: Array,
    server_price: Array,
    scrapped_share: Array,
    rates: Rates,
) -> RealAssets:
    """Return real assets after a quarter, at gross cost whoever paid for them.

    R^s' = R^s (1 - delta - gamma/4)(1 - scrapped) + I^s/p_s and R^h' = R^h (1 - delta_h) + I^h;
    their wear is W = p_s R^s (delta + gamma/4) + R^h delta_h, the consumption of fixed capital at
    current replacement cost (System of National Accounts 2008, 6.240). What is scrapped is
    written off outside it.

    Parameters
    ----------
    servers, halls
        Opening real assets, M¥; servers at the trend of their price.
    server_outlay, hall_outlay
        Capital outlay before any subsidy, M¥.
    server_price
        Price of servers over its trend.
    scrapped_share
        Share of servers cut in the quarter.
    """
    worn = servers * rates.server_decline
    return RealAssets(
        servers=(servers - worn) * (1 - scrapped_share) + server_outlay / server_price,
        halls=halls * (1 - rates.hall_decline) + hall_outlay,
        wear=server_price * worn + halls * rates.hall_decline,
    )
