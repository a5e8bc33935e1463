"""`ecosystem run` and `ecosystem compare`: from a request to a run directory."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.command import run_directory as files
from experiments.command.request import Request
from experiments.report.messages import text
from experiments.report.tables import NARROW, WIDE, Page, from_json, screen, terminal, to_json

if TYPE_CHECKING:
    from ecosystem.inputs.scenario import ResolvedScenario
    from ecosystem.runs.result import Result
    from experiments.command.dry_run import Cost
    from experiments.faces import Decomposition, Resilience

PAGES = "pages.json"
"""What the screen shows, to be laid out to its width."""
ANSWER = "summary.json"
FAILED = "failed.csv"


@dataclass(frozen=True)
class Finding:
    """What came of a command: its pages, the answer as JSON, and more for the manifest.

    The page ``summary`` is the first screen, ``full`` is everything.
    """

    pages: dict[str, Page]
    answer: dict[str, Any]
    more: dict[str, Any]


def start(request: Request) -> int:
    """Carry out `ecosystem run` or `ecosystem compare` and return the exit code.

    Raises
    ------
    InputError
        With everything that is wrong with the request; nothing has been written then.
    OSError
        The run directory cannot be written.
    """
    from ecosystem.inputs.world.loader import load_world
    from experiments.command.dry_run import cost_of

    scenarios, reference = resolve_request(request)
    configuration = {
        "command": request.kind,
        "scenarios": files.plain(scenarios),
        "reference": reference,
        "replicates": request.replicates,
        "seed": request.seed,
        "until": request.until,
        "world": request.world,
        "fixed_parameters": request.fixed_parameters,
        "decompose": request.decompose,
        "lang": request.lang,
        "data": {"world": load_world(request.world).digest, **files.data_digests(scenarios)},
    }
    warn(scenarios, reference)
    return carry_out(
        request, configuration, partial(cost_of, request, scenarios),
        partial(produce, request, scenarios, reference),
    )  # fmt: skip


def carry_out(
    request: Request,
    configuration: dict[str, Any],
    cost: Callable[[], Cost],
    fill: Callable[[Path], Finding],
) -> int:
    """Fill the run directory of a configuration unless that is done, and return the exit code.

    Parameters
    ----------
    request
        What was asked.
    configuration
        Everything that determines the results; it names the directory.
    cost
        Estimates what the request would take, for a dry run.
    fill
        Runs what is missing and writes tables and figures into the directory.
    """
    directory = request.out / files.short_digest(configuration)
    if request.dry_run:
        return tell_cost(request, directory, cost)
    if files.is_finished(directory):
        say(text("reused", request.lang, directory=directory), request.quiet)
    else:
        command = request.command_line()
        with files.opened(directory, configuration, command) as store:
            found = fill(directory)
            failed = failed_runs(store.failures())
            files.write_text(directory / PAGES, to_json(found.pages))
            for name, columns in (("summary", NARROW), ("full", WIDE)):
                words = terminal(found.pages[name], columns)
                files.write_text(directory / f"{name}.txt", words + "\n")
            answer = json.dumps(found.answer | {"failed": failed}, ensure_ascii=False, indent=1)
            files.write_text(directory / ANSWER, answer)
            store.finish(configuration, command, **found.more)
    return finish(request, directory)


def tell_cost(request: Request, directory: Path, cost: Callable[[], Cost]) -> int:
    """Say what a request would take, print it as JSON if asked for, and return the exit code."""
    from experiments.command.dry_run import cost_words

    answer: dict[str, Any] = {"directory": str(directory), "dry_run": True}
    if request.json or not request.quiet:
        found = cost()
        answer |= found.numbers
        say(cost_words(found, request.lang), request.quiet)
        say(text("dry_run_directory", request.lang, directory=directory), request.quiet)
    print(json.dumps(answer, ensure_ascii=False) if request.json else directory)
    return 0


def resolve_request(request: Request) -> tuple[list[ResolvedScenario], str]:
    """Look up everything a request names; return the scenarios and the name of the reference.

    Raises
    ------
    InputError
        With the faults of all scenarios, options and tables at once.
    """
    from ecosystem.inputs.calendar import POLICY_START, check_period
    from ecosystem.inputs.faults import FaultList, collected
    from ecosystem.inputs.scenario import REFERENCE, with_overrides
    from ecosystem.inputs.world.loader import load_world
    from experiments.comparison.budget import read_budget, with_budget
    from experiments.comparison.compare import (
        require_something_to_compare,
        scenarios_with_reference,
    )

    faults = FaultList()
    collect: Callable[..., Any] = partial(collected, faults)
    reference = request.reference or request.scenarios[0]
    named = list(request.scenarios) or None
    found = collect(partial(scenarios_with_reference, named, reference))
    if request.reference and found:
        collect(partial(require_something_to_compare, *found))
    check_period(faults, "--until", request.until, POLICY_START)
    collect(partial(load_world, request.world))
    scenarios, name = found or scenarios_with_reference(None, "history")

    def override(scenario: ResolvedScenario) -> ResolvedScenario:
        settings = request.settings
        if request.reference and scenario.name == name:
            settings = tuple(one for one in settings if concerns(one, scenario))
        changed = with_overrides(scenario, settings=settings, shocks=request.shocks)
        if not request.reference or len(changed.layers) == len(scenario.layers):
            return changed
        return with_shared_edits(changed, next(one for one in scenarios if one.name == name))

    changed = [collect(partial(override, scenario)) for scenario in scenarios]
    budget = collect(partial(read_budget, request.budget))
    if request.decompose and (len(scenarios) != 2 or name != REFERENCE):
        words = f"--decompose with exactly one package, against {REFERENCE}"
        faults.add("compare", [one.name for one in scenarios], words)
    faults.raise_if_any()
    if budget is not None:  # money of the command line is taken as written, whatever the budget
        changed = [
            override(with_budget(replace(one, parameters=over.parameters), budget))
            for one, over in zip(scenarios, changed, strict=True)
        ]
    return changed, name


def concerns(setting: str, reference: ResolvedScenario) -> bool:
    """Return whether a setting of the command line is for the reference, too.

    An instrument that the reference does not have on is changed in the packages alone; otherwise
    its effect would vanish from every difference.
    """
    from experiments.comparison.package_facts import instruments_on

    kind, _, rest = setting.partition(".")
    return kind != "instrument" or rest.partition(".")[0] in instruments_on(reference)


def with_shared_edits(scenario: ResolvedScenario, reference: ResolvedScenario) -> ResolvedScenario:
    """Return a scenario whose last layer is its own only where the reference is not changed, too.

    What the command line changes on both sides of a comparison is no part of a package.
    """
    from experiments.comparison.package_facts import instruments_on

    *below, last = scenario.layers
    on = instruments_on(reference)
    for own in (False, True):
        edits = tuple(one for one in last.edits if (one.instrument not in on) == own)
        below += [replace(last, edits=edits, own=own)] if edits else []
    return replace(scenario, layers=tuple(below))


def warn(scenarios: list[ResolvedScenario], reference: str) -> None:
    """Say on standard error what the scenarios cannot spend, even if the user wants quiet.

    And what a scenario assumes otherwise than the reference: that is no effect of policy.
    """
    from ecosystem.inputs.schedule import build_schedule
    from experiments.comparison.package_facts import assumptions_apart

    base = next((one for one in scenarios if one.name == reference), None)
    for scenario in scenarios:
        if base and (apart := assumptions_apart(scenario, base)):
            words = f"assumes otherwise than {reference}: {'; '.join(apart)}"
            print(f"warning: {scenario.name} {words}", file=sys.stderr)
    for words in dict.fromkeys(
        words for scenario in scenarios for words in build_schedule(scenario).warnings
    ):
        print(f"warning: {words}", file=sys.stderr)


def say(words: str, quiet: bool = False) -> None:
    """Print on standard error, unless the user wants quiet."""
    if not quiet:
        print(words, file=sys.stderr)


@contextmanager
def progress_bar(lang: str, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Give a function that shows work done, work in all and the time left."""
    from tqdm import tqdm

    with tqdm(
        total=None, disable=quiet, file=sys.stderr, leave=False, delay=1.0,
        desc=text("progress", lang), mininterval=0.1 if sys.stderr.isatty() else 10.0,
        unit=text("progress_unit", lang),
    ) as bar:  # fmt: skip

        def show(done: int, total: int) -> None:
            if bar.total is None:  # what an earlier start has finished does not count as speed
                bar.initial = bar.n = done
            bar.total = total
            bar.update(done - bar.n)

        yield show


