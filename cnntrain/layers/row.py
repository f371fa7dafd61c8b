"""A row of layers: the one place that walks through layers, forward and back.

::

    y = layers[n-1].forward(... layers[0].forward(x))
    delta_prev = layers[0].backward(... layers[n-1].backward(delta))

Whoever wants to see what passes on the way (diagnostics, the gradient check, timings) hands in an observer.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from cnntrain.layers.base import Layer
from cnntrain.types import Array

OnOutput = Callable[[Layer[Any], Array], None]
"""Called after each layer of a forward pass, with the layer and its output."""
OnDelta = Callable[[Layer[Any], Array | None], None]
"""Called after each layer of a backward pass, with the layer and dJ/d its input, None where that is not wanted."""


class Row:
    """Layers, each of which takes what the one before it returns.

    Args:
        layers: In the order of the forward pass; an entry of a config may be several.

    Example:
        >>> import numpy as np
        >>> from cnntrain.layers.activation import Activation
        >>> row = Row([Activation(0, "fc", "relu", (2,)), Activation(1, "fc", "tanh", (2,))])
        >>> row.forward(np.array([[-1.0], [0.0]]), row.caches(1, "float64")).tolist()
        [[0.0], [0.0]]
    """

    def __init__(self, layers: Iterable[Layer[Any]]):
        self.layers = list(layers)

    def __len__(self) -> int:
        return len(self.layers)

    def caches(self, n: int, dtype: Any) -> list[Any]:
        """Return the memory of each layer for n samples."""
        return [layer.cache(n, dtype) for layer in self.layers]

    def forward(
        self,
        x: Array,
        caches: Sequence[Any],
        start: int = 0,
        stop: int | None = None,
        on_output: OnOutput | None = None,
    ) -> Array:
        """Return the output of the layers ``start`` to ``stop`` in training; their caches keep what backward needs.

        Args:
            x: Input of layer ``start``; may be overwritten.
            caches: Of all layers.
            start: First layer.
            stop: The layer before which the pass ends; by default it goes through the last.
            on_output: The observer.
        """
        for layer, cache in zip(self.layers[start:stop], caches[start:stop], strict=True):
            x = layer.forward(x, cache)
            if on_output is not None:
                on_output(layer, x)
        return x

    def infer(self, x: Array, caches: Sequence[Any], start: int = 0, stop: int | None = None) -> Array:
        """Return the output of the layers ``start`` to ``stop`` in evaluation mode; arguments as for ``forward``."""
        for layer, cache in zip(self.layers[start:stop], caches[start:stop], strict=True):
            x = layer.infer(x, cache)
        return x

    def backward(
        self,
        delta: Array,
        caches: Sequence[Any],
        grads: Sequence[dict[str, Array]],
        stop: int | None = None,
        want_delta: bool = True,
        on_delta: OnDelta | None = None,
    ) -> Array | None:
        """Write the gradients of the layers before ``stop`` and return dJ/d the input of the first.

        Args:
            delta: dJ/d output of the last forward pass through the same layers; may be overwritten.
            caches: Filled by that forward pass.
            grads: Arrays for each layer's gradients, shaped as its ``params``.
            stop: As it was for ``forward``.
            want_delta: False where nobody needs the delta of the input; None is returned then.
            on_delta: The observer.
        """
        passed: Array | None = delta
        layers = self.layers[:stop]
        for i in reversed(range(len(layers))):
            if passed is None:
                raise TypeError(f"{type(layers[i]).__name__} got no delta")
            passed = layers[i].backward(passed, caches[i], grads[i], want_delta or i > 0)
            if on_delta is not None:
                on_delta(layers[i], passed)
        return passed

    def patterns(self, caches: Sequence[Any], start: int = 0, stop: int | None = None) -> list[Array]:
        """Return which side of their kinks the layers ``start`` to ``stop`` took in their last forward pass."""
        found = [layer.pattern(cache) for layer, cache in zip(self.layers[start:stop], caches[start:stop], strict=True)]
        return [pattern for pattern in found if pattern is not None]
