"""Centres that stay insolvent, one by one: who leaves, who takes over, what is paid."""

from __future__ import annotations

from typing import Any

from .agents import Agents, Centre
from .closed_forms import ratio

ONE_YUAN = 1e-6  # M¥


def reference_exits(
    agents: Agents, investment: dict[str, Any], books: dict[str, Any], at_home: float
) -> dict[str, Any]:
    """Return centres after exits (6.5), named as in the vectorised stage.

    `books` holds the closing balance of the quarter by centre: cash, loan, book_servers and
    book_halls; `at_home` is the share of capital that is booked here.
    """
    p, centres = agents.p, agents.centres
    n = range(len(centres))
    draw = agents.uniform("centre exits", 2 * len(centres))
    left = [leaves(agents, centre, draw[2 * centre.luck]) for centre in centres]
    heirs = [heir_shares(agents, investment, left, i) for i in n]
    sold = [
        left[i] and draw[2 * centres[i].luck + 1] >= p.scrap_probability and bool(heirs[i])
        for i in n
    ]

    def hand_over(values: list[float]) -> list[float]:
        after = [0.0 if left[i] else values[i] for i in n]
        for i in n:
            for j, share in heirs[i].items() if sold[i] else ():
                after[j] += share * values[i]
        return after

    def mean_after(values: list[float]) -> list[float]:
        servers = investment["servers"]
        whole = hand_over(servers)
        weighted = hand_over([value * size for value, size in zip(values, servers, strict=True)])
        return [weighted[i] / whole[i] if whole[i] > 0 else values[i] for i in n]

    worth = [
        p.recovery_share * at_home * (books["book_servers"][i] + books["book_halls"][i]) for i in n
    ]
    received = [worth[i] if sold[i] else 0.0 for i in n]
    paid = [0.0 for _ in n]
    for i in n:
        for j, share in heirs[i].items() if sold[i] else ():
            paid[j] += share * worth[i]
    cash = [books["cash"][i] + received[i] - paid[i] for i in n]
    repaid = [min(books["loan"][i], max(cash[i], 0.0)) if left[i] else 0.0 for i in n]
    overdraft = [max(-cash[i], 0.0) for i in n]
    loan = [0.0 if left[i] else books["loan"][i] + overdraft[i] for i in n]
    book_servers, book_halls = (
        at_price_paid(agents, books[name], left, sold, heirs)
        for name in ("book_servers", "book_halls")
    )
    insolvent = []
    for i in n:
        own = 0.0 if left[i] else cash[i] + overdraft[i]
        equity = own + at_home * (book_servers[i] + book_halls[i]) - loan[i]
        still = equity < -ONE_YUAN and not left[i]
        insolvent.append(centres[i].insolvent + 1 if still else 0.0)
    return {
        "left": [1.0 if gone else 0.0 for gone in left],
        "servers": hand_over(investment["servers"]),
        "server_pipeline": [hand_over(lag) for lag in investment["server_pipeline"]],
        "halls": hand_over(investment["halls"]),
        "halls_pipeline": [hand_over(lag) for lag in investment["halls_pipeline"]],
        "power": mean_after(investment["power"]),
        "pue": mean_after(investment["pue"]),
        "book_servers": book_servers,
        "book_halls": book_halls,
        "paid": paid,
        "received": received,
        "repaid": repaid,
        "left_over": [max(cash[i], 0.0) - repaid[i] if left[i] else 0.0 for i in n],
        "overdraft": overdraft,
        "loan": loan,
        "written_off": [books["loan"][i] - repaid[i] if left[i] else 0.0 for i in n],
        "insolvent": insolvent,
    }


def at_price_paid(
    agents: Agents,
    values: list[float],
    left: list[bool],
    sold: list[bool],
    heirs: list[dict[int, float]],
) -> list[float]:
    """Return book values after exits: heirs book what they take over at what they paid."""
    after = [0.0 if gone else value for gone, value in zip(left, values, strict=True)]
    for i, value in enumerate(values):
        for j, share in heirs[i].items() if sold[i] else ():
            after[j] += share * value * agents.p.recovery_share
    return after


def leaves(agents: Agents, centre: Centre, draw: float) -> bool:
    """Return whether a centre leaves: a year of negative equity; state owners may be kept."""
    p = agents.p
    kept = p.soft_budget * getattr(p, f"soft_owner_{centre.owner}")
    return centre.insolvent >= p.exit_quarters and draw >= kept


def heir_shares(
    agents: Agents, investment: dict[str, Any], left: list[bool], i: int
) -> dict[int, float]:
    """Return who takes over centre i: those of its cell who stay, by size; nobody if none do."""
    seller = agents.centres[i]
    size = {
        j: investment["servers"][j] + agents.by_kind("bid_size")[centre.kind]
        for j, centre in enumerate(agents.centres)
        if (centre.kind, centre.prefecture) == (seller.kind, seller.prefecture) and not left[j]
    }
    whole = sum(size.values())
    return {j: ratio(value, whole) for j, value in size.items()}
