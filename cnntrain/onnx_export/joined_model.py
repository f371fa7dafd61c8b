"""Joins the graph of a backbone and the nodes of a trained network into one ONNX model."""

import numpy as np
from onnx import ModelProto, TensorProto, ValueInfoProto, helper, numpy_helper, version_converter

from cnntrain.backbones.backbone import Backbone
from cnntrain.backbones.feature_model import FEATURES
from cnntrain.backbones.runner import open_session
from cnntrain.errors import ExportError, visible
from cnntrain.onnx_export.graph import Graph

MIN_OPSET, OPSET = 13, 17
"""A graph of an older operator set than the first is converted to the second."""
TOLERANCE = 1e-4
"""Maximum difference, relative to the largest feature, between two images alone and the same in a batch."""


def add_features(graph: Graph, backbone: Backbone) -> str:
    """Add the change of shape behind the features; return the name of the tensor ``(N, C, H, W)``."""
    shape = numpy_helper.from_array(np.array([0, *backbone.spec.shape], np.int64), f"{FEATURES}.shape")
    graph.constants.append(shape)
    return graph.node("Reshape", [FEATURES, shape.name], f"{FEATURES}.shaped")


def joined(graph: Graph, backbone: Backbone, output: ValueInfoProto) -> ModelProto:
    """Return the graph of the backbone, followed by the nodes of ``graph``.

    Raises:
        ExportError: The operators of the backbone are too old to be converted.
    """
    model = with_any_batch(_recent(backbone), backbone)
    model.graph.node.extend(graph.nodes)
    model.graph.initializer.extend(graph.constants)
    model.graph.name = "cnntrain"
    del model.graph.output[:], model.graph.value_info[:]
    model.graph.output.append(output)
    if model.graph.input[0].type.tensor_type.shape.dim[0].dim_value:
        output.type.tensor_type.shape.dim[0].dim_value = 1
        model.graph.output[0].CopyFrom(output)
    return model


def _recent(backbone: Backbone) -> ModelProto:
    """Return a copy of the feature model, in an operator set that the nodes behind it can share."""
    model = ModelProto()
    model.CopyFrom(backbone.graph.model)
    version = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 1)
    if version >= MIN_OPSET:
        return model
    try:
        return version_converter.convert_version(model, OPSET)
    except Exception as error:  # the C++ library raises many classes
        raise ExportError(
            f"the backbone {backbone.spec.backbone} uses operator set {version}, which cannot be converted to {OPSET}: "
            f"{visible(str(error))[:200]}"
        ) from None


def with_any_batch(model: ModelProto, backbone: Backbone) -> ModelProto:
    """Return the feature model for any number of images, if it gives the same features; else for one."""
    if backbone.graph.batch is None:
        return model
    free = ModelProto()
    free.CopyFrom(model)
    shape: list[str | int | None] = ["N", *backbone.spec.image_shape]
    free.graph.input[0].CopyFrom(helper.make_tensor_value_info(free.graph.input[0].name, TensorProto.UINT8, shape))
    pixels = np.random.default_rng(0).integers(0, 256, (2, *backbone.spec.image_shape), dtype=np.uint8)
    try:
        (batch,) = open_session(free.SerializeToString()).run(None, {"pixels": pixels})
        alone = np.concatenate([backbone.runner.raw(image) for image in pixels])
    except Exception:  # ONNX Runtime raises many classes that share no base; the graph is made for one image
        return model
    if batch.shape != alone.shape or np.abs(batch - alone).max() > TOLERANCE * np.abs(alone).max():
        return model
    return free
