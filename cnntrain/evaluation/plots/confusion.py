"""Confusion matrix as a heat map."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from cnntrain.evaluation.display_names import short
from cnntrain.evaluation.plots.style import percent

MAX_NUMBERED = 24
"""Maximum number of classes with counts in the cells."""
MAX_LABELS = 120
"""Maximum number of names along an axis; with more classes only every second, third, ... is labeled."""
COLORS = PowerNorm(0.5, 0, 1)
"""Square root scale, so that an error rate of 1 % is visible."""


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
    margin = min(0.3 + 0.085 * longest, 2.4)
    figure = Figure(figsize=(max(size + margin + 1.6, 5.4), size + margin + 1.1), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    axes = figure.subplots()
    axes.grid(visible=False)
    rows = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, rows, out=np.full(matrix.shape, np.nan), where=rows > 0)
    image = axes.imshow(shares, cmap="Blues", norm=COLORS, interpolation="nearest")
    axes.set_facecolor("#f2f2f2")  # a class without samples
    fontsize = 9 if step == 1 and count <= 30 else 6.5
    are_vertical = longest > (3 if count <= 12 else 2)
    axes.set_xticks(range(0, count, step), names, fontsize=fontsize, rotation=90 if are_vertical else 0)
    axes.set_yticks(range(0, count, step), names, fontsize=fontsize)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.spines[:].set_visible(False)
    if count <= MAX_NUMBERED:
        _write_counts(axes, matrix, shares, 72 * size / count)
        axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
        axes.grid(visible=True, which="minor", color="white", linewidth=1.5)
        axes.tick_params(which="minor", length=0)
    bar = figure.colorbar(image, ax=axes, shrink=0.7, aspect=25, format=FuncFormatter(percent))
    bar.set_label("share of the true class")
    bar.outline.set_visible(False)
    return figure


def _write_counts(axes: Axes, matrix: NDArray[np.int64], shares: NDArray[np.float64], points: float) -> None:
    """Write the counts into the cells, which are ``points`` wide."""
    fontsize = min(12.0, 1.2 * points / len(f"{matrix.max():,}"))
    for i, j in np.argwhere(matrix > 0).tolist():
        color = "white" if COLORS(shares[i, j]) > 0.5 else "#202020"
        axes.text(j, i, f"{matrix[i, j]:,}", ha="center", va="center", color=color, fontsize=fontsize)
