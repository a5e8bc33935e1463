"""Centres that stay in default leave: others of the cell take halls and servers over."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ecosystem.maths.arrays import Array
from ecosystem.maths.clearing import spread
from ecosystem.maths.compiled import equation, kernel
from ecosystem.maths.scalars import ratio
from ecosystem.stages.finance import worth
from ecosystem.state.records import Books, Exits, Investment, Quarter, RealAssets
from ecosystem.state.setting import Setting

YUAN = 1e-6  # M¥; rounding below one yuan is never insolvency


class Takeover(NamedTuple):
    """Who leaves and what becomes of it, (runs, centres)."""

    left: Array  # 1 where a centre leaves
    heir: Array  # share of those who stay in what their cell takes over, if it does
    halls: Array  # 1 where the halls of a centre that leaves are taken over
    servers: Array  # 1 where its servers are, rather than scrapped


def exit_centres(quarter: Quarter, books: Books, assets: RealAssets, setting: Setting) -> Exits:
    """Return centres after exits; docs/model.md, S6.

    A centre is in default where its debts exceed its assets and it cannot pay what is due -
    running costs, taxes, interest, instalments - without a new overdraft: insolvency by cash flow
    and by balance sheet, the narrower case of article 2 of the Enterprise Bankruptcy Law (2006),
    which is also met by one that cannot pay and evidently never will. After a year in default it
    leaves; a state owner stays with the probability of its soft budget. The others of its cell take
    its halls over at recovery value, and its servers too unless they are scrapped.
    """
    p, centres, state = setting.parameters.of_run, setting.world.centres, quarter.state.centres
    over = take_over(quarter, setting)
    goods, power, pue, server_pipeline, halls_pipeline = hand_over(
        p, over, quarter.investment, books, assets, centres.cell, centres.cell_start
    )
    servers, real_servers, book_servers, halls, nameplate, real_halls, book_halls = goods
    received, paid, repaid, left_over, overdraft, loan, written_off, insolvent = settle_debts(
        p, over, books, book_servers + book_halls, quarter.policy.local_settlement,
        state.insolvent, centres.cell, centres.cell_start,
    )  # fmt: skip
    return Exits(
        left=over.left,
        servers=servers,
        server_pipeline=server_pipeline,
        halls=halls,
        halls_pipeline=halls_pipeline,
        nameplate=nameplate,
        power=power,
        pue=pue,
        book_servers=book_servers,
        book_halls=book_halls,
        real_servers=real_servers,
        real_halls=real_halls,
        paid=paid,
        received=received,
        repaid=repaid,
        left_over=left_over,
        overdraft=overdraft,
        loan=loan,
        written_off=written_off,
        insolvent=insolvent,
    )


def take_over(quarter: Quarter, setting: Setting) -> Takeover:
    """Draw who leaves and whose servers are scrapped; the others of a cell share by size."""
    p, centres = setting.parameters.of_run, setting.world.centres
    leave_draw, scrap_draw = (
        spread(setting.chance.uniform(process, quarter.state.period, centres.count), centres.order)
        for process in ("owners that leave", "servers scrapped")
    )
    left = setting.rules.close_centre(quarter, setting, leave_draw)
    size = quarter.investment.servers + spread(setting.by_kind("bid_size"), centres.kind)
    others = taken_over(p, left, size, scrap_draw, centres.cell, centres.cell_start)
    return Takeover(left, *others)


@kernel
def taken_over(
    parameters: Any, left: Array, size: Array, luck: Array, cell: Any, start: Any
) -> Array:
    """Return shares of heirs, and whose halls and servers are taken over, (3, runs, centres)."""
    over = np.zeros((3, *left.shape))
    for r in range(len(left)):
        p = parameters[r]
        for c in range(len(cell)):
            if not left[r, c]:
                continue
            first, last = bounds(cell[c], start, len(cell))
            stay = 0.0
            for other in range(first, last):
                stay += size[r, other] * (1 - left[r, other])
            if stay > 0:
                for other in range(first, last):
                    over[0, r, other] = size[r, other] * (1 - left[r, other]) / stay
                over[1, r, c] = 1
                over[2, r, c] = luck[r, c] >= p.scrap_probability
    return over


@equation
def bounds(cell: int, start: Any, count: int) -> tuple[int, int]:
    """Return the first of a cell's centres, and the first that is none of them."""
    return start[cell], start[cell + 1] if cell + 1 < len(start) else count


def close_centre(quarter: Quarter, setting: Setting, luck: Array) -> Array:
    """Return 1 for each centre that leaves, else 0 (runs, centres): a rule.

    After a year in default; state owners stay with the probability of their soft budget, which
    `luck` decides, uniform numbers (runs, centres).
    """
    p, world = setting.parameters, setting.world
    soft = p.soft_budget * spread(p.stack("soft_owner", world.owners), world.centres.owner)
    insolvent = quarter.state.centres.insolvent >= p.exit_quarters
    return (insolvent & (luck >= soft)).astype(float)


