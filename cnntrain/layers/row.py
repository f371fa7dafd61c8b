"""A sequence of layers: the one place that loops over layers, forward and backward.

::

    y = layers[n-1].forward(... layers[0].forward(x))
    delta_prev = layers[0].backward(... layers[n-1].backward(delta))

Code that needs the values between layers (diagnostics, the gradient check, timings) passes an observer.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from cnntrain.layers.base import Layer
from cnntrain.types import Array

OnOutput = Callable[[Layer[Any], Array], None]
"""Called after each layer of a forward pass, with the layer and its output."""
OnDelta = Callable[[Layer[Any], Array | None], None]
"""Called after each layer of a backward pass, with the layer and dJ/d its input (None if that is not computed)."""


class Row:
    """A sequence of layers; each takes the output of the one before it (PyTorch's ``Sequential``).

    Args:
        layers: The layers in the order of the forward pass; one entry of a config may become several layers.

    Examples:
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

    def caches(self, n: int, dtype: Any, largest: Sequence[Any] | None = None) -> list[Any]:
        """Return the cache of each layer for n samples; with ``largest``, they share the memory of those caches."""
        caches = [layer.cache(n, dtype) for layer in self.layers]
        if largest is not None:
            for cache, of_largest in zip(caches, largest, strict=True):
                cache.largest = of_largest
        return caches

    def forward(
        self,
        x: Array,
        caches: Sequence[Any],
        start: int = 0,
        stop: int | None = None,
        on_output: OnOutput | None = None,
    ) -> Array:
        """Return the output of the layers ``start`` to ``stop`` in training mode; the caches keep what backward needs.

        Args:
            x: The input of layer ``start``; may be overwritten.
            caches: The caches of all layers.
            start: Index of the first layer.
            stop: Index after the last layer; by default the pass runs to the end.
            on_output: Observer of the outputs.
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
        """Write the gradients of the layers before ``stop`` and return the gradient with respect to the input.

        Args:
            delta: The gradient with respect to the output of the last forward pass; may be overwritten.
            caches: The caches that this forward pass filled.
            grads: Output arrays for each layer's gradients, shaped as its ``params``.
            stop: As in ``forward``.
            want_delta: False if the gradient with respect to the input is not needed; the result is then None.
            on_delta: Observer of the deltas.
        """
        current: Array | None = delta
        layers = self.layers[:stop]
        for i in reversed(range(len(layers))):
            if current is None:
                raise TypeError(f"{type(layers[i]).__name__} got no delta")
            current = layers[i].backward(current, caches[i], grads[i], want_delta or i > 0)
            if on_delta is not None:
                on_delta(layers[i], current)
        return current

    def patterns(self, caches: Sequence[Any], start: int = 0, stop: int | None = None) -> list[Array]:
        """Return on which side of each kink the last forward pass of the layers ``start`` to ``stop`` was."""
        patterns = [
            layer.pattern(cache) for layer, cache in zip(self.layers[start:stop], caches[start:stop], strict=True)
        ]
        return [pattern for pattern in patterns if pattern is not None]
