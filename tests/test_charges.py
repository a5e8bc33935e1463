"""A charge is a row of the instrument table: who owes it, on what, how much, who receives it."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers import assert_close, final, quarters, setting_of, use_everywhere, with_new_row
from test_invariants import CHECKS

from ecosystem.inputs import catalogue
from ecosystem.inputs.calendar import POLICY_START
from ecosystem.inputs.catalogue import CHARGE_UNITS, Instrument
from ecosystem.inputs.scenario import ResolvedScenario, resolve, with_overrides
from ecosystem.outcomes import measure
from ecosystem.stages.charges import BASES, charge_due
from ecosystem.stages.policy import charge_rate
from ecosystem.stages.prices import variable_costs
from ecosystem.state.ledger import Purpose, amount, matrix, select

LEVY: dict[str, Any] = {
    "name": "levy",
    "number": 99,
    "title_en": "Levy",
    "title_zh": "费",
    "type": "charge",
    "acts_on": "what it is charged on",
    "rate_default": 30,
    "rate_low": 0,
    "rate_high": 200,
    "national_share": 0.2,
    "provincial_share": 0.3,
    "prefecture_share": 0.5,
    "legal_status": "allowed",
    "ramp_quarters": 0,
    "expected_outcome": "energy",
    "expected_sign": "-",
    "expected_size": 0.001,
    "source": "made up",
    "grade": "assumed",
}


def levy(payer: str, base: str) -> Instrument:
    """Return a row that charges a payer for a base."""
    unit = CHARGE_UNITS[payer, base]
    return Instrument.model_validate(LEVY | {"payer": payer, "base": base, "rate_unit": unit})


def levied(row: Instrument, rate: float, monkeypatch: pytest.MonkeyPatch) -> ResolvedScenario:
    """Return a scenario with one instrument alone, a charge at the given rate."""
    use_everywhere(monkeypatch, "instruments", with_new_row(catalogue.instruments, row))
    return with_overrides(resolve("none"), [f"instrument.levy.rate={rate}"])


def test_what_can_be_charged_has_a_unit_and_a_quantity() -> None:
    assert BASES.keys() == CHARGE_UNITS.keys()


def test_a_charge_by_hand() -> None:
    """At 30 yuan/MWh 2,000 MWh cost 60,000 yuan; at 2 % sales of 5 M¥ cost 0.1 M¥."""
    quarter: Any = SimpleNamespace(
        market=SimpleNamespace(energy=np.array([[2000.0, 3000.0]])),
        business=SimpleNamespace(sales=np.array([[5.0]])),
        policy=SimpleNamespace(promised={"levy": np.array([30.0, 0.0])}),  # nothing in the second
    )
    here, there = (SimpleNamespace(prefecture=np.array(places)) for places in ([0], [0, 1]))
    setting: Any = SimpleNamespace(world=SimpleNamespace(centres=there, firms=here))
    owed = charge_due(levy("centres", "electricity"), quarter, setting)
    np.testing.assert_allclose(owed, [[0.06, 0.0]])
    quarter.policy.promised["levy"] = np.array([0.02, 0.0])
    np.testing.assert_allclose(charge_due(levy("firms", "sales"), quarter, setting), [[0.1]])


@pytest.mark.parametrize(("payer", "base"), CHARGE_UNITS)
def test_a_row_is_all_that_a_charge_needs(
    payer: str, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is owed, booked, split between levels, and taken from the surplus it burdens."""
    rate, scale = (0.01, 1.0) if CHARGE_UNITS[payer, base] == "share" else (50.0, 1e-6)
    bare = setting_of("none", replicates=(0, 1))
    plain, _ = final(bare, POLICY_START)
    other = measure(plain, bare)
    setting = setting_of(levied(levy(payer, base), rate, monkeypatch), replicates=(0, 1))
    quarter, after = final(setting, POLICY_START)
    (flow,) = (f for f in select(quarter.accounts.flows, Purpose.CHARGE) if f.label == "levy")
    np.testing.assert_allclose(flow.paid, rate * scale * BASES[payer, base](quarter, setting))
    whole = flow.paid.sum(axis=1)
    assert (whole > 0).all()
    np.testing.assert_allclose(flow.received[:, -1], 0.2 * whole)
    np.testing.assert_allclose(flow.received[:, -2], 0.3 * whole)
    np.testing.assert_allclose(flow.received[:, :-2].sum(axis=1), 0.5 * whole)
    rows = matrix(quarter.accounts.flows, by="purpose")
    np.testing.assert_allclose(rows["charge"][payer], -whole[:, None])
    taxed = amount(select(quarter.accounts.flows, Purpose.TAX, payer=payer))
    before = amount(select(plain.accounts.flows, Purpose.TAX, payer=payer))
    assert (taxed < before).all()
    for check in CHECKS:
        check(quarter, after, setting)
    if base == "sales" or payer == "parks":  # nothing else moves in the first quarter
        one = measure(quarter, setting)
        gained = one["tax_receipts"] - other["tax_receipts"]
        np.testing.assert_allclose(gained, whole[:, None] + taxed - before)
        for kind in ("gross", "net"):
            name = f"local_value_added_{kind}"
            np.testing.assert_allclose(one[name], other[name], rtol=1e-12)


