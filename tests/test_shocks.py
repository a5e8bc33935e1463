"""Every shock moves what its channel says, and nothing at amplitude 0."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from arms import given, scenario
from helpers import STAGES, arrays, quarter_of, setting_of
from one_agent import case

from ecosystem.inputs.calendar import period_index
from ecosystem.inputs.catalogue import shocks
from ecosystem.inputs.scenario import Scenario, resolve, with_overrides
from ecosystem.inputs.shocks import shock_paths, shock_profile
from ecosystem.maths.arrays import Array
from ecosystem.outcomes import measure
from ecosystem.quarter.start import initial_state
from ecosystem.quarter.step import step
from ecosystem.stages.accounts import account
from ecosystem.stages.demand import local_demand
from ecosystem.stages.drivers import drive
from ecosystem.stages.firms import local_services, outside_market
from ecosystem.stages.innovation import affordability
from ecosystem.stages.investment import finance_limit
from ecosystem.stages.labour import employ
from ecosystem.stages.prices import full_cost
from ecosystem.stages.routing import make_offer
from ecosystem.stages.settlement import upkeep
from ecosystem.stages.supply_chain import sell_upstream, supply_equipment
from ecosystem.state.records import Quarter

START, LAST = period_index("2027Q1"), period_index("2029Q4")
REPLICATES = 4
CHANNELS = {
    "demand_surge": {"demand": +1, "open_source": +1},
    "ai_winter": {"demand": -1},
    "accelerator_export_control": {"accelerators": -1},
    "power_crunch": {"electricity": +1, "supply": -1},
    "efficiency_jump": {"efficiency": +1},
    "hub_outage": {"hub_availability": -1},
    "fiscal_squeeze": {"fiscal": -1},
    "rival_price_war": {"rival_price": -1},
    "inference_shift": {"inference": +1},
    "talent_poaching": {"poaching": +1},
}
"""What each shock raises or lowers."""
EXPECTED = {
    "demand_surge": ("ai_firm_sales", +1),  # exports may fall where users at home want more, too
    "ai_winter": ("compute_exported", -1),
    "accelerator_export_control": ("servers_hub", -1),
    "power_crunch": ("unserved", +1),
    "efficiency_jump": ("utilisation", -1),  # demand is inelastic: less compute is wanted
    "hub_outage": ("unserved", +1),
    "fiscal_squeeze": ("public_cost", -1),
    "rival_price_war": ("compute_exported", -1),
    "inference_shift": ("batch_served", -1),
    "talent_poaching": ("talent", -1),
}
"""The outcome that shows each shock over its first two years, and its direction."""
NAMES = sorted({name for name, _ in EXPECTED.values()} | {"ai_firms", "talent", "halls_hub"})


@cache
def series(shock: str) -> dict[str, Array]:
    """Return outcomes of `history` under a shock (or none), (quarters, replicates) each."""
    resolved = scenario(shocks=[shock] if shock else [])
    setting = given(resolved, world="teaching", replicates=REPLICATES)
    state, result = initial_state(setting), {name: [] for name in NAMES}
    for _ in range(LAST + 1):
        state, quarter = step(state, setting)
        values = measure(quarter, setting)
        for name, column in result.items():
            column.append(values[name].sum(axis=1))
    return {name: np.array(column) for name, column in result.items()}


def test_every_shock_is_listed_here() -> None:
    rows = shocks()
    assert set(CHANNELS) == set(EXPECTED) == set(rows)
    for name, channels in CHANNELS.items():
        assert set(channels) == {rows[name].channel, rows[name].second_channel} - {""}


@pytest.mark.parametrize("name", list(CHANNELS))
def test_a_shock_moves_its_channels_alone_and_from_its_start(name: str) -> None:
    paths = shock_paths(scenario(shocks=[name]))
    for channel, path in paths.items():
        sign = CHANNELS[name].get(channel, 0)
        assert np.all(path[:START] == 1)
        assert np.all(np.sign(path[START:] - 1) * sign >= 0)
        assert np.any(path != 1) == bool(sign)


@pytest.mark.parametrize("name", list(CHANNELS))
def test_amplitude_zero_is_no_shock(name: str) -> None:
    paths = shock_paths(scenario(shocks=[f"{name}:0"]))
    assert set(paths) == {channel for each in CHANNELS.values() for channel in each}
    assert all(np.all(path == 1) for path in paths.values())


def test_profiles_by_hand() -> None:
    rows = shocks()
    surge = shock_profile(rows["demand_surge"], 0.5, 10)
    assert surge[10] == 1
    assert surge[14] == pytest.approx(1 + 0.5 * (1 - np.exp(-2)) * np.exp(-4 / 12))
    winter = shock_profile(rows["ai_winter"], 0.4, 10)
    assert winter[10] == pytest.approx(0.6)
    assert winter[18] == pytest.approx(1 - 0.4 * np.exp(-1))
    outage = shock_profile(rows["hub_outage"], 0.9, 10)
    np.testing.assert_allclose(outage[9:15], [1, 0.1, 0.4, 0.7, 1, 1])
    squeeze = shock_profile(rows["fiscal_squeeze"], 0.3, 10)
    np.testing.assert_allclose(squeeze[10:18], 0.7)
    np.testing.assert_allclose(squeeze[18:24], [0.76, 0.82, 0.88, 0.94, 1, 1])
    control = shock_profile(rows["accelerator_export_control"], 0.6, 10)
    assert control[10] == pytest.approx(0.4) and control[16] == pytest.approx(0.7)
    assert control[22] == 1


def test_shocks_that_meet_multiply() -> None:
    one = {"name": "ai_winter", "start": "2027Q1"}
    paths = shock_paths(resolve(Scenario(shocks=[one, "demand_surge"])))
    rows = shocks()
    both = shock_profile(rows["ai_winter"], 0.4, 28) * shock_profile(rows["demand_surge"], 0.5, 28)
    np.testing.assert_array_equal(paths["demand"], both)


@pytest.mark.parametrize("name", list(CHANNELS))
def test_drivers_read_the_channel(name: str) -> None:
    """At its start, or a quarter later where it rises, a shock changes what drivers return."""
    quiet, shaken = (
        given(scenario(shocks=use), world="teaching", replicates=1) for use in ([], [name])
    )
    state = initial_state(quiet)
    late = type(state)(**{**vars(state), "period": START + 1})
    before, after = drive(Quarter(late), quiet), drive(Quarter(late), shaken)
    read = {
        "demand": (before.demand.sum(), after.demand.sum()),
        "open_source": (before.open_source.item(), after.open_source.item()),
        "accelerators": (before.accelerators.sum(), after.accelerators.sum()),
        "hub_availability": (before.hub_availability, after.hub_availability),
        "fiscal": (before.fiscal, after.fiscal),
        "electricity": (before.electricity.sum(), after.electricity.sum()),
        "supply": (before.supply, after.supply),
        "efficiency": (before.efficiency, after.efficiency),
        "rival_price": (before.rival_price.item(), after.rival_price.item()),
        "inference": (before.real_time_share.item(), after.real_time_share.item()),
        "poaching": (before.poaching, after.poaching),
    }
    also = {
        "accelerator_export_control": {"demand": -1},  # rents rise while accelerators are scarce
        "efficiency_jump": {"demand": -1},  # demand is inelastic: tasks grow less than efficiency
        "inference_shift": {"demand": -1},  # real-time work is dearer
    }
    for channel, (old, new) in read.items():
        said = CHANNELS[name] | also.get(name, {})
        assert np.sign(new - old) == said.get(channel, 0), channel


def shaken_drivers(**changes: Callable[[Any], Any]) -> tuple[Quarter, Quarter]:
    """Return a quarter of `article`, and the same where single drivers are changed."""
    quarter = case().quarter
    changed = {name: change(getattr(quarter.drivers, name)) for name, change in changes.items()}
    shaken = copy(quarter)
    shaken.drivers = replace(quarter.drivers, **changed)
    return quarter, shaken


def times(factor: float, kind: int | None = None) -> Callable[[Any], Any]:
    """Return the function that multiplies a driver, or its column of a kind, by a factor."""

    def change(value: Any) -> Any:
        if kind is None:
            return value * factor
        return np.where(np.arange(value.shape[-1]) == kind, value * factor, value)

    return change


def readings(quarter: Quarter) -> dict[str, Array]:
    """Return what the stages make of the drivers, one by one, everything else as it was."""
    setting = case().setting
    offer, location = quarter.market.routing.offer, quarter.investment.location
    users = local_demand(quarter, offer, setting).users.sum(axis=2)
    supply, made = supply_equipment(quarter, setting), quarter.supply.local_sales
    return {
        "outside market": outside_market(quarter, setting),
        "fees": local_services(quarter, setting),
        "attraction": affordability(quarter, setting),
        "compute of firms": users[:, 0],
        "compute of deployments": users[:, 1],
        "compute of parks": users[:, 2],
        "compute of government": users[:, 3],
        "compute of branches": users[:, 5],
        "chips": sell_upstream(quarter, made, 1 + 0 * quarter.supply.sales, setting)[0],
        "home share": supply.local_share[:, setting.world.stages.servers],
        "staff": employ(quarter, setting).staff,
        "posted price": make_offer(quarter, setting).market,
        "cost of a new unit": full_cost(quarter.drivers, setting),
        "finance": finance_limit(quarter, location.lender_index, setting),
        "upkeep": upkeep(quarter, setting),
        "funds of universities": account(quarter, setting).wages["universities"],
    }


AI = 1  # the intelligent kind
FACTOR = {
    "ai_demand": (
        {"ai_demand": times(0.6)},
        {
            "outside market": lambda p: 0.6,
            "fees": lambda p: 0.6,
            "attraction": lambda p: 0.6,
            "compute of deployments": lambda p: 0.6,
            "compute of branches": lambda p: 0.6,
        },
    ),
    "chip_demand": ({"chip_demand": times(0.9)}, {"chips": None}),
    "efficiency": (
        {"efficiency": times(2.0)},
        {"attraction": lambda p: 2**p.deployment_price_elasticity},
    ),
    "tasks": (
        {"tasks": times(0.8)},
        {f"compute of {user}": lambda p: 0.8 for user in ("firms", "deployments", "branches")},
    ),
    "rent": (
        {"rent": times(1.5, AI), "price": times(1.5, AI)},
        {
            "posted price": None,
            "attraction": lambda p: 1.5**-p.deployment_price_elasticity,
            "compute of firms": lambda p: 1.5**-p.firm_compute_elasticity,
            "compute of branches": lambda p: 1.5**-p.firm_compute_elasticity,
        },
    ),
    "server_price": (
        {"server_price": times(1.6, AI), "server_cost": times(1.6, AI)},
        {"cost of a new unit": None, "home share": None},
    ),
    "fiscal": (
        {"fiscal": times(0.7)},
        {"compute of government": lambda p: 0.7, "funds of universities": None},
    ),
    "poaching": ({"poaching": times(1.5)}, {"staff": None}),
}
"""A driver changed by itself, and all that it moves in the stages, by how much where closed."""


@pytest.mark.parametrize("channel", list(FACTOR))
def test_a_channel_by_itself_moves_what_it_should_and_nothing_else(channel: str) -> None:
    changes, expected = FACTOR[channel]
    before, after = (readings(quarter) for quarter in shaken_drivers(**changes))
    p = case().setting.parameters
    for name, old in before.items():
        if name not in expected:
            np.testing.assert_allclose(after[name], old, rtol=1e-12, atol=1e-12, err_msg=name)
        elif expected[name] is None:
            assert not np.allclose(after[name], old, rtol=1e-9, atol=0), name
        else:
            factor = np.broadcast_to(expected[name](p), (len(old), 1))
            factor = factor.reshape(-1, *[1] * (old.ndim - 1))
            np.testing.assert_allclose(after[name], old * factor, rtol=1e-9, err_msg=name)


def same_bits(one: Quarter, other: Quarter) -> bool:
    """Return whether all that the stages after the drivers made of two quarters is the same."""
    left, right = (
        arrays({name: getattr(each, name) for name in STAGES if name != "drivers"})
        for each in (one, other)
    )
    return all(np.array_equal(left[name], right[name], equal_nan=True) for name in left)


@pytest.mark.parametrize("name", list(CHANNELS))
def test_each_channel_of_a_shock_is_felt_and_no_other_is_left(name: str) -> None:
    """Each driver that a shock moves is switched off by itself: the quarter comes out otherwise.

    With all of them off nothing is left of the shock, to the last bit.
    """
    state, quiet = case().state, case().setting
    struck = with_overrides(resolve("article"), (), [name])
    shaken = setting_of(struck, replicates=(0, 1), fixed=False)
    calm, hit = drive(Quarter(state), quiet), drive(Quarter(state), shaken)
    before, after = vars(calm), vars(hit)
    moved = [each for each in before if not np.array_equal(before[each], after[each])]
    assert moved
    whole = quarter_of(state, shaken, drivers=hit)
    for one in moved:
        without = quarter_of(state, shaken, drivers=replace(hit, **{one: before[one]}))
        assert not same_bits(without, whole), one
    assert same_bits(quarter_of(state, shaken, drivers=calm), quarter_of(state, quiet))


def test_dear_accelerators_pass_through_home_makers_at_cost() -> None:
    """Sales are output at its price; what is dearer are inputs, so value added is that of output.

    At the usual price sales and output are one; the bill of centres is split without a rest.
    """
    quarter, dear = shaken_drivers(server_price=times(1.6, AI), server_cost=times(1.6, AI))
    setting, stages = case().setting, case().world.stages
    servers, cooling = stages.index("servers"), stages.index("cooling")
    usual, now = (supply_equipment(each, setting) for each in (quarter, dear))
    np.testing.assert_array_equal(usual.sales, usual.output)
    np.testing.assert_allclose(
        now.orders.sum(axis=1), quarter.investment.server_outlay.sum(axis=1), rtol=1e-12
    )
    # For the same money fewer units are ordered, and of these more at home.
    assert np.all(now.orders[:, cooling] < usual.orders[:, cooling])
    assert np.all(now.local_share[:, servers] > usual.local_share[:, servers])
    made = case().world.makers.stage == servers
    scarce = now.sales[:, made].sum(axis=1) / now.output[:, made].sum(axis=1)
    outlay = quarter.investment.server_outlay
    price = np.where(case().world.centres.intelligent, 1.6, 1.0)
    bundle = outlay.sum(axis=1) / (outlay / price).sum(axis=1)
    mix = {n: setting.parameters[f"equipment_share_{n}"][:, 0] for n in stages if n[0] in "sc"}
    part = mix["servers"] / sum(mix.values())
    share = setting.parameters.maker_chip_share[:, 0]
    np.testing.assert_allclose(scarce, 1 + share * (bundle - 1) / part, rtol=1e-12)


PAIRS, AFTER = 40, slice(START, START + 17)
SIGNS = {
    "ai_winter": {
        "local_value_added_gross": -1,
        "ai_firm_sales": -1,
        "value_added_makers": -1,
        "park_productivity_gain": -1,
    },
    "demand_surge": {
        "local_value_added_gross": +1,
        "ai_firm_sales": +1,
        "value_added_makers": +1,
        "park_productivity_gain": +1,
    },
    "accelerator_export_control": {"ai_firm_sales": -1, "patents": -1},
}
"""What moves so in all but one pair in twenty, over the 17 quarters from the shock on.

