"""The model as Mesa usually has it: one Python object an agent, no arrays.

It is what the vectorised core is timed against, side by side, on the same quarters of the full
world. Stages are those of the slow reference under `tests/reference`: budgets, location, bidding,
finance, routing, dispatch, settlement, exits and accounts. What the other stages return (drivers,
makers, innovation, labour, entry) comes from the core and is not timed, nor is handing it to the
objects.
"""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy is loaded
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import mesa

from benchmarks.record import Row, command, ratio
from ecosystem.inputs.scenario import resolve
from ecosystem.inputs.world.loader import load_world
from ecosystem.quarter.start import initial_state, make_setting
from ecosystem.quarter.step import step
from ecosystem.stages.accounts import account
from ecosystem.stages.dispatch import sell
from ecosystem.stages.investment import invest
from ecosystem.stages.policy import govern
from ecosystem.state.records import Quarter

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from reference.agents import Agents
from reference.dispatch import reference_dispatch
from reference.flows import reference_accounts
from reference.investment import reference_investment
from reference.layout import from_state
from reference.mirror import plain_quarter
from reference.policy import reference_policy

MICRO = 1e6
CORE_RUNS = 102
"""Runs of one chunk of the core in the full world."""
SORTS = ("prefectures", "centres", "makers", "universities", "firms", "parks")


class Member(mesa.Agent):
    """A data centre, maker, university, firm, park, buyer or government."""

    def __init__(self, model: mesa.Model, like: object) -> None:
        super().__init__(model)
        self.__dict__.update(vars(like))


class ObjectModel(mesa.Model):
    """One run, agent by agent; a step is a quarter.

    Attributes
    ----------
    everybody
        The agents by sort, and the markets and sectors that are no agents.
    quarter
        The core's record of the quarter, to compare with.
    decided
        What the objects decided in it, by stage.
    seconds
        CPU time that they took.
    """

    def __init__(self, config: str = "history", rng: int = 1, world: str = "full") -> None:
        super().__init__(rng=rng)
        self.setting = make_setting(resolve(config), load_world(world), rng, [0])
        self.state = initial_state(self.setting)

    def step(self) -> None:
        """Run one quarter."""
        self.state, self.quarter = step(self.state, self.setting)
        self.everybody = self.people(from_state(self.quarter.state, self.setting, 0))
        records = plain_quarter(self.quarter, 0)
        del records["accounts"]
        start = time.process_time()
        self.decided = decide(self.everybody, records)
        self.seconds = time.process_time() - start

    def people(self, plain: Agents) -> Agents:
        """Return plain objects as agents of Mesa."""
        self.remove_all_agents()
        members = {name: [Member(self, each) for each in getattr(plain, name)] for name in SORTS}
        regions = [
            replace(region, buyers=[Member(self, buyer) for buyer in region.buyers])
            for region in plain.regions
        ]
        levels = {name: Member(self, getattr(plain, name)) for name in ("province", "nation")}
        return replace(plain, regions=regions, **members, **levels)


def decide(agents: Agents, records: dict[str, Any]) -> dict[str, Any]:
    """Return what the agents decide in a quarter, and its accounts."""
    drivers = records["drivers"]
    policy = reference_policy(agents, drivers)
    investment = reference_investment(agents, drivers, policy)
    market = reference_dispatch(agents, drivers, policy, investment)
    accounts = reference_accounts(agents, **records)
    return {"investment": investment, "market": market, "accounts": accounts}


def decide_in_core(quarter: Quarter, setting: Any) -> None:
    """Run the same stages of a quarter in the core."""
    for stage in (govern, invest, sell, account):
        stage(quarter, setting)


def rows(quick: bool) -> list[Row]:
    """Return µs a run and quarter of objects and core, and the ratio quarter by quarter."""
    objects = ObjectModel()
    setting = make_setting(resolve("history"), load_world("full"), 1, range(CORE_RUNS))
    state = initial_state(setting)
    theirs, ours = [], []
    for _ in range(3 if quick else 64):
        objects.step()
        theirs.append(objects.seconds * MICRO)
        state, quarter = step(state, setting)
        start = time.process_time()
        decide_in_core(quarter, setting)
        ours.append((time.process_time() - start) / CORE_RUNS * MICRO)
    what = "a run and quarter, full world, stages that both have"
    slow = Row(what, "Mesa objects", "µs", tuple(theirs))
    fast = Row(what, f"core, {CORE_RUNS} runs", "µs", tuple(ours))
    return [slow, fast, ratio("Mesa objects over the core", what, slow, fast)]


NOTES = """Median, least and most of the quarters of a run. CPU times of one thread of the same
process, the two in turn. The objects' code is written to be read, not for speed."""

if __name__ == "__main__":
    about = "Time stages of the model, one Mesa object an agent, side by side with the core; "
    about += "a minute, best on a machine that does nothing else."
    command("mesa_objects", about, rows, NOTES)
