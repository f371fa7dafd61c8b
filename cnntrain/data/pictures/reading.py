"""Reading one picture: any file that Pillow can open -> uint8 pixels of a given size, or why it cannot be read.

Training, predict and export all read pictures here, so that the same file always gives the same bits.

- What a file is, its bytes say, not its name (``opening.py``). Of an animation the first frame counts.
- EXIF orientation is applied. Alpha is laid on white; 16-bit pixels keep their upper 8 bits.
- A JPEG at least twice as large as needed is decoded at a half, quarter or eighth of its size, which is much faster.
- The size is read from the header, and a picture beyond ``MOST_PIXELS`` is never decoded.
"""

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin, TiffImagePlugin

from cnntrain.data.pictures.form import Fit, Form
from cnntrain.data.pictures.opening import HEADER, MOST_BYTES, AnyFile, opened
from cnntrain.data.pictures.room import Refused, checked_need, room_for
from cnntrain.errors import PictureError

ORIENTATION = 0x0112
"""The EXIF tag. Its values 2..8 and what undoes them."""
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = 5
"""From this orientation on, rows and columns are exchanged."""


def read_picture(file: AnyFile, form: Form) -> NDArray[np.uint8]:
    """Read a picture.

    Shape:
        -> ``(C, H, W)``, uint8

    Raises:
        PictureError: The file is missing, no picture, damaged or too large.
    """
    with opened(file) as picture:
        return pixels_of(picture, form)


def pixels_of(picture: Image.Image, form: Form) -> NDArray[np.uint8]:
    """``(C, H, W)`` of an open picture, of which not all may be decoded. Errors are those of Pillow."""
    with room_for(picture):
        orientation = orientation_of(picture)  # of a PNG it may stand behind all pixels
        H, W = (form.W, form.H) if orientation >= SIDEWAYS else (form.H, form.W)
        drafted = _draft(picture, form, H, W)
        checked_need(picture)
        picture.load()
        if picture.format == "TIFF":  # Pillow has turned it already, on loading
            orientation, H, W = 1, form.H, form.W
        plain = _plain(picture, form.channels)
        fitted = _resized(plain, drafted or plain.size, form.fit, H, W)
    if orientation in UPRIGHT:
        fitted = fitted.transpose(UPRIGHT[orientation])
    pixels = np.asarray(_bordered(fitted, form.H, form.W).convert("L" if form.channels == 1 else "RGB"))
    return np.ascontiguousarray(pixels.reshape(form.H, form.W, form.channels).transpose(2, 0, 1))


def read_size(file: AnyFile) -> tuple[int, int]:
    """(H, W) of an upright picture, from the header alone.

    Raises:
        PictureError: As ``read_picture``, as far as the header shows it.
    """
    try:
        return _size_of(file, HEADER)
    except PictureError:  # the header may be longer than that
        return _size_of(file, MOST_BYTES)


def _size_of(file: AnyFile, most: int) -> tuple[int, int]:
    with opened(file, most) as picture:
        W, H = picture.size
        # Pillow would decode a PNG to look for an orientation behind its pixels, and has turned a TIFF already.
        is_upright = picture.format == "TIFF" or (picture.format == "PNG" and "exif" not in picture.info)
        return (H, W) if is_upright or orientation_of(picture) < SIDEWAYS else (W, H)


def orientation_of(picture: Image.Image) -> int:
    """The EXIF orientation, 1..8; 1, upright, where there is none or it cannot be read."""
    try:
        orientation = picture.getexif().get(ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, struct.error, KeyError, IndexError, TypeError, EOFError):
        return 1  # the picture may still be whole
    return orientation if isinstance(orientation, int) and orientation in UPRIGHT else 1


def _draft(picture: Image.Image, form: Form, H: int, W: int) -> tuple[float, float] | None:
    """Have a JPEG decoded at the smallest scale that still has every pixel needed; return its size then.

    Its last column and row may be pixels in part: 517 become 64.6 at an eighth.
    """
    width, height = picture.size
    if form.fit == "pad":  # the longer side decides how far it shrinks
        shrink = max(width / W, height / H)
        W, H = max(1, round(width / shrink)), max(1, round(height / shrink))
    if not isinstance(picture, JpegImagePlugin.JpegImageFile):  # a HEIC file would give its preview
        return None
    drafted = picture.draft("L" if form.channels == 1 and picture.mode == "RGB" else None, (W, H))
    return drafted and drafted[1][2:]


def _plain(picture: Image.Image, channels: int) -> Image.Image:
    """Any mode -> grey or colour, 8 bits, nothing transparent."""
    mode = picture.mode
    if mode.startswith("I;16"):
        picture = _upper_bits(picture)
    elif mode in ("I", "F"):
        raise Refused("its pixels are 32-bit numbers, whose range nothing tells; save it with 8 or 16 bits a channel")
    elif "transparency" in picture.info or mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        picture = picture if picture.mode == "RGBA" else picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    if picture.mode == "L" or (picture.mode == "RGB" and channels == 3):
        return picture  # grey is made colour when it is small
    return picture.convert("L" if channels == 1 or picture.mode == "1" else "RGB")


def _upper_bits(picture: Image.Image) -> Image.Image:
    """16-bit grey -> its upper 8 bits, as Pillow does for 16-bit colour; TIFF also stores 12 bits."""
    numbers = np.asarray(picture).astype(np.uint16)
    tags = getattr(picture, "tag_v2", {})
    grey = (numbers >> (4 if tags.get(TiffImagePlugin.BITSPERSAMPLE) == (12,) else 8)).astype(np.uint8)
    if tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0:  # white is 0
        grey = np.uint8(255) - grey
    clear: Any = picture.info.get("transparency")
    if isinstance(clear, int):
        grey[numbers == clear] = 255
    return Image.fromarray(grey)


def placed(picture: Image.Image, size: tuple[float, float], fit: Fit, H: int, W: int) -> Image.Image:
    """The first ``size`` columns and rows of the picture at H x W, antialiased."""
    return _bordered(_resized(picture, size, fit, H, W), H, W)


def _resized(picture: Image.Image, size: tuple[float, float], fit: Fit, H: int, W: int) -> Image.Image:
    """As ``placed``, but without the black borders of the fit ``pad``."""
    width, height = size
    box = (0.0, 0.0, width, height)
    if fit == "crop":
        shrink = min(width / W, height / H)
        left, top = (width - W * shrink) / 2, (height - H * shrink) / 2
        box = (max(0.0, left), max(0.0, top), min(width, left + W * shrink), min(height, top + H * shrink))
    elif fit == "pad":
        shrink = max(width / W, height / H)
        W, H = min(W, max(1, round(width / shrink))), min(H, max(1, round(height / shrink)))
    return picture.resize((W, H), Image.Resampling.BILINEAR, box)


def _bordered(picture: Image.Image, H: int, W: int) -> Image.Image:
    """In the middle of H x W black pixels. An upright picture: the odd row or column is below or right."""
    if picture.size == (W, H):
        return picture
    canvas = Image.new(picture.mode, (W, H))  # black
    canvas.paste(picture, ((W - picture.width) // 2, (H - picture.height) // 2))
    return canvas
