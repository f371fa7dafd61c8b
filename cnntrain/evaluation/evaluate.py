"""Evaluation of saved weights: what ``cnntrain eval`` does."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cnntrain.builder import load_config_data, with_backbone_of
from cnntrain.config import Config, config_from_dict
from cnntrain.data import Data
from cnntrain.data.dataset import Dataset, concatenate
from cnntrain.data.detect_source import detect_source
from cnntrain.data.names import join_names
from cnntrain.data.progress import NO_PROGRESS, ProgressReporter
from cnntrain.errors import ConfigError, DataError, UsageError
from cnntrain.evaluation.advice import advise
from cnntrain.evaluation.artifacts import draw_report
from cnntrain.evaluation.display_names import short
from cnntrain.evaluation.figures import Figures
from cnntrain.evaluation.report import EvaluationReport, evaluate_network
from cnntrain.runs.compare import describe
from cnntrain.runs.folder import EVALUATION_FOLDER, WEIGHTS_FILE
from cnntrain.runs.metrics_file import read_history
from cnntrain.types import Labels
from cnntrain.weights import weights
from cnntrain.weights.weights import SavedNetwork

ALL = "all"
"""Name of the split that holds all samples."""
INHERITED_KEYS = ("size", "channels", "fit", "on_bad", "shape", "layout", "label", "features")
"""Keys of the run's data section that also apply to another source of the same kind."""


def evaluate(
    run: str | os.PathLike[str],
    split: str = "test",
    overrides: Sequence[str] = (),
    plots: bool = False,
    data: str | Path | None = None,
) -> dict[str, Any]:
    """Evaluate saved weights on a split of the run's data, or on all samples of other data.

    Args:
        run: Run folder, what ``train`` returned, or ``.safetensors`` file.
        split: ``test``, ``validation`` or ``train``.
        overrides: ``KEY=VALUE`` strings that change the stored config, such as ``data.path=...`` for data that moved.
        plots: Whether to draw plots, into the folder ``eval`` next to the weights.
        data: Labeled folder, file or dataset name. All of its samples are used, and ``split`` is ignored.

    Returns:
        What ``cnntrain eval --json`` prints: ``loss``, ``accuracy``, ``per_class``, ``confusion``, ``mistakes``, ...;
        ``plots`` lists the paths of the plots.

    Raises:
        WeightsError: The weights are missing or malformed, or do not fit the data.
        DataError: The data are missing or malformed.
        UsageError: The data have no such split.
        OSError: A plot cannot be written.

    Examples:
        >>> import cnntrain
        >>> config = cnntrain.load_config("digits", ["training.Max=1", "training.workers=1"])
        >>> result = cnntrain.train(config, out="run", plots=False)
        >>> report = cnntrain.evaluate("run")
        >>> report["accuracy"] == result["test"]["accuracy"]
        True
    """
    run = Path(run)
    if data is not None:
        return evaluate_run(run, evaluate_all_samples(run, os.fspath(data), overrides), plots)
    return evaluate_run(run, evaluate_saved(run, split, overrides), plots)


def evaluate_run(run: str | Path, report: EvaluationReport, plots: bool) -> dict[str, Any]:
    """Return what ``cnntrain eval --json`` prints for a report on a run; draw the plots if wanted."""
    result = report.result()
    return {
        **result,
        "plots": [str(path) for path in draw_artifacts(run, report)] if plots else None,
        "advice": advise(figures_of(Path(run), report, result)),
    }


def figures_of(run: Path, report: EvaluationReport, result: dict[str, Any]) -> Figures:
    """Return what is known about a network: its evaluation and, for a run folder that is complete, its training."""
    assert report.config is not None
    figures = Figures(report.config, report.dataset.image_shape, report.classes, evaluation=result)
    if not run.is_dir():
        return figures
    training = describe(run)
    if training["problem"] is not None or training["stop"] is None:
        return figures
    best = training["best"]
    loss = best and best.get("validation_loss")
    history, _ = read_history(run)
    return replace(figures, run=training | {"best": best and {"epoch": best["epoch"], "loss": loss}}, history=history)


def draw_artifacts(run: str | Path, report: EvaluationReport) -> list[Path]:
    """Draw the plots of a report into a folder such as ``eval/weights-test`` of the run, named by weights and split.

    Raises:
        UsageError: Matplotlib cannot be imported.
        OSError: A plot cannot be written.
    """
    path = Path(run) / WEIGHTS_FILE if Path(run).is_dir() else Path(run)
    name = path.absolute().parent.name
    title = name if path.name == WEIGHTS_FILE else f"{name}, {path.name}"
    try:
        return draw_report(path.parent / EVALUATION_FOLDER / f"{path.stem}-{report.split}", report, short(title, 40))
    except ImportError as error:
        raise UsageError(f"plots need Matplotlib, and it cannot be imported: {error}") from error


