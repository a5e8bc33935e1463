"""A past that is kept, in memory or in one file, for `simulate(..., start=...)` to go on from.

past = ecosystem.past("history", replicates=20)       # the quarters to 2025Q2, once
for rate in (0.1, 0.2, 0.3):
    result = simulate(package(rate), replicates=20, start=past)   # those from 2025Q3 on
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from io import BytesIO
from pathlib import Path
from typing import Any, get_type_hints
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from ecosystem.inputs.calendar import POLICY_START, period_label
from ecosystem.inputs.draws import Draws
from ecosystem.inputs.faults import FaultList
from ecosystem.inputs.functions import MEAN
from ecosystem.inputs.options import Options
from ecosystem.inputs.scenario import ResolvedScenario, resolve, with_overrides
from ecosystem.inputs.world.loader import load_world
from ecosystem.runs.chunk import make_past
from ecosystem.runs.design import Item, cross
from ecosystem.runs.directory import write_file
from ecosystem.runs.identity import COMPUTING, digest, model_digests, plain, versions
from ecosystem.runs.past import Past, early_part, joined_pasts
from ecosystem.runs.runner import start
from ecosystem.state.state import State

FORMAT = 1
"""Of the file; one of another number is refused."""
KNOWN, STATE, OUTCOME = "known", "state/", "outcome/"
"""How the arrays of a file are called."""
FILE = "a past of `ecosystem.past`, or the file that its `save` wrote"


@dataclass(frozen=True)
class StoredPast:
    """The quarters to 2025Q2 of some replicates: their state after them, and all outcomes in them.

    Parameters
    ----------
    known
        What it belongs to, by name (`belongings`).
    replicates
        Number of replicates, from the first on.
    runs
        State and outcomes, a row a replicate.
    """

    known: Mapping[str, Any]
    replicates: int
    runs: Past

    def save(self, path: str | Path) -> Path:
        """Write it to a file, which `read_past` and `simulate` read; some 160 kB a replicate."""
        known = {"format": FORMAT, "replicates": self.replicates, **self.known}
        arrays: dict[str, Any] = {
            KNOWN: np.array(json.dumps(known)),
            "period": np.array(self.runs.state.period),
        }
        for kind in (field.name for field in fields(State) if field.name != "period"):
            record = getattr(self.runs.state, kind)
            arrays |= {f"{STATE}{kind}/{name}": value for name, value in vars(record).items()}
        arrays |= {OUTCOME + name: value for name, value in self.runs.measured.items()}
        content = BytesIO()
        np.savez(content, **arrays)
        path = Path(path).expanduser()
        write_file(path, content.getvalue())
        return path


def past(
    scenario: Item = "history",
    *,
    replicates: int = 20,
    seed: int = 1,
    world: str | Path = "full",
    shock: str | Sequence[str] = (),
    parameters: Mapping[str, float] | None = None,
    fixed_parameters: bool = False,
    draws: str | Path | pd.DataFrame | Draws | None = None,
) -> StoredPast:
    """Run the quarters to 2025Q2 and return what any package can go on from.

    Parameters
    ----------
    scenario
        Package, TOML file or `Scenario`; all that begin from 2025Q3 on have the same past, so long
        as parameters, rules and earlier shocks are the same.
    replicates, seed, world, shock, parameters, fixed_parameters, draws
        As `ecosystem.simulate` takes them.

    Raises
    ------
    InputError
        With every fault of the arguments.
    FloatingPointError
        An outcome is not finite.
    """
    asked = Options.of(
        replicates=replicates, seed=seed, world=world, shock=shock,
        parameters=parameters or {}, fixed_parameters=fixed_parameters,
        draws=draws,
    )  # fmt: skip
    resolved = with_overrides(resolve(scenario), (), asked.shock)
    faults = FaultList()
    for hook in early_part(resolved).hooks:
        if hook.name != MEAN:
            allowed = "the model's own or its mean: what yours reads leaves no trace in a past"
            faults.add(f"rules, {hook.stage}", hook.name, allowed)
    faults.raise_if_any()
    design = cross(resolved, replicates=asked.replicates, parameters=asked.parameters)
    tasks = start(design, asked, keep="quarterly").tasks
    runs = joined_pasts([make_past(task) for task in tasks])
    (one,) = (one for one in design.scenarios if isinstance(one, ResolvedScenario))
    return StoredPast(belongings(one, asked), asked.replicates, runs)


def read_past(path: str | Path) -> StoredPast:
    """Return the past that stands in a file of `StoredPast.save`.

    Raises
    ------
    InputError
        There is no such file, it is damaged, or of another format.
    """
    try:
        with np.load(Path(path).expanduser(), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        known = json.loads(str(arrays[KNOWN]))
        if known.pop("format") != FORMAT:
            raise ValueError("another format")
        state = State(
            period=int(arrays["period"]),
            **{
                kind: record(
                    **{one.name: arrays[f"{STATE}{kind}/{one.name}"] for one in fields(record)}
                )
                for kind, record in get_type_hints(State).items()
                if kind != "period"
            },
        )
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        faults = FaultList()
        why = getattr(error, "strerror", None) or "damaged, or of another version"
        faults.add("start", str(path), f"{FILE} ({why})")
        faults.raise_if_any()
        raise
    measured = {
        name.removeprefix(OUTCOME): value
        for name, value in arrays.items()
        if name.startswith(OUTCOME)
    }
    return StoredPast(known, known.pop("replicates"), Past(state, measured))


def belongings(scenario: ResolvedScenario, asked: Options) -> dict[str, Any]:
    """Return all that a past depends on, by the name under which a difference is told."""
    part = early_part(scenario)
    return plain(
        {
            "code": model_digests()["code"],
            "tables": model_digests()["tables"],
            "versions": {name: versions()[name] for name in COMPUTING},
            "world": load_world(asked.world).digest,
            "seed": asked.seed,
            "fixed_parameters": asked.fixed_parameters,
            "draws": asked.drawn_from and asked.drawn_from.digest,
            "parameters": dict(sorted(part.parameters.items())),
            "instruments before 2025Q3": digest(part.layers),
            "shocks before 2025Q3": part.shocks,
            "rules": [str(hook) for hook in part.hooks],
        }
    )


def checked_past(
    given: StoredPast | None, scenarios: Sequence[ResolvedScenario], asked: Options
) -> Past | None:
    """Return what runs go on from, if a past is given.

    Raises
    ------
    InputError
        It does not belong to this code, this world or what is asked for: with every difference.
    """
    if given is None:
        return None
    faults = FaultList()
    for name, then in given.known.items():
        for scenario in scenarios:
            if (now := belongings(scenario, asked).get(name)) != then:
                faults.add(f"start, {name}", shown(then), f"{shown(now)}, as in {scenario.name}")
                break
    if given.replicates < asked.replicates:
        faults.add("replicates", asked.replicates, f"at most {given.replicates}, as `start` has")
    if asked.last < POLICY_START:
        faults.add("until", asked.until, f"{period_label(POLICY_START)} or later, with `start`")
    faults.raise_if_any()
    return given.runs


def shown(value: Any) -> Any:
    """Return a value as a fault shows it: a digest by its first characters."""
    return value[:12] if isinstance(value, str) else value
