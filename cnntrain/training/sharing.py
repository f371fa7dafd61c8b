"""Samples in shared memory, besides the arrays that ``cnntrain.parallel.shared_memory`` needs.

Images in memory are copied to shared memory. Memory-mapped images are not: each rank maps the file, and the system
holds one copy of it. Workers inherit the open file, so a run does not depend on its name after the start.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from cnntrain.config import Config
from cnntrain.data import Data, Dataset, Preprocessing
from cnntrain.data.mapped_images import MappedImages
from cnntrain.network.network import Network
from cnntrain.parallel.mapping import Fields, SharedArrays
from cnntrain.parallel.shared_memory import fields
from cnntrain.parallel.summation_tree import LEAVES
from cnntrain.types import Array

Maps = Mapping[str, Mapping[str, Any]]
"""Split -> location of its images in a file, JSON-serializable."""


DEFAULT_SAMPLES = 1024
"""Assumed number of training samples if the data are not loaded."""


def samples_in_batch(config: Config, data: Data | None) -> int:
    """Return the number of samples of a full batch; without data for ``DEFAULT_SAMPLES`` training samples."""
    size, samples = config.training.batch_size, DEFAULT_SAMPLES if data is None else len(data.train)
    return samples if size == "all" else min(size, samples)


def micro_batch_counts(config: Config, network: Network, data: Data | None) -> list[int]:
    """Return the number of micro-batches of a full batch, and that of the last one of an epoch if it is smaller."""
    size = samples_in_batch(config, data)
    rest = 0 if data is None else len(data.train) % size
    return [len(network.micro_batches(samples)) for samples in (size, rest) if samples]


def max_processes(config: Config, network: Network, data: Data | None) -> int:
    """Return the number of processes that have work in a full batch: one per micro-batch, at most ``LEAVES``."""
    return min(LEAVES, micro_batch_counts(config, network, data)[0])


def shared_fields(config: Config, network: Network, data: Data, workers: int) -> Fields:
    """Return shapes and dtypes of all shared arrays."""
    counts = micro_batch_counts(config, network, data)
    splits = [len(network.micro_batches(len(dataset))) for dataset in data.splits().values() if dataset]
    rows = config.training.state_rows
    shared = dict(fields(network.layout, network.dtype.name, workers, max(*counts, *splits), counts, rows))
    for name, array in sample_arrays(data).items():
        shared[name] = (array.shape, array.dtype.name)
    return shared


def sample_arrays(data: Data) -> dict[str, Any]:
    """Return the arrays of all splits to share, by name: images unless memory-mapped, rows and labels."""
    arrays: dict[str, Any] = {}
    for split, dataset in data.splits().items():
        if dataset is not None:
            arrays[f"{split}.labels"] = dataset.labels
            if not dataset.is_mapped:
                arrays[f"{split}.images"] = dataset.images
            if dataset.rows is not None:
                arrays[f"{split}.rows"] = dataset.rows
    return arrays


def share_data(data: Data, arrays: SharedArrays) -> None:
    """Copy the samples to shared memory."""
    for name, array in sample_arrays(data).items():
        arrays[name][...] = array


@contextmanager
def mapped_images(data: Data) -> Iterator[Maps]:
    """Context manager that opens the files of memory-mapped images and returns the locations of the images.

    Raises:
        OSError: A file cannot be opened.
    """
    with ExitStack() as files:
        yield {
            split: {
                "file": os.path.abspath(str(dataset.images.filename)),
                "descriptor": _descriptor(dataset.images, files),
                "dtype": dataset.images.dtype.name,
                "shape": list(dataset.images.shape),
                "offset": dataset.images.offset,
            }
            for split, dataset in data.splits().items()
            if dataset is not None and isinstance(dataset.images, np.memmap)
        }


def _descriptor(images: Any, files: ExitStack) -> int:
    if isinstance(images, MappedImages):
        return images.descriptor
    return files.enter_context(open(images.filename, "rb")).fileno()


def check_mapped(data: Data) -> None:
    """Check that the files of memory-mapped images are complete.

    Raises:
        DataError: A file is truncated.
    """
    for dataset in data.splits().values():
        if dataset is not None and isinstance(dataset.images, MappedImages):
            dataset.images.check()


def open_images(location: Mapping[str, Any]) -> Any:
    """Memory-map images in a worker. On Windows the file is opened by name."""
    is_named = sys.platform == "win32"
    with open(location["file" if is_named else "descriptor"], "rb", closefd=is_named) as file:  # splits may share it
        return MappedImages.of(file, location["offset"], tuple(location["shape"]), location["dtype"])


def shared_data(
    arrays: SharedArrays,
    maps: Maps,
    classes: tuple[str, ...],
    preprocessing: Preprocessing,
    before: Data | None = None,
) -> Data:
    """Return the data backed by shared memory and memory-mapped files; ``before`` is what rank 0 has loaded."""
    known = {} if before is None else {name: dataset for name, dataset in before.splits().items() if dataset}

    def split(name: str) -> Dataset | None:
        if f"{name}.labels" not in arrays.arrays:
            return None
        rows = arrays.arrays.get(f"{name}.rows")
        images: Any = arrays.arrays.get(f"{name}.images")
        if images is None:
            images = known[name].images if known else open_images(maps[name])
        return shared_dataset(images, arrays[f"{name}.labels"], rows, preprocessing, known.get(name))

    train = split("train")
    assert train is not None
    return Data(train, split("validation"), split("test"), classes, preprocessing)


def shared_dataset(
    images: Any, labels: Array, rows: Array | None, preprocessing: Preprocessing, known: Dataset | None
) -> Dataset:
    """Return the samples of a split whose arrays are shared; ``known`` is what rank 0 has loaded."""
    views = preprocessing.features.views if preprocessing.features else 1
    names, decode = (None, None) if known is None else (known.names, known.decode)
    return Dataset(images, labels, rows, names, None, views, decode)


def with_class_weights(config: Config, network: Network) -> Config:
    """Return the config with rank 0's class weights, which workers would otherwise not know."""
    weights = {"class_weights": network.objective.class_weights}
    return config.model_copy(update={"training": config.training.model_copy(update=weights)})
