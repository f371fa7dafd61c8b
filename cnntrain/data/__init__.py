"""Labelled images from files: one format a file, all of them giving the same ``Data``."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from cnntrain.data import digits
from cnntrain.data.classes import check_classes
from cnntrain.data.darkness import check_darkness
from cnntrain.data.dataset import Dataset, PredefinedSplits, Splits
from cnntrain.data.downloads import datasets
from cnntrain.data.downloads.registry import REGISTRY
from cnntrain.data.formats import cifar100, csv_file, idx, npz
from cnntrain.data.image_folder import loader
from cnntrain.data.pixels import Scale
from cnntrain.data.preprocessing import Preprocessing
from cnntrain.data.progress import NO_PROGRESS, ProgressReporter
from cnntrain.data.splits import Data
from cnntrain.data.stratified import describe_missing_classes, hold_out
from cnntrain.errors import DataError

__all__ = ["SOURCES", "Data", "Dataset", "PredefinedSplits", "Preprocessing", "ProgressReporter", "Splits", "load_data"]

SOURCES: dict[str, Callable[..., Splits | PredefinedSplits]] = {
    "digits": digits.load,
    "idx": idx.load,
    "npz": npz.load,
    **{name: partial(datasets.load, name) for name in REGISTRY},
    "cifar100": cifar100.load,
    "csv": csv_file.load,
    "images": loader.load,
}
"""What ``data.source`` may say; a loader takes the source's own keys as keyword arguments."""

ARRAYS = ("npz", "csv", "idx")
"""Sources whose numbers may mean other things than bytes do."""
VALIDATION_STREAM = 1
"""The spawn key of the random numbers that draw the validation samples; others are free for other uses of the seed."""


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
    """Read a data set, hold out the validation samples, and measure what is needed to standardize.

    Args:
        source: A key of ``SOURCES``.
        validation: Share of the training samples to hold out, 0..1, where the source does not say which they are.
        standardize: Whether preprocessing subtracts the mean and divides by the deviation of the training samples
            that remain; otherwise pixels stay in 0..1.
        seed: Decides which samples are held out.
        reporter: Who is told how far it is, and what the user should know.
        scale: What numbers mean to the network that is to see the images; by default the training images decide.
        options: The source's own keys, as ``config/schema/config.py`` has them.

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
            train, held = splits.train, splits.validation
        else:
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(VALIDATION_STREAM,)))
            train, held = hold_out(splits.train, validation, rng, keep=1 if source == "images" else 0)
            if note := describe_missing_classes(train, held, splits.classes, "validation", validation):
                reporter.note(f"data.validation: {note}")
        preprocessing = Preprocessing.measure(train) if standardize else Preprocessing.none(train.image_shape[0])
    except MemoryError:
        raise DataError(f"{options.get('path', source)}: the data do not fit into this computer's memory") from None
    preprocessing = replace(preprocessing, fit=options.get("fit"), scale=splits.scale)
    if dark := check_darkness(train, source == "images", standardize):
        reporter.note(dark)
    data = Data(train, held, splits.test, splits.classes, preprocessing, splits.choices)
    check_classes(data, str(options.get("path") or source), reporter)
    return data
