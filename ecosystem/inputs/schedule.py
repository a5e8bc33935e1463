"""A resolved scenario as arrays over time: rates, spending and envelopes of every instrument."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecosystem.inputs.calendar import HORIZON, POLICY_START
from ecosystem.inputs.catalogue import instruments, parameters
from ecosystem.inputs.entries import Edit
from ecosystem.inputs.places import area, has_subject
from ecosystem.inputs.scenario import Layer, ResolvedScenario
from ecosystem.inputs.world.loader import World
from ecosystem.maths.compiled import kernel
from ecosystem.maths.kernels import discount_factor

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Counts = NDArray[np.int_]


@dataclass(frozen=True)
class Column:
    """What one column of a schedule is: an instrument in a place, for users of a place.

    The texts hold names with a bar between them; blank is the place of the instrument table.
    """

    name: str
    place: str = ""
    users: str = ""


@dataclass(frozen=True)
class Schedule:
    """What a scenario plans, (quarters, columns).

    The first columns are the instruments in the order of their table. An entry that names another
    place, or that is in force together with another entry of its instrument, has a column of its
    own behind them: what they do adds up.

    Parameters
    ----------
    columns : tuple of Column
        What each column is.
    rate : Array
        Rate of a transfer or charge, 1 for an active rule, 0 for a programme; ramps included.
    spending : Array
        Planned spending of programmes, million yuan a year; ramps included.
    envelope : Array
        Most that a transfer pays, million yuan a year; ramps included.
    shells_only : Mask
        The capital subsidy is for halls alone.
    observed : Mask
        What is on record and is paid in full.
    own : Mask
        Values set by a package rather than by the reference.
    programme : Mask
        (columns,): which are programmes.
    split : Array
        (columns, 3): shares of nation, province and prefectures in what is paid.
    full_rate, full_money : Array
        What the ramps of rates, and of spending or envelopes, lead to.
    ramp_up, ramp_down : Array
        Quarters over which a rise then comes in, and over which the entry fades at its end.
    unplanned : float
        Present value (million yuan) that the budgets name and the instruments cannot spend.
    warnings : tuple of str
        The same in words, one line for each layer and each programme at its limit.
    """

    columns: tuple[Column, ...]
    rate: Array
    spending: Array
    envelope: Array
    shells_only: Mask
    observed: Mask
    own: Mask
    programme: Mask
    split: Array
    full_rate: Array
    full_money: Array
    ramp_up: Counts
    ramp_down: Counts
    unplanned: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The instrument of each column."""
        return tuple(column.name for column in self.columns)

    def of(self, name: str) -> list[int]:
        """Return the columns of an instrument, its own first."""
        return [number for number, column in enumerate(self.columns) if column.name == name]

    def column(self, name: str) -> int:
        """Return the first column of an instrument; ValueError if the table has no such name."""
        return self.names.index(name)

    def area(self, world: World) -> Array:
        """Return 1 where each column acts, else 0, (columns, prefectures).

        A place that an entry names holds where the subject of its instrument is.
        """
        return np.array([_acts_in(column, world) for column in self.columns], float)

    def place(self, world: World) -> Array:
        """Return whose share of a prefecture part it is, (columns, prefectures).

        It is paid where it acts, in proportion to budgets. Rows sum to 1, or to 0 where a world
        has no such place.
        """
        return _shares(world.prefectures.budget_expenditure * self.area(world))

    def reach(self, world: World) -> Array:
        """Return how far a yuan of a programme goes in each prefecture, (columns, prefectures).

        1 in the place of the table, 0 where it does not act. Money for a smaller place is more of
        it there, in proportion to the budgets of those who have its subject: half as large, and
        each yuan counts twice.
        """
        budget = world.prefectures.budget_expenditure
        usual, own = (
            np.array([_subjects(column, world) for column in columns]) @ budget
            for columns in ([Column(column.name) for column in self.columns], self.columns)
        )
        return self.area(world) * (usual / np.where(own > 0, own, 1.0))[:, None]


