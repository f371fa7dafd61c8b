"""Small image networks as ONNX files."""

from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper, save


def tiny_model(seed: int = 0, layout: str = "NCHW", batch: Any = "N", side: Any = 32, opset: int = 17) -> ModelProto:
    """Return a classifier: convolution, relu, pooling, 4 features, and 5 classes."""
    rng = np.random.default_rng(seed)

    def constant(name: str, *shape: int) -> TensorProto:
        return numpy_helper.from_array(rng.normal(0, 0.5, shape).astype(np.float32), name)

    nodes = []
    x = "images"
    if layout == "NHWC":
        nodes.append(helper.make_node("Transpose", [x], ["first"], perm=[0, 3, 1, 2]))
        x = "first"
    nodes += [
        helper.make_node("Conv", [x, "W"], ["z"], kernel_shape=[3, 3], strides=[2, 2]),
        helper.make_node("Relu", ["z"], ["map"]),
        helper.make_node("GlobalAveragePool", ["map"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "fc", "bias"], ["logits"], transB=1, name="classifier"),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    shape = [batch, 3, side, side] if layout == "NCHW" else [batch, side, side, 3]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [batch, 5])],
        [constant("W", 4, 3, 3, 3), constant("fc", 5, 4), constant("bias", 5)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def tiny_backbone(path: Path, **options: Any) -> Path:
    """Write a tiny classifier and return its path."""
    save(tiny_model(**options), str(path))
    return path
