"""Confusion matrix as a heat map."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cnntrain.evaluation.display_names import short
from cnntrain.evaluation.plots.style import axes_at, inches, percent, title_height, write_title

MAX_NUMBERED = 24
"""Maximum number of classes with counts in the cells."""
MAX_LABELS = 120
"""Maximum number of names along an axis; with more classes only every second, third, ... is labeled."""
COLORS = PowerNorm(0.5, 0, 1)
"""Square root scale, so that an error rate of 1 % is visible."""
MIN_WIDTH = 5.4
TICK, LABEL, GAP, BAR, BAR_LABELS = 0.15, 0.3, 0.25, 0.11, 0.85
"""In inches: a tick with its gaps, the height of an axis label, the width of the color bar and of what is beside it."""


def confusion(matrix: NDArray[np.int64], classes: tuple[str, ...], title: str) -> Figure:
    """Draw the counts of each true class (row) and predicted class (column), colored by the share of the row.

    Shape:
        matrix ``(classes, classes)``
    """
    count = len(classes)
    step = -(-count // MAX_LABELS)
    names = [short(name, 24 if count <= MAX_NUMBERED else 18) for name in classes[::step]]
    longest = max(map(len, names))
    size = float(max(np.clip(0.45 * count, 2.8, 9.5), 0.16 * min(count, MAX_LABELS)))
    fontsize = 9 if step == 1 and count <= 30 else 6.5
    are_vertical = longest > (3 if count <= 12 else 2)
    widest, tallest = inches(names, fontsize)
    left, top = LABEL + widest + TICK, title_height(title)
    below = (widest if are_vertical else tallest) + TICK
    width = max(left + size + GAP + BAR + BAR_LABELS, MIN_WIDTH)
    figure = Figure(figsize=(width, top + size + below + LABEL))
    write_title(figure, title)
    axes = axes_at(figure, left, top, size, size)
    axes.grid(visible=False)
    rows = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, rows, out=np.full(matrix.shape, np.nan), where=rows > 0)
    axes.imshow(shares, cmap="Blues", norm=COLORS, interpolation="nearest", aspect="auto")
    axes.set_facecolor("#f2f2f2")  # a class without samples
    axes.set_xticks(range(0, count, step), names, fontsize=fontsize, rotation=90 if are_vertical else 0)
    axes.set_yticks(range(0, count, step), names, fontsize=fontsize)
    axes.set_xlabel("predicted class")
    axes.xaxis.set_label_coords(0.5, -below / size)
    axes.set_ylabel("true class")
    axes.yaxis.set_label_coords(-(widest + TICK) / size, 0.5)
    axes.spines[:].set_visible(False)
    if count <= MAX_NUMBERED:
        _write_counts(axes, matrix, shares, 72 * size / count)
        edges = np.arange(1, count) - 0.5
        lines = [[(-0.5, edge), (count - 0.5, edge)] for edge in edges]
        lines += [[(edge, -0.5), (edge, count - 0.5)] for edge in edges]
        axes.add_collection(LineCollection(lines, colors="white", linewidths=1.5), autolim=False)
    _draw_bar(axes_at(figure, left + size + GAP, top + 0.15 * size, BAR, 0.7 * size))
    return figure


def _write_counts(axes: Axes, matrix: NDArray[np.int64], shares: NDArray[np.float64], points: float) -> None:
    """Write the counts into the cells, which are ``points`` wide."""
    fontsize = min(12.0, 1.2 * points / len(f"{matrix.max():,}"))
    for i, j in np.argwhere(matrix > 0).tolist():
        color = "white" if COLORS(shares[i, j]) > 0.5 else "#202020"
        axes.text(j, i, f"{matrix[i, j]:,}", ha="center", va="center", color=color, fontsize=fontsize)


def _draw_bar(axes: Axes) -> None:
    """Draw the scale of the colors; a color bar of Matplotlib takes several times as long."""
    axes.imshow(np.linspace(1, 0, 256)[:, None], cmap="Blues", extent=(0, 1, 0, 1), aspect="auto")
    axes.grid(visible=False)
    axes.set_xticks(())
    shares = np.linspace(0, 1, 6)
    axes.yaxis.tick_right()
    axes.set_yticks(np.asarray(COLORS(shares)), list(map(percent, shares.tolist())))
    axes.set_ylabel("share of the true class")
    axes.yaxis.set_label_coords((BAR + BAR_LABELS - 0.1) / BAR, 0.5)
    axes.spines[:].set_visible(False)
