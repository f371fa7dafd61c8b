"""Files that ``cnntrain train`` and ``cnntrain eval --plots`` write after training.

===============  =====================================================================
metrics.csv      metrics.jsonl as a table
curves.png       loss and accuracy per epoch; the learning rate, if it changes
confusion.png    the confusion matrix
mistakes.png     the most confident errors
calibration.png  accuracy against confidence (``eval --plots`` only)
filters.png      W of the first convolution
===============  =====================================================================

Matplotlib is imported when the first plot is drawn.
"""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cnntrain.data import Data
from cnntrain.data.fonts import missing_note
from cnntrain.errors import CnntrainError, UsageError, reason_of
from cnntrain.evaluation.display_names import short
from cnntrain.evaluation.report import EvaluationReport, evaluate_network
from cnntrain.layers.conv import Conv
from cnntrain.layers.row import in_config, walk
from cnntrain.network.network import Network
from cnntrain.runs.folder import (
    CALIBRATION_PLOT,
    CONFUSION_PLOT,
    CURVES_PLOT,
    FILTERS_PLOT,
    METRICS_TABLE,
    MISTAKES_PLOT,
)
from cnntrain.runs.history import History
from cnntrain.runs.metrics_file import write_metrics_table
from cnntrain.storage import FolderLock, make_subfolder, sweep, write_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Plots = dict[str, Callable[[], "Figure"]]
"""File names, each with the function that draws the figure."""
EVALUATION_PLOTS = {CONFUSION_PLOT, MISTAKES_PLOT, CALIBRATION_PLOT}
"""Plots of ``cnntrain eval --plots``."""


def final_report(network: Network, data: Data) -> EvaluationReport:
    """Evaluate a trained network on the test split, else the validation split, else the training split."""
    split, dataset = next((name, dataset) for name, dataset in reversed(data.splits().items()) if dataset is not None)
    return evaluate_network(network, split, dataset, data.preprocessing, data.classes)


def write_run_artifacts(
    folder: Path,
    history: History,
    network: Network,
    report: EvaluationReport | None,
    plots: bool = True,
    only_in_training: Sequence[str] = (),
) -> Iterator[str]:
    """Write metrics.csv and the plots after training; yield a sentence for each file that cannot be written.

    Args:
        folder: Run folder.
        history: Lines of its metrics.jsonl.
        network: Network with the weights of the last epoch.
        report: Its ``final_report``; None if training did not run to its end, and then only the curves are drawn.
        plots: Whether to draw plots.
        only_in_training: What makes training and validation loss incomparable.
    """
    try:
        write_metrics_table(folder, history)
    except OSError as error:
        yield f"{folder / METRICS_TABLE} cannot be written: {reason_of(error)}"
    if plots:
        yield from draw_run(folder, history, network, report, only_in_training)


def draw_run(
    folder: Path,
    history: History,
    network: Network,
    report: EvaluationReport | None,
    only_in_training: Sequence[str] = (),
) -> Iterator[str]:
    """Draw the plots of a run folder; yield a sentence for each plot that cannot be drawn.

    See ``write_run_artifacts`` for the arguments.
    """
    try:
        title = short(folder.name, 40)
        plots = _curves(history, title, only_in_training)
        if report is not None:
            plots |= _predictions(title, report) | _filters(title, network)
            note = missing_note([title, *report.classes])
            if note:
                yield note
    except Exception as error:  # a plot must not make a finished run fail
        yield f"{folder}: the plots cannot be drawn: {one_line(error)}"
        return
    for name, draw in plots.items():
        try:
            draw_file(folder / name, draw)
        except Exception as error:  # as above
            yield f"{folder / name}: the plot cannot be drawn: {one_line(error)}"


def draw_report(folder: Path, report: EvaluationReport, title: str) -> list[Path]:
    """Draw the plots of ``cnntrain eval --plots`` into ``folder`` and return their paths.

    Raises:
        OSError: A file cannot be written.
    """
    plots = _predictions(title, report) | _calibration(title, report)
    make_subfolder(folder.parent)
    make_subfolder(folder)
    with swept_folder(folder):
        for name, draw in plots.items():
            draw_file(folder / name, draw)
    return [folder / name for name in plots]


