"""What every figure shares: theme, fonts, and the files written beside each picture."""

from __future__ import annotations

import functools
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.command.run_directory import write_csv, write_text
from experiments.report.messages import check_language, text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

LATIN_FONT = "DejaVu Sans"  # comes with matplotlib
CHINESE_FONTS = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN",
    "Microsoft YaHei", "SimHei", "PingFang SC", "Hiragino Sans GB", "Heiti SC", "STHeiti",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Noto Sans CJK JP", "Arial Unicode MS", "SimSun",
)  # fmt: skip
DOTS_PER_INCH = 300
INK, QUIET, ZERO_INSIDE = "#222222", "#666666", "#9a9a9a"


@functools.cache
def chinese_fonts() -> tuple[str, ...]:
    """Return the installed fonts that hold Chinese characters, best first."""
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return tuple(name for name in CHINESE_FONTS if name in installed)


@functools.cache
def _warn_no_font() -> None:
    print(text("no_font", "en"), file=sys.stderr)


def figure_language(lang: str) -> str:
    """Return the language figures can be labelled in; warns once where Chinese cannot be shown.

    Raises
    ------
    InputError
        It is no language of ours.
    """
    check_language(lang)
    if lang == "zh" and not chinese_fonts():
        _warn_no_font()
        return "en"
    return lang


@contextmanager
def theme(lang: str) -> Iterator[None]:
    """Apply the look of all figures inside the block and put the settings back after it.

    Fonts are given as `font.family`, which a label keeps for its life, so that a figure drawn
    again later does not lose its Chinese. Colour codes are left alone: seaborn changes them for
    the whole process.
    """
    import matplotlib as mpl
    import seaborn as sns

    fonts = [*(chinese_fonts() if lang == "zh" else ()), LATIN_FONT]
    rc = {
        "font.family": fonts,
        "axes.unicode_minus": False,
        "axes.titleweight": "normal" if lang == "zh" else "bold",  # few Chinese fonts have a bold
        "axes.edgecolor": "#bbbbbb",
        "axes.labelcolor": INK,
        "grid.color": "#e6e6e6",
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "svg.hashsalt": "compute-ecosystem",
        "svg.fonttype": "path",
    }
    with mpl.rc_context():
        sns.set_theme(style="whitegrid", palette="colorblind", color_codes=False, rc=rc)
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure (inches) that belongs to no window system and no global list."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


@dataclass(frozen=True)
class Chart:
    """A figure with the numbers it shows and a description for those who cannot see it.

    Parameters
    ----------
    figure
        The matplotlib figure.
    data
        The numbers in the figure, one row a mark.
    alt
        Description in words.
    lang
        Language of the labels.
    """

    figure: Figure
    data: pd.DataFrame
    alt: str
    lang: str = "en"

    def save(self, stem: Path | str) -> list[Path]:
        """Write `stem` with the endings .png (300 dpi), .svg, .csv and .txt (the description)."""
        stem = Path(stem)
        paths = [stem.with_name(stem.name + ending) for ending in (".png", ".svg", ".csv", ".txt")]
        png, svg, csv, alt = paths
        with theme(self.lang):
            self.figure.savefig(png, dpi=DOTS_PER_INCH, metadata={"Description": self.alt})
            self.figure.savefig(svg, metadata={"Date": None, "Description": self.alt})
        write_csv(csv, self.data)
        write_text(alt, self.alt + "\n")
        return paths

    def _repr_png_(self) -> bytes:
        """Show the figure in a notebook."""
        picture = io.BytesIO()
        with theme(self.lang):
            self.figure.savefig(picture, format="png", dpi=110)
        return picture.getvalue()
