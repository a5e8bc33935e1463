"""Runs that may have killed their worker: run alone, in halves, until one that does is left.

Only where a worker dies of a run that it has alone, and does not die of another, is it the run's
fault; where workers die whatever they are given, it is theirs.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ecosystem.runs.chunks import LOOKED_AT, Piece, Task, given_up, joined, run_part, run_task

DEATHS, ALONE = 3, 2
"""So many workers must die that had a run, and nothing of another chunk, before it is said to kill
them; and so many of them while they had this run alone."""


@dataclass(frozen=True)
class Suspect:
    """Runs whose worker died.

    Parameters
    ----------
    number
        Number of their chunk.
    task
        The runs.
    deaths
        How often workers died while they had these runs, and nothing of another chunk.
    alone
        How often while they had nothing but this one run.
    whole
        Whether they are the whole chunk.
    """

    number: int
    task: Task
    deaths: int = 0
    alone: int = 0
    whole: bool = True

    def halves(self) -> list[Suspect]:
        """Return the two halves of the runs."""
        middle = len(self.task) // 2
        parts = self.task.part(slice(middle)), self.task.part(slice(middle, None))
        return [replace(self, task=part, whole=False) for part in parts]


class Suspects:
    """The suspects of a design, and the witnesses that tell their faults from those of workers.

    Parameters
    ----------
    tasks
        The chunks of the design.

    Attributes
    ----------
    line : deque of Suspect
        What is to be run alone.
    witnesses : deque of Task
        Single runs that come before it; once one of them ends well, the others are dropped.
    harmless : Task or None
        A single run that has ended well.
    accused : tuple of Suspect and str, or None
        A run of which enough workers have died, and its error, until a witness has ended well.
    pieces : dict
        What came of parts of chunks, by number and first run.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = tasks
        self.line: deque[Suspect] = deque()
        self.witnesses: deque[Task] = deque()
        self.harmless: Task | None = None
        self.accused: tuple[Suspect, str] | None = None
        self.pieces: defaultdict[int, dict[int, Piece]] = defaultdict(dict)

    def __bool__(self) -> bool:
        """Return whether there is something to run alone."""
        return bool(self.line or self.witnesses)

    def add(self, numbers: Iterable[int]) -> None:
        """Suspect chunks; as long as nothing has ended well, some runs bear witness first."""
        self.line.extend(Suspect(number, self.tasks[number]) for number in sorted(numbers))
        if self.harmless is None:
            self.witnesses.extend(spread(self.tasks))

    def vouch(self, number: int) -> None:
        """Note that a chunk has ended well: its first run does not kill a worker."""
        if self.harmless is None:
            self.harmless = self.tasks[number].part(slice(1))

    def call(self) -> tuple[Callable[..., Piece], Task]:
        """Return what is to be run next, alone: a function and its argument."""
        if self.witnesses:
            return run_part, self.witnesses[0]
        first = self.line[0]
        return (run_task if first.whole else run_part), first.task

    def survived(self, piece: Piece) -> tuple[int, Piece] | None:
        """Take what came of the last call; return number and piece of a chunk that is whole now.

        Where a witness survives, the run that is accused has failed.
        """
        if not self.witnesses:
            return self.settled(self.line.popleft(), piece)
        self.harmless = self.witnesses[0]
        self.witnesses.clear()
        if self.accused is None:
            return None
        (suspect, words), self.accused = self.accused, None
        return self.settled(suspect, given_up(suspect.task, words))

    def settled(self, suspect: Suspect, piece: Piece) -> tuple[int, Piece] | None:
        """Note what came of a suspect; return number and piece of its chunk once it is whole."""
        number = suspect.number
        self.pieces[number][int(suspect.task.runs[0])] = piece
        if any(other.number == number for other in self.line):
            return None
        found = self.pieces.pop(number)
        return number, joined([found[first] for first in sorted(found)])

    def died(self, error: BaseException) -> bool:
        """Note that the worker died in the last call; return whether no witness is left.

        Several runs are halved. A single one is tried again, after the others, until enough
        workers have died of it; then it is accused, and a run that has ended well is the witness.
        """
        if self.witnesses:
            self.witnesses.popleft()
            return not self.witnesses
        first = self.line.popleft()
        single = len(first.task) == 1
        suspect = replace(first, deaths=first.deaths + 1, alone=first.alone + single)
        if not single:
            self.line.extendleft(reversed(suspect.halves()))
        elif suspect.deaths < DEATHS or suspect.alone < ALONE:
            self.line.append(suspect)
        else:
            assert self.harmless is not None  # a witness has come before any suspect
            words = f"its workers died {suspect.deaths} times, {suspect.alone} of them"
            self.accused = suspect, f"{words} with this run alone ({error})"
            self.witnesses.extend([self.harmless] * DEATHS)
        return False


def spread(tasks: Sequence[Task]) -> list[Task]:
    """Return `LOOKED_AT` single runs, spread over a design and over its chunks."""
    runs = []
    for share in np.linspace(0, 1, LOOKED_AT):
        task = tasks[round(share * (len(tasks) - 1))]
        place = round(share * (len(task) - 1))
        runs.append(task.part(slice(place, place + 1)))
    return runs
