"""An ONNX graph under construction."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from cnntrain.layers.base import Layer
from cnntrain.layers.row import Row
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
    return Row(layers).add_onnx(graph, x)
