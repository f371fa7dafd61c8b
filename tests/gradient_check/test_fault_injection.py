"""Deliberate faults: each is caught wherever it can be put, and refused where it would change nothing."""

import itertools

import pytest

import cnntrain
from cnntrain.errors import UsageError
from cnntrain.gradient_check.fault_injection import FAULTS

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
INPUT = (2, 9, 10)

# Which entries a fault can be put into; it is refused at all others.
APPLIES = {
    "plain": {"no_flip": {0, 2}, "no_mask": {0, 2, 4}, "mean_for_sum": {0, 2, 4, 5}, "lost_stride": {1}},
    "strides": {"no_flip": {0}, "no_mask": {0}, "mean_for_sum": {0, 1, 3}, "lost_stride": {0, 1}},
    "gaps": {"no_flip": {1}, "no_mask": {1}, "mean_for_sum": {1, 3}, "lost_stride": {0, 1}},
    "normalized": {
        "no_flip": {1},
        "no_mask": {0, 2, 4},
        "mean_for_sum": {0, 1, 2, 6, 7, 9},
        "lost_stride": {3},
        "no_mean": {0, 2, 7},
    },
    "one-pixel outputs": {"no_flip": {0}, "no_mask": {0}, "mean_for_sum": {0, 2, 3}, "lost_stride": {0}},
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
    assert wrong == {"input", "layers.0.W", "layers.0.b", "layers.2.W"}


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
