"""Sensitivity studies as a user calls them: a result that shows itself as text, pictures, files."""

from pathlib import Path

from ecosystem.inputs.options import face
from experiments.faces import Shown
from experiments.report.charts import Chart
from experiments.report.sensitivity_figures import package_chart
from experiments.report.sensitivity_heat import heat_map
from experiments.report.sensitivity_view import save_sensitivity, sensitivity_page
from experiments.report.tables import Page
from experiments.sensitivity_analysis.options import SensitivityOptions
from experiments.sensitivity_analysis.plan import Study, plan_study
from experiments.sensitivity_analysis.study import SensitivityResult, analyse_study, run_study


class Sensitivity(SensitivityResult, Shown):
    """What a sensitivity study found, with its pictures; `SensitivityResult` says what it holds."""

    def page(self, lang: str = "en") -> Page:
        """Return the factors that matter most as paragraphs and tables."""
        return sensitivity_page(self, lang)

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

    def save(self, directory: Path | str, lang: str = "en", quiet: bool = True) -> list[Path]:
        """Write tables and figures into a folder that exists, and return the paths.

        Raises
        ------
        OSError
            The folder is missing or cannot be written to.
        """
        return save_sensitivity(self, Path(directory), lang, quiet)


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
