"""Filters of the first convolution as small images."""

import math

import numpy as np
from matplotlib.figure import Figure

from cnntrain.evaluation.plots.style import MARGIN, axes_at, hide_axis, title_height, write_title
from cnntrain.types import Array

MAX_COUNT = 144
"""Maximum number of filters."""
SIDE = 0.85
"""Width of a filter in inches, or of a channel of one with several, where there is room."""
MIN_WIDTH, MAX_WIDTH = 4.1, 8.0
"""In inches: minimum width of the figure, which has a title; maximum width of the filters."""
GAP, BAR_WIDTH, BAR = 0.2, 0.07, 1.0
"""In inches: gap before the color bar, its width, and the width of all that together with its labels."""


def filters(W: Array, title: str) -> Figure:
    """Draw filters: with three channels as RGB images, otherwise on a diverging color scale, channels side by side.

    Shape:
        W ``(K, C, F, F)``
    """
    K, C, _, _ = W.shape
    shown = W[:MAX_COUNT]
    tile_width = 1 if C in (1, 3) else C
    columns = columns_of(len(shown), math.sqrt(1.6 * len(shown) / tile_width))
    tiles = [colors(kernel) if C == 3 else np.concatenate(list(kernel), axis=1) for kernel in shown]
    pixels = sheet(tiles, columns)
    wide, top = min(SIDE * columns * tile_width, MAX_WIDTH), title_height(title)
    high = wide * pixels.shape[0] / pixels.shape[1]
    width = max(wide + (0 if C == 3 else BAR) + 2 * MARGIN, MIN_WIDTH)
    figure = Figure(figsize=(width, top + high + MARGIN))
    write_title(figure, title if K <= MAX_COUNT else f"{title} (the first {MAX_COUNT})")
    axes = axes_at(figure, MARGIN, top, wide, high)
    hide_axis(axes)
    limit = float(np.abs(shown).max(initial=0)) or 1.0
    image = axes.imshow(pixels, cmap="RdBu", vmin=-limit, vmax=limit, interpolation="nearest")
    if C == 3:
        return figure
    bar = figure.colorbar(image, cax=axes_at(figure, MARGIN + wide + GAP, top + 0.1 * high, BAR_WIDTH, 0.8 * high))
    bar.set_label("W")
    bar.ax.yaxis.set_label_coords((BAR - GAP - 0.1) / BAR_WIDTH, 0.5)
    return figure


def columns_of(count: int, wanted: float) -> int:
    """Return a number of columns near ``wanted``, if possible one that fills every row."""
    near = [columns for columns in range(1, count + 1) if 0.6 * wanted <= columns <= 1.6 * wanted]
    full = [columns for columns in near if count % columns == 0]
    return min(full or near or [1], key=lambda columns: abs(columns - wanted))


def colors(kernel: Array) -> Array:
    """Return a kernel ``(3, F, F)`` as an image ``(F, F, 3)`` in 0..1, scaled by its largest |w|; 0 is gray."""
    image: Array = 0.5 + kernel.transpose(1, 2, 0) / (2 * (np.abs(kernel).max(initial=0) or 1.0))
    return image


def sheet(tiles: list[Array], columns: int) -> Array:
    """Arrange images of equal size in a grid, with empty gaps between them.

    Shape:
        tiles ``(h, w)`` or ``(h, w, 3)`` each
    """
    h, w, *channels = tiles[0].shape
    gap = max(1, h // 8)
    rows = -(-len(tiles) // columns)
    grid = np.full((rows * (h + gap) - gap, columns * (w + gap) - gap, *channels), 1.0 if channels else np.nan)
    for index, tile in enumerate(tiles):
        top, left = index // columns * (h + gap), index % columns * (w + gap)
        grid[top : top + h, left : left + w] = tile
    return grid
