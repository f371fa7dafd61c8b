"""The ONNX graph of EfficientNet-Lite0.

Batch normalization is folded into the convolution before it::

    W gamma / s, beta - mean gamma / s        s = sqrt(variance + epsilon)
"""

from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from cnntrain.backbones.efficientnet_lite0 import EPSILON, FEATURE_TENSOR, NAME, SIDE, blocks, weights
from cnntrain.types import Array

OPSET, IR_VERSION = 17, 8


class _Graph:
    """The nodes and constants of the graph."""

    def __init__(self, tensors: dict[str, Array]):
        self.tensors = tensors
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.side = SIDE

    def constant(self, name: str, values: Array) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def conv(self, x: str, name: str, norm: str, S: int = 1, relu6: bool = True) -> str:
        """Add a convolution with batch normalization folded in, padded as in TensorFlow, and relu6."""
        W = self.tensors[f"{name}.weight"].astype(np.float64)
        gamma, beta, mean, variance = (
            self.tensors[f"{norm}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = gamma / np.sqrt(variance + EPSILON)
        K, C, F, _ = W.shape
        outputs = -(-self.side // S)
        padding = max((outputs - 1) * S + F - self.side, 0)
        self.side = outputs
        first = padding // 2  # if it is odd, the bottom and the right get one more
        inputs = [
            x,
            self.constant(f"{name}.W", W * factor[:, None, None, None]),
            self.constant(f"{name}.b", beta - mean * factor),
        ]
        pads = [first, first, padding - first, padding - first]
        group = K if C == 1 else 1
        x = self.node("Conv", inputs, name, kernel_shape=[F, F], strides=[S, S], pads=pads, group=group)
        return self.node("Clip", [x, "zero", "six"], f"{name}.relu6") if relu6 else x


def make_model() -> ModelProto:
    """Return EfficientNet-Lite0: standardized images ``(N, 3, 224, 224)`` -> 1,280 features and 1,000 logits.

    Raises:
        UsageError: The weights are not installed.
        DataError: The weights are damaged.
    """
    tensors = weights()
    graph = _Graph(tensors)
    graph.constant("zero", np.array(0))
    graph.constant("six", np.array(6))
    x = graph.conv("images", "_conv_stem", "_bn0", S=2)
    channels = len(tensors["_conv_stem.weight"])
    for index, stage, S in blocks():
        name, before = f"_blocks.{index}", x
        if stage.expand:
            x = graph.conv(x, f"{name}._expand_conv", f"{name}._bn0")
        x = graph.conv(x, f"{name}._depthwise_conv", f"{name}._bn1", S)
        x = graph.conv(x, f"{name}._project_conv", f"{name}._bn2", relu6=False)
        outputs = len(tensors[f"{name}._project_conv.weight"])
        if S == 1 and outputs == channels:
            x = graph.node("Add", [x, before], f"{name}.sum")
        channels = outputs
    x = graph.conv(x, "_conv_head", "_bn1")
    x = graph.node("GlobalAveragePool", [x], "pooled")
    x = graph.node("Flatten", [x], FEATURE_TENSOR, axis=1)
    W, b = graph.constant("_fc.W", tensors["_fc.weight"]), graph.constant("_fc.b", tensors["_fc.bias"])
    graph.node("Gemm", [x, W, b], "logits", transB=1)
    return helper.make_model(
        helper.make_graph(
            graph.nodes,
            NAME,
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", len(tensors["_fc.bias"])])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
