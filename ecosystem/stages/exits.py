"""Centres that stay in default leave: others of the cell take halls and servers over."""

from __future__ import annotations

import numpy as np

from ecosystem.maths.arrays import Array, safe_ratio
from ecosystem.maths.clearing import segment_share, segment_sum, spread
from ecosystem.state.records import Books, Exits, Quarter
from ecosystem.state.setting import Setting

YUAN = 1e-6  # M¥; rounding below one yuan is never insolvency


def exit_centres(
    quarter: Quarter,
    books: Books,
    setting: Setting,
) -> Exits:
    """Return centres after exits; model equation (6.5).

    A centre is in default where its debts exceed its assets and its surplus does not pay the
    interest (interest coverage: Caballero, Hoshi & Kashyap 2008); a bank lets one that earns its
    interest go on. After a year in default it leaves; a state owner stays with the probability
    of its soft budget. The others of its cell take its halls over at recovery value, and its
    servers too unless they are scrapped.
    """
    state, investment = quarter.state, quarter.investment
    local_settlement = quarter.policy.local_settlement
    world, p = setting.world, setting.parameters
    centres = world.centres
    start, cell = centres.cell_start, centres.cell
    draw = setting.chance.uniform("centre exits", state.period, 2 * centres.count)
    draw = draw.reshape(setting.runs, centres.count, 2)
    leave_draw, scrap_draw = (spread(draw[:, :, i], centres.order) for i in (0, 1))
    left = setting.rules.close_centre(quarter, setting, leave_draw)
    size = investment.servers + spread(setting.by_kind("bid_size"), centres.kind)
    heir = segment_share(size * (1 - left), start, cell)
    taken = left * (spread(segment_sum(heir, start), cell) > 0)
    sold = taken * (scrap_draw >= p.scrap_probability)
    pipes = investment.server_pipeline.shape[1], investment.halls_pipeline.shape[1]
    passed = np.stack([sold] * 4 + [taken] * 2 + [sold] * pipes[0] + [taken] * pipes[1], axis=1)
    taken_over = np.concatenate(
        [
            np.stack(
                [
                    investment.servers,
                    investment.servers * investment.power,
                    investment.servers * investment.pue,
                    p.recovery_share * books.book_servers,
                    investment.halls,
                    p.recovery_share * books.book_halls,
                ],
                axis=1,
            ),
            investment.server_pipeline,
            investment.halls_pipeline,
        ],
        axis=1,
    )
    moved = spread(segment_sum(taken_over * passed, start), cell)
    gained = heir[:, None] * moved
    after = taken_over * (1 - left)[:, None] + gained
    servers, whole_power, whole_pue, _, halls, _ = (after[:, i] for i in range(6))
    book_servers = books.book_servers * (1 - left) + gained[:, 3]  # at the price paid
    book_halls = books.book_halls * (1 - left) + gained[:, 5]
    orders = 6 + pipes[0]
    book = books.book_servers * sold + books.book_halls * taken
    received = p.recovery_share * local_settlement * book
    paid = heir * spread(segment_sum(received, start), cell)
    cash = books.cash + received - paid
    repaid = left * np.minimum(books.loan, np.maximum(cash, 0))
    left_over = left * (np.maximum(cash, 0) - repaid)
    overdraft = np.maximum(-cash, 0)
    loan = (books.loan + overdraft) * (1 - left)
    written_off = left * books.loan - repaid
    equity = (cash + overdraft) * (1 - left) - loan
    equity = equity + local_settlement * (book_servers + book_halls)
    default = (equity < -YUAN) & (local_settlement * books.surplus < books.interest)
    return Exits(
        left=left,
        servers=servers,
        server_pipeline=after[:, 6:orders],
        halls=halls,
        halls_pipeline=after[:, orders:],
        power=np.where(servers > 0, safe_ratio(whole_power, servers), investment.power),
        pue=np.where(servers > 0, safe_ratio(whole_pue, servers), investment.pue),
        book_servers=book_servers,
        book_halls=book_halls,
        paid=paid,
        received=received,
        repaid=repaid,
        left_over=left_over,
        overdraft=overdraft,
        loan=loan,
        written_off=written_off,
        insolvent=np.where(default, (state.centres.insolvent + 1) * (1 - left), 0.0),
    )


def close_centre(quarter: Quarter, setting: Setting, luck: Array) -> Array:
    """Return 1 for each centre that leaves, else 0 (runs, centres): a rule.

    After a year in default; state owners stay with the probability of their soft budget, which
    `luck` decides, uniform numbers (runs, centres).
    """
    p, world = setting.parameters, setting.world
    soft = p.soft_budget * spread(p.stack("soft_owner", world.owners), world.centres.owner)
    insolvent = quarter.state.centres.insolvent >= p.exit_quarters
    return (insolvent & (luck >= soft)).astype(float)
