"""Calling a user's functions, and refusing what would spoil the run.

They follow a stage or stand in the place of a decision rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ecosystem.inputs.calendar import POLICY_START, period_label
from ecosystem.inputs.catalogue import AgentKind, agents
from ecosystem.inputs.faults import Fault, FaultList, nearest
from ecosystem.inputs.functions import Hook, HookError
from ecosystem.maths.arrays import Array, total
from ecosystem.state.ledger import SECTORS, Flow, Ledger, Purpose
from ecosystem.state.records import Quarter
from ecosystem.state.setting import Rules, Setting
from ecosystem.state.state import State

Record = TypeVar("Record")
Rule = Callable[..., Array]

ROUNDING = 1e-9
"""Paid and received may differ by so much of what is paid."""
ONE_YUAN = 1e-6
"""M¥ by which rounding may push a payment of the model's own below zero."""


def hooked(record: Record, state: State, setting: Setting) -> Record:
    """Return the record of a stage with what the user's functions replace in it.

    The stage is the record's class. Functions are called from 2025Q3 on, as the past is on record.

    Raises
    ------
    HookError
        If a function fails, or returns an unknown field, a wrong shape or a value that is not
        finite.
    """
    for hook in due(type(record).__name__.lower(), state, setting):
        given = protect(record)
        where, faults = place(hook.stage, [hook], state), FaultList()
        answer = call(hook, where, given, protect(state), guarded(setting))
        record = merged(record, given, answer, where, "", faults)
        raise_hook_error(faults)
    return record


def decide(
    rule: Rule, own: Hook, rules: Rules, quarter: Quarter, setting: Setting, *columns: Array
) -> Array:
    """Return what a user's function decides in the place of a rule, checked against the rule.

    The function sees what the rule would, ``f(quarter, setting, *columns)``, and the model's own
    `rules` under ``setting.rules``. It is called whenever the rule would be.

    Raises
    ------
    HookError
        If the function fails, or its answer has another shape than the rule's, is not finite or
        lies outside the bounds of the agent table.
    """
    usual = rule(quarter, setting, *columns)
    where = f"{own.name}, rule {own.stage}, {period_label(quarter.state.period)}"
    given = replace(guarded(setting), rules=rules)
    answer = call(own, where, protect(quarter), given, *map(protect, columns))
    faults = FaultList()
    decided = np.asarray(checked(usual, answer, where, faults))
    row = agents()[own.stage]
    check_bounds(decided, row, dict(zip(row.columns, columns, strict=True)), where, faults)
    raise_hook_error(faults)
    return decided


def check_bounds(
    decided: Array, row: AgentKind, columns: Mapping[str, Array], where: str, faults: FaultList
) -> None:
    """Note the first answer of a rule that its row of the agent table does not allow.

    Rounding is let pass, but not where the answer is yes or no.
    """
    low = -np.inf if row.low is None else row.low
    limit = columns[row.high] if isinstance(row.high, str) else row.high
    high = np.asarray(np.inf if limit is None else limit)
    if row.yes_or_no:
        note_first(~np.isin(decided, (0, 1)), decided, where, "0 or 1", faults)
        return
    bad = (decided < low - ROUNDING) | (decided > high + ROUNDING * np.maximum(1, high))
    allowed = f"{low:g} or more" if limit is None else f"between {low:g} and {row.high}"
    note_first(bad, decided, where, allowed, faults)
    if row.sums_to_one and not bad.any():
        whole = decided.sum(axis=-1)
        note_first(np.abs(whole - 1) > ROUNDING, whole, f"{where}, sum", "1", faults)


def add_flows(ledger: Ledger, quarter: Quarter, setting: Setting) -> tuple[Flow, ...]:
    """Book the flows that the user's functions add, and return them.

    Such a function sees the records of all earlier stages as attributes, ``record.market.sold``.

    Raises
    ------
    HookError
        If a function fails, or returns a flow of wrong shape, not finite, negative or unbalanced.
    """
    state, added = quarter.state, list[Flow]()
    for hook in due("flows", state, setting):
        where, faults = place(hook.stage, [hook], state), FaultList()
        answer = call(hook, where, protect(quarter), protect(state), guarded(setting))
        if not isinstance(answer, list | tuple):
            faults.add(where, short(answer), "a list of flows")
            raise_hook_error(faults)
        flows = [
            checked_flow(flow, f"{where}, flow {i}", ledger, state, faults)
            for i, flow in enumerate(answer)
        ]
        raise_hook_error(faults)
        for flow in flows:
            ledger.book(flow)
        added += flows
    return tuple(added)


