"""A network as an ONNX model: pixels in, probabilities out; the metadata says what they mean."""

import json
from importlib.metadata import version

from onnx import ModelProto, TensorProto, ValueInfoProto, checker, helper

from cnntrain.data.pixels import BYTES
from cnntrain.errors import UsageError
from cnntrain.inference.predictor import Predictor
from cnntrain.onnx_export.graph import Graph, add_layers
from cnntrain.onnx_export.joined_model import add_features, joined

OPSET = 17
"""The ONNX operator set, of 2022; ONNX Runtime supports it since version 1.12."""
IR_VERSION = 8
"""The version of the file format, as old as the operator set."""
MAX_BYTES = 2_000_000_000
"""Maximum bytes of weights in an ONNX file: a protobuf message is limited to 2 GiB."""


def make_model(model: Predictor) -> ModelProto:
    """Return the ONNX model of ``model``, validated by ONNX's checker.

    The input is ``pixels``, ``(N, C, H, W)`` with any N: uint8 0..255 if the network was trained on bytes, else float32
    0..1, since rounding to bytes could lose what distinguishes the classes. The output ``(N, classes)``, float32, is
    named ``probabilities`` if the network ends in softmax, else ``outputs``. Weights are float32, even for a float64
    network: many ONNX programs support nothing else.

    Raises:
        UsageError: The weights do not fit into an ONNX file.
    """
    count = model.network.theta.size
    if 4 * count > MAX_BYTES:
        raise UsageError(
            f"the network has {count:,} parameters; an ONNX file holds up to {MAX_BYTES // 4:,} in float32"
        )
    graph = Graph()
    backbone = model.backbone
    if backbone is None:
        x = add_preprocessing(graph, model)
    else:
        x = add_standardization(graph, model, add_features(graph, backbone), 1)
    x = add_layers(graph, model.layers, x)
    if len(model.out_shape) == 3:
        graph.node("Flatten", [x], "flat", axis=1)
    output = "probabilities" if model.gives_probabilities else "outputs"
    graph.nodes[-1].output[0] = output
    outputs = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", len(model.classes)])
    if backbone is None:
        content = helper.make_graph(graph.nodes, "cnntrain", [pixels_info(model)], [outputs], graph.constants)
        onnx_model = helper.make_model(content, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    else:
        onnx_model = joined(graph, backbone, outputs)
        onnx_model.graph.input[0].doc_string = pixels_info(model).doc_string
    onnx_model.producer_name, onnx_model.producer_version = "cnntrain", version("cnntrain")
    helper.set_model_props(onnx_model, metadata(model))
    if onnx_model.ByteSize() > MAX_BYTES:
        raise UsageError(f"the ONNX file would have {onnx_model.ByteSize():,} bytes, of {MAX_BYTES:,} at most")
    checker.check_model(onnx_model, full_check=backbone is None)
    return onnx_model


def opset_of(model: ModelProto) -> int:
    """Return the version of the operator set of a model."""
    return next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), OPSET)


def takes_bytes(model: Predictor) -> bool:
    """Whether the ONNX file of ``model`` takes uint8."""
    return model.scale == BYTES


def pixels_info(model: Predictor) -> ValueInfoProto:
    """Return the input of the graph, with a sentence on what its numbers mean."""
    if takes_bytes(model):
        kind, words = TensorProto.UINT8, "Pixels 0..255 as they are in image files; 255 is white."
    else:
        kind, words = TensorProto.FLOAT, f"Pixels 0..1: those of the training images, divided by {model.scale.white}."
    return helper.make_tensor_value_info("pixels", kind, ["N", *model.in_shape], doc_string=words)


def add_preprocessing(graph: Graph, model: Predictor) -> str:
    """Add x = (pixel / top - mean) / std as one product and one sum, in the engine's own order of operations."""
    if not takes_bytes(model):
        return add_standardization(graph, model, "pixels", 1)
    x = graph.node("Cast", ["pixels"], "pixels.float", to=TensorProto.FLOAT)
    return add_standardization(graph, model, x, 255)


def add_standardization(graph: Graph, model: Predictor, x: str, top: int) -> str:
    """Add (x / top - mean) / std, for pixels or features."""
    scale, shift = model.preprocessing.affine(top)
    x = graph.node("Mul", [x, graph.constant("preprocessing.scale", scale[None])], "preprocessing.scaled")
    return graph.node("Add", [x, graph.constant("preprocessing.shift", shift[None])], "preprocessing.x")


def metadata(model: Predictor) -> dict[str, str]:
    """Return what a user of the file must know besides the graph; every value but the version is JSON."""
    return {
        "classes": json.dumps(model.classes),
        "input": json.dumps(
            {
                "channels": model.in_shape[0],
                "size": list(model.in_shape[1:]),
                "pixels": "uint8" if takes_bytes(model) else "float32",
                "white": model.scale.white,
            }
        ),
        "preprocessing": json.dumps(model.preprocessing.to_dict()),
        "cnntrain": version("cnntrain"),
    }
