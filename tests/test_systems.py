"""Each of the article's systems works: without its mechanism, the outcome of its row changes.

Full world, default parameters, `article` at the tables' own money, pairs of runs with the same
luck to 2030Q4: with the mechanism, and with its neutral value inside the run. The outcome has to
move in the row's direction by more than the row's size, at a false-alarm rate of 1 % for all
systems together (Holm 1979). Sizes were written down before the first run; the outcome of
`neighbours` and `new_information_technology` were corrected after a look at another seed (2).
"""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from arms import beyond_noise, chance_of

import ecosystem
from docs.make.mechanisms import effects
from docs.make.tables import systems
from ecosystem.inputs.catalogue import instruments, outcomes
from ecosystem.maths.arrays import Array

REPLICATES = 32
ROOT = Path(ecosystem.__file__).parents[1]


@cache
def changes() -> dict[str, Array]:
    """Return what every system's mechanism brings to its outcome, (replicates,) each."""
    return effects(systems(), REPLICATES)


def test_there_are_fourteen_systems_in_order() -> None:
    assert [row.number for row in systems().values()] == list(range(1, 15))


def test_every_instrument_of_the_article_belongs_to_a_system() -> None:
    known = {name for row in systems().values() for name in row.instrument_names}
    article = {name for name, row in instruments().items() if row.article_sentence}
    assert article <= known


@pytest.mark.parametrize("name", list(systems()))
def test_a_system_names_what_exists(name: str) -> None:
    row = systems()[name]
    assert (ROOT / row.stage_file).is_file()
    assert outcomes()[row.expected_outcome].group != "fiscal"
    assert row.values or row.off


@pytest.mark.slow
@pytest.mark.parametrize("name", list(systems()))
def test_a_system_moves_its_outcome(name: str) -> None:
    row = systems()[name]
    moved = changes()[name] * {"+": 1, "-": -1}[row.expected_sign]
    assert beyond_noise(changes())[name], f"{row.expected_outcome}: p = {chance_of(moved):.5f}"
    assert np.median(moved) > row.expected_size