def evaluate_saved(
    run: str | Path, split: str, overrides: Sequence[str] = (), reporter: ProgressReporter = NO_PROGRESS
) -> EvaluationReport:
    """Evaluate saved weights on a split of the data that they were trained with, see ``evaluate``.

    Image folders are split as the run split them if the run folder has a ``split.csv``.
    """
    saved = weights.load_saved(run, overrides)
    data = load_config_data(saved.config, saved.path.parent, reporter, saved.preprocessing.scale)
    saved.check_fits(data)
    splits = {name: dataset for name, dataset in data.splits().items() if dataset is not None}
    if split not in splits:
        raise UsageError(f"{run}: the data have no {split} split, only {' and '.join(splits)}")
    return evaluate_network(saved.network, split, splits[split], saved.preprocessing, saved.classes, saved.config)


def evaluate_all_samples(
    run: str | Path, source: str | None = None, overrides: Sequence[str] = (), reporter: ProgressReporter = NO_PROGRESS
) -> EvaluationReport:
    """Evaluate saved weights on all samples of a labeled source, whatever their split.

    Args:
        run: Run folder, or ``.safetensors`` file.
        source: Folder, file or dataset name; by default the data of the run.
        overrides: ``KEY=VALUE`` strings that change the stored config.
        reporter: Receives the progress of loading, and a note on the samples used.

    Raises:
        WeightsError: The weights are missing or malformed, or the images have another shape.
        DataError: The data are missing or malformed, or contain a class that the network does not know.
    """
    of_data = [override for override in overrides if override.startswith("data.")]
    saved = weights.load_saved(run, [override for override in overrides if override not in of_data])
    config = config_for(saved, source, of_data)
    config = with_backbone_of(config, saved.path.parent)
    data = load_config_data(config, None, reporter, saved.preprocessing.scale)
    saved.check_shape(data)
    splits = {name: dataset for name, dataset in data.splits().items() if dataset is not None}
    samples = concatenate(list(splits.values()))
    labels = known_labels(saved, data, samples)
    counts = ", ".join(f"{len(dataset):,} of {name}" for name, dataset in splits.items())
    reporter.note(f"evaluated on all {len(samples):,} samples: {counts}")
    dataset = replace(samples, labels=labels, groups=None)
    return evaluate_network(saved.network, ALL, dataset, saved.preprocessing, saved.classes, saved.config)


def config_for(saved: SavedNetwork, source: str | None, overrides: Sequence[str]) -> Config:
    """Return the run's config with the data of ``source``, and no validation or test split."""
    stored = saved.config.resolved()
    old: dict[str, Any] = stored.get("data") or {}
    if source is None:
        if not old:
            raise ConfigError(
                f"{saved.path}: its config has no data section; name the data: cnntrain eval RUN DATA --all"
            )
        section = old
    else:
        section = detect_source(os.fspath(source))
        if section["source"] == old.get("source"):
            section |= {key: old[key] for key in INHERITED_KEYS if old.get(key) is not None}
    if section["source"] == "images":
        features = saved.preprocessing.features
        C, H, W = saved.network.in_shape if features is None else features.image_shape
        section |= {"size": [H, W], "channels": C, "test": 0.0, "split": None}
        section["fit"] = saved.preprocessing.fit or "crop"
    section["validation"] = 0.0
    return config_from_dict(stored | {"data": section}, str(saved.path), overrides)


def known_labels(saved: SavedNetwork, data: Data, dataset: Dataset) -> Labels:
    """Return the labels of ``dataset`` as class indices of the network; classes are matched by name.

    Raises:
        DataError: A sample belongs to a class that the network does not know.
    """
    indices = {name: index for index, name in enumerate(saved.classes)}
    present = np.flatnonzero(dataset.counts(len(data.classes))).tolist()
    unknown = [data.classes[i] for i in present if data.classes[i] not in indices]
    if unknown:
        raise DataError(
            f"{saved.path}: the network does not know {join_names(map(repr, unknown))}; its classes are "
            f"{weights.class_list(saved.classes)}"
        )
    index_of = np.array([indices.get(name, -1) for name in data.classes], np.int64)
    labels: Labels = index_of[dataset.labels]
    return labels
