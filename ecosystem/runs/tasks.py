"""The chunks of a design, and which of them have a past in common."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecosystem.inputs.calendar import POLICY_START
from ecosystem.inputs.draws import Draws
from ecosystem.inputs.scenario import ResolvedScenario
from ecosystem.runs.design import Design, digests_of
from ecosystem.runs.past import Past, early_part
from ecosystem.runs.task import Plan, Task

LONGEST = 7
"""Most chunks of a job: with more, all would hardly be done sooner, and a kill would lose more."""


class Tasks(Sequence[Task]):
    """The chunks of a design: of one scenario each, of equal size, and fitting the cache.

    Chunks of a common past follow one upon the other. A task is made when it is asked for, so that
    parameter values are not held twice.

    Parameters
    ----------
    design, plan
        What is cut, and what its chunks have in common.
    largest
        Most runs of a chunk.
    questions
        What determines the results beside a chunk's own columns, as JSON, a text a scenario; none
        where nothing is stored.
    past
        A past that all runs go on from, a row a replicate.
    draws
        Table of draws of which each replicate has a row; by default all is drawn from the prior.

    Attributes
    ----------
    parts : list
        Place of its scenario and numbers of its runs, of each chunk.
    shared : list
        Numbers of the chunks that have a past in common.
    """

    def __init__(
        self,
        design: Design,
        plan: Plan,
        largest: int,
        questions: Sequence[str] = (),
        past: Past | None = None,
        draws: Draws | None = None,
    ) -> None:
        self.design, self.plan, self.largest, self.questions = design, plan, largest, questions
        self.past, self.draws = past, draws
        self.parts: list[tuple[int, NDArray[np.int64]]] = []
        self.shared: list[range] = []
        for places in self.families():
            cut = [self.blocks(place) for place in places]
            for block in zip(*cut, strict=True):
                first = len(self.parts)
                self.parts += zip(places, block, strict=True)
                self.shared.append(range(first, len(self.parts)))

    def families(self) -> Iterable[list[int]]:
        """Return the places of the scenarios that have a past in common, all their runs."""
        families: dict[Hashable, list[int]] = {}
        for place in np.unique(self.design.scenario).tolist():
            families.setdefault(self.past_of(place), []).append(place)
        return families.values()

    def past_of(self, place: int) -> Hashable:
        """Return what the past of all runs of a scenario is known by."""
        design, scenario = self.design, self.design.scenarios[place]
        alone = len(design.scenarios) == 1 or self.past is not None or self.plan.model is not None
        if alone or not isinstance(scenario, ResolvedScenario):
            return place
        runs = self.runs(place)
        luck = digests_of({"replicate": design.replicate[runs]})
        points = [
            digests_of({name: column[design.point[runs]]})[name]
            for name, column in design.points.items()
        ]
        return early_part(scenario).digest, *luck.values(), *points

    def runs(self, place: int) -> NDArray[np.int64]:
        """Return the numbers of the runs of a scenario."""
        return np.flatnonzero(self.design.scenario == place)

    def blocks(self, place: int) -> list[NDArray[np.int64]]:
        """Return the runs of a scenario in parts of equal size."""
        runs = self.runs(place)
        return np.array_split(runs, -(-len(runs) // self.largest))

    def under(self, plan: Plan) -> Tasks:
        """Return the same chunks under another plan."""
        changed = copy(self)
        changed.plan = plan
        return changed

    def jobs(self, numbers: Iterable[int], workers: int) -> list[list[int]]:
        """Return the numbers of chunks as they are run, one after the other, from a common past.

        Chunks of one past are dealt to several jobs, each of which steps it again, where all is
        done sooner that way.
        """
        wanted = set(numbers)
        blocks = [[number for number in block if number in wanted] for block in self.shared]
        sizes = np.array([len(block) for block in blocks])
        before, after = self.halves

        def busiest(parts: int) -> int:
            """Return how many quarters the worker that has most to do steps."""
            jobs, longest = np.minimum(sizes, parts).sum(), -(-sizes.max() // parts)
            return int(-(-jobs // workers) * (before + longest * after))

        parts = min(range(-(-sizes.max() // LONGEST), sizes.max() + 1), key=busiest)
        return [
            job.tolist()
            for block in blocks
            if block
            for job in np.array_split(block, min(parts, len(block)))
        ]

    @property
    def halves(self) -> tuple[int, int]:
        """Return the number of quarters that packages have in common, and of those after them."""
        before = min(POLICY_START, self.plan.until + 1)
        return before, self.plan.until + 1 - before

    def steps(self, jobs: Iterable[Sequence[int]]) -> int:
        """Return how often a run is stepped by a quarter in such jobs."""
        before, after = self.halves
        return sum(len(self.parts[job[0]][1]) * (before + len(job) * after) for job in jobs)

    def __len__(self) -> int:
        """Return the number of chunks."""
        return len(self.parts)

    def __getitem__(self, number: Any) -> Any:
        """Return a chunk; several of them for a slice."""
        if isinstance(number, slice):
            return [self[place] for place in range(*number.indices(len(self)))]
        place, runs = self.parts[number]
        design, replicate = self.design, self.design.replicate[runs]
        rows = self.draws.of_replicates(self.plan.seed, replicate) if self.draws else None
        return Task(
            self.plan, design.scenarios[place], runs, design.point[runs], replicate,
            design.values(runs), self.questions[place] if self.questions else "",
            self.past and self.past.part(replicate),
            rows,
        )  # fmt: skip
