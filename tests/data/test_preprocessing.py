import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnntrain.data import Dataset, Preprocessing
from cnntrain.data.pixels import UNKNOWN, Scale
from cnntrain.errors import WeightsError


def pixels(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, shape, dtype=np.uint8) if dtype == "u1" else rng.random(shape, dtype=np.float32)


def measured(images):
    return Preprocessing.measure(Dataset(images, np.zeros(len(images), np.int64)))


def by_the_formula(preprocessing, images):
    """(pixel - mean) / std in float64, (N, C, H, W)."""
    mean, std = (np.array(values).reshape(1, -1, 1, 1) for values in (preprocessing.mean, preprocessing.std))
    return (images / (255.0 if images.dtype == np.uint8 else 1.0) - mean) / std


@pytest.mark.parametrize("dtype", ["u1", "f4"])
@pytest.mark.parametrize("shape", [(1, 1, 1, 2), (7, 3, 4, 5), (3000, 2, 16, 16)])
def test_mean_and_deviation_are_those_of_all_pixels_of_a_channel(shape, dtype):
    images = pixels(shape, dtype)
    found = measured(images)
    unit = images / (255.0 if dtype == "u1" else 1.0)
    np.testing.assert_allclose(found.mean, unit.mean(axis=(0, 2, 3), dtype=np.float64), rtol=1e-12)
    np.testing.assert_allclose(found.std, unit.std(axis=(0, 2, 3), dtype=np.float64), rtol=1e-12)


@pytest.mark.parametrize("value", [0, 77, 255, np.float32(0.1), np.float32(1)])
def test_a_constant_channel_has_deviation_1(value):
    images = np.full((50, 1, 9, 9), value, np.uint8 if isinstance(value, int) else np.float32)
    assert measured(images).std == (1.0,)


def test_one_pixel_that_differs_is_not_constant():
    images = np.full((50, 1, 9, 9), 255, np.uint8)
    images[3, 0, 4, 4] = 254
    assert measured(images).std[0] == pytest.approx(1 / 255 / math.sqrt(50 * 81), rel=1e-3)


@pytest.mark.parametrize("dtype", ["u1", "f4"])
@pytest.mark.parametrize(("out", "tolerance"), [("f4", 1e-6), ("f8", 1e-14)])
@pytest.mark.parametrize("shape", [(6, 1, 4, 3), (6, 3, 2, 5)])
def test_columns_are_the_standardised_samples(shape, dtype, out, tolerance):
    images = pixels(shape, dtype)
    preprocessing = measured(images)
    indices = np.array([4, 0, 4, 5])
    columns = np.empty((*np.array(shape)[[2, 1, 3]], 4), out)
    preprocessing.columns(images[indices], columns)
    expected = by_the_formula(preprocessing, images)[indices]
    np.testing.assert_allclose(columns, expected.transpose(2, 1, 3, 0), rtol=0, atol=10 * tolerance)


def test_the_training_samples_have_mean_0_and_deviation_1():
    images = pixels((200, 2, 6, 6), "u1")
    columns = np.empty((6, 2, 6, 200))
    measured(images).columns(images, columns)
    np.testing.assert_allclose(columns.mean(axis=(0, 2, 3)), 0, atol=1e-13)
    np.testing.assert_allclose(columns.std(axis=(0, 2, 3)), 1, rtol=1e-13)


@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_none_leaves_pixels_between_0_and_1(dtype):
    images = pixels((5, 3, 4, 4), dtype)
    columns = np.empty((4, 3, 4, 5), np.float32)
    Preprocessing.none(3).columns(images, columns)
    np.testing.assert_allclose(columns.transpose(3, 1, 0, 2), images / (255 if dtype == "u1" else 1), rtol=1e-6)
    assert columns.max() <= 1


@given(
    st.sampled_from(["u1", "f4"]),
    st.integers(1, 3),
    st.integers(1, 9),
    st.integers(1, 40),
    st.sampled_from(["f4", "f8"]),
)
def test_the_bits_do_not_depend_on_how_a_batch_is_sliced(dtype, channels, size, width, out):
    images = pixels((64, channels, 7, 9), dtype)
    preprocessing = measured(images)
    order = np.random.default_rng(size).permutation(64)
    whole = np.empty((7, channels, 9, 64), out)
    preprocessing.columns(images[order], whole)
    for start in range(0, 64, width):
        part = np.empty((7, channels, 9, len(order[start : start + width])), out)
        preprocessing.columns(images[order[start : start + width]], part)
        np.testing.assert_array_equal(part, whole[..., start : start + width])


