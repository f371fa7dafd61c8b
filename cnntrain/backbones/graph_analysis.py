"""Finds out how an ONNX graph takes images, and where its features are.

The **features** are the input of the classifier, the last layer with weights. Behind it there may be a softmax and
changes of shape. A classifier is a matrix product (Gemm, MatMul), or a 1 x 1 convolution: on the pooled features, or
followed by pooling (SqueezeNet). A graph that ends in pooling without a classifier is taken whole: its output is the
features.
"""

from collections.abc import Iterator
from typing import NamedTuple

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, shape_inference

from cnntrain.backbones.spec import Layout
from cnntrain.errors import DataError

PASSED = {
    *("Softmax", "LogSoftmax", "Sigmoid", "Identity", "Dropout", "Cast"),
    *("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose"),
}
"""Operators that may follow the classifier."""
ACTIVATIONS = {"Relu", "Clip", "LeakyRelu", "PRelu", "HardSwish", "Sigmoid", "Mul"}
POOLS = {"GlobalAveragePool", "ReduceMean", "AveragePool"}
IMAGENET = {1000, 1001, 21_841, 21_843, 11_821}
"""Numbers of ImageNet's classes."""
TYPES = {TensorProto.FLOAT: "float32", TensorProto.FLOAT16: "float16", TensorProto.UINT8: "uint8"}
"""Types of pixels."""
INPUTS = dict.fromkeys(PASSED | ACTIVATIONS | POOLS | {"Sub", "Div", "Pad"}, 1)
INPUTS |= dict.fromkeys(("Conv", "Gemm", "MatMul", "QGemm", "Add"), 2)
"""The fewest inputs of the operators that are looked at."""
Dim = int | None


class ImageInput(NamedTuple):
    """The input of the graph."""

    name: str
    type: int
    layout: Layout
    channels: int
    size: tuple[Dim, Dim]
    """Rows and columns; None if any number is possible."""
    batch: Dim


class FeatureOutput(NamedTuple):
    """The tensor with the features."""

    name: str
    is_pooled: bool
    """Whether its mean over rows and columns is to be taken."""
    reason: str


def image_input(model: ModelProto, name: str) -> ImageInput:
    """Return the graph's input.

    Args:
        model: The model.
        name: The file, for messages.

    Raises:
        DataError: The graph does not take one batch of images.
    """
    for node in model.graph.node:
        if len(node.input) < (needed := INPUTS.get(node.op_type, 0)):
            raise DataError(
                f"{name}: the backbone is damaged: {_label(node)} has {len(node.input)} inputs, not {needed}"
            )
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    if len(inputs) != 1:
        listed = ", ".join(f"{value.name!r} ({_shape_text(value)})" for value in inputs[:6]) or "none"
        raise DataError(f"{name}: not an image network: it takes {len(inputs)} inputs, and one is needed: {listed}")
    (value,) = inputs
    kind, dims = value.type.tensor_type.elem_type, _dims(value)
    if kind not in TYPES or len(dims) != 4:
        raise DataError(
            f"{name}: not an image network: its input {value.name!r} is {_shape_text(value)}, and images are 4 axes of "
            f"{', '.join(TYPES.values())}"
        )
    batch = dims[0]
    if batch not in (None, 1):
        raise DataError(
            f"{name}: the input {value.name!r} takes {batch} images at a time; export the network for one image, or "
            "for any number of images"
        )
    layout, channels = _layout(model.graph, value, dims, name)
    H, W = dims[2:] if layout == "NCHW" else dims[1:3]
    return ImageInput(value.name, kind, layout, channels, (H, W), batch)


def _dims(value: ValueInfoProto) -> list[Dim]:
    """Return the sides of a tensor; None for one that is not fixed."""
    dims = value.type.tensor_type.shape.dim
    return [dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None for dim in dims]


def _shape_text(value: ValueInfoProto) -> str:
    kind = value.type.tensor_type.elem_type
    word = helper.tensor_dtype_to_np_dtype(kind).name if kind in helper.get_all_tensor_dtypes() else "no tensor"
    dims = [str(dim.dim_value or dim.dim_param or "?") for dim in value.type.tensor_type.shape.dim]
    return f"{word} [{', '.join(dims)}]"


def _layout(graph: GraphProto, value: ValueInfoProto, dims: list[Dim], name: str) -> tuple[Layout, int]:
    """Return the order of the axes and the number of channels: from the shape, else from the first convolution."""
    first, last = dims[1], dims[3]
    found: list[tuple[Layout, int]] = []
    if first in (1, 3):
        found.append(("NCHW", first))
    if last in (1, 3):
        found.append(("NHWC", last))
    if len(found) != 1:
        channels = _channels_of_first_conv(graph, value.name)
        if channels is not None and (first in (None, channels)):
            return "NCHW", channels
    if len(found) == 1:
        return found[0]
    what = "could be both" if found else "is neither"
    raise DataError(
        f"{name}: the input {value.name!r} is {_shape_text(value)}, which {what} N, C, H, W and N, H, W, C with 1 or 3 "
        "channels; export the network with fixed channels, rows and columns"
    )


