"""Deliberate faults: each is caught wherever it can be put, and refused where it would change nothing."""

import itertools

import numpy as np
import pytest

import cnntrain
from cnntrain.config import config_from_dict
from cnntrain.errors import UsageError
from cnntrain.gradient_check.fault_injection import FAULTS, FaultyLayer, describe_faults
from cnntrain.layers.activation import Activation
from cnntrain.layers.row import walk
from cnntrain.ops.phases import memory_shape
from cnntrain.ops.winograd import WinogradConvolution

OUTPUT = {"fc": {"units": 3, "activation": "softmax"}}
NETWORKS = {
    "plain": [
        {"conv": {"K": 2, "F": 3, "activation": "relu"}},
        {"pool": {"k": 2, "type": "max"}},
        {"conv": {"K": 2, "F": 2, "P": 1, "activation": "leaky_relu"}},
        {"pool": {"k": 2, "S": 1, "type": "average"}},
        {"fc": {"units": 5, "activation": "sigmoid"}},
        OUTPUT,
    ],
    "strides": [
        {"conv": {"K": 2, "F": 3, "P": 1, "S": 2, "activation": "elu"}},
        {"conv": {"K": 3, "F": 1, "S": 2}},
        {"pool": {"k": 2, "S": 2, "type": "average"}},
        OUTPUT,
    ],
    "gaps": [
        {"pool": {"k": 1, "S": 2, "type": "max"}},
        {"conv": {"K": 2, "F": 2, "P": 1, "S": 3, "activation": "tanh"}},
        {"pool": {"k": 2, "S": 3, "type": "max"}},
        OUTPUT,
    ],
    "normalized": [
        {"batch_norm": {"activation": "tanh"}},
        {"conv": {"K": 3, "F": 3}},
        {"batch_norm": {"activation": "relu"}},
        {"pool": {"k": 2, "type": "max"}},
        {"dropout": {"rate": 0.3}},
        {"pool": {"k": "all", "type": "average"}},
        {"fc": {"units": 6}},
        {"batch_norm": {}},
        {"dropout": {"rate": 0}},
        OUTPUT,
    ],
    "one-pixel outputs": [
        {"conv": {"K": 2, "F": 5, "S": 4, "activation": "softplus"}},
        {"pool": {"k": 2, "S": 2, "type": "max"}},
        {"conv": {"K": 2, "F": 1, "S": 3}},
        OUTPUT,
    ],
}
WINOGRAD = [{"conv": {"K": 16, "F": F, "P": 1, "activation": "relu"}} for F in (3, 3, 5)]
INPUT = (2, 9, 10)

# Which entries a fault can be put into; it is refused at all others.
APPLIES = {
    "plain": {
        "no_flip": {0, 2},
        "flip_dW": {0, 2},
        "no_mask": {0, 2, 4},
        "mean_for_sum": {0, 2, 4, 5},
        "lost_stride": {1},
        "overwrite": {3},
    },
    "strides": {
        "no_flip": {0},
        "flip_dW": {0},
        "no_mask": {0},
        "mean_for_sum": {0, 1, 3},
        "lost_stride": {0, 1},
    },
    "gaps": {"no_flip": {1}, "flip_dW": {1}, "no_mask": {1}, "mean_for_sum": {1, 3}, "lost_stride": {0, 1}},
    "normalized": {
        "no_flip": {1},
        "flip_dW": {1},
        "no_mask": {0, 2, 4},
        "mean_for_sum": {0, 1, 2, 6, 7, 9},
        "lost_stride": {3},
        "no_mean": {0, 2, 7},
    },
    "one-pixel outputs": {
        "no_flip": {0},
        "flip_dW": {0},
        "no_mask": {0},
        "mean_for_sum": {0, 2, 3},
        "lost_stride": {0},
    },
}
PLACES = [
    (name, index, fault)
    for name, layers in NETWORKS.items()
    for index, fault in itertools.product(range(len(layers)), FAULTS)
]