Value added is that before wear: where centres earn less than their wear, servers that nobody orders
are a gain of net value added, in an AI winter in some pairs and under an export control in most.
Makers under an export control are left open: dear imports make room for home servers.
"""


@cache
def totals(shock: str) -> dict[str, Array]:
    """Return outcomes over these quarters in 40 runs of `history`, all parameters drawn."""
    setting = given(scenario(shocks=[shock] if shock else []), replicates=PAIRS, fixed=False)
    state, rows = initial_state(setting), []
    for t in range(AFTER.stop):
        state, quarter = step(state, setting)
        if t >= START:
            values = measure(quarter, setting)
            values["value_added_makers"] = quarter.accounts.value_added["makers"]
            rows.append({name: value.sum(axis=1) for name, value in values.items()})
    return {name: np.sum([row[name] for row in rows], axis=0) for name in rows[0]}


def change(shock: str, outcome: str) -> Array:
    """Return the relative change in each of 40 pairs."""
    calm, struck = totals("")[outcome], totals(shock)[outcome]
    return np.asarray((struck - calm) / np.abs(calm))


@pytest.mark.slow
@pytest.mark.parametrize("name", list(SIGNS))
def test_a_shock_reaches_the_local_economy(name: str) -> None:
    """Where 99 of 100 pairs move so, a false alarm (three of 40 against) has a chance of .8 %."""
    for outcome, sign in SIGNS[name].items():
        against = change(name, outcome) * sign < 0
        assert against.mean() <= 0.05, outcome


@pytest.mark.slow
def test_the_size_of_an_ai_winter_and_what_holds_in_the_median() -> None:
    """A median of 40 pairs is known to some 2 % of sales: the band is 15 wide."""
    assert -0.30 < np.median(change("ai_winter", "ai_firm_sales")) < -0.15
    assert np.median(change("ai_winter", "local_value_added_net")) < 0
    assert np.median(change("demand_surge", "local_value_added_net")) > 0
    for outcome in (
        "compute_exported",
        "servers_hub",
        "value_added_makers",
        "local_value_added_gross",
    ):
        assert np.median(change("accelerator_export_control", outcome)) < 0, outcome


@pytest.mark.slow
@pytest.mark.parametrize("name", list(EXPECTED))
def test_a_shock_shows_in_the_world(name: str) -> None:
    quiet, shaken = series(""), series(name)
    for outcome in NAMES:
        assert np.array_equal(quiet[outcome][:START], shaken[outcome][:START])
    outcome, sign = EXPECTED[name]
    span = slice(START, START + 8)
    moved = (shaken[outcome][span] - quiet[outcome][span]).mean(axis=0)
    assert np.all(moved * sign > 0)
    assert abs(moved.mean()) > 0.01 * quiet[outcome][span].mean()
