"""A sequence of layers: the one place that loops over layers, forward and backward.

::

    y = layers[n-1].forward(... layers[0].forward(x))
    delta_prev = layers[0].backward(... layers[n-1].backward(delta))

Code that needs the values between layers (diagnostics, the gradient check, timings) passes an observer.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from cnntrain.layers.base import Layer, OnDelta, OnnxGraph, OnOutput
from cnntrain.ops.workspace import Use, Workspaces
from cnntrain.types import Array


def walk(layers: Iterable[Layer[Any]], outer: str = "layers") -> Iterator[tuple[str, Layer[Any]]]:
    """Yield every layer with the name of its entry, ``layers.2``, after those inside it.

    In a residual block, those of F are ``layers.2.0``, ``layers.2.1`` and so on, those of the shortcut
    ``layers.2.shortcut``. The order is that of the forward pass.
    """
    for layer in layers:
        name = outer if outer.endswith(".shortcut") else f"{outer}.{layer.index}"
        for branch, inside in layer.branches.items():
            yield from walk(inside, name if branch == "F" else f"{name}.{branch}")
        yield name, layer


def rows(layers: list[Layer[Any]]) -> Iterator[list[Layer[Any]]]:
    """Yield the list of layers, and those of all branches inside."""
    yield layers
    for layer in layers:
        for inside in layer.branches.values():
            yield from rows(inside)


def in_config(name: str) -> str:
    """Return the name of an entry as messages about a config have it.

    >>> in_config("layers.2.0"), in_config("layers.2.shortcut")
    ('layers[2].residual.layers[0]', 'layers[2].residual.shortcut')
    """
    _, *steps = name.split(".")
    return ".residual.".join(f"layers[{step}]" if step.isdecimal() else step for step in steps)


def workspace_sizes(caches: Sequence[Workspaces], want_delta: bool, frozen: int = 0) -> list[tuple[Use, int]]:
    """Return the use and the bytes of each array of the caches of a row; see ``Workspaces.sizes``.

    The first ``frozen`` layers only run in evaluation mode.
    """
    evaluated = [size for cache in caches[:frozen] for size in cache.sizes(False) if size[0] == "evaluation"]
    trained = [size for i, cache in enumerate(caches[frozen:]) for size in cache.sizes(want_delta or i > 0)]
    return evaluated + trained


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
                cache.share(of_largest)
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
            on_output: Observer of the outputs, also of the layers inside others.
        """
        for layer, cache in zip(self.layers[start:stop], caches[start:stop], strict=True):
            x = layer.forward(x, cache) if on_output is None else layer.observed_forward(x, cache, on_output)
        return x

    def infer(
        self,
        x: Array,
        caches: Sequence[Any],
        start: int = 0,
        stop: int | None = None,
        on_output: OnOutput | None = None,
    ) -> Array:
        """Return the output of the layers ``start`` to ``stop`` in evaluation mode; arguments as for ``forward``."""
        for layer, cache in zip(self.layers[start:stop], caches[start:stop], strict=True):
            x = layer.infer(x, cache) if on_output is None else layer.observed_infer(x, cache, on_output)
        return x

    def backward(
        self,
        delta: Array,
        caches: Sequence[Any],
        grads: Sequence[dict[str, Array]],
        start: int = 0,
        stop: int | None = None,
        want_delta: bool = True,
        on_delta: OnDelta | None = None,
    ) -> Array | None:
        """Write the gradients of the layers ``start`` to ``stop``; return that with respect to their input.

        Args:
            delta: The gradient with respect to the output of the last forward pass; may be overwritten.
            caches: The caches that this forward pass filled.
            grads: Output arrays for each layer's gradients, shaped as its ``params``.
            start: As in ``forward``.
            stop: As in ``forward``.
            want_delta: False if the gradient with respect to the input is not needed; the result is then None.
            on_delta: Observer of the deltas, also of the layers inside others.
        """
        current: Array | None = delta
        layers = self.layers[:stop]
        for i in reversed(range(start, len(layers))):
            if current is None:
                raise TypeError(f"{type(layers[i]).__name__} got no delta")
            arguments = current, caches[i], grads[i], want_delta or i > start
            if on_delta is None:
                current = layers[i].backward(*arguments)
            else:
                current = layers[i].observed_backward(*arguments, on_delta)
        return current

    def patterns(self, caches: Sequence[Any], start: int = 0, stop: int | None = None) -> list[Array]:
        """Return on which side of each kink the last forward pass of the layers ``start`` to ``stop`` was."""
        patterns = [
            layer.pattern(cache) for layer, cache in zip(self.layers[start:stop], caches[start:stop], strict=True)
        ]
        return [pattern for pattern in patterns if pattern is not None]

    def add_onnx(self, graph: OnnxGraph, x: str, outer: str = "layers") -> str:
        """Add the nodes of all layers after the value ``x`` and return the name of the last output.

        The engine may run layers in another order than the config has: behind a convolution, max pooling comes before
        bias and activation. The graph keeps the order of the config: Conv with its bias, the activation, MaxPool. All
        activations are monotone, so the values are the same.

        Args:
            graph: The graph.
            x: Name of the input.
            outer: Prefix of the names of the entries, which are ``<outer>.<index>``.
        """
        in_order = sorted(self.layers, key=lambda layer: layer.index)  # stable: the layers of an entry keep their order
        for index, entry in groupby(in_order, key=lambda layer: layer.index):
            layers, name = list(entry), f"{outer}.{index}"
            # ONNX's Conv, Gemm and BatchNormalization add the bias that the engine's activation adds.
            b = [graph.constant(f"{name}.b", layer.params["b"]) for layer in layers if "b" in layer.params]
            for layer in layers:
                x = layer.add_onnx(graph, x, name, b)
        return x
