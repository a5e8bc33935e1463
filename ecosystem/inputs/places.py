"""Where an instrument acts: names of prefectures, tiers and the hub as masks over a world."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecosystem.inputs.catalogue import tiers
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

    Names that a world does not have mean nothing there; `place_faults.check_places` finds them.
    """
    found = [named(name, world) for name in text.split("|")]
    return np.any(found, axis=0) if text else np.ones(world.prefectures.count, bool)


def named(name: str, world: World) -> Mask:
    """Return the prefectures of one name: the hub, a tier, or a prefecture in any language."""
    places = world.prefectures
    if name == HUB:
        return np.asarray(places.hub, bool)
    if name in tiers():
        return np.asarray(places.columns[name])
    columns = (places.prefecture, places.name_en, places.name_zh)
    wanted = name.strip().lower()
    return np.any([[one.lower() == wanted for one in column] for column in columns], axis=0)
