"""The studies as a user calls them: a result that shows itself as text, picture, page and files."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from ecosystem.inputs.entries import REFERENCE
from ecosystem.inputs.options import face
from ecosystem.inputs.scenario import resolve
from experiments.comparison.budget import with_budget, with_money
from experiments.comparison.compare import (
    ComparisonResult,
    headline_outcomes,
    needed_outcomes,
    require_something_to_compare,
    scenarios_with_reference,
)
from experiments.comparison.decompose import DecompositionResult
from experiments.comparison.equal_money import equal_money
from experiments.comparison.options import EXTRA, CompareOptions, DecomposeOptions
from experiments.comparison.resilience import ResilienceResult
from experiments.comparison.simulated import laid_over, simulated
from experiments.report import (
    compare_view,
    decompose_view,
    first_screen,
    resilience_view,
    sensitivity_view,
)
from experiments.report.charts import Chart, save
from experiments.report.sensitivity_figures import heat_map, package_chart
from experiments.report.tables import Page, as_html, screen, terminal
from experiments.sensitivity_analysis.options import SensitivityOptions
from experiments.sensitivity_analysis.plan import Study, plan_study
from experiments.sensitivity_analysis.study import SensitivityResult, analyse_study, run_study


class Shown:
    """What shows itself as text, as a page in a notebook, and as files."""

    view: Any
    """The module of `experiments.report` that knows its words, its tables and its pictures."""

    def page(self, lang: str = "en") -> Page:
        """Return everything found as paragraphs and tables."""
        page: Page = self.view.full(self, lang)
        return page

    def text(self, lang: str = "en", columns: int | None = None) -> str:
        """Return the page as lines of at most so many columns; by default those of the terminal."""
        return terminal(self.page(lang), columns or screen())

    def save(self, directory: Path | str, lang: str = "en", quiet: bool = True) -> list[Path]:
        """Write tables and figures into a folder that exists, and return the paths.

        Raises
        ------
        OSError
            The folder is missing or cannot be written to.
        """
        charts = self.view.charts(self, lang)
        return save(Path(directory), self.view.tables(self, lang), charts, lang, quiet)

    def _repr_html_(self) -> str:
        """Show in a notebook what was run, how often, and the intervals."""
        return as_html(self.page())


class Comparison(ComparisonResult, Shown):
    """What a comparison found, with its pictures; `ComparisonResult` says what it holds."""

    view = compare_view

    def summary(self, lang: str = "en", columns: int | None = None) -> str:
        """Return the first screen: what was run, and what stands out."""
        return terminal(first_screen.summary(self, lang), columns or screen())

    def figure(self, outcome: str | None = None, lang: str = "en") -> Chart:
        """Draw the ranked paired differences of one outcome, by default the first of the table."""
        rows = self.blocks(outcome or self.outcomes[0])[0]
        return compare_view.difference_chart(self, rows, lang)


class Decomposition(DecompositionResult, Shown):
    """What the parts of a package add, with its pictures; see `DecompositionResult`."""

    view = decompose_view

    def headline(self, lang: str = "en") -> str:
        """Return what adds most, as a sentence."""
        return decompose_view.headline(self, lang)

    def figures(self, lang: str = "en") -> dict[str, Chart]:
        """Draw the instruments and the waterfall of the blocks."""
        return {
            "instruments": decompose_view.instrument_dots(self, lang),
            "blocks": decompose_view.waterfall(self, lang),
        }


class Resilience(ResilienceResult, Shown):
    """What shocks do to packages, as a page; see `ResilienceResult`."""

    view = resilience_view

    def headline(self, lang: str = "en") -> str:
        """Return the largest loss, as a sentence."""
        return resilience_view.headline(self, lang)


class Sensitivity(SensitivityResult, Shown):
    """What a sensitivity study found, with its pictures; `SensitivityResult` says what it holds."""

    view = sensitivity_view

    def figure(
        self, package: str | None = None, outcome: str | None = None, lang: str = "en"
    ) -> Chart:
        """Draw the plane or the bars of a package's effects, industry beside the ecosystem.

        See `experiments.report.sensitivity_figures.package_chart`.
        """
        return package_chart(self, package, outcome, lang)

    def heat_map(self, lang: str = "en") -> Chart:
        """Draw packages × factors, industry beside the innovation ecosystem."""
        return heat_map(self, lang)


@face(CompareOptions, positional=("scenarios", "reference"))
def compare(asked: CompareOptions) -> Comparison:
    """Run scenarios and compare each with the reference, replicate by replicate.

    Replicate r has the same luck and the same parameter draw in every scenario, so that a pair
    differs by policy alone.

    {parameters}

    Raises
    ------
    InputError
        With everything that is wrong in the arguments and in the files they name.
    FloatingPointError
        Packages shall cost what the article does, and its pilot runs show no cost above 0.
    """
    resolved, base = scenarios_with_reference(asked.scenarios, asked.reference)
    require_something_to_compare(resolved, base)
    override, money = partial(laid_over, asked=asked), pd.DataFrame()
    laid, priced = with_money(resolved, base, override, asked.budget, asked.equal)
    if asked.equal == EXTRA:
        laid, money = equal_money(laid, base, priced, asked)
    result = simulated(laid, asked.with_(outcomes=needed_outcomes(asked.outcomes)))
    found = Comparison.of(result, base, asked.outcomes or headline_outcomes())
    return replace(found, equal_money=money)


@face(DecomposeOptions, positional=("package", "reference"))
def decompose(asked: DecomposeOptions) -> Decomposition:
    """Run a package without each instrument, with each alone, and block by block.

    The whole is the difference that a comparison of the two shows.

    {parameters}

    Raises
    ------
    InputError
        With everything that is wrong in the arguments and in the files they name.
    """
    whole = with_budget(laid_over(resolve(asked.package), asked), asked.budget)
    if asked.reference is None:
        base = replace(laid_over(resolve(REFERENCE), asked), shocks=whole.shocks)
    else:
        base = laid_over(resolve(asked.reference), asked)
    return Decomposition.of(whole, base, asked)


@face(SensitivityOptions, positional=("scenarios", "reference"))
def sensitivity(asked: SensitivityOptions) -> Sensitivity:
    """Run scenarios over a sample of factors and say which factors move outcomes and effects.

    All points of a Morris trajectory or Saltelli block share luck, and so do all scenarios, so
    that neither an index nor a paired effect takes chance for a factor.

    {parameters}

    Raises
    ------
    InputError
        With everything that is wrong.
    FloatingPointError
        Every run failed.
    """
    return found_by(plan_study(asked))


def found_by(study: Study) -> Sensitivity:
    """Run what is missing of a study and analyse it."""
    return Sensitivity(**vars(analyse_study(study, run_study(study))))
