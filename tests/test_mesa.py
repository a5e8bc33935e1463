"""The Mesa model: the numbers of the core, in the tools of Mesa."""

import copy
import gc
import json
import os
import pickle
import re
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mesa
import numpy as np
import pytest
from helpers import assert_same_bits
from mesa.datacollection import DataCollector
from mesa_runs import run

from ecosystem import Scenario, simulate
from ecosystem.inputs.calendar import HORIZON
from ecosystem.inputs.catalogue import outcomes as outcome_table
from ecosystem.inputs.faults import InputError
from ecosystem.inputs.scenario import resolve
from ecosystem.inputs.world.loader import load_world
from ecosystem.mesa.agents import AIFirm, Government
from ecosystem.mesa.model import EcosystemModel
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
        assert_same_bits(state, shown.state, lambda values: values[1:2] if values.ndim else values)


@pytest.mark.parametrize("fixed", [False, True])
def test_outcomes_are_those_of_simulate(fixed: bool) -> None:
    result = simulate(
        "history", replicates=2, seed=3, until="2021Q2", world="teaching", fixed_parameters=fixed
    )
    shown = run(0, rng=3, fixed_parameters=fixed)
    for t in range(6):
        shown.step()
        assert shown.outcomes.keys() == result.series.keys()
        for name, value in shown.outcomes.items():
            expected = result.series[name][0, 0, t]
            np.testing.assert_array_equal(np.ravel(value), expected, err_msg=name)
    frame = shown.datacollector.get_model_vars_dataframe()
    table = outcome_table().items()
    headlines = [name for name, row in table if row.headline and not row.dimension]
    assert list(frame) == ["quarter", "seed", *headlines]
    assert list(frame["quarter"]) == ["2020Q1", "2020Q2", "2020Q3", "2020Q4", "2021Q1", "2021Q2"]
    for name in headlines:
        np.testing.assert_array_equal(frame[name], result.series[name][0, 0, :, 0])


def test_additions_are_those_of_a_scenario() -> None:
    shocks, parameters = ["demand_surge"], {"profit_sensitivity": 0.5}
    whole = Scenario(["demand_first"], shocks, parameters)
    pile = run(24, config=Scenario(["demand_first"], shocks), parameters=parameters)
    shown = [
        run(24, config=whole),
        run(24, config="demand_first", shocks="demand_surge", parameters=parameters),
        pile,
    ]
    for each in shown[1:]:
        assert_same_bits(shown[0].state, each.state)
    assert not np.array_equal(shown[0].state.centres.cash, run(24).state.centres.cash)
    assert shown[0].params.profit_sensitivity == parameters["profit_sensitivity"]


@pytest.mark.parametrize(("end", "quarters"), [("2035Q4", HORIZON), ("2020Q3", 3)])
def test_model_stops_after_the_last_quarter(end: str, quarters: int) -> None:
    model = run(0, until=end)
    assert (model.period, model.quarter, model.last, model.outcomes) == (0, None, None, {})
    model.step()
    assert (model.period, model.quarter) == (1, "2020Q1")
    model.run_model()
    assert (model.period, model.quarter, model.running) == (quarters, end, False)
    with pytest.raises(RuntimeError, match=f"ends with {end}"):
        model.step()


