"""Draws a contact sheet: a row of sample images per class, next to its name."""

import math
from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from cnntrain.data.dataset import Dataset
from cnntrain.data.fonts import fonts_for
from cnntrain.data.pixels import white_of
from cnntrain.errors import can_be_shown

MIN_SIDE, MAX_SIDE = 56, 96
"""Pixels of an image's longer side: smaller ones are enlarged by an integer factor, larger ones are shrunk."""
GAP, LABEL_GAP, MARGIN = 3, 14, 16
TEXT, SMALL = 15, 11
"""Font sizes."""
MAX_WIDTH = 200
"""Maximum width of a class name in pixels."""
ROWS = 25
"""Classes per column."""
MAX_LENGTH = 100
"""Maximum characters of a name."""
MAX_COUNT = 400
"""Maximum number of classes to draw."""
PAPER, INK, PALE = (255, 255, 255), (20, 20, 20), (120, 120, 120)
PER_CLASS = 10
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


class _Plan(NamedTuple):
    """The layout of the sheet."""

    tile: tuple[int, int]
    """Columns and rows of a displayed image."""
    rows: int
    columns: int
    """Number of columns of classes."""
    each: int
    """Images per class."""
    label: int
    """Width of the class names in pixels."""

    @property
    def pitch(self) -> int:
        """Vertical distance of two classes."""
        return max(self.tile[1], TEXT + SMALL + 6) + GAP

    @property
    def block(self) -> int:
        """Width of a column of classes."""
        return self.label + self.each * (self.tile[0] + GAP)


def contact_sheet(title: str, dataset: Dataset, classes: Sequence[str]) -> bytes:
    """Draw evenly spaced samples of each class.

    Args:
        title: Title of the sheet.
        dataset: The samples.
        classes: Class names; the first 400 are drawn.

    Returns:
        A PNG file.
    """
    title, classes = _visible(title), [_visible(name) for name in classes[:MAX_COUNT]]
    font, small = _font(TEXT, [title, *classes]), _font(SMALL)
    counts = np.bincount(dataset.labels, minlength=len(classes))
    texts = max(font.getlength(name) for name in classes), small.getlength(f"{counts.max():,}")
    plan = _plan(dataset, len(classes), int(counts.max()), math.ceil(max(texts)))
    width = max(plan.columns * (plan.block + MARGIN) - MARGIN, math.ceil(font.getlength(title)))
    head = TEXT + MARGIN
    sheet = Image.new("RGB", (width + 2 * MARGIN, head + plan.rows * plan.pitch + 2 * MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN), title, INK, font)
    order = np.argsort(dataset.labels, kind="stable")
    ends = np.cumsum(counts)
    for i, name in enumerate(classes):
        column, row = divmod(i, plan.rows)
        x, y = MARGIN + column * (plan.block + MARGIN), MARGIN + head + row * plan.pitch
        draw.text((x, y + 1), _fitting(name, plan.label - LABEL_GAP, font), INK, font)
        draw.text((x, y + TEXT + 5), f"{counts[i]:,}", PALE, small)
        own = order[ends[i] - counts[i] : ends[i]]
        chosen = own[np.linspace(0, len(own), min(plan.each, len(own)), endpoint=False).astype(np.intp)]
        for i_image, image in enumerate(images_of(dataset, chosen)):
            sheet.paste(
                image.resize(plan.tile, _filter(image, plan)), (x + plan.label + i_image * (plan.tile[0] + GAP), y)
            )
    file = BytesIO()
    sheet.save(file, "PNG", optimize=True)
    return file.getvalue()


def _font(size: int, texts: Sequence[str] = ()) -> Font:
    """Return the font for some texts: Matplotlib's, unless another installed one has characters that it lacks.

    A font for other scripts has Latin letters, too.
    """
    try:
        file = fonts_for(texts).files[-1]
        return ImageFont.truetype(file, size, layout_engine=ImageFont.Layout.BASIC)  # the other one fails on odd text
    except (ImportError, OSError):
        return ImageFont.load_default(size)


def _plan(dataset: Dataset, classes: int, most: int, text: int) -> _Plan:
    """Compute the layout; ``most``: images of the largest class, ``text``: width of the longest name."""
    _, H, W = dataset.image_shape
    longer = max(H, W)
    scale = math.ceil(MIN_SIDE / longer) if longer < MIN_SIDE else min(1.0, MAX_SIDE / longer)
    columns = math.ceil(classes / ROWS)
    each = min(most, PER_CLASS if columns < 3 else PER_CLASS // 2)
    tile = max(1, round(W * scale)), max(1, round(H * scale))
    return _Plan(tile, math.ceil(classes / columns), columns, each, min(MAX_WIDTH, text) + LABEL_GAP)


def _filter(image: Image.Image, plan: _Plan) -> Image.Resampling:
    """Return the filter: enlarged images keep square pixels."""
    return Image.Resampling.NEAREST if plan.tile[0] >= image.width else Image.Resampling.BOX


def images_of(dataset: Dataset, indices: NDArray[np.intp]) -> list[Image.Image]:
    """Return the samples at ``indices`` as RGB images, in that order."""
    pixels = dataset.pixels(indices)
    if white_of(pixels.dtype) == 1:
        pixels = np.rint(pixels * 255).astype(np.uint8)
    return [_image(image) for image in pixels]


def _image(image: NDArray[np.uint8]) -> Image.Image:
    """Convert an image: three channels are RGB; otherwise show the first channel in gray."""
    if len(image) == 3:
        return Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))
    return Image.fromarray(np.ascontiguousarray(image[0])).convert("RGB")


def _visible(text: str) -> str:
    """Replace characters that cannot be shown."""
    return "".join(c if can_be_shown(c) else "?" for c in text[:MAX_LENGTH])


def _fitting(name: str, width: int, font: Font) -> str:
    """Truncate ``name`` to ``width`` pixels."""
    if font.getlength(name) <= width:
        return name
    while name and font.getlength(name + "...") > width:
        name = name[:-1]
    return name + "..."