@pytest.mark.parametrize("layers", NETWORKS.values(), ids=NETWORKS)
def test_without_a_fault_the_networks_pass(make_config, layers):
    assert cnntrain.gradcheck(make_config(layers, INPUT), samples=10)["passed"]


@pytest.mark.parametrize(("name", "index", "fault"), PLACES)
def test_fault_is_caught_where_it_applies_and_refused_elsewhere(make_config, name, index, fault):
    config, word = make_config(NETWORKS[name], INPUT), f"layers.{index}:{fault}"
    if index in APPLIES[name].get(fault, ()):
        result = cnntrain.gradcheck(config, samples=5, inject=[word])
        assert not result["passed"]
        assert result["worst"] > 1e-3
    else:
        with pytest.raises(UsageError) as caught:
            cnntrain.gradcheck(config, samples=5, inject=[word])
        assert word in str(caught.value)
        assert "\n" not in str(caught.value)


def test_only_tensors_at_and_before_the_fault_are_wrong(make_config):
    result = cnntrain.gradcheck(make_config(NETWORKS["plain"], INPUT), inject=["layers.2.W:no_flip"])
    wrong = {tensor["name"] for tensor in result["tensors"] if tensor["max_relative_error"] > 1e-3}
    assert wrong == {"input", "layers.0.W", "layers.0.b"}, "dW of the layer itself is right"


def test_several_faults_can_be_put_in_at_once(make_config):
    config = make_config(NETWORKS["plain"], INPUT)
    faults = ["layers.2.W:no_flip", "layers.4.b:no_mask", "layers.0:mean_for_sum"]
    assert not cnntrain.gradcheck(config, samples=3, inject=faults)["passed"]


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("layers.0.W:no_such", [*FAULTS]),
        ("layers.0.W", [*FAULTS]),
        ("no_flip", [*FAULTS]),
        ("", [*FAULTS]),
        ("layers.9.W:no_flip", ["layers.0 to layers.5"]),
        ("layers.-1.W:no_flip", ["layers.0 to layers.5"]),
        ("layers.x:no_flip", ["layers.0 to layers.5"]),
        ("conv.0:no_flip", ["layers.0 to layers.5"]),
        ("layers.0.W.1:no_flip", ["layers.0 to layers.5"]),
        ("layers.0.c:no_flip", ["layers.0.W", "layers.5.b"]),
        ("layers.1.W:lost_stride", ["layers.0.W", "layers.5.b"]),
    ],
)
def test_fault_that_is_not_understood_is_refused(make_config, word, words):
    with pytest.raises(UsageError) as caught:
        cnntrain.gradcheck(make_config(NETWORKS["plain"], INPUT), inject=[word])
    assert [word for word in words if word not in str(caught.value)] == []
    assert "\n" not in str(caught.value)


def gradients_of(layer, fault=None):
    """What a backward pass of one layer gives: the gradient of each parameter, and delta of the input."""
    rng = np.random.default_rng(3)
    x, delta = (rng.normal(size=(*memory_shape(shape), 2)) for shape in (layer.in_shape, layer.out_shape))
    faulty = layer if fault is None else FaultyLayer(layer, fault)
    cache = layer.cache(2, "float64")
    faulty.forward(x.copy(), cache)
    grads = {name: np.zeros(value.shape) for name, value in layer.params.items()}
    delta_prev = faulty.backward(delta.copy(), cache, grads)
    return {**grads, "delta": delta_prev.copy()}


def faulty_layers():
    for name, layers in {**NETWORKS, "Winograd": [*WINOGRAD, OUTPUT]}.items():
        config = config_from_dict({"network": {"input": INPUT, "layers": layers}}, "a test")
        for at, layer in walk(cnntrain.build(config, dtype="float64").layers):
            for fault, known in layer.faults.items():
                if known.applies(layer):
                    yield pytest.param(layer, fault, id=f"{name}, {at}, {type(layer).__name__}, {fault}")


