"""Augmentation: each change against its definition pixel by pixel, and what must hold of all of them together."""

import colorsys
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnntrain.config.schema.augmentation import AugmentationOptions
from cnntrain.data import augmentation, color_changes, rotation
from cnntrain.data.augmentation import (
    Augmentation,
    AugmentationParameters,
    crop,
    cutout_square,
    erased_rectangle,
    flip,
    reflection_padded,
)
from cnntrain.ops.counter_rng import CounterRng, SampleIds

MEAN = (0.25, 0.5, 0.75)
ALL = {
    "horizontal_flip": True,
    "vertical_flip": True,
    "crop": 2,
    "rotation": 40,
    "brightness": 0.6,
    "contrast": 0.7,
    "cutout": 3,
}
MORE = ALL | {"scale": 0.3, "saturation": 0.4, "hue": 0.2, "erasing": 0.5}
IMAGE_SIZES = st.tuples(st.sampled_from([1, 3]), st.integers(1, 9), st.integers(1, 9))


def images(n, C, H, W, dtype="uint8", seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (n, C, H, W), np.uint8)
    return pixels if dtype == "uint8" else (pixels / 255).astype(np.float32)


def augmented(pixels, options, epoch=1, samples=None, seed=0):
    turn = SampleIds(epoch, np.arange(len(pixels)) if samples is None else np.asarray(samples))
    return Augmentation(AugmentationOptions(**options), seed, MEAN[: pixels.shape[1]])(pixels.copy(), turn)


def rotate(x, angle, zoom=1.0):
    return rotation.rotate(x[None], [angle], [zoom])[0]


def adjust_brightness_and_contrast(x, beta, gamma):
    return color_changes.adjust_brightness_and_contrast(x[None], [beta], [gamma])[0]


def adjust_saturation(x, factor):
    return color_changes.adjust_saturation(x[None], [factor])[0]


def shift_hue(x, shift):
    return color_changes.shift_hue(x[None], [shift])[0]


def mirrored(i, size):
    """The pixel that stands at place i of a row without end: 2 1 0 1 2 3 4 3 2 for five pixels, from place -2 on."""
    while not 0 <= i < size:
        i = -i if i < 0 else 2 * (size - 1) - i
    return i


# --- each change by itself --------------------------------------------------------------------------------------------


@given(data=st.data(), n=st.integers(1, 4), C=st.sampled_from([1, 3]), H=st.integers(2, 8), W=st.integers(2, 8))
def test_flips_and_crops_move_each_pixel_where_they_should(data, n, C, H, W):
    x, padding = images(n, C, H, W), data.draw(st.integers(1, min(H, W) - 1))
    shift = np.array([[data.draw(st.integers(0, 2 * padding)) for _ in range(2)] for _ in range(n)])
    flips = np.array([[data.draw(st.booleans()) for _ in range(2)] for _ in range(n)])
    result = crop(x, shift, padding)
    flip(result, flips[:, 0], axis=2)
    flip(result, flips[:, 1], axis=3)
    for i, r, c in np.ndindex(n, H, W):
        row = shift[i, 0] - padding + (H - 1 - r if flips[i, 0] else r)
        column = shift[i, 1] - padding + (W - 1 - c if flips[i, 1] else c)
        assert (result[i, :, r, c] == x[i, :, mirrored(row, H), mirrored(column, W)]).all()


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_images_are_padded_as_numpy_pads_them(dtype):
    x = images(3, 2, 5, 4, dtype)
    for padding in (1, 2, 3):
        sides = ((0, 0), (0, 0), (padding, padding), (padding, padding))
        np.testing.assert_array_equal(reflection_padded(x, padding), np.pad(x, sides, mode="reflect"))


def rotated_literally(x, angle):
    C, H, W = x.shape
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    out = np.zeros((C, H, W))
    for r in range(H):
        for c in range(W):
            across, up = c - (W - 1) / 2, (H - 1) / 2 - r  # as in mathematics: x to the right, y upwards
            from_across, from_up = cos * across + sin * up, cos * up - sin * across
            row, column = (H - 1) / 2 - from_up, (W - 1) / 2 + from_across
            for i in (math.floor(row), math.floor(row) + 1):
                for j in (math.floor(column), math.floor(column) + 1):
                    share = (1 - abs(row - i)) * (1 - abs(column - j))
                    pixel = x[:, mirrored(i, H) if H > 1 else 0, mirrored(j, W) if W > 1 else 0]
                    out[:, r, c] += share * pixel
    return out


