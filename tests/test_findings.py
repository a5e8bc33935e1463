"""Findings: the record answers every question, the page says so, and no name comes by luck."""

import re
from fnmatch import filter as matching

import numpy as np
import pandas as pd
import pytest

from benchmarks.campaigns import findings
from benchmarks.campaigns.findings import (
    ADDED,
    BUDGET,
    CASES,
    CONTRASTS,
    MADE,
    NATURAL,
    RULES,
    SETTINGS,
    levels_of,
    scenario,
    split_by,
    without,
)
from docs.make.findings import rows
from docs.make.pages import DOCS
from ecosystem.inputs.catalogue import instruments, outcomes, parameters, shocks
from ecosystem.inputs.scenario import REFERENCE, resolve
from experiments.comparison.budget import own_present_value
from experiments.comparison.sureness import SCALE

PAGE = (DOCS / "findings.md").read_text(encoding="utf-8")
FACTORS, PAIRS, TRIES = 40, 120, 20


def test_the_record_holds_every_comparison_once_and_no_other() -> None:
    keys = ["draws", "question", "case", "setting", "rules", "outcome"]
    record = rows()
    assert not record.duplicated(keys).any()
    asked = {
        (case.question, f"{case.one} less {case.other}", case.setting, rules, outcome)
        for case in CASES
        for rules in (*RULES, ADDED)
        for outcome in case.outcomes
    }
    asked |= {
        (case.question, f"{case.one} less {case.other}", f"{one} less {other}", rules, outcome)
        for case in CASES
        for question, one, other in CONTRASTS
        if (case.question, case.setting) == (question, one)
        for rules in (*RULES, ADDED)
        for outcome in case.outcomes[:1]
    }
    asked |= {
        ("natural", event, findings.SEEN_AT, "own", outcome)
        for event, (_, moved) in NATURAL.items()
        for outcome in moved
    }
    for _, mine in record.groupby("draws"):
        compared = mine[mine["sureness"] != ""]
        assert set(compared[keys[1:]].itertuples(index=False, name=None)) == asked
        assert compared["sureness"].isin(SCALE).all() and (compared["pairs"] >= 100).all()
        assert (compared["low_90"] <= compared["median"]).all()
        assert (compared["median"] <= compared["high_90"]).all()
    assert "prior" in set(record["draws"])


def test_every_question_is_put_answered_and_doubted_on_the_page() -> None:
    parts = re.split(r"^## ", PAGE, flags=re.M)[1:]
    assert [part[0] for part in parts[:5]] == ["1", "2", "3", "4", "5"]
    for part in parts[:5]:
        for words in ("Compared.", "Answer", "what it depends", "What would change", "assumption"):
            assert words in part
    assert PAGE.count("**Cannot tell.**") == len(NATURAL)


def test_what_is_assumed_names_rows_that_there_are() -> None:
    known = {*parameters(), *instruments(), *shocks(), *outcomes(), "grid_co2_factor"}
    paragraphs = re.findall(r"\*\*Only by assumption\.\*\*(.*?)\n\n", PAGE, re.S)
    assert len(paragraphs) == 5
    for name in re.findall(r"`([a-z0-9_*]+)`", "".join(paragraphs)):
        assert name == "assumed" or matching(known, name), name


@pytest.mark.parametrize("name", [name for name, (_, money) in MADE.items() if money])
def test_what_shares_a_budget_plans_the_same(name: str) -> None:
    for rules in RULES:
        assert own_present_value(scenario(name, rules)) == pytest.approx(BUDGET, rel=1e-9)


def test_a_past_without_an_instrument_has_all_else() -> None:
    base, bare = resolve(REFERENCE), without("capital_subsidy")
    gone = [edit for edit in base.edits if edit not in bare.edits]
    assert gone and {edit.instrument for edit in gone} == {"capital_subsidy"}
    assert len(bare.edits) + len(gone) == len(base.edits)


def test_a_world_is_run_under_both_sets_of_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SETTINGS, "hype .9", (SETTINGS["hype .9"][0], ("dispatch_pairing",)))
    given = {"replicates": 3, "seed": 1, "world": "teaching", "until": "2027Q4", "jobs": 1}
    found = {rules: levels_of("hype .9", rules, given) for rules in RULES}
    for levels, factors in found.values():
        assert list(levels) == [REFERENCE, "dispatch_pairing"] and len(factors) == 3
        assert "hype" not in factors and findings.OF_HISTORY in factors
        more = levels["dispatch_pairing"]["public_cost"] - levels[REFERENCE]["public_cost"]
        assert (more > 0).all()
    exported = [levels["dispatch_pairing"]["compute_exported"] for levels, _ in found.values()]
    assert not np.allclose(*exported)


def luck(seed: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Return noise and factors that have nothing to do with it."""
    random = np.random.Generator(np.random.Philox(seed))
    factors = random.uniform(size=(PAIRS, FACTORS))
    names = [f"f{number}" for number in range(FACTORS)]
    return random.normal(size=PAIRS), pd.DataFrame(factors, columns=names)


def test_no_factor_is_named_by_luck() -> None:
    """40 tests at .001 each: a false alarm in one of 25 seeds; these are fixed."""
    for seed in range(TRIES):
        found = split_by(*luck(seed))
        assert not found["sign_told"] and not found["size_told"]


def test_one_odd_pair_names_nothing() -> None:
    effect, factors = luck(0)
    assert not split_by(np.where(effect == effect.max(), -1.0, 1.0), factors)["sign_told"]


def test_the_factor_that_decides_is_named_with_its_break_even() -> None:
    noise, factors = luck(TRIES)
    for way in (1, -1):
        found = split_by(way * (factors["f7"].to_numpy() - 0.4) + 0.05 * noise, factors)
        assert found["sign"] == found["size"] == "f7" and found["sign_told"] and found["size_told"]
        assert found["break_even"] == pytest.approx(0.4, abs=0.05)
        shares = [found[f"sign_{end}"] for end in ("low", "middle", "high")]
        assert way * (shares[2] - shares[0]) > 0.8
