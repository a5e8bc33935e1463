"""The list of payments of a quarter, and the only place where deposits change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

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


class Purpose(StrEnum):
    """What a payment is for. Who pays for what, and who receives it, are sums over purposes."""

    SALE = "sale"  # goods and services of any kind
    WAGE = "wage"  # work
    INVESTMENT = "investment"  # equipment and buildings
    TAX = "tax"  # on value added and on profit
    CHARGE = "charge"  # so much a unit of a quantity: a row of the instrument table
    SUBSIDY = "subsidy"  # what transfers pay on claims, vouchers included, and support of parks
    GRANT = "grant"  # for research, out of programmes and the fiscal loop
    PROGRAMME = "programme"  # what else programmes pay to people here
    FUNDING = "funding"  # of universities, with and without a policy
    INTEREST = "interest"
    DIVIDEND = "dividend"  # profit that owners take, headquarters included
    EQUITY = "equity"  # what owners put in, headquarters included
    LOAN = "loan"
    REPAYMENT = "repayment"
    WRITE_OFF = "write-off"  # debts that the bank bears
    TAKEOVER = "takeover"  # of a centre that exits
    OTHER = "other"  # a user's own: public cost if a government pays, receipt if it receives


PUBLIC_COST = (Purpose.SUBSIDY, Purpose.GRANT, Purpose.PROGRAMME, Purpose.OTHER)
"""What instruments cost governments."""
RECEIPTS = (Purpose.TAX, Purpose.CHARGE, Purpose.OTHER)
"""What brings governments money."""


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
    purpose: Purpose = Purpose.OTHER


class Ledger:
    """The flows of one quarter in the order in which they are listed, and running deposits."""

    def __init__(self, state: State) -> None:
        self.flows: list[Flow] = []
        self._moved: str | None = None
        self.balance: dict[str, Array] = {  # own copies, moved in place
            name: np.array(getattr(getattr(state, part), field))
            for name, (part, field) in SECTORS.items()
        }

    def add(
        self,
        purpose: Purpose,
        label: str,
        payer: str,
        paid: Array | None,
        receiver: str,
        received: Array | None = None,
    ) -> None:
        """List a flow; a side without an amount is a passive sector that pays or gets all."""
        if received is None and paid is not None:
            received = total(paid)
        elif paid is None and received is not None:
            paid = total(received)
        if paid is None or received is None:
            raise ValueError(f"flow {label!r} has no amount")
        self.book(Flow(label, payer, paid, receiver, received, purpose))

    def book(self, flow: Flow) -> None:
        """List a flow and move deposits."""
        self.flows.append(flow)
        if flow.payer != self._moved:
            self.balance[flow.payer] -= flow.paid
        if flow.receiver != self._moved:
            self.balance[flow.receiver] += flow.received

    @contextmanager
    def at_once(self, sector: str, net: Array) -> Iterator[None]:
        """Move the deposits of a sector once, not by each of the flows that are listed meanwhile.

        `net` is what the sector receives in all of them less what it pays, (runs, members): a loop
        over many members that has each of them at hand adds up faster than the ledger.
        """
        self.balance[sector] += net
        self._moved = sector
        yield
        self._moved = None


def select(
    flows: Iterable[Flow],
    *purposes: Purpose,
    payer: str | None = None,
    receiver: str | None = None,
) -> list[Flow]:
    """Return the flows of some purposes (none named: of all) between two sectors (None: any)."""
    return [
        flow
        for flow in flows
        if (not purposes or flow.purpose in purposes)
        and payer in (None, flow.payer)
        and receiver in (None, flow.receiver)
    ]


def amount(flows: Iterable[Flow]) -> Array:
    """Return the sum of some flows, M¥ (runs, 1), or zero (1, 1) if there are none."""
    parts = [total(flow.paid) for flow in flows]
    return add_up(parts) if parts else np.zeros((1, 1))


def public_cost(flows: Sequence[Flow]) -> Array:
    """Return what governments pay for instruments, M¥ (runs, prefectures + 2).

    A user's payment from one government to another costs the one and relieves the other; a
    voucher that a government gets relieves its bill for compute, which is no public cost.
    """
    paid = [flow.paid for flow in select(flows, *PUBLIC_COST, payer="government")]
    passed_on = select(flows, Purpose.OTHER, payer="government", receiver="government")
    return add_up([*paid, *(-flow.received for flow in passed_on)])


def receipts(flows: Sequence[Flow]) -> list[Flow]:
    """Return the flows that bring governments money from others."""
    return [
        flow
        for flow in select(flows, *RECEIPTS, receiver="government")
        if flow.payer != "government"
    ]


def split_evenly(whole: Array, weight: Array) -> Array:
    """Share a total (runs, 1) among members by weight, (runs, members)."""
    return np.asarray(weight * safe_ratio(whole, weight.sum(axis=-1, keepdims=True)))


def by_level(nation: Array, province: Array, prefectures: Array) -> Array:
    """Return amounts in the order of government deposits, (runs, prefectures + 2)."""
    return np.concatenate([prefectures, province, nation], axis=1)


def province_alone(prefectures: int) -> Array:
    """Return 1 for the province and 0 for the other governments, (1, prefectures + 2)."""
    return by_level(np.zeros((1, 1)), np.ones((1, 1)), np.zeros((1, prefectures)))


def matrix(flows: Sequence[Flow], by: str = "label") -> dict[str, dict[str, Array]]:
    """Return the transaction matrix: label -> sector -> net receipt, M¥ (runs, 1).

    With `by="purpose"` a row is a purpose: who bears it, and who has the good of it.
    """
    rows: dict[str, dict[str, Array]] = {}
    for flow in flows:
        row = rows.setdefault(getattr(flow, by), {})
        row[flow.payer] = row.get(flow.payer, 0.0) - total(flow.paid)
        row[flow.receiver] = row.get(flow.receiver, 0.0) + total(flow.received)
    return rows
