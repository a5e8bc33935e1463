"""A quarter of the teaching world in which single agents are followed by hand."""

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from helpers import final, setting_of

from ecosystem.quarter.step import step
from ecosystem.state.setting import Setting
from ecosystem.state.state import State

RUN, PLACE, DOMAIN = 1, 1, 0


class Case:
    """A quarter, the state after it, and parameters of one run as plain numbers."""

    def __init__(self, package: str, period: int, **values: float) -> None:
        self.setting: Setting = setting_of(package, replicates=(0, 1), fixed=False, **values)
        _, before = final(self.setting, period - 1)
        self.after, self.quarter = step(before, self.setting)
        self.state: State = before
        self.world = self.setting.world

    def p(self, name: str) -> float:
        return float(self.setting.parameters[name][RUN, 0])

    def lever(self, name: str) -> float:
        """Return what a programme buys, at its place where it has one."""
        policy = self.quarter.policy
        levers = policy.local_lever if name in policy.local_lever else policy.lever
        return float(levers[name][RUN].max())


def productivity(c: Case, knowledge: Any, period: int) -> Any:
    """Return what a worker in production can deliver, M¥ a quarter."""
    known = np.maximum(knowledge, c.p("knowledge_floor")) ** c.p("knowledge_productivity")
    return c.p("sales_per_worker") * math.exp(c.p("productivity_growth") * period / 4) * known


@cache
def case(package: str = "article", period: int = 30) -> Case:
    return Case(package, period)


def same(found: Any, by_hand: float) -> None:
    assert float(found) == pytest.approx(by_hand, rel=1e-9, abs=1e-12)