@given(size=IMAGE_SIZES, angle=st.floats(-180, 180))
@settings(max_examples=60)
def test_rotation_is_bilinear_about_the_centre(size, angle):
    (x,) = images(1, *size, dtype="float32")
    np.testing.assert_allclose(rotate(x, angle), rotated_literally(x, angle), atol=2e-6)
    (bytes_,) = images(1, *size)
    close = np.abs(rotate(bytes_, angle) - rotated_literally(bytes_, angle))
    assert close.max() <= 0.5 + 1e-3


def test_rotation_goes_counterclockwise():
    (x,) = images(1, 3, 5, 5)
    np.testing.assert_array_equal(rotate(x, 90), np.rot90(x, axes=(1, 2)))
    np.testing.assert_array_equal(rotate(x, 180), x[:, ::-1, ::-1])
    np.testing.assert_array_equal(rotate(x, 0), x)


@given(size=IMAGE_SIZES, beta=st.floats(0, 2), gamma=st.floats(0, 2))
def test_brightness_and_contrast_are_their_formula(size, beta, gamma):
    (x,) = images(1, *size, dtype="float32")
    m = beta * x.mean(dtype=np.float64)
    np.testing.assert_allclose(
        adjust_brightness_and_contrast(x, beta, gamma), np.clip(m + gamma * (beta * x - m), 0, 1), atol=1e-6
    )
    (x,) = images(1, *size)
    m = beta * x.mean()
    assert (
        np.abs(adjust_brightness_and_contrast(x, beta, gamma) - np.clip(m + gamma * (beta * x - m), 0, 255)).max()
        <= 0.5 + 1e-3
    )


def test_contrast_keeps_the_mean_and_brightness_multiplies_it():
    x = images(1, 3, 16, 16, dtype="float32")[0] / 4 + np.float32(0.375)  # far from black and white
    assert adjust_brightness_and_contrast(x, 1.0, 0.5).mean() == pytest.approx(x.mean(), abs=1e-6)
    assert adjust_brightness_and_contrast(x, 1.0, 0.5).std() == pytest.approx(x.std() / 2, abs=1e-6)
    assert adjust_brightness_and_contrast(x, 1.25, 1.0).mean() == pytest.approx(1.25 * x.mean(), abs=1e-6)


