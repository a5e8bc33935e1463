"""The list of payments of a quarter, and the only place where deposits change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecosystem.maths.arrays import Array, add_up, safe_ratio, total
from ecosystem.state.state import State

SECTORS = {
    "centres": ("centres", "cash"),
    "makers": ("makers", "cash"),
    "firms": ("firms", "cash"),
    "universities": ("universities", "cash"),
    "parks": ("parks", "cash"),
    "government": ("governments", "cash"),
    "households": ("sectors", "households"),
    "grid": ("sectors", "grid"),
    "bank": ("sectors", "bank"),
    "world": ("sectors", "world"),
}
"""Where the deposits of each sector stand in the state."""


@dataclass(frozen=True)
class Flow:
    """A payment of the quarter, M¥: what each payer pays and what each receiver gets.

    Both arrays are (runs, members of the sector) and have the same sum in every run.
    """

    label: str
    payer: str
    paid: Array
    receiver: str
    received: Array


class Ledger:
    """The flows of one quarter in the order in which they are listed, and running deposits."""

    def __init__(self, state: State) -> None:
        self.flows: list[Flow] = []
        self.balance: dict[str, Array] = {
            name: getattr(getattr(state, part), field) for name, (part, field) in SECTORS.items()
        }

    def add(
        self, label: str, payer: str, paid: Array, receiver: str, received: Array | None = None
    ) -> None:
        """List a flow; without `received` the receiver is a passive sector that gets all."""
        got = total(paid) if received is None else received
        self.flows.append(Flow(label, payer, paid, receiver, got))
        self.balance[payer] = self.balance[payer] - paid
        self.balance[receiver] = self.balance[receiver] + got

    def received_by(self, sector: str) -> Array:
        """Return what a sector has received so far, M¥ (runs, members)."""
        return add_up(flow.received for flow in self.flows if flow.receiver == sector)


def split_evenly(amount: Array, weight: Array) -> Array:
    """Share a total (runs, 1) among members by weight, (runs, members)."""
    whole = weight.sum(axis=-1, keepdims=True)
    return np.asarray(weight * safe_ratio(amount, whole))


def by_level(nation: Array, province: Array, prefectures: Array) -> Array:
    """Return amounts in the order of government deposits, (runs, prefectures + 2)."""
    return np.concatenate([prefectures, province, nation], axis=1)


def matrix(flows: Sequence[Flow]) -> dict[str, dict[str, Array]]:
    """Return the transaction matrix: label -> sector -> net receipt, M¥ (runs, 1)."""
    rows: dict[str, dict[str, Array]] = {}
    for flow in flows:
        row = rows.setdefault(flow.label, {})
        row[flow.payer] = row.get(flow.payer, 0.0) - total(flow.paid)
        row[flow.receiver] = row.get(flow.receiver, 0.0) + total(flow.received)
    return rows
