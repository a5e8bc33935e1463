"""What every figure shares: theme, fonts, the frame, and the files written beside each picture."""

from __future__ import annotations

import functools
import io
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.style
import pandas as pd
from loky import ProcessPoolExecutor, cpu_count
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.ticker import MaxNLocator
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
INK, QUIET, UNSURE = "#222222", "#666666", "#9a9a9a"
BETTER, WORSE = "#0173b2", "#d55e00"
"""Two colours of seaborn's palette that every kind of colour vision tells apart."""
SHADES = {"almost_certain": 1.0, "very_likely": 0.8, "likely": 0.6, "leaning": 0.4}
"""How strong a colour is by the sureness of a sign; marks of other words are hollow."""
TICKS = "{x:,.10g}"
"""Labels of ticks have thousands apart and no exponent."""
STYLE = ("default", "seaborn-v0_8-whitegrid")
SHARE = 6
"""Fewest figures for a process of its own, whose start takes as long as some."""


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


@contextmanager
def canvas(
    middle: float, head: str, notes: Sequence[str], lang: str, wide: float = WIDTH
) -> Iterator[Figure]:
    """Give an empty figure with words around a space for axes, which matplotlib lays out.

    It belongs to no window system and no global list.

    Parameters
    ----------
    middle
        Height of the space, with labels and titles of axes, inches.
    head
        Title.
    notes
        Lines for the foot.
    lang
        Language, whose theme holds inside the block.
    wide
        Width of the figure, inches.
    """
    head = wrap(head, round(88 * wide / WIDTH))
    foot = "\n".join(wrap(note, round(150 * wide / WIDTH)) for note in notes)
    words = 0.5 + 0.22 * head.count("\n") + 0.15 * foot.count("\n")
    with theme(lang):
        figure = Figure(figsize=(wide, middle + words))
        figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.08)
        FigureCanvasAgg(figure)
        weight = mpl.rcParams["axes.titleweight"]
        figure.suptitle(head, x=0.02, ha="left", fontsize=12, weight=weight)
        figure.supxlabel(foot, x=0.02, ha="left", fontsize=7.5, color=QUIET, linespacing=1.4)
        yield figure
        figure.draw_without_rendering()  # ticks come to be while the fonts are set


def from_zero(axes: Axes, names: Sequence[str], label: str) -> None:
    """Give axes a row for each name, the first on top, a line at zero and a label below."""
    axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    axes.xaxis.set_major_formatter(TICKS)
    axes.tick_params(axis="x", labelsize=9)
    axes.set_xlabel(label, fontsize=9)
    axes.set_yticks(range(len(names)), [wrap(name, 30) for name in names], fontsize=9)
    axes.set_ylim(len(names) - 0.4, -0.6)


def sure_colours(row: Any, colour: str) -> tuple[str, str]:
    """Return edge and face of a mark: the surer the sign the stronger; open ones are hollow."""
    if row["sureness"] not in SHADES:
        return UNSURE, "white"
    shade = SHADES[row["sureness"]]
    red, green, blue = (1 - shade * (1 - part) for part in to_rgb(colour))
    tinted = to_hex((red, green, blue))
    return tinted, tinted


def dot(axes: Axes, place: float, row: pd.Series, colour: str, marker: str = "o") -> None:
    """Draw paired differences: thin 90 %, thick 50 %, a dot at the median; hollow: open."""
    colour, face = sure_colours(row, colour)
    axes.hlines(place, row["low_90"], row["high_90"], color=colour, linewidth=1.4, zorder=2)
    axes.hlines(place, row["low_50"], row["high_50"], color=colour, linewidth=5, zorder=3)
    axes.plot(
        row["median"], place, marker, color=face, markeredgecolor=colour, markeredgewidth=1.8,
        markersize=7.5, zorder=4,
    )  # fmt: skip


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


def save(
    directory: Path,
    tables: Mapping[str, pd.DataFrame],
    charts: Mapping[str, Callable[[], Chart]],
    lang: str,
    quiet: bool = True,
) -> list[Path]:
    """Write tables, then figures into the folder `figures`, and return the paths.

    A figure that fails costs no run: it is one warning, and a note where it would stand.

    Parameters
    ----------
    directory
        A folder that exists.
    tables
        By the name of its file, each table.
    charts
        By the name of its files, what makes each figure.
    lang
        Language of the line of progress.
    quiet
        Show no progress.
    """
    for name, table in tables.items():
        write_csv(directory / name, table)
    folder, paths = directory / "figures", [directory / name for name in tables]
    shown = tqdm(
        _drawn(folder, charts, lang), text("drawing", lang), len(charts), leave=False,
        disable=quiet or not charts, file=sys.stderr,
        mininterval=0.1 if sys.stderr.isatty() else 10.0,
    )  # fmt: skip
    for name, found in zip(charts, shown, strict=True):
        note = folder / f"{name}.failed.txt"
        if isinstance(found, str):
            warnings.warn(text("not_drawn", lang, name=name, reason=found), stacklevel=2)
            write_text(note, found + "\n")
            paths.append(note)
        else:
            note.unlink(missing_ok=True)
            paths += found
    return paths


def _drawn(
    folder: Path, charts: Mapping[str, Callable[[], Chart]], lang: str
) -> Iterator[list[Path] | str]:
    """Draw figures, many of them in processes, and give each one's paths, or what went wrong."""
    if charts:
        folder.mkdir(exist_ok=True)
    stems = [folder / name for name in charts]
    processes = min(cpu_count(), len(charts) // SHARE)
    if processes < 2:
        yield from map(_draw, stems, charts.values())
        return
    figure_language(lang)  # says here, once, where Chinese cannot be shown
    with ProcessPoolExecutor(processes) as pool:
        drawn = [
            pool.submit(_draw_unheard, *one) for one in zip(stems, charts.values(), strict=True)
        ]
        for one in drawn:
            try:
                yield one.result()
            except Exception as error:  # a process that died, or a figure that cannot travel
                yield f"{type(error).__name__}: {error}"


def _draw(stem: Path, make: Callable[[], Chart]) -> list[Path] | str:
    """Draw a figure and return the paths of its files, or why there are none."""
    try:
        return make().save(stem)
    except Exception as error:  # whatever it is: the numbers are there without the picture
        return f"{type(error).__name__}: {error}"


def _draw_unheard(stem: Path, make: Callable[[], Chart]) -> list[Path] | str:
    """Draw a figure in a process of its own, whose words on fonts the first process has said."""
    with redirect_stderr(io.StringIO()):
        return _draw(stem, make)
