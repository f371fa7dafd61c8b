"""Types of arrays and shapes."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
"""Pixels, activations, deltas, parameters: float32 in training, float64 in checks."""

Shape = tuple[int, ...]
"""The shape of one sample: at the edges ``(C, H, W)`` for an image, ``(features,)`` for a vector."""

Labels = NDArray[np.int64]
"""The class index of each sample, 0 .. classes - 1."""


class MixedLabels(NamedTuple):
    """Labels of samples mixed in pairs: ``share`` of ``first`` and ``1 - share`` of ``second``, each ``(N,)``."""

    first: Labels
    second: Labels
    share: Array


Targets = Labels | MixedLabels
"""What the loss compares the outputs of a micro-batch with."""