def test_what_centres_are_charged_is_added_back_as_far_as_it_is_settled_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Value added by hand: as if the charge had never been taken from the surplus."""
    setting = setting_of(levied(levy("centres", "compute"), 50.0, monkeypatch), replicates=(0, 1))
    quarter, _ = final(setting, POLICY_START)
    added, local = quarter.accounts.value_added, quarter.policy.local_settlement
    owed = charge_due(levy("centres", "compute"), quarter, setting)
    by_hand = sum(part.sum(axis=1) for name, part in added.items() if name != "parks")
    by_hand = by_hand + (local * owed).sum(axis=1)
    gross = measure(quarter, setting)["local_value_added_gross"][:, 0]
    np.testing.assert_allclose(gross, by_hand, rtol=1e-12)


@pytest.mark.parametrize("base", ["electricity", "compute"])
def test_centres_count_on_what_an_hour_will_cost(
    base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = levied(levy("centres", base), 50.0, monkeypatch)
    setting = setting_of(scenario)
    quarter, _ = final(setting, POLICY_START)
    assert np.all(charge_rate("centres", base, quarter.policy) == 50)
    cost = variable_costs(quarter, setting_of(scenario))
    quarter.policy = replace(
        quarter.policy, promised={"levy": np.zeros(setting.world.prefectures.count)}
    )
    extra = cost - variable_costs(quarter, setting_of(scenario))
    power = quarter.state.centres.power * quarter.state.centres.pue * 50 / 1000
    np.testing.assert_allclose(extra, power if base == "electricity" else 50.0, rtol=1e-9)


def test_a_charge_at_zero_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = setting_of("none")
    plain = [measure(quarter, bare) for quarter, _ in quarters(bare, POLICY_START + 2)]
    setting = setting_of(levied(levy("centres", "electricity"), 0.0, monkeypatch))
    for (quarter, _), expected in zip(quarters(setting, POLICY_START + 2), plain, strict=True):
        assert_close(measure(quarter, setting), expected)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"base": "water"}, "payer, base and rate_unit of a charge must be one of"),
        ({"rate_unit": "share"}, "payer, base and rate_unit of a charge must be one of"),
        ({"payer": ""}, "payer belongs to a charge"),
        ({"envelope_default": 3}, "envelope_default belongs to a transfer, and only there"),
        ({"rate_high": None}, "rate_high belongs to a transfer or a charge"),
        ({"national_share": 0.5}, "must sum to 1"),
    ],
)
def test_a_row_that_does_not_fit_says_why(change: dict[str, Any], words: str) -> None:
    good = levy("centres", "electricity").model_dump()
    with pytest.raises(ValueError, match=words):
        Instrument.model_validate(good | change)
