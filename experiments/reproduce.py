"""Run a run directory again and compare values: which differ, by how much, and why they may."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecosystem.errors import FaultList
from experiments.messages import text

if TYPE_CHECKING:
    import pandas as pd

CLOSE = 1e-9
"""Relative to the largest value of the outcome: rounding that differs between machines."""
SHOWN = 10
KEYS = ("run", "scenario", "shock", "replicate", "point", "period", "outcome")


@dataclass
class Reproduction:
    """What came of running again.

    Attributes
    ----------
    values, same, close
        Number of values compared; of those the same to the last bit; of the others those within
        1e-9 of the outcome's size.
    missing, shards
        Shards that the directory lacks, and those that it should have.
    differing
        Rows that differ more: keys, the value stored and the value now.
    failed
        Errors of runs that fail as they did, by number.
    failures
        What differs between the runs that failed then and now.
    reasons
        Code, data, versions and machine that differ: dotted place, then, now.
    """

    values: int = 0
    same: int = 0
    close: int = 0
    shards: int = 0
    missing: int = 0
    differing: list[pd.DataFrame] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    reasons: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        """Whether everything is the same, or within rounding."""
        return not self.differing and not self.failures

    def table(self) -> pd.DataFrame:
        """Return all rows that differ by more than rounding."""
        import pandas as pd

        if not self.differing:
            return pd.DataFrame(columns=[*KEYS, "stored", "now"])
        return pd.concat(self.differing, ignore_index=True)

    def text(self, lang: str = "en") -> str:
        """Return what was found as lines."""
        table = self.table()
        lines = [
            text(
                "reproduced", lang, values=self.values, same=self.same, close=self.close,
                far=len(table), runs=table["run"].nunique(),
            )
        ]  # fmt: skip
        if self.missing:
            lines.append(text("reproduce_missing", lang, count=self.missing, all=self.shards))
        for run, error in list(self.failed.items())[:SHOWN]:
            lines.append(text("reproduce_failed", lang, run=run, error=error))
        lines += self.failures[:SHOWN]
        for row in table.head(SHOWN).itertuples(index=False):
            keys = " ".join(str(getattr(row, key)) for key in KEYS)
            lines.append(f"  {keys}: {row.stored!r} → {row.now!r}")
        if len(table) > SHOWN:
            lines.append(f"  … {len(table) - SHOWN}")
        if self.same < self.values or self.failures:
            lines.append(text("reproduce_why" if self.reasons else "reproduce_no_reason", lang))
        lines += [f"  {place}: {then} → {now}" for place, (then, now) in self.reasons.items()]
        return "\n".join(lines)


def ensembles_of(directory: Path) -> list[Path]:
    """Return the directories with shards that a run consists of.

    Raises
    ------
    InputError
        There is none.
    """
    from ecosystem.ensemble.directory import PLAN

    found = [path.parent for path in sorted(directory.glob(f"ensembles/*/{PLAN}"))]
    if (directory / "shards").is_dir():
        found = [directory]
    if not found:
        faults = FaultList()
        faults.add("RUN", str(directory), "a run directory with shards")
        faults.raise_if_any()
    return found


def reproduce(
    directory: Path | str,
    run: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Reproduction:
    """Run what a run directory holds again, in memory, and compare shard by shard.

    Parameters
    ----------
    directory
        A run directory.
    run
        Number of a single run; all by default. If it fails, its error is raised.
    options
        `executor`, `cluster` and `jobs` of `ecosystem.ensemble.runner.run_design`.

    Raises
    ------
    InputError
        The directory is not one, a shard is not as it was written, or what was run is gone.
    """
    found = Reproduction()
    for place in ensembles_of(Path(directory)):
        found.reasons |= reasons(place)
        for stored, now in shards(place, run, found, progress, options):
            compare_tables(found, stored, now)
    return found


def shards(
    directory: Path,
    run: int | None,
    found: Reproduction,
    progress: Callable[[int, int], None] | None,
    options: Mapping[str, Any],
) -> Iterator[tuple[Any, Any]]:
    """Give each stored shard with the same computed now."""
    import pyarrow.compute as pc

    from ecosystem.ensemble.recall import recalled
    from ecosystem.ensemble.runner import run_design
    from ecosystem.ensemble.shards import number_of, read_shard
    from ecosystem.ensemble.store import shard_paths

    design, given = recalled(directory)
    runs = run_design(design, **given, **options, progress=progress)
    paths = {number_of(path): path for path in shard_paths(directory)}
    found.shards += len(runs.tasks)
    found.missing += len(runs.tasks) - len(paths)
    if run is None:
        runs.tasks = [runs.tasks[number] for number in sorted(paths)]
        for number, (_, now) in zip(sorted(paths), runs.tables(), strict=True):
            yield read_shard(paths[number]), now
        return
    places = [n for n, task in enumerate(runs.tasks) if run in task.runs and n in paths]
    if not places:
        faults = FaultList()
        faults.add("--run", run, f"the number of a run that is there, below {len(design)}")
        faults.raise_if_any()
    task, stored = runs.tasks[places[0]], read_shard(paths[places[0]])
    at = int(np.flatnonzero(task.runs == run)[0])
    runs.tasks = [task.part(slice(at, at + 1))]
    for _, now in runs.tables():
        yield stored.filter(pc.equal(stored.column("run"), run)), now


def compare_tables(found: Reproduction, stored: Any, now: Any) -> None:
    """Count the values of a shard that are the same, close, or neither."""
    from ecosystem.ensemble.shards import failures_of, frame_of

    alone = set(now.column("run").to_pylist()) | {row["run"] for row in failures_of(now.schema)}
    then, here = (
        {row["run"]: row["error"] for row in failures_of(table.schema) if row["run"] in alone}
        for table in (stored, now)
    )
    for run in sorted(then.keys() | here.keys()):
        if then.get(run) == here.get(run):
            found.failed[run] = here[run]
        else:
            found.failures.append(f"  run {run}: {then.get(run, 'ok')} → {here.get(run, 'ok')}")
    both = side_by_side(frame_of(stored), frame_of(now))
    both = both[~both["run"].isin(then.keys() ^ here.keys())]
    a, b = both["value_then"].to_numpy(), both["value_now"].to_numpy()
    sizes = both.assign(size=np.abs(a)).groupby(["outcome", "period"], observed=True)["size"]
    size = sizes.transform("max")
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    close = ~same & (np.abs(a - b) <= CLOSE * size.to_numpy())
    found.values += len(both)
    found.same += int(same.sum())
    found.close += int(close.sum())
    if not (same | close).all():
        rest = both[~(same | close)].rename(columns={"value_then": "stored", "value_now": "now"})
        found.differing.append(rest)


def side_by_side(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return a shard then and now as one frame, `value_then` and `value_now`; NaN for none."""
    keys = [name for name in before.columns if name != "value"]
    if before[keys].equals(after[keys]):
        named = before.rename(columns={"value": "value_then"})
        return named.assign(value_now=after["value"].to_numpy())
    words = {name: str for name in keys if name not in ("run", "replicate", "point")}
    return before.astype(words).merge(
        after.astype(words), on=keys, how="outer", suffixes=("_then", "_now")
    )


def reasons(directory: Path) -> dict[str, tuple[Any, Any]]:
    """Return code, data, versions and machine that differ from those of a run directory."""
    from ecosystem.ensemble.directory import PLAN, read_json
    from ecosystem.ensemble.identity import model_digests, versions
    from ecosystem.world.loader import load_world

    plan = read_json(directory / PLAN)
    then = plan["configuration"]["data"] | plan["versions"]
    now = model_digests() | versions()
    if plan["configuration"]["model"] is None:
        now["world"] = load_world(plan["configuration"]["world"]).digest
    return {
        name: (str(then.get(name))[:40], str(value)[:40])
        for name, value in now.items()
        if then.get(name) != value
    }
