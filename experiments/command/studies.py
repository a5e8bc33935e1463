"""What `run`, `compare` and `sensitivity` come to: what determines them, their cost, their work."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from ecosystem.inputs.catalogue import outcomes
from ecosystem.inputs.scenario import ResolvedScenario
from ecosystem.inputs.world.loader import load_world
from ecosystem.runs.result import Result
from ecosystem.runs.simulate import SimulateOptions, simulate
from experiments.command import run_directory as files
from experiments.command.commands import Finding, Work, carry_out, progress_bar, records, say
from experiments.command.dry_run import cost_of, cost_of_study
from experiments.command.request import Request
from experiments.command.resolve import resolved, warn
from experiments.comparison.budget import Priced
from experiments.comparison.compare import headline_outcomes
from experiments.comparison.equal_money import equal_money
from experiments.comparison.options import PLANNED, DecomposeOptions
from experiments.faces import Decomposition, Resilience, compare, decompose, found_by
from experiments.report import sensitivity_view
from experiments.report.first_screen import summary
from experiments.report.notes import draws_words
from experiments.report.run_report import run_pages, save_run
from experiments.sensitivity_analysis.plan import Study, plan_study

IDENTITY = ("replicates", "seed", "until", "world", "fixed_parameters", "outcomes")
"""Options that change numbers; shocks, settings and budgets stand in the scenarios."""


def start(request: Request) -> int:
    """Carry out a request and return the exit code.

    Raises
    ------
    InputError
        With everything that is wrong with the request; nothing has been written then.
    OSError
        The run directory cannot be written.
    """
    scenarios, reference, priced = resolved(request)
    drawn = request.asked.drawn_from
    common = {
        "command": request.kind,
        "scenarios": files.plain(scenarios),
        "reference": reference,
        **{name: getattr(request.asked, name) for name in IDENTITY},
        "draws": drawn and drawn.about,
        "lang": request.lang,
        "data": {"world": load_world(request.asked.world).digest, **files.data_digests(scenarios)},
    }
    if request.kind == "sensitivity":
        work = study_work(request, plan_study(request.asked, scenarios, reference), common)
    else:
        cost = partial(cost_of, request, scenarios, reference, len(priced))
        if request.kind == "run":
            fill = partial(run_all, request, scenarios)
        else:
            fill = partial(compare_all, request, scenarios, reference, priced)
        sought = {"extra_net_public_cost": request.asked.budget if request.equal_cost else None}
        work = Work(common | {"decompose": request.decompose} | sought, cost, fill)
    warn(scenarios, reference, request.lang)
    words = draws_words(drawn, request.asked.fixed_parameters, request.lang)
    say(words, request.quiet)
    return carry_out(request, work)


def run_all(request: Request, scenarios: list[ResolvedScenario], directory: Path) -> Finding:
    """Simulate one scenario, and write what it shows into a run directory."""
    with progress_bar(request.lang, request.quiet) as show:
        given = {"scenarios": scenarios, "shock": (), "out": directory, "progress": show}
        result = simulate.with_options(request.asked.as_(SimulateOptions, **given))
    table = save_run(result, directory, request.lang, request.quiet)
    write_draws(directory, result)
    pages = run_pages(result, table, request.lang)
    return Finding(pages, {"table": records(table)}, {"varied": result.varied})


def compare_all(
    request: Request,
    scenarios: list[ResolvedScenario],
    reference: str,
    priced: Priced,
    directory: Path,
) -> Finding:
    """Compare scenarios, and write what that shows into a run directory."""
    asked, money = request.asked.with_(shock=(), out=directory), pd.DataFrame()
    if request.equal_cost:
        with progress_bar(request.lang, request.quiet, "progress_pilots") as show:
            pilots = asked.with_(progress=show)
            scenarios, money = equal_money(scenarios, reference, priced, pilots)
    base = next(scenario for scenario in scenarios if scenario.name == reference)
    asked = asked.with_(scenarios=scenarios, reference=base, budget=None, equal=PLANNED)
    with progress_bar(request.lang, request.quiet) as show:
        comparison = compare.with_options(asked.with_(progress=show))
    comparison = replace(comparison, equal_money=money)
    comparison.save(directory, request.lang, request.quiet)
    answer: dict[str, Any] = {
        "packages": records(comparison.packages),
        "table": records(comparison.table),
        "beats": comparison.beats_matrix,
        "equal_money": records(money),
        "scoreboard": records(comparison.scoreboard),
    }
    full, sentences = comparison.page(request.lang), []
    for found in beside(request, asked.with_(outcomes=None), directory, answer):
        full += ["", *found.page(request.lang)]
        sentences.append(found.headline(request.lang))
    write_draws(directory, comparison.result)
    pages = {"summary": summary(comparison, request.lang, more=sentences), "full": full}
    more = {"varied": comparison.result.varied, "equal_money": answer["equal_money"]}
    return Finding(pages, answer, more)


def beside(
    request: Request, asked: Any, directory: Path, answer: dict[str, Any]
) -> list[Resilience | Decomposition]:
    """Run and write what a comparison was asked beside its table."""
    found: list[Resilience | Decomposition] = []
    if any(scenario.shocks for scenario in asked.scenarios):
        with progress_bar(request.lang, request.quiet) as show:
            under = Resilience.of(asked.scenarios, asked.with_(progress=show))
        under.save(directory)
        answer["resilience"] = records(under.table)
        answer["robustness"] = records(under.robustness)
        found.append(under)
    if request.decompose:
        (package,) = (one for one in asked.scenarios if one is not asked.reference)
        with progress_bar(request.lang, request.quiet) as show:
            given = {"package": package, "reference": asked.reference, "progress": show}
            wanted = [*(request.asked.outcomes or ()), *headline_outcomes(whole=True)]
            whole = [name for name in dict.fromkeys(wanted) if not outcomes()[name].dimension]
            given |= {"outcomes": whole if request.asked.outcomes else None}
            parts = decompose.with_options(asked.as_(DecomposeOptions, **given))
        parts.save(directory, request.lang, request.quiet)
        answer["decomposition"] = records(parts.table)
        answer["break_even"] = records(parts.break_even)
        found.append(parts)
    return found


def study_work(request: Request, study: Study, common: dict[str, Any]) -> Work:
    """Return what a sensitivity study comes to."""
    configuration = common | {
        "method": study.sample.method,
        "blocks": study.sample.blocks,
        "second_order": study.sample.second_order,
        "factors": files.plain(study.factors),
        "outcomes": study.outcomes,
        "SALib": version("SALib"),
    }
    return Work(
        configuration, partial(cost_of_study, request, study), partial(study_all, request, study)
    )


def study_all(request: Request, study: Study, directory: Path) -> Finding:
    """Run what is missing of a study, analyse it, and write what that shows."""
    with progress_bar(request.lang, request.quiet) as show:
        asked = study.asked.with_(out=directory, progress=show)
        found = found_by(replace(study, asked=asked))
    found.save(directory, request.lang, request.quiet)
    pages = {
        "summary": sensitivity_view.summary(found, request.lang),
        "full": sensitivity_view.full(found, request.lang),
    }
    return Finding(pages, {"table": records(found.table)}, {"runs": study.runs})


def write_draws(directory: Path, result: Result) -> None:
    """Write the parameter draws; the runs themselves are there as chunks."""
    if result.varied:
        files.write_csv(directory / "draws.csv", result.draws.reset_index())
