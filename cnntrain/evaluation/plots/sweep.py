"""Plots of a sweep: the history of its trials, and how much each key matters."""

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from cnntrain.evaluation.display_names import short
from cnntrain.evaluation.plots.style import BLUE, GRAY, ORANGE, percent

LOGARITHMIC = 30
"""Ratio of the largest to the smallest loss above which the axis is logarithmic."""


def history(trials: Sequence[Mapping[str, Any]], metric: str, minimize: bool) -> Figure:
    """Draw the value of each trial, and the best one so far.

    Args:
        trials: ``trial``, ``state`` and ``value`` of each trial.
        metric: Name of the value.
        minimize: Whether lower values are better.
    """
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for state, color, marker in (("complete", BLUE, "o"), ("stopped", GRAY, "x")):
        shown = [trial for trial in trials if trial["state"] == state]
        if shown:
            label = state if state == "complete" else "stopped by halving"
            axes.plot([t["trial"] for t in shown], [t["value"] for t in shown], marker, color=color, ms=5, label=label)
    worst = math.inf if minimize else -math.inf
    values = [trial["value"] if trial["state"] == "complete" else worst for trial in trials]
    best = [value if math.isfinite(value) else math.nan for value in accumulate(values, min if minimize else max)]
    axes.step([trial["trial"] for trial in trials], best, where="post", color=ORANGE, label="best so far")
    for failed in (trial for trial in trials if trial["state"] == "failed"):
        axes.axvline(failed["trial"], color=GRAY, lw=0.8, ls=":")
    finite = [trial["value"] for trial in trials if trial["value"] is not None]
    if metric.endswith("accuracy"):
        axes.yaxis.set_major_formatter(FuncFormatter(percent))
    elif finite and min(finite) > 0 and max(finite) / min(finite) > LOGARITHMIC:
        axes.set_yscale("log")
    count = sum(trial["state"] == "failed" for trial in trials)
    axes.set_title(metric + (f"; dotted: {count} failed" if count else ""))
    axes.set_xlabel("trial")
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
    axes.legend()
    return figure


def importance(shares: Mapping[str, float], metric: str) -> Figure:
    """Draw how much each key matters, as bars.

    Args:
        shares: Share of each key, the largest first.
        metric: Name of the value of a trial.
    """
    figure = Figure(figsize=(8, 1.2 + 0.4 * len(shares)), layout="constrained")
    axes = figure.add_subplot()
    names = [short(key, 40) for key in shares]
    bars = axes.barh(range(len(shares)), list(shares.values()), color=BLUE)
    axes.bar_label(bars, [f"{100 * share:.0f} %" for share in shares.values()], padding=3)
    axes.set_yticks(range(len(shares)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.1 * max(shares.values(), default=1.0))
    axes.xaxis.set_major_formatter(FuncFormatter(percent))
    axes.grid(axis="y", visible=False)
    axes.set_title(f"importance for {metric}")
    return figure
