"""Centres that stay in default leave: others of the cell take halls and servers over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecosystem.maths.arrays import Array, safe_ratio
from ecosystem.maths.clearing import segment_share, segment_sum, spread
from ecosystem.stages.finance import equity
from ecosystem.state.records import Books, Exits, Quarter, RealAssets
from ecosystem.state.setting import Setting

YUAN = 1e-6  # M¥; rounding below one yuan is never insolvency


@dataclass(frozen=True)
class Takeover:
    """Who leaves and what becomes of it, (runs, centres)."""

    left: Array  # 1 where a centre leaves
    heir: Array  # share of those who stay in what their cell takes over
    halls: Array  # 1 where the halls of a centre that leaves are taken over
    servers: Array  # 1 where its servers are, rather than scrapped


def exit_centres(quarter: Quarter, books: Books, assets: RealAssets, setting: Setting) -> Exits:
    """Return centres after exits; docs/model.md, S6.

    A centre is in default where its debts exceed its assets and it cannot pay what is due -
    interest, instalments, taxes - without a new overdraft (both tests of article 2 of the
    Enterprise Bankruptcy Law, 2006). After a year in default it leaves; a state owner stays with
    the probability of its soft budget. The others of its cell take its halls over at recovery
    value, and its servers too unless they are scrapped.
    """
    p, built, cell = setting.parameters, quarter.investment, setting.world.centres.cell
    settled, start = quarter.policy.local_settlement, setting.world.centres.cell_start
    over = take_over(quarter, setting)
    left = over.left
    goods = hand_over(quarter, books, assets, over, setting)
    worth = books.book_servers * over.servers + books.book_halls * over.halls
    received = p.recovery_share * settled * worth
    paid = over.heir * spread(segment_sum(received, start), cell)
    cash = books.cash + received - paid
    repaid = left * np.minimum(books.loan, np.maximum(cash, 0))
    overdraft = np.maximum(-cash, 0)
    loan = (books.loan + overdraft) * (1 - left)
    book = goods["book_servers"] + goods["book_halls"]
    own = equity((cash + overdraft) * (1 - left), book, loan, settled)
    default = (own < -YUAN) & (books.overdraft > YUAN)
    servers = goods["servers"]
    return Exits(
        left=left,
        servers=servers,
        server_pipeline=goods["server_pipeline"],
        halls=goods["halls"],
        halls_pipeline=goods["halls_pipeline"],
        nameplate=goods["nameplate"],
        power=np.where(servers > 0, safe_ratio(goods["power"], servers), built.power),
        pue=np.where(servers > 0, safe_ratio(goods["pue"], servers), built.pue),
        book_servers=goods["book_servers"],
        book_halls=goods["book_halls"],
        real_servers=goods["real_servers"],
        real_halls=goods["real_halls"],
        paid=paid,
        received=received,
        repaid=repaid,
        left_over=left * (np.maximum(cash, 0) - repaid),
        overdraft=overdraft,
        loan=loan,
        written_off=left * books.loan - repaid,
        insolvent=np.where(default, (quarter.state.centres.insolvent + 1) * (1 - left), 0.0),
    )


def take_over(quarter: Quarter, setting: Setting) -> Takeover:
    """Draw who leaves and whose servers are scrapped; the others of a cell share by size."""
    p, centres = setting.parameters, setting.world.centres
    start, cell = centres.cell_start, centres.cell
    leave_draw, scrap_draw = (
        spread(setting.chance.uniform(process, quarter.state.period, centres.count), centres.order)
        for process in ("owners that leave", "servers scrapped")
    )
    left = setting.rules.close_centre(quarter, setting, leave_draw)
    size = quarter.investment.servers + spread(setting.by_kind("bid_size"), centres.kind)
    heir = segment_share(size * (1 - left), start, cell)
    halls = left * (spread(segment_sum(heir, start), cell) > 0)
    return Takeover(left, heir, halls, halls * (scrap_draw >= p.scrap_probability))


def close_centre(quarter: Quarter, setting: Setting, luck: Array) -> Array:
    """Return 1 for each centre that leaves, else 0 (runs, centres): a rule.

    After a year in default; state owners stay with the probability of their soft budget, which
    `luck` decides, uniform numbers (runs, centres).
    """
    p, world = setting.parameters, setting.world
    soft = p.soft_budget * spread(p.stack("soft_owner", world.owners), world.centres.owner)
    insolvent = quarter.state.centres.insolvent >= p.exit_quarters
    return (insolvent & (luck >= soft)).astype(float)


def hand_over(
    quarter: Quarter, books: Books, assets: RealAssets, over: Takeover, setting: Setting
) -> dict[str, Array]:
    """Return what centres have after takeovers, by name (runs, ..., centres).

    Heirs book what they take over at the price paid. Real assets pass on in full, since a change
    of owner shrinks no capital; what nobody takes over is written off. `power` and `pue` are
    times servers.
    """
    built, p, centres = quarter.investment, setting.parameters, setting.world.centres
    halls, servers = over.halls[:, None], over.servers[:, None]
    goods = {  # what there is, whether it is taken over, and at which share
        "servers": (built.servers[:, None], servers, 1.0),
        "power": ((built.servers * built.power)[:, None], servers, 1.0),
        "pue": ((built.servers * built.pue)[:, None], servers, 1.0),
        "book_servers": (books.book_servers[:, None], servers, p.recovery_share[:, None]),
        "halls": (built.halls[:, None], halls, 1.0),
        "nameplate": (built.nameplate[:, None], halls, 1.0),
        "book_halls": (books.book_halls[:, None], halls, p.recovery_share[:, None]),
        "real_servers": (assets.servers[:, None], servers, 1.0),
        "real_halls": (assets.halls[:, None], halls, 1.0),
        "server_pipeline": (built.server_pipeline, servers, 1.0),
        "halls_pipeline": (built.halls_pipeline, halls, 1.0),
    }
    given = np.concatenate([what * taken * share for what, taken, share in goods.values()], axis=1)
    gained = over.heir[:, None] * spread(segment_sum(given, centres.cell_start), centres.cell)
    after, row = {}, 0
    for name, (what, _, _) in goods.items():
        rows = what.shape[1]
        kept = what * (1 - over.left)[:, None] + gained[:, row : row + rows]
        after[name] = kept if name.endswith("pipeline") else kept[:, 0]
        row += rows
    return after
