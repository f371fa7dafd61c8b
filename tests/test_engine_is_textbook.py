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
from cnntrain.layers.dropout import Dropout
from cnntrain.layers.residual import Residual
from cnntrain.network.array_layout import to_edge
from cnntrain.ops.phases import memory_shape
from cnntrain.textbook.algorithm import branches

TOLERANCE = 1e-12  # of the greatest magnitude
ROUNDING = 1e-14  # of the terms of a sum that cancels
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
    type = draw(st.sampled_from(["max", "average"]))
    if draw(st.sampled_from([False, False, True])):
        return {"pool": {"k": "all", "type": type}}, (C, 1, 1)
    k, S = draw(st.integers(1, min(3, H, W))), draw(st.integers(1, 4))
    P = draw(st.integers(0, k // 2))
    options = {"k": k, "S": S, "P": P, "type": type}
    return {"pool": options}, (C, (H + 2 * P - k) // S + 1, (W + 2 * P - k) // S + 1)


@st.composite
def residual(draw, shape, depth=2):
    """A block of one to three layers that keep the rows and columns, or halve them, and perhaps a block inside."""
    C, H, W = shape
    S = draw(st.integers(1, 2))
    layers = [draw(st.one_of(BATCH_NORM, DROPOUT))] if draw(st.booleans()) else []
    F = draw(st.sampled_from([1, 3]))
    if S == 1 and draw(st.booleans()):
        layers.append({"pool": {"k": 3, "S": 1, "P": 1, "type": draw(st.sampled_from(["max", "average"]))}})
    else:
        C = draw(st.sampled_from([C, C + 1]))
        options = {"K": C, "F": F, "P": F // 2, "S": S, "activation": draw(ACTIVATIONS)}
        layers.append({"conv": options})
        H, W = (H - 1) // S + 1, (W - 1) // S + 1
    if depth > 1 and draw(st.booleans()):
        inside, (C, H, W) = draw(residual((C, H, W), depth - 1))
        layers.append(inside)
    layers += draw(st.lists(st.one_of(BATCH_NORM, DROPOUT), max_size=1))
    shortcut = "auto" if shape != (C, H, W) else draw(st.sampled_from(["auto", "conv"]))
    return {"residual": {"layers": layers, "shortcut": shortcut, "activation": draw(ACTIVATIONS)}}, (C, H, W)


BATCH_NORM = st.builds(
    lambda activation, eps: {"batch_norm": {"activation": activation, "eps": eps}},
    ACTIVATIONS,
    st.sampled_from([1e-3, 0.1]),
)
DROPOUT = st.builds(lambda rate: {"dropout": {"rate": rate}}, st.sampled_from([0.0, 0.3, 0.7]))


@st.composite
def cases(draw):
    shape = in_shape = (draw(st.integers(1, 3)), draw(st.integers(1, 7)), draw(st.integers(1, 7)))
    layers = []
    for _ in range(draw(st.integers(0, 3))):
        layer, shape = draw(st.one_of(conv(shape), pool(shape), residual(shape)))
        layers += [layer, *draw(st.lists(st.one_of(BATCH_NORM, DROPOUT), max_size=1))]
    fc = st.builds(
        lambda units, activation: {"fc": {"units": units, "activation": activation}}, st.integers(1, 4), ACTIVATIONS
    )
    softmax = st.builds(lambda units: {"fc": {"units": units, "activation": "softmax"}}, st.integers(2, 4))
    end = draw(st.sampled_from(["softmax", "fc", "image"] if layers else ["softmax", "fc"]))
    if end != "image":
        layers += draw(st.lists(st.one_of(fc, fc, BATCH_NORM, DROPOUT), max_size=2))
        layers.append(draw(softmax if end == "softmax" else fc))
    while len(layers) > 1 and "dropout" in layers[-1]:
        layers.pop()
    loss = draw(st.sampled_from(["cross_entropy", "mse"])) if end == "softmax" else "mse"
    return Case(
        in_shape,
        layers,
        loss,
        draw(st.sampled_from(["sum", "mean"])),
        draw(st.integers(1, 3)),
        draw(st.integers(0, 999)),
    )


def load_network(case):
    training = {"loss": case.loss, "reduction": case.reduction}
    config = {"network": {"input": list(case.in_shape), "layers": case.layers}, "training": training}
    return cnntrain.build(config_from_dict(config, "random"), dtype="float64")


def filled(case):
    """A network with random numbers in it, images, labels; so small that no activation is far out on its flat side."""
    network, rng = load_network(case), np.random.default_rng(case.seed)
    parameters = {
        name: rng.uniform(-1, 1, value.shape) / (np.sqrt(value[0].size) if name.endswith("W") else 2)
        for name, value in network.state().items()
    }
    parameters = {name: np.abs(value) if "running_var" in name else value for name, value in parameters.items()}
    network.set_state(parameters)
    x = rng.uniform(-1, 1, (case.N, *case.in_shape))
    return network, parameters, x, rng.integers(np.prod(network.out_shape), size=case.N)


def masks_of(layers, N):
    """The masks that the engine's dropouts draw for each sample, in the order of the edges; those of blocks nested."""
    masks = {}
    for layer in layers:
        if isinstance(layer, Residual):
            masks[layer.index] = masks_of(layer.F.layers, N)
        if isinstance(layer, Dropout):
            ones = np.ones((*memory_shape(layer.in_shape), N))
            masks[layer.index] = to_edge(layer.forward(ones, layer.cache(N, "float64")), layer.in_shape)
    return masks


def part_of(masks, part):
    """The masks of some samples."""
    return {at: part_of(mask, part) if isinstance(mask, dict) else mask[part] for at, mask in masks.items()}


def textbook_gradients(case, network, parameters, x, y):
    """J, gradients and dx of the batch, summed or averaged over micro-batches."""
    masks = masks_of(network.layers, len(x))
    scale = 1 / len(x) if case.reduction == "mean" else 1
    J, gradients, dx = 0, dict.fromkeys(network.parameters(), 0), []
    for part in network.micro_batches(len(x)):
        of_micro_batch = part_of(masks, part)
        loss, found, delta = textbook.micro_batch_gradients(
            case.layers, parameters, x[part], y[part], case.loss, of_micro_batch
        )
        J += scale * loss
        gradients = {name: gradient + scale * found[name] for name, gradient in gradients.items()}
        dx += delta
    return J, gradients, scale * np.array(dx)


def has_near_tie(layers, parameters, x, masks):
    """Whether a max pool must choose between values that differ by rounding only, and may choose either.

    Exact zeros are let through: they come from relu, which passes no delta on whichever is chosen.
    """
    _, a = textbook.micro_batch_forward(layers, parameters, x, masks)
    for at, layer in enumerate(layers):
        [(kind, options)] = layer.items()
        if kind == "residual":
            F, _ = branches(options, parameters, at)
            if has_near_tie(*F, a[at], masks.get(at)):
                return True
        if options.get("type") != "max":
            continue
        for sample, pooled in zip(a[at], a[at + 1], strict=True):
            for c, i, j in np.ndindex(pooled.shape):
                keys = options["k"], options.get("S", 1), options.get("P", 0)
                region = [sample[c, *pixel] for pixel in textbook.region_pixels(sample, i, j, *keys)]
                if len(region) > 1:
                    second, first = np.sort(region)[-2:]
                    if first != 0 and first - second < 1e-9:
                        return True
    return False


def assert_close(value, expected, name, scale=1.0):
    """Compare with the greatest magnitude expected, or with ``scale`` if that is greater.

    A tensor of one entry may be a sum that happens to cancel, and then keeps the rounding of its greater terms: those
    of a gradient are of the order of the network's gradients, those of an output of the order of 1. Alone it is
    compared less sharply, unless it is nothing but rounding: so is the gradient of what a batch_norm takes off again.
    """
    value, expected = np.asarray(value), np.asarray(expected)
    assert value.shape == expected.shape, name
    error, greatest = np.abs(value - expected).max(), np.abs(expected).max()
    assert error <= TOLERANCE * max(greatest, scale), name
    assert error <= 1e-8 * greatest or greatest <= TOLERANCE * scale or error <= ROUNDING * scale, name


def assert_engine_is_textbook(case, network, parameters, x, y):
    network.loss_and_gradients(np.ascontiguousarray(1 - x[::-1]), y)  # leaves something in the buffers that are reused
    outputs = [textbook.forward(case.layers, parameters, sample)[1][-1] for sample in x]
    expected_J, expected, expected_dx = textbook_gradients(case, network, parameters, x, y)
    assert_close(network.forward(x), outputs, "output")
    J, gradients, dx = network.loss_and_gradients(x, y)
    assert_close(J, expected_J, "J")
    assert gradients.keys() == expected.keys()
    gradients["dx"], expected["dx"] = dx, expected_dx
    scale = max(np.abs(gradient).max() for gradient in expected.values())
    for name, gradient in gradients.items():
        assert_close(gradient, expected[name], name, scale)


@settings(max_examples=150, deadline=None)
@given(cases())
def test_engine_is_textbook(case):
    network, parameters, x, y = filled(case)
    assume(not has_near_tie(case.layers, parameters, x, masks_of(network.layers, len(x))))
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


def test_a_batch_is_normalized_by_micro_batch():
    layers = [
        {"conv": {"K": 2, "F": 3, "P": 1}},
        {"batch_norm": {"activation": "relu"}},
        {"pool": {"k": 2, "type": "max"}},
        {"dropout": {"rate": 0.4}},
        {"fc": {"units": 5}},
        {"batch_norm": {"activation": "tanh"}},
        {"fc": {"units": 3, "activation": "softmax"}},
    ]
    case = Case((1, 4, 5), layers, "cross_entropy", "mean", 67, 0)
    network, parameters, x, y = filled(case)
    assert network.micro_batch_size < case.N
    assert_engine_is_textbook(case, network, parameters, x, y)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_a_batch_of_several_micro_batches_is_the_sum_of_its_samples(reduction):
    layers = [
        {"conv": {"K": 2, "F": 3, "P": 1, "activation": "relu"}},
        {"pool": {"k": 2, "type": "max"}},  # S = k
        {"fc": {"units": 3, "activation": "softmax"}},
    ]
    case = Case((1, 4, 5), layers, "cross_entropy", reduction, 70, 0)
    network, parameters, x, y = filled(case)
    assert network.micro_batch_size < case.N
    assert_engine_is_textbook(case, network, parameters, x, y)
