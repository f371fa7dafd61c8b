"""Learning curves: loss and accuracy per epoch."""

import math
from collections.abc import Sequence
from textwrap import wrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from cnntrain.evaluation.plots.style import BLUE, GRAY, GREEN, ORANGE, NotebookFigure, percent

MAX_MARKERS = 40
LOGARITHMIC = 30
"""Ratio of the largest to the smallest loss above which the axis is logarithmic."""

Rows = Sequence[dict[str, Any]]
"""Lines of metrics.jsonl."""


def curves(rows: Rows, title: str, only_in_training: Sequence[str] = ()) -> Figure:
    """Draw training and validation loss and accuracy, and the learning rate if it changes.

    Args:
        rows: Lines of metrics.jsonl.
        title: Title of the figure.
        only_in_training: What makes training and validation loss incomparable.
    """
    alphas = [value for value in column(rows, "alpha") if math.isfinite(value)]
    with_alpha = len(set(alphas)) > 1
    figure = NotebookFigure(figsize=(10, 5.8 if with_alpha else 4.2), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    grid = figure.add_gridspec(2 if with_alpha else 1, 2, height_ratios=[3, 1] if with_alpha else [1])
    loss, accuracy = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    _losses(loss, rows)
    if only_in_training and any(map(math.isfinite, column(rows, "validation_loss"))):
        text = f"loss: train with {', '.join(only_in_training)}; validation without: not comparable"
        loss.set_title("\n".join(wrap(text, 56)))
    _pair(accuracy, rows, "accuracy")
    accuracy.set_title("accuracy")
    accuracy.yaxis.set_major_formatter(FuncFormatter(percent))
    if accuracy.get_ylim()[1] > 1:
        accuracy.set_ylim(top=1.005)
    panels = [loss, accuracy]
    if with_alpha:
        panels.append(figure.add_subplot(grid[1, :]))
        panels[-1].plot(column(rows, "epoch"), column(rows, "alpha"), color=GREEN, marker=_marker(rows), ms=4)
        panels[-1].set_title("alpha")
        panels[-1].set_ylim(bottom=0)
    for panel in panels:
        panel.set_xlabel("epoch")
        panel.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
    handles, labels = loss.get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper right", ncols=len(labels))
    return figure


def _losses(axes: Axes, rows: Rows) -> None:
    _pair(axes, rows, "loss")
    axes.set_title("loss")
    values = [v for name in ("train_loss", "validation_loss") for v in column(rows, name) if math.isfinite(v)]
    if values and min(values) > 0 and max(values) / min(values) > LOGARITHMIC:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_ylim(0, 1.05 * max(values, default=0) or 1)
    losses = column(rows, "validation_loss")
    if not any(map(math.isfinite, losses)):
        return
    best = min(range(len(rows)), key=lambda i: losses[i] if math.isfinite(losses[i]) else math.inf)
    label = f"lowest validation loss, epoch {rows[best]['epoch']}"
    axes.plot(rows[best]["epoch"], losses[best], "o", ms=9, mfc="none", mec=GRAY, mew=1.5, ls="none", label=label)


def _pair(axes: Axes, rows: Rows, what: str) -> None:
    epochs = column(rows, "epoch")
    for split, color, line in (("train", BLUE, "-"), ("validation", ORANGE, "--")):
        values = column(rows, f"{split}_{what}")
        if any(map(math.isfinite, values)):
            axes.plot(epochs, values, line, color=color, marker=_marker(rows), ms=4, label=split)


def column(rows: Rows, name: str) -> list[float]:
    """Return the values of one key, with NaN for missing ones."""
    values = (row.get(name) for row in rows)
    return [math.nan if value is None else float(value) for value in values]


def _marker(rows: Rows) -> str:
    return "o" if len(rows) <= MAX_MARKERS else ""
