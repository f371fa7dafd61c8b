"""Style of all plots, and conversion to PNG.

The colors are from the color-blind safe palette of Okabe & Ito (2008).
"""

import io
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text
from matplotlib.ticker import NullLocator

from cnntrain.data.fonts import fonts_for

BLUE, ORANGE, GREEN, GRAY = "#0072B2", "#D55E00", "#009E73", "#767676"
DPI = 120
TITLE_SIZE = 11
"""Font size of a figure's title."""
LINE, MARGIN = 0.19, 0.1
"""In inches: height of a line of a title, and the space at the edge of a figure."""

NOT_STYLE = ("backend", "interactive")
"""Settings that remain the user's."""


class NotebookFigure(Figure):
    """A figure that a notebook displays, without ``pyplot``."""

    def _repr_png_(self) -> bytes:
        with styled():
            return png(self)


@contextmanager
def styled() -> Iterator[None]:
    """Context manager for drawing and saving in this style, whatever the user's Matplotlib settings."""
    settings: Any = dict(matplotlib.rcParamsDefault) | _settings()
    for key in NOT_STYLE:
        del settings[key]
    # A missing glyph, which is drawn as a box, is no reason for a warning.
    with warnings.catch_warnings(action="ignore"), matplotlib.rc_context(settings):
        yield


def _settings() -> dict[str, object]:
    return {
        "font.family": ["DejaVu Sans"],
        "font.size": 10,
        "text.parse_math": False,  # a class may be named $5
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": GRAY,
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#e4e4e4",
        "grid.linewidth": 0.8,
        "xtick.color": "#404040",
        "ytick.color": "#404040",
        "xtick.major.size": 3,
        "ytick.major.size": 3,
        "lines.linewidth": 1.8,
        "legend.frameon": False,
        "figure.dpi": DPI,
        "savefig.dpi": DPI,
    }


def axes_at(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes at a place in inches, measured from the upper left corner.

    Matplotlib's layout engines would draw a figure several times to find the places.
    """
    whole_width, whole_height = figure.get_size_inches()
    bottom = whole_height - top - height
    place = left / whole_width, bottom / whole_height, width / whole_width, height / whole_height
    return figure.add_axes(place)


def hide_axis(axes: Axes) -> None:
    """Draw neither ticks nor a frame, nor make the ticks that ``set_axis_off`` alone would only hide."""
    axes.set_axis_off()
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(NullLocator())


def title_axes(axes: Axes, title: str) -> None:
    """Write a title above axes, where nothing else is: Matplotlib would search all ticks for what it may meet."""
    axes.set_title(title, y=1)


def inches(texts: Sequence[str], fontsize: float) -> tuple[float, float]:
    """Return the width of the widest text and the height of the tallest one."""
    renderer: Any = RendererAgg(1, 1, DPI)  # type: ignore[no-untyped-call]
    font = FontProperties(family=_families(texts), size=fontsize)
    sizes = [renderer.get_text_width_height_descent(text, font, ismath=False) for text in texts]
    return max(width for width, _, _ in sizes) / DPI, max(height for _, height, _ in sizes) / DPI


def title_height(title: str) -> float:
    """Return the height of a figure's title in inches, with a margin above and below."""
    return 2 * MARGIN + LINE * (title.count("\n") + 1)


def write_title(figure: Figure, title: str) -> None:
    """Write a title into the upper left corner."""
    width, height = figure.get_size_inches()
    figure.suptitle(title, x=MARGIN / width, y=1 - MARGIN / height, ha="left", va="top", fontsize=TITLE_SIZE)


def png(figure: Figure) -> bytes:
    """Return a figure as the bytes of a PNG file, which are reproducible with the same fonts."""
    texts: list[Text] = figure.findobj(Text)
    families = _families(text.get_text() for text in texts)
    for text in texts:
        text.set_fontfamily(families)
    canvas: Any = FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    # ``savefig`` may draw the figure twice; level 1 takes two thirds of the time of the default, 6.
    canvas.print_png(buffer, metadata={"Software": None}, pil_kwargs={"compress_level": 1})
    return buffer.getvalue()


def _families(texts: Iterable[str]) -> list[str]:
    return [_family(file) for file in fonts_for(texts).files]


@cache
def _family(file: str) -> str:
    """Return the family of a font file, and make it known to Matplotlib, whose own list may be older than the file."""
    family = FT2Font(file).family_name
    if family not in {entry.name for entry in fontManager.ttflist}:
        fontManager.addfont(file)
    return family


def percent(value: float, _position: object = None) -> str:
    """Format a fraction as a tick label."""
    return f"{100 * value:g} %"
