"""The memory that the work on a slice of a batch needs: made once for each size of slice, and overwritten."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from cnntrain.layers.base import Layer
from cnntrain.layers.dropout import DropoutCache
from cnntrain.ops.draws import Turn


class SliceMemory:
    """All that the work on slices of n samples needs: the input, the layers' caches, and which samples they are."""

    def __init__(self, layers: Sequence[Layer[Any]], n: int, dtype: DTypeLike):
        self.n = n
        self.x = np.empty((*layers[0].in_shape, n), dtype)
        self.caches = [layer.cache(n, dtype) for layer in layers]
        self.turn = Turn(0, np.arange(n))
        for cache in self.caches:
            if isinstance(cache, DropoutCache):
                cache.turn = self.turn
