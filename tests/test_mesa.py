"""The Mesa face: the numbers of the core, seen through Mesa agents."""

import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import mesa
import numpy as np
import pytest
from mesa.datacollection import DataCollector

from ecosystem import Scenario, agents, catalogue, simulate
from ecosystem.agents import (
    AgentGoneError,
    AIFirm,
    ComputeBuyer,
    DataCentre,
    DispatchCentre,
    EquipmentMaker,
    Government,
    IndustrialPark,
    University,
    View,
)
from ecosystem.errors import InputError
from ecosystem.mesa_model import EcosystemModel
from ecosystem.outcomes import measure
from ecosystem.quarters import HORIZON
from ecosystem.scenario import resolve
from ecosystem.simulation import make_setting
from ecosystem.start import initial_state
from ecosystem.state import State
from ecosystem.step import step
from ecosystem.world.loader import load_world

ROOT = Path(__file__).resolve().parents[1]
KINDS: dict[str, type[View]] = {
    "centres": DataCentre,
    "makers": EquipmentMaker,
    "universities": University,
    "parks": IndustrialPark,
    "firms": AIFirm,
}
"""Kinds of agents whose rows are those of one part of the state."""


def columns(state: State) -> dict[tuple[str, str], np.ndarray]:
    """All arrays of a state by owner and name."""
    return {
        (part.name, field.name): getattr(getattr(state, part.name), field.name)
        for part in fields(state)
        if is_dataclass(getattr(state, part.name))
        for field in fields(getattr(state, part.name))
    }


def run(quarters: int, **arguments: Any) -> EcosystemModel:
    model = EcosystemModel(**{"world": "teaching", **arguments})
    for _ in range(quarters):
        model.step()
    return model


def of_kind(model: EcosystemModel, kind: type[View]) -> list[Any]:
    """The agents of a kind in the order of their rows."""
    return sorted(model.agents_by_type[kind], key=lambda agent: agent.row)


def governments(model: EcosystemModel, level: str) -> list[Any]:
    return [agent for agent in of_kind(model, Government) if agent.level == level]


@pytest.fixture(scope="module")
def model() -> EcosystemModel:
    """A model in 2023Q1, to be read only."""
    return run(13)


@pytest.mark.parametrize(("world", "quarters"), [("teaching", HORIZON), ("full", 12)])
def test_numbers_are_those_of_a_replicate_of_the_core(world: str, quarters: int) -> None:
    setting = make_setting(resolve("demand_core"), load_world(world), 5, range(3))
    state = initial_state(setting)
    shown = EcosystemModel("demand_core", rng=5, replicate=1, world=world)
    for _ in range(quarters):
        state, _ = step(state, setting)
        shown.step()
        seen = columns(shown.state)
        for key, values in columns(state).items():
            np.testing.assert_array_equal(seen[key][0], values[1], err_msg=str(key))


@pytest.mark.parametrize("fixed", [False, True])
def test_outcomes_are_those_of_simulate(fixed: bool) -> None:
    result = simulate(
        "history", replicates=2, seed=3, until="2021Q2", world="teaching", fixed_parameters=fixed
    )
    shown = run(0, rng=3, fixed_parameters=fixed)
    for t in range(6):
        shown.step()
        assert shown.last is not None
        for name, values in measure(shown.last, shown.setting).items():
            np.testing.assert_array_equal(result.series[name][0, 0, t], values[0], err_msg=name)


def test_additions_are_those_of_a_scenario() -> None:
    shocks, parameters = ["demand_surge"], {"profit_sensitivity": 0.5}
    whole = Scenario(["demand_core"], shocks, parameters)
    pile = run(24, config=Scenario(["demand_core"], shocks), parameters=parameters)
    shown = [
        run(24, config=whole),
        run(24, config="demand_core", shocks="demand_surge", parameters=parameters),
        pile,
    ]
    states = [columns(each.state) for each in shown]
    for key, values in states[0].items():
        assert all(np.array_equal(values, other[key]) for other in states[1:]), key
    assert not np.array_equal(shown[0].state.centres.cash, run(24).state.centres.cash)
    assert shown[0].params.profit_sensitivity == parameters["profit_sensitivity"]


