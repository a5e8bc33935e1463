"""From a row of the arrays of the vectorised model to agents.

`from_state` is the only place of the reference that reads those arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

from ecosystem.inputs.catalogue import instruments

from .agents import (
    Agents,
    Buyer,
    Centre,
    Firm,
    Hub,
    Instrument,
    Maker,
    Nation,
    Park,
    Prefecture,
    Province,
    Region,
    Sectors,
    University,
    Workload,
)


def plain(value: Any) -> Any:
    """Return an array or number as plain Python: lists, floats, None where there is no number."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if value != value else value


def table_rows(rows: Any) -> list[dict[str, Any]]:
    """Return one dict for each row of a world table, columns of that length only."""
    columns = {}
    for name, column in rows.columns.items():
        if hasattr(column, "__len__") and len(column) == rows.count:
            columns[name] = plain(column)
    result = [{name: column[i] for name, column in columns.items()} for i in range(rows.count)]
    ids = sorted(row["id"] for row in result)
    for row in result:
        row["luck"] = ids.index(row["id"])
    return result


def state_rows(group: Any, run: int, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return one dict for each agent of a group of the state, last axis the agents'."""
    columns = {name: plain(getattr(group, name)[run]) for name in names}
    count = len(columns[names[0]])
    return [
        {
            name: [lag[i] for lag in column] if isinstance(column[0], list) else column[i]
            for name, column in columns.items()
        }
        for i in range(count)
    ]


def own_fields(sort: type, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a row that are fields of a sort of agent."""
    return {field.name: row[field.name] for field in fields(sort) if field.name in row}


def build(sort: type, world_rows: Any, label: str, states: list[dict[str, Any]], **first: str):
    """Return the agents of one sort; `first` names world columns that the state also has."""
    agents = []
    for row, state in zip(table_rows(world_rows), states, strict=True):
        given = {new: row[old] for new, old in first.items()}
        kept = {**own_fields(sort, row), "name": row[label], **state, **given}
        agents.append(sort(**kept))
    return agents


CENTRE_STATE = (
    "halls halls_pipeline nameplate servers server_pipeline power pue mark sold use quality "
    "tenants book_servers book_halls real_servers real_halls loan cash insolvent"
).split()
MAKER_STATE = "capacity cost sales cash".split()
FIRM_STATE = "share sales compute cash".split()
PARK_STATE = "adoption servers cash".split()
PLACE_STATE = "readiness ambition growth match_last_year".split()
PEOPLE_STATE = "wage branches".split()
INSTRUMENT_STATE = "paid_share envelope_weight claimed paid".split()
NATION_STATE = "demand_ratio use rival_use".split()
BUYER_STATE = ["experience"]
SECTOR_STATE = "households grid bank world".split()


def from_state(state: Any, setting: Any, run: int) -> Agents:
    """Return the agents of row `run` of the arrays."""
    world = setting.world
    table = [[float(x) for x in row] for row in setting.national_table[run]]
    values = {name: float(c[run, 0]) for name, c in setting.parameters._columns.items()}
    centres = build(
        Centre,
        world.centres,
        "centre",
        state_rows(state.centres, run, tuple(CENTRE_STATE)),
        owner="ownership",
    )
    deposits = plain(state.governments.cash[run])
    return Agents(
        period=state.period,
        run=run,
        p=SimpleNamespace(**values),
        kinds=list(world.kinds),
        stages=list(world.stages),
        domains=list(world.domains.domain),
        nation=Nation(
            **{name: plain(getattr(state.nation, name)[run]) for name in NATION_STATE},
            cash=deposits[-1],
        ),
        province=province_from(state, world, run, deposits[-2]),
        instruments=instruments_from(state, setting, run),
        table=table,
        prefectures=prefectures_from(state, world, run, deposits),
        centres=centres,
        makers=build(
            Maker,
            world.makers,
            "maker",
            state_rows(state.makers, run, tuple(MAKER_STATE)),
        ),
        local_share=plain(state.makers.local_share[run]),
        universities=build(
            University,
            world.universities,
            "university",
            state_rows(state.universities, run, ("cash",)),
        ),
        firms=build(Firm, world.firms, "name", state_rows(state.firms, run, tuple(FIRM_STATE))),
        parks=build(
            Park,
            world.parks,
            "park",
            state_rows(state.parks, run, tuple(PARK_STATE)),
            first_adoption="adoption",
        ),
        workloads=[
            Workload(**own_fields(Workload, row), name=row["workload"])
            for row in table_rows(world.workloads)
        ],
        regions=regions_from(state, world, run),
        hubs=[Hub(**own_fields(Hub, row), name=row["hub"]) for row in table_rows(world.hubs)],
        sectors=Sectors(
            **{name: float(getattr(state.sectors, name)[run, 0]) for name in SECTOR_STATE}
        ),
        chance=setting.chance,
    )


def province_from(state: Any, world: Any, run: int, cash: float) -> Province:
    """Return the provincial government."""
    given = {
        field.name: float(world.province.columns[field.name])
        for field in fields(Province)
        if field.name in world.province.columns
    }
    return Province(
        **given,
        cash=cash,
        receipts=plain(state.governments.receipts[run]),
        receipts_before=float(state.governments.receipts_before[run, 0]),
        receipts_reference=float(state.governments.receipts_reference[run, 0]),
        advantage=plain(state.governments.advantage[run]),
        diffusion=float(state.governments.diffusion[run, 0]),
    )


def instruments_from(state: Any, setting: Any, run: int) -> list[Instrument]:
    """Return the entries of instruments with their plans."""
    plan, table = setting.schedule, instruments()
    rows = state_rows(state.governments, run, tuple(INSTRUMENT_STATE))
    return [
        Instrument(
            name=one.name,
            programme=bool(plan.programme[i]),
            usual=table[one.name].place,
            place=one.place or table[one.name].place,
            users=one.users,
            split=tuple(plain(plan.split[i])),
            rate=plain(plan.rate[:, i]),
            spending=plain(plan.spending[:, i]),
            envelope=plain(plan.envelope[:, i]),
            observed=plain(plan.observed[:, i]),
            shells_only=plain(plan.shells_only[:, i]),
            **rows[i],
        )
        for i, one in enumerate(plan.columns)
    ]


def prefectures_from(state: Any, world: Any, run: int, deposits: list[float]) -> list[Prefecture]:
    """Return the prefectures with their governments and people."""
    places = state_rows(state.governments, run, tuple(PLACE_STATE))
    people = state_rows(state.society, run, tuple(PEOPLE_STATE))
    fill = plain(state.centres.fill_history[run])
    count = world.prefectures.count
    result = []
    for i, row in enumerate(table_rows(world.prefectures)):
        given = {
            **own_fields(Prefecture, row),
            **places[i],
            **people[i],
            "name": row["prefecture"],
            "cash": deposits[i],
            "deployment": plain(state.society.deployment[run, i]),
            "fill_history": [
                [lag[kind * count + i] for lag in fill] for kind in range(len(world.kinds))
            ],
        }
        result.append(Prefecture(**given))
    return result


def regions_from(state: Any, world: Any, run: int) -> list[Region]:
    """Return the demand regions with their buyers."""
    links = {row["region"]: row for row in table_rows(world.network)}
    columns = {name: plain(getattr(state.buyers, name)[run]) for name in BUYER_STATE}
    result = []
    for g, row in enumerate(table_rows(world.regions)):
        buyers = [
            Buyer(**{name: columns[name][g][w] for name in BUYER_STATE})
            for w in range(world.workloads.count)
        ]
        link = own_fields(Region, links[row["region"]])
        given = {**link, **own_fields(Region, row), "name": row["region"], "buyers": buyers}
        result.append(Region(**given))
    return result
