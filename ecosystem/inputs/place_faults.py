"""What is wrong with the places of a scenario in a world: names, subjects, rates that add up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ecosystem.inputs.calendar import period_label
from ecosystem.inputs.catalogue import instruments, tiers
from ecosystem.inputs.faults import FaultList, collected, nearest
from ecosystem.inputs.places import HUB, WHO, area, has_subject, named
from ecosystem.inputs.scenario import Draft, ResolvedScenario, resolve
from ecosystem.inputs.schedule import build_schedule
from ecosystem.inputs.world.loader import World

Named = tuple[str, str, str]
"""A place that is named: where it stands, the name, the subject that has to be there."""


def check_places(faults: FaultList, scenarios: Iterable[ResolvedScenario], world: World) -> None:
    """Note every place that a world does not have, or without a subject, and rates above the limit.

    The rates of all entries of an instrument in a quarter and a place, for the same users, are
    together at most that of the table.
    """
    given = list(scenarios)
    note_places(faults, (item for one in given for item in _places_of(one)), world)
    for item in dict.fromkeys(item for one in given for item in _rates_above(one, world)):
        faults.add(*item)


def checked_file(faults: FaultList, file: Path, world: World) -> ResolvedScenario | None:
    """Return the scenario of a file, or None after noting all that is wrong, places included.

    Where other things are wrong, places are read as they are written.
    """
    scenario = collected(faults, partial(resolve, file))
    if scenario:
        check_places(faults, [scenario], world)
    else:
        check_written(faults, file, world)
    return scenario


def check_written(faults: FaultList, file: str | Path, world: World) -> None:
    """Note the places that a file, or a package, names in vain, whatever else is wrong with it."""
    draft = Draft()
    draft.add(file, "scenario")
    written = draft.written.items()
    note_places(faults, (item for one in written for item in _places_in(*one)), world)


def note_places(faults: FaultList, places: Iterable[Named], world: World) -> None:
    """Note the places that a world does not have, or that lack their subject, each once."""
    known = sorted(world.prefectures.prefecture)
    words = f"{HUB}, a tier ({', '.join(tiers())}) or a prefecture ({', '.join(known)})"
    valid = [HUB, *tiers(), *known, *world.prefectures.name_en, *world.prefectures.name_zh]
    for where, name, subject in dict.fromkeys(places):
        there = named(name, world)
        if not there.any() and name not in (HUB, *tiers()):
            faults.add(where, name, words, nearest(name, valid))
        elif not (there & has_subject(subject, world)).any():
            have = sorted(np.array(world.prefectures.prefecture)[has_subject(subject, world)])
            allowed = f"{WHO[subject]}: {', '.join(have) or 'none here'}"
            faults.add(where, name, allowed, nearest(name, have))


def _places_in(label: str, content: Mapping[str, object]) -> Iterator[Named]:
    """Yield each place that the entries of a file name, whatever else is wrong with them."""
    entries = content.get("instrument")
    for number, entry in enumerate(entries if isinstance(entries, list) else ()):
        row = instruments().get(str(entry.get("name"))) if isinstance(entry, dict) else None
        for key, subject in row.places.items() if row else ():
            names = entry.get(key)
            for name in names if isinstance(names, list) else [names]:
                if isinstance(name, str) and name.strip():
                    yield f"{label}: instrument[{number}].{key}", name, subject


def _places_of(scenario: ResolvedScenario) -> Iterator[Named]:
    """Yield each place that a scenario names."""
    for edit in scenario.edits:
        for key, subject in instruments()[edit.instrument].places.items():
            text = edit.users if key == "users" else edit.place
            for name in text.split("|") if text else ():
                yield f"{edit.where or edit.instrument}.{key}", name, subject


def _rates_above(scenario: ResolvedScenario, world: World) -> Iterator[tuple[str, float, str]]:
    """Yield where rates add up to more than an instrument allows: file, sum, what is allowed."""
    layers = tuple(replace(layer, present_value=None) for layer in scenario.layers)  # no rate's
    schedule = build_schedule(replace(scenario, layers=layers))
    for name, row in instruments().items():
        if row.rate_high is None or len(columns := schedule.of(name)) == 1:
            continue
        acts = schedule.area(world)[columns]
        users = np.array([area(schedule.columns[i].users, world) for i in columns], float)
        rate = np.einsum("ti,ip,iu->tpu", schedule.full_rate[:, columns], acts, users)
        by_place = rate.max(axis=2).round(9)
        t = int(np.argmax(by_place.max(axis=1) > row.rate_high))
        place = int(np.argmax(by_place[t]))
        if by_place[t, place] <= row.rate_high:
            continue
        own = [edit for edit in scenario.edits if edit.instrument == name and edit.end >= t]
        file = own[-1].where.partition(": ")[0] or scenario.name
        where = f"{period_label(t)} in {world.prefectures.prefecture[place]}"
        allowed = f"at most {row.rate_high:g} in {where}, all entries together"
        yield f"{file}: {name}.rate", float(by_place[t, place]), allowed
