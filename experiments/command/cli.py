"""The command `ecosystem`: what it takes and how it ends; the work is in `commands` and `listing`.

The options of `run`, `compare` and `sensitivity` are the fields of the options that the Python
functions take (`ecosystem.inputs.options`), with their help, and those of a command line alone.

Exit codes: 0 done, 1 failed or not reproduced, 2 wrong usage, scenario or data, 3 finished with
some runs failed, 4 nothing learned from figures or not converged, 130 interrupted. Standard output
carries the answer (a run directory, or JSON) and nothing else.
Heavy libraries are imported by the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ecosystem.inputs.faults import Fault, InputError
from ecosystem.inputs.options import Options
from experiments.command.request import Request, RunOptions
from experiments.comparison.options import CompareOptions
from experiments.sensitivity_analysis.options import SensitivityOptions

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


class Topic(StrEnum):
    """What can be listed."""

    instruments = "instruments"
    packages = "packages"
    shocks = "shocks"
    parameters = "parameters"
    outcomes = "outcomes"
    targets = "targets"
    worlds = "worlds"


TYPES: dict[str, Any] = {
    "scenario": str, "scenarios": list[str] | None, "reference": str, "method": str,
    "trajectories": int | None, "samples": int | None, "second_order": bool,
    "factors": Path | None, "budget": str | None, "equal": str, "outcomes": list[str] | None,
    "world": str, "shock": list[str] | None, "fixed_parameters": bool, "draws": str | None,
    "replicates": int, "seed": int, "until": str, "jobs": int | None, "executor": str | None,
    "cluster": str | None, "out": Path,
}  # fmt: skip
"""Fields of options that a command line has, in the order of its help, and how they are read."""
ARGUMENTS = ("scenario", "scenarios")
Lang = Annotated[Language, typer.Option(help="Language of tables and figures.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No table and no progress.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of plain text.")]
SHOWN: dict[str, tuple[Any, Any]] = {
    "settings": (
        Annotated[
            list[str] | None,
            typer.Option(
                "--set", help="instrument.NAME.KEY=VALUE or parameters.NAME=VALUE; repeatable."
            ),
        ],
        None,
    ),
    "lang": (Lang, Language.en),
    "dry_run": (
        Annotated[
            bool, typer.Option("--dry-run", help="Check and say what would run; nothing is made.")
        ],
        False,
    ),
    "quiet": (Quiet, False),
    "json": (Json, False),
    "full": (Annotated[bool, typer.Option("--full", help="Show every table.")], False),
}
"""What only a command line has, with defaults."""
DECOMPOSE = {
    "decompose": (
        Annotated[
            bool,
            typer.Option(
                "--decompose", help="Take one package apart, at the budget of its file by default."
            ),
        ],
        False,
    )
}


def flags(options: type[Options]) -> Iterator[inspect.Parameter]:
    """Give the parameters of a command that its options have."""
    for name, kind in TYPES.items():
        if (field := options.model_fields.get(name)) is None:
            continue
        empty = field.default is None or field.default == ()
        default = Path("runs") if name == "out" else None if empty else field.default
        if name in ARGUMENTS:
            told: Any = typer.Argument(help=field.description)
        else:
            more = " Repeatable." if kind == list[str] | None else ""
            told = typer.Option(f"--{name.replace('_', '-')}", help=f"{field.description}{more}")
        yield parameter(name, Annotated[kind, told], default)


def parameter(name: str, kind: Any, default: Any) -> inspect.Parameter:
    """Return a parameter of a command."""
    where = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, where, default=default, annotation=kind)


def study(
    options: type[Options], more: dict[str, tuple[Any, Any]]
) -> Callable[[Callable[[Request], int]], None]:
    """Make a command of a function of a request.

    Parameters
    ----------
    options
        What the study is asked with.
    more
        What only this command has, beside `SHOWN`.
    """

    def register(start: Callable[[Request], int]) -> None:
        def command(**given: Any) -> None:
            with exits():
                shown = {name: given.pop(name) for name in {**more, **SHOWN}}
                shown |= {"lang": shown["lang"].value, "settings": tuple(shown["settings"] or ())}
                written = {name: one for name, one in given.items() if one is not None}
                raise typer.Exit(start(Request.of(start.__name__, options, written, **shown)))

        own = [parameter(name, *one) for name, one in {**more, **SHOWN}.items()]
        typed: Any = command
        typed.__signature__ = inspect.Signature([*flags(options), *own])
        typed.__annotations__ = {one.name: one.annotation for one in [*flags(options), *own]}
        command.__doc__ = start.__doc__
        app.command(name=start.__name__)(command)

    return register


def show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Show a warning as a user reads it, without the line of code."""
    typer.echo(f"warning: {message}", err=True)


