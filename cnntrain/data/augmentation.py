"""Random augmentation of training images.

Operations in this order, each only if configured::

    flip        mirrored left to right, and upside down, each with probability 1/2
    crop        moved by a whole number of pixels, -crop .. crop, drawn for rows and for columns
    rotation    turned about its center by an angle of -rotation .. rotation degrees; bilinear
    scale       enlarged about its center by a factor of 1 - scale .. 1 + scale, in one step with the rotation
    brightness  x -> beta x                      beta  in 1 - brightness .. 1 + brightness
    contrast    x -> m + gamma (x - m)           gamma in 1 - contrast .. 1 + contrast, m the mean of beta x
    saturation  x -> g + s (x - g)                s in 1 - saturation .. 1 + saturation, g the gray value of the pixel
    hue         turned on the color circle by -hue .. hue of a full turn
    cutout      a square of cutout x cutout pixels gets the mean color; its center is any pixel, so a part of it may
                lie outside (DeVries & Taylor 2017, arXiv:1708.04552)
    erasing     with probability ``erasing``, a rectangle inside the image of 2 to 33 % of its area, with sides in a
                ratio of 0.3 .. 3.3, gets the mean color (Zhong et al. 2020, arXiv:1708.04896)

All parameters are uniformly distributed, the ratio on a logarithmic scale. Crop, rotation and scale use reflection
padding, which adds no new colors or lines. Pixels keep their type; bytes are rounded, and values are clipped to black
and white.

The same count of random numbers is drawn per sample and epoch, whatever is configured. The images therefore do not
depend on how samples are distributed among workers, and enabling one operation does not change the others.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnntrain.config.schema.augmentation import AugmentationOptions
from cnntrain.data.color_changes import adjust_brightness_and_contrast, adjust_saturation, shift_hue
from cnntrain.data.pixels import Images, cast_like, white_of
from cnntrain.ops.counter_rng import CounterRng, SampleIds
from cnntrain.types import Array

AUGMENTATION = 4
"""Spawn key of the augmentation's random numbers."""
NUMBERS = 17
"""Random numbers per sample and epoch. Numbers of new operations come last, so that the others keep theirs."""
ERASED_AREA, ERASED_RATIO = (0.02, 0.33), (0.3, 3.3)
"""Share of the image, and ratio of height to width, of an erased rectangle."""


class Augmentation:
    """Augments the images of micro-batches.

    Args:
        options: Ranges of the operations.
        seed: Seed of the run.
        mean: Fill color of cutout, one value in 0..1 per channel.
    """

    def __init__(self, options: AugmentationOptions, seed: int, mean: Sequence[float]):
        self._options = options
        self._changes_images = options.changes_single_images
        self._mean = mean
        self._rng = CounterRng(seed, (AUGMENTATION,))

    def __call__(self, pixels: Images, ids: SampleIds) -> Images:
        """Return the augmented images of a micro-batch.

        Args:
            pixels: ``(n, C, H, W)``, uint8 or float32 in 0..1; may be overwritten.
            ids: Epoch and sample indices.
        """
        options = self._options
        if not self._changes_images:
            return pixels
        H, W = pixels.shape[2:]
        changes = [
            AugmentationParameters.sample(
                self._rng.generator(ids.epoch, sample).random(NUMBERS).tolist(), options, H, W
            )
            for sample in ids.samples.tolist()
        ]
        if options.horizontal_flip or options.vertical_flip or options.crop:
            pixels = flip_and_crop(pixels, changes, options.crop)
        if options.rotation or options.scale:
            pixels = np.stack([rotate(x, change.angle, change.zoom) for x, change in zip(pixels, changes, strict=True)])
        if options.brightness or options.contrast:
            pixels = np.stack(
                [
                    adjust_brightness_and_contrast(x, change.beta, change.gamma)
                    for x, change in zip(pixels, changes, strict=True)
                ]
            )
        if options.saturation:
            pixels = np.stack([adjust_saturation(x, change.sigma) for x, change in zip(pixels, changes, strict=True)])
        if options.hue:
            pixels = np.stack([shift_hue(x, change.hue) for x, change in zip(pixels, changes, strict=True)])
        if options.cutout or options.erasing:
            color = cast_like(pixels, np.array(self._mean) * white_of(pixels.dtype)).reshape(-1, 1, 1)
            for x, change in zip(pixels, changes, strict=True):
                if options.cutout:
                    cutout_square(x, change.center, options.cutout, color)
                if change.erased is not None:
                    x[:, *change.erased] = color
        return pixels


