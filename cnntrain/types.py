"""Names for what functions take and give."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
"""Pixels, activations, deltas, parameters: float32 in training, float64 in checks."""

Shape = tuple[int, ...]
"""Of one sample, at the edges: ``(C, H, W)`` of an image, ``(features,)`` of a vector."""

Labels = NDArray[np.int64]
"""The class of each sample, 0 .. classes - 1."""
