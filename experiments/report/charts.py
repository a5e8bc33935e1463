"""What every figure shares: theme, fonts, the frame, and the files written beside each picture."""

from __future__ import annotations

import functools
import io
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import matplotlib.style
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.ticker import FuncFormatter
from tqdm import tqdm

from experiments.report.files import write_csv, write_text
from experiments.report.messages import check_language, text, wrap

LATIN_FONT = "DejaVu Sans"  # comes with matplotlib
CHINESE_FONTS = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN",
    "Microsoft YaHei", "SimHei", "PingFang SC", "Hiragino Sans GB", "Heiti SC", "STHeiti",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Noto Sans CJK JP", "Arial Unicode MS", "SimSun",
)  # fmt: skip
DOTS_PER_INCH = 300
WIDTH = 9.0
"""Inches; a page of A4 across with its margins."""
INK, QUIET, ZERO_INSIDE = "#222222", "#666666", "#9a9a9a"
BETTER, WORSE = "#0173b2", "#d55e00"
"""Two colours of seaborn's palette that every kind of colour vision tells apart."""
STYLE = ("default", "seaborn-v0_8-whitegrid")


@functools.cache
def chinese_fonts() -> tuple[str, ...]:
    """Return the installed fonts that hold Chinese characters, best first."""
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

    What the user's own matplotlibrc says does not matter: a picture starts from the defaults, and
    a title is text, whatever dollar signs are in it. Fonts are given as `font.family`, which a
    label keeps for its life, so that a figure drawn again later does not lose its Chinese.
    """
    own = {
        "font.family": [*(chinese_fonts() if lang == "zh" else ()), LATIN_FONT],
        "text.parse_math": False,
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
    with matplotlib.style.context([*STYLE, own]):
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure (inches) that belongs to no window system and no global list."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


@dataclass(frozen=True)
class Frame:
    """A figure with its title, subtitle and foot; what lies between them, as shares of it."""

    figure: Figure
    bottom: float
    top: float

    def axes(self, left: float, right: float) -> Axes:
        """Return axes between two margins, in inches, with a line at zero."""
        wide = self.figure.get_figwidth()
        axes = self.figure.add_axes(
            (left / wide, self.bottom, (wide - left - right) / wide, self.top - self.bottom)
        )
        axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
        axes.xaxis.set_major_formatter(FuncFormatter(tick))
        axes.tick_params(axis="x", labelsize=9)
        return axes


def framed(
    middle: float, head: str, below: str, notes: Sequence[str], *, wide: float = WIDTH,
    above: float = 0.5, foot: float = 0.65,
) -> Frame:  # fmt: skip
    """Return a figure with words around a space for axes.

    Parameters
    ----------
    middle
        Height of the space, inches.
    head, below
        Title and subtitle.
    notes
        Lines for the foot.
    wide
        Width of the figure, inches.
    above, foot
        Inches beside those of the words, between title and space and under it.
    """
    head = wrap(head, round(88 * wide / WIDTH))
    lines = "\n".join(wrap(note, round(150 * wide / WIDTH)) for note in notes)
    under = 0.20 + 0.22 * (1 + head.count("\n"))
    top, bottom = under + above, foot + 0.15 * (1 + lines.count("\n"))
    high = top + middle + bottom
    figure = new_figure(wide, high)
    weight = mpl.rcParams["axes.titleweight"]
    figure.text(0.02, 1 - 0.12 / high, head, va="top", fontsize=12, weight=weight)
    figure.text(0.02, 1 - under / high, below, va="top", fontsize=9, color=QUIET)
    figure.text(0.02, 0.08 / high, lines, va="bottom", fontsize=7.5, color=QUIET, linespacing=1.4)
    return Frame(figure, bottom / high, 1 - top / high)


def tick(value: float, _: object) -> str:
    """Return a tick label with thousands apart and without an exponent."""
    return f"{value:,.10g}"


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
        write_csv(csv, self.data)
        write_text(alt, self.alt + "\n")
        with theme(self.lang):
            self.figure.savefig(png, dpi=DOTS_PER_INCH, metadata={"Description": self.alt})
            self.figure.savefig(svg, metadata={"Date": None, "Description": self.alt})
        return paths

    def _repr_png_(self) -> bytes:
        """Show the figure in a notebook."""
        picture = io.BytesIO()
        with theme(self.lang):
            self.figure.savefig(picture, format="png", dpi=110)
        return picture.getvalue()


def draw(
    charts: Mapping[str, Callable[[], Chart]], directory: Path, lang: str, quiet: bool = True
) -> list[Path]:
    """Draw figures into the folder `figures` of a directory, and return the paths.

    A figure that fails costs no run: it is one warning, and a note where it would stand.

    Parameters
    ----------
    charts
        By the name of its files, what makes each figure.
    directory
        A folder that exists.
    lang
        Language of the line of progress.
    quiet
        Show no progress.
    """
    folder, paths = directory / "figures", []
    folder.mkdir(exist_ok=True)
    shown = tqdm(
        charts.items(), text("drawing", lang), leave=False, disable=quiet,
        file=sys.stderr, mininterval=0.1 if sys.stderr.isatty() else 10.0,
    )  # fmt: skip
    for name, make in shown:
        note = folder / f"{name}.failed.txt"
        try:
            paths += make().save(folder / name)
            note.unlink(missing_ok=True)
        except Exception as error:  # whatever it is: the numbers are there without the picture
            reason = f"{type(error).__name__}: {error}"
            warnings.warn(text("not_drawn", lang, name=name, reason=reason), stacklevel=2)
            write_text(note, reason + "\n")
            paths.append(note)
    return paths
