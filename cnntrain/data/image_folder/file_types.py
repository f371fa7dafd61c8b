"""Which files in a folder are images, and of which format, by their names and first bytes alone."""

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
"""The formats that are always read, and the endings of their files."""
SOMETIMES = {"AVIF": (".avif", ".avifs"), "HEIC": (".heic", ".heics", ".heif", ".heifs", ".hif")}
"""Those that are read where Pillow, or an installed plugin of it, can."""
NEVER = {
    "JPEG 2000": (".jp2", ".j2k", ".jpx", ".jpf"),
    "JPEG XL": (".jxl",),
    "Photoshop": (".psd", ".psb"),
    "DICOM": (".dcm",),
    "SVG": (".svg", ".svgz"),
    "camera raw": (".dng", ".nef", ".nrw", ".cr2", ".cr3", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw"),
}
"""Images in formats that are not read; they are called so, and not passed over as something else."""
KNOWN = ALWAYS | SOMETIMES | NEVER
FORMAT_OF_ENDING = {ending: name for name, endings in KNOWN.items() for ending in endings}
HOW_TO_READ = {
    "AVIF": "update Pillow to 11.3 or later",
    "HEIC": "install the plugin with pip install pillow-heif",
}
"""What makes files of a format readable, other than to convert them."""

HEAD = 1024
"""First bytes of a file that tell its format."""
BEGINNINGS = {
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
"""With the length of the header that follows: two letters alone begin many texts."""
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
AVIF_BRANDS = {b"avif", b"avis"}

NOT_OURS = {"__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "@eadir"}
"""What operating systems leave in folders, hidden on their own grounds."""


def is_hidden(name: str) -> bool:
    """Whether a file or folder is not meant to be seen."""
    return name.startswith(".") or name.lower() in NOT_OURS


def has_image_name(name: str) -> bool:
    """Whether a file's name says that it is an image of a format that is read."""
    found = FORMAT_OF_ENDING.get(os.path.splitext(name)[1].lower())
    return found is not None and is_read(found)


def has_image_signature(path: str) -> bool:
    """Whether a file that is not named like an image is one, in a format that is read, by its first bytes."""
    named = FORMAT_OF_ENDING.get(os.path.splitext(path)[1].lower())
    found = named if named in NEVER else format_of_file(path)  # many raw files begin as TIFF does
    return found is not None and is_read(found)


def unread_format(path: str) -> str | None:
    """The format of an image that is not read here, by its first bytes or else its name; None of all other files."""
    named = FORMAT_OF_ENDING.get(os.path.splitext(path)[1].lower())
    found = named if named in NEVER else format_of_file(path) or named
    return None if found is None or is_read(found) else found


def format_of(head: bytes) -> str | None:
    """The image format that a file's first ``HEAD`` bytes are of; None if they are of no format known here."""
    for beginning, name in BEGINNINGS.items():
        if head.startswith(beginning):
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
    """Whether images of a format can be read here."""
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
    """What the user can do about ``count`` images of a format that is not read."""
    convert = f"convert {'it' if count == 1 else 'them'} to JPEG or PNG"
    return f"{HOW_TO_READ[name]}, or {convert}" if name in HOW_TO_READ else convert


def format_of_file(path: str) -> str | None:
    """The image format of a file, by its first bytes."""
    return format_of(_head(path))


def _head(path: str) -> bytes:
    """The first bytes of a file; none where it cannot be read."""
    try:
        with open_regular(Path(path)) as file:
            return file.read(HEAD)
    except OSError:
        return b""