def _acts_in(column: Column, world: World) -> Mask:
    """Return where a column acts, (prefectures,)."""
    if column.place:
        return _subjects(column, world)
    return area(instruments()[column.name].place, world)


def _subjects(column: Column, world: World) -> Mask:
    """Return where a column finds what its instrument acts on, (prefectures,)."""
    row = instruments()[column.name]
    there = area(column.place or row.place, world)
    subjects = [subject for key, subject in row.places.items() if key != "users"]
    return np.all([there, *(has_subject(subject, world) for subject in subjects)], axis=0)


def _shares(weight: Array) -> Array:
    """Return weights over the sum of their row; 0 where that is 0."""
    whole = weight.sum(axis=1, keepdims=True)
    return np.asarray(weight / np.where(whole > 0, whole, 1.0))


class _Plan:
    """Targets before ramps, filled in file by file."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.columns = [Column(name) for name in instruments()]
        self.layers = [(layer, [self.placed(file) for file in _files(layer)]) for layer in layers]
        self.rows = [instruments()[column.name] for column in self.columns]
        shape = (HORIZON, len(self.rows))
        self.limit = np.array([row.spending_high or np.inf for row in self.rows])
        self.same = np.array([[a is b for a in self.rows] for b in self.rows], float)
        self.on, self.observed, self.own, self.shells = np.zeros((4, *shape), bool)
        self.rate, self.money = np.zeros((2, *shape))
        self.fade = np.ones(shape)
        self.ramp_down = np.zeros(shape, int)
        self.ramp_up = np.array([row.ramp_quarters for row in self.rows]) + self.ramp_down
        self.unplanned = 0.0
        self.warnings: list[str] = []

    def placed(self, file: Sequence[Edit]) -> list[tuple[int, Edit]]:
        """Return the edits of a file with the column of each, a new one where none is free.

        A column is free where no other edit of the file has it in the same quarter.
        """
        taken: set[tuple[int, int]] = set()
        found = []
        for edit in file:
            wanted, quarters = _column(edit), range(edit.start, edit.end + 1)
            same = [i for i, column in enumerate(self.columns) if column == wanted]
            free = [i for i in same if not any((i, t) in taken for t in quarters)]
            if not free:
                free = [len(self.columns)]
                self.columns.append(wanted)
            taken |= {(free[0], t) for t in quarters}
            found.append((free[0], edit))
        return found

    def apply(self, file: Sequence[tuple[int, Edit]]) -> Mask:
        """Write the edits of one file into the targets; return what they touch.

        In the quarters in which a file has an instrument, what stood there before gives way.
        """
        written = [self.values(edit) for _, edit in file]  # as it was before the file
        touched = np.zeros_like(self.on)
        for _, edit in file:
            touched[edit.start : edit.end + 1, self.of(edit.instrument)] = True
        for target in (self.on, self.shells, self.rate, self.money, self.observed):
            target[touched] = 0
        for (column, edit), (rate, money, shells) in zip(file, written, strict=True):
            span = slice(edit.start, edit.end + 1), column
            self.on[span], self.observed[span] = edit.active, edit.observed
            self.rate[span], self.money[span], self.shells[span] = rate, money, shells
            left = np.arange(edit.end + 1 - edit.start, 0, -1)  # quarters to the end, it included
            self.ramp_down[span] = edit.ramp_down or 0
            self.fade[span] = np.minimum(left / (edit.ramp_down or 1), 1.0)
            usual = self.rows[column].ramp_quarters
            self.ramp_up[span] = usual if edit.ramp_up is None else edit.ramp_up
        return touched

    def of(self, name: str) -> list[int]:
        """Return the columns of an instrument."""
        return [i for i, column in enumerate(self.columns) if column.name == name]

    def values(self, edit: Edit) -> tuple[Array, Array, Mask]:
        """Return rate, money and shells alone of an edit over its quarters.

        What it leaves out is what its instrument has so far, or the default of the table.
        """
        row, same = instruments()[edit.instrument], self.of(edit.instrument)
        on, rate, money, shells = (
            values[edit.start : edit.end + 1, same]
            for values in (self.on, self.rate, self.money, self.shells)
        )
        new = ~on.any(axis=1)
        if not edit.active:
            return np.zeros(new.shape), np.zeros(new.shape), np.zeros_like(new)
        given = edit.spending if edit.spending is not None else edit.envelope
        default = row.spending_default or row.envelope_default or 0.0
        first_rate = 1.0 if row.type == "rule" else row.rate_default or 0.0
        kept_money = np.where(new, default, money.sum(axis=1))
        kept_rate = np.where(new, first_rate, rate.max(axis=1))
        alone = shells.any(axis=1) if edit.eligible is None else edit.eligible == "shells"
        return (
            kept_rate if edit.rate is None else np.full(new.shape, edit.rate),
            kept_money if given is None else np.full(new.shape, given),
            alone & np.ones_like(new),
        )

    def add(self, layer: Layer, files: Sequence[list[tuple[int, Edit]]], discount: Array) -> None:
        """Apply a layer, scale its money to its budget, and cut programmes to their limits."""
        touched = np.zeros_like(self.on)
        for file in files:
            touched |= self.apply(file)
        self.own |= touched & layer.own
        self.own &= ~touched | layer.own
        money = self.money
        if layer.present_value is not None:
            money = self.scaled(layer, touched, discount)
        self.money = self.within_limits(money)
        cut = np.where(touched, money - self.money, 0.0)
        for name in dict.fromkeys(self.columns[i].name for i in np.flatnonzero(cut.any(axis=0))):
            lost = float(discount @ cut[:, self.of(name)].sum(axis=1) / 4)
            self.unplanned += 0.0 if layer.present_value is not None else lost
            self.warnings.append(
                f"{layer.name}: {name} can spend at most "
                f"{self.limit[self.of(name)[0]]:g} million yuan a year"
            )

    def ramped(self, target: Array) -> Array:
        """Return targets as they come in and fade."""
        return ramp(target * self.fade, self.ramp_up, self.observed)

    def within_limits(self, money: Array) -> Array:
        """Return targets of which no programme spends more than it can, all its entries together.

        What is on record stands; the others are cut in proportion.
        """
        stands = np.where(self.observed, money, 0.0)
        room = np.maximum(self.limit - stands @ self.same, 0.0)
        wanted = (money - stands) @ self.same
        part = money / np.where(wanted > 0, wanted, 1.0)  # of all entries of its instrument
        return np.where((wanted > room) & ~self.observed, part * np.minimum(room, wanted), money)

    def scaled(self, layer: Layer, touched: Mask, discount: Array) -> Array:
        """Return the targets with the layer's own money scaled to its present value."""

        def targets(scale: float) -> Array:
            return np.where(touched & ~self.observed, self.money * scale, self.money)

        def value(scale: float) -> float:
            ramped = self.ramped(self.within_limits(targets(scale)))
            return float(discount @ np.where(touched, ramped, 0.0).sum(axis=1) / 4)

        goal = layer.present_value or 0.0
        low, high = 0.0, 1.0
        while value(high) < goal and value(2 * high) > value(high):
            high *= 2
        reached = value(high)
        if reached < goal:
            self.unplanned += goal - reached
            self.warnings.append(
                f"{layer.name}: {reached:.0f} of {goal:.0f} million yuan can be planned; "
                f"{goal - reached:.0f} stay unspent"
            )
            return targets(high)
        while low < (middle := (low + high) / 2) < high:  # until no number lies between
            low, high = (middle, high) if value(middle) < goal else (low, middle)
        return targets(high)