def check_flows(flows: Iterable[Flow], state: State, setting: Setting) -> None:
    """Raise HookError where a user's functions have turned a payment negative or not finite."""
    hooks = [hook for hook in setting.hooks if state.period >= POLICY_START]
    faults, rules = FaultList(), setting.rules.own
    for flow in flows if hooks or rules else ():
        for side, amount in (("paid", flow.paid), ("received", flow.received)):
            check_amount(amount, -ONE_YUAN, f"flow {flow.label!r}, {side}", faults)
    asked = [f"{rule.name}, rule {rule.stage}, {period_label(state.period)}" for rule in rules]
    if hooks:
        asked.append(place("+".join(hook.stage for hook in hooks), hooks, state))
    where = "; ".join(asked)
    raise_hook_error(
        FaultList([replace(fault, place=f"{where}, {fault.place}") for fault in faults.faults])
    )


def due(stage: str, state: State, setting: Setting) -> list[Hook]:
    """Return the hooks of a stage in the quarter that the state opens."""
    if not setting.hooks or state.period < POLICY_START:
        return []
    return [hook for hook in setting.hooks if hook.stage == stage]


def place(stage: str, hooks: Iterable[Hook], state: State) -> str:
    """Return the words with which a fault begins."""
    names = ", ".join(dict.fromkeys(hook.name for hook in hooks))
    return f"hook {names}, stage {stage}, {period_label(state.period)}"


def raise_hook_error(faults: FaultList) -> None:
    """Raise HookError with all faults noted so far, if there are any."""
    if faults.faults:
        raise HookError(faults.faults)


def guarded(setting: Setting) -> Setting:
    """Return the setting as a user's function gets it: nothing in it can be written to."""
    return replace(
        setting,
        schedule=protect(setting.schedule),
        shocks=protect(setting.shocks),
        national_table=protect(setting.national_table),
    )


def call(hook: Hook, where: str, *given: object) -> Any:
    """Return what a user's function answers to protected arguments."""
    try:
        return hook.function(*given)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever the user's function raises, sys.exit as well
        inside = error.__traceback__ and error.__traceback__.tb_next
        line = f" (line {inside.tb_lineno})" if inside else ""
        words = f"{words_of(error)}{line}"
        raise HookError([Fault(where, words, "a function that ends without an error")]) from error


def words_of(error: BaseException) -> str:
    """Return type and message of what a user's function raised, in words that can be written."""
    try:
        words = f"{type(error).__name__}: {error}"
    except Exception:  # its own __str__ fails
        words = f"{type(error).__name__} without a message"
    return words.encode(errors="backslashreplace").decode()


def protect(value: Any) -> Any:
    """Return a record whose arrays and mappings cannot be written to; the original can."""
    if isinstance(value, np.ndarray):
        view = value.view()
        view.flags.writeable = False
        return view
    if is_dataclass(value) and not isinstance(value, type):
        guarded = copy(value)
        for name, item in vars(value).items():
            object.__setattr__(guarded, name, protect(item))
        return guarded
    if isinstance(value, Mapping):
        return MappingProxyType({key: protect(item) for key, item in value.items()})
    return value