def produce(
    request: Request, scenarios: list[ResolvedScenario], reference: str, directory: Path
) -> Finding:
    """Simulate, write tables and figures into a run directory, and return what came of it."""
    from ecosystem.runs.simulate import simulate
    from experiments.faces import compare
    from experiments.report.compare_view import summary
    from experiments.report.run_report import run_pages, save_run

    options: dict[str, Any] = {
        "replicates": request.replicates,
        "seed": request.seed,
        "until": request.until,
        "world": request.world,
        "fixed_parameters": request.fixed_parameters,
        "jobs": request.jobs,
        "executor": request.executor,
        "cluster": request.cluster,
        "out": directory,
    }
    if request.kind == "compare":
        base = next(scenario for scenario in scenarios if scenario.name == reference)
        with progress_bar(request.lang, request.quiet) as show:
            comparison = compare(scenarios, base, progress=show, **options)
        comparison.save(directory, request.lang, request.quiet)
        rows = records(comparison.table)
        answer = {"packages": records(comparison.packages), "table": rows}
        full, sentences = comparison.page(request.lang), []
        for found in more(request, scenarios, directory, options, answer):
            full += ["", *found.page(request.lang)]
            sentences.append(found.headline(request.lang))
        write_draws(directory, comparison.result)
        first = summary(comparison, request.lang, more=sentences)
        pages = {"summary": first, "full": full}
        return Finding(pages, answer, {"varied": comparison.result.varied})
    with progress_bar(request.lang, request.quiet) as show:
        result = simulate(scenarios, progress=show, **options)
    table = save_run(result, directory, request.lang, request.quiet)
    write_draws(directory, result)
    pages = run_pages(result, table, request.lang)
    return Finding(pages, {"table": records(table)}, {"varied": result.varied})


