"""The scoreboard by paragraph of the article: its table, and a toy of known signs."""

import numpy as np
import pandas as pd
import pytest

from ecosystem.inputs.catalogue import instruments, outcomes
from ecosystem.runs.table import DIMENSIONS
from experiments.comparison.scoreboard import aimed_at, aims, scoreboard_table

PAIRS = 45


def differences(**values: list[object]) -> pd.DataFrame:
    """Return paired differences of two packages: for each outcome, what each of them has."""
    keys = ["outcome", *DIMENSIONS, "replicate"]
    blocks = [
        pd.DataFrame(
            {"first": np.broadcast_to(mine, PAIRS), "second": np.broadcast_to(theirs, PAIRS)},
            index=pd.MultiIndex.from_tuples(
                [(name, *("" for _ in DIMENSIONS), pair) for pair in range(PAIRS)], names=keys
            ),
        )
        for name, (mine, theirs) in values.items()
    ]
    return pd.concat(blocks)


def test_signs_are_judged_by_what_is_wanted() -> None:
    """45 of 45 pairs bound the share at .1^(1/45) = .950: very likely; of 44 it would be likely."""
    half = np.where(np.arange(PAIRS) % 2, 1e4, -1e4)
    odd = np.array([*half[:-1], 0.0])  # as many above as below
    board = scoreboard_table(
        differences(
            servers_hub=[1e4, -1e4], unserved=[-1e9, 1e9], net_public_cost=[odd, 1e-9],
            regional_value_added=[half, np.nan], local_value_added_net=[-500.0, np.nan],
            patents=[5.0, 5.0],
        )
    ).set_index(["outcome", "package"])  # fmt: skip
    assert board.loc[("servers_hub", "first"), "direction"] == "wanted"
    assert board.loc[("servers_hub", "second"), "direction"] == "other"
    assert board.loc[("unserved", "first"), "direction"] == "wanted"  # less is wanted
    assert board.loc[("unserved", "second"), "direction"] == "other"
    for name in ("servers_hub", "unserved"):
        assert set(board.loc[name, "sureness"]) == {"very_likely"}
        assert board.loc[name, "share_low"].to_numpy() == pytest.approx(0.1 ** (1 / PAIRS))
    assert board.loc[("net_public_cost", "first"), "direction"] == ""
    assert board.loc[("net_public_cost", "second"), "sureness"] == "no_visible_change"
    assert board.loc[("regional_value_added", "first"), "sureness"] == "open"
    assert ("regional_value_added", "second") not in board.index  # it has no pair
    part = board.loc[("local_value_added_net", "first")]
    assert part["part_of"] == "regional_value_added" and part["direction"] == "other"
    assert "patents" not in board.index.get_level_values("outcome")  # it is no aim


def test_aims_are_known_outcomes_with_the_sign_that_is_better() -> None:
    for aim in aims():
        row = outcomes()[aim.outcome]
        assert not row.dimension, aim.key
        assert {"higher": "+", "lower": "-"}[row.better] == aim.wanted, aim.key
    assert len({aim.title_en for aim in aims()}) == len({aim.title_zh for aim in aims()})
    *_, last = aims()
    assert last.outcome == "regional_value_added" and len({aim.name for aim in aims()}) == 5
    assert {"local_value_added_net", "park_value_added_gain"} <= set(aimed_at())  # beside it


def test_a_paragraph_is_quoted_from_the_article() -> None:
    """In the words that stand beside its instruments."""
    said = "；".join(row.article_sentence for row in instruments().values())
    for aim in aims():
        for words in filter(None, aim.paragraph.split("；")):
            assert words in said, (aim.key, words)
