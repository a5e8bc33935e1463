"""The studies as a user calls them: a result that shows itself as text, picture, page and files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ecosystem.inputs.entries import REFERENCE
from ecosystem.inputs.options import face
from ecosystem.inputs.scenario import resolve
from experiments.comparison.budget import with_budget
from experiments.comparison.compare import (
    ComparisonResult,
    headline_outcomes,
    needed_outcomes,
    require_something_to_compare,
    scenarios_with_reference,
)
from experiments.comparison.decompose import DecompositionResult
from experiments.comparison.options import (
    CompareOptions,
    DecomposeOptions,
)
from experiments.comparison.resilience import ResilienceResult
from experiments.comparison.simulated import laid_over, simulated
from experiments.report import compare_view, decompose_view, resilience_view
from experiments.report.charts import Chart
from experiments.report.tables import Page, as_html, screen, terminal


class Shown:
    """What has a page in each language, and so a text and a notebook view."""

    def page(self, lang: str = "en") -> Page:
        """Return everything found as paragraphs and tables."""
        raise NotImplementedError

    def text(self, lang: str = "en", columns: int | None = None) -> str:
        """Return the page as lines of at most so many columns; by default those of the terminal."""
        return terminal(self.page(lang), columns or screen())

    def _repr_html_(self) -> str:
        """Show in a notebook what was run, how often, and the intervals."""
        return as_html(self.page())


class Comparison(ComparisonResult, Shown):
    """What a comparison found, with its pictures; `ComparisonResult` says what it holds."""

    def page(self, lang: str = "en") -> Page:
        """Return every table as paragraphs and tables."""
        return compare_view.full(self, lang)

    def summary(self, lang: str = "en", columns: int | None = None) -> str:
        """Return the first screen: what was run, and what stands out."""
        return terminal(compare_view.summary(self, lang), columns or screen())

    def figure(self, outcome: str | None = None, lang: str = "en") -> Chart:
        """Draw the ranked paired differences of one outcome, by default the first of the table."""
        return compare_view.difference_chart(self, outcome or self.outcomes[0], lang)

    def save(self, directory: Path | str, lang: str = "en", quiet: bool = True) -> list[Path]:
        """Write tables and figures into a folder that exists, and return the paths.

        Raises
        ------
        OSError
            The folder is missing or cannot be written to.
        """
        return compare_view.save_comparison(self, Path(directory), lang, quiet)


class Decomposition(DecompositionResult, Shown):
    """What the parts of a package add, with its pictures; see `DecompositionResult`."""

    def page(self, lang: str = "en") -> Page:
        """Return every table as paragraphs and tables."""
        return decompose_view.decomposition_page(self, lang)

    def headline(self, lang: str = "en") -> str:
        """Return what adds most, as a sentence."""
        return decompose_view.decomposition_headline(self, lang)

    def figures(self, lang: str = "en") -> dict[str, Chart]:
        """Draw the instruments and the waterfall of the blocks."""
        return decompose_view.decomposition_charts(self, lang)

    def save(self, directory: Path | str, lang: str = "en", quiet: bool = True) -> list[Path]:
        """Write tables and figures into a folder that exists, and return the paths."""
        return decompose_view.save_decomposition(self, Path(directory), lang, quiet)


class Resilience(ResilienceResult, Shown):
    """What shocks do to packages, as a page; see `ResilienceResult`."""

    def page(self, lang: str = "en") -> Page:
        """Return every table as paragraphs and tables."""
        return resilience_view.resilience_page(self, lang)

    def headline(self, lang: str = "en") -> str:
        """Return the largest loss, as a sentence."""
        return resilience_view.resilience_headline(self, lang)

    def save(self, directory: Path | str) -> list[Path]:
        """Write the tables into a folder that exists, and return the paths."""
        return resilience_view.save_resilience(self, Path(directory))


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
    """
    resolved, base = scenarios_with_reference(asked.scenarios, asked.reference)
    require_something_to_compare(resolved, base)
    laid = [with_budget(laid_over(one, asked), asked.budget) for one in resolved]
    result = simulated(laid, asked.with_(outcomes=needed_outcomes(asked.outcomes)))
    return Comparison.of(result, base, asked.outcomes or headline_outcomes())


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
