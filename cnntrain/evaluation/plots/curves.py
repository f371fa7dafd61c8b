"""Learning curves: loss and accuracy per epoch."""

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from cnntrain.evaluation.plots.style import (
    BLUE,
    GRAY,
    GREEN,
    LINE,
    MARGIN,
    ORANGE,
    NotebookFigure,
    axes_at,
    percent,
    title_axes,
    write_title,
)
from cnntrain.runs.history import EPOCH, History
from cnntrain.types import Array

MAX_MARKERS = 40
MAX_POINTS = 20_000
"""Maximum number of points of a line: ten times the pixels of its width."""
WIDTH, HEIGHT, LOW = 10.0, 3.2, 1.0
"""In inches: width of the figure, height of the panels, height of the panel of alpha."""
LEFT, BELOW, LABEL, SPACE = 0.7, 0.6, 0.3, 0.12
"""In inches: room for tick labels left of a panel and below it, distance of the axis label, space above a title."""
LOGARITHMIC = 30
"""Ratio of the largest to the smallest loss above which the axis is logarithmic."""
MANY_SIZES = 2000
"""Ratio from which there are ticks at powers of 10 only, not at 2 and 5 times as much, too."""


def curves(history: History, title: str, only_in_training: Sequence[str] = ()) -> Figure:
    """Draw training and validation loss and accuracy, and the learning rate if it changes.

    Args:
        history: Lines of metrics.jsonl.
        title: Title of the figure.
        only_in_training: What makes training and validation loss incomparable.
    """
    alphas = history.column("alpha")
    with_alpha = len(np.unique(alphas[np.isfinite(alphas)])) > 1
    losses = _loss_title(history, only_in_training)
    top = MARGIN + LINE + SPACE + LINE * (losses.count("\n") + 1)
    figure = NotebookFigure(figsize=(WIDTH, top + HEIGHT + BELOW + (SPACE + LINE + LOW + BELOW if with_alpha else 0)))
    write_title(figure, title)
    width = (WIDTH - MARGIN) / 2 - LEFT
    loss, accuracy = (axes_at(figure, left, top, width, HEIGHT) for left in (LEFT, 2 * LEFT + width))
    _losses(loss, history)
    title_axes(loss, losses)
    _pair(accuracy, history, "accuracy")
    title_axes(accuracy, "accuracy")
    accuracy.yaxis.set_major_formatter(FuncFormatter(percent))
    if accuracy.get_ylim()[1] > 1:
        accuracy.set_ylim(top=1.005)
    panels = [loss, accuracy]
    if with_alpha:
        alpha = axes_at(figure, LEFT, top + HEIGHT + BELOW + SPACE + LINE, 2 * width + LEFT, LOW)
        alpha.plot(*points(history.column(EPOCH), alphas), color=GREEN, marker=_marker(history), ms=4)
        title_axes(alpha, "alpha")
        alpha.set_ylim(bottom=0)
        panels.append(alpha)
    for panel in panels:
        panel.set_xlabel("epoch")
        panel.xaxis.set_label_coords(0.5, -LABEL / (LOW if panel is panels[-1] and with_alpha else HEIGHT))
        panel.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
    handles, labels = loss.get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper right", ncols=len(labels))
    return figure


def _loss_title(history: History, only_in_training: Sequence[str]) -> str:
    if not only_in_training or not np.isfinite(history.column("validation_loss")).any():
        return "loss"
    text = f"loss: train with {', '.join(only_in_training)}; validation without: not comparable"
    return "\n".join(wrap(text, 56))


def _losses(axes: Axes, history: History) -> None:
    _pair(axes, history, "loss")
    losses = history.column("validation_loss")
    values = np.concatenate([history.column("train_loss"), losses])
    values = values[np.isfinite(values)]
    if len(values) and values.min() > 0 and values.max() / values.min() > LOGARITHMIC:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if values.max() / values.min() < MANY_SIZES else (1,)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axes.set_ylim(0, 1.05 * values.max(initial=0) or 1)
    if not np.isfinite(losses).any():
        return
    best = int(np.argmin(np.where(np.isfinite(losses), losses, np.inf)))
    epoch = history[best][EPOCH]
    label = f"lowest validation loss, epoch {epoch}"
    axes.plot(epoch, losses[best], "o", ms=9, mfc="none", mec=GRAY, mew=1.5, ls="none", label=label)


def _pair(axes: Axes, history: History, what: str) -> None:
    epochs = history.column(EPOCH)
    for split, color, line in (("train", BLUE, "-"), ("validation", ORANGE, "--")):
        values = history.column(f"{split}_{what}")
        if np.isfinite(values).any():
            axes.plot(*points(epochs, values), line, color=color, marker=_marker(history), ms=4, label=split)


def points(epochs: Array, values: Array) -> tuple[Array, Array]:
    """Return the points of a line; of long runs the lowest and highest of neighboring epochs, which look the same."""
    if len(values) <= MAX_POINTS:
        return epochs, values
    is_drawn = np.isfinite(values)
    epochs, values = epochs[is_drawn], values[is_drawn]
    size = max(1, -(-2 * len(values) // MAX_POINTS))
    whole = len(values) // size * size
    pieces, first = values[:whole].reshape(-1, size), np.arange(0, whole, size)
    chosen = [first + pieces.argmin(axis=1), first + pieces.argmax(axis=1), [0, len(values) - 1]]
    indices = np.unique(np.concatenate([*chosen, whole + np.arange(len(values) - whole)]))
    return epochs[indices], values[indices]


def _marker(history: History) -> str:
    return "o" if len(history) <= MAX_MARKERS else ""
