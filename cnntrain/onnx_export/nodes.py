"""The ONNX nodes of each kind of layer.

The engine may work in another order than the config says: behind a convolution comes max pooling first, then bias and
activation. The graph has the order of the config, and so reads as the network was described: Conv with its bias, the
activation, MaxPool. All activations are monotone, so the values are the same.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from cnntrain.layers.base import Layer
from cnntrain.onnx_export.graph import Graph


def add_layers(graph: Graph, layers: Iterable[Layer[Any]], x: str) -> str:
    """Add the nodes of all ``layers`` behind the value ``x``, and return the name of the last one's output."""
    in_order = sorted(layers, key=lambda layer: layer.index)  # keeps the steps of an entry in their order
    for _, steps in groupby(in_order, key=lambda layer: layer.index):
        x = add_entry(graph, list(steps), x)
    return x


def add_entry(graph: Graph, steps: Sequence[Layer[Any]], x: str) -> str:
    """Add the nodes of one entry of ``network.layers``; ONNX adds the bias where the engine's activation does."""
    name = f"layers.{steps[0].index}"
    b = [graph.constant(f"{name}.b", step.params["b"]) for step in steps if "b" in step.params]
    for step in steps:
        x = step.add_onnx(graph, x, name, b)
    return x
