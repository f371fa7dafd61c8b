"""The ONNX nodes of each kind of layer.

The engine may work in another order than the config says: behind a convolution comes max pooling first, then bias and
activation. The graph has the order of the config, and so reads as the network was described: Conv with its bias, the
activation, MaxPool. All activations are monotone, so the values are the same.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from cnntrain.exporting.graph import Graph
from cnntrain.layers.activation import Activation
from cnntrain.layers.base import Layer
from cnntrain.layers.batch_norm import BatchNorm
from cnntrain.layers.conv import Conv
from cnntrain.layers.dropout import Dropout
from cnntrain.layers.fc import Fc
from cnntrain.layers.pool import AveragePool, GlobalAveragePool, MaxPool, Pool
from cnntrain.layers.softmax import Softmax
from cnntrain.ops.activations import ELU, Identity, LeakyReLU, ReLU, Sigmoid, Softplus, Tanh

OPERATORS: dict[type, tuple[str, dict[str, float]] | None] = {
    Identity: None,
    ReLU: ("Relu", {}),
    LeakyReLU: ("LeakyRelu", {"alpha": LeakyReLU.slope}),
    Sigmoid: ("Sigmoid", {}),
    Tanh: ("Tanh", {}),
    Softplus: ("Softplus", {}),
    ELU: ("Elu", {"alpha": 1.0}),
}
"""The operator of each activation and its attributes; None where nothing is to do."""


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
        match step:
            case Conv():
                W, g = graph.constant(f"{name}.W", step.to_edge("W", step.params["W"])), step.geometry
                x = graph.node(
                    "Conv", [x, W, *b], f"{name}.z", kernel_shape=[g.F] * 2, pads=[g.P] * 4, strides=[g.S] * 2
                )
            case Fc():
                W = graph.constant(f"{name}.W", step.to_edge("W", step.params["W"]))
                if len(step.in_shape) == 3:
                    x = graph.node("Flatten", [x], f"{name}.x", axis=1)
                x = graph.node("Gemm", [x, W, *b], f"{name}.z", transB=1)
            case BatchNorm():
                statistics = [graph.constant(f"{name}.{key}", step.params[key]) for key in step.statistics]
                inputs = [x, graph.constant(f"{name}.gamma", step.params["gamma"]), *b, *statistics]
                x = graph.node("BatchNormalization", inputs, f"{name}.z", epsilon=step.eps)
            case Pool():
                x = add_pool(graph, step, x, f"{name}.pool")
            case GlobalAveragePool():
                x = graph.node("GlobalAveragePool", [x], f"{name}.pool")
            case Dropout():
                pass  # nothing is left out in use
            case Activation():
                operator = OPERATORS[type(step.sigma)]
                if operator is not None:
                    x = graph.node(operator[0], [x], f"{name}.a", **operator[1])
            case Softmax():
                x = graph.node("Softmax", [x], f"{name}.softmax", axis=1)
            case _:
                raise TypeError(f"no ONNX nodes are known for {type(step).__name__}")
    return x


def add_pool(graph: Graph, pool: Pool, x: str, output: str) -> str:
    """Add a pool: the last rows and columns are left out where no region fits, which is ``ceil_mode`` 0."""
    operators: dict[type, str] = {MaxPool: "MaxPool", AveragePool: "AveragePool"}
    sides, strides = list(pool.region), [pool.S] * 2
    return graph.node(operators[type(pool)], [x], output, kernel_shape=sides, strides=strides, ceil_mode=0)
