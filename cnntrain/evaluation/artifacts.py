"""The PNG files that a run and ``cnntrain eval --plots`` leave.

===============  =====================================================================
curves.png       losses and accuracies against the epochs; alpha, if it changes
confusion.png    which classes are taken for which
mistakes.png     the images that the network is wrong about and surest of
calibration.png  how sure it is against how right it is (``eval --plots`` alone)
filters.png      W of the first convolution
===============  =====================================================================

Matplotlib is imported when the first of them is drawn.
"""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cnntrain.data import Data
from cnntrain.errors import CnntrainError, UsageError, reason_of
from cnntrain.evaluation.display_names import short
from cnntrain.evaluation.report import EvaluationReport, evaluate_network
from cnntrain.layers.conv import Conv
from cnntrain.network.network import Network
from cnntrain.runs.metrics_file import read_metrics
from cnntrain.storage import FolderLock, make_subfolder, sweep, write_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Plots = dict[str, Callable[[], "Figure"]]
"""Names of files, and what draws them."""
PLOTS = {"confusion.png", "mistakes.png", "calibration.png"}
"""What ``cnntrain eval --plots`` draws."""


def draw_run(
    folder: Path, network: Network, data: Data, ended: bool, only_in_training: Sequence[str] = ()
) -> Iterator[str]:
    """Draw what a run folder gets at its end; yield a sentence for each plot that cannot be drawn.

    Args:
        folder: Of the run, with its metrics.jsonl.
        network: With the weights of the last epoch.
        data: Of the training; test samples are judged, validation samples where there are none, else training samples.
        ended: Whether training came to its end. Otherwise there is no more than the curves.
        only_in_training: What makes training and validation loss different measures.
    """
    try:
        title = short(folder.name, 40)
        plots = _curves(folder, title, only_in_training)
        if ended:
            split = next(name for name in ("test", "validation", "train") if data.splits()[name])
            dataset = data.splits()[split]
            assert dataset is not None
            report = evaluate_network(network, split, dataset, data.preprocessing, data.classes)
            plots |= _predictions(title, report) | _filters(title, network)
    except Exception as error:  # a run that is trained and saved does not fail for an image
        yield f"{folder}: the plots cannot be drawn: {_reason(error)}"
        return
    for name, draw in plots.items():
        try:
            draw_file(folder / name, draw)
        except Exception as error:  # as above
            yield f"{folder / name}: the plot cannot be drawn: {_reason(error)}"


def draw_report(folder: Path, report: EvaluationReport, title: str) -> list[Path]:
    """Draw what ``cnntrain eval --plots`` leaves in ``folder``, and return the files.

    Raises:
        OSError: They cannot be written.
    """
    plots = _predictions(title, report) | _calibration(title, report)
    make_subfolder(folder.parent)
    make_subfolder(folder)
    with alone_in(folder):
        for name, draw in plots.items():
            draw_file(folder / name, draw)
    return [folder / name for name in plots]


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Context in which what a process has left that was killed is gone, unless another one draws here now."""
    try:
        lock = FolderLock(folder)
    except UsageError:  # unfinished files may be its own; finished ones are whole, whoever is the last
        yield
        return
    try:
        sweep(folder, PLOTS)
        yield
    finally:
        lock.release()


def draw_file(path: Path, draw: Callable[[], "Figure"]) -> None:
    """Draw one figure and save it, without a word from Matplotlib: it tells of fonts and folders that it looks for."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        from cnntrain.evaluation.plots.style import png, styled  # imported late: so is Matplotlib

        with styled():
            content = png(draw())
    finally:
        logger.setLevel(level)
    write_file(path, content)


def _curves(folder: Path, title: str, only_in_training: Sequence[str]) -> Plots:
    def draw() -> "Figure":
        from cnntrain.evaluation.plots.curves import curves

        return curves(rows, title, only_in_training)

    rows = read_metrics(folder / "metrics.jsonl")
    return {"curves.png": draw} if rows else {}


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
        which = f"the {len(samples)} surest of {wrong:,} mistakes" if wrong > len(samples) else _count(wrong, "mistake")
        shown = [
            Mistake(image, *_words(report, sample))
            for sample, image in zip(samples.tolist(), report.dataset.gather(samples), strict=True)
        ]
        return mistakes(shown, f"{title}\n{which if wrong else 'no mistakes'} {on}")

    return ({} if matrix is None else {"confusion.png": draw_confusion}) | {"mistakes.png": draw_mistakes}


def _words(report: EvaluationReport, sample: int) -> tuple[str, str, str, str]:
    """True and predicted class, how sure it is, and where the image is from."""
    answers, classes = report.answers, report.classes
    confidence = float(answers.confidence[sample])
    return (
        classes[report.dataset.labels[sample]],
        classes[answers.predicted[sample]],
        f"{100 * confidence:.1f} %" if answers.are_probabilities else f"{confidence:.3g}",
        report.file(sample) or f"{report.split} sample {sample:,}",
    )


def _calibration(title: str, report: EvaluationReport) -> Plots:
    def draw() -> "Figure":
        from cnntrain.evaluation.plots.calibration import calibration

        assert bins is not None
        return calibration(bins, f"{title}\n{report.score.samples:,} {report.split} samples")

    bins = report.bins()
    return {} if bins is None else {"calibration.png": draw}


def _filters(title: str, network: Network) -> Plots:
    def draw() -> "Figure":
        from cnntrain.evaluation.plots.filters import filters

        assert first is not None
        W = network.parameters()[f"layers.{first.index}.W"]
        return filters(W, f"{title}\n{_count(len(W), 'filter')} of layers[{first.index}]")

    first = next((layer for layer in network.layers if isinstance(layer, Conv)), None)
    return {} if first is None else {"filters.png": draw}


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _reason(error: Exception) -> str:
    if isinstance(error, OSError | json.JSONDecodeError | UnicodeError | CnntrainError):
        return reason_of(error)
    return f"{type(error).__name__}: {error}".splitlines()[0]  # a bug, which is to be reported
