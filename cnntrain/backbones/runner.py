"""Runs a feature model in ONNX Runtime, one image at a time, on one thread.

The order in which sums are computed depends on the number of threads and, in matrix products, on the number of images
in a batch. With one image and one thread, the features are a function of the image alone, to the last bit. Several
threads may call ``features`` at the same time: this is faster than several threads for one image.
"""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions

from cnntrain.backbones.spec import MAX_FEATURES
from cnntrain.errors import DataError, OutOfMemoryError, visible

FATAL_ONLY = 4
"""Severity of ONNX Runtime's log."""


class FeatureRunner:
    """Computes features.

    Args:
        content: The bytes of a feature model.
        name: The backbone, for messages.
    """

    def __init__(self, content: bytes, name: str):
        self._name = name
        self._session: Any = self._checked(partial(open_session, content))

    def raw(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the output of the feature model for one image ``(C, H, W)``, with its axis of length 1 in front."""
        (output,) = self._checked(partial(self._session.run, None, {"pixels": image[None]}))
        result: NDArray[np.float32] = output
        return result

    def _checked(self, action: Any) -> Any:
        try:
            return action()
        except Exception as error:  # ONNX Runtime raises many classes that share no base
            text = visible(" ".join(str(error).split()))
            if any(word in text for word in ("bfc_arena", "allocate", "bad_alloc")):
                raise OutOfMemoryError.of(error) from None
            raise DataError(f"{self._name}: ONNX Runtime cannot run the backbone: {text[:200]}") from None


def open_session(content: bytes) -> Any:
    """Return a session of ONNX Runtime that computes on one thread and logs nothing."""
    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = FATAL_ONLY  # errors are raised, too
    options.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_ALL
    return InferenceSession(content, options, ["CPUExecutionProvider"], enable_fallback=0)  # a second try prints


def shape_of(raw: NDArray[np.float32], name: str, output: str) -> tuple[int, int, int]:
    """Return the shape (C, H, W) of the features; a vector has H = W = 1.

    Raises:
        DataError: The tensor is neither a vector nor channels x rows x columns for each image.
    """
    match raw.shape:
        case (1, features) | (1, 1, 1, features) if features > 0:
            return features, 1, 1
        case (1, C, H, W) if raw.size and raw.size <= MAX_FEATURES:
            return C, H, W
    raise DataError(
        f"{name}: the tensor {output!r} has the shape {list(raw.shape)} for one image; features are [1, F] or "
        f"[1, C, H, W], at most {MAX_FEATURES:,} numbers: name another tensor by data.features.output"
    )
