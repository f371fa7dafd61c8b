"""The engine computes what the textbook writes, on networks drawn at random: outputs, J, every dW and db, and dJ/dx."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import cnntrain
from cnntrain import textbook
from cnntrain.config import config_from_dict

TOLERANCE = 1e-12  # of the greatest magnitude
ACTIVATIONS = st.sampled_from(sorted(textbook.SIGMA))


@dataclass(frozen=True)
class Case:
    """A network as in the YAML file, and N samples."""

    in_shape: tuple[int, int, int]
    layers: list[dict[str, Any]]
    loss: str
    reduction: str
    N: int
    seed: int


@st.composite
def conv(draw, shape):
    _, H, W = shape
    P = draw(st.integers(0, 4))
    F, S = draw(st.integers(1, min(4, min(H, W) + 2 * P))), draw(st.integers(1, 4))
    K = draw(st.integers(1, 3))
    options = {"K": K, "F": F, "P": P, "S": S, "activation": draw(ACTIVATIONS)}
    return {"conv": options}, (K, (H + 2 * P - F) // S + 1, (W + 2 * P - F) // S + 1)


@st.composite
def pool(draw, shape):
    C, H, W = shape
    k, S = draw(st.integers(1, min(3, H, W))), draw(st.integers(1, 4))
    options = {"k": k, "S": S, "type": draw(st.sampled_from(["max", "average"]))}
    return {"pool": options}, (C, (H - k) // S + 1, (W - k) // S + 1)


@st.composite
def cases(draw):
    shape = in_shape = (draw(st.integers(1, 3)), draw(st.integers(1, 7)), draw(st.integers(1, 7)))
    layers = []
    for _ in range(draw(st.integers(0, 3))):
        layer, shape = draw(st.one_of(conv(shape), pool(shape)))
        layers.append(layer)
    fc = st.builds(
        lambda units, activation: {"fc": {"units": units, "activation": activation}}, st.integers(1, 4), ACTIVATIONS
    )
    softmax = st.builds(lambda units: {"fc": {"units": units, "activation": "softmax"}}, st.integers(2, 4))
    end = draw(st.sampled_from(["softmax", "fc", "image"] if layers else ["softmax", "fc"]))
    if end != "image":
        layers += draw(st.lists(fc, max_size=2))
        layers.append(draw(softmax if end == "softmax" else fc))
    loss = draw(st.sampled_from(["cross_entropy", "mse"])) if end == "softmax" else "mse"
    return Case(
        in_shape,
        layers,
        loss,
        draw(st.sampled_from(["sum", "mean"])),
        draw(st.integers(1, 3)),
        draw(st.integers(0, 999)),
    )


def network_of(case):
    training = {"loss": case.loss, "reduction": case.reduction}
    config = {"network": {"input": list(case.in_shape), "layers": case.layers}, "training": training}
    return cnntrain.build(config_from_dict(config, "random"), dtype="float64")


def filled(case):
    """The network with random W and b, images, labels; small enough that no activation is far out on its flat side."""
    network, rng = network_of(case), np.random.default_rng(case.seed)
    parameters = {
        name: rng.uniform(-1, 1, value.shape) / (np.sqrt(value[0].size) if name.endswith("W") else 2)
        for name, value in network.parameters().items()
    }
    network.set_parameters(parameters)
    x = rng.uniform(-1, 1, (case.N, *case.in_shape))
    return network, parameters, x, rng.integers(np.prod(network.out_shape), size=case.N)


def textbook_gradients(case, parameters, x, y):
    """J, gradients and dx of the batch, summed or averaged sample by sample."""
    samples = [
        textbook.sample_gradients(case.layers, parameters, *sample, case.loss) for sample in zip(x, y, strict=True)
    ]
    scale = 1 / len(x) if case.reduction == "mean" else 1
    J = scale * sum(loss for loss, _, _ in samples)
    gradients = {name: scale * sum(gradient[name] for _, gradient, _ in samples) for name in parameters}
    return J, gradients, scale * np.array([dx for _, _, dx in samples])


def has_near_tie(case, parameters, x):
    """Whether a max pool must choose between values that differ by rounding only, and may choose either.

    Exact zeros are let through: they come from relu, which passes no delta on whichever is chosen.
    """
    for sample in x:
        _, a = textbook.forward(case.layers, parameters, sample)
        for at, layer in enumerate(case.layers):
            options = layer.get("pool", {"type": None})
            if options["type"] != "max" or options["k"] == 1:
                continue
            k, S = options["k"], options["S"]
            for c, i, j in np.ndindex(a[at + 1].shape):
                second, first = np.sort(a[at][c, S * i : S * i + k, S * j : S * j + k], axis=None)[-2:]
                if first != 0 and first - second < 1e-9:
                    return True
    return False


def assert_close(value, expected, name, scale=1.0):
    """Compare with the greatest magnitude expected, or with ``scale`` if that is greater.

    A tensor of one entry may be a sum that happens to cancel, and then keeps the rounding of its greater terms: those
    of a gradient are of the order of the network's gradients, those of an output of the order of 1. Alone it is
    compared less sharply.
    """
    value, expected = np.asarray(value), np.asarray(expected)
    assert value.shape == expected.shape, name
    error, greatest = np.abs(value - expected).max(), np.abs(expected).max()
    assert error <= TOLERANCE * max(greatest, scale), name
    assert error <= 1e-8 * greatest, name


def assert_engine_is_textbook(case, network, parameters, x, y):
    network.loss_and_gradients(np.ascontiguousarray(1 - x[::-1]), y)  # leaves something in the buffers that are reused
    outputs = [textbook.forward(case.layers, parameters, sample)[1][-1] for sample in x]
    expected_J, expected, expected_dx = textbook_gradients(case, parameters, x, y)
    assert_close(network.forward(x), outputs, "output")
    J, gradients, dx = network.loss_and_gradients(x, y)
    assert_close(J, expected_J, "J")
    assert gradients.keys() == expected.keys()
    gradients["dx"], expected["dx"] = dx, expected_dx
    scale = max(np.abs(gradient).max() for gradient in expected.values())
    for name, gradient in gradients.items():
        assert_close(gradient, expected[name], name, scale)


@settings(max_examples=300, deadline=None)
@given(cases())
def test_engine_is_textbook(case):
    network, parameters, x, y = filled(case)
    assume(not has_near_tie(case, parameters, x))
    assert_engine_is_textbook(case, network, parameters, x, y)


@st.composite
def cases_with_ties(draw):
    """conv, max pool, fc; with whole numbers in the convolution nothing is rounded, so every tie is a tie for both."""
    in_shape = (draw(st.integers(1, 2)), draw(st.integers(1, 7)), draw(st.integers(1, 7)))
    first, shape = draw(conv(in_shape))
    first["conv"]["activation"] = draw(st.sampled_from(["identity", "relu", "leaky_relu"]))
    second, _ = draw(pool(shape))
    second["pool"]["type"] = "max"
    return Case(in_shape, [first, second, {"fc": {"units": 2}}], "mse", "sum", 2, draw(st.integers(0, 999)))


@settings(max_examples=150, deadline=None)
@given(cases_with_ties())
def test_in_a_tie_the_engine_takes_the_textbooks_winner(case):
    network, parameters, x, y = filled(case)
    parameters |= {name: np.round(4 * parameters[name]) for name in ("layers.0.W", "layers.0.b")}
    network.set_parameters(parameters)
    assert_engine_is_textbook(case, network, parameters, np.round(2 * x), y)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_a_batch_of_several_slices_is_the_sum_of_its_samples(reduction):
    layers = [
        {"conv": {"K": 2, "F": 3, "P": 1, "activation": "relu"}},
        {"pool": {"k": 2, "type": "max"}},  # S = k
        {"fc": {"units": 3, "activation": "softmax"}},
    ]
    case = Case((1, 4, 5), layers, "cross_entropy", reduction, 70, 0)
    network, parameters, x, y = filled(case)
    assert network.slice_size < case.N
    assert_engine_is_textbook(case, network, parameters, x, y)
