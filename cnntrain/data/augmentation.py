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

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cnntrain.config.schema.augmentation import AugmentationOptions
from cnntrain.data.color_changes import adjust_brightness_and_contrast, adjust_saturation, shift_hue
from cnntrain.data.pixels import Images, cast_like, white_of
from cnntrain.data.rotation import rotate
from cnntrain.ops.counter_rng import CounterRng, SampleIds
from cnntrain.ops.matmul import strided
from cnntrain.types import Array

AUGMENTATION = 4
"""Spawn key of the augmentation's random numbers."""
NUMBERS = 17
"""Random numbers per sample and epoch. Numbers of new operations come last, so that the others keep theirs."""
PIECE = 1 << 16
"""Values of the images that are changed together."""
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
        self._mean = mean
        self._rng = CounterRng(seed, (AUGMENTATION,))

    def __call__(self, pixels: Images, ids: SampleIds) -> Images:
        """Return the augmented images of a micro-batch.

        Args:
            pixels: ``(n, C, H, W)``, uint8 or float32 in 0..1; may be overwritten.
            ids: Epoch and sample indices.
        """
        options = self._options
        change = AugmentationParameters(self._rng.uniform(ids, NUMBERS), options, *pixels.shape[2:])
        if options.crop:
            pixels = crop(pixels, change.shift, options.crop)
        if options.vertical_flip:
            flip(pixels, change.upside_down, axis=2)
        if options.horizontal_flip:
            flip(pixels, change.left_to_right, axis=3)
        if options.rotation or options.scale:
            pixels = in_pieces(rotate, pixels, change.angle, change.zoom)
        if options.brightness or options.contrast:
            pixels = in_pieces(adjust_brightness_and_contrast, pixels, change.beta, change.gamma)
        if options.saturation:
            pixels = in_pieces(adjust_saturation, pixels, change.sigma)
        if options.hue:
            pixels = in_pieces(shift_hue, pixels, change.hue)
        if options.cutout or options.erasing:
            color = cast_like(pixels, np.array(self._mean) * white_of(pixels.dtype)).reshape(-1, 1, 1)
            for x, center, erased in zip(pixels, change.center, change.erased, strict=True):
                if options.cutout:
                    cutout_square(x, center, options.cutout, color)
                if erased is not None:
                    x[:, *erased] = color
        return pixels


def in_pieces(change: Callable[..., Images], pixels: Images, *parameters: Sequence[float]) -> Images:
    """Return all images changed, a few at a time, whose numbers stay in the processor's cache.

    Args:
        change: Takes images and their parameters.
        pixels: ``(n, C, H, W)``.
        parameters: A number for each image.
    """
    size = max(1, PIECE // pixels[0].size)
    pieces = [slice(start, start + size) for start in range(0, len(pixels), size)]
    return np.concatenate([change(pixels[piece], *(of_all[piece] for of_all in parameters)) for piece in pieces])


class AugmentationParameters:
    """Random parameters for the n images of a micro-batch.

    Args:
        u: ``NUMBERS`` numbers in 0..1 for each image, ``(n, NUMBERS)``.
        options: Ranges of the operations.
        H: Rows of the images.
        W: Columns of the images.
    """

    def __init__(self, u: NDArray[np.float64], options: AugmentationOptions, H: int, W: int):
        self.u, self.options, self.H, self.W = u, options, H, W

    @property
    def upside_down(self) -> NDArray[np.bool_]:
        """Whether each image is mirrored upside down, if ``vertical_flip`` is configured."""
        return self.u[:, 0] < 0.5

    @property
    def left_to_right(self) -> NDArray[np.bool_]:
        """Whether each image is mirrored left to right, if ``horizontal_flip`` is configured."""
        return self.u[:, 1] < 0.5

    @property
    def shift(self) -> NDArray[np.intp]:
        """Row and column offset into the padded image, 0..2 crop, ``(n, 2)``."""
        return (self.u[:, 2:4] * (2 * self.options.crop + 1)).astype(np.intp)

    @property
    def angle(self) -> list[float]:
        """Degrees, counterclockwise."""
        return self._around(0, self.options.rotation, 4)

    @property
    def beta(self) -> list[float]:
        """Factor of every pixel."""
        return self._around(1, self.options.brightness, 5)

    @property
    def gamma(self) -> list[float]:
        """Factor of every distance from the mean."""
        return self._around(1, self.options.contrast, 6)

    @property
    def center(self) -> list[tuple[int, int]]:
        """Row and column of the center of the cutout."""
        return [(int(row * self.H), int(column * self.W)) for row, column in self.u[:, 7:9].tolist()]

    @property
    def zoom(self) -> list[float]:
        """Factor by which each image is enlarged."""
        return self._around(1, self.options.scale, 9)

    @property
    def sigma(self) -> list[float]:
        """Factor of the saturation."""
        return self._around(1, self.options.saturation, 10)

    @property
    def hue(self) -> list[float]:
        """Share of the color circle."""
        return self._around(0, self.options.hue, 11)

    @property
    def erased(self) -> list[tuple[slice, slice] | None]:
        """Rows and columns of the erased rectangle, if there is one."""
        return [
            erased_rectangle(u, self.H, self.W) if probability < self.options.erasing else None
            for probability, *u in self.u[:, 12:].tolist()
        ]

    def _around(self, middle: float, span: float, number: int) -> list[float]:
        """Map a random number of each image to ``middle - span .. middle + span``."""
        values: list[float] = (middle + span * (2 * self.u[:, number] - 1)).tolist()
        return values


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


def crop(pixels: Images, shift: NDArray[np.intp], padding: int) -> Images:
    """Crop each image from its reflection-padded version.

    Args:
        pixels: ``(n, C, H, W)``.
        shift: First row and column of each crop, 0..2 padding, ``(n, 2)``.
        padding: Rows and columns around the image; fewer than the image has.

    Shape:
        ``(n, C, H, W)``
    """
    n, C, H, W = pixels.shape
    padded = reflection_padded(pixels, padding)
    offsets = 2 * padding + 1
    # All crops of all images, as views of overlapping windows.
    windows = strided(padded, (n, C, offsets, offsets, H, W), (*padded.strides, *padded.strides[2:]))
    cropped: Images = windows[np.arange(n), :, shift[:, 0], shift[:, 1]]
    return cropped


def reflection_padded(pixels: Images, padding: int) -> Images:
    """Pad images on all sides with their reflection at the edge: what ``np.pad`` does, twice as fast.

    Shape:
        ``(n, C, H, W)`` -> ``(n, C, H + 2 padding, W + 2 padding)``, with ``padding`` smaller than H and W
    """
    rows = reflected(np.arange(pixels.shape[2]), padding)
    padded: Images = reflected(pixels, padding).take(rows, axis=2)
    return padded


def reflected(x: Array, padding: int) -> Array:
    """Continue the last axis on both sides with its reflection at the edge."""
    return np.concatenate([x[..., padding:0:-1], x, x[..., -2 : -2 - padding : -1]], axis=-1)


def flip(pixels: Images, chosen: NDArray[np.bool_], axis: int) -> None:
    """Mirror the chosen images of ``(n, C, H, W)`` in place: upside down along axis 2, left to right along axis 3."""
    pixels[chosen] = np.flip(pixels[chosen], axis)


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
