"""Outcomes that are more than a sum: survival, spread over prefectures, capital spending."""

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers import final, quarters, setting_of

from ecosystem.inputs.calendar import period_index
from ecosystem.inputs.catalogue import outcomes
from ecosystem.maths.arrays import total
from ecosystem.maths.kernels import gini, shannon
from ecosystem.maths.survival import SPAN, five_year_survival
from ecosystem.outcomes import measure, money
from ecosystem.outcomes.money import tax_receipts
from ecosystem.runs.chunk import Recorder
from ecosystem.state.ledger import Flow, Purpose
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Setting


@pytest.fixture(scope="module")
def setting() -> Setting:
    return setting_of(replicates=(0, 1))


@pytest.fixture(scope="module")
def quarter(setting: Setting) -> Quarter:
    return final(setting, 30)[0]


def test_survival_of_a_constant_hazard_is_its_power() -> None:
    """Two of ten leave at every age, and whoever is older than five years does not count."""
    age = np.repeat(np.arange(SPAN + 5.0), 10)[None]
    exits = (np.arange(age.size) % 10 < 2).astype(float)[None]
    exits[age >= SPAN] = 1.0
    found = five_year_survival(np.ones_like(age), age, exits)
    assert found[0, 0] == pytest.approx(0.8**SPAN)


def test_an_age_without_firms_takes_the_rate_of_all() -> None:
    age = np.array([[3.0, 3, 3, 30], [3, 3, 3, 30]])
    exits = np.array([[1.0, 0, 0, 0], [0, 0, 0, 0]])
    active = np.array([[1.0, 1, 1, 1], [1, 1, 1, 0]])
    found = five_year_survival(active, age, exits)[:, 0]
    assert found[0] == pytest.approx((1 - 1 / 3) * (1 - 1 / 4) ** (SPAN - 1))
    assert found[1] == 1


def test_an_empty_slot_counts_nowhere() -> None:
    age, none = np.zeros((1, 4)), np.zeros((1, 4))
    assert five_year_survival(none, age, none)[0, 0] == 1
    active = np.array([[1.0, 1, 0, 0]])
    exits = np.array([[1.0, 0, 0, 0]])
    assert five_year_survival(active, age, exits)[0, 0] == pytest.approx(0.5**SPAN)


def test_a_tax_that_a_user_lets_parks_pay_counts_in_full(
    setting: Setting, quarter: Quarter
) -> None:
    """Of the model's own, only what adoption adds to the output of parks."""
    accounts = quarter.accounts
    paid = np.full((setting.runs, setting.world.parks.count), 2.0)
    mine = Flow("mine", "parks", paid, "government", accounts.cash["government"], Purpose.TAX)
    more = replace(accounts, flows=(*accounts.flows, mine), added=(mine,))
    taxed = copy(quarter)
    taxed.accounts = more
    gained = tax_receipts(taxed, setting) - tax_receipts(quarter, setting)
    assert gained == pytest.approx(total(paid))


def test_an_outcome_asked_for_alone_is_the_same_to_the_last_bit(
    setting: Setting, quarter: Quarter
) -> None:
    for name, value in measure(quarter, setting).items():
        alone = measure(quarter, setting, [name])
        assert list(alone) == [name]
        np.testing.assert_array_equal(alone[name], value, err_msg=name)


