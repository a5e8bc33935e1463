"""S7: charges, so much for a unit of a base quantity; each is a row of the instrument table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ecosystem.inputs.catalogue import Instrument, charges
from ecosystem.maths.arrays import Array, add_up, total
from ecosystem.maths.clearing import spread
from ecosystem.stages.settlement import park_energy
from ecosystem.state.ledger import Ledger, Purpose, by_level
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Setting

BASES: dict[tuple[str, str], Callable[[Quarter, Setting], Array]] = {
    ("centres", "electricity"): lambda quarter, setting: quarter.market.energy,
    ("centres", "compute"): lambda quarter, setting: quarter.market.sold,
    ("parks", "electricity"): lambda quarter, setting: park_energy(quarter, setting),
    ("makers", "sales"): lambda quarter, setting: quarter.supply.sales,
    ("firms", "sales"): lambda quarter, setting: quarter.business.sales,
}
"""What can be charged for: by payer and base, in the unit that the table names (runs, members)."""
YUAN = 1e-6  # M¥


def charge_due(row: Instrument, quarter: Quarter, setting: Setting) -> Array:
    """Return what the payers of a charge owe, rate times base, M¥ (runs, members)."""
    base = BASES[row.payer, row.base](quarter, setting)
    scale = 1.0 if row.rate_unit == "share" else YUAN
    where = getattr(setting.world, row.payer).prefecture
    return base * spread(scale * quarter.policy.promised[row.name], where)


def charges_due(payer: str, quarter: Quarter, setting: Setting) -> Array:
    """Return what a sector owes for all charges on it, M¥ (runs, members); 0 without any."""
    none = np.zeros((setting.runs, getattr(setting.world, payer).count))
    due = (charge_due(row, quarter, setting) for row in charges() if row.payer == payer)
    return add_up([none, *due])


def charge_flows(ledger: Ledger, quarter: Quarter, setting: Setting) -> None:
    """List the charges; the prefectures' part stays where it is owed."""
    for row in charges():
        paid = charge_due(row, quarter, setting)
        there = getattr(setting.world, row.payer).sum(paid, "prefecture")
        shares = row.national_share, row.provincial_share, row.prefecture_share
        got = by_level(shares[0] * total(paid), shares[1] * total(paid), shares[2] * there)
        ledger.add(Purpose.CHARGE, row.name, row.payer, paid, "government", got)
