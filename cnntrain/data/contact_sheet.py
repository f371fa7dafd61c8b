"""A contact sheet: some images of each class in a row beside its name, to see at a glance what there is."""

import math
from collections.abc import Sequence
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from cnntrain.data.dataset import Dataset
from cnntrain.data.pixels import white_of
from cnntrain.errors import can_be_shown

SMALLEST, MAX_BYTES = 56, 96
"""Pixels of an image's longer side: smaller ones are shown as many times as large, larger ones are shrunk."""
GAP, LABEL_GAP, MARGIN = 3, 14, 16
TEXT, SMALL = 15, 11
"""Heights of the letters."""
MAX_WIDTH = 200
"""Pixels of a class's name."""
ROWS = 25
"""Classes below each other; more go beside them."""
MAX_LENGTH = 100
"""Characters of a name that are looked at."""
MAX_COUNT = 400
"""Classes that are drawn."""
PAPER, INK, PALE = (255, 255, 255), (20, 20, 20), (120, 120, 120)
PER_CLASS = 10
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


class _Plan(NamedTuple):
    """Where things go."""

    tile: tuple[int, int]
    """Columns and rows of an image as it is shown."""
    rows: int
    columns: int
    """How many blocks of classes stand beside each other."""
    each: int
    """Images of a class."""
    label: int
    """Pixels for its name."""

    @property
    def pitch(self) -> int:
        """From one class to the one below it."""
        return max(self.tile[1], TEXT + SMALL + 6) + GAP

    @property
    def block(self) -> int:
        """Columns of a block of classes."""
        return self.label + self.each * (self.tile[0] + GAP)


def contact_sheet(title: str, dataset: Dataset, classes: Sequence[str]) -> bytes:
    """Draw some samples of each class, evenly taken from all of ``dataset``.

    Args:
        title: Stands above.
        dataset: The samples.
        classes: Their names. The first 400 are drawn.

    Returns:
        A PNG file.
    """
    title, font, small = _visible(title), _font(TEXT), _font(SMALL)
    counts = np.bincount(dataset.labels, minlength=len(classes))
    classes = [_visible(name) for name in classes[:MAX_COUNT]]
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
        for place, image in enumerate(_images(dataset, chosen)):
            sheet.paste(
                image.resize(plan.tile, _filter(image, plan)), (x + plan.label + place * (plan.tile[0] + GAP), y)
            )
    file = BytesIO()
    sheet.save(file, "PNG", optimize=True)
    return file.getvalue()


def _font(size: int) -> Font:
    """A font with the letters of Europe and more; matplotlib brings it. Pillow's own has those of English alone."""
    found = find_spec("matplotlib")
    file = Path(str(found and found.origin)).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf"
    try:
        return ImageFont.truetype(file, size, layout_engine=ImageFont.Layout.BASIC)  # the other fails on odd text
    except OSError:
        return ImageFont.load_default(size)


def _plan(dataset: Dataset, classes: int, most: int, text: int) -> _Plan:
    """Where things go: ``most`` images of the largest class, ``text`` pixels for the longest name."""
    _, H, W = dataset.image_shape
    longer = max(H, W)
    scale = math.ceil(SMALLEST / longer) if longer < SMALLEST else min(1.0, MAX_BYTES / longer)
    columns = math.ceil(classes / ROWS)
    each = min(most, PER_CLASS if columns < 3 else PER_CLASS // 2)
    tile = max(1, round(W * scale)), max(1, round(H * scale))
    return _Plan(tile, math.ceil(classes / columns), columns, each, min(MAX_WIDTH, text) + LABEL_GAP)


def _filter(image: Image.Image, plan: _Plan) -> Image.Resampling:
    """Small images keep their pixels as squares."""
    return Image.Resampling.NEAREST if plan.tile[0] >= image.width else Image.Resampling.BOX


def _images(dataset: Dataset, indices: NDArray[np.intp]) -> list[Image.Image]:
    pixels = dataset.gather(indices)
    if white_of(pixels.dtype) == 1:
        pixels = np.rint(pixels * 255).astype(np.uint8)
    return [_image(image) for image in pixels]


def _image(image: NDArray[np.uint8]) -> Image.Image:
    """An image of any number of channels: three are colors; of others the first is shown, in gray."""
    if len(image) == 3:
        return Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))
    return Image.fromarray(np.ascontiguousarray(image[0])).convert("RGB")


def _visible(text: str) -> str:
    """On one line, without what cannot be shown."""
    return "".join(c if can_be_shown(c) else "?" for c in text[:MAX_LENGTH])


def _fitting(name: str, width: int, font: Font) -> str:
    """As much of ``name`` as there is room for."""
    if font.getlength(name) <= width:
        return name
    while name and font.getlength(name + "...") > width:
        name = name[:-1]
    return name + "..."
