"""`ecosystem sensitivity`: from a request to a run directory that survives being killed."""

from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ecosystem.inputs.world.loader import load_world
from ecosystem.runs.estimate import estimate
from experiments.command import commands
from experiments.command import run_directory as files
from experiments.command.dry_run import Cost, titles
from experiments.command.request import Request
from experiments.report.messages import wrap
from experiments.report.sensitivity_view import sensitivity_page, sensitivity_summary
from experiments.sensitivity_analysis.options import SensitivityOptions
from experiments.sensitivity_analysis.plan import Study, plan_study
from experiments.sensitivity_analysis.study import ensemble_of
from experiments.sensitivity_face import found_by

WIDTH = 100
"""Terminal columns a line may take."""


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
    common = request.common
    if common.scenarios == (common.reference,):  # its levels alone
        common = replace(common, reference=None)
    asked = SensitivityOptions.of(
        method=request.method, trajectories=request.trajectories, samples=request.samples,
        second_order=request.second_order, factors=request.factors, replicates=common.replicates,
        fixed_parameters=common.fixed_parameters, seed=common.seed, until=common.until,
        world=common.world, executor=common.executor, cluster=common.cluster, jobs=common.jobs,
    )  # fmt: skip
    return plan_study(asked, *commands.resolve_request(common))


def configuration_of(study: Study, common: Request) -> dict[str, Any]:
    """Return everything that determines the tables and figures of a study."""
    return {
        "command": common.kind,
        "scenarios": files.plain(study.scenarios),
        "reference": study.reference,
        "method": study.sample.method,
        "blocks": study.sample.blocks,
        "second_order": study.sample.second_order,
        "factors": files.plain(study.factors),
        "outcomes": study.outcomes,
        "replicates": common.replicates,
        "seed": common.seed,
        "until": common.until,
        "world": common.world,
        "fixed_parameters": common.fixed_parameters,
        "lang": common.lang,
        "SALib": version("SALib"),
        "data": {"world": load_world(common.world).digest, **files.data_digests(study.scenarios)},
    }


def fill(study: Study, common: Request, directory: Path) -> commands.Finding:
    """Run what is missing, analyse it, write tables and figures, and return what came of it."""
    with commands.progress_bar(common.lang, common.quiet) as show:
        asked = study.asked.with_(out=directory, progress=show)
        found = found_by(replace(study, asked=asked))
    found.save(directory, common.lang, common.quiet)
    pages = {
        "summary": sensitivity_summary(found, common.lang),
        "full": sensitivity_page(found, common.lang),
    }
    return commands.Finding(pages, {"table": commands.records(found.table)}, {"runs": study.runs})


def cost_of(study: Study, common: Request) -> Cost:
    """Return what a study takes; a few quarters are run to see how long they take."""
    ensemble = ensemble_of(study, study.design)
    found = estimate(ensemble)
    share = study.runs / found.runs
    names = ", ".join(factor.title(common.lang) for factor in study.factors)
    return Cost(
        runs=study.runs,
        quarters=study.asked.last + 1,
        seconds=found.seconds * share,
        workers=found.workers,
        disk_bytes=round(found.size * share),
        memory_bytes=round(found.size * share),
        lines=(*titles(study.scenarios, common.lang), wrap(names, WIDTH)),
    )
