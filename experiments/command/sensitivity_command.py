"""`ecosystem sensitivity`: from a request to a run directory that survives being killed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.command import commands
from experiments.command import run_directory as files
from experiments.command.request import Request
from experiments.report.messages import wrap
from experiments.report.tables import Page

if TYPE_CHECKING:
    from experiments.command.dry_run import Cost
    from experiments.sensitivity_analysis.plan import Study

WIDTH = 100
"""Terminal columns a line may take."""
ROW, FIGURE = 180, 600_000
"""Bytes of a row of the tables, and of a figure with what is written beside it."""


@dataclass(frozen=True)
class SensitivityRequest:
    """The options of `ecosystem sensitivity` beside those of `Request`."""

    common: Request
    method: str
    trajectories: int | None
    samples: int | None
    second_order: bool
    factors: Path | None


def start(request: SensitivityRequest) -> int:
    """Carry out `ecosystem sensitivity` and return the exit code.

    Raises
    ------
    InputError
        With everything that is wrong with the request; nothing has been written then.
    OSError
        The run directory cannot be written.
    """
    common = request.common
    study = study_of(request)
    commands.warn(list(study.scenarios), study.reference)
    return commands.carry_out(
        common, configuration_of(study, common), partial(cost_of, study, common),
        partial(fill, study, common),
    )  # fmt: skip


def study_of(request: SensitivityRequest) -> Study:
    """Look up everything a request names.

    Raises
    ------
    InputError
        With everything that is wrong.
    """
    from experiments.sensitivity_analysis.plan import plan_study

    common = request.common
    if common.scenarios == (common.reference,):  # its levels alone
        common = replace(common, reference=None)
    scenarios, reference = commands.resolve_request(common)
    return plan_study(
        scenarios, reference, method=request.method, trajectories=request.trajectories,
        samples=request.samples, second_order=request.second_order, factors=request.factors,
        replicates=common.replicates, fixed_parameters=common.fixed_parameters,
        seed=common.seed, until=common.until, world=common.world, executor=common.executor,
        cluster=common.cluster, jobs=common.jobs,
    )  # fmt: skip


def configuration_of(study: Study, common: Request) -> dict[str, Any]:
    """Return everything that determines the tables and figures of a study."""
    from importlib.metadata import version

    from ecosystem.inputs.world.loader import load_world

    return {
        "command": common.kind,
        "scenarios": files.plain(study.scenarios),
        "reference": study.reference,
        "method": study.sample.method,
        "blocks": study.sample.blocks,
        "second_order": study.sample.second_order,
        "factors": files.plain(study.factors),
        "outcomes": study.outcomes,
        "replicates": study.replicates,
        "seed": common.seed,
        "until": common.until,
        "world": common.world,
        "fixed_parameters": study.fixed,
        "lang": common.lang,
        "SALib": version("SALib"),
        "data": {"world": load_world(common.world).digest, **files.data_digests()},
    }


def fill(study: Study, common: Request, directory: Path) -> commands.Finding:
    """Run what is missing, analyse it, write tables and figures, and return what came of it."""
    from experiments.sensitivity_analysis.plan import run_study
    from experiments.sensitivity_analysis.study import Sensitivity

    with commands.progress_bar(common.lang, common.quiet) as show:
        values = run_study(study, directory / commands.ENSEMBLES, show)
    found = Sensitivity.of(study, values)
    found.save(directory, common.lang)
    answer = {"table": commands.records(found.table)}
    page: Page = [found.text(common.lang)]
    pages = {"summary": page, "full": page}
    return commands.Finding(pages, answer, {"runs": study.runs})


def cost_of(study: Study, common: Request) -> Cost:
    """Return what a study takes; a few quarters are run to see how long they take.

    Memory is an upper bound: years before a package differs are read, but not kept.
    """
    from ecosystem.inputs.calendar import period_index
    from ecosystem.runs.estimate import estimate
    from ecosystem.runs.runner import run_design
    from experiments.command.dry_run import Cost, busy_workers, bytes_of_run, titles

    ensemble = run_design(
        study.design, keep=study.keep, outcomes=study.outcomes, fixed_parameters=study.fixed,
        **study.options,
    )  # fmt: skip
    found = estimate(ensemble)
    share = study.runs / found.runs
    names = ", ".join(factor.title(common.lang) for factor in study.factors)
    return Cost(
        runs=study.runs,
        quarters=period_index(common.until) + 1,
        seconds=found.seconds * share,
        workers=busy_workers(ensemble),
        disk_bytes=round(found.size * share + size_of_tables(study, common)),
        memory_bytes=study.runs * bytes_of_run(ensemble),
        lines=(*titles(study.scenarios, common.lang), wrap(names, WIDTH)),
    )


def size_of_tables(study: Study, common: Request) -> float:
    """Return the bytes that tables and figures of a study take, about."""
    from ecosystem.inputs.calendar import POLICY_START, QUARTERS_A_YEAR, period_index

    years = (period_index(common.until) + 1) // QUARTERS_A_YEAR - POLICY_START // QUARTERS_A_YEAR
    many = len(study.names)
    rows = len(study.outcomes) * (2 * many - 1) * len(study.factors) * (1 + max(years, 0))
    return rows * ROW + (many + 1) * FIGURE
