"""An ONNX graph under construction, and the nodes of each entry of ``network.layers``.

The engine may run layers in another order than the config says: behind a convolution, max pooling comes before bias and
activation. The graph keeps the order of the config: Conv with its bias, the activation, MaxPool. All activations are
monotone, so the values are the same.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from cnntrain.layers.base import Layer
from cnntrain.types import Array


class Graph:
    """The nodes and constants of a graph; every constant is float32."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, name: str, values: Array | Iterable[float]) -> str:
        """Add the constant ``values`` and return its name."""
        array = np.array(values, np.float32, order="C")
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def node(self, operator: str, inputs: Iterable[str], output: str, **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output


def add_layers(graph: Graph, layers: Iterable[Layer[Any]], x: str) -> str:
    """Add the nodes of all ``layers`` after the value ``x`` and return the name of the last output."""
    in_order = sorted(layers, key=lambda layer: layer.index)  # a stable sort: the layers of an entry keep their order
    for _, entry in groupby(in_order, key=lambda layer: layer.index):
        x = add_entry(graph, list(entry), x)
    return x


def add_entry(graph: Graph, layers: Sequence[Layer[Any]], x: str) -> str:
    """Add the nodes of one entry; ONNX's Conv and Gemm add the bias that the engine's activation adds."""
    name = f"layers.{layers[0].index}"
    b = [graph.constant(f"{name}.b", layer.params["b"]) for layer in layers if "b" in layer.params]
    for layer in layers:
        x = layer.add_onnx(graph, x, name, b)
    return x
