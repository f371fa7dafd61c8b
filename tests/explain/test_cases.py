"""Every layer and option: the numbers of an explanation are those of the engine, and the textbook computes the same."""

from dataclasses import replace

import numpy as np
import pytest

from cnntrain.errors import DivergedError, ExplanationError
from cnntrain.explain.arithmetic import recomputation
from cnntrain.explain.entry import Entry
from cnntrain.explain.explanation import KINDS, explain_layer, parts_of
from cnntrain.explain.subject import trace_subject
from cnntrain.layers.activation import Activation
from cnntrain.layers.base import Layer
from cnntrain.layers.fc import Fc
from cnntrain.network.network import Network
from cnntrain.network.objective import Objective
from layers.test_contract import CASES, distinct_values

MOST = 24
"""Pixels of a layer that are explained, at most."""


def subject_of(layer: Layer, N: int, then=()):
    """Two samples through the layer, and what follows it."""
    network = Network([layer, *then], Objective("mse"), "float64")
    for parameter in network.layout.parameters.values():
        values = network.theta[parameter.slice]
        values[...] = np.random.default_rng(5).uniform(-1, 1, values.size)
    x = distinct_values((*layer.in_shape, N))
    x = x.transpose(3, 1, 0, 2) if x.ndim == 4 else x.T
    return trace_subject(network, x, np.zeros(N, int), source="case")


def positions(entry: Entry):
    """Pixels of the input, spread over it."""
    shape = entry.trace.x.shape[1:]
    every = list(np.ndindex(shape[1:] if len(shape) == 3 else shape))
    most = MOST if entry.trace.x.size < 5000 else 2  # loops over all values of a channel take their time
    return every[:: 1 + len(every) // most]


@pytest.mark.parametrize("N", [1, 2])
@pytest.mark.parametrize("name", CASES)
def test_every_number_equals_engine_and_textbook(name, N):
    subject = subject_of(CASES[name](), N)
    numbers = 0
    for whole in subject.entries():
        outputs = len(whole.trace.delta[0])
        for turn, at in enumerate(positions(whole)):
            entry = replace(whole, filter=turn % outputs, at=at)
            result = recomputation(parts_of(subject, entry))
            assert result.largest_difference <= 1e-12
            numbers += result.numbers
    assert numbers > 0


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("conv")])
def test_a_convolution_with_its_activation_and_what_follows(name):
    layer = CASES[name]()
    sigma = Activation(0, "conv", "tanh", layer.out_shape)
    W = np.random.default_rng(1).normal(size=(3, np.prod(layer.out_shape)))
    after = [Fc(1, layer.out_shape, W), Activation(1, "fc", "sigmoid", (3,))]
    subject = subject_of(layer, 2, [sigma, *after])
    for entry in subject.entries():
        titles = [part.title for part in parts_of(subject, entry)]
        assert titles[0] == "forward"
        assert {"backward", "dW", "db"} <= set(titles)
        assert ("loss" in titles) == (entry.name == "1")
        explained = explain_layer(subject, entry.name)
        assert explained["recomputed"]["numbers"] >= 6
        assert explained["recomputed"]["largest_difference"] <= 1e-12


def test_every_class_of_layers_has_an_explanation():
    assert KINDS.keys() >= {type(make()) for make in CASES.values()}


def test_infinite_values_are_a_sentence():
    subject = subject_of(CASES["conv P=1"](), 1)
    subject.network.theta[0] = np.inf
    with pytest.raises(DivergedError, match="holds an infinity or NaN for this sample"):
        trace_subject(subject.network, subject.x, subject.y, source="case")


def test_values_that_cancel_are_no_error():
    """A mean of 1000 leaves few digits of x - mean, to the engine and to the textbook."""
    subject = subject_of(CASES["batch_norm of an image"](), 2)
    rng = np.random.default_rng(0)
    x = 1000 + 0.01 * rng.normal(size=subject.x.shape)
    near = trace_subject(subject.network, x, subject.y, source="case")
    assert explain_layer(near, "0")["recomputed"]["numbers"] > 5


def test_a_wrong_number_of_the_engine_is_an_error():
    subject = subject_of(CASES["conv P=1"](), 1)
    subject.trace[0].z[...] += 1e-9
    with pytest.raises(ExplanationError, match=r"[az]\[\d,\d,\d\] is .* in the engine, but the textbook computes"):
        explain_layer(subject, "0")
    assert ExplanationError.exit_code == 3
