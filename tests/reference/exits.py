"""Centres that stay in default, one by one: who leaves, who takes over, what is paid."""

from __future__ import annotations

from typing import Any

from .agents import Agents, Centre
from .closed_forms import ratio

ONE_YUAN = 1e-6  # M¥


def reference_exits(
    agents: Agents,
    investment: dict[str, Any],
    books: dict[str, Any],
    assets: dict[str, Any],
    at_home: float,
) -> dict[str, Any]:
    """Return centres after exits, named as in the vectorised stage.

    Heirs take over the halls of a centre that leaves, and its servers unless they are scrapped.
    `books` holds what the quarter did to each centre: cash, loan, book_servers, book_halls,
    surplus and interest; `assets` servers and halls at gross cost; `at_home` is the share of
    surplus and capital that is booked here.
    """
    p, centres = agents.p, agents.centres
    n = range(len(centres))
    leave_draw = agents.uniform("owners that leave", len(centres))
    scrap_draw = agents.uniform("servers scrapped", len(centres))
    left = [leaves(agents, centre, leave_draw[centre.luck]) for centre in centres]
    heirs = [heir_shares(agents, investment, left, i) for i in n]
    taken = [left[i] and bool(heirs[i]) for i in n]  # halls and what is built of them
    sold = [taken[i] and scrap_draw[centres[i].luck] >= p.scrap_probability for i in n]

    def hand_over(values: list[float], given: list[bool], price: float = 1.0) -> list[float]:
        after = [0.0 if left[i] else values[i] for i in n]
        for i in n:
            for j, share in heirs[i].items() if given[i] else ():
                after[j] += share * values[i] * price
        return after

    def mean_after(values: list[float]) -> list[float]:
        servers = investment["servers"]
        whole = hand_over(servers, sold)
        weighted = [value * size for value, size in zip(values, servers, strict=True)]
        weighted = hand_over(weighted, sold)
        return [weighted[i] / whole[i] if whole[i] > 0 else values[i] for i in n]

    received, paid = [0.0 for _ in n], [0.0 for _ in n]
    for i in n:
        worth = books["book_halls"][i] if taken[i] else 0.0
        worth += books["book_servers"][i] if sold[i] else 0.0
        received[i] = p.recovery_share * at_home * worth
        for j, share in heirs[i].items() if taken[i] else ():
            paid[j] += share * received[i]
    cash = [books["cash"][i] + received[i] - paid[i] for i in n]
    repaid = [min(books["loan"][i], max(cash[i], 0.0)) if left[i] else 0.0 for i in n]
    overdraft = [max(-cash[i], 0.0) for i in n]
    loan = [0.0 if left[i] else books["loan"][i] + overdraft[i] for i in n]
    # heirs book what they take over at what they paid
    book_servers = hand_over(books["book_servers"], sold, p.recovery_share)
    book_halls = hand_over(books["book_halls"], taken, p.recovery_share)
    insolvent = []
    for i in n:
        own = 0.0 if left[i] else cash[i] + overdraft[i]
        equity = own + at_home * (book_servers[i] + book_halls[i]) - loan[i]
        unpaid = books["overdraft"][i] > ONE_YUAN
        default = equity < -ONE_YUAN and unpaid and not left[i]
        insolvent.append(centres[i].insolvent + 1 if default else 0.0)
    return {
        "left": [1.0 if gone else 0.0 for gone in left],
        "servers": hand_over(investment["servers"], sold),
        "server_pipeline": [hand_over(lag, sold) for lag in investment["server_pipeline"]],
        "halls": hand_over(investment["halls"], taken),
        "nameplate": hand_over(investment["nameplate"], taken),
        "halls_pipeline": [hand_over(lag, taken) for lag in investment["halls_pipeline"]],
        "power": mean_after(investment["power"]),
        "pue": mean_after(investment["pue"]),
        "book_servers": book_servers,
        "book_halls": book_halls,
        # a change of owner takes nothing from what there is
        "real_servers": hand_over(assets["servers"], sold),
        "real_halls": hand_over(assets["halls"], taken),
        "paid": paid,
        "received": received,
        "repaid": repaid,
        "left_over": [max(cash[i], 0.0) - repaid[i] if left[i] else 0.0 for i in n],
        "overdraft": overdraft,
        "loan": loan,
        "written_off": [books["loan"][i] - repaid[i] if left[i] else 0.0 for i in n],
        "insolvent": insolvent,
    }


def leaves(agents: Agents, centre: Centre, draw: float) -> bool:
    """Return whether a centre leaves: a year in default; state owners may be kept."""
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
