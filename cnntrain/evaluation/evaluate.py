"""Judging saved weights: what ``cnntrain eval`` does."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnntrain.builder import load_config_data
from cnntrain.data.progress import NO_PROGRESS, ProgressReporter
from cnntrain.errors import UsageError
from cnntrain.evaluation.artifacts import draw_report
from cnntrain.evaluation.display_names import short
from cnntrain.evaluation.evaluate_all import judge_all
from cnntrain.evaluation.report import EvaluationReport, evaluate_network
from cnntrain.weights import weights


def evaluate(
    run: str | Path,
    split: str = "test",
    overrides: Sequence[str] = (),
    plots: bool = False,
    data: str | Path | None = None,
) -> dict[str, Any]:
    """Return how good saved weights are: what ``cnntrain eval --json`` prints.

    Args:
        run: A run folder, or a ``.safetensors`` file.
        split: ``test``, ``validation`` or ``train``.
        overrides: ``KEY=VALUE`` words on the stored config, such as ``data.path=...`` for data that moved.
        data: A labelled folder, a file or a data set known by name: evaluate on all of it, whatever its splits, instead
            of on ``split`` of the run's data.
        plots: Draw them, into the folder ``eval`` beside the weights; ``plots`` of the result names the files.

    Raises:
        WeightsError: The weights are missing or malformed, or the data are not what they were trained for.
        DataError: The data are missing or malformed.
        UsageError: The data have no such split.
        OSError: The plots cannot be written.
    """
    if data is not None:
        return evaluate_run(run, judge_all(run, os.fspath(data), overrides), plots)
    return evaluate_run(run, evaluate_saved(run, split, overrides), plots)


def evaluate_run(run: str | Path, report: EvaluationReport, plots: bool) -> dict[str, Any]:
    """Return what ``cnntrain eval --json`` prints about a evaluation on a run."""
    return {**report.result(), "plots": [str(path) for path in draw_artifacts(run, report)] if plots else None}


def draw_artifacts(run: str | Path, report: EvaluationReport) -> list[Path]:
    """Draw plots of a evaluation on a run into ``eval/weights-test`` of its folder, or as weights and split are called.

    Raises:
        UsageError: Matplotlib is broken.
    """
    path = Path(run) / weights.FILE_IN_RUN if Path(run).is_dir() else Path(run)
    name = path.absolute().parent.name
    title = name if path.name == weights.FILE_IN_RUN else f"{name}, {path.name}"
    try:
        return draw_report(path.parent / "eval" / f"{path.stem}-{report.split}", report, short(title, 40))
    except ImportError as error:
        raise UsageError(f"plots need Matplotlib, and it cannot be imported: {error}") from error


def evaluate_saved(
    run: str | Path, split: str, overrides: Sequence[str] = (), reporter: ProgressReporter = NO_PROGRESS
) -> EvaluationReport:
    """Judge saved weights on a split of the data that they were trained with, see ``evaluate``.

    Images are split as the run split them, if its folder tells how (``split.csv``).
    """
    saved = weights.load_saved(run, overrides)
    data = load_config_data(saved.config, saved.path.parent, reporter, saved.preprocessing.scale)
    saved.check_fits(data)
    splits = {name: dataset for name, dataset in data.splits().items() if dataset is not None}
    if split not in splits:
        raise UsageError(f"{run}: the data have no {split} split, only {' and '.join(splits)}")
    return evaluate_network(saved.network, split, splits[split], saved.preprocessing, saved.classes)
