"""Reliability diagram: accuracy against confidence (Guo et al. 2017, arXiv:1706.04599)."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from cnntrain.evaluation.metrics import CalibrationBin, calibration_error
from cnntrain.evaluation.plots.style import BLUE, GRAY, percent


def calibration(bins: Sequence[CalibrationBin], title: str) -> Figure:
    """Draw the accuracy and the number of samples of each bin."""
    figure = Figure(figsize=(5.6, 6.2), layout="constrained")
    figure.suptitle(f"{title}\ncalibration error {100 * calibration_error(bins):.2f} %", x=0.01, ha="left", fontsize=11)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    width = 1 / len(bins)
    lefts = [m * width for m in range(len(bins))]
    upper.plot([0, 1], [0, 1], "--", color=GRAY, lw=1.2, label="perfect calibration")
    upper.bar(lefts, [b.accuracy for b in bins], width, align="edge", color=BLUE, edgecolor="white", label="accuracy")
    upper.set_ylabel("accuracy")
    upper.set_ylim(0, 1.02)
    upper.yaxis.set_major_formatter(FuncFormatter(percent))
    upper.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
    lower.bar(lefts, [b.samples for b in bins], width, align="edge", color=GRAY, edgecolor="white")
    lower.set_ylabel("samples")
    lower.set_xlabel("confidence (probability of the predicted class)")
    lower.set_xlim(0, 1)
    lower.xaxis.set_major_formatter(FuncFormatter(percent))
    return figure