@dataclass(frozen=True, slots=True)
class AugmentationParameters:
    """Random parameters for one image."""

    mirrored: tuple[bool, bool]
    """Upside down; left to right."""
    shift: tuple[int, int]
    """Row and column offset into the padded image, 0..2 crop."""
    angle: float
    """Degrees, counterclockwise."""
    beta: float
    gamma: float
    center: tuple[int, int]
    """Row and column of the center of the cutout."""
    zoom: float = 1.0
    """Factor by which the image is enlarged."""
    sigma: float = 1.0
    """Factor of the saturation."""
    hue: float = 0.0
    """Share of the color circle."""
    erased: tuple[slice, slice] | None = None
    """Rows and columns of the erased rectangle."""

    @classmethod
    def sample(cls, u: Sequence[float], options: AugmentationOptions, H: int, W: int) -> "AugmentationParameters":
        """Map ``NUMBERS`` numbers in 0..1 to parameters."""
        return cls(
            mirrored=(options.vertical_flip and u[0] < 0.5, options.horizontal_flip and u[1] < 0.5),
            shift=(int(u[2] * (2 * options.crop + 1)), int(u[3] * (2 * options.crop + 1))),
            angle=options.rotation * (2 * u[4] - 1),
            beta=1 + options.brightness * (2 * u[5] - 1),
            gamma=1 + options.contrast * (2 * u[6] - 1),
            center=(int(u[7] * H), int(u[8] * W)),
            zoom=1 + options.scale * (2 * u[9] - 1),
            sigma=1 + options.saturation * (2 * u[10] - 1),
            hue=options.hue * (2 * u[11] - 1),
            erased=erased_rectangle(u[13:], H, W) if u[12] < options.erasing else None,
        )


def erased_rectangle(u: Sequence[float], H: int, W: int) -> tuple[slice, slice]:
    """Return rows and columns of an erased rectangle; u gives its area, the ratio of its sides and its corner."""
    (least, most), (flat, tall) = ERASED_AREA, ERASED_RATIO
    area = (least + (most - least) * u[0]) * H * W
    ratio = flat * (tall / flat) ** u[1]
    height, width = (
        min(size, max(1, round(side))) for size, side in ((H, (area * ratio) ** 0.5), (W, (area / ratio) ** 0.5))
    )
    top, left = int(u[2] * (H - height + 1)), int(u[3] * (W - width + 1))
    return slice(top, top + height), slice(left, left + width)


def flip_and_crop(pixels: Images, changes: Sequence[AugmentationParameters], crop: int) -> Images:
    """Flip images and crop each from its reflection-padded version.

    Shape:
        pixels ``(n, C, H, W)`` -> ``(n, C, H, W)``
    """
    H, W = pixels.shape[2:]
    padded = np.pad(pixels, ((0, 0), (0, 0), (crop, crop), (crop, crop)), mode="reflect") if crop else pixels
    out = np.empty_like(pixels)
    for x, source, change in zip(out, padded, changes, strict=True):
        (top, left), (upside_down, left_to_right) = change.shift, change.mirrored
        part = source[:, top : top + H, left : left + W]
        x[...] = part[:, :: -1 if upside_down else 1, :: -1 if left_to_right else 1]
    return out


def rotate(x: Array, angle: float, zoom: float = 1.0) -> Array:
    """Rotate and enlarge an image about its center with bilinear interpolation.

    Args:
        x: ``(C, H, W)``.
        angle: Degrees, counterclockwise.
        zoom: Factor by which the image is enlarged; below 1 it shrinks, and reflections surround it.
    """
    C, H, W = x.shape
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    rows = (np.arange(H) - (H - 1) / 2)[:, None] / zoom
    columns = (np.arange(W) - (W - 1) / 2)[None, :] / zoom
    row, below, row_share = neighboring_pixels(rows * cos + columns * sin + (H - 1) / 2, H)
    column, right, column_share = neighboring_pixels(columns * cos - rows * sin + (W - 1) / 2, W)
    flat = x.reshape(C, H * W).astype(np.float32)
    upper, lower = (
        interpolate(flat.take(line + column, axis=1), flat.take(line + right, axis=1), column_share)
        for line in (row * W, below * W)
    )
    return cast_like(x, interpolate(upper, lower, row_share)).reshape(C, H, W)


def neighboring_pixels(indices: Array, size: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Return the two neighboring pixels of each position and the distance from the first, 0..1; edges are reflected.

    Args:
        indices: Fractional rows or columns.
        size: Number of rows or columns of the image.
    """
    if size > 1:
        period = 2 * (size - 1)
        indices = np.abs(indices) % period
        indices = np.minimum(indices, period - indices)
    else:
        indices = np.zeros_like(indices)
    first = indices.astype(np.intp)
    share = (indices - first).astype(np.float32)
    return first.ravel(), np.minimum(first + 1, size - 1).ravel(), share.ravel()


def interpolate(a: Array, b: Array, share: Array) -> Array:
    """``a + share (b - a)``."""
    b -= a
    b *= share
    b += a
    return b


def cutout_square(x: Array, center: tuple[int, int], side: int, color: Array) -> None:
    """Fill a square in place, as far as it is inside the image.

    Args:
        x: ``(C, H, W)``.
        center: Row and column.
        side: Side in pixels; for an even side, the center is the pixel below and right of the middle.
        color: ``(C, 1, 1)``.
    """
    top, left = (index - side // 2 for index in center)
    x[:, max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = color
