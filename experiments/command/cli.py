"""The command `ecosystem`: what it takes and how it ends; the work is in `commands` and `listing`.

Exit codes: 0 done, 1 failed or not reproduced, 2 wrong usage, scenario or data, 3 finished with
some runs failed, 130 interrupted. Standard output carries the answer (a run directory, or JSON)
and nothing else.
Heavy libraries are imported by the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from experiments.command.request import Request

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Agent-based model of a regional compute ecosystem: run it and compare policy packages.",
)


class Language(StrEnum):
    """Languages of tables and figures."""

    en = "en"
    zh = "zh"


class Executor(StrEnum):
    """Where runs take place."""

    serial = "serial"
    processes = "processes"
    dask = "dask"


class Method(StrEnum):
    """Methods of sensitivity analysis."""

    morris = "morris"
    sobol = "sobol"


class Topic(StrEnum):
    """What can be listed."""

    instruments = "instruments"
    packages = "packages"
    shocks = "shocks"
    parameters = "parameters"
    outcomes = "outcomes"
    targets = "targets"
    worlds = "worlds"


Scenarios = Annotated[
    list[str] | None,
    typer.Argument(help="Package names or TOML files; all packages if none is given."),
]
Budget = Annotated[
    str | None, typer.Option(help="M¥ of present value each, or article, or own (unscaled).")
]
World = Annotated[str, typer.Option(help="full, teaching, or a folder with world tables.")]
Lang = Annotated[Language, typer.Option(help="Language of tables and figures.")]
Shock = Annotated[
    list[str] | None,
    typer.Option(help="NAME, NAME:AMPLITUDE or NAME:AMPLITUDE:START, in every scenario."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="instrument.NAME.KEY=VALUE or parameters.NAME=VALUE; repeatable."),
]
Fixed = Annotated[bool, typer.Option("--fixed-parameters", help="Keep parameters at defaults.")]
Replicates = Annotated[int, typer.Option(min=1, help="Number of replicates (pairs).")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of all chance.")]
Until = Annotated[str, typer.Option(help="Last quarter, from 2025Q3 to 2035Q4.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Workers; one a core.")]
RunBy = Annotated[
    Executor | None, typer.Option("--executor", help="Where runs take place; processes by default.")
]
Cluster = Annotated[
    str | None, typer.Option(help="Dask scheduler, tcp://HOST:PORT; without, Dask starts workers.")
]
Out = Annotated[Path, typer.Option(help="Folder that run directories are made in.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check and say what would run and where; nothing is made.")
]
Full = Annotated[bool, typer.Option("--full", help="Show every table, not the first screen.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No table and no progress.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of plain text.")]


def show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Show a warning as a user reads it, without the line of code."""
    typer.echo(f"warning: {message}", err=True)


