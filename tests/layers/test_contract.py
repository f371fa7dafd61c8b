"""What must hold for every layer.

A new layer gets all of these checks for one line in CASES; leaving the line out fails
``test_every_layer_class_has_a_case``. Checks special to one layer have files of their own.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import cnntrain.layers
from cnntrain.config.schema.entries import OPTIONS, LayerEntry
from cnntrain.config.schema.layers import ConvOptions, FcOptions, PoolOptions
from cnntrain.layers.activation import Activation
from cnntrain.layers.base import Layer
from cnntrain.layers.batch_norm import BatchNorm
from cnntrain.layers.dropout import Dropout
from cnntrain.layers.pool import AveragePool, GlobalAveragePool, MaxPool
from cnntrain.layers.softmax import Softmax
from cnntrain.ops.activations import ACTIVATIONS
from cnntrain.ops.counter_rng import SampleIds
from cnntrain.ops.phases import memory_shape
from cnntrain.types import Array, Shape

POOLS: dict[str, Any] = {"max": MaxPool, "average": AveragePool}

Make = Callable[[], Layer[Any]]


def conv(in_shape: Shape, **options: Any) -> Make:
    return lambda: ConvOptions(**options).make(0, in_shape, seed=0)


def pool(in_shape: Shape, **options: Any) -> Make:
    entry = PoolOptions(**options)
    return lambda: POOLS[entry.type](0, in_shape, entry.region(in_shape[0], in_shape[2]), entry.stride, entry.P)


def fc(in_shape: Shape, units: int) -> Make:
    return lambda: FcOptions(units=units).make(0, in_shape, seed=0)


def residual(in_shape: Shape, *layers: dict[str, Any], **options: Any) -> Make:
    entry = LayerEntry.model_validate({"residual": {"layers": layers, **options}})
    return lambda: entry.options.make(0, in_shape, seed=0)


def activation(in_shape: Shape, sigma: str) -> Make:
    return lambda: Activation(0, "conv" if len(in_shape) == 3 else "fc", sigma, in_shape)


def batch_norm(in_shape: Shape, overwrites: bool = False, **options: Any) -> Make:
    return lambda: BatchNorm(0, in_shape, overwrites=overwrites, **options)


# Shapes are (H, C, W) or (features,). Images of 10 columns or more lie in memory by phase.
CASES: dict[str, Make] = {
    "conv": conv((5, 3, 4), K=2, F=3),
    "conv of one pixel a kernel": conv((4, 3, 4), K=2, F=1),
    "conv of every other pixel": conv((4, 2, 5), K=2, F=1, S=2),
    "conv P=1": conv((4, 1, 5), K=3, F=3, P=1),
    "conv P=F-1": conv((4, 1, 4), K=2, F=3, P=2),
    "conv P=F": conv((3, 2, 4), K=2, F=2, P=2),
    "conv P=F+1": conv((3, 1, 2), K=2, F=2, P=3),
    "conv P=F+1, S=2": conv((3, 1, 4), K=2, F=2, P=3, S=2),
    "conv P=2 under a one-pixel kernel": conv((2, 2, 3), K=2, F=1, P=2, S=3),
    "conv S=2, last row unread": conv((6, 2, 7), K=2, F=3, S=2),
    "conv S=2, last column unread": conv((7, 2, 6), K=2, F=3, S=2),
    "conv S=2, P=1": conv((6, 2, 5), K=2, F=4, P=1, S=2),
    "conv S=3, F=5": conv((9, 1, 8), K=2, F=5, P=1, S=3),
    "conv S>F, gaps": conv((5, 1, 8), K=1, F=2, S=3),
    "conv S>F, gaps and padding": conv((5, 2, 5), K=1, F=2, P=1, S=4),
    "conv to one pixel": conv((3, 2, 3), K=3, F=3),
    "conv to one row": conv((3, 2, 6), K=3, F=3),
    "conv to one column": conv((6, 2, 3), K=3, F=3),
    "conv of one pixel": conv((1, 3, 1), K=2, F=1),
    "conv of one pixel, padded": conv((1, 1, 1), K=2, F=3, P=1),
    "conv larger than the image": conv((2, 1, 2), K=2, F=5, P=2),
    "conv of many filters": conv((4, 5, 4), K=9, F=3, P=1),
    "conv of many channels": conv((6, 16, 3), K=16, F=3, P=1),
    "conv of many channels, F=5": conv((5, 16, 1), K=16, F=5, P=2),
    **{
        f"{type} pool {name}": pool(in_shape, type=type, **options)
        for type in POOLS
        for name, in_shape, options in [
            ("", (4, 2, 6), {"k": 2}),
            ("S<k, overlap", (4, 2, 5), {"k": 2, "S": 1}),
            ("S<k, overlap of k=3, unread", (6, 1, 8), {"k": 3, "S": 2}),
            ("S=1, k=3", (4, 2, 5), {"k": 3, "S": 1}),
            ("S>k, gaps", (5, 2, 8), {"k": 2, "S": 3}),
            ("k=3, unread rows and columns", (5, 1, 7), {"k": 3}),
            ("k=1", (2, 2, 3), {"k": 1}),
            ("k=1, S=2", (3, 1, 4), {"k": 1, "S": 2}),
            ("k=4", (4, 1, 8), {"k": 4}),
            ("to one pixel", (3, 2, 3), {"k": 3}),
            ("of all", (4, 2, 6), {"k": "all"}),
            ("of all rows, one column", (5, 2, 1), {"k": "all"}),
        ]
    },
    **{
        f"wide: {name}": make
        for name, make in {
            "conv from 4 phases to 2": conv((3, 2, 12), K=2, F=3),
            "conv from 4 phases to 1, S=2": conv((5, 2, 13), K=2, F=4, P=1, S=2),
            "conv from 2 phases to 4": conv((3, 1, 14), K=2, F=3, P=2),
            "conv of every third pixel": conv((4, 1, 36), K=2, F=1, S=3),
            "conv along the height": conv((5, 16, 12), K=16, F=3, P=1),
            "conv along both axes": conv((5, 32, 12), K=32, F=3, P=1),
            "conv of 5 x 5 along both axes": conv((6, 32, 12), K=32, F=5),
            "max pool from 4 phases to 1": pool((4, 1, 16), k=2, type="max"),
            "max pool from 4 phases to 4": pool((2, 2, 24), k=2, type="max"),
            "max pool of 3 with padding": pool((5, 1, 12), k=3, S=2, P=1, type="max"),
            "max pool of 3, S=3": pool((3, 2, 36), k=3, type="max"),
            "max pool, gaps": pool((4, 1, 14), k=2, S=3, type="max"),
            "average pool, overlap": pool((3, 1, 12), k=3, S=1, type="average"),
            "average pool with padding": pool((4, 1, 10), k=2, P=1, type="average"),
            "average of all": lambda: GlobalAveragePool(0, (3, 2, 12)),
            "fc": fc((2, 3, 12), units=2),
            "dropout": lambda: Dropout(0, (3, 2, 12), 0.3, seed=0),
            "activation": activation((3, 2, 12), "tanh"),
            "batch_norm": batch_norm((3, 2, 12)),
            "residual": residual((3, 2, 12), {"conv": {"K": 3, "F": 3, "P": 1, "S": 2}}, activation="tanh"),
        }.items()
    },
    "average of all": lambda: GlobalAveragePool(0, (3, 2, 5)),
    "average of one pixel": lambda: GlobalAveragePool(0, (1, 2, 1)),
    **{
        f"{type} pool with padding {name}": pool(in_shape, type=type, **options)
        for type in POOLS
        for name, in_shape, options in [
            ("k=3, S=2, as in ResNet", (6, 2, 7), {"k": 3, "S": 2, "P": 1}),
            ("k=3, S=1", (4, 2, 5), {"k": 3, "S": 1, "P": 1}),
            ("k=2, no overlap", (4, 1, 6), {"k": 2, "P": 1}),
            ("k=4, gaps, rows unread", (5, 2, 6), {"k": 4, "S": 5, "P": 2}),
            ("of one pixel", (1, 2, 1), {"k": 3, "P": 1}),
            ("of the whole image", (2, 2, 2), {"k": 4, "P": 1}),
        ]
    },
    "residual": residual((4, 2, 3), {"conv": {"K": 2, "F": 3, "P": 1}}),
    "residual that ends in an activation": residual(
        (4, 2, 3), {"conv": {"K": 2, "F": 3, "P": 1, "activation": "tanh"}}, activation="softplus"
    ),
    "residual with a convolution in the shortcut": residual(
        (5, 2, 4), {"conv": {"K": 3, "F": 3, "P": 1, "S": 2}}, activation="sigmoid"
    ),
    "residual as in ResNet": residual(
        (5, 2, 4),
        {"conv": {"K": 4, "F": 3, "P": 1, "S": 2}},
        {"batch_norm": {"activation": "elu", "eps": 0.1}},
        {"conv": {"K": 4, "F": 3, "P": 1}},
        {"batch_norm": {"eps": 0.1}},
        activation="tanh",
    ),
    "residual with normalization first": residual(
        (4, 2, 3),
        {"batch_norm": {"activation": "tanh", "eps": 0.1}},
        {"conv": {"K": 2, "F": 3, "P": 1}},
        {"dropout": {"rate": 0.3}},
    ),
    "residual of dropout": residual((3, 2, 3), {"dropout": {"rate": 0.3}}),
    "residual of pools": residual((4, 2, 6), {"pool": {"k": 3, "S": 1, "P": 1, "type": "max"}}),
    "residual of an average": residual((4, 2, 6), {"pool": {"k": 3, "S": 1, "P": 1, "type": "average"}}),
    "residual of vectors": residual(
        (5,), {"fc": {"units": 3, "activation": "tanh"}}, {"fc": {"units": 5}}, activation="elu"
    ),
    "residual in a residual": residual(
        (4, 2, 3),
        {"residual": {"layers": [{"conv": {"K": 3, "F": 1, "activation": "tanh"}}, {"dropout": {}}]}},
        {"residual": {"layers": [{"residual": {"layers": [{"dropout": {"rate": 0.2}}]}}], "shortcut": "conv"}},
        activation="leaky_relu",
    ),
    "dropout of an image": lambda: Dropout(0, (3, 2, 3), 0.3, seed=0),
    "dropout of a vector": lambda: Dropout(1, (37,), 0.5, seed=0),
    "dropout of nothing": lambda: Dropout(1, (7,), 0.0, seed=0),
    "fc of an image": fc((2, 3, 4), units=5),
    "fc of a vector": fc((7,), units=3),
    "fc of one unit": fc((3, 1, 2), units=1),
    **{f"{sigma} of an image": activation((3, 2, 4), sigma) for sigma in ACTIVATIONS},
    **{f"{sigma} of a vector": activation((5,), sigma) for sigma in ACTIVATIONS},
    "batch_norm of an image": batch_norm((3, 2, 4)),
    "batch_norm of an image with many rows": batch_norm((19, 64, 61)),
    "batch_norm that overwrites an image": batch_norm((3, 2, 4), overwrites=True),
    "batch_norm that overwrites a vector": batch_norm((5,), overwrites=True, eps=0.1),
    "batch_norm of one pixel": batch_norm((1, 3, 1)),
    "batch_norm of a vector": batch_norm((5,), eps=0.1),
    "softmax": lambda: Softmax(0, (4,)),
    "softmax of one unit": lambda: Softmax(0, (1,)),
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def layer(request: pytest.FixtureRequest) -> Layer[Any]:
    layer: Layer[Any] = request.param()
    if "b" in layer.params:  # near 0, so that x + b stays away from the kinks
        layer.params["b"][...] = np.random.default_rng(3).uniform(-0.002, 0.002, layer.params["b"].shape)
    return layer


def distinct_values(shape: Shape, dtype: str = "float64", seed: int = 1) -> Array:
    """Values in [-1, 1], none equal and none near 0: no tie for max, no kink for ReLU."""
    steps = np.arange(np.prod(shape)) + 0.25
    return np.random.default_rng(seed).permutation(2 * steps / steps.size - 1).reshape(shape).astype(dtype)


def run(layer: Layer[Any], x: Array, delta: Array, cache: Any = None, want_delta: bool = True) -> dict[str, Array]:
    """Forward and back; copies of the output, the gradients and delta_prev."""
    cache = layer.cache(x.shape[-1], x.dtype) if cache is None else cache
    y = layer.forward(x.copy(), cache).copy()
    grads = {name: np.full(value.shape, np.nan, x.dtype) for name, value in layer.params.items()}
    delta_prev = layer.backward(delta.copy(), cache, grads, want_delta)
    return {"y": y, **grads} | ({} if delta_prev is None else {"x": delta_prev.copy()})


def delta_for(layer: Layer[Any], n: int, dtype: str = "float64") -> Array:
    return np.random.default_rng(2).normal(size=(*memory_shape(layer.out_shape), n)).astype(dtype)


def bits(arrays: dict[str, Array]) -> dict[str, bytes]:
    return {name: value.tobytes() for name, value in arrays.items()}


def test_every_layer_class_has_a_case():
    modules = [
        importlib.import_module(f"cnntrain.layers.{m.name}") for m in pkgutil.iter_modules(cnntrain.layers.__path__)
    ]
    classes = {
        value
        for module in modules
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Layer) and not inspect.isabstract(value)
    }
    assert classes == {type(make()) for make in CASES.values()}


def test_kind_is_one_that_a_config_can_name(layer):
    assert layer.kind in OPTIONS


def test_output_and_gradients_have_the_promised_shapes(layer):
    results = run(layer, distinct_values((*memory_shape(layer.in_shape), 2)), delta_for(layer, 2))
    shapes = {"y": (*memory_shape(layer.out_shape), 2), "x": (*memory_shape(layer.in_shape), 2)}
    shapes |= {name: value.shape for name, value in layer.params.items()}
    assert {name: value.shape for name, value in results.items()} == shapes


def trained(layer: Layer[Any]) -> dict[str, Array]:
    return {name: value for name, value in layer.params.items() if name not in layer.buffers}


def test_gradients_match_finite_differences(layer):
    x, delta = distinct_values((*memory_shape(layer.in_shape), 2)), delta_for(layer, 2)
    results, h = run(layer, x, delta), 1e-5
    cache = layer.cache(2, "float64")
    for name, values in {"x": x, **trained(layer)}.items():
        numeric, analytic = [], []
        for at in list(np.ndindex(values.shape))[:: 1 + values.size // 500]:
            before, J = values[at], []
            for step in (h, -h):
                values[at] = before + step
                J.append(np.sum(layer.forward(x.copy(), cache) * delta))
            values[at] = before
            numeric.append((J[0] - J[1]) / (2 * h))
            analytic.append(results[name][at])
        np.testing.assert_allclose(analytic, numeric, rtol=0, atol=1e-7 * max(np.abs(numeric).max(), 1e-3))


def test_float32_stays_float32(layer):
    layer.params = {name: value.astype("float32") for name, value in layer.params.items()}
    results = run(layer, distinct_values((*memory_shape(layer.in_shape), 3), "float32"), delta_for(layer, 3, "float32"))
    assert {value.dtype.name for value in results.values()} == {"float32"}


def test_used_memory_gives_the_same_bits_as_new_memory(layer):
    cache = layer.cache(3, "float64")
    for seed in (7, 8):
        x, delta = distinct_values((*memory_shape(layer.in_shape), 3), seed=seed), delta_for(layer, 3) * seed
        assert bits(run(layer, x, delta, cache)) == bits(run(layer, x, delta))
        assert layer.forward(x.copy(), cache).tobytes() == layer.forward(x.copy(), cache).tobytes()


def test_gradients_do_not_depend_on_whether_delta_is_wanted(layer):
    x, delta = distinct_values((*memory_shape(layer.in_shape), 3)), delta_for(layer, 3)
    with_delta, without = run(layer, x, delta), run(layer, x, delta, want_delta=False)
    with_delta.pop("x")
    without.pop("x", None)
    assert bits(with_delta) == bits(without)


def test_memories_do_not_disturb_each_other(layer):
    x, delta = distinct_values((*memory_shape(layer.in_shape), 3)), delta_for(layer, 3)
    single, cache = run(layer, x, delta), layer.cache(3, "float64")
    y = layer.forward(x.copy(), cache)
    for n in (1, 3, 5):
        run(layer, distinct_values((*memory_shape(layer.in_shape), n), seed=n), delta_for(layer, n))
    assert y.tobytes() == single["y"].tobytes()
    grads = {name: np.empty(value.shape) for name, value in layer.params.items()}
    delta_prev = layer.backward(delta.copy(), cache, grads)
    assert bits({"y": single["y"], **grads, "x": delta_prev}) == bits(single)


def test_samples_do_not_mix_in_use(layer):
    x = distinct_values((*memory_shape(layer.in_shape), 3))
    together = layer.infer(x.copy(), layer.cache(3, x.dtype)).copy()
    for i in range(3):
        single = layer.infer(x[..., i : i + 1].copy(), layer.cache(1, x.dtype))
        np.testing.assert_allclose(together[..., i : i + 1], single, rtol=1e-12, atol=1e-14)


def test_samples_do_not_mix_in_training(layer):
    if layer.buffers:
        pytest.skip("normalizes by the mean and variance of its micro-batch")
    x, delta = distinct_values((*memory_shape(layer.in_shape), 3)), delta_for(layer, 3)
    together = run(layer, x, delta)
    single = []
    for i in range(3):
        cache = layer.cache(1, "float64")
        cache.set_sample_ids(SampleIds(0, np.array([i])))
        single.append(run(layer, x[..., i : i + 1], delta[..., i : i + 1], cache))
    for name, value in together.items():
        parts = [one[name] for one in single]
        expected = sum(parts) if name in layer.params else np.concatenate(parts, axis=-1)
        np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-13)


def test_edge_layout_and_back_is_the_parameter_itself(layer):
    for name, value in layer.params.items():
        np.testing.assert_array_equal(layer.from_edge(name, layer.to_edge(name, value)), value)
