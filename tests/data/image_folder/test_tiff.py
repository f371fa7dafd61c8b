"""TIFF files: right pixels or a sentence, and not a word of libtiff's own."""

import io
import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from cnntrain.data.image_folder.decode import read_image
from cnntrain.data.image_spec import ImageSpec
from cnntrain.errors import ImageError

SIDE = 8
GRAY = ImageSpec(1, SIDE, SIDE, "stretch")
COLOR = ImageSpec(3, SIDE, SIDE, "stretch")
rng = np.random.default_rng(0)
DEEP = rng.integers(0, 65536, (SIDE, SIDE)).astype(np.uint16)
RGB = rng.integers(0, 65536, (SIDE, SIDE, 3)).astype(np.uint16)


def tiff(pixels, tags, order="<"):
    """A TIFF with one strip of ``pixels``, or as many as there are; ``tags`` by number, whole numbers each."""
    strips = pixels if isinstance(pixels, list) else [pixels]
    body, at = b"".join(strips), 8
    offsets = [at + sum(map(len, strips[:i])) for i in range(len(strips))]
    entries = {256: [SIDE], 257: [SIDE], 259: [1], 277: [1], 278: [SIDE], 273: offsets, 279: list(map(len, strips))}
    entries |= tags
    at += len(body)
    table, values = struct.pack(order + "H", len(entries)), b""
    beyond = at + 2 + 12 * len(entries) + 4
    for tag, numbers in sorted(entries.items()):
        packed = struct.pack(f"{order}{len(numbers)}I", *numbers)
        if len(numbers) > 1:
            value, values = struct.pack(order + "I", beyond + len(values)), values + packed
        else:
            value = packed
        table += struct.pack(order + "HHI", tag, 4, len(numbers)) + value
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", at) + body + table + bytes(4) + values


def in_order(array, order):
    return array.astype(array.dtype.newbyteorder(order)).tobytes()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("white", [0, 1])
@pytest.mark.parametrize("bits", [8, 16])
def test_what_white_is(tmp_path, order, white, bits):
    pixels = DEEP if bits == 16 else (DEEP >> 8).astype(np.uint8)
    stored = pixels if white else pixels.dtype.type(2**bits - 1) - pixels
    (tmp_path / "a.tif").write_bytes(tiff(in_order(stored, order), {258: [bits], 262: [white]}, order))
    if (order, white, bits) == (">", 0, 16):
        with pytest.raises(ImageError, match="big-endian order with white as 0; save it with black as 0"):
            read_image(tmp_path / "a.tif", GRAY)
    else:
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif", GRAY)[0], DEEP >> 8)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planes", [1, 2])
@pytest.mark.parametrize("bits", [8, 16])
def test_planes(tmp_path, order, planes, bits):
    pixels = RGB if bits == 16 else (RGB >> 8).astype(np.uint8)
    strips = [in_order(part, order) for part in ([pixels] if planes == 1 else pixels.transpose(2, 0, 1))]
    tags = {258: [bits] * 3, 262: [2], 277: [3], 284: [planes]}
    (tmp_path / "a.tif").write_bytes(tiff(strips, tags, order))
    if (planes, bits) == (2, 16):
        with pytest.raises(ImageError, match="16-bit numbers in separate planes; save it with interleaved ones"):
            read_image(tmp_path / "a.tif", COLOR)
    else:
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif", COLOR).transpose(1, 2, 0), RGB >> 8)


@pytest.mark.parametrize("bits", [8, 16])
def test_signed_numbers_are_refused(tmp_path, bits):
    tags = {258: [bits], 262: [1], 339: [2]}
    (tmp_path / "a.tif").write_bytes(tiff(DEEP.tobytes()[: SIDE * SIDE * bits // 8], tags))
    with pytest.raises(ImageError, match="its pixels are signed numbers of unknown range"):
        read_image(tmp_path / "a.tif", GRAY)


def test_kinds_that_pillow_does_not_know_are_called_so(tmp_path):
    (tmp_path / "a.tif").write_bytes(tiff(bytes(320), {258: [8] * 5, 262: [1], 277: [5]}))
    with pytest.raises(ImageError, match="it is damaged or an unsupported kind of TIFF; save it as PNG"):
        read_image(tmp_path / "a.tif", GRAY)


def test_a_png_with_a_transparent_color_of_16_bits_is_refused(tmp_path):
    from tests.data.image_folder.test_content import chunk

    header = chunk(b"IHDR", struct.pack(">2I5B", 1, 1, 16, 2, 0, 0, 0)) + chunk(b"tRNS", struct.pack(">3H", 1, 2, 3))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header)
    with pytest.raises(ImageError, match="16-bit colors, one of them transparent"):
        read_image(tmp_path / "a.png", COLOR)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (tiff(b"", {60000 + i: [0] for i in range(4090)}), "it has 4,097 tags, but at most 4,096 are allowed"),
        (tiff(b"", {273: list(range(500_001)), 279: [0] * 500_001}), "its tags hold 1,000,007 numbers"),
    ],
)
def test_tags_have_limits(tmp_path, content, words):
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(ImageError, match=words):
        read_image(tmp_path / "a.tif", GRAY)


@pytest.mark.skipif(sys.platform == "win32", reason="its Pillow holds libtiff inside")
def test_libtiff_writes_nothing_by_itself(tmp_path):
    stream = io.BytesIO()
    noise = np.random.default_rng(1).random((200, 200)) > 0.5
    Image.fromarray(noise).save(stream, "TIFF", compression="group3")
    content = bytearray(stream.getvalue())
    content[300:2000:40] = bytes(b ^ 0xFF for b in content[300:2000:40])
    (tmp_path / "a.tif").write_bytes(content)
    script = (
        "import sys; from cnntrain.data.image_folder.decode import read_image; "
        "from cnntrain.data.image_spec import ImageSpec; read_image(sys.argv[1], ImageSpec(1, 8, 8))"
    )
    plain = "import sys; from PIL import Image; Image.open(open(sys.argv[1], 'rb')).load()"
    said = [
        subprocess.run([sys.executable, "-c", each, tmp_path / "a.tif"], capture_output=True, timeout=60, check=False)
        for each in (script, plain)
    ]
    assert said[0].stderr == b""
    assert b"Fax3Decode" in said[1].stderr  # that there was something to be silent about
