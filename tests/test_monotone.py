"""Monotone limits: at a given moment, more of one thing never means less of another.

Deterministic mode (projects at their expected size), one stage at a time.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from moments import Moment, moment

from ecosystem.maths.arrays import Array
from ecosystem.stages.policy import improve_readiness

PROVINCE = 2  # a buyer's third alternative


def rising(values: list[Array]) -> bool:
    """Return whether no value falls by more than rounding along the list."""
    steps = np.diff(np.array(values), axis=0)
    return bool(np.all(steps >= -1e-9 * np.abs(values[0]).max()))


def exports(at: Moment, pairing: float) -> Array:
    """Return compute delivered outside, PFh (runs,), at a strength of pairing."""
    policy = at.policy()
    lever = {**policy.lever, "regional_pairing": np.full((at.setting.runs, 1), pairing)}
    market = at.market(replace(policy, lever=lever))
    outside = at.setting.world.regions.home == 0
    return market.delivered[:, outside].sum(axis=(1, 2))


def test_exports_rise_with_pairing() -> None:
    values = [exports(moment(), pairing) for pairing in (0.0, 0.1, 0.3, 1.0)]
    assert rising(values)
    assert np.all(values[-1] > values[0])


@pytest.mark.parametrize(
    ("parameter", "values"),
    [("search_exponent", (1.0, 2.0, 3.0, 6.0, 50.0)), ("pooled_share", (0.0, 0.1, 0.3, 0.7, 1.0))],
)
def test_use_rises_with_easier_search_and_with_the_pool(
    parameter: str, values: tuple[float, ...]
) -> None:
    sold = [moment().with_parameters(**{parameter: v}).market().sold.sum(axis=1) for v in values]
    assert rising(sold)
    assert np.all(sold[-1] > sold[0])


def test_the_share_of_the_province_falls_with_its_price() -> None:
    here, outside = moment(), moment().setting.world.regions.home == 0
    shares = []
    for mark in (0.3, 0.0, -0.3):
        at = here.with_columns("centres", mark=np.full_like(here.state.centres.mark, mark))
        shares.append(at.market().routing.share[:, outside, :, PROVINCE])
    assert rising(shares)
    assert np.all(shares[-1] > shares[0])


def test_the_share_of_the_province_falls_with_latency() -> None:
    here, outside = moment(), moment().setting.world.regions.home == 0
    shares = []
    for more in (20.0, 10.0, 0.0):
        latency = here.setting.world.network.latency_home_ms + more
        at = here.with_table("network", {"latency_home_ms": latency})
        shares.append(at.market().routing.share[:, outside, :, PROVINCE])
    assert rising(shares)
    assert np.all(shares[-1] > shares[0])


def test_the_share_bought_at_home_rises_with_the_preference() -> None:
    shares = [
        moment().with_parameters(home_preference_servers=value).supply().local_share[:, 3]
        for value in (0.05, 0.1, 0.3, 0.8)
    ]
    assert moment().setting.world.stages[3] == "servers"
    assert rising(shares)
    assert np.all(shares[-1] > shares[0])


def test_knowledge_rises_with_research() -> None:
    made = [
        moment().with_parameters(research_intensity=value).innovation()
        for value in (0.02, 0.1, 0.3, 0.9)
    ]
    assert rising([each.patents for each in made])
    assert rising([each.knowledge_next for each in made])
    assert rising([each.research_next for each in made])
    assert np.all(made[-1].knowledge_next.sum(axis=1) > made[0].knowledge_next.sum(axis=1))


def test_readiness_rises_with_what_is_spent_on_it() -> None:
    ready = moment().state.governments.readiness
    after = [
        improve_readiness(ready, np.full_like(ready, spent), moment().setting)
        for spent in (0.0, 10.0, 100.0, 1e3, 1e5)
    ]
    assert rising(after)
    assert np.all(after[-1] > after[0])
    assert np.all(after[-1] <= 1)