@kernel
def hand_over(
    parameters: Any, over: Takeover, built: Investment, books: Books, assets: RealAssets,
    cell: Any, start: Any,
) -> tuple[Array, Array, Array, Array, Array]:  # fmt: skip
    """Return what centres have after takeovers: goods (7, runs, centres), power, PUE, pipelines.

    Goods are servers, real assets and books of servers; halls, what they were planned to carry,
    real assets and books of halls. Heirs book what they take over at the price paid. Real assets
    pass on in full, since a change of owner shrinks no capital; what nobody takes over is written
    off. Power and PUE of an heir are means of its servers and of those it takes over.
    """
    goods, power, pue = np.empty((7, *over.left.shape)), built.power.copy(), built.pue.copy()
    server_pipeline, halls_pipeline = built.server_pipeline.copy(), built.halls_pipeline.copy()
    for r in range(len(over.left)):
        p = parameters[r]
        goods[0, r], goods[1, r] = built.servers[r], assets.servers[r]
        goods[2, r], goods[3, r] = books.book_servers[r], built.halls[r]
        goods[4, r], goods[5, r] = built.nameplate[r], assets.halls[r]
        goods[6, r] = books.book_halls[r]
        for c in range(len(cell)):
            if not over.left[r, c]:
                continue
            first, last = bounds(cell[c], start, len(cell))
            heir, servers, halls = over.heir[r], over.servers[r, c], over.halls[r, c]
            for other in range(first, last):
                gained = servers * heir[other] * goods[0, r, c]
                part = ratio(gained, gained + goods[0, r, other])
                power[r, other] += part * (power[r, c] - power[r, other])
                pue[r, other] += part * (pue[r, c] - pue[r, other])
            parts = (
                servers, servers, servers * p.recovery_share,
                halls, halls, halls, halls * p.recovery_share,
            )  # fmt: skip
            for i in range(len(parts)):
                pass_on(goods[i, r], c, parts[i], heir, first, last)
            for lag in server_pipeline[r]:
                pass_on(lag, c, servers, heir, first, last)
            for lag in halls_pipeline[r]:
                pass_on(lag, c, halls, heir, first, last)
    return goods, power, pue, server_pipeline, halls_pipeline


@equation
def pass_on(goods: Array, c: int, part: float, heir: Array, first: int, last: int) -> None:
    """Take goods from a centre that leaves and give a part of them to its heirs, in place."""
    given, goods[c] = part * goods[c], 0.0
    for other in range(first, last):
        goods[other] += given * heir[other]


@kernel
def settle_debts(
    parameters: Any, over: Takeover, books: Books, book: Array, settled: Array, insolvent: Array,
    cell: Any, start: Any,
) -> Array:  # fmt: skip
    """Return what sales of centres that leave do to accounts, M¥ (8, runs, centres).

    What sellers receive and buyers pay, and the `closing` of every centre. `book` is the book value
    after takeovers, `insolvent` counts the quarters in default before.
    """
    lines = np.zeros((8, *book.shape))
    for r in range(len(book)):
        p, left, received, paid = parameters[r], over.left[r], lines[0, r], lines[1, r]
        for c in range(len(cell)):
            if not left[c]:
                continue
            first, last = bounds(cell[c], start, len(cell))
            halls, servers = over.halls[r, c], over.servers[r, c]
            worth = books.book_servers[r, c] * servers + books.book_halls[r, c] * halls
            received[c] = p.recovery_share * settled[r, 0] * worth
            for other in range(first, last):
                paid[other] += received[c] * over.heir[r, other]
        for c in range(len(cell)):
            cash = books.cash[r, c] + received[c] - paid[c]
            lines[2:, r, c] = closing(
                left[c], cash, books.loan[r, c], books.overdraft[r, c], book[r, c], settled[r, 0],
                insolvent[r, c],
            )  # fmt: skip
    return lines


@equation
def closing(
    left: float, cash: float, loan: float, borrowed: float, book: float, settled: float,
    insolvent: float,
) -> tuple[float, float, float, float, float, float]:  # fmt: skip
    """Return the last lines of a centre's quarter, M¥.

    Repayment of who leaves, what is left to its owners, overdraft of who buys, loan, what banks
    lose; quarters in default. `borrowed` is the overdraft without takeovers.
    """
    stays, overdraft = 1 - left, max(-cash, 0.0)
    repaid = left * min(loan, max(cash, 0.0))
    left_over, written_off = left * max(cash, 0.0) - repaid, left * loan - repaid
    owed = (loan + overdraft) * stays
    own = worth((cash + overdraft) * stays, book, owed, settled)
    default = own < -YUAN and borrowed > YUAN
    quarters = (insolvent + 1) * stays if default else 0.0
    return repaid, left_over, overdraft, owed, written_off, quarters
