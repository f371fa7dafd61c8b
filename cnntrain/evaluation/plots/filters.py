"""Filters of the first convolution as small images."""

import math

import numpy as np
from matplotlib.figure import Figure

from cnntrain.types import Array

MAX_COUNT = 144
"""Maximum number of filters."""
MAX_WIDTH = 8.0
"""Maximum total width in inches."""


def filters(W: Array, title: str) -> Figure:
    """Draw filters: with three channels as RGB images, otherwise on a diverging color scale, channels side by side.

    Shape:
        W ``(K, C, F, F)``
    """
    K, C, _, _ = W.shape
    shown = W[:MAX_COUNT]
    tile_width = 1 if C in (1, 3) else C
    columns = columns_of(len(shown), math.sqrt(1.6 * len(shown) / tile_width))
    rows = -(-len(shown) // columns)
    side = min(0.85, MAX_WIDTH / (columns * tile_width))
    width, height = max(columns * tile_width * side, 2.8) + (0.3 if C == 3 else 1.3), rows * side + 0.9
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title if K <= MAX_COUNT else f"{title} (the first {MAX_COUNT})", x=0.01, ha="left", fontsize=11)
    axes = figure.subplots()
    axes.grid(visible=False)
    axes.set_axis_off()
    limit = float(np.abs(shown).max(initial=0)) or 1.0
    if C == 3:
        axes.imshow(sheet([colors(kernel) for kernel in shown], columns), interpolation="nearest")
        return figure
    tiles = [np.concatenate(list(kernel), axis=1) for kernel in shown]
    image = axes.imshow(sheet(tiles, columns), cmap="RdBu", vmin=-limit, vmax=limit, interpolation="nearest")
    figure.colorbar(image, ax=axes, shrink=0.8, label="W")
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
