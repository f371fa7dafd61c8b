"""Metadata decide nothing, and what would take very long is refused before it is decoded."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from cnntrain.data.image_folder import file_content as content_module
from cnntrain.data.image_folder.decode import read_image, read_size
from cnntrain.data.image_folder.file_content import strip_metadata
from cnntrain.data.image_spec import ImageSpec
from cnntrain.errors import ImageError

SAME = ImageSpec(3, 9, 14, "stretch")
NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 14, 3), np.uint8))


def encoded(spec, image=NOISE, **options):
    stream = io.BytesIO()
    image.save(stream, spec, **options)
    return stream.getvalue()


def chunk(name, body, crc=None):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", crc or zlib.crc32(name + body))


def segment(marker, body):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def with_chunks(*chunks, image=NOISE):
    """A PNG with chunks before its pixels, and behind them."""
    content = encoded("PNG", image)
    first, last = content.index(b"IDAT") - 4, content.index(b"IEND") - 4
    more = b"".join(chunks)
    return content[:first] + more + content[first:last] + more + content[last:]


PACKED = zlib.compress(bytes(20_000_000))
PNGS = {
    "large zTXt": with_chunks(chunk(b"zTXt", b"parameters\0\0" + PACKED)),
    "large iTXt": with_chunks(chunk(b"iTXt", b"parameters\0\1\0\0\0" + PACKED)),
    "large iCCP": with_chunks(chunk(b"iCCP", b"profile\0\0" + PACKED)),
    "large XMP": with_chunks(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + PACKED)),
    "large EXIF as text": with_chunks(chunk(b"zTXt", b"Raw profile type exif\0\0" + PACKED)),
    "broken zTXt": with_chunks(chunk(b"zTXt", b"parameters\0\0nothing that zlib knows")),
    "broken EXIF as text": with_chunks(chunk(b"zTXt", b"Raw profile type exif\0\0nothing that zlib knows")),
    "broken EXIF": with_chunks(chunk(b"eXIf", b"II*\0\xff\xff\xff\x7f")),
    **{f"wrong CRC of {name}": with_chunks(chunk(name.encode(), b"a\0bcd", 5)) for name in (
        "tEXt", "zTXt", "iTXt", "iCCP", "gAMA", "cHRM", "sRGB", "pHYs", "eXIf", "tIME", "acTL", "fcTL", "prVt"
    )},
    **{f"short {name}": with_chunks(chunk(name.encode(), b"")) for name in (
        "tEXt", "zTXt", "iTXt", "iCCP", "gAMA", "cHRM", "sRGB", "pHYs", "eXIf", "acTL", "fcTL", "fdAT"
    )},
}  # fmt: skip


@pytest.mark.parametrize("name", PNGS)
def test_metadata_of_a_png_decide_nothing(tmp_path, name):
    (tmp_path / "a.png").write_bytes(PNGS[name])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", SAME).transpose(1, 2, 0), np.asarray(NOISE))
    assert read_size(tmp_path / "a.png") == (9, 14)


@pytest.mark.parametrize("name", ["IHDR", "IDAT", "PLTE", "tRNS"])
def test_what_the_pixels_need_stays(name):
    content = encoded("PNG", NOISE.quantize(4), transparency=1)
    kept = strip_metadata(with_chunks(chunk(b"tEXt", b"a\0b"), image=NOISE.quantize(4)), "PNG")
    assert strip_metadata(content, "PNG") == content
    assert name.encode() in (content if name == "tRNS" else kept)
    assert b"tEXt" not in kept


JPEG = encoded("JPEG")
JPEGS = {
    "comments": segment(0xFE, b"hello") * 500,
    "large profile": segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(60_000)) * 40,
    "directory of further images": segment(0xE2, b"MPF\0MM\0*\xff\xff\xff\xff"),
    "broken Photoshop": segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x04\x04\xff\xff\xff\xff"),
    "broken EXIF": segment(0xE1, b"Exif\0\0II*\0\xff\xff\xff\x7f"),
    "empty": b"".join(segment(0xE0 + i, b"") for i in range(1, 14)),
    "fill bytes": b"\xff" * 99,
}


@pytest.mark.parametrize("name", JPEGS)
def test_metadata_of_a_jpeg_decide_nothing(tmp_path, name):
    (tmp_path / "plain.jpg").write_bytes(JPEG)
    (tmp_path / "a.jpg").write_bytes(JPEG[:2] + JPEGS[name] + JPEG[2:])
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg", SAME), read_image(tmp_path / "plain.jpg", SAME))
    assert read_size(tmp_path / "a.jpg") == (9, 14)


@pytest.mark.parametrize("spec", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_orientation_stays(tmp_path, spec):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "a").write_bytes(encoded(spec, exif=exif))
    assert read_size(tmp_path / "a") == (14, 9)


def test_the_orientation_in_xmp_stays(tmp_path):
    xmp = '<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp)
    (tmp_path / "a.png").write_bytes(encoded("PNG", pnginfo=info))
    body = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp.encode())
    (tmp_path / "a.jpg").write_bytes(JPEG[:2] + body + JPEG[2:])
    tall = [read_image(tmp_path / name, ImageSpec(3, 14, 9, "stretch")) for name in ("a.png", "a.jpg")]
    np.testing.assert_array_equal(tall[0].transpose(1, 2, 0), np.asarray(NOISE.transpose(Image.Transpose.ROTATE_270)))
    assert np.abs(tall[0].astype(int) - tall[1]).mean() < 60


def test_a_jpeg_with_further_images_takes_no_more_room_than_the_first(tmp_path, monkeypatch):
    from cnntrain.data.image_folder import memory_limit

    large = Image.new("RGB", (160, 160))
    large.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[large])
    monkeypatch.setattr(memory_limit, "MAX_DECODED_BYTES", 5 * 20 * 20)
    assert read_image(tmp_path / "a.jpg", ImageSpec(3, 8, 8)).shape == (3, 8, 8)


# --- time ------------------------------------------------------------------------------------------------------------


def scans(count, size=(64, 64)):
    """A progressive JPEG whose last scan comes over and over."""
    content = encoded("JPEG", Image.new("L", size, 128), progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:-2] + content[last:-2] * (count - content.count(b"\xff\xda")) + b"\xff\xd9"


@pytest.mark.parametrize("hidden", [b"", segment(0xFE, b"\xff\xd9")])
def test_scans_are_counted(tmp_path, hidden):
    for count in (500, 501):
        content = scans(count)
        last = content.rindex(b"\xff\xda")
        (tmp_path / f"{count}.jpg").write_bytes(content[:last] + hidden + content[last:])
    assert read_image(tmp_path / "500.jpg", SAME).shape == (3, 9, 14)
    for read in (lambda file: read_image(file, SAME), read_size):
        with pytest.raises(ImageError, match="a JPEG with more than 500 scans"):
            read(tmp_path / "501.jpg")


def test_fewer_scans_of_more_pixels(monkeypatch):
    monkeypatch.setattr(content_module, "MAX_SCANNED", 64 * 64 * 20)
    strip_metadata(scans(20), "JPEG")
    with pytest.raises(Exception, match="more than 20 scans"):
        strip_metadata(scans(21), "JPEG")


def test_what_stands_behind_a_jpeg_is_no_scan():
    assert strip_metadata(JPEG + b"\xff\xda" * 9999, "JPEG") == JPEG + b"\xff\xda" * 9999


def in_tiff(jpeg):
    """A TIFF with a JPEG for its one strip."""
    tags = [(256, 64), (257, 64), (258, 8), (259, 7), (262, 1), (273, 8), (277, 1), (278, 64), (279, len(jpeg))]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<I", 8 + len(jpeg)) + jpeg + directory + bytes(4)


def test_scans_in_a_tiff_are_counted(tmp_path, monkeypatch):
    from cnntrain.data.image_folder import tiff

    (tmp_path / "a.tif").write_bytes(in_tiff(scans(20)))
    monkeypatch.setattr(tiff, "MAX_SCANNED", 64 * 64 * 20)
    assert read_image(tmp_path / "a.tif", SAME).shape == (3, 9, 14)
    (tmp_path / "a.tif").write_bytes(in_tiff(scans(21)))
    with pytest.raises(ImageError, match="JPEG images with too many scans"):
        read_image(tmp_path / "a.tif", SAME)


GIF = encoded("GIF")
AFTER_PALETTE = 13 + 3 * 2 ** ((GIF[10] & 7) + 1)


def packed_bmp(W, H, rows):
    header = struct.pack("<IIIIiiHHIIiiII", 0, 0, 1078, 40, W, H, 1, 8, 1, 0, 1, 1, 256, 0)
    return b"BM" + header + bytes(1024) + rows


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (JPEG[:2] + segment(0xFE, b"") * 201 + JPEG[2:], "consists of more than 200 parts"),
        (JPEG[:2] + b"\xff" * 201 + JPEG[2:], "consists of more than 200 parts"),
        (with_chunks(chunk(b"tEXt", b"") * 101), "consists of more than 200 parts"),
        (GIF[:AFTER_PALETTE] + b"!\xfe\0" * 201 + GIF[AFTER_PALETTE:], "consists of more than 200 parts"),
        (GIF[:AFTER_PALETTE] + b"!\xfe" + b"\1x" * 201 + b"\0" + GIF[AFTER_PALETTE:], "more than 200 parts"),
        (packed_bmp(4001, 4000, b"\1\1\0\0" * 4000), "a compressed BMP of .* bytes and 16,004,000 pixels"),
        (packed_bmp(3000, 3000, b"\1\1" * 4_000_000), "a compressed BMP of 8,001,078 bytes"),
        (b"P2\n200 200\n255\n" + b"1 " * 32_001, "text of 64,002 bytes"),
        (b"P2\n200 200\n255\n" + b"#\n" * 201, "consists of more than 200 parts"),
    ],
    ids=["comments", "fill", "chunks", "extensions", "blocks", "rows", "runs", "text", "comments of text"],
)  # fmt: skip
def test_what_takes_long_is_refused(tmp_path, monkeypatch, content, words):
    monkeypatch.setattr(content_module, "MAX_PARTS", 200)
    monkeypatch.setattr(content_module, "MAX_NUMBERS", 64_000)
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ImageError, match=words):
        read_image(tmp_path / "a", SAME)


def test_a_long_comment_of_a_gif_is_passed_over(tmp_path):
    more = b"!\xfe" + (b"\xff" + bytes(255)) * 20_000 + b"\0"
    (tmp_path / "a.gif").write_bytes(GIF[:AFTER_PALETTE] + more + GIF[AFTER_PALETTE:])
    (tmp_path / "b.gif").write_bytes(GIF)
    np.testing.assert_array_equal(read_image(tmp_path / "a.gif", SAME), read_image(tmp_path / "b.gif", SAME))


def test_comments_in_the_numbers_of_a_pgm(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P2\n1 1\n255\n" + b"#\n" * 100_000 + b"7\n")
    assert (read_image(tmp_path / "a.pgm", ImageSpec(1, 1, 1)) == 7).all()


def test_scans_of_one_color_each_are_counted():
    """A sequential JPEG may have its colors in scans of their own, and then any number of them."""
    first = JPEG.index(b"\xff\xda")
    of_one = b"\xff\xda" + struct.pack(">HBBB", 8, 1, 1, 0) + b"\0\x3f\0"
    content = JPEG[:first] + of_one * 501 + b"\xff\xd9"
    with pytest.raises(Exception, match="a JPEG with more than 500 scans"):
        strip_metadata(content, "JPEG")
    assert strip_metadata(JPEG[:first] + of_one * 500 + b"\xff\xd9", "JPEG")
    assert strip_metadata(
        JPEG[:-2] + of_one * 501 + b"\xff\xd9", "JPEG"
    )  # behind one of all colors: none of them is read
