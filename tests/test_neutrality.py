"""What must change nothing changes nothing, to the bit wherever sums keep their order (N1-N6)."""

from collections.abc import Mapping
from dataclasses import fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import (
    append_row,
    arrays,
    assert_close,
    assert_same_bits,
    copied_world,
    final,
    quarters,
    setting_of,
)

from ecosystem.inputs.calendar import POLICY_START, period_label
from ecosystem.inputs.catalogue import instruments, shocks
from ecosystem.inputs.scenario import ResolvedScenario, package_names, resolve, with_overrides
from ecosystem.inputs.schedule import build_schedule
from ecosystem.inputs.world.assemble import Rows
from ecosystem.inputs.world.loader import World, load_world
from ecosystem.outcomes import measure
from ecosystem.quarter.step import step
from ecosystem.state.state import State

pytestmark = pytest.mark.slow

REPLICATES = (0, 1)
YEARS = 3  # after the start of the packages
CLAIMS = ("claimed", "paid_share")  # what was asked for and refused is written down
TABLE = instruments()


@lru_cache(maxsize=1)
def start_of_packages() -> State:
    """Return the state when the packages start, the same for all of them."""
    return final(setting_of("none", replicates=REPLICATES, fixed=False), POLICY_START - 1)[1]


@lru_cache(maxsize=32)
def after(scenario: str, overrides: tuple[str, ...] = (), shock: str = "") -> tuple[Any, ...]:
    """Return the states and outcomes of the years after the packages start."""
    resolved = with_overrides(resolve(scenario), overrides, [shock] if shock else [])
    setting = setting_of(resolved, replicates=REPLICATES, fixed=False)
    state, path = start_of_packages(), []
    for _ in range(4 * YEARS):
        state, quarter = step(state, setting)
        path.append((state, measure(quarter, setting)))
    return tuple(path)


def without(record: Mapping[str, np.ndarray], *names: str) -> dict[str, np.ndarray]:
    """Return a record without some of its arrays."""
    return {key: values for key, values in record.items() if key.split(".")[-1] not in names}


def assert_same_path(one: tuple[Any, ...], other: tuple[Any, ...], *but: str) -> None:
    for (state, outcomes), (its_state, its_outcomes) in zip(one, other, strict=True):
        assert_same_bits(without(arrays(state), *but), without(arrays(its_state), *but))
        assert_same_bits(without(outcomes, "unspent"), without(its_outcomes, "unspent"))


def assert_same_outcomes(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> None:
    """Compare to 1e-9, but for what is left of a budget: the rounding of two equal sums."""
    assert_close(without(one, "unspent"), without(other, "unspent"))


def zero(name: str) -> tuple[str, ...]:
    """Return the overrides that switch an instrument on and give it nothing to do."""
    key, value = {
        "programme": ("spending", 0),
        "transfer": ("rate", 0),
        "charge": ("rate", 0),
        "rule": ("active", "false"),
    }[TABLE[name].type]
    return (f"instrument.{name}.{key}={value}",)


@pytest.mark.parametrize("name", TABLE)
def test_an_instrument_at_zero_is_no_instrument(name: str) -> None:
    """N1: a programme that spends nothing, a transfer or charge at rate 0, a rule that is off."""
    assert_same_path(after("none", zero(name)), after("none"))


def test_all_instruments_at_zero_are_no_policy() -> None:
    """N1, all at once."""
    pairs = [(name, other) for name, row in TABLE.items() for other in row.excluded]
    for left_out in {name for pair in pairs for name in pair}:
        others = (name for name in TABLE if name != left_out)
        overrides = tuple(text for name in others for text in zero(name))
        assert_same_path(after("none", overrides), after("none"))


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row.type == "transfer"])
def test_a_promise_without_money_moves_nobody(name: str) -> None:
    """N2: a transfer whose envelope is empty is expected by nobody and paid to nobody."""
    promise = f"instrument.{name}.rate={TABLE[name].rate_high}"
    empty = f"instrument.{name}.envelope=0"
    assert_same_path(after("none", (promise, empty)), after("none"), *CLAIMS)


@pytest.mark.parametrize("name", TABLE)
def test_every_instrument_does_something_where_it_is_not_zero(name: str) -> None:
    """The tests above can fail: at its highest value each instrument moves the state."""
    row = TABLE[name]
    if row.type == "rule":
        strong: tuple[str, ...] = (f"instrument.{name}.active=true",)
    elif row.type == "programme":
        strong = (f"instrument.{name}.spending={row.spending_high}",)
    else:
        strong = (f"instrument.{name}.rate={row.rate_high}",)
        strong += (f"instrument.{name}.envelope=1000",) if row.type == "transfer" else ()
    one, other = after("none", strong)[-1][0], after("none")[-1][0]
    moved = [
        key
        for key, values in without(arrays(one), *CLAIMS, "paid").items()
        if not np.array_equal(values, arrays(other)[key])
    ]
    assert moved


@pytest.mark.parametrize("name", shocks())
def test_a_shock_of_no_size_is_no_shock(name: str) -> None:
    """N6, from its first quarter on; at full size it moves the state."""
    start = period_label(POLICY_START + 1)
    assert_same_path(after("history", shock=f"{name}:0:{start}"), after("history"))
    full = after("history", shock=f"{name}:{shocks()[name].high}:{start}")
    differing = [
        key
        for key, values in arrays(full[-1][0]).items()
        if not np.array_equal(values, arrays(after("history")[-1][0])[key])
    ]
    assert differing


