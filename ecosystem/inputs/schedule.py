"""A resolved scenario as arrays over time: rates, spending and envelopes of every instrument."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecosystem.inputs.calendar import HORIZON, POLICY_START
from ecosystem.inputs.catalogue import Shock, instruments, parameters, shocks
from ecosystem.inputs.entries import Edit
from ecosystem.inputs.scenario import Layer, ResolvedScenario
from ecosystem.inputs.world.loader import World
from ecosystem.maths.kernels import discount_factor

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Schedule:
    """What a scenario plans, (quarters, instruments) in the order of the instrument table.

    Parameters
    ----------
    names : tuple of str
        The instruments, column by column.
    rate : Array
        Rate of a transfer or charge, 1 for an active rule, 0 for a programme; ramps included.
    spending : Array
        Planned spending of programmes, million yuan a year; ramps included.
    envelope : Array
        Most that a transfer pays, million yuan a year; ramps included.
    shells_only : Mask
        (quarters,): the capital subsidy is for halls alone.
    observed : Mask
        What is on record and is paid in full.
    own : Mask
        Values set by a package rather than by the reference.
    programme : Mask
        (instruments,): which are programmes.
    split : Array
        (instruments, 3): shares of nation, province and prefectures in what is paid.
    unplanned : float
        Present value (million yuan) that the budgets name and the instruments cannot spend.
    warnings : tuple of str
        The same in words, one line for each layer and each programme at its limit.
    """

    names: tuple[str, ...]
    rate: Array
    spending: Array
    envelope: Array
    shells_only: Mask
    observed: Mask
    own: Mask
    programme: Mask
    split: Array
    unplanned: float = 0.0
    warnings: tuple[str, ...] = ()

    def place(self, world: World) -> Array:
        """Return whose share of a prefecture part it is, (instruments, prefectures).

        A programme for the hub or a ring is paid there; one without a place by all prefectures in
        proportion to their budgets. Rows sum to 1, or to 0 where a world has no such place.
        """
        budget = world.prefectures.budget_expenditure
        there = {
            "": np.ones_like(budget),
            "hub": world.prefectures.hub,
            "ring_1": world.prefectures.ring_1,
            "ring_2": world.prefectures.ring_2,
        }
        weight = budget * np.array([there[row.place] for row in instruments().values()])
        whole = weight.sum(axis=1, keepdims=True)
        return weight / np.where(whole > 0, whole, 1.0)

    def column(self, name: str) -> int:
        """Return the column of an instrument; ValueError if the table has no such name."""
        return self.names.index(name)


class _Plan:
    """Targets before ramps, filled in layer by layer."""

    def __init__(self) -> None:
        self.rows = tuple(instruments().values())
        self.names = tuple(row.name for row in self.rows)
        shape = (HORIZON, len(self.rows))
        self.on, self.observed, self.own, self.shells = np.zeros((4, *shape), bool)
        self.rate, self.money = np.zeros((2, *shape))
        self.limit = np.array([row.spending_high or np.inf for row in self.rows])
        self.quarters = np.array([row.ramp_quarters for row in self.rows])
        self.unplanned = 0.0
        self.warnings: list[str] = []

    def apply(self, edit: Edit) -> None:
        """Write one edit into the targets."""
        column = self.names.index(edit.instrument)
        row = self.rows[column]
        span = slice(edit.start, edit.end + 1), column
        money = edit.spending if edit.spending is not None else edit.envelope
        default = row.spending_default or row.envelope_default or 0.0
        rate_default = 1.0 if row.type == "rule" else row.rate_default or 0.0
        new = ~self.on[span]
        if edit.active:
            self.money[span] = np.where(new, default, self.money[span]) if money is None else money
            kept = np.where(new, rate_default, self.rate[span])
            self.rate[span] = kept if edit.rate is None else edit.rate
        else:
            self.money[span] = self.rate[span] = 0.0
        if edit.eligible is not None or not edit.active:
            self.shells[span] = edit.eligible == "shells"
        else:
            self.shells[span] &= ~new
        self.on[span] = edit.active
        self.observed[span] = edit.observed

    def add(self, layer: Layer, discount: Array) -> None:
        """Apply a layer, scale its money to its budget, and cut programmes to their limits."""
        touched = np.zeros_like(self.on)
        for edit in layer.edits:
            self.apply(edit)
            touched[edit.start : edit.end + 1, self.names.index(edit.instrument)] = True
        self.own |= touched & layer.own
        self.own &= ~touched | layer.own
        money = self.money
        if layer.present_value is not None:
            money = self.scaled(layer, touched, discount)
        self.money = np.where(self.observed, money, np.minimum(money, self.limit))
        cut = np.where(touched, money - self.money, 0.0)
        for column in np.flatnonzero(cut.any(axis=0)):
            lost = float(discount @ cut[:, column] / 4)
            self.unplanned += 0.0 if layer.present_value is not None else lost
            self.warnings.append(
                f"{layer.name}: {self.names[column]} can spend at most "
                f"{self.limit[column]:g} million yuan a year"
            )

    def scaled(self, layer: Layer, touched: Mask, discount: Array) -> Array:
        """Return the targets with the layer's own money scaled to its present value."""

        def targets(scale: float) -> Array:
            return np.where(touched & ~self.observed, self.money * scale, self.money)

        def value(scale: float) -> float:
            money = np.where(self.observed, self.money, np.minimum(targets(scale), self.limit))
            ramped = ramp(money, self.quarters, self.observed)
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
    plan = _Plan()
    discount = discount_factors(public_discount_rate(resolved))
    for layer in resolved.layers:
        plan.add(layer, discount)
    money = ramp(plan.money, plan.quarters, plan.observed)
    programme = np.array([row.type == "programme" for row in plan.rows])
    return Schedule(
        names=plan.names,
        rate=ramp(plan.rate, plan.quarters, plan.observed),
        spending=money * programme,
        envelope=money * ~programme,
        shells_only=np.any(plan.shells, axis=1),
        observed=plan.observed,
        own=plan.own,
        programme=programme,
        split=np.array(
            [(row.national_share, row.provincial_share, row.prefecture_share) for row in plan.rows]
        ),
        unplanned=plan.unplanned,
        warnings=tuple(plan.warnings),
    )


