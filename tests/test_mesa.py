"""The Mesa model: the numbers of the core, in the tools of Mesa."""

import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mesa
import numpy as np
import pytest
from mesa.datacollection import DataCollector
from mesa_runs import columns, run

from ecosystem import Scenario, simulate
from ecosystem.inputs.calendar import HORIZON
from ecosystem.inputs.faults import InputError
from ecosystem.inputs.scenario import resolve
from ecosystem.inputs.world.loader import load_world
from ecosystem.mesa.agents import (
    AIFirm,
    Government,
)
from ecosystem.mesa.model import EcosystemModel
from ecosystem.outcomes import measure
from ecosystem.quarter.start import initial_state, make_setting
from ecosystem.quarter.step import step

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def model() -> EcosystemModel:
    """A model in 2023Q1, to be read only."""
    return run(13)


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize(("world", "quarters"), [("teaching", HORIZON), ("full", 12)])
@pytest.mark.slow
def test_numbers_are_those_of_a_replicate_of_the_core(
    world: str, quarters: int, fixed: bool
) -> None:
    setting = make_setting(resolve("demand_first"), load_world(world), 5, range(3), fixed)
    state = initial_state(setting)
    shown = EcosystemModel("demand_first", rng=5, replicate=1, world=world, fixed_parameters=fixed)
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
    whole = Scenario(["demand_first"], shocks, parameters)
    pile = run(24, config=Scenario(["demand_first"], shocks), parameters=parameters)
    shown = [
        run(24, config=whole),
        run(24, config="demand_first", shocks="demand_surge", parameters=parameters),
        pile,
    ]
    states = [columns(each.state) for each in shown]
    for key, values in states[0].items():
        assert all(np.array_equal(values, other[key]) for other in states[1:]), key
    assert not np.array_equal(shown[0].state.centres.cash, run(24).state.centres.cash)
    assert shown[0].params.profit_sensitivity == parameters["profit_sensitivity"]


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


@pytest.mark.slow
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
assert not {"mesa", "numpy", "ecosystem.mesa.model"} & set(sys.modules)
from ecosystem import EcosystemModel, Scenario, simulate
assert EcosystemModel.__module__ == "ecosystem.mesa.model"
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
