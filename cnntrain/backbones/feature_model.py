"""Turns an image network into a feature model: uint8 pixels ``(N, C, H, W)`` in, features out.

The preprocessing becomes part of the graph, as one product and one sum for each channel, and everything behind the
features is cut off. The names of the network's tensors get the prefix ``backbone.``, so that other nodes can follow.
"""

from typing import Any, NamedTuple

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, compose, helper, numpy_helper

from cnntrain.backbones.graph_analysis import ImageInput
from cnntrain.backbones.spec import BackboneSpec
from cnntrain.types import Array

PREFIX = "backbone."
PIXELS, FEATURES = "pixels", "features"


class FeatureGraph(NamedTuple):
    """The parts of a feature model, for a graph that goes on."""

    model: ModelProto
    """With one input, ``pixels``, and one output, ``features``."""
    batch: int | None
    """Images per run; None if any number is possible."""


def feature_model(network: ModelProto, taken: ImageInput, spec: BackboneSpec) -> FeatureGraph:
    """Return the feature model of a network.

    Args:
        network: The network; not changed.
        taken: Its input.
        spec: What its input means and where its features are; ``shape`` is not used.
    """
    model = compose.add_prefix(_pruned(network, taken.name, spec.output), PREFIX)
    graph = model.graph
    nodes, constants = _preprocessing(spec, taken.type, PREFIX + taken.name)
    nodes += graph.node
    features = PREFIX + spec.output
    if spec.is_pooled:
        nodes.append(helper.make_node("GlobalAveragePool", [features], [f"{FEATURES}.mean"]))
        features = f"{FEATURES}.mean"
    nodes.append(helper.make_node("Cast", [features], [FEATURES], to=TensorProto.FLOAT))
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(constants)
    graph.input.append(
        helper.make_tensor_value_info(PIXELS, TensorProto.UINT8, [taken.batch or "N", *spec.image_shape])
    )
    graph.output.append(helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, None))
    model.ir_version = max(model.ir_version, 8)
    return FeatureGraph(model, taken.batch)


def affine(spec: BackboneSpec) -> tuple[Array, Array]:
    """Return factor and shift, so that (pixel scale - mean) / std is pixel * factor + shift, each ``(1, C, 1, 1)``."""
    mean, std = np.array(spec.mean), np.array(spec.std)
    factor, shift = spec.scale / std, -mean / std
    return factor.astype(np.float32).reshape(1, -1, 1, 1), shift.astype(np.float32).reshape(1, -1, 1, 1)


def _preprocessing(spec: BackboneSpec, kind: int, output: str) -> tuple[list[NodeProto], list[TensorProto]]:
    """Return the nodes from ``pixels`` to the tensor ``output``, and their constants."""
    nodes: list[NodeProto] = []
    constants: list[TensorProto] = []
    x = PIXELS

    def node(operator: str, *constant: Array, **attributes: Any) -> None:
        nonlocal x
        name = f"{PIXELS}.{operator.lower()}"
        names = [f"{name}.{i}" for i in range(len(constant))]
        constants.extend(numpy_helper.from_array(values, own) for own, values in zip(names, constant, strict=True))
        nodes.append(helper.make_node(operator, [x, *names], [name], **attributes))
        x = name

    if spec.order == "bgr":
        node("Gather", np.array([2, 1, 0], np.int64), axis=1)
    if kind != TensorProto.UINT8:
        factor, shift = affine(spec)
        node("Cast", to=TensorProto.FLOAT)
        node("Mul", factor)
        node("Add", shift)
    if spec.layout == "NHWC":
        node("Transpose", perm=[0, 2, 3, 1])
    if kind == TensorProto.FLOAT16:
        nodes.append(helper.make_node("Cast", [x], [output], to=kind))
    else:
        nodes.append(helper.make_node("Identity", [x], [output]))
    return nodes, constants


def _pruned(network: ModelProto, start: str, end: str) -> ModelProto:
    """Return a copy of a network with the nodes that the tensor ``end`` depends on."""
    model = ModelProto()
    model.CopyFrom(network)
    graph = model.graph
    needed, kept = {end}, []
    for node in reversed(graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed |= _inputs(node)
    nodes = kept[::-1]
    constants = [tensor for tensor in graph.initializer if tensor.name in needed]
    sparse = [tensor for tensor in graph.sparse_initializer if tensor.values.name in needed]
    inputs = [value for value in graph.input if value.name == start]
    for field, values in (
        (graph.node, nodes),
        (graph.initializer, constants),
        (graph.sparse_initializer, sparse),
        (graph.input, inputs),
    ):
        copies = [type(value).FromString(value.SerializeToString()) for value in values]
        del field[:]
        field.extend(copies)
    del graph.value_info[:], graph.output[:], graph.quantization_annotation[:]
    graph.output.append(helper.make_tensor_value_info(end, TensorProto.FLOAT, None))
    return model


def _inputs(node: NodeProto) -> set[str]:
    """Return the tensors that a node reads, also in the graphs that it contains."""
    names = set(node.input)
    for attribute in node.attribute:
        for graph in [attribute.g] if attribute.HasField("g") else list(attribute.graphs):
            for inner in graph.node:
                names |= _inputs(inner)
            names |= {value.name for value in graph.output}
    return names
