"""Detects image files and their formats by names and first bytes."""

import os
import re
from functools import cache
from importlib import import_module
from pathlib import Path

from cnntrain.storage.regular_file import open_regular

ALWAYS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png", ".apng"),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "WebP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
}
"""Supported formats and their file extensions."""
SOMETIMES = {"AVIF": (".avif", ".avifs"), "HEIC": (".heic", ".heics", ".heif", ".heifs", ".hif")}
"""Formats supported if Pillow or an installed plugin can read them."""
NEVER = {
    "JPEG 2000": (".jp2", ".j2k", ".jpx", ".jpf"),
    "JPEG XL": (".jxl",),
    "Photoshop": (".psd", ".psb"),
    "DICOM": (".dcm",),
    "SVG": (".svg", ".svgz"),
    "camera raw": (".dng", ".nef", ".nrw", ".cr2", ".cr3", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw"),
}
"""Unsupported image formats; reported by name."""
KNOWN = ALWAYS | SOMETIMES | NEVER
FORMAT_OF_EXTENSION = {extension: name for name, extensions in KNOWN.items() for extension in extensions}
HOW_TO_READ = {
    "AVIF": "update Pillow to 11.3 or later",
    "HEIC": "install the plugin with pip install pillow-heif",
}
"""How to make a format readable without converting the files."""

HEAD = 1024
"""Number of first bytes that decide the format."""
SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\0\x0cJXL \r\n\x87\n": "JPEG XL",
    b"8BPS": "Photoshop",
}
SPACE = rb"(?:\s|#[^\r\n]*[\r\n])+"
PNM = re.compile(
    rb"P(?:(?P<bits>[14])|(?P<bytes>[2356]))" + SPACE + rb"(?P<W>\d{1,9})" + SPACE + rb"(?P<H>\d{1,9})"
    rb"(?(bytes)" + SPACE + rb"(?P<most>\d{1,5}))\s"
)
BMP = re.compile(rb"BM.{4}\0\0\0\0.{4}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL)
"""Includes the header length, because many texts begin with these two letters."""
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
AVIF_BRANDS = {b"avif", b"avis"}

SYSTEM_FILES = {"__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "@eadir"}
"""Files and folders that operating systems create and hide."""


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden."""
    return name.startswith(".") or name.lower() in SYSTEM_FILES


def has_image_name(name: str) -> bool:
    """Return whether the extension is that of a supported image format."""
    found = FORMAT_OF_EXTENSION.get(os.path.splitext(name)[1].lower())
    return found is not None and is_read(found)


def has_image_signature(path: str) -> bool:
    """Return whether the first bytes are those of a supported image format, whatever the name."""
    named = FORMAT_OF_EXTENSION.get(os.path.splitext(path)[1].lower())
    found = named if named in NEVER else format_of_file(path)  # many raw formats begin like TIFF
    return found is not None and is_read(found)


def unread_format(path: str) -> str | None:
    """Return the unsupported image format of a file, by first bytes or name; None for all other files."""
    named = FORMAT_OF_EXTENSION.get(os.path.splitext(path)[1].lower())
    found = named if named in NEVER else format_of_file(path) or named
    return None if found is None or is_read(found) else found


def format_of(head: bytes) -> str | None:
    """Return the image format by the first ``HEAD`` bytes; None if unknown."""
    for signature, name in SIGNATURES.items():
        if head.startswith(signature):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp":
        length = min(len(head), int.from_bytes(head[:4], "big"))
        brands = {head[8:12], *(head[at : at + 4] for at in range(16, length - 3, 4))}
        return "AVIF" if brands & AVIF_BRANDS else "HEIC" if brands & HEIC_BRANDS else None
    if head[128:132] == b"DICM":
        return "DICOM"
    return "PPM" if PNM.match(head) else "BMP" if BMP.match(head) else None


@cache
def is_read(name: str) -> bool:
    """Return whether a format is supported here."""
    if name == "AVIF":
        try:
            return bool(import_module("PIL.AvifImagePlugin").SUPPORTED)
        except ImportError:  # Pillow before 11.3
            return False
    if name == "HEIC":
        try:
            import_module("pillow_heif").register_heif_opener()
        except (ImportError, AttributeError, OSError):
            return False
        return True
    return name in ALWAYS


def how_to_read(name: str, count: int = 1) -> str:
    """Tell the user what to do with ``count`` images in an unsupported format."""
    convert = f"convert {'it' if count == 1 else 'them'} to JPEG or PNG"
    return f"{HOW_TO_READ[name]}, or {convert}" if name in HOW_TO_READ else convert


def format_of_file(path: str) -> str | None:
    """Return the image format of a file by its first bytes."""
    return format_of(_head(path))


def _head(path: str) -> bytes:
    """Return the first bytes of a file; none if it is unreadable."""
    try:
        with open_regular(Path(path)) as file:
            return file.read(HEAD)
    except OSError:
        return b""
