"""Arguments that several Python functions share: their kinds, checked before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ecosystem.inputs.calendar import check_period
from ecosystem.inputs.catalogue import parameters
from ecosystem.inputs.faults import FaultList
from ecosystem.inputs.translate import TABLE


def listed(value: Any) -> list[Any]:
    """Return one item, or any number of items, as a list; a text is one item."""
    single = isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable)
    return [value] if single else list(value)


def check_arguments(
    faults: FaultList,
    *,
    replicates: object,
    seed: object,
    until: object,
    jobs: object = None,
    shock: object = None,
    first: int = 0,
    **truths: object,
) -> None:
    """Note what is wrong with arguments that runs are asked for with.

    Parameters
    ----------
    faults
        Takes what is wrong.
    replicates, seed, until, jobs, shock
        As in `ecosystem.runs.simulate.simulate`; `jobs` and `shock` may be None.
    first
        First quarter that `until` may name: `POLICY_START` where effects of policy are asked for,
        of which there are none before.
    truths
        Arguments that are true or false, by name.
    """
    faults.whole("replicates", replicates, 1)
    faults.whole("seed", seed, 0)
    if jobs is not None:
        faults.whole("jobs", jobs, 1)
    check_period(faults, "until", until, first)
    check_shock(faults, shock)
    check_truths(faults, **truths)


def check_shock(faults: FaultList, shock: object) -> None:
    """Note a shock that is neither None nor a text; which text is looked up later."""
    if not (shock is None or (isinstance(shock, str) and shock)):
        faults.add("shock", shock, "one shock as a text, NAME[:AMPLITUDE[:START]]")


def check_truths(faults: FaultList, **given: object) -> None:
    """Note every argument, by name, that is neither true nor false."""
    for name, value in given.items():
        if not isinstance(value, bool):
            faults.add(name, value, "true or false")


def checked_parameters(
    faults: FaultList, values: object, place: str = "parameters"
) -> dict[str, float]:
    """Return parameter values as plain numbers, noting what the parameter table does not allow.

    None stands for no values. The one reader of them, whoever they come from.
    """
    if not isinstance(values, Mapping):
        if values is not None:
            faults.add(place, values, TABLE)
        return {}
    table, found = parameters(), {}
    for name, value in values.items():
        if faults.name(f"{place}.{name}", name, table):
            row = table[name]
            found[name] = faults.number(f"{place}.{name}", value, row.low, row.high, row.unit)
    return {name: value for name in table if (value := found.get(name)) is not None}
