"""Run a run directory again and compare: values, files, tables; which differ, and why they may.

A finished directory of a command is made again, whole, in a folder of its own that reuses nothing:
the values of every run, and every CSV, are compared with those that are there. Of any other
directory, and of a single run, the chunks are run again from what they say of themselves.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from ecosystem.inputs.faults import FaultList
from ecosystem.inputs.options import Options
from ecosystem.runs.again import CLOSE, Compared, key_of, reasons, run_again
from ecosystem.runs.directory import DRAWN, MANIFEST, is_complete, read_json, read_plan
from ecosystem.runs.identity import digest
from ecosystem.runs.pool import Pool
from ecosystem.runs.store import chunk_paths, read_chunk
from experiments.report.messages import text

SHOWN = 10
KEYS = ("run", "scenario", "shock", "replicate", "point", "period", "outcome")
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Reproduction(Compared):
    """What came of running again.

    Attributes
    ----------
    finished
        Whether the run has its manifest; None where files were not looked at, as for a single run.
    files, altered
        Number of files that the manifest lists, and those that are missing or not as listed.
    tables, changed
        Number of CSV files made again, and those that came out otherwise, with what is wrong.
    stopped
        Why the command of the run could not be given again; empty if it could.
    reasons
        Code, data, files, versions and machine that differ: name, then, now.
    """

    finished: bool | None = None
    files: int = 0
    altered: list[str] = field(default_factory=list)
    tables: int = 0
    changed: dict[str, str] = field(default_factory=dict)
    stopped: str = ""
    reasons: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        """Whether values are the same, or within rounding, and files as the manifest has them."""
        return not (self.differing or self.failures or self.altered or self.changed or self.stopped)

    def table(self) -> pd.DataFrame:
        """Return all rows that differ by more than rounding."""
        if not self.differing:
            return pd.DataFrame(columns=[*KEYS, "stored", "now"])
        return pd.concat(self.differing, ignore_index=True)

    def text(self, lang: str = "en") -> str:
        """Return what was found as lines."""
        table, rows = self.table(), list[str]()
        compared = text(
            "reproduced", lang, values=self.values, same=self.same, close=self.close,
            far=len(table), runs=table["run"].nunique(),
        )  # fmt: skip
        stopped = text("reproduce_stopped", lang, error=self.stopped)
        lines = [stopped if self.stopped else compared]
        if self.finished is False:
            lines.append(text("reproduce_unfinished", lang))
        if self.files:
            sound = self.files - len(self.altered)
            lines.append(text("reproduce_files", lang, count=self.files, sound=sound))
        lines += shown([text("reproduce_altered", lang, file=name) for name in self.altered])
        if self.tables:
            same = self.tables - len(self.changed)
            lines.append(text("reproduce_tables", lang, count=self.tables, same=same))
        lines += shown([f"  {name}: {words}" for name, words in self.changed.items()])
        for run, error in list(self.failed.items())[:SHOWN]:
            lines.append(text("reproduce_failed", lang, run=run, error=error))
        lines += shown(self.failures)
        for row in table.head(SHOWN + 1).itertuples(index=False):
            keys = " ".join(str(getattr(row, key)) for key in KEYS)
            rows.append(f"  {keys}: {row.stored!r} → {row.now!r}")
        lines += shown(rows)
        if self.reasons:
            lines.append(text("reproduce_why", lang))
        elif not self.equal and not self.stopped:
            lines.append(text("reproduce_no_reason", lang))
        lines += [f"  {place}: {then} → {now}" for place, (then, now) in self.reasons.items()]
        return "\n".join(lines)


def shown(lines: list[str]) -> list[str]:
    """Return the first of some lines, and how many more there are."""
    rest = [f"  … {len(lines) - SHOWN}"] if len(lines) > SHOWN else []
    return lines[:SHOWN] + rest


def reproduce(
    directory: Path | str,
    run: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Reproduction:
    """Run what a run directory holds again and compare.

    Parameters
    ----------
    directory
        A run directory; it is not touched.
    run
        Number of a single run, in every design of the directory that has one of this number; all
        runs, tables and files by default. If it fails as it did, its error is listed.
    progress
        Called with the number of finished and of all chunks.
    options
        Where runs take place, as `ecosystem.run_design` takes it.

    Raises
    ------
    InputError
        The directory is not one, a chunk is not as it was written, what was run is gone, or no
        design has the run.
    """
    directory, found = Path(directory).expanduser(), Reproduction()
    asked = Options.of(**options)
    plan, faults = read_plan(directory), FaultList()
    command = shlex.split(plan["command"])
    if run is None:
        check_files(found, directory)
    if run is None and found.finished and command[1:2] != ["reproduce"]:
        where = [f"--{name}={value}" for name, value in options.items() if value is not None]
        count = make_again(found, directory, plan, [*command, *where])
    else:
        pool = Pool(asked.place, asked)
        count = run_again(directory, found, pool, run, progress)
    if not count and run is not None:
        faults.add("--run", run, "the number of a run that is there")
    elif not count:
        faults.add("RUN", str(directory), "a run directory with chunks")
    faults.raise_if_any()
    found.reasons = reasons(directory)
    return found


def check_files(found: Reproduction, directory: Path) -> None:
    """Compare the files of a run with the digests in its manifest."""
    found.finished = is_complete(directory)
    listed = read_json(directory / MANIFEST)["files"] if found.finished else {}
    found.files = len(listed)
    found.altered = [
        name
        for name, known in listed.items()
        if not (directory / name).is_file() or digest((directory / name).read_bytes()) != known
    ]


def make_again(
    found: Reproduction, directory: Path, plan: Mapping[str, Any], command: list[str]
) -> int:
    """Give a command again, into a folder that reuses nothing, and compare what it makes.

    Returns
    -------
    int
        Number of chunks compared.
    """
    with TemporaryDirectory() as folder:
        words = [word for word in command[1:] if word not in ("--json", "--quiet")]
        kept = directory.resolve() / DRAWN
        words += ["--draws", str(kept)] if kept.is_file() else []
        call = [sys.executable, "-m", "experiments.command.cli", *words, "--quiet"]
        paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [*call, "--out", folder], capture_output=True, text=True,
            cwd=plan["folder"] if Path(plan["folder"]).is_dir() else None,
            env=os.environ | {"PYTHONPATH": paths},
        )  # fmt: skip
        made = [path.parent for path in Path(folder).glob(f"*/{MANIFEST}")]
        if done.returncode not in (0, 3) or not made:
            said = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
            found.stopped = f"{plan['command']}: {said[0].removeprefix('error: ')}"
            return len(chunk_paths(directory))
        compare_tables(found, directory, made[0])
        return compare_chunks(found, directory, made[0])


def compare_chunks(found: Reproduction, directory: Path, made: Path) -> int:
    """Compare the values of every run of a directory with those of one made again."""
    now = {key_of(read_chunk(path)): path for path in chunk_paths(made)}
    paths = chunk_paths(directory)
    for path in paths:
        table = read_chunk(path)
        if key_of(table) in now:
            found.add_chunk(table, read_chunk(now[key_of(table)]))
        else:
            found.failures.append(f"  {path.name}: the command does not ask this any more")
    return len(paths)


def compare_tables(found: Reproduction, directory: Path, made: Path) -> None:
    """Compare every CSV file of a directory with that of one made again."""
    names = {
        path.relative_to(place).as_posix()
        for place in (directory, made)
        for path in place.rglob("*.csv")
    }
    for name in sorted(names):
        found.tables += 1
        try:
            then, now = (
                pd.read_csv(place / name, dtype=str, keep_default_na=False)
                for place in (directory, made)
            )
        except FileNotFoundError as error:
            found.changed[name] = f"missing: {error.filename}"
            continue
        if words := unlike(*(one.drop(columns="command", errors="ignore") for one in (then, now))):
            found.changed[name] = words


def unlike(then: pd.DataFrame, now: pd.DataFrame) -> str:
    """Return what is unlike in two tables of texts; numbers are alike within rounding."""
    if then.shape != now.shape or list(then) != list(now):
        heads = [", ".join(map(str, one)) for one in (then, now)]
        return f"{len(then)} rows of {heads[0]} → {len(now)} rows of {heads[1]}"
    count, first = 0, ""
    for name in then:
        a, b = (pd.to_numeric(one[name], errors="coerce").to_numpy(float) for one in (then, now))
        size = np.max(np.abs(a[np.isfinite(a)]), initial=0.0)
        alike = np.isclose(a, b, rtol=0.0, atol=CLOSE * size)
        bad = (then[name] != now[name]).to_numpy() & ~alike
        if bad.any() and not first:
            row = int(np.flatnonzero(bad)[0])
            first = f"{name} in row {row + 1}: {then[name][row]} → {now[name][row]}"
        count += int(bad.sum())
    return f"{count} cells differ, {first}" if count else ""