def test_every_column_of_the_state_is_seen_by_its_agents(model: EcosystemModel) -> None:
    """N7. Sectors are passive and have no agents."""
    world, seen = model.setting.world, set()

    def check(owner: str, name: str, shown: list[Any], expected: np.ndarray) -> None:
        np.testing.assert_array_equal(np.stack(shown), expected, err_msg=f"{owner}.{name}")
        seen.add((owner, name))

    everything = columns(model.state)
    spread = {
        ("centres", "fill_history"): world.centres.cell,
        ("makers", "local_share"): world.makers.stage,
    }
    for (owner, name), values in everything.items():
        if owner in KINDS:
            rows = np.flatnonzero(model.state.firms.active[0]) if owner == "firms" else slice(None)
            entry = values[0][..., spread.get((owner, name), rows)]
            shown = [getattr(agent, name) for agent in of_kind(model, KINDS[owner])]
            check(owner, name, shown, np.moveaxis(entry, -1, 0))
        elif owner == "buyers":
            shown = [getattr(agent, name) for agent in of_kind(model, ComputeBuyer)]
            check(owner, name, shown, values[0].reshape(-1))
        elif (owner, name) == ("governments", "cash"):
            check(owner, name, [a.cash for a in of_kind(model, Government)], values[0])
        elif owner == "nation":
            check(owner, name, [getattr(governments(model, "nation")[0], name)], values)
        elif owner == "society" or len(values[0]) == world.prefectures.count:
            shown = [getattr(agent, name) for agent in governments(model, "prefecture")]
            check(owner, name, shown, values[0])
        elif owner == "governments":
            shown = list(np.atleast_1d(getattr(governments(model, "province")[0], name)))
            check(owner, name, shown, values[0])
    assert seen == {key for key in everything if key[0] != "sectors"}


def test_views_are_live_and_read_only() -> None:
    model = run(1)
    centre = of_kind(model, DataCentre)[-1]
    for _ in range(3):
        model.step()
        assert centre.cash == model.state.centres.cash[0, centre.row]
    with pytest.raises(AttributeError):
        centre.cash = 0.0
    with pytest.raises(ValueError, match="read-only"):
        centre.server_pipeline[0] = 1.0


def test_facts_of_the_world_are_spelled_out(model: EcosystemModel) -> None:
    world = model.setting.world
    for row, centre in enumerate(of_kind(model, DataCentre)):
        assert centre.name_en == world.centres.name_en[row]
        assert centre.name_zh == world.centres.name_zh[row]
        assert centre.kind == world.kinds[world.centres.kind[row]]
        assert centre.ownership == world.owners[world.centres.owner[row]]
        assert centre.prefecture == world.prefectures.prefecture[world.centres.prefecture[row]]
    for row, maker in enumerate(of_kind(model, EquipmentMaker)):
        assert maker.stage == world.stages[world.makers.stage[row]]
        assert maker.quality == world.makers.quality[row]
    for firm in of_kind(model, AIFirm):
        assert firm.prefecture == world.prefectures.prefecture[world.firms.prefecture[firm.row]]
        assert firm.domain == world.domains.domain[world.firms.domain[firm.row]]
    assert {firm.name_en for firm in run(0).agents_by_type[AIFirm]} == set(world.firms.name)
    buyers = [(buyer.region, buyer.workload) for buyer in of_kind(model, ComputeBuyer)]
    assert buyers == [(g, w) for g in world.regions.region for w in world.workloads.workload]
    assert of_kind(model, ComputeBuyer)[0].kind == world.kinds[world.workloads.kind[0]]
    assert all(buyer.name_en and buyer.name_zh for buyer in of_kind(model, ComputeBuyer))
    places = [agent.place for agent in of_kind(model, Government)]
    assert places == [*world.prefectures.prefecture, world.province.province, "nation"]
    assert governments(model, "province")[0].gdp == world.province.gdp
    assert governments(model, "prefecture")[1].gdp == world.prefectures.gdp[1]


@pytest.mark.parametrize("world", ["teaching", "full"])
def test_there_are_as_many_agents_as_the_table_says(world: str) -> None:
    model = EcosystemModel(world=world)
    firms = model.setting.world.firms
    expected = {
        (row.class_name, row.kind): getattr(row, f"count_{world}")
        for row in catalogue.agents().values()
    }
    for kind in {kind for kind, _ in expected}:
        rows = sum(number for (name, _), number in expected.items() if name == kind)
        there = firms.count if kind == "AIFirm" else len(model.agents_by_type[vars(agents)[kind]])
        assert there == rows, kind
    assert len(model.agents_by_type[AIFirm]) == firms.initial.sum()


