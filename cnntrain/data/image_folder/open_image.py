"""Opens image files: checks format and size, and turns Pillow's errors into clear messages.

All metadata except the orientation are removed before Pillow sees a file (``file_content.py``).
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import BinaryIO, Literal

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from cnntrain.data.image_folder import file_types
from cnntrain.data.image_folder.file_content import strip_metadata
from cnntrain.data.image_folder.memory_limit import ImageRefused, reserve_for_file
from cnntrain.data.image_folder.pillow_warnings import PILLOW_QUIET, silence_libtiff
from cnntrain.data.image_folder.tiff import check_tiff
from cnntrain.errors import ImageError
from cnntrain.storage.regular_file import without_waiting

AnyFile = str | os.PathLike[str]

FORMATS = ["JPEG", "PNG", "BMP", "DIB", "GIF", "WEBP", "TIFF"]
PLUGINS = (
    JpegImagePlugin,
    PngImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    WebPImagePlugin,
    TiffImagePlugin,
    PpmImagePlugin,
)
"""Imported explicitly: if one were missing, ``Image.open`` would import every plugin."""
OPTIONAL_FORMATS = {"PPM": "PPM", "AVIF": "AVIF", "HEIC": "HEIF"}
"""Formats that depend on the Pillow build or a plugin, with Pillow's names for them."""
MAX_PIXELS = 100_000_000
"""Maximum number of pixels of an image before resizing."""
MAX_BYTES = 1 << 28
"""Maximum size of a file, which is read into memory."""
MAX_TIFF_BYTES = 1 << 32
"""Maximum size of a TIFF file, of which only the first image is read."""
DECODER_ERROR = re.compile(r"decoder error -\d+|broken data stream when reading image file|unrecognized data stream.*")
"""Pillow messages that mean nothing to users."""
HEADER = 1 << 20
"""Bytes to read to find the size of an image."""


@contextmanager
def open_image(file: AnyFile, most: int = MAX_BYTES) -> Iterator[Image.Image]:
    """Context with an open image, header read but not decoded; any exception becomes an ``ImageError``.

    Args:
        file: The image file.
        most: Read at most this many bytes, for the header alone.
    """
    with (
        as_image_error(file),
        PILLOW_QUIET,
        reserve_for_file(_checked_size(file)),
        open(file, "rb", opener=without_waiting) as stream,
        Image.open(*_prepared(stream, most)) as image,
    ):
        W, H = image.size
        if W * H > MAX_PIXELS:
            raise ImageRefused(f"it has {W:,} x {H:,} pixels, but at most {MAX_PIXELS:,} are allowed")
        yield image


def _prepared(stream: BinaryIO, most: int) -> tuple[BinaryIO, Literal["r"], list[str]]:
    """Return the arguments for ``Image.open``: the stream, its mode and the allowed formats."""
    head = stream.read(file_types.HEAD)
    format = file_types.format_of(head)
    size, allowed = os.fstat(stream.fileno()).st_size, MAX_TIFF_BYTES if format == "TIFF" else MAX_BYTES
    if size > allowed:
        raise ImageRefused(f"it has {size:,} bytes, but at most {allowed:,} are allowed")
    if format == "TIFF":  # its parts may be anywhere, and much larger than the first image
        silence_libtiff()
        check_tiff(stream)
        stream.seek(0)
    else:  # decoders read in small chunks
        stream = BytesIO(strip_metadata(head + stream.read(max(0, min(most, size) - len(head))), format))
    is_optional = format in OPTIONAL_FORMATS and file_types.is_read(format)
    return stream, "r", [OPTIONAL_FORMATS[format]] if format is not None and is_optional else FORMATS


@contextmanager
def as_image_error(file: AnyFile) -> Iterator[None]:
    """Context that turns any exception into an ``ImageError`` about ``file``."""
    try:
        yield
    except Exception as error:  # decoders raise anything: SyntaxError, struct.error, zlib.error, ...
        raise ImageError(file, _reason(error, file)) from error


def _checked_size(file: AnyFile) -> int:
    """Return the size of a regular file. A pipe is never opened: it could block forever."""
    found = os.stat(file)
    if stat.S_ISDIR(found.st_mode):
        raise ImageRefused("it is a folder")
    if not stat.S_ISREG(found.st_mode):
        raise ImageRefused("it is not a regular file")
    if found.st_size == 0:
        raise ImageRefused("it is empty")
    return found.st_size


def _reason(error: Exception, file: AnyFile) -> str:
    if isinstance(error, ImageRefused):
        return str(error)
    if isinstance(error, UnidentifiedImageError):
        unread = file_types.unread_format(os.fspath(file))
        if file_types.format_of_file(os.fspath(file)) == "TIFF":
            return "it is damaged or an unsupported kind of TIFF; save it as PNG with 8 or 16 bits a channel"
        if unread is not None:
            return f"it is an image in the format {unread}, which cannot be read; {file_types.how_to_read(unread)}"
        return "it is not a JPEG, PNG, BMP, GIF, WebP, TIFF or PPM image, or its header is damaged"
    if isinstance(error, Image.DecompressionBombError):
        return f"it has more than {MAX_PIXELS:,} pixels"
    if isinstance(error, MemoryError):
        return "it does not fit into memory"
    if isinstance(error, OSError) and error.strerror:
        return f"it cannot be read: {error.strerror}"
    words = " ".join(DECODER_ERROR.sub("", str(error)).split())[:80]
    if isinstance(error, EOFError) or "truncated" in words.lower():
        return "it is cut off" + (f" ({words})" if words else "")
    return f"it is damaged ({words})" if words else "it is damaged"
