"""Learning curves: loss and accuracy per epoch."""

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from cnntrain.evaluation.plots.style import BLUE, GRAY, GREEN, ORANGE, NotebookFigure, percent
from cnntrain.runs.history import EPOCH, History

MAX_MARKERS = 40
LOGARITHMIC = 30
"""Ratio of the largest to the smallest loss above which the axis is logarithmic."""


def curves(history: History, title: str, only_in_training: Sequence[str] = ()) -> Figure:
    """Draw training and validation loss and accuracy, and the learning rate if it changes.

    Args:
        history: Lines of metrics.jsonl.
        title: Title of the figure.
        only_in_training: What makes training and validation loss incomparable.
    """
    alphas = history.column("alpha")
    with_alpha = len(np.unique(alphas[np.isfinite(alphas)])) > 1
    figure = NotebookFigure(figsize=(10, 5.8 if with_alpha else 4.2), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    grid = figure.add_gridspec(2 if with_alpha else 1, 2, height_ratios=[3, 1] if with_alpha else [1])
    loss, accuracy = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    _losses(loss, history)
    if only_in_training and np.isfinite(history.column("validation_loss")).any():
        text = f"loss: train with {', '.join(only_in_training)}; validation without: not comparable"
        loss.set_title("\n".join(wrap(text, 56)))
    _pair(accuracy, history, "accuracy")
    accuracy.set_title("accuracy")
    accuracy.yaxis.set_major_formatter(FuncFormatter(percent))
    if accuracy.get_ylim()[1] > 1:
        accuracy.set_ylim(top=1.005)
    panels = [loss, accuracy]
    if with_alpha:
        panels.append(figure.add_subplot(grid[1, :]))
        panels[-1].plot(history.column(EPOCH), alphas, color=GREEN, marker=_marker(history), ms=4)
        panels[-1].set_title("alpha")
        panels[-1].set_ylim(bottom=0)
    for panel in panels:
        panel.set_xlabel("epoch")
        panel.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
    handles, labels = loss.get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper right", ncols=len(labels))
    return figure


def _losses(axes: Axes, history: History) -> None:
    _pair(axes, history, "loss")
    axes.set_title("loss")
    losses = history.column("validation_loss")
    values = np.concatenate([history.column("train_loss"), losses])
    values = values[np.isfinite(values)]
    if len(values) and values.min() > 0 and values.max() / values.min() > LOGARITHMIC:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
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
            axes.plot(epochs, values, line, color=color, marker=_marker(history), ms=4, label=split)


def _marker(history: History) -> str:
    return "o" if len(history) <= MAX_MARKERS else ""