def test_luck_without_a_seed_is_new_and_can_be_repeated() -> None:
    one, other = run(4, rng=None), run(4, rng=None)
    assert one.seed != other.seed
    assert one.outcomes["compute_exported"] != other.outcomes["compute_exported"]
    again = run(4, rng=None, seed=one.seed)
    assert again.outcomes["compute_exported"] == one.outcomes["compute_exported"]


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
    model.datacollector = collector = DataCollector(
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


def python(code: str, folder: Path = ROOT) -> str:
    """Run a script in a process of its own and return what it writes; warnings are errors."""
    command = [sys.executable, "-W", "error", "-c", code]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


BATCH = """
import json, warnings
import mesa
import pandas as pd
from ecosystem import EcosystemModel

def batch(parameters, **how):
    rows = mesa.batch_run(
        EcosystemModel, {"world": "teaching", "until": "2020Q4", **parameters},
        display_progress=False, **how,
    )
    keep = ["config", "quarter", "seed", "compute_exported"]
    return pd.DataFrame(rows).reindex(columns=keep).values.tolist()

new = mesa.__version__ >= "3.5"
both = {"config": ["history", "none"]}
found = {
    "parameter": batch({**both, "rng": [1, 2]}),
    "processes": batch({**both, "rng": [1, 2]}, number_processes=2),
    "argument": batch(both, rng=[1, 2]) if new else batch({**both, "rng": [1, 2]}),
    "every quarter": batch({"config": "none", "rng": 1}, data_collection_period=1),
}
if new:
    warnings.simplefilter("ignore", DeprecationWarning)  # Mesa 3.5 would have rng=[None] * 3
found["iterations"] = batch({"config": "none"}, iterations=3)
print(json.dumps(found))
"""


@pytest.mark.slow
def test_batch_run_works_as_it_is() -> None:
    """In a process of its own, because `mesa.batch_run` changes the start method."""

    def exported(config: str, seed: int) -> float:
        return float(run(4, config=config, rng=seed).outcomes["compute_exported"])

    found = json.loads(python(BATCH))
    iterations = found.pop("iterations")
    assert len({seed for *_, seed, _ in iterations}) == 3
    for config, quarter, seed, value in iterations:
        assert (quarter, value) == ("2020Q4", exported(config, seed))
    quarters = found.pop("every quarter")
    assert [row[1] for row in quarters] == ["2020Q1", "2020Q2", "2020Q3", "2020Q4"]
    assert quarters[-1][3] == exported("none", 1)
    expected = [
        [config, "2020Q4", seed, exported(config, seed)]
        for config in ("history", "none")
        for seed in (1, 2)
    ]
    assert {name: sorted(rows) for name, rows in found.items()} == dict.fromkeys(
        ("parameter", "processes", "argument"), expected
    )


@pytest.mark.slow
def test_the_page_about_mesa_runs(tmp_path: Path) -> None:
    words = (ROOT / "docs" / "with_mesa.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", words, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 7
    ends = """
def large_that_left(model):
    firms = [moment.state.firms for moment in model.past[21:]]
    return sum(
        ((a.active > 0) & (a.staff >= 100) & (a.generation != b.generation * b.active)).sum()
        for a, b in zip(firms, firms[1:])
    )

assert list(wide) == ["article", "history"] and len(wide) == 3 and wide.notna().all(axis=None)
assert career["staff"].iloc[-1] == firm.staff and 0 < len(large) < len(firms)
assert large_that_left(changed) == 0 < large_that_left(model)
"""
    python("\n".join([*blocks, ends]), tmp_path)


@pytest.mark.parametrize(
    "copied",
    [lambda model: pickle.loads(pickle.dumps(model)), copy.deepcopy],
    ids=["pickle", "copy"],
)
def test_a_copy_of_a_model_goes_on_alike(copied: Callable[[Any], Any]) -> None:
    model = run(6)
    other = copied(model)
    for each in (model, other):
        each.step()
    assert model.outcomes["compute_exported"] == other.outcomes["compute_exported"]
    frames = [each.datacollector.get_model_vars_dataframe() for each in (model, other)]
    assert len(frames[0]) == 7 and frames[0].equals(frames[1])
    assert len(other.agents) == len(model.agents)
    assert all(agent.model is other for agent in other.agents)


def test_models_do_not_accumulate() -> None:
    kept = []
    for seed in range(4):
        model = run(2, rng=seed)
        kept.append(weakref.ref(model))
    assert not set(getattr(mesa.Agent, "_ids", ())) & {each() for each in kept}
    del model
    gc.collect()
    assert [each() for each in kept] == [None] * 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rng": -1}, r"rng: -1 .* a whole number of at least 0"),
        ({"rng": 1.5}, r"rng: 1\.5 .* a whole number"),
        ({"rng": 1, "seed": 2}, r"seed: 2 .* nothing beside `rng`"),
        ({"replicate": True}, r"replicate: True .* a whole number"),
        ({"config": "histroy"}, r"'histroy' .*nearest valid name: history"),
        ({"config": 5}, r"5 is not valid.* a package or a TOML file"),
        ({"config": ["history"]}, r"\['history'\] is not valid"),
        ({"shocks": "ai_wintr"}, r"'ai_wintr' .*nearest valid name: ai_winter"),
        ({"shocks": 5}, r"shocks\[0\]: 5 is not valid"),
        ({"parameters": {"profit_sensitivty": 1.0}}, r"nearest valid name: profit_sensitivity"),
        ({"parameters": "hype"}, r"parameters: 'hype' .* a table of names and values"),
        ({"parameters": {"hype": "0.3"}}, r"parameters\.hype: '0\.3' is not valid"),
        ({"fixed_parameters": "no"}, r"fixed_parameters: 'no' .* true or false"),
        ({"until": 2030}, r"until: 2030 .* a quarter from 2020Q1 to 2035Q4"),
        ({"world": "techning"}, r"world: 'techning' .*nearest valid name: teaching"),
        ({"world": 5}, r"world: 5 .* full, teaching or a folder"),
        ({"rng": "1", "world": None, "parameters": 7}, r"(?s)rng: '1'.*parameters: 7.*world: None"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    build: Callable[..., object] = EcosystemModel
    with pytest.raises(InputError, match=message):
        build(**arguments)


def test_numbers_of_numpy_are_numbers() -> None:
    shown = run(1, rng=np.int64(7), replicate=np.int32(2), parameters={"hype": np.float32(0.5)})
    plain = run(1, rng=7, replicate=2, parameters={"hype": 0.5})
    np.testing.assert_array_equal(shown.state.centres.cash, plain.state.centres.cash)


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
    assert "no attribute 'simulated'" in python(code)
