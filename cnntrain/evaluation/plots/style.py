"""How all plots look, and how they become PNG files.

The colors are those of Okabe & Ito (2008), which also people see apart who do not see red or green.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
import matplotlib.style
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

BLUE, ORANGE, GREEN, GRAY = "#0072B2", "#D55E00", "#009E73", "#767676"
DPI = 120
FONTS = [
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Microsoft YaHei",
    "PingFang SC",
    "Hiragino Sans",
    "WenQuanYi Micro Hei",
    "Arial Unicode MS",
    "Noto Sans",
]
"""Where a letter is looked for, one after the other; the first comes with Matplotlib."""


@contextmanager
def styled() -> Iterator[None]:
    """Context for drawing and saving: our style, whatever the user's own settings are."""
    with warnings.catch_warnings(), matplotlib.style.context(["default", _settings()]):
        warnings.simplefilter("ignore")  # a letter that no font has is drawn as a box
        yield


def _settings() -> dict[str, object]:
    installed = {entry.name for entry in fontManager.ttflist}
    return {
        "font.family": [font for font in FONTS if font in installed] or ["sans-serif"],
        "font.size": 10,
        "text.parse_math": False,  # a class may be called $5
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
    """Return a figure as a PNG file; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def percent(value: float, _place: object = None) -> str:
    """A share as a tick's label."""
    return f"{100 * value:g} %"