def more(
    request: Request,
    scenarios: list[ResolvedScenario],
    directory: Path,
    options: dict[str, Any],
    answer: dict[str, Any],
) -> Iterator[Decomposition | Resilience]:
    """Run and write what a comparison was asked beside its table."""
    if any(scenario.shocks for scenario in scenarios):
        from ecosystem.inputs.options import Options
        from experiments.faces import Resilience

        with progress_bar(request.lang, request.quiet) as show:
            under = Resilience.of(scenarios, Options.of(progress=show, **options))
        under.save(directory)
        answer["resilience"] = records(under.table)
        answer["robustness"] = records(under.robustness)
        yield under
    if request.decompose:
        from experiments.faces import decompose

        package, base = sorted(scenarios, key=lambda one: one.name == request.reference)
        with progress_bar(request.lang, request.quiet) as show:
            parts = decompose(package, base, budget=None, progress=show, **options)
        parts.save(directory, request.lang, request.quiet)
        answer["decomposition"] = records(parts.table)
        answer["break_even"] = records(parts.break_even)
        yield parts


def records(frame: Any) -> list[dict[str, Any]]:
    """Return the rows of a frame as JSON can hold them; what is not a number becomes null.

    Infinity, which only a time until something happens can be, becomes "never".
    """
    from experiments.comparison.shapley import NEVER

    numbers = frame.select_dtypes("float")
    frame = frame.assign(
        **{
            name: column.map(lambda value: NEVER if value == math.inf else value)
            for name, column in numbers.items()
        }
    )
    return json.loads(frame.to_json(orient="records", force_ascii=False, double_precision=15))


def write_draws(directory: Path, result: Result) -> None:
    """Write the parameter draws; the runs themselves are there as chunks."""
    if result.varied:
        files.write_csv(directory / "draws.csv", result.draws.reset_index())


def failed_runs(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the number of failed `runs`, in all and `by_scenario`, and the `file`, or None."""
    counts = Counter(row["scenario"] for row in rows)
    return {"runs": len(rows), "by_scenario": dict(counts), "file": FAILED if rows else None}


def finish(request: Request, directory: Path) -> int:
    """Print the table on standard error and the answer on standard output."""
    pages = from_json((directory / PAGES).read_text(encoding="utf-8"))
    say(terminal(pages["full" if request.full else "summary"], screen()), request.quiet)
    found = json.loads((directory / ANSWER).read_text(encoding="utf-8"))
    answer = {"directory": str(directory), **found}
    count = found["failed"]["runs"]
    if count:
        place = directory / FAILED
        print(text("failed_runs", request.lang, count=count, file=place), file=sys.stderr)
    print(json.dumps(answer, ensure_ascii=False) if request.json else directory)
    return 3 if count else 0
