"""What public money moves and brings back: leverage, and the quarter in which it is paid back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ecosystem.inputs.calendar import POLICY_START, period_label
from ecosystem.maths.arrays import Array
from ecosystem.runs.result import Result
from experiments.comparison.intervals import ratio_of_means

INVESTMENT, PAYMENTS, RECEIPTS = "investment", "public_cost", "tax_receipts"
NEEDED = (INVESTMENT, PAYMENTS, RECEIPTS)
"""Outcomes that a result must hold: capital spending, gross payments, taxes."""
EQUITY = "state_equity"
"""What state owners pay into centres: beside public cost, in leverage where it was asked for."""
FEW = 1e-6
"""Less extra cost than one yuan (M¥) is none: there is nothing to pay back."""


def payback_periods(payments: Array, receipts: Array, first: int = 0) -> Array:
    """Return the quarter in which each pair has paid itself back, (pairs,).

    Parameters
    ----------
    payments, receipts
        What a package pays and receives beyond the reference by quarter, M¥ (pairs, quarters),
        neither discounted.
    first
        Index of the first of these quarters.

    Returns
    -------
    Array
        Index of the first quarter, from that of the first extra payment on, in which cumulated
        extra receipts reach cumulated extra payments; infinity where none does; NaN where a run
        failed or cumulated payments never exceed those of the reference.
    """
    if not payments.shape[1]:
        return np.full(len(payments), np.nan)
    cost, income = payments.cumsum(axis=1), receipts.cumsum(axis=1)
    begun = np.logical_or.accumulate(cost > FEW, axis=1)
    even = begun & (income >= cost)
    found = np.where(even.any(axis=1), first + even.argmax(axis=1), np.inf)
    known = begun[:, -1] & np.isfinite(cost[:, -1] + income[:, -1])
    return np.where(known, found, np.nan)


def leverage(capital: Array, money: Array) -> tuple[float, float, float]:
    """Return extra capital spending over extra money with its interval; money saved moves none."""
    if not money[np.isfinite(money)].sum() > 0:
        return (float("nan"),) * 3
    return ratio_of_means(capital, money)


def payback_facts(result: Result, reference: str) -> pd.DataFrame:
    """Return leverage and pay-back of every scenario against the reference.

    Returns
    -------
    DataFrame
        One row a scenario, empty if the result lacks an outcome of `NEEDED`. `leverage`, with
        `leverage_low` and `leverage_high`, is the ratio of mean extra capital spending to mean
        extra public payments (present values) with its 90 % bootstrap interval, NaN where no
        extra payment is shown; where the result holds `state_equity`, `leverage_with_equity` is the
        same over extra payments and extra equity of the state. `payback` is the median quarter over
        the pairs that have something to pay back (`payback_pairs`), as text: a quarter, or "not by
        2035Q4"; nothing where fewer than half of the pairs have. `payback_never` is the share of
        those pairs that do not pay back in the runs.
    """
    if not set(NEEDED) <= set(result.summaries) or not set(NEEDED) <= set(result.series):
        return pd.DataFrame(columns=["package"])
    base = result.scenarios.index(reference)
    rows: list[dict[str, Any]] = []
    for place, name in enumerate(result.scenarios):
        held = [key for key in (*NEEDED, EQUITY) if key in result.summaries]
        whole = {key: result.summaries[key][..., 0] for key in held}
        extra = {key: values[place] - values[base] for key, values in whole.items()}
        over = {"leverage": extra[PAYMENTS]}
        if EQUITY in held:
            over["leverage_with_equity"] = extra[PAYMENTS] + extra[EQUITY]
        paid = extra[PAYMENTS][np.isfinite(extra[PAYMENTS])]
        series = {key: result.series[key][..., 0][:, :, POLICY_START:] for key in NEEDED}
        flows = {key: values[place] - values[base] for key, values in series.items()}
        found = payback_periods(flows[PAYMENTS], flows[RECEIPTS], POLICY_START)
        found = found[~np.isnan(found)]
        row: dict[str, Any] = {"package": name}
        for key, money in over.items():
            ends = (key, f"{key}_low", f"{key}_high")
            row |= zip(ends, leverage(extra[INVESTMENT], money), strict=True)
        row |= {"payback": "", "payback_never": float("nan"), "payback_pairs": len(found)}
        if len(found) and 2 * len(found) >= len(paid):
            middle = float(np.quantile(found, 0.5, method="inverted_cdf"))
            never = f"not by {result.until}"
            row["payback"] = period_label(int(middle)) if np.isfinite(middle) else never
            row["payback_never"] = float(np.isinf(found).mean())
        rows.append(row)
    return pd.DataFrame(rows)