@contextmanager
def exits() -> Iterator[None]:
    """Turn what can go wrong into a message on standard error and an exit code."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = show_warning
            warnings.filterwarnings("always", category=UserWarning, module=r"ecosystem\.runs")
            yield
    except InputError as error:
        for fault in error.faults:
            typer.echo(f"error: {fault}", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt as error:
        from experiments.report.messages import text

        key = "interrupted" if hasattr(error, "__notes__") else "interrupted_early"
        typer.echo(text(key, command=Request.command_line()), err=True)
        raise typer.Exit(130) from None
    except FloatingPointError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        hint = "; --out names another folder for run directories" if error.filename else ""
        typer.echo(f"error: {error.strerror or error}{place}{hint}", err=True)
        raise typer.Exit(1) from None


@study(RunOptions, {})
def run(request: Request) -> int:
    """Run one scenario and show its outcomes with bands."""
    from experiments.command.studies import start

    return start(request)


@study(CompareOptions, DECOMPOSE)
def compare(request: Request) -> int:
    """Compare policy packages with a reference: paired differences with intervals."""
    from experiments.command.studies import start

    return start(request)


@study(SensitivityOptions, {})
def sensitivity(request: Request) -> int:
    """Say which uncertain numbers outcomes and effects of packages depend on (SALib)."""
    from experiments.command.studies import start

    return start(request)


@app.command()
def calibrate(
    data: Annotated[
        Path | None, typer.Option(help="CSV file of your own figures, in place of the published.")
    ] = None,
    world: Annotated[str, typer.Option(help=Options.model_fields["world"].description)] = "full",
    template: Annotated[
        bool, typer.Option("--template", help="Print a file of figures to start from.")
    ] = False,
    prior_rows: Annotated[
        int | None, typer.Option(min=100, help="Runs of the prior; 20,000, fewer in a small world.")
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option(min=100, help="Rows of the filter; 16,000, fewer in a small world."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all chance.")] = 1,
    jobs: Annotated[int | None, typer.Option(min=1, help="Workers; one a core.")] = None,
    out: Annotated[
        Path, typer.Option(help="Folder that the calibration is made in; it goes on from there.")
    ] = Path("runs"),
    lang: Lang = Language.en,
    quiet: Quiet = False,
) -> None:
    """Fit uncertain parameters and luck to published figures: draws for --draws of the others.

    Exit code 4 where nothing was learned, or the draws are worth too few independent ones.
    """
    with exits():
        if template:
            from calibration.read import template as figures

            typer.echo(figures(), nl=False)
            return
        from experiments.command.calibrate import calibrate as fit

        raise typer.Exit(
            fit(data, world, prior_rows, rows, seed, jobs, out.expanduser(), lang.value, quiet)
        )


@app.command()
def reproduce(
    directory: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    run: Annotated[int | None, typer.Option(min=0, help="Number of a single run.")] = None,
    lang: Lang = Language.en,
    jobs: Annotated[int | None, typer.Option(min=1, help="Workers; one a core.")] = None,
    executor: Annotated[str | None, typer.Option(help="Where runs take place.")] = None,
    cluster: Annotated[str | None, typer.Option(help="Address of a Dask scheduler.")] = None,
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


@app.command()
def validate(
    forecast: Annotated[
        bool, typer.Option("--forecast", help="Also write forecast.csv, to the end of 2030.")
    ] = False,
    world: Annotated[str, typer.Option(help=Options.model_fields["world"].description)] = "full",
    draws: Annotated[
        str | None, typer.Option(help="Draws of the forecast: posterior, prior, or a file.")
    ] = None,
    out: Annotated[Path, typer.Option(help=Options.model_fields["out"].description)] = Path("runs"),
    jobs: Annotated[int | None, typer.Option(min=1, help="Workers; one a core.")] = None,
    lang: Lang = Language.en,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Hold forecasts from rolling origins against figures that came later, beside simple rulers."""
    with exits():
        from experiments.command.judging import validate as judge

        given = {"world": world, "draws": draws, "out": out, "jobs": jobs}
        asked = RunOptions.of(**{name: one for name, one in given.items() if one is not None})
        raise typer.Exit(judge(asked, forecast, lang.value, quiet=quiet, json=json))


@app.command(name="list")
def list_(
    topic: Annotated[Topic | None, typer.Argument()] = None,
    name: Annotated[
        str | None,
        typer.Argument(help="After packages: a package or file, of which to say what it is."),
    ] = None,
    lang: Lang = Language.en,
    json: Json = False,
    toml: Annotated[
        bool, typer.Option("--toml", help="Print the package as a file to start from.")
    ] = False,
) -> None:
    """List what can be set and what is reported; without a topic, how much there is of each."""
    with exits():
        from experiments.command.listing import listing, package

        if name and topic is not Topic.packages:
            words = f"nothing, since {topic} are listed whole; packages alone takes the name of one"
            raise InputError([Fault(f"list {topic}", name, words)])
        if toml and not name:
            raise InputError([Fault("list", "--toml", "after packages and the name of one")])
        if json and toml:
            raise InputError([Fault("list", "--toml --json", "one of the two")])
        if name:
            typer.echo(package(name, lang.value, as_json=json, as_toml=toml))
            return
        typer.echo(listing(topic.value if topic else None, lang.value, as_json=json))


@app.command()
def check(
    files: Annotated[
        list[Path], typer.Argument(help="Scenarios (TOML) and folders with world tables.")
    ],
    world: Annotated[str, typer.Option(help=Options.model_fields["world"].description)] = "full",
    lang: Lang = Language.en,
) -> None:
    """Check scenarios and worlds and report every error at once."""
    with exits():
        from experiments.command.listing import check as check_files

        typer.echo(check_files([file.expanduser() for file in files], lang.value, world))


def main() -> None:
    """Run the command line; entry point of `ecosystem`."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # a terminal set to another encoding still gets its table
            reconfigure(encoding="utf-8", errors="replace")
    app()


if __name__ == "__main__":
    main()