def test_dispatch_centre_shows_its_rules() -> None:
    model = run(0, config="demand_core")
    centre = of_kind(model, DispatchCentre)[0]
    start = centre.pooled_share
    assert start.shape == centre.search_exponent.shape == (3, 3)
    assert (start == model.params.pooled_share).all()
    while model.period < 32:
        model.step()
    assert (centre.pooled_share[1] > start[1]).all()


def test_firms_come_and_go() -> None:
    model = run(0)
    gone: list[AIFirm] = []
    for _ in range(40):
        before = set(model.agents_by_type[AIFirm])
        model.step()
        now = set(model.agents_by_type[AIFirm])
        firms = model.state.firms
        shown = {(firm.row, firm.generation) for firm in now}
        slots = np.flatnonzero(firms.active[0])
        assert shown == {(slot, firms.generation[0, slot]) for slot in slots}
        assert len(shown) == len(now)
        gone += before - now
        assert all(firm.alive for firm in now)
        assert not any(firm.alive for firm in gone)
    assert gone
    assert any(firms.active[0, firm.row] for firm in gone), "no slot was taken again"
    with pytest.raises(AgentGoneError, match="has left"):
        _ = gone[0].sales
    numbers = [agent.unique_id for agent in model.agents]
    assert len(set(numbers)) == len(numbers)
    assert max(numbers) > len(numbers)


def test_a_view_never_shows_the_next_firm_of_its_slot() -> None:
    model = run(2)
    firm = of_kind(model, AIFirm)[0]
    firms = model.state.firms
    model.state = replace(model.state, firms=replace(firms, generation=firms.generation + 1))
    assert not firm.alive
    with pytest.raises(AgentGoneError):
        _ = firm.cash


def test_unknown_names_are_answered_with_the_valid_ones(model: EcosystemModel) -> None:
    centre = of_kind(model, DataCentre)[0]
    with pytest.raises(AttributeError, match="nearest: servers; there are .*server_pipeline"):
        _ = centre.server
    province = governments(model, "province")[0]
    with pytest.raises(AttributeError, match="no 'readiness'.*there are .*paid_share"):
        _ = province.readiness
    assert not hasattr(province, "_hidden")
    for agent in model.agents:
        for name in agent._names():
            getattr(agent, name)


def test_agents_say_what_they_decide() -> None:
    for row in catalogue.agents().values():
        assert f"- {row.decision}." in (vars(agents)[row.class_name].__doc__ or "")


def test_model_stops_after_the_last_quarter() -> None:
    model = run(0)
    assert (model.period, model.quarter, model.last) == (0, None, None)
    model.step()
    assert (model.period, model.quarter) == (1, "2020Q1")
    model.run_model()
    assert (model.period, model.quarter, model.running) == (HORIZON, "2035Q4", False)
    with pytest.raises(RuntimeError, match="ends with 2035Q4"):
        model.step()


def test_the_users_generators_are_not_drawn_from() -> None:
    model = run(0)
    before = model.rng.bit_generator.state, model.random.getstate()
    for _ in range(4):
        model.step()
    assert (model.rng.bit_generator.state, model.random.getstate()) == before


def count_alive(model: EcosystemModel) -> int:
    return sum(firm.alive for firm in model.agents_by_type[AIFirm])


def test_a_data_collector_sees_model_and_agents() -> None:
    model = run(0)
    collector = DataCollector(
        model_reporters={"quarter": "quarter", "firms": count_alive},
        agenttype_reporters={
            AIFirm: {"sales": "sales", "domain": "domain"},
            Government: {"cash": "cash", "place": "place"},
        },
    )
    for _ in range(8):
        model.step()
        collector.collect(model)
    frame = collector.get_model_vars_dataframe()
    assert list(frame["quarter"])[-1] == "2021Q4"
    assert frame["firms"].iloc[-1] == model.state.firms.active.sum()
    sales = collector.get_agenttype_vars_dataframe(AIFirm).xs(8, level="Step")["sales"]
    np.testing.assert_allclose(sales.sum(), model.state.firms.sales.sum(), rtol=1e-12)
    cash = collector.get_agenttype_vars_dataframe(Government).xs(8, level="Step")["cash"]
    np.testing.assert_array_equal(cash, model.state.governments.cash[0])


