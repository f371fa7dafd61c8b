"""Verification of an ONNX file: ONNX Runtime against our engine, on the same pixels."""

from dataclasses import replace
from typing import Any

import numpy as np
from onnxruntime import InferenceSession, SessionOptions
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, RuntimeException  # type: ignore[import-untyped]

from cnntrain.builder import load_config_data
from cnntrain.data import Dataset
from cnntrain.data.pixels import UNKNOWN, Images
from cnntrain.errors import CnntrainError, DataError, ExportError, OutOfMemoryError, visible
from cnntrain.inference.predictor import Predictor
from cnntrain.onnx_export.onnx_model import takes_bytes
from cnntrain.parallel import available_cores
from cnntrain.weights.weights import SavedNetwork

BATCH = 256
"""Images per batch."""


def data_for(saved: SavedNetwork) -> tuple[SavedNetwork, Dataset, str]:
    """Return images for the verification and the name of their split: test, else validation, else train.

    If the weights do not store the scale of the pixels, the data of the run define it.

    Raises:
        DataError: The run's data are missing or malformed.
        WeightsError: The data do not fit the network.
    """
    data = load_config_data(saved.config, saved.path.parent, scale=saved.preprocessing.scale)
    saved.check_fits(data)
    if saved.preprocessing.scale == UNKNOWN:
        saved = replace(saved, preprocessing=replace(saved.preprocessing, scale=data.preprocessing.scale))
    for split in ("test", "validation"):
        dataset = data.splits()[split]
        if dataset is not None:
            return saved, dataset, split
    return saved, data.train, "train"


def compare(content: bytes, model: Predictor, dataset: Dataset, split: str) -> dict[str, Any]:
    """Compute the outputs for every image by both programs, and return the largest difference.

    The difference is absolute for outputs up to 1, such as probabilities. Above 1, it is relative to the largest output
    of the image.

    Args:
        content: The bytes of the ONNX file.
        model: The exported network.
        dataset: The images.
        split: The name of the split.

    Raises:
        DataError: The file takes bytes, and the images are floats: rounding would change them.
        ExportError: ONNX Runtime cannot run the file.
        OutOfMemoryError: ONNX Runtime needs more memory than there is.
    """
    options = SessionOptions()
    options.log_severity_level = 3  # errors only; they are raised, too
    options.intra_op_num_threads = available_cores()  # its default counts all cores, also those not ours
    session = InferenceSession(content, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    largest, classes = 0.0, 0
    (taken,) = session.get_inputs()
    step = BATCH if isinstance(taken.shape[0], str) else 1
    for start in range(0, len(dataset), step):
        pixels = dataset.pixels(np.arange(start, min(len(dataset), start + step)))
        ours = model.outputs(pixels).astype(np.float64)
        try:
            (theirs,) = session.run(None, {taken.name: as_input(pixels, takes_bytes(model), split)})
        except (Fail, RuntimeException) as error:
            raise failure(error) from None
        size = np.maximum(np.abs(ours).max(axis=1, keepdims=True), 1)
        with np.errstate(invalid="ignore"):
            largest = float(np.maximum(largest, np.max(np.abs(ours - theirs) / size)))  # keeps NaN, which fails
        classes += int(np.count_nonzero(ours.argmax(axis=1) != theirs.argmax(axis=1)))
    return {"split": split, "samples": len(dataset), "largest_difference": largest, "classes_that_differ": classes}


def failure(error: Exception) -> CnntrainError:
    """Return what a failure of ONNX Runtime means."""
    if any(word in str(error) for word in ("bfc_arena", "allocate", "bad_alloc")):
        return OutOfMemoryError.of(error)
    return ExportError(f"ONNX Runtime cannot run the file: {visible(str(error))[:200]}")


def as_input(images: Images, bytes_wanted: bool, split: str) -> Images:
    """Return the pixels in the type of the file's input, with equal values."""
    if images.dtype == np.uint8:
        return images if bytes_wanted else images.astype(np.float32) / np.float32(255)
    if bytes_wanted:
        raise DataError(
            f"the images of the {split} split are not bytes, as the ONNX file takes them; verify it on data like those "
            "that the network was trained on"
        )
    return images
