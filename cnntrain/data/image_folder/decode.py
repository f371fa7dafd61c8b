"""Decodes one image file to uint8 pixels of a given size.

Training, predict and export all decode images here, so the same file always gives the same bits.

- The first bytes of a file decide its format, not its name (``open_image.py``). An animation gives its first frame.
- EXIF orientation is applied. Transparent pixels are blended with white; 16-bit pixels keep their upper 8 bits.
- A JPEG at least twice as large as needed is decoded at 1/2, 1/4 or 1/8 of its size, which is much faster.
- The size is read from the header; an image larger than ``MAX_PIXELS`` is never decoded.
"""

import struct
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin, TiffImagePlugin

from cnntrain.data.image_folder.memory_limit import ImageRefused, check_memory, reserve_memory
from cnntrain.data.image_folder.open_image import HEADER, MAX_BYTES, AnyFile, open_image
from cnntrain.data.image_spec import FitMode, ImageSpec
from cnntrain.errors import ImageError

ORIENTATION = 0x0112
"""The EXIF tag."""
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Orientation -> the operation that undoes it."""
FIRST_TRANSPOSED = 5
"""From this orientation on, rows and columns are swapped."""


def read_image(file: AnyFile, spec: ImageSpec) -> NDArray[np.uint8]:
    """Decode an image file.

    Shape:
        -> ``(C, H, W)``, uint8

    Raises:
        ImageError: The file is missing, damaged, too large or not an image.
    """
    with open_image(file) as image:
        return decode_pixels(image, spec)


def decode_pixels(image: Image.Image, spec: ImageSpec) -> NDArray[np.uint8]:
    """Decode an open image to ``(C, H, W)``. Raises Pillow's errors."""
    with reserve_memory(image):
        orientation = orientation_of(image)  # in a PNG it may follow the pixels
        H, W = (spec.W, spec.H) if orientation >= FIRST_TRANSPOSED else (spec.H, spec.W)
        drafted = _draft(image, spec, H, W)
        check_memory(image)
        image.load()
        if image.format == "TIFF":  # Pillow has rotated it on loading
            orientation, H, W = 1, spec.H, spec.W
        plain = _plain(image, spec.channels)
        fitted = _resized(plain, drafted or plain.size, spec.fit, H, W)
    if orientation in UPRIGHT:
        fitted = fitted.transpose(UPRIGHT[orientation])
    pixels = np.asarray(_bordered(fitted, spec.H, spec.W).convert("L" if spec.channels == 1 else "RGB"))
    return np.ascontiguousarray(pixels.reshape(spec.H, spec.W, spec.channels).transpose(2, 0, 1))


def read_size(file: AnyFile) -> tuple[int, int]:
    """Return (H, W) of the upright image, from the header alone.

    Raises:
        ImageError: As for ``read_image``, as far as the header shows.
    """
    try:
        return _size_of(file, HEADER)
    except ImageError:  # the header may be longer than that
        return _size_of(file, MAX_BYTES)


def sample_sizes(root: Path, names: Sequence[str], count: int) -> list[tuple[int, int]]:
    """Return (H, W) of at most ``count`` of the images, evenly spaced; unreadable ones are skipped."""
    sizes = []
    for name in names[:: max(1, -(-len(names) // count))]:
        with suppress(ImageError):
            sizes.append(read_size(root / name))
    return sizes


def _size_of(file: AnyFile, most: int) -> tuple[int, int]:
    with open_image(file, most) as image:
        W, H = image.size
        # Pillow would decode a PNG to find an orientation after its pixels, and has rotated a TIFF already.
        is_upright = image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info)
        return (H, W) if is_upright or orientation_of(image) < FIRST_TRANSPOSED else (W, H)


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation, 1..8; 1 (upright) if it is missing or unreadable."""
    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, struct.error, KeyError, IndexError, TypeError, EOFError):
        return 1  # the image itself may be intact
    return orientation if isinstance(orientation, int) and orientation in UPRIGHT else 1


def _draft(image: Image.Image, spec: ImageSpec, H: int, W: int) -> tuple[float, float] | None:
    """Set the smallest JPEG scale that still has all pixels needed; return the size at that scale.

    The last column and row may be partial pixels: 517 become 64.6 at 1/8.
    """
    width, height = image.size
    if spec.fit == "pad":  # the longer side decides how far it shrinks
        shrink = max(width / W, height / H)
        W, H = max(1, round(width / shrink)), max(1, round(height / shrink))
    if not isinstance(image, JpegImagePlugin.JpegImageFile):  # a HEIC file would return its preview
        return None
    drafted = image.draft("L" if spec.channels == 1 and image.mode == "RGB" else None, (W, H))
    return drafted and drafted[1][2:]


def _plain(image: Image.Image, channels: int) -> Image.Image:
    """Convert any mode to opaque 8-bit gray or color."""
    mode = image.mode
    if mode.startswith("I;16"):
        image = _upper_bits(image)
    elif mode in ("I", "F"):
        raise ImageRefused("its pixels are 32-bit numbers of unknown range; save it with 8 or 16 bits per channel")
    elif "transparency" in image.info or mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    if image.mode == "L" or (image.mode == "RGB" and channels == 3):
        return image  # gray becomes color after resizing
    return image.convert("L" if channels == 1 or image.mode == "1" else "RGB")


def _upper_bits(image: Image.Image) -> Image.Image:
    """Convert 16-bit gray to its upper 8 bits, as Pillow does for 16-bit color; TIFF may also have 12 bits."""
    numbers = np.asarray(image).astype(np.uint16)
    tags = getattr(image, "tag_v2", {})
    gray = (numbers >> (4 if tags.get(TiffImagePlugin.BITSPERSAMPLE) == (12,) else 8)).astype(np.uint8)
    if tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0:  # white is 0
        gray = np.uint8(255) - gray
    clear: Any = image.info.get("transparency")
    if isinstance(clear, int):
        gray[numbers == clear] = 255
    return Image.fromarray(gray)


def fit_to_size(image: Image.Image, size: tuple[float, float], fit: FitMode, H: int, W: int) -> Image.Image:
    """Resize the first ``size`` columns and rows of the image to H x W, antialiased."""
    return _bordered(_resized(image, size, fit, H, W), H, W)


def _resized(image: Image.Image, size: tuple[float, float], fit: FitMode, H: int, W: int) -> Image.Image:
    """As ``fit_to_size``, but without the black borders of the mode ``pad``."""
    width, height = size
    box = (0.0, 0.0, width, height)
    if fit == "crop":
        shrink = min(width / W, height / H)
        left, top = (width - W * shrink) / 2, (height - H * shrink) / 2
        box = (max(0.0, left), max(0.0, top), min(width, left + W * shrink), min(height, top + H * shrink))
    elif fit == "pad":
        shrink = max(width / W, height / H)
        W, H = min(W, max(1, round(width / shrink))), min(H, max(1, round(height / shrink)))
    return image.resize((W, H), Image.Resampling.BILINEAR, box)


def _bordered(image: Image.Image, H: int, W: int) -> Image.Image:
    """Center an image on H x W black pixels; an odd row or column goes below or to the right."""
    if image.size == (W, H):
        return image
    canvas = Image.new(image.mode, (W, H))  # black
    canvas.paste(image, ((W - image.width) // 2, (H - image.height) // 2))
    return canvas
