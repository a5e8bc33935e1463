"""Run a run directory again and compare values: which differ, by how much, and why they may.

Confirmed are the values that every run kept, anew, and that every file is as the manifest has it.
Tables and figures are not made anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ecosystem.inputs.faults import FaultList
from experiments.report.messages import text

if TYPE_CHECKING:
    import pandas as pd

    from ecosystem.runs.chunks import Model
    from ecosystem.runs.runner import Ensemble

CLOSE = 1e-9
"""Relative to the largest value of the outcome: rounding that differs between machines."""
SHOWN = 10
DIGITS = 12
"""Hexadecimal digits of a digest that are shown."""
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
    finished
        Whether the run has its manifest; None where files were not looked at, as for a single run.
    files, altered
        Number of files that manifests list, and those that are missing or not as listed.
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
    finished: bool | None = None
    files: int = 0
    altered: list[str] = field(default_factory=list)
    differing: list[pd.DataFrame] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    reasons: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        """Whether values are the same, or within rounding, and files as the manifest has them."""
        return not (self.differing or self.failures or self.altered)

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
        lines += self.file_lines(lang)
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

    def file_lines(self, lang: str) -> list[str]:
        """Return what was found of files as lines."""
        lines = []
        if self.files:
            sound = self.files - len(self.altered)
            lines.append(text("reproduce_files", lang, count=self.files, sound=sound))
        lines += [text("reproduce_altered", lang, file=name) for name in self.altered[:SHOWN]]
        if len(self.altered) > SHOWN:
            lines.append(f"  … {len(self.altered) - SHOWN}")
        if self.finished is False:
            lines.append(text("reproduce_unfinished", lang))
        return lines


def ensembles_of(directory: Path) -> list[Path]:
    """Return the directories with shards that a run consists of.

    Raises
    ------
    InputError
        There is none.
    """
    from ecosystem.runs.directory import PLAN

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
        Number of a single run, in every ensemble of the directory that has one of this number;
        all runs, and the files, by default. If it fails as it did, its error is listed.
    progress
        Called with the number of finished and of all runs of an ensemble.
    options
        `executor`, `cluster` and `jobs` of `ecosystem.runs.runner.run_design`.

    Raises
    ------
    InputError
        The directory is not one, a shard is not as it was written, what was run is gone, or no
        ensemble has the run.
    """
    from ecosystem.runs.recall import recalled
    from ecosystem.runs.runner import run_design

    found, compared, most = Reproduction(), 0, 0
    if run is None:
        check_files(found, Path(directory))
    for place in ensembles_of(Path(directory)):
        design, given = recalled(place)
        most = max(most, len(design))
        ensemble = run_design(design, **given, **options, progress=progress)
        found.reasons |= reasons(place, given["model"])
        tables = (
            every_shard(place, ensemble, found) if run is None else single_run(place, ensemble, run)
        )
        for stored, now in tables:
            compare_tables(found, stored, now)
            compared += 1
    if not compared:
        faults = FaultList()
        if run is None:
            faults.add("RUN", str(directory), "a run directory with shards")
        else:
            faults.add("--run", run, f"the number of a run that is there, below {most}")
        faults.raise_if_any()
    return found


def check_files(found: Reproduction, directory: Path) -> None:
    """Compare the files of a run with the digests in its manifests.

    An ensemble within has a manifest of its own, which may be there before that of the whole run.
    """
    from ecosystem.runs.directory import MANIFEST, is_complete, read_json

    found.finished = is_complete(directory)
    listed: dict[Path, str] = {}
    for manifest in (*sorted(directory.glob(f"ensembles/*/{MANIFEST}")), directory / MANIFEST):
        if manifest.is_file():
            digests = read_json(manifest)["files"]
            listed |= {manifest.parent / name: digest for name, digest in digests.items()}
    found.files = len(listed)
    found.altered = [
        path.relative_to(directory).as_posix()
        for path, digest in listed.items()
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest
    ]


def shards_of(directory: Path) -> dict[int, Path]:
    """Return the shards that are there, by number."""
    from ecosystem.runs.shards import number_of
    from ecosystem.runs.store import SHARDS

    return {number_of(path): path for path in sorted((directory / SHARDS).glob("*.parquet"))}


def every_shard(
    directory: Path, ensemble: Ensemble, found: Reproduction
) -> Iterator[tuple[Any, Any]]:
    """Give each stored shard with the same computed now, and count those that are missing."""
    from ecosystem.runs.directory import hash_of
    from ecosystem.runs.shards import read_shard

    paths, owner = shards_of(directory), hash_of(directory)
    for number in paths.keys() - set(range(len(ensemble.tasks))):
        read_shard(paths[number], owner)  # refused: the run has no shard of this number
    found.shards += len(ensemble.tasks)
    found.missing += len(ensemble.tasks) - len(paths)
    ensemble.tasks.parts = [ensemble.tasks.parts[number] for number in sorted(paths)]
    for number, (_, now) in zip(sorted(paths), ensemble.tables(), strict=True):
        yield read_shard(paths[number], owner), now


def single_run(directory: Path, ensemble: Ensemble, run: int) -> Iterator[tuple[Any, Any]]:
    """Give what is stored of a run with the same computed now; nothing where it is not there."""
    import pyarrow.compute as pc

    from ecosystem.runs.directory import hash_of
    from ecosystem.runs.shards import read_shard

    paths = shards_of(directory)
    for number, (scenario, runs) in enumerate(ensemble.tasks.parts):
        if run not in runs or number not in paths:
            continue
        ensemble.tasks.parts = [(scenario, runs[runs == run])]
        stored = read_shard(paths[number], hash_of(directory))
        for _, now in ensemble.tables():
            yield stored.filter(pc.equal(stored.column("run"), run)), now
        return


def compare_tables(found: Reproduction, stored: Any, now: Any) -> None:
    """Count the values of a shard that are the same, close, or neither."""
    from ecosystem.runs.shards import failures_of, frame_of

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


def reasons(directory: Path, model: Model | None) -> dict[str, tuple[Any, Any]]:
    """Return code, data, versions and machine that differ from those of a run directory.

    The plan has those that the run began with and the manifest those that it ended with.

    Parameters
    ----------
    directory
        The run directory.
    model
        The user's own model as it is now; None for this package's.
    """
    from ecosystem.inputs.world.loader import load_world
    from ecosystem.runs.directory import MANIFEST, PLAN, read_json
    from ecosystem.runs.identity import model_digests, versions
    from ecosystem.runs.request import identity_of

    found: dict[str, tuple[Any, Any]] = {}
    own = identity_of(model)
    for path in (directory / PLAN, directory / MANIFEST):
        if not path.is_file():
            continue
        record = read_json(path)
        now = model_digests()
        then = record["configuration"]["data"]
        if own is None:
            now = {**now, "world": load_world(record["configuration"]["world"]).digest}
        else:
            place = f"model {own['name']}, its file or what it carries"
            now = {**now, place: own["digest"]}
            then = {**then, place: record["configuration"]["model"]["digest"]}
        found |= {
            name: (str(then.get(name))[:DIGITS], digest[:DIGITS])
            for name, digest in now.items()
            if then.get(name) != digest
        }
        then = record["versions"]
        found |= {
            name: (then.get(name), version)
            for name, version in versions().items()
            if then.get(name) != version
        }
    return found
