"""Mesa agents: each shows its row of the arrays, and firms come and go."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers import arrays
from mesa_runs import run

from ecosystem.inputs import catalogue
from ecosystem.mesa import agents
from ecosystem.mesa.agents import (
    PROVINCIAL,
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
from ecosystem.mesa.model import EcosystemModel

KINDS: dict[str, type[View]] = {
    "centres": DataCentre,
    "makers": EquipmentMaker,
    "universities": University,
    "parks": IndustrialPark,
    "firms": AIFirm,
}
"""Kinds of agents whose rows are those of one part of the state."""


def of_kind(model: EcosystemModel, kind: type[View]) -> list[Any]:
    """The agents of a kind in the order of their rows."""
    return sorted(model.agents_by_type[kind], key=lambda agent: agent.row)


def governments(model: EcosystemModel, level: str) -> list[Any]:
    return [agent for agent in of_kind(model, Government) if agent.level == level]


@pytest.fixture(scope="module")
def model() -> EcosystemModel:
    """A model in 2023Q1, to be read only."""
    return run(13)


def test_every_column_of_the_state_is_seen_by_its_agents(model: EcosystemModel) -> None:
    """N7. Sectors are passive and have no agents."""
    world, seen = model.setting.world, set()

    def check(owner: str, name: str, shown: list[Any], expected: np.ndarray) -> None:
        np.testing.assert_array_equal(np.stack(shown), expected, err_msg=f"{owner}.{name}")
        seen.add((owner, name))

    everything = {
        tuple(key.split(".")): values for key, values in arrays(model.state).items() if "." in key
    }
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
        elif name in PROVINCIAL:
            shown = list(np.atleast_1d(getattr(governments(model, "province")[0], name)))
            check(owner, name, shown, values[0])
        elif owner in ("society", "governments"):
            shown = [getattr(agent, name) for agent in governments(model, "prefecture")]
            check(owner, name, shown, values[0])
    assert seen == {key for key in everything if key[0] != "sectors"}


def test_views_are_live_and_read_only() -> None:
    model = run(1)
    centre = of_kind(model, DataCentre)[-1]
    for _ in range(3):
        model.step()
        assert centre.cash == model.state.centres.cash[0, centre.row]
    with pytest.raises(ValueError, match="read-only"):
        centre.server_pipeline[0] = 1.0


def derive(agent: View) -> None:
    type("Mine", (type(agent),), {})


ACTS: list[tuple[Callable[[Any], object], str]] = [
    (lambda agent: agent.remove(), "cannot be removed"),
    (lambda agent: agent.model.deregister_agent(agent), "cannot be removed"),
    (lambda agent: agent.model.remove_all_agents(), "cannot be removed"),
    (lambda agent: agent.model.agents.do("remove"), "cannot be removed"),
    (lambda agent: type(agent)(agent.model, agent.row), "can be made"),
    (lambda agent: type(agent).create_agents(agent.model, 2, [0, 1]), "can be made"),
    (lambda agent: setattr(agent, "cash", 0.0), "cannot be changed to 0.0"),
    (lambda agent: setattr(agent, "prefecture", "x"), "cannot be changed to 'x'"),
    (derive, "Mine would never be used"),
]
"""What would leave the model as it is, and how it is refused."""


@pytest.mark.parametrize(("act", "message"), ACTS)
@pytest.mark.parametrize("kind", [DataCentre, AIFirm])
def test_what_an_agent_cannot_do_is_refused_with_the_way_to_do_it(
    kind: type[View], act: Callable[[Any], object], message: str
) -> None:
    model = run(2)
    agents = list(model.agents)
    with pytest.raises(
        (RuntimeError, AttributeError, TypeError), match=f"{message}.*by a function of your own"
    ):
        act(of_kind(model, kind)[0])
    assert list(model.agents) == agents
    model.step()


def test_agents_have_names(model: EcosystemModel) -> None:
    world = model.setting.world
    for kind, them in model.agents_by_type.items():
        names = [agent.name for agent in them]
        assert all(names) and len(set(names)) == len(names), kind
        assert all(agent.name in repr(agent) for agent in them)
    firms = {firm.name for firm in run(0).agents_by_type[AIFirm]}
    assert set(world.firms.name) - {""} < firms
    assert [agent.name for agent in of_kind(model, Government)] == [
        *world.prefectures.name_en, world.province.name_en, "nation"
    ]  # fmt: skip


@pytest.mark.slow
def test_histories_are_what_agents_showed_quarter_by_quarter() -> None:
    """Of firms that have left as well, and never of an earlier or later firm of their slot."""
    model = run(0, config="article")
    assert of_kind(model, DataCentre)[0].history.empty
    assert "cash" in of_kind(model, DataCentre)[0].history
    shown: dict[View, list[dict[str, Any]]] = {}
    while model.period < 30:
        model.step()
        for agent in model.agents:
            names = {"adoption", "cash", "readiness", "sales", "servers", "staff", "price"}
            row = {name: getattr(agent, name) for name in names if hasattr(agent, name)}
            shown.setdefault(agent, []).append(row | {"period": model.quarter})
    for agent, rows in shown.items():
        history = agent.history
        assert list(history.index) == [row.pop("period") for row in rows]
        assert history[list(rows[0])].to_dict("records") == rows
    firms = [agent for agent in shown if isinstance(agent, AIFirm)]
    assert any(not firm.alive for firm in firms)
    assert len({firm.row for firm in firms}) < len(firms), "no slot was taken again"
    assert len({firm.name for firm in firms}) == len(firms)


def test_a_history_has_periods_in_order_and_a_column_for_each_number() -> None:
    model = run(24)
    centre, university = of_kind(model, DataCentre)[1], of_kind(model, University)[0]
    assert centre.history.index.max() == "2025Q4"
    assert list(centre.history.loc["2024Q4":"2025Q1"].index) == ["2024Q4", "2025Q1"]
    pipeline = centre.history.filter(like="server_pipeline_").iloc[-1]
    np.testing.assert_array_equal(pipeline, centre.server_pipeline)
    np.testing.assert_array_equal(
        university.history.filter(like="knowledge_").iloc[-1], university.knowledge
    )
    dispatch = of_kind(model, DispatchCentre)[0]
    np.testing.assert_array_equal(
        dispatch.history.filter(like="pooled_share_").iloc[-1], dispatch.pooled_share.ravel()
    )


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
    model = run(0, config="demand_first")
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
