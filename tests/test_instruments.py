"""Every instrument moves the outcome its row names, in the row's direction, by the row's size.

Pairs of runs with the same luck to 2028Q4: `history` with the instrument alone on at its defaults
from 2025Q3, against `history` with it off (the gate and the voucher are part of `history` and are
switched off there). First the full world at default parameters, where the size of the table has to
be reached; then the teaching world with draws, among them programmes that do not work and
prefectures that cannot pay, where direction and noise are judged. The false-alarm rate is 1 % for
all instruments together (Holm 1979). Outcomes and sizes were settled on
other seeds; six of them (steering, capital subsidy, corridor, gate, deployment, talent) were
corrected after a look at one, and that of even diffusion was lowered when failing centres began
to keep their halls.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from arms import beyond_noise, chance_of, change, given, scenario, summary, switched

from ecosystem.inputs.catalogue import instruments, outcomes
from ecosystem.maths.arrays import Array

UNTIL = "2028Q4"


@cache
def changes(fixed: bool) -> dict[str, Array]:
    """Return the relative change of every instrument's outcome, (replicates,) each."""
    names = {row.expected_outcome for row in instruments().values()}

    def outcomes_of(*settings: str) -> dict[str, Array]:
        world, replicates = ("full", 48) if fixed else ("teaching", 160)
        setting = given(scenario(*settings), world=world, replicates=replicates, fixed=fixed)
        return summary(setting, names, UNTIL)

    history, result = outcomes_of(), {}
    for name, row in instruments().items():
        kept = name in ("compute_voucher", "occupancy_gate")  # on in `history` without an end
        other = outcomes_of(*switched(name, not kept))
        new, old = (history, other) if kept else (other, history)
        result[name] = change(new[row.expected_outcome], old[row.expected_outcome])
    return result


def test_no_instrument_is_judged_by_money_it_costs() -> None:
    for row in instruments().values():
        assert outcomes()[row.expected_outcome].group != "fiscal"


@pytest.mark.slow
@pytest.mark.parametrize("fixed", [True, False], ids=["defaults", "draws"])
@pytest.mark.parametrize("name", list(instruments()))
def test_an_instrument_moves_its_outcome(name: str, fixed: bool) -> None:
    row = instruments()[name]
    moved = changes(fixed)[name] * {"+": 1, "-": -1}[row.expected_sign]
    assert beyond_noise(changes(fixed))[name], f"{row.expected_outcome}: p = {chance_of(moved):.5f}"
    assert np.median(moved) >= row.expected_size if fixed else moved.mean() > 0
