"""A line profiler for one folder: the time from each line to the next, without what it calls."""

from __future__ import annotations

import linecache
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

Line = tuple[str, int]


def hottest_lines(work: Callable[[], object], folder: Path, count: int) -> list[tuple[str, float]]:
    """Run `work` and return its hottest lines inside `folder`.

    Parameters
    ----------
    work
        What is profiled; it runs once before, to warm up.
    folder
        Only lines of files in it are timed; what they call elsewhere (NumPy) counts as theirs.
    count
        How many lines to return.

    Returns
    -------
    list
        ``file:number code`` and share of the time of all lines, the hottest first.
    """
    spent: defaultdict[Line, float] = defaultdict(float)
    inside, outside = str(folder), ("", 0)
    last, since = outside, time.perf_counter()

    def line_of(frame: FrameType | None) -> Line:
        while frame is not None and not frame.f_code.co_filename.startswith(inside):
            frame = frame.f_back
        return (frame.f_code.co_filename, frame.f_lineno) if frame else outside

    def trace(frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
        nonlocal last, since
        if not frame.f_code.co_filename.startswith(inside):
            return None
        spent[last] += time.perf_counter() - since
        last = line_of(frame.f_back if event == "return" else frame)
        since = time.perf_counter()
        return trace

    work()
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    del spent[outside]
    whole = sum(spent.values())
    ranked = sorted(spent, key=spent.__getitem__, reverse=True)
    return [(name_of(line, folder), spent[line] / whole) for line in ranked[:count]]


def name_of(line: Line, folder: Path) -> str:
    """Return file, number and text of a line, fit for a table."""
    path, number = line
    code = linecache.getline(path, number).strip().replace("|", "\\|")
    return f"{Path(path).relative_to(folder)}:{number} {code}"
