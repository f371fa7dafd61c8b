"""Changes of colors: brightness, contrast, saturation and hue. Images are ``(C, H, W)``, and results are clipped."""

import numpy as np

from cnntrain.data.pixels import cast_like, white_of
from cnntrain.types import Array

GRAY_WEIGHTS = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in the brightness of a pixel (ITU-R BT.601)."""


def adjust_brightness_and_contrast(x: Array, beta: float, gamma: float) -> Array:
    """Change brightness and contrast: ``m + gamma (beta x - m)``, m being the mean of ``beta x``.

    Args:
        x: ``(C, H, W)``.
        beta: Factor of every pixel.
        gamma: Factor of every distance from the mean.
    """
    m = beta * float(x.mean(dtype=np.float64))
    result = np.multiply(x, np.float32(gamma * beta), dtype=np.float32)
    result += np.float32(m * (1 - gamma))
    return cast_like(x, np.clip(result, 0, white_of(x.dtype), out=result))


def adjust_saturation(x: Array, factor: float) -> Array:
    """Change the saturation: ``g + factor (x - g)``, g being the gray value of each pixel.

    Args:
        x: ``(3, H, W)``: red, green, blue.
        factor: Factor of every distance from gray; 0 gives a gray image.
    """
    rgb = x.astype(np.float32)
    gray = np.tensordot(np.array(GRAY_WEIGHTS, np.float32), rgb, axes=1)
    rgb -= gray
    rgb *= np.float32(factor)
    rgb += gray
    return cast_like(x, np.clip(rgb, 0, white_of(x.dtype), out=rgb))


def shift_hue(x: Array, shift: float) -> Array:
    """Shift the hue, at the same saturation and value of the HSV model (Smith 1978, doi:10.1145/965139.807361).

    Args:
        x: ``(3, H, W)``: red, green, blue.
        shift: Share of the color circle, -0.5 .. 0.5; a third turns red into green.
    """
    rgb = x.astype(np.float32)
    highest, lowest = rgb.max(axis=0), rgb.min(axis=0)
    chroma = highest - lowest
    r, g, b = rgb
    with np.errstate(divide="ignore", invalid="ignore"):
        hue = np.where(
            highest == r, (g - b) / chroma % 6, np.where(highest == g, (b - r) / chroma + 2, (r - g) / chroma + 4)
        )
    hue = np.where(chroma == 0, 0, hue) + np.float32(6 * shift)
    # Red, green and blue fall from the highest to the lowest value in turn, by a ramp of the hue's distance.
    for channel, offset in zip(rgb, (5, 3, 1), strict=True):
        ramp = (hue + offset) % 6
        channel[...] = highest - chroma * np.clip(np.minimum(ramp, 4 - ramp), 0, 1)
    return cast_like(x, np.clip(rgb, 0, white_of(x.dtype), out=rgb))
