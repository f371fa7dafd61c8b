"""The article's own worked examples, corrected where it misprints them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cnntrain import textbook

A3 = np.array([[0.3, -1.2, 0.7], [2.1, 0.4, -0.6], [-0.9, 1.6, 0.5]])
A4 = np.array([[0.3, -1.2, 0.7, 1.9], [2.1, 0.4, -0.6, -1.4], [-0.9, 1.6, 0.5, 0.8], [1.1, -0.2, -1.7, 0.6]])
W2 = np.array([[0.2, -0.5], [1.3, 0.8]])
DELTA = np.array([[1.1, -0.4], [0.6, 1.7]])


def image(matrix):
    return matrix[np.newaxis]


def kernel(matrix):
    return matrix[np.newaxis, np.newaxis]


def one_based(letter, matrix):
    """The article's letters: {"a11": ..., "a12": ...}."""
    return {f"{letter}{i + 1}{j + 1}": value for (i, j), value in np.ndenumerate(matrix)}


def written(formulas, **matrices):
    """The value of each formula, such as "d11*w12 + d12*w11", as a list of numbers."""
    letters = {}
    for letter, matrix in matrices.items():
        letters |= one_based(letter, matrix)
    return [
        sum(np.prod([letters[factor] for factor in product.split("*")]) for product in formula.split(" + "))
        for formula in formulas
    ]


# Section 1: a fully connected layer of two units that reads three features.

W_FC, B_FC, A_FC, DELTA_FC = (
    np.array([[1.0, -2, 3], [0, 4, -1]]),
    np.array([0.5, -1]),
    np.array([2.0, 1, -1]),
    np.array([3.0, -2]),
)


def test_fc_is_the_equations_of_section_1():
    assert_array_equal(textbook.fc_forward(W_FC, B_FC, A_FC), [1 * 2 - 2 * 1 + 3 * -1 + 0.5, 4 * 1 - 1 * -1 - 1])
    assert_array_equal(textbook.delta_through_fc(W_FC, DELTA_FC), [3, -6 - 8, 9 + 2])  # W^T delta
    assert_array_equal(textbook.fc_dW(A_FC, DELTA_FC), [[6, 3, -3], [-4, -2, 2]])  # delta a^T
    assert_array_equal(textbook.fc_db(DELTA_FC), DELTA_FC)


def test_output_delta_is_the_slope_of_the_loss_times_sigma_prime():
    z, y = np.array([0.3, -1.1]), np.array([1.0, 0.0])
    a = np.tanh(z)
    assert_allclose(textbook.output_delta(z, y, "tanh", "mse"), (a - y) * (1 - a**2), rtol=1e-14)
    softmax = np.exp(z) / np.exp(z).sum()
    assert_allclose(textbook.output_delta(z, y, "softmax", "cross_entropy"), softmax - y, rtol=1e-14)
    jacobian = np.diag(softmax) - np.outer(softmax, softmax)
    assert_allclose(textbook.output_delta(z, y, "softmax", "mse"), jacobian @ (softmax - y), rtol=1e-14)


def test_two_fc_layers_follow_the_recursion_of_section_1():
    parameters = {"layers.0.W": W_FC, "layers.0.b": B_FC, "layers.1.W": W2, "layers.1.b": B_FC}
    layers = [{"fc": {"activation": "tanh"}}, {"fc": {"activation": "softmax"}}]
    _, gradients, dx = textbook.sample_gradients(layers, parameters, A_FC, 1, "cross_entropy")
    z1 = W_FC @ A_FC + B_FC
    a1 = np.tanh(z1)
    delta2 = textbook.softmax(W2 @ a1 + B_FC) - [0, 1]
    delta1 = W2.T @ delta2 * (1 - a1**2)
    assert_allclose(gradients["layers.1.W"], np.outer(delta2, a1), rtol=1e-13)
    assert_allclose(gradients["layers.1.b"], delta2, rtol=1e-13)
    assert_allclose(gradients["layers.0.W"], np.outer(delta1, A_FC), rtol=1e-13)
    assert_allclose(gradients["layers.0.b"], delta1, rtol=1e-13)
    assert_allclose(dx, W_FC.T @ delta1, rtol=1e-13)


# Section 3: pooling.

POOLED_DELTA = image(np.array([[2.0, 8], [4, 6]]))


def test_upsample_by_max_puts_each_value_where_the_maximum_was():
    a = np.zeros((1, 4, 4))
    for winner in [(0, 0), (1, 3), (2, 1), (3, 2)]:  # top left, bottom right, top right, bottom left
        a[0][winner] = 1
    expected = [[2, 0, 0, 0], [0, 0, 0, 8], [0, 4, 0, 0], [0, 0, 6, 0]]
    assert_array_equal(textbook.upsample(POOLED_DELTA, a, 2, 2, "max")[0], expected)


def test_upsample_by_average_spreads_each_value_evenly():
    expected = [[0.5, 0.5, 2, 2], [0.5, 0.5, 2, 2], [1, 1, 1.5, 1.5], [1, 1, 1.5, 1.5]]
    assert_array_equal(textbook.upsample(POOLED_DELTA, np.zeros((1, 4, 4)), 2, 2, "average")[0], expected)


def test_in_a_tie_the_first_position_row_by_row_takes_all():
    expected = [[2, 0, 8, 0], [0, 0, 0, 0], [4, 0, 6, 0], [0, 0, 0, 0]]
    assert_array_equal(textbook.upsample(POOLED_DELTA, np.ones((1, 4, 4)), 2, 2, "max")[0], expected)


