"""The table of state columns and the classes of the state say the same."""

import csv
from dataclasses import fields, is_dataclass
from typing import get_type_hints

import numpy as np
from helpers import final, setting_of

from ecosystem.inputs.catalogue import state_columns
from ecosystem.state import state as agents
from ecosystem.state.state import State

PARTS = {name: part for name, part in get_type_hints(State).items() if is_dataclass(part)}


def test_every_column_of_every_class_is_in_the_table_and_nothing_else() -> None:
    declared = [f"{part}.{f.name}" for part, owner in PARTS.items() for f in fields(owner)]
    assert list(state_columns()) == declared


def test_the_parts_of_the_state_are_all_its_dataclasses() -> None:
    classes = {v for v in vars(agents).values() if is_dataclass(v) and isinstance(v, type)}
    assert classes - {State} == set(PARTS.values())
    assert {f.name for f in fields(State)} - set(PARTS) == {"period"}


def test_every_row_says_unit_and_meaning() -> None:
    for key, row in state_columns().items():
        assert row.owner in PARTS, key
        assert row.meaning, key
        assert row.unit, key
        if row.low is not None and row.high is not None:
            assert row.low < row.high, key


def test_the_table_has_the_columns_of_its_model_and_no_others() -> None:
    from importlib.resources import files

    text = (files("ecosystem") / "tables" / "state.csv").read_text(encoding="utf-8")
    header = next(csv.reader(text.splitlines()))
    assert header == ["owner", "name", "unit", "low", "high", "meaning"]


def test_columns_have_the_shape_their_comment_promises() -> None:
    """Runs first everywhere, and one entry an agent last, at the start and later."""
    setting = setting_of(replicates=(0, 1, 2))
    world = setting.world
    _, state = final(setting, 3)
    last = {
        "nation": len(world.kinds),
        "centres": world.centres.count,
        "makers": world.makers.count,
        "universities": world.universities.count,
        "firms": world.firms.count,
        "parks": world.parks.count,
        "buyers": world.workloads.count,
        "sectors": 1,
    }
    other = {
        "centres.fill_history": len(world.kinds) * world.prefectures.count,
        "makers.local_share": len(world.stages),
        "society.deployment": world.domains.count,
        "governments.cash": world.prefectures.count + 2,
    }
    for key, row in state_columns().items():
        values = getattr(getattr(state, row.owner), row.name)
        assert values.dtype == np.float64, key
        assert values.shape[0] == 3, key
        expected = other.get(key, last.get(row.owner))
        assert expected is None or values.shape[-1] == expected, key