def ramp(target: Array, quarters: NDArray[np.int_], observed: Mask) -> Array:
    """Let every rise of a target come in linearly; falls and observed values come at once.

    Parameters
    ----------
    target : Array
        (quarters, instruments).
    quarters : Array
        (instruments,): length of the ramp; a rise of 1 over 4 quarters runs .25, .5, .75, 1.
    observed : Mask
        (quarters, instruments): values that do not ramp.
    """
    level = np.empty_like(target)
    goal = last = base = np.zeros(target.shape[1])
    age = np.zeros(target.shape[1])
    for t in range(len(target)):
        rises = target[t] > goal
        goal = target[t]
        base, age = np.where(rises, last, base), np.where(rises, 1.0, age + 1.0)
        share = age / np.maximum(quarters, 1)
        path = np.clip(base + (goal - base) * np.minimum(share, 1.0), last, None)
        last = np.where(observed[t] | (share >= 1.0), goal, np.minimum(path, goal))
        level[t] = last
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


def shock_paths(resolved: ResolvedScenario) -> dict[str, Array]:
    """Return the multiplier of every shock channel, (quarters,); shocks that meet multiply."""
    channels = [name for row in shocks().values() for name in (row.channel, row.second_channel)]
    paths = {name: np.ones(HORIZON) for name in channels if name}
    for use in resolved.shocks:
        row = shocks()[use.name]
        for channel, factor in ((row.channel, 1.0), (row.second_channel, row.second_factor)):
            if channel and factor is not None:
                change = shock_profile(row, factor * use.amplitude, use.start)
                paths[channel] = paths[channel] * change
    return paths


def shock_profile(row: Shock, amplitude: float, start: int) -> Array:
    """Return the multiplier of one shock over time, (quarters,), 1 before ``start``.

    Parameters
    ----------
    row : Shock
        Profile and its times, in quarters: *surge* rises and fades, *decay* drops at once and
        returns exponentially, *ramp* comes to stay, *hold_recover* stays for ``hold`` quarters and
        then returns linearly over ``recovery`` quarters.
    amplitude : float
        Size of the change; its sign is the shock's own.
    start : int
        First quarter of the shock.
    """
    age = np.arange(HORIZON) - start
    tau = np.maximum(age, 0).astype(float)
    if row.profile == "hold_recover":
        hold, recovery = row.hold or 0, row.recovery or 0
        change = np.clip(1.0 - np.maximum(tau - hold + 1.0, 0.0) / (recovery + 1.0), 0.0, 1.0)
    elif row.profile == "decay":
        change = np.exp(-tau / (row.decay or 1.0))
    elif row.profile == "ramp":
        change = 1.0 - np.exp(-tau / (row.rise or 1.0))
    else:
        change = (1.0 - np.exp(-tau / (row.rise or 1.0))) * np.exp(-tau / (row.decay or 1.0))
    return np.where(age >= 0, 1.0 + row.sign * amplitude * change, 1.0)