def test_agent_sets_work(model: EcosystemModel) -> None:
    firms = model.agents_by_type[AIFirm]
    assert max(firms.get("sales")) == model.state.firms.sales.max()
    domains = firms.groupby("domain").count()
    assert set(domains) <= set(model.setting.world.domains.domain)
    assert sum(domains.values()) == len(firms)
    rich = firms.select(lambda firm: firm.cash > 0)
    assert len(rich) == (model.state.firms.cash > 0).sum()


def test_agents_of_the_user_get_numbers_of_their_own() -> None:
    class Watcher(mesa.Agent):
        """Somebody who looks on."""

    model = run(3)
    numbers = {agent.unique_id for agent in model.agents}
    assert Watcher(model).unique_id not in numbers


BATCH = """
import warnings
warnings.simplefilter("error")
import multiprocessing
import mesa
from mesa.datacollection import DataCollector
from ecosystem import EcosystemModel

def sales(model):
    return float(model.state.firms.sales.sum())

class Mine(EcosystemModel):
    def __init__(self, until=4, **arguments):
        super().__init__(world="teaching", **arguments)
        self.until = until
        self.datacollector = DataCollector({"sales": sales, "quarter": "quarter"})
        self.datacollector.collect(self)

    def step(self):
        super().step()
        self.datacollector.collect(self)
        self.running = self.running and self.period < self.until

parameters = {"config": ["history", "none"], "fixed_parameters": True}
own_argument = mesa.__version__ >= "3.5"
seeds = {"rng": [1, 2]} if own_argument else {}
if not own_argument:
    parameters["rng"] = [1, 2]
rows = mesa.batch_run(
    Mine, parameters, number_processes=1, display_progress=False,
    data_collection_period=-1, **seeds,
)
for row in rows:
    print(row["config"], row["rng"], row["sales"].hex())
"""


def test_batch_run_works() -> None:
    """In a process of its own, because `mesa.batch_run` changes the start method."""
    done = subprocess.run(
        [sys.executable, "-c", BATCH],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    quarters = 4 if mesa.__version__ >= "3.5" else 3  # 3.3 reports the last record but one
    expected = [
        f"{config} {rng} "
        + float(
            run(quarters, config=config, rng=rng, fixed_parameters=True).state.firms.sales.sum()
        ).hex()
        for config in ("history", "none")
        for rng in (1, 2)
    ]
    assert sorted(done.stdout.splitlines()) == sorted(expected)


def test_models_do_not_accumulate() -> None:
    kept = []
    for seed in range(20):
        model = run(2, rng=seed)
        kept.append(weakref.ref(model))
    assert not set(getattr(mesa.Agent, "_ids", ())) & {each() for each in kept}
    del model
    gc.collect()
    assert [each() for each in kept] == [None] * 20


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        ({"rng": None}, "rng"),
        ({"rng": -1}, "rng"),
        ({"rng": 1.5}, "rng"),
        ({"replicate": True}, "replicate"),
        ({"config": "histroy"}, "history"),
        ({"shocks": "ai_wintr"}, "ai_winter"),
        ({"parameters": {"profit_sensitivty": 1.0}}, "profit_sensitivity"),
        ({"world": "techning"}, "teaching"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], place: str) -> None:
    build: Callable[..., object] = EcosystemModel
    with pytest.raises(InputError, match=place):
        build(**arguments)


def test_numpy_integers_are_seeds() -> None:
    seeded = run(1, rng=np.int64(7))
    np.testing.assert_array_equal(seeded.state.centres.cash, run(1, rng=7).state.centres.cash)


def test_package_offers_its_names_without_importing_them() -> None:
    code = """
import sys
import ecosystem
assert not {"mesa", "numpy", "ecosystem.mesa_model"} & set(sys.modules)
from ecosystem import EcosystemModel, Scenario, simulate
assert EcosystemModel.__module__ == "ecosystem.mesa_model"
assert callable(simulate) and Scenario(["none"])
try:
    ecosystem.simulated
except AttributeError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "no attribute 'simulated'" in done.stdout
