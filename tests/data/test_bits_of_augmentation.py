"""Rotation and color changes have the bits of their formulas, computed step by step for one image alone.

The same config gives the same images in every version. Faster arithmetic must not round differently.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnntrain.data.color_changes import adjust_brightness_and_contrast, adjust_saturation, shift_hue
from cnntrain.data.pixels import cast_like
from cnntrain.data.rotation import rotate

WHITE = {"uint8": 255, "float32": 1}
BATCHES = st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))


def images(n, C, H, W, dtype, seed, levels=256):
    """Images with few or many different values: with few, channels are often equal."""
    pixels = np.random.default_rng(seed).integers(0, levels, (n, C, H, W)) * (255 // (levels - 1))
    return pixels.astype(np.uint8) if dtype == "uint8" else (pixels / 255).astype(np.float32)


def rotated(x, angle, zoom):
    C, H, W = x.shape
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    rows = (np.arange(H) - (H - 1) / 2)[:, None] / zoom
    columns = (np.arange(W) - (W - 1) / 2)[None, :] / zoom
    row, below, row_share = neighbors(rows * cos + columns * sin + (H - 1) / 2, H)
    column, right, column_share = neighbors(columns * cos - rows * sin + (W - 1) / 2, W)
    flat = x.reshape(C, -1).astype(np.float32)
    lines = []
    for line in (row, below):
        a, b = flat[:, line * W + column], flat[:, line * W + right]
        lines.append((b - a) * column_share + a)
    upper, lower = lines
    return cast_like(x, (lower - upper) * row_share + upper).reshape(C, H, W)


def neighbors(positions, size):
    if size == 1:
        positions = np.zeros_like(positions)
    else:
        positions = np.abs(positions) % (2 * (size - 1))
        positions = np.minimum(positions, 2 * (size - 1) - positions)
    first = positions.astype(np.intp).ravel()
    return first, np.minimum(first + 1, size - 1), (positions.ravel() - first).astype(np.float32)


def with_brightness_and_contrast(x, beta, gamma):
    m = beta * float(x.mean(dtype=np.float64))
    result = np.multiply(x, np.float32(gamma * beta), dtype=np.float32) + np.float32(m * (1 - gamma))
    return cast_like(x, np.clip(result, 0, WHITE[x.dtype.name]))


def with_saturation(x, factor):
    rgb = x.astype(np.float32)
    gray = np.tensordot(np.array((0.299, 0.587, 0.114), np.float32), rgb, axes=1)
    return cast_like(x, np.clip((rgb - gray) * np.float32(factor) + gray, 0, WHITE[x.dtype.name]))


def with_hue(x, shift):
    r, g, b = rgb = x.astype(np.float32)
    highest, chroma = rgb.max(axis=0), rgb.max(axis=0) - rgb.min(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        sixths = np.where(
            highest == r, (g - b) / chroma % 6, np.where(highest == g, (b - r) / chroma + 2, (r - g) / chroma + 4)
        )
    hue = np.where(chroma == 0, 0, sixths) + np.float32(6 * shift)
    ramps = [(hue + offset) % 6 for offset in (5, 3, 1)]
    result = np.stack([highest - chroma * np.clip(np.minimum(ramp, 4 - ramp), 0, 1) for ramp in ramps])
    return cast_like(x, np.clip(result, 0, WHITE[x.dtype.name]))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@given(batch=BATCHES, C=st.sampled_from([1, 3]), seed=st.integers(0, 9), data=st.data())
@settings(max_examples=60)
def test_rotation_and_scale(dtype, batch, C, seed, data):
    n, H, W = batch
    x = images(n, C, H, W, dtype, seed)
    angles = [data.draw(st.floats(-180, 180)) for _ in range(n)]
    zooms = [data.draw(st.floats(0.05, 2)) for _ in range(n)]
    expected = [rotated(*each) for each in zip(x, angles, zooms, strict=True)]
    np.testing.assert_array_equal(rotate(x, angles, zooms), expected, strict=True)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@given(batch=BATCHES, seed=st.integers(0, 9), levels=st.sampled_from([2, 3, 256]), data=st.data())
@settings(max_examples=60)
def test_colors(dtype, batch, seed, levels, data):
    n, H, W = batch
    x = images(n, 3, H, W, dtype, seed, levels)
    factors, others = ([data.draw(st.floats(0, 2)) for _ in range(n)] for _ in range(2))
    shifts = [data.draw(st.floats(-0.5, 0.5)) for _ in range(n)]
    for changed, alone, *parameters in (
        (adjust_brightness_and_contrast, with_brightness_and_contrast, factors, others),
        (adjust_saturation, with_saturation, factors),
        (shift_hue, with_hue, shifts),
    ):
        expected = [alone(*each) for each in zip(x, *parameters, strict=True)]
        np.testing.assert_array_equal(changed(x, *parameters), expected, strict=True)
