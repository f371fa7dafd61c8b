"""Changes of colors: brightness, contrast, saturation and hue. Images are ``(n, C, H, W)``, and results are clipped.

Each image has its own parameters, and its pixels depend on nothing else: all images are computed together only because
that takes fewer calls.
"""

from collections.abc import Sequence

import numpy as np

from cnntrain.data.pixels import Images, cast_like, white_of
from cnntrain.types import Array

GRAY_WEIGHTS = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in the brightness of a pixel (ITU-R BT.601)."""
SIXTHS = np.arange(7, dtype=np.float32)


def adjust_brightness_and_contrast(x: Images, betas: Sequence[float], gammas: Sequence[float]) -> Images:
    """Change brightness and contrast: ``m + gamma (beta x - m)``, m being the mean of ``beta x`` of the image.

    Args:
        x: ``(n, C, H, W)``.
        betas: Factor of every pixel, one for each image.
        gammas: Factor of every distance from the mean, one for each image.
    """
    pairs = list(zip(betas, gammas, strict=True))
    means = [beta * mean for beta, mean in zip(betas, means_of(x), strict=True)]
    result = np.multiply(x, each_image([gamma * beta for beta, gamma in pairs]), dtype=np.float32)
    result += each_image([m * (1 - gamma) for m, (_, gamma) in zip(means, pairs, strict=True)])
    return clipped(x, result)


def means_of(x: Images) -> list[float]:
    """Return the mean of all pixels of each image, as float64."""
    if x.dtype.kind == "u":  # whole numbers are added exactly, in any order
        total: Array = x.reshape(len(x), -1).sum(axis=1, dtype=np.uint64)
        return [sum_of / x[0].size for sum_of in total.tolist()]
    return [float(image.mean(dtype=np.float64)) for image in x]


def adjust_saturation(x: Images, factors: Sequence[float]) -> Images:
    """Change the saturation: ``g + factor (x - g)``, g being the gray value of each pixel.

    Args:
        x: ``(n, 3, H, W)``: red, green, blue.
        factors: Factor of every distance from gray, one for each image; 0 gives a gray image.
    """
    rgb = x.astype(np.float32)
    weights = np.array([GRAY_WEIGHTS], np.float32)
    gray = np.stack([np.dot(weights, image.reshape(3, -1)) for image in rgb]).reshape(len(x), 1, *x.shape[2:])
    rgb -= gray
    rgb *= each_image(factors)
    rgb += gray
    return clipped(x, rgb)


def shift_hue(x: Images, shifts: Sequence[float]) -> Images:
    """Shift the hue, at the same saturation and value of the HSV model (Smith 1978, doi:10.1145/965139.807361).

    Args:
        x: ``(n, 3, H, W)``: red, green, blue.
        shifts: Share of the color circle, -0.5 .. 0.5, one for each image; a third turns red into green.
    """
    rgb = x.astype(np.float32)
    r, g, b = rgb[:, :1], rgb[:, 1:2], rgb[:, 2:]
    highest = np.maximum(np.maximum(r, g), b)
    chroma = highest - np.minimum(np.minimum(r, g), b)
    is_r, is_g = highest == r, highest == g
    hue = np.where(is_r, g - b, np.where(is_g, b - r, r - g))
    hue /= np.where(chroma == 0, np.float32(1), chroma)  # a gray pixel has no hue, and keeps its value below
    # Red is at 0, green at 2, blue at 4 of 6.
    hue += np.where(is_r, np.where(hue < 0, SIXTHS[6], SIXTHS[0]), np.where(is_g, SIXTHS[2], SIXTHS[4]))
    hue += each_image([6 * shift for shift in shifts])
    # Red, green and blue fall from the highest to the lowest value in turn, by a ramp of the hue's distance.
    ramps = np.add(hue, SIXTHS[[5, 3, 1]].reshape(3, 1, 1), out=rgb)
    turns = np.floor(ramps * np.float32(1 / 6))
    turns *= 6
    ramps -= turns
    np.minimum(ramps, np.subtract(4, ramps, out=turns), out=ramps)
    np.clip(ramps, 0, 1, out=ramps)
    ramps *= chroma
    np.subtract(highest, ramps, out=ramps)
    return clipped(x, ramps)


def each_image(values: Sequence[float]) -> Array:
    """Return a number for each image as float32, ``(n, 1, 1, 1)``."""
    return np.array(values).astype(np.float32).reshape(-1, 1, 1, 1)


def clipped(x: Images, values: Array) -> Images:
    """Clip values to black and white, and convert them to the type of ``x``."""
    return cast_like(x, np.clip(values, 0, white_of(x.dtype), out=values))