def build_schedule(resolved: ResolvedScenario) -> Schedule:
    """Turn a resolved scenario into arrays over time.

    Layers apply in order. A layer with a present value has its own spending and envelopes,
    never its rates, scaled until their planned present value (ramps included) equals it.
    """
    plan = _Plan(resolved.layers)
    discount = discount_factors(public_discount_rate(resolved))
    for layer, files in plan.layers:
        plan.add(layer, files, discount)
    money = plan.ramped(plan.money)
    programme = np.array([row.type == "programme" for row in plan.rows])
    return Schedule(
        columns=tuple(plan.columns),
        rate=plan.ramped(plan.rate),
        spending=money * programme,
        envelope=money * ~programme,
        shells_only=plan.shells,
        observed=plan.observed,
        own=plan.own,
        programme=programme,
        split=np.array(
            [(row.national_share, row.provincial_share, row.prefecture_share) for row in plan.rows]
        ),
        full_rate=plan.rate,
        full_money=plan.money,
        ramp_up=plan.ramp_up,
        ramp_down=plan.ramp_down,
        unplanned=plan.unplanned,
        warnings=tuple(plan.warnings),
    )


def _column(edit: Edit) -> Column:
    """Return the column that an edit asks for: its names in order, blank for what is usual."""
    place, users = ("|".join(sorted(set((s or "").split("|")))) for s in (edit.place, edit.users))
    usual = place == instruments()[edit.instrument].place
    return Column(edit.instrument, "" if usual else place, users)