def test_the_numbers_survive_a_weights_file():
    preprocessing = measured(pixels((9, 3, 5, 5), "u1"))
    assert Preprocessing.from_dict(json.loads(json.dumps(preprocessing.to_dict())), channels=3) == preprocessing


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_the_fit_of_pictures_survives_a_weights_file(fit):
    preprocessing = Preprocessing((0.5,), (0.25,), fit)
    content = {"mean": [0.5], "std": [0.25], "fit": fit, "white": 255, "floats": False}
    assert preprocessing.to_dict() == content
    assert Preprocessing.from_dict(preprocessing.to_dict(), channels=1) == preprocessing


@pytest.mark.parametrize("fit", ["", "Crop", 3, [], ["crop"]])
def test_a_weights_file_with_an_unknown_fit(fit):
    with pytest.raises(
        WeightsError, match=r"preprocessing\.fit of the weights file is .*; there are stretch, crop, pad"
    ):
        Preprocessing.from_dict({"mean": [0.5], "std": [0.25], "fit": fit}, channels=1)


@pytest.mark.parametrize("content", [None, [], "mean", {}, {"mean": [0.0]}, {"mean": [0.0], "std": [1.0], "max": 1}])
def test_a_weights_file_without_the_numbers(content):
    with pytest.raises(WeightsError) as caught:
        Preprocessing.from_dict(content, channels=1)
    assert str(caught.value) == "the preprocessing of the weights file is not an object with the keys mean and std"


@pytest.mark.parametrize("key", ["mean", "std"])
@pytest.mark.parametrize("values", [0.5, None, [], [0.5], [0.5, 0.5, 0.5]])
def test_a_weights_file_with_numbers_for_another_network(key, values):
    with pytest.raises(WeightsError) as caught:
        Preprocessing.from_dict({"mean": [0.5, 0.5], "std": [0.5, 0.5], key: values}, channels=2)
    assert str(caught.value) == (
        f"preprocessing.{key} of the weights file is not a list of 2 numbers, one for each input channel of the network"
    )


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -0.1, 1.5, 10**400, True, "1", None, [0.5]])
@pytest.mark.parametrize(("key", "lowest"), [("mean", "0"), ("std", "1e-06")])
def test_a_weights_file_with_impossible_numbers(key, lowest, wrong):
    values = [0.5, wrong]
    with pytest.raises(WeightsError) as caught:
        Preprocessing.from_dict({"mean": [0.5, 0.5], "std": [0.5, 0.5], key: values}, channels=2)
    assert str(caught.value) == (
        f"preprocessing.{key} of the weights file holds {str(values)[:80]}; for pixels in 0..1 every number lies in "
        f"{lowest}..1"
    )


def test_a_weights_file_with_a_deviation_of_0():
    with pytest.raises(WeightsError, match=r"preprocessing\.std of the weights file holds \[0\.0\]"):
        Preprocessing.from_dict({"mean": [0.0], "std": [0.0]}, channels=1)


@pytest.mark.parametrize("scale", [Scale(255), Scale(65535), Scale(1, floats=True), Scale(16, floats=True), Scale(1)])
def test_what_is_white_survives_a_weights_file(scale):
    content = Preprocessing((0.5,), (0.25,), scale=scale).to_dict()
    assert Preprocessing.from_dict(json.loads(json.dumps(content)), channels=1).scale == scale


def test_a_weights_file_of_an_earlier_version_does_not_say_what_is_white():
    content = {"mean": [0.5], "std": [0.25]}
    found = Preprocessing.from_dict(content, channels=1)
    assert found.scale == UNKNOWN
    assert found.to_dict() == content


@pytest.mark.parametrize("white", [None, 0, 2, 255.0, True, "255", math.inf, [255], 10**400])
@pytest.mark.parametrize("floats", [None, 0, True, "true"])
def test_a_weights_file_with_an_unknown_white(white, floats):
    with pytest.raises(WeightsError, match=r"preprocessing\.white of the weights file is"):
        Preprocessing.from_dict({"mean": [0.5], "std": [0.25], "white": white, "floats": floats}, channels=1)
