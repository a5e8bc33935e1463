"""Tables that pages and tests read and the model does not: systems and loops."""

from __future__ import annotations

import fnmatch
from typing import Literal

from pydantic import Field

from ecosystem.inputs.catalogue import Names, Row, parameters, table


class Mechanism(Row):
    """A mechanism, what takes its place when it is switched off, and what it is expected to move.

    ``neutral`` lists, separated by semicolons, parameters at their neutral value (a star stands
    for several: ``location_effect_*=0``) and instruments that are off (``hub_steering off``).
    ``expected_sign`` is that of the change the mechanism brings.
    """

    neutral: str
    expected_outcome: str
    expected_sign: Literal["+", "-"]
    stage_file: str

    @property
    def values(self) -> dict[str, float]:
        """Neutral values of parameters, stars resolved."""
        pairs = (part.split("=") for part in self.neutral.split(";") if "=" in part)
        found: dict[str, float] = {}
        for pattern, value in pairs:
            names = fnmatch.filter(parameters(), pattern.strip())
            if not names:
                raise ValueError(f"{self.name}: no parameter {pattern.strip()!r}")
            found |= dict.fromkeys(names, float(value))
        return found

    @property
    def off(self) -> tuple[str, ...]:
        """Instruments that are off."""
        parts = (part.split() for part in self.neutral.split(";") if "=" not in part)
        return tuple(name for name, _ in parts)


class System(Mechanism):
    """A system of the policy article: its words, its instruments and the mechanism behind it.

    ``expected_size`` is the relative change (in logs where both are positive) that the mechanism
    brings to ``expected_outcome``; it was written down before the test was run.
    """

    number: int = Field(ge=1)
    title_en: str
    title_zh: str
    article_sentence: str
    instrument_names: Names = Field(alias="instruments")
    mechanism: str
    expected_size: float = Field(gt=0)


class Loop(Mechanism):
    """A feedback loop of the model, or a coupling of compute and the rest."""

    kind: Literal["reinforcing", "balancing", "coupling"]
    meaning: str
    package: str


systems = table("systems.csv", System)
loops = table("loops.csv", Loop)