@contextmanager
def exits() -> Iterator[None]:
    """Turn what can go wrong into a message on standard error and an exit code."""
    from ecosystem.inputs.faults import InputError

    try:
        with warnings.catch_warnings():
            warnings.showwarning = show_warning
            warnings.filterwarnings("always", category=UserWarning, module=r"ecosystem\.runs")
            yield
    except InputError as error:
        for fault in error.faults:
            typer.echo(f"error: {fault}", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        from experiments.report.messages import text

        command = Request.command_line()
        typer.echo(text("interrupted", command=command), err=True)
        raise typer.Exit(130) from None
    except FloatingPointError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        typer.echo(f"error: {error.strerror or error}{place}", err=True)
        raise typer.Exit(1) from None


@app.command()
def run(
    scenario: Annotated[str, typer.Argument(help="Package name or TOML file.")] = "history",
    world: World = "full",
    lang: Lang = Language.en,
    shock: Shock = None,
    set_: Set = None,
    fixed_parameters: Fixed = False,
    replicates: Replicates = 20,
    seed: Seed = 1,
    until: Until = "2035Q4",
    jobs: Jobs = None,
    executor: RunBy = None,
    cluster: Cluster = None,
    out: Out = Path("runs"),
    dry_run: DryRun = False,
    full: Full = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Run one scenario and show its outcomes with bands."""
    with exits():
        from experiments.command.commands import start

        request = Request(
            kind="run", scenarios=(scenario,), reference=None,
            replicates=replicates, seed=seed, until=until, world=world,
            shocks=tuple(shock or ()), settings=tuple(set_ or ()),
            fixed_parameters=fixed_parameters, lang=lang.value, jobs=jobs, out=out,
            dry_run=dry_run, quiet=quiet, json=json, full=full, executor=executor, cluster=cluster,
        )  # fmt: skip
        raise typer.Exit(start(request))


@app.command()
def compare(
    scenarios: Scenarios = None,
    reference: Annotated[str, typer.Option(help="What the others are compared with.")] = "history",
    budget: Budget = None,
    decompose: Annotated[
        bool,
        typer.Option(
            "--decompose", help="Take one package apart, at the budget of its file by default."
        ),
    ] = False,
    world: World = "full",
    lang: Lang = Language.en,
    shock: Shock = None,
    set_: Set = None,
    fixed_parameters: Fixed = False,
    replicates: Replicates = 100,
    seed: Seed = 1,
    until: Until = "2035Q4",
    jobs: Jobs = None,
    executor: RunBy = None,
    cluster: Cluster = None,
    out: Out = Path("runs"),
    dry_run: DryRun = False,
    full: Full = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Compare policy packages with a reference: paired differences with intervals."""
    with exits():
        from experiments.command.commands import start

        request = Request(
            kind="compare", scenarios=tuple(scenarios or ()), reference=reference,
            replicates=replicates, seed=seed, until=until, world=world,
            shocks=tuple(shock or ()), settings=tuple(set_ or ()),
            fixed_parameters=fixed_parameters, lang=lang.value, jobs=jobs, out=out,
            dry_run=dry_run, quiet=quiet, json=json, full=full, budget=budget, decompose=decompose,
            executor=executor, cluster=cluster,
        )  # fmt: skip
        raise typer.Exit(start(request))


@app.command()
def sensitivity(
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(help="Package names or TOML files; all packages if none is given."),
    ] = None,
    method: Annotated[Method, typer.Option(help="Screening, or shares of variance.")] = (
        Method.morris
    ),
    trajectories: Annotated[
        int | None, typer.Option(min=4, help="Morris trajectories; 20 by default.")
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=4, help="Sobol blocks, a power of 2; 64 by default.")
    ] = None,
    second_order: Annotated[
        bool, typer.Option("--second-order", help="Sobol indices of pairs too; twice the runs.")
    ] = False,
    factors: Annotated[Path | None, typer.Option(help="TOML file with factors and ranges.")] = None,
    reference: Annotated[str, typer.Option(help="What effects are taken against.")] = "history",
    budget: Annotated[
        str | None, typer.Option(help="M¥ of present value each, or article, or own (unscaled).")
    ] = None,
    world: World = "full",
    lang: Lang = Language.en,
    shock: Shock = None,
    set_: Set = None,
    fixed_parameters: Fixed = False,
    replicates: Annotated[int, typer.Option(min=1, help="Runs of each point; their mean.")] = 1,
    seed: Annotated[int, typer.Option(min=1, help="Seed of sample and chance.")] = 1,
    until: Until = "2035Q4",
    jobs: Jobs = None,
    executor: RunBy = None,
    cluster: Cluster = None,
    out: Out = Path("runs"),
    dry_run: DryRun = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Say which uncertain numbers outcomes and effects of packages depend on (SALib)."""
    with exits():
        from experiments.command.sensitivity_command import SensitivityRequest, start

        common = Request(
            kind="sensitivity", scenarios=tuple(scenarios or ()), reference=reference,
            replicates=replicates, seed=seed, until=until, world=world,
            shocks=tuple(shock or ()), settings=tuple(set_ or ()),
            fixed_parameters=fixed_parameters, lang=lang.value, jobs=jobs, out=out,
            dry_run=dry_run, quiet=quiet, json=json, budget=budget,
            executor=executor, cluster=cluster,
        )  # fmt: skip
        request = SensitivityRequest(
            common, method.value, trajectories, samples, second_order, factors
        )
        raise typer.Exit(start(request))


@app.command()
def reproduce(
    directory: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    run: Annotated[int | None, typer.Option(min=0, help="Number of a single run.")] = None,
    lang: Lang = Language.en,
    jobs: Jobs = None,
    executor: RunBy = None,
    cluster: Cluster = None,
    quiet: Quiet = False,
) -> None:
    """Run a run directory again and compare: exit code 0 where values and files agree, 1 if not."""
    with exits():
        from experiments.command.commands import progress_bar
        from experiments.command.reproduce import reproduce as run_again

        with progress_bar(lang.value, quiet) as show:
            found = run_again(directory, run, show, jobs=jobs, executor=executor, cluster=cluster)
        typer.echo(found.text(lang.value))
        raise typer.Exit(0 if found.equal else 1)


@app.command(name="list")
def list_(
    topic: Annotated[Topic | None, typer.Argument()] = None,
    lang: Lang = Language.en,
    json: Json = False,
) -> None:
    """List what can be set and what is reported; without a topic, how much there is of each."""
    with exits():
        from experiments.command.listing import listing

        typer.echo(listing(topic.value if topic else None, lang.value, as_json=json))


@app.command()
def check(
    files: Annotated[
        list[Path], typer.Argument(help="Scenarios (TOML) and folders with world tables.")
    ],
    lang: Lang = Language.en,
) -> None:
    """Check scenarios and worlds and report every error at once."""
    with exits():
        from experiments.command.listing import check as check_files

        typer.echo(check_files(files, lang.value))


def main() -> None:
    """Run the command line; entry point of `ecosystem`."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # a terminal set to another encoding still gets its table
            reconfigure(encoding="utf-8", errors="replace")
    app()


if __name__ == "__main__":
    main()
