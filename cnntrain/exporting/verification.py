"""ONNX Runtime beside our own engine, on the same pixels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession, SessionOptions

from cnntrain.builder import data_of
from cnntrain.data import Dataset
from cnntrain.model import Model
from cnntrain.parallel import available_cores
from cnntrain.weights import Saved

BATCH = 256
"""Images that are computed at a time."""


def images_of(saved: Saved) -> tuple[Dataset, str]:
    """Return real images for a verification and the name of their split: test, else validation, else train.

    Raises:
        DataError: The run's data are missing or malformed.
        WeightsError: They are not what the network was trained for.
    """
    data = data_of(saved.config, saved.path.parent)
    saved.check_fits(data)
    splits = data.splits()
    for split in ("test", "validation"):
        dataset = splits[split]
        if dataset is not None:
            return dataset, split
    return data.train, "train"


def compare(content: bytes, model: Model, dataset: Dataset, split: str) -> dict[str, Any]:
    """Compute every image of ``dataset`` by both, and return how far the outputs are apart.

    The difference is that of probabilities. Outputs of another kind may be large: above 1, the difference is divided
    by the output of largest size in its row.

    Args:
        content: The ONNX file.
        model: The network that it was made of.
        dataset: The images; float pixels are rounded to bytes, since those are what the file takes.
        split: Its name.
    """
    options = SessionOptions()
    options.log_severity_level = 3  # errors alone: they come as exceptions, too
    options.intra_op_num_threads = available_cores()  # by itself it would count cores that are not ours
    session = InferenceSession(content, options, providers=["CPUExecutionProvider"])
    largest, classes = 0.0, 0
    for start in range(0, len(dataset), BATCH):
        pixels = as_bytes(dataset.gather(np.arange(start, min(len(dataset), start + BATCH))))
        ours = model.outputs(pixels).astype(np.float64)
        (theirs,) = session.run(None, {session.get_inputs()[0].name: pixels})
        size = np.maximum(np.abs(ours).max(axis=1, keepdims=True), 1)
        with np.errstate(invalid="ignore"):
            largest = float(np.maximum(largest, np.max(np.abs(ours - theirs) / size)))  # keeps NaN, which fails
        classes += int(np.count_nonzero(ours.argmax(axis=1) != theirs.argmax(axis=1)))
    return {"split": split, "samples": len(dataset), "largest_difference": largest, "classes_that_differ": classes}


def as_bytes(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Pixels as uint8, 255 times those that lie in 0..1."""
    return np.rint(images * 255).astype(np.uint8) if images.dtype.kind == "f" else images
