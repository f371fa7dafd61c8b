"""Entries on a kink are counted as such, and prove nothing."""

import numpy as np
import pytest

import cnntrain
from cnntrain.gradient_check.finite_differences import central_differences, min_relative_error, relative_error


def first_difference(evaluate):
    return next(central_differences(evaluate))


RELU = [{"fc": {"units": 4, "activation": "relu"}}, {"fc": {"activation": "softmax"}}]
INPUTS = 64
DIRECTIONS = 3


def tensors_of(path, **options):
    result = cnntrain.gradcheck(path, samples="all", **options)
    return result, {tensor["name"]: tensor for tensor in result["tensors"]}


def test_unit_at_zero_counts_as_kinks_where_it_would_move(save_weights):
    def first_unit_at_zero(parameters):
        parameters["layers.0.W"][0] = 0
        parameters["layers.0.b"][0] = 0

    result, tensors = tensors_of(save_weights(RELU, first_unit_at_zero))
    # A direction moves every entry of a tensor, so those of the first unit, too.
    assert tensors["layers.0.W"]["kinks"] == INPUTS + DIRECTIONS
    assert tensors["layers.0.W"]["checked"] == 3 * INPUTS
    assert tensors["layers.0.b"]["kinks"] == 1 + DIRECTIONS
    assert tensors["layers.1.W"]["kinks"] == tensors["input"]["kinks"] == 0
    assert result["passed"]


def test_tensor_of_nothing_but_kinks_does_not_pass(save_weights):
    def all_at_zero(parameters):
        parameters["layers.0.W"].fill(0)
        parameters["layers.0.b"].fill(0)

    result, tensors = tensors_of(save_weights(RELU, all_at_zero))
    assert tensors["layers.0.W"]["checked"] == 0
    assert not result["passed"]


def test_tie_in_a_pool_is_a_kink(save_weights):
    def filters_at_zero(parameters):
        parameters["layers.0.W"].fill(0)

    layers = [{"conv": {"K": 1, "F": 3}}, {"pool": {"k": 2, "type": "max"}}, {"fc": {"activation": "softmax"}}]
    _, tensors = tensors_of(save_weights(layers, filters_at_zero))
    assert tensors["layers.0.W"]["kinks"] == 9 + DIRECTIONS
    assert tensors["layers.0.b"]["kinks"] == 0  # every entry of a region moves alike


def test_weight_at_zero_is_a_kink_of_l1_alone(save_weights):
    def one_at_zero(parameters):
        parameters["layers.0.W"][2, 5] = 0

    layers = [{"fc": {"activation": "softmax"}}]
    _, tensors = tensors_of(save_weights(layers, one_at_zero, l1=0.1))
    assert tensors["layers.0.W"]["kinks"] == 1 + DIRECTIONS
    _, tensors = tensors_of(save_weights(layers, one_at_zero, l2=0.1))
    assert tensors["layers.0.W"]["kinks"] == 0


def test_difference_of_a_smooth_function():
    numeric = first_difference(lambda t: (np.exp(t), b""))
    assert numeric.value == pytest.approx(1, abs=1e-9)
    assert 0 < numeric.noise < 1e-8


@pytest.mark.parametrize("kink_at", [3e-6, 3e-7])
def test_step_shrinks_until_both_sides_are_alike(kink_at):
    steps = []

    def bent(t):
        steps.append(abs(t))
        return 2 * t + max(0.0, t - kink_at), bytes([t > kink_at])

    assert next(central_differences(bent)).value == pytest.approx(2, abs=1e-6)
    assert steps[-1] < kink_at < steps[0]


def test_kink_at_the_point_itself_has_no_difference():
    assert list(central_differences(lambda t: (abs(t), bytes([t > 0])))) == []
    assert min_relative_error(0.0, lambda t: (abs(t), bytes([t > 0])), 1e-6) is None


def test_relative_error_is_the_difference_over_the_sum_of_sizes():
    numeric = first_difference(lambda t: (2 * t, b""))
    assert relative_error(2.0, numeric, 1e-6) == pytest.approx(0, abs=1e-9)
    assert relative_error(6.0, numeric, 1e-6) == pytest.approx(0.5)
    assert relative_error(-2.0, numeric, 1e-6) == pytest.approx(1)
    assert relative_error(0.0, numeric, 1e-6) == pytest.approx(1)


def test_rounding_alone_is_no_error():
    flat = first_difference(lambda t: (1e3 * (1 + 1e-16 * np.sign(t)), b""))
    assert relative_error(0.0, flat, 1e-6) < 1e-6


def test_where_j_bends_much_a_smaller_step_is_taken():
    def bent(t):
        return np.sin(1e3 * t) / 1e3, b""

    assert relative_error(1.0, first_difference(bent), 1e-6) > 1e-6
    assert min_relative_error(1.0, bent, 1e-6) < 1e-6
    assert min_relative_error(1.001, bent, 1e-6) > 1e-4
