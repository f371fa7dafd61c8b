"""The most confident errors as a sheet of images."""

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from cnntrain.evaluation.display_names import short
from cnntrain.evaluation.plots.style import GRAY, ORANGE, hide_axis
from cnntrain.types import Array

COLUMNS = 5
SIDE, GAP, TEXT, TITLE = 1.7, 0.14, 0.6, 0.6
"""In inches: width of an image, gap between images, height of a caption, height of the title."""


class Mistake(NamedTuple):
    """An image and its caption."""

    image: Array
    """(C, H, W), uint8 or floats in 0..1"""
    true: str
    predicted: str
    confidence: str
    where: str
    """File name, or index of the sample."""


def mistakes(shown: list[Mistake], title: str) -> Figure:
    """Draw images with their true and predicted classes."""
    columns = min(COLUMNS, max(3, len(shown)))
    rows = -(-len(shown) // columns)
    H, W = shown[0].image.shape[1:] if shown else (1, 1)
    tall = SIDE * min(max(H / W, 0.3), 2.0)
    wide, high = min(SIDE, tall * W / H), min(tall, SIDE * H / W)
    width, height = columns * (SIDE + GAP) + GAP, rows * (tall + TEXT) + TITLE
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))  # one for all images, since axes are expensive
    axes.text(GAP, 0.12, title, va="top", fontsize=11)
    for index, mistake in enumerate(shown):
        row, column = divmod(index, columns)
        left, bottom = GAP + column * (SIDE + GAP), TITLE + row * (tall + TEXT) + tall
        axes.imshow(
            drawable(mistake.image),
            cmap="gray",
            vmin=0,
            vmax=1,
            extent=(left, left + wide, bottom, bottom - high),
            interpolation="antialiased" if min(H, W) > 64 else "nearest",
        )
        lines = (
            (f"true: {short(mistake.true, 20)}", "#202020"),
            (f"predicted: {short(mistake.predicted, 15)}", ORANGE),
            (short(f"{mistake.confidence}, {mistake.where}", 32), GRAY),
        )
        for number, (line, color) in enumerate(lines):
            size = 6.5 if number == 2 else 8
            axes.text(left, bottom + 0.04 + 0.15 * number, line, va="top", color=color, fontsize=size)
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="auto")  # in inches, from the top
    hide_axis(axes)
    return figure


def drawable(image: Array) -> Array:
    """Return an image as ``(H, W)`` or ``(H, W, 3)`` in 0..1; other numbers of channels than 1 and 3 are averaged.

    Shape:
        image ``(C, H, W)``
    """
    pixels = image / (255 if image.dtype == np.uint8 else 1.0)
    pixels = np.clip(np.nan_to_num(pixels), 0, 1)
    return pixels.transpose(1, 2, 0) if len(pixels) == 3 else pixels.mean(axis=0)
