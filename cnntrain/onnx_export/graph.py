"""An ONNX graph in the making: nodes one after the other, and the numbers that they take."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from cnntrain.types import Array


class Graph:
    """Collects nodes and constants. Every constant is float32."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, name: str, values: Array | Iterable[float]) -> str:
        """Keep ``values`` under ``name``, and return the name."""
        array = np.array(values, np.float32, order="C")
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def node(self, operator: str, inputs: Iterable[str], output: str, **attributes: Any) -> str:
        """Add a node that computes ``output``, and return that name."""
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output