def test_what_outcomes_share_is_computed_once_and_only_where_one_of_them_is_asked_for(
    setting: Setting, quarter: Quarter, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = dict.fromkeys(("value_added_by_place", "tax_receipts", "public_cost"), 0)

    def counted(name: str) -> Callable[..., Any]:
        function = getattr(money, name)

        def call(*given: Any) -> Any:
            counts[name] += 1
            return function(*given)

        return call

    for name in counts:
        monkeypatch.setattr(money, name, counted(name))
    for names, times in (
        (["patents", "servers"], (0, 0, 0)),
        (["theil", "value_added_hub", "value_added_by_tier"], (1, 0, 0)),
        (["net_public_cost", "tax_receipts", "public_cost_national"], (0, 1, 1)),
        (None, (1, 1, 1)),
    ):
        counts.update(dict.fromkeys(counts, 0))
        measure(quarter, setting, names)
        assert tuple(counts.values()) == times, names


@pytest.mark.parametrize("until", ["2025Q4", "2020Q3"])
def test_a_summary_asks_a_quarter_for_no_more_than_it_adds_up(until: str) -> None:
    """By time base, and to the last bit what comes of all outcomes of all quarters."""
    setting, last = setting_of(replicates=(0, 1)), period_index(until)
    names = tuple(outcomes())
    thrifty, whole = (Recorder(setting, names, last, series) for series in (False, True))
    asked: dict[str, int] = dict.fromkeys(names, 0)
    for quarter, _ in quarters(setting, last):
        t = quarter.state.period
        wanted = list(thrifty.wanted(t))
        asked.update({name: asked[name] + 1 for name in wanted})
        thrifty.add(t, measure(quarter, setting, wanted))
        whole.add(t, measure(quarter, setting))
    since = last + 1 - thrifty.since
    times = {"end": 1, "last_year_mean": min(4, last + 1), "sum": since, "present_value": since}
    assert asked == {name: times[row.time_base] for name, row in outcomes().items()}
    for name in names:
        np.testing.assert_array_equal(thrifty.summary[name], whole.summary[name], err_msg=name)


@pytest.mark.slow
def test_the_life_table_agrees_with_cohorts_that_are_followed() -> None:
    """Where exit rates do not change over time, as many outlive five years as the tables say."""
    setting = setting_of("history", "full", replicates=range(24), exit_cash=0.0)
    born, reached, tables = [], [], []
    for quarter, after in quarters(setting):
        t = quarter.state.period
        if 20 <= t < 20 + 24:
            born.append(quarter.business.born.sum())
            tables.append(measure(quarter, setting)["firm_survival"].mean())
        if 20 + SPAN <= t < 20 + 24 + SPAN:
            firms = after.firms
            reached.append(((firms.age == SPAN) & (firms.active > 0)).sum())
    assert np.sum(reached) / np.sum(born) == pytest.approx(np.mean(tables), abs=0.03)


def test_wages_of_talent_outside_the_chain_follow_persons_and_not_tightness(
    setting: Setting, quarter: Quarter
) -> None:
    """A thousand persons more who stay earn a thousand usual wages more; they enter no sum."""
    before, society = measure(quarter, setting), quarter.state.society
    more, wage = copy(quarter), society.wage * 1.5
    talent = society.talent + np.eye(setting.world.prefectures.count)[1]
    more.state = replace(quarter.state, society=replace(society, talent=talent, wage=wage))
    after = measure(more, setting)
    grown = np.exp(setting.parameters.wage_growth * quarter.state.period / 4)
    gained = after["graduate_wages_outside"] - before["graduate_wages_outside"]
    np.testing.assert_allclose(gained, setting.world.prefectures.wage[1] * grown, rtol=1e-9)
    for name in ("local_value_added_net", "local_value_added_gross"):
        np.testing.assert_array_equal(after[name], before[name])


def test_inequality_is_none_where_all_have_the_same_per_head(
    setting: Setting, quarter: Quarter
) -> None:
    places = setting.world.prefectures
    measured = measure(quarter, setting)
    servers = measured["servers_by_prefecture"]
    assert gini(places.population[None], places.population)[0] == pytest.approx(0)
    heads = places.population / places.population.sum()
    share = servers / total(servers)
    order = np.argsort(share / heads, axis=1)
    for run, places_in_order in enumerate(order):
        x = np.concatenate([[0], np.cumsum(heads[places_in_order])])
        y = np.concatenate([[0], np.cumsum(share[run][places_in_order])])
        area = np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2)
        assert measured["gini_servers"][run, 0] == pytest.approx(1 - 2 * area)
    firms = quarter.state.firms.active
    by_place = np.stack(
        [
            firms[:, setting.world.firms.prefecture == place].sum(axis=1)
            for place in range(places.count)
        ],
        axis=1,
    )
    assert measured["gini_firms"][:, 0] == pytest.approx(gini(by_place, places.population))


def test_effective_domains_are_as_many_as_would_be_as_diverse(
    setting: Setting, quarter: Quarter
) -> None:
    found = measure(quarter, setting)
    assert found["effective_domains"] == pytest.approx(np.exp(found["domain_diversity"]))
    count = setting.world.domains.count
    assert np.exp(shannon(np.full((1, count), 1 / count))) == pytest.approx(count)
    assert (found["effective_domains"] <= count).all()