@contextmanager
def swept_folder(folder: Path) -> Iterator[None]:
    """Context manager that first removes temporary files of killed processes, unless another process draws here now."""
    try:
        lock = FolderLock(folder)
    except UsageError:  # temporary files may belong to that process; complete files are replaced atomically
        yield
        return
    try:
        sweep(folder, EVALUATION_PLOTS)
        yield
    finally:
        lock.release()


def draw_file(path: Path, draw: Callable[[], "Figure"]) -> None:
    """Draw one figure and save it, with Matplotlib's log messages about fonts and folders silenced."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        from cnntrain.evaluation.plots.style import png, styled  # imports Matplotlib

        with styled():
            content = png(draw())
    finally:
        logger.setLevel(level)
    write_file(path, content)


def _curves(history: History, title: str, only_in_training: Sequence[str]) -> Plots:
    def draw() -> "Figure":
        from cnntrain.evaluation.plots.curves import curves

        return curves(history, title, only_in_training)

    return {CURVES_PLOT: draw} if history else {}


def _predictions(title: str, report: EvaluationReport) -> Plots:
    on = f"on {report.score.samples:,} {report.split} samples"
    matrix = report.confusion()

    def draw_confusion() -> "Figure":
        from cnntrain.evaluation.plots.confusion import confusion

        assert matrix is not None
        return confusion(matrix, report.classes, f"{title}\naccuracy {100 * report.score.accuracy:.2f} % {on}")

    def draw_mistakes() -> "Figure":
        from cnntrain.evaluation.plots.mistakes import Mistake, mistakes

        samples, wrong = report.mistakes(), report.score.samples - report.correct()
        which = (
            f"the {len(samples)} most confident of {wrong:,} errors" if wrong > len(samples) else _count(wrong, "error")
        )
        shown = [
            Mistake(image, *_caption(report, sample))
            for sample, image in zip(samples.tolist(), report.dataset.pixels(samples), strict=True)
        ]
        return mistakes(shown, f"{title}\n{which if wrong else 'no errors'} {on}")

    return ({} if matrix is None else {CONFUSION_PLOT: draw_confusion}) | {MISTAKES_PLOT: draw_mistakes}


def _caption(report: EvaluationReport, sample: int) -> tuple[str, str, str, str]:
    """Return the true and the predicted class, the confidence, and the source of an image."""
    predictions, classes = report.predictions, report.classes
    confidence = float(predictions.confidence[sample])
    return (
        classes[report.dataset.labels[sample]],
        classes[predictions.predicted[sample]],
        f"{100 * confidence:.1f} %" if predictions.are_probabilities else f"{confidence:.3g}",
        report.file(sample) or f"{report.split} sample {sample:,}",
    )


def _calibration(title: str, report: EvaluationReport) -> Plots:
    def draw() -> "Figure":
        from cnntrain.evaluation.plots.calibration import calibration

        assert bins is not None
        return calibration(bins, f"{title}\n{report.score.samples:,} {report.split} samples")

    bins = report.bins()
    return {} if bins is None else {CALIBRATION_PLOT: draw}


def _filters(title: str, network: Network) -> Plots:
    def draw() -> "Figure":
        from cnntrain.evaluation.plots.filters import filters

        assert first is not None
        W = network.parameters()[f"{first}.W"]
        return filters(W, f"{title}\n{_count(len(W), 'filter')} of {in_config(first)}")

    first = next((name for name, layer in walk(network.layers) if isinstance(layer, Conv)), None)
    return {} if first is None else {FILTERS_PLOT: draw}


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def one_line(error: Exception) -> str:
    """Return the reason of an error that must not make a finished run fail."""
    if isinstance(error, OSError | json.JSONDecodeError | UnicodeError | CnntrainError):
        return reason_of(error)
    return f"{type(error).__name__}: {error}".splitlines()[0]  # a bug