def _channels_of_first_conv(graph: GraphProto, value: str) -> int | None:
    """Return the number of channels that the convolution on the input takes, if there is one with constant W."""
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    names = {value}
    for node in graph.node:
        if node.op_type in ("Sub", "Div", "Mul", "Add", "Identity", "Cast", "Pad") and node.input[0] in names:
            names.add(node.output[0])
        if node.op_type == "Conv" and node.input[0] in names and len(shapes.get(node.input[1], ())) == 4:
            group = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
            channels = shapes[node.input[1]][1] * group
            return channels if channels in (1, 3) else None
    return None


class Graph:
    """The nodes of a graph by the tensors that they write, and the tensors that depend on the images."""

    def __init__(self, model: ModelProto, images: str):
        graph = model.graph
        self.producers: dict[str, NodeProto] = {name: node for node in graph.node for name in node.output}
        self.data = {images}
        for node in graph.node:
            if not self.data.isdisjoint(node.input):
                self.data.update(node.output)
        self.shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
        for value in [*graph.value_info, *graph.output]:
            self.shapes[value.name] = [dim or 0 for dim in _dims(value)]

    def constant_shape(self, name: str) -> list[int] | None:
        """Return the shape of a constant, empty if it is unknown; None for a tensor that depends on the images."""
        return None if name in self.data else self.shapes.get(name, [])

    def classifier_of(self, node: NodeProto) -> tuple[str, str] | None:
        """Return the data input of a matrix product with constant W, and a description; None for other nodes."""
        if node.op_type in ("Gemm", "MatMul", "QGemm") and self.constant_shape(node.input[1]) is not None:
            return node.input[0], f"the input of the last layer {_label(node)}"
        if node.op_type == "Add":  # the bias behind MatMul
            for data, constant in (node.input[:2], node.input[1::-1]):
                before = self.producers.get(data)
                if self.constant_shape(constant) is not None and before is not None and before.op_type == "MatMul":
                    return self.classifier_of(before)
        return None

    def conv_1x1(self, node: NodeProto) -> int | None:
        """Return the number of filters of a 1 x 1 convolution; None for other nodes."""
        shape = self.constant_shape(node.input[1]) if node.op_type == "Conv" else None
        return shape[0] if shape and shape[2:] == [1, 1] else None


def feature_output(model: ModelProto, images: str, name: str) -> FeatureOutput:
    """Return the tensor that holds the features.

    Args:
        model: The model.
        images: The name of its input.
        name: The file, for messages.

    Raises:
        DataError: The graph has several outputs, or its end is not that of a classifier.
    """
    outputs = model.graph.output
    if len(outputs) != 1:
        listed = ", ".join(f"{value.name!r} ({_shape_text(value)})" for value in outputs[:6])
        raise DataError(
            f"{name}: the network has {len(outputs)} outputs: {listed}; a classifier has one: name the tensor with the "
            "features by data.features.output"
        )
    graph, end = Graph(with_shapes(model), images), outputs[0].name
    tensor, is_pooled, passed = end, False, set[str]()
    while (node := graph.producers.get(tensor)) is not None:
        if tensor in passed:
            raise DataError(f"{name}: the backbone is damaged: the tensor {tensor!r} depends on itself")
        passed.add(tensor)
        if node.op_type in PASSED or (is_pooled and node.op_type in ACTIVATIONS):
            tensor = node.input[0]
        elif found := graph.classifier_of(node):
            return FeatureOutput(found[0], False, found[1])
        elif (filters := graph.conv_1x1(node)) is not None and (not is_pooled or filters in IMAGENET):
            return FeatureOutput(node.input[0], True, f"the input of the last layer {_label(node)}")
        elif node.op_type in POOLS and not is_pooled:
            tensor, is_pooled = node.input[0], True
        elif is_pooled:
            return FeatureOutput(end, False, "the output, since no layer with weights follows the pooling")
        else:
            break
    raise DataError(
        f"{name}: the network does not end like a classifier, but in {_label(node) if node else 'its input'}; name the "
        "tensor with the features by data.features.output"
    )


def with_shapes(model: ModelProto) -> ModelProto:
    """Return a model with the shapes of its tensors, as far as they can be inferred."""
    try:
        return shape_inference.infer_shapes(model)
    except Exception:  # the C++ library raises many classes; the shapes are only needed for convolutions
        return model


def _label(node: NodeProto) -> str:
    return f"{node.name or next(iter(node.output), '')!r} ({node.op_type})"


def tensors_of(model: ModelProto) -> Iterator[str]:
    """Yield the names of all tensors that nodes write, in order."""
    for node in model.graph.node:
        yield from node.output
