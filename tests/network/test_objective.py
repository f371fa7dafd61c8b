"""J and its gradients: losses, reductions and penalties, against finite differences in float64."""

import numpy as np
import pytest

from cnntrain import textbook
from cnntrain.network.objective import balanced_weights

LAYERS = [
    {"conv": {"K": 2, "F": 2, "activation": "tanh"}},
    {"pool": {"k": 2, "type": "max"}},
    {"fc": {"units": 3, "activation": "softmax"}},
]
N = 4


@pytest.fixture
def build(make_network):
    return lambda **training: make_network(LAYERS, (1, 5, 3), **training)


@pytest.fixture
def x():
    return np.random.default_rng(5).normal(size=(N, 1, 5, 3))


@pytest.fixture
def y():
    return np.array([0, 2, 1, 2])


def numeric_gradient(J, values, h=1e-5):
    """Central differences of J() by every entry of ``values``, which is changed in place."""
    gradient = np.empty_like(values)
    for at in np.ndindex(values.shape):
        before, found = values[at], []
        for step in (h, -h):
            values[at] = before + step
            found.append(J())
        values[at] = before
        gradient[at] = (found[0] - found[1]) / (2 * h)
    return gradient


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
@pytest.mark.parametrize(
    "terms",
    [{}, {"l2": 0.3}, {"l1": 0.2}, {"l1": 0.1, "l2": 0.4}, {"class_weights": [0.3, 2.0, 1.1]}],
    ids=str,
)
def test_gradients_are_those_of_J(build, x, y, reduction, loss, terms):
    assert_gradients_are_those_of_J(build(reduction=reduction, loss=loss, **terms), x, y)


@pytest.mark.parametrize("class_weights", [None, [0.3, 2.0, 1.1]])
def test_gradients_are_those_of_J_with_smoothed_labels(build, x, y, class_weights):
    assert_gradients_are_those_of_J(build(label_smoothing=0.2, class_weights=class_weights), x, y)


def assert_gradients_are_those_of_J(network, x, y):
    parameters = network.parameters()

    def J():
        network.set_parameters(parameters)
        return network.loss_and_gradients(x, y)[0]

    _, grads, dx = network.loss_and_gradients(x, y)
    for name, analytic in {**grads, "x": dx}.items():
        numeric = numeric_gradient(J, {**parameters, "x": x}[name])
        np.testing.assert_allclose(analytic, numeric, rtol=0, atol=1e-7 * np.abs(numeric).max(), err_msg=name)


def test_J_is_the_loss_of_the_output(build, x, y):
    output = build().forward(x)
    expected = {
        "cross_entropy": -np.log(output[np.arange(N), y]),
        "mse": 0.5 * ((output - np.eye(3)[y]) ** 2).sum(axis=1),
    }
    for loss, samples in expected.items():
        assert build(loss=loss, reduction="sum").loss_and_gradients(x, y)[0] == pytest.approx(samples.sum(), rel=1e-13)
        assert build(loss=loss, reduction="mean").loss_and_gradients(x, y)[0] == pytest.approx(
            samples.mean(), rel=1e-13
        )


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_J_weighs_the_losses_of_smoothed_labels(build, x, y, reduction):
    """With mean, too, J is divided by the number of samples, not by the sum of their weights."""
    weights = np.array([0.3, 2.0, 1.1])
    a = build().forward(x)
    t = 0.8 * np.eye(3)[y] + 0.2 / 3
    expected = (weights[y] * -(t * np.log(a)).sum(axis=1)).sum() / (N if reduction == "mean" else 1)
    J, _, _ = build(reduction=reduction, label_smoothing=0.2, class_weights=weights.tolist()).loss_and_gradients(x, y)
    assert pytest.approx(expected, rel=1e-13) == J


def test_weights_go_to_their_classes_where_an_image_is_the_output(make_network, x):
    """Outputs are in H, C, W order inside the network, classes in C, H, W order."""
    weights = [1.0, 10.0, 100.0, 1000.0]
    layers = [{"conv": {"K": 2, "F": 2, "S": 2}}]
    plain, weighted = (make_network(layers, (1, 5, 3), class_weights=given) for given in (None, weights))
    for label, weight in enumerate(weights):
        y = np.full(N, label)
        assert weighted.loss_and_gradients(x, y)[0] == pytest.approx(weight * plain.loss_and_gradients(x, y)[0])


