"""What grows at a rate of its own: budgets, university funds, graduates, wages, productivity."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from helpers import quarters, setting_of

from ecosystem.maths.arrays import Array, total
from ecosystem.stages.programmes import fiscal_cash
from ecosystem.state.ledger import amount
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Setting

GOVERNMENT = 3  # among local users of compute


def government_compute(quarter: Quarter, setting: Setting) -> Array:
    """Return what government spends on compute at reference prices."""
    general = quarter.drivers.price[:, setting.world.kinds.general]
    return total(quarter.market.routing.local.users[:, GOVERNMENT]) * general


def university_funds(quarter: Quarter, setting: Setting) -> Array:
    flows = quarter.accounts.flows
    return amount(flow for flow in flows if flow.label == "university funds")


GROWING: list[tuple[str, float, Callable[[Quarter, Setting], Array]]] = [
    ("budget_growth", 0.01, lambda quarter, setting: fiscal_cash(quarter, setting)[0]),
    ("budget_growth", 0.01, lambda quarter, setting: fiscal_cash(quarter, setting)[1]),
    ("budget_growth", 0.01, government_compute),
    ("university_funds_growth", 0.08, university_funds),
    ("graduates_growth", 0.02, lambda quarter, _: quarter.labour.graduates),
    ("wage_growth", 0.05, lambda quarter, _: quarter.state.society.wage),
    (
        "productivity_growth",
        0.05,
        lambda quarter, _: total(quarter.supply.sales) / total(quarter.labour.maker_jobs),
    ),
]


@pytest.mark.parametrize("rate", [None, 0.0], ids=["default", "none"])
@pytest.mark.parametrize(("name", "default", "quantity"), GROWING)
def test_it_grows_at_its_rate_and_not_at_all_without(
    name: str, default: float, quantity: Callable[[Quarter, Setting], Array], rate: float | None
) -> None:
    values = {} if rate is None else {name: rate}
    setting = setting_of("history", wage_speed=0.0, **values)
    default = default if rate is None else rate
    first, *_, last = (quantity(quarter, setting) for quarter, _ in quarters(setting, 16))
    np.testing.assert_allclose(last, first * np.exp(4 * default), rtol=1e-9)


def test_without_tightness_the_wage_keeps_its_distance_to_the_east() -> None:
    """As many of the graduates stay in every quarter, whatever the growth of wages."""
    setting = setting_of("history", wage_speed=0.0, retention_vacancy=0.0)
    stay = [
        (total(quarter.labour.retained) / total(quarter.labour.graduates)).item()
        for quarter, _ in quarters(setting, 20)
    ]
    np.testing.assert_allclose(stay, stay[0], rtol=1e-9)