@given(H=st.integers(1, 7), W=st.integers(1, 7), side=st.integers(1, 9), data=st.data())
def test_cutout_fills_what_of_the_square_lies_in_the_image(H, W, side, data):
    row, column = data.draw(st.integers(0, H - 1)), data.draw(st.integers(0, W - 1))
    (x,) = images(1, 3, H, W)
    result, color = x.copy(), np.array([64, 128, 191], np.uint8)
    cutout_square(result, (row, column), side, color.reshape(3, 1, 1))
    for r in range(H):
        for c in range(W):
            inside = 0 <= r - (row - side // 2) < side and 0 <= c - (column - side // 2) < side
            assert (result[:, r, c] == (color if inside else x[:, r, c])).all()


# --- all together -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("key", [*ALL, "all"])
@pytest.mark.parametrize("size", [(1, 8, 8), (3, 6, 11)])
def test_each_option_changes_images_and_keeps_their_form(dtype, key, size):
    x = images(20, *size, dtype=dtype)
    result = augmented(x, ALL if key == "all" else {key: ALL[key]})
    assert (result.shape, result.dtype) == (x.shape, x.dtype)
    assert result.min() >= 0
    assert result.max() <= (255 if dtype == "uint8" else 1)
    changed = (result != x).any(axis=(1, 2, 3)).sum()
    assert 3 < changed < 17 if "flip" in key else changed > 14


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_nothing_asked_for_is_nothing_changed(dtype):
    x = images(5, 3, 8, 8, dtype=dtype)
    np.testing.assert_array_equal(augmented(x, {}), x)
    nothing = dict.fromkeys(ALL, 0) | {"horizontal_flip": False, "vertical_flip": False}
    np.testing.assert_array_equal(augmented(x, nothing), x)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@given(
    cuts=st.sets(st.integers(1, 29)),
    order=st.permutations(range(30)),
    seed=st.integers(0, 3),
    epoch=st.integers(1, 3),
)
@settings(max_examples=20)
def test_a_sample_gets_the_same_bits_in_whichever_slice_it_is(dtype, cuts, order, seed, epoch):
    x = images(30, 3, 6, 7, dtype=dtype)
    whole = augmented(x, MORE, epoch, seed=seed)
    bounds = [0, *sorted(cuts), 30]
    for start, stop in itertools.pairwise(bounds):
        samples = order[start:stop]
        part = augmented(x[samples], MORE, epoch, samples, seed)
        np.testing.assert_array_equal(part, whole[samples])


@pytest.mark.parametrize("piece", [1, 3 * 3 * 6 * 7, 10**6])
def test_images_changed_together_have_the_bits_of_each_alone(monkeypatch, piece):
    x = images(10, 3, 6, 7)
    alone = [augmented(x[i : i + 1], MORE, samples=[i])[0] for i in range(10)]
    monkeypatch.setattr(augmentation, "PIECE", piece)
    np.testing.assert_array_equal(augmented(x, MORE), alone)


def test_seed_iteration_and_sample_each_change_what_is_drawn():
    x = images(10, 3, 8, 8)
    first = augmented(x, ALL)
    assert (augmented(x, ALL, epoch=2) != first).any(axis=(1, 2, 3)).all()
    assert (augmented(x, ALL, seed=1) != first).any(axis=(1, 2, 3)).all()
    assert (augmented(x, ALL, samples=np.arange(10) + 1) != first).any(axis=(1, 2, 3)).all()


def test_one_option_more_leaves_what_the_others_draw():
    """Mirrored images are the same ones, with or without a square cut out."""
    x = images(40, 3, 8, 8)
    flipped = augmented(x, {"horizontal_flip": True})
    cut = augmented(x, {"horizontal_flip": True, "cutout": 1})
    assert ((cut != flipped).any(axis=1).sum(axis=(1, 2)) <= 1).all()


def test_draws_are_uniform_and_independent():
    options = AugmentationOptions(**ALL | {"crop": 1, "rotation": 10, "brightness": 0.5, "contrast": 0.5})
    drawn = AugmentationParameters(np.random.default_rng(0).random((2000, 17)), options, 4, 5)
    flips, center = (drawn.upside_down, drawn.left_to_right), np.transpose(drawn.center)
    values = np.array([*flips, *drawn.shift.T, drawn.angle, drawn.beta, drawn.gamma, *center], float)
    assert np.abs(np.corrcoef(values) - np.eye(9)).max() < 0.1  # more than four deviations of what chance gives
    for row, count in zip(values, (2, 2, 3, 3, None, None, None, 4, 5), strict=True):
        if count is not None:
            assert np.bincount(row.astype(int)) == pytest.approx(np.full(count, 2000 / count), rel=0.2)
    for row, middle, reach in zip(values[4:7], (0, 1, 1), (10, 0.5, 0.5), strict=True):
        assert np.abs(row - middle).max() <= reach
        assert (row.mean() - middle, row.std()) == pytest.approx((0, reach / math.sqrt(3)), abs=0.06 * reach)


def test_the_mean_colour_is_cut_out():
    x = images(60, 3, 4, 4)
    result = augmented(x, {"cutout": 3})
    filled = (result == np.array([64, 128, 191]).reshape(3, 1, 1)).all(axis=1)
    np.testing.assert_array_equal(result.transpose(0, 2, 3, 1)[~filled], x.transpose(0, 2, 3, 1)[~filled])
    assert filled.any(axis=0).all()
    assert set(filled.sum(axis=(1, 2)).tolist()) == {4, 6, 9}


def test_saturation_moves_between_gray_and_the_color():
    x = images(1, 3, 4, 5, "float32")[0]
    gray = 0.299 * x[0] + 0.587 * x[1] + 0.114 * x[2]
    np.testing.assert_allclose(adjust_saturation(x, 0.0), np.stack([gray] * 3), atol=1e-6)
    np.testing.assert_allclose(adjust_saturation(x, 1.0), x, atol=1e-6)
    np.testing.assert_allclose(adjust_saturation(x, 0.3), gray + 0.3 * (x - gray), atol=1e-6)
    assert adjust_saturation(x, 1.9).max() <= 1


@given(color=st.tuples(*3 * [st.integers(0, 255)]), shift=st.floats(-0.5, 0.5))
def test_hue_is_shifted_as_python_defines_it(color, shift):
    h, s, v = colorsys.rgb_to_hsv(*(value / 255 for value in color))
    expected = colorsys.hsv_to_rgb((h + shift) % 1, s, v)
    x = np.array(color, np.float32).reshape(3, 1, 1) / 255
    np.testing.assert_allclose(shift_hue(x, shift).ravel(), expected, atol=1e-5)
    bytes_ = shift_hue(np.array(color, np.uint8).reshape(3, 1, 1), shift)
    assert bytes_.dtype == np.uint8
    np.testing.assert_allclose(bytes_.ravel(), 255 * np.array(expected), atol=0.51)


def test_scale_enlarges_about_the_center():
    x = np.zeros((1, 9, 9), np.float32)
    x[0, 3:6, 3:6] = 1
    assert rotate(x, 0.0, 2.0).sum() == pytest.approx(4 * x.sum(), rel=0.3)
    assert rotate(x, 0.0, 0.5)[0, 3:6, 3:6].tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert rotate(x, 0.0, 2.0)[0, 4, 4] == 1
    np.testing.assert_array_equal(rotate(x, 0.0, 1.0), x)
    np.testing.assert_allclose(rotate(x, 0.0, 1.7), rotate(x, 0.0, 1.7)[:, ::-1, ::-1], atol=1e-6)


@given(
    u=st.lists(st.floats(0, 1, exclude_max=True), min_size=4, max_size=4), H=st.integers(1, 40), W=st.integers(1, 40)
)
def test_an_erased_rectangle_is_inside_and_of_the_wanted_area(u, H, W):
    rows, columns = erased_rectangle(u, H, W)
    height, width = rows.stop - rows.start, columns.stop - columns.start
    assert 0 <= rows.start < rows.stop <= H
    assert 0 <= columns.start < columns.stop <= W
    if min(H, W) >= 20 and height < H and width < W:
        wanted = (0.02 + 0.31 * u[0]) * H * W
        assert abs(height * width - wanted) <= (height + width + 1) / 2 + 1


def test_erasing_has_its_probability_and_fills_with_the_mean():
    pixels = images(400, 3, 8, 8)
    assert (augmented(pixels, {"erasing": 0.0}) == pixels).all()
    erased = (augmented(pixels, {"erasing": 0.3}) != pixels).any(axis=(1, 2, 3))
    assert 0.2 < erased.mean() < 0.4
    changed = augmented(pixels, {"erasing": 1.0})
    i = np.flatnonzero((changed != pixels).any(axis=(1, 2, 3)))[0]
    rows, columns = np.nonzero((changed[i] != pixels[i]).any(axis=0))
    assert (np.rint(np.array(MEAN) * 255) == changed[i][:, rows, columns].T).all()


@pytest.mark.parametrize("added", [{"saturation": 0.5}, {"hue": 0.2}, {"scale": 0.3}, {"erasing": 0.9}])
def test_a_new_change_leaves_the_parameters_of_the_others(added):
    options = AugmentationOptions(**ALL)
    with_more = AugmentationOptions(**ALL, **added)
    u = CounterRng(0, (4,)).uniform(SampleIds(1, np.arange(7)), 17)
    old, new = (AugmentationParameters(u, each, 8, 8) for each in (options, with_more))
    for name in ("upside_down", "left_to_right", "shift", "angle", "beta", "gamma", "center"):
        np.testing.assert_array_equal(getattr(old, name), getattr(new, name))
    np.testing.assert_array_equal(CounterRng(0, (4,)).uniform(SampleIds(1, np.arange(7)), 9), u[:, :9])