def merged(old: Any, given: Any, new: Any, where: str, path: str, faults: FaultList) -> Any:
    """Return `old` with the replacements in `new`, noting everything that is wrong with them.

    Parameters
    ----------
    old, given
        A record, mapping, array or number of a stage, and the same as the hook saw it.
    new
        What the hook returned for it: for a record the same record made anew, or a mapping of
        replaced fields.
    where, path
        The hook and the dotted field, for the faults.
    faults
        Takes in the faults.
    """
    record = is_dataclass(old)
    if not record and not isinstance(old, Mapping):
        return checked(old, new, f"{where}, field {path}", faults)
    here = f"{where}, field {path}" if path else where
    parts = {f.name: getattr(old, f.name) for f in fields(old)} if record else dict(old)
    seen = {key: getattr(given, key) for key in parts} if record else given
    if record and type(new) is type(old):
        new = {key: getattr(new, key) for key in parts}
    if not isinstance(new, Mapping):
        faults.add(here, short(new), "a dict of the fields that change")
        return old
    changed = {}
    for key, value in new.items():
        dotted = f"{path}.{key}" if path else str(key)
        if key not in parts:
            allowed = f"a field of {type(old).__name__}" if record else "one of its names"
            faults.add(f"{where}, field {dotted}", key, allowed, nearest(key, parts))
        elif value is not seen[key]:
            changed[key] = merged(parts[key], seen[key], value, where, dotted, faults)
    return replace(old, **changed) if record else {**old, **changed}


def checked(old: Any, new: Any, where: str, faults: FaultList) -> Any:
    """Return a copy of `new` of the type of `old`, or `old` with a fault noted."""
    if not isinstance(old, np.ndarray | float | int):
        faults.add(where, short(new), "nothing: this field cannot be replaced")
        return old
    like = np.asarray(old)
    try:
        values = np.asarray(new)
    except ValueError:  # a list of lists of different lengths
        values = np.asarray(None)
    if not np.can_cast(values.dtype, like.dtype, "same_kind"):
        faults.add(where, short(new), f"numbers of type {like.dtype}")
    elif values.shape != like.shape:
        faults.add(where, f"shape {values.shape}", f"shape {like.shape}")
    elif check_amount(values, None, where, faults):
        copy = values.astype(like.dtype)
        return copy if isinstance(old, np.ndarray) else copy.item()
    return old


def check_amount(values: Array, least: float | None, where: str, faults: FaultList) -> bool:
    """Return whether all values are finite and none is below `least`, else note the first."""
    bad = ~np.isfinite(values)
    if least is not None:
        bad |= values < least
    allowed = "finite numbers" if least is None else "finite numbers, none below zero"
    return note_first(bad, values, where, allowed, faults)


def note_first(
    bad: NDArray[np.bool_], values: Array, where: str, allowed: str, faults: FaultList
) -> bool:
    """Return whether no value is bad, else note the first that is."""
    if not bad.any():
        return True
    first = tuple(int(i) for i in np.argwhere(bad)[0])
    faults.add(where, f"{values[first]} at {first}", allowed)
    return False


def checked_flow(flow: Any, where: str, ledger: Ledger, state: State, faults: FaultList) -> Flow:
    """Return a flow as it can be booked, noting everything that is wrong with it."""
    if not isinstance(flow, Flow):
        faults.add(where, short(flow), "a Flow(label, payer, paid, receiver, received)")
        return flow
    where = f"{where} ({flow.label})"
    before, amounts = len(faults.faults), {}
    faults.name(f"{where}, purpose", flow.purpose, [*Purpose])
    for role, side in (("payer", "paid"), ("receiver", "received")):
        sector = faults.name(f"{where}, {role}", getattr(flow, role), SECTORS)
        if sector is None:
            continue
        here, members = f"{where}, {side}", ledger.balance[sector]
        known = len(faults.faults)
        amount = checked(members, getattr(flow, side), here, faults)
        if len(faults.faults) > known or not check_amount(amount, 0.0, here, faults):
            continue
        if sector == "firms" and (amount * (1 - state.firms.active)).any():
            faults.add(here, "money for an empty slot", "0 wherever state.firms.active is 0")
        amounts[side] = amount
    if len(faults.faults) > before:
        return flow
    paid, received = total(amounts["paid"]), total(amounts["received"])
    gap = np.abs(paid - received)
    if (gap > ROUNDING * np.maximum(paid, received)).any():
        run = int(np.argmax(gap))
        words = f"paid {paid[run, 0]:g}, received {received[run, 0]:g}"
        faults.add(where, words, "the same sum paid and received in every run")
    return replace(flow, **amounts, purpose=Purpose(flow.purpose))


def short(value: object) -> str:
    """Return a value in few words."""
    words = f"{type(value).__name__} {value!r}"
    return words if len(words) <= 60 else words[:57] + "..."