def _files(layer: Layer) -> list[list[Edit]]:
    """Return the edits of a layer by the file that they come from."""
    numbers = dict.fromkeys(edit.file for edit in layer.edits)
    return [[edit for edit in layer.edits if edit.file == number] for number in numbers]


def ramp(target: Array, quarters: Counts, observed: Mask) -> Array:
    """Let every rise of a target come in linearly; falls and observed values come at once.

    Parameters
    ----------
    target : Array
        (quarters, columns).
    quarters : Array
        (columns,) or (quarters, columns): length of a ramp that begins then; a rise of 1 over 4
        quarters runs .25, .5, .75, 1.
    observed : Mask
        (quarters, columns): values that do not ramp.
    """
    return ramped_targets(target, np.broadcast_to(quarters, target.shape), observed)


@kernel
def ramped_targets(target: Array, quarters: Counts, observed: Mask) -> Array:
    """Return `ramp` column by column, (quarters, columns)."""
    level = np.empty_like(target)
    for c in range(target.shape[1]):
        goal = last = base = age = 0.0
        whole = quarters[0, c]
        for t in range(len(target)):
            age += 1
            if target[t, c] > goal:
                base, age, whole = last, 1.0, quarters[t, c]
            goal = target[t, c]
            share = age / max(whole, 1)
            path = max(base + (goal - base) * min(share, 1.0), last)
            last = goal if observed[t, c] or share >= 1 else min(path, goal)
            level[t, c] = last
    return level


def public_discount_rate(resolved: ResolvedScenario) -> float:
    """Return the public discount rate a year: the scenario's own, else the table's default."""
    default = parameters()["public_discount_rate"].default
    return float(resolved.parameters.get("public_discount_rate", default))


def discount_factors(rate: float) -> Array:
    """Return the value in 2025Q3 of one yuan in each quarter, (quarters,); 0 before it.

    ``rate`` is the discount rate a year.
    """
    quarter = np.arange(HORIZON) - POLICY_START
    return np.where(quarter >= 0, discount_factor(rate, quarter / 4.0), 0.0)


def planned_present_value(schedule: Schedule, discount_rate: float, own: bool = False) -> float:
    """Return the present value of spending and envelopes planned from 2025Q3, million yuan.

    Parameters
    ----------
    schedule : Schedule
        What is planned, whatever the horizon of a run.
    discount_rate : float
        Public discount rate a year.
    own : bool
        Leave out what only the reference plans.
    """
    money = schedule.spending + schedule.envelope
    if own:
        money = np.where(schedule.own, money, 0.0)
    return float(discount_factors(discount_rate) @ money.sum(axis=1) / 4.0)
