"""Judging saved weights on all samples of a source, whatever its splits: what ``cnntrain eval RUN DATA --all`` does."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cnntrain.builder import load_config_data
from cnntrain.config import Config, config_from_dict
from cnntrain.data import Data
from cnntrain.data.dataset import Dataset, concatenate
from cnntrain.data.detect_source import detect_source
from cnntrain.data.names import join_names
from cnntrain.data.progress import NO_PROGRESS, ProgressReporter
from cnntrain.errors import ConfigError, DataError
from cnntrain.evaluation.report import EvaluationReport, evaluate_network
from cnntrain.weights import weights
from cnntrain.weights.weights import SavedNetwork

ALL = "all"
"""The name of a split that is everything."""
KEPT = ("size", "channels", "fit", "on_bad", "shape", "layout", "label")
"""Keys of the run's data that say how a source is read, and so go for another of its kind."""


def judge_all(
    run: str | Path, source: str | None = None, overrides: Sequence[str] = (), reporter: ProgressReporter = NO_PROGRESS
) -> EvaluationReport:
    """Judge saved weights on all samples of a labelled source; no split is drawn, and ``split.csv`` counts for nothing.

    Args:
        run: A run folder, or a ``.safetensors`` file.
        source: A folder, a file or a data set known by name; by default the data of the run.
        overrides: ``KEY=VALUE`` words on the stored config.
        reporter: Who is told how far it is, and which samples are taken.

    Raises:
        WeightsError: The weights are missing or malformed, or the images have another shape.
        DataError: The data are missing or malformed, or hold a class that the network does not know.
    """
    of_data = [word for word in overrides if word.startswith("data.")]
    saved = weights.load_saved(run, [word for word in overrides if word not in of_data])
    config = config_for(saved, source, of_data)
    data = load_config_data(config, None, reporter, saved.preprocessing.scale)
    saved.check_shape(data)
    parts = {name: dataset for name, dataset in data.splits().items() if dataset is not None}
    everything = concatenate(list(parts.values()))
    labels = known_labels(saved, data, everything)
    taken = ", ".join(f"{len(dataset):,} of {name}" for name, dataset in parts.items())
    reporter.note(f"evaluated on all {len(everything):,} samples: {taken}")
    dataset = Dataset(everything.images, labels, everything.rows, everything.names)
    return evaluate_network(saved.network, ALL, dataset, saved.preprocessing, saved.classes)


def config_for(saved: SavedNetwork, source: str | None, overrides: Sequence[str]) -> Config:
    """The run's config with the data of ``source`` in place of its own, of which nothing is held out."""
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
            section |= {key: old[key] for key in KEPT if old.get(key) is not None}
    if section["source"] == "images":
        C, H, W = saved.network.in_shape
        section |= {"size": [H, W], "channels": C, "test": 0.0, "split": None}
        section["fit"] = saved.preprocessing.fit or "crop"
    section["validation"] = 0.0
    return config_from_dict(stored | {"data": section}, str(saved.path), overrides)


def known_labels(saved: SavedNetwork, data: Data, dataset: Dataset) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The labels of ``dataset`` as the network counts its classes, which are found by their names.

    Raises:
        DataError: A sample is of a class that the network does not know.
    """
    indices = {name: place for place, name in enumerate(saved.classes)}
    there = np.flatnonzero(dataset.counts(len(data.classes))).tolist()
    unknown = [data.classes[i] for i in there if data.classes[i] not in indices]
    if unknown:
        raise DataError(
            f"{saved.path}: the network does not know {join_names(map(repr, unknown))}; its classes are "
            f"{weights.class_list(saved.classes)}"
        )
    numbers = np.array([indices.get(name, -1) for name in data.classes], np.int64)
    labels: np.ndarray[Any, np.dtype[np.int64]] = numbers[dataset.labels]
    return labels