def test_balanced_weights_make_all_classes_count_alike():
    labels = np.array([0, 0, 0, 0, 0, 2, 2, 1])
    weights = balanced_weights(labels, 4)
    assert weights[:3] == pytest.approx([textbook.balanced_weight(labels.tolist(), c, 3) for c in range(3)])
    assert weights == (8 / 15, 8 / 3, 8 / 6, 1)  # no sample of class 3, and so nothing to weigh
    assert np.mean(np.take(weights, labels)) == pytest.approx(1)
    counts = np.bincount(labels, weights=np.take(weights, labels))
    np.testing.assert_allclose(counts[:3], 8 / 3)


def test_classes_of_an_image_are_counted_in_C_H_W_order(make_network, x):
    network = make_network([{"conv": {"K": 2, "F": 2, "S": 2}}], (1, 5, 3), reduction="sum")
    output = network.forward(x).reshape(N, 4)  # K = 2, OH = 2, OW = 1
    for label in range(4):
        J, _, _ = network.loss_and_gradients(x, np.full(N, label))
        assert pytest.approx(0.5 * ((output - np.eye(4)[label]) ** 2).sum(), rel=1e-13) == J


def test_mean_is_the_sum_over_the_batch_size(build, x, y):
    J_sum, grads_sum, dx_sum = build(reduction="sum").loss_and_gradients(x, y)
    J_mean, grads_mean, dx_mean = build(reduction="mean").loss_and_gradients(x, y)
    assert J_mean == pytest.approx(J_sum / N, rel=1e-14)
    np.testing.assert_allclose(dx_mean, dx_sum / N, rtol=1e-12)
    for name in grads_sum:
        np.testing.assert_allclose(grads_mean[name], grads_sum[name] / N, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_penalties_are_on_W_alone_and_count_once_a_batch(build, x, y, reduction):
    plain, penalised = build(reduction=reduction), build(reduction=reduction, l1=0.2, l2=0.3)
    parameters = plain.parameters()
    W = [value for name, value in parameters.items() if name.endswith("W")]
    expected = sum(0.2 * np.abs(value).sum() + 0.15 * (value**2).sum() for value in W)
    J, grads, dx = plain.loss_and_gradients(x, y)
    J_penalised, grads_penalised, dx_penalised = penalised.loss_and_gradients(x, y)
    assert J_penalised - J == pytest.approx(expected, rel=1e-12)
    np.testing.assert_array_equal(dx_penalised, dx)
    for name, value in parameters.items():
        share = 0.2 * np.sign(value) + 0.3 * value if name.endswith("W") else np.zeros_like(value)
        np.testing.assert_allclose(grads_penalised[name] - grads[name], share, rtol=1e-11, atol=1e-13)


def test_l1_does_not_move_a_weight_that_is_zero(build, x, y):
    zeros = {name: np.zeros_like(value) for name, value in build().parameters().items()}
    plain, penalised = build(), build(l1=5.0)
    for network in (plain, penalised):
        network.set_parameters(zeros)
    for name, gradient in penalised.loss_and_gradients(x, y)[1].items():
        np.testing.assert_array_equal(gradient, plain.loss_and_gradients(x, y)[1][name])


def test_sure_and_wrong_network_has_a_finite_loss(build, x, y):
    """Logits of 1e4: a probability of 0 in any type, but not an infinite loss."""
    network = build()
    parameters = {name: 0 * value for name, value in network.parameters().items()}
    parameters["layers.2.b"] = np.array([1e4, -1e4, 0])
    network.set_parameters(parameters)
    J, grads, dx = network.loss_and_gradients(x, y)
    assert pytest.approx((0 + 1e4 + 2e4 + 1e4) / N) == J
    assert all(np.isfinite(value).all() for value in (dx, *grads.values()))
