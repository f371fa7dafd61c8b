"""Softmax and the losses: their formulas, and logits so far apart that a careless formula gives NaN."""

import numpy as np
import pytest

from cnntrain import textbook
from cnntrain.ops.losses import (
    LOSSES,
    cross_entropy,
    mse,
    smoothed_cross_entropy,
    softmax,
    softmax_backward,
    training_loss,
)

both_types = pytest.mark.parametrize("dtype", ["float32", "float64"])


def probabilities(z):
    a = np.empty_like(z)
    softmax(z, a)
    return a


@pytest.fixture
def z():
    return np.random.default_rng(0).normal(0, 3, (5, 7))


@pytest.fixture
def y():
    return np.array([0, 1, 2, 3, 4, 0, 1])


def test_softmax_is_the_formula_and_sums_to_one(z):
    np.testing.assert_allclose(probabilities(z), np.exp(z) / np.exp(z).sum(axis=0), rtol=1e-13)
    np.testing.assert_allclose(probabilities(z).sum(axis=0), 1, rtol=1e-14)


def test_softmax_leaves_the_scores_alone(z):
    before = z.copy()
    probabilities(z)
    np.testing.assert_array_equal(z, before)


def test_softmax_backward_is_the_jacobian(z):
    a, delta = probabilities(z), np.random.default_rng(1).normal(size=z.shape)
    expected = [(np.diag(column) - np.outer(column, column)) @ d for column, d in zip(a.T, delta.T, strict=True)]
    np.testing.assert_allclose(softmax_backward(delta, a), np.transpose(expected), rtol=1e-12, atol=1e-15)


def test_cross_entropy_is_the_formula(z, y):
    loss, delta = cross_entropy(z, y)
    a = np.exp(z) / np.exp(z).sum(axis=0)
    np.testing.assert_allclose(loss, -np.log(a[y, range(7)]), rtol=1e-12)
    np.testing.assert_allclose(delta, a - np.eye(5)[y].T, rtol=1e-12, atol=1e-15)


def test_mse_is_the_formula(z, y):
    loss, delta = mse(z, y)
    np.testing.assert_allclose(delta, z - np.eye(5)[y].T, rtol=1e-15)
    np.testing.assert_allclose(loss, ((z - np.eye(5)[y].T) ** 2).sum(axis=0) / 2, rtol=1e-14)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_losses_leave_the_output_alone_and_keep_its_type(loss, z, y):
    z = z.astype("float32")
    before = z.copy()
    J, delta = loss(z, y)
    np.testing.assert_array_equal(z, before)
    assert J.dtype == delta.dtype == np.float32
    assert J.shape == (7,)


@both_types
@pytest.mark.parametrize("size", [1e4, 1e30])
def test_logits_far_apart_give_finite_numbers(size, dtype):
    z = np.array([[size, size, -size], [-size, -size, -size], [-size, size, -size]], dtype)
    np.testing.assert_allclose(probabilities(z), [[1, 0.5, 1 / 3], [0, 0, 1 / 3], [0, 0.5, 1 / 3]], rtol=1e-6)
    for labels in ([0, 0, 0], [1, 1, 1], [2, 2, 2]):
        loss, delta = cross_entropy(z, np.array(labels))
        gap = z.max(axis=0) - z[labels, range(3)]
        np.testing.assert_allclose(loss, gap + np.log([1, 2, 3]), rtol=1e-6)
        np.testing.assert_allclose(delta, probabilities(z) - np.eye(3)[labels].T, rtol=1e-6, atol=1e-7)


def test_one_class_leaves_nothing_to_learn():
    loss, delta = cross_entropy(np.array([[3.0, -8.0]]), np.array([0, 0]))
    np.testing.assert_array_equal(loss, [0, 0])
    np.testing.assert_array_equal(delta, [[0, 0]])


@pytest.mark.parametrize("share", [0.05, 0.5, 0.999])
def test_smoothed_labels_are_those_of_the_textbook(z, y, share):
    loss, delta = smoothed_cross_entropy(z, y, share)
    for n, label in enumerate(y):
        t = textbook.smoothed_label(np.eye(5)[label], share)
        assert loss[n] == pytest.approx(textbook.loss_value(z[:, n], t, "softmax", "cross_entropy"), rel=1e-12)
        expected = textbook.output_delta(z[:, n], t, "softmax", "cross_entropy")
        np.testing.assert_allclose(delta[:, n], expected, rtol=1e-12, atol=1e-15)


def test_a_share_of_next_to_nothing_is_the_plain_cross_entropy(z, y):
    for smoothed, plain in zip(smoothed_cross_entropy(z, y, 1e-300), cross_entropy(z, y), strict=True):
        np.testing.assert_allclose(smoothed, plain, rtol=1e-14, atol=1e-15)


@both_types
def test_smoothed_labels_and_logits_far_apart_give_finite_numbers(dtype):
    z = np.array([[1e30, 1e30], [-1e30, -1e30]], dtype)
    loss, delta = smoothed_cross_entropy(z, np.array([0, 1]), 0.1)
    np.testing.assert_allclose(loss, [0.05 * 2e30, 0.95 * 2e30], rtol=1e-6)
    np.testing.assert_allclose(delta, [[0.05, 0.95], [-0.05, -0.95]], rtol=1e-6)
    assert loss.dtype == delta.dtype == dtype


def test_without_smoothing_and_weights_the_loss_is_the_plain_function():
    for name, function in LOSSES.items():
        assert training_loss(name, 0.0, None) is function


@pytest.mark.parametrize(("name", "share"), [("cross_entropy", 0.0), ("cross_entropy", 0.2), ("mse", 0.0)])
def test_weights_multiply_the_loss_and_its_delta(z, y, name, share):
    weights = np.array([0.5, 1.0, 2.0, 4.0, 0.1])
    loss, delta = training_loss(name, share, weights)(z, y)
    plain_loss, plain_delta = training_loss(name, share, None)(z, y)
    np.testing.assert_allclose(loss, plain_loss * weights[y], rtol=1e-15)
    np.testing.assert_allclose(delta, plain_delta * weights[y], rtol=1e-15)
