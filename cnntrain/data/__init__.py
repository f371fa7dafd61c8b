"""Loading of labeled images: one loader per format, all of which return ``Data``."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from cnntrain.data import digits
from cnntrain.data.classes import check_classes
from cnntrain.data.darkness import check_darkness
from cnntrain.data.dataset import Dataset, PredefinedSplits, Splits
from cnntrain.data.downloads.registry import REGISTRY
from cnntrain.data.formats import cifar100, idx, npz
from cnntrain.data.labels import quoted
from cnntrain.data.names import join_names, similar_names
from cnntrain.data.pixels import Scale
from cnntrain.data.preprocessing import Preprocessing
from cnntrain.data.progress import NO_PROGRESS, ProgressReporter
from cnntrain.data.splits import Data
from cnntrain.data.stratified import describe_missing_classes, hold_out
from cnntrain.errors import DataError

__all__ = ["SOURCES", "Data", "Dataset", "PredefinedSplits", "Preprocessing", "ProgressReporter", "Splits", "load_data"]


def _load_named(name: str, **options: Any) -> Splits | PredefinedSplits:
    from cnntrain.data.downloads.datasets import load  # imported late, as below: each is more code than all the others

    return load(name, **options)


def _load_csv(**options: Any) -> Splits | PredefinedSplits:
    from cnntrain.data.formats.csv_file import load

    return load(**options)


def _load_images(**options: Any) -> Splits | PredefinedSplits:
    from cnntrain.data.image_folder.loader import load

    return load(**options)


SOURCES: dict[str, Callable[..., Splits | PredefinedSplits]] = {
    "digits": digits.load,
    "idx": idx.load,
    "npz": npz.load,
    **{name: partial(_load_named, name) for name in REGISTRY},
    "cifar100": cifar100.load,
    "csv": _load_csv,
    "images": _load_images,
}
"""``data.source`` -> its loader, which takes the source's own keys as keyword arguments."""

ARRAYS = ("npz", "csv", "idx")
"""Sources whose pixels may have another scale than 0..255."""
VALIDATION_STREAM = 1
"""Spawn key of the random numbers that choose the validation samples."""


def load_data(
    source: str,
    *,
    validation: float = 0.0,
    standardize: bool = True,
    seed: int = 0,
    reporter: ProgressReporter = NO_PROGRESS,
    scale: Scale | None = None,
    **options: Any,
) -> Data:
    """Load a data set, hold out the validation samples and compute the standardization.

    Args:
        source: A key of ``SOURCES``.
        validation: Share of the training samples to hold out, 0..1, if the source has no validation split.
        standardize: Whether preprocessing subtracts the mean and divides by the standard deviation of the remaining
            training samples, or divides features by their root mean square; otherwise pixels stay in 0..1.
        seed: Seed of the split.
        reporter: Receives progress and notes.
        scale: Pixel scale of a trained network; by default it is measured on the training images.
        options: The source's own keys, as in ``config/schema/config.py``.

    Raises:
        DataError: The data are missing or malformed.
    """
    if source not in SOURCES:
        raise DataError(f"data.source: there is no source {source[:80]!r}; there are {', '.join(SOURCES)}")
    try:
        if source == "images":
            options = {"fit": "crop", "seed": seed, "reporter": reporter} | options
        elif source == "csv":
            options["reporter"] = reporter
        elif source in REGISTRY:
            options["on_progress"] = reporter.progress
        if source in ARRAYS:
            options["scale"] = scale
        splits = SOURCES[source](**options)
        if isinstance(splits, PredefinedSplits):
            train, held_out = splits.train, splits.validation
        else:
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(VALIDATION_STREAM,)))
            train, held_out = hold_out(splits.train, validation, rng, keep=1 if source == "images" else 0)
            if note := describe_missing_classes(train, held_out, splits.classes, "validation", validation):
                reporter.note(f"data.validation: {note}")
        measure = Preprocessing.measure if splits.features is None else Preprocessing.measure_features
        preprocessing = measure(train) if standardize else Preprocessing.none(train.image_shape[0])
    except MemoryError:
        raise DataError(f"{options.get('path', source)}: the data do not fit into memory") from None
    preprocessing = replace(preprocessing, fit=options.get("fit"), scale=splits.scale, features=splits.features)
    if splits.features is None and (dark := check_darkness(train, source == "images", standardize)):
        reporter.note(dark)
    data = Data(train, held_out, splits.test, splits.classes, preprocessing, splits.choices)
    if source != "images":  # folders have notes of their own
        for names in similar_names(data.classes):
            reporter.note(
                f"{join_names(map(quoted, names))} are {len(names)} different classes, but their names are nearly the "
                "same; if they are one class, give all its samples the same label"
            )
    check_classes(data, str(options.get("path") or source), reporter)
    return data