# Section 3: a convolution, 3 x 3 with 2 x 2.

Z = [
    "a11*w11 + a12*w12 + a21*w21 + a22*w22",
    "a12*w11 + a13*w12 + a22*w21 + a23*w22",
    "a21*w11 + a22*w12 + a31*w21 + a32*w22",
    "a22*w11 + a23*w12 + a32*w21 + a33*w22",
]
NABLA_A = [
    "d11*w11",
    "d11*w12 + d12*w11",
    "d12*w12",
    "d11*w21 + d21*w11",
    "d11*w22 + d12*w21 + d21*w12 + d22*w11",
    "d12*w22 + d22*w12",
    "d21*w21",
    "d21*w22 + d22*w21",
    "d22*w22",
]


def test_the_four_outputs_of_the_3x3_with_2x2_example():
    z = textbook.conv_forward(kernel(W2), np.zeros(1), image(A3))
    assert z.shape == (1, 2, 2)
    assert_allclose(z.ravel(), written(Z, a=A3, w=W2), rtol=1e-14)


@pytest.mark.parametrize("at", range(9), ids=lambda at: f"a{at // 3 + 1}{at % 3 + 1}")
def test_each_of_the_nine_gradients_of_the_3x3_with_2x2_example(at):
    nabla = textbook.delta_through_conv(kernel(W2), image(DELTA), (1, 3, 3))
    assert_allclose(nabla.ravel()[at], written(NABLA_A, d=DELTA, w=W2)[at], rtol=1e-14)


def flipped_over_padded(delta):
    """The article's matrix form: zeros around delta, ``*`` the kernel [[w22, w21], [w12, w11]]."""
    flipped = np.array([[W2[1, 1], W2[1, 0]], [W2[0, 1], W2[0, 0]]])
    assert_array_equal(textbook.rot180(W2), flipped)
    return textbook.conv_forward(kernel(flipped), np.zeros(1), image(delta), P=1)


def test_the_nine_gradients_are_padded_delta_with_the_flipped_kernel():
    assert_allclose(flipped_over_padded(DELTA).ravel(), written(NABLA_A, d=DELTA, w=W2), rtol=1e-14)
    assert_allclose(textbook.true_convolution(DELTA, W2).ravel(), written(NABLA_A, d=DELTA, w=W2), rtol=1e-14)


def test_the_misprinted_matrix_with_delta_12_in_the_place_of_delta_21_gives_other_gradients():
    misprinted = np.array([[DELTA[0, 0], DELTA[0, 1]], [DELTA[0, 1], DELTA[1, 1]]])
    wrong = np.abs(flipped_over_padded(misprinted).ravel() - written(NABLA_A, d=DELTA, w=W2)) > 1e-3
    assert wrong.reshape(3, 3).tolist() == [[False] * 3, [True, True, False], [True, True, False]]


# Section 4: the gradient of the kernel, 4 x 4 with 3 x 3.

NABLA_W = [
    "a11*d11 + a12*d12 + a21*d21 + a22*d22",  # these three are printed in the article
    "a12*d11 + a13*d12 + a22*d21 + a23*d22",
    "a13*d11 + a14*d12 + a23*d21 + a24*d22",
    "a21*d11 + a22*d12 + a31*d21 + a32*d22",  # and these are its "..."
    "a22*d11 + a23*d12 + a32*d21 + a33*d22",
    "a23*d11 + a24*d12 + a33*d21 + a34*d22",
    "a31*d11 + a32*d12 + a41*d21 + a42*d22",
    "a32*d11 + a33*d12 + a42*d21 + a43*d22",
    "a33*d11 + a34*d12 + a43*d21 + a44*d22",
]


@pytest.mark.parametrize("at", range(9), ids=lambda at: f"w{at // 3 + 1}{at % 3 + 1}")
def test_each_of_the_nine_kernel_gradients_of_the_4x4_with_3x3_example(at):
    dW = textbook.conv_dW(image(A4), image(DELTA), F=3)
    assert dW.shape == (1, 1, 3, 3)
    assert_allclose(dW.ravel()[at], written(NABLA_W, a=A4, d=DELTA)[at], rtol=1e-14)


def test_the_kernel_gradient_is_the_image_with_delta_as_a_kernel_not_flipped():
    dW = textbook.conv_forward(kernel(DELTA), np.zeros(1), image(A4))
    assert_allclose(dW.ravel(), written(NABLA_W, a=A4, d=DELTA), rtol=1e-14)


def test_the_bias_gradient_is_the_sum_of_delta():
    assert_allclose(textbook.conv_db(np.stack([DELTA, -2 * DELTA])), [3.0, -6.0], rtol=1e-14)


def test_rot180_of_a_in_the_summary_is_the_same_gradient_for_a_kernel_that_is_flipped():
    """Section 5 writes delta * rot180(a): as a true convolution, over the pixels where delta lies inside, it gives
    rot180(dW), the gradient of rot180(W), the kernel with which a true convolution would go forward."""
    valid = textbook.true_convolution(textbook.rot180(A4), DELTA)[1:4, 1:4]
    dW = textbook.conv_dW(image(A4), image(DELTA), F=3)[0, 0]
    assert_allclose(valid, textbook.rot180(dW), rtol=1e-14)
    assert not np.allclose(valid, dW)