def test_all_packages_are_one_to_the_bit_until_they_start() -> None:
    """The past is one past, and the first quarter of the packages tells them apart."""
    paths = {}
    for name in package_names():
        setting = setting_of(name, replicates=REPLICATES, fixed=False)
        paths[name] = [
            (quarter, measure(quarter, setting)) for quarter, _ in quarters(setting, POLICY_START)
        ]
    reference = paths.pop("history")
    for path in paths.values():
        for t in range(0, POLICY_START, 7):
            assert_same_bits(path[t][0], reference[t][0])
        assert_same_bits(tuple(o for _, o in path[:-1]), tuple(o for _, o in reference[:-1]))
        assert_same_bits(path[POLICY_START - 1][0], reference[POLICY_START - 1][0])
        now, its = arrays(path[-1][0]), arrays(reference[-1][0])
        assert any(not np.array_equal(now[key], its[key]) for key in now)


@pytest.mark.parametrize("world", ["teaching", "full"])
@pytest.mark.parametrize("package", ["history", "article"])
def test_a_run_alone_is_the_run_of_the_ensemble(world: str, package: str) -> None:
    """N4: every array of every stage, to the bit."""
    many, place = tuple(range(7)), 3
    together = quarters(setting_of(package, world, replicates=many, fixed=False), 40)
    alone = quarters(
        setting_of(package, world, replicates=many[place : place + 1], fixed=False), 40
    )

    def row(values: np.ndarray) -> np.ndarray:
        with_runs = values.ndim > 1
        return values[place : place + 1] if with_runs else values

    for (quarter, state), (its_quarter, its_state) in zip(together, alone, strict=True):
        assert_same_bits(state, its_state, row)
        if state.period % 10 == 0:
            assert_same_bits(quarter, its_quarter, row)


def permuted(world: World, seed: int) -> World:
    """Return the world with agents in another order within each block, keys and all."""
    rng = np.random.default_rng(seed)

    def shuffle(rows: Rows, block: np.ndarray) -> Rows:
        order = np.lexsort((rng.random(rows.count), block))
        columns: dict[str, Any] = {}
        for name, values in rows.columns.items():
            if name in ("cell_start", "stage_start", "cell_axes", "groups"):
                columns[name] = values
            elif name == "knowledge":
                columns[name] = values[:, order]
            elif isinstance(values, np.ndarray):
                columns[name] = values[order]
            else:
                columns[name] = tuple(values[i] for i in order)
        return Rows(rows.count, columns)

    return replace(
        world,
        centres=shuffle(world.centres, world.centres.cell),
        makers=shuffle(world.makers, world.makers.stage),
        firms=shuffle(world.firms, world.firms.cell),
        universities=shuffle(world.universities, np.zeros(world.universities.count)),
        parks=shuffle(world.parks, np.zeros(world.parks.count)),
    )


@pytest.mark.parametrize("world", ["teaching", "full"])
def test_the_order_of_agents_does_not_matter(world: str) -> None:
    """N3: agents change places with their random keys, and no outcome moves.

    Firms neither die nor are born here: a birth takes the first free slot, and with it the luck
    of that slot.
    """
    still = {"birth_rate": 0.0, "exit_base": 0.0, "exit_cash": 0.0, "exit_young": 0.0}
    given = load_world(world)
    mixed = permuted(given, seed=5)
    assert not np.array_equal(mixed.centres.order, given.centres.order)
    assert not np.array_equal(mixed.firms.order, given.firms.order)
    one, other = (
        setting_of("article", place, replicates=REPLICATES, **still) for place in (given, mixed)
    )
    for (quarter, state), (its_quarter, _) in zip(
        quarters(one, 40), quarters(other, 40), strict=True
    ):
        if state.period % 5 == 0:
            assert_same_outcomes(measure(quarter, one), measure(its_quarter, other))


def test_free_slots_change_nothing(tmp_path: Path) -> None:
    """N5: slots that are appended and not needed move no outcome, no firm and nobody's luck."""
    folder = copied_world(tmp_path / "wider")
    count = load_world("teaching").firms.count
    for i, domain in enumerate(("ai", "biomedicine")):
        cells = {"domain": domain, "first_slot": count + 4 * i, "slots": 4, "initial_firms": 0}
        append_row(folder, "ai_firm_slots", **cells)
    few_births = {"birth_rate": 0.004}
    given = setting_of(replicates=REPLICATES, **few_births)
    wider = setting_of(world=load_world(folder), replicates=REPLICATES, **few_births)
    assert wider.world.firms.count == count + 8
    place = {int(i): position for position, i in enumerate(wider.world.firms.id)}
    rows = np.array([place[int(i)] for i in given.world.firms.id])
    born = 0.0
    for (quarter, state), (its_quarter, its_state) in zip(
        quarters(given, 40), quarters(wider, 40), strict=True
    ):
        assert (quarter.business.overflow == 0).all()
        born += quarter.business.born.sum()
        for column in fields(state.firms):
            values, its_values = (getattr(s.firms, column.name) for s in (state, its_state))
            np.testing.assert_allclose(its_values[:, rows], values, rtol=1e-9, atol=1e-12)
        if state.period % 5 == 0:
            assert_same_outcomes(measure(quarter, given), measure(its_quarter, wider))
    assert born > 3


def test_an_open_scenario_is_not_a_closed_one() -> None:
    """The overrides that the tests rely on do reach the schedule."""
    resolved: ResolvedScenario = with_overrides(
        resolve("none"), ["instrument.output_subsidy.rate=0.2"], []
    )
    rate = build_schedule(resolved).rate[POLICY_START + 4]
    assert rate[list(TABLE).index("output_subsidy")] == 0.2
