"""Where an instrument acts: names of prefectures, tiers and the hub as masks over a world."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ecosystem.inputs.catalogue import instruments, tiers
from ecosystem.inputs.faults import FaultList, nearest
from ecosystem.inputs.scenario import ResolvedScenario
from ecosystem.inputs.world.loader import World

Mask = NDArray[np.bool_]

HUB = "hub"
WHO = {
    "prefectures": "prefectures",
    "core_or_capital": "prefectures of the core and the first ring",
    "outside_hub": "prefectures outside the hub",
    "compute": "prefectures with data centres",
    "users": "prefectures",
    "centres": "prefectures with data centres",
    "makers": "prefectures with equipment makers",
    "parks": "prefectures with industrial parks",
    "universities": "prefectures with universities",
    "firms": "prefectures with AI firms",
}
"""What an instrument acts on, by the `subject` of its row, in words."""


def has_subject(subject: str, world: World) -> Mask:
    """Return which prefectures have what an instrument acts on, (prefectures,)."""
    places = world.prefectures
    if subject in ("prefectures", "users"):
        return np.ones(places.count, bool)
    if subject == "core_or_capital":
        return np.asarray(places.core | places.ring_1)
    if subject == "outside_hub":
        return ~places.hub
    sector = getattr(world, "centres" if subject == "compute" else subject)
    return np.isin(np.arange(places.count), sector.prefecture)


def area(text: str, world: World) -> Mask:
    """Return the prefectures that names with a bar between them mean, (prefectures,); none: all.

    Names that a world does not have mean nothing there; `check_places` finds them.
    """
    found = [_named(name, world) for name in text.split("|")]
    return np.any(found, axis=0) if text else np.ones(world.prefectures.count, bool)


def _named(name: str, world: World) -> Mask:
    """Return the prefectures of one name: the hub, a tier, or a prefecture in any language."""
    places = world.prefectures
    if name == HUB:
        return np.asarray(places.hub, bool)
    if name in tiers():
        return np.asarray(places.columns[name])
    columns = (places.prefecture, places.name_en, places.name_zh)
    wanted = name.strip().lower()
    return np.any([[one.lower() == wanted for one in column] for column in columns], axis=0)


def check_places(faults: FaultList, scenarios: Iterable[ResolvedScenario], world: World) -> None:
    """Note every place of scenarios that a world does not have, or where there is no subject."""
    known = sorted(world.prefectures.prefecture)
    words = f"{HUB}, a tier ({', '.join(tiers())}) or a prefecture ({', '.join(known)})"
    valid = [HUB, *tiers(), *known, *world.prefectures.name_en, *world.prefectures.name_zh]
    for where, name, subject in dict.fromkeys(
        item for scenario in scenarios for item in _places_of(scenario)
    ):
        there = _named(name, world)
        if not there.any() and name not in (HUB, *tiers()):
            faults.add(where, name, words, nearest(name, valid))
        elif not (there & has_subject(subject, world)).any():
            have = np.array(world.prefectures.prefecture)[has_subject(subject, world)]
            faults.add(where, name, f"{WHO[subject]}: {', '.join(sorted(have)) or 'none here'}")


def _places_of(scenario: ResolvedScenario) -> Iterable[tuple[str, str, str]]:
    """Yield each place that a scenario names: where it stands, the name, who has to be there."""
    for layer in scenario.layers:
        for edit in layer.edits:
            row = instruments()[edit.instrument]
            for key, subject in row.places.items():
                text = edit.users if key == "users" else edit.place
                for name in text.split("|") if text else ():
                    yield f"{layer.name}: {edit.instrument}.{key}", name, subject
