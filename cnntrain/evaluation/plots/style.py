"""Style of all plots, and conversion to PNG.

The colors are from the color-blind safe palette of Okabe & Ito (2008).
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import matplotlib
import matplotlib.style
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

from cnntrain.data.fonts import fonts_for

BLUE, ORANGE, GREEN, GRAY = "#0072B2", "#D55E00", "#009E73", "#767676"
DPI = 120


class NotebookFigure(Figure):
    """A figure that a notebook displays, without ``pyplot``."""

    def _repr_png_(self) -> bytes:
        with styled():
            return png(self)


@contextmanager
def styled() -> Iterator[None]:
    """Context manager for drawing and saving in this style, whatever the user's Matplotlib settings."""
    with warnings.catch_warnings(), matplotlib.style.context(["default", _settings()]):
        warnings.simplefilter("ignore")  # a missing glyph is drawn as a box
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


def png(figure: Figure) -> bytes:
    """Return a figure as the bytes of a PNG file, which are reproducible with the same fonts."""
    texts: list[Text] = figure.findobj(Text)
    families = [_family(file) for file in fonts_for(text.get_text() for text in texts).files]
    for text in texts:
        text.set_fontfamily(families)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


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
