"""Checks the tags of a TIFF file before decoding: sizes, and kinds that would give wrong pixels."""

import struct
from typing import BinaryIO, NamedTuple

from cnntrain.data.image_folder.file_content import MAX_SCANNED, SOS
from cnntrain.data.image_folder.memory_limit import ImageRefused

MAX_TAGS = 4096
MAX_NUMBERS = 1_000_000
"""Maximum number of values of all tags; most are offsets."""
MAX_TAG_BYTES = 64_000_000
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value of each type."""
WHOLE = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
"""Integer types."""
AS_TEXT = (1, 2, 7)
"""Types whose values form one text or blob."""
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, PLANES, SIGN = 256, 257, 258, 259, 262, 277, 284, 339
OFFSETS, LENGTHS = (273, 324), (279, 325)
"""Offsets and lengths of strips or tiles."""


class Tag(NamedTuple):
    """Location of a tag's values."""

    type: int
    values: int
    """Number of values."""
    at: int
    """Offset of the values."""


class Tags:
    """The tags of the first image of a file.

    Raises:
        ImageRefused: The tags are too many or too large.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        stream.seek(0)
        head = stream.read(16)
        self.order = "<" if head[:2] == b"II" else ">"
        is_big = head[2:4] in (b"+\0", b"\0+")
        (first,) = self._unpack("Q" if is_big else "I", head[8:16] if is_big else head[4:8])
        stream.seek(first)
        (count,) = self._unpack("Q" if is_big else "H", stream.read(8 if is_big else 2))
        if count > MAX_TAGS:
            raise ImageRefused(f"it has {count:,} tags, but at most {MAX_TAGS:,} are allowed")
        size, inline, value = (20, 8, "HHQQ") if is_big else (12, 4, "HHII")
        begin, entries = stream.tell(), stream.read(count * size)
        self.tags: dict[int, Tag] = {}
        numbers = length = 0
        for i in range(len(entries) // size):
            name, kind, values, at = self._unpack(value, entries[i * size : (i + 1) * size])
            in_all = values * SIZES.get(kind, 1)
            numbers += 0 if kind in AS_TEXT else values
            length += in_all
            self.tags.setdefault(name, Tag(kind, values, begin + (i + 1) * size - inline if in_all <= inline else at))
        if numbers > MAX_NUMBERS or length > MAX_TAG_BYTES:
            raise ImageRefused(
                f"its tags hold {numbers:,} numbers in {length:,} bytes, but at most {MAX_NUMBERS:,} in "
                f"{MAX_TAG_BYTES:,} are allowed"
            )

    def _unpack(self, form: str, content: bytes) -> tuple[int, ...]:
        return struct.unpack(self.order + form, content)

    def values(self, *names: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """Return the integers of the first tag of ``names`` that is present."""
        for name in names:
            tag = self.tags.get(name)
            if tag is not None and tag.type in WHOLE:
                self._stream.seek(tag.at)
                content = self._stream.read(tag.values * SIZES[tag.type])
                count = len(content) // SIZES[tag.type]
                return self._unpack(f"{count}{WHOLE[tag.type]}", content[: count * SIZES[tag.type]])
        return default


def check_tiff(stream: BinaryIO) -> None:
    """Check the tags of a TIFF file.

    Raises:
        ImageRefused: There are too many tags, or decoding would take very long or give wrong pixels.
        struct.error, OSError: The tags are truncated or cannot be read.
    """
    tags = Tags(stream)
    bits, compression = tags.values(BITS, default=(1,)), tags.values(COMPRESSION, default=(1,))
    is_deep = max(bits, default=1) > 8
    if max(bits, default=1) <= 16 and 2 in tags.values(SIGN):
        raise ImageRefused("its pixels are signed numbers of unknown range; save it with unsigned ones")
    if is_deep and tags.values(PHOTOMETRIC) == (0,) and tags.order == ">":
        raise ImageRefused("its pixels are 16-bit numbers in big-endian order with white as 0; save it with black as 0")
    if is_deep and tags.values(PLANES) == (2,) and tags.values(SAMPLES, default=(1,)) > (1,) and compression == (1,):
        raise ImageRefused("its colors are 16-bit numbers in separate planes; save it with interleaved ones, or 8 bits")
    if compression[:1] in ((6,), (7,)):
        _check_scans(stream, tags)


def _check_scans(stream: BinaryIO, tags: Tags) -> None:
    """Count the scans of JPEG-compressed strips or tiles."""
    size = stream.seek(0, 2)
    offsets, lengths = tags.values(*OFFSETS), tags.values(*LENGTHS)
    if sum(lengths) > 2 * size:
        raise ImageRefused("its parts overlap")
    (W,), (H,) = tags.values(WIDTH, default=(1,))[:1], tags.values(HEIGHT, default=(1,))[:1]
    pixels = W * H // max(1, len(offsets))
    scanned = 0
    for offset, length in zip(offsets, lengths, strict=False):
        stream.seek(offset)
        scanned += stream.read(length).count(SOS) * pixels
    if scanned > MAX_SCANNED:
        raise ImageRefused("it holds JPEG images with too many scans; save it again with another program")