@pytest.mark.parametrize(("layer", "fault"), list(faulty_layers()))
def test_a_fault_changes_one_thing_only(layer, fault):
    """The gradient of one parameter or delta; without sigma'(z), delta_z and all that follows from it is wrong."""
    right, wrong = gradients_of(layer), gradients_of(layer, fault)
    changed = {name for name in right if not np.allclose(right[name], wrong[name])}
    assert right.keys() == wrong.keys()
    if isinstance(layer, Activation) and fault == "no_mask":
        assert changed == {"b", "delta"}
    else:
        assert len(changed) == 1, changed
    assert changed <= {"delta", *right} - set(layer.buffers)


@pytest.mark.parametrize("index", [1, 2])
@pytest.mark.parametrize("fault", ["no_flip", "flip_dW", "mean_for_sum"])
def test_faults_are_caught_where_winograd_computes(make_config, index, fault):
    config = make_config([*WINOGRAD, OUTPUT], INPUT)
    layer = cnntrain.build(config).layers[2 * index]
    assert isinstance(layer.cache(1, "float64"), WinogradConvolution)
    assert not cnntrain.gradcheck(config, samples=5, inject=[f"layers.{index}.W:{fault}"])["passed"]


@pytest.mark.parametrize(
    ("word", "fault", "shows_in"),
    [
        ("layers.0.W:no_flip", "layers.0.W no_flip", ["input"]),
        ("layers.0.W:flip_dW", "layers.0.W flip_dW", ["layers.0.W"]),
        ("layers.2.W:mean_for_sum", "layers.2.W mean_for_sum", ["layers.2.W"]),
        ("layers.2.b:mean_for_sum", "layers.2.b mean_for_sum", ["layers.2.b"]),
        ("layers.2:mean_for_sum", "layers.2.W mean_for_sum", ["layers.2.W"]),
        ("layers.3:overwrite", "layers.3 overwrite", ["layers.0.W", "layers.0.b", "layers.2.W", "layers.2.b", "input"]),
        ("layers.0.b:no_mask", "layers.0.b no_mask", ["layers.0.W", "layers.0.b", "input"]),
    ],
)
def test_the_result_names_each_fault_and_the_gradients_that_show_it(make_config, word, fault, shows_in):
    result = cnntrain.gradcheck(make_config(NETWORKS["plain"], INPUT), inject=[word])
    assert result["faults"] == [{"fault": fault, "caught": True, "shows_in": shows_in}]


def test_of_several_faults_each_is_named_with_its_own_gradients(make_config):
    words = ["layers.2.W:mean_for_sum", "layers.4.b:mean_for_sum"]
    result = cnntrain.gradcheck(make_config(NETWORKS["plain"], INPUT), inject=words)
    assert [row["shows_in"] for row in result["faults"]] == [["layers.2.W"], ["layers.4.b"]]


def test_a_fault_that_nothing_shows_is_said_to_be_missed(make_config):
    config = make_config(NETWORKS["plain"], INPUT)
    result = cnntrain.gradcheck(config, threshold=1.5, inject=["layers.0.W:no_flip"])  # no relative error exceeds 1
    assert result["faults"] == [{"fault": "layers.0.W no_flip", "caught": False, "shows_in": []}]


def test_every_fault_is_described_with_its_layers_and_its_entries_in_a_network(make_config):
    rows = describe_faults()
    assert {row["fault"] for row in rows} == set(FAULTS)
    assert all(row["layers"] and row["description"] for row in rows)
    entries: dict[str, set[str]] = {}
    for row in describe_faults(cnntrain.build(make_config(NETWORKS["plain"], INPUT))):
        entries.setdefault(row["fault"], set()).update(row["entries"])
    expected = {fault: {f"layers.{index}" for index in at} for fault, at in APPLIES["plain"].items()}
    assert {fault: at for fault, at in entries.items() if at} == expected
