"""The documented search: ``python -m calibration.fit_hub`` in the top folder of a checkout.

Runs the grid of ``hub_grid.csv``, runs the best candidates again on fresh luck, and holds the
shipped defaults and draws of all parameters against the same points. Writes the record
``calibration/hub_search.csv``, the figure ``docs/figures/hub_path`` and the result part of
``docs/calibration.md``.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from calibration.hub_search import (
    TOLERANCE,
    Candidate,
    Floats,
    Paths,
    Points,
    grid,
    hub_paths,
    hub_points,
    loss,
    rank,
    shipped,
    worst_factor,
)
from calibration.observe import Variant
from ecosystem.inputs.calendar import period_label

if TYPE_CHECKING:
    import pandas as pd

COMMAND = "python -m calibration.fit_hub"
SEED, REPLICATES = 1, 32
"""Luck of the search, common to all candidates."""
FRESH_SEED, FRESH_REPLICATES, AGAIN = 2, 128, 5
"""Luck of the second look at the best candidates: the winner of a noisy search flatters itself."""
DRAWS = 512
"""Replicates with parameter draws of their own."""
RESAMPLES = 1000
"""Bootstrap samples of replicates."""
RECORD = Path("calibration/hub_search.csv")
REPORT = Path("docs/calibration.md")
FIGURE = Path("docs/figures/hub_path")
BEGIN, END = "<!-- result: written by the command -->", "<!-- end of result -->"
VARIANTS: tuple[Variant, ...] = get_args(Variant)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Findings:
    """All that the search found.

    Parameters
    ----------
    table : DataFrame
        One row a candidate, best first: the record.
    fixed : Paths
        The shipped defaults on fresh luck, one candidate.
    drawn : Paths
        Replicates with parameter draws of their own, one candidate.
    points, held_out : Points
        What was fitted, and what is only drawn.
    """

    table: pd.DataFrame
    fixed: Paths
    drawn: Paths
    points: Points
    held_out: Points


def better_share(paths: Floats, reference: Floats, points: Points) -> float:
    """Return the share of bootstrap samples of replicates in which a candidate beats another.

    Parameters
    ----------
    paths, reference : ndarray, shape (runs, points)
        Published by the runs of a candidate and of the other, on the same luck.
    points : Points
        What is fitted.
    """
    picks = np.random.default_rng(FRESH_SEED).integers(len(paths), size=(RESAMPLES, len(paths)))
    losses = [loss(np.median(runs[picks], axis=1), points) for runs in (paths, reference)]
    return float((losses[0] < losses[1]).mean())


def scored(
    candidates: Sequence[Candidate], paths: Paths, points: Points, held_out: Points
) -> pd.DataFrame:
    """Return one row a candidate, best first, with its scores in all variants.

    Parameters
    ----------
    candidates : sequence of dict
        Parameter values.
    paths : Paths
        Their simulated paths.
    points, held_out : Points
        What is fitted; and what is not, of which only the quarters are read.
    """
    import pandas as pd

    table = pd.DataFrame(list(candidates))
    default = shipped(list(table.columns))
    table["shipped"] = [int(candidate == default) for candidate in candidates]
    orders = {}
    for variant in VARIANTS:
        orders[variant], losses, factors = rank(paths.at(points, variant), points)
        table[f"loss_{variant}"], table[f"worst_factor_{variant}"] = losses, factors
    table["within"] = (table["worst_factor_break"] <= TOLERANCE).astype(int)
    for name, medians in (("servers", paths.servers), ("halls", paths.halls)):
        for period in sorted({*points.periods, *held_out.periods}):
            table[f"{name}_{period_label(period)}"] = np.median(medians[..., period], axis=1)
    table = table.iloc[orders["break"]].reset_index(names="candidate")
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return table


def look_again(
    table: pd.DataFrame, points: Points, jobs: int | None, progress: Progress | None
) -> tuple[pd.DataFrame, Paths]:
    """Run the best candidates and the shipped defaults on fresh luck.

    Returns
    -------
    DataFrame
        The table with ``fresh_loss``, ``fresh_worst_factor`` and ``beats_shipped`` in their rows.
    Paths
        Those of the shipped defaults.
    """
    rows = table.index[(table["rank"] <= AGAIN) | (table["shipped"] == 1)]
    names = list(grid()[0])
    chosen = [dict(zip(names, values, strict=True)) for values in table.loc[rows, names].to_numpy()]
    paths = hub_paths(chosen, FRESH_REPLICATES, FRESH_SEED, jobs=jobs, progress=progress)
    here = int(np.flatnonzero(table.loc[rows, "shipped"])[0])
    runs = paths.published()[..., points.periods]
    table = table.copy()
    table.loc[rows, "fresh_loss"] = loss(np.median(runs, axis=1), points)
    table.loc[rows, "fresh_worst_factor"] = worst_factor(np.median(runs, axis=1), points)
    table.loc[rows, "beats_shipped"] = [better_share(own, runs[here], points) for own in runs]
    return table, Paths(paths.servers[here : here + 1], paths.halls[here : here + 1])


def find(jobs: int | None = None, progress: Progress | None = None) -> Findings:
    """Run the whole search.

    Parameters
    ----------
    jobs, progress
        As in `ecosystem.simulate`.
    """
    points, held_out, candidates = hub_points("fit"), hub_points("hold_out"), grid()
    paths = hub_paths(candidates, REPLICATES, SEED, jobs=jobs, progress=progress)
    table = scored(candidates, paths, points, held_out)
    table, fixed = look_again(table, points, jobs, progress)
    drawn = hub_paths([{}], DRAWS, FRESH_SEED, fixed=False, jobs=jobs, progress=progress)
    return Findings(table, fixed, drawn, points, held_out)


def passing(paths: Paths, points: Points) -> float:
    """Return the share of single runs that lie within the tolerance of every point."""
    runs = paths.published()[0][:, points.periods]
    return float((worst_factor(runs, points) <= TOLERANCE).mean())


def markdown(table: pd.DataFrame) -> str:
    """Return a table as Markdown, numbers to three digits."""
    cells = [[str(name) for name in table.columns], ["---"] * len(table.columns)]
    for row in table.itertuples(index=False):
        cells.append([value if isinstance(value, str) else f"{value:.4g}" for value in row])
    return "\n".join("| " + " | ".join(line) + " |" for line in cells)


def path_table(found: Findings) -> pd.DataFrame:
    """Return the shipped path against all points, fitted and held out."""
    import pandas as pd

    rows = []
    for points in (found.points, found.held_out):
        modelled, drawn = found.fixed.at(points)[0], found.drawn.at(points)[0]
        for i, target in enumerate(points.targets):
            rows.append(
                {
                    "published on": target.date,
                    "P": f"{'over ' if target.bound == 'lower' else ''}{target.value:,.0f}",
                    "use": "fitted" if target.use == "fit" else "not used",
                    "defaults, median": f"{modelled[i]:,.0f}",
                    "modelled / published": f"{modelled[i] / target.value:.2f}",
                    "draws, median": f"{drawn[i]:,.0f}",
                }
            )
    return pd.DataFrame(rows)


def shipped_row(table: pd.DataFrame) -> Any:
    """Return the row of the shipped defaults."""
    return table[table["shipped"] == 1].iloc[0]


def variant_table(table: pd.DataFrame, held_out: Points) -> pd.DataFrame:
    """Return, for each reading of the series, the shipped defaults and the best candidate."""
    import pandas as pd

    later = [f"halls_{period_label(period)}" for period in sorted({*held_out.periods})]
    words = {
        "break": "servers, then halls",
        "all_shells": "halls all along (s = 1)",
        "lagged_shells": "in operation = halls two quarters earlier",
    }
    rows, default = [], shipped_row(table)
    for variant in VARIANTS:
        losses = table[f"loss_{variant}"]
        best: Any = table.iloc[int(losses.argmin())]
        rows.append(
            {
                "reading": words[variant],
                "loss, shipped": default[f"loss_{variant}"],
                "worst factor, shipped": default[f"worst_factor_{variant}"],
                "rank of shipped": int((losses < default[f"loss_{variant}"]).sum()) + 1,
                "loss, best": best[f"loss_{variant}"],
                "worst factor, best": best[f"worst_factor_{variant}"],
                "best": ", ".join(f"{name} {best[name]:g}" for name in grid()[0]),
            }
            | {f"{name.replace('_', ' ')}, best": f"{best[name]:,.0f}" for name in later}
        )
    return pd.DataFrame(rows)


def report(found: Findings) -> str:
    """Return what was found, in Markdown."""
    table, points = found.table, found.points
    default = shipped_row(table)
    shown = table.loc[table["fresh_loss"].notna()]
    columns = ["rank", *grid()[0], "loss_break", "worst_factor_break"]
    columns += ["fresh_loss", "fresh_worst_factor", "beats_shipped"]
    fresh = float(worst_factor(found.fixed.at(points)[0], points))
    verdict = "within" if fresh <= TOLERANCE else "NOT within"
    return "\n\n".join(
        [
            f"**The shipped defaults are {verdict} a factor of {TOLERANCE:g} of every fitted "
            f"point**: worst factor {fresh:.2f} on {FRESH_REPLICATES} fresh replicates, "
            f"{default['worst_factor_break']:.2f} on the {REPLICATES} of the search. They rank "
            f"{default['rank']:.0f} of {len(table)}; {table['within'].sum()} candidates are within "
            f"the factor. Single runs within it at every point: {passing(found.fixed, points):.0%} "
            f"at the defaults ({FRESH_REPLICATES} runs, luck alone) and "
            f"{passing(found.drawn, points):.1%} of {DRAWS} draws of all parameters.",
            "The path, medians over runs in PFLOPS:",
            markdown(path_table(found)),
            f"The best {AGAIN} and the shipped defaults. `fresh`: on {FRESH_REPLICATES} other "
            "replicates; `beats_shipped`: share of bootstrap samples of those in which the "
            "candidate's loss is the lower one.",
            markdown(shown[columns].rename(columns=lambda name: name.removesuffix("_break"))),
            "The same candidates under the three readings of the series:",
            markdown(variant_table(table, found.held_out)),
        ]
    )


def code_version() -> str:
    """Return the commit of the checkout, with ``+`` where files differ from it."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def write(found: Findings, text: str) -> None:
    """Write the record, the figure and the result part of the report."""
    from calibration.hub_figure import draw

    head = (
        f"# {COMMAND}\n# run on {date.today()}, code {code_version()}; seed {SEED}, "
        f"{REPLICATES} replicates; fresh: seed {FRESH_SEED}, {FRESH_REPLICATES} replicates\n"
    )
    body = found.table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    RECORD.write_text(head + body, encoding="utf-8")
    before, _, rest = REPORT.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    REPORT.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
    draw(found.fixed, found.drawn, found.points, found.held_out, FIGURE)


def show(done: int, every: int) -> None:
    """Write on one line how many runs of a stage are done."""
    print(f"\r{done} of {every} runs", end="\n" if done == every else "", file=sys.stderr)


def main() -> None:
    """Run the search, print what was found and write it."""
    if not REPORT.is_file():
        sys.exit(f"no {REPORT} here: run {COMMAND} in the top folder of a checkout")
    found = find(progress=show)
    text = report(found)
    print(found.table.to_string(index=False, float_format="%.3g"))
    print("\n" + text)
    write(found, text)


if __name__ == "__main__":
    main()
