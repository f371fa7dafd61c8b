"""A new kind of layer is an options class, a layer class and a formula: all else works without other edits."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, final

import numpy as np
import pytest
from numpy.typing import DTypeLike

from cnntrain.builder import make_layers, micro_batch_size
from cnntrain.config.schema.layers import FcOptions
from cnntrain.config.schema.options import LayerOptions
from cnntrain.gradient_check.check import GradientCheck
from cnntrain.gradient_check.fault_injection import inject
from cnntrain.layers.base import Layer, OnnxGraph
from cnntrain.layers.fault import Fault
from cnntrain.network.network import Network
from cnntrain.network.objective import Objective
from cnntrain.network.summary import describe
from cnntrain.ops.workspace import Workspaces, workspace
from cnntrain.types import Array, Shape

SHAPE = (4, 2, 3)
"""(H, C, W) of an image."""


class GainCache(Workspaces):
    x: Array

    def __init__(self, shape: Shape, n: int, dtype: DTypeLike):
        super().__init__(n, dtype)
        self.shape = shape

    @workspace
    def y(self) -> Shape:
        return (*self.shape, self.n)

    @partial(workspace, use="delta")
    def delta_prev(self) -> Shape:
        return (*self.shape, self.n)


def forget_the_gain(
    layer: Any, x: Array, delta: Array, cache: GainCache, grads: dict[str, Array], want_delta: bool
) -> Array | None:
    layer.backward(delta, cache, grads, want_delta)
    return delta


def gain_formula(g: Array, x: Array) -> Array:
    """y_chw = g_c x_chw, one sample (C, H, W): as in ``cnntrain.textbook``."""
    y = np.zeros(x.shape)
    for c, h, w in np.ndindex(x.shape):
        y[c, h, w] = g[c] * x[c, h, w]
    return y


@pytest.fixture
def gain_layer() -> type[Layer[GainCache]]:
    @final
    class Gain(Layer[GainCache]):
        """y = g x, one trained factor g per channel."""

        kind = "gain"
        faults: ClassVar[Mapping[str, Fault]] = {"no_gain": Fault("gain: delta passes unscaled", forget_the_gain)}

        def __init__(self, index: int, in_shape: Shape, initial: float):
            self.index, self.in_shape, self.out_shape = index, in_shape, in_shape
            self.params = {"g": np.full(in_shape[1], initial)}

        @property
        def multiply_adds(self) -> int:
            return int(np.prod(self.in_shape))

        def cache(self, n: int, dtype: DTypeLike) -> GainCache:
            return GainCache(self.in_shape, n, dtype)

        def forward(self, x: Array, cache: GainCache) -> Array:
            cache.x = x
            return np.multiply(x, self.params["g"][:, None, None], out=cache.y)

        def backward(
            self, delta: Array, cache: GainCache, grads: dict[str, Array], want_delta: bool = True
        ) -> Array | None:
            grads["g"][...] = (delta * cache.x).sum(axis=(0, 2, 3))
            return np.multiply(delta, self.params["g"][:, None, None], out=cache.delta_prev) if want_delta else None

        def add_onnx(self, graph: OnnxGraph, x: str, name: str, b: Sequence[str]) -> str:
            g = graph.constant(f"{name}.g", self.params["g"][:, None, None])
            return graph.node("Mul", [x, g], f"{name}.y")

    return Gain


@pytest.fixture
def network(gain_layer) -> Network:
    class GainOptions(LayerOptions):
        """``gain``: every channel times a trained factor."""

        initial: float = 1.5

        def parameter_count(self, in_shape: Shape) -> int:
            return in_shape[0]

        def make(self, index: int, in_shape: Shape, seed: int, before: LayerOptions | None = None) -> Layer[Any]:
            return gain_layer(index, in_shape, self.initial)

    entries = [GainOptions(), FcOptions(units=3, activation="softmax")]
    layers = list(make_layers(entries, SHAPE, seed=0))
    return Network(layers, Objective(), "float64", micro_batch_size(layers, 8))


def check(network: Network) -> dict[str, float]:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(4, *network.in_shape)), rng.integers(0, 3, 4)
    results = GradientCheck(network, x, y, rng).results("all", 1e-6)
    return {tensor["name"]: tensor["max_relative_error"] for tensor in results}


def test_forward_pass_is_its_formula(network):
    x = np.random.default_rng(0).normal(size=(2, 4, 3))
    layer = network.layers[0]
    cache = layer.cache(1, "float64")
    y = layer.forward(x.transpose(1, 0, 2)[..., None].copy(), cache)
    np.testing.assert_array_equal(y[..., 0].transpose(1, 0, 2), gain_formula(layer.params["g"], x))


def test_gradient_check_proves_it_and_detects_its_fault(network):
    errors = check(network)
    assert set(errors) == {"layers.0.g", "layers.1.W", "layers.1.b", "input"}
    assert max(errors.values()) < 1e-7
    inject(network, "layers.0:no_gain")
    faulty = check(network)
    assert faulty["input"] > 0.1
    assert faulty["layers.0.g"] < 1e-7


def test_parameters_go_into_and_come_out_of_the_vector(network):
    np.testing.assert_array_equal(network.parameters()["layers.0.g"], [1.5, 1.5])
    state = network.state() | {"layers.0.g": np.array([2.0, -1.0])}
    network.set_state(state)
    np.testing.assert_array_equal(network.layers[0].params["g"], [2, -1])


def test_summary_counts_it(network):
    (row, _) = describe(network)["layers"]
    assert row == {
        "index": 0,
        "type": "gain",
        "output_shape": [2, 4, 3],
        "parameters": 2,
        "multiply_adds": 24,
        "frozen": False,
        "notes": [],
    }


def test_onnx_runs_it(network):
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    from cnntrain.onnx_export.graph import Graph, add_layers

    graph = Graph()
    output = add_layers(graph, network.layers, "x")
    info = onnx.helper.make_tensor_value_info
    inputs = [info("x", onnx.TensorProto.FLOAT, ["N", 2, 4, 3])]
    outputs = [info(output, onnx.TensorProto.FLOAT, ["N", 3])]
    opset = [onnx.helper.make_opsetid("", 17)]
    made = onnx.helper.make_graph(graph.nodes, "toy", inputs, outputs, graph.constants)
    model = onnx.helper.make_model(made, opset_imports=opset, ir_version=8)
    x = np.random.default_rng(0).normal(size=(5, 2, 4, 3)).astype(np.float32)
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"x": x})
    np.testing.assert_allclose(y, network.forward(x), rtol=1e-5, atol=1e-6)
