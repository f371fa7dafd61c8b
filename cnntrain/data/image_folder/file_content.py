"""Strips image files to the bytes that decide the pixels, and refuses files that would take very long to decode.

Decoders parse text, color profiles, comments and previews before the pixels, and fail if one is malformed; only the
orientation is needed. Many small parts, or many passes over the same pixels, can keep a decoder busy for hours with a
small file, so they are counted first.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnntrain.data.image_folder.file_types import HEAD, PNM
from cnntrain.data.image_folder.memory_limit import ImageRefused

MAX_PARTS = 200_000
"""Maximum number of chunks, segments or blocks of a file."""
MAX_SCANS = 500
"""Maximum number of scans of a JPEG; 1 to 15 are common."""
MAX_SCANNED = 8_000_000_000
"""Maximum number of pixels times scans."""
MAX_TEXT = 1_000_000
"""Maximum bytes of an uncompressed PNG text that may hold the orientation."""
MAX_PACKED = 8_000_000
"""Maximum bytes of a compressed BMP, and half of its pixels: Pillow is slow at them."""
MAX_NUMBERS = 32_000_000
"""Maximum bytes of a PNM image in text form."""

CHUNK = 1 << 22
"""Numbers to convert to bytes at a time."""

ORIENTED = (b"Raw profile type exif\0", b"XML:com.adobe.xmp\0")
"""Beginnings of PNG texts that may hold the orientation."""
APP1 = (b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0")
"""Beginnings of JPEG segments that may hold the orientation."""
MAX_APP1 = 16
SEGMENT = struct.Struct(">BBH")
"""Header of a JPEG segment."""
NO_FRAME = (0xC4, 0xC8, 0xCC)
"""Markers in the range of frame headers that are not frame headers."""
SEQUENTIAL = (0xC0, 0xC1, 0xC9)
"""Frame markers of images with one scan per color, or one in total."""
SOS = b"\xff\xda"
MARKER = re.compile(rb"\xff+([^\0\xd0-\xd7\xff])")
"""A marker in the compressed data of a JPEG."""


def strip_metadata(content: bytes, format: str | None) -> bytes:
    """Return the bytes of a file without the parts that its pixels do not need; the file may be truncated.

    Args:
        content: The file's bytes.
        format: Their format, as ``file_types.format_of`` returns it.

    Raises:
        ImageRefused: Decoding could take very long.
    """
    match format:
        case "PNG":
            return _of_png(content)
        case "JPEG":
            return _of_jpeg(content)
        case "GIF":
            return _of_gif(content)
        case "PPM":
            return _of_pnm(content)
        case "BMP":
            _check_bmp(content)
    return content


def _check_count(number: int) -> None:
    if number > MAX_PARTS:
        raise ImageRefused(f"it consists of more than {MAX_PARTS:,} parts; save it again with another program")


def _without(content: bytes, dropped: list[tuple[int, int]]) -> bytes:
    """Return the content without some of its ranges."""
    if not dropped:
        return content
    whole, at = memoryview(content), 0
    kept = []
    for begin, end in dropped:
        kept.append(whole[at:begin])
        at = end
    return b"".join([*kept, whole[at:]])


def _of_png(content: bytes) -> bytes:
    """Drop ancillary chunks (lowercase names), except transparency and orientation."""
    dropped, at, count = [], 8, 0
    while at + 8 <= len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        name = content[at + 4 : at + 8]
        if name == b"tRNS" and content[24:26] == b"\x10\x02":
            raise ImageRefused(
                "it has 16-bit colors, one of them transparent; save it with 8 bits, or with an alpha channel"
            )
        if name[0] & 0x20 and name != b"tRNS" and not (end <= len(content) and _says_orientation(content, at, end)):
            dropped.append((at, min(end, len(content))))
        at, count = end, count + 1
        _check_count(count)
    return _without(content, dropped)


def _says_orientation(content: bytes, at: int, end: int) -> bool:
    """Return whether a PNG chunk is intact and may hold the orientation."""
    name, body = content[at + 4 : at + 8], content[at + 8 : min(end - 4, at + 8 + 2 * MAX_TEXT)]
    if name not in (b"eXIf", b"tEXt", b"zTXt", b"iTXt") or end - at > MAX_TEXT:
        return False
    if name != b"eXIf" and not body.startswith(ORIENTED):
        return False
    if zlib.crc32(body, zlib.crc32(name)) != int.from_bytes(content[end - 4 : end], "big"):
        return False
    keyword = body.find(b"\0")
    if name == b"zTXt":
        return _unpacks(body[keyword + 2 :])
    return name != b"iTXt" or body[keyword + 1 : keyword + 2] == b"\0"  # by its specification XMP is not compressed


def _unpacks(packed: bytes) -> bool:
    """Return whether zlib can decompress it to at most ``MAX_TEXT`` bytes."""
    unpacking = zlib.decompressobj()
    try:
        unpacking.decompress(packed, MAX_TEXT)
    except zlib.error:
        return False
    return not unpacking.unconsumed_tail


def _of_jpeg(content: bytes) -> bytes:
    """Drop comments, profiles, previews and the index of further images; refuse too many scans."""
    dropped, at, count, oriented, pixels, bands = [], 2, 0, 0, 0, b""
    last = len(content) - 4
    while at <= last:
        begins, marker, length = SEGMENT.unpack_from(content, at)
        if begins != 0xFF or marker == 0xDA or marker == 0xD9:
            break
        count += 1
        if count > MAX_PARTS:
            _check_count(count)
        if marker == 0xFF or marker == 1 or 0xD0 <= marker <= 0xD8:  # no length
            at += 1 if marker == 0xFF else 2
            continue
        end = at + 2 + length
        if 0xE1 <= marker <= 0xFE:
            is_oriented = marker == 0xE1 and content.startswith(APP1, at + 4) and oriented < MAX_APP1
            oriented += is_oriented
            if not is_oriented and ((marker <= 0xEF and marker != 0xEE) or marker == 0xFE):
                dropped.append((at, min(end, len(content))))
        elif 0xC0 <= marker <= 0xCF and marker not in NO_FRAME:
            pixels = int.from_bytes(content[at + 5 : at + 7], "big") * int.from_bytes(content[at + 7 : at + 9], "big")
            bands = content[at + 9 : at + 10] if marker in SEQUENTIAL else b""  # may be in one scan
        at = end
    if (
        bands and content[at + 1 : at + 2] == b"\xda" and content[at + 4 : at + 5] == bands
    ):  # the decoder reads no other scan
        return _without(content, dropped)
    most = min(MAX_SCANS, max(1, MAX_SCANNED // max(1, pixels)))
    if content.count(SOS, at) > most and sum(1 for _ in zip(_scans(content, at), range(most + 1), strict=False)) > most:
        raise ImageRefused(f"it is a JPEG with more than {most:,} scans; save it again with another program")
    return _without(content, dropped)


def _scans(content: bytes, at: int) -> Iterator[int]:
    """Yield the offsets of the scans of a JPEG, up to its end marker; a video may follow it."""
    while (found := MARKER.search(content, at)) and found[1] != b"\xd9":
        if found[1] == b"\xda":
            yield found.start()
        end = found.end()
        at = end + (0 if found[1] in b"\1\xd8" else max(2, int.from_bytes(content[end : end + 2], "big")))


def _of_gif(content: bytes) -> bytes:
    """Drop comments and application data before the first image; keep transparency."""
    dropped, count = [], 0
    at = 13 + _palette(content[10:11])
    while content[at : at + 1] == b"!":
        begin, label, count = at, content[at + 1 : at + 2], count + 1
        at += 2
        while content[at : at + 1] not in (b"", b"\0"):
            at, count = at + 1 + content[at], count + 1
            _check_count(count)
        at += 1
        _check_count(count)
        if label != b"\xf9":
            dropped.append((begin, min(at, len(content))))
    return _without(content, dropped)


def _palette(flags: bytes) -> int:
    """Return the size of the palette by the flags of a GIF."""
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0


def _of_pnm(content: bytes) -> bytes:
    """Convert to binary pixels of 8 bits (or keep 1 bit): Pillow is slow at others. Keep the upper 8 of 16 bits."""
    found = PNM.match(content, 0, HEAD)
    if found is None:
        return content
    kind = found["bits"] or found["bytes"]
    columns, rows, greatest = (int(found[part] or 1) for part in ("W", "H", "most"))
    is_text, bands = kind in b"123", 3 if kind in b"36" else 1
    if kind == b"4" or (not is_text and greatest == 255) or not 0 < greatest < 65536:
        return content
    body = content[found.end() :]
    numbers: NDArray[Any]
    if is_text:
        if len(body) > MAX_NUMBERS:
            raise ImageRefused(f"it is text of {len(body):,} bytes, but at most {MAX_NUMBERS:,} are allowed")
        _check_count(body.count(b"#"))
        body = re.sub(rb"#[^\r\n]*", b" ", body)
        if kind == b"1":  # digits need no separator
            digits = np.frombuffer(body.translate(None, b" \t\r\n\v\f"), np.uint8)
            numbers = np.uint8(49) - digits  # 1 is black
        else:
            numbers = _numbers(body)
    else:
        numbers = np.frombuffer(body, np.uint8 if greatest < 256 else ">u2", len(body) // (1 + (greatest > 255)))
    pixels = bytearray()
    for at in range(0, min(len(numbers), columns * rows * bands), CHUNK):
        pixels += _bytes_of(numbers[at : min(at + CHUNK, columns * rows * bands)], greatest)
    return b"P%d\n%d %d\n255\n" % (6 if bands == 3 else 5, columns, rows) + pixels


def _bytes_of(numbers: NDArray[Any], greatest: int) -> bytes:
    """Scale numbers in 0..``greatest`` to bytes: the upper 8 bits if ``greatest`` is 2^n - 1."""
    if not 0 <= int(numbers.min()) <= int(numbers.max()) <= greatest:
        raise ImageRefused(f"it is damaged (numbers outside 0 to {greatest:,})")
    if greatest > 255 and greatest & (greatest + 1) == 0:
        return (numbers >> greatest.bit_length() - 8).astype(np.uint8).tobytes()
    return np.rint(numbers * np.float32(255 / greatest)).astype(np.uint8).tobytes()


def _numbers(text: bytes) -> NDArray[np.int32]:
    """Parse integers separated by whitespace."""
    if re.search(rb"[^\d\s]|\d{6}", text):
        raise ImageRefused("it is damaged (not only numbers)")
    return np.fromstring(text.decode("ascii"), np.int32, sep=" ")


def _check_bmp(content: bytes) -> None:
    """Refuse a large compressed BMP."""
    pixels = abs(int.from_bytes(content[18:22], "little") * int.from_bytes(content[22:26], "little", signed=True))
    is_packed = content[30:34] in (b"\1\0\0\0", b"\2\0\0\0")
    if is_packed and (len(content) > MAX_PACKED or pixels > 2 * MAX_PACKED):
        raise ImageRefused(
            f"it is a compressed BMP of {len(content):,} bytes and {pixels:,} pixels, but at most {MAX_PACKED:,} and "
            f"{2 * MAX_PACKED:,} are allowed; save it as PNG"
        )
